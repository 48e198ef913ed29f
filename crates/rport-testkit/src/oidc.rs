//! A provider of OpenID Connect for tests, on loopback, that also speaks GitHub's OAuth.
//!
//! It keeps the rules of the protocol: codes and device codes work once and for their client and address only, PKCE
//! verifiers are checked, ID tokens are signed with ES256. People are not asked: whoever is sent to it is logged in as
//! the user the test names. For attacks, the test says how the next ID token shall be wrong.

use std::collections::HashMap;
use std::sync::Arc;

use aws_lc_rs::digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use parking_lot::Mutex;
use rport_runtime::{Clock, Tasks, rng};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The client that this provider knows.
pub const CLIENT_ID: &str = "rport";
/// Its secret.
pub const CLIENT_SECRET: &str = "a secret/with?signs";

/// How the next ID token shall be wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flaw {
    /// Not at all.
    #[default]
    None,
    /// With another nonce.
    Nonce,
    /// For another client.
    Audience,
    /// From another issuer.
    Issuer,
    /// No longer valid.
    Expired,
    /// Without a signature, and it says so.
    AlgNone,
    /// Signed with the public key as a shared secret.
    AlgHmac,
    /// Signed by a key nobody knows.
    ForeignKey,
    /// The answer of the userinfo endpoint is about somebody else.
    Userinfo,
}

/// A running provider; it ends when this value is dropped.
pub struct OidcProvider {
    state: Arc<Shared>,
    tasks: Tasks,
}

struct Shared {
    issuer: String,
    key: EcdsaKeyPair,
    clock: Clock,
    live: Mutex<Live>,
}

#[derive(Default)]
struct Live {
    /// Claims of the user who is logged in here, `sub` left out.
    user: Value,
    /// Claims that only the userinfo endpoint tells.
    userinfo: Value,
    flaw: Flaw,
    codes: HashMap<String, Asked>,
    /// Device codes, and whether the user has confirmed.
    devices: HashMap<String, bool>,
    tokens: HashMap<String, Value>,
}

/// What a code was issued for.
#[derive(Default)]
struct Asked {
    redirect: String,
    nonce: String,
    challenge: String,
}

impl OidcProvider {
    /// Starts a provider where somebody is logged in as `user`, the claims of the ID token.
    ///
    /// # Panics
    /// When no port can be had.
    pub async fn start(user: Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let issuer = format!("http://{}", listener.local_addr().expect("bound"));
        let state = Arc::new(Shared {
            issuer,
            key: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("key"),
            clock: Clock::system(),
            live: Mutex::new(Live {
                user,
                userinfo: json!({}),
                ..Live::default()
            }),
        });
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys))
            .route("/authorize", get(authorize))
            .route("/login/oauth/authorize", get(authorize))
            .route("/token", post(token))
            .route("/login/oauth/access_token", post(github_token))
            .route("/device", post(device))
            .route("/login/device/code", post(device))
            .route("/userinfo", get(userinfo))
            .route("/user", get(github_user))
            .route("/user/orgs", get(github_orgs))
            .route("/user/teams", get(github_teams))
            .with_state(Arc::clone(&state));
        let tasks = Tasks::new();
        tasks.spawn(
            "oidc-provider",
            async move { axum::serve(listener, router).await },
        );
        Self { state, tasks }
    }

    /// The issuer, and the base of GitHub's paths.
    pub fn issuer(&self) -> String {
        self.state.issuer.clone()
    }

    /// Logs somebody else in.
    pub fn user(&self, user: Value) {
        self.state.live.lock().user = user;
    }

    /// What the userinfo endpoint tells besides.
    pub fn userinfo(&self, claims: Value) {
        self.state.live.lock().userinfo = claims;
    }

    /// Makes ID tokens wrong from now on.
    pub fn flaw(&self, flaw: Flaw) {
        self.state.live.lock().flaw = flaw;
    }

    /// The user types the codes of all devices that wait.
    pub fn confirm_devices(&self) {
        self.state
            .live
            .lock()
            .devices
            .values_mut()
            .for_each(|confirmed| *confirmed = true);
    }

    /// Makes a code without a PKCE challenge and a nonce, as an attacker gets one with a browser of his own.
    pub fn bare_code(&self, redirect: &str) -> String {
        let code = rng::alphanumeric(20);
        let asked = Asked {
            redirect: redirect.to_owned(),
            ..Asked::default()
        };
        self.state.live.lock().codes.insert(code.clone(), asked);
        code
    }
}

impl Drop for OidcProvider {
    fn drop(&mut self) {
        self.tasks.abort();
    }
}

type Provider = State<Arc<Shared>>;
type Form = HashMap<String, String>;

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn error(word: &str) -> Response {
    (
        StatusCode::BAD_REQUEST,
        Json(json!({"error": word, "error_description": "as a test wants it"})),
    )
        .into_response()
}

async fn discovery(State(state): Provider) -> Json<Value> {
    let base = &state.issuer;
    Json(json!({
        "issuer": base, "jwks_uri": format!("{base}/keys"),
        "authorization_endpoint": format!("{base}/authorize"), "token_endpoint": format!("{base}/token"),
        "userinfo_endpoint": format!("{base}/userinfo"), "device_authorization_endpoint": format!("{base}/device"),
        "response_types_supported": ["code"], "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
    }))
}

async fn keys(State(state): Provider) -> Json<Value> {
    let point = state.key.public_key().as_ref();
    let (x, y) = point[1..].split_at(32);
    Json(json!({"keys": [{
        "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": "one", "x": encode(x), "y": encode(y),
    }]}))
}

async fn authorize(State(state): Provider, Query(asked): Query<Form>) -> Response {
    let text = |name: &str| asked.get(name).cloned().unwrap_or_default();
    if text("client_id") != CLIENT_ID || text("code_challenge_method") != "S256" {
        return error("invalid_request");
    }
    let code = rng::alphanumeric(20);
    let known = Asked {
        redirect: text("redirect_uri"),
        nonce: text("nonce"),
        challenge: text("code_challenge"),
    };
    state.live.lock().codes.insert(code.clone(), known);
    Redirect::to(&format!(
        "{}?code={code}&state={}",
        text("redirect_uri"),
        text("state")
    ))
    .into_response()
}

fn form(body: &[u8]) -> Form {
    let text = format!("http://x/?{}", String::from_utf8_lossy(body));
    let uri = text.parse().expect("a form is a query");
    Query::<Form>::try_from_uri(&uri)
        .map(|Query(form)| form)
        .unwrap_or_default()
}

/// Secret by header or by form.
fn is_client(headers: &HeaderMap, form: &Form) -> bool {
    let basic = headers
        .get("authorization")
        .and_then(|value| value.to_str().ok()?.strip_prefix("Basic "));
    let basic = basic.and_then(|text| String::from_utf8(STANDARD.decode(text).ok()?).ok());
    match basic {
        // The secret is encoded like a form field.
        Some(pair) => pair == format!("{CLIENT_ID}:a+secret%2Fwith%3Fsigns"),
        None => {
            form.get("client_id").is_some_and(|id| id == CLIENT_ID)
                && form
                    .get("client_secret")
                    .is_some_and(|secret| secret == CLIENT_SECRET)
        }
    }
}

impl Shared {
    /// What a code is worth, once.
    fn redeem(&self, form: &Form) -> Result<String, &'static str> {
        let text = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        let asked = self
            .live
            .lock()
            .codes
            .remove(text("code"))
            .ok_or("invalid_grant")?;
        let hash = encode(digest::digest(&digest::SHA256, text("code_verifier").as_bytes()));
        if asked.redirect != text("redirect_uri") || asked.challenge != hash {
            return Err("invalid_grant");
        }
        Ok(asked.nonce)
    }

    fn poll(&self, code: &str) -> Result<(), &'static str> {
        let mut live = self.live.lock();
        match live.devices.get(code) {
            Some(true) => {
                live.devices.remove(code);
                Ok(())
            }
            Some(false) => Err("authorization_pending"),
            None => Err("expired_token"),
        }
    }

    fn tokens(&self, nonce: &str) -> Value {
        let mut live = self.live.lock();
        let now = self.clock.now().timestamp();
        let flaw = live.flaw;
        let mut claims = live.user.clone();
        claims["sub"] = json!("subject-1");
        claims["iss"] = json!(if flaw == Flaw::Issuer {
            "https://evil.example"
        } else {
            &self.issuer
        });
        claims["aud"] = json!(if flaw == Flaw::Audience {
            "another"
        } else {
            CLIENT_ID
        });
        claims["iat"] = json!(now - 100);
        claims["exp"] = json!(if flaw == Flaw::Expired {
            now - 10
        } else {
            now + 300
        });
        if !nonce.is_empty() {
            claims["nonce"] = json!(if flaw == Flaw::Nonce { "another" } else { nonce });
        }
        let algorithm = match flaw {
            Flaw::AlgNone => "none",
            Flaw::AlgHmac => "HS256",
            _ => "ES256",
        };
        let header = json!({"alg": algorithm, "kid": "one", "typ": "JWT"});
        let text = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
        let signature = match flaw {
            Flaw::AlgNone => Vec::new(),
            Flaw::AlgHmac => {
                let key =
                    aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, self.key.public_key().as_ref());
                aws_lc_rs::hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
            }
            Flaw::ForeignKey => sign(
                &EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("key"),
                &text,
            ),
            _ => sign(&self.key, &text),
        };
        let mut more = live.userinfo.clone();
        more["sub"] = json!(if flaw == Flaw::Userinfo {
            "subject-2"
        } else {
            "subject-1"
        });
        let access = rng::alphanumeric(20);
        live.tokens.insert(access.clone(), more);
        json!({
            "access_token": access, "token_type": "Bearer", "expires_in": 300,
            "id_token": format!("{text}.{}", encode(signature)),
        })
    }

    /// What a request with an access token may read.
    fn bearer(&self, headers: &HeaderMap) -> Option<(Value, Value)> {
        let token = headers
            .get("authorization")?
            .to_str()
            .ok()?
            .strip_prefix("Bearer ")?
            .to_owned();
        let live = self.live.lock();
        Some((live.user.clone(), live.tokens.get(&token)?.clone()))
    }
}

fn sign(key: &EcdsaKeyPair, text: &str) -> Vec<u8> {
    let signature = key.sign(&SystemRandom::new(), text.as_bytes()).expect("signed");
    signature.as_ref().to_vec()
}

async fn token(State(state): Provider, headers: HeaderMap, body: Bytes) -> Response {
    let form = form(&body);
    if !is_client(&headers, &form) {
        return error("invalid_client");
    }
    let granted = match form.get("grant_type").map(String::as_str) {
        Some("authorization_code") => state.redeem(&form),
        Some("urn:ietf:params:oauth:grant-type:device_code") => {
            let code = form.get("device_code").map(String::as_str).unwrap_or_default();
            state.poll(code).map(|()| String::new())
        }
        _ => Err("unsupported_grant_type"),
    };
    match granted {
        Ok(nonce) => Json(state.tokens(&nonce)).into_response(),
        Err(word) => error(word),
    }
}

/// GitHub answers 200 whatever the matter is.
async fn github_token(State(state): Provider, body: Bytes) -> Json<Value> {
    let form = form(&body);
    let granted = match form.get("device_code") {
        Some(code) => state.poll(code),
        None if is_client(&HeaderMap::new(), &form) => state.redeem(&form).map(drop),
        None => Err("incorrect_client_credentials"),
    };
    Json(match granted {
        Ok(()) => json!({"access_token": state.tokens("")["access_token"], "token_type": "bearer"}),
        Err(word) => json!({"error": word}),
    })
}

async fn device(State(state): Provider, body: Bytes) -> Response {
    if form(&body).get("client_id").is_none_or(|id| id != CLIENT_ID) {
        return error("invalid_client");
    }
    let code = rng::alphanumeric(30);
    state.live.lock().devices.insert(code.clone(), false);
    Json(json!({
        "device_code": code, "user_code": "WDJB-MJHT", "verification_uri": format!("{}/activate", state.issuer),
        "expires_in": 900, "interval": 1,
    }))
    .into_response()
}

async fn userinfo(State(state): Provider, headers: HeaderMap) -> Response {
    match state.bearer(&headers) {
        Some((_, more)) => Json(more).into_response(),
        None => StatusCode::UNAUTHORIZED.into_response(),
    }
}

async fn github_user(State(state): Provider, headers: HeaderMap) -> Response {
    match state.bearer(&headers) {
        Some((user, _)) => Json(json!({"login": user["login"], "id": 1})).into_response(),
        None => StatusCode::UNAUTHORIZED.into_response(),
    }
}

async fn github_orgs(State(state): Provider, headers: HeaderMap) -> Response {
    match state.bearer(&headers) {
        Some((user, _)) => Json(user["orgs"].clone()).into_response(),
        None => StatusCode::UNAUTHORIZED.into_response(),
    }
}

async fn github_teams(State(state): Provider, headers: HeaderMap) -> Response {
    match state.bearer(&headers) {
        Some((user, _)) => Json(user["teams"].clone()).into_response(),
        None => StatusCode::UNAUTHORIZED.into_response(),
    }
}
