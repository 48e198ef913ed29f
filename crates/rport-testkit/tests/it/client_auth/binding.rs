//! Whether a client id stays with the credentials it came with, and who may use the same credentials.

use rport_testkit::{
    process::ServerConfig,
    simulator::{Admission, SimulatedAgent},
};
use serde_json::json;

use super::{
    for_each_source,
    rig::{PAIRS, Rig, Source, quiet},
};

for_each_source!(
    enforced_a_client_id_stays_with_its_credentials,
    by_default_a_change_is_logged_and_audited,
    credentials_for_one_client_only,
);

const ONE: (&str, &str) = ("client1", "yienei5Ch");
const TWO: (&str, &str) = ("client2", "ieRi1Noo2");

async fn connect(rig: &Rig, auth: (&str, &str), client: &str) -> anyhow::Result<Admission> {
    SimulatedAgent::connect(rig.server.config.agents, auth, client).await
}

/// Connects and goes away again, so that the client is known and not connected.
async fn visit(rig: &Rig, auth: (&str, &str), client: &str) -> anyhow::Result<()> {
    let Admission::Admitted(agent) = connect(rig, auth, client).await? else {
        panic!("{client} was not admitted");
    };
    drop(agent);
    rig.api.wait_disconnected(client, super::rig::SOON).await;
    Ok(())
}

fn binding(mode: &str) -> ServerConfig {
    quiet().server(&format!("client_id_binding = \"{mode}\""))
}

async fn enforced_a_client_id_stays_with_its_credentials(source: Source) -> anyhow::Result<()> {
    let mut rig = Rig::start_with(source, &PAIRS, binding("enforce")).await?;
    visit(&rig, ONE, "machine").await?;
    let Admission::ClientRefused(text) = connect(&rig, TWO, "machine").await? else {
        panic!("other credentials took the client id");
    };
    assert!(text.contains("client1") || text.contains("credentials"), "{text}");
    assert_eq!(rig.api.client("machine").await?["client_auth_id"], "client1");
    // The same after a restart, and for the connected client, too.
    rig.kill_and_restart().await?;
    let Admission::Admitted(owner) = connect(&rig, ONE, "machine").await? else {
        panic!("its own credentials were refused");
    };
    assert!(matches!(
        connect(&rig, TWO, "machine").await?,
        Admission::ClientRefused(_)
    ));
    assert!(owner.is_connected(), "the stranger pushed it out");
    drop(owner);
    rig.api.wait_disconnected("machine", super::rig::SOON).await;

    // An administrator binds it to the other ones.
    let body = json!({ "client_auth_id": "client2" });
    let answer = rig.api.put_json("/clients/machine/client-auth", &body).await?;
    assert_eq!(answer.status, 204, "{answer:?}");
    assert_eq!(rig.api.client("machine").await?["client_auth_id"], "client2");
    assert!(matches!(
        connect(&rig, ONE, "machine").await?,
        Admission::ClientRefused(_)
    ));
    visit(&rig, TWO, "machine").await?;

    let nobody = json!({ "client_auth_id": "nobody" });
    assert_eq!(
        rig.api
            .put_json("/clients/machine/client-auth", &nobody)
            .await?
            .status,
        404
    );
    assert_eq!(
        rig.api
            .put_json("/clients/unknown/client-auth", &body)
            .await?
            .status,
        404
    );

    // Credentials that are gone or disabled bind nothing: the machine may come back with new ones.
    let answer = rig.change("client2", &json!({ "disabled": true })).await?;
    assert!((200..300).contains(&answer.status), "{answer:?}");
    visit(&rig, ONE, "machine").await?;
    assert_eq!(rig.api.client("machine").await?["client_auth_id"], "client1");
    rig.stored.remove("client1")?;
    if source == Source::File {
        rig.server.child.terminate(super::rig::SOON).await?;
        rig.server.restart().await?;
    }
    visit(&rig, ("admin", "123456"), "machine").await?;
    assert_eq!(rig.api.client("machine").await?["client_auth_id"], "admin");
    Ok(())
}

async fn by_default_a_change_is_logged_and_audited(source: Source) -> anyhow::Result<()> {
    let rig = Rig::start(source).await?;
    visit(&rig, ONE, "machine").await?;
    visit(&rig, TWO, "machine").await?;
    assert_eq!(
        rig.api.client("machine").await?["client_auth_id"],
        "client2",
        "no fleet is locked out"
    );
    let output = rig.server.child.output();
    let line = output
        .lines()
        .find(|line| line.contains("machine") && line.contains("client1") && line.contains("client2"));
    assert!(line.is_some(), "no line about it in: {output}");
    let audit = rusqlite::Connection::open(rig.server.data_dir().join("auditlog.db"))?;
    let entries: i64 = audit.query_row(
        "SELECT count(*) FROM auditlog WHERE client_id = 'machine' OR affected_id = 'machine'",
        [],
        |row| row.get(0),
    )?;
    assert!(entries > 0, "no audit entry");

    let rig = Rig::start_with(source, &PAIRS, binding("off")).await?;
    visit(&rig, ONE, "machine").await?;
    visit(&rig, TWO, "machine").await?;
    Ok(())
}

/// `auth_multiuse_creds = false`, and `equate_clientauthid_clientid`.
async fn credentials_for_one_client_only(source: Source) -> anyhow::Result<()> {
    let config = quiet()
        .server("auth_multiuse_creds = false")
        .server("equate_clientauthid_clientid = true");
    let rig = Rig::start_with(source, &PAIRS, config).await?;
    visit(&rig, ONE, "machine").await?;
    let Admission::ClientRefused(text) = connect(&rig, ONE, "another").await? else {
        panic!("two clients use the same credentials");
    };
    assert!(text.contains("client1"), "{text}");
    visit(&rig, ONE, "machine").await?;
    // Without an id of its own an agent gets that of its credentials.
    visit_nameless(&rig).await
}

async fn visit_nameless(rig: &Rig) -> anyhow::Result<()> {
    let Admission::Admitted(_agent) = connect(rig, TWO, "").await? else {
        panic!("not admitted");
    };
    rig.api.wait_connected("client2", super::rig::SOON).await;
    Ok(())
}
