//! What can be done with the vault, and by whom.

use std::collections::HashMap;
use std::sync::Arc;

use aws_lc_rs::digest;
use parking_lot::Mutex;
use rport_domain::{
    ClientId, ClientRecord, Error, ListQuery, Permission, VAULT_PASSWORD_MAX, VAULT_PASSWORD_MAX_GO,
    VAULT_PASSWORD_MIN, VaultEntry, VaultLabel, VaultStatus, VaultValueId, vault_locked,
    vault_value_not_found,
};
use rport_runtime::{Clock, Secret, Tasks};
use rport_store::{KeyDerivation, StoredVaultValue, VaultSetup, VaultWrite};
use serde_json::{Value, json};

use super::VaultKeyDerivation;
use super::crypto::{self, KeyError, VaultKey};
use super::throttle::Throttle;
use crate::actor::Actor;
use crate::audit::{Action, Application, Audit, Event};
use crate::clients::Registry;

/// What the configuration says about the vault.
#[derive(Debug, Clone, Default)]
pub struct VaultOptions {
    /// How the keys of new vaults are made (`[vault] key_derivation`). A vault keeps its own way.
    pub key_derivation: VaultKeyDerivation,
}

/// A decrypted value.
#[derive(Debug, Clone)]
pub struct VaultValue {
    /// What is known about it.
    pub entry: VaultEntry,
    /// The value.
    pub value: Secret,
}

/// The vault. Cheap to clone.
///
/// Every method takes the permission `vault`; making, locking and unlocking is for administrators. The key lives in
/// memory only, so each start of the server finds the vault locked. An operation that is under way while somebody locks
/// the vault is finished.
#[derive(Clone)]
pub struct Vault {
    inner: Arc<Inner>,
}

struct Inner {
    store: rport_store::Vault,
    options: VaultOptions,
    registry: Arc<Registry>,
    audit: Audit,
    throttle: Throttle,
    clock: Clock,
    tasks: Tasks,
    key: Mutex<Option<Arc<VaultKey>>>,
    /// One change at a time, because each looks before it writes; and one guess at a time, because each has to wait for
    /// the verdict on the one before.
    changing: tokio::sync::Mutex<()>,
}

impl Vault {
    pub(crate) fn new(
        store: rport_store::Vault,
        options: VaultOptions,
        registry: Arc<Registry>,
        audit: Audit,
        clock: Clock,
        tasks: Tasks,
    ) -> Self {
        let inner = Inner {
            store,
            options,
            registry,
            audit,
            throttle: Throttle::new(clock.clone()),
            clock,
            tasks,
            key: Mutex::default(),
            changing: tokio::sync::Mutex::default(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// The state of the vault.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn status(&self, actor: &Actor) -> Result<VaultStatus, Error> {
        actor.require(Permission::Vault)?;
        if self.inner.key.lock().is_some() {
            return Ok(VaultStatus::Unlocked);
        }
        Ok(match self.inner.store.setup().await? {
            Some(_) => VaultStatus::Locked,
            None => VaultStatus::Uninitialized,
        })
    }

    /// Makes the vault and unlocks it. The password cannot be changed later, nor found out.
    ///
    /// # Errors
    /// `Forbidden`; `Invalid` when the password is too short or too long; `Conflict` when there is a vault already.
    pub async fn init(&self, actor: &Actor, password: Secret) -> Result<(), Error> {
        admin(actor)?;
        let inner = &self.inner;
        let (derivation, most) = match inner.options.key_derivation {
            VaultKeyDerivation::Go => (None, VAULT_PASSWORD_MAX_GO),
            VaultKeyDerivation::Argon2id => (Some(crypto::new_derivation()), VAULT_PASSWORD_MAX),
        };
        let length = password.expose().len();
        if !(VAULT_PASSWORD_MIN..=most).contains(&length) {
            let text = format!("It has {length} bytes, {VAULT_PASSWORD_MIN} to {most} are allowed.");
            return Err(Error::invalid("Invalid password.").detail(text));
        }
        let _changing = inner.changing.lock().await;
        let exists = || Error::conflict("vault is already initialized");
        if inner.store.setup().await?.is_some() {
            return Err(exists());
        }
        let key = inner.derive(password, derivation.clone()).await?;
        let control = control_value(&inner.clock);
        let setup = VaultSetup {
            enc_check: key.encrypt(&control),
            derivation,
        };
        if !inner.store.init(setup, control).await? {
            return Err(exists());
        }
        *inner.key.lock() = Some(Arc::new(key));
        tracing::info!(user.name = %actor.user, "vault initialised");
        inner.note(actor, Action::Init, None).await;
        Ok(())
    }

    /// Unlocks the vault for everybody, until somebody locks it or the server stops. Wrong passwords are slowed down.
    ///
    /// # Errors
    /// `Forbidden`; `Conflict` when there is no vault or it is unlocked; `TooManyAttempts`; `Unauthenticated` when the
    /// password is wrong.
    pub async fn unlock(&self, actor: &Actor, password: Secret) -> Result<(), Error> {
        admin(actor)?;
        let inner = &self.inner;
        let _changing = inner.changing.lock().await;
        if inner.key.lock().is_some() {
            return Err(Error::conflict("vault is already unlocked"));
        }
        let setup = inner.store.setup().await?;
        let setup = setup.ok_or_else(|| Error::conflict("vault is not initialized yet"))?;
        inner.throttle.check(&actor.user)?;
        if setup.enc_check.is_empty() {
            return Err(Error::internal("password control value from db is empty"));
        }
        // No such password was ever taken, and hashing it is not worth the work.
        let key = if password.expose().len() > VAULT_PASSWORD_MAX {
            None
        } else {
            let key = inner.derive(password, setup.derivation).await?;
            key.decrypt(&setup.enc_check).is_ok().then_some(key)
        };
        let Some(key) = key else {
            inner.throttle.failed(&actor.user);
            tracing::warn!(user.name = %actor.user, address = %actor.address, "wrong password for the vault");
            inner
                .note(actor, Action::Failed, Some(json!({ "attempt": "unlock" })))
                .await;
            return Err(Error::unauthenticated("wrong password provided"));
        };
        inner.throttle.succeeded(&actor.user);
        *inner.key.lock() = Some(Arc::new(key));
        tracing::info!(user.name = %actor.user, "vault unlocked");
        inner.note(actor, Action::Unlock, None).await;
        Ok(())
    }

    /// Locks the vault for everybody and wipes the key.
    ///
    /// # Errors
    /// `Forbidden`; `Conflict` when it is not unlocked.
    pub async fn lock(&self, actor: &Actor) -> Result<(), Error> {
        admin(actor)?;
        let inner = &self.inner;
        let _changing = inner.changing.lock().await;
        if inner.key.lock().take().is_none() {
            return Err(Error::conflict("vault is already locked"));
        }
        tracing::info!(user.name = %actor.user, "vault locked");
        inner.note(actor, Action::Lock, None).await;
        Ok(())
    }

    /// What is known about the values that the actor may use, without the values. `query` was read with
    /// [`rport_domain::VAULT_LIST`]. Differs from RPort, which lists those of other groups, too.
    ///
    /// # Errors
    /// `Forbidden`; `Conflict` when the vault is locked.
    pub async fn list(&self, actor: &Actor, query: &ListQuery) -> Result<Vec<VaultEntry>, Error> {
        self.inner.key(actor)?;
        let mut entries = self.inner.store.list(query).await?;
        entries.retain(|entry| entry.label.is_open_to(&actor.groups));
        Ok(entries)
    }

    /// One value. Who reads it is noted in the audit log.
    ///
    /// # Errors
    /// `Forbidden`, also without the required group; `Conflict` when the vault is locked; `NotFound`.
    pub async fn get(&self, actor: &Actor, id: VaultValueId) -> Result<VaultValue, Error> {
        let inner = &self.inner;
        let key = inner.key(actor)?;
        let stored = inner.store.find(id).await?;
        let stored = stored.ok_or_else(|| vault_value_not_found(id))?;
        inner.reveal(actor, &key, stored, None).await
    }

    /// The value of a key as something that runs on a client may use it: that of the client if there is one, else that
    /// of no client. Whether the actor may access the client is for the caller to decide. The use is noted in the audit
    /// log.
    ///
    /// The answer must not get into records of jobs nor into logs.
    ///
    /// # Errors
    /// `Forbidden`, also without the required group; `Conflict` when the vault is locked; `NotFound`.
    pub async fn resolve(&self, actor: &Actor, key: &str, client: &ClientId) -> Result<Secret, Error> {
        let inner = &self.inner;
        let vault_key = inner.key(actor)?;
        let stored = inner.find_for(key, client).await?;
        let stored = stored.ok_or_else(|| key_not_found(key, client))?;
        let value = inner.reveal(actor, &vault_key, stored, Some(client)).await?;
        Ok(value.value)
    }

    /// Passes whoever may use the values of all these keys on all these clients, without looking at the values.
    ///
    /// # Errors
    /// `Forbidden`, also without a required group; `Conflict` when the vault is locked; `NotFound`, naming the key and
    /// the first client that has none.
    pub async fn check_use(&self, actor: &Actor, keys: &[&str], clients: &[ClientId]) -> Result<(), Error> {
        let inner = &self.inner;
        inner.key(actor)?;
        for key in keys {
            let entries = inner.store.of_key(key).await?;
            let entries: HashMap<&str, &VaultEntry> = entries
                .iter()
                .map(|entry| (entry.label.client_id.as_str(), entry))
                .collect();
            for client in clients {
                let entry = entries.get(client.as_str()).or_else(|| entries.get(""));
                let entry = entry.ok_or_else(|| key_not_found(key, client))?;
                require_group(actor, entry)?;
            }
        }
        Ok(())
    }

    /// The value of a key as [`Self::resolve`] finds it, for making it unseen. Nobody reads it, so nobody is asked for
    /// permission and nothing is noted. `None` when there is none any more.
    ///
    /// # Errors
    /// `Conflict` when the vault is locked.
    pub(crate) async fn to_hide(&self, key: &str, client: &ClientId) -> Result<Option<Secret>, Error> {
        let inner = &self.inner;
        let vault_key = inner.key.lock().clone().ok_or_else(vault_locked)?;
        let stored = inner.find_for(key, client).await?;
        stored
            .map(|stored| decrypt(&vault_key, &stored.encrypted))
            .transpose()
    }

    /// Adds a value and returns its id.
    ///
    /// # Errors
    /// `Forbidden`; `Invalid`; `Conflict` when the vault is locked or the client has another value of that key.
    pub async fn add(&self, actor: &Actor, label: VaultLabel, value: &Secret) -> Result<VaultValueId, Error> {
        actor.require(Permission::Vault)?;
        label.check(value.is_empty())?;
        let inner = &self.inner;
        let key = inner.key(actor)?;
        let write = inner.write(actor, label.clone(), key.encrypt(value.expose().as_bytes()));
        let id = inner.store.insert(write).await?;
        let id = id.ok_or_else(|| label.key_taken())?;
        inner.note_value(actor, Action::Create, id, &label, true).await;
        Ok(id)
    }

    /// Replaces a value. Who created it and when stays as it is.
    ///
    /// # Errors
    /// `Forbidden`, also without the group that was required so far; `Invalid`; `NotFound`; `Conflict` when the vault is
    /// locked or the client has another value of that key.
    pub async fn replace(
        &self,
        actor: &Actor,
        id: VaultValueId,
        label: VaultLabel,
        value: &Secret,
    ) -> Result<(), Error> {
        actor.require(Permission::Vault)?;
        label.check(value.is_empty())?;
        let inner = &self.inner;
        let key = inner.key(actor)?;
        let _changing = inner.changing.lock().await;
        let known = inner.store.find(id).await?;
        let known = known.ok_or_else(|| Error::not_found("cannot find entry by the provided existingID"))?;
        require_group(actor, &known.entry)?;
        let write = inner.write(actor, label.clone(), key.encrypt(value.expose().as_bytes()));
        if !inner.store.replace(id, write).await? {
            return Err(label.key_taken());
        }
        inner.note_value(actor, Action::Update, id, &label, true).await;
        Ok(())
    }

    /// Removes a value.
    ///
    /// # Errors
    /// `Forbidden`, also without the required group; `NotFound`; `Conflict` when the vault is locked.
    pub async fn delete(&self, actor: &Actor, id: VaultValueId) -> Result<(), Error> {
        let inner = &self.inner;
        inner.key(actor)?;
        let _changing = inner.changing.lock().await;
        let known = inner.store.find(id).await?;
        let known = known.ok_or_else(|| vault_value_not_found(id))?;
        require_group(actor, &known.entry)?;
        inner.store.delete(id).await?;
        inner
            .note_value(actor, Action::Delete, id, &known.entry.label, false)
            .await;
        Ok(())
    }

    /// Wipes the key when the server stops.
    pub(crate) fn forget_key(&self) {
        self.inner.key.lock().take();
    }
}

impl Inner {
    /// The key, for an actor who may use the vault.
    fn key(&self, actor: &Actor) -> Result<Arc<VaultKey>, Error> {
        actor.require(Permission::Vault)?;
        self.key.lock().clone().ok_or_else(vault_locked)
    }

    async fn derive(&self, password: Secret, derivation: Option<KeyDerivation>) -> Result<VaultKey, Error> {
        let work = move || VaultKey::derive(&password, derivation.as_ref());
        let outcome: Result<VaultKey, KeyError> = self
            .tasks
            .spawn_blocking("vault_key", work)
            .await
            .map_err(Error::internal)?;
        outcome.map_err(Error::internal)
    }

    /// The value of a key for a client: its own, else that of no client.
    async fn find_for(&self, key: &str, client: &ClientId) -> Result<Option<StoredVaultValue>, Error> {
        if let Some(own) = self.store.find_key(client.as_str(), key).await? {
            return Ok(Some(own));
        }
        Ok(self.store.find_key("", key).await?)
    }

    /// Decrypts a value for an actor who has the required group, and notes it.
    async fn reveal(
        &self,
        actor: &Actor,
        key: &VaultKey,
        stored: StoredVaultValue,
        used_on: Option<&ClientId>,
    ) -> Result<VaultValue, Error> {
        let StoredVaultValue { entry, encrypted } = stored;
        require_group(actor, &entry)?;
        let value = decrypt(key, &encrypted)?;
        let mut request = json!({ "key": entry.label.key, "client_id": entry.label.client_id });
        if let Some(client) = used_on {
            request["used_on"] = json!(client);
        }
        let client = self.client(used_on.map_or(&entry.label.client_id, |client| client.as_str()));
        let affected = entry.id.to_string();
        let event = Event {
            client: client.as_deref(),
            request: Some(request),
            ..Event::new(Application::Vault, Action::Read, &affected)
        };
        self.audit.note(actor, event).await;
        Ok(VaultValue { entry, value })
    }

    fn write(&self, actor: &Actor, label: VaultLabel, encrypted: String) -> VaultWrite {
        VaultWrite {
            label,
            encrypted,
            by: actor.user.clone(),
            at: self.clock.now_local(),
        }
    }

    fn client(&self, id: &str) -> Option<Arc<ClientRecord>> {
        self.registry.find(&ClientId::from(id))?.record()
    }

    async fn note(&self, actor: &Actor, action: Action, request: Option<Value>) {
        self.audit
            .record(actor, Application::Vault, action, "", request)
            .await;
    }

    /// Notes a change in the shape of the API, the value left empty as the Go server does.
    async fn note_value(
        &self,
        actor: &Actor,
        action: Action,
        id: VaultValueId,
        label: &VaultLabel,
        with_request: bool,
    ) {
        let request = json!({
            "client_id": label.client_id, "required_group": label.required_group, "key": label.key, "value": "",
            "type": label.kind,
        });
        let client = self.client(&label.client_id);
        let affected = id.to_string();
        let event = Event {
            client: client.as_deref(),
            request: with_request.then_some(request),
            ..Event::new(Application::Vault, action, &affected)
        };
        self.audit.note(actor, event).await;
    }
}

fn admin(actor: &Actor) -> Result<(), Error> {
    actor.require(Permission::Vault)?;
    actor.require_admin()
}

/// The Go server's clients send texts; whatever else is in there could not be shown in JSON.
fn decrypt(key: &VaultKey, encrypted: &str) -> Result<Secret, Error> {
    let plain = key.decrypt(encrypted).map_err(Error::internal)?;
    Ok(Secret::new(String::from_utf8_lossy(&plain)))
}

fn key_not_found(key: &str, client: &ClientId) -> Error {
    Error::not_found(format!("Cannot find a vault value by the provided key: {key}"))
        .detail(format!("neither for client {client} nor for all"))
}

fn require_group(actor: &Actor, entry: &VaultEntry) -> Result<(), Error> {
    if entry.label.is_open_to(&actor.groups) {
        return Ok(());
    }
    Err(Error::forbidden("your group doesn't allow access to this value"))
}

/// What is encrypted to check passwords with: the time in nanoseconds, then the hash of nothing, as the Go server has
/// it. Not a valid text. Source: storage.md 9.
fn control_value(clock: &Clock) -> Vec<u8> {
    let nanos = clock.now().timestamp_nanos_opt().unwrap_or_default();
    let mut value = nanos.to_string().into_bytes();
    value.extend_from_slice(digest::digest(&digest::SHA256, b"").as_ref());
    value
}
