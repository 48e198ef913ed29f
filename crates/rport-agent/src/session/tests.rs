//! A server that asks, against a real session over an in-memory link.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use rport_runtime::Clock;
use rport_transport::{Connection, Link, LinkOptions, Reply, pair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio::time::timeout;

use super::*;
use crate::attributes::AttributesStore;
use crate::config;
use crate::exec::Jobs;

const SOON: Duration = Duration::from_secs(10);

/// The server's end of a link whose other end is served.
struct Server {
    link: Link,
    _agent: Connection,
    tasks: Tasks,
}

impl Server {
    async fn new(client_section: &str) -> Self {
        let config = config::from_toml(&format!("[client]\nserver = 'unused'\n{client_section}")).unwrap();
        let tasks = Tasks::new();
        let (agent, link) = pair("agent", &LinkOptions::default(), &tasks).await.unwrap();
        let attributes = AttributesStore::open(
            config.client.attributes_file.clone(),
            config.client.attributes.clone(),
        );
        let config = Arc::new(config);
        let context = Context {
            config: config.clone(),
            attributes: Arc::new(attributes),
            jobs: Jobs::start(config, Clock::system(), &tasks),
            tasks: tasks.clone(),
        };
        tasks.spawn(
            "session",
            serve(agent.incoming, agent.connection.clone(), context, tasks.clone()),
        );
        Self {
            link,
            _agent: agent.connection,
            tasks,
        }
    }

    async fn ask(&self, name: &str, payload: &str) -> Result<String, String> {
        let text = |bytes: bytes::Bytes| String::from_utf8(bytes.to_vec()).unwrap();
        match self.link.connection.call(name, payload, SOON).await.unwrap() {
            Reply::Success(payload) => Ok(text(payload)),
            Reply::Failure(payload) => Err(text(payload)),
        }
    }

    async fn finish(self) {
        self.link.connection.close();
        drop(self._agent);
        assert_eq!(self.tasks.shutdown(SOON).await, 0, "a task outlived the link");
    }
}

fn ok(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}

fn err(text: &str) -> Result<String, String> {
    Err(text.to_owned())
}

#[tokio::test]
async fn answers_are_those_of_a_go_agent() {
    let server = Server::new("tunnel_allowed = ['127.0.0.0/8']").await;
    for (name, payload, expected) in [
        ("ping", "", ok("")),
        (
            "check_tunnel_allowed",
            r#"{"Remote":"127.0.0.1:40881"}"#,
            ok(r#"{"IsAllowed":true}"#),
        ),
        (
            "check_tunnel_allowed",
            r#"{"Remote":"8.8.8.8:53"}"#,
            ok(r#"{"IsAllowed":false}"#),
        ),
        (
            "check_tunnel_allowed",
            r#"{"Remote":"nohostport"}"#,
            err("address nohostport: missing port in address"),
        ),
        ("refresh_updates_status", "null", ok("null")),
        ("keepalive@openssh.com", "", err("unknown request")),
        ("run_cmd", "{}", err("command is not allowed: ")),
        (
            "run_cmd",
            r#"{"command":"id","is_script":true}"#,
            err("remote scripts are disabled"),
        ),
        ("abort_cmd", r#"{"jid":"x"}"#, ok(r#"{"state":"unknown"}"#)),
        (
            "upload",
            "{}",
            err("uploads are disabled on this client, check [file-reception] enabled option"),
        ),
        (
            "update_client_metadata",
            "{}",
            err("attributes file path not set"),
        ),
    ] {
        assert_eq!(server.ask(name, payload).await, expected, "{name} {payload}");
    }
    let failed = server.ask("check_port", "garbage").await.unwrap_err();
    assert!(failed.starts_with("failed to decode check_port: "), "{failed}");
    let failed = server.ask("update_client_metadata", "[]").await.unwrap_err();
    assert!(failed.starts_with("payload unreadable: "), "{failed}");
    server
        .link
        .connection
        .notify("put_capabilities", r#"{"ServerVersion":"1"}"#)
        .await
        .unwrap();
    server
        .link
        .connection
        .notify("no_such_request", "")
        .await
        .unwrap();
    assert_eq!(
        server.ask("ping", "").await,
        ok(""),
        "nobody answers what wants no answer"
    );
    server.finish().await;
}

#[tokio::test]
async fn ports_are_checked() {
    let server = Server::new("tunnel_allowed = ['127.0.0.1']").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let open = listener.local_addr().unwrap();
    let check = |target: String| format!(r#"{{"HostPort":"{target}","Timeout":2000000000}}"#);
    let answer = server.ask("check_port", &check(open.to_string())).await;
    assert_eq!(answer, ok(r#"{"Open":true,"ErrMsg":""}"#));
    drop(listener);
    let answer = server.ask("check_port", &check(open.to_string())).await.unwrap();
    assert_eq!(
        answer,
        format!(r#"{{"Open":false,"ErrMsg":"dial tcp {open}: connect: connection refused"}}"#)
    );
    let answer = server
        .ask("check_port", &check("127.0.0.2:1".to_owned()))
        .await
        .unwrap();
    assert!(answer.contains("not allowed with"), "{answer}");
    let answer = server
        .ask("check_port", r#"{"HostPort":"127.0.0.1:1","Timeout":0}"#)
        .await
        .unwrap();
    assert!(answer.contains(r#""Open":false"#), "{answer}");
    server.finish().await;
}

#[tokio::test]
async fn a_slow_request_does_not_hold_up_the_next() {
    let server = Server::new("").await;
    // TEST-NET-1 swallows packets or is unreachable; either way the answer may take its whole second.
    let slow = server.ask("check_port", r#"{"HostPort":"192.0.2.1:9","Timeout":1000000000}"#);
    let file = server.ask("check_tunnel_allowed", r#"{"Remote":"x:1"}"#);
    let (slow, file) = tokio::join!(slow, file);
    assert!(slow.unwrap().contains(r#""Open":false"#));
    assert_eq!(file, ok(r#"{"IsAllowed":true}"#));
    server.finish().await;
}

#[tokio::test]
async fn new_attributes_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("attributes.json");
    let server = Server::new(&format!("attributes_file_path = '{}'", path.display())).await;
    let answer = server
        .ask(
            "update_client_metadata",
            r#"{"tags":["t1"],"labels":{"city":"Lille"}}"#,
        )
        .await;
    assert_eq!(answer, ok(r#"{"status":"OK"}"#));
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        r#"{"tags":["t1"],"labels":{"city":"Lille"}}"#
    );
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    server.finish().await;
}

/// A service that answers each line with itself.
async fn echo(tasks: &Tasks) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let soft = tasks.soft();
    tasks.spawn("echo", async move {
        while let Some(Ok((mut socket, _))) = soft.run_until_cancelled(listener.accept()).await {
            let (mut reader, mut writer) = socket.split();
            let _ = soft
                .run_until_cancelled(tokio::io::copy(&mut reader, &mut writer))
                .await;
        }
    });
    address
}

#[tokio::test]
async fn a_stream_reaches_its_target() {
    let server = Server::new("").await;
    let target = echo(&server.tasks).await;
    let mut channel = server
        .link
        .connection
        .open("rport", target.to_string().as_bytes())
        .await
        .unwrap();
    channel.write_all(b"hello").await.unwrap();
    let mut answer = [0; 5];
    timeout(SOON, channel.read_exact(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&answer, b"hello");
    channel.shutdown().await.unwrap();
    let mut rest = Vec::new();
    timeout(SOON, channel.read_to_end(&mut rest))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(rest, b"");
    server.finish().await;
}

#[tokio::test]
async fn a_target_that_is_not_there_closes_the_channel() {
    let server = Server::new("").await;
    let gone = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    for target in [
        gone.to_string(),
        "nonsense".to_owned(),
        "127.0.0.1:99999".to_owned(),
    ] {
        let mut channel = server
            .link
            .connection
            .open("rport", target.as_bytes())
            .await
            .unwrap();
        let mut rest = Vec::new();
        timeout(SOON, channel.read_to_end(&mut rest))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(rest, b"", "{target}");
    }
    server.finish().await;
}

#[tokio::test]
async fn what_is_not_allowed_or_not_a_tunnel_is_rejected() {
    let server = Server::new("tunnel_allowed = ['127.0.0.0/8:22']").await;
    for (kind, extra, text) in [
        (
            "rport",
            "127.0.0.1:23",
            "not allowed with \"tunnel_allowed\" config",
        ),
        (
            "rport",
            "192.0.2.1:22/udp",
            "not allowed with \"tunnel_allowed\" config",
        ),
        ("rport", "nonsense", "not allowed with \"tunnel_allowed\" config"),
        ("rport", "", "channel without a target address"),
        (
            "rport",
            "127.0.0.1:22/sctp",
            "channel target asks for unknown protocol \"sctp\"; tcp and udp are known",
        ),
        ("session", "", "unknown channel type \"session\""),
        (
            "direct-tcpip",
            "127.0.0.1:22",
            "unknown channel type \"direct-tcpip\"",
        ),
    ] {
        let error = server
            .link
            .connection
            .open(kind, extra.as_bytes())
            .await
            .unwrap_err();
        assert!(error.to_string().contains(text), "{kind} {extra}: {error}");
    }
    server.finish().await;
}

#[tokio::test]
async fn datagrams_travel_on_a_channel() {
    use rport_protocol::udp::{UdpAddr, UdpDecoder, UdpEncoder, UdpFrame};

    let server = Server::new("").await;
    let service = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let target = format!("{}/udp", service.local_addr().unwrap());
    let mut channel = server
        .link
        .connection
        .open("rport", target.as_bytes())
        .await
        .unwrap();
    let sender = UdpAddr::from_raw(&[127, 0, 0, 1], 53000, "").unwrap();
    let mut bytes = Vec::new();
    UdpEncoder::new().encode(
        &UdpFrame {
            addr: Some(sender.clone()),
            data: bytes::Bytes::from_static(b"ping"),
        },
        &mut bytes,
    );
    channel.write_all(&bytes).await.unwrap();

    let mut buffer = [0; 100];
    let (length, from) = timeout(SOON, service.recv_from(&mut buffer))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&buffer[..length], b"ping");
    service.send_to(b"pong", from).await.unwrap();

    let mut decoder = UdpDecoder::new();
    let frame = loop {
        if let Some(frame) = decoder.next().unwrap() {
            break frame;
        }
        let length = timeout(SOON, channel.read(&mut buffer)).await.unwrap().unwrap();
        decoder.push(&buffer[..length]);
    };
    assert_eq!(
        frame,
        UdpFrame {
            addr: Some(sender),
            data: bytes::Bytes::from_static(b"pong")
        }
    );
    drop(channel);
    server.finish().await;
}
