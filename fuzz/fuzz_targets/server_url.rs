#![no_main]
//! Addresses of servers.

use libfuzzer_sys::fuzz_target;
use rport_protocol::ServerUrl;

fuzz_target!(|text: &str| {
    if let Ok(url) = text.parse::<ServerUrl>() {
        assert_eq!(url.to_string().parse(), Ok(url));
    }
});
