#![no_main]
//! Query strings of lists, and the parameters of new tunnels.

use libfuzzer_sys::fuzz_target;
use rport_domain::{CLIENT_LIST, ListQuery, TunnelRequest};

fuzz_target!(|pairs: Vec<(&str, &str)>| {
    let _ = ListQuery::parse(&pairs, &CLIENT_LIST);
    let _ = TunnelRequest::from_pairs(&pairs).checked(true);
});
