//! What users may be called, and when what they are asked for is complete. Source: rest-api.md 18.1.

use rport_domain::{Error, SendToRule};

use super::requests::{NewUser, UserUpdate};

/// Longer names are refused. The documented columns take 150 characters.
const MAX_NAME_BYTES: usize = 254;
/// Longer names of groups are refused, and more groups.
const MAX_GROUPS: usize = 256;
/// An otpauth URL is shorter by far.
const MAX_SECRET_BYTES: usize = 1024;

/// Checks a user to be added, all mistakes at once.
pub(super) fn check_new(new: &NewUser, send_to: Option<&SendToRule>) -> Result<(), Error> {
    let mut errors = Vec::new();
    if new.name.is_empty() {
        errors.push(Error::invalid("username is required"));
    }
    if new.password.is_empty() {
        errors.push(Error::invalid("password is required"));
    }
    if send_to.is_some() && new.two_fa_send_to.is_empty() {
        errors.push(Error::invalid("two_fa_send_to is required"));
    }
    if let Some(error) = Error::join(errors) {
        return Err(error);
    }
    check_name(&new.name)?;
    check_groups(&new.groups)?;
    check_send_to(&new.two_fa_send_to, send_to)?;
    check_secret(new.totp_secret.expose())
}

/// Checks a change; empty texts have been taken out.
pub(super) fn check_update(update: &UserUpdate, send_to: Option<&SendToRule>) -> Result<(), Error> {
    if let Some(name) = &update.name {
        check_name(name)?;
    }
    if let Some(groups) = &update.groups {
        check_groups(groups)?;
    }
    if let Some(address) = &update.two_fa_send_to {
        check_send_to(address, send_to)?;
    }
    update
        .totp_secret
        .as_ref()
        .map_or(Ok(()), |secret| check_secret(secret.expose()))
}

fn check_name(name: &str) -> Result<(), Error> {
    if name.trim() != name {
        return Err(Error::invalid("username must not start or end with whitespace"));
    }
    if name.len() > MAX_NAME_BYTES {
        return Err(Error::invalid(format!(
            "username must not be longer than {MAX_NAME_BYTES} bytes"
        )));
    }
    if name.chars().any(char::is_control) {
        return Err(Error::invalid("username must not contain control characters"));
    }
    Ok(())
}

/// Checks the name of a group.
pub(super) fn check_group(name: &str) -> Result<(), Error> {
    if name.is_empty() {
        return Err(Error::invalid("group name must not be empty"));
    }
    if name.len() > MAX_NAME_BYTES {
        return Err(Error::invalid(format!(
            "group name must not be longer than {MAX_NAME_BYTES} bytes"
        )));
    }
    if name.chars().any(char::is_control) {
        return Err(Error::invalid("group name must not contain control characters"));
    }
    Ok(())
}

fn check_groups(groups: &[String]) -> Result<(), Error> {
    if groups.len() > MAX_GROUPS {
        return Err(Error::invalid(format!(
            "a user can be in {MAX_GROUPS} groups at most"
        )));
    }
    groups.iter().try_for_each(|group| check_group(group))
}

fn check_send_to(address: &str, rule: Option<&SendToRule>) -> Result<(), Error> {
    match rule {
        Some(rule) => rule.check(address),
        // Nothing is sent; any address that will do one day may be noted.
        None if address.is_empty() => Ok(()),
        None => SendToRule::Any.check(address),
    }
}

fn check_secret(secret: &str) -> Result<(), Error> {
    if secret.len() > MAX_SECRET_BYTES || secret.chars().any(char::is_control) {
        return Err(Error::invalid("invalid totp_secret"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_at_once() {
        let error = check_new(&NewUser::default(), Some(&SendToRule::Email)).expect_err("refused");
        let titles: Vec<&str> = error.items().map(|item| item.title.as_str()).collect();
        assert_eq!(
            titles,
            [
                "username is required",
                "password is required",
                "two_fa_send_to is required"
            ]
        );
    }

    #[test]
    fn names_of_all_forms() {
        let long = "x".repeat(255);
        for (name, fits) in [
            ("ann", true),
            ("Ann-Marie O'Neil <ann@example.com>", true),
            ("客户端", true),
            ("a:b/c", true),
            (" ann", false),
            ("ann\t", false),
            ("a\nb", false),
            ("a\0b", false),
            (long.as_str(), false),
        ] {
            assert_eq!(check_name(name).is_ok(), fits, "{name:?}");
        }
        assert!(check_groups(&["".into()]).is_err() && check_groups(&vec!["g".into(); 257]).is_err());
    }
}
