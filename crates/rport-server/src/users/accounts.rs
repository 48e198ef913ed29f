//! Changes of users, whoever asks for them: the API or the command line. Source: rest-api.md 18.1.

use std::sync::Arc;

use rport_domain::access::ADMINISTRATORS;
use rport_domain::{Error, SendToRule, User, UserChange, UserName};
use serde_json::{Map, Value, json};

use super::checks::{check_new, check_update};
use super::password::Passwords;
use super::provider::{UserProvider, already_exists, not_found, single_only};
use super::requests::{NewUser, UserUpdate};
use crate::login::UserEvent;

/// The users with the rules for changing them.
pub(super) struct Accounts {
    pub(super) provider: Arc<dyn UserProvider>,
    pub(super) passwords: Arc<Passwords>,
    pub(super) send_to: Option<SendToRule>,
    /// Held by whoever looks and then changes.
    pub(super) changing: tokio::sync::Mutex<()>,
}

impl Accounts {
    pub(super) fn new(
        provider: Arc<dyn UserProvider>,
        passwords: Arc<Passwords>,
        send_to: Option<SendToRule>,
    ) -> Self {
        Self {
            provider,
            passwords,
            send_to,
            changing: tokio::sync::Mutex::default(),
        }
    }

    /// Passes where users can be changed at all.
    ///
    /// # Errors
    /// `Invalid` for the static pair.
    pub(super) fn check_writable(&self) -> Result<(), Error> {
        if self.provider.is_writable() {
            Ok(())
        } else {
            Err(single_only())
        }
    }

    /// Adds a user. Returns what to write into the audit log.
    ///
    /// # Errors
    /// `Invalid` for what is missing or breaks a rule and for a name that exists; `Conflict` when somebody else
    /// changed the file; `Unavailable`.
    pub(super) async fn add(&self, new: NewUser) -> Result<Value, Error> {
        self.check_writable()?;
        check_new(&new, self.send_to.as_ref())?;
        let name = UserName::new(new.name.as_str());
        let hash = self.passwords.hash_new(&name, &new.password).await?;
        let user = User {
            name: name.clone(),
            password_hash: hash,
            groups: without_repeats(new.groups),
            password_expired: new.password_expired,
            two_fa_send_to: new.two_fa_send_to,
            totp_secret: new.totp_secret.expose().trim().to_owned(),
        };
        let request = json!({
            "username": name,
            "groups": user.groups,
            "password_expired": user.password_expired,
            "two_fa_send_to": user.two_fa_send_to,
        });
        let _alone = self.changing.lock().await;
        if self.provider.find(&name).await?.is_some() {
            return Err(already_exists());
        }
        self.provider.add(user).await?;
        Ok(request)
    }

    /// Changes a user. Returns what to write into the audit log, and what the rest of the server has to know.
    ///
    /// # Errors
    /// As [`Self::add`]; `NotFound`; `Conflict` also when nobody would be an administrator any more.
    pub(super) async fn update(
        &self,
        name: &UserName,
        update: UserUpdate,
    ) -> Result<(Value, Vec<UserEvent>), Error> {
        self.check_writable()?;
        let update = meaningful(update);
        check_update(&update, self.send_to.as_ref())?;
        let request = audit_of(&update);
        let mut change = UserChange {
            name: update.name.map(UserName::from),
            password_hash: None,
            password_expired: update.password_expired,
            groups: update.groups.map(without_repeats),
            two_fa_send_to: update.two_fa_send_to,
            totp_secret: update.totp_secret.map(|secret| secret.expose().trim().to_owned()),
        };
        if change.is_empty() && update.password.is_none() {
            // Unknown users are told first.
            self.provider.find(name).await?.ok_or_else(|| not_found(name))?;
            return Err(Error::invalid("nothing to change"));
        }
        if let Some(password) = &update.password {
            let called = change.name.as_ref().unwrap_or(name);
            change.password_hash = Some(self.passwords.hash_new(called, password).await?);
            change.password_expired = Some(change.password_expired.unwrap_or(false));
        }
        let _alone = self.changing.lock().await;
        let before = self.provider.find(name).await?.ok_or_else(|| not_found(name))?;
        if let Some(new) = change.name.as_ref().filter(|new| *new != name)
            && self.provider.find(new).await?.is_some()
        {
            return Err(already_exists());
        }
        let stays = change
            .groups
            .as_ref()
            .is_none_or(|groups| groups.iter().any(|group| group == ADMINISTRATORS));
        if before.is_admin() && !stays {
            self.keep_an_administrator(name).await?;
        }
        self.provider.change(name, change.clone()).await?;
        Ok((request, events(&before, &change)))
    }

    /// Removes a user.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` for the last administrator and when somebody else changed the file; `Unavailable`.
    pub(super) async fn delete(&self, name: &UserName) -> Result<(), Error> {
        self.check_writable()?;
        let _alone = self.changing.lock().await;
        let user = self.provider.find(name).await?.ok_or_else(|| not_found(name))?;
        if user.is_admin() {
            self.keep_an_administrator(name).await?;
        }
        self.provider.delete(name).await
    }

    /// Refuses to go on when this user is the only administrator. The caller holds `changing`.
    async fn keep_an_administrator(&self, name: &UserName) -> Result<(), Error> {
        let users = self.provider.list().await?;
        if users.iter().any(|user| user.name != *name && user.is_admin()) {
            return Ok(());
        }
        Err(
            Error::conflict(format!("'{name}' is the last user in the group {ADMINISTRATORS}"))
                .detail("Nobody could manage users any more. Add another user to the group first."),
        )
    }
}

/// Empty texts mean "not given", as in the Go server: front ends send whole objects.
fn meaningful(update: UserUpdate) -> UserUpdate {
    UserUpdate {
        name: update.name.filter(|name| !name.is_empty()),
        password: update.password.filter(|password| !password.is_empty()),
        two_fa_send_to: update.two_fa_send_to.filter(|address| !address.is_empty()),
        totp_secret: update.totp_secret.filter(|secret| !secret.is_empty()),
        ..update
    }
}

/// What the rest of the server has to know, the new name last.
fn events(before: &User, change: &UserChange) -> Vec<UserEvent> {
    let mut events = Vec::new();
    if change.password_hash.is_some() {
        events.push(UserEvent::PasswordChanged);
    }
    if change.password_expired == Some(true) {
        events.push(UserEvent::Expired);
    }
    if change
        .groups
        .as_ref()
        .is_some_and(|groups| *groups != before.groups)
    {
        events.push(UserEvent::GroupsChanged);
    }
    if let Some(new) = change.name.as_ref().filter(|new| **new != before.name) {
        events.push(UserEvent::Renamed(new.clone()));
    }
    events
}

/// The words of a change without its secrets.
fn audit_of(update: &UserUpdate) -> Value {
    let mut request = Map::new();
    let mut note = |key: &str, value: Option<Value>| {
        request.extend(value.map(|value| (key.to_owned(), value)));
    };
    note("username", update.name.as_ref().map(|name| json!(name)));
    note("password", update.password.as_ref().map(|_| json!("***")));
    note("password_expired", update.password_expired.map(Value::Bool));
    note("groups", update.groups.as_ref().map(|groups| json!(groups)));
    note(
        "two_fa_send_to",
        update.two_fa_send_to.as_ref().map(|address| json!(address)),
    );
    note("totp_secret", update.totp_secret.as_ref().map(|_| json!("***")));
    Value::Object(request)
}

/// Each group once, in the order given.
fn without_repeats(groups: Vec<String>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::with_capacity(groups.len());
    for group in groups {
        if !kept.contains(&group) {
            kept.push(group);
        }
    }
    kept
}
