//! The agents' listener against everybody who is not an agent.

use std::time::Duration;

use rport_runtime::Tasks;
use rport_transport::HandshakeError;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::agent::{Agent, log_in};
use super::*;
use crate::BanOptions;

/// Sends bytes and reads to the end.
async fn ask(server: &TestServer, request: &str) -> String {
    let mut socket = TcpStream::connect(server.address).await.expect("connects");
    socket.write_all(request.as_bytes()).await.expect("writes");
    let mut answer = Vec::new();
    soon("an answer", socket.read_to_end(&mut answer))
        .await
        .expect("reads");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn web_requests_get_nothing() {
    let server = TestServer::start().await;
    let answer = ask(&server, "GET /x?y=%zz HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert!(
        answer.starts_with("HTTP/1.1 404 ") && answer.contains("content-length: 0"),
        "{answer}"
    );
    let upgrade = "Upgrade: websocket\r\nSec-WebSocket-Protocol: rport-v1\r\nConnection: Upgrade\r\n\r\n";
    let answer = ask(&server, &format!("GET / HTTP/1.1\r\nHost: h\r\n{upgrade}")).await;
    assert!(
        answer.starts_with("HTTP/1.1 400 ") && answer.ends_with("Bad Request\n"),
        "{answer}"
    );
    assert!(answer.contains("sec-websocket-version: 13"), "{answer}");
    let answer = ask(&server, &format!("POST / HTTP/1.1\r\nHost: h\r\n{upgrade}")).await;
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn web_requests_reach_the_web_server_behind() {
    let web = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let mut options = options();
    let target = format!("http://{}/base", web.local_addr().expect("an address"));
    options.listener.reverse_proxy = Some(target.parse().expect("a URI"));
    let server = TestServer::start_with(options).await;
    let tasks = Tasks::new();
    let behind = tasks.spawn("web", async move {
        let (mut socket, _) = web.accept().await.expect("accepts");
        let mut head = vec![0; 4096];
        let length = socket.read(&mut head).await.expect("reads");
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
        socket.write_all(answer).await.expect("writes");
        String::from_utf8_lossy(&head[..length]).into_owned()
    });
    let answer = ask(
        &server,
        "GET /a?b=c HTTP/1.1\r\nHost: public\r\nConnection: close\r\n\r\n",
    )
    .await;
    assert!(
        answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("hello"),
        "{answer}"
    );
    let seen = behind.await.expect("no panic");
    assert!(seen.starts_with("GET /base/a?b=c HTTP/1.1\r\n"), "{seen}");
    assert!(
        seen.contains("x-forwarded-for: 127.0.0.1") && !seen.contains("host: public"),
        "{seen}"
    );
    server.stop().await;
}

#[tokio::test]
async fn upgrades_pass_through_to_the_web_server_behind() {
    let web = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let mut options = options();
    let target = format!("http://{}", web.local_addr().expect("an address"));
    options.listener.reverse_proxy = Some(target.parse().expect("a URI"));
    let server = TestServer::start_with(options).await;
    let tasks = Tasks::new();
    tasks.spawn("web", async move {
        let (mut socket, _) = web.accept().await.expect("accepts");
        let mut head = vec![0; 4096];
        let length = socket.read(&mut head).await.expect("reads");
        let head = String::from_utf8_lossy(&head[..length]).to_lowercase();
        assert!(
            head.contains("upgrade: websocket") && head.contains("connection: upgrade"),
            "{head}"
        );
        let answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
        socket.write_all(answer).await.expect("writes");
        let (mut read, mut write) = socket.split();
        let _ = tokio::io::copy(&mut read, &mut write).await;
    });
    let mut visitor = TcpStream::connect(server.address).await.expect("connects");
    let request = b"GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
    visitor.write_all(request).await.expect("writes");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(soon("the answer", visitor.read_u8()).await.expect("reads"));
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "));
    visitor.write_all(b"ping").await.expect("writes");
    let mut back = [0; 4];
    soon("the echo", visitor.read_exact(&mut back))
        .await
        .expect("reads");
    assert_eq!(&back, b"ping");
    drop(visitor);
    server.stop().await;
}

#[tokio::test]
async fn silent_and_slow_peers_keep_nobody_out_and_are_dropped() {
    let mut options = options();
    options.listener.max_concurrent_handshakes = 1;
    options.listener.deadlines.head = Duration::from_millis(300);
    options.listener.deadlines.handshake = Duration::from_millis(600);
    let server = TestServer::start_with(options).await;
    let mut silent = Vec::new();
    for number in 0..200 {
        let mut socket = TcpStream::connect(server.address).await.expect("connects");
        // A third each: nothing at all, half a head, an upgrade and then nothing.
        let start: &[u8] = match number % 3 {
            0 => b"",
            1 => b"GET / HTTP/1.1\r\nHost: h\r\nX-Slow: ",
            _ => {
                b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: rport-v1\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            }
        };
        socket.write_all(start).await.expect("writes");
        silent.push(socket);
    }
    let agent = Agent::connect(&server, "c1", "s1").await;
    for mut socket in silent {
        let mut rest = Vec::new();
        // An answer or a reset; what matters is that it ends.
        let _ = soon("dropped", socket.read_to_end(&mut rest)).await;
    }
    eventually("only the agent is left", || {
        server
            .tasks
            .counts()
            .get("handshake")
            .is_none_or(|handshakes| *handshakes == 0)
    })
    .await;
    assert!(!agent.connection.is_closed());
    drop(agent);
    server.stop().await;
}

#[tokio::test]
async fn garbage_at_every_step_harms_nobody() {
    let server = TestServer::start().await;
    let upgrade = "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: rport-v1\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    for garbage in [
        "\x16\x03\x01\x02\x00\x01\x00\x01".to_owned(),
        "SSH-2.0-OpenSSH_9.9\r\n".to_owned(),
        format!("{upgrade}\u{0}\u{1}\u{2}\u{3}garbage garbage garbage"),
        format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(600_000)),
    ] {
        let mut socket = TcpStream::connect(server.address).await.expect("connects");
        let _ = socket.write_all(garbage.as_bytes()).await;
        let _ = socket.shutdown().await;
        let mut rest = Vec::new();
        let _ = soon("dropped", socket.read_to_end(&mut rest)).await;
    }
    let agent = Agent::connect(&server, "c1", "s1").await;
    drop(agent);
    server.stop().await;
}

#[tokio::test]
async fn wrong_passwords_wait_and_then_ban_the_address() {
    let mut options = options();
    options.listener.ban = Some(BanOptions {
        max_failed: 2,
        duration: Duration::from_secs(60),
    });
    let server = TestServer::start_with(options).await;
    let tasks = Tasks::new();
    let fail = async || match log_in(&server, "rport", "wrong", &tasks).await {
        Err(HandshakeError::Refused { .. }) => {}
        other => panic!("not refused: {:?}", other.map(|link| link.peer)),
    };
    fail().await;
    // Has to wait, even with the right password; that attempt does not count.
    assert!(log_in(&server, "rport", "s3cret", &tasks).await.is_err());
    server.clock.advance(Duration::from_secs(3));
    fail().await;
    let answer = ask(
        &server,
        "GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 198.51.100.1\r\n\r\n",
    )
    .await;
    assert!(
        answer.starts_with("HTTP/1.1 423 ") && answer.ends_with("Too many bad attempts. Please try later.\n"),
        "{answer}"
    );
    server.clock.advance(Duration::from_secs(61));
    let agent = Agent::connect(&server, "c1", "s1").await;
    drop(agent);
    tasks.abort();
    server.stop().await;
}
