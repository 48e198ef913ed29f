//! What `/ws/events` tells.

use serde::Serialize;
use utoipa::ToSchema;

/// One message of `/ws/events`, a text frame with JSON.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EventMessage {
    /// `client_connected`, `client_disconnected`, `client_changed`, `client_deleted`, `tunnel_opened`,
    /// `tunnel_closed`, `job_changed` (ordered, started, or ended), or `missed` when the reader was too slow: then read the lists again.
    #[serde(rename = "type")]
    #[schema(example = "client_connected")]
    pub kind: &'static str,
    /// The client concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The tunnel concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tunnel_id: Option<String>,
    /// The job concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_id: Option<String>,
    /// The multi-job it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multi_job_id: Option<String>,
    /// With `missed`: how many events were left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
}

impl EventMessage {
    /// Tells that events were left out.
    pub fn missed(count: u64) -> Self {
        Self {
            kind: "missed",
            client_id: None,
            tunnel_id: None,
            job_id: None,
            multi_job_id: None,
            count: Some(count),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shape() {
        let json = serde_json::to_string(&EventMessage::missed(3)).expect("JSON");
        assert_eq!(json, r#"{"type":"missed","count":3}"#);
    }
}
