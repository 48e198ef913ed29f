//! Single sign-on: the operator confirms a short code in a browser, on whatever device.

use std::time::{Duration, Instant};

use reqwest::Method;
use rport_runtime::Secret;
use serde_json::Value;

use super::{super::text, token};
use crate::{
    client::{Api, Query},
    failure::{Exit, Failure, Result},
    output::note,
};

/// Pause between questions when the provider names none (RFC 8628, section 3.5).
const PAUSE: Duration = Duration::from_secs(5);
/// How long a code is good for when the provider does not say.
const PATIENCE: Duration = Duration::from_secs(600);

/// Logs in with the provider's device flow.
///
/// # Errors
/// When the server has no provider, or the operator is refused or too slow.
pub(super) async fn login(api: &Api, lifetime_seconds: u64) -> Result<Secret> {
    let settings = api
        .get("/auth/ext/settings/device", &Query::new())
        .await
        .map_err(|failure| match failure.exit() {
            Exit::Forbidden | Exit::NotFound | Exit::Error => {
                failure.hint("the server has no single sign-on for devices; log in with a password")
            }
            _ => failure,
        })?;
    let details = settings.get("details").unwrap_or(&settings);
    let info = details.get("auth_info").unwrap_or(details);
    let device = text(info, "device_code").to_owned();
    if device.is_empty() {
        return Err(Failure::error("the server sent no code for this device"));
    }
    let page = match text(info, "verification_uri_complete") {
        "" => text(info, "verification_uri"),
        page => page,
    };
    note(&format!(
        "Open {page} in a browser and enter the code: {}",
        text(info, "user_code")
    ));
    let seconds = |key: &str, usual| {
        info.get(key)
            .and_then(Value::as_u64)
            .map_or(usual, Duration::from_secs)
    };
    let path = match text(details, "login_uri") {
        "" => "/oauth/login/device".to_owned(),
        path => path.trim_start_matches("/api/v1").to_owned(),
    };
    let query = Query::new()
        .with("device_code", device)
        .with("token-lifetime", lifetime_seconds.to_string());
    let (start, patience) = (Instant::now(), seconds("expires_in", PATIENCE));
    let mut pause = seconds("interval", PAUSE).max(Duration::from_millis(100));
    while start.elapsed() < patience {
        tokio::time::sleep(pause).await;
        let place = format!("GET {}", api.address(&path));
        let response = api.respond(Method::GET, &path, &query, None).await?;
        let status = response.status();
        match api.body(response, &place).await?.pointer("/data") {
            Some(data) if !text(data, "token").is_empty() => return token(data),
            Some(data) => match text(data, "error") {
                "authorization_pending" => {}
                "slow_down" => pause += PAUSE,
                error => {
                    let description = text(data, "error_description");
                    return Err(
                        Failure::new(Exit::Forbidden, format!("refused: {error} {description}")).at(place),
                    );
                }
            },
            None => return Err(Failure::new(Exit::Forbidden, format!("refused with {status}")).at(place)),
        }
    }
    Err(Failure::new(Exit::Forbidden, "nobody confirmed the code in time").hint("run the command again"))
}
