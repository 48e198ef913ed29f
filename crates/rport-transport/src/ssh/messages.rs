//! SSH message numbers, and the messages of the connection layer as RPort lays them out.
//!
//! RPort departs from RFC 4254 in three places (wire-protocol facts, section 3.6): a global request and a channel
//! open carry raw trailing bytes without a length, and a failure reply may carry text.

use super::wire::{Malformed, Reader, put_string, put_u32};

pub(crate) const DISCONNECT: u8 = 1;
pub(crate) const IGNORE: u8 = 2;
pub(crate) const UNIMPLEMENTED: u8 = 3;
pub(crate) const DEBUG: u8 = 4;
pub(crate) const SERVICE_REQUEST: u8 = 5;
pub(crate) const SERVICE_ACCEPT: u8 = 6;
pub(crate) const EXT_INFO: u8 = 7;
pub(crate) const KEXINIT: u8 = 20;
pub(crate) const NEWKEYS: u8 = 21;
pub(crate) const KEX_ECDH_INIT: u8 = 30;
pub(crate) const KEX_ECDH_REPLY: u8 = 31;
pub(crate) const USERAUTH_REQUEST: u8 = 50;
pub(crate) const USERAUTH_FAILURE: u8 = 51;
pub(crate) const USERAUTH_SUCCESS: u8 = 52;
pub(crate) const USERAUTH_BANNER: u8 = 53;
pub(crate) const GLOBAL_REQUEST: u8 = 80;
pub(crate) const REQUEST_SUCCESS: u8 = 81;
pub(crate) const REQUEST_FAILURE: u8 = 82;
pub(crate) const CHANNEL_OPEN: u8 = 90;
pub(crate) const CHANNEL_OPEN_CONFIRMATION: u8 = 91;
pub(crate) const CHANNEL_OPEN_FAILURE: u8 = 92;
pub(crate) const CHANNEL_WINDOW_ADJUST: u8 = 93;
pub(crate) const CHANNEL_DATA: u8 = 94;
pub(crate) const CHANNEL_EXTENDED_DATA: u8 = 95;
pub(crate) const CHANNEL_EOF: u8 = 96;
pub(crate) const CHANNEL_CLOSE: u8 = 97;
pub(crate) const CHANNEL_REQUEST: u8 = 98;
pub(crate) const CHANNEL_SUCCESS: u8 = 99;
pub(crate) const CHANNEL_FAILURE: u8 = 100;
/// Transport ping of OpenSSH's `ping@openssh.com`; Go peers of x/crypto 0.15 answer it, older ones drop the line.
pub(crate) const PING: u8 = 192;
pub(crate) const PONG: u8 = 193;

/// One message of the connection layer, borrowed from the packet it came in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Message<'a> {
    Disconnect {
        reason: u32,
        text: &'a [u8],
    },
    Ignore,
    KexInit,
    Kex,
    GlobalRequest {
        name: &'a str,
        want_reply: bool,
        payload: &'a [u8],
    },
    Reply {
        success: bool,
        payload: &'a [u8],
    },
    Open {
        kind: &'a str,
        sender: u32,
        window: u32,
        max_packet: u32,
        extra: &'a [u8],
    },
    OpenConfirmation {
        recipient: u32,
        sender: u32,
        window: u32,
        max_packet: u32,
    },
    OpenFailure {
        recipient: u32,
        reason: u32,
        text: &'a [u8],
    },
    WindowAdjust {
        recipient: u32,
        bytes: u32,
    },
    Data {
        recipient: u32,
        data: &'a [u8],
    },
    ExtendedData {
        recipient: u32,
        data: &'a [u8],
    },
    Eof {
        recipient: u32,
    },
    Close {
        recipient: u32,
    },
    ChannelRequest {
        recipient: u32,
        name: &'a str,
        want_reply: bool,
        payload: &'a [u8],
    },
    ChannelReply {
        recipient: u32,
        success: bool,
    },
    Ping {
        data: &'a [u8],
    },
    Pong {
        data: &'a [u8],
    },
}

impl<'a> Message<'a> {
    /// Parses a decrypted payload of an authenticated link.
    pub(crate) fn parse(payload: &'a [u8]) -> Result<Self, Malformed> {
        let (&kind, body) = payload.split_first().ok_or(Malformed("empty packet"))?;
        let mut r = Reader::new(body, name_of(kind));
        Ok(match kind {
            DISCONNECT => Self::Disconnect {
                reason: r.u32()?,
                text: r.string().unwrap_or_default(),
            },
            IGNORE | DEBUG | UNIMPLEMENTED | EXT_INFO => Self::Ignore,
            KEXINIT => Self::KexInit,
            NEWKEYS | KEX_ECDH_INIT | KEX_ECDH_REPLY => Self::Kex,
            GLOBAL_REQUEST => Self::GlobalRequest {
                name: r.text()?,
                want_reply: r.bool()?,
                payload: r.rest(),
            },
            REQUEST_SUCCESS => Self::Reply {
                success: true,
                payload: r.rest(),
            },
            REQUEST_FAILURE => Self::Reply {
                success: false,
                payload: r.rest(),
            },
            CHANNEL_OPEN => Self::Open {
                kind: r.text()?,
                sender: r.u32()?,
                window: r.u32()?,
                max_packet: r.u32()?,
                extra: r.rest(),
            },
            CHANNEL_OPEN_CONFIRMATION => Self::OpenConfirmation {
                recipient: r.u32()?,
                sender: r.u32()?,
                window: r.u32()?,
                max_packet: r.u32()?,
            },
            CHANNEL_OPEN_FAILURE => Self::OpenFailure {
                recipient: r.u32()?,
                reason: r.u32()?,
                text: r.string().unwrap_or_default(),
            },
            CHANNEL_WINDOW_ADJUST => Self::WindowAdjust {
                recipient: r.u32()?,
                bytes: r.u32()?,
            },
            CHANNEL_DATA => Self::Data {
                recipient: r.u32()?,
                data: r.string()?,
            },
            CHANNEL_EXTENDED_DATA => {
                let recipient = r.u32()?;
                r.u32()?;
                Self::ExtendedData {
                    recipient,
                    data: r.string()?,
                }
            }
            CHANNEL_EOF => Self::Eof { recipient: r.u32()? },
            CHANNEL_CLOSE => Self::Close { recipient: r.u32()? },
            CHANNEL_REQUEST => Self::ChannelRequest {
                recipient: r.u32()?,
                name: r.text()?,
                want_reply: r.bool()?,
                payload: r.rest(),
            },
            CHANNEL_SUCCESS => Self::ChannelReply {
                recipient: r.u32()?,
                success: true,
            },
            CHANNEL_FAILURE => Self::ChannelReply {
                recipient: r.u32()?,
                success: false,
            },
            PING => Self::Ping { data: r.string()? },
            PONG => Self::Pong { data: r.string()? },
            _ => return Err(Malformed("message of an unknown kind")),
        })
    }
}

fn name_of(kind: u8) -> &'static str {
    match kind {
        DISCONNECT => "DISCONNECT",
        GLOBAL_REQUEST => "GLOBAL_REQUEST",
        CHANNEL_OPEN => "CHANNEL_OPEN",
        CHANNEL_OPEN_CONFIRMATION => "CHANNEL_OPEN_CONFIRMATION",
        CHANNEL_OPEN_FAILURE => "CHANNEL_OPEN_FAILURE",
        CHANNEL_WINDOW_ADJUST => "CHANNEL_WINDOW_ADJUST",
        CHANNEL_DATA | CHANNEL_EXTENDED_DATA => "CHANNEL_DATA",
        CHANNEL_REQUEST => "CHANNEL_REQUEST",
        PING | PONG => "PING",
        _ => "packet",
    }
}

/// Lays out GLOBAL_REQUEST.
pub(crate) fn global_request(name: &str, want_reply: bool, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(6 + name.len() + payload.len());
    out.push(GLOBAL_REQUEST);
    put_string(&mut out, name.as_bytes());
    out.push(u8::from(want_reply));
    out.extend_from_slice(payload);
    out
}

/// Lays out REQUEST_SUCCESS or REQUEST_FAILURE with RPort's raw payload.
pub(crate) fn reply(success: bool, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(1 + payload.len());
    out.push(if success { REQUEST_SUCCESS } else { REQUEST_FAILURE });
    out.extend_from_slice(payload);
    out
}

/// Lays out CHANNEL_OPEN.
pub(crate) fn open(kind: &str, sender: u32, window: u32, max_packet: u32, extra: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(17 + kind.len() + extra.len());
    out.push(CHANNEL_OPEN);
    put_string(&mut out, kind.as_bytes());
    put_u32(&mut out, sender);
    put_u32(&mut out, window);
    put_u32(&mut out, max_packet);
    out.extend_from_slice(extra);
    out
}

/// Lays out CHANNEL_OPEN_CONFIRMATION.
pub(crate) fn open_confirmation(recipient: u32, sender: u32, window: u32, max_packet: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity(17);
    out.push(CHANNEL_OPEN_CONFIRMATION);
    for v in [recipient, sender, window, max_packet] {
        put_u32(&mut out, v);
    }
    out
}

/// Lays out CHANNEL_OPEN_FAILURE.
pub(crate) fn open_failure(recipient: u32, reason: u32, text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(19 + text.len());
    out.push(CHANNEL_OPEN_FAILURE);
    put_u32(&mut out, recipient);
    put_u32(&mut out, reason);
    put_string(&mut out, text.as_bytes());
    put_string(&mut out, b"en");
    out
}

/// Lays out CHANNEL_WINDOW_ADJUST.
pub(crate) fn window_adjust(recipient: u32, bytes: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity(9);
    out.push(CHANNEL_WINDOW_ADJUST);
    put_u32(&mut out, recipient);
    put_u32(&mut out, bytes);
    out
}

/// Lays out a message that has nothing but a recipient: EOF, CLOSE, SUCCESS, FAILURE.
pub(crate) fn bare(kind: u8, recipient: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity(5);
    out.push(kind);
    put_u32(&mut out, recipient);
    out
}

/// Lays out the transport messages PING and PONG.
pub(crate) fn ping(kind: u8, data: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(5 + data.len());
    out.push(kind);
    put_string(&mut out, data);
    out
}

/// Lays out DISCONNECT.
pub(crate) fn disconnect(reason: u32, text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(13 + text.len());
    out.push(DISCONNECT);
    put_u32(&mut out, reason);
    put_string(&mut out, text.as_bytes());
    put_string(&mut out, b"");
    out
}

#[cfg(test)]
mod tests;
