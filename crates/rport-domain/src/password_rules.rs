//! What new passwords of users must be like. Source: rest-api.md 5.4.

use crate::{Error, Result};

/// bcrypt looks at no more bytes of a password, so a longer one would be cut in silence.
pub const BCRYPT_BYTES: usize = 72;

/// More than anybody types, and little enough to hash. For passwords that are not kept as bcrypt.
pub const MAX_BYTES: usize = 1024;

/// The least score zxcvbn gives; with it as minimum every password passes.
const LOWEST_SCORE: i8 = 0;

/// What new passwords must be like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordRules {
    /// The least length in bytes.
    pub min_length: usize,
    /// The least score of zxcvbn, 0 to 4; 0 and below check nothing.
    pub zxcvbn_min_score: i8,
}

/// The defaults of the Go server.
impl Default for PasswordRules {
    fn default() -> Self {
        Self {
            min_length: 14,
            zxcvbn_min_score: LOWEST_SCORE,
        }
    }
}

impl PasswordRules {
    /// Checks a new password. `names` are words that make it easy to guess, such as the user's name. May take some
    /// milliseconds.
    ///
    /// # Errors
    /// `Invalid`, saying what is missing and never the password.
    pub fn check(&self, password: &str, names: &[&str], max_bytes: usize) -> Result<()> {
        if password.len() < self.min_length {
            let least = self.min_length;
            return Err(Error::invalid("Your password is too short")
                .detail(format!("password must be at least {least} characters")));
        }
        if password.is_empty() {
            return Err(Error::invalid("password is required"));
        }
        if password.len() > max_bytes {
            return Err(Error::invalid("Your password is too long")
                .detail(format!("password must be at most {max_bytes} bytes")));
        }
        if password.contains('\0') {
            return Err(
                Error::invalid("Your password cannot be used").detail("password must not contain zero bytes")
            );
        }
        if self.zxcvbn_min_score > LOWEST_SCORE {
            let score = i8::try_from(u8::from(zxcvbn::zxcvbn(password, names).score())).unwrap_or(i8::MAX);
            if score < self.zxcvbn_min_score {
                let least = self.zxcvbn_min_score;
                return Err(Error::invalid("Your password is too guessable")
                    .detail(format!("zxcvbn score is {score}, must be at least {least}")));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rules: PasswordRules, password: &str, expected: Option<(&str, &str)>) {
        let found = rules.check(password, &["wilhelmina.tell"], BCRYPT_BYTES).err();
        let found = found
            .as_ref()
            .map(|error| (error.title.as_str(), error.detail.as_str()));
        assert_eq!(found, expected, "{password}");
    }

    #[test]
    fn lengths_are_bytes() {
        let rules = PasswordRules::default();
        let short = Some((
            "Your password is too short",
            "password must be at least 14 characters",
        ));
        check(rules, "thirteen byte", short);
        check(rules, "", short);
        check(rules, "fourteen bytes", None);
        check(rules, "äöüäöüä", None);
        check(rules, &"x".repeat(72), None);
        let long = Some(("Your password is too long", "password must be at most 72 bytes"));
        check(rules, &"x".repeat(73), long);
        check(
            rules,
            "zero\0zero\0zero\0",
            Some((
                "Your password cannot be used",
                "password must not contain zero bytes",
            )),
        );
        let none = PasswordRules {
            min_length: 0,
            ..rules
        };
        check(none, "", Some(("password is required", "")));
        check(none, "x", None);
    }

    #[test]
    fn guessable_passwords_and_names_are_refused_when_a_score_is_wanted() {
        let rules = PasswordRules {
            min_length: 8,
            zxcvbn_min_score: 3,
        };
        check(
            rules,
            "passwordpassword",
            Some((
                "Your password is too guessable",
                "zxcvbn score is 0, must be at least 3",
            )),
        );
        check(rules, "correct gorilla battery stapler", None);
        let name = rules.check("wilhelmina.tell", &["wilhelmina.tell"], BCRYPT_BYTES);
        assert!(name.is_err(), "the user's own name");
        for off in [0, -1] {
            let rules = PasswordRules {
                zxcvbn_min_score: off,
                ..rules
            };
            check(rules, "passwordpassword", None);
        }
    }
}
