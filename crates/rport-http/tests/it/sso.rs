//! Single sign-on at a provider that keeps the rules, and at one that does not.

use reqwest::{Method, Response};
use rport_runtime::Secret;
use rport_server::{SsoMapping, SsoOptions, SsoProvider};
use rport_testkit::oidc::{CLIENT_ID, CLIENT_SECRET, Flaw, OidcProvider};
use serde_json::{Value, json};

use crate::rig::{ADMIN, OPS, Rig, answer, sent};

const REDIRECT: &str = "https://rport.example.com/auth/callback";

fn options(provider: SsoProvider) -> SsoOptions {
    SsoOptions {
        provider,
        client_id: CLIENT_ID.to_owned(),
        client_secret: Secret::new(CLIENT_SECRET),
        redirect_url: REDIRECT.to_owned(),
        ca_file: None,
        mapping: SsoMapping {
            group_map: vec![("staff".to_owned(), "ops".to_owned())],
            ..SsoMapping::default()
        },
        create_missing_users: true,
        sync_groups: false,
        password_login: true,
    }
}

fn oidc(provider: &OidcProvider) -> SsoOptions {
    options(SsoProvider::Oidc {
        issuer_url: provider.issuer(),
        scopes: vec!["profile".to_owned()],
        username_claim: String::new(),
        groups_claim: "groups".to_owned(),
    })
}

fn github(provider: &OidcProvider) -> SsoOptions {
    options(SsoProvider::Github {
        base_url: provider.issuer(),
        api_url: provider.issuer(),
    })
}

async fn rig(options: SsoOptions) -> Rig {
    Rig::with(|server, _| server.login.sso = Some(options)).await
}

/// What a browser has after it was at the provider.
struct Visit {
    code: String,
    state: String,
    cookie: String,
}

/// Begins, goes to the provider and comes back.
async fn visit(rig: &Rig) -> Visit {
    let begun = sent(rig.anonymous(Method::GET, "/auth/ext/settings")).await;
    assert_eq!(begun.status(), 200);
    let cookie = begun.headers()["set-cookie"].to_str().expect("text").to_owned();
    for part in ["HttpOnly", "Secure", "SameSite=Lax", "Path=/api/v1/oauth/login"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let settings: Value = begun.json().await.expect("JSON");
    let details = &settings["data"]["details"];
    assert_eq!(details["login_uri"], "/api/v1/oauth/login");
    let provider = rport_testkit::tls::client_builder(&[]).redirect(reqwest::redirect::Policy::none());
    let there = provider
        .build()
        .expect("client")
        .get(details["authorize_url"].as_str().expect("text"));
    let back = there.send().await.expect("the provider answers");
    let location = back.headers()["location"].to_str().expect("text").to_owned();
    let query = location
        .strip_prefix(&format!("{REDIRECT}?"))
        .expect("sent back to us");
    let (code, state) = query.split_once('&').expect("two parameters");
    assert_eq!(state.strip_prefix("state="), details["state"].as_str());
    Visit {
        code: code.trim_start_matches("code=").to_owned(),
        state: state.trim_start_matches("state=").to_owned(),
        cookie: cookie.split(';').next().unwrap_or_default().to_owned(),
    }
}

async fn end(rig: &Rig, visit: &Visit) -> Response {
    let path = format!("/oauth/login?code={}&state={}", visit.code, visit.state);
    sent(rig.anonymous(Method::GET, &path).header("cookie", &visit.cookie)).await
}

/// The user a successful login leads to: name and groups.
async fn who(rig: &Rig, response: Response) -> (Value, Value) {
    assert_eq!(response.status(), 200);
    let body: Value = response.json().await.expect("JSON");
    assert_eq!(body["data"]["two_fa"], Value::Null);
    let token = body["data"]["token"].as_str().expect("a token");
    let (status, me) = answer(rig.anonymous(Method::GET, "/me").bearer_auth(token)).await;
    assert_eq!(status, 200);
    (me["data"]["username"].clone(), me["data"]["groups"].clone())
}

/// Why a login was refused.
async fn refused(response: Response) -> String {
    let status = response.status();
    let body: Value = response.json().await.expect("JSON");
    assert_eq!(
        (status.as_u16(), &body["errors"][0]["title"]),
        (401, &json!("unauthorized")),
        "{body}"
    );
    body["errors"][0]["detail"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

#[tokio::test]
async fn known_and_new_users_log_in_with_a_browser() {
    let provider =
        OidcProvider::start(json!({"preferred_username": OPS.0, "groups": ["Administrators"]})).await;
    let rig = rig(oidc(&provider)).await;
    let (_, told) = answer(rig.anonymous(Method::GET, "/auth/provider")).await;
    assert_eq!(
        told["data"],
        json!({
            "auth_provider": "oidc", "settings_uri": "/api/v1/auth/ext/settings",
            "device_settings_uri": "/api/v1/auth/ext/settings/device", "max_token_lifetime": 0,
        })
    );
    // A known user keeps the groups he has here, whatever the provider says.
    let response = end(&rig, &visit(&rig).await).await;
    assert_eq!(who(&rig, response).await, (json!(OPS.0), json!(["ops"])));
    // A new one gets those the provider's stand for. The name and the groups come from the userinfo endpoint.
    provider.user(json!({}));
    provider.userinfo(json!({"email": "new@example.com", "groups": ["staff", "Administrators"]}));
    let response = end(&rig, &visit(&rig).await).await;
    assert_eq!(
        who(&rig, response).await,
        (json!("new@example.com"), json!(["ops"]))
    );
    // Passwords still work, and nobody knows the new user's.
    assert_eq!(answer(rig.as_user(ADMIN, Method::GET, "/me")).await.0, 200);
    assert_eq!(
        answer(rig.as_user(("new@example.com", ""), Method::GET, "/me"))
            .await
            .0,
        401
    );
}

#[tokio::test]
async fn states_and_codes_work_once_and_for_their_browser() {
    let provider = OidcProvider::start(json!({"preferred_username": OPS.0})).await;
    let rig = rig(oidc(&provider)).await;
    let first = visit(&rig).await;
    assert_eq!(end(&rig, &first).await.status(), 200);
    assert!(refused(end(&rig, &first).await).await.contains("used already"));

    // A code that was used, with a state that was not.
    let mut second = visit(&rig).await;
    second.code = first.code.clone();
    assert!(refused(end(&rig, &second).await).await.contains("invalid_grant"));
    let mut unknown = visit(&rig).await;
    unknown.state = "made-up".to_owned();
    assert!(refused(end(&rig, &unknown).await).await.contains("unknown"));

    // Somebody who is made to follow a link with the attacker's code and state: another cookie, or none.
    let (attacker, victim) = (visit(&rig).await, visit(&rig).await);
    let link = Visit {
        cookie: victim.cookie.clone(),
        ..attacker
    };
    assert!(refused(end(&rig, &link).await).await.contains("another browser"));
    let mut bare = visit(&rig).await;
    bare.cookie = String::new();
    assert!(refused(end(&rig, &bare).await).await.contains("another browser"));

    // A code that was issued without a PKCE challenge.
    let mut injected = visit(&rig).await;
    injected.code = provider.bare_code(REDIRECT);
    assert!(
        refused(end(&rig, &injected).await)
            .await
            .contains("invalid_grant")
    );
    assert!(
        refused(sent(rig.anonymous(Method::GET, "/oauth/login")).await)
            .await
            .contains("code")
    );
}

#[tokio::test]
async fn id_tokens_that_are_wrong_are_refused() {
    let provider = OidcProvider::start(json!({"preferred_username": ADMIN.0, "groups": []})).await;
    let rig = rig(oidc(&provider)).await;
    for flaw in [
        Flaw::Nonce,
        Flaw::Audience,
        Flaw::Issuer,
        Flaw::Expired,
        Flaw::AlgNone,
        Flaw::AlgHmac,
        Flaw::ForeignKey,
    ] {
        provider.flaw(flaw);
        let reason = refused(end(&rig, &visit(&rig).await).await).await;
        assert!(reason.contains("ID token"), "{flaw:?}: {reason}");
    }
    provider.user(json!({}));
    provider.userinfo(json!({"preferred_username": ADMIN.0}));
    provider.flaw(Flaw::Userinfo);
    assert!(
        refused(end(&rig, &visit(&rig).await).await)
            .await
            .contains("two users")
    );
    provider.flaw(Flaw::None);
    let response = end(&rig, &visit(&rig).await).await;
    assert_eq!(who(&rig, response).await.0, json!(ADMIN.0));
    // An address that nobody has verified names nobody.
    provider.userinfo(json!({}));
    provider.user(json!({"email": ADMIN.0, "email_verified": false}));
    assert!(
        refused(end(&rig, &visit(&rig).await).await)
            .await
            .contains("no usable user name")
    );
}

#[tokio::test]
async fn who_may_come_and_with_which_groups_is_the_operator_s_choice() {
    let provider = OidcProvider::start(json!({"preferred_username": OPS.0, "groups": ["staff"]})).await;
    let mut strict = oidc(&provider);
    strict.mapping.required_group = "rport".to_owned();
    strict.mapping.group_prefix = "rp-".to_owned();
    strict.create_missing_users = false;
    strict.sync_groups = true;
    strict.password_login = false;
    let rig = rig(strict).await;
    assert!(
        refused(end(&rig, &visit(&rig).await).await)
            .await
            .contains("required group")
    );
    provider.user(json!({"preferred_username": OPS.0, "groups": ["rport", "rp-night"]}));
    let response = end(&rig, &visit(&rig).await).await;
    assert_eq!(who(&rig, response).await, (json!(OPS.0), json!(["night"])));
    provider.user(json!({"preferred_username": "stranger", "groups": ["rport"]}));
    assert!(
        refused(end(&rig, &visit(&rig).await).await)
            .await
            .contains("not known here")
    );
    for (method, path) in [(Method::GET, "/login"), (Method::GET, "/me")] {
        let (status, body) = answer(rig.as_user(ADMIN, method, path)).await;
        let title = body["errors"][0]["title"].as_str().unwrap_or_default();
        assert!(status == 403 && title.contains("single sign-on"), "{body}");
    }
}

#[tokio::test]
async fn devices_ask_until_the_user_has_confirmed() {
    for flow in ["oidc", "github"] {
        let user =
            json!({"preferred_username": OPS.0, "login": OPS.0, "groups": [], "orgs": [], "teams": []});
        let provider = OidcProvider::start(user).await;
        let rig = match flow {
            "oidc" => rig(oidc(&provider)).await,
            _ => rig(github(&provider)).await,
        };
        let (status, settings) = answer(rig.anonymous(Method::GET, "/auth/ext/settings/device")).await;
        let info = &settings["data"]["details"]["auth_info"];
        assert_eq!(
            (status, &info["user_code"], &info["interval"]),
            (200, &json!("WDJB-MJHT"), &json!(1))
        );
        let ask = |code: &str| rig.anonymous(Method::GET, &format!("/oauth/login/device?device_code={code}"));
        let code = info["device_code"].as_str().expect("text");
        let (status, waiting) = answer(ask(code)).await;
        assert_eq!(
            (status, &waiting["data"]["error"]),
            (400, &json!("authorization_pending")),
            "{waiting}"
        );
        provider.confirm_devices();
        assert_eq!(who(&rig, sent(ask(code)).await).await.0, json!(OPS.0), "{flow}");
        // The code has been used.
        let (status, over) = answer(ask(code)).await;
        assert_eq!((status, &over["data"]["error"]), (400, &json!("expired_token")));
        assert_eq!(answer(ask("")).await.0, 401);
    }
}

#[tokio::test]
async fn github_tells_organizations_and_teams() {
    let user = json!({
        "login": "octocat", "orgs": [{"login": "acme"}],
        "teams": [{"slug": "ops", "organization": {"login": "acme"}}],
    });
    let provider = OidcProvider::start(user).await;
    let mut options = github(&provider);
    options.mapping.required_group = "acme".to_owned();
    options.mapping.group_map = vec![("acme/ops".to_owned(), "Administrators".to_owned())];
    let rig = rig(options).await;
    let response = end(&rig, &visit(&rig).await).await;
    assert_eq!(
        who(&rig, response).await,
        (json!("octocat"), json!(["Administrators"]))
    );
    provider.user(json!({"login": "octocat", "orgs": [], "teams": []}));
    assert!(
        refused(end(&rig, &visit(&rig).await).await)
            .await
            .contains("required group")
    );
}

#[tokio::test]
async fn a_provider_that_is_away_is_no_login_and_no_crash() {
    let provider = OidcProvider::start(json!({})).await;
    let mut away = oidc(&provider);
    if let SsoProvider::Oidc { issuer_url, .. } = &mut away.provider {
        *issuer_url = "http://127.0.0.1:1".to_owned();
    }
    let rig = rig(away).await;
    for path in [
        "/auth/ext/settings",
        "/auth/ext/settings/device",
        "/oauth/login/device?device_code=x",
    ] {
        assert_eq!(answer(rig.anonymous(Method::GET, path)).await.0, 503, "{path}");
    }
}
