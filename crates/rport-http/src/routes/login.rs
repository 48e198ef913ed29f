//! Logging in and out.

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use rport_api_types::login::{LoginRequest, LoginToken, TwoFa};
use rport_domain::Error;
use rport_runtime::Secret;
use rport_server::LoggedIn;
use utoipa::IntoParams;

use crate::answer::Data;
use crate::body::{self, ReadError};
use crate::compat;
use crate::ctx::{Credentials, Visitor};
use crate::error::{ApiError, ApiResult, Failure};
use crate::list_query::QueryPairs;
use crate::state::ApiState;

/// How long a token shall live.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes a parameter that QueryPairs reads")]
pub(crate) struct Lifetime {
    /// Seconds the token lives unless it is used; 600 when absent, zero or negative, at most 7776000 (90 days).
    #[param(rename = "token-lifetime")]
    token_lifetime: Option<i64>,
}

pub(super) const LIFETIME: &str = "token-lifetime";

/// Log in with HTTP Basic.
///
/// Exchanges user name and password for a token. Send the token as `Authorization: Bearer TOKEN`; each use prolongs
/// its life to at least ten minutes. Behind a trusted proxy that authenticates users, its header is enough.
#[utoipa::path(
    get, path = "/login", tag = "login", operation_id = "login", params(Lifetime), security(("basic" = [])),
    responses(
        (status = 200, body = Data<LoginToken>),
        (status = 400, body = Failure, description = "The lifetime is no number or too long."),
        (status = 401, body = Failure, description = "Wrong credentials, or none."),
        (status = 429, body = Failure, description = "This user failed a moment ago and has to wait."),
    )
)]
pub(crate) async fn login(visitor: Visitor, query: QueryPairs) -> ApiResult<Data<LoginToken>> {
    let lifetime = Some(query.first(LIFETIME));
    if let Some(name) = &visitor.vouched {
        let login = visitor.login.by_header(name, lifetime, &visitor.origin).await?;
        return Ok(shown_login(login));
    }
    let Credentials::Basic { user, password } = &visitor.credentials else {
        return Err(visitor.login.refuse_anonymous(&visitor.origin).into());
    };
    let login = visitor
        .login
        .password(user, password, None, lifetime, &visitor.origin)
        .await?;
    Ok(shown_login(login))
}

/// Log in with a body.
///
/// The same as `GET /login` with the credentials in a JSON body or in form fields of the same names. `new_password`
/// replaces the password first, which is the only way in once it has expired.
#[utoipa::path(
    post, path = "/login", tag = "login", operation_id = "login_with_body", params(Lifetime), security(()),
    request_body(
        content((LoginRequest = "application/json"), (LoginRequest = "application/x-www-form-urlencoded"))
    ),
    responses(
        (status = 200, body = Data<LoginToken>),
        (status = 400, body = Failure, description = "The body or the lifetime is not understood, or the \
            new password breaks a rule."),
        (status = 401, body = Failure, description = "Wrong credentials."),
        (status = 429, body = Failure, description = "This user failed a moment ago and has to wait."),
    )
)]
pub(crate) async fn login_with_body(
    visitor: Visitor,
    query: QueryPairs,
    LoginBody(request): LoginBody,
) -> ApiResult<Data<LoginToken>> {
    let lifetime = Some(query.first(LIFETIME));
    let password = Secret::new(request.password);
    let new_password = request
        .new_password
        .filter(|new| !new.is_empty())
        .map(Secret::new);
    let login = visitor
        .login
        .password(
            &request.username,
            &password,
            new_password.as_ref(),
            lifetime,
            &visitor.origin,
        )
        .await?;
    Ok(shown_login(login))
}

/// Log out.
///
/// Ends the session of the token. Takes Bearer tokens only.
#[utoipa::path(
    delete, path = "/logout", tag = "login", operation_id = "logout", security(("bearer" = [])),
    responses(
        (status = 204),
        (status = 400, body = Failure, description = "There is no token, or it is worth nothing any more."),
    )
)]
pub(crate) async fn logout(visitor: Visitor) -> ApiResult<StatusCode> {
    let token = match &visitor.credentials {
        Credentials::Bearer(token) => token.expose(),
        Credentials::Basic { .. } | Credentials::None => "",
    };
    visitor.login.logout(token, &visitor.origin).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The body of a login, JSON or form by its content type.
pub(crate) struct LoginBody(LoginRequest);

impl FromRequest<ApiState> for LoginBody {
    type Rejection = Response;

    async fn from_request(request: Request<Body>, state: &ApiState) -> Result<Self, Response> {
        let kind = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let kind = kind.unwrap_or_default().to_owned();
        // Differs from RPort: parameters such as a charset are ignored instead of refused.
        match kind.split(';').next().unwrap_or_default().trim() {
            "application/json" => {
                let body::Json(login) = body::Json::from_request(request, state).await?;
                Ok(Self(login))
            }
            "application/x-www-form-urlencoded" => Self::from_form(request, state).await,
            _ => Err(invalid(format!("unsupported content type: {kind}"))),
        }
    }
}

impl LoginBody {
    async fn from_form(request: Request<Body>, state: &ApiState) -> Result<Self, Response> {
        let limit = state.options().max_request_bytes;
        let body = body::read(request, limit).await.map_err(|error| match error {
            ReadError::TooLarge => compat::form_too_large(limit),
            ReadError::TooSlow => invalid("the body did not arrive in time".to_owned()),
            ReadError::Broken(text) => invalid(text),
        })?;
        let mut login = LoginRequest::default();
        for (name, value) in form_urlencoded::parse(&body) {
            match &*name {
                "username" => login.username = value.into_owned(),
                "password" => login.password = value.into_owned(),
                "new_password" => login.new_password = Some(value.into_owned()),
                _ => {}
            }
        }
        Ok(Self(login))
    }
}

/// The answer to a login, finished or not.
pub(super) fn shown_login(login: LoggedIn) -> Data<LoginToken> {
    let mut token = LoginToken::from(login.token.expose());
    token.two_fa = login.pending.map(|pending| TwoFa {
        send_to: pending.send_to,
        delivery_method: pending.delivery_method.to_owned(),
        totp_key_status: pending.totp_key_status.to_owned(),
    });
    Data { data: token }
}

fn invalid(text: String) -> Response {
    ApiError::from(Error::invalid(text)).into_response()
}
