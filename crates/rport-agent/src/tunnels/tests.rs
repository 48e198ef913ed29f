use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use rport_protocol::TunnelAllowed;
use rport_protocol::udp::{UdpAddr, UdpDecoder, UdpEncoder, UdpFrame};
use rport_runtime::Tasks;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::{TcpListener, UdpSocket};
use tokio::time::{Instant, timeout};

use super::target::{addresses, allowed_addresses, connect, is_allowed};
use super::udp;

const SOON: Duration = Duration::from_secs(10);

fn rules(entries: &[&str]) -> TunnelAllowed {
    TunnelAllowed::parse(entries).unwrap()
}

#[tokio::test]
async fn targets_become_addresses() {
    let one = |text: &str| vec![text.parse::<SocketAddr>().unwrap()];
    assert_eq!(addresses("127.0.0.1:22").await.unwrap(), one("127.0.0.1:22"));
    assert_eq!(addresses("[::1]:22").await.unwrap(), one("[::1]:22"));
    assert_eq!(addresses(":22").await.unwrap(), one("127.0.0.1:22"));
    assert!(
        addresses("localhost:22")
            .await
            .unwrap()
            .iter()
            .all(|address| address.ip().is_loopback())
    );
    for (target, text) in [
        ("nohostport", "address nohostport: missing port in address"),
        ("127.0.0.1:http", "address 127.0.0.1:http: invalid port"),
        ("127.0.0.1:70000", "address 127.0.0.1:70000: invalid port"),
    ] {
        assert_eq!(addresses(target).await.unwrap_err().to_string(), text);
    }
    let error = addresses("no-such-host.invalid:22")
        .await
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("lookup no-such-host.invalid: "), "{error}");
}

#[tokio::test]
async fn every_address_of_a_name_must_be_allowed() {
    let allowed = rules(&["127.0.0.0/8", "[::1]"]);
    assert!(
        !allowed_addresses("localhost:22", &allowed)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(is_allowed("localhost:22", &allowed).await.unwrap());
    assert!(!is_allowed("192.0.2.1:22", &allowed).await.unwrap());
    assert!(is_allowed("nonsense", &allowed).await.is_err());
    // Without rules nothing is looked up.
    assert!(is_allowed("nonsense", &rules(&[])).await.unwrap());
    let mapped = is_allowed("[::ffff:192.0.2.1]:22", &allowed).await.unwrap();
    assert!(!mapped, "a mapped address is an IPv4 address");
}

#[tokio::test]
async fn a_dead_address_does_not_delay_a_live_one_for_long() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let live = listener.local_addr().unwrap();
    // TEST-NET-1: swallowed or unreachable.
    let dead: SocketAddr = "192.0.2.1:9".parse().unwrap();
    let started = Instant::now();
    let socket = connect(&[dead, live], SOON).await.unwrap();
    assert_eq!(socket.peer_addr().unwrap(), live);
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn dialling_ends_in_time_and_says_why() {
    let error = connect(&[], SOON).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable);
    let gone = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let error = connect(&[gone, gone], SOON).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
}

/// The server's end of a datagram channel.
struct Visitor {
    channel: DuplexStream,
    encoder: UdpEncoder,
    decoder: UdpDecoder,
}

impl Visitor {
    fn serve(target: SocketAddr, tasks: &Tasks) -> Self {
        let (channel, agent) = tokio::io::duplex(1024 * 1024);
        let (reader, writer) = tokio::io::split(agent);
        let below = tasks.child();
        tasks.spawn("datagrams", async move {
            let _ = udp::serve_streams(reader, writer, &[target], &below).await;
        });
        Self {
            channel,
            encoder: UdpEncoder::new(),
            decoder: UdpDecoder::new(),
        }
    }

    async fn send(&mut self, port: u16, data: &[u8]) {
        let frame = UdpFrame {
            addr: sender(port),
            data: Bytes::copy_from_slice(data),
        };
        let mut bytes = Vec::new();
        self.encoder.encode(&frame, &mut bytes);
        self.channel.write_all(&bytes).await.unwrap();
    }

    async fn receive(&mut self) -> UdpFrame {
        let mut buffer = [0; 4096];
        loop {
            if let Some(frame) = self.decoder.next().unwrap() {
                return frame;
            }
            let length = timeout(SOON, self.channel.read(&mut buffer))
                .await
                .unwrap()
                .unwrap();
            assert_ne!(length, 0, "the channel ended");
            self.decoder.push(&buffer[..length]);
        }
    }
}

/// An address as a dual-stack Go socket writes it.
fn sender(port: u16) -> Option<UdpAddr> {
    let mapped = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 0, 2, 7];
    UdpAddr::from_raw(&mapped, port, "")
}

#[tokio::test]
async fn senders_are_told_apart_and_answers_find_back() {
    let tasks = Tasks::new();
    let service = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut visitor = Visitor::serve(service.local_addr().unwrap(), &tasks);
    let mut buffer = [0; 100];
    let mut sources = Vec::new();
    for port in [1000, 2000, 1000] {
        visitor.send(port, b"hello").await;
        let (_, source) = timeout(SOON, service.recv_from(&mut buffer))
            .await
            .unwrap()
            .unwrap();
        sources.push(source);
    }
    assert_eq!(sources[0], sources[2]);
    assert_ne!(sources[0], sources[1]);
    for (source, port) in [(sources[1], 2000), (sources[0], 1000)] {
        service.send_to(b"answer", source).await.unwrap();
        let frame = visitor.receive().await;
        assert_eq!((frame.addr, &frame.data[..]), (sender(port), &b"answer"[..]));
    }
    drop(visitor);
    assert_eq!(tasks.shutdown(SOON).await, 0);
}

#[tokio::test]
async fn a_service_that_is_away_does_not_end_the_tunnel() {
    let tasks = Tasks::new();
    let place = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let target = place.local_addr().unwrap();
    drop(place);
    let mut visitor = Visitor::serve(target, &tasks);
    // Each of these comes back as an ICMP error.
    for _ in 0..20 {
        visitor.send(1000, b"anyone?").await;
    }
    let service = UdpSocket::bind(target).await.unwrap();
    let mut buffer = [0; 100];
    let back = async {
        loop {
            visitor.send(1000, b"back?").await;
            let received = timeout(Duration::from_millis(100), service.recv_from(&mut buffer)).await;
            if let Ok(Ok((_, source))) = received {
                return source;
            }
        }
    };
    let source = timeout(SOON, back).await.expect("the tunnel works again");
    service.send_to(b"yes", source).await.unwrap();
    assert_eq!(&visitor.receive().await.data[..], b"yes");
    drop(visitor);
    assert_eq!(tasks.shutdown(SOON).await, 0);
}

#[tokio::test]
async fn datagrams_of_every_size_survive() {
    let tasks = Tasks::new();
    let service = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut visitor = Visitor::serve(service.local_addr().unwrap(), &tasks);
    let mut buffer = vec![0; 65_536];
    for size in [0, 1, 1472, 9012, 60_000] {
        let data = vec![7; size];
        visitor.send(1, &data).await;
        let (length, source) = timeout(SOON, service.recv_from(&mut buffer))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(length, size);
        service.send_to(&data, source).await.unwrap();
        assert_eq!(visitor.receive().await.data, data);
    }
    drop(visitor);
    assert_eq!(tasks.shutdown(SOON).await, 0);
}

#[tokio::test]
async fn nonsense_on_the_channel_ends_it_and_nothing_else() {
    let tasks = Tasks::new();
    let service = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut visitor = Visitor::serve(service.local_addr().unwrap(), &tasks);
    visitor.channel.write_all(&[0xff; 600]).await.unwrap();
    let mut rest = Vec::new();
    timeout(SOON, visitor.channel.read_to_end(&mut rest))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(rest, b"");
    assert_eq!(tasks.shutdown(SOON).await, 0);
}

#[tokio::test]
async fn senders_without_end_do_not_cost_sockets_without_end() {
    let tasks = Tasks::new();
    let service = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut visitor = Visitor::serve(service.local_addr().unwrap(), &tasks);
    let mut buffer = [0; 10];
    for port in 1..=1100 {
        visitor.send(port, b"x").await;
        timeout(SOON, service.recv_from(&mut buffer))
            .await
            .unwrap()
            .unwrap();
    }
    let settled = async {
        // One task serves the channel, the others one flow each.
        while tasks.count() > 1 + 1024 {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, settled).await.expect("quiet flows made room");
    drop(visitor);
    assert_eq!(tasks.shutdown(SOON).await, 0);
}
