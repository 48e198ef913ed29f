//! Output of jobs while they run: the channels `stdout` and `stderr` of agents. Source: wire-protocol.md 8.4.
//!
//! A reader takes what an agent sends as fast as it comes, whether anybody watches or not: an agent never waits for a
//! browser.

use std::sync::Arc;

use rport_protocol::Job as WireJob;
use rport_protocol::channel::{KIND_STDERR, KIND_STDOUT};
use rport_protocol::json;
use rport_transport::{Channel, IncomingChannel};
use tokio::io::AsyncReadExt;
use tokio::sync::{mpsc, oneshot};

use super::Inner;
use super::hidden::{Hidden, Redactor};
use super::news::OutputStream;
use super::table::{Facts, Stage};
use crate::clients::Client;

/// SSH reason code: administratively prohibited.
const PROHIBITED: u32 = 1;
/// Most bytes of a piece of output.
const PIECE: usize = 4096;

/// Asks a reader to tell what it has read so far.
type Flush = oneshot::Sender<()>;

/// The readers of a job's streams.
#[derive(Debug, Default)]
pub(super) struct Readers(Vec<(OutputStream, mpsc::UnboundedSender<Flush>)>);

impl Readers {
    /// Makes all of them tell what has arrived, and returns what waits for that.
    pub(super) fn flush(&self) -> Vec<oneshot::Receiver<()>> {
        let asked = self.0.iter().filter_map(|(_, reader)| {
            let (done, is_done) = oneshot::channel();
            reader.send(done).ok().map(|()| is_done)
        });
        asked.collect()
    }
}

/// The stream of a channel's kind, if it is one with output.
pub(super) fn stream(kind: &str) -> Option<OutputStream> {
    match kind {
        KIND_STDOUT => Some(OutputStream::Stdout),
        KIND_STDERR => Some(OutputStream::Stderr),
        _ => None,
    }
}

/// Takes or refuses a channel with output.
pub(super) fn open(inner: &Arc<Inner>, client: &Client, channel: IncomingChannel, stream: OutputStream) {
    match admit(inner, client, &channel, stream) {
        Ok((facts, hidden, flush)) => {
            let reader = Reader {
                inner: inner.clone(),
                facts,
                redactor: Redactor::new(hidden),
                stream,
                text: Text::default(),
            };
            let stop = inner.tasks.soft();
            let channel = channel.accept();
            inner.tasks.spawn("job_output", async move {
                stop.run_until_cancelled(reader.run(channel, flush)).await;
            });
        }
        Err(reason) => {
            tracing::warn!(client.id = %client.id, channel.kind = channel.kind, reason, "output of a job refused");
            channel.reject(PROHIBITED, reason);
        }
    }
}

type Admitted = (Arc<Facts>, Hidden, mpsc::UnboundedReceiver<Flush>);

fn admit(
    inner: &Inner,
    client: &Client,
    channel: &IncomingChannel,
    stream: OutputStream,
) -> Result<Admitted, &'static str> {
    let job: WireJob = json::decode(&channel.extra).map_err(|_| "the job cannot be read")?;
    let mut table = inner.table.lock();
    let open = table
        .get_mut(&job.jid.into())
        .filter(|open| open.facts.client == client.id && open.facts.rule.stream)
        .ok_or("no such job with live output")?;
    if !matches!(
        open.stage,
        Stage::Starting { asked: true } | Stage::Running { .. } | Stage::Uncertain
    ) {
        return Err("the job does not run");
    }
    let (asks, asked) = mpsc::unbounded_channel();
    let readers = &mut open.readers.0;
    // An agent that was asked again after its link was lost opens new ones.
    readers.retain(|(of, reader)| *of != stream || !reader.is_closed());
    if readers.iter().any(|(of, _)| *of == stream) {
        return Err("the job has such a channel");
    }
    readers.push((stream, asks));
    Ok((open.facts.clone(), open.hidden.clone(), asked))
}

struct Reader {
    inner: Arc<Inner>,
    facts: Arc<Facts>,
    redactor: Redactor,
    stream: OutputStream,
    text: Text,
}

impl Reader {
    async fn run(mut self, mut channel: Channel, mut flush: mpsc::UnboundedReceiver<Flush>) {
        let mut buffer = vec![0; PIECE];
        loop {
            tokio::select! {
                // What has arrived comes before a wish to tell it.
                biased;
                read = channel.read(&mut buffer) => match read {
                    Ok(0) | Err(_) => break,
                    Ok(length) => self.take(&buffer[..length]),
                },
                Some(done) = flush.recv() => {
                    self.tell_partial();
                    let _ = done.send(());
                }
            }
        }
        self.tell_rest();
    }

    fn take(&mut self, bytes: &[u8]) {
        let text = self.text.push(bytes);
        let text = self.redactor.push(&text);
        self.tell(&text);
    }

    /// Tells what has arrived of a character. What may be the beginning of a value is held back on: more may come.
    fn tell_partial(&mut self) {
        let rest = std::mem::take(&mut self.text).finish();
        let rest = self.redactor.push(&rest);
        self.tell(&rest);
    }

    fn tell_rest(&mut self) {
        self.tell_partial();
        let held = self.redactor.finish();
        self.tell(&held);
    }

    fn tell(&self, text: &str) {
        let mut rest = text;
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(rest.floor_char_boundary(PIECE));
            self.inner.watchers.chunk(&self.facts, self.stream, piece);
            rest = behind;
        }
    }
}

/// Makes text of bytes that come in pieces. What is no UTF-8 becomes U+FFFD.
#[derive(Debug, Default)]
struct Text {
    /// The beginning of a character.
    partial: Vec<u8>,
}

impl Text {
    fn push(&mut self, bytes: &[u8]) -> String {
        let joined;
        let bytes = if self.partial.is_empty() {
            bytes
        } else {
            joined = [&self.partial, bytes].concat();
            self.partial.clear();
            &joined
        };
        let mut text = String::with_capacity(bytes.len());
        let mut rest = bytes;
        loop {
            match std::str::from_utf8(rest) {
                Ok(valid) => {
                    text.push_str(valid);
                    return text;
                }
                Err(error) => {
                    let (valid, bad) = rest.split_at(error.valid_up_to());
                    // It is valid up to there.
                    text.push_str(&String::from_utf8_lossy(valid));
                    let Some(length) = error.error_len() else {
                        self.partial.extend_from_slice(bad);
                        return text;
                    };
                    text.push(char::REPLACEMENT_CHARACTER);
                    rest = &bad[length..];
                }
            }
        }
    }

    fn finish(self) -> String {
        String::from_utf8_lossy(&self.partial).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pieces_make_the_text_of_the_whole(
            bytes in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..60),
                "\\PC{0,30}".prop_map(String::into_bytes),
            ],
            cuts in prop::collection::vec(0usize..60, 0..8),
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let mut text = Text::default();
            let mut all = String::new();
            for window in cuts.windows(2) {
                all.push_str(&text.push(&bytes[window[0]..window[1]]));
                prop_assert!(text.partial.len() < 4);
            }
            all.push_str(&text.finish());
            prop_assert_eq!(all, String::from_utf8_lossy(&bytes));
        }
    }
}
