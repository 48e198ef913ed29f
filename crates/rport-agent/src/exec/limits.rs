//! Bounds, and results that fit into a packet.

use rport_protocol::{Job, json, version};

/// Most jobs at a time. Together with `send_back_limit` this bounds the memory that output takes.
pub(super) const MAX_JOBS: usize = 32;

/// Most results that are put together at a time. In the worst case, control characters, the JSON of a result takes
/// six times what was printed.
pub(super) const MAX_RESULTS: usize = 2;

/// Longest job id. Servers send UUIDs.
pub(super) const MAX_ID_BYTES: usize = 64;

/// Largest payload of a request that every peer takes.
pub(super) const MAX_PAYLOAD: usize = version::MAX_PACKET - version::PACKET_OVERHEAD - 64;

/// Shortens a result until its JSON takes at most `limit` bytes, and says so in its error.
///
/// Counts what the JSON takes, not what was printed: control characters take six times their size. Each stream may
/// have half of the room, and what the other leaves. Go servers drop the whole link over a larger payload.
pub(super) fn fit(mut job: Job, limit: usize) -> Job {
    // JSON never makes a text shorter. What is too long in any case is cut before it is looked at closely.
    let mut too_long = false;
    if let Some(result) = &mut job.result {
        for text in [&mut result.stdout, &mut result.stderr, &mut result.summary] {
            if text.len() > limit {
                too_long = true;
                text.truncate(text.floor_char_boundary(limit));
            }
        }
    }
    if !too_long && json::encode(&job).len() <= limit {
        return job;
    }
    let note = format!("result is larger than a server of this kind takes and was cut to {limit} bytes");
    job.error = match job.error.as_str() {
        "" => note,
        error => format!("{error}, {note}"),
    };
    let result = job.result.take().unwrap_or_default();
    job.result = Some(Default::default());
    let mut room = limit.saturating_sub(json::encode(&job).len());
    if let Some(fitted) = &mut job.result {
        // The summary is what its author thought most important, and is part of the output anyway.
        fitted.summary = cut(&result.summary, room / 4);
        room -= size(&fitted.summary);
        let (out, err) = (size(&result.stdout), size(&result.stderr));
        let for_err = err.min((room / 2).max(room.saturating_sub(out)));
        fitted.stderr = cut(&result.stderr, for_err);
        room -= size(&fitted.stderr);
        fitted.stdout = cut(&result.stdout, room);
    }
    let over = json::encode(&job).len().saturating_sub(limit);
    if over > 0 {
        // A command that fills a packet by itself: the server knows it, or takes the beginning of it.
        let room = size(&job.command).saturating_sub(over);
        job.command = cut(&job.command, room);
    }
    job
}

/// Bytes a text takes in JSON, without the quotes.
fn size(text: &str) -> usize {
    json::encode(text).len() - 2
}

/// The longest beginning that takes at most `room` bytes in JSON.
fn cut(text: &str, room: usize) -> String {
    let mut used = 0;
    let mut buffer = [0; 4];
    let end = text.char_indices().find(|(_, c)| {
        used += match c {
            ' '..='~' if !matches!(c, '"' | '\\' | '<' | '>' | '&') => 1,
            c => size(c.encode_utf8(&mut buffer)),
        };
        used > room
    });
    text[..end.map_or(text.len(), |(at, _)| at)].to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rport_protocol::JobResult;

    use super::*;

    fn job(stdout: &str, stderr: &str, summary: &str) -> Job {
        Job {
            jid: "j".to_owned(),
            result: Some(JobResult {
                stdout: stdout.to_owned(),
                stderr: stderr.to_owned(),
                summary: summary.to_owned(),
            }),
            ..Job::default()
        }
    }

    #[test]
    fn what_fits_is_left_alone() {
        let small = job("out", "err", "");
        assert_eq!(fit(small.clone(), 10_000), small);
    }

    #[test]
    fn each_stream_gets_its_share() {
        let long = "x".repeat(10_000);
        for (out, err) in [(&long[..], "e"), ("o", &long[..]), (&long[..], &long[..])] {
            let fitted = fit(job(out, err, ""), 5_000);
            let length = json::encode(&fitted).len();
            assert!((4_990..=5_000).contains(&length), "{length}");
            let result = fitted.result.unwrap();
            assert!(result.stdout.len().min(out.len().min(2_000)) >= out.len().min(2_000));
            assert!(result.stderr.len().min(err.len().min(2_000)) >= err.len().min(2_000));
            assert!(fitted.error.contains("cut to 5000 bytes"), "{}", fitted.error);
        }
    }

    #[test]
    fn a_command_as_large_as_a_packet_does_not_break_the_link() {
        let mut big = job(&"o".repeat(5_000), "", "");
        big.command = "<".repeat(2_000);
        let fitted = fit(big, 4_000);
        assert!(json::encode(&fitted).len() <= 4_000);
    }

    proptest! {
        #[test]
        fn whatever_was_printed_fits(
            out in prop_oneof!["\\PC{0,4000}", prop::collection::vec(any::<char>(), 0..3000).prop_map(String::from_iter)],
            err in prop::collection::vec(any::<char>(), 0..3000).prop_map(String::from_iter),
            summary in "\\PC{0,1000}",
            limit in 800usize..20_000,
        ) {
            let fitted = fit(job(&out, &err, &summary), limit);
            prop_assert!(json::encode(&fitted).len() <= limit);
            let result = fitted.result.unwrap();
            prop_assert!(out.starts_with(&result.stdout));
            prop_assert!(err.starts_with(&result.stderr));
            prop_assert!(summary.starts_with(&result.summary));
        }
    }
}
