//! "Client Authentication" as RPort documents it for operators, sentence by sentence.
//!
//! The tests of a single static pair and of how an agent is told its credentials are in `agent_side.rs`, those of
//! exactly one source in `start.rs`.

use std::collections::BTreeMap;

use rport_testkit::{eventually, process::ServerConfig};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::{
    for_each_source,
    rig::{PAIRS, Rig, SOON, Source, assert_refused, path, quiet},
};

for_each_source!(
    credentials_can_be_read_from_the_source,
    credentials_can_be_managed_through_the_api,
    the_list_shows_all_ids_and_passwords,
    the_api_supports_filtering_and_pagination,
    sorting_goes_both_ways,
    with_auth_write_off_all_writing_access_is_rejected_with_403,
    existing_ids_unknown_ids_and_short_texts_are_refused,
    credentials_with_clients_need_force_and_lose_their_agents,
    only_administrators_are_let_in,
    every_change_is_audited_without_the_password,
);

async fn credentials_can_be_read_from_the_source(source: Source) -> anyhow::Result<()> {
    let rig = Rig::start(source).await?;
    for (id, password) in PAIRS {
        assert!(rig.admits(id, password).await?, "{id}");
        assert!(!rig.admits(id, "wrong").await?, "{id} with a wrong password");
        assert!(!rig.admits(id, "").await?, "{id} without a password");
    }
    assert!(!rig.admits("nobody", "1234").await?);
    assert!(!rig.admits("CLIENTAUTH1", "1234").await?, "ids differ by case");
    assert!(!rig.admits("clientAuth1 ", "1234").await?, "ids differ by blanks");
    assert!(!rig.admits("", "").await?);
    let status = rig.api.get("/status").await?.data()?;
    assert_eq!(status["clients_auth_source"], source.in_status(), "{status}");
    Ok(())
}

async fn credentials_can_be_managed_through_the_api(source: Source) -> anyhow::Result<()> {
    let rig = Rig::start(source).await?;
    let answer = rig.add("client3", "sei5Ohph").await?;
    assert_eq!(
        (answer.status, &answer.body),
        (201, &Value::Null),
        "Go answers without a body"
    );
    assert!(rig.admits("client3", "sei5Ohph").await?);
    let stored = rig.stored.pairs()?;
    assert_eq!(
        stored.get("client3").map(String::as_str),
        Some("sei5Ohph"),
        "in clear, as documented"
    );
    assert_eq!(stored.len(), 5);
    let shown = rig.get("client3").await?;
    assert_eq!(
        (&shown["id"], &shown["password"]),
        (&json!("client3"), &json!("sei5Ohph"))
    );

    let answer = rig.delete("client3", false).await?;
    assert_eq!((answer.status, &answer.body), (204, &Value::Null));
    assert!(!rig.admits("client3", "sei5Ohph").await?);
    assert_eq!(rig.stored.pairs()?.len(), 4);
    // Whoever was there is still let in.
    assert!(rig.admits("clientAuth1", "1234").await?);
    Ok(())
}

async fn the_list_shows_all_ids_and_passwords(source: Source) -> anyhow::Result<()> {
    let rig = Rig::start(source).await?;
    let answer = rig.api.get("/clients-auth").await?;
    assert_eq!(answer.body["meta"]["count"], 4);
    let shown: BTreeMap<String, String> = answer
        .data()?
        .as_array()
        .into_iter()
        .flatten()
        .map(|item| {
            let text = |key: &str| item[key].as_str().unwrap_or_default().to_owned();
            (text("id"), text("password"))
        })
        .collect();
    let expected = PAIRS.map(|(id, password)| (id.to_owned(), password.to_owned()));
    assert_eq!(shown, BTreeMap::from(expected));
    Ok(())
}

async fn the_api_supports_filtering_and_pagination(source: Source) -> anyhow::Result<()> {
    let rig = Rig::start(source).await?;
    assert_eq!(rig.ids("filter[id]=client1").await?, ["client1"]);
    let mut found = rig.ids("filter[id]=client*").await?;
    found.sort_unstable();
    assert_eq!(found, ["client1", "client2", "clientAuth1"]);
    assert_eq!(rig.ids("filter[id]=nobody").await?.len(), 0);

    let first = rig.api.get("/clients-auth?page[limit]=3&page[offset]=0").await?;
    let rest = rig.api.get("/clients-auth?page[limit]=3&page[offset]=3").await?;
    for (answer, expected) in [(first, 3), (rest, 1)] {
        assert_eq!(answer.body["meta"]["count"], 4, "{answer:?}");
        assert_eq!(answer.data()?.as_array().map(Vec::len), Some(expected));
    }
    let beyond = rig.api.get("/clients-auth?page[offset]=9").await?;
    assert_eq!(beyond.body, json!({ "data": [], "meta": { "count": 4 } }));

    for query in [
        "page[limit]=501",
        "filter[password]=1234",
        "sort=password",
        "page[limit]=x",
    ] {
        let answer = rig.api.get(&format!("/clients-auth?{query}")).await?;
        assert_eq!(answer.status, 400, "{query}: {answer:?}");
    }
    Ok(())
}

async fn sorting_goes_both_ways(source: Source) -> anyhow::Result<()> {
    let rig = Rig::start(source).await?;
    let up = rig.ids("").await?;
    let mut down = rig.ids("sort=-id").await?;
    assert_eq!(up, rig.ids("sort=id").await?);
    down.reverse();
    assert_eq!(up, down);
    assert_eq!(up.len(), 4);
    Ok(())
}

async fn with_auth_write_off_all_writing_access_is_rejected_with_403(source: Source) -> anyhow::Result<()> {
    let rig = Rig::start_with(source, &PAIRS, quiet().server("auth_write = false")).await?;
    let before = rig.stored.pairs()?;
    let generate = json!({ "id": "client3", "generate": true });
    let refused = [
        rig.add("client3", "sei5Ohph").await?,
        rig.api.post_json("/clients-auth", &generate).await?,
        rig.change("client1", &json!({ "password": "sei5Ohph" })).await?,
        rig.change("client1", &json!({ "disabled": true })).await?,
        rig.delete("client1", false).await?,
        rig.delete("client1", true).await?,
        rig.delete("nobody", true).await?,
        // Before anything else is looked at.
        rig.api
            .send(rig.api.request(reqwest::Method::POST, "/clients-auth").body("{"))
            .await?,
    ];
    for answer in &refused {
        assert_refused(answer, 403, "ERR_CODE_CLIENT_AUTH_RO");
        assert_eq!(
            answer.title(),
            "Client authentication has been attached in read-only mode."
        );
    }
    assert_eq!(rig.stored.pairs()?, before);
    // Reading and logging in go on.
    assert_eq!(rig.ids("").await?.len(), 4);
    assert!(rig.admits("client1", "yienei5Ch").await?);
    let status = rig.api.get("/status").await?.data()?;
    assert_eq!(status["clients_auth_mode"], "Read Only", "{status}");
    Ok(())
}

async fn existing_ids_unknown_ids_and_short_texts_are_refused(source: Source) -> anyhow::Result<()> {
    let rig = Rig::start(source).await?;
    let answer = rig.add("client1", "sei5Ohph").await?;
    assert_refused(&answer, 409, "ERR_CODE_ALREADY_EXIST");
    assert_eq!(answer.title(), "Client Auth with ID \"client1\" already exist.");
    assert!(
        rig.admits("client1", "yienei5Ch").await?,
        "the password of the existing one stays"
    );

    for (id, password) in [
        ("ab", "long enough"),
        ("", "long enough"),
        ("long enough", "12"),
        ("abc", ""),
    ] {
        let answer = rig.add(id, password).await?;
        assert_refused(&answer, 400, "ERR_CODE_INVALID_REQUEST");
    }
    assert_eq!(rig.add("abc", "123").await?.status, 201, "three bytes are enough");

    let answer = rig.delete("nobody", false).await?;
    assert_refused(&answer, 404, "ERR_CODE_CLIENT_AUTH_NOT_FOUND");
    assert_eq!(answer.title(), "Client Auth with ID=\"nobody\" not found.");
    let answer = rig.api.get(&path("nobody")).await?;
    assert_eq!(
        (answer.status, answer.title()),
        (404, "Client Auth with ID \"nobody\" not found")
    );
    let answer = rig.api.delete("/clients-auth/client1?force=perhaps").await?;
    assert_refused(&answer, 400, "ERR_CODE_INVALID_REQUEST");
    assert_eq!(answer.title(), "Invalid force param perhaps.");
    let answer = rig.api.delete("/clients-auth/nobody?force=perhaps").await?;
    assert_eq!(answer.status, 400, "force is looked at before the id");
    Ok(())
}

async fn credentials_with_clients_need_force_and_lose_their_agents(source: Source) -> anyhow::Result<()> {
    use rport_testkit::simulator::{Admission, SimulatedAgent};
    let rig = Rig::start(source).await?;
    let agents = rig.server.config.agents;
    let Admission::Admitted(agent) =
        SimulatedAgent::connect(agents, ("client1", "yienei5Ch"), "machine").await?
    else {
        panic!("not admitted");
    };
    let shown = rig.get("client1").await?;
    assert_eq!(
        (&shown["num_clients"], &shown["num_clients_connected"]),
        (&json!(1), &json!(1))
    );
    assert!(shown["last_used_at"].is_string(), "{shown}");

    let answer = rig.delete("client1", false).await?;
    assert_refused(&answer, 409, "ERR_CODE_CLIENT_AUTH_HAS_CLIENT");
    assert_eq!(
        answer.title(),
        "Client Auth expected to have no active or disconnected bound client(s), got 1."
    );
    assert!(agent.is_connected());
    assert_eq!(rig.delete("client1", true).await?.status, 204);
    eventually("the agent to be disconnected", SOON, || async {
        (!agent.is_connected()).then_some(())
    })
    .await;
    assert_eq!(
        rig.api.get("/clients/machine").await?.status,
        404,
        "its record goes, too"
    );
    let again = SimulatedAgent::connect(agents, ("client1", "yienei5Ch"), "machine").await?;
    assert!(matches!(again, Admission::LoginRefused), "it came back");
    Ok(())
}

/// The users file has an administrator and somebody else.
async fn only_administrators_are_let_in(source: Source) -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let users = dir.path().join("users.json");
    let hash = |password: &str| {
        let parts = bcrypt::hash_with_result(password, 4)?;
        anyhow::Ok(parts.format_for_version(bcrypt::Version::TwoY))
    };
    let (user, password) = ServerConfig::API_LOGIN;
    let list = json!([
        { "username": user, "password": hash(password)?, "groups": ["Administrators"] },
        { "username": "olga", "password": hash("olgas")?, "groups": ["Operators"] },
    ]);
    std::fs::write(&users, list.to_string())?;
    let mut config = quiet();
    config.api_lines = vec![
        format!("auth_file = \"{}\"", users.display()),
        "user_login_wait = 0".to_owned(),
        "max_failed_login = 0".to_owned(),
    ];
    let rig = Rig::start_with(source, &PAIRS, config).await?;
    let olga = rig.api.with_basic("olga", "olgas");
    let nobody = rig.server.anonymous();
    let new = json!({ "id": "client3", "password": "sei5Ohph" });
    for (caller, status) in [(olga, 403), (nobody, 401)] {
        assert_eq!(caller.get("/clients-auth").await?.status, status);
        assert_eq!(caller.get("/clients-auth/client1").await?.status, status);
        assert_eq!(caller.post_json("/clients-auth", &new).await?.status, status);
        assert_eq!(
            caller.put_json("/clients-auth/client1", &json!({})).await?.status,
            status
        );
        assert_eq!(caller.delete("/clients-auth/client1").await?.status, status);
    }
    assert_eq!(rig.stored.pairs()?.len(), 4);
    Ok(())
}

async fn every_change_is_audited_without_the_password(source: Source) -> anyhow::Result<()> {
    let rig = Rig::start(source).await?;
    assert_eq!(rig.add("client3", "sei5Ohph").await?.status, 201);
    assert_eq!(rig.add("client3", "sei5Ohph").await?.status, 409);
    let change = json!({ "password": "another one", "disabled": true });
    assert_eq!(rig.change("client3", &change).await?.status, 204);
    assert_eq!(rig.delete("client3", true).await?.status, 204);
    rig.ids("").await?;
    let audit = rusqlite::Connection::open(rig.server.data_dir().join("auditlog.db"))?;
    let mut entries = audit.prepare(
        "SELECT action || ' ' || affected_id || ' ' || username || ' ' || remote_ip FROM auditlog \
         WHERE application = 'client.auth' ORDER BY rowid",
    )?;
    let entries: Vec<String> = entries
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    // Neither what was refused nor what was only read.
    assert_eq!(
        entries,
        ["create", "update", "delete"].map(|action| format!("{action} client3 admin 127.0.0.1"))
    );
    let requests: String =
        audit.query_row("SELECT group_concat(request) FROM auditlog", [], |row| row.get(0))?;
    assert!(
        !requests.contains("sei5Ohph") && !requests.contains("another one"),
        "{requests}"
    );
    Ok(())
}

#[tokio::test]
async fn the_file_is_read_only_on_start() -> anyhow::Result<()> {
    let mut rig = Rig::start(Source::File).await?;
    rig.stored
        .put(&[("client3", "sei5Ohph"), ("client2", "changed")])?;
    rig.stored.remove("client1")?;
    let edited = rig.stored.pairs()?;
    // Changes to the file, while rportd is running, have no effect.
    assert!(!rig.admits("client3", "sei5Ohph").await?);
    assert!(rig.admits("client2", "ieRi1Noo2").await? && !rig.admits("client2", "changed").await?);
    assert!(rig.admits("client1", "yienei5Ch").await?);
    assert_eq!(rig.ids("").await?.len(), 4);
    assert_eq!(rig.stored.pairs()?, edited, "and the edit is left alone");

    rig.server.child.terminate(SOON).await?;
    rig.server.restart().await?;
    assert!(rig.admits("client3", "sei5Ohph").await? && rig.admits("client2", "changed").await?);
    assert!(!rig.admits("client1", "yienei5Ch").await?);
    Ok(())
}

#[tokio::test]
async fn a_reload_activates_changes_of_the_file() -> anyhow::Result<()> {
    let rig = Rig::start(Source::File).await?;
    rig.stored.put(&[("client3", "sei5Ohph")])?;
    rig.stored.remove("client1")?;
    rig.server.child.signal(Signal::HUP)?;
    eventually("the new credentials to work", SOON, || async {
        rig.admits("client3", "sei5Ohph").await.ok()?.then_some(())
    })
    .await;
    assert!(!rig.admits("client1", "yienei5Ch").await?);

    // A file that cannot be read leaves everything as it was.
    let super::rig::Stored::File(file) = &rig.stored else {
        panic!("a file");
    };
    std::fs::write(file, "{\"client4\": ")?;
    rig.server.child.signal(Signal::HUP)?;
    eventually("the server to complain", SOON, || async {
        rig.server
            .child
            .output()
            .contains("client-auth.json")
            .then_some(())
    })
    .await;
    assert!(rig.admits("client3", "sei5Ohph").await?);
    Ok(())
}

/// "The file is writable by the rport user, for example by executing chown": that must do, wherever the file is.
#[tokio::test]
async fn a_file_that_is_writable_for_the_server_is_enough() -> anyhow::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
    if !rport_testkit::process::is_root() {
        return Ok(());
    }
    let dir = tempfile::tempdir()?;
    let mode =
        |path: &std::path::Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode));
    mode(dir.path(), 0o755)?;
    let programs = dir.path().join("rportd");
    std::fs::copy(&rport_testkit::process::binaries().rportd, &programs)?;
    mode(&programs, 0o755)?;
    const NOBODY: u32 = 65_534;
    let data_dir = dir.path().join("data");
    std::fs::create_dir(&data_dir)?;
    chown(&data_dir, Some(NOBODY), Some(NOBODY))?;

    let file = dir.path().join("client-auth.json");
    std::fs::write(&file, "{\"client1\": \"yienei5Ch\"}")?;
    mode(&file, 0o640)?;
    chown(&file, Some(NOBODY), Some(0))?;
    let mut config = quiet();
    config.client_auth_lines = vec![format!("auth_file = \"{}\"", file.display())];
    config.allow_root = false;
    config.data_dir = Some(data_dir);
    config.program = Some(programs);
    config.wrapper = [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "--",
    ]
    .map(str::to_owned)
    .into();
    let server = rport_testkit::process::ServerProcess::start_with(config).await?;
    let add = |id: &'static str| {
        let api = server.api();
        async move {
            api.post_json("/clients-auth", &json!({ "id": id, "password": "sei5Ohph" }))
                .await
        }
    };
    let answer = add("client2").await?;
    assert_eq!(answer.status, 201, "{answer:?}\n{}", server.child.output());
    let stored: BTreeMap<String, String> = serde_json::from_slice(&std::fs::read(&file)?)?;
    assert_eq!(stored.len(), 2);
    let metadata = std::fs::metadata(&file)?;
    assert_eq!((metadata.uid(), metadata.mode() & 0o777), (NOBODY, 0o640));

    // And one that is not says so and stays as it is.
    chown(&file, Some(0), Some(NOBODY))?;
    let answer = add("client3").await?;
    assert!(answer.status >= 400, "{answer:?}");
    let stored: BTreeMap<String, String> = serde_json::from_slice(&std::fs::read(&file)?)?;
    assert_eq!(stored.len(), 2);
    Ok(())
}

/// "Delegate the management to a third-party app writing directly to the database."
#[tokio::test]
async fn changes_of_the_table_by_others_count_at_once() -> anyhow::Result<()> {
    for source in Source::TABLES {
        let rig = Rig::start_with(source, &PAIRS, quiet().server("auth_write = false")).await?;
        rig.stored
            .put(&[("client3", "sei5Ohph"), ("client2", "changed")])?;
        rig.stored.remove("client1")?;
        assert!(rig.admits("client3", "sei5Ohph").await?, "{source:?}");
        assert!(rig.admits("client2", "changed").await?, "{source:?}");
        assert!(!rig.admits("client2", "ieRi1Noo2").await?, "{source:?}");
        assert!(!rig.admits("client1", "yienei5Ch").await?, "{source:?}");
    }
    Ok(())
}

/// The tables of MariaDB and PostgreSQL through a unix socket.
#[tokio::test]
async fn databases_are_reached_through_unix_sockets_too() -> anyhow::Result<()> {
    for source in [Source::MariaDb, Source::Postgres] {
        let dir = tempfile::tempdir()?;
        let stored = super::rig::Stored::new(source, &dir)?;
        stored.put(&PAIRS)?;
        let mut config = stored.configure(quiet());
        let super::rig::Stored::Server(database) = &stored else {
            panic!("a server");
        };
        config.database_lines = database.socket_lines();
        let server = rport_testkit::process::ServerProcess::start_with(config).await?;
        let list = server.api().get("/clients-auth").await?;
        assert_eq!(list.body["meta"]["count"], 4, "{source:?}: {list:?}");
        let admitted =
            rport_testkit::simulator::can_log_in(server.config.agents, ("client1", "yienei5Ch")).await?;
        assert!(admitted, "{source:?}");
    }
    Ok(())
}
