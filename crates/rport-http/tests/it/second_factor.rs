//! Logins with a second step.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use rport_http::ApiOptions;
use rport_server::{CodeChannel, Options, SecondFactorOptions};
use serde_json::{Value, json};

use crate::rig::{ADMIN, OPS, Rig, answer, refusal, sent};

fn totp(options: &mut Options, _: &mut ApiOptions) {
    options.login.second_factor = SecondFactorOptions::Totp {
        account_name: "RPort".into(),
        login_ttl: Duration::from_secs(600),
    };
}

fn with(rig: &Rig, token: &str, method: Method, path: &str) -> RequestBuilder {
    rig.anonymous(method, path).bearer_auth(token)
}

fn verify(rig: &Rig, token: &str, user: &str, code: &str) -> RequestBuilder {
    with(rig, token, Method::POST, "/verify-2fa").json(&json!({"username": user, "token": code}))
}

async fn first_step(rig: &Rig, user: (&str, &str)) -> (String, Value) {
    let (status, body) = answer(rig.as_user(user, Method::GET, "/login")).await;
    assert_eq!(status, 200, "{body}");
    let token = body["data"]["token"].as_str().expect("token").to_owned();
    (token, body["data"]["two_fa"].clone())
}

#[tokio::test]
async fn an_app_is_set_up_at_the_first_login_and_asked_for_afterwards() {
    let rig = Rig::with(totp).await;
    let (_, status) = answer(rig.anonymous(Method::GET, "/status")).await;
    assert_eq!(status["errors"][0]["title"], "unauthorized");
    let (token, two_fa) = first_step(&rig, OPS).await;
    let expected =
        json!({"send_to": "", "delivery_method": "totp_authenticator_app", "totp_key_status": "pending"});
    assert_eq!(two_fa, expected);
    // A password alone opens nothing, and the token of the first step only the second.
    assert_eq!(sent(rig.as_user(OPS, Method::GET, "/me")).await.status(), 401);
    assert_eq!(sent(with(&rig, &token, Method::GET, "/me")).await.status(), 401);
    let (status, title) = refusal(verify(&rig, &token, "olga", "123456")).await;
    let expected = "time based one time secret key should be generated for this user";
    assert_eq!((status, title.as_str()), (409, expected));

    let (status, secret) = answer(with(&rig, &token, Method::POST, "/me/totp-secret")).await;
    assert_eq!(status, 200, "{secret}");
    let recovery = secret["recovery_codes"].as_array().expect("codes").clone();
    assert_eq!(recovery.len(), 10);
    let (status, title) = refusal(with(&rig, &token, Method::POST, "/me/totp-secret")).await;
    let expected = "cannot create new totP secret when another one already exists";
    assert_eq!((status, title.as_str()), (409, expected));

    // Each recovery code works once.
    let code = recovery[0].as_str().expect("text");
    let (status, body) = answer(verify(&rig, &token, "olga", code)).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["data"]["two_fa"], Value::Null);
    let full = body["data"]["token"].as_str().expect("token").to_owned();
    assert_eq!(sent(with(&rig, &full, Method::GET, "/me")).await.status(), 200);
    assert_eq!(
        refusal(verify(&rig, &full, "olga", code)).await.0,
        401,
        "a full token"
    );
    assert_eq!(
        refusal(verify(&rig, &token, "olga", code)).await.0,
        401,
        "the first step's session has ended"
    );
    let (token, two_fa) = first_step(&rig, OPS).await;
    assert_eq!(two_fa["totp_key_status"], "exists");
    let (status, title) = refusal(verify(&rig, &token, "olga", code)).await;
    assert_eq!((status, title.as_str()), (401, "invalid code"));
    let (_, left) = answer(with(&rig, &full, Method::GET, "/me/recovery-codes")).await;
    assert_eq!(left["data"]["left"], 9);
    let (_, status) = answer(with(&rig, &full, Method::GET, "/status")).await;
    assert_eq!(status["data"]["two_fa_delivery_method"], "totp_authenticator_app");
    assert_eq!(status["data"]["two_fa_enabled"], true);
    let (_, again) = answer(with(&rig, &full, Method::GET, "/me/totp-secret")).await;
    assert_eq!(again["secret"], secret["secret"]);
    assert!(again.get("recovery_codes").is_none());

    let gone = with(&rig, &full, Method::DELETE, "/me/totp-secret");
    assert_eq!(sent(gone).await.status(), 204);
    assert_eq!(
        refusal(with(&rig, &full, Method::GET, "/me/totp-secret")).await.0,
        404
    );
}

#[tokio::test]
async fn administrators_reset_what_somebody_lost() {
    let rig = Rig::with(totp).await;
    let sign_in = async |user| {
        let (token, _) = first_step(&rig, user).await;
        let (_, secret) = answer(with(&rig, &token, Method::POST, "/me/totp-secret")).await;
        let code = secret["recovery_codes"][0].as_str().expect("code").to_owned();
        let (_, body) = answer(verify(&rig, &token, user.0, &code)).await;
        body["data"]["token"].as_str().expect("token").to_owned()
    };
    let (admin, olga) = (sign_in(ADMIN).await, sign_in(OPS).await);
    let reset =
        |token: &str, user: &str| with(&rig, token, Method::DELETE, &format!("/users/{user}/totp-secret"));
    assert_eq!(sent(reset(&olga, "admin")).await.status(), 403);
    assert_eq!(sent(reset(&admin, "nobody")).await.status(), 404);
    assert_eq!(sent(reset(&admin, "olga")).await.status(), 204);
    assert_eq!(sent(with(&rig, &olga, Method::GET, "/me")).await.status(), 401);
    assert_eq!(first_step(&rig, OPS).await.1["totp_key_status"], "pending");
}

/// A rig that sends codes by a program, which writes them to a file. Users get addresses.
async fn with_program(directory: &Path) -> Rig {
    let program = directory.join("send.sh");
    let out = directory.join("code");
    std::fs::write(
        &program,
        format!("#!/bin/sh\nprintf %s \"$RPORT_2FA_TOKEN\" > {}\n", out.display()),
    )
    .expect("writes");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).expect("executable");
    Rig::with(move |options, _| {
        options.login.second_factor = SecondFactorOptions::Codes {
            channel: CodeChannel::Script(program),
            ttl: Duration::from_secs(600),
            send_timeout: Duration::from_secs(10),
        };
    })
    .await
}

#[tokio::test]
async fn sent_codes_work_once_for_the_login_that_asked() {
    let directory = tempfile::tempdir().expect("a directory");
    let rig = with_program(directory.path()).await;
    let code = || std::fs::read_to_string(directory.path().join("code")).expect("sent");
    let (status, title) = refusal(rig.as_user(ADMIN, Method::GET, "/login")).await;
    assert_eq!(
        (status, title.as_str()),
        (400, "no two_fa_send_to set for this user")
    );

    let (token, two_fa) = first_step(&rig, OPS).await;
    let expected =
        json!({"send_to": "ol***@example.com", "delivery_method": "script", "totp_key_status": ""});
    assert_eq!(two_fa, expected);
    let check = async |user: &str, code: &str, expected: &str| {
        let (status, title) = refusal(verify(&rig, &token, user, code)).await;
        assert_eq!((status, title.as_str()), (401, expected), "{user} {code}");
    };
    check("", "x", "username is required").await;
    check("olga", "", "token is required").await;
    check("admin", &code(), "2fa token not found for provided username").await;
    check("olga", "wrong!", "invalid token").await;
    let (status, body) = answer(verify(&rig, &token, "olga", &code())).await;
    assert_eq!(status, 200, "{body}");
    let full = body["data"]["token"].as_str().expect("token").to_owned();
    assert_eq!(sent(with(&rig, &full, Method::GET, "/me")).await.status(), 200);
    assert_eq!(refusal(verify(&rig, &token, "olga", &code())).await.0, 401);

    // The code of an earlier login is void once a later one has its own.
    let (first, _) = first_step(&rig, OPS).await;
    let old = code();
    let (second, _) = first_step(&rig, OPS).await;
    assert_eq!(refusal(verify(&rig, &first, "olga", &old)).await.0, 401);
    assert_eq!(answer(verify(&rig, &second, "olga", &code())).await.0, 200);
    // Nobody is flooded with codes.
    first_step(&rig, OPS).await;
    first_step(&rig, OPS).await;
    assert_eq!(refusal(rig.as_user(OPS, Method::GET, "/login")).await.0, 429);
}
