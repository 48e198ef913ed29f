//! The version an agent says it has.

/// A dotted version: up to three or more numbers, `v` in front and a pre-release or build behind allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version([u64; 3]);

impl Version {
    /// Reads a version as the Go server does; `None` where it calls a version malformed.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
        let numbers_end = text
            .find(|letter: char| !letter.is_ascii_digit() && letter != '.')
            .unwrap_or(text.len());
        let (numbers, rest) = text.split_at(numbers_end);
        if !rest
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || "-+.~_".contains(letter))
        {
            return None;
        }
        let numbers = if rest.is_empty() {
            numbers
        } else {
            numbers.strip_suffix('.').unwrap_or(numbers)
        };
        let mut parts = [0; 3];
        for (index, part) in numbers.split('.').enumerate() {
            let number = part.parse().ok()?;
            if let Some(place) = parts.get_mut(index) {
                *place = number;
            }
        }
        Some(Self(parts))
    }

    /// Agents before 0.6.4 cannot be asked about `tunnel_allowed`. Source builds call themselves `0.0.0-src` and are
    /// not asked either, as in the Go server.
    pub(super) fn knows_tunnel_allowed(self) -> bool {
        self >= Self([0, 6, 4])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        for (text, parts) in [
            ("0.9.14", [0, 9, 14]),
            ("v1.2.3", [1, 2, 3]),
            ("1.2", [1, 2, 0]),
            ("1", [1, 0, 0]),
            ("0.0.0-src", [0, 0, 0]),
            ("1.0.0-rc.1+build5", [1, 0, 0]),
            ("1.2.3.4", [1, 2, 3]),
        ] {
            assert_eq!(Version::parse(text), Some(Version(parts)), "{text}");
        }
        for text in [
            "",
            "SNAPSHOT",
            "x1",
            "1..2",
            "v",
            "1.2 3",
            "99999999999999999999.1",
        ] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }

    #[test]
    fn old_agents_are_not_asked() {
        let knows = |text: &str| Version::parse(text).is_some_and(Version::knows_tunnel_allowed);
        assert!(knows("0.6.4") && knows("0.9.14") && knows("1.0.0"));
        assert!(!knows("0.6.3") && !knows("0.0.0-src"));
    }
}
