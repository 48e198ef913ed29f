//! Peers that break the rules: the link or the handshake ends, nothing panics, nothing hangs.

use std::sync::Arc;

use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::{Authenticator, CloseReason, HandshakeError, HostKey, WsStream, accept};

struct Nobody;

impl Authenticator for Nobody {
    async fn verify(&self, _user: &str, _password: &[u8]) -> bool {
        false
    }
}

/// Sends `bytes` to a server in one masked frame and reports the outcome.
async fn feed(bytes: &[u8], framed: bool) -> HandshakeError {
    let (mut peer, io) = tokio::io::duplex(1 << 20);
    let host_key = Arc::new(HostKey::from_seed("test").expect("key"));
    let options = LinkOptions {
        handshake_timeout: Duration::from_secs(2),
        ..LinkOptions::default()
    };
    let mut wire = Vec::new();
    if framed {
        wire.extend([0x82, 0x80 | 127]);
        wire.extend((bytes.len() as u64).to_be_bytes());
        wire.extend([0; 4]);
    }
    wire.extend_from_slice(bytes);
    let tasks = Tasks::new();
    let server = accept(
        WsStream::server(io, Vec::new()),
        &host_key,
        &Nobody,
        &options,
        &tasks,
    );
    let send = async {
        let _ = peer.write_all(&wire).await;
        let _ = peer.shutdown().await;
        let mut answer = Vec::new();
        let _ = peer.read_to_end(&mut answer).await;
    };
    let (outcome, ()) = soon(async { tokio::join!(server, send) }).await;
    outcome.expect_err("not a peer")
}

#[tokio::test]
async fn garbage_at_each_step_is_named() {
    let check = async |bytes: &[u8], want: &str| {
        let error = feed(bytes, true).await.to_string();
        assert!(error.contains(want), "{error}");
    };
    check(b"GET / HTTP/1.1\r\n\r\n", "closed the connection").await;
    check(&[b'x'; 300], "over the limit").await;
    check(&"no\r\n".repeat(20).into_bytes(), "no SSH identification line").await;
    check(b"SSH-x\r\n\xff\xff\xff\xff\x00", "over the limit").await;
    check(b"SSH-x\r\n\x00\x00\x00\x01\x00", "impossible").await;
    // A packet that is no KEXINIT.
    check(
        b"SSH-x\r\n\x00\x00\x00\x0c\x0a\x5a\0\0\0\0\0\0\0\0\0\0",
        "malformed key exchange",
    )
    .await;
    let error = feed(b"\xff\xff", false).await.to_string();
    assert!(error.contains("WebSocket"), "{error}");
}

#[tokio::test]
async fn a_peer_that_sends_beyond_its_window_is_cut_off() {
    let (mut agent, server) = linked().await;
    let (near, far) = channel_between(&server, &mut agent).await;
    let state = near.state.clone();
    // Past the flow control of the handle, as a broken peer would.
    for _ in 0..6 {
        state.on_window_adjust(64 * 1024).expect("room");
        let mut packet = vec![0; crate::ssh::channel::DATA_ROOM];
        packet.resize(packet.len() + 64 * 1024, 0);
        let _ = state.send_data(packet);
    }
    let reason = soon(agent.connection.closed()).await;
    assert_eq!(
        reason,
        CloseReason::Protocol("channel data beyond the window".to_owned())
    );
    drop(far);
}

#[tokio::test]
async fn unserved_requests_stop_the_reading_and_do_not_fill_the_memory() {
    let (agent, mut server) = linked().await;
    let flood = async {
        let payload = vec![0; 100_000];
        for _ in 0..400 {
            if agent
                .connection
                .notify("save_measurement", &payload)
                .await
                .is_err()
            {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    soon(flood).await;
    let mut served = 0;
    while let Ok(Some(event)) = tokio::time::timeout(Duration::from_millis(200), server.incoming.next()).await
    {
        assert!(matches!(event, Event::Request(_)));
        served += 1;
    }
    assert!(served > 40, "{served}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn handshakes_survive_arbitrary_bytes(bytes: Vec<u8>, with_id: bool, framed: bool) {
        let mut wire = if with_id { b"SSH-x\r\n".to_vec() } else { Vec::new() };
        wire.extend(bytes);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        runtime.block_on(feed(&wire, framed));
    }
}
