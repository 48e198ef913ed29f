//! One static pair for all, and the ways an agent is told its credentials, with the real agent.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use rport_testkit::{
    eventually,
    pair::CONNECT_LIMIT,
    process::{Child, ServerConfig, ServerProcess, binaries, is_root},
    simulator,
};
use serde_json::json;
use tempfile::TempDir;

use super::rig::{PAIRS, Rig, SOON, Source, assert_refused};

const PAIR: (&str, &str) = ("rport", "a-strong-password12345");

async fn server() -> anyhow::Result<ServerProcess> {
    let mut config = super::rig::quiet();
    config.client_auth_lines = vec![format!("auth = \"{}:{}\"", PAIR.0, PAIR.1)];
    ServerProcess::start_with(config).await
}

/// How one agent is told its credentials.
#[derive(Default)]
struct Told<'a> {
    flag: Option<&'a str>,
    config: Option<&'a str>,
    file: Option<&'a Path>,
    credential: Option<&'a Path>,
    variable: Option<&'a str>,
}

/// An agent started as by hand: its configuration has nothing but what it is told.
fn agent(server: &ServerProcess, id: &str, told: &Told<'_>, dir: &TempDir) -> anyhow::Result<Child> {
    let mut text = format!(
        "[client]\nid = \"{id}\"\ndata_dir = \"{}\"\n",
        dir.path().display()
    );
    if let Some(auth) = told.config {
        text.push_str(&format!("auth = \"{auth}\"\n"));
    }
    if let Some(file) = told.file {
        text.push_str(&format!("auth_file_path = \"{}\"\n", file.display()));
    }
    if is_root() {
        text.push_str("allow_root = true\n");
    }
    text.push_str("[monitoring]\nenabled = false\n[logging]\nlog_level = \"debug\"\n");
    let config = dir.path().join(format!("{id}.conf"));
    fs::write(&config, text)?;
    let mut command = tokio::process::Command::new(&binaries().rport);
    command
        .env_remove("RPORT_AUTH")
        .env_remove("RPORT_FINGERPRINT")
        .env_remove("CREDENTIALS_DIRECTORY")
        .arg("-c")
        .arg(config)
        .arg(server.config.agents.to_string());
    if let Some(auth) = told.flag {
        command.args(["--auth", auth]);
    }
    if let Some(directory) = told.credential {
        command.env("CREDENTIALS_DIRECTORY", directory);
    }
    if let Some(auth) = told.variable {
        command.env("RPORT_AUTH", auth);
    }
    Child::spawn(id, command, dir.path())
}

fn private(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(())
}

#[tokio::test]
async fn a_single_pair_can_be_told_in_three_ways_and_two_more() -> anyhow::Result<()> {
    let server = server().await?;
    let dir = tempfile::tempdir()?;
    let auth = format!("{}:{}", PAIR.0, PAIR.1);
    let file = dir.path().join("auth");
    private(&file, &format!("{auth}\n"))?;
    private(&dir.path().join("rport-auth"), &auth)?;
    let ways = [
        (
            "by-flag",
            Told {
                flag: Some(&auth),
                ..Told::default()
            },
        ),
        (
            "by-config",
            Told {
                config: Some(&auth),
                ..Told::default()
            },
        ),
        (
            "by-variable",
            Told {
                variable: Some(&auth),
                ..Told::default()
            },
        ),
        (
            "by-file",
            Told {
                file: Some(&file),
                ..Told::default()
            },
        ),
        (
            "by-systemd",
            Told {
                credential: Some(dir.path()),
                ..Told::default()
            },
        ),
    ];
    for (id, told) in &ways {
        let _agent = agent(&server, id, told, &dir)?;
        let client = server.api().wait_connected(id, CONNECT_LIMIT).await;
        assert_eq!(client["client_auth_id"], PAIR.0, "{id}");
        assert!(!client.to_string().contains(PAIR.1), "{client}");
    }
    Ok(())
}

/// Each item takes precedence over those below it. Only one of them is right; with a wrong one above it, the agent
/// is not admitted.
#[tokio::test]
async fn flag_before_config_before_file_before_systemd_before_variable() -> anyhow::Result<()> {
    let server = server().await?;
    let right = format!("{}:{}", PAIR.0, PAIR.1);
    let wrong = "rport:outdated";
    for above in 0..4 {
        // Way number `above` is wrong, the next one right; then the other way round.
        for (first, second, admitted) in [(wrong, right.as_str(), false), (right.as_str(), wrong, true)] {
            let dir = tempfile::tempdir()?;
            let value = |way: usize| match way {
                way if way == above => Some(first),
                way if way == above + 1 => Some(second),
                _ => None,
            };
            let file = dir.path().join("auth");
            if let Some(text) = value(2) {
                private(&file, text)?;
            }
            if let Some(text) = value(3) {
                private(&dir.path().join("rport-auth"), text)?;
            }
            let told = Told {
                flag: value(0),
                config: value(1),
                file: value(2).map(|_| file.as_path()),
                credential: value(3).map(|_| dir.path()),
                variable: value(4),
            };
            let id = format!("agent-{above}-{admitted}");
            let agent = agent(&server, &id, &told, &dir)?;
            if admitted {
                server.api().wait_connected(&id, CONNECT_LIMIT).await;
            } else {
                eventually(&format!("{id} to be refused"), SOON, || async {
                    agent.output().contains("Connection error").then_some(())
                })
                .await;
                assert_eq!(server.api().get(&format!("/clients/{id}")).await?.status, 404);
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_file_that_others_can_read_is_refused() -> anyhow::Result<()> {
    let server = server().await?;
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("auth");
    fs::write(&file, format!("{}:{}", PAIR.0, PAIR.1))?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644))?;
    let mut agent = agent(
        &server,
        "careless",
        &Told {
            file: Some(&file),
            ..Told::default()
        },
        &dir,
    )?;
    let status = agent.wait(Duration::from_secs(20)).await?;
    let output = agent.output();
    assert!(!status.success(), "{output}");
    for word in ["client.auth_file_path", "chmod 600", "0644"] {
        assert!(output.contains(word), "{word} is missing in: {output}");
    }
    assert!(!output.contains(PAIR.1), "{output}");
    Ok(())
}

#[tokio::test]
async fn a_static_pair_cannot_be_managed_through_the_api() -> anyhow::Result<()> {
    for write in ["auth_write = true", "auth_write = false"] {
        let mut config = super::rig::quiet().server(write);
        config.client_auth_lines = vec![format!("auth = \"{}:{}\"", PAIR.0, PAIR.1)];
        let server = ServerProcess::start_with(config).await?;
        let api = server.api();
        let new = json!({ "id": "client1", "password": "yienei5Ch" });
        for answer in [
            api.post_json("/clients-auth", &new).await?,
            api.put_json("/clients-auth/rport", &json!({ "password": "another" }))
                .await?,
            api.delete("/clients-auth/rport").await?,
            api.delete("/clients-auth/rport?force=true").await?,
        ] {
            // Read-only mode applies only to file and table.
            assert_refused(&answer, 405, "ERR_CODE_CLIENT_AUTH_SINGLE");
            assert_eq!(
                answer.title(),
                "Client authentication is enabled only for a single user."
            );
        }
        let list = api.get("/clients-auth").await?;
        assert_eq!(list.body["meta"]["count"], 1, "{list:?}");
        let item = &list.data()?[0];
        assert_eq!((&item["id"], &item["password"]), (&json!(PAIR.0), &json!(PAIR.1)));
        let status = api.get("/status").await?.data()?;
        assert_eq!(status["clients_auth_source"], "Static Credentials");
        assert_eq!(status["clients_auth_mode"], "Read Only");
        assert!(simulator::can_log_in(server.config.agents, PAIR).await?);
        assert!(!simulator::can_log_in(server.config.agents, (PAIR.0, "wrong")).await?);
        assert!(!simulator::can_log_in(server.config.agents, ("other", PAIR.1)).await?);
    }
    Ok(())
}

/// `client_login_wait`: attempts within it fail without being checked.
#[tokio::test]
async fn a_wrong_password_blocks_its_id_for_a_while() -> anyhow::Result<()> {
    let config = ServerConfig::new()
        .server("client_login_wait = 2")
        .server("max_failed_login = 0");
    let rig = Rig::start_with(Source::File, &PAIRS, config).await?;
    assert!(!rig.admits("client1", "wrong").await?);
    assert!(!rig.admits("client1", "yienei5Ch").await?, "the id is blocked");
    assert!(rig.admits("client2", "ieRi1Noo2").await?, "others are not");
    eventually("the id to be free again", SOON, || async {
        rig.admits("client1", "yienei5Ch").await.ok()?.then_some(())
    })
    .await;
    Ok(())
}

/// Bans are counted by the address of the TCP peer, whatever the peer says about itself.
#[tokio::test]
async fn bans_cannot_be_evaded_by_or_aimed_with_x_forwarded_for() -> anyhow::Result<()> {
    let config = ServerConfig::new()
        .server("client_login_wait = 0")
        .server("max_failed_login = 3")
        .server("ban_time = 3600");
    let rig = Rig::start_with(Source::File, &PAIRS, config).await?;
    let address = rig.server.config.agents;
    for _ in 0..3 {
        assert!(!rig.admits("client1", "wrong").await?);
    }
    let banned = |forwarded: Option<&'static str>| async move {
        let mut request = rport_testkit::tls::client_builder(&[])
            .build()?
            .get(format!("http://{address}/"));
        if let Some(forwarded) = forwarded {
            request = request.header("X-Forwarded-For", forwarded);
        }
        anyhow::Ok(request.send().await?.status().as_u16() == 423)
    };
    assert!(banned(None).await?);
    assert!(banned(Some("203.0.113.7")).await?, "the ban was evaded");
    assert!(
        rig.admits("client2", "ieRi1Noo2").await.is_err(),
        "a banned address got through"
    );
    Ok(())
}
