#![no_main]
//! The short form of remotes.

use libfuzzer_sys::fuzz_target;
use rport_protocol::{ChannelTarget, Remote, split_host_port};

fuzz_target!(|text: &str| {
    let _ = ChannelTarget::from_extra(text.as_bytes());
    let _ = split_host_port(text);
    if let Ok(remote) = text.parse::<Remote>() {
        // Odd hosts such as `[` make texts that read differently; they must stay readable or be refused.
        let _ = remote.canonical().parse::<Remote>();
    }
});
