//! What all requests have in common, and the texts old peers branch on.

use serde::{Serialize, de::DeserializeOwned};

use crate::json::{self, PayloadError};

/// One kind of SSH global request between server and agent.
///
/// The payload is JSON without a length prefix, up to the end of the packet. A failure reply is plain text and has
/// no type here.
pub trait Request: Serialize + DeserializeOwned {
    /// The request name on the wire.
    const NAME: &'static str;

    /// Whether the sender asks for a reply. Never reply when the packet did not ask, whatever this says.
    const WANTS_REPLY: bool = true;

    /// What a success reply carries.
    type Reply: Serialize + DeserializeOwned;

    /// Encodes the payload.
    fn encode(&self) -> Vec<u8> {
        json::encode(self)
    }

    /// Decodes a payload.
    ///
    /// # Errors
    /// See [`json::decode`].
    fn decode(payload: &[u8]) -> Result<Self, PayloadError> {
        json::decode(payload)
    }

    /// Encodes the payload of a success reply.
    fn encode_reply(reply: &Self::Reply) -> Vec<u8> {
        json::encode(reply)
    }

    /// Decodes the payload of a success reply.
    ///
    /// # Errors
    /// See [`json::decode`].
    fn decode_reply(payload: &[u8]) -> Result<Self::Reply, PayloadError> {
        json::decode(payload)
    }
}

/// Fills in the reply part of a request that wants none.
macro_rules! no_reply {
    () => {
        const WANTS_REPLY: bool = false;
        type Reply = ();

        fn encode_reply((): &()) -> Vec<u8> {
            Vec::new()
        }

        fn decode_reply(_payload: &[u8]) -> Result<(), $crate::json::PayloadError> {
            Ok(())
        }
    };
}
pub(crate) use no_reply;

/// Texts of failure replies that peers compare. Everywhere else, texts are for people only.
pub mod texts {
    /// Go agents answer a request they do not know with this. Their servers take it for "allowed" from
    /// `check_tunnel_allowed`, for "alive" from `ping` and for "too old" from `upload`.
    pub const UNKNOWN_REQUEST: &str = "unknown request";

    /// Starts the refusal of a client id that is connected already. Go agents search for it to decide that they
    /// must close the link before they try again.
    pub const ALREADY_CONNECTED_PREFIX: &str = "client is already connected:";

    /// Refusal of a second `new_connection` on one link.
    pub const PLEASE_RECONNECT: &str = "unexpected connection request. please reconnect";

    /// Starts a server's refusal of a job result that it cannot store at the moment. The agent keeps the result and
    /// sends it again later; after any other refusal but [`UNKNOWN_REQUEST`] it gives the result up.
    pub const TRY_LATER_PREFIX: &str = "try again later:";

    /// Starts our agents' refusal of a job that they ran before and whose result the server has acknowledged.
    pub const ALREADY_RUN_PREFIX: &str = "job was run already:";

    /// Makes the refusal of a client id that is connected already.
    pub fn already_connected(name: &str, id: &str) -> String {
        format!("{ALREADY_CONNECTED_PREFIX} {name} [{id}]")
    }

    /// Makes the refusal of a client auth that another client uses, when credentials are not shared.
    pub fn auth_id_in_use(client_auth_id: &str) -> String {
        format!("client auth ID is already in use: {client_auth_id:?}")
    }
}
