//! Requests the server sends to an agent. Go agents serve them one after another.

mod abort_cmd;
mod check_port;
mod check_tunnel_allowed;
mod ping_client;
mod put_capabilities;
mod refresh_updates_status;
mod run_cmd;
mod update_client_metadata;
mod upload;

pub use abort_cmd::{AbortCmd, AbortCmdReply, AbortState};
pub use check_port::{CheckPort, CheckPortReply};
pub use check_tunnel_allowed::{CheckTunnelAllowed, CheckTunnelAllowedReply};
pub use ping_client::Ping;
pub use put_capabilities::PutCapabilities;
pub use refresh_updates_status::RefreshUpdatesStatus;
pub use run_cmd::{RunCmd, RunCmdReply};
pub use update_client_metadata::{UpdateClientMetadata, UpdateClientMetadataReply};
pub use upload::{Upload, UploadReply, UploadStatus};
