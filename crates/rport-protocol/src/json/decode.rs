//! Reading with Go's tolerance.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::node::{Node, WithRest};

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

/// Decodes a payload, and a second time without one of its members if that member may be the reason of a failure.
/// For members that are worth less than the rest of the payload.
///
/// # Errors
/// As [`decode`], when it fails without the member, too; the error is that of the whole.
pub fn decode_or_without<T: DeserializeOwned>(payload: &[u8], member: &str) -> Result<T, PayloadError> {
    let text = utf8_like_go(payload);
    with_mended_surrogates(&text, |text| {
        parse(text, |node| T::deserialize(node))
            .or_else(|error| parse(text, |node| T::deserialize(node.without(member))).map_err(|_| error))
    })
}

/// Decodes an object and gives the members the type does not know beside it; for stored objects that must keep what
/// a later version wrote.
///
/// # Errors
/// As [`decode`].
pub fn decode_with_rest<T: DeserializeOwned>(
    text: &str,
) -> Result<(T, BTreeMap<String, Value>), PayloadError> {
    with_mended_surrogates(text, |text| {
        let mut rest = Vec::new();
        let value = parse(text, |node| {
            T::deserialize(WithRest {
                node,
                rest: &mut rest,
            })
        })?;
        let rest = rest
            .into_iter()
            .map(|(name, node)| Ok((name.into_owned(), Value::deserialize(node)?)));
        Ok((
            value,
            rest.collect::<Result<_, _>>()
                .map_err(|error| PayloadError::new(&error))?,
        ))
    })
}

fn decode_text<T: DeserializeOwned>(text: &str) -> Result<T, PayloadError> {
    with_mended_surrogates(text, |text| parse(text, |node| T::deserialize(node)))
}

/// Only texts that fail are searched for lone surrogates: they are rare, and scanning is not free.
fn with_mended_surrogates<T>(
    text: &str,
    read: impl Fn(&str) -> Result<T, PayloadError>,
) -> Result<T, PayloadError> {
    read(text).or_else(|error| match mend_surrogates(text) {
        Some(mended) => read(&mended),
        None => Err(error),
    })
}

fn parse<'a, T>(
    text: &'a str,
    read: impl FnOnce(Node<'a>) -> Result<T, serde_json::Error>,
) -> Result<T, PayloadError> {
    let mut source = serde_json::Deserializer::from_str(text);
    let node = Node::deserialize(&mut source).and_then(|node| source.end().map(|()| node));
    node.and_then(read).map_err(|error| PayloadError::new(&error))
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
