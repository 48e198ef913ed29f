//! Gob's primitive values.

use super::GobError;

/// Reads primitives from the bytes of one message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn uint(&mut self) -> Result<u64, GobError> {
        let (value, used) = uint_prefix(self.rest)?.ok_or(GobError::Truncated)?;
        self.rest = &self.rest[used..];
        Ok(value)
    }

    pub(super) fn int(&mut self) -> Result<i64, GobError> {
        let value = self.uint()?;
        // The lowest bit is the sign; the shifted value always fits.
        let magnitude = (value >> 1).cast_signed();
        Ok(if value & 1 == 1 { !magnitude } else { magnitude })
    }

    /// Takes a length and that many bytes.
    pub(super) fn bytes(&mut self) -> Result<&'a [u8], GobError> {
        let len = self.uint()?;
        self.take(len)
    }

    pub(super) fn take(&mut self, len: u64) -> Result<&'a [u8], GobError> {
        let len = usize::try_from(len)
            .ok()
            .filter(|len| *len <= self.rest.len())
            .ok_or(GobError::Truncated)?;
        let (taken, rest) = self.rest.split_at(len);
        self.rest = rest;
        Ok(taken)
    }
}

/// Reads an unsigned number from the start of a buffer that may hold only a part of it: `None` means "more bytes
/// needed". Also gives the number of bytes used.
pub(super) fn uint_prefix(bytes: &[u8]) -> Result<Option<(u64, usize)>, GobError> {
    let Some((&first, rest)) = bytes.split_first() else {
        return Ok(None);
    };
    if first < 128 {
        return Ok(Some((u64::from(first), 1)));
    }
    let count = usize::from(first.wrapping_neg());
    if count > 8 {
        return Err(GobError::OutOfRange("length of a number"));
    }
    let Some(digits) = rest.get(..count) else {
        return Ok(None);
    };
    let value = digits
        .iter()
        .fold(0, |value, digit| value << 8 | u64::from(*digit));
    Ok(Some((value, 1 + count)))
}
