//! Load on one visitor address, and what came of it.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow};

use super::target::{BUFFER, PING, Role, Target};

/// Start of each measurement that does not count: TCP windows open, buffers grow.
const WARM_UP: Duration = Duration::from_millis(500);
/// No single read or write of a measurement takes longer, so a stuck tunnel ends the benchmark.
const STUCK: Duration = Duration::from_secs(20);

/// Which way the bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the visitor to the target behind the agent.
    Up,
    /// From the target behind the agent to the visitor.
    Down,
}

/// What a throughput measurement saw.
#[derive(Debug, Clone, Copy)]
pub struct Throughput {
    /// MB (10^6 bytes) per second while it counted.
    pub megabytes_per_second: f64,
    /// All bytes moved, those of the warm-up included, to relate CPU time to.
    pub bytes: u64,
}

/// What a series of round trips or of connections saw.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// How many per second.
    pub per_second: f64,
    /// How many in all.
    pub count: u64,
    /// Median, in microseconds.
    pub p50: f64,
    /// 99th percentile, in microseconds.
    pub p99: f64,
}

/// Connects and says what the target shall do.
fn visit(address: SocketAddr, role: Role) -> anyhow::Result<TcpStream> {
    let mut socket = TcpStream::connect(address).context("cannot connect to the tunnel")?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(STUCK))?;
    socket.set_write_timeout(Some(STUCK))?;
    socket.write_all(&[role.byte()])?;
    Ok(socket)
}

/// Streams that run until this is stopped.
struct Bulk {
    stop: Arc<AtomicBool>,
    moved: Arc<AtomicU64>,
    threads: Vec<JoinHandle<anyhow::Result<()>>>,
}

impl Bulk {
    fn start(address: SocketAddr, direction: Direction, streams: usize) -> anyhow::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let moved = Arc::new(AtomicU64::new(0));
        let role = match direction {
            Direction::Up => Role::Sink,
            Direction::Down => Role::Source,
        };
        let mut threads = Vec::with_capacity(streams);
        for _ in 0..streams {
            let mut socket = visit(address, role)?;
            let (stop, moved) = (stop.clone(), moved.clone());
            threads.push(thread::spawn(move || {
                let mut buffer = vec![0xa5; BUFFER];
                while !stop.load(Ordering::Relaxed) {
                    match direction {
                        Direction::Up => socket.write_all(&buffer).context("the tunnel broke")?,
                        Direction::Down => {
                            let n = socket.read(&mut buffer).context("the tunnel broke")?;
                            if n == 0 {
                                return Err(anyhow!("the tunnel closed under the download"));
                            }
                            moved.fetch_add(n as u64, Ordering::Relaxed);
                        }
                    }
                }
                Ok(())
            }));
        }
        Ok(Self { stop, moved, threads })
    }

    fn stop(self) -> anyhow::Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().map_err(|_| anyhow!("a load thread panicked"))??;
        }
        Ok(())
    }
}

/// Moves bytes through parallel streams for a while. Bytes count where they arrive.
///
/// # Errors
///
/// When a connection fails.
pub fn throughput(
    address: SocketAddr,
    target: &Target,
    direction: Direction,
    streams: usize,
    duration: Duration,
) -> anyhow::Result<Throughput> {
    let before = target.received();
    let bulk = Bulk::start(address, direction, streams)?;
    let moved = bulk.moved.clone();
    let arrived = || match direction {
        Direction::Up => target.received() - before,
        Direction::Down => moved.load(Ordering::Relaxed),
    };
    thread::sleep(WARM_UP);
    let (start, first) = (Instant::now(), arrived());
    thread::sleep(duration);
    let (elapsed, last) = (start.elapsed(), arrived());
    bulk.stop()?;
    let megabytes_per_second = (last - first) as f64 / 1e6 / elapsed.as_secs_f64();
    Ok(Throughput {
        megabytes_per_second,
        bytes: arrived(),
    })
}

/// Sends pings of 64 bytes, one at a time.
///
/// # Errors
///
/// When the connection fails.
pub fn ping_pong(address: SocketAddr, duration: Duration) -> anyhow::Result<Times> {
    let mut socket = visit(address, Role::Echo)?;
    let mut ping = [7; PING];
    let warm = Instant::now() + WARM_UP;
    let mut times = Vec::with_capacity(200_000);
    let end = warm + duration;
    loop {
        let start = Instant::now();
        if start > end {
            break;
        }
        socket.write_all(&ping)?;
        socket.read_exact(&mut ping)?;
        if start > warm {
            times.push(start.elapsed());
        }
    }
    summary(times, duration)
}

/// Sends pings beside one bulk download through the same tunnel. Returns both.
///
/// # Errors
///
/// When a connection fails.
pub fn ping_beside_bulk(address: SocketAddr, duration: Duration) -> anyhow::Result<(Times, Throughput)> {
    let bulk = Bulk::start(address, Direction::Down, 1)?;
    let moved = bulk.moved.clone();
    let (start, first) = (Instant::now(), moved.load(Ordering::Relaxed));
    let times = ping_pong(address, duration)?;
    let (elapsed, last) = (start.elapsed(), moved.load(Ordering::Relaxed));
    bulk.stop()?;
    let megabytes_per_second = (last - first) as f64 / 1e6 / elapsed.as_secs_f64();
    Ok((
        times,
        Throughput {
            megabytes_per_second,
            bytes: moved.load(Ordering::Relaxed),
        },
    ))
}

/// Connects, waits for one byte from the target and closes, over and over.
///
/// # Errors
///
/// When a connection fails.
pub fn connections(address: SocketAddr, at_once: usize, duration: Duration) -> anyhow::Result<Times> {
    let threads: Vec<JoinHandle<anyhow::Result<Vec<Duration>>>> = (0..at_once)
        .map(|_| {
            thread::spawn(move || {
                let mut times = Vec::with_capacity(50_000);
                let end = Instant::now() + duration;
                loop {
                    let start = Instant::now();
                    if start > end {
                        return Ok(times);
                    }
                    let mut socket = visit(address, Role::Greet)?;
                    socket.read_exact(&mut [0])?;
                    times.push(start.elapsed());
                }
            })
        })
        .collect();
    let mut all = Vec::new();
    for thread in threads {
        all.extend(thread.join().map_err(|_| anyhow!("a load thread panicked"))??);
    }
    summary(all, duration)
}

fn summary(mut times: Vec<Duration>, duration: Duration) -> anyhow::Result<Times> {
    times.sort_unstable();
    let at = |share: f64| -> anyhow::Result<f64> {
        let index = ((times.len() as f64 * share) as usize).min(times.len().saturating_sub(1));
        Ok(times
            .get(index)
            .context("not one round trip was made")?
            .as_secs_f64()
            * 1e6)
    };
    Ok(Times {
        per_second: times.len() as f64 / duration.as_secs_f64(),
        count: times.len() as u64,
        p50: at(0.5)?,
        p99: at(0.99)?,
    })
}
