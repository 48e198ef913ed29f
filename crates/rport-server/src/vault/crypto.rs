//! Keys and ciphers of the vault.
//!
//! Source: storage.md 9. Everything is encrypted with AES-256-GCM under one key: a fresh nonce of 12 bytes, the text and
//! a tag of 16 bytes, all together in base64. The Go server's key is SHA-256 of the password. Ours, where the
//! configuration wants it, is Argon2id of it, so that whoever gets hold of the file has to pay for each guess.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rport_runtime::{Secret, rng};
use rport_store::KeyDerivation;
use zeroize::Zeroizing;

const TAG_LEN: usize = 16;
const KEY_LEN: usize = 32;
/// The name in the file.
const ARGON2ID: &str = "argon2id";
/// Memory in KiB, passes and lanes of new keys: the second recommendation of RFC 9106, a good tenth of a second.
const MEMORY: u32 = 65_536;
const PASSES: u32 = 3;
const LANES: u32 = 4;
const SALT_LEN: usize = 16;
/// A vault that asks for more than this is not opened: whoever can write the file must not be able to stop the server
/// with it.
const MAX_MEMORY: u32 = 1 << 20;
const MAX_PASSES: u32 = 32;
const MAX_LANES: u32 = 16;

/// The key of an unlocked vault. Wiped when it is dropped.
pub(super) struct VaultKey(Zeroizing<[u8; KEY_LEN]>);

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeyError {
    /// The file names something this program does not know.
    #[error("the key of this vault is made by {0:?}, which this program does not know")]
    Unknown(String),
    /// The file asks for absurd work.
    #[error("the key derivation in the vault's file is damaged")]
    Damaged,
}

/// What cannot be decrypted: it is damaged, or the key is another one.
#[derive(Debug, thiserror::Error)]
#[error("not encrypted with this key, or damaged")]
pub(super) struct Undecipherable;

/// How the key of a new vault is made with Argon2id.
pub(super) fn new_derivation() -> KeyDerivation {
    KeyDerivation {
        algorithm: ARGON2ID.to_owned(),
        salt: rng::bytes::<SALT_LEN>().to_vec(),
        memory_kib: MEMORY,
        passes: PASSES,
        lanes: LANES,
    }
}

impl VaultKey {
    /// Makes the key from a password. With Argon2id this takes a good tenth of a second and 64 MiB: call it on a
    /// blocking thread.
    pub(super) fn derive(password: &Secret, derivation: Option<&KeyDerivation>) -> Result<Self, KeyError> {
        let password = password.expose().as_bytes();
        let mut key = Zeroizing::new([0; KEY_LEN]);
        let Some(derivation) = derivation else {
            key.copy_from_slice(digest::digest(&digest::SHA256, password).as_ref());
            return Ok(Self(key));
        };
        let KeyDerivation {
            algorithm,
            salt,
            memory_kib,
            passes,
            lanes,
        } = derivation;
        if algorithm != ARGON2ID {
            return Err(KeyError::Unknown(algorithm.clone()));
        }
        if *memory_kib > MAX_MEMORY || *passes > MAX_PASSES || *lanes > MAX_LANES {
            return Err(KeyError::Damaged);
        }
        let params = argon2::Params::new(*memory_kib, *passes, *lanes, Some(KEY_LEN))
            .map_err(|_| KeyError::Damaged)?;
        argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params)
            .hash_password_into(password, salt, key.as_mut_slice())
            .map_err(|_| KeyError::Damaged)?;
        Ok(Self(key))
    }

    /// Encrypts for the file.
    pub(super) fn encrypt(&self, text: &[u8]) -> String {
        self.encrypt_with(text, rng::bytes::<NONCE_LEN>())
    }

    fn encrypt_with(&self, text: &[u8], nonce: [u8; NONCE_LEN]) -> String {
        let mut bytes = Vec::with_capacity(NONCE_LEN + text.len() + TAG_LEN);
        bytes.extend_from_slice(&nonce);
        bytes.extend_from_slice(text);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self
            .cipher()
            .seal_in_place_separate_tag(nonce, Aad::empty(), &mut bytes[NONCE_LEN..])
            .expect("no text of the vault is as long as the limit of the cipher");
        bytes.extend_from_slice(tag.as_ref());
        STANDARD.encode(bytes)
    }

    /// Decrypts what stands in the file. Nothing is given away about why it fails, nor how soon.
    pub(super) fn decrypt(&self, encrypted: &str) -> Result<Zeroizing<Vec<u8>>, Undecipherable> {
        let bytes = STANDARD.decode(encrypted).map_err(|_| Undecipherable)?;
        let mut bytes = Zeroizing::new(bytes);
        if bytes.len() < NONCE_LEN + TAG_LEN {
            return Err(Undecipherable);
        }
        let (nonce, sealed) = bytes.split_at_mut(NONCE_LEN);
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Undecipherable)?;
        let length = self
            .cipher()
            .open_in_place(nonce, Aad::empty(), sealed)
            .map_err(|_| Undecipherable)?
            .len();
        bytes.copy_within(NONCE_LEN..NONCE_LEN + length, 0);
        bytes.truncate(length);
        Ok(bytes)
    }

    fn cipher(&self) -> LessSafeKey {
        let key = UnboundKey::new(&AES_256_GCM, self.0.as_slice()).expect("a key of 32 bytes");
        LessSafeKey::new(key)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn go_key(password: &str) -> VaultKey {
        VaultKey::derive(&password.into(), None).expect("the Go server's way")
    }

    /// Cheap parameters: the tests are about forms, not about cost.
    fn cheap() -> KeyDerivation {
        KeyDerivation {
            salt: vec![7; SALT_LEN],
            memory_kib: 64,
            passes: 1,
            lanes: 1,
            ..new_derivation()
        }
    }

    #[test]
    fn the_go_servers_vector() {
        let key = go_key("1234");
        let expected = "03ac674216f3e15c761ee1a5e255f067953623c8b388b4459e13f978d7c846f4";
        let hex: String = key.0.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, expected);
        let encrypted = "AAECAwQFBgcICQoLLJ6ixbjbX57PhQ9xNgte16+zRPX+Kak0PULU";
        let nonce = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
        assert_eq!(key.encrypt_with(b"hello vault", nonce), encrypted);
        assert_eq!(
            key.decrypt(encrypted).expect("the key").as_slice(),
            b"hello vault"
        );
        assert!(go_key("1235").decrypt(encrypted).is_err());
    }

    /// Taken from a vault that a Go server wrote.
    #[test]
    fn a_recorded_value() {
        let key = go_key("vault-pass-1");
        let value = key.decrypt("w1AU3Xumtz0fEpLi3gUbqoin74wr7SImkdL9Go4GheEpjEmQFh93");
        assert_eq!(value.expect("the key").as_slice(), "gehäim <1>".as_bytes());
    }

    #[test]
    fn argon2id_makes_another_key_for_each_salt() {
        let password = Secret::new("a long password ".repeat(10));
        let one = VaultKey::derive(&password, Some(&cheap())).expect("sound");
        let same = VaultKey::derive(&password, Some(&cheap())).expect("sound");
        assert_eq!(one.0, same.0);
        let salted = KeyDerivation {
            salt: vec![8; SALT_LEN],
            ..cheap()
        };
        let other = VaultKey::derive(&password, Some(&salted)).expect("sound");
        assert!(one.0 != other.0 && one.0 != go_key(password.expose()).0);
        assert_ne!(new_derivation().salt, new_derivation().salt);
        assert!(VaultKey::derive(&password, Some(&new_derivation())).is_ok());
    }

    #[test]
    fn damaged_derivations_are_refused_without_work() {
        let broken = [
            KeyDerivation {
                algorithm: "scrypt".into(),
                ..cheap()
            },
            KeyDerivation {
                memory_kib: u32::MAX,
                ..cheap()
            },
            KeyDerivation {
                passes: u32::MAX,
                ..cheap()
            },
            KeyDerivation {
                lanes: u32::MAX,
                ..cheap()
            },
            KeyDerivation { passes: 0, ..cheap() },
            KeyDerivation {
                memory_kib: 0,
                ..cheap()
            },
            KeyDerivation {
                salt: Vec::new(),
                ..cheap()
            },
        ];
        for derivation in broken {
            assert!(
                VaultKey::derive(&"1234".into(), Some(&derivation)).is_err(),
                "{derivation:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn what_is_encrypted_is_decrypted_and_nothing_else(
            text in prop::collection::vec(any::<u8>(), 0..200), flip in any::<prop::sample::Index>(),
        ) {
            let key = go_key("1234");
            let encrypted = key.encrypt(&text);
            let decrypted = key.decrypt(&encrypted).expect("the key");
            prop_assert_eq!(decrypted.as_slice(), text.as_slice());
            prop_assert_ne!(&encrypted, &key.encrypt(&text), "a fresh nonce each time");
            let mut bytes = STANDARD.decode(&encrypted).expect("base64");
            let at = flip.index(bytes.len());
            bytes[at] ^= 1;
            prop_assert!(key.decrypt(&STANDARD.encode(bytes)).is_err());
        }

        #[test]
        fn no_text_panics(text in "[A-Za-z0-9+/=ä ]{0,80}") {
            prop_assert!(go_key("1234").decrypt(&text).is_err());
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            prop_assert!(go_key("1234").decrypt(&STANDARD.encode(bytes)).is_err());
        }
    }
}
