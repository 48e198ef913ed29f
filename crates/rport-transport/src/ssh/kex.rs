//! Key exchange as a machine without I/O: payloads go in, payloads and keys come out.
//!
//! The same machine serves the first exchange and every later one. The caller must apply the returned steps in order
//! and without letting other packets in between where [`Step::SwitchOut`] says so.

use std::sync::Arc;

use aws_lc_rs::agreement::{self, ECDH_P256, EphemeralPrivateKey, X25519};
use aws_lc_rs::digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use zeroize::Zeroizing;

use super::Role;
use super::algorithms::{
    Choice, KexMethod, NegotiationError, Offer, anonymous_kexinit, negotiate, our_kexinit,
};
use super::cipher::CipherKind;
use super::messages::{KEX_ECDH_INIT, KEX_ECDH_REPLY, NEWKEYS};
use super::wire::{Malformed, Reader, mpint_to_array, put_mpint, put_string};
use crate::host_key::{ALGORITHM, Fingerprint, HostKey, point_of_blob};

/// Why a key exchange failed; the link ends.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KexError {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error(transparent)]
    Negotiation(#[from] NegotiationError),
    #[error("key exchange message out of place")]
    OutOfPlace,
    #[error("the peer's key exchange value is invalid")]
    BadPublicValue,
    #[error("the server's host key is not of type ecdsa-sha2-nistp256")]
    UnknownHostKey,
    #[error("the server's signature is wrong")]
    BadSignature,
    #[error("the server changed its host key during the connection")]
    HostKeyChanged,
    #[error("the crypto library failed")]
    Crypto,
}

/// Keys of one direction.
pub(crate) struct DirectionKeys {
    pub(crate) cipher: CipherKind,
    pub(crate) key: Zeroizing<Vec<u8>>,
    pub(crate) iv: Zeroizing<Vec<u8>>,
    /// Strict key exchange: the sequence number starts again.
    pub(crate) reset_sequence: bool,
}

/// What the caller has to do, in this order.
pub(crate) enum Step {
    /// Send this payload, ahead of everything that is held back.
    Send(Vec<u8>),
    /// Take these keys into use for everything sent from now on, and release what was held back.
    SwitchOut(DirectionKeys),
    /// Take these keys into use for everything received from now on. The exchange is over.
    SwitchIn(DirectionKeys),
}

enum State {
    /// No exchange is running.
    Idle,
    /// Our KEXINIT is out.
    Started { ours: Vec<u8> },
    /// Both KEXINITs are known; the client waits for the reply, the server for the client's value.
    Negotiated {
        ours: Vec<u8>,
        theirs: Vec<u8>,
        choice: Choice,
        client_value: Option<EphemeralPrivateKey>,
    },
    /// Our NEWKEYS is out; the peer's is awaited.
    Finishing(DirectionKeys),
}

/// Who we are in the exchange.
pub(crate) enum Identity {
    Client,
    Server(Arc<HostKey>),
}

/// The key exchange of one link, first and later ones.
pub(crate) struct Kex {
    identity: Identity,
    client_id: Vec<u8>,
    server_id: Vec<u8>,
    session_id: Option<[u8; 32]>,
    host_key_blob: Option<Vec<u8>>,
    strict: bool,
    ours: bool,
    drop_next: bool,
    /// Whether the peer is not told that we are one of our own programs.
    anonymous: bool,
    /// Bytes after which the ciphers in use want new keys.
    rekey_bytes: u64,
    state: State,
}

impl Kex {
    /// `client_id` and `server_id` are the identification lines without line end.
    pub(crate) fn new(identity: Identity, client_id: Vec<u8>, server_id: Vec<u8>) -> Self {
        Self {
            identity,
            client_id,
            server_id,
            session_id: None,
            host_key_blob: None,
            strict: false,
            ours: false,
            drop_next: false,
            anonymous: false,
            rekey_bytes: u64::MAX,
            state: State::Idle,
        }
    }

    /// Does not tell the peer that we are one of our own programs.
    pub(crate) fn anonymous(self, anonymous: bool) -> Self {
        Self { anonymous, ..self }
    }

    fn role(&self) -> Role {
        match self.identity {
            Identity::Client => Role::Client,
            Identity::Server(_) => Role::Server,
        }
    }

    /// Whether an exchange is under way.
    pub(crate) fn is_running(&self) -> bool {
        !matches!(self.state, State::Idle)
    }

    /// Whether the peer is one of our own programs; known after the first KEXINIT.
    pub(crate) fn peer_is_ours(&self) -> bool {
        self.ours
    }

    /// Whether both sides want strict key exchange; known after the first KEXINIT.
    pub(crate) fn is_strict(&self) -> bool {
        self.strict
    }

    /// Bytes in one direction after which the ciphers in use want new keys.
    pub(crate) fn rekey_bytes(&self) -> u64 {
        self.rekey_bytes
    }

    /// Fingerprint of the server's key, in the client's role after the first exchange.
    pub(crate) fn host_fingerprint(&self) -> Option<Fingerprint> {
        self.host_key_blob.as_deref().map(Fingerprint::of_blob)
    }

    /// Begins an exchange; returns our KEXINIT, or `None` when one is running already.
    pub(crate) fn start(&mut self) -> Result<Option<Vec<u8>>, KexError> {
        if self.is_running() {
            return Ok(None);
        }
        let mut cookie = [0; 16];
        aws_lc_rs::rand::fill(&mut cookie).map_err(|_| KexError::Crypto)?;
        let kexinit = if self.anonymous {
            anonymous_kexinit
        } else {
            our_kexinit
        };
        let ours = kexinit(self.role(), cookie, self.session_id.is_none());
        self.state = State::Started { ours: ours.clone() };
        Ok(Some(ours))
    }

    /// Takes a KEXINIT, NEWKEYS or key exchange payload from the peer.
    pub(crate) fn receive(&mut self, payload: &[u8]) -> Result<Vec<Step>, KexError> {
        match payload.first() {
            Some(&super::messages::KEXINIT) => self.peer_kexinit(payload),
            _ if std::mem::take(&mut self.drop_next) => Ok(Vec::new()),
            Some(&KEX_ECDH_INIT) => self.client_value(payload),
            Some(&KEX_ECDH_REPLY) => self.server_reply(payload),
            Some(&NEWKEYS) => self.new_keys(),
            _ => Err(KexError::OutOfPlace),
        }
    }

    fn peer_kexinit(&mut self, payload: &[u8]) -> Result<Vec<Step>, KexError> {
        let mut steps = Vec::new();
        if let Some(ours) = self.start()? {
            steps.push(Step::Send(ours));
        }
        let State::Started { ours } = std::mem::replace(&mut self.state, State::Idle) else {
            return Err(KexError::OutOfPlace);
        };
        let choice = negotiate(self.role(), &Offer::parse(&ours)?, &Offer::parse(payload)?)?;
        if self.session_id.is_none() {
            self.strict = choice.strict;
            self.ours = choice.ours;
        }
        self.drop_next = choice.drop_guess;
        let client_value = match self.identity {
            Identity::Server(_) => None,
            Identity::Client => {
                let private = EphemeralPrivateKey::generate(curve(choice.method), &SystemRandom::new())
                    .map_err(|_| KexError::Crypto)?;
                let public = private.compute_public_key().map_err(|_| KexError::Crypto)?;
                let mut init = vec![KEX_ECDH_INIT];
                put_string(&mut init, public.as_ref());
                steps.push(Step::Send(init));
                Some(private)
            }
        };
        self.state = State::Negotiated {
            ours,
            theirs: payload.to_vec(),
            choice,
            client_value,
        };
        Ok(steps)
    }

    /// Server: the client's public value arrives; answer, and switch our direction.
    fn client_value(&mut self, payload: &[u8]) -> Result<Vec<Step>, KexError> {
        let (
            State::Negotiated {
                ours, theirs, choice, ..
            },
            Identity::Server(host_key),
        ) = (std::mem::replace(&mut self.state, State::Idle), &self.identity)
        else {
            return Err(KexError::OutOfPlace);
        };
        let host_key = host_key.clone();
        let mut r = Reader::new(&payload[1..], "KEX_ECDH_INIT");
        let client_public = r.string()?;
        let private = EphemeralPrivateKey::generate(curve(choice.method), &SystemRandom::new())
            .map_err(|_| KexError::Crypto)?;
        let public = private.compute_public_key().map_err(|_| KexError::Crypto)?;
        let secret = agree(choice.method, private, client_public)?;
        let hash = self.exchange_hash(
            &theirs,
            &ours,
            host_key.blob(),
            client_public,
            public.as_ref(),
            &secret,
        );
        let signature = host_key.sign(&hash).map_err(|_| KexError::Crypto)?;
        let mut reply = vec![KEX_ECDH_REPLY];
        put_string(&mut reply, host_key.blob());
        put_string(&mut reply, public.as_ref());
        put_string(&mut reply, &signature);
        let finish = self.switch(&secret, &hash, choice);
        Ok([Step::Send(reply)].into_iter().chain(finish).collect())
    }

    /// Client: the server's value, key and signature arrive; check them, and switch our direction.
    fn server_reply(&mut self, payload: &[u8]) -> Result<Vec<Step>, KexError> {
        let State::Negotiated {
            ours,
            theirs,
            choice,
            client_value: Some(private),
        } = std::mem::replace(&mut self.state, State::Idle)
        else {
            return Err(KexError::OutOfPlace);
        };
        let mut r = Reader::new(&payload[1..], "KEX_ECDH_REPLY");
        let (blob, server_public, signature) = (r.string()?, r.string()?, r.string()?);
        let client_public = private.compute_public_key().map_err(|_| KexError::Crypto)?;
        let secret = agree(choice.method, private, server_public)?;
        let hash = self.exchange_hash(
            &ours,
            &theirs,
            blob,
            client_public.as_ref(),
            server_public,
            &secret,
        );
        verify(blob, &hash, signature)?;
        match &self.host_key_blob {
            Some(known) if known != blob => return Err(KexError::HostKeyChanged),
            _ => self.host_key_blob = Some(blob.to_vec()),
        }
        Ok(self.switch(&secret, &hash, choice).into())
    }

    fn new_keys(&mut self) -> Result<Vec<Step>, KexError> {
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Finishing(keys) => Ok(vec![Step::SwitchIn(keys)]),
            _ => Err(KexError::OutOfPlace),
        }
    }

    /// RFC 5656, section 4; `secret` is the shared secret as an unsigned big-endian number.
    fn exchange_hash(
        &self,
        client_init: &[u8],
        server_init: &[u8],
        blob: &[u8],
        client_public: &[u8],
        server_public: &[u8],
        secret: &[u8],
    ) -> [u8; 32] {
        let mut input = Vec::with_capacity(2048);
        for part in [
            &self.client_id[..],
            &self.server_id,
            client_init,
            server_init,
            blob,
            client_public,
            server_public,
        ] {
            put_string(&mut input, part);
        }
        put_mpint(&mut input, secret);
        sha256(&[&input])
    }

    /// Derives all keys (RFC 4253, section 7.2), sends NEWKEYS and switches the outgoing direction.
    fn switch(&mut self, secret: &[u8], hash: &[u8; 32], choice: Choice) -> [Step; 2] {
        let session_id = *self.session_id.get_or_insert(*hash);
        let mut k = Zeroizing::new(Vec::with_capacity(40));
        put_mpint(&mut k, secret);
        let derive = |letter: u8, n: usize| {
            let mut out = Zeroizing::new(Vec::with_capacity(n + 32));
            let mut block = sha256(&[&k, hash, &[letter], &session_id]);
            while out.len() < n {
                out.extend_from_slice(&block);
                block = sha256(&[&k, hash, &out]);
            }
            out.truncate(n);
            out
        };
        let keys = |cipher: CipherKind, iv: u8, key: u8| DirectionKeys {
            cipher,
            key: derive(key, cipher.key_len()),
            iv: derive(iv, cipher.iv_len()),
            reset_sequence: self.strict,
        };
        self.rekey_bytes = choice
            .client_to_server
            .rekey_bytes()
            .min(choice.server_to_client.rekey_bytes());
        let to_server = keys(choice.client_to_server, b'A', b'C');
        let to_client = keys(choice.server_to_client, b'B', b'D');
        let (incoming, outgoing) = match self.role() {
            Role::Client => (to_client, to_server),
            Role::Server => (to_server, to_client),
        };
        self.state = State::Finishing(incoming);
        [Step::Send(vec![NEWKEYS]), Step::SwitchOut(outgoing)]
    }
}

fn curve(method: KexMethod) -> &'static agreement::Algorithm {
    match method {
        KexMethod::Curve25519 => &X25519,
        KexMethod::NistP256 => &ECDH_P256,
    }
}

/// The shared secret; the library refuses points off the curve and an all-zero X25519 result.
fn agree(
    method: KexMethod,
    private: EphemeralPrivateKey,
    public: &[u8],
) -> Result<Zeroizing<Vec<u8>>, KexError> {
    let peer = agreement::UnparsedPublicKey::new(curve(method), public);
    agreement::agree_ephemeral(private, peer, KexError::BadPublicValue, |secret| {
        Ok(Zeroizing::new(secret.to_vec()))
    })
}

fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}

/// Checks the server's signature over the exchange hash.
fn verify(blob: &[u8], hash: &[u8; 32], signature: &[u8]) -> Result<(), KexError> {
    let point = point_of_blob(blob).ok_or(KexError::UnknownHostKey)?;
    let mut r = Reader::new(signature, "signature");
    if r.string()? != ALGORITHM.as_bytes() {
        return Err(KexError::UnknownHostKey);
    }
    let mut numbers = Reader::new(r.string()?, "signature");
    let mut fixed = [0; 64];
    fixed[..32].copy_from_slice(&mpint_to_array::<32>(numbers.string()?, "signature")?);
    fixed[32..].copy_from_slice(&mpint_to_array::<32>(numbers.string()?, "signature")?);
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
        .verify(hash, &fixed)
        .map_err(|_| KexError::BadSignature)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machines() -> (Kex, Kex) {
        let host_key = Arc::new(HostKey::from_seed("test").expect("key"));
        let ids = || (b"SSH-rport-v1-client".to_vec(), b"SSH-rport-v1-server".to_vec());
        let (c, s) = ids();
        let client = Kex::new(Identity::Client, c, s);
        let (c, s) = ids();
        (client, Kex::new(Identity::Server(host_key), c, s))
    }

    /// Carries payloads to and fro until both are done; returns the keys (client out, server in, …).
    fn run(client: &mut Kex, server: &mut Kex) -> Vec<DirectionKeys> {
        let mut to_server: Vec<Vec<u8>> = client.start().expect("start").into_iter().collect();
        let mut to_client: Vec<Vec<u8>> = Vec::new();
        let mut keys = Vec::new();
        while !to_server.is_empty() || !to_client.is_empty() {
            let mut deliver = |inbox: Vec<Vec<u8>>, kex: &mut Kex| {
                let mut answers = Vec::new();
                for payload in inbox {
                    for step in kex.receive(&payload).expect("step") {
                        match step {
                            Step::Send(p) => answers.push(p),
                            Step::SwitchOut(k) | Step::SwitchIn(k) => keys.push(k),
                        }
                    }
                }
                answers
            };
            to_client.extend(deliver(std::mem::take(&mut to_server), server));
            to_server.extend(deliver(std::mem::take(&mut to_client), client));
        }
        keys
    }

    #[test]
    fn both_sides_derive_the_same_keys_again_and_again() {
        let (mut client, mut server) = machines();
        for _ in 0..3 {
            let keys = run(&mut client, &mut server);
            assert_eq!(keys.len(), 4);
            let pairs = keys
                .iter()
                .filter(|k| keys.iter().filter(|o| o.key == k.key && o.iv == k.iv).count() == 2)
                .count();
            assert_eq!(pairs, 4, "each key is known on both sides");
            assert!(!client.is_running() && !server.is_running());
        }
        assert!(client.peer_is_ours() && client.is_strict());
        assert_eq!(
            client.host_fingerprint().expect("seen").md5(),
            "aa:0d:c9:17:67:75:6f:a6:ec:49:65:d4:0f:eb:92:01"
        );
    }

    #[test]
    fn a_wrong_signature_ends_the_exchange() {
        let (mut client, mut server) = machines();
        let init = client.start().expect("start").expect("init");
        let mut steps = server.receive(&init).expect("kexinit");
        let Step::Send(server_init) = steps.remove(0) else {
            panic!("kexinit expected")
        };
        let Step::Send(value) = client.receive(&server_init).expect("kexinit").remove(0) else {
            panic!("value")
        };
        let Step::Send(mut reply) = server.receive(&value).expect("value").remove(0) else {
            panic!("reply")
        };
        let last = reply.len() - 1;
        reply[last] ^= 1;
        assert_eq!(client.receive(&reply).err(), Some(KexError::BadSignature));
    }

    #[test]
    fn messages_out_of_place_are_refused() {
        let (mut client, mut server) = machines();
        assert_eq!(client.receive(&[NEWKEYS]).err(), Some(KexError::OutOfPlace));
        assert_eq!(
            server.receive(&[KEX_ECDH_INIT, 0, 0, 0, 0]).err(),
            Some(KexError::OutOfPlace)
        );
        let init = client.start().expect("start").expect("init");
        server.receive(&init).expect("kexinit");
        assert_eq!(
            server.receive(&[KEX_ECDH_INIT, 0, 0, 0, 0]).err(),
            Some(KexError::BadPublicValue)
        );
    }

    proptest::proptest! {
        #[test]
        fn foreign_payloads_never_panic(bytes: Vec<u8>) {
            let (mut client, mut server) = machines();
            let init = client.start().expect("start").expect("init");
            let _ = server.receive(&init);
            for kind in [20, 30, 31] {
                let mut payload = vec![kind];
                payload.extend_from_slice(&bytes);
                let _ = client.receive(&payload);
                let _ = server.receive(&payload);
            }
        }
    }
}
