//! `rportd client-auth` and `rportd db`, on stopped and running servers.

use std::{collections::BTreeMap, fs, path::Path, process::Stdio};

use rport_testkit::{
    eventually,
    process::{ServerConfig, ServerProcess, binaries},
    simulator,
};
use rustix::process::Signal;
use tokio::{io::AsyncWriteExt, process::Command};

use super::{
    for_each_source,
    rig::{PAIRS, Rig, SOON, Source, Stored, quiet},
};

for_each_source!(
    credentials_are_managed_on_a_running_server,
    credentials_move_between_sources,
    an_import_is_all_or_nothing,
);

/// What a command printed, and whether it succeeded.
struct Said {
    success: bool,
    stdout: String,
    stderr: String,
}

async fn rportd(config: &Path, words: &[&str], input: &str) -> anyhow::Result<Said> {
    let mut child = Command::new(&binaries().rportd)
        .arg("-c")
        .arg(config)
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A command that wants no input may be gone already.
        let _ = stdin.write_all(input.as_bytes()).await;
    }
    let output = tokio::time::timeout(SOON, child.wait_with_output()).await??;
    let said = Said {
        success: output.status.success(),
        stdout: String::from_utf8(output.stdout)?,
        stderr: String::from_utf8(output.stderr)?,
    };
    assert!(!said.stderr.contains("panicked"), "{}", said.stderr);
    Ok(said)
}

/// As [`rportd`], for what must succeed.
async fn done(config: &Path, words: &[&str], input: &str) -> anyhow::Result<String> {
    let said = rportd(config, words, input).await?;
    assert!(said.success, "{words:?}: {}{}", said.stdout, said.stderr);
    Ok(said.stdout)
}

/// A configuration file for a source, without a server.
fn config_for(stored: &Stored, dir: &Path) -> anyhow::Result<std::path::PathBuf> {
    let config = stored.configure(ServerConfig::new());
    let mut text = format!("[server]\ndata_dir = \"{}\"\n", dir.join("data").display());
    for line in &config.client_auth_lines {
        text.push_str(&format!("{line}\n"));
    }
    text.push_str("[database]\n");
    for line in &config.database_lines {
        text.push_str(&format!("{line}\n"));
    }
    let file = dir.join("cli.conf");
    fs::write(&file, text)?;
    Ok(file)
}

async fn credentials_are_managed_on_a_running_server(source: Source) -> anyhow::Result<()> {
    let rig = Rig::start(source).await?;
    let config = rig.server.config_file();
    let listed = done(&config, &["client-auth", "list"], "").await?;
    for (id, password) in PAIRS {
        assert!(listed.contains(id), "{listed}");
        assert!(!listed.contains(password), "{listed}");
    }
    done(&config, &["client-auth", "add", "client3"], "sei5Ohph\n").await?;
    done(&config, &["client-auth", "delete", "client1"], "").await?;
    let made = done(
        &config,
        &["client-auth", "add", "made", "--generate", "--hash", "argon2id"],
        "",
    )
    .await?;
    let stored = rig.stored.pairs()?;
    assert_eq!(stored["client3"], "sei5Ohph");
    assert!(stored["made"].starts_with("$argon2id$") && !stored.contains_key("client1"));
    let made = made
        .trim()
        .rsplit([' ', ':'])
        .next()
        .unwrap_or_default()
        .to_owned();

    if source == Source::File {
        // The file is read only on start and at a reload.
        assert!(!rig.admits("client3", "sei5Ohph").await?);
        rig.server.child.signal(Signal::HUP)?;
    }
    eventually("the new credentials to work", SOON, || async {
        rig.admits("client3", "sei5Ohph").await.ok()?.then_some(())
    })
    .await;
    assert!(!rig.admits("client1", "yienei5Ch").await?);
    assert!(rig.admits("made", &made).await?, "{made} does not work");
    // The server writes on.
    assert_eq!(rig.add("client4", "eeQu2chu").await?.status, 201);

    for (words, input, expected) in [
        (&["client-auth", "add", "client3"][..], "another\n", "client3"),
        (&["client-auth", "delete", "nobody"], "", "nobody"),
        (&["client-auth", "add", "ab"], "long enough\n", "Min size is 3"),
        (&["client-auth", "add", "fine"], "\n", "password"),
    ] {
        let said = rportd(&config, words, input).await?;
        assert!(
            !said.success && said.stderr.contains(expected),
            "{words:?}: {}{}",
            said.stdout,
            said.stderr
        );
        assert!(!said.stderr.contains("another"), "{}", said.stderr);
    }
    Ok(())
}

async fn credentials_move_between_sources(target: Source) -> anyhow::Result<()> {
    // From the single pair of a configuration …
    let dir = tempfile::tempdir()?;
    let single = dir.path().join("single.conf");
    fs::write(&single, "[server]\nauth = \"rport:a-strong-password12345\"\n")?;
    let exported = done(&single, &["client-auth", "export"], "").await?;
    let pairs: BTreeMap<String, String> = serde_json::from_str(&exported)?;
    assert_eq!(
        pairs,
        BTreeMap::from([("rport".to_owned(), "a-strong-password12345".to_owned())])
    );
    // … and a file …
    let from = Stored::new(Source::File, &dir)?;
    from.put(&PAIRS)?;
    let from = config_for(&from, dir.path())?;
    let file = dir.path().join("exported.json");
    let name = file.display().to_string();
    done(&from, &["client-auth", "export", "-o", &name], "").await?;
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(fs::metadata(&file)?.permissions().mode() & 0o777, 0o600);
    let again = rportd(&from, &["client-auth", "export", "-o", &name], "").await?;
    assert!(
        !again.success && again.stderr.contains("exists"),
        "{}",
        again.stderr
    );
    // … into another source, hashed on the way.
    let to_dir = tempfile::tempdir()?;
    let to = Stored::new(target, &to_dir)?;
    let to_config = config_for(&to, to_dir.path())?;
    done(&to_config, &["client-auth", "import", "-"], &exported).await?;
    done(
        &to_config,
        &["client-auth", "import", &name, "--hash", "argon2id"],
        "",
    )
    .await?;
    let moved = to.pairs()?;
    assert_eq!(moved.len(), 5);
    assert_eq!(moved["rport"], "a-strong-password12345");
    assert!(moved["client1"].starts_with("$argon2id$"));

    let server = ServerProcess::start_with(to.configure(quiet())).await?;
    for pair in PAIRS.into_iter().chain([("rport", "a-strong-password12345")]) {
        assert!(
            simulator::can_log_in(server.config.agents, pair).await?,
            "{pair:?}"
        );
    }
    Ok(())
}

async fn an_import_is_all_or_nothing(source: Source) -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let stored = Stored::new(source, &dir)?;
    stored.put(&PAIRS)?;
    let config = config_for(&stored, dir.path())?;
    let import = |input: &'static str, how: &'static [&'static str]| {
        let config = config.clone();
        async move {
            let words: Vec<&str> = ["client-auth", "import", "-"]
                .into_iter()
                .chain(how.iter().copied())
                .collect();
            rportd(&config, &words, input).await
        }
    };
    let before = stored.pairs()?;
    for (input, expected) in [
        ("{\"new1\": \"password\", \"client1\": \"password\"}", "client1"),
        ("{\"new1\": \"password\", \"x\": \"password\"}", "Min size is 3"),
        ("{\"new1\": \"password\", \"new2\": \"\"}", "new2"),
        ("{\"new1\": \"password\", \"new1\": \"twice\"}", "new1"),
        ("{\"new1\": \"pass", "line 1"),
        ("[]", "object"),
    ] {
        let said = import(input, &[]).await?;
        assert!(
            !said.success && said.stderr.contains(expected),
            "{input}: {}{}",
            said.stdout,
            said.stderr
        );
        assert_eq!(stored.pairs()?, before, "{input}");
    }
    let input = "{\"new1\": \"password\", \"client1\": \"changed\"}";
    assert!(import(input, &["--keep-existing"]).await?.success);
    assert_eq!(
        (stored.pairs()?["client1"].as_str(), stored.pairs()?.len()),
        ("yienei5Ch", 5)
    );
    assert!(import(input, &["--replace-existing"]).await?.success);
    assert_eq!(
        (stored.pairs()?["client1"].as_str(), stored.pairs()?.len()),
        ("changed", 5)
    );
    Ok(())
}

#[tokio::test]
async fn tables_are_checked_and_created_on_demand() -> anyhow::Result<()> {
    for source in Source::TABLES {
        let dir = tempfile::tempdir()?;
        let stored = Stored::without_table(source, &dir)?;
        if let Stored::Sqlite(path) = &stored {
            fs::write(path, "")?;
        }
        let config = config_for(&stored, dir.path())?;
        let said = rportd(&config, &["db", "check"], "").await?;
        let text = format!("{}{}", said.stdout, said.stderr);
        assert!(
            !said.success && text.contains("CREATE TABLE"),
            "{source:?}: {text}"
        );
        done(&config, &["db", "create"], "").await?;
        done(&config, &["db", "check"], "").await?;
        stored.put(&PAIRS)?;
        // A second time changes nothing.
        done(&config, &["db", "create"], "").await?;
        assert_eq!(stored.pairs()?.len(), PAIRS.len());
    }
    Ok(())
}

/// The file is locked while it is read, changed and written, so that commands and server do not undo each other's.
#[tokio::test]
async fn commands_side_by_side_lose_nothing() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let stored = Stored::new(Source::File, &dir)?;
    let config = config_for(&stored, dir.path())?;
    let mut commands = tokio::task::JoinSet::new();
    for n in 0..12 {
        let config = config.clone();
        commands.spawn(async move {
            let id = format!("agent-{n}");
            done(&config, &["client-auth", "add", &id], "some password\n").await
        });
    }
    while let Some(done) = commands.join_next().await {
        done??;
    }
    assert_eq!(stored.pairs()?.len(), 12);
    Ok(())
}
