//! The channel kinds and the target text that travels with a tunnel channel.

use std::{fmt, str::FromStr};

use crate::{
    Protocol,
    host_port::{join_host_port, split_host_port},
};

/// Kind of a tunnel channel, opened by the server. Its extra data is a [`ChannelTarget`].
pub const KIND_RPORT: &str = "rport";
/// Kind of an SFTP channel, opened by the agent to fetch an upload.
pub const KIND_SESSION: &str = "session";
/// Kind of a channel with live standard output of a job, opened by the agent.
pub const KIND_STDOUT: &str = "stdout";
/// Kind of a channel with live standard error output of a job, opened by the agent.
pub const KIND_STDERR: &str = "stderr";

/// Kind of a channel with the result of a job that is too large for a request, opened by the agent.
///
/// Between our own programs only; the extra data is the job's id. The agent writes the JSON of
/// [`Job`](crate::Job) and ends its direction. The server stores the result and answers as [`ResultVerdict`] says,
/// then closes.
pub const KIND_CMD_RESULT: &str = "cmd_result";

/// A server's word on a result that came through a channel of kind [`KIND_CMD_RESULT`].
///
/// On the wire: `+` for stored, or `-` and a text, which is to be read like the text of a failure reply to
/// [`CmdResult`](crate::to_server::CmdResult).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResultVerdict {
    /// Stored for good; the agent may forget it.
    Stored,
    /// Not stored, and why.
    Refused(String),
}

impl ResultVerdict {
    /// Longest answer worth reading, in bytes.
    pub const MAX_BYTES: usize = 4096;

    /// Writes the answer.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Stored => b"+".to_vec(),
            Self::Refused(text) => {
                let mut bytes = format!("-{text}").into_bytes();
                bytes.truncate(Self::MAX_BYTES);
                bytes
            }
        }
    }

    /// Reads an answer; `None` if it is none, for example because the link ended before it.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        match bytes.split_first()? {
            (b'+', _) => Some(Self::Stored),
            (b'-', text) => Some(Self::Refused(String::from_utf8_lossy(text).into_owned())),
            _ => None,
        }
    }
}

/// The text with which Go agents reject a target that their `tunnel_allowed` rules forbid.
pub const REJECT_NOT_ALLOWED: &str = "not allowed with \"tunnel_allowed\" config";

/// Where the agent shall connect a tunnel channel to: `host:port`, or `host:port/udp`.
///
/// Source: wire notes, section 8. IPv6 hosts are bracketed. Whatever stands behind the first `/` is the protocol.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ChannelTarget {
    /// `host:port` as the agent dials it; the host may be a name.
    pub host_port: String,
    /// Stream or datagrams; never both, because a `tcp+udp` tunnel opens separate channels.
    pub protocol: Protocol,
}

impl ChannelTarget {
    /// Makes a stream target; brackets an IPv6 host.
    pub fn tcp(host: &str, port: &str) -> Self {
        Self {
            host_port: join_host_port(host, port),
            protocol: Protocol::Tcp,
        }
    }

    /// Makes a datagram target; brackets an IPv6 host.
    pub fn udp(host: &str, port: &str) -> Self {
        Self {
            host_port: join_host_port(host, port),
            protocol: Protocol::Udp,
        }
    }

    /// Parses the extra data of a channel open.
    ///
    /// # Errors
    /// Not UTF-8, or not a target as [`FromStr`] describes it.
    pub fn from_extra(extra: &[u8]) -> Result<Self, ChannelTargetError> {
        std::str::from_utf8(extra)
            .map_err(|_| ChannelTargetError::NotUtf8)?
            .parse()
    }

    /// Splits the address into host (without brackets) and port text.
    ///
    /// # Errors
    /// The address has no port, or stray brackets or colons.
    pub fn host_and_port(&self) -> Result<(&str, &str), crate::HostPortError> {
        split_host_port(&self.host_port)
    }
}

impl fmt::Display for ChannelTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host_port)?;
        match self.protocol {
            Protocol::Tcp => Ok(()),
            other => write!(f, "/{other}"),
        }
    }
}

impl FromStr for ChannelTarget {
    type Err = ChannelTargetError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (host_port, protocol) = match text.split_once('/') {
            None => (text, Protocol::Tcp),
            Some((host_port, "tcp")) => (host_port, Protocol::Tcp),
            Some((host_port, "udp")) => (host_port, Protocol::Udp),
            Some((_, other)) => return Err(ChannelTargetError::UnknownProtocol(other.to_owned())),
        };
        if host_port.is_empty() {
            return Err(ChannelTargetError::Empty);
        }
        Ok(Self {
            host_port: host_port.to_owned(),
            protocol,
        })
    }
}

/// Why the extra data of a channel open is no target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChannelTargetError {
    /// There is no address.
    #[error("channel without a target address")]
    Empty,
    /// The bytes are not text.
    #[error("channel target is not UTF-8")]
    NotUtf8,
    /// Behind the `/` stands neither `tcp` nor `udp`.
    #[error("channel target asks for unknown protocol {0:?}; tcp and udp are known")]
    UnknownProtocol(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_survives_the_wire() {
        for verdict in [
            ResultVerdict::Stored,
            ResultVerdict::Refused(String::new()),
            ResultVerdict::Refused("no such job".to_owned()),
        ] {
            assert_eq!(ResultVerdict::decode(&verdict.encode()), Some(verdict));
        }
        let long = ResultVerdict::Refused("ü".repeat(ResultVerdict::MAX_BYTES));
        assert_eq!(long.encode().len(), ResultVerdict::MAX_BYTES);
        assert!(matches!(
            ResultVerdict::decode(&long.encode()),
            Some(ResultVerdict::Refused(_))
        ));
        assert_eq!(ResultVerdict::decode(b""), None);
        assert_eq!(ResultVerdict::decode(b"ok"), None);
    }
}
