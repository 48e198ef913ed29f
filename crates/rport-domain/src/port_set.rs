//! The ports a tunnel may listen on.

use std::{fmt, ops::RangeInclusive};

/// A set of ports, built from `used_ports` minus `excluded_ports`.
#[derive(Clone, PartialEq, Eq)]
pub struct PortSet {
    /// Sorted, disjoint, none empty.
    ranges: Vec<RangeInclusive<u16>>,
}

impl PortSet {
    /// Builds the set from the two settings; entries are `N` or `A-B`.
    ///
    /// # Errors
    /// An entry that is no port or range, or nothing left over. The texts begin like those of the Go server.
    pub fn new<U: AsRef<str>, X: AsRef<str>>(used: &[U], excluded: &[X]) -> Result<Self, PortSetError> {
        let used = parse_all("used_ports", used)?;
        let excluded = parse_all("excluded_ports", excluded)?;
        let set = Self::subtract(used, &excluded);
        if set.ranges.is_empty() {
            Err(PortSetError::Empty)
        } else {
            Ok(set)
        }
    }

    /// Makes a set of one range.
    pub fn range(ports: RangeInclusive<u16>) -> Self {
        Self::subtract(vec![ports], &[])
    }

    /// Tells whether a port belongs to the set.
    pub fn contains(&self, port: u16) -> bool {
        let next = self.ranges.partition_point(|range| *range.end() < port);
        self.ranges.get(next).is_some_and(|range| range.contains(&port))
    }

    /// Returns the number of ports.
    pub fn len(&self) -> usize {
        self.ranges.iter().map(ExactSizeIterator::len).sum()
    }

    /// Tells whether there are no ports.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Returns the port at a position in ascending order; for picking one at random.
    pub fn nth(&self, mut position: usize) -> Option<u16> {
        for range in &self.ranges {
            if position < range.len() {
                return range.clone().nth(position);
            }
            position -= range.len();
        }
        None
    }

    /// Returns all ports in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = u16> {
        self.ranges.iter().flat_map(Clone::clone)
    }

    fn subtract(mut used: Vec<RangeInclusive<u16>>, excluded: &[RangeInclusive<u16>]) -> Self {
        used.sort_by_key(|range| *range.start());
        // Wider numbers, so that "one past the last port" exists.
        let mut ranges: Vec<RangeInclusive<u16>> = Vec::new();
        let mut push = |start: u32, end: u32| {
            let (Ok(start), Ok(end)) = (u16::try_from(start), u16::try_from(end)) else {
                return;
            };
            match ranges.last_mut() {
                Some(last) if u32::from(*last.end()) + 1 >= u32::from(start) => {
                    *last = *last.start()..=end.max(*last.end());
                }
                _ => ranges.push(start..=end),
            }
        };
        let mut holes: Vec<_> = excluded
            .iter()
            .map(|hole| (u32::from(*hole.start()), u32::from(*hole.end())))
            .collect();
        holes.sort_unstable();
        for range in used {
            let (mut start, end) = (u32::from(*range.start()), u32::from(*range.end()));
            for &(from, to) in &holes {
                if to < start || from > end {
                    continue;
                }
                if from > start {
                    push(start, from - 1);
                }
                start = start.max(to + 1);
            }
            if start <= end {
                push(start, end);
            }
        }
        Self { ranges }
    }
}

impl fmt::Debug for PortSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(&self.ranges).finish()
    }
}

fn parse_all<S: AsRef<str>>(
    key: &'static str,
    entries: &[S],
) -> Result<Vec<RangeInclusive<u16>>, PortSetError> {
    entries
        .iter()
        .map(|entry| {
            let entry = entry.as_ref().trim();
            parse_range(entry).ok_or_else(|| PortSetError::Entry {
                key,
                entry: entry.to_owned(),
            })
        })
        .collect()
}

fn parse_range(entry: &str) -> Option<RangeInclusive<u16>> {
    let port = |text: &str| {
        let text = text.trim();
        text.parse::<u16>()
            .ok()
            .filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
    };
    match entry.split_once('-') {
        None => port(entry).map(|port| port..=port),
        Some((start, end)) => Some(port(start)?..=port(end)?).filter(|range| !range.is_empty()),
    }
}

/// Why the two settings give no set of ports.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PortSetError {
    /// An entry that is neither a port nor a range.
    #[error("can't parse '{key}': {entry:?} is no port (0 to 65535) and no range such as 20000-30000")]
    Entry {
        /// The setting.
        key: &'static str,
        /// The entry.
        entry: String,
    },
    /// Everything used is excluded.
    #[error(
        "invalid 'used_ports', 'excluded_ports': at least one port should be available for port assignment"
    )]
    Empty,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn check(used: &[&str], excluded: &[&str], expected: &str) {
        let shown = match PortSet::new(used, excluded) {
            Ok(set) => format!("{set:?}"),
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expected, "{used:?} minus {excluded:?}");
    }

    #[test]
    fn builds_from_settings() {
        check(&["20000-30000"], &["1-1024"], "{20000..=30000}");
        check(
            &["1-10", "12", "11", "20-30"],
            &["5", "25-99"],
            "{1..=4, 6..=12, 20..=24}",
        );
        check(&["0-65535"], &["0", "65535"], "{1..=65534}");
        check(&["1-10"], &["1-5", "2-3"], "{6..=10}");
        let empty = PortSetError::Empty.to_string();
        check(&["1-10"], &["0-65535"], &empty);
        check(&[], &[], &empty);
    }

    #[test]
    fn names_bad_entries() {
        for bad in ["", "x", "65536", "2-1", "1-2-3", "-1", "+1"] {
            let error = PortSet::new(&[bad], &[""; 0]).expect_err(bad).to_string();
            assert!(error.starts_with("can't parse 'used_ports': "), "{error}");
        }
        assert!(PortSet::new(&["1"], &["y"]).is_err_and(|e| e.to_string().contains("'excluded_ports'")));
    }

    #[test]
    fn counts_and_finds() {
        let set = PortSet::new(&["10-12", "20"], &["11"]).expect("set");
        assert_eq!(set.iter().collect::<Vec<_>>(), [10, 12, 20]);
        assert_eq!(
            (set.len(), set.nth(1), set.nth(2), set.nth(3)),
            (3, Some(12), Some(20), None)
        );
        assert!(!set.contains(11) && set.contains(20) && !set.contains(21) && !set.contains(9));
        assert_eq!(PortSet::range(5..=6).len(), 2);
    }

    proptest! {
        #[test]
        fn equals_the_plain_set(
            used in proptest::collection::vec((0..300u16, 0..40u16), 0..8),
            excluded in proptest::collection::vec((0..300u16, 0..40u16), 0..8),
        ) {
            let text = |list: &[(u16, u16)]| list.iter().map(|(a, n)| format!("{a}-{}", a + n)).collect::<Vec<_>>();
            let plain = |list: &[(u16, u16)]| list.iter().flat_map(|(a, n)| *a..=a + n).collect::<BTreeSet<_>>();
            let expected: Vec<u16> = plain(&used).difference(&plain(&excluded)).copied().collect();
            match PortSet::new(&text(&used), &text(&excluded)) {
                Ok(set) => prop_assert_eq!(set.iter().collect::<Vec<_>>(), expected),
                Err(_) => prop_assert!(expected.is_empty()),
            }
        }
    }
}
