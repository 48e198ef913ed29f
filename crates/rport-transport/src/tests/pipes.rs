use std::net::Shutdown;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::{PipeStats, pipe};

/// Two joined TCP sockets.
async fn sockets() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("address");
    let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
    (near.expect("connect"), far.expect("accept").0)
}

/// visitor ⇄ pipe ⇄ link ⇄ pipe ⇄ service; returns the outer ends and the outcome of both pipes.
async fn tunnel(
    server: &Link,
    agent: &mut Link,
) -> (
    TcpStream,
    TcpStream,
    impl Future<Output = (PipeStats, PipeStats)> + use<>,
) {
    let (near, far) = channel_between(server, agent).await;
    let (visitor, at_server) = sockets().await;
    let (at_agent, service) = sockets().await;
    (visitor, service, async move {
        tokio::join!(pipe(near, at_server), pipe(far, at_agent))
    })
}

#[tokio::test]
async fn bytes_go_both_ways_and_half_close_is_kept() {
    let (mut agent, server) = linked().await;
    let (mut visitor, mut service, pipes) = tunnel(&server, &mut agent).await;
    let n = 5_000_000usize;
    let sent: Vec<u8> = (0..n).map(|i| (i % 251) as u8).collect();
    let ask = async {
        visitor.write_all(&sent).await.expect("send");
        visitor.shutdown().await.expect("eof");
        let mut answer = Vec::new();
        visitor.read_to_end(&mut answer).await.expect("receive");
        answer
    };
    let answer = async {
        let mut got = Vec::new();
        service.read_to_end(&mut got).await.expect("receive");
        service.write_all(b"got ").await.expect("send");
        service
            .write_all(got.len().to_string().as_bytes())
            .await
            .expect("send");
        service.shutdown().await.expect("eof");
        got
    };
    let (answer, got, (at_server, at_agent)) = soon(async { tokio::join!(ask, answer, pipes) }).await;
    assert_eq!(answer, format!("got {n}").into_bytes());
    assert!(got == sent);
    assert_eq!(
        at_server,
        PipeStats {
            to_socket: answer.len() as u64,
            from_socket: n as u64
        }
    );
    assert_eq!(
        at_agent,
        PipeStats {
            to_socket: n as u64,
            from_socket: answer.len() as u64
        }
    );
}

#[tokio::test]
async fn a_visitor_that_does_not_read_costs_a_window_and_no_more() {
    let (mut agent, server) = linked().await;
    let (visitor, mut service, pipes) = tunnel(&server, &mut agent).await;
    let flood = async {
        let block = vec![0; 64 * 1024];
        let mut sent = 0usize;
        while let Ok(n) = tokio::time::timeout(Duration::from_millis(300), service.write(&block)).await {
            sent += n.expect("open");
        }
        sent
    };
    let sent = tokio::select! {
        sent = flood => sent,
        _ = pipes => panic!("the pipe must stay open"),
    };
    // Kernel buffers of three sockets, our window, and what is queued for the link.
    assert!(
        sent < 64 << 20,
        "{sent} bytes were taken for a visitor that reads nothing"
    );
    drop(visitor);
}

#[tokio::test]
async fn an_aborted_visitor_ends_the_service_side() {
    let (mut agent, server) = linked().await;
    let (visitor, mut service, pipes) = tunnel(&server, &mut agent).await;
    socket2::SockRef::from(&visitor)
        .set_linger(Some(Duration::ZERO))
        .expect("linger");
    let end = async {
        drop(visitor);
        let mut rest = Vec::new();
        let _ = service.read_to_end(&mut rest).await;
        drop(service);
    };
    soon(async { tokio::join!(end, pipes) }).await;
}

#[tokio::test]
async fn a_service_that_refuses_ends_the_visitor_side() {
    let (mut agent, server) = linked().await;
    let (near, far) = channel_between(&server, &mut agent).await;
    let (mut visitor, at_server) = sockets().await;
    drop(far);
    let (read, _) = soon(async { tokio::join!(visitor.read_u8(), pipe(near, at_server)) }).await;
    assert!(read.is_err());
}

#[tokio::test]
async fn the_end_of_the_link_ends_both_pipes() {
    let (mut agent, server) = linked().await;
    let (visitor, service, pipes) = tunnel(&server, &mut agent).await;
    soon(async { tokio::join!(pipes, async { server.connection.close() }) }).await;
    drop((visitor, service));
}

#[tokio::test]
async fn a_keystroke_passes_beside_a_bulk_transfer() {
    let (mut agent, server) = linked().await;
    let (mut bulk_visitor, mut bulk_service, bulk_pipes) = tunnel(&server, &mut agent).await;
    let (mut visitor, mut service, pipes) = tunnel(&server, &mut agent).await;
    let bulk = async {
        let block = vec![7; 1 << 20];
        while bulk_service.write_all(&block).await.is_ok() {}
    };
    let sink = async {
        let mut buf = vec![0; 1 << 20];
        while bulk_visitor.read(&mut buf).await.is_ok_and(|n| n > 0) {}
    };
    let echo = async {
        while let Ok(key) = service.read_u8().await {
            service.write_u8(key).await.expect("echo");
        }
    };
    let typing = async {
        for key in 0..200u8 {
            visitor.write_u8(key).await.expect("send");
            assert_eq!(visitor.read_u8().await.expect("receive"), key);
        }
    };
    soon(async {
        tokio::select! {
            () = typing => {}
            () = bulk => {}
            () = sink => {}
            () = echo => {}
            _ = bulk_pipes => {}
            _ = pipes => {}
        }
    })
    .await;
    let _ = socket2::SockRef::from(&visitor).shutdown(Shutdown::Both);
}
