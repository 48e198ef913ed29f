//! What the audit log says about jobs. Source: rest-api.md 21.1.

use std::net::{IpAddr, Ipv4Addr};

use futures_util::{StreamExt, stream};
use rport_domain::{Job, JobOrder, MultiJob};
use serde_json::{Value, json};

use super::Inner;
use crate::actor::Actor;
use crate::audit::{Action, Application, Event};

/// The address of an agent that told none.
pub(super) const NOWHERE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
/// Most entries of one order that are written at the same time.
const AT_ONCE: usize = 128;

fn application(order: &JobOrder) -> Application {
    if order.is_script {
        Application::ClientScript
    } else {
        Application::ClientCommand
    }
}

/// The end of a job.
pub(super) fn done(order: &JobOrder) -> (Application, Action) {
    (application(order), Action::ExecuteDone)
}

/// What was asked for, in the shape of the API. Values of the vault are not in it.
fn request(job: &Job) -> Value {
    let order = &job.order;
    let text = if order.is_script { "script" } else { "command" };
    json!({
        text: order.command, "interpreter": order.interpreter, "cwd": order.cwd, "is_sudo": order.is_sudo,
        "timeout_sec": order.timeout_sec, "multi_job_id": job.multi_job_id, "schedule_id": job.schedule_id,
    })
}

impl Inner {
    /// Notes an order: an entry for each client.
    pub(super) async fn note_start(&self, actor: &Actor, jobs: &[Job]) {
        // Together, because each entry waits for the disk.
        stream::iter(jobs)
            .for_each_concurrent(AT_ONCE, |job| self.note(actor, job, Action::ExecuteStart))
            .await;
    }

    /// Notes that a user ended a job.
    pub(super) async fn note_cancel(&self, actor: &Actor, job: &Job) {
        self.note(actor, job, Action::ExecuteCancel).await;
    }

    /// Notes that a user ended a multi-job.
    pub(super) async fn note_cancel_multi(&self, actor: &Actor, multi: &MultiJob) {
        let application = application(&multi.order);
        self.audit
            .record(actor, application, Action::ExecuteCancel, multi.id.as_str(), None)
            .await;
    }

    async fn note(&self, actor: &Actor, job: &Job, action: Action) {
        let record = self
            .registry
            .find(&job.client_id)
            .and_then(|client| client.record());
        let event = Event {
            client: record.as_deref(),
            request: (action == Action::ExecuteStart).then(|| request(job)),
            response: Some(json!({ "jid": job.id })),
            ..Event::new(application(&job.order), action, job.id.as_str())
        };
        self.audit.note(actor, event).await;
    }
}
