//! `/ws/events` and who may open it; logins that a proxy vouches for.

use reqwest::Method;
use rport_http::ApiOptions;
use rport_server::{HeaderLoginOptions, Options};
use serde_json::{Value, json};

use crate::agent::Agent;
use crate::rig::{ADMIN, OPS, Rig, answer, refusal, sent};
use crate::websocket::{self, Socket, next, token};

/// Opens the WebSocket of events; the status otherwise.
async fn open(
    rig: &Rig,
    query: &str,
    headers: &[(&'static str, &str)],
) -> Result<(Socket, Option<String>), u16> {
    websocket::open(rig, &format!("/ws/events{query}"), headers).await
}

#[tokio::test]
async fn events_come_to_who_may_access_the_client_until_the_session_ends() {
    let rig = Rig::new().await;
    let (admin, olga) = (token(&rig, ADMIN).await, token(&rig, OPS).await);
    let offered = format!("rport.v1, bearer.{admin}");
    let (mut all, protocol) = open(&rig, "", &[("sec-websocket-protocol", &offered)])
        .await
        .expect("opens");
    assert_eq!(protocol.as_deref(), Some("rport.v1"));
    let bearer = format!("Bearer {olga}");
    let (mut some, _) = open(&rig, "", &[("authorization", &bearer)])
        .await
        .expect("opens");
    for client in ["shut", "open"] {
        let gone = rig.as_user(ADMIN, Method::DELETE, &format!("/clients/{client}"));
        assert_eq!(sent(gone).await.status(), 204);
    }
    assert_eq!(
        next(&mut all).await,
        json!({"type": "client_deleted", "client_id": "shut"})
    );
    assert_eq!(
        next(&mut all).await,
        json!({"type": "client_deleted", "client_id": "open"})
    );
    assert_eq!(
        next(&mut some).await,
        json!({"type": "client_deleted", "client_id": "open"})
    );

    let logout = rig.anonymous(Method::DELETE, "/logout").bearer_auth(&olga);
    assert_eq!(sent(logout).await.status(), 204);
    assert_eq!(next(&mut some).await, Value::Null, "closed with the session");
    assert_eq!(
        open(&rig, "", &[("authorization", &bearer)]).await.err(),
        Some(401)
    );
}

#[tokio::test]
async fn jobs_are_told_to_who_may_see_them() {
    let rig = Rig::new().await;
    let mut agent = Agent::connect(rig.agents, "open", rig.tasks()).await;
    let bearer = format!("Bearer {}", token(&rig, OPS).await);
    let (mut socket, _) = open(&rig, "", &[("authorization", &bearer)])
        .await
        .expect("opens");
    let order = json!({ "client_ids": ["shut", "open"], "command": "x", "execute_concurrently": true });
    let (_, body) = answer(rig.as_user(ADMIN, Method::POST, "/commands").json(&order)).await;
    let id = &body["data"]["jid"];
    let job = agent.start().await;
    agent.finish(job, "successful", "").await;
    // Ordered, started, ended.
    for _ in 0..3 {
        let told = next(&mut socket).await;
        assert_eq!(
            (&told["type"], &told["client_id"], &told["multi_job_id"]),
            (&json!("job_changed"), &json!("open"), id)
        );
        assert!(told["job_id"].is_string(), "{told}");
    }
}

#[tokio::test]
async fn old_tokens_in_the_query_work_and_narrow_or_foreign_ones_do_not() {
    let rig = Rig::new().await;
    let admin = token(&rig, ADMIN).await;
    assert!(open(&rig, &format!("?access_token={admin}"), &[]).await.is_ok());
    assert_eq!(open(&rig, "", &[]).await.err(), Some(401));
    assert_eq!(open(&rig, "?access_token=x.y.z", &[]).await.err(), Some(401));
    let body = json!({"scope": "read", "name": "reader"});
    let (_, made) = answer(rig.as_user(ADMIN, Method::POST, "/me/tokens").json(&body)).await;
    let basic = |password: &str| {
        use base64::Engine;
        let pair = base64::engine::general_purpose::STANDARD.encode(format!("admin:{password}"));
        format!("Basic {pair}")
    };
    let reader = basic(made["data"]["token"].as_str().expect("token"));
    assert_eq!(
        open(&rig, "", &[("authorization", &reader)]).await.err(),
        Some(403)
    );
    let password = basic(ADMIN.1);
    assert!(open(&rig, "", &[("authorization", &password)]).await.is_ok());
    let foreign = [
        ("authorization", password.as_str()),
        ("origin", "https://evil.example.com"),
    ];
    assert_eq!(open(&rig, "", &foreign).await.err(), Some(403));
}

fn behind_a_proxy(create: bool, trusted: bool) -> impl FnOnce(&mut Options, &mut ApiOptions) {
    move |options, _| {
        options.login.header = Some(HeaderLoginOptions {
            auth_header: "Authenticated".into(),
            user_header: "Authentication-User".into(),
            create_missing: create,
            default_group: None,
        });
        if trusted {
            options.login.trusted_proxies = vec!["127.0.0.0/8".parse().expect("a network")];
        }
    }
}

fn by_header(rig: &Rig, name: &str) -> reqwest::RequestBuilder {
    rig.anonymous(Method::GET, "/login")
        .header("authenticated", "1")
        .header("authentication-user", name)
}

#[tokio::test]
async fn only_trusted_proxies_vouch_for_users() {
    let stranger = Rig::with(behind_a_proxy(true, false)).await;
    assert_eq!(answer(by_header(&stranger, "admin")).await.0, 401);

    let rig = Rig::with(behind_a_proxy(false, true)).await;
    let (status, body) = answer(by_header(&rig, "olga")).await;
    assert_eq!(status, 200, "{body}");
    let token = body["data"]["token"].as_str().expect("token").to_owned();
    let (_, me) = answer(rig.anonymous(Method::GET, "/me").bearer_auth(&token)).await;
    assert_eq!(me["data"]["username"], "olga");
    assert_eq!(answer(by_header(&rig, "newcomer")).await.0, 401, "nobody is made");
    assert_eq!(refusal(by_header(&rig, "")).await.0, 401);
    let twice = by_header(&rig, "olga").header("authentication-user", "admin");
    assert_eq!(answer(twice).await.0, 401, "a header the proxy did not strip");
    let without = rig
        .anonymous(Method::GET, "/login")
        .header("authentication-user", "admin");
    assert_eq!(answer(without).await.0, 401);
}

#[tokio::test]
async fn users_who_are_made_are_nobody_special() {
    let rig = Rig::with(behind_a_proxy(true, true)).await;
    let (status, body) = answer(by_header(&rig, "newcomer")).await;
    assert_eq!(status, 200, "{body}");
    let token = body["data"]["token"].as_str().expect("token").to_owned();
    let (_, me) = answer(rig.anonymous(Method::GET, "/me").bearer_auth(&token)).await;
    assert_eq!(
        (&me["data"]["username"], &me["data"]["groups"]),
        (&json!("newcomer"), &Value::Null)
    );
    assert_eq!(answer(by_header(&rig, "newcomer")).await.0, 200, "known by now");
}
