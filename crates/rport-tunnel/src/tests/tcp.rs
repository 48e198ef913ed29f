use std::time::Duration;

use rport_protocol::Protocol;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::StillActive;

async fn visit(tunnel: &Tunnel) -> TcpStream {
    soon("connect", TcpStream::connect(local(tunnel)))
        .await
        .expect("the tunnel listens")
}

async fn echo(visitor: &mut TcpStream, text: &[u8]) {
    visitor.write_all(text).await.expect("send");
    let mut answer = vec![0; text.len()];
    soon("echo", visitor.read_exact(&mut answer))
        .await
        .expect("answer");
    assert_eq!(answer, text);
}

/// Whether the tunnel closed the connection, one way or another.
async fn is_closed(visitor: &mut TcpStream) -> bool {
    matches!(soon("close", visitor.read(&mut [0; 1])).await, Ok(0) | Err(_))
}

#[tokio::test]
async fn visitors_reach_the_target_and_are_counted() {
    let rig = Rig::new(Does::Echo).await;
    let tunnel = rig.tunnel(Protocol::Tcp, |_| {}).await;
    let mut visitor = visit(&tunnel).await;
    echo(&mut visitor, b"hello").await;
    assert_eq!(tunnel.active(), 1);
    assert_eq!(*rig.agent.targets.lock(), ["127.0.0.1:7"]);
    drop(visitor);
    eventually("the connection ends", || tunnel.active() == 0).await;
    let stats = tunnel.stats();
    assert_eq!(
        (stats.visitors, stats.bytes_to_client, stats.bytes_from_client),
        (1, 5, 5)
    );
}

#[tokio::test]
async fn much_data_arrives_whole() {
    let rig = Rig::new(Does::Echo).await;
    let tunnel = rig.tunnel(Protocol::Tcp, |_| {}).await;
    let (mut reader, mut writer) = visit(&tunnel).await.into_split();
    let sent: Vec<u8> = (0..4_000_000_u32).map(|n| (n % 251) as u8).collect();
    let expected = sent.clone();
    let send = async move { writer.write_all(&sent).await.map(|()| writer) };
    let receive = async {
        let mut got = vec![0; expected.len()];
        reader.read_exact(&mut got).await.map(|_| got)
    };
    let (writer, got) = soon("echo", async { tokio::join!(send, receive) }).await;
    assert!(got.expect("all of it") == expected, "the bytes differ");
    drop(writer);
}

#[tokio::test]
async fn the_acl_is_editable_and_spares_open_connections() {
    let rig = Rig::new(Does::Echo).await;
    let tunnel = rig
        .tunnel(Protocol::Tcp, |spec| spec.acl = acl("127.0.0.1"))
        .await;
    let mut first = visit(&tunnel).await;
    echo(&mut first, b"in").await;

    tunnel.set_acl(acl("10.0.0.0/8"));
    let mut second = visit(&tunnel).await;
    assert!(is_closed(&mut second).await);
    assert_eq!(tunnel.stats().denied, 1);
    echo(&mut first, b"still in").await;

    tunnel.set_acl(None);
    echo(&mut visit(&tunnel).await, b"everybody").await;
}

#[tokio::test]
async fn a_refused_channel_closes_the_visitor() {
    let rig = Rig::new(Does::Refuse).await;
    let tunnel = rig.tunnel(Protocol::Tcp, |_| {}).await;
    assert!(is_closed(&mut visit(&tunnel).await).await);
    eventually("the visitor is gone", || tunnel.active() == 0).await;
    assert_eq!(tunnel.stats().not_dialled, 1);

    rig.agent.now_does(Does::Close);
    assert!(is_closed(&mut visit(&tunnel).await).await);
    rig.agent.now_does(Does::Echo);
    echo(&mut visit(&tunnel).await, b"the tunnel goes on").await;
}

#[tokio::test]
async fn too_many_visitors_are_closed_at_once() {
    let rig = Rig::new(Does::Echo).await;
    let tunnel = rig.tunnel(Protocol::Tcp, |spec| spec.visitor_limit = 2).await;
    let mut first = visit(&tunnel).await;
    let mut second = visit(&tunnel).await;
    echo(&mut first, b"1").await;
    echo(&mut second, b"2").await;
    assert!(is_closed(&mut visit(&tunnel).await).await);
    assert_eq!(tunnel.stats().over_limit, 1);
    drop(first);
    eventually("a place is free", || tunnel.active() == 1).await;
    echo(&mut visit(&tunnel).await, b"3").await;
}

#[tokio::test]
async fn closing_needs_force_while_somebody_visits() {
    let rig = Rig::new(Does::Echo).await;
    let tunnel = rig.tunnel(Protocol::Tcp, |_| {}).await;
    let mut visitor = visit(&tunnel).await;
    echo(&mut visitor, b"x").await;
    assert_eq!(tunnel.close(false), Err(StillActive(1)));
    echo(&mut visitor, b"still open").await;
    tunnel.close(true).expect("forced");
    assert!(is_closed(&mut visitor).await);
    soon("end", tunnel.ended()).await;
    assert_eq!(rig.pool.leased(), 0);
}

#[tokio::test]
async fn a_dead_link_closes_visitors_but_not_the_tunnel() {
    let rig = Rig::new(Does::Echo).await;
    let tunnel = rig.tunnel(Protocol::Tcp, |_| {}).await;
    let mut visitor = visit(&tunnel).await;
    echo(&mut visitor, b"x").await;
    rig.agent.connection.close();
    assert!(is_closed(&mut visitor).await);
    assert!(is_closed(&mut visit(&tunnel).await).await);
    assert_eq!(tunnel.end_reason(), None);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_answer_costs_a_visitor_30_seconds() {
    let rig = Rig::new(Does::Stall).await;
    let tunnel = rig.tunnel(Protocol::Tcp, |_| {}).await;
    let mut visitor = TcpStream::connect(local(&tunnel))
        .await
        .expect("the tunnel listens");
    let started = tokio::time::Instant::now();
    assert_eq!(visitor.read(&mut [0; 1]).await.expect("closed in order"), 0);
    assert_eq!(started.elapsed().as_secs(), 30);
    let limit = Duration::from_secs(1);
    tokio::time::timeout(limit, async {
        while tunnel.active() > 0 {
            tokio::task::yield_now().await
        }
    })
    .await
    .expect("nobody is left");
    assert_eq!(tunnel.stats().not_dialled, 1);
}
