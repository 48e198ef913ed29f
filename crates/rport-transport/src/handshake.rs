//! From a fresh WebSocket to an authenticated link, in both roles.
//!
//! Everything here happens before the peer has proved who it is, so every step is bounded in bytes and the whole is
//! bounded in time.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use rport_protocol::version::{AGENT_ID_LINE, SERVER_ID_LINE};
use rport_runtime::{Secret, Tasks};

use crate::connection::{Connection, Incoming};
use crate::host_key::{Fingerprint, FingerprintPin, HostKey};
use crate::io::WsStream;
use crate::ssh::Role;
use crate::ssh::cipher::Opener;
use crate::ssh::inbound::{Inbound, InboundError};
use crate::ssh::kex::{Identity, Kex, KexError, Step};
use crate::ssh::link::{Driver, Shared};
use crate::ssh::messages::{
    DEBUG, DISCONNECT, EXT_INFO, IGNORE, KEX_ECDH_INIT, KEX_ECDH_REPLY, KEXINIT, NEWKEYS, SERVICE_ACCEPT,
    SERVICE_REQUEST, USERAUTH_BANNER, USERAUTH_FAILURE, USERAUTH_REQUEST, USERAUTH_SUCCESS, disconnect,
};
use crate::ssh::outbound::{Outbound, SendError};
use crate::ssh::wire::{Malformed, Reader, put_string};

/// Longest identification line, line end included (RFC 4253, section 4.2).
const MAX_LINE: usize = 255;
/// Lines before the identification line that a peer may send.
const MAX_LEADING_LINES: usize = 16;
/// Failed passwords per connection, as Go servers have it.
const MAX_PASSWORDS: usize = 6;
/// RFC 4253, section 11.1: too many authentication failures.
const NO_MORE_AUTH: u32 = 2;
/// Packets that mean nothing (IGNORE, DEBUG) during a handshake.
const MAX_IDLE_PACKETS: usize = 64;

/// Limits of a link.
#[derive(Debug, Clone)]
pub struct LinkOptions {
    /// How long identification, key exchange and authentication may take together.
    pub handshake_timeout: Duration,
    /// Channels that may be open at once.
    pub max_channels: usize,
    /// Bytes in one direction after which keys are renewed; `None` for the cipher's own limit.
    pub rekey_after: Option<u64>,
    /// Whether the peer is not told that we are one of its own programs, so that it treats us as a Go program. For
    /// tests and simulations.
    pub anonymous: bool,
}

impl Default for LinkOptions {
    /// 15 seconds, 16384 channels, the cipher's limit.
    fn default() -> Self {
        Self {
            handshake_timeout: Duration::from_secs(15),
            max_channels: 16_384,
            rekey_after: None,
            anonymous: false,
        }
    }
}

/// What an agent proves itself with: client auth id and password.
#[derive(Debug, Clone)]
pub struct AgentCredentials {
    /// Client auth id.
    pub user: String,
    /// Its password.
    pub password: Secret,
}

/// Decides about passwords on the server.
pub trait Authenticator: Send + Sync {
    /// Whether the password belongs to the user. May take its time: the handshake's deadline bounds it.
    fn verify(&self, user: &str, password: &[u8]) -> impl Future<Output = bool> + Send;
}

/// Who is at the other end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerInfo {
    /// The authenticated client auth id; on an agent, its own.
    pub user: String,
    /// The peer's SSH identification line.
    pub id_line: String,
    /// Whether the peer is one of our own programs.
    pub is_ours: bool,
    /// The server's host key, on an agent.
    pub fingerprint: Option<Fingerprint>,
}

/// An authenticated link.
#[derive(Debug)]
pub struct Link {
    /// Handle for asking the peer.
    pub connection: Connection,
    /// What the peer asks.
    pub incoming: Incoming,
    /// Who the peer is.
    pub peer: PeerInfo,
}

/// A handshake failed; the socket is closed.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// The peer took too long.
    #[error("the handshake was not finished within {0:?}")]
    Timeout(Duration),
    /// The peer closed the connection.
    #[error("the peer closed the connection during the handshake")]
    Closed,
    /// The socket failed.
    #[error("connection lost during the handshake: {0}")]
    Io(#[source] std::io::Error),
    /// The peer speaks something else, or breaks the rules.
    #[error("the peer does not speak the protocol: {0}")]
    Protocol(String),
    /// The server's host key is not the pinned one.
    #[error("the server's fingerprint {found} is not the configured one")]
    WrongFingerprint {
        /// What the server has.
        found: Fingerprint,
    },
    /// The password was refused.
    #[error("the server refused the credentials of {user:?}")]
    Refused {
        /// Client auth id.
        user: String,
    },
    /// The peer failed to authenticate.
    #[error("authentication failed")]
    Unauthenticated,
    /// This process has no working random numbers or crypto.
    #[error("internal error: {0}")]
    Internal(&'static str),
}

impl From<InboundError> for HandshakeError {
    fn from(e: InboundError) -> Self {
        match e {
            InboundError::Eof => Self::Closed,
            InboundError::Io(e) => Self::Io(e),
            other => Self::Protocol(other.to_string()),
        }
    }
}

impl From<Malformed> for HandshakeError {
    fn from(e: Malformed) -> Self {
        Self::Protocol(e.to_string())
    }
}

impl From<KexError> for HandshakeError {
    fn from(e: KexError) -> Self {
        Self::Protocol(e.to_string())
    }
}

impl From<SendError> for HandshakeError {
    fn from(_: SendError) -> Self {
        Self::Closed
    }
}

/// Makes a link as the agent: proves the credentials to a server, whose key must match the pin if there is one.
///
/// Takes at most the options' handshake time. The link's task is started on `tasks`.
///
/// # Errors
/// See [`HandshakeError`].
pub async fn connect(
    ws: WsStream,
    credentials: &AgentCredentials,
    pin: Option<&FingerprintPin>,
    options: &LinkOptions,
    tasks: &Tasks,
) -> Result<Link, HandshakeError> {
    bounded(options, async {
        let mut hs = Handshake::new(ws);
        let peer_line = hs.identify(Role::Client).await?;
        let identity = Identity::Client;
        hs.exchange_keys(
            identity,
            AGENT_ID_LINE.as_bytes().to_vec(),
            peer_line.clone(),
            options.anonymous,
        )
        .await?;
        let fingerprint = hs
            .kex()?
            .host_fingerprint()
            .ok_or(HandshakeError::Internal("no host key after the exchange"))?;
        if let Some(pin) = pin
            && !pin.matches(&fingerprint)
        {
            return Err(HandshakeError::WrongFingerprint { found: fingerprint });
        }
        hs.log_in(credentials).await?;
        let peer = hs.peer(credentials.user.clone(), &peer_line, Some(fingerprint))?;
        hs.into_link(peer, options, tasks)
    })
    .await
}

/// Makes a link as the server: lets the agent prove who it is.
///
/// Takes at most the options' handshake time. The link's task is started on `tasks`.
///
/// # Errors
/// See [`HandshakeError`].
pub async fn accept<A: Authenticator>(
    ws: WsStream,
    host_key: &Arc<HostKey>,
    authenticator: &A,
    options: &LinkOptions,
    tasks: &Tasks,
) -> Result<Link, HandshakeError> {
    bounded(options, async {
        let mut hs = Handshake::new(ws);
        let peer_line = hs.identify(Role::Server).await?;
        let identity = Identity::Server(host_key.clone());
        hs.exchange_keys(
            identity,
            peer_line.clone(),
            SERVER_ID_LINE.as_bytes().to_vec(),
            options.anonymous,
        )
        .await?;
        let user = hs.authenticate(authenticator).await?;
        let peer = hs.peer(user, &peer_line, None)?;
        hs.into_link(peer, options, tasks)
    })
    .await
}

async fn bounded(
    options: &LinkOptions,
    work: impl Future<Output = Result<Link, HandshakeError>>,
) -> Result<Link, HandshakeError> {
    let limit = options.handshake_timeout;
    // Boxed: a handshake's state is large, and the caller's task lives on when the handshake is long over.
    tokio::time::timeout(limit, Box::pin(work))
        .await
        .unwrap_or(Err(HandshakeError::Timeout(limit)))
}

struct Handshake {
    inbound: Inbound,
    out: Outbound,
    opener: Opener,
    kex: Option<Kex>,
}

impl Handshake {
    fn new(ws: WsStream) -> Self {
        Self {
            inbound: Inbound::new(ws.read, ws.side, ws.leftover),
            out: Outbound::new(ws.write, ws.side),
            opener: Opener::clear(),
            kex: None,
        }
    }

    fn kex(&self) -> Result<&Kex, HandshakeError> {
        self.kex
            .as_ref()
            .ok_or(HandshakeError::Internal("no key exchange yet"))
    }

    /// Drives the write side while waiting for the read side.
    async fn drive<T>(
        &mut self,
        mut read: impl FnMut(
            &mut std::task::Context<'_>,
            &mut Inbound,
            &mut Opener,
        ) -> std::task::Poll<Result<T, InboundError>>,
    ) -> Result<T, HandshakeError> {
        let value = poll_fn(|cx| {
            if let std::task::Poll::Ready(Err(e)) = self.out.poll_drive(cx) {
                return std::task::Poll::Ready(Err(InboundError::Io(e)));
            }
            read(cx, &mut self.inbound, &mut self.opener)
        })
        .await?;
        for data in self.inbound.take_pings() {
            self.out.send_pong(&data);
        }
        Ok(value)
    }

    /// The next packet that means something.
    async fn packet(&mut self) -> Result<Vec<u8>, HandshakeError> {
        for _ in 0..MAX_IDLE_PACKETS {
            let payload = self
                .drive(|cx, inbound, opener| inbound.poll_packet(cx, opener).map_ok(|p| p.to_vec()))
                .await?;
            match payload.first() {
                // Strict key exchange allows nothing optional in between (OpenSSH PROTOCOL, section 1.9).
                Some(&(IGNORE | DEBUG | EXT_INFO))
                    if self.kex.as_ref().is_some_and(|k| k.is_running() && k.is_strict()) =>
                {
                    return Err(Malformed("strict key exchange").into());
                }
                Some(&(IGNORE | DEBUG | EXT_INFO | USERAUTH_BANNER)) => {}
                Some(&DISCONNECT) => return Err(HandshakeError::Closed),
                _ => return Ok(payload),
            }
        }
        Err(HandshakeError::Protocol(
            "too many packets without meaning".to_owned(),
        ))
    }

    /// Exchanges identification lines; returns the peer's without line end.
    async fn identify(&mut self, role: Role) -> Result<Vec<u8>, HandshakeError> {
        let line = match role {
            Role::Client => AGENT_ID_LINE,
            Role::Server => SERVER_ID_LINE,
        };
        self.out.send_line(format!("{line}\r\n").as_bytes())?;
        for _ in 0..MAX_LEADING_LINES {
            let line = self
                .drive(|cx, inbound, _| inbound.poll_line(cx, MAX_LINE))
                .await?;
            // Go peers do not say "SSH-2.0-", and neither do we.
            if line.starts_with(b"SSH-") {
                return Ok(line);
            }
        }
        Err(HandshakeError::Protocol("no SSH identification line".to_owned()))
    }

    /// Runs the first key exchange to its end.
    async fn exchange_keys(
        &mut self,
        identity: Identity,
        client_line: Vec<u8>,
        server_line: Vec<u8>,
        anonymous: bool,
    ) -> Result<(), HandshakeError> {
        let mut kex = Kex::new(identity, client_line, server_line).anonymous(anonymous);
        if let Some(kexinit) = kex.start()? {
            self.out.begin_kex(&kexinit)?;
        }
        self.kex = Some(kex);
        loop {
            let payload = self.packet().await?;
            let in_place = payload
                .first()
                .is_some_and(|kind| [KEXINIT, NEWKEYS, KEX_ECDH_INIT, KEX_ECDH_REPLY].contains(kind));
            if !in_place {
                return Err(Malformed("key exchange").into());
            }
            let kex = self
                .kex
                .as_mut()
                .ok_or(HandshakeError::Internal("no key exchange"))?;
            for step in kex.receive(&payload)? {
                match step {
                    Step::Send(payload) => self.out.send_kex(&payload)?,
                    Step::SwitchOut(keys) => self.out.switch(&keys)?,
                    Step::SwitchIn(keys) => {
                        self.opener
                            .rekey(keys.cipher, &keys.key, &keys.iv, keys.reset_sequence)
                            .map_err(|_| HandshakeError::Internal("the cipher refused the keys"))?;
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Agent: asks for the service and sends the password in one go; the server's key has been checked.
    async fn log_in(&mut self, credentials: &AgentCredentials) -> Result<(), HandshakeError> {
        let mut service = vec![SERVICE_REQUEST];
        put_string(&mut service, b"ssh-userauth");
        self.out.send(&service)?;
        let mut request = zeroize::Zeroizing::new(vec![USERAUTH_REQUEST]);
        put_string(&mut request, credentials.user.as_bytes());
        put_string(&mut request, b"ssh-connection");
        put_string(&mut request, b"password");
        request.push(0);
        put_string(&mut request, credentials.password.expose().as_bytes());
        self.out.send(&request)?;
        loop {
            let payload = self.packet().await?;
            match payload.first() {
                Some(&SERVICE_ACCEPT) => {}
                Some(&USERAUTH_SUCCESS) => return Ok(()),
                Some(&USERAUTH_FAILURE) => {
                    return Err(HandshakeError::Refused {
                        user: credentials.user.clone(),
                    });
                }
                _ => return Err(Malformed("authentication answer").into()),
            }
        }
    }

    /// Server: answers authentication requests until one succeeds.
    async fn authenticate<A: Authenticator>(&mut self, auth: &A) -> Result<String, HandshakeError> {
        let payload = self.packet().await?;
        let mut r = Reader::new(&payload, "SERVICE_REQUEST");
        if r.u8()? != SERVICE_REQUEST || r.string()? != b"ssh-userauth" {
            return Err(Malformed("SERVICE_REQUEST").into());
        }
        let mut accept = vec![SERVICE_ACCEPT];
        put_string(&mut accept, b"ssh-userauth");
        self.out.send(&accept)?;
        let mut failure = vec![USERAUTH_FAILURE];
        put_string(&mut failure, b"password");
        failure.push(0);
        // Go agents try "none" first, which is free.
        let (mut failed, mut free) = (0, true);
        loop {
            let payload = zeroize::Zeroizing::new(self.packet().await?);
            let mut r = Reader::new(&payload, "USERAUTH_REQUEST");
            if r.u8()? != USERAUTH_REQUEST {
                return Err(Malformed("USERAUTH_REQUEST").into());
            }
            let (user, service, method) = (r.text()?, r.string()?, r.string()?);
            if service != b"ssh-connection" {
                return Err(Malformed("USERAUTH_REQUEST").into());
            }
            if method == b"password" && !r.bool()? {
                let password = r.string()?;
                if auth.verify(user, password).await {
                    self.out.send(&[USERAUTH_SUCCESS])?;
                    return Ok(user.to_owned());
                }
                failed += 1;
            } else if !(std::mem::take(&mut free) && method == b"none") {
                failed += 1;
            }
            if failed >= MAX_PASSWORDS {
                self.out
                    .send(&disconnect(NO_MORE_AUTH, "too many authentication failures"))?;
                return Err(HandshakeError::Unauthenticated);
            }
            self.out.send(&failure)?;
        }
    }

    fn peer(
        &self,
        user: String,
        line: &[u8],
        fingerprint: Option<Fingerprint>,
    ) -> Result<PeerInfo, HandshakeError> {
        Ok(PeerInfo {
            user,
            id_line: String::from_utf8_lossy(line).into_owned(),
            is_ours: self.kex()?.peer_is_ours(),
            fingerprint,
        })
    }

    fn into_link(self, peer: PeerInfo, options: &LinkOptions, tasks: &Tasks) -> Result<Link, HandshakeError> {
        let kex = self.kex.ok_or(HandshakeError::Internal("no key exchange"))?;
        let rekey_after = options.rekey_after.unwrap_or_else(|| kex.rekey_bytes());
        let shared = Arc::new(Shared::new(self.out, peer.is_ours, options.max_channels));
        let driver = Driver::new(shared.clone(), self.inbound, self.opener, kex, rekey_after);
        tasks.spawn("link", driver.run());
        Ok(Link {
            connection: Connection::new(shared.clone()),
            incoming: Incoming::new(shared),
            peer,
        })
    }
}
