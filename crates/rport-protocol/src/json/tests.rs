use std::{collections::BTreeMap, time::Duration};

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::*;

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Sample {
    #[serde(rename = "ID")]
    id: String,
    count: i64,
    small: u8,
    share: f64,
    flag: bool,
    list: Option<Vec<String>>,
    map: Option<BTreeMap<String, i64>>,
    inner: Inner,
    maybe: Option<Inner>,
    #[serde(with = "go_nanos")]
    wait: Duration,
    at: GoTime,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Inner {
    host_port: String,
}

fn read(text: &str) -> Sample {
    decode_str(text).expect(text)
}

#[test]
fn null_and_missing_leave_the_zero_value() {
    let zero = Sample::default();
    assert_eq!(read("{}"), zero);
    assert_eq!(read("null"), zero);
    let all_null = r#"{"ID":null,"count":null,"small":null,"share":null,"flag":null,"list":null,"map":null,
        "inner":null,"maybe":null,"wait":null,"at":null}"#;
    assert_eq!(read(all_null), zero);
    assert_eq!(
        decode_str::<Vec<String>>(r#"["a",null]"#).expect("list"),
        ["a", ""]
    );
    assert_eq!(decode_str::<Vec<Inner>>("null").expect("list"), []);
    assert!(!decode_str::<BTreeMap<String, bool>>(r#"{"a":null}"#).expect("map")["a"]);
}

#[test]
fn names_match_in_any_case_and_unknown_ones_are_ignored() {
    let sample = read(r#"{"id":"a","COUNT":2,"other":{"count":[1,{"x":null}]},"Inner":{"hostport":"h"}}"#);
    assert_eq!(
        (sample.id.as_str(), sample.count, sample.inner.host_port.as_str()),
        ("a", 2, "h")
    );
}

#[test]
fn the_last_duplicate_wins() {
    assert_eq!(
        read(r#"{"count":1,"Count":2,"count":3,"id":"x","ID":"y"}"#).count,
        3
    );
    assert_eq!(read(r#"{"ID":"y","id":"x"}"#).id, "x");
    assert_eq!(read(r#"{"map":{"a":1,"a":2}}"#).map.expect("map")["a"], 2);
}

#[test]
fn wrong_types_fail_the_whole_payload() {
    for bad in [
        r#"{"count":1.0}"#,
        r#"{"count":"1"}"#,
        r#"{"count":1e3}"#,
        r#"{"small":256}"#,
        r#"{"small":-1}"#,
        r#"{"ID":1}"#,
        r#"{"flag":0}"#,
        r#"{"list":{}}"#,
        r#"{"inner":[]}"#,
        r#"{"wait":1.5}"#,
        r#"{"at":"yesterday"}"#,
        r#"{"count":9223372036854775808}"#,
        "[]",
        "",
        "{",
        "{} x",
    ] {
        assert!(decode_str::<Sample>(bad).is_err(), "{bad}");
    }
    assert_eq!(read(r#"{"share":1}"#).share, 1.0);
}

#[test]
fn errors_stay_short() {
    let bad = format!(r#"{{"count":"{}"}}"#, "x".repeat(10_000));
    assert!(
        decode_str::<Sample>(&bad)
            .expect_err("wrong type")
            .to_string()
            .len()
            < 1000
    );
}

#[test]
fn one_member_may_be_given_up() {
    let read = |text: &str| {
        decode_or_without::<Sample>(text.as_bytes(), "inner").map(|sample| (sample.id, sample.inner))
    };
    assert_eq!(
        read(r#"{"ID":"a","inner":{"HostPort":"h"}}"#)
            .expect("whole")
            .1
            .host_port,
        "h"
    );
    assert_eq!(
        read(r#"{"ID":"a\ud800","Inner":7,"inner":[]}"#).expect("rest"),
        ("a\u{fffd}".into(), Inner::default())
    );
    let error = read(r#"{"ID":1,"inner":7}"#).expect_err("another mistake");
    assert_eq!(
        error,
        decode_str::<Sample>(r#"{"ID":1,"inner":7}"#).expect_err("the same")
    );
}

#[test]
fn unknown_members_can_be_kept() {
    let (sample, rest) =
        decode_with_rest::<Sample>(r#"{"ID":"a","new":{"x":[1,2.5,null]},"old":1,"old":true}"#)
            .expect("object");
    assert_eq!(sample.id, "a");
    assert_eq!(encode_string(&rest), r#"{"new":{"x":[1,2.5,null]},"old":true}"#);
    assert_eq!(
        decode_with_rest::<Sample>("null").expect("null"),
        (Sample::default(), BTreeMap::new())
    );
    assert!(decode_with_rest::<Sample>("[]").is_err());
}

#[test]
fn deep_nesting_is_refused() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(decode_str::<Sample>(&format!(r#"{{"other":{deep}}}"#)).is_err());
}

#[test]
fn broken_text_becomes_replacement_characters() {
    let sample: Sample = decode(b"{\"ID\":\"a\xff\xfe\xe2\x82b\"}").expect("bytes");
    assert_eq!(sample.id, "a\u{fffd}\u{fffd}\u{fffd}\u{fffd}b");
    assert_eq!(
        read(r#"{"ID":"\ud800x\udc00\ud83d\ude00\\ud800"}"#).id,
        "\u{fffd}x\u{fffd}😀\\ud800"
    );
    assert_eq!(
        read(r#"{"ID":"\ud800\ud83d\ude00\ud800"}"#).id,
        "\u{fffd}😀\u{fffd}"
    );
}

#[test]
fn writes_like_go() {
    let text = |value: &str| encode_string(value);
    assert_eq!(
        text("<a>&\u{2028}\u{2029}é\"\\\n\t\u{1}"),
        r#""\u003ca\u003e\u0026\u2028\u2029é\"\\\n\t\u0001""#
    );
    for (float, expected) in [
        (0.0, "0"),
        (-1.0, "-1"),
        (0.728_332_119_449_092_2, "0.7283321194490922"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1.5e300, "1.5e+300"),
        (1e-6, "0.000001"),
        (2.5e-7, "2.5e-7"),
    ] {
        assert_eq!(encode_string(&float), expected);
    }
    let sample = Sample {
        wait: Duration::from_secs(2),
        ..Sample::default()
    };
    assert_eq!(
        encode_string(&sample),
        r#"{"ID":"","count":0,"small":0,"share":0,"flag":false,"list":null,"map":null,"inner":{"HostPort":""},"maybe":null,"wait":2000000000,"at":"0001-01-01T00:00:00Z"}"#
    );
}

#[test]
fn times_have_the_form_of_go() {
    for same in [
        "0001-01-01T00:00:00Z",
        "2024-05-04T10:11:12.123456789+02:00",
        "2024-05-04T10:11:12.1Z",
        "2024-05-04T10:11:12.00005-09:30",
    ] {
        assert_eq!(GoTime::parse(same).expect(same).to_string(), same);
    }
    assert_eq!(
        GoTime::parse("2024-05-04T10:11:12.500+00:00")
            .expect("time")
            .to_string(),
        "2024-05-04T10:11:12.5Z"
    );
    assert!(GoTime::zero().is_zero() && GoTime::default().non_zero().is_none());
    assert!(GoTime::parse("2024-05-04").is_err());
}

#[test]
fn negative_durations_count_as_zero() {
    assert_eq!(read(r#"{"wait":-5}"#).wait, Duration::ZERO);
    assert_eq!(
        encode_string(&Sample {
            wait: Duration::MAX,
            ..Sample::default()
        })
        .matches("9223372036854775807")
        .count(),
        1
    );
}

proptest! {
    #[test]
    fn samples_come_back(id in "\\PC{0,20}", count: i64, share: i32, list in proptest::option::of(
        proptest::collection::vec("\\PC{0,8}", 0..4)), nanos in 0..i64::MAX as u64)
    {
        // Few digits: reading long fractions is exact to the last bit but one only.
        let share = f64::from(share) / 1000.0;
        let sample = Sample { id, count, share, list, wait: Duration::from_nanos(nanos), ..Sample::default() };
        prop_assert_eq!(decode::<Sample>(&encode(&sample)).expect("own output"), sample);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode::<Sample>(&bytes);
    }

    #[test]
    fn arbitrary_json_never_panics(text in "[{}\\[\\]\",:a-dID0-9.\\\\u-]{0,60}") {
        let _ = decode_str::<Sample>(&text);
    }

    #[test]
    fn times_come_back(seconds in -60_000_000_000i64..250_000_000_000, nanos in 0..1_000_000_000u32, minutes in -1439..1440i32) {
        let offset = chrono::FixedOffset::east_opt(minutes * 60).expect("offset");
        let time = GoTime(chrono::DateTime::from_timestamp(seconds, nanos).expect("time").with_timezone(&offset));
        prop_assert_eq!(GoTime::parse(&time.to_string()), Ok(time));
    }
}
