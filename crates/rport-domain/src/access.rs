//! Who may see which client.

use crate::{ClientId, Error};

/// The group whose members see all clients and may use the admin routes. The name is fixed.
pub const ADMINISTRATORS: &str = "Administrators";

/// Tells whether a user may access a client: administrators may; so may everyone with a group that the client, or a
/// client group it belongs to, allows.
///
/// `client_allows` is the client's own list (none until set), `client_group_allows` the lists of its client groups.
pub fn may_access<'a>(
    user_groups: &[String],
    client_allows: Option<&[String]>,
    client_group_allows: impl IntoIterator<Item = &'a [String]>,
) -> bool {
    let shares = |allowed: &[String]| allowed.iter().any(|group| user_groups.contains(group));
    user_groups.iter().any(|group| group == ADMINISTRATORS)
        || client_allows.is_some_and(shares)
        || client_group_allows.into_iter().any(shares)
}

/// Makes the answer to a user who may not access some clients; all ids are named at once.
pub fn access_denied<'a>(ids: impl IntoIterator<Item = &'a ClientId>) -> Error {
    let ids = ids
        .into_iter()
        .map(ClientId::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    Error::forbidden(format!("Access denied to client(s) with ID(s): {ids}"))
}

/// Makes the answer for an id the server does not know.
pub fn client_not_found(id: &ClientId) -> Error {
    Error::not_found(format!("Client with id=\"{id}\" not found."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(user: &[&str], client: Option<&[&str]>, groups: &[&[&str]], expected: bool) {
        let own = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        let client = client.map(own);
        let groups: Vec<_> = groups.iter().map(|list| own(list)).collect();
        let verdict = may_access(&own(user), client.as_deref(), groups.iter().map(Vec::as_slice));
        assert_eq!(verdict, expected, "{user:?} {client:?} {groups:?}");
    }

    #[test]
    fn rules() {
        check(&["Administrators"], None, &[], true);
        check(&["administrators"], None, &[], false);
        check(&["a"], None, &[], false);
        check(&["a"], Some(&[]), &[], false);
        check(&["a", "b"], Some(&["b"]), &[], true);
        check(&["a"], Some(&["b"]), &[&["c"], &["a"]], true);
        check(&["a"], None, &[&[]], false);
        check(&[], Some(&["a"]), &[&["a"]], false);
    }

    #[test]
    fn texts() {
        let ids = ["a", "b"].map(ClientId::from);
        assert_eq!(
            access_denied(&ids).title,
            "Access denied to client(s) with ID(s): a, b"
        );
        assert_eq!(client_not_found(&ids[0]).title, "Client with id=\"a\" not found.");
    }
}
