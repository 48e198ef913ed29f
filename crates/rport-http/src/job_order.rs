//! Orders for jobs, from what the API takes to what the service takes. The service judges them.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use rport_api_types::job::{JobParameter, NewClientJob};
use rport_domain::{Error, JobOrder, JobPace, JobTargets, LibraryKind, Result, parse_go_duration};
use rport_server::{Expiry, NewJob, NewMultiJob, ParameterValue};

/// Reads an order for one client.
///
/// # Errors
/// `Invalid` for a script that is no base64 and an expiry that is no time.
pub(crate) fn for_client(kind: LibraryKind, new: NewClientJob) -> Result<NewJob> {
    Ok(NewJob {
        order: JobOrder {
            command: text(kind, new.command, &new.script)?,
            interpreter: new.interpreter,
            cwd: new.cwd,
            is_sudo: new.is_sudo,
            is_script: kind == LibraryKind::Script,
            timeout_sec: new.timeout_sec,
        },
        parameters: parameters(new.parameters),
        queue_if_offline: new.queue_if_offline,
        expires: new.expires.as_deref().and_then(expiry).transpose()?,
        stream: new.stream_result,
    })
}

/// Reads an order for many clients.
///
/// # Errors
/// As [`for_client`]; `Invalid` when no client at a time would get its turn.
pub(crate) fn for_many(
    kind: LibraryKind,
    new: rport_api_types::multi_job::NewMultiJob,
) -> Result<NewMultiJob> {
    let at_once = match new.max_concurrent {
        Some(0) => return Err(Error::invalid("max_concurrent must be at least 1")),
        Some(number) => Some(usize::try_from(number).unwrap_or(usize::MAX)),
        None if new.execute_concurrently => None,
        None => Some(1),
    };
    Ok(NewMultiJob {
        job: NewJob {
            order: JobOrder {
                command: text(kind, new.command, &new.script)?,
                interpreter: new.interpreter,
                cwd: new.cwd,
                is_sudo: new.is_sudo,
                is_script: kind == LibraryKind::Script,
                timeout_sec: new.timeout_sec,
            },
            parameters: parameters(new.parameters),
            queue_if_offline: new.queue_if_offline,
            expires: new.expires.as_deref().and_then(expiry).transpose()?,
            stream: new.stream_result,
        },
        tags_given: new.tags.is_some(),
        targets: JobTargets {
            client_ids: new
                .client_ids
                .unwrap_or_default()
                .into_iter()
                .map(Into::into)
                .collect(),
            group_ids: new
                .group_ids
                .unwrap_or_default()
                .into_iter()
                .map(Into::into)
                .collect(),
            tags: new.tags.map(Into::into),
        },
        pace: JobPace {
            at_once,
            abort_on_error: new.abort_on_error.unwrap_or(true),
        },
        schedule_id: None,
    })
}

fn text(kind: LibraryKind, command: String, script: &str) -> Result<String> {
    match kind {
        LibraryKind::Command => Ok(command),
        LibraryKind::Script => decoded(script),
    }
}

/// A script from base64. Line breaks in it are skipped, as Go's decoder does; what is no UTF-8 becomes U+FFFD.
fn decoded(script: &str) -> Result<String> {
    let compact: Vec<u8> = script
        .bytes()
        .filter(|byte| !matches!(byte, b'\r' | b'\n'))
        .collect();
    let bytes = STANDARD.decode(&compact).map_err(|error| {
        use base64::DecodeError::{InvalidByte, InvalidLastSymbol, InvalidLength, InvalidPadding};
        let at = match error {
            InvalidByte(at, _) => at,
            InvalidLastSymbol(at, _) => at,
            InvalidLength(length) => length,
            InvalidPadding => compact.len(),
        };
        Error::invalid(format!("illegal base64 data at input byte {at}"))
    })?;
    Ok(match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}

fn parameters(given: Option<BTreeMap<String, JobParameter>>) -> Option<BTreeMap<String, ParameterValue>> {
    let values = given?.into_iter().map(|(name, value)| {
        let value = match value {
            JobParameter::Text(text) => ParameterValue::Text(text),
            JobParameter::Vault(key) => ParameterValue::Vault(key.vault),
        };
        (name, value)
    });
    Some(values.collect())
}

/// A point in time or a duration; `None` for an empty text.
fn expiry(text: &str) -> Option<Result<Expiry>> {
    if text.is_empty() {
        return None;
    }
    let at = DateTime::parse_from_rfc3339(text).map(|at| Expiry::At(at.with_timezone(&Utc)));
    let after = || match parse_go_duration(text) {
        Some(Ok(duration)) => Some(Expiry::After(duration)),
        _ => None,
    };
    let expiry = at.ok().or_else(after);
    Some(expiry.ok_or_else(|| {
        Error::invalid("Invalid \"expires\".")
            .detail("expected a time such as 2030-01-31T12:00:00Z, or a duration such as 36h")
    }))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use rport_api_types::multi_job;

    use super::*;
    use crate::body;

    fn client(kind: LibraryKind, body: &str) -> Result<NewJob> {
        for_client(kind, body::parse(body.as_bytes())?)
    }

    fn many(body: &str) -> Result<NewMultiJob> {
        for_many(
            LibraryKind::Command,
            body::parse::<multi_job::NewMultiJob>(body.as_bytes())?,
        )
    }

    #[test]
    fn keys_of_the_other_kind_are_ignored() {
        let body =
            r#"{"command":"id","script":"bm8=","ClientID":"x","isScript":true,"timeout_sec":5,"cwd":null}"#;
        let job = client(LibraryKind::Command, body).expect("sound");
        assert_eq!((job.order.command.as_str(), job.order.is_script), ("id", false));
        assert_eq!((job.order.timeout_sec, job.parameters), (5, None));
        let job = client(LibraryKind::Script, body).expect("sound");
        assert_eq!((job.order.command.as_str(), job.order.is_script), ("no", true));
        let error = client(LibraryKind::Command, r#"{"cmd":"id"}"#).expect_err("no such key");
        assert_eq!(
            error.to_string(),
            "Invalid JSON data.: json: unknown field \"cmd\""
        );
    }

    #[test]
    fn scripts_are_base64_with_line_breaks_or_refused() {
        let script = |text: &str| decoded(text).map_err(|error| error.to_string());
        assert_eq!(script("ZWNo\r\nbyAx\n"), Ok("echo 1".into()));
        assert_eq!(script(""), Ok(String::new()));
        assert_eq!(script("/w=="), Ok("\u{fffd}".into()));
        assert_eq!(script("ZW!o"), Err("illegal base64 data at input byte 2".into()));
        assert!(script("ZWN").is_err_and(|text| text.starts_with("illegal base64 data at input byte ")));
    }

    #[test]
    fn additions_are_read() {
        let job = client(
            LibraryKind::Command,
            r#"{"queue_if_offline":true,"expires":"36h","stream_result":true,
                "parameters":{"A":"x","B":{"vault":"k"}}}"#,
        );
        let job = job.expect("sound");
        assert!(job.queue_if_offline && job.stream);
        assert_eq!(job.expires, Some(Expiry::After(Duration::from_secs(36 * 3600))));
        let expected = [
            ("A".to_owned(), ParameterValue::Text("x".into())),
            ("B".to_owned(), ParameterValue::Vault("k".into())),
        ];
        assert_eq!(job.parameters, Some(BTreeMap::from(expected)));
        let expires = |text: &str| client(LibraryKind::Command, &format!(r#"{{"expires":"{text}"}}"#));
        let at = expires("2030-01-31T12:00:00+01:00").expect("a time").expires;
        let expected = "2030-01-31T11:00:00Z".parse().expect("a time");
        assert_eq!(at, Some(Expiry::At(expected)));
        assert_eq!(expires("").expect("nothing").expires, None);
        for wrong in ["tomorrow", "-1h", "36"] {
            let error = expires(wrong).expect_err(wrong).to_string();
            assert!(error.starts_with("Invalid \"expires\"."), "{error}");
        }
        for wrong in [
            r#"{"parameters":{"A":1}}"#,
            r#"{"parameters":{"A":{"vault":"k","x":1}}}"#,
        ] {
            assert!(client(LibraryKind::Command, wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_pace_follows_from_three_keys() {
        let pace = |body: &str| {
            many(body)
                .ok()
                .map(|order| (order.pace.at_once, order.pace.abort_on_error))
        };
        assert_eq!(pace("{}"), Some((Some(1), true)));
        assert_eq!(
            pace(r#"{"execute_concurrently":true,"abort_on_error":false}"#),
            Some((None, false))
        );
        assert_eq!(pace(r#"{"max_concurrent":50}"#), Some((Some(50), true)));
        assert!(pace(r#"{"max_concurrent":0}"#).is_none());
        assert!(pace(r#"{"max_concurrent":-1}"#).is_none());
    }

    #[test]
    fn targets_are_told_apart() {
        let order = many(r#"{"client_ids":["a"],"tags":null}"#).expect("sound");
        assert!(!order.tags_given && order.targets.tags.is_none());
        let order = many(r#"{"tags":{"tags":["x"],"operator":"and"}}"#).expect("sound");
        let tags = order.targets.tags.expect("tags");
        assert!(order.tags_given);
        assert_eq!(
            (tags.tags, tags.operator),
            (vec!["x".to_owned()], rport_domain::TagOperator::And)
        );
        assert!(
            many(r#"{"tags":{}}"#).expect("sound").tags_given,
            "naming none is a mistake of its own"
        );
    }

    proptest! {
        #[test]
        fn no_text_panics(script in ".{0,40}", when in ".{0,20}") {
            let _ = decoded(&script);
            let _ = expiry(&when);
        }

        #[test]
        fn what_is_encoded_is_decoded(script in ".{0,40}") {
            prop_assert_eq!(decoded(&STANDARD.encode(&script)).ok(), Some(script));
        }
    }
}
