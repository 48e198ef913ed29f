//! Ten thousand credentials, and a fleet that comes back at once. The bounds are generous, because tests run on busy
//! machines and without optimisation; docs/PERFORMANCE.md has figures and the command that prints them.

use std::time::{Duration, Instant};

use futures_util::{StreamExt, TryStreamExt, stream};
use rport_testkit::{
    process::raise_file_limit,
    simulator::{Fleet, Simulator},
};
use serde_json::json;

use super::{
    for_each_source,
    rig::{Rig, Source, Stored, quiet},
};

for_each_source!(ten_thousand_credentials_stay_fast);

const COUNT: usize = 10_000;
/// Agents that connect at the same time.
const AT_ONCE: usize = 100;

/// The middle of several measurements.
async fn median<F: Future<Output = anyhow::Result<()>>>(
    mut call: impl FnMut(usize) -> F,
) -> anyhow::Result<Duration> {
    let mut times = Vec::new();
    for n in 0..9 {
        let start = Instant::now();
        call(n).await?;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    Ok(times[times.len() / 2])
}

#[expect(
    clippy::print_stdout,
    reason = "figures for docs/PERFORMANCE.md, shown with --nocapture"
)]
fn report(line: &str) {
    println!("{line}");
}

fn fill(stored: &Stored) -> anyhow::Result<()> {
    let pairs: Vec<(String, String)> = (0..COUNT)
        .map(|n| (format!("fleet-{n:05}"), format!("password-{n:05}")))
        .collect();
    if let Stored::File(_) = stored {
        let pairs: Vec<(&str, &str)> = pairs
            .iter()
            .map(|(id, password)| (id.as_str(), password.as_str()))
            .collect();
        return stored.put(&pairs);
    }
    for chunk in pairs.chunks(1000) {
        let rows: Vec<String> = chunk
            .iter()
            .map(|(id, password)| format!("('{id}', '{password}')"))
            .collect();
        stored.execute(&format!(
            "INSERT INTO clients_auth (id, password) VALUES {}",
            rows.join(", ")
        ))?;
    }
    Ok(())
}

async fn ten_thousand_credentials_stay_fast(source: Source) -> anyhow::Result<()> {
    let mut rig = Rig::start_with(source, &[], quiet()).await?;
    fill(&rig.stored)?;
    rig.kill_and_restart().await?;
    let rig = &rig;

    let page = median(|n| async move {
        let answer = rig
            .api
            .get(&format!(
                "/clients-auth?page[limit]=500&page[offset]={}",
                n * 1000
            ))
            .await?;
        anyhow::ensure!(answer.body["meta"]["count"] == COUNT, "{}", answer.body["meta"]);
        Ok(())
    })
    .await?;
    let filter = median(|n| async move {
        let ids = rig.ids(&format!("filter[id]=fleet-0{n}5*")).await?;
        anyhow::ensure!(ids.len() == 50, "{}", ids.len());
        Ok(())
    })
    .await?;
    let one = median(|n| async move { rig.get(&format!("fleet-{n:05}")).await.map(drop) }).await?;
    let login = median(|n| async move {
        anyhow::ensure!(
            rig.admits(&format!("fleet-{n:05}"), &format!("password-{n:05}"))
                .await?
        );
        Ok(())
    })
    .await?;
    let add = median(|n| async move {
        let answer = rig.add(&format!("new-{n}"), "some password").await?;
        anyhow::ensure!(answer.status == 201, "{answer:?}");
        Ok(())
    })
    .await?;
    let ms = |time: Duration| format!("{:.1}", time.as_secs_f64() * 1000.0);
    report(&format!(
        "| {source:?} | {} | {} | {} | {} | {} |",
        ms(page),
        ms(filter),
        ms(one),
        ms(login),
        ms(add)
    ));
    for (what, took) in [
        ("page", page),
        ("filter", filter),
        ("one", one),
        ("login", login),
        ("add", add),
    ] {
        assert!(took < Duration::from_secs(3), "{what}: {took:?}");
    }
    Ok(())
}

/// Agents with hashed credentials come back after the server was restarted, which has forgotten whom it knew.
#[tokio::test]
async fn a_fleet_with_hashed_credentials_comes_back() -> anyhow::Result<()> {
    raise_file_limit();
    let figure = |name: &str, default: usize| {
        let set = std::env::var(name).ok().and_then(|text| text.parse().ok());
        set.unwrap_or(default)
    };
    let agents = figure("RPORT_TEST_FLEET", 200);
    let credentials = figure("RPORT_TEST_CREDENTIALS", 20);
    let mut rig = Rig::start_with(Source::File, &[], quiet().server("auth_hash = \"argon2id\"")).await?;
    for n in 0..credentials {
        let new = json!({ "id": format!("group-{n:04}"), "password": format!("password-{n:04}") });
        assert_eq!(rig.api.post_json("/clients-auth", &new).await?.status, 201);
    }
    for round in ["first connection", "after a restart of the server", "again"] {
        if round == "after a restart of the server" {
            rig.kill_and_restart().await?;
        }
        let server = rig.server.config.agents.to_string();
        let start = Instant::now();
        let fleets = (0..credentials).map(|n| {
            let fleet = Fleet {
                server: server.clone(),
                auth: (format!("group-{n:04}"), format!("password-{n:04}")),
                count: agents / credentials,
                at_once: (AT_ONCE / credentials).max(1),
                prefix: format!("machine-{n:04}-"),
            };
            async move { Simulator::connect(&fleet).await }
        });
        // As many at once as a server of this size takes in without turning some away, who would try again later.
        let fleets: Vec<Simulator> = stream::iter(fleets)
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await?;
        let took = start.elapsed();
        let up: usize = fleets.iter().map(Simulator::alive).sum();
        assert_eq!(up, agents / credentials * credentials, "{round}");
        report(&format!("| {up} agents, {round} | {:.1} s |", took.as_secs_f64()));
        assert!(took < Duration::from_secs(120), "{round}: {took:?}");
    }
    Ok(())
}
