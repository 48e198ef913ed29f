use super::*;
use crate::{ClientRecord, ConnectionState};

/// A row with the members of the Go server, and one of a later version.
const STORED: &str = include_str!("../golden/client-details.json");

#[test]
fn a_row_is_written_back_byte_for_byte() {
    let details = ClientDetails::from_json(STORED).expect("row");
    assert_eq!(details.to_json(), STORED);
    let tunnel = &details.tunnels[0];
    assert_eq!((tunnel.id.as_str(), tunnel.remote.lport.as_str()), ("1", "23456"));
    assert_eq!(tunnel.remote.auto_close.as_secs(), 5400);
    assert_eq!(details.other.len(), 1);
}

#[test]
fn unset_members_have_the_form_of_go() {
    let text = ClientDetails::default().to_json();
    for part in [
        r#""ipv4":null"#,
        r#""tags":null"#,
        r#""labels":null"#,
        r#""allowed_user_groups":null"#,
        r#""tunnels":[]"#,
        r#""updates_status":null"#,
        r#""ext_ip_addresses":null"#,
        r#""client_configuration":null"#,
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(
        ClientDetails::from_json(&text).expect("own output"),
        ClientDetails::default()
    );
    assert_eq!(
        ClientDetails::from_json(r#"{"tunnels":null}"#).expect("null"),
        ClientDetails::default()
    );
    assert_eq!(
        ClientDetails::from_json("{}").expect("empty"),
        ClientDetails::default()
    );
    for bad in ["", "[]", "{", r#"{"num_cpus":"2"}"#] {
        assert!(ClientDetails::from_json(bad).is_err(), "{bad}");
    }
}

fn recorded() -> NewConnection {
    let golden: serde_json::Value =
        serde_json::from_str(include_str!("../../../rport-protocol/src/golden/messages.json"))
            .expect("golden");
    json::decode_str(golden["messages"][0]["payload"].as_str().expect("payload")).expect("request")
}

#[test]
fn credentials_are_never_kept() {
    let request = recorded();
    let clear = request.client_configuration.clone().expect("configuration");
    assert_eq!(clear.client.auth_pass, "vecPass");

    let record = ClientRecord::new("c".into(), "vecAuth".into(), request, "203.0.113.7");
    assert!(!record.details.to_json().contains("vecPass"));

    // A row of the Go server holds them.
    let row = format!(r#"{{"client_configuration":{}}}"#, json::encode_string(&clear));
    let details = ClientDetails::from_json(&row).expect("row");
    assert!(details.client_configuration.is_some());
    assert!(!details.to_json().contains("vecPass"));
}

#[test]
fn both_forms_of_regular_expressions_in_a_row_are_read() {
    for form in ["[{}]", r#"["^a"]"#] {
        let row = format!(r#"{{"client_configuration":{{"remote_commands":{{"allow_regexp":{form}}}}}}}"#);
        let details = ClientDetails::from_json(&row).expect(form);
        assert!(details.client_configuration.is_some(), "{form}");
    }
}

#[test]
fn a_returning_client_keeps_what_the_server_knows() {
    let mut record = ClientRecord {
        id: "c".into(),
        client_auth_id: "old".into(),
        disconnected_at: chrono::DateTime::parse_from_rfc3339("2024-05-04T10:11:12Z").ok(),
        details: ClientDetails::from_json(STORED).expect("row"),
    };
    record.details.allowed_user_groups = Some(vec!["a".into()]);
    assert_eq!(record.connection_state(), ConnectionState::Disconnected);

    record.reconnected("new".into(), recorded(), "198.51.100.1");
    assert_eq!(record.connection_state().to_string(), "connected");
    assert_eq!(record.client_auth_id.as_str(), "new");
    let details = &record.details;
    assert_eq!(
        (details.name.as_str(), details.address.as_str()),
        ("vec-name", "198.51.100.1")
    );
    assert!(details.tunnels.is_empty() && details.labels.is_none());
    assert!(details.updates_status.is_some() && details.ext_ip_addresses.is_some());
    assert_eq!(details.allowed_user_groups, Some(vec!["a".into()]));
}

#[test]
fn every_filter_and_sort_has_a_value() {
    use crate::{CLIENT_LIST, ClientView, list::Value};

    let mut details = ClientDetails::from_json(STORED).expect("row");
    details.tags = Some(vec!["t".into()]);
    details.allowed_user_groups = Some(vec!["g".into()]);
    let record = ClientRecord {
        id: "c".into(),
        client_auth_id: "a".into(),
        disconnected_at: None,
        details,
    };
    let view = ClientView {
        record: Arc::new(record),
        last_heartbeat_at: None,
        groups: Arc::from(["x".to_owned()]),
    };
    let names = CLIENT_LIST
        .filters
        .iter()
        .map(|filter| filter.name)
        .chain(CLIENT_LIST.sorts.iter().copied());
    for name in names {
        assert_ne!(view.field(name), Value::Null, "{name}");
    }
    assert_eq!(view.field("nonsense"), Value::Null);
}
