//! Single sign-on: how to begin, and what ends in a token.
//!
//! The browser that begins gets a cookie, and only who has it can end the login: nobody can be made to log in as
//! somebody else by a link (login CSRF). Differs from RPort, which has no such cookie.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use rport_api_types::login::LoginToken;
use rport_api_types::sso::{
    DeviceAuthInfo, DeviceDetails, DeviceError, DeviceSettings, SsoDetails, SsoSettings,
};
use rport_domain::Error;
use rport_server::{DeviceLogin, Sso};

use crate::answer::{self, Data};
use crate::ctx::Visitor;
use crate::error::{ApiResult, Failure};
use crate::list_query::QueryPairs;
use crate::state::ApiState;

/// Where settings for browsers are.
pub(crate) const SETTINGS: &str = "/api/v1/auth/ext/settings";
/// Where settings for devices are.
pub(crate) const DEVICE_SETTINGS: &str = "/api/v1/auth/ext/settings/device";
const LOGIN: &str = "/api/v1/oauth/login";
const DEVICE_LOGIN: &str = "/api/v1/oauth/login/device";
const COOKIE: &str = "rport_sso";
const COOKIE_SECONDS: u32 = 600;

/// The words of the original without its add-on (rest-api.md 6.6).
fn sso(state: &ApiState) -> Result<&Sso, Error> {
    let off =
        || Error::forbidden("rport-plus not enabled/available").detail("single sign-on is not configured");
    state.server().sso().ok_or_else(off)
}

/// Begin a login with a browser.
///
/// Send the browser to `authorize_url`; it comes back with `code` and `state`, which are good for one login. The answer
/// sets a cookie that the browser has to bring along.
#[utoipa::path(
    get, path = "/auth/ext/settings", tag = "login", operation_id = "sso_settings", security(()),
    responses(
        (status = 200, body = Data<SsoSettings>),
        (status = 403, body = Failure, description = "There is no single sign-on."),
        (status = 503, body = Failure, description = "The provider cannot be asked."),
    )
)]
pub(crate) async fn settings(State(state): State<ApiState>) -> ApiResult<Response> {
    let sso = sso(&state)?;
    let begun = sso.begin().await?;
    let data = SsoSettings {
        auth_provider: sso.provider_name().to_owned(),
        details: SsoDetails {
            message: "Please log in at your provider.".to_owned(),
            authorize_url: begun.authorize_url,
            login_uri: LOGIN.to_owned(),
            state: begun.state,
            expiry: begun.expires_at.to_rfc3339(),
        },
    };
    let cookie = cookie(begun.binding.expose(), COOKIE_SECONDS, sso.is_https())?;
    Ok(([(header::SET_COOKIE, cookie)], Data { data }).into_response())
}

/// Begin a login on a device without a browser.
#[utoipa::path(
    get, path = "/auth/ext/settings/device", tag = "login", operation_id = "sso_device_settings", security(()),
    responses(
        (status = 200, body = Data<DeviceSettings>),
        (status = 401, body = Failure, description = "The provider does not offer it."),
        (status = 403, body = Failure, description = "There is no single sign-on."),
        (status = 503, body = Failure, description = "The provider cannot be asked."),
    )
)]
pub(crate) async fn device_settings(State(state): State<ApiState>) -> ApiResult<Data<DeviceSettings>> {
    let sso = sso(&state)?;
    let begun = sso.begin_device().await?;
    let message = format!(
        "Open {} in a browser and enter the code {}",
        begun.verification_uri, begun.user_code
    );
    Ok(Data {
        data: DeviceSettings {
            auth_provider: sso.provider_name().to_owned(),
            details: DeviceDetails {
                login_uri: DEVICE_LOGIN.to_owned(),
                auth_info: DeviceAuthInfo {
                    user_code: begun.user_code,
                    device_code: begun.device_code,
                    verification_uri: begun.verification_uri,
                    expires_in: begun.expires_in,
                    interval: begun.interval,
                    message,
                },
            },
        },
    })
}

/// End a login with a browser.
///
/// Exchanges what the browser came back with for a token.
#[utoipa::path(
    get, path = "/oauth/login", tag = "login", operation_id = "sso_login", security(()),
    params(
        ("code" = String, Query, description = "From the provider."),
        ("state" = String, Query, description = "From the provider, as it was sent there."),
        ("token-lifetime" = Option<i64>, Query, description = "Seconds, as at `/login`."),
    ),
    responses(
        (status = 200, body = Data<LoginToken>),
        (status = 400, body = Failure, description = "The lifetime is no number or too long."),
        (status = 401, body = Failure, description = "The login is refused; the detail says why."),
        (status = 403, body = Failure, description = "There is no single sign-on."),
        (status = 503, body = Failure, description = "The provider cannot be asked."),
    )
)]
pub(crate) async fn login(
    State(state): State<ApiState>,
    visitor: Visitor,
    headers: HeaderMap,
    query: QueryPairs,
) -> ApiResult<Response> {
    let sso = sso(&state)?;
    let lifetime = Some(query.first("token-lifetime"));
    let (code, asked) = (query.first("code"), query.first("state"));
    let logged_in = sso
        .finish(code, asked, binding(&headers), lifetime, &visitor.origin)
        .await?;
    let data = LoginToken::from(logged_in.token.expose());
    let gone = cookie("", 0, sso.is_https())?;
    Ok(([(header::SET_COOKIE, gone)], Data { data }).into_response())
}

/// Ask for a login on a device.
///
/// Until the user has confirmed, and when he refuses, the answer is the provider's, with its status:
/// `authorization_pending` and `slow_down` mean: ask again after the interval.
#[utoipa::path(
    get, path = "/oauth/login/device", tag = "login", operation_id = "sso_device_login", security(()),
    params(
        ("device_code" = String, Query, description = "From the settings."),
        ("token-lifetime" = Option<i64>, Query, description = "Seconds, as at `/login`."),
    ),
    responses(
        (status = 200, body = Data<LoginToken>),
        (status = 400, body = Data<DeviceError>, description = "Not yet, or not at all."),
        (status = 401, body = Failure, description = "The login is refused; the detail says why."),
        (status = 403, body = Failure, description = "There is no single sign-on."),
        (status = 503, body = Failure, description = "The provider cannot be asked."),
    )
)]
pub(crate) async fn device_login(
    State(state): State<ApiState>,
    visitor: Visitor,
    query: QueryPairs,
) -> ApiResult<Response> {
    let sso = sso(&state)?;
    let lifetime = Some(query.first("token-lifetime"));
    let asked = sso
        .finish_device(query.first("device_code"), lifetime, &visitor.origin)
        .await?;
    Ok(match asked {
        DeviceLogin::Done(logged_in) => {
            let data = LoginToken::from(logged_in.token.expose());
            Data { data }.into_response()
        }
        DeviceLogin::Waiting(told) => {
            let status = StatusCode::from_u16(told.status).unwrap_or(StatusCode::BAD_REQUEST);
            let data = DeviceError {
                status_code: told.status,
                error: told.error,
                error_description: told.error_description,
                error_uri: told.error_uri,
            };
            answer::json(status, &Data { data })
        }
    })
}

/// Out of reach of pages, sent back to the end of the login only. `Lax`: the browser comes back from another site.
fn cookie(value: &str, seconds: u32, is_https: bool) -> Result<HeaderValue, Error> {
    let secure = if is_https { "; Secure" } else { "" };
    let text = format!("{COOKIE}={value}; Path={LOGIN}; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::from_str(&text).map_err(Error::internal)
}

fn binding(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let pairs = cookies.flat_map(|cookies| cookies.split(';'));
    pairs
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(name, value)| (name == COOKIE).then_some(value))
}
