//! Pairing of global requests and their replies, which carry no number: order is all there is.

use std::collections::VecDeque;

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::connection::Reply;

/// Requests of ours that wait for a reply, oldest first.
#[derive(Default)]
pub(crate) struct Calls {
    waiting: VecDeque<Call>,
    /// A ping of ours was answered by a Go agent: a surplus `null` may follow (agents 0.8.2 to 0.9.6).
    stray_null: bool,
}

struct Call {
    /// The name allows `null` as its regular answer, so a `null` that comes is the answer.
    null_is_regular: bool,
    is_ping: bool,
    waiter: oneshot::Sender<Reply>,
}

impl Calls {
    /// Notes a request as it goes out.
    pub(crate) fn push(&mut self, name: &str, waiter: oneshot::Sender<Reply>) {
        let is_ping = name == "ping";
        // Go agents answer with `null` where a handler has no result, which among the requests that want a reply is
        // `refresh_updates_status` alone.
        let null_is_regular = is_ping || name == "refresh_updates_status";
        self.waiting.push_back(Call {
            null_is_regular,
            is_ping,
            waiter,
        });
    }

    /// Takes a reply and wakes whoever waits for it; surplus replies are dropped.
    pub(crate) fn reply(&mut self, success: bool, payload: &[u8], peer_is_ours: bool) {
        let is_null = success && payload == b"null";
        let Some(front) = self.waiting.front() else {
            self.stray_null = false;
            return;
        };
        if is_null && self.stray_null && !front.null_is_regular {
            self.stray_null = false;
            return;
        }
        if let Some(call) = self.waiting.pop_front() {
            self.stray_null = !peer_is_ours && (self.stray_null || (call.is_ping && payload.is_empty()));
            let payload = Bytes::copy_from_slice(payload);
            let _ = call.waiter.send(if success {
                Reply::Success(payload)
            } else {
                Reply::Failure(payload)
            });
        }
    }

    /// Lets everybody know that no reply will come.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Requests of the peer that want a reply. Handlers may finish in any order; replies leave in order of arrival.
#[derive(Default)]
pub(crate) struct Answers {
    slots: VecDeque<Option<Vec<u8>>>,
    first: u64,
}

impl Answers {
    /// Requests not answered yet.
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Keeps a place for the reply to a request that has just arrived.
    pub(crate) fn reserve(&mut self) -> u64 {
        self.slots.push_back(None);
        self.first + self.slots.len() as u64 - 1
    }

    /// Fills a place with a reply payload.
    pub(crate) fn fill(&mut self, place: u64, payload: Vec<u8>) {
        let slot = place
            .checked_sub(self.first)
            .and_then(|i| self.slots.get_mut(usize::try_from(i).ok()?));
        if let Some(slot) = slot {
            *slot = Some(payload);
        }
    }

    /// The next reply that may leave.
    pub(crate) fn next(&mut self) -> Option<Vec<u8>> {
        let payload = self.slots.front_mut()?.take()?;
        self.slots.pop_front();
        self.first += 1;
        Some(payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(calls: &mut Calls, name: &str) -> oneshot::Receiver<Reply> {
        let (tx, rx) = oneshot::channel();
        calls.push(name, tx);
        rx
    }

    #[test]
    fn replies_pair_in_order() {
        let mut calls = Calls::default();
        let (mut a, mut b) = (call(&mut calls, "check_port"), call(&mut calls, "run_cmd"));
        calls.reply(true, b"1", false);
        calls.reply(false, b"2", false);
        calls.reply(true, b"nobody waits", false);
        assert_eq!(a.try_recv(), Ok(Reply::Success(Bytes::from_static(b"1"))));
        assert_eq!(b.try_recv(), Ok(Reply::Failure(Bytes::from_static(b"2"))));
    }

    #[test]
    fn the_second_ping_reply_of_old_agents_is_dropped_whenever_it_comes() {
        let mut calls = Calls::default();
        let mut ping = call(&mut calls, "ping");
        calls.reply(true, b"", false);
        assert!(ping.try_recv().is_ok());
        let mut port = call(&mut calls, "check_port");
        calls.reply(true, b"null", false);
        assert!(port.try_recv().is_err(), "the surplus reply is nobody's");
        calls.reply(true, b"{}", false);
        assert_eq!(port.try_recv(), Ok(Reply::Success(Bytes::from_static(b"{}"))));
        let mut refresh = call(&mut calls, "refresh_updates_status");
        calls.reply(true, b"null", false);
        assert!(refresh.try_recv().is_ok());
    }

    #[test]
    fn answers_leave_in_order_of_arrival() {
        let mut answers = Answers::default();
        let (a, b, c) = (answers.reserve(), answers.reserve(), answers.reserve());
        answers.fill(c, vec![3]);
        assert_eq!(answers.next(), None);
        answers.fill(a, vec![1]);
        assert_eq!(answers.next(), Some(vec![1]));
        assert_eq!(answers.next(), None);
        answers.fill(b, vec![2]);
        assert_eq!(
            (answers.next(), answers.next(), answers.len()),
            (Some(vec![2]), Some(vec![3]), 0)
        );
        answers.fill(99, vec![9]);
        assert_eq!(answers.next(), None);
    }
}
