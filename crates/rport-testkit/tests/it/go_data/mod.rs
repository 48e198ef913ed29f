//! An operator stops the Go server, starts ours on the same files, and loses nothing; and may go back.

mod fixture;
mod jobs;
mod schema;
mod vault;

use rport_testkit::api::Api;
use serde_json::{Value, json};

use fixture::{Fixture, Users};
use jobs::{jobs_and_schedules_are_all_there, library_and_vault_are_all_there};

/// Makes each test run with each kind of user store.
macro_rules! for_each_store {
    ($($test:ident),+ $(,)?) => { $(
        mod $test {
            use super::Users;
            #[tokio::test]
            async fn file() -> anyhow::Result<()> {
                super::super::$test(Users::File).await
            }
            #[tokio::test]
            async fn sqlite() -> anyhow::Result<()> {
                super::super::$test(Users::Sqlite).await
            }
            #[tokio::test]
            async fn mariadb() -> anyhow::Result<()> {
                super::super::$test(Users::MariaDb).await
            }
        }
    )+ };
}

mod stores {
    use super::Users;
    for_each_store!(
        logins_go_on,
        api_tokens_work,
        the_second_factor_works,
        users_and_groups_are_all_there,
        the_resources_are_all_there,
        jobs_and_schedules_are_all_there,
        library_and_vault_are_all_there,
        the_way_back_stays_open,
    );
}

/// A token of the Go server is worth what it was, until its logout.
async fn logins_go_on(users: Users) -> anyhow::Result<()> {
    let fixture = Fixture::start(users).await?;
    let old = fixture.server.anonymous().with_bearer(fixture.fact("admin_jwt"));
    assert_eq!(old.get("/me").await?.data()?["username"], "admin");
    let sessions = fixture.admin().get("/users/admin/sessions").await?.data()?;
    let sessions = sessions.as_array().expect("a list");
    assert!(
        sessions.iter().any(|session| session["session_id"] == 2),
        "{sessions:?}"
    );
    assert_eq!(old.delete("/logout").await?.status, 204);
    assert_eq!(old.get("/me").await?.status, 401);
    // The next login must not bring the ended one back, whatever its number.
    let again = second_step(&fixture, &first_step(&fixture).await?).await?;
    assert_eq!(again.get("/me").await?.status, 200);
    assert_eq!(old.get("/me").await?.status, 401);
    Ok(())
}

async fn api_tokens_work(users: Users) -> anyhow::Result<()> {
    let fixture = Fixture::start(users).await?;
    let tokens = fixture.admin().get("/me/tokens").await?.data()?;
    same_items(&tokens, &fixture.facts["tokens"]["data"], "prefix");
    let reader = fixture
        .server
        .anonymous()
        .with_basic("admin", fixture.fact("read_token"));
    assert_eq!(reader.get("/users").await?.status, 200);
    let answer = reader.post_json("/users", &json!({ "username": "x" })).await?;
    assert_eq!(answer.status, 403, "{answer:?}");
    let stolen = fixture
        .server
        .anonymous()
        .with_basic("ops", fixture.fact("api_token"));
    assert_eq!(stolen.get("/me").await?.status, 401, "a token is its user's only");
    Ok(())
}

async fn the_second_factor_works(users: Users) -> anyhow::Result<()> {
    let fixture = Fixture::start(users).await?;
    let half = first_step(&fixture).await?;
    let half_way = fixture.server.anonymous().with_bearer(&half);
    assert_eq!(
        half_way.get("/me").await?.status,
        401,
        "half a login opens nothing"
    );
    let wrong = half_way
        .post_json("/verify-2fa", &json!({ "username": "admin", "token": "000000" }))
        .await?;
    assert_eq!(wrong.status, 401, "{wrong:?}");
    let whole = second_step(&fixture, &first_step(&fixture).await?).await?;
    assert_eq!(whole.get("/me").await?.data()?["username"], "admin");
    Ok(())
}

async fn users_and_groups_are_all_there(users: Users) -> anyhow::Result<()> {
    let fixture = Fixture::start(users).await?;
    let admin = fixture.admin();
    let listed = admin.get("/users").await?.data()?;
    same_items(&listed, &fixture.facts["users"], "username");

    let nobody = fixture.server.anonymous();
    let password = fixture.fact("password");
    let expired = nobody
        .with_basic("expired", &format!("{password}-exp"))
        .get("/login")
        .await?;
    assert_eq!(
        (expired.status, expired.title()),
        (401, "password has expired, please change your password")
    );
    let wrong = nobody.with_basic("expired", password).get("/login").await?;
    assert_eq!((wrong.status, wrong.title()), (401, "unauthorized"));

    if users != Users::File {
        let groups = admin.get("/user-groups").await?.data()?;
        same_items(&groups, &fixture.facts["user_groups"]["data"], "name");
    }
    Ok(())
}

async fn the_resources_are_all_there(users: Users) -> anyhow::Result<()> {
    let fixture = Fixture::start(users).await?;
    let admin = fixture.admin();
    let fields = "fields%5Bclient_groups%5D=id,description,params,allowed_user_groups,client_ids";
    let groups = admin.get(&format!("/client-groups?{fields}")).await?.data()?;
    same_items(&groups, &fixture.facts["client_groups"]["data"], "id");
    let stored = admin.get("/clients/go-agent/stored-tunnels").await?.data()?;
    same_items(&stored, &fixture.facts["stored_tunnels"]["data"], "id");
    let auth = admin.get("/clients-auth").await?.data()?;
    let ids: Vec<&str> = auth
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|item| item["id"].as_str())
        .collect();
    assert_eq!(ids, ["clientAuth1", "second", "third"]);

    let client = admin.client("go-agent").await?;
    let recorded = &fixture.facts["client"]["data"];
    for (key, value) in recorded.as_object().expect("an object") {
        match key.as_str() {
            // It is not connected now, and secrets of its configuration are not shown.
            "disconnected_at" | "connection_state" | "last_heartbeat_at" | "client_configuration" => {}
            _ => assert_eq!(&client[key], value, "{key}"),
        }
    }
    let shown = client["client_configuration"].to_string();
    assert!(!shown.contains("clientAuth1:1234"), "{shown}");

    let audit = admin.get("/auditlog?page%5Blimit%5D=100").await?.data()?;
    let audit = audit.as_array().expect("a list");
    for entry in fixture.facts["auditlog"]["data"].as_array().expect("a list") {
        assert!(audit.contains(entry), "{entry} is missing");
    }
    Ok(())
}

/// What our server writes is in the forms a Go server reads.
async fn the_way_back_stays_open(users: Users) -> anyhow::Result<()> {
    let mut fixture = Fixture::start(users).await?;
    let admin = fixture.admin();
    let password = format!("{}-new", fixture.fact("password"));
    let before = schema::of_all(&fixture.server.data_dir())?;
    for (path, body) in [
        (
            "/users",
            json!({ "username": "new", "password": password, "groups": ["Operators"] }),
        ),
        (
            "/client-groups",
            json!({ "id": "ours", "description": "d", "params": { "os": ["*"] }, "allowed_user_groups": [] }),
        ),
        ("/me/tokens", json!({ "name": "ours", "scope": "read" })),
        (
            "/clients/go-agent/stored-tunnels",
            json!({ "name": "ours", "remote_ip": "127.0.0.1", "remote_port": 80 }),
        ),
    ] {
        let answer = admin.post_json(path, &body).await?;
        assert!((200..300).contains(&answer.status), "{path}: {answer:?}");
    }
    second_step(&fixture, &first_step(&fixture).await?).await?;
    fixture
        .server
        .child
        .terminate(std::time::Duration::from_secs(20))
        .await?;
    assert_eq!(schema::of_all(&fixture.server.data_dir())?, before);
    schema::check_rows(&fixture.server.data_dir())?;
    let stored = match users {
        Users::File => {
            let file = std::fs::read_to_string(fixture.dir().join("api-auth.json"))?;
            let list: Vec<Value> = serde_json::from_str(&file)?;
            let new = list
                .iter()
                .find(|user| user["username"] == "new")
                .expect("the user");
            new["password"].as_str().expect("text").to_owned()
        }
        Users::Sqlite => rusqlite::Connection::open(fixture.dir().join("auth.db"))?.query_row(
            "SELECT password FROM users WHERE username = 'new'",
            [],
            |row| row.get(0),
        )?,
        Users::MariaDb => {
            let database = fixture.database().expect("a database");
            database
                .rows("SELECT password FROM users WHERE username = 'new'")?
                .concat()
        }
    };
    assert!(stored.starts_with("$2y$10$"), "{stored}");
    Ok(())
}

/// The token of a login whose second factor is still missing.
async fn first_step(fixture: &Fixture) -> anyhow::Result<String> {
    let api = fixture.server.anonymous();
    let login = api
        .with_basic("admin", fixture.fact("password"))
        .get("/login")
        .await?
        .data()?;
    assert_eq!(login["two_fa"]["totp_key_status"], "exists", "{login}");
    Ok(login["token"].as_str().expect("a token").to_owned())
}

async fn second_step(fixture: &Fixture, half: &str) -> anyhow::Result<Api> {
    let api = fixture.server.anonymous();
    let body = json!({ "username": "admin", "token": code(fixture.fact("admin_totp_secret")) });
    let whole = api
        .with_bearer(half)
        .post_json("/verify-2fa", &body)
        .await?
        .data()?;
    Ok(api.with_bearer(whole["token"].as_str().expect("a token")))
}

/// The present code of a secret, as an authenticator shows it.
fn code(secret: &str) -> String {
    let secret = totp_rs::Secret::try_from_base32(secret).expect("base 32");
    let totp = totp_rs::Builder::new()
        .with_secret(secret)
        .with_account_name("admin")
        .build()
        .expect("a sound secret");
    let now = rport_runtime::Clock::system().now().timestamp();
    totp.generate(now.unsigned_abs()).to_string()
}

/// Whether two lists hold the same items, in any order and with `null` for what is not there.
fn same_items(ours: &Value, recorded: &Value, key: &str) {
    let sorted = |list: &Value| {
        let mut items = list.as_array().expect("a list").clone();
        items.sort_by_key(|item| item[key].as_str().expect("a key").to_owned());
        items
    };
    let (ours, recorded) = (sorted(ours), sorted(recorded));
    assert_eq!(ours.len(), recorded.len(), "{ours:?}\n{recorded:?}");
    for (ours, recorded) in ours.iter().zip(&recorded) {
        for (name, value) in recorded.as_object().expect("an object") {
            let empty = |value: &Value| value.is_null() || *value == json!([]);
            let same = ours[name] == *value || (empty(&ours[name]) && empty(value));
            assert!(same, "{name}: {} instead of {value}", ours[name]);
        }
    }
}
