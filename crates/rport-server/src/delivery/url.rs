//! A web service of the operator that takes codes as a form.

use super::{CodeMessage, DeliveryError, http_client};

pub(super) struct Service {
    http: reqwest::Client,
    url: String,
    base_url: String,
}

impl Service {
    pub(super) fn new(url: &str, base_url: &str) -> Result<Self, String> {
        Ok(Self {
            http: http_client()?,
            url: url.to_owned(),
            base_url: base_url.to_owned(),
        })
    }

    /// Posts the form; any 2xx is success. Source: rest-api.md 6.2.
    pub(super) async fn send(&self, message: &CodeMessage) -> Result<(), DeliveryError> {
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("email", &message.send_to)
            .append_pair("token", message.code.expose())
            .append_pair("ttl", &message.ttl.as_secs().to_string())
            .append_pair("user_agent", &message.user_agent)
            .append_pair("remote_address", &message.remote_address)
            .append_pair("url", &self.base_url)
            .finish();
        let answer = self
            .http
            .post(&self.url)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form)
            .send()
            .await
            .map_err(|error| DeliveryError::Failed(error.without_url().to_string()))?;
        if answer.status().is_success() {
            return Ok(());
        }
        Err(DeliveryError::Failed(format!(
            "the service answered {}",
            answer.status()
        )))
    }
}
