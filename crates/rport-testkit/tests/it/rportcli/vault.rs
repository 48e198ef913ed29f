//! The vault and the library.

use rport_testkit::process::{ServerConfig, ServerProcess};
use serde_json::json;

use super::rig::Operator;

#[tokio::test]
async fn a_vault_from_init_to_delete() -> anyhow::Result<()> {
    let server = ServerProcess::start_with(ServerConfig::new()).await?;
    let operator = Operator::logged_in(&server.config).await?;
    assert_eq!(
        operator.json(&["vault", "status"]).await?["init"],
        "uninitialized"
    );
    operator
        .done_with(&["vault", "init", "--password-stdin"], "vault-pass-1\n")
        .await?;
    operator.done(&["vault", "lock"]).await?;
    let (code, said) = operator.fails(&["vault", "list"]).await?;
    assert!(code == 5 && said.contains("vault is locked"), "{said}");

    let wrong = operator
        .say(&["vault", "unlock", "--password-stdin"], "wrong\n")
        .await?;
    assert_eq!(wrong.code, 3, "{wrong:?}");
    let file = operator.home().join("password");
    std::fs::write(&file, "vault-pass-1\n")?;
    let file = file.to_str().expect("a path");
    operator
        .done(&["vault", "unlock", "--password-file", file])
        .await?;
    assert_eq!(operator.json(&["vault", "status"]).await?["status"], "unlocked");

    operator
        .done_with(&["vault", "add", "db"], "gehäim\nzwei\n")
        .await?;
    operator
        .done_with(&["vault", "add", "db", "-c", "web", "--type", "text"], "own")
        .await?;
    let value = operator.done(&["vault", "show", "db", "--value"]).await?;
    assert_eq!(value, "gehäim\nzwei\n");
    let own = operator.json(&["vault", "show", "db", "-c", "web"]).await?;
    assert_eq!(
        (&own["value"], &own["type"], &own["client_id"]),
        (&json!("own"), &json!("text"), &json!("web"))
    );
    let again = operator.say(&["vault", "add", "db"], "x").await?;
    assert_eq!(again.code, 5, "{again:?}");

    // What is not named stays.
    operator
        .done(&["vault", "change", "db", "--rename", "database"])
        .await?;
    operator
        .done_with(&["vault", "change", "database", "--file", "-"], "three\n")
        .await?;
    let changed = operator.json(&["vault", "show", "database"]).await?;
    assert_eq!(
        (&changed["value"], &changed["type"]),
        (&json!("three"), &json!("secret"))
    );

    let (code, said) = operator.fails(&["vault", "delete", "database"]).await?;
    assert!(code == 2 && said.contains("--yes"), "{said}");
    operator.done(&["vault", "delete", "database", "--yes"]).await?;
    let left = operator.json(&["vault", "list"]).await?;
    assert_eq!(left.as_array().map(Vec::len), Some(1));
    assert!(!operator.done(&["vault", "list"]).await?.contains("own"));
    Ok(())
}

#[tokio::test]
async fn the_library_keeps_commands_and_scripts() -> anyhow::Result<()> {
    let server = ServerProcess::start_with(ServerConfig::new()).await?;
    let operator = Operator::logged_in(&server.config).await?;
    let command = [
        "library",
        "commands",
        "add",
        "ping",
        "--content",
        "ping -c %%COUNT=3%% %%HOST%%",
        "--tags",
        "net,test",
    ];
    operator.done(&command).await?;
    let shown = operator.done(&["library", "commands", "show", "ping"]).await?;
    assert!(shown.contains("COUNT=3,HOST"), "{shown}");
    operator
        .done(&["library", "commands", "change", "ping", "--time-limit", "2m"])
        .await?;
    let listed = operator.json(&["library", "commands", "list"]).await?;
    assert_eq!(
        (&listed[0]["cmd"], &listed[0]["timeout_sec"], &listed[0]["tags"]),
        (
            &json!("ping -c %%COUNT=3%% %%HOST%%"),
            &json!(120),
            &json!(["net", "test"])
        )
    );

    let script = "#!/bin/sh\necho hello\n";
    let add = [
        "library", "scripts", "add", "hello", "--file", "-", "--cwd", "/tmp", "--sudo",
    ];
    operator.done_with(&add, script).await?;
    let text = operator
        .done(&["library", "scripts", "show", "hello", "--text"])
        .await?;
    assert_eq!(text, script);
    operator
        .done(&["library", "scripts", "change", "hello", "--sudo", "false"])
        .await?;
    let found = operator.json(&["library", "scripts", "show", "hello"]).await?;
    assert_eq!(
        (&found["is_sudo"], &found["cwd"]),
        (&json!(false), &json!("/tmp"))
    );

    let (code, _) = operator.fails(&["library", "scripts", "show", "nothing"]).await?;
    assert_eq!(code, 4);
    let (code, _) = operator
        .fails(&["library", "commands", "add", "x", "--content", "y", "--sudo"])
        .await?;
    assert_eq!(code, 2);
    operator
        .done(&["library", "scripts", "delete", "hello", "-y"])
        .await?;
    let none = operator.json(&["library", "scripts", "list"]).await?;
    assert_eq!(none, json!([]));
    Ok(())
}
