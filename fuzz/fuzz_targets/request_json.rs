#![no_main]
//! Payloads of every request and reply; the first byte picks one.

use libfuzzer_sys::fuzz_target;
use rport_domain::ClientDetails;
use rport_protocol::{Request, to_client, to_server};

fn check<R: Request>(payload: &[u8]) {
    if let Ok(request) = R::decode(payload) {
        assert!(R::decode(&request.encode()).is_ok(), "{} does not read its own output", R::NAME);
    }
    if let Ok(reply) = R::decode_reply(payload) {
        assert!(R::decode_reply(&R::encode_reply(&reply)).is_ok(), "{} does not read its own reply", R::NAME);
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, payload)) = bytes.split_first() else { return };
    match kind % 16 {
        0 => check::<to_server::NewConnection>(payload),
        1 => check::<to_server::Ping>(payload),
        2 => check::<to_server::CmdResult>(payload),
        3 => check::<to_server::UpdatesStatus>(payload),
        4 => check::<to_server::SaveMeasurement>(payload),
        5 => check::<to_server::IpAddresses>(payload),
        6 => check::<to_client::CheckTunnelAllowed>(payload),
        7 => check::<to_client::PutCapabilities>(payload),
        8 => check::<to_client::Ping>(payload),
        9 => check::<to_client::CheckPort>(payload),
        10 => check::<to_client::RunCmd>(payload),
        11 => check::<to_client::RefreshUpdatesStatus>(payload),
        12 => check::<to_client::Upload>(payload),
        13 => check::<to_client::UpdateClientMetadata>(payload),
        14 => check::<to_client::AbortCmd>(payload),
        _ => {
            if let Ok(details) = std::str::from_utf8(payload).map_or_else(|_| Ok(Default::default()), ClientDetails::from_json) {
                assert_eq!(ClientDetails::from_json(&details.to_json()), Ok(details));
            }
        }
    }
});
