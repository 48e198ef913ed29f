//! The suite of jobs: one order to a whole fleet.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::{proc, report::Table};
use crate::{
    api::Api,
    eventually_ok,
    process::{ServerConfig, ServerProcess},
    simulator::Fleet,
    workers::{Workers, percentile},
};

const CONNECT_LIMIT: Duration = Duration::from_secs(300);
const JOB_LIMIT: Duration = Duration::from_secs(120);
const QUIET_LIMIT: Duration = Duration::from_secs(10);
/// Orders to each fleet.
const ORDERS: usize = 5;

/// Orders a command from all agents of a fleet at once, several times, for fleets of growing size.
///
/// The agents live in this process; the server's figures are the server's alone.
///
/// # Errors
///
/// When a job does not end well on every agent.
pub async fn run(sizes: &[usize], at_once: usize, table: &mut Table) -> anyhow::Result<()> {
    for &size in sizes {
        let mut config = ServerConfig::new()
            .server("client_login_wait = 0")
            .server("max_failed_login = 0");
        config.log_level = "error";
        let server = ServerProcess::start_with(config).await?;
        let (id, password) = ServerConfig::AGENT_AUTH;
        let fleet = Fleet {
            server: server.config.agents.to_string(),
            auth: (id.to_owned(), password.to_owned()),
            count: size,
            at_once,
            prefix: "worker-".to_owned(),
        };
        let workers = Workers::connect(&fleet, CONNECT_LIMIT).await?;
        let (api, column) = (server.api(), format!("{size} agents"));
        let pid = server.child.pid().context("the server has ended")?;
        proc::wait_quiet(QUIET_LIMIT)?;
        let before = proc::memory(pid)?.resident;
        for _ in 0..ORDERS {
            order(&api, &workers, size, pid, table, &column).await?;
        }
        let grown = proc::memory(pid)?.resident.saturating_sub(before);
        table.add(
            &format!("server memory on top after {ORDERS} orders"),
            "MB",
            &column,
            grown as f64 / 1e6,
        );
    }
    Ok(())
}

async fn order(
    api: &Api,
    workers: &Workers,
    size: usize,
    pid: u32,
    table: &mut Table,
    column: &str,
) -> anyhow::Result<()> {
    let body = json!({
        "tags": { "tags": ["simulated"] },
        "command": "/usr/bin/true",
        "execute_concurrently": true,
    });
    let (cpu, called) = (proc::cpu(pid)?, Instant::now());
    let answer = api.post_json("/commands", &body).await?.data()?;
    table.add("call answered after", "ms", column, millis(called.elapsed()));
    let job = answer["jid"].as_str().context("no job id")?;
    let counts = ended(api, job, size).await;
    table.add("all results stored after", "ms", column, millis(called.elapsed()));
    ensure!(counts["successful"] == size, "{counts}");
    let used = proc::cpu(pid)?.saturating_sub(cpu);
    table.add("server CPU per job", "ms", column, millis(used) / size as f64);
    let starts = starts(api, workers, job, size).await?;
    for percent in [50, 99, 100] {
        let name = format!("agents started it, p{percent}");
        table.add(&name, "ms", column, millis(percentile(&starts, called, percent)?));
    }
    Ok(())
}

async fn ended(api: &Api, job: &str, size: usize) -> Value {
    eventually_ok("the job to end everywhere", JOB_LIMIT, || async {
        let counts = api.get(&format!("/commands/{job}")).await?.data()?["counts"].clone();
        ensure!(
            counts["total"] == size && counts["waiting"] == 0 && counts["running"] == 0,
            "{counts}"
        );
        anyhow::Ok(counts)
    })
    .await
}

/// When each agent started its part of a multi-job.
async fn starts(
    api: &Api,
    workers: &Workers,
    multi: &str,
    size: usize,
) -> anyhow::Result<HashMap<String, Instant>> {
    let mut starts = HashMap::new();
    for offset in (0..size).step_by(1000) {
        let path = format!("/commands/{multi}/jobs?page[limit]=1000&page[offset]={offset}&sort=jid");
        for job in api.get(&path).await?.data()?.as_array().context("no list")? {
            starts.extend(workers.starts(job["jid"].as_str().context("no job id")?));
        }
    }
    ensure!(
        starts.len() == size,
        "{} of {size} agents started it",
        starts.len()
    );
    Ok(starts)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
