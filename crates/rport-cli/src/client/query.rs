//! The parts of an address.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Everything but what never needs an escape in a path.
const SEGMENT: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// An id as one segment of a path.
pub(crate) fn segment(id: &str) -> String {
    // A browser's rules make these two vanish from a path before it is sent, escaped or not.
    match id {
        "." | ".." => id.replace('.', "%252E"),
        id => utf8_percent_encode(id, &SEGMENT).to_string(),
    }
}

/// What follows the question mark.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Nothing.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds a parameter.
    pub(crate) fn add(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.push((name.into(), value.into()));
    }

    /// Adds a parameter that was given.
    pub(crate) fn add_some(&mut self, name: &str, value: Option<impl Into<String>>) {
        if let Some(value) = value {
            self.add(name, value);
        }
    }

    /// With a further parameter.
    pub(crate) fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.add(name, value);
        self
    }

    /// An address with these parameters; it may have some already.
    pub(super) fn on(&self, address: &str) -> String {
        if self.0.is_empty() {
            return address.to_owned();
        }
        let parameters = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&self.0)
            .finish();
        let joint = if address.contains('?') { '&' } else { '?' };
        format!("{address}{joint}{parameters}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        assert_eq!(segment("a b/c?d#e%"), "a%20b%2Fc%3Fd%23e%25");
        assert_eq!(segment("0a-b_c.d~e"), "0a-b_c.d~e");
        let query = Query::new()
            .with("filter[name]", "a&b *")
            .with("protocol", "tcp+udp");
        assert_eq!(
            query.on("http://x/y"),
            "http://x/y?filter%5Bname%5D=a%26b+*&protocol=tcp%2Budp"
        );
        assert_eq!(query.on("http://x/y?z=1").matches('?').count(), 1);
        assert_eq!(Query::new().on("http://x/y"), "http://x/y");
    }
}
