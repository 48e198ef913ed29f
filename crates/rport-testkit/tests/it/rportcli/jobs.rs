//! Commands and scripts on machines, with values of the vault that must not be seen.

use std::{path::Path, time::Duration};

use anyhow::Context;
use rport_testkit::{
    eventually,
    process::{AgentConfig, AgentProcess, Child, ServerProcess},
};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::rig::{Operator, SOON, quiet};

/// Nothing else in any file looks like this.
const VALUE: &str = "Xq7-geheim-Zt3";

struct World {
    server: ServerProcess,
    agents: Vec<AgentProcess>,
    operator: Operator,
}

impl World {
    /// A server with agents that run anything, the vault unlocked with [`VALUE`] under `db`.
    async fn with(ids: &[&str]) -> anyhow::Result<Self> {
        let server = ServerProcess::start_with(quiet()).await?;
        let operator = Operator::logged_in(&server.config).await?;
        let mut agents = Vec::new();
        for id in ids {
            agents.push(AgentProcess::start(
                AgentConfig::new(id, server.config.agents).runs_anything(),
            )?);
            server.api().wait_connected(id, SOON).await;
        }
        operator
            .done_with(&["vault", "init", "--password-stdin"], "vault-pass-1\n")
            .await?;
        operator.done_with(&["vault", "add", "db"], VALUE).await?;
        Ok(Self {
            server,
            agents,
            operator,
        })
    }
}

fn holds(file: &Path, text: &str) -> anyhow::Result<bool> {
    let bytes = std::fs::read(file)?;
    Ok(bytes.windows(text.len()).any(|window| window == text.as_bytes()))
}

/// The id that a command tells on standard error.
async fn told_id(child: &Child) -> String {
    eventually("the id of the job", SOON, || async {
        let text = child.output();
        let line = text.lines().find_map(|line| line.strip_prefix("job "))?;
        Some(line.split(' ').next()?.to_owned())
    })
    .await
}

#[tokio::test]
async fn output_has_the_names_of_clients_and_exit_codes_tell_failure() -> anyhow::Result<()> {
    let mut world = World::with(&["one", "two"]).await?;
    let operator = &world.operator;
    let said = operator
        .say(&["run", "-c", "one,two", "echo out; echo err >&2"], "")
        .await?;
    assert_eq!(said.code, 0, "{said:?}");
    for id in ["one", "two"] {
        assert!(said.stdout.contains(&format!("{id} by name | out\n")), "{said:?}");
        assert!(said.stderr.contains(&format!("{id} by name ! err\n")), "{said:?}");
    }
    assert!(said.stderr.contains("2 of 2 well"), "{said:?}");

    let failed = operator.say(&["run", "-c", "one,two", "exit 3"], "").await?;
    assert_eq!(failed.code, 11, "{failed:?}");
    let script = operator
        .say(
            &["-o", "json", "script", "-c", "one", "--interpreter", "sh", "-"],
            "printf 'no end'; exit 4\n",
        )
        .await?;
    assert_eq!(script.code, 11, "{script:?}");
    let jobs = script.json()?;
    assert_eq!(jobs[0]["result"]["stdout"], "no end", "{jobs}");

    world.agents[1].child.terminate(SOON).await?;
    world.server.api().wait_disconnected("two", SOON).await;
    let partly = operator.say(&["run", "-c", "one,two", "true"], "").await?;
    assert_eq!(partly.code, 10, "{partly:?}");
    assert!(partly.stderr.contains("not reached"), "{partly:?}");
    let nobody = operator.say(&["run", "-c", "two", "true"], "").await?;
    assert_eq!(nobody.code, 12, "{nobody:?}");
    let unknown = operator.say(&["run", "-c", "three", "true"], "").await?;
    assert_eq!(unknown.code, 4, "{unknown:?}");
    Ok(())
}

#[tokio::test]
async fn values_of_the_vault_arrive_and_are_not_seen() -> anyhow::Result<()> {
    let mut world = World::with(&["one"]).await?;
    let operator = &world.operator;
    // The length tells that the value arrived; parts of it are printed with a pause between.
    let text = "P='%%PASS%%'; printf %s \"$P\" | wc -c; echo \"[$P]\"; echo \"$P\" >&2; \
                printf Xq7-geh; sleep 0.5; echo eim-Zt3";
    let words = ["run", "-c", "one", "--vault-param", "PASS=db", text];
    let said = operator.say(&words, "").await?;
    assert_eq!(said.code, 0, "{said:?}");
    let length = format!("| {}\n", VALUE.len());
    for part in [length.as_str(), "| [***]\n", "| ***\n"] {
        assert!(said.stdout.contains(part), "{part:?}: {said:?}");
    }
    assert!(said.stderr.contains("! ***\n"), "{said:?}");
    assert!(!format!("{said:?}").contains(VALUE), "{said:?}");

    let jobs = operator.json(&["jobs", "list"]).await?;
    let id = jobs[0]["jid"].as_str().context("an id")?;
    assert!(
        jobs[0]["command"]
            .as_str()
            .is_some_and(|text| text.contains("%%vault:db%%")),
        "{jobs}"
    );
    let shown = operator.json(&["jobs", "show", id]).await?;
    assert!(
        shown["jobs"][0]["result"]["stdout"]
            .as_str()
            .is_some_and(|text| text.contains("[***]")),
        "{shown}"
    );

    // Locked, nobody orders it, and what was printed before stays unseen.
    operator.done(&["vault", "lock"]).await?;
    let locked = operator.say(&words, "").await?;
    assert_eq!(locked.code, 5, "{locked:?}");
    assert!(locked.stderr.contains("vault is locked"), "{locked:?}");

    world.server.child.terminate(SOON).await?;
    for entry in std::fs::read_dir(world.server.data_dir())? {
        let path = entry?.path();
        if path.is_file() {
            assert!(!holds(&path, VALUE)?, "{}", path.display());
        }
    }
    assert!(!world.server.child.output().contains(VALUE), "the server's log");
    assert!(!world.agents[0].child.output().contains(VALUE), "the agent's log");
    Ok(())
}

#[tokio::test]
async fn results_of_an_earlier_run_wait_for_the_vault() -> anyhow::Result<()> {
    let mut world = World::with(&["one"]).await?;
    let mark = world.operator.home().join("go-on");
    let text = format!(
        "while [ ! -e '{}' ]; do sleep 0.1; done; echo '%%PASS%%'",
        mark.display()
    );
    let words = [
        "-o",
        "json",
        "run",
        "-c",
        "one",
        "--detach",
        "--vault-param",
        "PASS=db",
        text.as_str(),
    ];
    let ordered: Value = serde_json::from_str(&world.operator.done(&words).await?)?;
    let id = ordered["jid"].as_str().context("an id")?.to_owned();
    let path = format!("/commands/{id}");
    let api = world.server.api();
    eventually("the job to run", SOON, || async {
        let job = api.get(&path).await.ok()?.data().ok()?;
        (job["counts"]["running"] == 1).then_some(())
    })
    .await;
    world.server.child.kill().await?;
    world.server.restart().await?;
    world.server.api().wait_connected("one", SOON).await;
    std::fs::write(&mark, "")?;
    eventually("the result to be put off", SOON, || async {
        world
            .server
            .child
            .output()
            .contains("a result has to wait")
            .then_some(())
    })
    .await;
    let operator = Operator::logged_in(&world.server.config).await?;
    operator
        .done_with(&["vault", "unlock", "--password-stdin"], "vault-pass-1\n")
        .await?;
    let limit = Duration::from_secs(90);
    let api = world.server.api();
    let job = eventually("the result", limit, || async {
        let job = api.get(&path).await.ok()?.data().ok()?;
        (job["counts"]["successful"] == 1).then_some(job)
    })
    .await;
    assert_eq!(job["jobs"][0]["result"]["stdout"], "***\n", "{job}");
    Ok(())
}

#[tokio::test]
async fn ctrl_c_cancels_and_a_lost_server_is_found_again() -> anyhow::Result<()> {
    let mut world = World::with(&["one"]).await?;
    let run = world
        .operator
        .start(&["run", "-c", "one", "echo begun; sleep 300"])?;
    let id = told_id(&run).await;
    eventually("output", SOON, || async {
        run.output().contains("| begun").then_some(())
    })
    .await;
    let mut run = run;
    run.signal(Signal::INT)?;
    let status = run.wait(SOON).await?;
    assert_eq!(status.code(), Some(130), "{}", run.output());
    let job = world.operator.json(&["jobs", "show", &id]).await?;
    assert_eq!(job["jobs"][0]["error"], "cancelled by admin", "{job}");

    let mark = world.operator.home().join("go-on");
    let text = format!(
        "echo afresh; while [ ! -e '{}' ]; do sleep 0.1; done; echo ended",
        mark.display()
    );
    let mut run = world.operator.start(&["run", "-c", "one", &text])?;
    eventually("output", SOON, || async {
        run.output().contains("| afresh").then_some(())
    })
    .await;
    world.server.child.kill().await?;
    world.server.restart().await?;
    world.server.api().wait_connected("one", SOON).await;
    std::fs::write(&mark, "")?;
    let status = run.wait(Duration::from_secs(90)).await?;
    assert_eq!(status.code(), Some(0), "{}", run.output());
    Ok(())
}

#[tokio::test]
async fn schedules_are_kept_run_and_paused() -> anyhow::Result<()> {
    let world = World::with(&["one"]).await?;
    let operator = &world.operator;
    let words = [
        "schedules",
        "add",
        "nightly",
        "30 4 * * *",
        "--command",
        "echo %%WORD%%",
        "-p",
        "WORD=hello",
        "-c",
        "one",
        "--time-zone",
        "Europe/Berlin",
    ];
    operator.done(&words).await?;
    let listed = operator.json(&["schedule", "list"]).await?;
    assert_eq!(listed[0]["name"], "nightly", "{listed}");
    assert_eq!(
        listed[0]["next_runs"].as_array().map(Vec::len),
        Some(5),
        "{listed}"
    );
    operator.done(&["schedule", "pause", "nightly"]).await?;
    let shown = operator.json(&["schedule", "show", "nightly"]).await?;
    assert_eq!(shown["paused"], json!(true), "{shown}");
    operator.done(&["schedule", "resume", "nightly"]).await?;
    operator
        .done(&["schedule", "change", "nightly", "--when", "@daily"])
        .await?;
    let started = operator.json(&["schedule", "run", "nightly"]).await?;
    let id = started["jid"].as_str().context("an id")?;
    let followed = operator.say(&["jobs", "follow", id], "").await?;
    assert_eq!(followed.code, 0, "{followed:?}");
    assert!(followed.stdout.contains("| hello\n"), "{followed:?}");
    let history = operator.json(&["schedule", "history", "nightly"]).await?;
    assert_eq!(history[0]["outcome"], "ordered", "{history}");
    operator.done(&["schedule", "delete", "nightly", "-y"]).await?;
    let none = operator.json(&["schedule", "list"]).await?;
    assert_eq!(none, json!([]));
    Ok(())
}

#[tokio::test]
async fn who_may_not_use_a_value_cannot_order_it() -> anyhow::Result<()> {
    let world = World::with(&["one"]).await?;
    let words = ["vault", "add", "theirs", "--required-group", "others"];
    world.operator.done_with(&words, VALUE).await?;
    for (key, code, said) in [
        ("theirs", 3, "your group doesn't allow access to this value"),
        (
            "nothing",
            4,
            "Cannot find a vault value by the provided key: nothing",
        ),
    ] {
        let parameter = format!("PASS={key}");
        let words = ["run", "-c", "one", "--vault-param", &parameter, "echo %%PASS%%"];
        let refused = world.operator.say(&words, "").await?;
        assert_eq!(refused.code, code, "{refused:?}");
        assert!(refused.stderr.contains(said), "{refused:?}");
        let body = json!({ "client_ids": ["one"], "command": format!("echo %%vault:{key}%%") });
        let answer = world.server.api().post_json("/commands", &body).await?;
        assert_eq!(answer.status, if code == 3 { 403 } else { 404 }, "{answer:?}");
    }
    Ok(())
}
