//! Values that are kept encrypted.

use reqwest::Method;
use rport_server::VaultKeyDerivation;
use serde_json::{Value, json};

use crate::rig::{ADMIN, OPS, Rig, answer, refusal, sent};

const PASSWORD: &str = "vault-pass-1";

fn password(password: &str) -> String {
    json!({ "password": password }).to_string()
}

fn value(key: &str, group: &str) -> String {
    json!({ "key": key, "value": "geheim <1>", "type": "secret", "required_group": group }).to_string()
}

async fn unlocked() -> Rig {
    let rig = Rig::new().await;
    let init = rig.as_user(ADMIN, Method::POST, "/vault-admin/init");
    assert_eq!(answer(init.body(password(PASSWORD))).await, (201, json!("")));
    rig
}

async fn state(rig: &Rig) -> Value {
    let (status, body) = answer(rig.as_user(OPS, Method::GET, "/vault-admin")).await;
    assert_eq!(status, 200);
    body["data"].clone()
}

#[tokio::test]
async fn a_vault_is_made_locked_and_unlocked() {
    let rig = Rig::new().await;
    let admin = |method: Method, path: &str| rig.as_user(ADMIN, method, path);
    let conflict = |text: &str| (409, text.to_owned());
    assert_eq!(
        state(&rig).await,
        json!({ "init": "uninitialized", "status": "" })
    );
    assert_eq!(refusal(rig.get("/vault")).await, conflict("vault is locked"));
    let unlock = || admin(Method::POST, "/vault-admin/sesame");
    assert_eq!(
        refusal(unlock().body(password(PASSWORD))).await,
        conflict("vault is not initialized yet")
    );
    let init = || admin(Method::POST, "/vault-admin/init");
    for (wrong, length) in [("123", 3), (&"x".repeat(33), 33)] {
        let (status, body) = answer(init().body(password(wrong))).await;
        let detail = format!("It has {length} bytes, 4 to 32 are allowed.");
        assert_eq!((status, &body["errors"][0]["detail"]), (400, &json!(detail)));
    }
    assert_eq!(answer(init().body(password(PASSWORD))).await.0, 201);
    assert_eq!(
        state(&rig).await,
        json!({ "init": "setup-completed", "status": "unlocked" })
    );
    assert_eq!(
        refusal(init().body(password(PASSWORD))).await,
        conflict("vault is already initialized")
    );
    assert_eq!(
        refusal(unlock().body(password(PASSWORD))).await,
        conflict("vault is already unlocked")
    );

    let lock = || admin(Method::DELETE, "/vault-admin/sesame");
    assert_eq!(sent(lock()).await.status(), 204);
    assert_eq!(
        state(&rig).await,
        json!({ "init": "setup-completed", "status": "locked" })
    );
    assert_eq!(refusal(lock()).await, conflict("vault is already locked"));
    let locked = conflict("vault is locked");
    assert_eq!(refusal(rig.get("/vault/1")).await, locked);
    assert_eq!(
        refusal(admin(Method::POST, "/vault").body(value("k", ""))).await,
        locked
    );
    assert_eq!(refusal(admin(Method::DELETE, "/vault/1")).await, locked);

    let wrong = (401, "wrong password provided".to_owned());
    assert_eq!(refusal(unlock().body(password("wrong"))).await, wrong);
    assert_eq!(refusal(unlock().body("{}")).await, wrong);
    assert_eq!(answer(unlock().body(password(PASSWORD))).await.0, 201);
    assert_eq!(state(&rig).await["status"], "unlocked");
}

#[tokio::test]
async fn guessing_is_slowed_down() {
    let rig = unlocked().await;
    assert_eq!(
        sent(rig.as_user(ADMIN, Method::DELETE, "/vault-admin/sesame"))
            .await
            .status(),
        204
    );
    let unlock = || rig.as_user(ADMIN, Method::POST, "/vault-admin/sesame");
    for _ in 0..4 {
        assert_eq!(refusal(unlock().body(password("wrong"))).await.0, 401);
    }
    let (status, body) = answer(unlock().body(password(PASSWORD))).await;
    assert_eq!(
        (status, &body["errors"][0]),
        (
            429,
            &json!({ "code": "", "title": "too many wrong passwords", "detail": "try again in 1 s" })
        )
    );
}

#[tokio::test]
async fn values_live_from_post_to_delete() {
    let rig = unlocked().await;
    let admin = |method: Method, path: &str| rig.as_user(ADMIN, method, path);
    let response = sent(admin(Method::POST, "/vault").body(value("db", ""))).await;
    assert_eq!(
        (response.status().as_u16(), &response.headers()["content-type"]),
        (201, &"application/json; charset=UTF-8".parse().expect("a label"))
    );
    let body: Value = response.json().await.expect("JSON");
    assert_eq!(body, json!({ "data": { "id": 1 } }));

    let (status, body) = answer(rig.as_user(OPS, Method::GET, "/vault/1")).await;
    let shown = &body["data"];
    assert_eq!(
        (status, &shown["value"], &shown["type"], &shown["created_by"]),
        (200, &json!("geheim <1>"), &json!("secret"), &json!(ADMIN.0))
    );
    let (_, body) = answer(rig.get("/vault?filter[key]=d*")).await;
    let listed = json!([{
        "id": 1, "client_id": "", "created_by": ADMIN.0, "created_at": shown["created_at"], "key": "db",
    }]);
    assert_eq!(body, json!({ "data": listed }), "no meta");

    let change = json!({ "key": "db", "value": "2", "type": "text", "client_id": "open" }).to_string();
    let changed = answer(rig.as_user(OPS, Method::PUT, "/vault/1").body(change)).await;
    assert_eq!(changed, (200, json!({ "data": { "id": 1 } })));
    let (_, body) = answer(rig.get("/vault/1")).await;
    let shown = &body["data"];
    assert_eq!(
        (&shown["value"], &shown["created_by"], &shown["updated_by"]),
        (&json!("2"), &json!(ADMIN.0), &json!(OPS.0))
    );
    let zero = answer(admin(Method::PUT, "/vault/0").body(value("db", ""))).await;
    assert_eq!(zero, (201, json!({ "data": { "id": 2 } })));
    assert_eq!(sent(admin(Method::DELETE, "/vault/1")).await.status(), 204);
    let missing = (404, "Cannot find a vault value by the provided id: 1".to_owned());
    assert_eq!(refusal(rig.get("/vault/1")).await, missing);
    assert_eq!(refusal(admin(Method::DELETE, "/vault/1")).await, missing);
    assert_eq!(
        refusal(admin(Method::PUT, "/vault/1").body(value("db", ""))).await,
        (404, "cannot find entry by the provided existingID".to_owned())
    );
}

#[tokio::test]
async fn what_cannot_be_stored_is_named() {
    let rig = unlocked().await;
    let post = |body: Value| rig.as_user(ADMIN, Method::POST, "/vault").json(&body);
    for (body, text) in [
        (json!({}), "key is required"),
        (json!({ "key": "k" }), "value is required"),
        (json!({ "key": "k", "value": "v" }), "value type is required"),
        (
            json!({ "key": "k", "value": "v", "type": "x" }),
            "unknown or invalid value value type x",
        ),
    ] {
        assert_eq!(refusal(post(body)).await, (400, text.to_owned()));
    }
    let twin = json!({ "key": "k", "value": "v", "type": "string", "client_id": "c" });
    assert_eq!(answer(post(twin.clone())).await.0, 201);
    let taken = (409, "another key 'k' exists for this client 'c'".to_owned());
    assert_eq!(refusal(post(twin.clone())).await, taken);
    let other = rig.as_user(ADMIN, Method::PUT, "/vault/0");
    assert_eq!(refusal(other.body(twin.to_string())).await, taken);
    let text = "Non-numeric integer value provided: abc for param vault_value_id";
    assert_eq!(refusal(rig.get("/vault/abc")).await, (400, text.to_owned()));
    let text = "missing \"vault_value_id\" route param";
    for method in [Method::GET, Method::DELETE] {
        let zero = rig.as_user(ADMIN, method, "/vault/0");
        assert_eq!(refusal(zero).await, (400, text.to_owned()));
    }
}

#[tokio::test]
async fn the_required_group_counts_everywhere() {
    let rig = unlocked().await;
    for (key, group) in [("all", ""), ("ops", "ops"), ("admins", "Administrators")] {
        let post = rig.as_user(ADMIN, Method::POST, "/vault");
        assert_eq!(answer(post.body(value(key, group))).await.0, 201);
    }
    for (user, keys, foreign) in [
        (ADMIN, ["all", "admins"], "/vault/2"),
        (OPS, ["all", "ops"], "/vault/3"),
    ] {
        let (_, body) = answer(rig.as_user(user, Method::GET, "/vault?sort=id")).await;
        let items = body["data"].as_array().expect("a list");
        let found: Vec<&str> = items.iter().filter_map(|item| item["key"].as_str()).collect();
        assert_eq!(found, keys, "{}", user.0);
        let text = "your group doesn't allow access to this value";
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let request = rig.as_user(user, method, foreign).body(value("x", ""));
            assert_eq!(refusal(request).await, (403, text.to_owned()), "{}", user.0);
        }
    }
}

#[tokio::test]
async fn long_passwords_are_for_strong_keys() {
    let rig = Rig::with(|options, _| options.vault.key_derivation = VaultKeyDerivation::Argon2id).await;
    let long = "a long password ".repeat(8);
    let init = rig.as_user(ADMIN, Method::POST, "/vault-admin/init");
    assert_eq!(answer(init.body(password(&long))).await.0, 201);
    let post = rig.as_user(ADMIN, Method::POST, "/vault");
    assert_eq!(answer(post.body(value("k", ""))).await.0, 201);
    let lock = rig.as_user(ADMIN, Method::DELETE, "/vault-admin/sesame");
    assert_eq!(sent(lock).await.status(), 204);
    let unlock = || rig.as_user(ADMIN, Method::POST, "/vault-admin/sesame");
    assert_eq!(answer(unlock().body(password(&long[..32]))).await.0, 401);
    assert_eq!(answer(unlock().body(password(&long))).await.0, 201);
    let (_, body) = answer(rig.get("/vault/1")).await;
    assert_eq!(body["data"]["value"], "geheim <1>");
}
