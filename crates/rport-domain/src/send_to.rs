//! Where codes of the second factor may go. Source: rest-api.md 6.2 and config.md 3.3.

use regex::Regex;

use crate::{Error, Result};

/// Longer addresses are refused; the documented column takes 150 characters.
const MAX_BYTES: usize = 254;

/// What the address for codes must be like; it depends on how codes are delivered.
#[derive(Debug, Clone)]
pub enum SendToRule {
    /// Anything but nothing.
    Any,
    /// An e-mail address.
    Email,
    /// What a pattern of the operator matches.
    Pattern(Regex),
}

impl SendToRule {
    /// Checks an address.
    ///
    /// # Errors
    /// `Invalid`.
    pub fn check(&self, address: &str) -> Result<()> {
        let problem = match self {
            _ if address.is_empty() => return Err(Error::invalid("two_fa_send_to is required")),
            _ if address.len() > MAX_BYTES => Some("it is too long".to_owned()),
            _ if address.chars().any(char::is_control) => Some("it has control characters".to_owned()),
            Self::Any => None,
            Self::Email => (!is_email(address)).then(|| "it is no e-mail address".to_owned()),
            Self::Pattern(pattern) => {
                (!pattern.is_match(address)).then(|| format!("it does not match {pattern}"))
            }
        };
        match problem {
            Some(problem) => Err(Error::invalid(format!("invalid two_fa_send_to: {problem}"))),
            None => Ok(()),
        }
    }
}

fn is_email(text: &str) -> bool {
    let Some((local, host)) = text.rsplit_once('@') else {
        return false;
    };
    let odd = |c: char| c.is_whitespace() || c.is_control() || "<>,;:\"()[]\\@".contains(c);
    !local.is_empty()
        && !local.contains(odd)
        && !host.is_empty()
        && !host.contains(odd)
        && !host.starts_with('.')
        && !host.ends_with('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked_as_the_delivery_needs_them() {
        let pattern = SendToRule::Pattern(Regex::new(r"^\+\d+$").expect("sound"));
        for (rule, address, fits) in [
            (&SendToRule::Any, "whatever", true),
            (&SendToRule::Any, "", false),
            (&SendToRule::Any, "a\r\nBcc: x", false),
            (&SendToRule::Email, "ann@example.com", true),
            (&SendToRule::Email, "ann@localhost", true),
            (&SendToRule::Email, "ann", false),
            (&SendToRule::Email, "@example.com", false),
            (&SendToRule::Email, "ann@", false),
            (&SendToRule::Email, "ann@example.com, bob@example.com", false),
            (&SendToRule::Email, "Ann <ann@example.com>", false),
            (&pattern, "+4930123", true),
            (&pattern, "4930123", false),
        ] {
            assert_eq!(rule.check(address).is_ok(), fits, "{rule:?} {address}");
        }
        let error = SendToRule::Email.check("ann").expect_err("refused");
        assert_eq!(error.title, "invalid two_fa_send_to: it is no e-mail address");
        assert_eq!(
            SendToRule::Email.check("").expect_err("refused").title,
            "two_fa_send_to is required"
        );
    }
}
