//! Decides whether a text parses as a URL reference, as Go's `net/url` does for a text without colons.
//!
//! The remote grammar asks this of every host part, which is a very mild check: most texts pass.

/// Tells whether Go's `url.Parse` accepts the text.
pub(crate) fn is_url_reference(text: &str) -> bool {
    if text.bytes().any(|byte| byte < 0x20 || byte == 0x7f) {
        return false;
    }
    let (text, fragment) = text.split_once('#').unwrap_or((text, ""));
    let (path, _query) = text.split_once('?').unwrap_or((text, ""));
    if !escapes_are_valid(fragment) {
        return false;
    }
    match path.strip_prefix("//") {
        Some(rest) if !rest.starts_with('/') => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            is_authority(authority) && escapes_are_valid(path)
        }
        _ => escapes_are_valid(path),
    }
}

/// Tells whether every `%` starts two hex digits.
fn escapes_are_valid(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes
        .iter()
        .enumerate()
        .all(|(at, byte)| *byte != b'%' || escape_at(bytes, at).is_some())
}

fn escape_at(bytes: &[u8], at: usize) -> Option<u8> {
    let digit = |at: usize| char::from(*bytes.get(at)?).to_digit(16);
    u8::try_from(digit(at + 1)? * 16 + digit(at + 2)?).ok()
}

fn is_authority(authority: &str) -> bool {
    let host = match authority.rsplit_once('@') {
        None => authority,
        Some((user, host)) => {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-._:~!$&'()*+,;=%@".contains(c);
            if !user.chars().all(plain) || !escapes_are_valid(user) {
                return false;
            }
            host
        }
    };
    // Without colons no bracketed literal can be complete but `[…]` itself.
    if host.starts_with('[') && !host.ends_with(']') {
        return false;
    }
    let bytes = host.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            // Source: Go `net/url`, `unescape`: only non-ASCII bytes (and the zone's %25) may be escaped in a host.
            b'%' => match escape_at(bytes, at) {
                Some(0x25 | 0x80..) => at += 3,
                _ => return false,
            },
            0x80.. => at += 1,
            byte if byte.is_ascii_alphanumeric() || b"-_.~!$&'()*+,;=:[]<>\"".contains(&byte) => at += 1,
            _ => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::is_url_reference;

    #[test]
    fn judges_like_go() {
        for good in [
            "", "host", "a b", "٣", "/x/sock", "//x", "*", "a%20b", "a?%zz", "///%41", "//u%40@h", "//[v6]",
        ] {
            assert!(is_url_reference(good), "{good:?}");
        }
        for bad in [
            "%zz",
            "%4",
            "host\u{1}",
            "a\u{7f}",
            "#%",
            "//a b",
            "//%41",
            "//[x",
            "//u\"@h",
            "//h/%",
        ] {
            assert!(!is_url_reference(bad), "{bad:?}");
        }
    }
}
