//! Requests an agent sends to the server. Go servers never answer one they do not know.

mod cmd_result;
mod ip_addresses;
mod new_connection;
mod ping_server;
mod save_measurement;
mod updates_status;

pub use cmd_result::CmdResult;
pub use ip_addresses::IpAddresses;
pub use new_connection::NewConnection;
pub use ping_server::Ping;
pub use save_measurement::{NetUsage, SaveMeasurement};
pub use updates_status::{UpdateSummary, UpdatesStatus};
