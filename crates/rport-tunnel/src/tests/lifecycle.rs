use std::time::Duration;

use rport_protocol::Protocol;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use super::*;
use crate::EndReason;

const SHORT: Duration = Duration::from_millis(150);

#[tokio::test]
async fn an_unused_tunnel_idles_out_and_returns_its_port() {
    let rig = Rig::new(Does::Echo).await;
    let tunnel = rig.tunnel(Protocol::TcpUdp, |spec| spec.idle = Some(SHORT)).await;
    assert_eq!(rig.pool.leased(), 2);
    assert_eq!(soon("idle", tunnel.ended()).await, EndReason::Idle);
    assert_eq!(rig.pool.leased(), 0);
    assert_eq!(tunnel.end_reason(), Some(EndReason::Idle));
    TcpStream::connect(local(&tunnel))
        .await
        .expect_err("nobody listens");
}

#[tokio::test]
async fn an_open_connection_keeps_a_tunnel_from_idling() {
    let rig = Rig::new(Does::Echo).await;
    let tunnel = rig.tunnel(Protocol::Tcp, |spec| spec.idle = Some(SHORT)).await;
    let mut visitor = TcpStream::connect(local(&tunnel)).await.expect("listens");
    visitor.write_all(b"x").await.expect("send");
    visitor.read_exact(&mut [0; 1]).await.expect("echo");
    tokio::time::timeout(SHORT * 3, tunnel.ended())
        .await
        .expect_err("in use");
    drop(visitor);
    assert_eq!(soon("idle", tunnel.ended()).await, EndReason::Idle);
}

#[tokio::test]
async fn auto_close_ends_a_tunnel_in_use() {
    let rig = Rig::new(Does::Echo).await;
    let tunnel = rig
        .tunnel(Protocol::Tcp, |spec| spec.auto_close = Some(SHORT))
        .await;
    let mut visitor = TcpStream::connect(local(&tunnel)).await.expect("listens");
    visitor.write_all(b"x").await.expect("send");
    visitor.read_exact(&mut [0; 1]).await.expect("echo");
    assert_eq!(soon("auto-close", tunnel.ended()).await, EndReason::AutoClose);
    assert!(matches!(
        soon("cut", visitor.read(&mut [0; 1])).await,
        Ok(0) | Err(_)
    ));
}

#[tokio::test]
async fn dropping_the_handle_stops_everything() {
    let rig = Rig::new(Does::Echo).await;
    let tasks_before = rig.tasks.count();
    let tunnel = rig.tunnel(Protocol::TcpUdp, |_| {}).await;
    let mut visitor = TcpStream::connect(local(&tunnel)).await.expect("listens");
    visitor.write_all(b"x").await.expect("send");
    visitor.read_exact(&mut [0; 1]).await.expect("echo");
    let ended = tunnel.ended();
    drop(tunnel);
    assert_eq!(soon("end", ended).await, EndReason::Closed);
    assert_eq!(rig.pool.leased(), 0);
    assert!(matches!(
        soon("cut", visitor.read(&mut [0; 1])).await,
        Ok(0) | Err(_)
    ));
    // The agent's two echo channels end with theirs.
    eventually("no task is left", || rig.tasks.count() <= tasks_before).await;
}

#[tokio::test]
async fn a_stopping_server_ends_its_tunnels() {
    let rig = Rig::new(Does::Echo).await;
    let tunnel = rig.tunnel(Protocol::Tcp, |_| {}).await;
    rig.tasks.soft().cancel();
    assert_eq!(soon("end", tunnel.ended()).await, EndReason::ServerStops);
    assert_eq!(rig.pool.leased(), 0);
}

#[tokio::test]
async fn datagrams_keep_a_udp_tunnel_from_idling_even_denied_ones() {
    let rig = Rig::new(Does::Capitals).await;
    let denying = |spec: &mut TunnelSpec| {
        spec.idle = Some(SHORT);
        spec.acl = acl("10.0.0.1");
    };
    let tunnel = rig.tunnel(Protocol::Udp, denying).await;
    let visitor = UdpSocket::bind("127.0.0.1:0").await.expect("binds");
    let ended = tunnel.ended();
    tokio::pin!(ended);
    let started = std::time::Instant::now();
    let mut knock = tokio::time::interval(SHORT / 5);
    while started.elapsed() < SHORT * 3 {
        tokio::select! {
            reason = &mut ended => panic!("ended while in use: {reason}"),
            _ = knock.tick() => { let _ = visitor.send_to(b"knock", local(&tunnel)).await; }
        }
    }
    assert_eq!(soon("idle", ended).await, EndReason::Idle);
    assert!(tunnel.stats().denied > 3);
}
