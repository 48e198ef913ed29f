//! The one thing rustls does not tell about a certificate: until when it is valid.

use chrono::{DateTime, NaiveDateTime, Utc};

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// From when until when a certificate is valid (RFC 5280, section 4.1.2.5); `None` for what is no certificate.
pub(crate) fn validity(certificate: &[u8]) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let (_, certificate, _) = value(certificate, Some(SEQUENCE))?;
    let (_, to_be_signed, _) = value(certificate, Some(SEQUENCE))?;
    let rest = match value(to_be_signed, Some(VERSION)) {
        Some((_, _, rest)) => rest,
        None => to_be_signed,
    };
    // Serial number, signature algorithm, issuer.
    let rest = (0..3).try_fold(rest, |rest, _| value(rest, None).map(|(_, _, rest)| rest))?;
    let (_, validity, _) = value(rest, Some(SEQUENCE))?;
    let (kind, from, rest) = value(validity, None)?;
    let from = time(kind, from)?;
    let (kind, until, _) = value(rest, None)?;
    Some((from, time(kind, until)?))
}

/// Splits the first value off: its tag, its content, what follows. `tag` must match where given.
fn value(der: &[u8], tag: Option<u8>) -> Option<(u8, &[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    if tag.is_some_and(|tag| tag != found) {
        return None;
    }
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let octets = usize::from(first & 0x7f);
        if octets == 0 || octets > 4 {
            return None;
        }
        let (octets, rest) = rest.split_at_checked(octets)?;
        let length = octets
            .iter()
            .fold(0, |sum: usize, octet| (sum << 8) | usize::from(*octet));
        (length, rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((found, content, rest))
}

fn time(kind: u8, text: &[u8]) -> Option<DateTime<Utc>> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let full = match kind {
        // Two digits of the year: 50 and above are of the last century.
        UTC_TIME if text.len() == 12 && text.is_ascii() => {
            let century = if &text[..2] < "50" { "20" } else { "19" };
            format!("{century}{text}")
        }
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let parsed = NaiveDateTime::parse_from_str(&full, "%Y%m%d%H%M%S").ok()?;
    Some(parsed.and_utc())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn made(from: (i32, u8, u8), until: (i32, u8, u8)) -> Vec<u8> {
        let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("name");
        params.not_before = rcgen::date_time_ymd(from.0, from.1, from.2);
        params.not_after = rcgen::date_time_ymd(until.0, until.1, until.2);
        let key = rcgen::KeyPair::generate().expect("key");
        params.self_signed(&key).expect("certificate").der().to_vec()
    }

    #[test]
    fn both_forms_of_time_are_read() {
        for (from, until) in [((2024, 3, 5), (2024, 6, 3)), ((1975, 1, 1), (4096, 12, 31))] {
            let found = validity(&made(from, until)).expect("readable");
            let shown = |date: (i32, u8, u8)| format!("{:04}-{:02}-{:02}", date.0, date.1, date.2);
            assert_eq!(
                (found.0.date_naive().to_string(), found.1.date_naive().to_string()),
                (shown(from), shown(until))
            );
        }
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            validity(&bytes);
        }

        #[test]
        fn damage_never_panics(at in 0usize..300, byte: u8) {
            static GOOD: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| made((2024, 3, 5), (2024, 6, 3)));
            let mut bytes = GOOD.clone();
            let at = at % bytes.len();
            bytes[at] = byte;
            validity(&bytes);
        }
    }
}
