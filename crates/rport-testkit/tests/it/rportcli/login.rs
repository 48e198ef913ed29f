//! Logging in, contexts, and what is kept where.

use std::{fs, os::unix::fs::PermissionsExt};

use rport_testkit::process::{ServerConfig, ServerProcess};

use super::rig::{Operator, quiet, said};

#[tokio::test]
async fn a_login_is_remembered_for_its_owner_only_until_logout() -> anyhow::Result<()> {
    let server = ServerProcess::start_with(quiet()).await?;
    let operator = Operator::logged_in(&server.config).await?;
    let file = operator.config_file();
    assert_eq!(fs::metadata(&file)?.permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(&file)?;
    assert!(
        !text.contains(ServerConfig::API_LOGIN.1),
        "the password is kept: {text}"
    );

    assert_eq!(
        operator.json(&["whoami"]).await?["username"],
        ServerConfig::API_LOGIN.0
    );
    // The name that it had in the old program.
    assert!(operator.done(&["me"]).await?.contains(ServerConfig::API_LOGIN.0));
    assert!(operator.done(&["status"]).await?.contains(operator.server()));
    let contexts = operator.json(&["context", "list"]).await?;
    assert_eq!(
        (&contexts[0]["login"], &contexts[0]["current"]),
        (&"session".into(), &true.into())
    );

    let sessions = operator.json(&["sessions", "list"]).await?;
    assert_eq!(sessions.as_array().map(Vec::len), Some(1), "{sessions}");
    operator.done(&["logout"]).await?;
    let (code, text) = operator.fails(&["whoami"]).await?;
    assert_eq!(code, 3, "{text}");
    assert!(text.contains("rportcli login"), "{text}");
    let left = server.api().get("/users/admin/sessions").await?.data()?;
    assert_eq!(left, serde_json::json!([]));
    Ok(())
}

#[tokio::test]
async fn a_killed_session_says_how_to_go_on() -> anyhow::Result<()> {
    let server = ServerProcess::start_with(quiet()).await?;
    let operator = Operator::logged_in(&server.config).await?;
    server.api().delete("/users/admin/sessions").await?.data()?;
    let (code, text) = operator.fails(&["status"]).await?;
    assert_eq!(code, 3, "{text}");
    assert!(text.contains("log in again"), "{text}");
    Ok(())
}

#[tokio::test]
async fn tokens_work_from_the_environment_and_from_a_context() -> anyhow::Result<()> {
    let server = ServerProcess::start_with(quiet()).await?;
    let operator = Operator::logged_in(&server.config).await?;
    let made = operator
        .json(&[
            "tokens",
            "create",
            "script",
            "--scope",
            "read",
            "--expires",
            "30d",
        ])
        .await?;
    let token = made["token"].as_str().unwrap_or_default().to_owned();
    assert_eq!(operator.json(&["tokens", "list"]).await?[0]["name"], "script");

    // The old names of the variables, nothing else.
    let stranger = Operator::new(&server.config)?;
    let mut command = stranger.command(&["clients", "list"]);
    command
        .env("RPORT_API_URL", stranger.server())
        .env("RPORT_API_USER", "admin")
        .env("RPORT_API_TOKEN", &token);
    let listed = said(command, "").await?;
    assert_eq!(listed.code, 0, "{listed:?}");
    let mut command = stranger.command(&["status", "-o", "json"]);
    command
        .env("RPORT_SERVER_URL", stranger.server())
        .env("RPORT_USER", ServerConfig::API_LOGIN.0)
        .env("RPORT_PASSWORD", ServerConfig::API_LOGIN.1);
    let status = said(command, "").await?;
    assert_eq!(status.json()?["clients_connected"], 0, "{status:?}");

    stranger
        .done_with(
            &["login", stranger.server(), "--token-stdin", "--context", "robot"],
            &format!("admin:{token}\n"),
        )
        .await?;
    assert_eq!(stranger.json(&["context", "show"]).await?["login"], "API token");
    // It may read and no more.
    let (code, text) = stranger.fails(&["tokens", "create", "more"]).await?;
    assert_eq!(code, 3, "{text}");

    operator.done(&["tokens", "delete", "script", "--yes"]).await?;
    assert_eq!(stranger.fails(&["status"]).await?.0, 3);
    Ok(())
}

#[tokio::test]
async fn the_old_programs_file_and_words_work() -> anyhow::Result<()> {
    let server = ServerProcess::start_with(quiet()).await?;
    let operator = Operator::new(&server.config)?;
    let (user, password) = ServerConfig::API_LOGIN;
    let old = operator.home().join("config/rportcli");
    fs::create_dir_all(&old)?;
    let text = serde_json::json!({ "server_url": operator.server(), "login": user, "password": password });
    fs::write(old.join("config.json"), text.to_string())?;
    assert_eq!(operator.json(&["client", "list"]).await?, serde_json::json!([]));

    let init = operator
        .say(&["init", "-s", operator.server(), "-l", user, "-p", password], "")
        .await?;
    assert_eq!(init.code, 0, "{init:?}");
    assert!(init.stderr.contains("WARNING"), "{init:?}");
    assert_eq!(operator.json(&["context", "show"]).await?["login"], "session");
    Ok(())
}
