//! WebSocket frames in both roles.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| rport_transport::fuzzing::websocket(bytes));
