//! Everything a stranger can send before logging in, to a server and to an agent.
//!
//! The WebSocket frames are made here, so that the fuzzer spends its time on what is inside them.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use rport_runtime::{Secret, Tasks};
use rport_transport::{AgentCredentials, Authenticator, HostKey, LinkOptions, WsStream, accept, connect};
use tokio::{io::AsyncWriteExt, runtime::Runtime};

struct Nobody;

impl Authenticator for Nobody {
    async fn verify(&self, _user: &str, _password: &[u8]) -> bool {
        false
    }
}

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime without threads")
});
static KEY: LazyLock<Arc<HostKey>> =
    LazyLock::new(|| Arc::new(HostKey::from_seed("fuzz").expect("a key from a seed")));

fn frame(payload: &[u8], masked: bool) -> Vec<u8> {
    let mask_bit = if masked { 0x80 } else { 0 };
    let mut bytes = vec![0x82, mask_bit | 127];
    bytes.extend_from_slice(&(payload.len() as u64).to_be_bytes());
    if masked {
        bytes.extend_from_slice(&[0; 4]);
    }
    bytes.extend_from_slice(payload);
    bytes
}

fuzz_target!(|input: (bool, bool, &[u8])| {
    let (is_server, with_line, bytes) = input;
    RUNTIME.block_on(async {
        let (mut peer, ours) = tokio::io::duplex(1 << 20);
        if with_line {
            let line: &[u8] = if is_server { b"SSH-rport-v1-client\r\n" } else { b"SSH-rport-v1-server\r\n" };
            peer.write_all(&frame(line, is_server)).await.expect("there is room");
        }
        peer.write_all(&frame(bytes, is_server)).await.expect("there is room");
        peer.shutdown().await.expect("a pipe in memory");
        let (options, tasks) = (LinkOptions::default(), Tasks::new());
        if is_server {
            let ws = WsStream::server(ours, Vec::new());
            assert!(accept(ws, &KEY, &Nobody, &options, &tasks).await.is_err(), "nobody can log in");
        } else {
            let ws = WsStream::client(ours, Vec::new());
            let credentials = AgentCredentials { user: "u".to_owned(), password: Secret::new("p") };
            // Nobody has the key of a server, so no server can be pretended.
            assert!(connect(ws, &credentials, None, &options, &tasks).await.is_err(), "no server is here");
        }
    });
});
