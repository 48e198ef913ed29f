//! From the provider's words about a user to a user of ours.

use rport_domain::Error;

use super::options::SsoMapping;

/// Longest name that is taken over.
const NAME_LIMIT: usize = 255;

/// What a provider says about somebody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Identity {
    /// The user's name.
    pub(super) name: String,
    /// The provider's groups.
    pub(super) groups: Vec<String>,
}

impl SsoMapping {
    /// Refuses who may not come; else the user groups the provider's groups stand for.
    pub(super) fn admit(&self, identity: &Identity) -> Result<Vec<String>, Error> {
        let refused = |text: &str| Err(Error::unauthenticated("unauthorized").detail(text));
        let name = &identity.name;
        if name.is_empty()
            || name.len() > NAME_LIMIT
            || name.trim() != name
            || name.chars().any(char::is_control)
        {
            return refused("the provider gave no usable user name");
        }
        if self
            .permitted_users
            .as_ref()
            .is_some_and(|pattern| !pattern.is_match(name))
        {
            return refused("this user is not permitted to log in");
        }
        if !self.required_group.is_empty() && !identity.groups.contains(&self.required_group) {
            return refused("this user does not belong to the required group");
        }
        let mut groups = Vec::new();
        for theirs in &identity.groups {
            let mapped = self
                .group_map
                .iter()
                .filter(|(from, _)| from == theirs)
                .map(|(_, to)| to.as_str());
            let rest = Some(self.group_prefix.as_str()).filter(|prefix| !prefix.is_empty());
            let rest = rest
                .and_then(|prefix| theirs.strip_prefix(prefix))
                .filter(|rest| !rest.is_empty());
            for ours in mapped.chain(rest) {
                if !groups.iter().any(|group| group == ours) {
                    groups.push(ours.to_owned());
                }
            }
        }
        Ok(groups)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(mapping: &SsoMapping, name: &str, groups: &[&str]) -> Result<Vec<String>, String> {
        let identity = Identity {
            name: name.to_owned(),
            groups: groups.iter().map(ToString::to_string).collect(),
        };
        mapping.admit(&identity).map_err(|error| error.detail)
    }

    #[test]
    fn groups_are_taken_over_only_where_that_was_asked_for() {
        let nothing = SsoMapping::default();
        assert_eq!(admitted(&nothing, "ann", &["Administrators"]), Ok(vec![]));
        let pair = |from: &str, to: &str| (from.to_owned(), to.to_owned());
        let mapping = SsoMapping {
            group_map: vec![
                pair("it", "Administrators"),
                pair("it", "ops"),
                pair("dev", "ops"),
            ],
            group_prefix: "rport-".to_owned(),
            ..SsoMapping::default()
        };
        let groups = admitted(
            &mapping,
            "ann",
            &["it", "dev", "rport-night", "rport-", "Administrators"],
        );
        assert_eq!(
            groups,
            Ok(["Administrators", "ops", "night"].map(str::to_owned).to_vec())
        );
    }

    #[test]
    fn strangers_stay_outside() {
        let mapping = SsoMapping {
            required_group: "rport".to_owned(),
            permitted_users: Some(regex::Regex::new("@example.com$").expect("sound")),
            ..SsoMapping::default()
        };
        assert_eq!(admitted(&mapping, "ann@example.com", &["rport"]), Ok(vec![]));
        assert!(admitted(&mapping, "ann@example.com", &["Rport"]).is_err());
        assert!(admitted(&mapping, "ann@example.com.evil.net", &["rport"]).is_err());
        for name in ["", " ann", "an\nn", &"x".repeat(256)] {
            assert!(admitted(&SsoMapping::default(), name, &[]).is_err(), "{name:?}");
        }
    }
}
