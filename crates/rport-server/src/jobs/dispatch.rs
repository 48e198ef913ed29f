//! Asks clients to start jobs whose turn it is. Source: wire-protocol.md 13.1.
//!
//! Our agents start a job once, however often they are asked, so a start without an answer is asked for again. A Go
//! agent is never asked twice: a start without an answer ends the job as `unknown`, and a result that still comes
//! says what became of it.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, FixedOffset, TimeDelta, Utc};
use rport_domain::{ClientId, JobStatus};
use rport_protocol::to_client::{RunCmd, RunCmdReply};
use rport_protocol::{GoTime, Job as WireJob, texts};

use super::Inner;
use super::table::{Begun, Facts, Start};
use super::text::Unprepared;
use crate::clients::AskError;
use crate::metrics_names::JOBS_STARTED_TOTAL;

/// How long an agent may take to start a job: it writes files and, with live output, opens channels before.
const START_LIMIT: Duration = Duration::from_secs(30);
/// Pause before something that did not work is tried again.
const RETRY: TimeDelta = TimeDelta::seconds(5);
/// How long a job may take beyond its time-out until somebody asks: processes are killed, results travel.
pub(super) const GRACE: TimeDelta = TimeDelta::seconds(60);

/// What became of an attempt.
enum Attempt {
    /// The client runs it.
    Started(RunCmdReply),
    /// Not now: until the client comes, or something else has changed.
    Wait { retry: bool },
    /// The client may run it.
    Uncertain { retry: bool },
    /// The client refused, in its own words.
    Refused(String),
    /// The client is not connected, and the job does not wait for it.
    Offline,
    /// It ends for another reason.
    End(JobStatus, String),
    /// Somebody else has ended it.
    Gone,
}

/// A place among the orders on their way; given back also when the order's task panics or is aborted.
struct InFlight(Arc<Inner>);

impl Drop for InFlight {
    // Starts nothing itself: a runtime that ends drops what is spawned at once, and one drop would start the next.
    fn drop(&mut self) {
        self.0.table.lock().landed();
    }
}

impl Inner {
    /// Starts what can be started.
    pub(super) fn pump(self: &Arc<Self>) {
        if self.tasks.soft().is_cancelled() {
            return;
        }
        loop {
            let next = self.table.lock().next_start();
            let Some(start) = next else { return };
            let (inner, slot) = (self.clone(), InFlight(self.clone()));
            self.tasks.spawn("job_start", async move {
                inner.start(start).await;
                drop(slot);
                inner.pump();
            });
        }
    }

    async fn start(self: &Arc<Self>, start: Start) {
        let facts = &start.facts;
        let attempt = self.attempt(&start).await;
        let now = self.clock.now();
        let retry_at = |retry: bool| retry.then_some(now + RETRY);
        match attempt {
            Attempt::Started(reply) => self.started(facts, &reply).await,
            Attempt::Wait { retry } => {
                let mut table = self.table.lock();
                table.park(&facts.id, retry_at(retry), now);
                // It may have come back between the look at its link and here.
                if !retry && self.link(facts).is_some() {
                    table.connected(&facts.client, now);
                }
            }
            Attempt::Uncertain { retry } => {
                let mut table = self.table.lock();
                table.uncertain(&facts.id, retry_at(retry), look_at(facts, now));
                if !retry && self.link(facts).is_some() {
                    table.connected(&facts.client, now);
                }
            }
            Attempt::Refused(words) => {
                self.table
                    .lock()
                    .foretell(&facts.id, Begun::Refused(words.clone()));
                self.end(std::slice::from_ref(&facts.id), JobStatus::Failed, &words)
                    .await;
            }
            Attempt::Offline => {
                self.table.lock().foretell(&facts.id, Begun::Offline);
                // Who is not there is passed over; those behind get their turn.
                self.skip(facts).await;
            }
            Attempt::End(status, error) => {
                self.end(std::slice::from_ref(&facts.id), status, &error).await;
            }
            Attempt::Gone => self.forget(&facts.id),
        }
    }

    async fn attempt(&self, start: &Start) -> Attempt {
        let facts = &start.facts;
        let Some(link) = self.link(facts) else {
            return match start.again {
                true => Attempt::Uncertain { retry: false },
                false if facts.rule.queue || facts.resumed => Attempt::Wait { retry: false },
                false => Attempt::Offline,
            };
        };
        let ours = link.connection.peer_is_ours();
        if start.again && !ours {
            return uncertain_for_good();
        }
        let prepared = self.texts.prepare(&facts.created_by, &facts.client, &facts.order);
        let (command, hidden) = match prepared.await {
            Ok(prepared) => prepared,
            Err(Unprepared::Later(reason)) => {
                tracing::debug!(job.id = %facts.id, client.id = %facts.client, reason, "a job waits");
                return match start.again {
                    true => Attempt::Uncertain { retry: true },
                    false => Attempt::Wait { retry: true },
                };
            }
            Err(Unprepared::Never(error)) => return Attempt::End(JobStatus::Failed, error),
        };
        if !start.again {
            match self.store.take(&facts.id).await {
                Ok(true) => {}
                Ok(false) => return Attempt::Gone,
                Err(error) => {
                    tracing::error!(job.id = %facts.id, %error, "a job is not started, its start cannot be noted");
                    return Attempt::Wait { retry: true };
                }
            }
        }
        if !self.table.lock().asking(&facts.id, hidden.clone()) {
            return Attempt::Gone;
        }
        if !start.again && link.connection.is_closed() {
            // Nothing was sent.
            return match self.store.put_back(&facts.id).await {
                Ok(_) if facts.rule.queue || facts.resumed => Attempt::Wait { retry: false },
                Ok(_) => Attempt::Offline,
                Err(_) => Attempt::Uncertain { retry: true },
            };
        }
        let order = RunCmd(wire_job(facts, command));
        match link.ask(&order, START_LIMIT).await {
            Ok(reply) => Attempt::Started(reply),
            Err(AskError::Refused(words)) if ours && words.starts_with(texts::ALREADY_RUN_PREFIX) => {
                Attempt::End(
                    JobStatus::Unknown,
                    "the client ran this job before, and its result is not known any more".to_owned(),
                )
            }
            // Another question for the same job is being answered; the answer to this one is no use.
            Err(AskError::Refused(words)) if ours && words.ends_with("is being started") => {
                Attempt::Uncertain { retry: true }
            }
            // Shells and systems name what they could not start.
            Err(AskError::Refused(words)) => Attempt::Refused(hidden.redact(words)),
            Err(AskError::Timeout) if ours => Attempt::Uncertain { retry: true },
            Err(AskError::Offline) if ours => Attempt::Uncertain { retry: false },
            Err(AskError::Timeout | AskError::Offline) => uncertain_for_good(),
            Err(AskError::Garbled(problem)) => Attempt::End(
                JobStatus::Unknown,
                format!("the client's answer to the order cannot be read: {problem}"),
            ),
        }
    }

    async fn started(self: &Arc<Self>, facts: &Arc<Facts>, reply: &RunCmdReply) {
        let now = self.clock.now_local();
        let started_at: DateTime<FixedOffset> = reply.started_at.non_zero().unwrap_or(now);
        let look_at = look_at(facts, self.clock.now());
        self.table.lock().started(&facts.id, look_at);
        if let Err(error) = self.store.started(&facts.id, reply.pid, started_at).await {
            // The result says it again.
            tracing::error!(job.id = %facts.id, %error, "the start of a job was not stored");
        }
        metrics::counter!(JOBS_STARTED_TOTAL).increment(1);
        tracing::info!(job.id = %facts.id, client.id = %facts.client, job.pid = reply.pid, "job started");
        self.table.lock().begun(&facts.id);
        self.tell(facts);
    }

    /// Ends a job whose client is not connected.
    async fn skip(self: &Arc<Self>, facts: &Arc<Facts>) {
        let error = not_connected(&facts.client);
        self.end_and(std::slice::from_ref(&facts.id), JobStatus::Failed, &error, false)
            .await;
    }
}

pub(super) fn not_connected(client: &ClientId) -> String {
    format!("client with id {client} is not connected")
}

fn uncertain_for_good() -> Attempt {
    Attempt::End(
        JobStatus::Unknown,
        "the client was asked to start it, and the connection was lost before its answer; it may have run"
            .to_owned(),
    )
}

/// How long a job may run.
pub(super) fn time_limit(facts: &Facts) -> TimeDelta {
    TimeDelta::try_seconds(facts.order.timeout_sec.max(0)).unwrap_or(TimeDelta::days(366))
}

/// When somebody looks after a job that runs from now on.
pub(super) fn look_at(facts: &Facts, now: DateTime<Utc>) -> DateTime<Utc> {
    now + time_limit(facts) + GRACE
}

fn wire_job(facts: &Facts, command: String) -> WireJob {
    let order = &facts.order;
    WireJob {
        jid: facts.id.to_string(),
        client_id: facts.client.to_string(),
        client_name: facts.client_name.clone(),
        command,
        cwd: order.cwd.clone(),
        interpreter: order.interpreter.clone(),
        started_at: GoTime::zero(),
        created_by: facts.created_by.to_string(),
        timeout_sec: order.timeout_sec,
        multi_job_id: facts.multi.as_ref().map(ToString::to_string),
        schedule_id: facts.schedule.as_ref().map(ToString::to_string),
        is_sudo: order.is_sudo,
        is_script: order.is_script,
        stream_result: facts.rule.stream,
        ..WireJob::default()
    }
}
