//! What the WebSockets of jobs tell.

use serde::Serialize;
use utoipa::ToSchema;

/// A piece of a job's output, a text frame with JSON. Jobs that have ended come as frames with the whole job; their
/// `finished_at` is not null.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct JobChunk {
    /// The job.
    pub jid: String,
    /// Where it runs.
    pub client_id: String,
    /// The client's name when the job was ordered.
    pub client_name: String,
    /// What it printed, on one of the two streams.
    pub result: JobChunkOutput,
    /// Set when the reader was too slow: how many bytes of output are missing here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<u64>,
}

/// Output in a [`JobChunk`], at most 4096 bytes.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct JobChunkOutput {
    /// Standard output.
    pub stdout: String,
    /// Standard error output.
    pub stderr: String,
    /// Always empty here.
    pub summary: String,
}

/// The first frame about an order with `announce`.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct JobAnnounced {
    /// The multi-job that was ordered.
    pub multi_job_id: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shape() {
        let chunk = JobChunk {
            jid: "1".into(),
            client_id: "c".into(),
            client_name: "n".into(),
            result: JobChunkOutput {
                stdout: "x".into(),
                ..JobChunkOutput::default()
            },
            skipped: None,
        };
        let json = serde_json::to_string(&chunk).expect("JSON");
        let expected = r#"{"jid":"1","client_id":"c","client_name":"n","result":{"stdout":"x","stderr":"","summary":""}}"#;
        assert_eq!(json, expected);
    }
}
