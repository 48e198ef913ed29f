//! Reading with Go's tolerance.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, de::DeserializeOwned};

use super::node::Node;

/// Decodes a payload with Go's tolerance (see the module page).
///
/// # Errors
/// Not JSON, nested deeper than 128 levels, or a member of the wrong type, including a fraction where an integer
/// belongs: like Go, one wrong member fails the whole payload.
pub fn decode<T: DeserializeOwned>(payload: &[u8]) -> Result<T, PayloadError> {
    decode_text(&utf8_like_go(payload))
}

/// Decodes a text with Go's tolerance.
///
/// # Errors
/// As [`decode`].
pub fn decode_str<T: DeserializeOwned>(payload: &str) -> Result<T, PayloadError> {
    decode_text(payload)
}

/// Reads `null` as the default. For `#[serde(deserialize_with)]` where plain serde reads, without [`decode`].
///
/// # Errors
/// Those of the source and of the value.
pub fn null_default<'de, T: Deserialize<'de> + Default, D: Deserializer<'de>>(
    source: D,
) -> Result<T, D::Error> {
    Option::<T>::deserialize(source).map(Option::unwrap_or_default)
}

/// Reads a member that may be of any shape; what does not fit gives the default.
///
/// # Errors
/// Those of the source, not those of the value.
pub fn lenient<'de, T: Deserialize<'de> + Default, D: Deserializer<'de>>(source: D) -> Result<T, D::Error> {
    let node = Node::deserialize(source)?;
    Ok(T::deserialize(node).unwrap_or_default())
}

fn decode_text<T: DeserializeOwned>(text: &str) -> Result<T, PayloadError> {
    match parse(text) {
        Ok(value) => Ok(value),
        // Only texts that fail are searched for lone surrogates: they are rare, and scanning is not free.
        Err(error) => match mend_surrogates(text) {
            Some(mended) => parse(&mended),
            None => Err(error),
        },
    }
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T, PayloadError> {
    let mut source = serde_json::Deserializer::from_str(text);
    let node = Node::deserialize(&mut source).and_then(|node| source.end().map(|()| node));
    T::deserialize(node.map_err(|error| PayloadError::new(&error))?)
        .map_err(|error| PayloadError::new(&error))
}

/// Go puts one U+FFFD for every invalid byte, where `String::from_utf8_lossy` puts one for a run of them.
fn utf8_like_go(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    Cow::Owned(text)
}

/// Replaces `\uD800`–`\uDFFF` escapes that form no pair by `\uFFFD`; `None` if there are none.
fn mend_surrogates(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut mended = bytes.to_vec();
    let mut changed = false;
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] != b'\\' {
            at += 1;
            continue;
        }
        match unicode_escape(bytes, at) {
            Some(0xD800..=0xDBFF) if matches!(unicode_escape(bytes, at + 6), Some(0xDC00..=0xDFFF)) => {
                at += 12
            }
            Some(0xD800..=0xDFFF) => {
                mended[at + 2..at + 6].copy_from_slice(b"fffd");
                changed = true;
                at += 6;
            }
            // Skips the escaped byte too, so that the second backslash of `\\` starts nothing.
            _ => at += 2,
        }
    }
    changed.then(|| String::from_utf8(mended).expect("only ASCII was replaced by ASCII"))
}

fn unicode_escape(bytes: &[u8], at: usize) -> Option<u32> {
    let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0, |value, digit| {
        Some(value * 16 + char::from(*digit).to_digit(16)?)
    })
}

/// A payload that could not be decoded. The text says where and why; it may repeat the start of a wrong value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PayloadError(String);

impl PayloadError {
    /// Makes an error for decoders that are not JSON, or that check more than types.
    pub fn custom(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    fn new(error: &serde_json::Error) -> Self {
        /// The wrong value may be as long as the packet; errors end in logs and in replies.
        const MAX_CHARS: usize = 300;
        let mut text = error.to_string();
        if let Some((end, _)) = text.char_indices().nth(MAX_CHARS) {
            text.truncate(end);
            text.push('…');
        }
        Self(text)
    }
}
