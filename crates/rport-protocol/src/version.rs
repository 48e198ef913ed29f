//! The one protocol version and the identification lines that go with it.
//!
//! `rport-v1` has been unchanged since release 0.1.0; everything that was added since then is visible only as a
//! new request name or a new member of a JSON payload.

/// Names the WebSocket sub-protocol. Go servers treat any other value as an ordinary HTTP request.
pub const SUBPROTOCOL: &str = "rport-v1";

/// Starts every `Sec-WebSocket-Protocol` value that asks for us in some version.
pub const SUBPROTOCOL_PREFIX: &str = "rport-";

/// The SSH identification line of a server, without line end. It lacks the usual `2.0`, on purpose of the Go peers.
pub const SERVER_ID_LINE: &str = "SSH-rport-v1-server";

/// The SSH identification line of an agent, without line end.
pub const AGENT_ID_LINE: &str = "SSH-rport-v1-client";

/// The largest SSH packet Go peers accept, in bytes. It bounds each JSON payload and the extra data of a channel
/// open; keep payloads at least [`PACKET_OVERHEAD`] below it, because the receiver drops the connection otherwise.
pub const MAX_PACKET: usize = 256 * 1024;

/// What a request needs in its packet beside the payload: message type, name, flag, padding.
pub const PACKET_OVERHEAD: usize = 64;
