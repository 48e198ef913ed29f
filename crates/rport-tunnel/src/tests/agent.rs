//! An agent that does what a test wants.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;
use rport_protocol::udp::{UdpAddr, UdpDecoder, UdpEncoder};
use rport_runtime::Tasks;
use rport_transport::{Channel, Connection, Event, LinkOptions, pair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What the agent does with a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Does {
    /// Sends back what comes.
    Echo,
    /// Refuses the channel.
    Refuse,
    /// Does not answer.
    Stall,
    /// Accepts and closes at once, as a Go agent whose service is down.
    Close,
    /// Answers each datagram in capitals.
    Capitals,
    /// Answers each datagram to an address that never asked.
    Strangers,
    /// Accepts and never reads.
    Sleep,
    /// Is a web service, see `web.rs`.
    Web,
    /// The same inside TLS, with a certificate nobody knows.
    WebTls,
}

pub(super) struct Agent {
    /// The server's end.
    pub(super) connection: Connection,
    pub(super) targets: Arc<Mutex<Vec<String>>>,
    pub(super) opened: Arc<AtomicUsize>,
    does: Arc<Mutex<Does>>,
}

impl Agent {
    pub(super) async fn start(does: Does, tasks: &Tasks) -> Self {
        let (agent, server) = pair("test", &LinkOptions::default(), tasks)
            .await
            .expect("handshake in memory");
        let opened = Arc::new(AtomicUsize::new(0));
        let targets = Arc::new(Mutex::new(Vec::new()));
        let does = Arc::new(Mutex::new(does));
        let this = Self {
            connection: server.connection,
            targets: targets.clone(),
            opened: opened.clone(),
            does: does.clone(),
        };
        let spawner = tasks.clone();
        tasks.spawn("test-agent", async move {
            let _link = agent.connection;
            let mut incoming = agent.incoming;
            let mut stalled = Vec::new();
            while let Some(event) = incoming.next().await {
                let Event::Channel(channel) = event else { continue };
                targets
                    .lock()
                    .push(String::from_utf8_lossy(&channel.extra).into_owned());
                let does = *does.lock();
                match does {
                    Does::Refuse => channel.reject(1, "not allowed with \"tunnel_allowed\" config"),
                    Does::Stall => stalled.push(channel),
                    Does::Close => drop(channel.accept()),
                    _ => {
                        spawner.spawn("test-channel", serve(channel.accept(), does));
                    }
                }
                opened.fetch_add(1, Ordering::SeqCst);
            }
        });
        this
    }

    pub(super) fn now_does(&self, does: Does) {
        *self.does.lock() = does;
    }

    pub(super) fn opened(&self) -> usize {
        self.opened.load(Ordering::SeqCst)
    }
}

async fn serve(mut channel: Channel, does: Does) {
    match does {
        Does::Echo => {
            let mut buffer = vec![0; 16 * 1024];
            while let Ok(n @ 1..) = channel.read(&mut buffer).await {
                if channel.write_all(&buffer[..n]).await.is_err() {
                    return;
                }
            }
        }
        Does::Web => super::web::serve(channel).await,
        Does::WebTls => super::web::serve_tls(channel).await,
        Does::Capitals | Does::Strangers => frames(channel, does).await,
        _ => std::future::pending().await,
    }
}

async fn frames(mut channel: Channel, does: Does) {
    let (mut decoder, mut encoder) = (UdpDecoder::new(), UdpEncoder::new());
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(n @ 1..) = channel.read(&mut buffer).await {
        decoder.push(&buffer[..n]);
        let mut out = Vec::new();
        while let Some(mut frame) = decoder.next().expect("our own frames") {
            if &frame.data[..] == b"close" {
                return;
            }
            if does == Does::Strangers {
                let stranger = frame.addr.as_ref().map_or(1, |addr| addr.port.wrapping_add(1));
                frame.addr = UdpAddr::from_raw(&[127, 0, 0, 1], stranger, "");
            }
            frame.data = Bytes::from(frame.data.to_ascii_uppercase());
            encoder.encode(&frame, &mut out);
        }
        if channel.write_all(&out).await.is_err() {
            return;
        }
    }
}
