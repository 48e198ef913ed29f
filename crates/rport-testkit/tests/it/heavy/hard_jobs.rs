//! Jobs that are hard on both programs, and programs that end while jobs are under way.

use std::{collections::HashMap, path::Path, time::Duration};

use anyhow::{Context, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use rport_testkit::{
    api::Api,
    bench::proc,
    eventually_ok,
    pair::{CONNECT_LIMIT, Pair},
    process::{AgentConfig, AgentProcess, ServerConfig, ServerProcess},
};
use serde_json::{Value, json};

/// How long a hard job may take. Much of it is the load of the other tests.
const JOB_LIMIT: Duration = Duration::from_secs(120);
/// What one hard job may add to the memory of either program, in bytes.
const GROWTH: u64 = 96 << 20;
/// Output of each kind that an agent keeps unless told otherwise.
const SEND_BACK_LIMIT: usize = 4 << 20;

async fn pair() -> anyhow::Result<Pair> {
    Pair::start_with(ServerConfig::new(), AgentConfig::runs_anything).await
}

/// Runs a script and waits for its end.
async fn outcome(api: &Api, client: &str, script: &str, timeout_sec: u32) -> anyhow::Result<Value> {
    let body = json!({ "script": STANDARD.encode(script), "timeout_sec": timeout_sec });
    let started = api
        .post_json(&format!("/clients/{client}/scripts"), &body)
        .await?
        .data()?;
    let id = started["jid"].as_str().context("no job id")?;
    let path = format!("/clients/{client}/commands/{id}");
    let ended = eventually_ok("the job to end", JOB_LIMIT, || async {
        let job = api.get(&path).await?.data()?;
        ensure!(!job["finished_at"].is_null(), "{}", job["status"]);
        anyhow::Ok(job)
    });
    Ok(ended.await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_job_prints_fills_no_memory() -> anyhow::Result<()> {
    let mut pair = pair().await?;
    let pids = [
        pair.server.child.pid().context("no server")?,
        pair.agent.child.pid().context("no agent")?,
    ];
    // The first job pays for what is made once.
    outcome(&pair.api, Pair::ID, "head -c 8M /dev/zero | tr '\\0' x", 60).await?;
    let before = memory(&pids)?;

    let job = outcome(
        &pair.api,
        Pair::ID,
        "head -c 1G /dev/zero | tr '\\0' x; echo end >&2",
        110,
    )
    .await?;
    assert_eq!(
        job["result"]["stdout"].as_str().map(str::len),
        Some(SEND_BACK_LIMIT)
    );
    assert_eq!(job["result"]["stderr"], "end\n");
    assert!(
        job["error"]
            .as_str()
            .is_some_and(|text| text.contains("overflow")),
        "{}",
        job["error"]
    );

    let line = "printf begin; head -c 100M /dev/zero | tr '\\0' y; echo; exit 7";
    let job = outcome(&pair.api, Pair::ID, line, 110).await?;
    assert_eq!(
        (&job["status"], job["result"]["stdout"].as_str().map(str::len)),
        (&json!("failed"), Some(SEND_BACK_LIMIT))
    );
    assert!(
        job["error"]
            .as_str()
            .is_some_and(|text| text.contains("exit status 7")),
        "{}",
        job["error"]
    );

    for (before, after) in before.iter().zip(memory(&pids)?) {
        assert!(after < before + GROWTH, "{before} bytes before, {after} after");
    }
    assert!(pair.server.child.ended()?.is_none() && pair.agent.child.ended()?.is_none());
    Ok(())
}

fn memory(pids: &[u32]) -> anyhow::Result<Vec<u64>> {
    pids.iter().map(|pid| Ok(proc::memory(*pid)?.resident)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_end_whatever_they_do() -> anyhow::Result<()> {
    let pair = pair().await?;
    let api = &pair.api;
    let stubborn = outcome(
        api,
        Pair::ID,
        "trap '' TERM; echo here; while :; do sleep 1; done",
        1,
    )
    .await?;
    assert_eq!(
        (&stubborn["status"], &stubborn["result"]["stdout"]),
        (&json!("unknown"), &json!("here\n"))
    );
    let daemon = outcome(api, Pair::ID, "sleep 300 & echo $!", 30).await?;
    assert_eq!(daemon["status"], "successful", "{daemon}");
    let quiet = outcome(api, Pair::ID, "exec >&- 2>&-; exit 3", 30).await?;
    assert_eq!(
        (&quiet["status"], &quiet["error"]),
        (&json!("failed"), &json!("exit status 3"))
    );
    let killed = outcome(api, Pair::ID, "kill -9 $$", 30).await?;
    assert_eq!(
        (&killed["status"], &killed["error"]),
        (&json!("failed"), &json!("signal: killed"))
    );
    let bytes = outcome(api, Pair::ID, "printf '\\377\\000\\033[31mx'", 30).await?;
    assert_eq!(bytes["result"]["stdout"], "\u{fffd}\0\u{1b}[31mx");
    Ok(())
}

const AGENTS: usize = 6;
const ROUNDS: u64 = 8;

/// A small generator, so that a failed run can be repeated.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// How often each round stands in an agent's file.
fn runs(dir: &Path) -> HashMap<u64, usize> {
    let mut runs = HashMap::new();
    for line in std::fs::read_to_string(dir.join("runs"))
        .unwrap_or_default()
        .lines()
    {
        *runs.entry(line.parse().unwrap_or(u64::MAX)).or_default() += 1;
    }
    runs
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_of_either_side_runs_nothing_twice() -> anyhow::Result<()> {
    let mut config = ServerConfig::new()
        .server("client_login_wait = 0")
        .server("max_failed_login = 0");
    config.log_level = "info";
    let mut server = ServerProcess::start_with(config).await?;
    let api = server.api();
    let id = |number: usize| format!("victim-{number}");
    let mut agents = Vec::new();
    for number in 0..AGENTS {
        let config = AgentConfig::new(&id(number), server.config.agents)
            .runs_anything()
            .connection("max_retry_interval = \"1s\"");
        agents.push(AgentProcess::start(config)?);
    }
    for number in 0..AGENTS {
        api.wait_connected(&id(number), CONNECT_LIMIT).await;
    }
    let clients: Vec<String> = (0..AGENTS).map(id).collect();
    let mut dice = Dice(0x5eed);
    for round in 0..ROUNDS {
        let body = json!({
            "client_ids": clients, "script": STANDARD.encode(format!("echo {round} >> runs")),
            "execute_concurrently": true, "abort_on_error": false,
            "queue_if_offline": true, "expires": "5m",
        });
        let order = api.post_json("/scripts", &body);
        let job = order.await?.data()?["jid"]
            .as_str()
            .context("no job id")?
            .to_owned();
        // At some moment of the job, known only to the dice, so that over the rounds many are tried.
        tokio::time::sleep(Duration::from_millis(dice.below(40))).await;
        let victim = usize::try_from(dice.below(AGENTS as u64))?;
        match dice.below(3) {
            0 => {
                agents[victim].child.kill().await?;
                agents[victim].restart()?;
            }
            1 => {
                server.child.kill().await?;
                server.restart().await?;
            }
            _ => {
                server.child.kill().await?;
                agents[victim].child.kill().await?;
                server.restart().await?;
                agents[victim].restart()?;
            }
        }
        let counts = eventually_ok("the job to end everywhere", JOB_LIMIT, || async {
            let counts = api.get(&format!("/commands/{job}")).await?.data()?["counts"].clone();
            ensure!(counts["waiting"] == 0 && counts["running"] == 0, "{counts}");
            anyhow::Ok(counts)
        })
        .await;
        assert_eq!(counts["total"], AGENTS, "{counts}");
        let path = format!("/commands/{job}/jobs?fields[jobs]=client_id,status,error");
        for row in api.get(&path).await?.data()?.as_array().context("no list")? {
            let client = row["client_id"].as_str().context("no client_id")?;
            let number = clients.iter().position(|id| id == client).context("a stranger")?;
            let times = runs(agents[number].dir())
                .get(&round)
                .copied()
                .unwrap_or_default();
            match row["status"].as_str() {
                Some("successful") => assert_eq!(times, 1, "round {round}: {row}"),
                // Its agent was killed in the middle: it cannot know how far the script came, and says so.
                Some("failed" | "unknown") => {
                    assert!(
                        times <= 1 && number == victim,
                        "round {round}: {times} times, {row}"
                    );
                    assert!(
                        row["error"].as_str().is_some_and(|text| !text.is_empty()),
                        "{row}"
                    );
                }
                _ => panic!("round {round}: {row}"),
            }
        }
    }
    for agent in &agents {
        let runs = runs(agent.dir());
        assert!(runs.values().all(|times| *times == 1), "{runs:?}");
    }
    Ok(())
}
