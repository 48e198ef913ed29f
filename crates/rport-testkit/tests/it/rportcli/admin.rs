//! What administrators do: credentials of agents, users, the audit log, and anything else by hand.

use rport_testkit::process::ServerProcess;
use serde_json::json;

use super::rig::{Operator, quiet};

#[tokio::test]
async fn credentials_are_managed() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("client-auth.json");
    std::fs::write(&file, "{}")?;
    let mut config = quiet();
    config.client_auth_lines = vec![format!("auth_file = \"{}\"", file.display())];
    let server = ServerProcess::start_with(config).await?;
    let operator = Operator::logged_in(&server.config).await?;

    operator
        .done_with(
            &[
                "client-auth",
                "add",
                "by-hand",
                "--password-stdin",
                "--comment",
                "lab",
            ],
            "geheimnis\n",
        )
        .await?;
    let made = operator
        .json(&["client-auth", "add", "made", "--generate", "--expires", "90d"])
        .await?;
    assert!(
        made["password"]
            .as_str()
            .is_some_and(|password| password.len() >= 16),
        "{made}"
    );
    // Passwords are shown only when asked for.
    let listed = operator.done(&["client-auth", "list"]).await?;
    assert!(
        listed.contains("by-hand") && listed.contains("lab") && !listed.contains("geheimnis"),
        "{listed}"
    );
    assert!(
        operator.json(&["clients-auth", "list"]).await?[0]
            .get("password")
            .is_none()
    );
    let shown = operator
        .json(&["client-auth", "get", "by-hand", "--show-password"])
        .await?;
    assert_eq!(shown["password"], "geheimnis");

    let said = operator
        .say(&["client-auth", "add", "made", "--password-stdin"], "another\n")
        .await?;
    assert_eq!(said.code, 5, "{said:?}");
    let rotated = operator
        .json(&["client-auth", "rotate", "made", "--generate", "--grace", "1h"])
        .await?;
    assert_ne!(rotated["password"], made["password"]);
    operator.done(&["client-auth", "disable", "made"]).await?;
    assert_eq!(
        operator.json(&["client-auth", "get", "made"]).await?["disabled"],
        true
    );
    operator.done(&["client-auth", "enable", "made"]).await?;
    operator
        .done(&["client-auth", "change", "made", "--expires", "never"])
        .await?;
    assert_eq!(
        operator.json(&["client-auth", "get", "made"]).await?["expires_at"],
        json!(null)
    );

    // A script must say that it means it.
    assert_eq!(operator.fails(&["client-auth", "delete", "made"]).await?.0, 2);
    operator.done(&["client-auth", "delete", "made", "--yes"]).await?;
    assert_eq!(operator.fails(&["client-auth", "get", "made"]).await?.0, 4);
    Ok(())
}

#[tokio::test]
async fn the_api_can_be_called_by_hand() -> anyhow::Result<()> {
    let server = ServerProcess::start_with(quiet()).await?;
    let operator = Operator::logged_in(&server.config).await?;
    let me = operator.done(&["api", "get", "/me"]).await?;
    assert!(
        me.starts_with(r#"{"data":{"username":"admin""#) && me.ends_with('\n'),
        "{me}"
    );
    let data = r#"{"name":"raw","scope":"read"}"#;
    let made = operator
        .done_with(&["api", "POST", "/api/v1/me/tokens", "--data", "@-"], data)
        .await?;
    assert!(made.contains(r#""scope":"read""#), "{made}");
    assert_eq!(operator.fails(&["api", "GET", "/clients/nobody"]).await?.0, 4);
    assert_eq!(operator.fails(&["api", "GET", "/no/such/thing"]).await?.0, 1);
    let page = operator
        .done(&["api", "GET", "/clients", "-q", "page[limit]=1"])
        .await?;
    assert!(page.contains(r#""count":0"#), "{page}");
    Ok(())
}
