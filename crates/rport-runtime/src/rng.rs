//! Randomness: the operating system's for secrets, a small seeded generator for jitter.

use aws_lc_rs::rand;

/// Fills a buffer with bytes fit for keys.
///
/// # Panics
/// When the machine has no source of randomness, in which case nothing may go on.
pub fn fill(buffer: &mut [u8]) {
    rand::fill(buffer).expect("the operating system provides random bytes");
}

/// An array of bytes fit for keys.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut buffer = [0; N];
    fill(&mut buffer);
    buffer
}

/// A random number over the whole range.
pub fn u64() -> u64 {
    u64::from_ne_bytes(bytes())
}

/// A secret of `length` letters and digits, about six bits each. It is safe in URLs, shells and TOML.
pub fn alphanumeric(length: usize) -> String {
    const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut text = String::with_capacity(length);
    while text.len() < length {
        // 248 is the largest multiple of 62 in a byte: the rest is thrown away to keep all letters equally likely.
        let fresh = bytes::<32>().into_iter().filter(|byte| *byte < 248);
        let letters = fresh.map(|byte| char::from(ALPHABET[usize::from(byte % 62)]));
        text.extend(letters.take(length - text.len()));
    }
    text
}

/// Makes the cryptographic library seed itself now, so that the first agent does not wait for it.
pub fn warm_up() {
    u64();
}

/// A small fast generator (SplitMix64) for jitter and test data. Never for secrets: its output is predictable.
#[derive(Clone, Debug)]
pub struct SmallRng(u64);

impl SmallRng {
    /// A generator with an unpredictable start.
    pub fn random() -> Self {
        Self(u64())
    }

    /// A generator that repeats itself, for tests.
    pub fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number over the whole range.
    pub fn u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 to below `limit`, or 0 when `limit` is 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        // Multiply-shift instead of a remainder: no modulo bias worth mentioning and no division.
        let product = u128::from(self.u64()) * u128::from(limit);
        (product >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_have_their_length_and_differ() {
        for length in [0, 1, 31, 32, 33, 100] {
            let text = alphanumeric(length);
            assert_eq!(text.len(), length);
            assert!(text.bytes().all(|b| b.is_ascii_alphanumeric()));
        }
        assert_ne!(alphanumeric(32), alphanumeric(32));
        assert_ne!(bytes::<16>(), bytes::<16>());
    }

    #[test]
    fn the_small_generator_repeats_and_stays_below() {
        let (mut one, mut two) = (SmallRng::seeded(7), SmallRng::seeded(7));
        for _ in 0..1000 {
            assert_eq!(one.u64(), two.u64());
            assert!(one.below(10) < 10 && two.below(10) < 10);
        }
        assert_eq!(one.below(0), 0);
    }
}
