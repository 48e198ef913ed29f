use std::{collections::HashMap, fs};

use super::*;

/// Settings of a configuration file, an old file, flags and variables.
struct Case {
    folder: tempfile::TempDir,
    env: HashMap<&'static str, String>,
    global: Global,
}

impl Case {
    fn new(toml: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config.toml");
        fs::write(&path, toml).expect("written");
        let global = Global {
            config: Some(path),
            ..Global::default()
        };
        Self {
            folder,
            env: HashMap::new(),
            global,
        }
    }

    fn var(mut self, name: &'static str, value: &str) -> Self {
        self.env.insert(name, value.to_owned());
        self
    }

    fn server(mut self, server: &str) -> Self {
        self.global.server = Some(server.to_owned());
        self
    }

    fn context(mut self, name: &str) -> Self {
        self.global.context = Some(name.to_owned());
        self
    }

    fn token(mut self, token: &str) -> Self {
        self.global.token = Some(token.to_owned());
        self
    }

    fn gather(&self) -> Result<Settings> {
        Settings::gather(&self.global, &|name| self.env.get(name).cloned(), false)
    }

    /// Server and credential in short.
    fn short(&self) -> String {
        let settings = self.gather().expect("settings");
        let server = settings.server().map(|url| url.to_string());
        let credential = match settings.credential() {
            Ok(Credential::Basic { user, secret }) => format!("{user}:{}", secret.expose()),
            Ok(Credential::Session(token)) => format!("session {}", token.expose()),
            Ok(Credential::Nobody) => "nobody".to_owned(),
            Err(failure) => format!("exit {}", failure.number()),
        };
        format!(
            "{} {credential}",
            server.unwrap_or_else(|failure| format!("exit {}", failure.number()))
        )
    }
}

const TWO: &str = "current = 'a'\n\
    [contexts.a]\nserver = 'https://a.example'\nuser = 'ann'\nsession = 'A'\n\
    [contexts.b]\nserver = 'http://b.example:3000'\nuser = 'bob'\napi_token = 'B'\n\
    [contexts.c]\nserver = 'https://c.example'\nuser = 'cid'\ntoken_command = ['echo', 'from-command']\n";

#[test]
fn contexts() {
    assert_eq!(Case::new(TWO).short(), "https://a.example/ session A");
    assert_eq!(
        Case::new(TWO).context("b").short(),
        "http://b.example:3000/ bob:B"
    );
    assert_eq!(
        Case::new(TWO).context("c").short(),
        "https://c.example/ cid:from-command"
    );
    assert_eq!(
        Case::new(TWO)
            .context("x")
            .gather()
            .err()
            .expect("unknown")
            .number(),
        2
    );
    assert_eq!(Case::new("").short(), "exit 2 exit 3");
}

#[test]
fn a_named_server_gets_no_credential_of_another() {
    assert_eq!(
        Case::new(TWO).server("https://evil.example").short(),
        "https://evil.example/ exit 3"
    );
    assert_eq!(
        Case::new(TWO).server("http://b.example:3000/api/v1/").short(),
        "http://b.example:3000/ bob:B"
    );
    // Another scheme is another server: the token of an encrypted one is not sent in clear.
    assert_eq!(
        Case::new(TWO).server("http://a.example").short(),
        "http://a.example/ exit 3"
    );
    assert!(
        Case::new(TWO)
            .server("https://b.example")
            .context("a")
            .gather()
            .is_err()
    );
}

#[test]
fn the_environment_goes_before_contexts() {
    let case = Case::new(TWO)
        .var("RPORT_API_USER", "eve")
        .var("RPORT_API_PASSWORD", "pw");
    assert_eq!(case.short(), "https://a.example/ eve:pw");
    assert_eq!(
        case.token("abcd1234_x").short(),
        "https://a.example/ eve:abcd1234_x"
    );
    assert_eq!(
        Case::new(TWO).token("zoe:abc:d").short(),
        "https://a.example/ zoe:abc:d"
    );
    assert_eq!(
        Case::new(TWO).token("eyA.eyB.c").short(),
        "https://a.example/ session eyA.eyB.c"
    );
    assert_eq!(
        Case::new(TWO).token("abcd1234_x").short(),
        "https://a.example/ exit 2"
    );
}

#[test]
fn old_names_still_work() {
    let case = Case::new("")
        .var("RPORT_SERVER_URL", "http://old:3000")
        .var("RPORT_USER", "admin")
        .var("RPORT_PASSWORD", "foobaz")
        .var("SESSION_VALIDITY_SECONDS", "1800");
    assert_eq!(case.short(), "http://old:3000/ admin:foobaz");
    assert_eq!(case.gather().expect("settings").session_seconds(), Some(1800));

    let case = Case::new("");
    let old = case.folder.path().join("config.json");
    fs::write(&old, r#"{"server_url":"http://old:3000","token":"JWT"}"#).expect("written");
    assert_eq!(case.short(), "http://old:3000/ session JWT");
    // The old variable names the old file; ours stands beside it.
    let mut case = Case::new("").var("CONFIG_PATH", old.to_str().expect("a path"));
    case.global.config = None;
    assert_eq!(case.short(), "http://old:3000/ session JWT");
    assert_eq!(
        case.gather().expect("settings").file.path(),
        old.with_extension("toml")
    );
}

#[test]
fn addresses() {
    for (text, url) in [
        ("https://rport.example.com", "https://rport.example.com/"),
        ("rport.example.com:8443/", "https://rport.example.com:8443/"),
        ("http://localhost:3000/api/v1", "http://localhost:3000/"),
        (" https://x.example/rport/api/v1/?a#b ", "https://x.example/rport"),
    ] {
        assert_eq!(parse_server(text).expect("an address").as_str(), url, "{text}");
    }
    for text in ["", "ftp://x", "https://", "http://u:p@x", "https://a b"] {
        assert!(parse_server(text).is_err(), "{text}");
    }
}
