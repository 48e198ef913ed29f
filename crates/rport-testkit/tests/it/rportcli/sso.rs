//! Single sign-on with the real programs: the server at a provider of identities, the operator on a device.

use std::process::Stdio;

use anyhow::Context;
use rport_testkit::{
    oidc::{CLIENT_ID, CLIENT_SECRET, OidcProvider},
    process::ServerProcess,
};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};

use super::rig::{Operator, SOON, quiet};

#[tokio::test]
async fn a_device_logs_in_at_a_provider() -> anyhow::Result<()> {
    let provider =
        OidcProvider::start(json!({ "preferred_username": "grace", "groups": ["staff", "others"] })).await;
    let dir = tempfile::tempdir()?;
    let users = dir.path().join("api-auth.json");
    // bcrypt of "foobaz".
    let hash = "$2y$10$abcdefghijklmnopqrstuuneg3A1GhtQsMBzPy2Fo6jFKH4ri1t5a";
    let list = json!([{ "username": "root", "password": hash, "groups": ["Administrators"] }]);
    std::fs::write(&users, list.to_string())?;
    let mut config = quiet();
    config.login = ("root", "foobaz");
    config.api_lines[0] = format!("auth_file = \"{}\"", users.display());
    config
        .api_lines
        .push(format!("base_url = \"http://{}\"", config.api));
    // The last section of the file goes on with one of its own.
    config.api_lines.push(format!(
        "[oidc]\nissuer_url = \"{}\"\nclient_id = \"{CLIENT_ID}\"\nclient_secret = \"{CLIENT_SECRET}\"\n\
         groups_claim = \"groups\"\ngroup_map = [\"staff=ops\"]\ncreate_missing_users = true",
        provider.issuer()
    ));
    let server = ServerProcess::start_with(config).await?;

    let operator = Operator::new(&server.config)?;
    let mut login = operator
        .command(&["login", operator.server(), "--sso"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut lines = BufReader::new(login.stderr.take().context("a pipe")?).lines();
    let told = tokio::time::timeout(SOON, lines.next_line())
        .await??
        .context("it says where to confirm")?;
    assert!(told.contains(&provider.issuer()), "{told}");
    provider.confirm_devices();
    let status = tokio::time::timeout(SOON, login.wait()).await??;
    assert!(status.success(), "{status}");

    let who = operator.json(&["whoami"]).await?;
    assert_eq!(
        (&who["username"], &who["groups"]),
        (&json!("grace"), &json!(["ops"]))
    );
    // She has no password, and is no administrator.
    assert_eq!(operator.say(&["users", "list"], "").await?.code, 3);
    let listed = server.api().get("/users").await?.data()?.to_string();
    assert!(listed.contains("grace"), "{listed}");
    Ok(())
}
