//! Results that agents report. Source: wire-protocol.md 13.4.
//!
//! Nothing an agent says is believed but about its own jobs. A result counts once; it is acknowledged when it is on
//! disk. Results too large for a request come through a channel, a few at a time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rport_domain::{ClientId, JobId, JobStatus};
use rport_protocol::to_server::CmdResult;
use rport_protocol::{Job as WireJob, Request, ResultVerdict, texts};
use rport_store::{Finish, FinishedJob};
use rport_transport::{Channel, IncomingChannel};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::Inner;
use super::audit;
use super::hidden::Hidden;
use crate::clients::Client;

/// Largest result in bytes of its JSON. The default `send_back_limit` of 4 MiB per stream makes 48 MiB at worst.
const MAX_RESULT: usize = 50 << 20;
/// How much is taken of a large result before there has to be room for more, in bytes.
const STEP: usize = 1 << 20;
/// Most that is held of large results at a time, in steps.
pub(super) const MAX_STEPS: usize = 160;
/// Most small results in memory at a time.
pub(super) const MAX_SMALL: usize = 128;
/// Results above this size are decoded where it disturbs nobody.
const LARGE: usize = 1 << 20;
/// How long an agent may be silent in the middle of a large result, and how long that may wait for room.
const SILENCE: Duration = Duration::from_secs(20);
/// How long a large result may take; our agents give up after the same time.
const LARGE_LIMIT: Duration = Duration::from_secs(600);
/// How long readers of live output may take to tell what has arrived before the result.
const FLUSH_LIMIT: Duration = Duration::from_secs(1);
/// Longest id of a job. Ours are UUIDs.
const MAX_ID: usize = 64;
/// Longest error of a client that is kept, in bytes.
const MAX_ERROR: usize = 16 << 10;

/// What an agent sent in place of a result.
#[derive(Debug, thiserror::Error)]
enum BadResult {
    #[error("the result cannot be read: {0}")]
    Unreadable(String),
    #[error("the result is larger than {MAX_RESULT} bytes")]
    TooLarge,
    #[error("{0:?} is not how a job ends")]
    NotFinal(String),
    #[error("the id of the job is none of ours")]
    BadId,
}

/// The large results that are being received: one of each client.
#[derive(Debug, Default)]
pub(super) struct Receiving(Mutex<HashMap<ClientId, Arc<CancellationToken>>>);

impl Receiving {
    /// Takes the place of a client. Who had it before is told to go: its link is gone, or it is up to no good.
    fn enter(&self, client: &ClientId) -> Arc<CancellationToken> {
        let token = Arc::new(CancellationToken::new());
        if let Some(older) = self.0.lock().insert(client.clone(), token.clone()) {
            older.cancel();
        }
        token
    }

    fn leave(&self, client: &ClientId, token: &Arc<CancellationToken>) {
        let mut receiving = self.0.lock();
        if receiving
            .get(client)
            .is_some_and(|current| Arc::ptr_eq(current, token))
        {
            receiving.remove(client);
        }
    }
}

impl Inner {
    /// Takes a result that came as a request.
    pub(super) async fn take_result(self: &Arc<Self>, client: &Arc<Client>, payload: &[u8]) -> ResultVerdict {
        // Never closed.
        let _turn = self.small_results.acquire().await;
        match CmdResult::decode(payload) {
            Ok(CmdResult(job)) => self.store_result(client, job).await,
            Err(error) => refused(client, &BadResult::Unreadable(error.to_string())),
        }
    }

    /// Takes a result through a channel. Waits, without an answer to the agent, until there is room for it.
    pub(super) fn take_large_result(self: &Arc<Self>, client: &Arc<Client>, channel: IncomingChannel) {
        let (inner, client) = (self.clone(), client.clone());
        let stop = self.tasks.soft();
        let replaced = self.receiving.enter(&client.id);
        self.tasks.spawn("large_result", async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = replaced.cancelled() => {}
                () = inner.receive(&client, channel) => {}
            }
            inner.receiving.leave(&client.id, &replaced);
        });
    }

    async fn receive(self: &Arc<Self>, client: &Arc<Client>, channel: IncomingChannel) {
        let Some(id) = std::str::from_utf8(&channel.extra).ok().and_then(job_id) else {
            let _ = answer(channel.accept(), &refused(client, &BadResult::BadId)).await;
            return;
        };
        // Large things are not taken for jobs nobody ordered.
        match self.store.find(&id).await {
            Ok(Some(job)) if job.client_id == client.id => {}
            Ok(_) => {
                tracing::warn!(client.id = %client.id, job.id = %id, "result of a job of somebody else refused");
                let _ = answer(channel.accept(), &foreign()).await;
                return;
            }
            Err(error) => {
                let _ = answer(channel.accept(), &later(&error)).await;
                return;
            }
        }
        // Never closed.
        let Ok(mut room) = self.large_results.clone().acquire_owned().await else {
            return;
        };
        let mut channel = channel.accept();
        let mut payload = Vec::new();
        let reading = self.read(&mut channel, &mut payload, &mut room);
        let reading = timeout(LARGE_LIMIT, reading).await;
        let verdict = match reading {
            Ok(Ok(true)) => self.decode_large(client, payload).await,
            Ok(Ok(false)) => refused(client, &BadResult::TooLarge),
            // The agent has gone, or sends nothing any more. It tries again.
            Ok(Err(_)) | Err(_) => {
                tracing::info!(client.id = %client.id, job.id = %id, "a large result broke off");
                return;
            }
        };
        if let ResultVerdict::Refused(reason) = &verdict
            && !reason.starts_with(texts::TRY_LATER_PREFIX)
        {
            // The agent gives it up, so nothing else will come.
            let error = format!("its result was refused: {reason}");
            self.end(std::slice::from_ref(&id), JobStatus::Unknown, &error)
                .await;
        }
        let _ = answer(channel, &verdict).await;
    }

    /// Reads a result; `false` if it is too large. Holds room for what it has read: one who sends slowly holds little.
    async fn read(
        &self,
        channel: &mut Channel,
        payload: &mut Vec<u8>,
        room: &mut OwnedSemaphorePermit,
    ) -> std::io::Result<bool> {
        loop {
            if payload.len() >= room.num_permits() * STEP {
                let more = timeout(SILENCE, self.large_results.clone().acquire_owned()).await;
                let more = more.map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))?;
                room.merge(more.map_err(std::io::Error::other)?);
            }
            let reading = timeout(SILENCE, channel.read_buf(payload)).await;
            match reading.map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))?? {
                0 if payload.is_empty() => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                0 => return Ok(true),
                _ if payload.len() > MAX_RESULT => return Ok(false),
                _ => {}
            }
        }
    }

    async fn decode_large(self: &Arc<Self>, client: &Arc<Client>, payload: Vec<u8>) -> ResultVerdict {
        let decoded = if payload.len() > LARGE {
            let decoding = self
                .tasks
                .spawn_blocking("decode_result", move || CmdResult::decode(&payload));
            match decoding.await {
                Ok(decoded) => decoded,
                Err(error) => return ResultVerdict::Refused(format!("{} {error}", texts::TRY_LATER_PREFIX)),
            }
        } else {
            CmdResult::decode(&payload)
        };
        match decoded {
            Ok(CmdResult(job)) => self.store_result(client, job).await,
            Err(error) => refused(client, &BadResult::Unreadable(error.to_string())),
        }
    }

    async fn store_result(self: &Arc<Self>, client: &Arc<Client>, job: WireJob) -> ResultVerdict {
        let mut finished = match finished(job, self.clock.now_local()) {
            Ok(finished) => finished,
            Err(error) => return refused(client, &error),
        };
        let id = finished.id.clone();
        let mut flushed = Vec::new();
        let hidden = match self.hidden(client, &id).await {
            Ok(hidden) => hidden,
            Err(error) => return not_yet(client, &id, &error),
        };
        finished.error = hidden.redact(finished.error);
        finished.result = finished.result.map(|result| hidden.redact_result(result));
        {
            let table = self.table.lock();
            if let Some(open) = table.get(&id).filter(|open| open.facts.client == client.id) {
                if let Some(user) = &open.cancelled_by
                    && finished.status != JobStatus::Successful
                {
                    finished.status = JobStatus::Failed;
                    finished.error = cancelled_by(user.as_str());
                }
                flushed = open.readers.flush();
            }
        }
        let job = match self.store.finish(&client.id, finished).await {
            Ok(Finish::Stored(job)) => job,
            Ok(Finish::Repeated) => {
                // Its end was told when it came first.
                self.forget(&id);
                return ResultVerdict::Stored;
            }
            Ok(Finish::Foreign) => {
                tracing::warn!(client.id = %client.id, job.id = %id, "result of a job of somebody else refused");
                return foreign();
            }
            Err(error) => {
                tracing::error!(client.id = %client.id, job.id = %id, %error, "a result was not stored");
                return later(&error);
            }
        };
        tracing::info!(client.id = %client.id, job.id = %id, job.status = %job.status, "result stored");
        // Output that came before the result is told before it.
        let flushing = futures_util::future::join_all(flushed);
        let _ = timeout(FLUSH_LIMIT, flushing).await;
        self.ended(&job, true);
        if let Some(record) = client.record() {
            let action = audit::done(&job.order);
            let address = record.details.address.parse().unwrap_or(audit::NOWHERE);
            let summary = json!({ "jid": job.id, "status": job.status.as_str(), "error": job.error });
            self.audit
                .record_client(None, address, action, job.id.as_str(), &record, summary)
                .await;
        }
        ResultVerdict::Stored
    }
}

impl Inner {
    /// What must not be seen in a result: what this run of the server knows, or what the vault says now.
    ///
    /// # Errors
    /// When that cannot be known at present and the agent keeps the result until then.
    async fn hidden(&self, client: &Client, id: &JobId) -> Result<Hidden, rport_domain::Error> {
        let known = self.table.lock().get(id).map(|open| open.hidden.clone());
        if let Some(known @ (Hidden::Nothing | Hidden::Values(_))) = known {
            return Ok(known);
        }
        // A Go agent's late result of a job that has ended, or a job of an earlier run.
        let Some(job) = self.store.find(id).await? else {
            return Ok(Hidden::Nothing);
        };
        match self.texts.hidden(&client.id, &job.order.command).await {
            // A Go agent sends it once only.
            Err(_) if !client.link().is_some_and(|link| link.connection.peer_is_ours()) => {
                Ok(Hidden::Unknown)
            }
            hidden => hidden,
        }
    }
}

/// The error of a job that a user ended.
pub(super) fn cancelled_by(user: &str) -> String {
    format!("cancelled by {user}")
}

async fn answer(mut channel: Channel, verdict: &ResultVerdict) -> std::io::Result<()> {
    let writing = async {
        channel.write_all(&verdict.encode()).await?;
        channel.shutdown().await
    };
    timeout(SILENCE, writing).await.unwrap_or(Ok(()))
}

/// Makes what is stored of what an agent reports. The order in it is not looked at: the record has it.
fn finished(job: WireJob, now: chrono::DateTime<chrono::FixedOffset>) -> Result<FinishedJob, BadResult> {
    let id = job_id(&job.jid).ok_or(BadResult::BadId)?;
    let status: Option<JobStatus> = job.status.parse().ok();
    let status = status
        .filter(|status| status.is_final())
        .ok_or_else(|| BadResult::NotFinal(job.status.chars().take(40).collect()))?;
    let mut error = job.error;
    error.truncate(error.floor_char_boundary(MAX_ERROR));
    Ok(FinishedJob {
        id,
        status,
        pid: job.pid,
        started_at: job.started_at.non_zero(),
        finished_at: job
            .finished_at
            .and_then(rport_protocol::GoTime::non_zero)
            .unwrap_or(now),
        error,
        result: Some(job.result.unwrap_or_default()),
    })
}

/// An id that may be one of ours, and that may stand in a log.
fn job_id(text: &str) -> Option<JobId> {
    let sound = !text.is_empty() && text.len() <= MAX_ID && !text.contains(char::is_control);
    sound.then(|| JobId::new(text))
}

fn refused(client: &Client, error: &BadResult) -> ResultVerdict {
    tracing::warn!(client.id = %client.id, %error, "a result was refused");
    ResultVerdict::Refused(error.to_string())
}

fn foreign() -> ResultVerdict {
    ResultVerdict::Refused("this client was not asked to run such a job".to_owned())
}

fn not_yet(client: &Client, id: &JobId, error: &rport_domain::Error) -> ResultVerdict {
    tracing::info!(
        client.id = %client.id, job.id = %id, %error,
        "a result has to wait: it may hold values of the vault, and they cannot be made unseen at present"
    );
    ResultVerdict::Refused(format!(
        "{} values of the vault cannot be made unseen in it at present",
        texts::TRY_LATER_PREFIX
    ))
}

fn later(error: &rport_store::StoreError) -> ResultVerdict {
    tracing::debug!(%error, "a result has to come again");
    ResultVerdict::Refused(format!(
        "{} the server cannot store it at present",
        texts::TRY_LATER_PREFIX
    ))
}
