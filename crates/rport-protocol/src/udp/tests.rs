use bytes::Bytes;
use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn golden() -> Value {
    serde_json::from_str(include_str!("../golden/gob-udp.json")).expect("golden")
}

fn hex(text: &Value) -> Vec<u8> {
    let text = text.as_str().expect("hex");
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex"))
        .collect()
}

fn frame(value: &Value) -> UdpFrame {
    let addr = value.get("addr").filter(|addr| !addr.is_null()).map(|addr| {
        let port = u16::try_from(addr["port"].as_u64().expect("port")).expect("port");
        UdpAddr::from_raw(&hex(&addr["ip_hex"]), port, addr["zone"].as_str().expect("zone")).expect("address")
    });
    UdpFrame {
        addr,
        data: hex(&value["data_hex"]).into(),
    }
}

fn decode_all(bytes: &[u8], chunk: usize) -> Result<Vec<UdpFrame>, GobError> {
    let mut decoder = UdpDecoder::new();
    let mut frames = Vec::new();
    for piece in bytes.chunks(chunk.max(1)) {
        decoder.push(piece);
        while let Some(frame) = decoder.next()? {
            frames.push(frame);
        }
    }
    Ok(frames)
}

#[test]
fn every_recorded_stream_decodes() {
    for case in golden()["vectors"].as_array().expect("list") {
        let expected: Vec<_> = case["values"]
            .as_array()
            .expect("values")
            .iter()
            .map(frame)
            .collect();
        for key in ["wire_hex_per_message_ids_64_65", "wire_hex_per_message_ids_65_66"] {
            let stream: Vec<u8> = case[key]
                .as_array()
                .expect("messages")
                .iter()
                .flat_map(hex)
                .collect();
            for chunk in [stream.len(), 7, 1] {
                assert_eq!(
                    decode_all(&stream, chunk).as_ref(),
                    Ok(&expected),
                    "{} {key}",
                    case["name"]
                );
            }
        }
    }
}

#[test]
fn every_recorded_stream_is_written_byte_for_byte() {
    for case in golden()["vectors"].as_array().expect("list") {
        let mut encoder = UdpEncoder::new();
        let messages = case["wire_hex_per_message_ids_64_65"]
            .as_array()
            .expect("messages");
        for (value, message) in case["values"].as_array().expect("values").iter().zip(messages) {
            let mut out = Vec::new();
            encoder.encode(&frame(value), &mut out);
            assert_eq!(out, hex(message), "{}", case["name"]);
        }
    }
}

#[test]
fn a_real_agent_answers() {
    let captured = &golden()["captured_from_real_agent"];
    let request = decode_all(&hex(&captured["request_hex"]), 64).expect("request");
    let reply = decode_all(&hex(&captured["reply_hex"]), 64).expect("reply");
    assert_eq!(
        (&request[0].data[..], &reply[0].data[..]),
        (&b"ping"[..], &b"re:ping"[..])
    );
    assert_eq!(request[0].addr, reply[0].addr);
    assert_eq!(
        format!("{:?}", reply[0]),
        "UdpFrame(Some(127.0.0.1:53000), 7 bytes)"
    );
}

/// Builds one message from its content.
fn message(content: &[u8]) -> Vec<u8> {
    let len = u8::try_from(content.len()).expect("short");
    assert!(len < 128, "one length byte");
    [&[len], content].concat()
}

/// A struct type: fields are name and type id below 32 (one byte, doubled) or 64 and above.
fn definition(id: i64, fields: &[(&str, i64)]) -> Vec<u8> {
    let int = |value: i64| {
        let value = if value < 0 {
            (!value).cast_unsigned() << 1 | 1
        } else {
            value.cast_unsigned() << 1
        };
        if value < 128 {
            vec![value as u8]
        } else {
            vec![0xfe, (value >> 8) as u8, value as u8]
        }
    };
    let mut content = [int(-id), vec![3, 1, 0, 1, fields.len() as u8]].concat();
    for (name, type_id) in fields {
        content.extend([1, name.len() as u8]);
        content.extend(name.bytes());
        content.push(1);
        content.extend(int(*type_id));
        content.push(0);
    }
    content.extend([0, 0]);
    message(&content)
}

#[test]
fn unknown_fields_of_any_type_are_skipped() {
    let stream = [
        // Definitions in an unusual order, with other ids.
        definition(70, &[("Port", 2), ("More", 8), ("IP", 5)]),
        // 71: slice of bool, 72: map string → slice 71, 73: opaque
        message(b"\xff\x8d\x02\x01\x00\x01\x02\x00\x00"),
        message(b"\xff\x8f\x04\x01\x00\x01\x0c\x01\xff\x8e\x00\x00"),
        message(b"\xff\x91\x05\x01\x00\x00\x00"),
        definition(
            90,
            &[
                ("Float", 4),
                ("Map", 72),
                ("Own", 73),
                ("Complex", 7),
                ("Data", 5),
                ("Addr", 70),
            ],
        ),
        message(
            b"\xff\xb4\
              \x01\xfe\xf0\x3f\
              \x01\x02\x01a\x02\x01\x00\x01b\x00\
              \x01\x03xyz\
              \x01\x01\x02\
              \x01\x02hi\
              \x01\x01\x6a\x01\x03int\x04\x02\x00\x06\x01\x04\x7f\x00\x00\x01\x00\
              \x00",
        ),
    ]
    .concat();
    let frames = decode_all(&stream, 5).expect("frames");
    let addr = UdpAddr::from_raw(&[127, 0, 0, 1], 53, "");
    assert_eq!(
        frames,
        [UdpFrame {
            addr,
            data: Bytes::from_static(b"hi")
        }]
    );
}

#[test]
fn hostile_streams_end_in_errors() {
    let fail = |stream: &[u8]| {
        let mut decoder = UdpDecoder::new();
        decoder.push(stream);
        loop {
            match decoder.next() {
                Ok(Some(_)) => {}
                Ok(None) => panic!("no error in {stream:x?}"),
                Err(error) => {
                    assert_eq!(decoder.next(), Err(error.clone()), "it stays failed");
                    return error;
                }
            }
        }
    };
    assert!(matches!(
        fail(b"\xfd\x10\x00\x00"),
        GobError::MessageTooLarge { size: 0x10_0000, .. }
    ));
    assert!(matches!(
        fail(b"\xf8\xff\xff\xff\xff\xff\xff\xff\xff"),
        GobError::MessageTooLarge { .. }
    ));
    assert_eq!(fail(b"\x80"), GobError::OutOfRange("length of a number"));
    assert_eq!(fail(&message(b"")), GobError::Truncated);
    assert_eq!(fail(&message(b"\xff\x80\x00")), GobError::UndefinedType(64));
    assert_eq!(fail(&message(b"\x04\x00")), GobError::WrongType("datagram"));
    assert_eq!(fail(&definition(63, &[])), GobError::BadDefinition(63));
    assert_eq!(
        fail(&[definition(64, &[]), definition(64, &[])].concat()),
        GobError::BadDefinition(64)
    );
    let most_negative = message(b"\xf8\xff\xff\xff\xff\xff\xff\xff\xff\x00");
    assert_eq!(fail(&most_negative), GobError::OutOfRange("type id"));
    let many: Vec<u8> = (64..99).flat_map(|id| definition(id, &[])).collect();
    assert_eq!(fail(&many), GobError::TooManyTypes(16));
    let data_is_text = [definition(64, &[("Data", 6)]), message(b"\xff\x80\x01\x01x\x00")].concat();
    assert_eq!(fail(&data_is_text), GobError::WrongType("Data"));
    let trailing = [definition(64, &[("Data", 5)]), message(b"\xff\x80\x00\x07")].concat();
    assert_eq!(fail(&trailing), GobError::TrailingBytes(1));
    let field = [definition(64, &[("Data", 5)]), message(b"\xff\x80\x09\x01x\x00")].concat();
    assert_eq!(fail(&field), GobError::OutOfRange("field number"));
    // A type that contains itself, nested for ever.
    let nested = [
        definition(64, &[("Self", 64)]),
        message(&[&b"\xff\x80"[..], &[1; 100]].concat()),
    ]
    .concat();
    assert_eq!(fail(&nested), GobError::TooDeep);
    let port = [
        definition(65, &[("Port", 2)]),
        definition(64, &[("Addr", 65)]),
        message(b"\xff\x80\x01\x01\xfd\x02\x00\x00\x00\x00"),
    ];
    assert_eq!(fail(&port.concat()), GobError::OutOfRange("Port"));
    let ip = [
        definition(65, &[("IP", 5)]),
        definition(64, &[("Addr", 65)]),
        message(b"\xff\x80\x01\x01\x03abc\x00\x00"),
    ];
    assert_eq!(fail(&ip.concat()), GobError::OutOfRange("IP"));
}

fn any_addr() -> impl Strategy<Value = UdpAddr> {
    let ip = prop_oneof![
        Just(Vec::new()),
        proptest::collection::vec(any::<u8>(), 4),
        proptest::collection::vec(any::<u8>(), 16)
    ];
    (ip, any::<u16>(), "[a-z0-9]{0,12}")
        .prop_map(|(ip, port, zone)| UdpAddr::from_raw(&ip, port, zone).expect("length"))
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), chunk in 1..64usize) {
        let _ = decode_all(&bytes, chunk);
    }

    #[test]
    fn damaged_streams_never_panic(at in 0..180usize, byte: u8, chunk in 1..64usize) {
        let mut stream = hex(&golden()["captured_from_real_agent"]["request_hex"]);
        let at = at % stream.len();
        stream[at] = byte;
        let _ = decode_all(&stream, chunk);
    }

    #[test]
    fn frames_come_back(
        frames in proptest::collection::vec(
            (proptest::option::of(any_addr()), proptest::collection::vec(any::<u8>(), 0..300)), 1..5),
        chunk in 1..64usize,
    ) {
        let frames: Vec<_> = frames.into_iter().map(|(addr, data)| UdpFrame { addr, data: data.into() }).collect();
        let mut encoder = UdpEncoder::new();
        let mut stream = Vec::new();
        for frame in &frames {
            encoder.encode(frame, &mut stream);
        }
        prop_assert_eq!(decode_all(&stream, chunk), Ok(frames));
    }

    #[test]
    fn socket_addresses_come_back(addr: std::net::SocketAddr) {
        let back = UdpAddr::from(addr).to_socket_addr().expect("ip");
        prop_assert_eq!((back.ip(), back.port()), (addr.ip().to_canonical(), addr.port()));
        if let (std::net::SocketAddr::V6(before), std::net::SocketAddr::V6(after)) = (addr, back) {
            prop_assert_eq!(before.scope_id(), after.scope_id());
        }
    }
}
