//! Deadlines between the requests of an HTTP/1 connection.
//!
//! A header block has to be complete within seconds of its first byte, so that nobody holds connections by trickling.
//! Between two requests a connection may idle for longer: browsers and programs that ask every half minute would
//! otherwise open a new one, with its TLS handshake, every time. Hyper has one deadline for both, hence this.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// How long each silence may last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// From the first byte of a header block to its end; the first block's time starts with the connection.
    pub(crate) header: Duration,
    /// From the end of an answer to the first byte of the next request.
    pub(crate) idle: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
enum Phase {
    /// A header block is awaited or arrives.
    Header,
    /// A request is being answered.
    Busy,
    /// An answer has gone out and the next request has not begun.
    Idle,
    /// The connection speaks no HTTP any more.
    Upgraded,
}

/// Low bits hold the phase, the others count changes.
const PHASES: u64 = 4;

/// What happens on a connection, told by whoever serves its requests.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pace(Arc<AtomicU64>);

impl Pace {
    fn enter(&self, phase: Phase) {
        let change = |state: u64| Some((state / PHASES + 1) * PHASES + phase as u64);
        // The closure always returns a state.
        let _ = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, change);
    }

    fn state(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    fn phase(state: u64) -> Phase {
        match state % PHASES {
            0 => Phase::Header,
            1 => Phase::Busy,
            2 => Phase::Idle,
            _ => Phase::Upgraded,
        }
    }

    /// A request has arrived. It is being answered until the result is dropped.
    pub(crate) fn busy(&self) -> Busy {
        self.enter(Phase::Busy);
        Busy(self.clone())
    }

    /// From now on the connection carries something else than requests.
    pub(crate) fn upgraded(&self) {
        self.enter(Phase::Upgraded);
    }
}

/// Held while a request is being answered.
#[must_use]
pub(crate) struct Busy(Pace);

impl Drop for Busy {
    fn drop(&mut self) {
        if Pace::phase(self.0.state()) == Phase::Busy {
            self.0.enter(Phase::Idle);
        }
    }
}

/// A connection whose reads fail when a silence lasts too long.
pub(crate) struct Paced<S> {
    stream: S,
    pace: Pace,
    limits: Limits,
    /// The state the deadline was set for.
    armed: u64,
    deadline: Pin<Box<Sleep>>,
}

impl<S> Paced<S> {
    pub(crate) fn new(stream: S, pace: Pace, limits: Limits) -> Self {
        Self {
            stream,
            armed: pace.state(),
            pace,
            deadline: Box::pin(sleep(limits.header)),
            limits,
        }
    }

    /// Fails once the present silence has lasted too long.
    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        let state = self.pace.state();
        let limit = match Pace::phase(state) {
            Phase::Header => self.limits.header,
            Phase::Idle => self.limits.idle,
            Phase::Busy | Phase::Upgraded => return Ok(()),
        };
        if state != self.armed {
            self.armed = state;
            self.deadline.as_mut().reset(Instant::now() + limit);
        }
        match self.deadline.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(context)?;
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if buffer.filled().len() > before && Pace::phase(self.pace.state()) == Phase::Idle {
            self.pace.enter(Phase::Header);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    const LIMITS: Limits = Limits {
        header: Duration::from_secs(5),
        idle: Duration::from_secs(75),
    };

    fn connection() -> (DuplexStream, Paced<DuplexStream>, Pace) {
        let (ours, theirs) = duplex(64);
        let pace = Pace::default();
        (theirs, Paced::new(ours, pace.clone(), LIMITS), pace)
    }

    /// How long a read waits until it fails.
    async fn silence(paced: &mut Paced<DuplexStream>) -> u64 {
        let started = Instant::now();
        let error = paced.read_u8().await.expect_err("nothing comes");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        started.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_newcomer_is_cut_off_sooner_than_an_idle_acquaintance() {
        let (_peer, mut paced, _) = connection();
        assert_eq!(silence(&mut paced).await, 5);
        let (_peer, mut paced, pace) = connection();
        drop(pace.busy());
        assert_eq!(silence(&mut paced).await, 75);
        // Each answer starts the time anew, also when nothing was read in between.
        drop(pace.busy());
        assert_eq!(silence(&mut paced).await, 75);
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_header_block_may_not_trickle() {
        let (mut peer, mut paced, pace) = connection();
        drop(pace.busy());
        let started = Instant::now();
        let trickle = async {
            while peer.write_u8(b'x').await.is_ok() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        };
        let read = async { while paced.read_u8().await.is_ok() {} };
        tokio::select! {
            () = trickle => panic!("the reader is cut off first"),
            () = read => assert!(started.elapsed().as_secs() <= 6),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn answers_and_upgrades_have_no_deadline() {
        let (mut peer, mut paced, pace) = connection();
        let busy = pace.busy();
        let read = tokio::time::timeout(Duration::from_secs(3600), paced.read_u8());
        read.await.expect_err("it waits");
        pace.upgraded();
        drop(busy);
        let read = tokio::time::timeout(Duration::from_secs(3600), paced.read_u8());
        read.await.expect_err("it waits");
        peer.write_u8(b'x').await.expect("open");
        assert_eq!(paced.read_u8().await.expect("a byte"), b'x');
    }
}
