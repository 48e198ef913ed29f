//! The server as a whole: which services there are and how they are wired together.

use std::sync::Arc;
use std::time::Duration;

use rport_protocol::to_client::PutCapabilities;
use rport_runtime::{Clock, Tasks};
use rport_store::Store;
use rport_transport::HostKey;
use tokio::net::TcpListener;

use crate::about::{AboutService, Me, Status};
use crate::actor::Actor;
use crate::audit::logins::LoginAudit;
use crate::audit::{Audit, AuditLogs};
use crate::client_auth::{self, ClientAuths, Gate, Needs};
use crate::client_groups::{ClientGroups, Memberships};
use crate::client_listener::ClientListener;
use crate::clients::{self, Clients, Registry, Sessions, Shared};
use crate::error::StartError;
use crate::events::Events;
use crate::jobs::{JobParts, Jobs};
use crate::library::Library;
use crate::login::{Bans, Login, LoginParts, Sso, Waits};
use crate::options::Options;
use crate::schedules::{self, Schedules};
use crate::stored_tunnels::StoredTunnels;
use crate::tunnels::Tunnels;
use crate::users::{self, Passwords, Users};
use crate::vault::Vault;

/// How often expired logins are removed.
const SESSION_CLEANUP: Duration = Duration::from_secs(3600);

/// What the server is built on.
pub struct Parts {
    /// The database files.
    pub store: Store,
    /// The key agents recognise the server by.
    pub host_key: HostKey,
    /// The time.
    pub clock: Clock,
    /// Where the server's tasks are started.
    pub tasks: Tasks,
}

/// The server. Cheap to clone.
#[derive(Clone)]
pub struct Server {
    inner: Arc<Inner>,
}

struct Inner {
    listener: Arc<ClientListener>,
    clients: Clients,
    client_groups: ClientGroups,
    stored_tunnels: StoredTunnels,
    tunnels: Tunnels,
    jobs: Jobs,
    login: Option<Login>,
    users: Option<Users>,
    sso: Option<Sso>,
    events: Events,
    client_auth: ClientAuths,
    audit_logs: AuditLogs,
    library: Library,
    vault: Vault,
    schedules: Schedules,
    about: AboutService,
    store: Store,
    tasks: Tasks,
}

impl Server {
    /// Loads what is known and starts the background chores. Agents are not let in before [`Server::listen`].
    ///
    /// # Errors
    /// A file that cannot be used, or an option this version does not support.
    pub async fn start(options: Options, parts: Parts) -> Result<Self, StartError> {
        let Parts {
            store,
            host_key,
            clock,
            tasks,
        } = parts;
        let provider = client_auth::open(&options.client_auth.source, &tasks).await?;
        let audit = Audit::new(store.audit_log().clone(), options.audit, clock.clone());
        let audit_logs = AuditLogs::new(store.audit_log().clone(), options.audit, clock.clone());
        tasks.spawn("audit_rotation", audit_logs.clone().keep_up(tasks.clone()));
        let mut user_service = None;
        let login = match &options.users {
            Some(wanted) => {
                let users = users::open(wanted, &clock, &tasks).await?;
                let passwords = Arc::new(Passwords::new(
                    wanted.rules,
                    wanted.hash_form(),
                    clock.clone(),
                    tasks.clone(),
                ));
                let parts = LoginParts {
                    users: users.clone(),
                    passwords: passwords.clone(),
                    store: &store,
                    audit: audit.clone(),
                    logins: LoginAudit::new(audit.clone(), clock.clone(), tasks.clone()),
                    clock: &clock,
                    tasks: &tasks,
                };
                let login = Login::new(&options.login, parts)?;
                user_service = Some(Users::new(
                    users,
                    passwords,
                    wanted.send_to.clone(),
                    login.clone(),
                    audit.clone(),
                ));
                Some(login)
            }
            None => None,
        };
        let sso = match (options.login.sso, &login) {
            (Some(wanted), Some(login)) => {
                let (login, clock) = (login.clone(), clock.clone());
                let made = tasks.spawn_blocking("open-sso", move || Sso::new(wanted, login, clock));
                let made = made
                    .await
                    .map_err(|error| StartError::SingleSignOn(error.to_string()))?;
                Some(made.map_err(StartError::SingleSignOn)?)
            }
            _ => None,
        };
        // Nobody is connected to a server that has just started.
        let left = store.clients().disconnect_all(clock.now_local()).await?;
        let records = store.clients().all().await?;
        tracing::info!(clients = records.len(), were_connected = left, "clients loaded");
        let memberships = Arc::new(Memberships::new(store.client_groups().all().await?));
        let registry = Arc::new(Registry::new(
            store.clients().clone(),
            records,
            !options.clients.auth_multiuse,
            memberships.clone(),
        ));
        let events = registry.events().clone();
        let audit = Audit::new(store.audit_log().clone(), options.audit, clock.clone());
        let client_auth = ClientAuths::new(
            options.client_auth,
            Needs {
                provider,
                extras: store.client_auth_extras().clone(),
                registry: registry.clone(),
                audit: audit.clone(),
                clock: clock.clone(),
                tasks: tasks.clone(),
            },
        );
        let tunnels = Tunnels::new(
            &options.tunnels,
            registry.clone(),
            audit.clone(),
            clock.clone(),
            tasks.clone(),
        );
        let vault = Vault::new(
            store.vault().clone(),
            options.vault.clone(),
            registry.clone(),
            audit.clone(),
            clock.clone(),
            tasks.clone(),
        );
        let library = Library::new(store.library().clone(), audit.clone(), clock.clone());
        let about = AboutService::new(
            options.about.clone(),
            &host_key.fingerprint(),
            registry.clone(),
            client_auth.clone(),
            login.clone(),
        );
        let parts = JobParts {
            store: store.jobs().clone(),
            registry: registry.clone(),
            vault: vault.clone(),
            login: login.clone(),
            audit: audit.clone(),
            clock: clock.clone(),
            tasks: tasks.clone(),
        };
        let jobs = Jobs::start(options.jobs, parts).await?;
        let schedules = Schedules::start(schedules::Needs {
            store: &store,
            jobs: jobs.clone(),
            login: login.clone(),
            audit: audit.clone(),
            clock: clock.clone(),
            tasks: &tasks,
        });
        let schedules = schedules.await?;
        if let Some(users) = &user_service {
            users.tell(schedules.clone());
        }
        let sessions = Sessions::new(Shared {
            registry: registry.clone(),
            tunnels: tunnels.clone(),
            jobs: jobs.clone(),
            client_auth: client_auth.clone(),
            options: options.clients.clone(),
            deadlines: options.listener.deadlines.clone(),
            max_request_bytes: options.listener.max_request_bytes,
            capabilities: PutCapabilities {
                server_version: options.about.version.clone(),
                // Nobody stores measurements yet, and an agent that is told so does not take any.
                monitoring_version: 0,
                ip_addresses_version: 1,
            },
            clock: clock.clone(),
            tasks: tasks.clone(),
        });
        let gate = Arc::new(Gate::new(
            client_auth.clone(),
            Waits::new(options.listener.login_wait, clock.clone()),
            Bans::new(options.listener.ban, clock.clone()),
        ));
        let listener = ClientListener::new(
            options.listener,
            options.trusted_proxies,
            gate,
            host_key,
            sessions,
            tasks.clone(),
        )?;
        let watch = clients::watch(
            registry.clone(),
            options.clients.clone(),
            clock.clone(),
            tasks.clone(),
        );
        tasks.spawn("liveness", watch);
        if let Some(purge) = options.clients.purge {
            tasks.spawn(
                "purge",
                clients::purge(registry.clone(), purge, clock.clone(), tasks.clone()),
            );
        }
        if let Some(login) = login.clone() {
            tasks.spawn("session_cleanup", remove_expired_sessions(login, tasks.clone()));
        }
        tasks.spawn("client_auth_upkeep", client_auth.clone().keep_up());
        let client_groups = ClientGroups::new(
            store.client_groups().clone(),
            memberships,
            registry.clone(),
            audit.clone(),
        );
        let stored_tunnels = StoredTunnels::new(
            store.stored_tunnels().clone(),
            registry.clone(),
            audit.clone(),
            clock,
        );
        let clients = Clients::new(registry, store.stored_tunnels().clone(), login.clone(), audit);
        let inner = Inner {
            events,
            listener,
            clients,
            client_groups,
            stored_tunnels,
            tunnels,
            jobs,
            login,
            users: user_service,
            sso,
            client_auth,
            audit_logs,
            library,
            vault,
            schedules,
            about,
            store,
            tasks,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Lets agents in on a listener. May be called for several.
    pub fn listen(&self, listener: TcpListener) {
        self.inner
            .tasks
            .spawn("client_listener", self.inner.listener.clone().run(listener));
    }

    /// The clients.
    pub fn clients(&self) -> &Clients {
        &self.inner.clients
    }

    /// The client groups.
    pub fn client_groups(&self) -> &ClientGroups {
        &self.inner.client_groups
    }

    /// The stored tunnels.
    pub fn stored_tunnels(&self) -> &StoredTunnels {
        &self.inner.stored_tunnels
    }

    /// The tunnels.
    pub fn tunnels(&self) -> &Tunnels {
        &self.inner.tunnels
    }

    /// The jobs.
    pub fn jobs(&self) -> &Jobs {
        &self.inner.jobs
    }

    /// The credentials of agents.
    pub fn client_auth(&self) -> &ClientAuths {
        &self.inner.client_auth
    }

    /// The audit log.
    pub fn audit_logs(&self) -> &AuditLogs {
        &self.inner.audit_logs
    }

    /// Commands and scripts that are kept for later.
    pub fn library(&self) -> &Library {
        &self.inner.library
    }

    /// Orders that are made again and again.
    pub fn schedules(&self) -> &Schedules {
        &self.inner.schedules
    }

    /// Single sign-on; `None` when it is off.
    pub fn sso(&self) -> Option<&Sso> {
        self.inner.sso.as_ref()
    }

    /// What happens to clients and tunnels.
    pub fn events(&self) -> &Events {
        &self.inner.events
    }

    /// Values that are kept encrypted.
    pub fn vault(&self) -> &Vault {
        &self.inner.vault
    }

    /// Logins of users; `None` when the API is off.
    pub fn login(&self) -> Option<&Login> {
        self.inner.login.as_ref()
    }

    /// The users and their groups; `None` when the API is off.
    pub fn users(&self) -> Option<&Users> {
        self.inner.users.as_ref()
    }

    /// The state of the server. Every authenticated user may ask.
    pub fn status(&self, actor: &Actor) -> Status {
        self.inner.about.status(actor)
    }

    /// The caller.
    ///
    /// # Errors
    /// `NotFound` when the user has been removed meanwhile.
    pub async fn me(&self, actor: &Actor) -> Result<Me, rport_domain::Error> {
        self.inner.about.me(actor).await
    }

    /// Reads the credentials of agents again where they stand in a file. A bad file leaves the known ones in place.
    /// Blocks on the disk for a moment.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn reload_client_auth(&self) -> Result<(), StartError> {
        self.inner.client_auth.reload()
    }

    /// Reads the user file again, if there is one. A bad file leaves the known users in place.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn reload_users(&self) -> Result<(), StartError> {
        self.inner
            .login
            .as_ref()
            .map_or(Ok(()), |login| login.users().reload())
    }

    /// Ends in order: asks all tasks to finish, waits up to `grace`, then saves what is left and closes the files.
    pub async fn stop(&self, grace: Duration) {
        self.inner.tasks.shutdown(grace).await;
        self.inner.vault.forget_key();
        if let Some(login) = &self.inner.login
            && let Err(error) = login.flush().await
        {
            tracing::warn!(%error, "the last uses of logins were not saved");
        }
        self.inner.client_auth.flush().await;
        self.inner.store.close().await;
    }
}

async fn remove_expired_sessions(login: Login, tasks: Tasks) {
    let stop = tasks.soft();
    let mut tick = tokio::time::interval(SESSION_CLEANUP);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
        }
        match login.remove_expired_sessions().await {
            Ok(0) => {}
            Ok(removed) => tracing::debug!(removed, "expired logins removed"),
            Err(error) => tracing::warn!(%error, "expired logins were not removed"),
        }
    }
}
