//! One order to two thousand agents: each runs it once, and all results arrive, also when links are cut and the
//! server is killed meanwhile.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use anyhow::{Context, ensure};
use rport_testkit::{
    api::Api,
    bench::proc,
    eventually_ok, process,
    process::{ServerConfig, ServerProcess},
    simulator::Fleet,
    workers::Workers,
};
use serde_json::{Value, json};

const AGENTS: usize = 2_000;
/// One of so many links is cut.
const CUT_EVERY: usize = 100;
const CONNECT_LIMIT: Duration = Duration::from_secs(240);
const JOB_LIMIT: Duration = Duration::from_secs(180);
/// More than this, in bytes, must not come on top for orders to the whole fleet.
const GROWTH: u64 = 300 << 20;

struct Rig {
    server: ServerProcess,
    api: Api,
    workers: Workers,
}

impl Rig {
    async fn start() -> anyhow::Result<Self> {
        process::raise_file_limit();
        let mut config = ServerConfig::new()
            .server("client_login_wait = 0")
            .server("max_failed_login = 0");
        config.log_level = "error";
        let server = ServerProcess::start_with(config).await?;
        let (id, password) = ServerConfig::AGENT_AUTH;
        let fleet = Fleet {
            server: server.config.agents.to_string(),
            auth: (id.to_owned(), password.to_owned()),
            count: AGENTS,
            at_once: 32,
            prefix: "worker-".to_owned(),
        };
        let workers = Workers::connect(&fleet, CONNECT_LIMIT).await?;
        let api = server.api();
        Ok(Self { server, api, workers })
    }

    /// Orders a command from all; returns the id of the multi-job.
    async fn order(&self, more: &Value) -> anyhow::Result<String> {
        let mut body = json!({
            "tags": { "tags": ["simulated"] },
            "command": "/usr/bin/true",
            "execute_concurrently": true,
            "abort_on_error": false,
        });
        for (key, value) in more.as_object().context("an object")? {
            body[key] = value.clone();
        }
        let data = self.api.post_json("/commands", &body).await?.data()?;
        Ok(data["jid"].as_str().context("no job id")?.to_owned())
    }

    /// Waits until nothing more is expected of the multi-job; returns the counts.
    async fn ended(&self, job: &str) -> Value {
        eventually_ok("the job to end everywhere", JOB_LIMIT, || async {
            let counts = self.api.get(&format!("/commands/{job}")).await?.data()?["counts"].clone();
            ensure!(counts["total"] == AGENTS, "{counts}");
            ensure!(counts["waiting"] == 0 && counts["running"] == 0, "{counts}");
            anyhow::Ok(counts)
        })
        .await
    }

    /// All jobs of a multi-job by client id.
    async fn jobs(&self, job: &str) -> anyhow::Result<HashMap<String, Value>> {
        let mut jobs = HashMap::new();
        for offset in (0..AGENTS).step_by(1000) {
            let path = format!(
                "/commands/{job}/jobs?page[limit]=1000&page[offset]={offset}&sort=jid\
                 &fields[jobs]=jid,status,client_id,error&fields[result]=stdout"
            );
            for row in self.api.get(&path).await?.data()?.as_array().context("no list")? {
                let client = row["client_id"].as_str().context("no client_id")?.to_owned();
                ensure!(
                    jobs.insert(client, row.clone()).is_none(),
                    "two jobs of one client: {row}"
                );
            }
        }
        ensure!(jobs.len() == AGENTS, "{} jobs", jobs.len());
        Ok(jobs)
    }
}

/// What an agent did and what the server says of it are the same; returns how many were not started.
fn compare(rig: &Rig, jobs: &HashMap<String, Value>) -> anyhow::Result<usize> {
    let mut not_started = 0;
    let mut ids = HashSet::new();
    for (client, job) in jobs {
        let id = job["jid"].as_str().context("no jid")?;
        ensure!(ids.insert(id), "{id} is there twice");
        let started = rig.workers.starts(id);
        match job["status"].as_str() {
            Some("successful") => {
                ensure!(
                    started.len() == 1 && started.contains_key(client),
                    "{client}: {started:?}, {job}"
                );
                let output = format!("done by {client}\n");
                ensure!(job["result"]["stdout"] == output, "{client}: {job}");
            }
            Some("failed") => {
                ensure!(started.is_empty(), "{client} started it: {job}");
                let error = job["error"].as_str().unwrap_or_default();
                ensure!(!error.is_empty(), "{client}: no reason in {job}");
                not_started += 1;
            }
            _ => anyhow::bail!("{client}: {job}"),
        }
    }
    Ok(not_started)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_agents_run_an_order_once_each() -> anyhow::Result<()> {
    let mut rig = Rig::start().await?;
    let pid = rig.server.child.pid().context("the server has ended")?;
    let before = proc::memory(pid)?.resident;
    for _ in 0..3 {
        let job = rig.order(&json!({})).await?;
        let counts = rig.ended(&job).await;
        assert_eq!(counts["successful"], AGENTS, "{counts}");
        assert_eq!(compare(&rig, &rig.jobs(&job).await?)?, 0);
    }
    assert_eq!(rig.workers.repeated(), 0, "asked twice without a reason");
    let after = proc::memory(pid)?.resident;
    assert!(after < before + GROWTH, "{before} bytes before, {after} after");
    assert!(rig.server.child.ended()?.is_none());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_links_and_a_killed_server_lose_nothing() -> anyhow::Result<()> {
    let mut rig = Rig::start().await?;
    // The first is the ordinary one, the second waits for who is away.
    for order in [json!({}), json!({"queue_if_offline": true, "expires": "10m"})] {
        let job = rig.order(&order).await?;
        rig.workers.cut(|number| number % CUT_EVERY == 7);
        eventually_ok("some agents to have started", JOB_LIMIT, || async {
            let counts = rig.api.get(&format!("/commands/{job}")).await?.data()?["counts"].clone();
            ensure!(counts["successful"].as_u64() > Some(50), "{counts}");
            anyhow::Ok(())
        })
        .await;
        rig.server.child.kill().await?;
        rig.workers.cut(|number| number % CUT_EVERY == 13);
        rig.server.restart().await?;
        let counts = rig.ended(&job).await;
        rig.workers.wait_acknowledged(JOB_LIMIT).await;
        let not_started = compare(&rig, &rig.jobs(&job).await?)?;
        assert_eq!(counts["successful"], AGENTS - not_started, "{counts}");
        if order.get("queue_if_offline").is_some() {
            assert_eq!(not_started, 0, "{counts}");
        }
        let refused = rig.workers.refused();
        assert!(refused.is_empty(), "{refused:?}");
        eventually_ok("all agents to be back", CONNECT_LIMIT, || async {
            let connected = rig.workers.connected();
            ensure!(connected == AGENTS, "{connected} are");
            anyhow::Ok(())
        })
        .await;
    }
    Ok(())
}
