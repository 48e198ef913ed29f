//! All datagrams of one UDP tunnel, on one channel.
//!
//! Each external sender, as the server names it, gets a connected socket of its own here (a *flow*), so that the
//! service tells the senders apart and answers find their way back. A flow ends when nothing has passed either way
//! for a while. Datagrams may be lost, never the tunnel: a service that is not there answers with ICMP errors, which
//! surface on the socket and are ignored. (A Go agent ends the whole tunnel on the first one.)

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use rport_protocol::udp::{UdpAddr, UdpDecoder, UdpEncoder, UdpFrame};
use rport_runtime::Tasks;
use rport_transport::Channel;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::debug;

/// How long a flow lives without traffic, as in the Go agent.
const IDLE: Duration = Duration::from_secs(15);

/// Most flows of one tunnel. The one that was quiet for longest makes room for a new sender.
const MAX_FLOWS: usize = 1024;

/// Largest datagram IP can carry.
const MAX_DATAGRAM: usize = 65_535;

/// Answers waiting for the link. When it is full, the kernel's buffers fill, and then datagrams are lost.
const QUEUE: usize = 64;

/// Pause after an error on a socket, so that one that fails all the time does not cost a processor.
const ERROR_PAUSE: Duration = Duration::from_millis(20);

/// Carries datagrams between the channel and the target until the channel ends.
pub(super) async fn serve(channel: Channel, addresses: &[SocketAddr], tasks: &Tasks) -> io::Result<()> {
    let (reader, writer) = tokio::io::split(channel);
    serve_streams(reader, writer, addresses, tasks).await
}

pub(super) async fn serve_streams(
    reader: impl AsyncRead + Unpin,
    writer: impl AsyncWrite + Unpin,
    addresses: &[SocketAddr],
    tasks: &Tasks,
) -> io::Result<()> {
    let (replies, outbox) = mpsc::channel(QUEUE);
    let flows = Flows {
        target: pick(addresses).ok_or(io::ErrorKind::AddrNotAvailable)?,
        table: Arc::default(),
        replies,
        tasks: tasks.child(),
    };
    let result = tokio::select! {
        result = inbound(reader, &flows) => result,
        result = outbound(writer, outbox) => result,
    };
    flows.tasks.abort();
    result
}

/// Go prefers IPv4 when a name has both.
fn pick(addresses: &[SocketAddr]) -> Option<SocketAddr> {
    addresses
        .iter()
        .find(|address| address.is_ipv4())
        .or(addresses.first())
        .copied()
}

async fn inbound(mut reader: impl AsyncRead + Unpin, flows: &Flows) -> io::Result<()> {
    let mut decoder = UdpDecoder::new();
    let mut buffer = vec![0; 32 * 1024];
    loop {
        let length = reader.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        decoder.push(&buffer[..length]);
        while let Some(frame) = decoder.next().map_err(io::Error::other)? {
            flows.forward(frame).await;
        }
    }
}

async fn outbound(
    mut writer: impl AsyncWrite + Unpin,
    mut outbox: mpsc::Receiver<UdpFrame>,
) -> io::Result<()> {
    let mut encoder = UdpEncoder::new();
    let mut bytes = Vec::new();
    while let Some(frame) = outbox.recv().await {
        bytes.clear();
        encoder.encode(&frame, &mut bytes);
        // Whatever else waits goes out with it; the sum stays small, and a packet costs more than a copy.
        while bytes.len() < 32 * 1024
            && let Ok(frame) = outbox.try_recv()
        {
            encoder.encode(&frame, &mut bytes);
        }
        writer.write_all(&bytes).await?;
        writer.flush().await?;
    }
    Ok(())
}

/// The senders of a tunnel and their sockets.
struct Flows {
    target: SocketAddr,
    table: Table,
    replies: mpsc::Sender<UdpFrame>,
    tasks: Tasks,
}

type Table = Arc<Mutex<HashMap<UdpAddr, Arc<Flow>>>>;

struct Flow {
    socket: UdpSocket,
    last_used: Mutex<Instant>,
    evicted: CancellationToken,
}

impl Flow {
    fn touch(&self) {
        *self.last_used.lock() = Instant::now();
    }

    fn deadline(&self) -> Instant {
        *self.last_used.lock() + IDLE
    }
}

impl Flows {
    async fn forward(&self, frame: UdpFrame) {
        let Some(sender) = frame.addr else {
            debug!("a datagram without a sender is dropped");
            return;
        };
        let known = self.table.lock().get(&sender).cloned();
        let flow = match known {
            Some(flow) => flow,
            None => match self.open(sender).await {
                Ok(flow) => flow,
                Err(error) => {
                    debug!("a datagram is dropped, no socket for it: {error}");
                    return;
                }
            },
        };
        flow.touch();
        if let Err(error) = flow.socket.send(&frame.data).await {
            // Usually the ICMP answer to an earlier datagram.
            debug!("a datagram was not sent: {error}");
        }
    }

    async fn open(&self, sender: UdpAddr) -> io::Result<Arc<Flow>> {
        let any: SocketAddr = match self.target {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(any).await?;
        socket.connect(self.target).await?;
        let flow = Arc::new(Flow {
            socket,
            last_used: Mutex::new(Instant::now()),
            evicted: CancellationToken::new(),
        });
        {
            let mut table = self.table.lock();
            if table.len() >= MAX_FLOWS {
                evict_quietest(&mut table);
            }
            table.insert(sender.clone(), flow.clone());
        }
        let (table, replies, task_flow) = (self.table.clone(), self.replies.clone(), flow.clone());
        self.tasks.spawn("udp flow", async move {
            let evicted = task_flow.evicted.clone();
            evicted
                .run_until_cancelled(answers(&task_flow, &sender, &replies))
                .await;
            let mut table = table.lock();
            // An evicted flow's sender may have a new one by now.
            if table
                .get(&sender)
                .is_some_and(|current| Arc::ptr_eq(current, &task_flow))
            {
                table.remove(&sender);
            }
        });
        Ok(flow)
    }
}

fn evict_quietest(table: &mut HashMap<UdpAddr, Arc<Flow>>) {
    let quietest = table.iter().min_by_key(|(_, flow)| *flow.last_used.lock());
    if let Some(sender) = quietest.map(|(sender, _)| sender.clone())
        && let Some(flow) = table.remove(&sender)
    {
        flow.evicted.cancel();
    }
}

/// Returns the target's answers to their sender until the flow has been quiet for too long.
async fn answers(flow: &Flow, sender: &UdpAddr, replies: &mpsc::Sender<UdpFrame>) {
    loop {
        let deadline = flow.deadline();
        match timeout_at(deadline, receive(&flow.socket)).await {
            Ok(Ok(data)) => {
                flow.touch();
                if replies
                    .send(UdpFrame {
                        addr: Some(sender.clone()),
                        data,
                    })
                    .await
                    .is_err()
                {
                    return;
                }
            }
            Ok(Err(error)) => {
                debug!("error on the socket of a datagram flow: {error}");
                sleep(ERROR_PAUSE).await;
            }
            // Datagrams towards the target may have moved the deadline meanwhile.
            Err(_) if flow.deadline() > Instant::now() => {}
            Err(_) => return,
        }
    }
}

/// Receives one datagram. Quiet flows hold no buffer: it is made when something is there.
async fn receive(socket: &UdpSocket) -> io::Result<Bytes> {
    loop {
        socket.readable().await?;
        let mut buffer = BytesMut::with_capacity(MAX_DATAGRAM);
        match socket.try_recv_buf(&mut buffer) {
            Ok(_) => return Ok(Bytes::copy_from_slice(&buffer)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}
