//! The tokens users carry: JWTs as the Go server makes them. Source: rest-api.md 5.3, storage.md 8.
//!
//! A token names a user and a session; how long it is worth something is decided by the session alone, which slides
//! with use. That is why there is no expiry inside. Differs from RPort: `iat` is there, and `jti` binds the token to
//! its session.

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use rport_domain::UserName;
use rport_runtime::Secret;
use serde::{Deserialize, Serialize};

use super::sessions::Started;

/// Longer texts are not even decoded.
const LIMIT: usize = 8192;
/// The route that a full token must not reach: it belongs to the second step of a login.
const VERIFY_2FA: &str = "/api/v1/verify-2fa";
/// The route that a user without a secret needs between the two steps.
const TOTP_SECRET: &str = "/api/v1/me/totp-secret";

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
    /// A random number. The session knows which one is good for it.
    #[serde(default)]
    pub(crate) jti: String,
    /// When the token was made, in seconds since 1970. The Go server neither writes nor minds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) iat: Option<i64>,
}

/// What a token is given out for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Everything the user may do.
    Everything,
    /// The second step of a login.
    SecondStep,
    /// The same for a user who has to make a secret for an authenticator app first.
    SecondStepWithNewSecret,
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

    /// A token for a session that has just begun or been renewed.
    pub(crate) fn make(&self, user: &UserName, session: &Started, purpose: Purpose) -> String {
        let scope = |uri: &str, method: &str, exclude| Scope {
            uri: uri.into(),
            method: method.into(),
            exclude,
        };
        let scopes = match purpose {
            Purpose::Everything => vec![scope("*", "*", false), scope(VERIFY_2FA, "*", true)],
            Purpose::SecondStep => vec![scope(VERIFY_2FA, "POST", false)],
            Purpose::SecondStepWithNewSecret => {
                vec![
                    scope(VERIFY_2FA, "POST", false),
                    scope(TOTP_SECRET, "POST", false),
                ]
            }
        };
        self.sign(&Claims {
            username: user.to_string(),
            session_id: session.id.0,
            scopes: Some(scopes),
            jti: session.jti.clone(),
            iat: Some(session.issued_at.timestamp()),
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
    /// Whether this is a full token rather than one between the two steps of a login.
    pub(crate) fn is_full(&self) -> bool {
        self.permit("GET", "/")
    }

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
    use chrono::DateTime;
    use rport_domain::ApiSessionId;

    use super::*;

    fn make(tokens: &Tokens, purpose: Purpose) -> String {
        let session = Started {
            id: ApiSessionId(7),
            jti: "123".into(),
            issued_at: DateTime::UNIX_EPOCH,
        };
        tokens.make(&UserName::new("admin"), &session, purpose)
    }

    fn claims(scopes: Option<Vec<Scope>>) -> Claims {
        Claims {
            username: "admin".into(),
            session_id: 7,
            scopes,
            jti: "123".into(),
            iat: None,
        }
    }

    #[test]
    fn tokens_are_read_back_and_forgeries_are_not() {
        let tokens = Tokens::new(&"secret".into());
        let token = make(&tokens, Purpose::Everything);
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
        let token = make(&tokens, Purpose::Everything);
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

    #[test]
    fn tokens_between_the_steps_open_nothing_else() {
        let tokens = Tokens::new(&"secret".into());
        let read = |purpose| tokens.read(&make(&tokens, purpose)).expect("valid");
        let step = read(Purpose::SecondStep);
        assert!(step.permit("POST", "/api/v1/verify-2fa") && !step.is_full());
        assert!(!step.permit("POST", "/api/v1/me/totp-secret") && !step.permit("GET", "/api/v1/me"));
        let pending = read(Purpose::SecondStepWithNewSecret);
        assert!(pending.permit("POST", "/api/v1/me/totp-secret") && !pending.is_full());
        assert!(!pending.permit("GET", "/api/v1/me/totp-secret"));
        assert!(read(Purpose::Everything).is_full() && claims(None).is_full());
    }

    proptest::proptest! {
        #[test]
        fn foreign_tokens_never_panic(token in "[A-Za-z0-9._=-]{0,120}") {
            let _ = Tokens::new(&"secret".into()).read(&token);
        }
    }
}
