//! Whether an order makes sense. The texts are those of the Go server. Source: rest-api.md 13.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rport_domain::{Error, JobOrder, Permission};
use rport_protocol::version::{MAX_PACKET, PACKET_OVERHEAD};
use rport_protocol::{Job as WireJob, json};

use super::request::{Expiry, NewJob};
use super::text;
use crate::actor::Actor;

/// How long a job waits for its client when nobody says otherwise.
const DEFAULT_EXPIRY: TimeDelta = TimeDelta::days(1);
/// The longest a job may wait for its client.
const LONGEST_EXPIRY: TimeDelta = TimeDelta::days(30);
/// How long a job that does not wait for its client may be on its way to it.
pub(super) const ON_THE_WAY: TimeDelta = TimeDelta::seconds(60);
/// Longest time-out, in seconds; that of the library.
const MAX_TIMEOUT_SEC: i64 = 366 * 24 * 3600;
/// Longest interpreter and working directory, in bytes.
const MAX_PATH: usize = 4096;
/// Room for what the server puts into a job besides what was ordered: ids, names, times.
const RESERVE: usize = 4096;
/// Largest order that fits into a request to every agent, in bytes of its JSON.
const MAX_PAYLOAD: usize = MAX_PACKET - PACKET_OVERHEAD - RESERVE;

/// The permission an order takes.
pub(super) fn permission(order: &JobOrder) -> Permission {
    order.kind().permission()
}

/// What stands between an actor and an order at first sight.
///
/// # Errors
/// `Forbidden`.
pub(super) fn permitted(actor: &Actor, order: &JobOrder) -> Result<(), Error> {
    actor.require(permission(order))
}

/// The mistakes the Go server looks for in commands before it looks at targets, and in scripts after.
///
/// # Errors
/// `Invalid`.
pub(super) fn content(order: &JobOrder) -> Result<(), Error> {
    if order.command.is_empty() {
        return Err(Error::invalid(if order.is_script {
            "Missing script body"
        } else {
            "Command cannot be empty."
        }));
    }
    if order.is_script {
        return Ok(());
    }
    match order.interpreter.as_str() {
        "" | "cmd" | "powershell" => Ok(()),
        "tacoscript" => Err(Error::invalid("Invalid interpreter.").detail(
            "interpreter script tacoscript can't be used for commands execution, use it for scripts",
        )),
        other => Err(Error::invalid("Invalid interpreter.").detail(format!(
            "expected interpreter to be one of: [cmd powershell tacoscript], actual: {other}"
        ))),
    }
}

/// An order as it is kept, and until when it may be started.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) order: JobOrder,
    pub(super) not_after: DateTime<Utc>,
    pub(super) queue: bool,
    pub(super) stream: bool,
}

/// Fills in what was left out. The content has been checked.
///
/// # Errors
/// `Invalid`.
pub(super) fn complete(new: NewJob, default_timeout: Duration, now: DateTime<Utc>) -> Result<Checked, Error> {
    let NewJob {
        mut order,
        parameters,
        queue_if_offline,
        expires,
        stream,
    } = new;
    if let Some(values) = &parameters {
        order.command = text::fill(&order.command, values)?;
    }
    for (member, path) in [("interpreter", &order.interpreter), ("cwd", &order.cwd)] {
        if path.len() > MAX_PATH {
            let size = path.len();
            return Err(Error::invalid(format!(
                "{member} has {size} bytes, {MAX_PATH} are allowed"
            )));
        }
    }
    if order.timeout_sec <= 0 {
        order.timeout_sec = i64::try_from(default_timeout.as_secs()).unwrap_or(MAX_TIMEOUT_SEC);
    }
    if order.timeout_sec > MAX_TIMEOUT_SEC {
        return Err(Error::invalid(format!(
            "timeout_sec must not be more than {MAX_TIMEOUT_SEC}"
        )));
    }
    size(&order)?;
    let not_after = match (queue_if_offline, expires) {
        (true, expires) => expiry(expires, now)?,
        (false, None) => now + ON_THE_WAY,
        (false, Some(_)) => {
            return Err(Error::invalid("\"expires\" needs \"queue_if_offline\"."));
        }
    };
    Ok(Checked {
        order,
        not_after,
        queue: queue_if_offline,
        stream,
    })
}

fn expiry(expires: Option<Expiry>, now: DateTime<Utc>) -> Result<DateTime<Utc>, Error> {
    let at = match expires {
        None => now + DEFAULT_EXPIRY,
        Some(Expiry::At(at)) => at,
        Some(Expiry::After(after)) => {
            let after = TimeDelta::from_std(after).unwrap_or(TimeDelta::MAX);
            now.checked_add_signed(after).unwrap_or(DateTime::<Utc>::MAX_UTC)
        }
    };
    if at <= now {
        return Err(Error::invalid("\"expires\" is in the past."));
    }
    if at > now + LONGEST_EXPIRY {
        return Err(Error::invalid("\"expires\" must not be more than 30 days away."));
    }
    Ok(at)
}

/// Checks that an order fits into a request to every agent.
///
/// # Errors
/// `Invalid`.
pub(super) fn size(order: &JobOrder) -> Result<(), Error> {
    let size = wire_size(order);
    if size <= MAX_PAYLOAD {
        return Ok(());
    }
    let what = order.kind().as_str();
    Err(Error::invalid(format!("The {what} is too long.")).detail(format!(
        "it takes {size} bytes on the way to a client, {MAX_PAYLOAD} are possible"
    )))
}

/// What an order takes in a request to a client, without what differs from client to client.
fn wire_size(order: &JobOrder) -> usize {
    let job = WireJob {
        command: order.command.clone(),
        cwd: order.cwd.clone(),
        interpreter: order.interpreter.clone(),
        ..WireJob::default()
    };
    json::encode(&job).len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000, 0).expect("in range")
    }

    fn order(command: &str, interpreter: &str, is_script: bool) -> JobOrder {
        JobOrder {
            command: command.into(),
            interpreter: interpreter.into(),
            is_script,
            ..JobOrder::default()
        }
    }

    fn words(checked: Result<(), Error>) -> String {
        checked.err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn content_is_judged_in_the_words_of_the_go_server() {
        for (order, expected) in [
            (order("id", "", false), ""),
            (order("dir", "cmd", false), ""),
            (order("", "", false), "Command cannot be empty."),
            (order("", "", true), "Missing script body"),
            (order("x", "/opt/python", true), ""),
            (
                order("x", "bash", false),
                "Invalid interpreter.: expected interpreter to be one of: [cmd powershell tacoscript], actual: bash",
            ),
        ] {
            assert_eq!(words(content(&order)), expected, "{order:?}");
        }
        assert!(words(content(&order("x", "tacoscript", false))).starts_with("Invalid interpreter.: "));
    }

    fn complete_with(change: impl FnOnce(&mut NewJob)) -> Result<Checked, Error> {
        let mut new = NewJob {
            order: order("id", "", false),
            ..NewJob::default()
        };
        change(&mut new);
        complete(new, Duration::from_secs(60), now())
    }

    #[test]
    fn what_is_left_out_gets_the_servers_defaults() {
        let plain = complete_with(|_| {}).expect("sound");
        assert_eq!((plain.order.timeout_sec, plain.queue), (60, false));
        assert_eq!(plain.not_after, now() + ON_THE_WAY);
        let queued = complete_with(|new| new.queue_if_offline = true).expect("sound");
        assert_eq!(queued.not_after, now() + TimeDelta::days(1));
        let soon = complete_with(|new| {
            new.queue_if_offline = true;
            new.expires = Some(Expiry::After(Duration::from_secs(90)));
            new.order.timeout_sec = 5;
        });
        let soon = soon.expect("sound");
        assert_eq!(soon.not_after, now() + TimeDelta::seconds(90));
        assert_eq!(soon.order.timeout_sec, 5);
    }

    #[test]
    fn limits_are_told() {
        let refused = |change: fn(&mut NewJob)| words(complete_with(change).map(drop));
        let queued = |expires| {
            words(
                complete_with(|new| {
                    new.queue_if_offline = true;
                    new.expires = Some(expires);
                })
                .map(drop),
            )
        };
        assert_eq!(
            refused(|new| new.expires = Some(Expiry::At(now()))),
            "\"expires\" needs \"queue_if_offline\"."
        );
        assert_eq!(queued(Expiry::At(now())), "\"expires\" is in the past.");
        for far in [
            Expiry::At(now() + TimeDelta::days(31)),
            Expiry::After(Duration::MAX),
        ] {
            assert_eq!(queued(far), "\"expires\" must not be more than 30 days away.");
        }
        assert_eq!(
            refused(|new| new.order.cwd = "/".repeat(5000)),
            "cwd has 5000 bytes, 4096 are allowed"
        );
        assert_eq!(
            refused(|new| new.order.timeout_sec = i64::MAX),
            "timeout_sec must not be more than 31622400"
        );
        let long = refused(|new| new.order.command = "\u{1}".repeat(50_000));
        assert!(long.starts_with("The command is too long.: it takes "), "{long}");
    }
}
