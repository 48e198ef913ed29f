//! A database that goes away: logins are refused, agents stay, everything heals by itself.

use std::time::{Duration, Instant};

use rport_testkit::{
    chaos::{ChaosProxy, Cut, Mode},
    databases::{DatabaseKind, DatabaseServer},
    eventually,
    process::ServerProcess,
    simulator::{self, Admission, SimulatedAgent},
};
use serde_json::json;

use super::rig::{PAIRS, SOON, Source, Stored, assert_refused, quiet};

const PAIR: (&str, &str) = ("client1", "yienei5Ch");

#[tokio::test]
async fn a_stopped_mariadb_heals() -> anyhow::Result<()> {
    a_stopped_database_heals(DatabaseKind::MariaDb, Source::MariaDb).await
}

#[tokio::test]
async fn a_stopped_postgres_heals() -> anyhow::Result<()> {
    a_stopped_database_heals(DatabaseKind::Postgres, Source::Postgres).await
}

async fn a_stopped_database_heals(kind: DatabaseKind, source: Source) -> anyhow::Result<()> {
    let mut database_server = DatabaseServer::start(kind)?;
    let mut config = quiet();
    {
        let database = database_server.database()?;
        database.rows(source.documented_table())?;
        database.rows("INSERT INTO clients_auth (id, password) VALUES ('client1', 'yienei5Ch')")?;
        config.client_auth_lines = vec!["auth_table = \"clients_auth\"".to_owned()];
        config.database_lines = database.tcp_lines();
    }
    let server = ServerProcess::start_with(config).await?;
    let (api, agents) = (server.api(), server.config.agents);
    let Admission::Admitted(agent) = SimulatedAgent::connect(agents, PAIR, "machine").await? else {
        panic!("not admitted");
    };

    database_server.halt();
    for _ in 0..3 {
        assert!(
            !simulator::can_log_in(agents, PAIR).await.unwrap_or(false),
            "admitted without asking"
        );
    }
    for answer in [
        api.get("/clients-auth").await?,
        api.get("/clients-auth/client1").await?,
        api.post_json(
            "/clients-auth",
            &json!({ "id": "client3", "password": "sei5Ohph" }),
        )
        .await?,
        api.delete("/clients-auth/client1").await?,
    ] {
        assert_refused(&answer, 503, "ERR_CODE_CLIENT_AUTH_UNAVAILABLE");
    }
    let output = server.child.output();
    let lines = |output: &str| {
        let about = |line: &&str| line.contains("error:") && line.contains("unavailable");
        output.lines().filter(about).count()
    };
    assert_eq!(lines(&output), 1, "one line per outage: {output}");
    assert!(agent.is_connected(), "connected agents are kept");
    assert_eq!(api.client("machine").await?["connection_state"], "connected");

    database_server.resume()?;
    eventually("logins to work again", SOON, || async {
        simulator::can_log_in(agents, PAIR).await.ok()?.then_some(())
    })
    .await;
    let answer = api
        .post_json(
            "/clients-auth",
            &json!({ "id": "client3", "password": "sei5Ohph" }),
        )
        .await?;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert!(agent.is_connected());
    Ok(())
}

/// A database that answers no more is as bad as one that is gone: time-outs end the waiting.
#[tokio::test]
async fn a_silent_database_holds_nobody_for_long() -> anyhow::Result<()> {
    for source in [Source::MariaDb, Source::Postgres] {
        let dir = tempfile::tempdir()?;
        let stored = Stored::new(source, &dir)?;
        stored.put(&PAIRS)?;
        let Stored::Server(database) = &stored else {
            panic!("a server");
        };
        let proxy = ChaosProxy::start(database.address()).await?;
        let mut config = stored.configure(quiet());
        config.database_lines = database.lines(&proxy.address().to_string());
        let server = ServerProcess::start_with(config).await?;
        let (api, agents) = (server.api(), server.config.agents);
        assert!(simulator::can_log_in(agents, PAIR).await?, "{source:?}");

        proxy.set(Mode::Swallow);
        let start = Instant::now();
        assert!(
            !simulator::can_log_in(agents, PAIR).await.unwrap_or(false),
            "{source:?}"
        );
        let answer = api.get("/clients-auth/client1").await?;
        assert_refused(&answer, 503, "ERR_CODE_CLIENT_AUTH_UNAVAILABLE");
        let took = start.elapsed();
        assert!(took < Duration::from_secs(15), "{source:?}: {took:?}");
        // The rest of the API does not wait for it.
        let start = Instant::now();
        assert_eq!(api.get("/status").await?.status, 200);
        assert!(
            start.elapsed() < Duration::from_secs(2),
            "{source:?}: {:?}",
            start.elapsed()
        );

        proxy.set(Mode::Pass);
        proxy.cut(Cut::Reset);
        eventually("logins to work again", SOON, || async {
            simulator::can_log_in(agents, PAIR).await.ok()?.then_some(())
        })
        .await;
        assert_eq!(api.get("/clients-auth/client1").await?.status, 200, "{source:?}");
    }
    Ok(())
}

/// Idle connections that a firewall or a restart of the database has cut do not fail the next login.
#[tokio::test]
async fn cut_connections_are_opened_anew_without_anybody_noticing() -> anyhow::Result<()> {
    for source in [Source::MariaDb, Source::Postgres] {
        let dir = tempfile::tempdir()?;
        let stored = Stored::new(source, &dir)?;
        stored.put(&PAIRS)?;
        let Stored::Server(database) = &stored else {
            panic!("a server");
        };
        let proxy = ChaosProxy::start(database.address()).await?;
        let mut config = stored.configure(quiet());
        config.database_lines = database.lines(&proxy.address().to_string());
        let server = ServerProcess::start_with(config).await?;
        for _ in 0..3 {
            assert!(
                simulator::can_log_in(server.config.agents, PAIR).await?,
                "{source:?}"
            );
            proxy.cut(Cut::Reset);
        }
        let answer = server.api().get("/clients-auth/client1").await?;
        assert_eq!(answer.status, 200, "{source:?}: {answer:?}");
    }
    Ok(())
}

/// An agent refused for an outage is not punished for it.
#[tokio::test]
async fn an_outage_bans_nobody() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let stored = Stored::new(Source::MariaDb, &dir)?;
    stored.put(&PAIRS)?;
    let Stored::Server(database) = &stored else {
        panic!("a server");
    };
    let proxy = ChaosProxy::start(database.address()).await?;
    let config = rport_testkit::process::ServerConfig::new()
        .server("client_login_wait = 0")
        .server("max_failed_login = 2");
    let mut config = stored.configure(config);
    config.database_lines = database.lines(&proxy.address().to_string());
    let server = ServerProcess::start_with(config).await?;
    let agents = server.config.agents;
    proxy.set(Mode::Swallow);
    for _ in 0..3 {
        assert!(!simulator::can_log_in(agents, PAIR).await.unwrap_or(false));
    }
    proxy.set(Mode::Pass);
    proxy.cut(Cut::Reset);
    eventually("logins to work again", SOON, || async {
        simulator::can_log_in(agents, PAIR).await.ok()?.then_some(())
    })
    .await;
    Ok(())
}
