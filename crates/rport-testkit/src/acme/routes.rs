//! The resources of the protocol.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State as Shared};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use rcgen::{CertificateParams, date_time_ymd};
use rport_runtime::rng;
use serde_json::{Value, json};

use super::csr::RequestedKey;
use super::jws::{Signed, decode};
use super::{Account, Authorization, Order, State, proof};

type Server = Shared<Arc<State>>;
type Outcome = Result<Response, Problem>;

pub(super) fn router(state: Arc<State>) -> Router {
    Router::new()
        .route("/directory", get(directory))
        .route("/new-nonce", get(new_nonce).head(new_nonce))
        .route("/new-account", post(new_account))
        .route("/new-order", post(new_order))
        .route("/order/{order}", post(order))
        .route("/authorization/{order}/{at}", post(authorization))
        .route("/challenge/{order}/{at}/{kind}", post(challenge))
        .route("/finalize/{order}", post(finalize))
        .route("/certificate/{order}", post(certificate))
        .with_state(state)
}

/// What is wrong with a request (RFC 8555, section 6.7).
struct Problem(StatusCode, &'static str, String);

fn malformed(text: &str) -> Problem {
    Problem(StatusCode::BAD_REQUEST, "malformed", text.to_owned())
}

impl State {
    /// Adds what every answer carries.
    fn answered(&self, outcome: Outcome) -> Response {
        let mut response = outcome.unwrap_or_else(|Problem(status, kind, detail)| {
            let body = json!({"type": format!("urn:ietf:params:acme:error:{kind}"), "detail": detail});
            (
                status,
                [("content-type", "application/problem+json")],
                body.to_string(),
            )
                .into_response()
        });
        let nonce = self.nonce().parse().expect("letters and digits");
        response.headers_mut().insert("replay-nonce", nonce);
        response
    }

    /// Checks nonce, address and signature. Returns the request and its account, which a new account has not.
    fn checked(&self, uri: &Uri, body: &[u8]) -> Result<(Signed, Option<usize>), Problem> {
        let signed = Signed::read(body).ok_or_else(|| malformed("no signed request"))?;
        if signed.header.url != format!("{}{}", self.base, uri.path()) {
            return Err(malformed("signed for another address"));
        }
        let mut live = self.live.lock();
        if !live.nonces.remove(&signed.header.nonce) {
            let text = "unknown nonce".to_owned();
            return Err(Problem(StatusCode::BAD_REQUEST, "badNonce", text));
        }
        let account = match (&signed.header.kid, &signed.header.jwk) {
            (Some(kid), None) => {
                let at = kid.strip_prefix(&format!("{}/account/", self.base));
                let at = at.and_then(|at| at.parse::<usize>().ok());
                let at = at.filter(|at| *at < live.accounts.len()).ok_or_else(|| {
                    let text = "unknown account".to_owned();
                    Problem(StatusCode::BAD_REQUEST, "accountDoesNotExist", text)
                })?;
                Some(at)
            }
            (None, Some(_)) => None,
            _ => return Err(malformed("either kid or jwk")),
        };
        let key = match (account, &signed.header.jwk) {
            (Some(at), _) => live.accounts[at].jwk.clone(),
            (None, Some(jwk)) => jwk.clone(),
            (None, None) => return Err(malformed("no key")),
        };
        if !signed.is_signed_by(&key) {
            return Err(malformed("the signature is wrong"));
        }
        Ok((signed, account))
    }

    /// The same for a request about an order of the account.
    fn checked_for(&self, uri: &Uri, body: &[u8], order: usize) -> Result<Signed, Problem> {
        let (signed, account) = self.checked(uri, body)?;
        let live = self.live.lock();
        match live.orders.get(order) {
            Some(found) if Some(found.account) == account => Ok(signed),
            _ => Err(Problem(
                StatusCode::NOT_FOUND,
                "malformed",
                "no such order".to_owned(),
            )),
        }
    }

    fn shown(&self, at: usize, order: &Order) -> Value {
        let base = &self.base;
        let all = |status: &str| order.authorizations.iter().all(|authz| authz.status == status);
        let status = match &order.chain {
            Some(_) => "valid",
            None if order.authorizations.iter().any(|authz| authz.status == "invalid") => "invalid",
            None if all("valid") => "ready",
            None => "pending",
        };
        let names: Vec<Value> = order
            .names
            .iter()
            .map(|name| json!({"type": "dns", "value": name}))
            .collect();
        let authorizations: Vec<String> = (0..order.authorizations.len())
            .map(|authz| format!("{base}/authorization/{at}/{authz}"))
            .collect();
        let mut shown = json!({
            "status": status, "identifiers": names, "authorizations": authorizations,
            "finalize": format!("{base}/finalize/{at}"),
        });
        if order.chain.is_some() {
            shown["certificate"] = json!(format!("{base}/certificate/{at}"));
        }
        shown
    }

    fn shown_authorization(&self, order: usize, at: usize, authz: &Authorization) -> Value {
        let challenges: Vec<Value> = ["http-01", "dns-01", "tls-alpn-01"]
            .iter()
            .map(|kind| self.shown_challenge(order, at, kind, authz))
            .collect();
        json!({
            "status": authz.status, "identifier": {"type": "dns", "value": authz.name}, "challenges": challenges,
        })
    }

    fn shown_challenge(&self, order: usize, at: usize, kind: &str, authz: &Authorization) -> Value {
        let mut shown = json!({
            "type": kind, "url": format!("{}/challenge/{order}/{at}/{kind}", self.base),
            "token": authz.token, "status": authz.status,
        });
        if let Some(text) = authz.errors.get(kind) {
            shown["error"] = json!({"type": "urn:ietf:params:acme:error:connection", "detail": text});
        }
        shown
    }
}

fn json_answer(value: &Value) -> Response {
    ([("content-type", "application/json")], value.to_string()).into_response()
}

async fn directory(Shared(state): Server) -> Response {
    let base = &state.base;
    json_answer(&json!({
        "newNonce": format!("{base}/new-nonce"), "newAccount": format!("{base}/new-account"),
        "newOrder": format!("{base}/new-order"),
    }))
}

async fn new_nonce(Shared(state): Server) -> Response {
    state.answered(Ok(StatusCode::OK.into_response()))
}

async fn new_account(Shared(state): Server, uri: Uri, body: Bytes) -> Response {
    let register = || {
        let (signed, _) = state.checked(&uri, &body)?;
        let jwk = signed.header.jwk.ok_or_else(|| malformed("no key"))?;
        let mut live = state.live.lock();
        let known = live.accounts.iter().position(|account| account.jwk == jwk);
        let (status, at) = match known {
            Some(at) => (StatusCode::OK, at),
            None if signed.payload["termsOfServiceAgreed"] != true => {
                return Err(malformed("terms not agreed"));
            }
            None => {
                live.accounts.push(Account { jwk });
                live.counts.accounts += 1;
                (StatusCode::CREATED, live.accounts.len() - 1)
            }
        };
        let location = format!("{}/account/{at}", state.base);
        Ok((
            status,
            [("location", location)],
            json_answer(&json!({"status": "valid"})),
        )
            .into_response())
    };
    state.answered(register())
}

async fn new_order(Shared(state): Server, uri: Uri, body: Bytes) -> Response {
    let take = || {
        let (signed, account) = state.checked(&uri, &body)?;
        let account = account.ok_or_else(|| malformed("no account"))?;
        let names = signed.payload["identifiers"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let names: Vec<String> = names
            .iter()
            .filter(|name| name["type"] == "dns")
            .filter_map(|name| name["value"].as_str().map(str::to_owned))
            .collect();
        if names.is_empty() {
            return Err(malformed("no names"));
        }
        let authorizations = names.iter().map(|name| Authorization {
            name: name.clone(),
            token: rng::alphanumeric(43),
            status: "pending",
            errors: Default::default(),
        });
        let order = Order {
            account,
            authorizations: authorizations.collect(),
            names,
            chain: None,
        };
        let mut live = state.live.lock();
        let at = live.orders.len();
        let location = format!("{}/order/{at}", state.base);
        let shown = state.shown(at, &order);
        live.orders.push(order);
        Ok((StatusCode::CREATED, [("location", location)], json_answer(&shown)).into_response())
    };
    state.answered(take())
}

async fn order(Shared(state): Server, Path(at): Path<usize>, uri: Uri, body: Bytes) -> Response {
    let show = || {
        state.checked_for(&uri, &body, at)?;
        Ok(json_answer(&state.shown(at, &state.live.lock().orders[at])))
    };
    state.answered(show())
}

async fn authorization(
    Shared(state): Server,
    Path((order, at)): Path<(usize, usize)>,
    uri: Uri,
    body: Bytes,
) -> Response {
    let show = || {
        state.checked_for(&uri, &body, order)?;
        let live = state.live.lock();
        let authz = live.orders[order].authorizations.get(at);
        let authz = authz.ok_or_else(|| malformed("no such authorization"))?;
        Ok(json_answer(&state.shown_authorization(order, at, authz)))
    };
    state.answered(show())
}

async fn challenge(
    Shared(state): Server,
    Path((order, at, kind)): Path<(usize, usize, String)>,
    uri: Uri,
    body: Bytes,
) -> Response {
    let outcome = respond(&state, order, at, &kind, &uri, &body).await;
    state.answered(outcome)
}

/// Validates before it answers, so that no client has to wait for a background task.
async fn respond(state: &Arc<State>, order: usize, at: usize, kind: &str, uri: &Uri, body: &[u8]) -> Outcome {
    state.checked_for(uri, body, order)?;
    let (name, token, expected, http_at, tls_at) = {
        let live = state.live.lock();
        let found = &live.orders[order];
        let authz = found
            .authorizations
            .get(at)
            .ok_or_else(|| malformed("no such challenge"))?;
        let expected = live.accounts[found.account].jwk.key_authorization(&authz.token);
        (
            authz.name.clone(),
            authz.token.clone(),
            expected,
            live.http_at,
            live.tls_at,
        )
    };
    let nobody = || Err("connection refused".to_owned());
    let found = match kind {
        "http-01" => match http_at {
            Some(at) => proof::http(at, &name, &token, &expected).await,
            None => nobody(),
        },
        "tls-alpn-01" => match tls_at {
            Some(at) => proof::tls(at, &name, &expected).await,
            None => nobody(),
        },
        _ => return Err(malformed("no such challenge")),
    };
    let mut live = state.live.lock();
    match &found {
        Ok(()) if kind == "http-01" => live.counts.by_http += 1,
        Ok(()) => live.counts.by_tls += 1,
        Err(_) => live.counts.refused += 1,
    }
    let authz = &mut live.orders[order].authorizations[at];
    match found {
        Ok(()) => authz.status = "valid",
        Err(text) => {
            authz.status = "invalid";
            authz.errors.insert(kind.to_owned(), text);
        }
    }
    Ok(json_answer(&state.shown_challenge(order, at, kind, authz)))
}

async fn finalize(Shared(state): Server, Path(at): Path<usize>, uri: Uri, body: Bytes) -> Response {
    let issue = || {
        let signed = state.checked_for(&uri, &body, at)?;
        let mut live = state.live.lock();
        let order = &live.orders[at];
        if state.shown(at, order)["status"] != "ready" {
            let text = "the names are not validated".to_owned();
            return Err(Problem(StatusCode::FORBIDDEN, "orderNotReady", text));
        }
        let bad = || Problem(StatusCode::BAD_REQUEST, "badCSR", "not for this order".to_owned());
        let request = signed.payload["csr"].as_str().and_then(decode).ok_or_else(bad)?;
        let key = RequestedKey::read(&request, &order.names[0]).ok_or_else(bad)?;
        let mut params = CertificateParams::new(order.names.clone()).map_err(|_| bad())?;
        let now = state.clock.now().timestamp().unsigned_abs();
        params.not_before = date_time_ymd(1970, 1, 1) + std::time::Duration::from_secs(now);
        params.not_after = params.not_before + live.life;
        let certificate = params.signed_by(&key, &state.ca).map_err(|_| bad())?;
        live.counts.issued += 1;
        live.orders[at].chain = Some(format!("{}{}", certificate.pem(), state.ca.pem()));
        Ok(json_answer(&state.shown(at, &live.orders[at])))
    };
    state.answered(issue())
}

async fn certificate(Shared(state): Server, Path(at): Path<usize>, uri: Uri, body: Bytes) -> Response {
    let fetch = || {
        state.checked_for(&uri, &body, at)?;
        let chain = state.live.lock().orders[at].chain.clone();
        let chain = chain.ok_or_else(|| malformed("not issued"))?;
        Ok(([("content-type", "application/pem-certificate-chain")], chain).into_response())
    };
    state.answered(fetch())
}
