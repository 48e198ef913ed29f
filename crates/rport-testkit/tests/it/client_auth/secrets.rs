//! Secrets go where they must and nowhere else: everything that server and agent wrote is searched for planted ones.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use reqwest::Method;
use rport_testkit::{
    eventually,
    pair::CONNECT_LIMIT,
    process::{AgentConfig, AgentProcess},
    simulator,
};
use rustix::process::Signal;
use serde_json::json;

use super::{
    for_each_source,
    rig::{Rig, SOON, Source, Stored, path, quiet},
};

for_each_source!(planted_secrets_are_nowhere);

/// What an operator or an agent keeps secret here. None is part of another.
const STORED: &str = "Stored-Wei9aiqu4a";
const ADDED: &str = "Added-ohgh8Aiph2";
const ROTATED: &str = "Rotated-eeF3ahqu5a";
const GUESSED: &str = "Guessed-Xoh1ooshei";
const SENT_IN_VAIN: &str = "Vain-Kei6ohChoo";
const PROXY: &str = "Proxy-uoM4eibi7s";
const IMPORTED: &str = "Imported-Oot7eiph0o";
/// Planted in the configuration of every server under test.
const OF_THE_SERVER: [&str; 3] = [
    "a seed for tests only",
    "a secret for tests only",
    "correct-horse",
];

async fn planted_secrets_are_nowhere(source: Source) -> anyhow::Result<()> {
    let mut config = quiet()
        .server("auth_hash = \"argon2id\"")
        .server("auth_reveal = false")
        .server("client_id_binding = \"enforce\"");
    config.api_lines.push("[metrics]\nenabled = true".to_owned());
    let mut rig = Rig::start_with(source, &[("stored", STORED), ("other", "other password")], config).await?;
    let mut answers = Vec::new();
    let agents = rig.server.config.agents;

    // A real agent with secrets in all places of its configuration.
    let mut agent = AgentConfig::new("keeper", agents)
        .connection(&format!("headers = [\"Authorization: Basic {PROXY}\"]"));
    agent.auth = Some(format!("stored:{STORED}"));
    let mut agent = AgentProcess::start(agent)?;
    rig.api.wait_connected("keeper", CONNECT_LIMIT).await;
    agent.child.signal(Signal::HUP)?;
    let private = tempfile::tempdir()?;
    let file = private.path().join("auth");
    fs::write(&file, format!("stored:{STORED}"))?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;

    // Everything the API can be asked, rightly and wrongly.
    answers.push(rig.add("added", ADDED).await?);
    answers.push(rig.add("added", SENT_IN_VAIN).await?);
    answers.push(rig.add("x", SENT_IN_VAIN).await?);
    answers.push(rig.add("control", &format!("{SENT_IN_VAIN}\0")).await?);
    let change = json!({ "password": ROTATED, "grace_seconds": 60, "comment": "rotated" });
    answers.push(rig.change("added", &change).await?);
    answers.push(rig.change("nobody", &json!({ "password": SENT_IN_VAIN })).await?);
    answers.push(
        rig.change(
            "added",
            &json!({ "password": SENT_IN_VAIN, "expires_at": SENT_IN_VAIN.len() }),
        )
        .await?,
    );
    for body in [
        format!("{{\"id\": \"bad\", \"password\": \"{SENT_IN_VAIN}"),
        format!("{{\"id\": \"bad\", \"password\": \"{SENT_IN_VAIN}\", \"generate\": \"{SENT_IN_VAIN}\"}}"),
        format!("{{\"id\": \"bad\", \"pass\": \"{SENT_IN_VAIN}\"}}"),
        format!("\"{SENT_IN_VAIN}\""),
        format!("[\"{SENT_IN_VAIN}\"]"),
    ] {
        answers.push(
            rig.api
                .send(rig.api.request(Method::POST, "/clients-auth").body(body.clone()))
                .await?,
        );
        answers.push(
            rig.api
                .send(rig.api.request(Method::PUT, &path("added")).body(body))
                .await?,
        );
    }
    let generated = rig
        .api
        .post_json("/clients-auth", &json!({ "id": "made", "generate": true }))
        .await?;
    let generated = generated.data()?["password"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    assert!(!generated.is_empty());

    // Logins of all outcomes.
    for (id, password) in [
        ("stored", STORED),
        ("added", ADDED),
        ("added", ROTATED),
        ("made", generated.as_str()),
        ("stored", GUESSED),
        ("nobody", GUESSED),
    ] {
        let admitted = simulator::can_log_in(agents, (id, password)).await?;
        assert_eq!(admitted, password != GUESSED, "{id}");
    }
    answers.push(
        rig.server
            .anonymous()
            .with_basic("admin", GUESSED)
            .get("/clients-auth")
            .await?,
    );

    answers.push(
        rig.change("other", &json!({ "disabled": true, "force": true }))
            .await?,
    );
    answers.push(rig.delete("other", true).await?);
    rig.server.child.signal(Signal::HUP)?;
    rig.server.child.signal(Signal::USR2)?;
    rig.kill_and_restart().await?;
    rig.api.wait_connected("keeper", CONNECT_LIMIT).await;
    for path in [
        "/clients",
        "/clients/keeper",
        "/clients-auth",
        "/clients-auth/stored",
        "/clients-auth/added",
        "/clients-auth/made",
        "/status",
        "/me",
        "/openapi.json",
        "/tunnels",
        "/clients?filter[client_auth_id]=stored&fields[clients]=client_configuration",
    ] {
        answers.push(rig.api.get(path).await?);
    }
    let metrics = rport_testkit::tls::client_builder(&[]).build()?;
    let metrics = metrics
        .get(format!("http://{}/metrics", rig.server.config.api))
        .basic_auth("admin", Some("correct-horse"));
    let metrics = metrics.send().await?;
    assert_eq!(metrics.status(), 200);
    answers.push(rport_testkit::api::Answer {
        status: 200,
        body: metrics.text().await?.into(),
    });
    agent.child.terminate(SOON).await?;
    rig.server.child.terminate(SOON).await?;
    eventually("the server to have said goodbye", SOON, || async {
        rig.server.child.output().contains("stopp").then_some(())
    })
    .await;

    let mut secrets = vec![
        STORED,
        ADDED,
        ROTATED,
        GUESSED,
        SENT_IN_VAIN,
        PROXY,
        IMPORTED,
        generated.as_str(),
    ];
    secrets.extend(OF_THE_SERVER);
    let database_password = match &rig.stored {
        Stored::Server(database) => Some(database.password.clone()),
        _ => None,
    };
    secrets.extend(database_password.as_deref());

    for answer in &answers {
        let text = answer.body.to_string();
        for secret in &secrets {
            assert!(!text.contains(secret), "{secret} is in an answer: {answer:?}");
        }
        assert!(!text.contains("$argon2id$"), "a hash is in an answer: {text}");
    }
    // Only the configuration files that the test itself wrote may have some.
    let allowed = ["rportd.conf", "rport.conf"];
    let mut searched = 0;
    for directory in [rig.server.dir(), &rig.server.data_dir(), agent.dir()] {
        search(directory, &secrets, &allowed, &mut searched)?;
    }
    assert!(searched > 8, "only {searched} files were searched");
    // The source has what the operator wrote and hashes of the rest.
    let stored = rig.stored.pairs()?;
    assert_eq!(stored["stored"], STORED);
    for secret in [ADDED, ROTATED, generated.as_str()] {
        assert!(
            stored.values().all(|value| !value.contains(secret)),
            "{secret} is in the source"
        );
    }
    Ok(())
}

/// Searches the files of a directory, in the forms a secret could hide in.
fn search(directory: &Path, secrets: &[&str], allowed: &[&str], searched: &mut usize) -> anyhow::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            search(&entry.path(), secrets, allowed, searched)?;
            continue;
        }
        if allowed.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        let bytes = fs::read(entry.path())?;
        *searched += 1;
        for secret in secrets {
            for form in [
                secret.as_bytes().to_vec(),
                hex(secret).into_bytes(),
                base64(secret),
            ] {
                let found = bytes.windows(form.len()).position(|window| window == form);
                assert!(
                    found.is_none(),
                    "{secret} is in {} at byte {found:?}",
                    entry.path().display()
                );
            }
        }
    }
    Ok(())
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// Base64 of the part that does not depend on what stands around it.
fn base64(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    text.as_bytes()
        .chunks_exact(3)
        .flat_map(|three| {
            let bits = u32::from(three[0]) << 16 | u32::from(three[1]) << 8 | u32::from(three[2]);
            [18, 12, 6, 0].map(|shift| ALPHABET[(bits >> shift & 63) as usize])
        })
        .collect()
}
