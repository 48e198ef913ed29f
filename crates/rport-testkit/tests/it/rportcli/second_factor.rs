//! Logging in with an authenticator app.

use std::process::Stdio;

use anyhow::Context;
use rport_testkit::{eventually, process::ServerProcess};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::ChildStderr,
};

use super::rig::{Operator, SOON, quiet};

/// A line of what a program says, from after this prefix on.
async fn line_after(lines: &mut Lines<BufReader<ChildStderr>>, prefix: &str) -> anyhow::Result<String> {
    loop {
        let line = tokio::time::timeout(SOON, lines.next_line()).await??;
        let line = line.with_context(|| format!("it never said '{prefix}'"))?;
        if let Some(rest) = line.strip_prefix(prefix) {
            return Ok(rest.to_owned());
        }
    }
}

#[tokio::test]
async fn the_first_login_sets_up_an_app_and_the_next_one_asks_for_a_code() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let users = dir.path().join("api-auth.json");
    // bcrypt of "foobaz".
    let hash = "$2y$10$abcdefghijklmnopqrstuuneg3A1GhtQsMBzPy2Fo6jFKH4ri1t5a";
    let list = json!([{ "username": "root", "password": hash, "groups": ["Administrators"] }]);
    std::fs::write(&users, list.to_string())?;
    let mut config = quiet();
    config.login = ("root", "foobaz");
    config.api_lines[0] = format!("auth_file = \"{}\"", users.display());
    config.api_lines.push("totp_enabled = true".to_owned());
    // A password alone opens nothing, so the server is ready when it answers strangers.
    let server = ServerProcess::spawn(config)?;
    eventually("the server to answer", SOON, || async {
        let answer = server.anonymous().get("/auth/provider").await.ok()?;
        (answer.status == 200).then_some(())
    })
    .await;

    let operator = Operator::new(&server.config)?;
    let words = ["login", operator.server(), "-u", "root", "--password-stdin"];
    let mut login = operator
        .command(&words)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut stdin = login.stdin.take().context("a pipe")?;
    let mut lines = BufReader::new(login.stderr.take().context("a pipe")?).lines();
    stdin.write_all(b"foobaz\n").await?;
    let address = line_after(&mut lines, "otpauth://").await?;
    let secret = line_after(&mut lines, "To type in: ").await?;
    assert!(address.contains(&format!("secret={secret}&")), "{address}");
    line_after(&mut lines, "Recovery codes").await?;
    let recovery = line_after(&mut lines, "  ").await?;
    let key = totp_rs::Secret::try_from_base32(&secret).map_err(|error| anyhow::anyhow!("{error:?}"))?;
    let code = totp_rs::Builder::new()
        .with_secret(key)
        .build_noncompliant()
        .generate_current();
    stdin.write_all(format!("{code}\n").as_bytes()).await?;
    let status = tokio::time::timeout(SOON, login.wait()).await??;
    assert!(status.success(), "{status}");
    assert_eq!(operator.json(&["whoami"]).await?["username"], "root");

    // Another day, without the phone.
    operator.done(&["logout"]).await?;
    operator
        .done_with(&words, &format!("foobaz\n{recovery}\n"))
        .await?;
    assert_eq!(operator.json(&["totp", "recovery-codes"]).await?["left"], 9);
    let renewed = operator.json(&["totp", "recovery-codes", "--renew"]).await?;
    assert_eq!(renewed["codes"].as_array().map(Vec::len), Some(10));
    assert_eq!(operator.json(&["totp", "show"]).await?["secret"], secret);
    operator.done(&["logout"]).await?;
    let said = operator.say(&words, &format!("foobaz\n{recovery}\n")).await?;
    assert_eq!(said.code, 3, "a recovery code worked twice: {said:?}");
    Ok(())
}
