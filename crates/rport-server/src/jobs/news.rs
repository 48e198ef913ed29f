//! What somebody who watches jobs hears.

use std::sync::Arc;

use rport_domain::{ClientId, Job, JobId};

/// Which stream of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OutputStream {
    /// Standard output.
    Stdout,
    /// Standard error output.
    Stderr,
}

/// Something about a job.
#[derive(Debug, Clone)]
pub enum JobNews {
    /// It printed something.
    Chunk {
        /// The job.
        job: JobId,
        /// Where it runs.
        client: ClientId,
        /// The client's name when it was ordered.
        client_name: String,
        /// Where it printed.
        stream: OutputStream,
        /// What: at most 4096 bytes. What is no UTF-8 became U+FFFD.
        text: String,
    },
    /// It printed more than this watcher took.
    Skipped {
        /// The job.
        job: JobId,
        /// Where it runs.
        client: ClientId,
        /// The client's name when it was ordered.
        client_name: String,
        /// How much is missing here, in bytes.
        bytes: u64,
    },
    /// It ended, or was never started. Comes once for each job.
    Finished(Arc<Job>),
}
