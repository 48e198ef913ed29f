//! Results on their way home.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use rport_protocol::channel::KIND_CMD_RESULT;
use rport_protocol::to_server::{CmdResult, Ping};
use rport_protocol::{PayloadError, Request, ResultVerdict, json, texts};
use rport_runtime::Tasks;
use rport_transport::{Channel, Connection, Reply};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use tracing::{debug, info, warn};

use super::spool::Spool;
use super::{Jobs, Ready, limits};

/// How long a server may take to acknowledge a result.
const PATIENCE: Duration = Duration::from_secs(30);
/// The same for one that is large, and comes over a slow link.
const LARGE_PATIENCE: Duration = Duration::from_secs(600);
/// Pause before a server that could not take a result is asked again.
const PAUSE: Duration = Duration::from_secs(30);
/// Pause before the directory for jobs is tried again.
const OPEN_PAUSE: Duration = Duration::from_secs(5);

/// What became of a result.
#[derive(Debug, PartialEq, Eq)]
enum Sent {
    /// The server has it.
    Stored,
    /// The server does not want it, and why.
    Refused(String),
    /// Not now.
    Later(String),
}

/// Delivers results, one after another, until the agent stops.
pub(super) async fn run(jobs: Arc<Jobs>, mut ready: mpsc::UnboundedReceiver<Ready>) {
    let soft = jobs.tasks.soft();
    let delivering = async {
        // What an earlier run left behind. Without a directory there is nothing, and none is made.
        while Spool::exists(&jobs.config.client.data_dir) {
            match jobs.open_spool().await {
                Ok(()) => break,
                Err(error) => warn!("{error}"),
            }
            sleep(OPEN_PAUSE).await;
        }
        let mut link = jobs.link.subscribe();
        let mut waiting = VecDeque::new();
        loop {
            let next = match waiting.pop_front() {
                Some(next) => next,
                None => match ready.recv().await {
                    Some(next) => next,
                    None => return,
                },
            };
            while let Ok(more) = ready.try_recv() {
                waiting.push_back(more);
            }
            if let Some(undelivered) = deliver(&jobs, next, &mut link).await {
                // To the end of the queue: one that a server cannot take must not keep the others.
                waiting.push_back(undelivered);
            }
        }
    };
    soft.run_until_cancelled(delivering).await;
}

/// Delivers one result as soon as there is a link; gives it back if the server cannot take it now.
async fn deliver(
    jobs: &Arc<Jobs>,
    ready: Ready,
    link: &mut watch::Receiver<Option<Connection>>,
) -> Option<Ready> {
    let connection = match link
        .wait_for(|link| link.as_ref().is_some_and(|link| !link.is_closed()))
        .await
    {
        Ok(connection) => connection.clone()?,
        Err(_) => return Some(ready),
    };
    let id = &ready.id;
    let payload = match &ready.unstored {
        Some(job) => json::encode(job.as_ref()),
        None => match read(jobs, id).await {
            Ok(payload) => payload,
            Err(error) => {
                warn!(job.id = %id, "the stored result cannot be read and is dropped: {error}");
                jobs.acknowledge(id).await;
                return None;
            }
        },
    };
    let sent = tokio::select! {
        sent = send(&connection, id, payload, &jobs.tasks) => sent,
        reason = connection.closed() => Sent::Later(reason.to_string()),
        // A link that went silent is given up before it notices itself.
        _ = link.changed() => Sent::Later("the link was given up".to_owned()),
    };
    match sent {
        Sent::Stored => debug!(job.id = %id, "result delivered"),
        Sent::Refused(reason) => {
            warn!(job.id = %id, "the server refuses the result, which is dropped: {reason}")
        }
        Sent::Later(reason) => {
            info!(job.id = %id, "the result is not delivered yet: {reason}");
            let same = link.borrow().as_ref().is_some_and(|link| !link.is_closed());
            if same {
                let _ = timeout(PAUSE, link.changed()).await;
            }
            return Some(ready);
        }
    }
    jobs.acknowledge(id).await;
    if let Some(delivered) = ready.delivered {
        // Nobody waits any more if it took long.
        let _ = delivered.send(());
    }
    None
}

async fn read(jobs: &Arc<Jobs>, id: &str) -> Result<Vec<u8>, String> {
    let (spool, id) = (jobs.spool()?, id.to_owned());
    let reading = jobs
        .tasks
        .spawn_blocking("read result", move || spool.payload(&id));
    reading
        .await
        .map_err(|error| error.to_string())?
        .map_err(|error| error.to_string())
}

async fn send(link: &Connection, id: &str, payload: Vec<u8>, tasks: &Tasks) -> Sent {
    if link.peer_is_ours() {
        send_to_ours(link, id, payload, tasks).await
    } else {
        send_to_go(link, payload, tasks).await
    }
}

/// Our servers say when they have stored a result, and take large ones through a channel.
async fn send_to_ours(link: &Connection, id: &str, payload: Vec<u8>, tasks: &Tasks) -> Sent {
    if payload.len() > limits::MAX_PAYLOAD {
        match timeout(PATIENCE, link.open(KIND_CMD_RESULT, id.as_bytes())).await {
            Ok(Ok(channel)) => {
                let sending = timeout(LARGE_PATIENCE, send_through(channel, &payload));
                return sending
                    .await
                    .unwrap_or_else(|_| Sent::Later("no answer".to_owned()));
            }
            Ok(Err(error)) => debug!(job.id = %id, "the server takes no large results: {error}"),
            Err(_) => return Sent::Later("no answer".to_owned()),
        }
    }
    let payload = match shortened(payload, tasks).await {
        Ok(payload) => payload,
        Err(undeliverable) => return undeliverable,
    };
    match link.call(CmdResult::NAME, payload, PATIENCE).await {
        Ok(Reply::Success(_)) => Sent::Stored,
        Ok(Reply::Failure(text)) => refusal(String::from_utf8_lossy(&text).into_owned()),
        Err(error) => Sent::Later(error.to_string()),
    }
}

/// Makes a result fit into a request. Megabytes of it may have to be read for that.
async fn shortened(payload: Vec<u8>, tasks: &Tasks) -> Result<Vec<u8>, Sent> {
    if payload.len() <= limits::MAX_PAYLOAD {
        return Ok(payload);
    }
    let shortening = tasks.spawn_blocking("shorten result", move || {
        let CmdResult(job) = CmdResult::decode(&payload)?;
        Ok(CmdResult(limits::fit(job, limits::MAX_PAYLOAD)).encode())
    });
    match shortening.await {
        Ok(shortened) => shortened.map_err(|error: PayloadError| Sent::Refused(error.to_string())),
        Err(error) => Err(Sent::Later(error.to_string())),
    }
}

async fn send_through(mut channel: Channel, payload: &[u8]) -> Sent {
    let mut answer = Vec::new();
    let exchange = async {
        channel.write_all(payload).await?;
        channel.shutdown().await?;
        let mut reading = channel.take(ResultVerdict::MAX_BYTES as u64);
        reading.read_to_end(&mut answer).await
    };
    if let Err(error) = exchange.await {
        return Sent::Later(error.to_string());
    }
    match ResultVerdict::decode(&answer) {
        Some(ResultVerdict::Stored) => Sent::Stored,
        Some(ResultVerdict::Refused(text)) => refusal(text),
        None => Sent::Later("the server closed the channel without a word".to_owned()),
    }
}

/// Go servers answer no results, but they serve requests in order: one that answers a ping has had the result.
async fn send_to_go(link: &Connection, payload: Vec<u8>, tasks: &Tasks) -> Sent {
    let payload = match shortened(payload, tasks).await {
        Ok(payload) => payload,
        Err(undeliverable) => return undeliverable,
    };
    if let Err(error) = link.notify(CmdResult::NAME, payload).await {
        return Sent::Later(error.to_string());
    }
    match link.call(Ping::NAME, Ping.encode(), PATIENCE).await {
        Ok(_) => Sent::Stored,
        Err(error) => Sent::Later(error.to_string()),
    }
}

fn refusal(text: String) -> Sent {
    if text == texts::UNKNOWN_REQUEST || text.starts_with(texts::TRY_LATER_PREFIX) {
        Sent::Later(text)
    } else {
        Sent::Refused(text)
    }
}

#[cfg(test)]
mod tests {
    use rport_protocol::{Job, JobResult};
    use rport_transport::{Event, LinkOptions, pair};

    use super::*;

    #[tokio::test]
    async fn a_go_server_gets_what_it_can_take_and_acknowledges_with_a_ping() {
        let tasks = Tasks::new();
        let (agent, mut server) = pair("agent", &LinkOptions::default(), &tasks).await.unwrap();
        let job = Job {
            jid: "big".to_owned(),
            status: "successful".to_owned(),
            result: Some(JobResult {
                stdout: "\u{1}".repeat(4 << 20),
                stderr: "e".repeat(1000),
                summary: String::new(),
            }),
            ..Job::default()
        };
        let payload = CmdResult(job).encode();
        let sending = send_to_go(&agent.connection, payload, &tasks);
        let serving = async {
            let Some(Event::Request(result)) = server.incoming.next().await else {
                panic!("a result was expected");
            };
            assert_eq!(result.name, CmdResult::NAME);
            // A Go server never answers it, and whatever waited for an answer would wait for ever.
            assert!(!result.wants_reply);
            assert!(result.payload.len() <= limits::MAX_PAYLOAD);
            let CmdResult(job) = CmdResult::decode(&result.payload).unwrap();
            assert!(job.error.contains("was cut to"), "{}", job.error);
            let output = job.result.unwrap();
            assert_eq!(output.stderr.len(), 1000);
            assert!(output.stdout.len() > 40_000);
            let Some(Event::Request(ping)) = server.incoming.next().await else {
                panic!("a ping was expected");
            };
            assert_eq!(ping.name, Ping::NAME);
            ping.succeed([]);
        };
        let (sent, ()) = tokio::join!(sending, serving);
        assert_eq!(sent, Sent::Stored);
        agent.connection.close();
        assert!(matches!(
            send_to_go(&agent.connection, b"{}".to_vec(), &tasks).await,
            Sent::Later(_)
        ));
    }

    #[test]
    fn only_some_refusals_are_final() {
        for (text, later) in [
            ("unknown request", true),
            ("try again later: the database is busy", true),
            ("no such job", false),
            ("", false),
        ] {
            assert_eq!(
                matches!(refusal(text.to_owned()), Sent::Later(_)),
                later,
                "{text}"
            );
        }
    }
}
