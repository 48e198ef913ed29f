use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::ClientDetails;

fn client() -> ClientRecord {
    let list = |list: &[&str]| Some(list.iter().map(ToString::to_string).collect());
    ClientRecord {
        id: "web-01".into(),
        client_auth_id: "fleet".into(),
        disconnected_at: None,
        details: ClientDetails {
            name: "Web server".into(),
            os_kernel: "linux".into(),
            ipv4: list(&["10.1.2.3", "192.168.1.1"]),
            tags: list(&["Prod", "web"]),
            ..ClientDetails::default()
        },
    }
}

fn check(params: Value, expected: bool) {
    let read = ClientGroupParams::from_json(&params).expect("valid");
    let found = ClientGroupMatcher::new(&read).contains(&client());
    assert_eq!(found, expected, "{params}");
}

#[test]
fn clients_belong_when_every_parameter_matches() {
    check(json!({}), false);
    check(json!({ "client_id": ["web-01"] }), true);
    check(json!({ "client_id": ["WEB-*"] }), true);
    check(json!({ "client_id": ["web"] }), false);
    check(json!({ "client_id": ["web-*"], "os_kernel": ["windows"] }), false);
    check(
        json!({ "client_id": ["web-*"], "os_kernel": ["windows", "LINUX"] }),
        true,
    );
    check(json!({ "ipv4": ["192.168.*"] }), true);
    check(json!({ "ipv6": ["*"] }), false);
    check(json!({ "connection_state": ["connected"] }), true);
    check(json!({ "client_auth_id": ["fleet"] }), true);
    // Dots and the like are no expressions here.
    check(json!({ "client_id": ["web.01"] }), false);
}

#[test]
fn an_empty_list_matches_what_is_empty() {
    check(json!({ "name": [] }), false);
    check(json!({ "hostname": [] }), true);
    check(json!({ "ipv6": [], "client_id": ["*"] }), true);
    check(json!({ "tag": [] }), false);
}

#[test]
fn tags_match_any_or_all() {
    check(json!({ "tag": ["prod", "db"] }), true);
    check(json!({ "tag": ["db"] }), false);
    check(json!({ "tag": { "and": ["prod", "db"] } }), false);
    check(json!({ "tag": { "and": ["prod", "w*"] } }), true);
    check(json!({ "tag": { "or": ["db", "WEB"] } }), true);
    check(json!({ "tag": { "OR": ["web"] } }), true);
    check(json!({ "tag": { "And": ["web", "x"] } }), false);
}

fn refused(params: Value) -> String {
    ClientGroupParams::from_json(&params).expect_err("refused").detail
}

#[test]
fn mistakes_in_tags_have_the_known_words() {
    assert_eq!(refused(json!({ "tag": { "not": ["a"] } })), ONLY_AND_OR);
    assert_eq!(refused(json!({ "tag": { "and": "a" } })), TAG_UNREADABLE);
    assert_eq!(refused(json!({ "tag": { "and": [], "or": [] } })), TAG_UNREADABLE);
    assert_eq!(refused(json!({ "tag": "a" })), TAG_UNREADABLE);
    assert_eq!(refused(json!({ "tag": {} })), TAG_UNREADABLE);
}

#[test]
fn parameters_are_written_with_all_keys() {
    let params = ClientGroupParams::from_json(&json!({ "os": ["<a>"], "tag": { "AND": ["x"] } }));
    let text = params.expect("valid").to_json();
    let expected = r#"{"client_id":null,"name":null,"os":["\u003ca\u003e"],"os_arch":null,"os_family":null,"os_kernel":null,"hostname":null,"ipv4":null,"ipv6":null,"tag":{"and":["x"]},"version":null,"address":null,"client_auth_id":null,"connection_state":null}"#;
    assert_eq!(text, expected);
}

fn group(id: &str) -> ClientGroup {
    ClientGroup {
        id: id.into(),
        description: String::new(),
        params: ClientGroupParams::default(),
        allowed_user_groups: None,
    }
}

#[test]
fn ids_are_short_words() {
    assert!(group("Web_servers-*").check().is_ok());
    let detail = |id: &str| group(id).check().expect_err("refused").detail;
    assert_eq!(detail(""), "group ID cannot be empty");
    assert_eq!(detail(&"a".repeat(31)), "invalid group ID: max length 30, got 31");
    assert_eq!(
        detail("a b"),
        "invalid group ID \"a b\": can contain only \"A-Za-z0-9_-*\""
    );
    assert_eq!(
        group("a b").check().expect_err("refused").title,
        "Invalid client group."
    );
    assert_eq!(
        client_group_not_found(&"x".into()).title,
        "Client Group[id=\"x\"] not found."
    );
}

#[test]
fn sizes_are_limited() {
    let mut long = group("a");
    long.description = "x".repeat(MAX_DESCRIPTION + 1);
    assert!(long.check().is_err());
    let mut many = group("a");
    many.allowed_user_groups = Some(vec!["g".into(); MAX_ENTRIES + 1]);
    assert!(many.check().is_err());
    let patterns = json!({ "name": ["x".repeat(MAX_ENTRY + 1)] });
    let mut wide = group("a");
    wide.params = ClientGroupParams::from_json(&patterns).expect("a list");
    assert!(wide.check().is_err());
}

proptest! {
    #[test]
    fn any_column_is_judged(text in ".{0,60}") {
        let _ = ClientGroupParams::from_json_text(&text);
    }

    #[test]
    fn what_is_written_is_read_back(
        names in proptest::option::of(proptest::collection::vec(".{0,8}", 0..4)),
        tags in proptest::option::of(proptest::collection::vec(".{0,8}", 0..4)),
        form in 0..3,
    ) {
        let tag = tags.map(|tags| match form {
            0 => json!(tags),
            1 => json!({ "and": tags }),
            _ => json!({ "Or": tags }),
        });
        let params = ClientGroupParams::from_json(&json!({ "name": names, "tag": tag })).expect("valid");
        prop_assert_eq!(ClientGroupParams::from_json_text(&params.to_json()).expect("valid"), params);
    }
}
