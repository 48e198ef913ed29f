use super::*;
use proptest::prelude::*;
use serde_json::Value;

/// Lays a parsed message out again, for the kinds that we send ourselves.
fn encode(message: &Message<'_>) -> Option<Vec<u8>> {
    Some(match *message {
        Message::GlobalRequest {
            name,
            want_reply,
            payload,
        } => global_request(name, want_reply, payload),
        Message::Reply { success, payload } => reply(success, payload),
        Message::Open {
            kind,
            sender,
            window,
            max_packet,
            extra,
        } => open(kind, sender, window, max_packet, extra),
        Message::OpenConfirmation {
            recipient,
            sender,
            window,
            max_packet,
        } => open_confirmation(recipient, sender, window, max_packet),
        Message::OpenFailure {
            recipient,
            reason,
            text,
        } => open_failure(recipient, reason, std::str::from_utf8(text).ok()?),
        Message::WindowAdjust { recipient, bytes } => window_adjust(recipient, bytes),
        Message::Eof { recipient } => bare(CHANNEL_EOF, recipient),
        Message::Close { recipient } => bare(CHANNEL_CLOSE, recipient),
        _ => return None,
    })
}

#[test]
fn recorded_messages_read_and_write_back() {
    let golden: Value = serde_json::from_str(include_str!("../../golden/ssh-messages.json")).expect("golden");
    let messages = golden["messages"].as_array().expect("list");
    assert!(messages.len() >= 8);
    let mut written = 0;
    for entry in messages {
        let name = entry["name"].as_str().expect("name");
        let hex = entry["hex"].as_str().expect("hex");
        let bytes: Vec<u8> = (0..hex.len())
            .step_by(2)
            .map(|i| u8::from_str_radix(&hex[i..i + 2], 16).expect("hex"))
            .collect();
        let message = Message::parse(&bytes).expect(name);
        if let Some(again) = encode(&message) {
            assert_eq!(again, bytes, "{name}");
            written += 1;
        }
    }
    assert!(written >= 6, "most recorded messages are of kinds that we send");
}

#[test]
fn a_failure_carries_text_and_an_open_carries_raw_data() {
    assert_eq!(
        Message::parse(&reply(false, b"unknown request")),
        Ok(Message::Reply {
            success: false,
            payload: b"unknown request"
        })
    );
    assert_eq!(
        Message::parse(&open("rport", 3, 4, 5, b"127.0.0.1:22")),
        Ok(Message::Open {
            kind: "rport",
            sender: 3,
            window: 4,
            max_packet: 5,
            extra: b"127.0.0.1:22"
        })
    );
}

proptest! {
    #[test]
    fn foreign_payloads_never_panic(payload: Vec<u8>) {
        let _ = Message::parse(&payload);
    }

    #[test]
    fn every_kind_survives_arbitrary_bodies(kind: u8, body: Vec<u8>) {
        let mut payload = vec![kind];
        payload.extend(body);
        if let Ok(message) = Message::parse(&payload)
            && let Some(again) = encode(&message)
        {
            prop_assert_eq!(Message::parse(&again).expect("own output"), message);
        }
    }
}
