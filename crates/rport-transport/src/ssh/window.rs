//! How much a peer may send on a channel before we say more: a window that follows delay times bandwidth.
//!
//! The window bounds both the memory that a stuck reader can cost and the queue that a bulk transfer builds up in
//! front of a keystroke. So it starts small and grows only when half of it is consumed in less than a round trip,
//! which means that the sender had to wait for us.

use std::time::{Duration, Instant};

/// Granted at first to our own programs.
const OURS_INITIAL: u32 = 256 * 1024;
/// Granted to Go peers, whose round trip we do not measure: what they grant themselves.
const GO_INITIAL: u32 = 2 * 1024 * 1024;
/// A window never grows beyond this: 8 MiB carry 640 Mbit/s over 100 ms.
const LARGEST: u32 = 8 * 1024 * 1024;

/// Book-keeping of the bytes that the peer may send to us.
#[derive(Debug)]
pub(crate) struct ReceiveWindow {
    /// What the peer may still send.
    left: u32,
    size: u32,
    /// Consumed by the reader and not yet granted again.
    consumed: u32,
    last_grant: Option<Instant>,
}

/// The initial window for a peer.
pub(crate) fn initial(peer_is_ours: bool) -> u32 {
    if peer_is_ours { OURS_INITIAL } else { GO_INITIAL }
}

impl ReceiveWindow {
    pub(crate) fn new(peer_is_ours: bool) -> Self {
        let size = initial(peer_is_ours);
        Self {
            left: size,
            size,
            consumed: 0,
            last_grant: None,
        }
    }

    /// Notes that `n` bytes arrived; `false` means the peer sent more than it may.
    pub(crate) fn received(&mut self, n: usize) -> bool {
        match u32::try_from(n).ok().and_then(|n| self.left.checked_sub(n)) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }

    /// Notes that the reader took `n` bytes; returns what to grant the peer now, if it is worth a packet.
    pub(crate) fn consumed(&mut self, n: usize, round_trip: Option<Duration>, now: Instant) -> Option<u32> {
        self.consumed = self.consumed.saturating_add(u32::try_from(n).unwrap_or(u32::MAX));
        if self.consumed < self.size / 2 {
            return None;
        }
        let mut grant = std::mem::take(&mut self.consumed);
        let sender_waits = match (self.last_grant, round_trip) {
            (Some(last), Some(round_trip)) => now.duration_since(last) < round_trip,
            _ => false,
        };
        if sender_waits && self.size < LARGEST {
            grant += self.size;
            self.size *= 2;
        }
        self.last_grant = Some(now);
        self.left += grant;
        Some(grant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(100);

    #[test]
    fn grants_come_at_half_the_window() {
        let mut w = ReceiveWindow::new(true);
        let start = Instant::now();
        assert!(w.received(200_000));
        assert_eq!(w.consumed(100_000, Some(RTT), start), None);
        assert_eq!(w.consumed(100_000, Some(RTT), start), Some(200_000));
        assert!(w.received(OURS_INITIAL as usize));
        assert!(!w.received(1), "beyond the window");
    }

    #[test]
    fn a_sender_that_must_wait_gets_a_larger_window() {
        let mut w = ReceiveWindow::new(true);
        let mut now = Instant::now();
        let mut granted = OURS_INITIAL;
        for _ in 0..10 {
            let half = w.size / 2;
            assert!(w.received(half as usize));
            now += RTT / 2;
            granted = w
                .consumed(half as usize, Some(RTT), now)
                .expect("half is worth a packet");
        }
        assert_eq!(w.size, LARGEST);
        assert_eq!(granted, LARGEST / 2);
    }

    #[test]
    fn a_slow_sender_keeps_the_small_window() {
        let mut w = ReceiveWindow::new(true);
        let mut now = Instant::now();
        for _ in 0..10 {
            let half = w.size / 2;
            assert!(w.received(half as usize));
            now += RTT * 2;
            w.consumed(half as usize, Some(RTT), now);
        }
        assert_eq!(w.size, OURS_INITIAL);
    }
}
