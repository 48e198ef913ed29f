//! One pair for all agents.

use rport_runtime::Secret;

use super::Provider;

pub(crate) struct Single {
    id: Secret,
    password: Secret,
}

impl Single {
    pub(crate) fn new(id: &str, password: Secret) -> Self {
        Self { id: Secret::new(id), password }
    }
}

impl Provider for Single {
    fn verify(&self, id: &str, password: &[u8]) -> bool {
        // Both are always compared, so that time does not tell which of them was wrong.
        let known = self.id.matches(id.as_bytes());
        let right = self.password.matches(password);
        known & right
    }

    fn source_name(&self) -> &'static str {
        "Static Credentials"
    }

    fn writable(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_parts_have_to_match() {
        let single = Single::new("rport", Secret::from("s3cret"));
        assert!(single.verify("rport", b"s3cret"));
        assert!(!single.verify("rport", b"s3cre") && !single.verify("rport", b"s3cret "));
        assert!(!single.verify("Rport", b"s3cret") && !single.verify("", b""));
    }
}
