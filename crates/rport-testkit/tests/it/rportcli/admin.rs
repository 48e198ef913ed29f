//! What administrators do: credentials of agents, users, the audit log, and anything else by hand.

use rport_testkit::{pair::Pair, process::ServerProcess, service::Service};
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

#[tokio::test]
async fn users_are_managed() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("api-auth.json");
    // bcrypt of "foobaz".
    let hash = "$2y$10$abcdefghijklmnopqrstuuneg3A1GhtQsMBzPy2Fo6jFKH4ri1t5a";
    let list = json!([{ "username": "root", "password": hash, "groups": ["Administrators"] }]);
    std::fs::write(&file, list.to_string())?;
    let mut config = quiet();
    config.login = ("root", "foobaz");
    config.api_lines[0] = format!("auth_file = \"{}\"", file.display());
    let server = ServerProcess::start_with(config).await?;
    let operator = Operator::logged_in(&server.config).await?;

    let made = operator
        .json(&["users", "add", "ann", "--generate", "--groups", "Guests,Lab"])
        .await?;
    let password = made["password"].as_str().unwrap_or_default().to_owned();
    assert_eq!(
        operator.json(&["users", "get", "ann"]).await?["groups"],
        json!(["Guests", "Lab"])
    );
    let ann = Operator::new(&server.config)?;
    let words = ["login", ann.server(), "-u", "ann", "--password-stdin"];
    ann.done_with(&words, &format!("{password}\n")).await?;
    // She is no administrator.
    assert_eq!(ann.fails(&["users", "list"]).await?.0, 3);
    ann.done_with(
        &["users", "passwd", "--password-stdin"],
        &format!("{password}\nanother long password\n"),
    )
    .await?;
    assert_eq!(ann.say(&words, &format!("{password}\n")).await?.code, 3);
    ann.done_with(&words, "another long password\n").await?;

    operator
        .done(&["users", "change", "ann", "--groups", "", "--rename", "anna"])
        .await?;
    assert_eq!(operator.fails(&["users", "get", "ann"]).await?.0, 4);
    assert_eq!(
        operator.json(&["users", "get", "anna"]).await?["groups"],
        json!(null)
    );
    operator.done(&["users", "delete", "anna", "--yes"]).await?;
    assert_eq!(
        operator.json(&["users", "list"]).await?.as_array().map(Vec::len),
        Some(1)
    );
    Ok(())
}

#[tokio::test]
async fn groups_attributes_and_stored_tunnels_are_managed() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let attributes = dir.path().join("attributes.json");
    std::fs::write(&attributes, r#"{"tags":["lab"],"labels":{"city":"Bonn"}}"#)?;
    let line = format!("attributes_file_path = \"{}\"", attributes.display());
    let pair = Pair::start_with(quiet(), |config| config.client(&line)).await?;
    let operator = Operator::logged_in(&pair.server.config).await?;

    let words = [
        "clients",
        "attributes",
        Pair::ID,
        "--add-tag",
        "prod",
        "--set-label",
        "floor=2",
    ];
    let shown = operator.json(&words).await?;
    assert_eq!(
        shown,
        json!({ "tags": ["lab", "prod"], "labels": { "city": "Bonn", "floor": "2" } })
    );
    assert_eq!(operator.json(&["clients", "attributes", Pair::ID]).await?, shown);
    let tagged = operator
        .json(&["clients", "list", "--tag", "prod", "--tag", "lab"])
        .await?;
    assert_eq!(tagged.as_array().map(Vec::len), Some(1), "{tagged}");
    assert!(operator.done(&["clients", "tags"]).await?.contains("prod"));

    let add = [
        "client-groups",
        "add",
        "lab",
        "--description",
        "the lab",
        "-p",
        "name=tester*",
    ];
    operator.done(&add).await?;
    operator
        .done(&["client-groups", "change", "lab", "--any-tag", "lab,office"])
        .await?;
    let group = operator.json(&["client-groups", "get", "lab"]).await?;
    assert_eq!(
        (&group["description"], &group["client_ids"]),
        (&json!("the lab"), &json!([Pair::ID]))
    );
    assert!(
        operator
            .done(&["client-groups", "list"])
            .await?
            .contains("the lab")
    );
    let members = operator.json(&["clients", "list", "--group", "lab"]).await?;
    assert_eq!(members.as_array().map(Vec::len), Some(1), "{members}");
    operator
        .done(&["client-groups", "delete", "lab", "--yes"])
        .await?;
    assert_eq!(operator.fails(&["client-groups", "get", "lab"]).await?.0, 4);

    let service = Service::tcp_echo().await?;
    let port = service.port().to_string();
    operator
        .done(&["stored-tunnels", "add", Pair::ID, "echo", &port])
        .await?;
    assert_eq!(
        operator.json(&["stored-tunnels", "list", Pair::ID]).await?[0]["name"],
        "echo"
    );
    let opened = operator
        .json(&["stored-tunnels", "open", Pair::ID, "echo"])
        .await?;
    assert_eq!(
        (&opened["rport"], &opened["acl"]),
        (&json!(port), &json!("127.0.0.1"))
    );
    operator
        .done(&["stored-tunnels", "delete", Pair::ID, "echo"])
        .await?;
    assert_eq!(
        operator.json(&["stored-tunnels", "list", Pair::ID]).await?,
        json!([])
    );
    Ok(())
}

#[tokio::test]
async fn the_audit_log_is_read_and_exported() -> anyhow::Result<()> {
    let server = ServerProcess::start_with(quiet()).await?;
    let operator = Operator::logged_in(&server.config).await?;
    operator
        .done(&["tokens", "create", "noted", "--scope", "read"])
        .await?;
    let words = [
        "audit", "list", "--user", "admin", "--action", "create", "--since", "1h",
    ];
    let entries = operator.json(&words).await?;
    assert_eq!(entries[0]["application"], "auth.user.me.token", "{entries}");
    assert_eq!(
        operator.json(&["audit", "list", "--until", "1h"]).await?,
        json!([])
    );
    let file = operator.home().join("audit.csv");
    let path = file.to_str().unwrap_or_default();
    operator
        .done(&["audit", "export", "--format", "csv", "--file", path])
        .await?;
    let text = std::fs::read_to_string(&file)?;
    assert!(
        text.lines().count() > 1 && text.contains("auth.user.me.token"),
        "{text}"
    );
    let lines = operator
        .done(&["audit", "export", "--application", "auth.user.me.token"])
        .await?;
    let first: serde_json::Value = serde_json::from_str(lines.lines().next().unwrap_or_default())?;
    assert_eq!(first["action"], "create", "{lines}");
    Ok(())
}
