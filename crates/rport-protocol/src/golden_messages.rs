//! Every recorded request and reply is read, and written back byte for byte.

use serde_json::Value;

use crate::{Request, texts, to_client, to_server};

struct Recorded {
    request: String,
    payload: String,
    wants_reply: bool,
    success: Option<String>,
    failure: Option<String>,
}

fn recorded(direction: &str) -> Vec<Recorded> {
    let golden: Value = serde_json::from_str(include_str!("golden/messages.json")).expect("golden");
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let messages = golden["messages"].as_array().expect("list");
    messages
        .iter()
        .filter(|message| message["direction"] == direction)
        .map(|message| {
            let reply =
                |kind: &str| (message["reply"]["type"] == kind).then(|| text(&message["reply"]["payload"]));
            Recorded {
                request: text(&message["request"]),
                payload: text(&message["payload"]),
                wants_reply: message["want_reply"].as_bool().expect("flag"),
                success: reply("success"),
                failure: reply("failure"),
            }
        })
        .collect()
}

/// Reads payload and reply of one message and compares what is written back.
fn check<R: Request>(message: &Recorded) {
    let name = R::NAME;
    assert_eq!(message.wants_reply, R::WANTS_REPLY, "{name}");
    // One recorded payload is broken on purpose.
    if message.payload == "garbage" {
        R::decode(message.payload.as_bytes()).err().expect("an error");
        return;
    }
    let request = R::decode(message.payload.as_bytes()).expect(name);
    let written = String::from_utf8(request.encode()).expect("UTF-8");
    assert_eq!(written, expected(&message.payload), "{name}");
    if let Some(payload) = &message.success {
        let reply = R::decode_reply(payload.as_bytes()).expect(name);
        assert_eq!(
            String::from_utf8(R::encode_reply(&reply)).expect("UTF-8"),
            *payload,
            "reply to {name}"
        );
    }
}

/// The two places where we write something else on purpose: regular expressions, and members left out.
fn expected(payload: &str) -> String {
    if payload == "{}" {
        return r#"{"tags":null,"labels":null}"#.to_owned();
    }
    let mut text = payload.to_owned();
    for key in ["allow_regexp", "deny_regexp"] {
        if let Some(start) = text.find(&format!("\"{key}\":[")) {
            let start = start + key.len() + 3;
            let end = start + text[start..].find("\"]").expect("end of list") + 2;
            text.replace_range(start..end, "null");
        }
    }
    text
}

#[test]
fn requests_to_the_client() {
    for message in recorded("server->agent") {
        match message.request.as_str() {
            "put_capabilities" => check::<to_client::PutCapabilities>(&message),
            "ping" => check::<to_client::Ping>(&message),
            "check_port" => check::<to_client::CheckPort>(&message),
            "check_tunnel_allowed" => check::<to_client::CheckTunnelAllowed>(&message),
            "refresh_updates_status" => check::<to_client::RefreshUpdatesStatus>(&message),
            "update_client_metadata" => check::<to_client::UpdateClientMetadata>(&message),
            "run_cmd" => check::<to_client::RunCmd>(&message),
            "upload" => check::<to_client::Upload>(&message),
            "keepalive@openssh.com" => assert_eq!(message.failure.as_deref(), Some(texts::UNKNOWN_REQUEST)),
            other => panic!("no type for {other}"),
        }
    }
}

#[test]
fn requests_to_the_server() {
    for message in recorded("agent->server") {
        match message.request.as_str() {
            "new_connection" => check::<to_server::NewConnection>(&message),
            "ping" => check::<to_server::Ping>(&message),
            "cmd_result" => check::<to_server::CmdResult>(&message),
            "save_measurement" => check::<to_server::SaveMeasurement>(&message),
            "updates_status" => check::<to_server::UpdatesStatus>(&message),
            "ip_addresses" => check::<to_server::IpAddresses>(&message),
            other => panic!("no type for {other}"),
        }
    }
}

#[test]
fn replies_may_be_null_or_empty() {
    type New = to_server::NewConnection;
    assert_eq!(New::decode_reply(b"null").expect("null"), None);
    assert_eq!(New::decode_reply(b"[]").expect("list"), Some(Vec::new()));
    assert_eq!(New::encode_reply(&None), b"null");
    // Agents 0.8.2–0.9.6 answer a ping a second time, with `null`.
    assert!(to_client::Ping::decode_reply(b"null").is_ok());
}

#[test]
fn peers_search_these_texts() {
    assert_eq!(
        texts::already_connected("web-1", "id"),
        "client is already connected: web-1 [id]"
    );
    assert_eq!(
        texts::auth_id_in_use("a"),
        "client auth ID is already in use: \"a\""
    );
}
