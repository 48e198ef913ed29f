//! Who calls and what they present: the step before every service call.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::request::Parts;
use http::{HeaderMap, Method, Uri, header};
use rport_runtime::Secret;
use rport_server::{Actor, Login, RequestOrigin, Server, Users};

use crate::error::ApiError;
use crate::state::ApiState;

const X_FORWARDED_FOR: &str = "x-forwarded-for";

/// An authenticated request: the actor, and the services it may call.
pub(crate) struct Ctx {
    /// Who acts.
    pub(crate) actor: Actor,
    server: Server,
    login: Login,
}

impl Ctx {
    /// The services.
    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    /// The service that knows users.
    pub(crate) fn login(&self) -> &Login {
        &self.login
    }

    /// The users and their groups.
    pub(crate) fn users(&self) -> &Users {
        self.server.users().expect("a server with an API has users")
    }
}

impl FromRequestParts<ApiState> for Ctx {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Self::Rejection> {
        let login = state.login();
        let origin = origin(parts, login);
        let (method, path) = (parts.method.as_str(), full_path(parts));
        let actor = match Credentials::of(&parts.headers) {
            Credentials::Basic { user, password } => {
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

/// A request that need not be authenticated: where it comes from, and what it presents.
pub(crate) struct Visitor {
    /// Where the request comes from.
    pub(crate) origin: RequestOrigin,
    /// What it presents; not checked.
    pub(crate) credentials: Credentials,
    /// The user a trusted proxy vouches for; empty when the proxy names nobody.
    pub(crate) vouched: Option<String>,
    /// The service that knows users.
    pub(crate) login: Login,
}

impl FromRequestParts<ApiState> for Visitor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Self::Rejection> {
        let login = state.login().clone();
        Ok(Self {
            origin: origin(parts, &login),
            credentials: Credentials::of(&parts.headers),
            vouched: login.vouched(peer(parts), |name| texts(&parts.headers, name)),
            login,
        })
    }
}

/// Method and path of a request, for the scopes of tokens.
pub(crate) struct RequestLine {
    /// The method.
    pub(crate) method: Method,
    /// The whole path, without the query.
    pub(crate) path: String,
}

impl<S: Sync> FromRequestParts<S> for RequestLine {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self {
            method: parts.method.clone(),
            path: full_path(parts).to_owned(),
        })
    }
}

/// What the caller asked for, noted before the router takes the API's base off the path.
#[derive(Clone)]
pub(crate) struct AskedFor(pub(crate) Uri);

/// The path the caller asked for, also inside a router that sees only a part of it.
pub(crate) fn full_path(parts: &Parts) -> &str {
    let asked = parts.extensions.get::<AskedFor>();
    asked.map_or(parts.uri.path(), |AskedFor(uri)| uri.path())
}

/// Works out where a request comes from.
pub(crate) fn origin(parts: &Parts, login: &Login) -> RequestOrigin {
    let text = |name: &str| {
        parts
            .headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
    };
    let forwarded: Vec<&str> = text(X_FORWARDED_FOR).collect();
    let user_agent = text(header::USER_AGENT.as_str()).next().unwrap_or_default();
    login.origin(peer(parts), &forwarded, user_agent)
}

/// All values of a header; one that is no text counts as empty.
fn texts<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
    let values = headers.get_all(name).iter();
    values.map(|value| value.to_str().unwrap_or_default()).collect()
}

/// The TCP peer. A request that did not come over a socket, in a test, counts as local.
fn peer(parts: &Parts) -> IpAddr {
    let info = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    info.map_or(Ipv4Addr::LOCALHOST.into(), |ConnectInfo(address)| address.ip())
}

/// What an `Authorization` header holds.
pub(crate) enum Credentials {
    /// `Basic`: a user with a password or an API token.
    Basic {
        /// User name.
        user: String,
        /// Password or API token.
        password: Secret,
    },
    /// `Bearer`: a token from `/login`.
    Bearer(Secret),
    /// No header, or one that is neither.
    None,
}

impl Credentials {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let Some(value) = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
        else {
            return Self::None;
        };
        let Some((scheme, rest)) = value.split_once(' ') else {
            return Self::None;
        };
        let rest = rest.trim();
        if scheme.eq_ignore_ascii_case("bearer") && !rest.is_empty() {
            return Self::Bearer(Secret::new(rest));
        }
        if scheme.eq_ignore_ascii_case("basic") {
            return Self::basic(rest).unwrap_or(Self::None);
        }
        Self::None
    }

    fn basic(encoded: &str) -> Option<Self> {
        let decoded = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
        let (user, password) = decoded.split_once(':')?;
        Some(Self::Basic {
            user: user.to_owned(),
            password: Secret::new(password),
        })
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn check(value: &str, expected: &str) {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::AUTHORIZATION,
            HeaderValue::from_str(value).expect("header text"),
        );
        let found = match Credentials::of(&headers) {
            Credentials::Basic { user, password } => format!("basic {user} {}", password.expose()),
            Credentials::Bearer(token) => format!("bearer {}", token.expose()),
            Credentials::None => "none".to_owned(),
        };
        assert_eq!(found, expected, "{value}");
    }

    #[test]
    fn headers_are_read() {
        check("Basic YWRtaW46cGE6c3M=", "basic admin pa:ss");
        check("bAsIc YWRtaW46", "basic admin ");
        check("Bearer abc.def.ghi", "bearer abc.def.ghi");
        check("bearer  abc", "bearer abc");
        check("Bearer ", "none");
        check("Bearer", "none");
        check("Basic !!!", "none");
        check("Basic YWRtaW4=", "none"); // no colon
        check("Digest abc", "none");
    }

    proptest! {
        #[test]
        fn never_panics(value in "[ -~]{0,200}") {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, HeaderValue::from_str(&value).expect("printable"));
            Credentials::of(&headers);
        }
    }
}
