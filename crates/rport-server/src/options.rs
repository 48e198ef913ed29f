//! What the server is told by its configuration: plain, checked data. Who reads the file fills it.

use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use rport_domain::PortSet;
use rport_runtime::Secret;

use crate::audit::AuditOptions;
use crate::client_auth::ClientAuthOptions;
use crate::jobs::JobsOptions;
use crate::login::{HeaderLoginOptions, SecondFactorOptions, SsoOptions};
use crate::users::UserOptions;
use crate::vault::VaultOptions;

/// All options of the server.
#[derive(Debug, Clone)]
pub struct Options {
    /// The listener agents connect to.
    pub listener: ListenerOptions,
    /// Where the credentials of agents come from and what may be done with them.
    pub client_auth: ClientAuthOptions,
    /// Which agents are accepted and how long they are remembered.
    pub clients: ClientsOptions,
    /// Public ports and checks of tunnels.
    pub tunnels: TunnelsOptions,
    /// Commands and scripts.
    pub jobs: JobsOptions,
    /// Where the users of the API come from. `None` when the API is off.
    pub users: Option<UserOptions>,
    /// Logins of users.
    pub login: LoginOptions,
    /// Senders of `X-Forwarded-For` that are believed on the agents' listener. The API has its own list in
    /// [`LoginOptions`].
    pub trusted_proxies: Vec<IpNet>,
    /// The audit log.
    pub audit: AuditOptions,
    /// The vault.
    pub vault: VaultOptions,
    /// What the server tells about itself.
    pub about: About,
}

/// The agents' listener.
#[derive(Debug, Clone)]
pub struct ListenerOptions {
    /// Where HTTP requests go that do not come from an agent (`[server] proxy`). Without it they get 404.
    pub reverse_proxy: Option<http::Uri>,
    /// Limit in bytes of the request head, of a request's body and of one request of an agent
    /// (`max_request_bytes_client`).
    pub max_request_bytes: usize,
    /// How many SSH handshakes may compute at the same moment (`max_concurrent_ssh_handshakes`). Waiting for a peer
    /// does not count.
    pub max_concurrent_handshakes: usize,
    /// How many connections may exist that have not authenticated yet, before the oldest of them is dropped.
    pub max_pending: usize,
    /// The same for one address.
    pub max_pending_per_ip: usize,
    /// How long a client auth id is refused after a wrong password (`client_login_wait`). Zero switches it off.
    pub login_wait: Duration,
    /// Bans of addresses with wrong passwords. `None` switches them off.
    pub ban: Option<BanOptions>,
    /// The deadlines before an agent is accepted.
    pub deadlines: Deadlines,
}

impl Default for ListenerOptions {
    fn default() -> Self {
        Self {
            reverse_proxy: None,
            max_request_bytes: 524_288,
            max_concurrent_handshakes: 2,
            max_pending: 4096,
            max_pending_per_ip: 2560,
            login_wait: Duration::from_secs(2),
            ban: Some(BanOptions {
                max_failed: 5,
                duration: Duration::from_secs(3600),
            }),
            deadlines: Deadlines::default(),
        }
    }
}

/// How long a peer may take for each step before it is a client. No step waits without end, and a peer that lets one
/// pass is dropped.
#[derive(Debug, Clone)]
pub struct Deadlines {
    /// From the TCP connection to the end of the request head.
    pub head: Duration,
    /// From the upgrade to the end of SSH key exchange and login.
    pub handshake: Duration,
    /// From the login to the connection request. Go agents take up to 10 s on purpose.
    pub first_request: Duration,
    /// From the connection request to its answer. Go agents give up after 30 s.
    pub admission: Duration,
    /// How long an older connection has to show that it lives when another session claims its client id.
    pub probe: Duration,
    /// How long a reply may take to reach the peer before its connection is closed anyway.
    pub flush: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(5),
            handshake: Duration::from_secs(15),
            first_request: Duration::from_secs(30),
            admission: Duration::from_secs(25),
            probe: Duration::from_secs(5),
            flush: Duration::from_secs(5),
        }
    }
}

/// When an address is banned.
#[derive(Debug, Clone, Copy)]
pub struct BanOptions {
    /// Consecutive failures that lead to a ban.
    pub max_failed: u32,
    /// How long the ban lasts.
    pub duration: Duration,
}

/// Which agents are accepted and how long they are remembered.
#[derive(Debug, Clone)]
pub struct ClientsOptions {
    /// Whether several clients may use the same client auth id (`auth_multiuse_creds`).
    pub auth_multiuse: bool,
    /// Whether an agent without an id gets its client auth id as id (`equate_clientauthid_clientid`); only looked at
    /// when `auth_multiuse` is off.
    pub equate_auth_id: bool,
    /// Clean-up of disconnected clients. `None` keeps them for ever.
    pub purge: Option<PurgeOptions>,
    /// An agent that was silent this long is pinged at the latest (`check_clients_connection_interval`). The server
    /// looks sooner, see [`Liveness`].
    pub check_interval: Duration,
    /// How long such a ping may take (`check_clients_connection_timeout`).
    pub check_timeout: Duration,
    /// When silence is suspicious.
    pub liveness: Liveness,
}

impl Default for ClientsOptions {
    fn default() -> Self {
        Self {
            auth_multiuse: true,
            equate_auth_id: false,
            purge: None,
            check_interval: Duration::from_secs(300),
            check_timeout: Duration::from_secs(30),
            liveness: Liveness::default(),
        }
    }
}

/// When a silent agent is pinged. Any byte from it counts as a sign of life.
#[derive(Debug, Clone)]
pub struct Liveness {
    /// How often all connections are looked at.
    pub sweep: Duration,
    /// Silence after which one of our own agents, which speak every 20 s, is pinged.
    pub own_silence: Duration,
    /// How long it then has to answer.
    pub own_timeout: Duration,
    /// Silence after which a Go agent, which speaks every 3 min, is pinged.
    pub go_silence: Duration,
}

impl Default for Liveness {
    fn default() -> Self {
        Self {
            sweep: Duration::from_secs(5),
            own_silence: Duration::from_secs(40),
            own_timeout: Duration::from_secs(12),
            go_silence: Duration::from_secs(90),
        }
    }
}

/// Clean-up of disconnected clients.
#[derive(Debug, Clone, Copy)]
pub struct PurgeOptions {
    /// How long a disconnected client is kept (`keep_disconnected_clients`). Zero deletes it when it goes.
    pub keep: Duration,
    /// How often to look (`purge_disconnected_clients_interval`).
    pub interval: Duration,
}

/// Public ports and checks of tunnels.
#[derive(Debug, Clone)]
pub struct TunnelsOptions {
    /// The ports tunnels may use: `used_ports` without `excluded_ports`.
    pub ports: PortSet,
    /// How long an agent may try to reach a port (`check_port_timeout`).
    pub check_port_timeout: Duration,
    /// The HTTPS front of tunnels with `http_proxy`. `None` refuses such tunnels.
    pub proxy: Option<TunnelProxyOptions>,
}

/// The HTTPS front of tunnels.
#[derive(Debug, Clone)]
pub struct TunnelProxyOptions {
    /// Certificate and versions (`tunnel_proxy_cert_file`, `tunnel_proxy_key_file`, `[server] tls_min`).
    pub tls: Arc<rustls::ServerConfig>,
    /// Origins whose pages may use services behind tunnels (`tunnel_cors`).
    pub cors: Vec<String>,
    /// Senders of `X-Forwarded-For` that are believed (`[server] trusted_proxies`).
    pub trusted_proxies: Vec<IpNet>,
}

/// Logins of users.
#[derive(Debug, Clone)]
pub struct LoginOptions {
    /// The key of the tokens (`jwt_secret`). Empty makes a new one at every start, which ends all logins.
    pub jwt_secret: Secret,
    /// How long a user name is refused after a failed login (`user_login_wait`). Zero switches it off.
    pub user_wait: Duration,
    /// Bans of addresses. `None` switches them off.
    pub ban: Option<BanOptions>,
    /// Senders of `X-Forwarded-For` that are believed on the API.
    pub trusted_proxies: Vec<IpNet>,
    /// How long a token is worth something after it was made, however often it is used (`max_token_lifetime`).
    pub max_token_lifetime: Option<Duration>,
    /// What is asked for besides the password.
    pub second_factor: SecondFactorOptions,
    /// Single sign-on at a provider.
    pub sso: Option<SsoOptions>,
    /// Logins that a trusted proxy vouches for; `None` switches them off.
    pub header: Option<HeaderLoginOptions>,
}

impl Default for LoginOptions {
    fn default() -> Self {
        Self {
            jwt_secret: Secret::default(),
            user_wait: Duration::from_secs(2),
            ban: Some(BanOptions {
                max_failed: 10,
                duration: Duration::from_secs(600),
            }),
            trusted_proxies: Vec::new(),
            max_token_lifetime: None,
            second_factor: SecondFactorOptions::Off,
            sso: None,
            header: None,
        }
    }
}

/// What the server tells about itself in `GET /status`.
#[derive(Debug, Clone, Default)]
pub struct About {
    /// The version of the server.
    pub version: String,
    /// Where agents connect to (`[server] url`).
    pub connect_url: Vec<String>,
    /// The pairing service (`pairing_url`).
    pub pairing_url: String,
    /// The host name shown for tunnels (`tunnel_host`).
    pub tunnel_host: String,
    /// The name of the header that logs users in (`auth_header`), empty when unused.
    pub auth_header: String,
    /// Whether tunnels can have an HTTPS front.
    pub tunnel_proxy_enabled: bool,
    /// Whether measurements are wanted (`[monitoring] enabled`).
    pub monitoring_enabled: bool,
    /// Whether an audit log is wanted (`enable_audit_log`).
    pub audit_log_enabled: bool,
    /// How often the audit log starts a new file (`audit_log_rotation`).
    pub audit_log_rotation: String,
    /// The port ranges as written in the configuration (`used_ports`).
    pub used_ports: Vec<String>,
    /// The excluded port ranges as written (`excluded_ports`).
    pub excluded_ports: Vec<String>,
    /// The least length of new passwords (`password_min_length`).
    pub password_min_length: usize,
}
