//! `[connection]`, checked.

use std::fmt;
use std::time::Duration;

use http::header::{HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};

use super::Invalid;
use super::sections::{ConnectionSection, DEFAULT_MAX_RETRY_INTERVAL};

/// Settings of the link.
#[derive(Clone)]
pub struct ConnectionOptions {
    /// How often to probe the server; `None` switches probing off.
    pub keep_alive: Option<Duration>,
    /// How long to wait for a sign of life after a probe.
    pub keep_alive_timeout: Duration,
    /// Failed attempts in a row after which to give up; negative for never.
    pub max_retry_count: i64,
    /// Longest pause between two attempts.
    pub max_retry_interval: Duration,
    /// Headers as configured, for the report to the server.
    pub headers: Vec<String>,
    /// The `hostname` key as configured.
    pub hostname: String,
    /// Additional headers of the upgrade request, without `Host` and `User-Agent`.
    pub http_headers: HeaderMap,
    /// `Host` header in place of the server's address.
    pub host_override: Option<String>,
    /// `User-Agent` header.
    pub user_agent: String,
    /// How long each step towards an accepted connection may take.
    pub timeouts: StepTimeouts,
    /// Whether to keep `state.json` and to feed the watchdog of systemd.
    pub watchdog_integration: bool,
}

/// Headers may carry credentials.
impl fmt::Debug for ConnectionOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionOptions")
            .field("keep_alive", &self.keep_alive)
            .field("keep_alive_timeout", &self.keep_alive_timeout)
            .field("max_retry_count", &self.max_retry_count)
            .field("max_retry_interval", &self.max_retry_interval)
            .field("host_override", &self.host_override)
            .field("timeouts", &self.timeouts)
            .field("watchdog_integration", &self.watchdog_integration)
            .finish_non_exhaustive()
    }
}

/// Deadlines of the steps of an attempt. Not configurable; tests of broken networks shorten them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepTimeouts {
    /// For connecting through proxies and TLS up to the WebSocket upgrade. A Go server with many agents to greet lets
    /// the upgrade wait until it has a free slot, so this is generous; but one attempt that falls into the end of an
    /// outage must not cost the minute within which an agent has to be back.
    pub dial: Duration,
    /// For the SSH handshake including the login.
    pub login: Duration,
    /// For the answer to `new_connection`, as in the Go agent.
    pub admission: Duration,
}

impl Default for StepTimeouts {
    fn default() -> Self {
        Self {
            dial: Duration::from_secs(15),
            login: Duration::from_secs(20),
            admission: Duration::from_secs(30),
        }
    }
}

/// Headers that belong to the upgrade itself. Go agents accept them here and then fail each time they dial.
const RESERVED: &[&str] = &["upgrade", "connection"];
const RESERVED_PREFIX: &str = "sec-websocket-";

/// Checks the headers, the first thing to be checked.
pub(super) fn headers(section: &ConnectionSection) -> Result<(HeaderMap, Option<String>, String), Invalid> {
    let mut map = HeaderMap::new();
    for header in &section.headers {
        let (name, value) = parse_header(header)?;
        // A later header of the same name replaces the earlier one.
        map.insert(name, value);
    }
    let mut take = |name| {
        map.remove(name)
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let mut host = take(HOST).filter(|host| !host.is_empty());
    if !section.hostname.is_empty() {
        if HeaderValue::from_str(&section.hostname).is_err() {
            return Err(Invalid::new(
                "connection.hostname",
                format!(
                    "invalid hostname {:?}: control characters cannot be sent in a header",
                    section.hostname
                ),
            ));
        }
        host = Some(section.hostname.clone());
    }
    let user_agent = take(USER_AGENT).unwrap_or_else(|| format!("rport {}", crate::VERSION));
    Ok((map, host, user_agent))
}

fn parse_header(header: &str) -> Result<(HeaderName, HeaderValue), Invalid> {
    let fail = |why: &str| Invalid::new("connection.headers", format!("invalid header {header:?}{why}"));
    let Some((name, value)) = header.split_once(':') else {
        return Err(fail(". Should be in the format \"HeaderName: HeaderContent\""));
    };
    let name = HeaderName::try_from(name.trim())
        .map_err(|_| fail(": the name contains characters that are not allowed in a header name"))?;
    if RESERVED.contains(&name.as_str()) || name.as_str().starts_with(RESERVED_PREFIX) {
        return Err(fail(
            ": this header belongs to the connection itself and cannot be set",
        ));
    }
    let value = HeaderValue::from_str(value.trim())
        .map_err(|_| fail(": control characters cannot be sent in a header"))?;
    Ok((name, value))
}

/// Checks what the watchdog asks of the other settings.
pub(super) fn watchdog(section: &ConnectionSection) -> Result<(), Invalid> {
    if !section.watchdog_integration {
        return Ok(());
    }
    if section.keep_alive.is_zero() {
        return Err(Invalid::new(
            "connection.keep_alive",
            "watchdog integration requires 'keep_alive > 0'",
        ));
    }
    if section.max_retry_count > 0 {
        return Err(Invalid::new(
            "connection.max_retry_count",
            "watchdog integration requires 'max_retry_count = -1' (=disabled)",
        ));
    }
    Ok(())
}

pub(super) fn resolve(
    section: &ConnectionSection,
    (http_headers, host_override, user_agent): (HeaderMap, Option<String>, String),
) -> ConnectionOptions {
    let max_retry_interval = if section.max_retry_interval < Duration::from_secs(1) {
        DEFAULT_MAX_RETRY_INTERVAL
    } else {
        section.max_retry_interval
    };
    ConnectionOptions {
        keep_alive: (!section.keep_alive.is_zero()).then_some(section.keep_alive),
        keep_alive_timeout: section.keep_alive_timeout,
        max_retry_count: section.max_retry_count,
        max_retry_interval,
        headers: section.headers.clone(),
        hostname: section.hostname.clone(),
        http_headers,
        host_override,
        user_agent,
        timeouts: StepTimeouts::default(),
        watchdog_integration: section.watchdog_integration,
    }
}
