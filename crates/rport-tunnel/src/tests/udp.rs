use rport_protocol::Protocol;
use tokio::net::UdpSocket;

use super::*;

async fn visitor(tunnel: &Tunnel) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("binds");
    socket.connect(local(tunnel)).await.expect("address");
    socket
}

/// Sends until an answer comes: datagrams may be lost by design.
async fn ask(socket: &UdpSocket, text: &[u8]) -> Vec<u8> {
    let mut answer = vec![0; 10_000];
    let exchange = async {
        let mut again = tokio::time::interval(Duration::from_millis(100));
        loop {
            tokio::select! {
                biased;
                received = socket.recv(&mut answer) => {
                    let length = received.expect("answer");
                    return answer[..length].to_vec();
                }
                _ = again.tick() => { let _ = socket.send(text).await; }
            }
        }
    };
    soon("answer", exchange).await
}

#[tokio::test]
async fn each_visitor_gets_its_own_answers() {
    let rig = Rig::new(Does::Capitals).await;
    let tunnel = rig.tunnel(Protocol::Udp, |_| {}).await;
    let (first, second) = (visitor(&tunnel).await, visitor(&tunnel).await);
    assert_eq!(ask(&first, b"first").await, b"FIRST");
    assert_eq!(ask(&second, b"second").await, b"SECOND");
    assert_eq!(ask(&first, b"again").await, b"AGAIN");
    assert_eq!(*rig.agent.targets.lock(), ["127.0.0.1:7/udp"]);
    assert!(tunnel.stats().bytes_to_client >= 16);
}

#[tokio::test]
async fn a_dual_stack_socket_answers_ipv4_visitors() {
    let rig = Rig::new(Does::Capitals).await;
    let bound = rig
        .pool
        .lease(None, Protocol::Udp, "0.0.0.0")
        .await
        .expect("free");
    let spec = TunnelSpec::new("test/1", "127.0.0.1", "7");
    let tunnel = spawn(spec, bound, Arc::new(rig.agent.connection.clone()), &rig.tasks).expect("spawns");
    assert_eq!(ask(&visitor(&tunnel).await, b"v4").await, b"V4");
}

#[tokio::test]
async fn large_and_empty_datagrams_pass_and_longer_ones_are_cut() {
    let rig = Rig::new(Does::Capitals).await;
    let tunnel = rig.tunnel(Protocol::Udp, |_| {}).await;
    let socket = visitor(&tunnel).await;
    assert_eq!(ask(&socket, &[b'a'; 9012]).await, vec![b'A'; 9012]);
    assert_eq!(ask(&socket, b"").await, b"");
    let cut = visitor(&tunnel).await;
    assert_eq!(ask(&cut, &[b'b'; 9500]).await.len(), 9012);
}

#[tokio::test]
async fn the_channel_is_opened_again_when_the_client_closes_it() {
    let rig = Rig::new(Does::Capitals).await;
    let tunnel = rig.tunnel(Protocol::Udp, |_| {}).await;
    let socket = visitor(&tunnel).await;
    assert_eq!(ask(&socket, b"one").await, b"ONE");
    socket.send(b"close").await.expect("send");
    eventually("another channel", || rig.agent.opened() >= 2).await;
    let fresh = visitor(&tunnel).await;
    assert_eq!(ask(&fresh, b"two").await, b"TWO");
}

#[tokio::test]
async fn a_refusing_client_is_asked_again() {
    let rig = Rig::new(Does::Refuse).await;
    let tunnel = rig.tunnel(Protocol::Udp, |_| {}).await;
    eventually("a second attempt", || rig.agent.opened() >= 2).await;
    rig.agent.now_does(Does::Capitals);
    assert_eq!(ask(&visitor(&tunnel).await, b"now").await, b"NOW");
}

#[tokio::test]
async fn the_client_cannot_make_the_server_write_to_strangers() {
    let rig = Rig::new(Does::Strangers).await;
    let tunnel = rig.tunnel(Protocol::Udp, |_| {}).await;
    let socket = visitor(&tunnel).await;
    socket.send(b"x").await.expect("send");
    eventually("the answer is dropped", || tunnel.stats().datagrams_dropped >= 1).await;
    assert_eq!(tunnel.stats().bytes_from_client, 0);
}

#[tokio::test]
async fn a_slow_client_loses_datagrams_instead_of_memory() {
    let rig = Rig::new(Does::Sleep).await;
    let tunnel = rig.tunnel(Protocol::Udp, |_| {}).await;
    let socket = visitor(&tunnel).await;
    let flood = async {
        while tunnel.stats().datagrams_dropped == 0 {
            let _ = socket.send(&[0; 9000]).await;
            tokio::task::yield_now().await;
        }
    };
    soon("the queue is full", flood).await;
}

#[tokio::test]
async fn denied_datagrams_are_dropped() {
    let rig = Rig::new(Does::Capitals).await;
    let tunnel = rig.tunnel(Protocol::Udp, |spec| spec.acl = acl("10.0.0.1")).await;
    let socket = visitor(&tunnel).await;
    socket.send(b"x").await.expect("send");
    eventually("it is denied", || tunnel.stats().denied == 1).await;
    tunnel.set_acl(None);
    assert_eq!(ask(&socket, b"y").await, b"Y");
}
