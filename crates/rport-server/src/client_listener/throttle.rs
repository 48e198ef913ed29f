//! How many handshakes compute at the same moment.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::sync::Semaphore;
use tokio_util::sync::PollSemaphore;

/// A future that computes only while it holds one of a few slots.
///
/// The slot is taken when the future has something to do and given back as soon as it waits again. The limit
/// therefore bounds the processor time that handshakes take from established links, while a peer that keeps silent
/// holds nothing. The Go server holds the slot for the whole handshake, without a deadline, so that a few silent
/// peers lock every agent out.
pub(crate) struct Throttled<F> {
    work: Pin<Box<F>>,
    slots: PollSemaphore,
}

impl<F: Future> Throttled<F> {
    pub(crate) fn new(work: F, slots: Arc<Semaphore>) -> Self {
        Self {
            work: Box::pin(work),
            slots: PollSemaphore::new(slots),
        }
    }
}

impl<F: Future> Future for Throttled<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // A wake-up of the work polls this future too, so nothing is missed while it waits for a slot: once it has
        // one, the work is polled in any case. The semaphore is never closed.
        let _slot = ready!(self.slots.poll_acquire(context));
        self.work.as_mut().poll(context)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::oneshot;
    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_waiting_future_holds_no_slot() {
        let slots = Arc::new(Semaphore::new(1));
        let (wake, woken) = oneshot::channel::<u32>();
        let mut silent = Box::pin(Throttled::new(woken, slots.clone()));
        assert!(timeout(Duration::from_millis(1), &mut silent).await.is_err());
        for number in 0..10 {
            assert_eq!(Throttled::new(async move { number }, slots.clone()).await, number);
        }
        wake.send(7).expect("still waiting");
        assert_eq!(silent.await, Ok(7));
    }

    #[tokio::test]
    async fn without_a_free_slot_nothing_is_computed() {
        let slots = Arc::new(Semaphore::new(1));
        let taken = slots.clone().acquire_owned().await.expect("open");
        let mut waiting = Box::pin(Throttled::new(async { 7 }, slots));
        assert!(timeout(Duration::from_millis(1), &mut waiting).await.is_err());
        drop(taken);
        assert_eq!(waiting.await, 7);
    }
}
