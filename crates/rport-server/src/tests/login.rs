//! Users log in, stay logged in, log out, guess.

use std::net::IpAddr;
use std::time::Duration;

use rport_domain::Kind;
use rport_runtime::Secret;

use super::*;
use crate::{BanOptions, Login, RequestOrigin};

fn origin() -> RequestOrigin {
    RequestOrigin {
        address: IpAddr::from([203, 0, 113, 7]),
        user_agent: "curl".into(),
    }
}

fn login(server: &TestServer) -> &Login {
    server.server.login().expect("the API is on")
}

async fn token(server: &TestServer, lifetime: Option<&str>) -> String {
    let logged_in = login(server)
        .password("admin", &"foobaz".into(), None, lifetime, &origin())
        .await
        .expect("logs in");
    logged_in.token.expose().to_owned()
}

async fn bearer(server: &TestServer, token: &str) -> Result<Actor, rport_domain::Error> {
    login(server)
        .bearer(token, "GET", "/api/v1/clients", &origin())
        .await
}

#[tokio::test]
async fn passwords_make_actors_and_tokens() {
    let server = TestServer::start().await;
    let actor = login(&server)
        .basic("admin", &"foobaz".into(), "GET", "/api/v1/me", &origin())
        .await
        .expect("logs in");
    assert!(actor.is_admin() && actor.address == origin().address);
    let token = token(&server, None).await;
    assert_eq!(
        bearer(&server, &token).await.expect("valid").user.as_str(),
        "admin"
    );
    let scope = login(&server)
        .bearer(&token, "POST", "/api/v1/verify-2fa", &origin())
        .await;
    assert_eq!(scope.expect_err("not for this").kind, Kind::Unauthenticated);
    let me = server.server.me(&actor).await.expect("known");
    assert_eq!(me.actor.user.as_str(), "admin");
    server.stop().await;
}

#[tokio::test]
async fn tokens_slide_expire_and_end_with_logout() {
    let server = TestServer::start().await;
    let first = token(&server, None).await;
    for _ in 0..5 {
        server.clock.advance(Duration::from_secs(500));
        bearer(&server, &first).await.expect("prolonged by use");
    }
    server.clock.advance(Duration::from_secs(601));
    assert_eq!(
        bearer(&server, &first).await.expect_err("expired").kind,
        Kind::Unauthenticated
    );
    server.clock.advance(Duration::from_secs(10));

    let second = token(&server, Some("3600")).await;
    server.clock.advance(Duration::from_secs(3000));
    bearer(&server, &second).await.expect("valid");
    login(&server).logout(&second, &origin()).await.expect("logs out");
    assert!(bearer(&server, &second).await.is_err());
    server.clock.advance(Duration::from_secs(10));
    let again = login(&server).logout(&second, &origin()).await.expect_err("gone");
    assert_eq!(
        (again.kind, again.title.as_str()),
        (Kind::Invalid, "token is invalid or expired")
    );
    server.stop().await;
}

#[tokio::test]
async fn sessions_survive_a_restart_when_the_secret_does() {
    let mut options = options();
    options.login.jwt_secret = Secret::from("a secret of the admin's");
    let server = TestServer::start_with(options.clone()).await;
    let token = token(&server, Some("3600")).await;
    let directory = server.stop().await;
    let server = TestServer::start_in(directory, options.clone()).await;
    bearer(&server, &token).await.expect("still logged in");
    let directory = server.stop().await;
    options.users = Some(
        UserSource::Single {
            name: "other".into(),
            password: "x".into(),
        }
        .into(),
    );
    let server = TestServer::start_in(directory, options).await;
    assert!(
        bearer(&server, &token).await.is_err(),
        "a token dies with its user"
    );
    server.stop().await;
}

#[tokio::test]
async fn lifetimes_are_checked() {
    let server = TestServer::start().await;
    let attempt = async |lifetime: &str| {
        let outcome = login(&server)
            .password("admin", &"foobaz".into(), None, Some(lifetime), &origin())
            .await;
        outcome.map(|_| ()).map_err(|error| error.title)
    };
    assert_eq!(attempt("0").await, Ok(()));
    assert_eq!(attempt("-5").await, Ok(()));
    assert_eq!(attempt("7776000").await, Ok(()));
    assert_eq!(
        attempt("7776001").await,
        Err("requested token lifetime exceeds max allowed 7776000".into())
    );
    assert!(
        attempt("x")
            .await
            .is_err_and(|title| title.starts_with("invalid token-lifetime : "))
    );
    server.stop().await;
}

#[tokio::test]
async fn guessing_waits_and_then_bans() {
    let mut options = options();
    options.login.ban = Some(BanOptions {
        max_failed: 3,
        duration: Duration::from_secs(600),
    });
    let server = TestServer::start_with(options).await;
    let attempt = async |name: &str, password: &str| {
        login(&server)
            .basic(name, &password.into(), "GET", "/api/v1/me", &origin())
            .await
            .map_err(|error| error.kind)
            .err()
    };
    assert_eq!(attempt("admin", "wrong").await, Some(Kind::Unauthenticated));
    assert_eq!(attempt("admin", "foobaz").await, Some(Kind::TooManyAttempts));
    assert_eq!(attempt("nobody", "wrong").await, Some(Kind::Unauthenticated));
    assert!(login(&server).check_ban(&origin()).is_ok());
    assert_eq!(
        login(&server).refuse_anonymous(&origin()).kind,
        Kind::Unauthenticated
    );
    assert_eq!(
        login(&server).refuse_anonymous(&origin()).kind,
        Kind::TooManyAttempts
    );
    assert_eq!(
        login(&server).check_ban(&origin()).expect_err("banned").kind,
        Kind::Banned
    );
    server.clock.advance(Duration::from_secs(601));
    assert!(login(&server).check_ban(&origin()).is_ok());
    assert_eq!(attempt("admin", "foobaz").await, None);
    assert!(
        bearer(&server, "no token")
            .await
            .is_err_and(|error| error.kind == Kind::Unauthenticated)
    );
    server.stop().await;
}

#[tokio::test]
async fn users_of_a_file_log_in_and_are_read_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("api-auth.json");
    let write = |name: &str, expired: bool| {
        let hash = bcrypt::hash("pässword", 4)
            .expect("hashes")
            .replace("$2b$", "$2y$");
        let users = serde_json::json!([{
            "username": name, "password": hash, "password_expired": expired, "groups": ["ops"], "two_fa_send_to": "x@y"
        }]);
        std::fs::write(&path, users.to_string()).expect("writes");
    };
    write("ann", false);
    let mut options = options();
    options.users = Some(UserSource::File(path.clone()).into());
    let server = TestServer::start_with(options).await;
    let attempt = async |name: &str| {
        login(&server)
            .basic(name, &"pässword".into(), "GET", "/api/v1/me", &origin())
            .await
    };
    let ann = attempt("ann").await.expect("logs in");
    assert!(
        !ann.is_admin()
            && server
                .server
                .me(&ann)
                .await
                .is_ok_and(|me| me.two_fa_send_to == "x@y")
    );

    std::fs::write(&path, "[{").expect("writes");
    let error = server.server.reload_users().expect_err("broken").to_string();
    assert!(
        error.contains("api-auth.json") && error.contains("line 1"),
        "{error}"
    );
    attempt("ann").await.expect("the known users stay");

    write("bob", true);
    server.server.reload_users().expect("reads");
    assert!(attempt("ann").await.is_err());
    let error = attempt("bob").await.expect_err("expired");
    assert_eq!(error.title, "password has expired, please change your password");
    assert!(
        server
            .server
            .me(&ann)
            .await
            .is_err_and(|error| error.kind == Kind::NotFound)
    );
    server.stop().await;
}
