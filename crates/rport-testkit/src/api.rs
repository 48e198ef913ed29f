//! The API as a caller sees it.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use anyhow::{Context, bail};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use crate::eventually::eventually_ok;

/// No call of a test takes longer.
const CALL_LIMIT: Duration = Duration::from_secs(20);

/// How the caller identifies.
#[derive(Debug, Clone)]
enum Login {
    Nobody,
    Basic { user: String, password: String },
    Bearer(String),
}

/// An API of a running server, as one caller uses it.
#[derive(Debug, Clone)]
pub struct Api {
    base: String,
    http: reqwest::Client,
    login: Login,
}

/// What the API answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The body as JSON; null when it is empty, a string when it is something else.
    pub body: Value,
}

impl Answer {
    /// The `data` of a successful answer.
    ///
    /// # Errors
    ///
    /// When the answer is an error; its text is part of this one.
    pub fn data(self) -> anyhow::Result<Value> {
        if !(200..300).contains(&self.status) {
            bail!("status {}: {}", self.status, self.body);
        }
        match self.body {
            Value::Object(mut object) => Ok(object.remove("data").unwrap_or_default()),
            _ => Ok(Value::Null),
        }
    }

    /// The title of the first error; empty when there is none.
    pub fn title(&self) -> &str {
        self.body
            .pointer("/errors/0/title")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// The code of the first error; empty when there is none.
    pub fn code(&self) -> &str {
        self.body
            .pointer("/errors/0/code")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }
}

/// What a test needs of a tunnel that was opened.
#[derive(Debug, Clone)]
pub struct OpenTunnel {
    /// Its id at the client.
    pub id: String,
    /// Where visitors connect.
    pub address: SocketAddr,
    /// The whole answer.
    pub data: Value,
}

impl Api {
    /// The API at an address, called by nobody in particular.
    pub fn new(address: SocketAddr) -> Self {
        let http = crate::tls::client_builder(&[])
            .timeout(CALL_LIMIT)
            .build()
            .unwrap_or_default();
        Self {
            base: format!("http://{address}/api/v1"),
            http,
            login: Login::Nobody,
        }
    }

    /// The same API with name and password in each call.
    #[must_use]
    pub fn with_basic(&self, user: &str, password: &str) -> Self {
        let login = Login::Basic {
            user: user.to_owned(),
            password: password.to_owned(),
        };
        Self {
            login,
            ..self.clone()
        }
    }

    /// The same API with a token in each call.
    #[must_use]
    pub fn with_bearer(&self, token: &str) -> Self {
        Self {
            login: Login::Bearer(token.to_owned()),
            ..self.clone()
        }
    }

    /// Prepares a call of a path below `/api/v1`.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.login {
            Login::Nobody => request,
            Login::Basic { user, password } => request.basic_auth(user, Some(password)),
            Login::Bearer(token) => request.bearer_auth(token),
        }
    }

    /// Sends a prepared call.
    ///
    /// # Errors
    ///
    /// When there is no answer. An error status is an answer.
    pub async fn send(&self, request: RequestBuilder) -> anyhow::Result<Answer> {
        let response = request.send().await.context("no answer from the API")?;
        let status = response.status().as_u16();
        let bytes = response.bytes().await.context("the API's answer broke off")?;
        let body = match serde_json::from_slice(&bytes) {
            Ok(body) => body,
            Err(_) if bytes.is_empty() => Value::Null,
            Err(_) => Value::String(String::from_utf8_lossy(&bytes).into_owned()),
        };
        Ok(Answer { status, body })
    }

    /// GET.
    ///
    /// # Errors
    ///
    /// When there is no answer.
    pub async fn get(&self, path: &str) -> anyhow::Result<Answer> {
        self.send(self.request(Method::GET, path)).await
    }

    /// The tasks of the server by name, from its page of metrics.
    ///
    /// # Errors
    ///
    /// When the page is not enabled or says something else.
    pub async fn tasks(&self) -> anyhow::Result<BTreeMap<String, usize>> {
        let origin = self.base.trim_end_matches("/api/v1");
        let page = self
            .http
            .get(format!("{origin}/metrics"))
            .send()
            .await?
            .error_for_status()?
            .text()
            .await?;
        let rows = page
            .lines()
            .filter_map(|line| line.strip_prefix("rport_tasks{name=\"")?.split_once("\"} "));
        rows.map(|(name, count)| Ok((name.to_owned(), count.parse()?)))
            .collect()
    }

    /// PUT without a body.
    ///
    /// # Errors
    ///
    /// When there is no answer.
    pub async fn put(&self, path: &str) -> anyhow::Result<Answer> {
        self.send(self.request(Method::PUT, path)).await
    }

    /// PUT of a JSON body.
    ///
    /// # Errors
    ///
    /// When there is no answer.
    pub async fn put_json(&self, path: &str, body: &Value) -> anyhow::Result<Answer> {
        self.send(self.request(Method::PUT, path).json(body)).await
    }

    /// POST of a JSON body.
    ///
    /// # Errors
    ///
    /// When there is no answer.
    pub async fn post_json(&self, path: &str, body: &Value) -> anyhow::Result<Answer> {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    /// DELETE.
    ///
    /// # Errors
    ///
    /// When there is no answer.
    pub async fn delete(&self, path: &str) -> anyhow::Result<Answer> {
        self.send(self.request(Method::DELETE, path)).await
    }

    /// One client as the API shows it.
    ///
    /// # Errors
    ///
    /// When there is no such client.
    pub async fn client(&self, id: &str) -> anyhow::Result<Value> {
        self.get(&format!("/clients/{id}")).await?.data()
    }

    /// How many clients are connected.
    ///
    /// # Errors
    ///
    /// When the API does not say.
    pub async fn connected(&self) -> anyhow::Result<u64> {
        let status = self.get("/status").await?.data()?;
        status["clients_connected"]
            .as_u64()
            .context("no clients_connected in the status")
    }

    /// Waits until a client is connected; returns it.
    ///
    /// # Panics
    ///
    /// When it is not within `limit`.
    pub async fn wait_connected(&self, id: &str, limit: Duration) -> Value {
        self.wait_state(id, "connected", limit).await
    }

    /// Waits until a client is known and not connected; returns it.
    ///
    /// # Panics
    ///
    /// When it still is after `limit`.
    pub async fn wait_disconnected(&self, id: &str, limit: Duration) -> Value {
        self.wait_state(id, "disconnected", limit).await
    }

    async fn wait_state(&self, id: &str, state: &str, limit: Duration) -> Value {
        eventually_ok(&format!("client {id} to be {state}"), limit, || async {
            let client = self.client(id).await?;
            if client["connection_state"] != state {
                bail!("it is {}", client["connection_state"]);
            }
            Ok(client)
        })
        .await
    }

    /// Opens a tunnel on demand. `query` is what follows `?`, such as `remote=22&protocol=udp`.
    ///
    /// # Errors
    ///
    /// When the server refuses.
    pub async fn open_tunnel(&self, client: &str, query: &str) -> anyhow::Result<OpenTunnel> {
        let data = self
            .put(&format!("/clients/{client}/tunnels?{query}"))
            .await?
            .data()?;
        tunnel(data)
    }

    /// The tunnels a client has now.
    ///
    /// # Errors
    ///
    /// When there is no such client.
    pub async fn tunnels(&self, client: &str) -> anyhow::Result<Vec<OpenTunnel>> {
        let client = self.client(client).await?;
        let list = client["tunnels"].as_array().cloned().unwrap_or_default();
        list.into_iter().map(tunnel).collect()
    }

    /// Waits until a client has this many tunnels; returns them.
    ///
    /// # Panics
    ///
    /// When it has not within `limit`.
    pub async fn wait_tunnels(&self, client: &str, count: usize, limit: Duration) -> Vec<OpenTunnel> {
        eventually_ok(&format!("{count} tunnels of client {client}"), limit, || async {
            let client = self.wait_connected(client, limit).await;
            let list = client["tunnels"].as_array().cloned().unwrap_or_default();
            let tunnels = list.into_iter().map(tunnel).collect::<anyhow::Result<Vec<_>>>()?;
            if tunnels.len() != count {
                bail!("it has {}: {client}", tunnels.len());
            }
            Ok(tunnels)
        })
        .await
    }

    /// Closes a tunnel, whether it is used or not.
    ///
    /// # Errors
    ///
    /// When the server refuses.
    pub async fn close_tunnel(&self, client: &str, tunnel: &str) -> anyhow::Result<()> {
        self.delete(&format!("/clients/{client}/tunnels/{tunnel}?force=true"))
            .await?
            .data()?;
        Ok(())
    }
}

fn tunnel(data: Value) -> anyhow::Result<OpenTunnel> {
    let text = |key: &str| data[key].as_str().with_context(|| format!("no {key} in {data}"));
    let id = text("id")?.to_owned();
    let port: u16 = text("lport")?.parse().context("lport is no port")?;
    // Tunnels listen on every address unless told otherwise; tests visit them on loopback only.
    let host = match text("lhost")? {
        "0.0.0.0" => "127.0.0.1",
        "::" => "::1",
        host => host,
    };
    let address = SocketAddr::new(host.parse().with_context(|| format!("lhost {host}"))?, port);
    Ok(OpenTunnel { id, address, data })
}
