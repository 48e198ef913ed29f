//! A web service behind an agent, visited through the HTTPS front of a tunnel.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::ws::{Message, WebSocketUpgrade},
    http::HeaderMap,
    routing::{get, post},
};
use futures_util::{SinkExt, StreamExt};
use rport_runtime::Tasks;
use rport_testkit::{
    eventually_ok,
    pair::{CONNECT_LIMIT, Pair},
    process::ServerConfig,
    tls,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore,
        pki_types::{CertificateDer, pem::PemObject},
    },
};
use tokio_tungstenite::tungstenite::Message as Frame;

const MIB: usize = 1024 * 1024;
const BIG: usize = 100 * MIB;

/// The byte at a place of the long answer.
fn byte_at(place: usize) -> u8 {
    (place % 253) as u8
}

/// Starts a web service on a free port.
async fn web(tasks: &Tasks) -> anyhow::Result<SocketAddr> {
    let big = || async {
        let pieces = (0..BIG / MIB).map(|piece| {
            let start = piece * MIB;
            let bytes: Vec<u8> = (start..start + MIB).map(byte_at).collect();
            anyhow::Ok(Bytes::from(bytes))
        });
        Body::from_stream(futures_util::stream::iter(pieces))
    };
    let headers = |headers: HeaderMap| async move {
        let named = |name: &str| {
            let value = headers.get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or("-").to_owned()
        };
        format!(
            "{} {} {}",
            named("host"),
            named("x-forwarded-proto"),
            named("authorization")
        )
    };
    let echo = |upgrade: WebSocketUpgrade| async {
        upgrade.on_upgrade(|mut socket| async move {
            while let Some(Ok(Message::Text(text))) = socket.recv().await {
                if socket.send(Message::Text(text)).await.is_err() {
                    return;
                }
            }
        })
    };
    let router = Router::new()
        .route("/", get(headers))
        .route("/big", get(big))
        .route(
            "/length",
            post(|body: Bytes| async move { body.len().to_string() }),
        )
        .route("/ws", get(echo));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tasks.spawn("web", async move {
        let _ = axum::serve(listener, router).await;
    });
    Ok(address)
}

/// A certificate of the front, and the folder it lies in.
struct Front {
    folder: tempfile::TempDir,
    pem: String,
}

impl Front {
    fn new() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
        let pem = made.cert.pem();
        std::fs::write(folder.path().join("cert.pem"), &pem)?;
        std::fs::write(folder.path().join("key.pem"), made.signing_key.serialize_pem())?;
        Ok(Self { folder, pem })
    }

    async fn start(&self) -> anyhow::Result<Pair> {
        let line = |key: &str, file: &str| format!("{key} = \"{}\"", self.folder.path().join(file).display());
        let server = ServerConfig {
            server_lines: vec![
                line("tunnel_proxy_cert_file", "cert.pem"),
                line("tunnel_proxy_key_file", "key.pem"),
            ],
            ..ServerConfig::new()
        };
        Pair::start_with(server, |agent| agent).await
    }

    fn visitor(&self) -> anyhow::Result<reqwest::Client> {
        let builder = tls::client_builder(&[&self.pem]);
        Ok(builder.timeout(Duration::from_secs(120)).build()?)
    }

    /// A bare TLS connection.
    async fn connect(&self, port: u16) -> anyhow::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.pem.as_bytes())?)?;
        let config = ClientConfig::builder_with_provider(tls::provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let socket = TcpStream::connect(("127.0.0.1", port)).await?;
        let connector = TlsConnector::from(Arc::new(config));
        Ok(connector.connect("localhost".try_into()?, socket).await?)
    }
}

#[tokio::test]
async fn a_web_service_is_visited_through_the_front() -> anyhow::Result<()> {
    let (front, tasks) = (Front::new()?, Tasks::new());
    let service = web(&tasks).await?;
    let mut pair = front.start().await?;
    let status = pair.api.get("/status").await?.data()?;
    assert_eq!(status["tunnel_proxy_enabled"], true);
    let query = format!(
        "remote={}&http_proxy=true&scheme=http&host_header=web.example&auth_user=eve&auth_password=geheim",
        service.port()
    );
    let tunnel = pair.api.open_tunnel(Pair::ID, &query).await?;
    assert_eq!(tunnel.data["auth_password"], "geheim");
    for place in ["/tunnels", "/clients/tester?fields[clients]=tunnels", "/auditlog"] {
        let text = pair.api.get(place).await?.body.to_string();
        assert!(
            text.contains("***") && !text.contains("geheim"),
            "{place}: {text}"
        );
    }
    let (http, base) = (
        front.visitor()?,
        format!("https://localhost:{}", tunnel.address.port()),
    );
    assert_eq!(http.get(&base).send().await?.status(), 401);
    let asked = http.get(&base).basic_auth("eve", Some("geheim")).send().await?;
    assert_eq!(asked.text().await?, "web.example https -");

    let mut big = http
        .get(format!("{base}/big"))
        .basic_auth("eve", Some("geheim"))
        .send()
        .await?;
    let mut place = 0;
    while let Some(chunk) = big.chunk().await? {
        let expected: Vec<u8> = (place..place + chunk.len()).map(byte_at).collect();
        assert!(chunk == expected, "the bytes differ after {place}");
        place += chunk.len();
    }
    assert_eq!(place, BIG);
    let sent = http
        .post(format!("{base}/length"))
        .basic_auth("eve", Some("geheim"))
        .body(vec![1; MIB])
        .send()
        .await?;
    assert_eq!(sent.text().await?, MIB.to_string());

    // The tunnel comes back with its login when the agent does.
    pair.agent.child.kill().await?;
    pair.agent.restart()?;
    pair.api.wait_connected(Pair::ID, CONNECT_LIMIT).await;
    let port = eventually_ok("the tunnel to be open again", CONNECT_LIMIT, || async {
        let tunnels = pair.api.get("/tunnels").await?.data()?;
        let port = tunnels[0]["lport"].as_str().map(str::to_owned);
        port.ok_or_else(|| anyhow::anyhow!("there is none: {tunnels}"))
    })
    .await;
    let base = format!("https://localhost:{port}");
    assert_eq!(http.get(&base).send().await?.status(), 401);
    let asked = http.get(&base).basic_auth("eve", Some("geheim")).send().await?;
    assert_eq!(asked.status(), 200);
    tasks.abort();
    Ok(())
}

#[tokio::test]
async fn web_sockets_and_services_that_are_away() -> anyhow::Result<()> {
    let (front, tasks) = (Front::new()?, Tasks::new());
    let service = web(&tasks).await?;
    let pair = front.start().await?;
    let query = format!("remote={}&http_proxy=true&scheme=http", service.port());
    let tunnel = pair.api.open_tunnel(Pair::ID, &query).await?;
    let port = tunnel.address.port();

    let stream = front.connect(port).await?;
    let (mut socket, _) = tokio_tungstenite::client_async("ws://localhost/ws", stream).await?;
    for text in ["one", "two"] {
        socket.send(Frame::text(text)).await?;
        assert_eq!(socket.next().await.transpose()?, Some(Frame::text(text)));
    }
    drop(socket);

    let acl = serde_json::json!({ "acl": "198.51.100.1" });
    let path = format!("/clients/{}/tunnels/{}/acl", Pair::ID, tunnel.id);
    assert_eq!(pair.api.put_json(&path, &acl).await?.status, 204);
    let http = front.visitor()?;
    let refused = http
        .get(format!("https://localhost:{port}"))
        .header("x-forwarded-for", "198.51.100.1")
        .send()
        .await?;
    assert_eq!(refused.status(), 403);
    let page = refused.text().await?;
    assert!(
        page.contains("[403] Rport tunnel proxy: Access rejected by ACL"),
        "{page}"
    );

    let away = pair
        .api
        .open_tunnel(Pair::ID, "remote=9&check_port=0&http_proxy=1&scheme=https")
        .await?;
    let answer = http
        .get(format!("https://localhost:{}", away.address.port()))
        .send()
        .await?;
    assert_eq!(answer.status(), 502);
    tasks.abort();
    Ok(())
}
