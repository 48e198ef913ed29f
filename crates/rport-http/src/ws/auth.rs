//! Who opens a WebSocket.
//!
//! A program sends an `Authorization` header. A browser cannot; it offers the sub-protocols `rport.v1` and
//! `bearer.TOKEN`, of which the server chooses the first, so that the token stands in no URL and no log. The original's
//! `?access_token=TOKEN` is taken as well.
//!
//! No cookie ever authenticates here, so another site's page cannot use a visitor's login, and its `Origin` does not
//! matter, with one exception: a browser may remember name and password of HTTP Basic and send them unasked. With those
//! the page has to be this server's own or of a configured origin.

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, header};
use rport_domain::Error;
use rport_runtime::Secret;
use rport_server::{Actor, Login, Server};

use crate::ctx::{Credentials, full_path, origin};
use crate::error::ApiError;
use crate::state::ApiState;

/// The sub-protocol of this API.
pub(crate) const PROTOCOL: &str = "rport.v1";
/// What stands before a token among the sub-protocols.
const TOKEN_PROTOCOL: &str = "bearer.";
/// The original's query parameter.
const TOKEN_PARAMETER: &str = "access_token";

/// An authenticated request for a WebSocket.
pub(crate) struct WsCtx {
    /// Who acts.
    pub(crate) actor: Actor,
    /// The services.
    pub(crate) server: Server,
    /// The service that knows users.
    pub(crate) login: Login,
}

impl FromRequestParts<ApiState> for WsCtx {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Self::Rejection> {
        let login = state.login();
        let origin = origin(parts, login);
        let (method, path) = (parts.method.as_str(), full_path(parts));
        let actor = match presented(parts) {
            Credentials::Basic { user, password } => {
                if !is_own_page(&parts.headers, &state.options().cors) {
                    return Err(Error::forbidden(
                        "this page may not open a WebSocket with a remembered password",
                    )
                    .detail("add its origin to 'cors' in [api]")
                    .into());
                }
                login.basic(&user, &password, method, path, &origin).await?
            }
            Credentials::Bearer(token) => login.bearer(token.expose(), method, path, &origin).await?,
            Credentials::None => return Err(login.refuse_anonymous(&origin).into()),
        };
        Ok(Self {
            actor,
            server: state.server().clone(),
            login: login.clone(),
        })
    }
}

/// The first credentials there are: header, sub-protocol, query.
fn presented(parts: &Parts) -> Credentials {
    let from_header = Credentials::of(&parts.headers);
    if !matches!(from_header, Credentials::None) {
        return from_header;
    }
    let offered = parts
        .headers
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    let from_protocol = offered
        .filter_map(|name| name.trim().strip_prefix(TOKEN_PROTOCOL))
        .find(|token| !token.is_empty());
    if let Some(token) = from_protocol {
        return Credentials::Bearer(Secret::new(token));
    }
    let query = parts.uri.query().unwrap_or_default();
    let from_query = form_urlencoded::parse(query.as_bytes())
        .find(|(key, value)| key == TOKEN_PARAMETER && !value.is_empty())
        .map(|(_, value)| Secret::new(value));
    from_query.map_or(Credentials::None, Credentials::Bearer)
}

/// Whether the page behind the request, if there is one, is this server's or of a configured origin.
fn is_own_page(headers: &HeaderMap, allowed: &[String]) -> bool {
    let Some(page) = headers.get(header::ORIGIN) else {
        return true; // a program, not a page
    };
    let Ok(page) = page.to_str() else { return false };
    if allowed.iter().any(|origin| origin == page) {
        return true;
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let own = page.split_once("://").map(|(_, own)| own);
    own.zip(host)
        .is_some_and(|(own, host)| own.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn check(uri: &str, headers: &[(&str, &str)], expected: &str) {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        let found = match presented(&parts) {
            Credentials::Basic { user, .. } => format!("basic {user}"),
            Credentials::Bearer(token) => format!("bearer {}", token.expose()),
            Credentials::None => "none".to_owned(),
        };
        assert_eq!(found, expected, "{uri} {headers:?}");
    }

    #[test]
    fn tokens_are_found_in_header_protocol_and_query() {
        let protocol = "sec-websocket-protocol";
        check("/ws", &[], "none");
        check("/ws?access_token=a.b.c", &[], "bearer a.b.c");
        check("/ws", &[(protocol, "rport.v1, bearer.a.b.c")], "bearer a.b.c");
        check(
            "/ws",
            &[(protocol, "rport.v1"), (protocol, "bearer.x")],
            "bearer x",
        );
        check("/ws", &[(protocol, "rport.v1, bearer.")], "none");
        check("/ws?access_token=q", &[(protocol, "bearer.p")], "bearer p");
        let basic = ("authorization", "Basic YWRtaW46cA==");
        check(
            "/ws?access_token=q",
            &[basic, (protocol, "bearer.p")],
            "basic admin",
        );
    }

    #[test]
    fn only_own_pages_use_remembered_passwords() {
        let check = |origin: Option<&str>, expected: bool| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, "rport.example.com:3000".parse().expect("value"));
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.parse().expect("value"));
            }
            let allowed = ["https://ui.example.com".to_owned(), "*".to_owned()];
            assert_eq!(is_own_page(&headers, &allowed), expected, "{origin:?}");
        };
        check(None, true);
        check(Some("https://rport.example.com:3000"), true);
        check(Some("https://ui.example.com"), true);
        check(Some("https://evil.example.com"), false);
        check(Some("https://rport.example.com"), false);
        check(Some("null"), false);
    }
}
