//! The first message of the key exchange, and the choice it leads to.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| rport_transport::fuzzing::kexinit(bytes));
