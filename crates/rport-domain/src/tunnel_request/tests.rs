use super::*;

fn request(pairs: &[(&str, &str)]) -> TunnelRequest {
    TunnelRequest::from_pairs(pairs)
}

fn check(pairs: &[(&str, &str)]) -> Remote {
    request(pairs).checked(true).expect("sound").remote
}

fn refuse(pairs: &[(&str, &str)], title: &str) {
    let error = request(pairs).checked(true).expect_err(title);
    assert_eq!(
        (error.kind, error.title.as_str()),
        (crate::Kind::Invalid, title),
        "{pairs:?}"
    );
}

#[test]
fn joins_local_and_remote() {
    let shown = |local: &str, remote: &str, protocol: &str| {
        check(&[("local", local), ("remote", remote), ("protocol", protocol)]).canonical()
    };
    assert_eq!(shown("", "22", ""), "::127.0.0.1:22");
    assert_eq!(shown("", "web:22", "udp"), "::web:22/udp");
    assert_eq!(shown("3000", "22", "tcp"), "0.0.0.0:3000:127.0.0.1:22");
    assert_eq!(shown("3000", "web:22", "tcp+udp"), "0.0.0.0:3000:web:22/tcp+udp");
    assert_eq!(shown("127.0.0.1:3000", "web:22", ""), "127.0.0.1:3000:web:22");
    assert_eq!(shown("", "[::1]:22", ""), "::[::1]:22");
    assert_eq!(shown("[::1]:3000", "[::1]:22", ""), "[::1]:3000:[::1]:22");
    assert_eq!(shown("", "70000", ""), "::127.0.0.1:70000");
}

#[test]
fn host_of_local_stays_local() {
    let remote = check(&[("local", "127.0.0.1:3000"), ("remote", "22")]);
    assert_eq!(remote.canonical(), "127.0.0.1:3000:127.0.0.1:22");
    let remote = check(&[("local", "[::1]:3000"), ("remote", "22"), ("protocol", "udp")]);
    assert_eq!(remote.canonical(), "[::1]:3000:127.0.0.1:22/udp");
}

#[test]
fn defaults() {
    let checked = request(&[("remote", "22")]).checked(false).expect("sound");
    assert_eq!(checked.idle(), Some(Duration::from_secs(300)));
    assert_eq!(
        (checked.auto_close(), checked.acl.clone(), checked.check_port),
        (None, None, true)
    );
    assert_eq!(
        (
            checked.remote.scheme,
            checked.remote.acl,
            checked.remote.lport_random
        ),
        (None, None, false)
    );
}

#[test]
fn keeps_what_was_given() {
    let checked = request(&[
        ("remote", "web:443"),
        ("name", "shop"),
        ("scheme", "https"),
        ("acl", "10.0.0.0/8"),
        ("check_port", "0"),
        ("idle-timeout-minutes", "0"),
        ("auto-close", "1h30m"),
        ("http_proxy", "1"),
        ("host_header", "shop.example.com"),
        ("auth_user", "u"),
        ("auth_password", "geheim"),
        ("remote", "ignored"),
    ]);
    assert!(!format!("{checked:?}").contains("geheim"));
    let checked = checked.checked(true).expect("sound");
    assert_eq!(
        (checked.idle(), checked.auto_close()),
        (None, Some(Duration::from_secs(5400)))
    );
    assert!(!checked.check_port && checked.remote.http_proxy);
    assert_eq!(checked.remote.acl.as_deref(), Some("10.0.0.0/8"));
    assert_eq!(checked.remote.auth_password, "geheim");
    assert!(
        !request(&[("remote", "53"), ("protocol", "udp")])
            .checked(true)
            .expect("sound")
            .check_port
    );
    assert_eq!(
        check(&[("remote", "1"), ("skip-idle-timeout", "1")]).idle_timeout_minutes,
        0
    );
    assert_eq!(
        check(&[("remote", "1"), ("skip-idle-timeout", "maybe")]).idle_timeout_minutes,
        5
    );
}

#[test]
fn refuses_in_the_words_of_the_go_server() {
    let r = ("remote", "22");
    refuse(&[], "failed to decode \"\": Missing ports");
    refuse(&[("remote", "host")], "failed to decode \"host\": Missing ports");
    refuse(
        &[r, ("protocol", "sctp")],
        "failed to decode \"22/sctp\": Missing ports",
    );
    refuse(
        &[r, ("local", "1:2:3:4")],
        "failed to decode \"1:2:3:4:22\": Invalid remote",
    );
    refuse(
        &[("remote", "%zz:22")],
        "failed to decode \"%zz:22\": Invalid host",
    );
    refuse(&[r, ("scheme", "sixteen-bytes-xx")], "Invalid URI scheme.");
    refuse(
        &[r, ("http_proxy", "maybe")],
        "strconv.ParseBool: parsing \"maybe\": invalid syntax",
    );
    refuse(
        &[r, ("http_proxy", "1"), ("scheme", "ssh")],
        "tunnel proxy not allowed with scheme ssh",
    );
    refuse(
        &[r, ("http_proxy", "1"), ("scheme", "http"), ("protocol", "udp")],
        "tunnel proxy not allowed with protcol udp",
    );
    refuse(
        &[r, ("http_proxy", "1"), ("scheme", "vnc")],
        "this server has no tunnel proxy for vnc; open the tunnel without http_proxy",
    );
    refuse(
        &[r, ("http_proxy", "1")],
        "tunnel proxy needs a scheme: http or https",
    );
    refuse(
        &[r, ("host_header", "h")],
        "host_header not allowed when http_proxy is false",
    );
    refuse(
        &[r, ("auth_user", "u")],
        "http basic authentication requires http_proxy to be activated on the requested tunnel",
    );
    let proxy = [r, ("http_proxy", "true"), ("scheme", "http")];
    refuse(
        &[&proxy[..], &[("auth_password", "p")]].concat(),
        "auth_password requires auth_user",
    );
    refuse(
        &[&proxy[..], &[("auth_user", "u")]].concat(),
        "auth_user requires auth_password",
    );
    for hostile in ["a b", "a\r\nx: y", "a/b", "ü"] {
        refuse(
            &[&proxy[..], &[("host_header", hostile)]].concat(),
            &format!("invalid host_header {hostile:?}"),
        );
    }
    refuse(
        &[&proxy[..], &[("auth_user", "a:b"), ("auth_password", "p")]].concat(),
        "auth_user must not contain a colon",
    );
    refuse(&[r, ("idle-timeout-minutes", "x")], "invalid idle timeout param");
    for bad in ["-1", "10081"] {
        refuse(
            &[r, ("idle-timeout-minutes", bad)],
            "idle timeoout param should be in range [0,604800000000000]",
        );
    }
    refuse(&[r, ("auto-close", "5")], "invalid tunnel auto-close format");
    refuse(
        &[r, ("auto-close", "-1s")],
        "tunnel auto-close value should be more than 0",
    );
    refuse(
        &[r, ("auto-close", "745h")],
        "tunnel auto-close value should not be more than 744h0m0s",
    );
    refuse(&[r, ("acl", "foo")], "Invalid ACL: invalid IP addr: foo");
    let error = request(&[r, ("acl", "0.0.0.0")])
        .checked(true)
        .expect_err("everyone");
    assert_eq!(error.code, "ERR_CODE_INVALID_ACL");
    let error = request(&proxy).checked(false).expect_err("off");
    assert_eq!(error.title, "creation of tunnel proxy not enabled");
}

#[test]
fn reports_the_first_mistake() {
    refuse(
        &[
            ("remote", "22"),
            ("acl", "foo"),
            ("auto-close", "x"),
            ("idle-timeout-minutes", "x"),
        ],
        "invalid idle timeout param",
    );
}
