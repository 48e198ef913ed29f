//! What users find clients by: tags and labels.

use std::collections::BTreeMap;

use crate::{Error, Result};

/// Most tags, and most labels, of one client. Differs from RPort, which knows no limits; so do the sizes below.
const MAX_ENTRIES: usize = 1000;
/// Longest tag, label name and label value, in bytes.
const MAX_ENTRY: usize = 1024;
/// All texts together, in bytes: an agent takes requests up to 256 KiB, and each byte can need six in JSON.
const MAX_TOTAL: usize = 40 * 1024;

/// Tags and labels of a client. `None` is what the API shows as `null`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attributes {
    /// Tags.
    pub tags: Option<Vec<String>>,
    /// Labels.
    pub labels: Option<BTreeMap<String, String>>,
}

impl Attributes {
    /// Checks number and sizes.
    ///
    /// # Errors
    /// `Invalid`.
    pub fn check(&self) -> Result<()> {
        let labels = self.labels.iter().flatten();
        for (what, count) in [
            ("tags", self.tags.as_ref().map_or(0, Vec::len)),
            ("labels", self.labels.as_ref().map_or(0, BTreeMap::len)),
        ] {
            if count > MAX_ENTRIES {
                return Err(invalid(format!("{count} {what}, {MAX_ENTRIES} are allowed")));
            }
        }
        let texts = self
            .tags
            .iter()
            .flatten()
            .chain(labels.flat_map(|(name, value)| [name, value]));
        let mut total = 0;
        for size in texts.map(String::len) {
            if size > MAX_ENTRY {
                return Err(invalid(format!(
                    "a tag or label has {size} bytes, {MAX_ENTRY} are allowed"
                )));
            }
            total += size;
        }
        if total > MAX_TOTAL {
            return Err(invalid(format!(
                "tags and labels have {total} bytes, {MAX_TOTAL} are allowed"
            )));
        }
        Ok(())
    }
}

fn invalid(detail: String) -> Error {
    Error::invalid("Invalid attributes.").detail(detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(tags: Vec<String>, labels: &[(&str, String)], refusal: Option<&str>) {
        let labels = labels
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()));
        let attributes = Attributes {
            tags: Some(tags),
            labels: Some(labels.collect()),
        };
        let found = attributes.check().err().map(|error| error.detail);
        assert_eq!(found.as_deref(), refusal);
    }

    #[test]
    fn sizes_are_limited() {
        check(vec!["a".into(); 1000], &[("city", "Lille".into())], None);
        check(vec!["a".into(); 1001], &[], Some("1001 tags, 1000 are allowed"));
        let text = "a tag or label has 1025 bytes, 1024 are allowed";
        check(vec!["a".repeat(1025)], &[], Some(text));
        check(vec![], &[("a", "b".repeat(1025))], Some(text));
        let text = "tags and labels have 41984 bytes, 40960 are allowed";
        check(vec!["a".repeat(1024); 41], &[], Some(text));
        assert!(Attributes::default().check().is_ok());
    }
}
