use std::sync::Arc;

use rport_domain::{CLIENT_LIST, ClientRecord, ListQuery};
use serde_json::Value;

use super::*;

fn view() -> ClientView {
    let golden: Value =
        serde_json::from_str(include_str!("../../../rport-protocol/src/golden/messages.json"))
            .expect("golden");
    let payload = golden["messages"][0]["payload"].as_str().expect("payload");
    let request = rport_protocol::json::decode_str(payload).expect("request");
    let record = ClientRecord::new("c1".into(), "auth1".into(), request, "203.0.113.7");
    ClientView {
        record: Arc::new(record),
        last_heartbeat_at: None,
        groups: Arc::default(),
    }
}

fn keys(client: &Client) -> Vec<String> {
    // A plain map would sort them.
    let text = serde_json::to_string(client).expect("JSON");
    let mut keys = Vec::new();
    let mut depth = 0;
    let mut rest = text.as_str();
    while let Some(at) = rest.find(['{', '}', '[', ']', '"']) {
        let (symbol, after) = (rest.as_bytes()[at], &rest[at + 1..]);
        match symbol {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {
                let end = (0..after.len())
                    .find(|end| after.as_bytes()[*end] == b'"' && !after[..*end].ends_with('\\'))
                    .expect("end of text");
                if depth == 1 && after[end + 1..].starts_with(':') {
                    keys.push(after[..end].to_owned());
                }
                rest = &after[end + 1..];
                continue;
            }
        }
        rest = after;
    }
    keys
}

#[test]
fn all_members_in_the_order_of_the_go_server() {
    let expected: Vec<_> = CLIENT_FIELDS
        .all
        .iter()
        .map(|name| {
            if *name == "ip_addresses" {
                "ext_ip_addresses"
            } else {
                name
            }
        })
        .collect();
    assert_eq!(keys(&Client::with_all_fields(view())), expected);
}

#[test]
fn only_what_was_asked_for() {
    let selected = |query: &[(&str, &str)]| {
        let query = ListQuery::parse(query, &CLIENT_LIST).expect("query");
        keys(&Client::new(view(), query.fields))
    };
    assert_eq!(selected(&[]), ["id", "name", "hostname"]);
    assert_eq!(selected(&[("fields[clients]", "tunnels,id")]), ["id", "tunnels"]);
    assert_eq!(
        selected(&[("fields[clients]", "ip_addresses")]),
        ["ext_ip_addresses"]
    );
}

#[test]
fn shape_of_the_members() {
    let shown = serde_json::to_value(Client::with_all_fields(view())).expect("JSON");
    assert_eq!(shown["connection_state"], "connected");
    assert_eq!(shown["disconnected_at"], Value::Null);
    assert_eq!(shown["last_heartbeat_at"], Value::Null);
    assert_eq!(shown["tunnels"], serde_json::json!([]));
    assert_eq!(shown["groups"], serde_json::json!([]));
    assert_eq!(shown["tags"], Value::Null);
    assert_eq!(shown["address"], "203.0.113.7");
    assert_eq!(shown["client_configuration"]["client"]["auth_pass"], "");
    assert_eq!(
        shown["client_configuration"]["connection"]["keep_alive"],
        20_000_000_000_u64
    );
}

#[test]
fn the_document_describes_every_member() {
    let document = serde_json::to_value(Client::schema()).expect("schema");
    let mut described: Vec<_> = document["properties"]
        .as_object()
        .expect("properties")
        .keys()
        .cloned()
        .collect();
    let mut written = keys(&Client::with_all_fields(view()));
    described.sort();
    written.sort();
    assert_eq!(described, written);
    assert!(document.get("required").is_none(), "every member can be left out");
    let mut parts = Vec::new();
    Client::schemas(&mut parts);
    let parts: Vec<_> = parts.iter().map(|(name, _)| name.as_str()).collect();
    for name in ["Tunnel", "UpdatesStatus", "UpdateSummary", "IpAddresses"] {
        assert!(parts.contains(&name), "{name} in {parts:?}");
    }
}
