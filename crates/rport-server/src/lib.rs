//! Everything the server does, without its API: agents come in, clients are known, tunnels are opened, users log in.
//!
//! [`Server`] owns the services. Outsiders start it with [`Options`] and [`Parts`], hand it the agents' listener, and
//! call the services on behalf of an [`Actor`]; permissions and access are decided here and nowhere else.
//!
//! Start reading at `server.rs`, then `client_listener/` (how an agent gets in) and `clients/` (who is known and
//! connected). This crate never names HTTP's shapes of the API and contains no SQL.

mod about;
mod actor;
mod audit;
mod client_auth;
mod client_groups;
mod client_listener;
mod clients;
mod delivery;
mod error;
mod events;
mod hashing;
mod jobs;
mod kept_file;
mod library;
mod login;
mod metrics_names;
mod options;
mod safe_write;
mod schedules;
mod server;
mod stored_tunnels;
mod tunnels;
mod users;
mod vault;

pub use about::{AboutService, Me, Status};
pub use actor::Actor;
pub use audit::{AuditEntries, AuditExportRequest, AuditLogs, AuditOptions, AuditRotation, UnknownRotation};
pub use client_auth::{
    ClientAuthChange, ClientAuthOptions, ClientAuthOutcome, ClientAuthSource, ClientAuthTool, ClientAuths,
    ClientIdBinding, DatabaseOptions, DatabaseServer, MAX_GRACE, NewClientAuth, NewPassword, Pair,
    PasswordHashing, UnknownWord,
};
pub use client_groups::ClientGroups;
pub use clients::Clients;
pub use delivery::{CodeChannel, MailOptions, MailTls, PushoverOptions};
pub use error::StartError;
pub use events::{Event, EventKind, Events, Heard, Listener};
pub use jobs::{
    Expiry, JobNews, JobWatch, Jobs, JobsOptions, MultiJobView, NewJob, NewMultiJob, OutputStream,
    ParameterValue,
};
pub use library::Library;
pub use login::{
    DeviceAnswer, DeviceLogin, DeviceStart, HeaderLoginOptions, LoggedIn, Login, MadeApiToken, NewApiToken,
    PendingFactor, RequestOrigin, SecondFactorOptions, Sso, SsoMapping, SsoOptions, SsoProvider, SsoStart,
    TotpSecret, UserEvent,
};
pub use metrics_names::describe_metrics;
pub use options::{
    About, BanOptions, ClientsOptions, Deadlines, ListenerOptions, Liveness, LoginOptions, Options,
    PurgeOptions, TunnelProxyOptions, TunnelsOptions,
};
pub use rport_domain::client_address;
pub use rport_store::{ApiSession, ApiToken};
pub use schedules::{ScheduleView, Schedules};
pub use server::{Parts, Server};
pub use stored_tunnels::StoredTunnels;
pub use tunnels::{ClientTunnel, Tunnels};
pub use users::{
    NewUser, OwnUpdate, UserHash, UserOptions, UserSource, UserTableNames, UserTool, UserUpdate, UserView,
    Users,
};
pub use vault::{Vault, VaultKeyDerivation, VaultOptions, VaultValue};

#[cfg(test)]
mod tests;
