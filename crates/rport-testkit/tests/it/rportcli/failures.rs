//! Exit codes and what is said with them.

use rport_testkit::{
    ports,
    process::{ServerConfig, ServerProcess},
};

use super::rig::{Operator, quiet, said};

#[tokio::test]
async fn exit_codes_tell_failures_apart() -> anyhow::Result<()> {
    let server = ServerProcess::start_with(quiet()).await?;
    let stranger = Operator::new(&server.config)?;
    let (code, text) = stranger.fails(&["clients", "list"]).await?;
    assert_eq!(code, 2, "{text}");
    assert!(
        text.contains("no server is known") && text.contains("what to do:"),
        "{text}"
    );
    assert_eq!(
        stranger
            .fails(&["--server", stranger.server(), "status"])
            .await?
            .0,
        3
    );
    assert_eq!(stranger.fails(&["nonsense"]).await?.0, 2);
    let wrong = stranger
        .say(
            &[
                "login",
                stranger.server(),
                "-u",
                ServerConfig::API_LOGIN.0,
                "--password-stdin",
            ],
            "guess\n",
        )
        .await?;
    assert_eq!(wrong.code, 3, "{wrong:?}");
    assert!(
        wrong.stderr.contains("unauthorized") && !wrong.stderr.contains("guess"),
        "{wrong:?}"
    );
    assert!(!stranger.config_file().exists());

    let operator = Operator::logged_in(&server.config).await?;
    let (code, text) = operator.fails(&["clients", "get", "nobody"]).await?;
    assert_eq!(code, 4, "{text}");
    assert!(text.contains("nobody"), "{text}");
    assert_eq!(operator.fails(&["ssh", "nobody"]).await?.0, 4);
    assert_eq!(operator.fails(&["--context", "other", "status"]).await?.0, 2);
    Ok(())
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() -> anyhow::Result<()> {
    let operator = Operator::new(&ServerConfig::new())?;
    let server = format!("http://127.0.0.1:{}", ports::free());
    let mut command = operator.command(&["status", "--server", &server]);
    command.env("RPORT_API_USER", "a").env("RPORT_API_PASSWORD", "b");
    let said = said(command, "").await?;
    assert_eq!(said.code, 6, "{said:?}");
    assert!(
        said.stderr.contains("127.0.0.1") && said.stderr.contains("refused"),
        "{said:?}"
    );
    Ok(())
}

#[tokio::test]
async fn shells_complete_commands() -> anyhow::Result<()> {
    let operator = Operator::new(&ServerConfig::new())?;
    for shell in ["bash", "zsh", "fish"] {
        let script = operator.done(&["completion", shell]).await?;
        assert!(
            script.contains("client-auth") && script.contains("forward"),
            "{shell}"
        );
    }
    Ok(())
}
