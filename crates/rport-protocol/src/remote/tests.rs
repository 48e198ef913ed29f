use proptest::prelude::*;
use serde_json::Value;

use super::{Protocol, Remote};

#[test]
fn reads_every_recorded_input_as_go_does() {
    let golden: Value = serde_json::from_str(include_str!("../golden/remotes.json")).expect("golden");
    for case in golden["remotes"].as_array().expect("list") {
        let input = case["input"].as_str().expect("input");
        // Differs from RPort on purpose, see `bracketed_ipv6`.
        if input.contains("[::1]") {
            continue;
        }
        match input.parse::<Remote>() {
            Err(error) => assert_eq!(case["error"], error.to_string(), "{input:?}"),
            Ok(remote) => {
                let result = &case["result"];
                assert_eq!(result["lhost"], remote.lhost, "{input:?}");
                assert_eq!(result["lport"], remote.lport, "{input:?}");
                assert_eq!(result["rhost"], remote.rhost, "{input:?}");
                assert_eq!(result["rport"], remote.rport, "{input:?}");
                assert_eq!(result["protocol"], remote.protocol.as_str(), "{input:?}");
                assert_eq!(
                    result["local_specified"],
                    remote.is_local_specified(),
                    "{input:?}"
                );
                assert_eq!(result["remote"], remote.target(), "{input:?}");
                assert_eq!(result["string"], remote.canonical(), "{input:?}");
            }
        }
    }
}

#[test]
fn bracketed_ipv6() {
    let check = |input: &str, canonical: &str| {
        let remote: Remote = input.parse().expect(input);
        assert_eq!(remote.canonical(), canonical);
    };
    check("[::1]:80", "::[::1]:80");
    check("3000:[2001:db8::5]:80/udp", "0.0.0.0:3000:[2001:db8::5]:80/udp");
    check("[::]:3000:[fe80::1%eth0]:80", "[::]:3000:[fe80::1%eth0]:80");
    check("[::1]:3000:web:80", "[::1]:3000:web:80");
    assert_eq!(
        "80:[::1]".parse::<Remote>().expect_err("no port").to_string(),
        "Missing ports"
    );
}

#[test]
fn acl_is_part_of_the_comparison() {
    let mut remote: Remote = "3000:80".parse().expect("remote");
    remote.acl = Some("10.0.0.0/8".into());
    assert_eq!(remote.canonical(), "0.0.0.0:3000:127.0.0.1:80(acl:10.0.0.0/8)");
}

#[test]
fn debug_hides_the_password() {
    let remote = Remote {
        auth_password: "geheim".into(),
        ..Remote::default()
    };
    assert!(!format!("{remote:?}").contains("geheim"));
}

#[test]
fn protocol_of_old_agents_is_tcp() {
    for json in [
        r#"{"rport":"1"}"#,
        r#"{"protocol":"","rport":"1"}"#,
        r#"{"protocol":null,"rport":"1"}"#,
    ] {
        let remote: Remote = crate::json::decode_str(json).expect(json);
        assert_eq!(remote.protocol, Protocol::Tcp);
    }
    assert!(crate::json::decode_str::<Remote>(r#"{"protocol":"sctp"}"#).is_err());
}

fn host() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z][a-z0-9.-]{0,20}",
        any::<std::net::Ipv4Addr>().prop_map(|ip| ip.to_string()),
        any::<std::net::Ipv6Addr>().prop_map(|ip| ip.to_string()),
    ]
}

proptest! {
    #[test]
    fn canonical_text_reads_back(
        local in proptest::option::of((host(), any::<u16>())),
        target in (host(), any::<u16>()),
        protocol in 0..3usize,
    ) {
        let (lhost, lport) = local.map(|(host, port)| (host, port.to_string())).unwrap_or_default();
        let protocol = Protocol::ALL[protocol];
        let remote = Remote {
            protocol, lhost, lport, rhost: target.0, rport: target.1.to_string(), ..Remote::default()
        };
        prop_assert_eq!(remote.canonical().parse::<Remote>(), Ok(remote));
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,40}|[0-9:\\[\\]a-f/tcpud%+]{0,30}") {
        if let Ok(remote) = text.parse::<Remote>() {
            prop_assert!(!remote.rport.is_empty() && !remote.rhost.is_empty());
        }
    }
}
