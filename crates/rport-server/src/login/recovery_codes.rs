//! Codes that stand in for a lost second factor. Ours; the Go server has none.
//!
//! Ten at a time, each good once, 80 random bits each, so that a plain digest is all that has to be kept.

use aws_lc_rs::digest;

/// Codes in a set.
const COUNT: usize = 10;
/// Letters of a code.
const LENGTH: usize = 16;
/// 32 letters without those that look alike.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// A new set, as shown to the user: groups of four with dashes.
pub(super) fn generate() -> Vec<String> {
    (0..COUNT).map(|_| one()).collect()
}

fn one() -> String {
    let letters = rport_runtime::rng::bytes::<LENGTH>();
    let letters: Vec<char> = letters
        .iter()
        .map(|byte| char::from(ALPHABET[usize::from(byte % 32)]))
        .collect();
    let groups: Vec<String> = letters.chunks(4).map(|group| group.iter().collect()).collect();
    groups.join("-")
}

/// The digest of what somebody typed; `None` when it cannot be such a code.
pub(super) fn hash(typed: &str) -> Option<[u8; 32]> {
    if typed.len() > 64 {
        return None;
    }
    let plain: String = typed
        .chars()
        .filter(|c| !c.is_whitespace() && *c != '-')
        .map(|c| c.to_ascii_lowercase())
        .collect();
    if plain.len() != LENGTH || !plain.bytes().all(|byte| ALPHABET.contains(&byte)) {
        return None;
    }
    let digest = digest::digest(&digest::SHA256, plain.as_bytes());
    digest.as_ref().try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_taken_as_people_type_them() {
        let codes = generate();
        assert_eq!(codes.len(), COUNT);
        for code in &codes {
            let known = hash(code).expect("a code");
            assert_eq!(hash(&code.to_uppercase().replace('-', " ")), Some(known));
        }
        assert_ne!(hash(&codes[0]), hash(&codes[1]));
        for other in [
            "",
            "123456",
            "aB3dE6",
            "aaaa-aaaa-aaaa-aaa",
            "aaaa-aaaa-aaaa-aaa!",
        ] {
            assert_eq!(hash(other), None, "{other}");
        }
    }

    proptest::proptest! {
        #[test]
        fn foreign_text_never_panics(text in "\\PC{0,80}") {
            let _ = hash(&text);
        }
    }
}
