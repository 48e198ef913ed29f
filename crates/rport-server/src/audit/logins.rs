//! Logins in the audit log. Differs from RPort, which keeps no record of them.
//!
//! Whoever guesses passwords must not fill the disk. So of the same event from the same address with the same name
//! only the first is written at once; those that follow within a quarter of an hour are counted and written as one
//! entry with their number. When more names and addresses come than are remembered, what does not fit is counted
//! together. Thus at most about 2,000 entries are written in a quarter of an hour, whatever happens.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rport_runtime::{Clock, Tasks};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Action, Application, Audit, Event};

/// How long repetitions are counted before they are written.
const WINDOW: Duration = Duration::from_secs(15 * 60);
/// How often finished windows are looked for.
const SWEEP: Duration = Duration::from_secs(60);
/// Different events remembered at a time.
const CAPACITY: usize = 1000;
/// Longest part of a name that is kept, in characters. Names of failed logins are whatever somebody sent.
const LONGEST_NAME: usize = 128;

/// Words for how somebody proved, or tried to prove, who they are.
pub(crate) mod via {
    /// `/login` with name and password.
    pub(crate) const LOGIN: &str = "login";
    /// Name and password with each request.
    pub(crate) const BASIC: &str = "basic";
    /// An API token with each request.
    pub(crate) const API_TOKEN: &str = "api-token";
    /// A token of a login.
    pub(crate) const BEARER: &str = "bearer";
    /// A header of a trusted proxy.
    pub(crate) const HEADER: &str = "header";
    /// A code at the second step of a login.
    pub(crate) const SECOND_FACTOR: &str = "second-factor";
    /// A provider of single sign-on.
    pub(crate) const SSO: &str = "sso";
    /// No or unreadable credentials.
    pub(crate) const NOTHING: &str = "nothing";
}

/// Writes logins and failed ones. Cheap to clone.
#[derive(Clone)]
pub(crate) struct LoginAudit {
    inner: Arc<Inner>,
}

struct Inner {
    audit: Audit,
    clock: Clock,
    tasks: Tasks,
    windows: Mutex<Windows>,
}

#[derive(Default)]
struct Windows {
    repeated: HashMap<Key, Repeated>,
    /// Failures that found no room.
    overflow: u64,
    overflow_since: Option<Instant>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    action: &'static str,
    via: &'static str,
    name: String,
    address: IpAddr,
}

struct Repeated {
    action: Action,
    since: Instant,
    /// Those after the first.
    more: u64,
}

impl LoginAudit {
    /// Starts the task that writes what was counted.
    pub(crate) fn new(audit: Audit, clock: Clock, tasks: Tasks) -> Self {
        let this = Self {
            inner: Arc::new(Inner {
                audit,
                clock,
                tasks: tasks.clone(),
                windows: Mutex::default(),
            }),
        };
        tasks.spawn("audit_logins", this.clone().keep_up());
        this
    }

    /// Notes a login that gave somebody a session. On disk when it returns.
    pub(crate) async fn logged_in(&self, name: &str, address: IpAddr, via: &'static str) {
        self.write(Action::Success, name, address, json!({ "via": via }))
            .await;
    }

    /// Notes the end of a session by its user. On disk when it returns.
    pub(crate) async fn logged_out(&self, name: &str, address: IpAddr) {
        self.write(Action::Logout, name, address, json!({})).await;
    }

    /// Notes a request that was let in by a password it carried, once in a while per name and address.
    pub(crate) fn let_in(&self, name: &str, address: IpAddr, via: &'static str) {
        self.count(Action::Success, name, address, via);
    }

    /// Notes a refused login, code or token. `via` is a word for what was presented, see [`via`].
    pub(crate) fn refused(&self, name: &str, address: IpAddr, via: &'static str) {
        self.count(Action::Failed, name, address, via);
    }

    fn count(&self, action: Action, name: &str, address: IpAddr, via: &'static str) {
        let now = self.inner.clock.instant();
        let key = Key {
            action: action.as_str(),
            via,
            name: shortened(name),
            address,
        };
        {
            let mut windows = self.inner.windows.lock();
            if let Some(known) = windows.repeated.get_mut(&key) {
                known.more += 1;
                return;
            }
            if windows.repeated.len() >= CAPACITY {
                // Successes are few, and the first of each is worth more than its repetitions.
                windows.overflow += 1;
                windows.overflow_since.get_or_insert(now);
                return;
            }
            let first = Repeated {
                action,
                since: now,
                more: 0,
            };
            windows.repeated.insert(key.clone(), first);
        }
        let this = self.clone();
        self.inner.tasks.spawn("audit_login", async move {
            this.write(action, &key.name, address, json!({ "via": via }))
                .await;
        });
    }

    async fn write(&self, action: Action, name: &str, address: IpAddr, request: Value) {
        let event = Event {
            request: Some(request),
            ..Event::new(Application::AuthLogin, action, "")
        };
        self.inner.audit.write(shortened(name), address, event).await;
    }

    async fn keep_up(self) {
        let stop = self.inner.tasks.soft();
        let mut tick = tokio::time::interval(SWEEP);
        loop {
            tokio::select! {
                () = stop.cancelled() => return self.flush(Duration::ZERO).await,
                _ = tick.tick() => self.flush(WINDOW).await,
            }
        }
    }

    /// Writes what was counted in windows that began at least `age` ago, and forgets those windows.
    async fn flush(&self, age: Duration) {
        let now = self.inner.clock.instant();
        let is_over = |since: Instant| now.saturating_duration_since(since) >= age;
        let (over, overflow) = {
            let mut windows = self.inner.windows.lock();
            let over: Vec<_> = windows
                .repeated
                .extract_if(|_, repeated| is_over(repeated.since))
                .collect();
            let overflow = if windows.overflow_since.is_some_and(is_over) {
                windows.overflow_since = None;
                std::mem::take(&mut windows.overflow)
            } else {
                0
            };
            (over, overflow)
        };
        for (key, repeated) in over.into_iter().filter(|(_, repeated)| repeated.more > 0) {
            let request = json!({ "via": key.via, "repeated": repeated.more });
            self.write(repeated.action, &key.name, key.address, request).await;
        }
        if overflow > 0 {
            let nowhere = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
            let request = json!({ "repeated": overflow, "note": "many names and addresses" });
            self.write(Action::Failed, "", nowhere, request).await;
        }
    }
}

/// Without control characters, and of a length that fits a log.
fn shortened(name: &str) -> String {
    name.chars()
        .take(LONGEST_NAME)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_and_cleaned() {
        assert_eq!(shortened("a\r\nb\u{1b}[2J"), "a\u{fffd}\u{fffd}b\u{fffd}[2J");
        assert_eq!(shortened(&"ü".repeat(1000)).chars().count(), LONGEST_NAME);
    }
}
