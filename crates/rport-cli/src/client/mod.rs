//! The API of a server, as this program calls it.
//!
//! Answers stay JSON: the program prints what the server said, members it does not know included, and so works with
//! servers that are older or newer than itself.

mod answer;
mod query;
mod retry;
mod socket;
mod tls;

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use reqwest::{Method, RequestBuilder, Response, header};
use rport_runtime::Secret;
use serde_json::Value;

pub(crate) use query::{Query, segment};
pub(crate) use socket::Socket;

use crate::{
    failure::{Exit, Failure, Result},
    output::note,
};

/// Longer answers than this are taken for a mistake (an audit export is streamed and not limited).
const LONGEST_ANSWER: usize = 256 * 1024 * 1024;

/// How the program identifies itself.
#[derive(Debug, Clone)]
pub(crate) enum Credential {
    /// Not at all.
    Nobody,
    /// By user name and password or API token.
    Basic {
        /// The user's name.
        user: String,
        /// Password or API token.
        secret: Secret,
    },
    /// By the token of a login.
    Session(Secret),
}

/// How to reach a server.
#[derive(Debug, Clone)]
pub(crate) struct Reach {
    /// Its base address without the path of the API, such as `https://rport.example.com`.
    pub(crate) server: reqwest::Url,
    /// Certificate authorities to trust beside those of the system.
    pub(crate) ca_file: Option<PathBuf>,
    /// Whether any certificate will do.
    pub(crate) insecure: bool,
    /// How long a call may take.
    pub(crate) timeout: Duration,
    /// How long it may take to get a connection.
    pub(crate) connect_timeout: Duration,
    /// Whether calls are told on standard error.
    pub(crate) verbose: bool,
}

/// A server's API and who calls it.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    http: reqwest::Client,
    reach: Reach,
    credential: Credential,
}

impl Api {
    /// Prepares calls; nothing is sent yet.
    ///
    /// # Errors
    /// When the file of certificate authorities cannot be used.
    pub(crate) fn new(reach: Reach, credential: Credential) -> Result<Self> {
        let secure = reach.server.scheme() == "https";
        let http = reqwest::Client::builder()
            .user_agent(concat!("rportcli/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(reach.connect_timeout)
            // A WebSocket may be silent for hours, and a peer that has gone must be noticed.
            .tcp_keepalive(Duration::from_secs(30))
            // A redirect would carry the credential to wherever it leads.
            .redirect(reqwest::redirect::Policy::none())
            // Given in any case: the HTTP library knows no TLS of its own.
            .use_preconfigured_tls(tls::config(secure, reach.ca_file.as_deref(), reach.insecure)?)
            .build()
            .map_err(|error| Failure::error(format!("cannot prepare HTTP: {error}")))?;
        Ok(Self {
            http,
            reach,
            credential,
        })
    }

    /// The same server, called with another credential.
    pub(crate) fn with(&self, credential: Credential) -> Self {
        Self {
            credential,
            ..self.clone()
        }
    }

    /// The server's base address.
    pub(crate) fn server(&self) -> &reqwest::Url {
        &self.reach.server
    }

    /// GET: the `data` of the answer.
    ///
    /// # Errors
    /// Whatever the server or the way to it gives.
    pub(crate) async fn get(&self, path: &str, query: &Query) -> Result<Value> {
        self.send(Method::GET, path, query, None).await
    }

    /// GET of a list: the items, and how many there are in all.
    ///
    /// # Errors
    /// Whatever the server or the way to it gives, and when the answer is no list.
    pub(crate) async fn list(&self, path: &str, query: &Query) -> Result<(Vec<Value>, Option<usize>)> {
        let (mut body, place) = self.call(Method::GET, path, query, None).await?;
        // The list of schedules is wrapped once more (reference `rest-api.md`, section 15).
        if body.pointer("/data/data").is_some() {
            body = answer::data(&mut body);
        }
        let total = body.pointer("/meta/count").and_then(Value::as_u64);
        let total = total.and_then(|count| usize::try_from(count).ok());
        match answer::data(&mut body) {
            Value::Array(items) => Ok((items, total)),
            Value::Null => Ok((Vec::new(), total)),
            _ => Err(Failure::error("the server's answer is no list").at(place)),
        }
    }

    /// DELETE.
    ///
    /// # Errors
    /// Whatever the server or the way to it gives.
    pub(crate) async fn delete(&self, path: &str, query: &Query) -> Result<Value> {
        self.send(Method::DELETE, path, query, None).await
    }

    /// POST of a JSON body: the `data` of the answer.
    ///
    /// # Errors
    /// Whatever the server or the way to it gives.
    pub(crate) async fn post(&self, path: &str, query: &Query, body: &Value) -> Result<Value> {
        self.send(Method::POST, path, query, Some(body)).await
    }

    /// PUT of a JSON body: the `data` of the answer.
    ///
    /// # Errors
    /// Whatever the server or the way to it gives.
    pub(crate) async fn put(&self, path: &str, query: &Query, body: &Value) -> Result<Value> {
        self.send(Method::PUT, path, query, Some(body)).await
    }

    async fn send(&self, method: Method, path: &str, query: &Query, body: Option<&Value>) -> Result<Value> {
        let (mut body, _) = self.call(method, path, query, body).await?;
        Ok(answer::data(&mut body))
    }

    /// A call whose answer is JSON, and how to name the call in an error.
    async fn call(
        &self,
        method: Method,
        path: &str,
        query: &Query,
        body: Option<&Value>,
    ) -> Result<(Value, String)> {
        let place = format!("{method} {}", self.address(path));
        let response = self
            .respond(
                method,
                path,
                query,
                body.map(|body| body.to_string().into_bytes()),
            )
            .await?;
        let status = response.status();
        let bytes = self.read(response, &place).await?;
        if status.is_success() {
            return Ok((answer::parse(&bytes, &place)?, place));
        }
        Err(answer::failure(status, &bytes, &place, &self.credential))
    }

    /// A call as it is: the answer, whatever its status. The body, if any, is JSON.
    ///
    /// # Errors
    /// When there is no answer.
    pub(crate) async fn respond(
        &self,
        method: Method,
        path: &str,
        query: &Query,
        body: Option<Vec<u8>>,
    ) -> Result<Response> {
        let address = self.address(path);
        let place = format!("{method} {address}");
        let start = Instant::now();
        let mut attempt = 0;
        loop {
            attempt += 1;
            let mut request = self.http.request(method.clone(), query.on(&address));
            request = self.identified(request);
            if let Some(body) = &body {
                request = request
                    .header(header::CONTENT_TYPE, "application/json")
                    .body(body.clone());
            }
            let left = self.reach.timeout.saturating_sub(start.elapsed());
            let sent = tokio::time::timeout(left, request.send()).await;
            let response = match sent {
                Ok(Ok(response)) => response,
                Ok(Err(error)) => return Err(answer::unreachable(&error, self.server()).at(place)),
                Err(_) => return Err(self.late().at(place)),
            };
            if self.reach.verbose {
                let status = response.status();
                note(&format!(
                    "{place}: {status} after {} ms",
                    start.elapsed().as_millis()
                ));
            }
            let left = self.reach.timeout.saturating_sub(start.elapsed());
            match retry::pause(&method, &response, attempt, left) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Ok(response),
            }
        }
    }

    /// Reads all of an answer.
    async fn read(&self, mut response: Response, place: &str) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        loop {
            match tokio::time::timeout(self.reach.timeout, response.chunk()).await {
                Ok(Ok(Some(chunk))) if bytes.len() + chunk.len() > LONGEST_ANSWER => {
                    return Err(Failure::error("the server's answer is far too long").at(place));
                }
                Ok(Ok(Some(chunk))) => bytes.extend_from_slice(&chunk),
                Ok(Ok(None)) => return Ok(bytes),
                Ok(Err(error)) => return Err(answer::unreachable(&error, self.server()).at(place)),
                Err(_) => return Err(self.late().at(place)),
            }
        }
    }

    /// The JSON of an answer, whatever its status; refusals in the form of our errors become failures.
    ///
    /// # Errors
    /// When it is an error of the API or no JSON.
    pub(crate) async fn body(&self, response: Response, place: &str) -> Result<Value> {
        let status = response.status();
        let bytes = self.read(response, place).await?;
        match answer::parse(&bytes, place) {
            Ok(body) if body.get("data").is_some() => Ok(body),
            _ if !status.is_success() => Err(answer::failure(status, &bytes, place, &self.credential)),
            body => body,
        }
    }

    /// The next piece of an answer that is passed on while it comes.
    ///
    /// # Errors
    /// When the connection breaks or nothing comes for too long.
    pub(crate) async fn next_chunk(&self, response: &mut Response) -> Result<Option<Vec<u8>>> {
        match tokio::time::timeout(self.reach.timeout, response.chunk()).await {
            Ok(Ok(chunk)) => Ok(chunk.map(|chunk| chunk.to_vec())),
            Ok(Err(error)) => Err(answer::unreachable(&error, self.server())),
            Err(_) => Err(self.late()),
        }
    }

    /// Turns an answer that is no success into a failure.
    ///
    /// # Errors
    /// When the status says so.
    pub(crate) async fn checked(&self, response: Response, place: &str) -> Result<Response> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let bytes = self.read(response, place).await?;
        Err(answer::failure(status, &bytes, place, &self.credential))
    }

    /// The address of a path of the API.
    pub(crate) fn address(&self, path: &str) -> String {
        let server = self.reach.server.as_str().trim_end_matches('/');
        format!("{server}/api/v1{path}")
    }

    fn identified(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.credential {
            Credential::Nobody => request,
            Credential::Basic { user, secret } => request.basic_auth(user, Some(secret.expose())),
            Credential::Session(token) => request.bearer_auth(token.expose()),
        }
    }

    fn late(&self) -> Failure {
        let seconds = self.reach.timeout.as_secs_f32();
        Failure::new(Exit::Unreachable, format!("no answer within {seconds} s"))
            .hint("try again, or allow more time with --timeout")
    }
}
