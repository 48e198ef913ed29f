//! Callers that are slow, loud or broken.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::rig::{PATIENCE, Rig, answer};

/// Sends raw bytes and reads until the server closes.
async fn raw(rig: &Rig, bytes: &[u8]) -> String {
    let mut socket = TcpStream::connect(rig.api).await.expect("connects");
    // The server may answer and close before it has read everything.
    let _ = socket.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, socket.read_to_end(&mut answer))
        .await
        .expect("the server closes");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn silent_callers_are_dropped_and_block_nobody() {
    let rig = Rig::new().await;
    let started = Instant::now();
    let mut silent = Vec::new();
    for n in 0..200 {
        let mut socket = TcpStream::connect(rig.api).await.expect("connects");
        if n % 2 == 0 {
            socket
                .write_all(b"GET /api/v1/status HTTP/1.1\r\nHost: x\r\nX-Slow: ")
                .await
                .expect("sends");
        }
        silent.push(socket);
    }
    assert_eq!(answer(rig.get("/status")).await.0, 200);
    for mut socket in silent {
        let mut rest = Vec::new();
        let _ = tokio::time::timeout(PATIENCE, socket.read_to_end(&mut rest))
            .await
            .expect("the server closes");
    }
    assert!(started.elapsed() < Duration::from_secs(15));
}

#[tokio::test]
async fn long_header_blocks_are_refused() {
    let rig = Rig::new().await;
    let long = "a".repeat(20_000);
    let answer = raw(
        &rig,
        format!("GET / HTTP/1.1\r\nHost: x\r\nX: {long}\r\n\r\n").as_bytes(),
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    // Just below the limit of 10240 + 4096 bytes.
    let fits = "a".repeat(14_000);
    let request =
        format!("GET /api/v1/auth/provider HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: {fits}\r\n\r\n");
    let answer = raw(&rig, request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn garbage_is_refused() {
    let rig = Rig::new().await;
    for garbage in [
        "\0\u{1}\u{2}\r\n\r\n",
        "GET\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}",
        "SSH-2.0-x\r\n\r\n",
    ] {
        let answer = raw(&rig, garbage.as_bytes()).await;
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 400 "),
            "{garbage:?}: {answer}"
        );
    }
    assert_eq!(answer(rig.get("/status")).await.0, 200);
}

#[tokio::test]
async fn a_body_longer_than_announced_is_cut_off() {
    let rig = Rig::new().await;
    let head =
        "POST /api/v1/login HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n";
    let body = "x".repeat(100_000);
    let request = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
    let answer = raw(&rig, request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("http: request body too large"), "{answer}");
}

#[tokio::test]
async fn the_number_of_connections_is_bounded() {
    let rig = Rig::with(|_, api| api.max_connections = 2).await;
    let first = TcpStream::connect(rig.api).await.expect("connects");
    let second = TcpStream::connect(rig.api).await.expect("connects");
    // A third one waits in the backlog until the silent two have used up their time.
    let started = Instant::now();
    assert_eq!(answer(rig.get("/status")).await.0, 200);
    assert!(
        started.elapsed() > Duration::from_secs(2),
        "the limit did not hold"
    );
    drop((first, second));
}

/// Slow on purpose: this is about real seconds of a real connection.
#[tokio::test]
async fn a_connection_may_idle_longer_than_a_header_block_may_take() {
    let rig = Rig::new().await;
    let mut socket = TcpStream::connect(rig.api).await.expect("connects");
    let request = b"GET /api/v1/auth/provider HTTP/1.1\r\nHost: x\r\n\r\n";
    for pause in [6, 0] {
        socket.write_all(request).await.expect("the connection is open");
        let mut answer = vec![0; 4096];
        let read = tokio::time::timeout(PATIENCE, socket.read(&mut answer)).await;
        let length = read.expect("an answer").expect("the connection is open");
        assert!(answer[..length].starts_with(b"HTTP/1.1 200"));
        let idle = tokio::time::timeout(Duration::from_secs(pause), socket.read(&mut answer)).await;
        idle.expect_err("the server keeps the connection open");
    }
    // A header block that has begun has its short time on an old connection, too.
    socket
        .write_all(b"GET / HTTP/1.1\r\nX-Slow: ")
        .await
        .expect("the connection is open");
    let started = Instant::now();
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(PATIENCE, socket.read_to_end(&mut rest)).await;
    // Reset or end: either way it is over.
    let _ = closed.expect("the server closes");
    assert!(started.elapsed() < Duration::from_secs(8));
}
