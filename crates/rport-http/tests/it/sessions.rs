//! Sessions and API tokens over HTTP.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::rig::{ADMIN, OPS, Rig, answer, refusal, sent};

async fn token(rig: &Rig, user: (&str, &str)) -> String {
    let (status, body) = answer(rig.as_user(user, Method::GET, "/login")).await;
    assert_eq!(status, 200, "{body}");
    body["data"]["token"].as_str().expect("token").to_owned()
}

fn with(rig: &Rig, token: &str, method: Method, path: &str) -> RequestBuilder {
    rig.anonymous(method, path).bearer_auth(token)
}

#[tokio::test]
async fn sessions_are_listed_and_killed() {
    let rig = Rig::new().await;
    let (one, two) = (token(&rig, OPS).await, token(&rig, OPS).await);
    let (_, mine) = answer(with(&rig, &one, Method::GET, "/me/sessions")).await;
    let sessions = mine["data"].as_array().expect("a list");
    assert_eq!(sessions.len(), 2);
    let current: Vec<&Value> = sessions
        .iter()
        .filter(|session| session["current"] == true)
        .collect();
    assert_eq!(current.len(), 1);
    let id = current[0]["session_id"].as_i64().expect("a number");
    for key in [
        "expires_at",
        "last_access_at",
        "username",
        "user_agent",
        "ip_address",
    ] {
        assert!(current[0][key].is_string(), "{key}");
    }

    // The administrator sees both; naming another user does not end this one's session.
    let (_, all) = answer(rig.get("/users/olga/sessions")).await;
    assert_eq!(all["data"].as_array().map(Vec::len), Some(2));
    let kill = async |path: String| {
        sent(rig.as_user(ADMIN, Method::DELETE, &path))
            .await
            .status()
            .as_u16()
    };
    assert_eq!(kill(format!("/users/admin/sessions/{id}")).await, 204);
    assert_eq!(sent(with(&rig, &one, Method::GET, "/me")).await.status(), 200);
    assert_eq!(kill(format!("/users/olga/sessions/{id}")).await, 204);
    assert_eq!(sent(with(&rig, &one, Method::GET, "/me")).await.status(), 401);
    assert_eq!(sent(with(&rig, &two, Method::GET, "/me")).await.status(), 200);
    assert_eq!(kill("/users/olga/sessions/x".to_owned()).await, 400);
    assert_eq!(kill("/users/olga/sessions".to_owned()).await, 204);
    assert_eq!(sent(with(&rig, &two, Method::GET, "/me")).await.status(), 401);
    let (_, none) = answer(rig.get("/users/nobody/sessions")).await;
    assert_eq!(none["data"], json!([]));

    let third = token(&rig, OPS).await;
    let (_, mine) = answer(with(&rig, &third, Method::GET, "/me/sessions")).await;
    let id = mine["data"][0]["session_id"].as_i64().expect("a number");
    let admins = rig.as_user(ADMIN, Method::DELETE, &format!("/me/sessions/{id}"));
    assert_eq!(refusal(admins).await.0, 404, "another user's");
    let end = with(&rig, &third, Method::DELETE, &format!("/me/sessions/{id}"));
    assert_eq!(sent(end).await.status(), 204);
    assert_eq!(sent(with(&rig, &third, Method::GET, "/me")).await.status(), 401);
}

#[tokio::test]
async fn a_renewed_token_replaces_the_old_one() {
    let rig = Rig::new().await;
    let first = token(&rig, OPS).await;
    let refresh = |token: &str| with(&rig, token, Method::POST, "/me/session/refresh");
    let (status, body) = answer(refresh(&first)).await;
    assert_eq!(status, 200, "{body}");
    let second = body["data"]["token"].as_str().expect("token").to_owned();
    assert_ne!(first, second);
    assert_eq!(refusal(refresh(&first)).await.0, 409);
    assert_eq!(sent(with(&rig, &second, Method::GET, "/me")).await.status(), 200);
    let (_, mine) = answer(with(&rig, &second, Method::GET, "/me/sessions")).await;
    assert_eq!(mine["data"].as_array().map(Vec::len), Some(1), "the same session");
    assert_eq!(
        refusal(rig.as_user(OPS, Method::POST, "/me/session/refresh"))
            .await
            .0,
        400
    );
}

#[tokio::test]
async fn tokens_are_made_used_changed_and_deleted() {
    let rig = Rig::new().await;
    let tokens = |method: Method, path: &str| rig.as_user(OPS, method, &format!("/me/tokens{path}"));
    let body = json!({"scope": "read", "name": "ci"});
    let (status, made) = answer(tokens(Method::POST, "").json(&body)).await;
    assert_eq!(status, 200, "{made}");
    let prefix = made["data"]["prefix"].as_str().expect("prefix").to_owned();
    let secret = made["data"]["token"].as_str().expect("token").to_owned();
    assert!(secret.starts_with(&format!("{prefix}_")) && prefix.len() == 8);

    let used = |method: Method, path: &str| rig.as_user(("olga", &secret), method, path);
    assert_eq!(sent(used(Method::GET, "/me")).await.status(), 200);
    assert_eq!(
        sent(rig.as_user(("admin", &secret), Method::GET, "/me"))
            .await
            .status(),
        401
    );
    assert_eq!(sent(used(Method::GET, "/login")).await.status(), 401);
    let (status, title) = refusal(used(Method::DELETE, "/clients/open")).await;
    assert_eq!(
        (status, title.as_str()),
        (
            403,
            "the scope of the provided token is not authorized for this operation"
        )
    );

    let (_, listed) = answer(tokens(Method::GET, "")).await;
    assert_eq!(listed["data"][0]["name"], "ci");
    assert_eq!(listed["data"][0]["scope"], "read");
    assert!(listed["data"][0].get("token").is_none());

    let path = format!("/{prefix}");
    let change = json!({"name": "ci"});
    let (status, changed) = answer(tokens(Method::PUT, &path).json(&change)).await;
    assert_eq!(
        (status, changed),
        (200, json!({"data": {"prefix": prefix, "name": "ci"}}))
    );
    let check = async |request: RequestBuilder, status: u16, title: &str| {
        assert_eq!(refusal(request).await, (status, title.to_owned()));
    };
    let past = json!({"expires_at": "2020-01-01T00:00:00Z"});
    assert_eq!(refusal(tokens(Method::PUT, &path).json(&past)).await.0, 400);
    check(
        tokens(Method::PUT, "/abcdefgh").json(&change),
        400,
        "A token with the same name already exists",
    )
    .await;
    let other = json!({"name": "other"});
    check(
        tokens(Method::PUT, "/abcdefgh").json(&other),
        404,
        "cannot find API Token by prefix abcdefgh",
    )
    .await;
    check(
        tokens(Method::PUT, "/short").json(&other),
        400,
        "missing or invalid token prefix.",
    )
    .await;
    check(
        tokens(Method::POST, "").json(&json!({"scope": "all", "name": "x"})),
        400,
        "missing or invalid scope.",
    )
    .await;
    check(
        tokens(Method::POST, "").json(&json!({"scope": "read"})),
        400,
        "missing or invalid name.",
    )
    .await;
    let agents = json!({"scope": "clients-auth", "name": "agents"});
    assert_eq!(refusal(tokens(Method::POST, "").json(&agents)).await.0, 400);

    assert_eq!(sent(tokens(Method::DELETE, &path)).await.status(), 204);
    assert_eq!(sent(used(Method::GET, "/me")).await.status(), 401);
    assert_eq!(sent(tokens(Method::DELETE, &path)).await.status(), 404);
}

#[tokio::test]
async fn the_scope_for_agents_credentials_opens_nothing_else() {
    let rig = Rig::new().await;
    let body = json!({"scope": "clients-auth", "name": "agents"});
    let (_, made) = answer(rig.as_user(ADMIN, Method::POST, "/me/tokens").json(&body)).await;
    let secret = made["data"]["token"].as_str().expect("token").to_owned();
    let used = async |path: &str| {
        sent(rig.as_user(("admin", &secret), Method::GET, path))
            .await
            .status()
    };
    assert_eq!(used("/clients-auth").await, 200);
    assert_eq!(used("/clients-auth/agent").await, 200);
    assert_eq!(used("/clients").await, 403);
    assert_eq!(used("/clients/clients-auth").await, 403);
    let (_, listed) = answer(rig.get("/users/admin/tokens")).await;
    let prefix = listed["data"][0]["prefix"].as_str().expect("prefix").to_owned();
    let path = format!("/users/admin/tokens/{prefix}");
    assert_eq!(
        sent(rig.as_user(ADMIN, Method::DELETE, &path)).await.status(),
        204
    );
    assert_eq!(used("/clients-auth").await, 401);
}
