use proptest::prelude::*;

use crate::{Request, json, to_server::NewConnection};

fn recorded() -> NewConnection {
    let golden: serde_json::Value =
        serde_json::from_str(include_str!("../golden/messages.json")).expect("golden");
    let payload = golden["messages"][0]["payload"]
        .as_str()
        .expect("payload")
        .to_owned();
    NewConnection::decode(payload.as_bytes()).expect("request")
}

#[test]
fn secrets_are_blanked() {
    let mut configuration = recorded().client_configuration.expect("configuration");
    let client = &mut configuration.client;
    client.proxy = "socks5h://user:geheim@proxy:1080".into();
    client.server = "ws://user:geheim@h:80/path@x".into();
    client.fallback_servers = Some(vec!["geheim@h".into(), "h:80".into()]);
    client.proxy_url = Some(crate::GoUrl {
        user: Some(Default::default()),
        ..Default::default()
    });
    client.tunnels.as_mut().expect("tunnels")[0].auth_password = "geheim".into();
    configuration.connection.headers = Some(vec![
        "Authorization: Basic geheim".into(),
        "proxy-authorization:geheim".into(),
        "X-Foo: bar".into(),
    ]);
    let headers = configuration.connection.http_headers.as_mut().expect("headers");
    headers.insert("Authorization".into(), Some(vec!["geheim".into()]));
    assert!(!format!("{configuration:?}").contains("vecPass"));

    let blank = configuration.without_secrets();
    let text = json::encode_string(&blank);
    assert!(!text.contains("geheim") && !text.contains("vecPass"), "{text}");
    assert_eq!(blank.client.proxy, "socks5h://proxy:1080");
    assert_eq!(blank.client.server, "ws://h:80/path@x");
    assert_eq!(
        blank.client.fallback_servers,
        Some(vec!["h".into(), "h:80".into()])
    );
    assert_eq!(blank.client.proxy_url.expect("url").user, None);
    assert!(
        blank
            .connection
            .headers
            .expect("headers")
            .contains(&"X-Foo: bar".into())
    );
    assert_eq!(blank.client.auth_user, "vecAuth");
}

#[test]
fn any_form_of_regular_expressions_is_read() {
    for form in ["null", "[]", "[null]", "[{}]", r#"["^a"]"#, r#"[{"a":[1]},"b"]"#] {
        let text =
            format!(r#"{{"remote_commands":{{"allow_regexp":{form},"deny_regexp":{form},"enabled":true}}}}"#);
        let configuration: crate::ClientConfiguration = json::decode_str(&text).expect(form);
        assert!(configuration.remote_commands.enabled);
        assert!(json::encode_string(&configuration).contains(r#""allow_regexp":null,"deny_regexp":null"#));
    }
}

#[test]
fn a_configuration_that_does_not_fit_costs_no_client() {
    for form in [
        "null",
        "7",
        r#"{"client":[]}"#,
        r#"{"monitoring":{"interval":"60s"}}"#,
    ] {
        let text = format!(r#"{{"ID":"a","ClientConfiguration":{form},"Name":"b"}}"#);
        let request = NewConnection::decode(text.as_bytes()).expect(form);
        assert_eq!((request.id.as_str(), request.name.as_str()), ("a", "b"));
        assert_eq!(request.client_configuration, None, "{form}");
    }
}

#[test]
fn order_is_an_array_of_two() {
    for (form, expected) in [
        ("null", ["", ""]),
        ("[]", ["", ""]),
        (r#"["deny","allow","x"]"#, ["deny", "allow"]),
    ] {
        let section: crate::RemoteCommandsSection =
            json::decode_str(&format!(r#"{{"order":{form}}}"#)).expect(form);
        assert_eq!(section.order.0, expected);
    }
}

proptest! {
    #[test]
    fn damaged_requests_never_panic(at in 0..5000usize, byte: u8) {
        let mut payload = recorded().encode();
        let at = at % payload.len();
        payload[at] = byte;
        let _ = NewConnection::decode(&payload);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = NewConnection::decode(&bytes);
        let _ = crate::to_client::RunCmd::decode(&bytes);
    }

    #[test]
    fn user_info_goes_and_nothing_else(url in "[a-z]{0,5}(://)?[a-z:@]{0,12}[/?#]?[a-z@]{0,6}|\\PC{0,20}") {
        let mut blank = url.clone();
        super::blank_user_info(&mut blank);
        prop_assert!(url.ends_with(blank.split_once("://").map_or(blank.as_str(), |(_, rest)| rest)));
    }
}
