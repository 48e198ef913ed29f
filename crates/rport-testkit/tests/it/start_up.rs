//! Starting where something is wrong: one clear line and a non-zero exit; and starting as the right user.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use rport_testkit::{
    pair::CONNECT_LIMIT,
    process::{AgentConfig, AgentProcess, ServerConfig, ServerProcess, binaries, is_root},
};

/// A program that cannot start says so soon.
const GIVE_UP: Duration = Duration::from_secs(20);

/// Starts a server that must not start; returns what it said.
async fn refusal(config: ServerConfig) -> anyhow::Result<String> {
    let mut server = ServerProcess::spawn(config)?;
    let status = server.child.wait(GIVE_UP).await?;
    let output = server.child.output();
    assert!(!status.success(), "it should not have started: {output}");
    assert!(!output.contains("panicked"), "{output}");
    Ok(output)
}

/// The last line must say it; which of the words are in it is up to the test.
fn assert_said(output: &str, words: &[&str]) {
    let last = output
        .lines()
        .rfind(|line| !line.trim().is_empty())
        .unwrap_or_default();
    for word in words {
        assert!(
            last.contains(word),
            "'{word}' is missing in the last line of: {output}"
        );
    }
}

#[tokio::test]
async fn ports_in_use_are_named() -> anyhow::Result<()> {
    let first = ServerProcess::start().await?;
    let taken = first.config.agents;
    let output = refusal(ServerConfig {
        agents: taken,
        ..ServerConfig::new()
    })
    .await?;
    assert_said(&output, &[&taken.to_string()]);
    let taken = first.config.api;
    let output = refusal(ServerConfig {
        api: taken,
        ..ServerConfig::new()
    })
    .await?;
    assert_said(&output, &[&taken.to_string()]);
    Ok(())
}

#[tokio::test]
async fn a_data_directory_that_cannot_be_made_is_named() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("occupied");
    fs::write(&file, "")?;
    let data_dir = file.join("data");
    let output = refusal(ServerConfig {
        data_dir: Some(data_dir.clone()),
        ..ServerConfig::new()
    })
    .await?;
    assert_said(&output, &[&data_dir.display().to_string()]);
    Ok(())
}

#[tokio::test]
async fn a_broken_database_is_named_and_left_alone() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let data_dir = dir.path().join("data");
    fs::create_dir(&data_dir)?;
    let database = data_dir.join("clients.db");
    let junk = "this is no database, but perhaps somebody's only copy of one\n".repeat(200);
    fs::write(&database, &junk)?;
    let output = refusal(ServerConfig {
        data_dir: Some(data_dir),
        ..ServerConfig::new()
    })
    .await?;
    assert_said(&output, &["clients.db"]);
    assert_eq!(fs::read_to_string(&database)?, junk, "the file was changed");
    Ok(())
}

#[tokio::test]
async fn values_that_cannot_be_are_refused_with_file_and_line() -> anyhow::Result<()> {
    let output = refusal(ServerConfig::new().server("check_port_timeout = \"soon\"")).await?;
    assert_said(
        &output,
        &[
            "rportd.conf:",
            "server.check_port_timeout",
            "duration",
            "\"soon\"",
        ],
    );
    let nowhere = ([127, 0, 0, 1], 9).into();
    let mut agent =
        AgentProcess::start(AgentConfig::new("typist", nowhere).connection("keep_alive = \"often\""))?;
    assert!(!agent.child.wait(GIVE_UP).await?.success());
    assert_said(
        &agent.child.output(),
        &["rport.conf:", "connection.keep_alive", "\"often\""],
    );
    Ok(())
}

#[tokio::test]
async fn unknown_keys_are_named_with_file_and_line_and_ignored() -> anyhow::Result<()> {
    let server = ServerProcess::start_with(ServerConfig::new().server("max_failed_logn = 3")).await?;
    let output = server.child.output();
    let line = output
        .lines()
        .find(|line| line.contains("max_failed_logn"))
        .unwrap_or_default();
    assert!(
        line.contains("rportd.conf:") && line.contains("'max_failed_login'"),
        "{output}"
    );

    let config = AgentConfig::new("typist", server.config.agents).client("tunel_allowed = [\"22\"]");
    let agent = AgentProcess::start(config)?;
    server.api().wait_connected("typist", CONNECT_LIMIT).await;
    let output = agent.child.output();
    let line = output
        .lines()
        .find(|line| line.contains("tunel_allowed"))
        .unwrap_or_default();
    assert!(
        line.contains("rport.conf:") && line.contains("'tunnel_allowed'"),
        "{output}"
    );
    Ok(())
}

/// A place that every user can reach, with copies of the programs: the target directory may belong to root alone.
fn public_copies() -> anyhow::Result<(tempfile::TempDir, std::path::PathBuf)> {
    let dir = tempfile::tempdir()?;
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755))?;
    let rportd = dir.path().join("rportd");
    // A link is quicker than a copy, where the file system allows it.
    if fs::hard_link(&binaries().rportd, &rportd).is_err() {
        fs::copy(&binaries().rportd, &rportd)?;
    }
    Ok((dir, rportd))
}

fn as_nobody() -> Vec<String> {
    ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        .map(str::to_owned)
        .into()
}

/// Says loudly that a test needs root.
#[expect(
    clippy::print_stderr,
    reason = "a test that was skipped must not look like one that passed"
)]
fn skip(what: &str) {
    eprintln!("SKIPPED: {what} needs root");
}

#[tokio::test]
async fn root_is_refused_unless_allowed() -> anyhow::Result<()> {
    if !is_root() {
        skip("the refusal of root");
        return Ok(());
    }
    let output = refusal(ServerConfig {
        allow_root: false,
        ..ServerConfig::new()
    })
    .await?;
    assert_said(&output, &["By default running as root is not allowed."]);
    let config = AgentConfig {
        allow_root: false,
        ..AgentConfig::new("root", ([127, 0, 0, 1], 9).into())
    };
    let mut agent = AgentProcess::start(config)?;
    assert!(!agent.child.wait(GIVE_UP).await?.success());
    assert_said(
        &agent.child.output(),
        &["by default running as root is not allowed"],
    );
    Ok(())
}

#[tokio::test]
async fn an_ordinary_user_runs_the_server() -> anyhow::Result<()> {
    if !is_root() {
        skip("changing to another user");
        return Ok(());
    }
    let (dir, rportd) = public_copies()?;
    let data_dir = dir.path().join("data");
    fs::create_dir(&data_dir)?;
    std::os::unix::fs::chown(&data_dir, Some(65534), Some(65534))?;
    let mut config = ServerConfig::new();
    config.allow_root = false;
    config.data_dir = Some(data_dir.clone());
    config.wrapper = as_nobody();
    config.program = Some(rportd.clone());
    let server = ServerProcess::start_with(config).await?;
    let _agent = AgentProcess::start(AgentConfig::new("guest", server.config.agents))?;
    server.api().wait_connected("guest", CONNECT_LIMIT).await;
    let owner_only = fs::metadata(data_dir.join("clients.db"))?.permissions().mode() & 0o777;
    assert_eq!(owner_only, 0o600, "others may read the client records");

    // The same user in a directory of root's.
    let closed = dir.path().join("closed");
    fs::create_dir(&closed)?;
    let mut config = ServerConfig::new();
    config.allow_root = false;
    config.data_dir = Some(closed.clone());
    config.wrapper = as_nobody();
    config.program = Some(rportd);
    let output = refusal(config).await?;
    assert_said(&output, &[&closed.display().to_string()]);
    Ok(())
}

#[tokio::test]
async fn a_full_disk_is_named() -> anyhow::Result<()> {
    if !is_root() {
        skip("a full disk");
        return Ok(());
    }
    let dir = tempfile::tempdir()?;
    let mount = dir.path().join("full");
    fs::create_dir(&mount)?;
    let mut config = ServerConfig::new();
    config.data_dir = Some(mount.join("data"));
    // A mount of its own, so that nothing is left behind, and filled to the last byte.
    let script = "mount -t tmpfs -o size=256k full \"$0\" && mkdir \"$0/data\" && \
                  (cat /dev/zero > \"$0/filler\" 2>/dev/null || true) && exec \"$@\"";
    config.wrapper = ["unshare", "--mount", "sh", "-c", script]
        .map(str::to_owned)
        .into();
    config.wrapper.push(mount.display().to_string());
    let output = refusal(config).await?;
    assert_said(
        &output,
        &[Path::new("full").join("data").display().to_string().as_str()],
    );
    Ok(())
}
