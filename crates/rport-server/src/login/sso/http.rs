//! Requests to the provider: bounded in time, size and number, and never over plain HTTP to another machine.

use std::path::Path;
use std::time::Duration;

use http::Uri;
use rport_domain::Error;
use serde_json::Value;
use tokio::sync::Semaphore;

/// How long one request may take.
const LIMIT: Duration = Duration::from_secs(15);
/// Longest answer that is read.
const SIZE_LIMIT: usize = 1024 * 1024;
/// Requests under way at the same time; anybody can cause some.
const CONCURRENT: usize = 32;

/// What goes wrong at the provider.
#[derive(Debug)]
pub(super) enum Problem {
    /// It cannot be asked.
    Unreachable(String),
    /// It says no, or what it says cannot be believed.
    Refused(String),
}

impl Problem {
    /// What the caller reads. The provider's words go to the log.
    pub(super) fn unreachable(text: impl Into<String>) -> Self {
        Self::Unreachable(text.into())
    }

    pub(super) fn refused(text: impl Into<String>) -> Self {
        Self::Refused(text.into())
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        match problem {
            Problem::Unreachable(text) => {
                tracing::warn!("the provider of single sign-on cannot be asked: {text}");
                Self::unavailable("The provider of single sign-on is unavailable, please try again later.")
                    .source(text)
            }
            Problem::Refused(text) => Self::unauthenticated("unauthorized").detail(text),
        }
    }
}

pub(super) struct Http {
    client: reqwest::Client,
    slots: Semaphore,
}

impl Http {
    /// Makes the client. Blocks on the disk.
    pub(super) fn new(ca_file: Option<&Path>) -> Result<Self, String> {
        let tls = rport_tls::client_config(ca_file).map_err(|error| error.to_string())?;
        let client = reqwest::Client::builder()
            .use_preconfigured_tls(tls)
            .timeout(LIMIT)
            .user_agent("rportd")
            // A provider that redirects could make us ask anything in our network.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self {
            client,
            slots: Semaphore::new(CONCURRENT),
        })
    }

    /// Reads a JSON document.
    pub(super) async fn get(&self, url: &str, bearer: Option<&str>) -> Result<Value, Problem> {
        let mut request = self.client.get(checked(url)?);
        if let Some(token) = bearer {
            request = request.bearer_auth(token);
        }
        let (status, body) = self.send(request, url).await?;
        match status {
            200 => Ok(body),
            401 | 403 => Err(Problem::refused(format!("the provider answered {status}"))),
            _ => Err(Problem::unreachable(format!("{url} answered {status}"))),
        }
    }

    /// Sends a form. Returns the status, too: answers of token endpoints say what is wrong in JSON.
    pub(super) async fn post(
        &self,
        url: &str,
        form: &[(&str, &str)],
        basic: Option<(&str, &str)>,
    ) -> Result<(u16, Value), Problem> {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let mut request = self
            .client
            .post(checked(url)?)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body);
        if let Some((id, secret)) = basic {
            // Both are encoded like form fields first (RFC 6749, section 2.3.1).
            let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            request = request.basic_auth(encode(id), Some(encode(secret)));
        }
        self.send(request, url).await
    }

    async fn send(&self, request: reqwest::RequestBuilder, url: &str) -> Result<(u16, Value), Problem> {
        let failed = |error: &dyn std::fmt::Display| Problem::unreachable(format!("{url}: {error}"));
        let _slot = self
            .slots
            .try_acquire()
            .map_err(|_| Problem::unreachable("too many logins are under way"))?;
        let sent = request.header("accept", "application/json").send().await;
        let mut answer = sent.map_err(|error| failed(&error))?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| failed(&error))? {
            if body.len() + chunk.len() > SIZE_LIMIT {
                return Err(failed(&"the answer is too long"));
            }
            body.extend_from_slice(&chunk);
        }
        let status = answer.status().as_u16();
        // An error page need not be JSON.
        let body = match serde_json::from_slice(&body) {
            Ok(body) => body,
            Err(_) if status >= 400 => Value::Null,
            Err(error) => return Err(failed(&error)),
        };
        Ok((status, body))
    }
}

/// Lets https pass, and plain HTTP to this machine.
fn checked(url: &str) -> Result<String, Problem> {
    let is_safe = url.parse::<Uri>().is_ok_and(|uri| {
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let is_here = host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
        uri.scheme_str() == Some("https") || (uri.scheme_str() == Some("http") && is_here)
    });
    if is_safe {
        Ok(url.to_owned())
    } else {
        Err(Problem::unreachable(format!("{url:?} is no https address")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_travel_in_clear() {
        for good in [
            "https://id.example.com/token",
            "http://127.0.0.1:1/x",
            "http://[::1]/x",
            "http://localhost/",
        ] {
            assert!(checked(good).is_ok(), "{good}");
        }
        for bad in [
            "http://id.example.com/token",
            "ftp://127.0.0.1/",
            "/token",
            "",
            "http://localhost.evil.net/",
        ] {
            assert!(checked(bad).is_err(), "{bad}");
        }
    }
}
