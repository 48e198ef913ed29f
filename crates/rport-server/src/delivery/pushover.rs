//! Pushover, <https://pushover.net/api>.

use rport_runtime::Secret;
use serde::Deserialize;

use super::{DeliveryError, http_client};

/// How to reach Pushover (`[pushover]`).
#[derive(Debug, Clone)]
pub struct PushoverOptions {
    /// Token of the application.
    pub api_token: Secret,
    /// Address of the service.
    pub api_url: String,
}

impl PushoverOptions {
    /// The options for the vendor's own service.
    #[must_use]
    pub fn new(api_token: Secret) -> Self {
        Self {
            api_token,
            api_url: "https://api.pushover.net".to_owned(),
        }
    }
}

pub(super) struct Pushover {
    http: reqwest::Client,
    options: PushoverOptions,
}

/// What the service answers; with status 1 it did what was asked.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Outcome {
    status: i64,
    errors: Vec<String>,
}

impl Pushover {
    pub(super) fn new(options: &PushoverOptions) -> Result<Self, String> {
        Ok(Self {
            http: http_client()?,
            options: options.clone(),
        })
    }

    pub(super) async fn send(&self, user_key: &str, title: &str, text: &str) -> Result<(), DeliveryError> {
        let html = text.trim_end().replace('\n', "<br>");
        let form = [("title", title), ("message", &html), ("html", "1")];
        self.call("messages.json", user_key, &form).await
    }

    pub(super) async fn check_address(&self, user_key: &str) -> Result<(), DeliveryError> {
        self.call("users/validate.json", user_key, &[]).await
    }

    async fn call(&self, path: &str, user_key: &str, more: &[(&str, &str)]) -> Result<(), DeliveryError> {
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("token", self.options.api_token.expose())
            .append_pair("user", user_key)
            .extend_pairs(more)
            .finish();
        let url = format!("{}/1/{path}", self.options.api_url);
        let unavailable =
            |error: reqwest::Error| DeliveryError::PushoverUnavailable(Some(error.without_url()));
        let answer = self
            .http
            .post(url)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form)
            .send()
            .await
            .map_err(unavailable)?;
        if answer.status().is_server_error() {
            return Err(DeliveryError::PushoverUnavailable(None));
        }
        let outcome: Outcome = answer.json().await.map_err(unavailable)?;
        if outcome.status == 1 {
            return Ok(());
        }
        let said: String = outcome.errors.join(", ").chars().take(200).collect();
        Err(DeliveryError::Address(said))
    }
}
