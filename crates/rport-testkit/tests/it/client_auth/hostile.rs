//! Ids and passwords that try to be something else.

use reqwest::Method;
use serde_json::json;

use super::{
    for_each_source,
    rig::{PAIRS, Rig, Source, assert_refused, path, quiet},
};

for_each_source!(
    ids_of_any_text_are_only_ids,
    wildcards_and_cases_match_nobody_else,
    what_cannot_be_an_id_or_a_password_is_refused_cleanly,
    texts_at_the_width_of_the_column_are_kept_whole_or_refused,
);

const ODD: &[&str] = &[
    "' OR '1'='1",
    "'; DROP TABLE clients_auth; --",
    "\"); DELETE FROM clients_auth WHERE (\"1\"=\"1",
    "x\\' OR 1=1 -- ",
    "`clients_auth`",
    "$1 ? :id @id {0} %s",
    "a/b",
    "../../etc/passwd",
    "a:b",
    "%2F%00",
    "a b ",
    " leading",
    "{\"id\": 1}",
    "<script>alert(1)</script>",
    "客户端-ключ-🔑",
    "null",
    "a\u{202e}b",
];

async fn ids_of_any_text_are_only_ids(source: Source) -> anyhow::Result<()> {
    let rig = Rig::start(source).await?;
    for id in ODD {
        let password = format!("{id} as password");
        let answer = rig.add(id, &password).await?;
        assert_eq!(answer.status, 201, "{id:?}: {answer:?}");
        let shown = rig.get(id).await?;
        assert_eq!((&shown["id"], &shown["password"]), (&json!(id), &json!(password)));
        assert_eq!(rig.stored.pairs()?.get(*id), Some(&password));
        if !id.contains(':') {
            assert!(rig.admits(id, &password).await?, "{id:?}");
        }
        assert!(
            !rig.admits(id, "1234").await?,
            "{id:?} with the password of another"
        );
    }
    assert_eq!(rig.stored.pairs()?.len(), PAIRS.len() + ODD.len());
    for id in ODD {
        let answer = rig.change(id, &json!({ "password": "rotated password" })).await?;
        assert!((200..300).contains(&answer.status), "{id:?}: {answer:?}");
        assert_eq!(rig.delete(id, true).await?.status, 204, "{id:?}");
    }
    let left = rig.stored.pairs()?;
    assert_eq!(left.len(), PAIRS.len(), "{left:?}");
    Ok(())
}

/// Some databases compare texts without case, accents or blanks at the end; credentials are not alike for that.
async fn wildcards_and_cases_match_nobody_else(source: Source) -> anyhow::Result<()> {
    let rig = Rig::start(source).await?;
    for id in [
        "%", "_lient1", "client_", "client%", "*", "CLIENT1", "Client1", "client1 ", "clïent1",
    ] {
        assert!(!rig.admits(id, "yienei5Ch").await?, "{id:?} got in");
        assert_eq!(rig.api.get(&path(id)).await?.status, 404, "{id:?} was found");
        assert_eq!(rig.delete(id, true).await?.status, 404, "{id:?} was deleted");
    }
    assert!(rig.admits("client1", "yienei5Ch").await?);
    assert_eq!(rig.stored.pairs()?.len(), PAIRS.len());
    Ok(())
}

async fn what_cannot_be_an_id_or_a_password_is_refused_cleanly(source: Source) -> anyhow::Result<()> {
    let rig = Rig::start_with(source, &PAIRS, quiet()).await?;
    let long = "x".repeat(10_000);
    for (id, password) in [
        (long.as_str(), "a password"),
        ("an id", long.as_str()),
        ("nul\0nul", "a password"),
        ("an id", "nul\0nul"),
        ("line\nbreak", "a password"),
        ("an id", "$2y$10$looks-like-a-hash"),
    ] {
        // The long ones pass the limit of a body, so that it is the texts that are refused.
        let answer = rig.add(id, password).await?;
        assert_eq!(answer.status, 400, "{answer:?}");
        assert!(!answer.body.to_string().contains(&long), "the answer repeats it");
        let change = json!({ "password": password });
        if id == "an id" {
            assert_eq!(rig.change("client1", &change).await?.status, 400);
        } else {
            assert!(matches!(rig.delete(id, true).await?.status, 400 | 404));
            assert!(matches!(rig.api.get(&path(id)).await?.status, 400 | 404));
            assert!(!rig.admits(id, "a password").await?);
        }
    }
    let raw = |body: Vec<u8>| {
        rig.api
            .send(rig.api.request(Method::POST, "/clients-auth").body(body))
    };
    for body in [
        b"{\"id\": \"bad\xff\xfeutf8\", \"password\": \"a password\"}".to_vec(),
        b"{\"id\": \"surrogate \\ud800\", \"password\": \"a password\"}".to_vec(),
        b"{\"id\": [\"a\"], \"password\": \"a password\"}".to_vec(),
        b"{\"id\": 5, \"password\": true}".to_vec(),
        b"{\"id\": \"one\", \"password\": \"a password\", \"role\": \"admin\"}".to_vec(),
        b"{".to_vec(),
        b"".to_vec(),
        b"null".to_vec(),
        vec![b'['; 9_000],
    ] {
        let answer = raw(body.clone()).await?;
        assert_eq!(
            answer.status,
            400,
            "{}: {answer:?}",
            String::from_utf8_lossy(&body)
        );
    }
    let both = json!({ "id": "an id", "password": "a password", "generate": true });
    assert_eq!(rig.api.post_json("/clients-auth", &both).await?.status, 400);
    let answer = rig.api.get("/clients-auth/%ff%fe").await?;
    assert!(matches!(answer.status, 400 | 404), "{answer:?}");
    // Nothing was damaged.
    assert_eq!(rig.stored.pairs()?.len(), PAIRS.len());
    assert!(rig.admits("client1", "yienei5Ch").await?);
    Ok(())
}

async fn texts_at_the_width_of_the_column_are_kept_whole_or_refused(source: Source) -> anyhow::Result<()> {
    let rig = Rig::start(source).await?;
    // Characters, not bytes, count in a column.
    for (id, password) in [
        ("i".repeat(100), "p".repeat(100)),
        ("ü".repeat(100), "ß".repeat(100)),
    ] {
        assert_eq!(rig.add(&id, &password).await?.status, 201, "{id}");
        assert!(rig.admits(&id, &password).await?, "{id}");
    }
    for (id, password) in [
        ("j".repeat(101), "p".repeat(9)),
        ("too long a password".to_owned(), "p".repeat(101)),
    ] {
        let answer = rig.add(&id, &password).await?;
        match answer.status {
            201 => {
                assert_eq!(rig.stored.pairs()?.get(&id), Some(&password), "cut short");
                assert!(rig.admits(&id, &password).await?);
            }
            _ => {
                assert_refused(&answer, 400, "ERR_CODE_INVALID_REQUEST");
                assert!(!rig.stored.pairs()?.contains_key(&id));
            }
        }
    }
    Ok(())
}

/// A table whose name needs quotes, and one that tries to be more than a name.
#[tokio::test]
async fn names_of_tables_are_only_names() -> anyhow::Result<()> {
    use super::rig::Stored;
    use rport_testkit::process::ServerProcess;
    for source in Source::TABLES {
        let dir = tempfile::tempdir()?;
        let stored = Stored::new(source, &dir)?;
        stored.put(&PAIRS)?;
        let quote = if source == Source::Postgres { '"' } else { '`' };
        stored.execute(&format!(
            "CREATE TABLE {quote}select{quote} (id varchar(100) PRIMARY KEY, password varchar(100) NOT NULL)"
        ))?;
        let mut config = stored.configure(quiet());
        config.client_auth_lines = vec!["auth_table = \"select\"".to_owned()];
        let server = ServerProcess::start_with(config).await?;
        let new = json!({ "id": "client1", "password": "yienei5Ch" });
        assert_eq!(
            server.api().post_json("/clients-auth", &new).await?.status,
            201,
            "{source:?}"
        );

        let mut config = stored.configure(quiet());
        config.client_auth_lines = vec!["auth_table = \"clients_auth; DROP TABLE clients_auth\"".to_owned()];
        let mut server = ServerProcess::spawn(config)?;
        let status = server.child.wait(super::rig::SOON).await?;
        assert!(!status.success(), "{source:?}");
        assert_eq!(stored.pairs()?.len(), PAIRS.len(), "{source:?}");
    }
    Ok(())
}

/// Whoever is refused learns nothing about which part was wrong.
#[tokio::test]
async fn a_wrong_id_takes_as_long_as_a_wrong_password() -> anyhow::Result<()> {
    let rig = Rig::start_with(Source::File, &[], quiet().server("auth_hash = \"argon2id\"")).await?;
    assert_eq!(rig.add("client1", "yienei5Ch").await?.status, 201);
    let time = async |id: &str| {
        let mut times = Vec::new();
        for _ in 0..7 {
            let start = std::time::Instant::now();
            assert!(!rig.admits(id, "wrong password").await?);
            times.push(start.elapsed());
        }
        times.sort_unstable();
        anyhow::Ok(times[3])
    };
    let (known, unknown) = (time("client1").await?, time("nobody").await?);
    // Machines under test are noisy; what is looked for is a hash that is not computed, which is most of the time.
    let ratio = unknown.as_secs_f64() / known.as_secs_f64();
    assert!(
        (0.5..2.0).contains(&ratio),
        "known id {known:?}, unknown id {unknown:?}"
    );
    Ok(())
}
