//! Which addresses a UDP tunnel may answer.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

/// How many addresses one generation remembers; two generations live at a time.
const GENERATION_SIZE: usize = 4096;
/// How long an address without traffic is remembered at least.
const GENERATION_AGE: Duration = Duration::from_secs(300);

/// Remembers the addresses that wrote to a UDP tunnel lately.
///
/// The client names the address of each answer. Without this memory a hostile client could make the server send
/// datagrams to anybody. Two generations bound the memory without keeping a clock per address: an address is
/// forgotten after between one and two ages without traffic, or when more addresses came than fit.
#[derive(Debug)]
pub(crate) struct RecentVisitors {
    young: HashSet<SocketAddr>,
    old: HashSet<SocketAddr>,
    turned: Instant,
}

impl RecentVisitors {
    pub(crate) fn new() -> Self {
        Self {
            young: HashSet::new(),
            old: HashSet::new(),
            turned: Instant::now(),
        }
    }

    /// Notes that `address` wrote to the tunnel.
    pub(crate) fn saw(&mut self, address: SocketAddr) {
        if self.turned.elapsed() >= GENERATION_AGE {
            // After a long silence both generations are too old.
            if self.turned.elapsed() >= GENERATION_AGE * 2 {
                self.young.clear();
            }
            self.turn();
        } else if self.young.len() >= GENERATION_SIZE && !self.young.contains(&address) {
            self.turn();
        }
        self.young.insert(address);
    }

    /// Whether `address` wrote lately. Asking counts as traffic: the caller is about to answer it.
    pub(crate) fn knows(&mut self, address: SocketAddr) -> bool {
        let known = self.young.contains(&address) || self.old.contains(&address);
        if known {
            self.saw(address);
        }
        known
    }

    fn turn(&mut self) {
        self.old = std::mem::take(&mut self.young);
        self.turned = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: usize) -> SocketAddr {
        let [.., a, b, c] = n.to_be_bytes();
        SocketAddr::from(([10, a, b, c], 53))
    }

    #[tokio::test(start_paused = true)]
    async fn answers_keep_an_address_known_and_silence_forgets_it() {
        let mut visitors = RecentVisitors::new();
        assert!(!visitors.knows(address(1)));
        visitors.saw(address(1));
        for _ in 0..10 {
            tokio::time::advance(GENERATION_AGE - Duration::from_secs(1)).await;
            assert!(visitors.knows(address(1)));
        }
        for _ in 0..3 {
            tokio::time::advance(GENERATION_AGE).await;
            visitors.saw(address(2));
        }
        assert!(!visitors.knows(address(1)));
        assert!(visitors.knows(address(2)));
    }

    #[tokio::test]
    async fn memory_is_bounded() {
        let mut visitors = RecentVisitors::new();
        for n in 0..GENERATION_SIZE * 5 {
            visitors.saw(address(n));
            assert!(visitors.young.len() + visitors.old.len() <= GENERATION_SIZE * 2);
        }
        assert!(visitors.knows(address(GENERATION_SIZE * 5 - 1)));
        assert!(!visitors.knows(address(0)));
    }
}
