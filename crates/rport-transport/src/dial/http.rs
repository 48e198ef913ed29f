//! The upgrade request and its answer, written and read by hand: the agent controls every header, needs the bytes
//! behind the answer, and must accept an answer that names no subprotocol.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, header};
use rport_protocol::ServerUrl;
use rport_protocol::version::SUBPROTOCOL;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::{DialError, DialOptions};
use crate::ws::accept_key;

/// Largest answer head accepted.
const MAX_HEAD: usize = 32 * 1024;
const MAX_HEADERS: usize = 100;

/// Head of an HTTP answer.
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) reason: String,
    headers: Vec<(String, String)>,
}

impl Head {
    fn header(&self, name: &HeaderName) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name.as_str()));
        found.map(|(_, value)| value.as_str())
    }
}

/// Upgrades the stream; returns the bytes that came behind the answer.
pub(super) async fn upgrade<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    url: &ServerUrl,
    options: &DialOptions,
) -> Result<Vec<u8>, DialError> {
    let mut nonce = [0; 16];
    aws_lc_rs::rand::fill(&mut nonce).map_err(|_| DialError::Upgrade("no random numbers".to_owned()))?;
    let key = STANDARD.encode(nonce);
    stream.write_all(request(url, options, &key)?.as_bytes()).await?;
    stream.flush().await?;
    let (head, leftover) = read_head(stream).await?;
    if head.status != 101 {
        return Err(DialError::Upgrade(format!(
            "the server answered {} {}",
            head.status, head.reason
        )));
    }
    let is = |name: &HeaderName, want: &str| head.header(name).is_some_and(|v| v.eq_ignore_ascii_case(want));
    let upgraded = is(&header::UPGRADE, "websocket")
        && is(&header::CONNECTION, "upgrade")
        && head.header(&header::SEC_WEBSOCKET_ACCEPT) == Some(&accept_key(&key));
    if !upgraded {
        return Err(DialError::Upgrade(
            "the answer is not one to our request".to_owned(),
        ));
    }
    Ok(leftover)
}

fn request(url: &ServerUrl, options: &DialOptions, key: &str) -> Result<String, DialError> {
    let configured = |name: HeaderName| options.headers.get(name).and_then(|v| v.to_str().ok());
    let host = options
        .host_override
        .clone()
        .or_else(|| configured(header::HOST).map(str::to_owned))
        .unwrap_or_else(|| url.authority());
    let user_agent = configured(header::USER_AGENT).unwrap_or(&options.user_agent);
    let mut out = format!(
        "GET {} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {user_agent}\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: {SUBPROTOCOL}\r\nSec-WebSocket-Version: 13\r\n\
         Upgrade: websocket\r\n",
        url.path_and_query
    );
    extra_headers(&options.headers, &mut out)?;
    out.push_str("\r\n");
    Ok(out)
}

fn extra_headers(headers: &HeaderMap, out: &mut String) -> Result<(), DialError> {
    for (name, value) in headers {
        if *name == header::HOST || *name == header::USER_AGENT {
            continue;
        }
        if *name == header::UPGRADE
            || *name == header::CONNECTION
            || name.as_str().starts_with("sec-websocket-")
        {
            return Err(DialError::ForbiddenHeader(name.to_string()));
        }
        let value = String::from_utf8_lossy(value.as_bytes());
        out.push_str(&format!("{name}: {value}\r\n"));
    }
    Ok(())
}

/// Reads an answer head; returns it and the bytes behind it.
pub(super) async fn read_head<S: AsyncRead + Unpin>(stream: &mut S) -> Result<(Head, Vec<u8>), DialError> {
    let mut bytes = Vec::with_capacity(512);
    loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(DialError::Upgrade(
                "the connection was closed before an answer".to_owned(),
            ));
        }
        if let Some((head, used)) = parse_head(&bytes)? {
            return Ok((head, bytes.split_off(used)));
        }
        if bytes.len() > MAX_HEAD {
            return Err(DialError::Upgrade("the answer's head is too large".to_owned()));
        }
    }
}

fn parse_head(bytes: &[u8]) -> Result<Option<(Head, usize)>, DialError> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    match response.parse(bytes) {
        Ok(httparse::Status::Partial) => Ok(None),
        Ok(httparse::Status::Complete(used)) => {
            let text = |v: &[u8]| String::from_utf8_lossy(v).into_owned();
            let head = Head {
                status: response.code.unwrap_or_default(),
                reason: response.reason.unwrap_or_default().to_owned(),
                headers: response
                    .headers
                    .iter()
                    .map(|h| (h.name.to_owned(), text(h.value)))
                    .collect(),
            };
            Ok(Some((head, used)))
        }
        Err(e) => Err(DialError::Upgrade(format!("the answer is not HTTP: {e}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn the_request_is_what_go_agents_send() {
        let url: ServerUrl = "http://rport.example.com:8080/some/path?x=1"
            .parse()
            .expect("url");
        let mut options = DialOptions {
            user_agent: "rport 1.0.0".to_owned(),
            ..DialOptions::default()
        };
        options.headers.insert("x-foo", HeaderValue::from_static("bar"));
        let text = request(&url, &options, "key").expect("request");
        for line in [
            "GET /some/path?x=1 HTTP/1.1",
            "Host: rport.example.com:8080",
            "User-Agent: rport 1.0.0",
            "Sec-WebSocket-Protocol: rport-v1",
            "Upgrade: websocket",
            "x-foo: bar",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} in {text}");
        }
        options
            .headers
            .insert("connection", HeaderValue::from_static("close"));
        assert!(matches!(
            request(&url, &options, "key"),
            Err(DialError::ForbiddenHeader(_))
        ));
    }

    proptest::proptest! {
        #[test]
        fn foreign_answers_never_panic(bytes: Vec<u8>) {
            let _ = parse_head(&bytes);
        }
    }
}
