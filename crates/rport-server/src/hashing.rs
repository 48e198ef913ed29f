//! The hashes a source may hold: making Argon2id ones, checking all of them.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use rport_domain::StoredPassword;
use rport_runtime::Secret;

/// Memory in KiB, passes and lanes of new hashes: one of the settings OWASP recommends, about a hundredth of a second
/// of one core. The encoded hash has 97 characters, so it fits the documented `varchar(100)`.
const MEMORY: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// A hash that asks for more than this is refused unchecked: whoever can write the source must not be able to stop
/// the server with it.
const MAX_MEMORY: u32 = 1 << 18;
const MAX_PASSES: u32 = 16;
const MAX_BCRYPT_COST: u32 = 15;
/// bcrypt looks at no more bytes of a password, so longer ones are wrong.
const BCRYPT_BYTES: usize = 72;
/// Salt and hash of a bcrypt hash nobody has the password of.
const BCRYPT_TAIL: &str = "7EqJtq98hPqEX7fNZaFWoO5w4uTUZPB7bTnO8n7WPj0F7d1xkV2G6";

/// Hashes a password with a fresh salt. Takes about a hundredth of a second: call it on a blocking thread.
pub(crate) fn hash(password: &Secret) -> StoredPassword {
    let params =
        Params::new(MEMORY, PASSES, LANES, None).expect("the constants are within the limits of Argon2");
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let salt = rport_runtime::rng::bytes::<16>();
    let hash = argon2
        .hash_password_with_salt(password.expose().as_bytes(), &salt)
        .expect("salt and password are within the limits of Argon2");
    StoredPassword::new(hash.to_string())
}

/// Whether a password belongs to a hash. Takes as long as the hash asks for: call it on a blocking thread.
pub(crate) fn verify(password: &[u8], hash: &str) -> bool {
    if !hash.starts_with("$argon2id$") {
        let cheap = hash
            .get(4..6)
            .and_then(|cost| cost.parse().ok())
            .is_some_and(|cost: u32| cost <= MAX_BCRYPT_COST);
        return cheap && password.len() <= BCRYPT_BYTES && bcrypt::verify(password, hash).unwrap_or(false);
    }
    let Ok(hash) = PasswordHash::new(hash) else {
        return false;
    };
    let within = |params: Params| params.m_cost() <= MAX_MEMORY && params.t_cost() <= MAX_PASSES;
    Params::try_from(&hash).is_ok_and(within) && Argon2::default().verify_password(password, &hash).is_ok()
}

/// What decides how long checking a hash takes: everything before the salt.
fn profile(hash: &str) -> Option<&str> {
    if hash.starts_with("$argon2id$") {
        let dollars = hash.match_indices('$').map(|(at, _)| at);
        return dollars.take(4).nth(3).and_then(|end| hash.get(..end));
    }
    hash.get(..7)
}

/// Whether checking two hashes takes equally long.
pub(crate) fn same_cost(one: &str, other: &str) -> bool {
    profile(one).is_some_and(|profile_of_one| Some(profile_of_one) == profile(other))
}

/// A hash without password that takes as long to check as `hash`. `None` for a damaged one, which takes no time.
pub(crate) fn stand_in(hash: &str) -> Option<String> {
    if !hash.starts_with("$argon2id$") {
        let front = hash.get(..7).filter(|_| hash.len() == 60)?;
        return Some(format!("{front}{BCRYPT_TAIL}"));
    }
    PasswordHash::new(hash).ok()?;
    let (front, output) = hash.rsplit_once('$')?;
    // All zero bytes, in an encoding every decoder accepts.
    Some(format!("{front}${}", "A".repeat(output.len())))
}

/// A stand-in that costs as much as the hashes this server makes.
pub(crate) fn own_stand_in() -> String {
    let (salt, output) = ("A".repeat(22), "A".repeat(43));
    format!("$argon2id$v=19$m={MEMORY},t={PASSES},p={LANES}${salt}${output}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cheap parameters: the tests are about forms, not about cost.
    const ARGON2: &str = "$argon2id$v=19$m=64,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$";

    #[test]
    fn own_hashes_fit_the_documented_column_and_are_understood() {
        let stored = hash(&Secret::from("a strong password"));
        assert!(stored.is_hashed());
        assert_eq!(stored.expose().len(), 97, "{}", stored.expose());
        assert!(verify(b"a strong password", stored.expose()));
        assert!(!verify(b"a strong passwore", stored.expose()) && !verify(b"", stored.expose()));
        assert!(
            !verify(stored.expose().as_bytes(), stored.expose()),
            "the hash is not the password"
        );
        assert_ne!(
            hash(&Secret::from("a strong password")),
            stored,
            "a fresh salt each time"
        );
    }

    #[test]
    fn bcrypt_of_all_three_prefixes_is_understood() {
        let hash = bcrypt::hash("s3cret", 4).expect("hashes");
        for prefix in ["$2y$", "$2a$", "$2b$"] {
            let stored = format!("{prefix}{}", &hash[4..]);
            assert!(
                verify(b"s3cret", &stored) && !verify(b"s3cre", &stored),
                "{prefix}"
            );
        }
        let long = bcrypt::hash("x".repeat(72), 4).expect("hashes");
        assert!(verify(&[b'x'; 72], &long) && !verify(&[b'x'; 73], &long));
    }

    #[test]
    fn a_hash_of_a_public_test_vector_is_understood() {
        // Made by the reference implementation: `echo -n password | argon2 somesalt -id -t 2 -k 65536 -p 1 -e`.
        let hash = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        assert!(verify(b"password", hash) && !verify(b"passwore", hash));
    }

    #[test]
    fn damaged_and_hostile_hashes_match_nothing() {
        let greedy =
            "$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        let slow = "$2y$31$7EqJtq98hPqEX7fNZaFWoO5w4uTUZPB7bTnO8n7WPj0F7d1xkV2G6";
        let cut = &hash(&Secret::from("password")).expose()[..90].to_owned();
        for hash in [
            "$argon2id$",
            "$argon2id$v=19$$$",
            "$2y$10$",
            "$2y$1",
            "",
            ARGON2,
            greedy,
            slow,
            cut,
        ] {
            assert!(!verify(b"password", hash), "{hash}");
            assert!(!verify(hash.as_bytes(), hash), "{hash}");
        }
    }

    #[test]
    fn stand_ins_cost_the_same_and_match_nothing() {
        let argon2 = format!("{ARGON2}{}A", "B".repeat(42));
        let bcrypt = bcrypt::hash("s3cret", 4).expect("hashes");
        for hash in [argon2.as_str(), bcrypt.as_str()] {
            let stand_in = stand_in(hash).expect("sound");
            assert!(same_cost(hash, &stand_in) && !verify(b"s3cret", &stand_in) && !verify(b"", &stand_in));
            assert!(StoredPassword::new(stand_in).is_hashed());
        }
        assert!(!same_cost(&argon2, &bcrypt) && !same_cost(&argon2, &own_stand_in()));
        assert!(same_cost(hash(&Secret::from("x")).expose(), &own_stand_in()));
        assert!(
            PasswordHash::new(&own_stand_in()).is_ok(),
            "a damaged one would be refused in no time"
        );
        assert_eq!(
            bcrypt::verify("x", &stand_in(&bcrypt).expect("sound")).ok(),
            Some(false),
            "sound, not refused"
        );
        assert_eq!((stand_in("$argon2id$cut"), stand_in("$2y$10$cut")), (None, None));
    }

    proptest::proptest! {
        #[test]
        fn foreign_hashes_never_panic(text in "(\\$argon2id\\$|\\$2y\\$)[a-z0-9=,$ä]{0,60}") {
            // Without the limits some of these would take minutes.
            let _ = (verify(b"x", &text), stand_in(&text), same_cost(&text, &text));
        }
    }
}
