//! SSH data representation (RFC 4251, section 5): a bounds-checked reader and the matching writers.

/// A packet that does not have the shape its message number promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed {0}")]
pub(crate) struct Malformed(pub(crate) &'static str);

/// Reads SSH fields from a byte slice; every read is bounds-checked and never panics.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> Reader<'a> {
    /// Starts reading `bytes`; `what` names the message in errors.
    pub(crate) fn new(bytes: &'a [u8], what: &'static str) -> Self {
        Self { rest: bytes, what }
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8], Malformed> {
        let (head, tail) = self.rest.split_at_checked(n).ok_or(Malformed(self.what))?;
        self.rest = tail;
        Ok(head)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let what = self.what;
        self.take(N)?.try_into().map_err(|_| Malformed(what))
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn bool(&mut self) -> Result<bool, Malformed> {
        Ok(self.u8()? != 0)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    /// A length-prefixed byte string.
    pub(crate) fn string(&mut self) -> Result<&'a [u8], Malformed> {
        let n = self.u32()?;
        self.take(usize::try_from(n).map_err(|_| Malformed(self.what))?)
    }

    /// A length-prefixed string that must be UTF-8 (names, user names).
    pub(crate) fn text(&mut self) -> Result<&'a str, Malformed> {
        let what = self.what;
        std::str::from_utf8(self.string()?).map_err(|_| Malformed(what))
    }

    /// Everything that is left.
    pub(crate) fn rest(self) -> &'a [u8] {
        self.rest
    }
}

/// Appends a big-endian `u32`.
pub(crate) fn put_u32(out: &mut Vec<u8>, v: u32) {
    out.extend_from_slice(&v.to_be_bytes());
}

/// Appends a length-prefixed byte string.
///
/// Lengths above `u32::MAX` cannot occur: every payload is limited to the packet size long before.
pub(crate) fn put_string(out: &mut Vec<u8>, s: &[u8]) {
    put_u32(out, u32::try_from(s.len()).unwrap_or(u32::MAX));
    out.extend_from_slice(s);
}

/// Appends an `mpint` holding the unsigned big-endian number `n`.
pub(crate) fn put_mpint(out: &mut Vec<u8>, n: &[u8]) {
    let skip = n.iter().take_while(|b| **b == 0).count();
    let digits = &n[skip..];
    let sign = digits.first().is_some_and(|b| b & 0x80 != 0);
    put_u32(
        out,
        u32::try_from(digits.len() + usize::from(sign)).unwrap_or(u32::MAX),
    );
    if sign {
        out.push(0);
    }
    out.extend_from_slice(digits);
}

/// Reads an `mpint` that must be non-negative and fit `N` bytes; returns it left-padded with zeros.
pub(crate) fn mpint_to_array<const N: usize>(bytes: &[u8], what: &'static str) -> Result<[u8; N], Malformed> {
    if bytes.first().is_some_and(|b| b & 0x80 != 0) {
        return Err(Malformed(what));
    }
    let skip = bytes.iter().take_while(|b| **b == 0).count();
    let digits = &bytes[skip..];
    let start = N.checked_sub(digits.len()).ok_or(Malformed(what))?;
    let mut out = [0; N];
    out[start..].copy_from_slice(digits);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn mpints_of_rfc_4251() {
        let check = |n: &[u8], hex: &[u8]| {
            let mut out = Vec::new();
            put_mpint(&mut out, n);
            assert_eq!(out, hex);
        };
        check(&[0, 0], &[0, 0, 0, 0]);
        check(&[0x80], &[0, 0, 0, 2, 0, 0x80]);
        check(
            &[0x09, 0xa3, 0x78, 0xf9, 0xb2, 0xe3, 0x32, 0xa7],
            &[0, 0, 0, 8, 0x09, 0xa3, 0x78, 0xf9, 0xb2, 0xe3, 0x32, 0xa7],
        );
    }

    proptest! {
        #[test]
        fn mpint_round_trip(n: [u8; 32]) {
            let mut out = Vec::new();
            put_mpint(&mut out, &n);
            let read = Reader::new(&out, "mpint").string().expect("own output");
            prop_assert_eq!(mpint_to_array::<32>(read, "mpint").expect("fits"), n);
        }

        #[test]
        fn reading_foreign_bytes_never_panics(bytes: Vec<u8>) {
            let mut r = Reader::new(&bytes, "test");
            while r.string().is_ok() {}
            let _ = r.u32();
            let _ = r.text();
            let _ = mpint_to_array::<32>(&bytes, "test");
        }
    }
}
