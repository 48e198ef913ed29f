//! What we offer in KEXINIT and how the two offers become one choice (RFC 4253, section 7.1).

use super::Role;
use super::cipher::CipherKind;
use super::messages::KEXINIT;
use super::wire::{Malformed, Reader, put_string, put_u32};
use crate::host_key;

/// Says in the key exchange list that this peer is one of our own programs, so that both may use what Go peers
/// cannot: large packets, half-close, transport pings. Part of the exchange hash, hence not forgeable in between.
const OURS: &str = "link-v2@rport-rs";
const STRICT_CLIENT: &str = "kex-strict-c-v00@openssh.com";
const STRICT_SERVER: &str = "kex-strict-s-v00@openssh.com";

/// Offered although the AEAD ciphers need none: x/crypto before 2023 demands a common entry all the same.
const MACS: &[&str] = &["hmac-sha2-256-etm@openssh.com", "hmac-sha2-256", "hmac-sha1"];

/// A supported key exchange method; both hash with SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KexMethod {
    Curve25519,
    NistP256,
}

const METHODS: &[(&str, KexMethod)] = &[
    ("curve25519-sha256", KexMethod::Curve25519),
    ("curve25519-sha256@libssh.org", KexMethod::Curve25519),
    ("ecdh-sha2-nistp256", KexMethod::NistP256),
];

/// The offers have nothing in common, or the peer's offer is not one.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NegotiationError {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("no common {0}")]
    NothingInCommon(&'static str),
}

/// Lays out our KEXINIT. Markers are sent in the first exchange only, as OpenSSH asks.
pub(crate) fn our_kexinit(role: Role, cookie: [u8; 16], first: bool) -> Vec<u8> {
    lay_out(role, cookie, first, first)
}

/// The same without saying that we are one of our own programs.
pub(crate) fn anonymous_kexinit(role: Role, cookie: [u8; 16], first: bool) -> Vec<u8> {
    lay_out(role, cookie, first, false)
}

fn lay_out(role: Role, cookie: [u8; 16], first: bool, ours: bool) -> Vec<u8> {
    let mut methods: Vec<&str> = METHODS.iter().map(|(name, _)| *name).collect();
    if ours {
        methods.push(OURS);
    }
    if first {
        methods.push(if role == Role::Server {
            STRICT_SERVER
        } else {
            STRICT_CLIENT
        });
    }
    let ciphers = CipherKind::ALL.map(CipherKind::name).join(",");
    let macs = MACS.join(",");
    let mut out = Vec::with_capacity(512);
    out.push(KEXINIT);
    out.extend_from_slice(&cookie);
    for list in [
        methods.join(",").as_str(),
        host_key::ALGORITHM,
        &ciphers,
        &ciphers,
        &macs,
        &macs,
        "none",
        "none",
        "",
        "",
    ] {
        put_string(&mut out, list.as_bytes());
    }
    out.push(0);
    put_u32(&mut out, 0);
    out
}

/// The parts of a peer's KEXINIT that we look at.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Offer<'a> {
    pub(crate) methods: &'a str,
    pub(crate) host_keys: &'a str,
    pub(crate) client_to_server: &'a str,
    pub(crate) server_to_client: &'a str,
    guess_follows: bool,
}

impl<'a> Offer<'a> {
    /// Parses a KEXINIT payload, message number included.
    pub(crate) fn parse(payload: &'a [u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(payload, "KEXINIT");
        if r.u8()? != KEXINIT {
            return Err(Malformed("KEXINIT"));
        }
        r.array::<16>()?;
        let offer = Self {
            methods: r.text()?,
            host_keys: r.text()?,
            client_to_server: r.text()?,
            server_to_client: r.text()?,
            guess_follows: {
                for _ in 0..6 {
                    r.string()?;
                }
                r.bool()?
            },
        };
        r.u32()?;
        Ok(offer)
    }

    fn has(&self, method: &str) -> bool {
        self.methods.split(',').any(|m| m == method)
    }
}

/// What both sides will use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) method: KexMethod,
    pub(crate) client_to_server: CipherKind,
    pub(crate) server_to_client: CipherKind,
    /// The peer sent a guessed packet after its KEXINIT and guessed wrong: drop that packet.
    pub(crate) drop_guess: bool,
    /// Both sides want strict key exchange.
    pub(crate) strict: bool,
    /// The peer is one of our own programs.
    pub(crate) ours: bool,
}

/// The client's first entry that the server also has.
fn pick<'a>(client: &'a str, server: &str) -> Option<&'a str> {
    client.split(',').find(|c| server.split(',').any(|s| s == *c))
}

/// Chooses for `role` between our own KEXINIT and the peer's.
pub(crate) fn negotiate(
    role: Role,
    ours: &Offer<'_>,
    theirs: &Offer<'_>,
) -> Result<Choice, NegotiationError> {
    let (client, server) = match role {
        Role::Client => (ours, theirs),
        Role::Server => (theirs, ours),
    };
    let method_name = pick(client.methods, server.methods)
        .ok_or(NegotiationError::NothingInCommon("key exchange method"))?;
    let method = METHODS
        .iter()
        .find(|(name, _)| *name == method_name)
        .map(|(_, method)| *method)
        .ok_or(NegotiationError::NothingInCommon("key exchange method"))?;
    pick(client.host_keys, server.host_keys)
        .ok_or(NegotiationError::NothingInCommon("host key algorithm"))?;
    let cipher = |c: &str, s: &str| {
        let name = pick(c, s)?;
        CipherKind::ALL.into_iter().find(|kind| kind.name() == name)
    };
    let strict_marker = if role == Role::Server {
        STRICT_CLIENT
    } else {
        STRICT_SERVER
    };
    let first = |list: &str| list.split(',').next().map(str::to_owned);
    Ok(Choice {
        method,
        client_to_server: cipher(client.client_to_server, server.client_to_server)
            .ok_or(NegotiationError::NothingInCommon("cipher from client to server"))?,
        server_to_client: cipher(client.server_to_client, server.server_to_client)
            .ok_or(NegotiationError::NothingInCommon("cipher from server to client"))?,
        drop_guess: theirs.guess_follows
            && (first(theirs.methods) != first(ours.methods)
                || first(theirs.host_keys) != first(ours.host_keys)),
        strict: theirs.has(strict_marker),
        ours: theirs.has(OURS),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn golden() -> Value {
        serde_json::from_str(include_str!("../golden/ssh-kexinit.json")).expect("golden")
    }

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len())
            .step_by(2)
            .map(|i| u8::from_str_radix(&hex[i..i + 2], 16).expect("hex"))
            .collect()
    }

    /// The payload inside a recorded clear-text packet.
    fn payload(packet: &Value) -> Vec<u8> {
        let mut packet = bytes(packet.as_str().expect("hex"));
        let mut opener = super::super::cipher::Opener::clear();
        let head = packet[..4].try_into().expect("four bytes");
        assert_eq!(opener.packet_len(head), Ok(packet.len()));
        let at = opener.open(&mut packet).expect("recorded packet");
        packet[at].to_vec()
    }

    #[test]
    fn recorded_go_offers_parse_and_agree_with_ours() {
        let golden = golden();
        for (side, role) in [("client", Role::Server), ("server", Role::Client)] {
            let theirs = payload(&golden[format!("{side}_packet_hex")]);
            let theirs = Offer::parse(&theirs).expect(side);
            let listed: Vec<&str> = golden[side]["kex"]
                .as_array()
                .expect("list")
                .iter()
                .filter_map(Value::as_str)
                .collect();
            assert_eq!(theirs.methods, listed.join(","));
            let ours = our_kexinit(role, [0; 16], true);
            let choice = negotiate(role, &Offer::parse(&ours).expect("ours"), &theirs).expect("common");
            assert_eq!(
                choice,
                Choice {
                    method: KexMethod::Curve25519,
                    client_to_server: CipherKind::Aes128Gcm,
                    server_to_client: CipherKind::Aes128Gcm,
                    drop_guess: false,
                    strict: false,
                    ours: false,
                }
            );
        }
    }

    #[test]
    fn agents_before_0_9_7_know_only_the_libssh_name() {
        let ours = our_kexinit(Role::Server, [0; 16], true);
        let theirs = Offer {
            methods: "curve25519-sha256@libssh.org,ecdh-sha2-nistp256,diffie-hellman-group14-sha1",
            host_keys: "ecdsa-sha2-nistp256",
            client_to_server: "aes128-gcm@openssh.com,chacha20-poly1305@openssh.com",
            server_to_client: "chacha20-poly1305@openssh.com",
            guess_follows: true,
        };
        let choice = negotiate(Role::Server, &Offer::parse(&ours).expect("ours"), &theirs).expect("common");
        assert_eq!(choice.method, KexMethod::Curve25519);
        assert_eq!(choice.server_to_client, CipherKind::ChaCha20Poly1305);
        assert!(choice.drop_guess);
    }

    #[test]
    fn our_own_programs_recognise_each_other() {
        let client = our_kexinit(Role::Client, [1; 16], true);
        let server = our_kexinit(Role::Server, [2; 16], true);
        let (client, server) = (
            Offer::parse(&client).expect("c"),
            Offer::parse(&server).expect("s"),
        );
        for (role, ours, theirs) in [(Role::Client, &client, &server), (Role::Server, &server, &client)] {
            let choice = negotiate(role, ours, theirs).expect("common");
            assert!(choice.strict && choice.ours && !choice.drop_guess);
        }
    }

    #[test]
    fn nothing_in_common_is_named() {
        let ours = our_kexinit(Role::Server, [0; 16], true);
        let theirs = Offer {
            methods: "diffie-hellman-group14-sha1",
            host_keys: "ssh-rsa",
            client_to_server: "aes128-ctr",
            server_to_client: "aes128-ctr",
            guess_follows: false,
        };
        let error = negotiate(Role::Server, &Offer::parse(&ours).expect("ours"), &theirs).expect_err("none");
        assert_eq!(error.to_string(), "no common key exchange method");
    }
}
