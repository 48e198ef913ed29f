//! Ports for programs that a test starts.

use std::{
    collections::HashSet,
    net::{TcpListener, UdpSocket},
    sync::{
        LazyLock,
        atomic::{AtomicU16, Ordering},
    },
};

use parking_lot::Mutex;

/// Below the ports that the kernel gives to outgoing connections and outside the tunnel ports.
const FIRST: u16 = 10_000;
const LAST: u16 = 19_999;
/// Where the server may put tunnels by default.
const TUNNELS_FIRST: u16 = 20_000;
const TUNNELS_LAST: u16 = 29_999;

static GIVEN: LazyLock<Mutex<HashSet<u16>>> = LazyLock::new(Mutex::default);
static NEXT: LazyLock<AtomicU16> = LazyLock::new(|| AtomicU16::new(start(FIRST, LAST)));
static NEXT_TUNNEL: LazyLock<AtomicU16> =
    LazyLock::new(|| AtomicU16::new(start(TUNNELS_FIRST, TUNNELS_LAST)));

/// Test processes running side by side start at different places.
fn start(first: u16, last: u16) -> u16 {
    let spread = u32::from(last - first);
    let id = std::process::id().wrapping_mul(2_654_435_761) % spread;
    first + u16::try_from(id).unwrap_or_default()
}

fn step(next: &AtomicU16, by: u16, first: u16, last: u16) -> u16 {
    next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |port| {
        Some(if port.saturating_add(2 * by) > last {
            first
        } else {
            port + by
        })
    })
    .unwrap_or(first)
}

fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok() && UdpSocket::bind(("127.0.0.1", port)).is_ok()
}

/// Finds a port of 127.0.0.1 on which nothing listens; never gives one twice.
///
/// For programs that cannot bind port 0 and tell. Nothing keeps another process from taking the port in between, so
/// tests in this process bind port 0 themselves.
///
/// # Panics
///
/// When no port is free.
pub fn free() -> u16 {
    for _ in FIRST..=LAST {
        let port = step(&NEXT, 1, FIRST, LAST);
        if is_free(port) && GIVEN.lock().insert(port) {
            return port;
        }
    }
    panic!("no port is free between {FIRST} and {LAST}");
}

/// Gives a range of tunnel ports, as `used_ports` wants it, that no other test of this process uses.
pub fn tunnel_range(size: u16) -> (u16, u16) {
    for _ in 0..1000 {
        let first = step(&NEXT_TUNNEL, size, TUNNELS_FIRST, TUNNELS_LAST);
        if (first..first + size).all(is_free) {
            return (first, first + size - 1);
        }
    }
    panic!("no {size} ports in a row are free between {TUNNELS_FIRST} and {TUNNELS_LAST}");
}
