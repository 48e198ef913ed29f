//! The loader as the programs use it.

use std::{fs, time::Duration};

use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Document {
    Document::parse(text, "f.conf").expect("sound TOML")
}

fn errors(document: Document) -> Vec<String> {
    document.finish().errors.iter().map(ToString::to_string).collect()
}

fn warnings(document: Document) -> Vec<String> {
    document
        .finish()
        .warnings
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn reads_every_kind_with_defaults() {
    let document = parse(
        "[Server]\nADDRESS = ':80'\nports = '1-2, 9'\nwait = 2.5\nroot = 'T'\ntimeout = '1m30s'\nsize = '0x10'\n\
         [other.Labels]\nCity = 'Cologne'\nFloor = 3\n",
    );
    let server = document.section("server");
    assert_eq!(server.string("address", "x"), ":80");
    assert_eq!(server.string("missing", "x"), "x");
    assert_eq!(server.list("ports", &[]), ["1-2", " 9"]);
    assert_eq!(server.list("none", &["a", "b"]), ["a", "b"]);
    assert_eq!(server.float("wait", 1.0), 2.5);
    assert!(server.boolean("root", false));
    assert_eq!(
        server.duration("timeout", Duration::ZERO),
        Duration::from_secs(90)
    );
    assert_eq!(server.integer("size", 1), 16);
    assert_eq!(server.origin("address"), Origin::Line(2));
    let labels = document.section("other").string_map("labels");
    let labels: Vec<_> = labels
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    assert_eq!(labels, [("city", "Cologne"), ("floor", "3")]);
    let report = document.finish();
    assert!(
        report.errors.is_empty() && report.warnings.is_empty(),
        "{report:?}"
    );
}

#[test]
fn bad_values_are_named_with_place_and_remedy() {
    let document = parse(
        "[a]\nflag = 'yes'\n\ncount = 'ten'\nwait = '1d'\nname = ['x']\nlist = [[1]]\npair = [1,2,3]\n",
    );
    let a = document.section("a");
    assert!(a.boolean("flag", true));
    assert_eq!(a.integer("count", 7), 7);
    assert_eq!(a.duration("wait", Duration::from_secs(1)), Duration::from_secs(1));
    assert_eq!(a.string("name", "n"), "n");
    assert_eq!(a.list("list", &["l"]), ["l"]);
    assert_eq!(a.pair("pair", ["x", "y"]), ["x", "y"]);
    assert!(document.has_errors());
    assert_eq!(
        errors(document),
        [
            r#"f.conf:2: key 'a.flag': expected true or false, got "yes""#,
            r#"f.conf:4: key 'a.count': expected a whole number, got "ten""#,
            r#"f.conf:5: key 'a.wait': expected a duration with a unit such as "30s", "5m" or "1h30m", got "1d""#,
            "f.conf:6: key 'a.name': expected a text, got a list of 1",
            "f.conf:7: key 'a.list': expected a list of texts, or one text with commas, got a list of 1",
            "f.conf:8: key 'a.pair': expected a list of at most two texts, got a list of 3",
        ]
    );
}

#[test]
fn secrets_are_not_shown() {
    let document = parse("[a]\npassword = ['hunter2']\nother = 'hunter2'\n");
    let a = document.section("a");
    assert!(a.secret("password").is_empty());
    assert_eq!(a.secret("other").expose(), "hunter2");
    assert_eq!(
        errors(document),
        ["f.conf:2: key 'a.password': expected a text (the value is not shown)"]
    );
}

#[test]
fn checks_come_after_unreadable_values_and_keep_their_order() {
    let document = parse("[a]\none = 1\ntwo = 'x'\n");
    let a = document.section("a");
    a.error("one", "must be even");
    a.error("three", "must be set");
    a.integer("two", 0);
    assert_eq!(
        errors(document),
        [
            r#"f.conf:3: key 'a.two': expected a whole number, got "x""#,
            "f.conf:2: key 'a.one': must be even",
            "f.conf: key 'a.three': must be set",
        ]
    );
}

#[test]
fn unknown_keys_and_sections_are_warnings_with_a_suggestion() {
    let document = parse(
        "top = 1\n[server]\nadress = 'x'\napi_key = 1\nzzz = 1\nfree.x = 1\n[servre]\na = 1\n[labels]\nX = 1\n",
    );
    document.section("server").string("address", "");
    document.section("api").accept("api_key");
    assert_eq!(document.section("labels").free_entries().len(), 1);
    assert_eq!(
        warnings(document),
        [
            "f.conf:1: key 'top': key outside of any section, ignored",
            "f.conf:3: key 'server.adress': unknown key, ignored; did you mean 'address'?",
            "f.conf:4: key 'server.api_key': unknown key, ignored; it belongs to [api]",
            "f.conf:5: key 'server.zzz': unknown key, ignored",
            "f.conf:6: key 'server.free': unknown key, ignored",
            "f.conf:7: key 'servre': unknown section, ignored with all its keys; did you mean [server]?",
        ]
    );
}

#[test]
fn a_key_with_a_line_break_stays_on_one_line() {
    let document = parse("[a]\n\"x\\ny: forged\" = 1\n");
    document.section("a");
    assert_eq!(
        warnings(document),
        [r"f.conf:2: key 'a.x\ny: forged': unknown key, ignored"]
    );
}

#[test]
fn a_bare_number_as_duration_is_nanoseconds_and_a_warning() {
    let document = parse("[a]\nwait = 2\nnone = 0\n");
    let a = document.section("a");
    assert_eq!(a.duration("wait", Duration::ZERO), Duration::from_nanos(2));
    assert_eq!(a.nanoseconds("none", 1), 0);
    assert_eq!(
        warnings(document),
        [r#"f.conf:2: key 'a.wait': 2 without a unit is nanoseconds; write for example "2s""#]
    );
}

#[test]
fn flags_win_over_the_file_and_the_environment_does_not() {
    let mut document = parse("[server]\naddress = 'file'\n");
    document.set("server.address", "flag", "--addr");
    document.set("server.size", "many", "--size");
    document.set("api.root", true, "--root");
    document.set_default("server.address", "env", "ADDRESS");
    document.set_default("server.auth", "env", "AUTH");
    let server = document.section("server");
    assert_eq!(server.string("address", ""), "flag");
    assert_eq!(server.string("auth", ""), "env");
    assert_eq!(server.integer("size", 3), 3);
    assert!(document.section("api").boolean("root", false));
    assert_eq!(
        errors(document),
        [r#"--size (key 'server.size'): expected a whole number, got "many""#]
    );
}

#[test]
fn a_scalar_where_a_section_belongs_is_no_crash() {
    let mut document = parse("server = 1\n[a]\nlabels = 1\n");
    document.set("server.address", "flag", "--addr");
    assert_eq!(document.section("server").string("address", "x"), "x");
    assert!(document.section("a").string_map("labels").is_empty());
    assert_eq!(
        errors(document),
        ["f.conf:3: key 'a.labels': expected a table of texts, got 1"]
    );
}

#[test]
fn syntax_errors_name_the_line_and_not_its_content() {
    for (text, line) in [
        ("[a]\nauth = 'u:hunter2\n", 2),
        ("[a]\nx = 1\nx = 2 # hunter2\n", 3),
        ("[a]\nX = 1\nx = 2\n", 3),
        ("[A]\n[b]\n[a]\n", 3),
        ("[a]\ntimeout = 10s # hunter2\n", 2),
    ] {
        let error = Document::parse(text, "f.conf")
            .expect_err("not sound")
            .to_string();
        assert!(
            error.starts_with(&format!("error reading config file: f.conf:{line}: ")),
            "{error}"
        );
        assert!(!error.contains("hunter2") && !error.contains('\n'), "{error}");
    }
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("rportd.conf");
    let load = || {
        Document::load(&path)
            .map(|_| ())
            .expect_err("unreadable")
            .to_string()
    };
    assert!(
        load().starts_with("error reading config file: ") && load().contains("rportd.conf: No such file")
    );
    fs::write(&path, [0xff, 0xfe]).expect("written");
    assert!(load().ends_with("rportd.conf: not UTF-8 text"));
    fs::write(&path, vec![b'#'; 5 << 20]).expect("written");
    assert!(load().ends_with("rportd.conf: larger than 4 MiB"));
}

#[test]
fn interpreter_aliases_keep_their_commas() {
    let document =
        parse("[interpreter-aliases]\nPwsh7 = 'C:\\a,b'\nlatin = ['/bin/sh', 'latin1']\nbad = {}\n");
    let entries = document.section("interpreter-aliases").free_entries();
    let entries: Vec<_> = entries
        .iter()
        .map(|entry| (entry.key.as_str(), entry.values.join("|")))
        .collect();
    assert_eq!(
        entries,
        [
            ("latin", "/bin/sh|latin1".to_owned()),
            ("pwsh7", "C:\\a,b".to_owned())
        ]
    );
    assert_eq!(errors(document).len(), 1);
}

fn read_everything(document: Document) {
    for name in ["server", "a", ""] {
        let section = document.section(name);
        for key in ["x", "address", "b"] {
            section.boolean(key, false);
            section.integer(key, 0);
            section.float(key, 0.0);
            section.string(key, "");
            section.list(key, &[]);
            section.duration(key, Duration::ZERO);
            section.secret(key);
            section.string_map(key);
        }
        section.free_entries();
    }
    let report = document.finish();
    for problem in report.errors.iter().chain(&report.warnings) {
        assert!(!problem.to_string().contains('\n'), "{problem:?}");
    }
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in "(?s).*") {
        if let Ok(document) = Document::parse(&text, "f") {
            read_everything(document);
        }
    }

    #[test]
    fn near_toml_never_panics(
        text in proptest::collection::vec("(\\[+[aserv.]*\\]+|[abx]( )?=|[0-9a-f.\"'_-]+|\\{|\\}|,|\n|true|é|#)", 0..40)
    ) {
        if let Ok(document) = Document::parse(&text.concat(), "f") {
            read_everything(document);
        }
    }
}
