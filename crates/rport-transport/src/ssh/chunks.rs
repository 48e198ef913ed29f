//! Received bytes of a channel that its reader has not taken yet.

use std::collections::VecDeque;

/// Small packets are gathered in chunks of this size, so that one-byte packets cannot blow up the queue.
const CHUNK: usize = 4 * 1024;

/// A byte queue made of chunks.
#[derive(Debug, Default)]
pub(crate) struct Chunks {
    chunks: VecDeque<Vec<u8>>,
    /// Bytes of the first chunk already taken.
    taken: usize,
    len: usize,
}

impl Chunks {
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends a copy of `data`.
    pub(crate) fn push(&mut self, data: &[u8]) {
        self.len += data.len();
        if let Some(last) = self.chunks.back_mut()
            && last.capacity() - last.len() >= data.len()
        {
            last.extend_from_slice(data);
            return;
        }
        let mut chunk = Vec::with_capacity(data.len().max(CHUNK));
        chunk.extend_from_slice(data);
        self.chunks.push_back(chunk);
    }

    /// The bytes that come next, as many as lie together.
    pub(crate) fn front(&self) -> &[u8] {
        self.chunks.front().map_or(&[], |c| &c[self.taken..])
    }

    /// Drops the first `n` bytes, which must lie within [`front`](Self::front).
    pub(crate) fn advance(&mut self, n: usize) {
        let n = n.min(self.front().len());
        self.taken += n;
        self.len -= n;
        if self.chunks.front().is_some_and(|c| c.len() == self.taken) {
            self.chunks.pop_front();
            self.taken = 0;
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bytes_come_out_as_they_went_in(
            steps in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 1..6000), 0usize..9000), 0..20)
        ) {
            let (mut chunks, mut model) = (Chunks::default(), Vec::new());
            for (push, take) in steps {
                chunks.push(&push);
                model.extend_from_slice(&push);
                let n = take.min(chunks.front().len());
                prop_assert_eq!(&chunks.front()[..n], &model[..n]);
                chunks.advance(n);
                model.drain(..n);
                prop_assert_eq!(chunks.len, model.len());
                prop_assert_eq!(chunks.is_empty(), model.is_empty());
            }
        }
    }
}
