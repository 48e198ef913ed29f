//! One job, from its order to its stored result.

use std::sync::Arc;
use std::time::Duration;

use rport_protocol::to_client::RunCmdReply;
use rport_protocol::{Job, JobResult};
use rport_transport::Connection;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::capture::Capture;
use super::encoding::Charset;
use super::live::{self, LiveChannels};
use super::outcome::Outcome;
use super::process::{self, Started};
use super::script::ScriptFile;
use super::{Jobs, Known, Ready, interpreter, limits, summary};

/// How long the live channels stay open for a result that does not get through: Go servers show the result as the
/// last word of a live view, so the channels close after it.
const RESULT_PATIENCE: Duration = Duration::from_secs(10);

/// A job whose process runs.
struct Running {
    id: String,
    job: Job,
    started: Started,
    /// Removed when the job is over.
    script: ScriptFile,
    charset: Option<Charset>,
    abort: CancellationToken,
    /// Given back when the output is no longer in memory.
    permit: OwnedSemaphorePermit,
}

/// Starts a job that was claimed, and leaves it to a task.
///
/// # Errors
/// It was not started, and nothing is left of it.
pub(super) async fn start(
    jobs: &Arc<Jobs>,
    id: &str,
    job: Job,
    order: &[u8],
    link: &Connection,
    abort: CancellationToken,
) -> Result<RunCmdReply, String> {
    let permit = jobs.permits.clone().try_acquire_owned().map_err(|_| {
        format!(
            "too many jobs are running on this client ({}), try again later",
            limits::MAX_JOBS
        )
    })?;
    // Before the process, so that nothing it prints is missed and the server knows the channels by its first byte.
    let channels = if job.stream_result {
        Some(LiveChannels::open(link, order).await)
    } else {
        None
    };
    let launching = {
        let (jobs, id, job) = (jobs.clone(), id.to_owned(), job.clone());
        jobs.tasks
            .clone()
            .spawn_blocking("start process", move || launch(&jobs, &id, &job))
    };
    let launched = launching.await.map_err(|error| error.to_string())?;
    let (started, script, charset) = launched?;
    let reply = RunCmdReply {
        pid: i64::from(started.pid()),
        started_at: jobs.clock.now_local().into(),
    };
    jobs.set(
        id,
        Known::Running {
            reply: reply.clone(),
            abort: abort.clone(),
        },
    );
    info!(job.id = %id, job.pid = reply.pid, job.is_script = job.is_script, user.name = %job.created_by, "job started");
    let job = Job {
        pid: Some(reply.pid),
        started_at: reply.started_at,
        ..job
    };
    let running = Running {
        id: id.to_owned(),
        job,
        started,
        script,
        charset,
        abort,
        permit,
    };
    jobs.tasks.spawn("job", finish(jobs.clone(), running, channels));
    Ok(reply)
}

/// Notes the job, writes its script, starts its process. Blocks.
fn launch(jobs: &Jobs, id: &str, job: &Job) -> Result<(Started, ScriptFile, Option<Charset>), String> {
    let aliases = &jobs.config.interpreter_aliases;
    let encoding = interpreter::alias(job, aliases).and_then(|alias| alias.encoding.as_ref());
    let charset = encoding.and_then(|encoding| Charset::find(&encoding.output));
    let content = match encoding {
        None => job.command.clone().into_bytes(),
        Some(encoding) => Charset::find(&encoding.input)
            .ok_or_else(|| format!("unknown encoding {:?}", encoding.input))?
            .encode(&job.command)
            .map_err(|c| {
                format!(
                    "the interpreter's encoding {:?} has no character {c:?}",
                    encoding.input
                )
            })?,
    };
    let script = ScriptFile::create(&jobs.scripts_dir(), interpreter::extension(job), &content)?;
    let invocation = interpreter::invocation(job, script.path(), aliases, &jobs.sudo);
    let spool = jobs.spool()?;
    spool
        .begin(id, job)
        .map_err(|error| format!("can't note the start of the job: {error}"))?;
    match process::start(job, invocation, id) {
        Ok(started) => Ok((started, script, charset)),
        Err(error) => {
            if let Err(error) = spool.withdraw(id) {
                warn!(job.id = %id, "can't take the note of a job back: {error}");
            }
            Err(format!("failed to start a command: {error}"))
        }
    }
}

/// Sees a job through to its result.
async fn finish(jobs: Arc<Jobs>, running: Running, channels: Option<LiveChannels>) {
    let Running {
        id,
        job,
        started,
        script,
        charset,
        abort,
        permit,
    } = running;
    let send_back_limit = jobs.config.remote_commands.send_back_limit;
    let limit = usize::try_from(send_back_limit).unwrap_or(usize::MAX);
    let streams = [Arc::new(Capture::new(limit)), Arc::new(Capture::new(limit))];
    let [stdout, stderr] = &streams;
    let viewers: Vec<_> = channels
        .into_iter()
        .flat_map(|channels| [(channels.stdout, stdout), (channels.stderr, stderr)])
        .filter_map(|(channel, capture)| {
            let forwarding = live::forward(channel?, capture.clone(), charset);
            // When the agent stops nobody may wait for a viewer.
            let soft = jobs.tasks.soft();
            let forwarding = async move { soft.run_until_cancelled(forwarding).await.flatten() };
            Some(jobs.tasks.spawn("live output", forwarding))
        })
        .collect();
    let time = process::time_limit(job.timeout_sec);
    let outcome = process::observe(started, stdout, stderr, time, abort, &jobs.tasks).await;
    drop(script);
    info!(job.id = %id, job.status = outcome.status(), "job ended");

    let unstored = store(&jobs, &id, job, &outcome, &streams, charset).await;
    let mut channels = Vec::new();
    for viewer in viewers {
        // Each has a patience of its own.
        channels.extend(viewer.await.ok().flatten());
    }
    drop(streams);
    drop(permit);
    let (delivered, arrived) = oneshot::channel();
    let _ = jobs.ready.send(Ready {
        id,
        unstored,
        delivered: Some(delivered),
    });
    if !channels.is_empty() {
        let _ = timeout(RESULT_PATIENCE, arrived).await;
    }
}

/// Makes the result and stores it; returns it where that fails.
async fn store(
    jobs: &Arc<Jobs>,
    id: &str,
    job: Job,
    outcome: &Outcome,
    streams: &[Arc<Capture>; 2],
    charset: Option<Charset>,
) -> Option<Box<Job>> {
    let limit = jobs.config.remote_commands.send_back_limit;
    let overflow = streams
        .each_ref()
        .map(|stream| stream.with(|_, overflow| overflow));
    let mut result = Job {
        status: outcome.status().to_owned(),
        error: outcome.error(overflow[0], overflow[1], limit),
        finished_at: Some(jobs.clock.now_local().into()),
        ..job
    };
    let turn = jobs.results.acquire().await;
    let (jobs, id, streams) = (jobs.clone(), id.to_owned(), streams.clone());
    // Megabytes to decode, encode and sync.
    let storing = jobs.tasks.clone().spawn_blocking("store result", move || {
        let [stdout, stderr] = streams
            .each_ref()
            .map(|stream| stream.with(|bytes, _| text(bytes, charset)));
        let summary = summary::extract(&stdout);
        result.result = Some(JobResult {
            stdout,
            stderr,
            summary,
        });
        let reply = super::reply_of(&result);
        let stored = jobs
            .spool()
            .and_then(|spool| spool.finish(&id, &result).map_err(|error| error.to_string()));
        jobs.set(&id, Known::Finished(reply));
        match stored {
            Ok(()) => {
                debug!(job.id = %id, "result stored");
                None
            }
            Err(error) => {
                warn!(job.id = %id, "can't store the result, it is kept in memory: {error}");
                Some(Box::new(result))
            }
        }
    });
    let unstored = storing.await.unwrap_or_default();
    drop(turn);
    unstored
}

/// Output as text. Without an encoding it is UTF-8; each byte that is none becomes U+FFFD, as in Go.
fn text(bytes: &[u8], charset: Option<Charset>) -> String {
    if let Some(charset) = charset {
        return charset.decode(bytes);
    }
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_text() {
        assert_eq!(text(b"a\xff\xfe\xc3\xa9", None), "a\u{fffd}\u{fffd}é");
        assert_eq!(text(b"\x82", Charset::find("cp437")), "é");
    }
}
