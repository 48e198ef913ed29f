//! Exactly one usable source, or the server does not start and says in one line what to mend.

use std::{fs, path::Path, time::Duration};

use rport_testkit::{
    databases::{self, DatabaseKind},
    ports,
    process::{ServerConfig, ServerProcess},
};

use super::rig::{Source, Stored};

const GIVE_UP: Duration = Duration::from_secs(30);

/// Starts a server that must not start; returns its last line.
async fn refusal(config: ServerConfig) -> anyhow::Result<String> {
    let mut server = ServerProcess::spawn(config)?;
    let status = server.child.wait(GIVE_UP).await?;
    let output = server.child.output();
    assert!(!status.success() && !output.contains("panicked"), "{output}");
    let last = output.lines().rfind(|line| !line.trim().is_empty());
    Ok(last.unwrap_or_default().to_owned())
}

#[track_caller]
fn assert_says(line: &str, words: &[&str]) {
    for word in words {
        assert!(line.contains(word), "'{word}' is missing in: {line}");
    }
}

fn sources(lines: &[&str]) -> ServerConfig {
    let mut config = ServerConfig::new();
    config.client_auth_lines = lines.iter().map(|line| (*line).to_owned()).collect();
    config.database_lines = vec![
        "db_type = \"sqlite\"".to_owned(),
        "db_name = \"/tmp/none\"".to_owned(),
    ];
    config
}

#[tokio::test]
async fn the_choice_is_either_or() -> anyhow::Result<()> {
    const PAIR: &str = "auth = \"rport:a-strong-password12345\"";
    const FILE: &str = "auth_file = \"/var/lib/rport/client-auth.json\"";
    const TABLE: &str = "auth_table = \"clients_auth\"";
    for (lines, words) in [
        (&[PAIR, FILE][..], ["'auth_file' and 'auth' are both set"]),
        (&[FILE, TABLE], ["'auth_file' and 'auth_table' are both set"]),
        (&[PAIR, TABLE], ["'auth' and 'auth_table' are both set"]),
        (&[PAIR, FILE, TABLE], ["are both set: expected only one of them"]),
        (&[], ["set either 'auth', 'auth_file' or 'auth_table'"]),
    ] {
        let line = refusal(sources(lines)).await?;
        assert_says(&line, &words);
        assert!(!line.contains("a-strong-password12345"), "{line}");
    }
    Ok(())
}

#[tokio::test]
async fn a_pair_without_both_parts_is_no_source() -> anyhow::Result<()> {
    for pair in ["nocolon", ":password", "id:"] {
        let line = refusal(sources(&[&format!("auth = \"{pair}\"")])).await?;
        assert_says(&line, &["server.auth", "expected '<client-id>:<password>'"]);
    }
    Ok(())
}

#[tokio::test]
async fn a_file_that_cannot_be_used_is_named_with_the_position() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("client-auth.json");
    let start = || refusal(sources(&[&format!("auth_file = \"{}\"", file.display())]));
    let name = file.display().to_string();
    assert_says(&start().await?, &["auth_file", &name]);
    assert!(!file.exists(), "a missing file is not created");
    for (content, words) in [
        (
            "{\n  \"client1\": \"hunter2-1\",\n  \"client2\" \"hunter2-2\"\n}",
            ["line 3"],
        ),
        ("{\"client1\": \"hunter2-1\"", ["line 1"]),
        ("", ["line 1"]),
        ("[\"client1\"]", ["object"]),
        ("{\"client1\": 1234}", ["line 1"]),
        ("{\"\": \"hunter2-1\"}", ["empty"]),
        ("{\"client1\": \"hunter2-1\", \"client2\": \"\"}", ["client2"]),
    ] {
        fs::write(&file, content)?;
        let line = start().await?;
        assert_says(&line, &[&name]);
        assert_says(&line.to_lowercase(), &words);
        assert!(!line.contains("hunter2"), "a password is in: {line}");
        assert_eq!(fs::read_to_string(&file)?, content, "the file was changed");
    }
    Ok(())
}

#[tokio::test]
async fn a_missing_table_is_named_with_the_sql_that_makes_it() -> anyhow::Result<()> {
    for source in Source::TABLES {
        let dir = tempfile::tempdir()?;
        let stored = Stored::without_table(source, &dir)?;
        if let Stored::Sqlite(path) = &stored {
            fs::write(path, "")?;
        }
        let line = refusal(stored.configure(ServerConfig::new())).await?;
        assert_says(&line, &["clients_auth", "CREATE TABLE", "id", "password"]);
        // What it says is what helps.
        let sql = line
            .split_once("CREATE TABLE")
            .map(|(_, rest)| rest)
            .unwrap_or_default();
        let end = closing(sql).unwrap_or_else(|| panic!("no whole statement in: {line}"));
        stored.execute(&format!("CREATE TABLE{}", &sql[..end]))?;
        stored.put(&[("client1", "yienei5Ch")])?;
        ServerProcess::start_with(stored.configure(ServerConfig::new())).await?;
    }
    Ok(())
}

/// The end of the first thing in parentheses.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    text.char_indices().find_map(|(at, c)| {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        (c == ')' && depth == 0).then_some(at + 1)
    })
}

#[tokio::test]
async fn a_missing_column_is_named() -> anyhow::Result<()> {
    for source in Source::TABLES {
        let dir = tempfile::tempdir()?;
        let stored = Stored::without_table(source, &dir)?;
        stored.execute(
            "CREATE TABLE clients_auth (id varchar(100) PRIMARY KEY, secret varchar(100) NOT NULL)",
        )?;
        let line = refusal(stored.configure(ServerConfig::new())).await?;
        assert_says(&line, &["clients_auth", "password"]);
    }
    Ok(())
}

#[tokio::test]
async fn further_columns_of_the_table_do_not_matter() -> anyhow::Result<()> {
    for source in Source::TABLES {
        let dir = tempfile::tempdir()?;
        let stored = Stored::without_table(source, &dir)?;
        stored.execute(
            "CREATE TABLE clients_auth (note varchar(9) DEFAULT 'x', password varchar(100) NOT NULL, \
             id varchar(100) PRIMARY KEY, more int)",
        )?;
        let server = ServerProcess::start_with(stored.configure(ServerConfig::new())).await?;
        let new = serde_json::json!({ "id": "client1", "password": "yienei5Ch" });
        let answer = server.api().post_json("/clients-auth", &new).await?;
        assert_eq!(answer.status, 201, "{source:?}: {answer:?}");
        assert_eq!(stored.pairs()?.len(), 1);
    }
    Ok(())
}

#[tokio::test]
async fn an_unreachable_database_is_named() -> anyhow::Result<()> {
    let table = |lines: &[String]| {
        let mut config = ServerConfig::new();
        config.client_auth_lines = vec!["auth_table = \"clients_auth\"".to_owned()];
        config.database_lines = lines.to_vec();
        config
    };
    for kind in [DatabaseKind::MariaDb, DatabaseKind::Postgres] {
        let database = databases::shared(kind)?.database()?;
        let nobody = format!("127.0.0.1:{}", ports::free());
        let line = refusal(table(&database.lines(&nobody))).await?;
        assert_says(&line, &["[database]", &nobody]);
        let line = refusal(table(&database.lines("socket:/no/such/socket"))).await?;
        assert_says(&line, &["[database]", "/no/such/socket"]);

        let mut lines = database.tcp_lines();
        let password = lines
            .iter()
            .position(|line| line.starts_with("db_password"))
            .expect("a password");
        lines[password] = "db_password = \"guessed-in-vain\"".to_owned();
        let line = refusal(table(&lines)).await?;
        assert_says(&line, &["[database]"]);
        assert!(!line.contains("guessed-in-vain"), "{line}");
    }
    // SQLite creates no file where an operator mistyped a name.
    let lines = [
        "db_type = \"sqlite\"".to_owned(),
        "db_name = \"/no/such/operator.sqlite\"".to_owned(),
    ];
    let line = refusal(table(&lines)).await?;
    assert_says(&line, &["/no/such/operator.sqlite"]);
    assert!(!Path::new("/no/such").exists());
    let mut config = table(&[]);
    config.database_lines.clear();
    assert_says(
        &refusal(config).await?,
        &["'db_type' must be set when 'auth_table' is set"],
    );
    Ok(())
}
