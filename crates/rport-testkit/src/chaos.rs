//! A TCP proxy that misbehaves on command.
//!
//! It stands between agents and the server. [`ChaosProxy::set`] changes what happens to every link at once, those
//! already there and those to come; [`ChaosProxy::cut`] ends the present ones.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use rport_runtime::Tasks;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, watch},
    time::Instant,
};

/// Chunks on their way through one direction of a link: bounds what a delayed link can hold.
const IN_FLIGHT: usize = 1024;
const CHUNK: usize = 16 * 1024;

/// What the proxy does to the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Passes everything on at once.
    Pass,
    /// Passes everything on, this much later.
    Delay(Duration),
    /// Reads nothing and passes nothing on; the sockets stay open, so the senders' buffers fill up.
    Stall,
    /// Reads everything and throws it away: a link whose packets are dropped, with no end in sight.
    ///
    /// What was swallowed is missing for good, so the streams make no sense any more when the mode changes back.
    Swallow,
    /// Throws away what the agent sends, passes on what the server sends: a half-open link.
    SwallowFromAgent,
    /// Throws away what the server sends, passes on what the agent sends: a half-open link.
    SwallowFromServer,
    /// Passes on single bytes with this pause between them.
    Trickle(Duration),
}

/// How a link ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// An orderly end on both sides.
    Close,
    /// A reset on both sides.
    Reset,
    /// A reset towards the server; the agent hears nothing at all.
    OnlyServerHears,
    /// A reset towards the agent; the server hears nothing at all.
    OnlyAgentHears,
    /// Nobody hears anything, ever again: a link whose packets are dropped.
    NobodyHears,
}

#[derive(Debug, Clone, Copy)]
struct Orders {
    mode: Mode,
    /// Links older than this many orders to cut end.
    cuts: u64,
    cut: Cut,
}

/// The proxy; everything ends when it is dropped.
pub struct ChaosProxy {
    address: SocketAddr,
    orders: watch::Sender<Orders>,
    links: Arc<AtomicUsize>,
    tasks: Tasks,
}

impl Drop for ChaosProxy {
    fn drop(&mut self) {
        self.tasks.abort();
    }
}

impl ChaosProxy {
    /// Listens on a port of its own and passes links on to `target`.
    ///
    /// # Errors
    ///
    /// When no socket can be bound.
    pub async fn start(target: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (orders, seen) = watch::channel(Orders {
            mode: Mode::Pass,
            cuts: 0,
            cut: Cut::Reset,
        });
        let links = Arc::new(AtomicUsize::new(0));
        let tasks = Tasks::new();
        let (inner, counter) = (tasks.clone(), links.clone());
        tasks.spawn("chaos", async move {
            while let Ok((agent, _)) = listener.accept().await {
                let orders = seen.clone();
                let counter = counter.clone();
                inner.spawn("chaos link", async move {
                    counter.fetch_add(1, Ordering::Relaxed);
                    link(agent, target, orders).await;
                    counter.fetch_sub(1, Ordering::Relaxed);
                });
            }
        });
        Ok(Self {
            address,
            orders,
            links,
            tasks,
        })
    }

    /// Where agents connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many links are held, those included of which only one side has ended.
    pub fn links(&self) -> usize {
        self.links.load(Ordering::Relaxed)
    }

    /// Changes the treatment of all links.
    pub fn set(&self, mode: Mode) {
        self.orders.send_modify(|orders| orders.mode = mode);
    }

    /// Ends all present links.
    pub fn cut(&self, cut: Cut) {
        self.orders.send_modify(|orders| {
            orders.cuts += 1;
            orders.cut = cut;
        });
    }
}

/// One link from accept to end.
async fn link(agent: TcpStream, target: SocketAddr, mut orders: watch::Receiver<Orders>) {
    let born = orders.borrow().cuts;
    let Ok(server) = TcpStream::connect(target).await else {
        return;
    };
    let _ = agent.set_nodelay(true);
    let _ = server.set_nodelay(true);
    let (from_agent, to_agent) = agent.into_split();
    let (from_server, to_server) = server.into_split();
    let up = pump(from_agent, to_server, orders.clone(), true);
    let down = pump(from_server, to_agent, orders.clone(), false);
    let mut up = std::pin::pin!(up);
    let mut down = std::pin::pin!(down);
    let (mut up_done, mut down_done) = (None, None);
    loop {
        tokio::select! {
            halves = &mut up, if up_done.is_none() => up_done = Some(halves),
            halves = &mut down, if down_done.is_none() => down_done = Some(halves),
            changed = orders.changed() => {
                let now = *orders.borrow_and_update();
                if changed.is_err() { return }
                if now.cuts > born { break }
            }
        }
        if let (Some(_), Some(_)) = (&up_done, &down_done) {
            return;
        }
    }
    let cut = orders.borrow().cut;
    // The pumps give their halves back when they see the order to cut.
    let (from_agent, to_server) = match up_done {
        Some(halves) => halves,
        None => up.await,
    };
    let (from_server, to_agent) = match down_done {
        Some(halves) => halves,
        None => down.await,
    };
    let (Ok(agent), Ok(server)) = (from_agent.reunite(to_agent), from_server.reunite(to_server)) else {
        return;
    };
    match cut {
        Cut::Close => {}
        Cut::Reset => {
            reset(&agent);
            reset(&server);
        }
        Cut::OnlyServerHears => {
            reset(&server);
            drop(server);
            keep(agent, orders).await;
        }
        Cut::OnlyAgentHears => {
            reset(&agent);
            drop(agent);
            keep(server, orders).await;
        }
        Cut::NobodyHears => {
            tokio::join!(keep(agent, orders.clone()), keep(server, orders));
        }
    }
}

/// Makes the close of this socket a reset.
fn reset(socket: &TcpStream) {
    let _ = socket2::SockRef::from(socket).set_linger(Some(Duration::ZERO));
}

/// Keeps one side of a dead link, throwing away what it sends, until it gives up or the proxy ends.
async fn keep(mut socket: TcpStream, mut orders: watch::Receiver<Orders>) {
    let mut buffer = vec![0; CHUNK];
    loop {
        tokio::select! {
            read = socket.read(&mut buffer) => if !matches!(read, Ok(n) if n > 0) { return },
            changed = orders.changed() => if changed.is_err() { return },
        }
    }
}

/// Moves one direction. Returns its halves at the end of the stream or when the link is to be cut.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut orders: watch::Receiver<Orders>,
    from_agent: bool,
) -> (OwnedReadHalf, OwnedWriteHalf) {
    let born = orders.borrow().cuts;
    let (sender, mut receiver) = mpsc::channel::<(Instant, Bytes)>(IN_FLIGHT);
    let mut reader_orders = orders.clone();
    let read = async move {
        let mut buffer = vec![0; CHUNK];
        loop {
            let Orders { mode, cuts, .. } = *reader_orders.borrow_and_update();
            if cuts > born {
                return from;
            }
            if mode == Mode::Stall {
                if reader_orders.changed().await.is_err() {
                    return from;
                }
                continue;
            }
            let n = tokio::select! {
                read = from.read(&mut buffer) => match read { Ok(n) if n > 0 => n, _ => return from },
                changed = reader_orders.changed() => match changed { Ok(()) => continue, Err(_) => return from },
            };
            let due = match mode {
                Mode::Delay(by) => Instant::now() + by,
                _ => Instant::now(),
            };
            let swallowed = mode == Mode::Swallow
                || (mode == Mode::SwallowFromAgent && from_agent)
                || (mode == Mode::SwallowFromServer && !from_agent);
            if !swallowed
                && sender
                    .send((due, Bytes::copy_from_slice(&buffer[..n])))
                    .await
                    .is_err()
            {
                return from;
            }
        }
    };
    let write = async move {
        while let Some((due, bytes)) = receiver.recv().await {
            tokio::time::sleep_until(due).await;
            let Orders { mode, cuts, .. } = *orders.borrow_and_update();
            if cuts > born {
                break;
            }
            let result = match mode {
                Mode::Trickle(pause) => trickle(&mut to, &bytes, pause, &mut orders).await,
                _ => tokio::select! {
                    result = to.write_all(&bytes) => result,
                    () = cut_ordered(&mut orders, born) => break,
                },
            };
            if result.is_err() {
                break;
            }
        }
        // A cut decides by itself which side hears of the end.
        if orders.borrow().cuts == born {
            let _ = to.shutdown().await;
        }
        to
    };
    tokio::join!(read, write)
}

/// Waits until links born before order number `born + 1` have to end.
async fn cut_ordered(orders: &mut watch::Receiver<Orders>, born: u64) {
    // An error means that the proxy is gone, which ends the link as well.
    let _ = orders.wait_for(|orders| orders.cuts > born).await;
}

async fn trickle(
    to: &mut OwnedWriteHalf,
    bytes: &Bytes,
    pause: Duration,
    orders: &mut watch::Receiver<Orders>,
) -> std::io::Result<()> {
    let born = orders.borrow().cuts;
    for (at, byte) in bytes.iter().enumerate() {
        to.write_all(&[*byte]).await?;
        tokio::time::sleep(pause).await;
        let now = *orders.borrow();
        if now.cuts > born {
            return Ok(());
        }
        if !matches!(now.mode, Mode::Trickle(_)) {
            return to.write_all(&bytes[at + 1..]).await;
        }
    }
    Ok(())
}
