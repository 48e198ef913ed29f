//! What a process prints: read to the end, kept up to a limit.

use std::pin::pin;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::Notify;

/// Size of one read. Pipes hold 64 KiB; a larger buffer would never fill.
const READ: usize = 64 * 1024;

/// One output stream of a job.
///
/// The process is never held up: what exceeds the limit is read and dropped. Lines play no part, so that a line of
/// any length is nothing special. Memory is bounded by the limit, which live viewers share: they read from here at
/// their own pace.
#[derive(Debug)]
pub(super) struct Capture {
    limit: usize,
    kept: Mutex<Kept>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Kept {
    bytes: Vec<u8>,
    overflow: bool,
    ended: bool,
}

/// A piece of output for a viewer.
pub(super) enum Piece {
    /// More bytes.
    Bytes(Vec<u8>),
    /// Nothing more will come.
    End,
}

impl Capture {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            kept: Mutex::new(Kept::default()),
            changed: Notify::new(),
        }
    }

    /// Reads a pipe until its end. An error of the pipe counts as its end.
    pub(super) async fn read(&self, pipe: impl AsyncRead) {
        let mut pipe = pin!(pipe);
        let mut buffer = vec![0; READ];
        while let Ok(n @ 1..) = pipe.read(&mut buffer).await {
            self.keep(&buffer[..n]);
        }
    }

    fn keep(&self, bytes: &[u8]) {
        let mut kept = self.kept.lock();
        let room = self.limit - kept.bytes.len();
        if room < bytes.len() {
            kept.overflow = true;
        }
        let taken = &bytes[..room.min(bytes.len())];
        if taken.is_empty() {
            return;
        }
        let needed = kept.bytes.len() + taken.len();
        if needed > kept.bytes.capacity() {
            // Doubling as a vector does, but never beyond the limit.
            let capacity = (kept.bytes.capacity() * 2).max(needed).min(self.limit);
            let more = capacity - kept.bytes.len();
            kept.bytes.reserve_exact(more);
        }
        kept.bytes.extend_from_slice(taken);
        drop(kept);
        self.changed.notify_waiters();
    }

    /// Says that nothing more will be read.
    pub(super) fn end(&self) {
        self.kept.lock().ended = true;
        self.changed.notify_waiters();
    }

    /// Returns up to `most` bytes from `at` on, waiting for them if there are none yet. Cancel-safe.
    pub(super) async fn piece(&self, at: usize, most: usize) -> Piece {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            {
                let kept = self.kept.lock();
                if at < kept.bytes.len() {
                    let end = kept.bytes.len().min(at + most);
                    return Piece::Bytes(kept.bytes[at..end].to_vec());
                }
                if kept.ended {
                    return Piece::End;
                }
            }
            changed.await;
        }
    }

    /// Hands out what was kept, and whether there was more.
    pub(super) fn with<T>(&self, look: impl FnOnce(&[u8], bool) -> T) -> T {
        let kept = self.kept.lock();
        look(&kept.bytes, kept.overflow)
    }

    #[cfg(test)]
    fn capacity(&self) -> usize {
        self.kept.lock().bytes.capacity()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn kept(capture: &Capture) -> (Vec<u8>, bool) {
        capture.with(|bytes, overflow| (bytes.to_vec(), overflow))
    }

    #[tokio::test]
    async fn what_fits_is_kept_and_the_rest_is_noted() {
        for (input, limit, expected) in [
            (&b""[..], 4, (&b""[..], false)),
            (b"abc", 4, (b"abc", false)),
            (b"abcd", 4, (b"abcd", false)),
            (b"abcde", 4, (b"abcd", true)),
            (b"a", 0, (b"", true)),
            (b"", 0, (b"", false)),
        ] {
            let capture = Capture::new(limit);
            capture.read(input).await;
            assert_eq!(kept(&capture), (expected.0.to_vec(), expected.1));
        }
    }

    #[tokio::test]
    async fn a_gigabyte_takes_no_more_than_the_limit() {
        let capture = Capture::new(100_000);
        capture.read(tokio::io::repeat(b'x').take(1 << 30)).await;
        let (bytes, overflow) = kept(&capture);
        assert_eq!((bytes.len(), overflow), (100_000, true));
        assert!(capture.capacity() <= 100_000);
    }

    #[tokio::test]
    async fn a_viewer_sees_everything_that_is_kept_and_then_the_end() {
        let capture = Arc::new(Capture::new(10));
        let viewer = capture.clone();
        let viewing = async move {
            let mut seen = Vec::new();
            while let Piece::Bytes(bytes) = viewer.piece(seen.len(), 3).await {
                assert!(bytes.len() <= 3);
                seen.extend(bytes);
            }
            seen
        };
        let printing = async {
            for part in [&b"ab"[..], b"cdefg", b"hijklm"] {
                capture.read(part).await;
                tokio::task::yield_now().await;
            }
            capture.end();
        };
        let (seen, ()) = tokio::join!(viewing, printing);
        assert_eq!(seen, b"abcdefghij");
    }
}
