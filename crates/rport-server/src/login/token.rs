//! The tokens users carry: JWTs as the Go server makes them. Source: rest-api.md 5.3, storage.md 8.
//!
//! A token names a user and a session; how long it is worth something is decided by the session alone, which slides
//! with use. That is why there is no expiry inside.

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use rport_domain::{ApiSessionId, UserName};
use rport_runtime::Secret;
use serde::{Deserialize, Serialize};

/// Longer texts are not even decoded.
const LIMIT: usize = 8192;
/// The route that a full token must not reach: it belongs to the second step of a login.
const VERIFY_2FA: &str = "/api/v1/verify-2fa";

/// Signs and reads tokens.
pub(crate) struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
}

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    /// The user.
    pub(crate) username: String,
    /// The row in `api_sessions`.
    #[serde(rename = "sessionID")]
    pub(crate) session_id: i64,
    /// What it may be used for. Empty, as in very old tokens, means everything.
    #[serde(default)]
    pub(crate) scopes: Option<Vec<Scope>>,
    /// A random number nobody reads; it makes two tokens of one session differ.
    #[serde(default)]
    pub(crate) jti: String,
}

/// One permitted or, with `exclude`, forbidden use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Scope {
    #[serde(default)]
    uri: String,
    #[serde(default)]
    method: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    exclude: bool,
}

impl Tokens {
    /// An empty secret makes a new one, which voids the tokens of earlier runs.
    pub(crate) fn new(secret: &Secret) -> Self {
        let random;
        let key = if secret.is_empty() {
            random = rport_runtime::rng::bytes::<32>();
            &random[..]
        } else {
            secret.expose().as_bytes()
        };
        let mut validation = Validation::new(Algorithm::HS256);
        // The Go library signs with the first and takes all three.
        validation.algorithms = vec![Algorithm::HS256, Algorithm::HS384, Algorithm::HS512];
        validation.required_spec_claims.clear();
        validation.validate_nbf = true;
        validation.validate_aud = false;
        validation.leeway = 0;
        Self {
            encoding: EncodingKey::from_secret(key),
            decoding: DecodingKey::from_secret(key),
            validation,
        }
    }

    /// A token for everything a user may do.
    pub(crate) fn full(&self, user: &UserName, session: ApiSessionId) -> String {
        let everything = Scope {
            uri: "*".into(),
            method: "*".into(),
            exclude: false,
        };
        let second_step = Scope {
            uri: VERIFY_2FA.into(),
            method: "*".into(),
            exclude: true,
        };
        self.sign(&Claims {
            username: user.to_string(),
            session_id: session.0,
            scopes: Some(vec![everything, second_step]),
            jti: rport_runtime::rng::u64().to_string(),
        })
    }

    fn sign(&self, claims: &Claims) -> String {
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &self.encoding)
            .expect("claims serialise and an HMAC takes any key")
    }

    /// Reads a token and checks its signature. The error text says what is wrong with it.
    pub(crate) fn read(&self, token: &str) -> Result<Claims, String> {
        if token.len() > LIMIT {
            return Err("token is too long".to_owned());
        }
        jsonwebtoken::decode::<Claims>(token, &self.decoding, &self.validation)
            .map(|token| token.claims)
            .map_err(|error| error.to_string())
    }
}

impl Claims {
    /// Whether the token may be used for this request.
    pub(crate) fn permit(&self, method: &str, path: &str) -> bool {
        let scopes = self.scopes.as_deref().unwrap_or_default();
        if scopes.is_empty() {
            return true;
        }
        let matches = |scope: &&Scope| scope.matches(method, path);
        scopes
            .iter()
            .filter(|scope| !scope.exclude)
            .any(|scope| matches(&scope))
            && !scopes
                .iter()
                .filter(|scope| scope.exclude)
                .any(|scope| matches(&scope))
    }
}

impl Scope {
    fn matches(&self, method: &str, path: &str) -> bool {
        let uri = self.uri == "*" || self.uri.trim_matches('/') == path.trim_matches('/');
        uri && (self.method == "*" || self.method.eq_ignore_ascii_case(method))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(scopes: Option<Vec<Scope>>) -> Claims {
        Claims {
            username: "admin".into(),
            session_id: 7,
            scopes,
            jti: "123".into(),
        }
    }

    #[test]
    fn tokens_are_read_back_and_forgeries_are_not() {
        let tokens = Tokens::new(&"secret".into());
        let token = tokens.full(&UserName::new("admin"), ApiSessionId(7));
        let claims = tokens.read(&token).expect("valid");
        assert_eq!((claims.username.as_str(), claims.session_id), ("admin", 7));
        assert!(Tokens::new(&"other".into()).read(&token).is_err());
        assert!(Tokens::new(&"".into()).read(&token).is_err());
        assert!(tokens.read("").is_err() && tokens.read("a.b.c").is_err());
        // {"alg":"none"}
        let body = token.split('.').nth(1).expect("three parts");
        assert!(tokens.read(&format!("eyJhbGciOiJub25lIn0.{body}.")).is_err());
        assert!(tokens.read(&"x".repeat(LIMIT + 1)).is_err());
    }

    #[test]
    fn the_shape_is_the_go_servers() {
        let scope = Scope {
            uri: "*".into(),
            method: "*".into(),
            exclude: false,
        };
        let json = serde_json::to_string(&claims(Some(vec![scope]))).expect("serialises");
        assert_eq!(
            json,
            r#"{"username":"admin","sessionID":7,"scopes":[{"uri":"*","method":"*"}],"jti":"123"}"#
        );
    }

    #[test]
    fn scopes_permit_and_exclude() {
        let tokens = Tokens::new(&"secret".into());
        let token = tokens.full(&UserName::new("admin"), ApiSessionId(7));
        let full = tokens.read(&token).expect("valid");
        assert!(full.permit("GET", "/api/v1/clients"));
        assert!(!full.permit("POST", "/api/v1/verify-2fa/"));
        assert!(claims(None).permit("GET", "/x") && claims(Some(Vec::new())).permit("GET", "/x"));
        let narrow = Scope {
            uri: "/api/v1/verify-2fa".into(),
            method: "POST".into(),
            exclude: false,
        };
        let narrow = claims(Some(vec![narrow]));
        assert!(narrow.permit("POST", "/api/v1/verify-2fa") && !narrow.permit("GET", "/api/v1/verify-2fa"));
        assert!(!narrow.permit("POST", "/api/v1/clients"));
    }

    proptest::proptest! {
        #[test]
        fn foreign_tokens_never_panic(token in "[A-Za-z0-9._=-]{0,120}") {
            let _ = Tokens::new(&"secret".into()).read(&token);
        }
    }
}
