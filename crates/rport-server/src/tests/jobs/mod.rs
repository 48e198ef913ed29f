//! Jobs from their order to their end, with agents that do as the test says.

mod cancel;
mod live;
mod multi;
mod queue;
mod restart;
mod results;
mod single;
mod upkeep;
mod worker;

use rport_domain::{ClientId, Error, Job, JobId, JobOrder, JobPace, JobStatus, JobTargets, Kind, Permission};

use super::*;
use crate::{Jobs, NewJob, NewMultiJob};
use worker::Worker;

const ONE_AFTER_ANOTHER: JobPace = JobPace {
    at_once: Some(1),
    abort_on_error: true,
};

const ALL_AT_ONCE: JobPace = JobPace {
    at_once: None,
    abort_on_error: true,
};

impl TestServer {
    fn jobs(&self) -> &Jobs {
        self.server.jobs()
    }

    /// A job as it is stored.
    async fn job(&self, client: &str, id: &JobId) -> Job {
        let job = self.jobs().get(&admin(), &client.into(), id).await;
        job.expect("the job is there")
    }

    /// Waits for a job to get to a state, and returns it.
    async fn job_in(&self, client: &str, id: &JobId, status: JobStatus) -> Job {
        let reached = async {
            loop {
                let job = self.job(client, id).await;
                if job.status == status {
                    return job;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        match tokio::time::timeout(PATIENCE, reached).await {
            Ok(job) => job,
            Err(_) => panic!("never {status}: {:?}", self.job(client, id).await),
        }
    }

    /// Waits until the server has heard that a job runs.
    async fn started(&self, client: &str, id: &str) {
        let heard = async {
            while self.job(client, &id.into()).await.pid.is_none() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        soon("the answer to the order", heard).await;
    }

    /// The jobs of a multi-job as `client status error`, in the order of their clients.
    async fn outcome(&self, multi: &JobId) -> Vec<String> {
        let view = self.jobs().get_multi(&admin(), multi).await.expect("there");
        let mut lines: Vec<String> = view
            .jobs
            .iter()
            .map(|job| {
                format!("{} {} {}", job.client_id, job.status, job.error)
                    .trim()
                    .to_owned()
            })
            .collect();
        lines.sort();
        lines
    }

    /// Waits until nothing more is expected of a multi-job.
    async fn over(&self, multi: &JobId) -> Vec<String> {
        let reached = async {
            loop {
                let view = self.jobs().get_multi(&admin(), multi).await.expect("there");
                if view.counts.is_final() && view.extras.phase != rport_store::MultiJobPhase::Running {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, reached).await.is_err() {
            panic!("not over: {:?}", self.outcome(multi).await);
        }
        self.outcome(multi).await
    }
}

fn command(text: &str) -> NewJob {
    NewJob {
        order: JobOrder {
            command: text.into(),
            ..JobOrder::default()
        },
        ..NewJob::default()
    }
}

fn queued(text: &str) -> NewJob {
    NewJob {
        queue_if_offline: true,
        ..command(text)
    }
}

fn on(clients: &[&str], job: NewJob, pace: JobPace) -> NewMultiJob {
    NewMultiJob {
        job,
        targets: JobTargets {
            client_ids: clients.iter().map(|id| ClientId::new(*id)).collect(),
            ..JobTargets::default()
        },
        tags_given: false,
        pace,
        schedule_id: None,
    }
}

fn refusal<T: std::fmt::Debug>(outcome: Result<T, Error>) -> (Kind, String) {
    let error = outcome.expect_err("refused");
    (error.kind, error.to_string())
}

/// A user of the group `dev` with some permissions.
fn member_with(user: &str, permissions: &[Permission]) -> Actor {
    let address = IpAddr::from([127, 0, 0, 1]);
    let permissions = permissions.iter().copied().collect();
    Actor::new(user.into(), &["dev".to_owned()], permissions, address)
}
