//! Passwords that are kept as hashes, generated, rotated, switched off.

use std::time::Duration;

use rport_testkit::{
    eventually,
    simulator::{Admission, SimulatedAgent},
};
use serde_json::{Value, json};

use super::{
    for_each_source,
    rig::{PAIRS, Rig, SOON, Source, assert_refused, quiet},
};

for_each_source!(
    hashed_values_are_understood_and_never_shown,
    new_passwords_are_hashed_when_asked,
    generated_passwords_are_strong_and_shown_once,
    a_rotated_password_may_be_valid_for_a_while,
    disabled_and_expired_ones_let_nobody_in,
    a_disabled_one_with_force_loses_its_agents,
    comments_and_times_are_kept_beside_the_documented_columns,
);

fn bcrypt_of(password: &str, version: bcrypt::Version) -> anyhow::Result<String> {
    Ok(bcrypt::hash_with_result(password, 4)?.format_for_version(version))
}

async fn hashed_values_are_understood_and_never_shown(source: Source) -> anyhow::Result<()> {
    let hashes = [
        ("two-a", bcrypt_of("password-a", bcrypt::Version::TwoA)?),
        ("two-b", bcrypt_of("password-b", bcrypt::Version::TwoB)?),
        ("two-y", bcrypt_of("password-y", bcrypt::Version::TwoY)?),
    ];
    let pairs: Vec<(&str, &str)> = hashes.iter().map(|(id, hash)| (*id, hash.as_str())).collect();
    let rig = Rig::start_with(source, &pairs, quiet()).await?;
    for ((id, hash), password) in hashes.iter().zip(["password-a", "password-b", "password-y"]) {
        assert!(rig.admits(id, password).await?, "{id}");
        assert!(rig.admits(id, password).await?, "{id} a second time");
        assert!(!rig.admits(id, "password-z").await?, "{id}");
        assert!(!rig.admits(id, hash).await?, "the hash of {id} is its password");
        let shown = rig.get(id).await?;
        assert_eq!(
            (&shown["password"], &shown["password_hashed"]),
            (&Value::Null, &json!(true))
        );
    }
    let list = rig.api.get("/clients-auth").await?.body.to_string();
    assert!(!list.contains("$2"), "{list}");
    Ok(())
}

async fn new_passwords_are_hashed_when_asked(source: Source) -> anyhow::Result<()> {
    let rig = Rig::start_with(source, &PAIRS, quiet().server("auth_hash = \"argon2id\"")).await?;
    assert_eq!(rig.add("client3", "sei5Ohph").await?.status, 201);
    let change = json!({ "password": "another password" });
    assert!((200..300).contains(&rig.change("client2", &change).await?.status));
    let stored = rig.stored.pairs()?;
    for id in ["client2", "client3"] {
        let value = &stored[id];
        assert!(value.starts_with("$argon2id$") && value.len() <= 100, "{value}");
    }
    assert_eq!(stored["client1"], "yienei5Ch", "what others wrote is not touched");
    assert!(rig.admits("client3", "sei5Ohph").await? && rig.admits("client2", "another password").await?);
    assert!(!rig.admits("client3", "sei5Ohpx").await? && !rig.admits("client2", "ieRi1Noo2").await?);
    assert_eq!(rig.get("client3").await?["password"], Value::Null);
    assert_eq!(
        rig.get("client1").await?["password"],
        "yienei5Ch",
        "plain ones are shown, as documented"
    );
    Ok(())
}

async fn generated_passwords_are_strong_and_shown_once(source: Source) -> anyhow::Result<()> {
    let config = quiet()
        .server("auth_hash = \"argon2id\"")
        .server("auth_reveal = false");
    let rig = Rig::start_with(source, &PAIRS, config).await?;
    let made = rig
        .api
        .post_json("/clients-auth", &json!({ "id": "client3", "generate": true }))
        .await?;
    assert_eq!(made.status, 200, "{made:?}");
    let data = made.data()?;
    assert_eq!(data["id"], "client3");
    let first = data["password"].as_str().unwrap_or_default().to_owned();
    assert!(first.len() >= 20 && !first.contains(':'), "{first}");
    assert!(rig.admits("client3", &first).await?);
    let made = rig
        .change("client3", &json!({ "generate": true }))
        .await?
        .data()?;
    let second = made["password"].as_str().unwrap_or_default().to_owned();
    assert_ne!(first, second);
    assert!(rig.admits("client3", &second).await? && !rig.admits("client3", &first).await?);
    let list = rig.api.get("/clients-auth").await?.body.to_string();
    for secret in [first.as_str(), second.as_str(), "yienei5Ch"] {
        assert!(!list.contains(secret), "{list}");
    }
    assert_eq!(rig.get("client1").await?["password"], Value::Null);
    Ok(())
}

async fn a_rotated_password_may_be_valid_for_a_while(source: Source) -> anyhow::Result<()> {
    let rig = Rig::start(source).await?;
    let change = json!({ "password": "second password", "grace_seconds": 3600 });
    assert!((200..300).contains(&rig.change("client1", &change).await?.status));
    assert!(rig.admits("client1", "second password").await? && rig.admits("client1", "yienei5Ch").await?);
    assert!(rig.get("client1").await?["previous_password_until"].is_string());

    // One that is over soon.
    let change = json!({ "password": "third password", "grace_seconds": 2 });
    assert!((200..300).contains(&rig.change("client1", &change).await?.status));
    assert!(
        !rig.admits("client1", "yienei5Ch").await?,
        "only one earlier password is accepted"
    );
    eventually("the grace period to end", SOON, || async {
        (!rig.admits("client1", "second password").await.ok()?).then_some(())
    })
    .await;
    assert!(rig.admits("client1", "third password").await?);

    // Without a grace period at once.
    assert!(
        (200..300).contains(
            &rig.change("client1", &json!({ "password": "fourth password" }))
                .await?
                .status
        )
    );
    assert!(!rig.admits("client1", "third password").await?);

    let answer = rig.change("client1", &json!({ "grace_seconds": 5 })).await?;
    assert_eq!(
        answer.status, 400,
        "a grace period without a new password: {answer:?}"
    );
    let answer = rig
        .change("nobody", &json!({ "password": "some password" }))
        .await?;
    assert_refused(&answer, 404, "ERR_CODE_CLIENT_AUTH_NOT_FOUND");
    Ok(())
}

async fn disabled_and_expired_ones_let_nobody_in(source: Source) -> anyhow::Result<()> {
    let rig = Rig::start(source).await?;
    assert!((200..300).contains(&rig.change("client1", &json!({ "disabled": true })).await?.status));
    assert!(!rig.admits("client1", "yienei5Ch").await?);
    assert_eq!(rig.get("client1").await?["disabled"], true);
    assert!((200..300).contains(&rig.change("client1", &json!({ "disabled": false })).await?.status));
    assert!(rig.admits("client1", "yienei5Ch").await?);

    let past = json!({ "expires_at": "2001-01-01T00:00:00Z" });
    assert!((200..300).contains(&rig.change("client2", &past).await?.status));
    assert!(!rig.admits("client2", "ieRi1Noo2").await?);
    let never = json!({ "expires_at": "" });
    assert!((200..300).contains(&rig.change("client2", &never).await?.status));
    assert!(rig.admits("client2", "ieRi1Noo2").await?);
    assert_eq!(rig.get("client2").await?["expires_at"], Value::Null);
    let answer = rig
        .change("client2", &json!({ "expires_at": "tomorrow" }))
        .await?;
    assert_refused(&answer, 400, "ERR_CODE_INVALID_REQUEST");
    Ok(())
}

async fn a_disabled_one_with_force_loses_its_agents(source: Source) -> anyhow::Result<()> {
    let rig = Rig::start(source).await?;
    let connect = || SimulatedAgent::connect(rig.server.config.agents, ("client1", "yienei5Ch"), "machine");
    let Admission::Admitted(agent) = connect().await? else {
        panic!("not admitted");
    };
    let answer = rig.change("client1", &json!({ "disabled": true })).await?;
    assert!((200..300).contains(&answer.status), "{answer:?}");
    tokio::time::timeout(Duration::from_secs(1), async {
        while agent.is_connected() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect_err("without force it stays");
    let answer = rig
        .change("client1", &json!({ "disabled": true, "force": true }))
        .await?;
    assert!((200..300).contains(&answer.status), "{answer:?}");
    eventually("the agent to be disconnected", SOON, || async {
        (!agent.is_connected()).then_some(())
    })
    .await;
    // It has the session id of before, and that is not enough.
    assert!(matches!(connect().await?, Admission::LoginRefused));
    assert_eq!(
        rig.api.client("machine").await?["connection_state"],
        "disconnected",
        "the record stays"
    );
    Ok(())
}

async fn comments_and_times_are_kept_beside_the_documented_columns(source: Source) -> anyhow::Result<()> {
    let mut rig = Rig::start(source).await?;
    let new = json!({
        "id": "client3", "password": "sei5Ohph", "comment": "rack 7 <b>&</b>", "expires_at": "2099-12-31T23:59:59+01:00",
    });
    assert_eq!(rig.api.post_json("/clients-auth", &new).await?.status, 201);
    rig.kill_and_restart().await?;
    let shown = rig.get("client3").await?;
    assert_eq!(shown["comment"], "rack 7 <b>&</b>");
    assert_eq!(shown["expires_at"], "2099-12-31T22:59:59Z");
    assert!(
        shown["created_at"].is_string() && shown["last_used_at"].is_null(),
        "{shown}"
    );
    let other = rig.get("client1").await?;
    assert_eq!(
        (&other["comment"], &other["created_at"]),
        (&json!(""), &Value::Null)
    );
    // The source itself has two columns, as documented.
    let stored = rig.stored.pairs()?;
    assert_eq!(stored["client3"], "sei5Ohph");

    // One that is deleted and added again starts anew.
    assert_eq!(rig.delete("client3", true).await?.status, 204);
    assert_eq!(rig.add("client3", "sei5Ohph").await?.status, 201);
    let shown = rig.get("client3").await?;
    assert_eq!(
        (&shown["comment"], &shown["expires_at"]),
        (&json!(""), &Value::Null)
    );
    assert!(rig.admits("client3", "sei5Ohph").await?);
    Ok(())
}
