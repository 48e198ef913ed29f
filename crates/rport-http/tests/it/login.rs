use std::time::Duration;

use reqwest::Method;
use rport_http::ApiOptions;
use rport_server::{BanOptions, Options};
use serde_json::{Value, json};

use crate::rig::{ADMIN, Rig, answer, refusal, sent};

async fn token(rig: &Rig) -> String {
    let (status, body) = answer(rig.get("/login")).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["data"]["two_fa"], Value::Null);
    body["data"]["token"].as_str().expect("token").to_owned()
}

#[tokio::test]
async fn a_token_lives_until_logout() {
    let rig = Rig::new().await;
    let token = token(&rig).await;
    let me = || rig.anonymous(Method::GET, "/me").bearer_auth(&token);
    let (status, body) = answer(me()).await;
    assert_eq!((status, &body["data"]["username"]), (200, &json!("admin")));

    let gone = sent(rig.anonymous(Method::DELETE, "/logout").bearer_auth(&token)).await;
    assert_eq!(gone.status(), 204);
    assert_eq!(gone.text().await.expect("body"), "");
    assert_eq!(answer(me()).await.0, 401);
    let (status, title) = refusal(rig.anonymous(Method::DELETE, "/logout").bearer_auth(&token)).await;
    assert_eq!((status, title.as_str()), (400, "token is invalid or expired"));
    let (status, title) = refusal(rig.as_user(ADMIN, Method::DELETE, "/logout")).await;
    assert_eq!(
        (status, title.as_str()),
        (400, "authorization Bearer token required")
    );
}

#[tokio::test]
async fn bodies_are_json_or_forms() {
    let rig = Rig::new().await;
    let post = || rig.anonymous(Method::POST, "/login");
    let json = json!({"username": "admin", "password": "password of admin"});
    assert_eq!(answer(post().json(&json)).await.0, 200);
    let upper = r#"{"UserName":"admin","PASSWORD":"password of admin"}"#;
    assert_eq!(
        answer(
            post()
                .header("content-type", "application/json; charset=utf-8")
                .body(upper)
        )
        .await
        .0,
        200
    );
    let form = "username=admin&password=password+of%20admin";
    let form_type = "application/x-www-form-urlencoded";
    assert_eq!(
        answer(post().header("content-type", form_type).body(form))
            .await
            .0,
        200
    );

    let (status, title) = refusal(post().header("content-type", "text/plain").body("x")).await;
    assert_eq!(
        (status, title.as_str()),
        (400, "unsupported content type: text/plain")
    );
    let (status, title) = refusal(post().json(&json!({"username": "admin", "password": "no"}))).await;
    assert_eq!((status, title.as_str()), (401, "unauthorized"));
    let (status, title) = refusal(post().json(&json!({"username": "", "password": "no"}))).await;
    assert_eq!((status, title.as_str()), (401, "username is required"));
}

#[tokio::test]
async fn bad_bodies_are_named() {
    let rig = Rig::new().await;
    let check = async |body: String, title: &str, detail: &str| {
        let request = rig
            .anonymous(Method::POST, "/login")
            .header("content-type", "application/json")
            .body(body);
        let (status, answer) = answer(request).await;
        assert_eq!(status, 400);
        assert_eq!(
            answer["errors"],
            json!([{"code": "", "title": title, "detail": detail}])
        );
    };
    check(String::new(), "Missing body with json data.", "").await;
    check(
        r#"{"x":1}"#.to_owned(),
        "Invalid JSON data.",
        r#"json: unknown field "x""#,
    )
    .await;
    check("{".to_owned(), "Invalid JSON data.", "unexpected EOF").await;
    let long = format!(r#"{{"username":"{}"}}"#, "a".repeat(10_240));
    check(long, "Invalid JSON data.", "http: request body too large").await;

    let form = rig
        .anonymous(Method::POST, "/login")
        .header("content-type", "application/x-www-form-urlencoded");
    let response = sent(form.body("a".repeat(10_241))).await;
    assert_eq!(
        (response.status().as_u16(), &response.headers()["content-type"]),
        (400, &"text/plain; charset=utf-8".parse().expect("value"))
    );
    let text = "Request data exceeds the limit of 10240 bytes: http: request body too large\n";
    assert_eq!(response.text().await.expect("body"), text);
}

#[tokio::test]
async fn lifetimes_and_expired_passwords_are_checked() {
    let rig = Rig::new().await;
    assert_eq!(answer(rig.get("/login?token-lifetime=3600")).await.0, 200);
    let (status, title) = refusal(rig.get("/login?token-lifetime=7776001")).await;
    assert_eq!(
        (status, title.as_str()),
        (400, "requested token lifetime exceeds max allowed 7776000")
    );
    let (status, title) = refusal(rig.get("/login?token-lifetime=x")).await;
    assert_eq!(status, 400);
    assert!(title.starts_with("invalid token-lifetime : "), "{title}");
    let expired = ("expired", "password of expired");
    let (status, title) = refusal(rig.as_user(expired, Method::GET, "/login")).await;
    assert_eq!(
        (status, title.as_str()),
        (401, "password has expired, please change your password")
    );
}

#[tokio::test]
async fn schemes_match_in_any_case_and_bad_tokens_are_unauthorised() {
    let rig = Rig::new().await;
    let token = token(&rig).await;
    let with = |value: String| rig.anonymous(Method::GET, "/me").header("authorization", value);
    assert_eq!(answer(with(format!("bEaReR {token}"))).await.0, 200);
    assert_eq!(answer(with("Bearer x.y.z".to_owned())).await.0, 401);
    assert_eq!(answer(with("Bearer".to_owned())).await.0, 401);
    assert_eq!(answer(with("Nonsense".to_owned())).await.0, 401);
    let mut forged = token.clone();
    forged.truncate(token.len() - 4);
    assert_eq!(answer(with(format!("Bearer {forged}AAAA"))).await.0, 401);
}

#[tokio::test]
async fn too_many_failures_ban_the_address() {
    let ban = |options: &mut Options, _: &mut ApiOptions| {
        options.login.ban = Some(BanOptions {
            max_failed: 3,
            duration: Duration::from_secs(600),
        });
    };
    let rig = Rig::with(ban).await;
    for _ in 0..3 {
        assert_eq!(
            answer(rig.as_user(("admin", "wrong"), Method::GET, "/me"))
                .await
                .0,
            401
        );
    }
    let response = sent(rig.get("/me")).await;
    assert_eq!(response.status(), 423);
    assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
    assert!(
        response
            .text()
            .await
            .expect("body")
            .starts_with("Too many bad attempts. Please try later.")
    );
    assert_eq!(
        sent(rig.anonymous(Method::GET, "/auth/provider")).await.status(),
        423
    );
}

#[tokio::test]
async fn a_failed_user_waits() {
    let wait = |options: &mut Options, _: &mut ApiOptions| options.login.user_wait = Duration::from_secs(600);
    let rig = Rig::with(wait).await;
    assert_eq!(
        answer(rig.as_user(("admin", "wrong"), Method::GET, "/me"))
            .await
            .0,
        401
    );
    let (status, title) = refusal(rig.get("/me")).await;
    assert_eq!(
        (status, title.as_str()),
        (429, "too many requests, please try later")
    );
}

#[tokio::test]
async fn the_provider_is_public() {
    let rig = Rig::new().await;
    let (status, body) = answer(rig.anonymous(Method::GET, "/auth/provider")).await;
    let expected = json!({"data": {
        "auth_provider": "built-in", "settings_uri": "", "device_settings_uri": "", "max_token_lifetime": 0,
    }});
    assert_eq!((status, body), (200, expected));
}
