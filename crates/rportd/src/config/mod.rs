//! `rportd.conf`: one file per section. A section struct mirrors the file with its defaults; [`Config::read`] checks
//! all sections in the order of the Go server (reference `config.md`, section 4) and reports every mistake at once.
//!
//! To add a key: read it in its section's `read`, check it there, explain it in `examples/rportd.conf`. A test compares
//! the two.

mod api;
mod caddy;
mod check;
mod database;
mod delivery;
#[cfg(test)]
mod example_tests;
mod logging;
mod metrics;
mod monitoring;
mod notifications;
mod plus;
mod server;
mod sso;
#[cfg(test)]
mod tests;
mod vault;

use std::collections::BTreeSet;

use http::Uri;
use rport_domain::PortSet;
use rport_runtime::toml_config::{Document, Report};

pub use api::{ApiSection, CodeDelivery};
pub use caddy::CaddySection;
pub use check::{Pair, Source};
pub use database::DatabaseSection;
pub use delivery::{PushoverSection, SmtpSection};
pub use logging::LoggingSection;
pub use metrics::MetricsSection;
pub use monitoring::MonitoringSection;
pub use notifications::NotificationsSection;
pub use plus::PlusSections;
pub use server::ServerSection;
pub use sso::{SsoProviderSection, SsoSection};
pub use vault::VaultSection;

/// A checked configuration: the sections, and what had to be built to check them.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// `[server]`.
    pub server: ServerSection,
    /// `[logging]`.
    pub logging: LoggingSection,
    /// `[api]`.
    pub api: ApiSection,
    /// `[database]`.
    pub database: DatabaseSection,
    /// `[smtp]`.
    pub smtp: SmtpSection,
    /// `[pushover]`.
    pub pushover: PushoverSection,
    /// `[monitoring]`.
    pub monitoring: MonitoringSection,
    /// `[notifications]`.
    pub notifications: NotificationsSection,
    /// `[caddy-integration]`.
    pub caddy: CaddySection,
    /// The three sections of the add-on.
    pub plus: PlusSections,
    /// Single sign-on; `None` without it.
    pub sso: Option<SsoSection>,
    /// `[metrics]`.
    pub metrics: MetricsSection,
    /// `[vault]`.
    pub vault: VaultSection,
    /// Ports for tunnels: `used_ports` without `excluded_ports`.
    pub ports: PortSet,
    /// Where requests go that are no agents.
    pub proxy: Option<Uri>,
    /// Where the credentials of agents come from.
    pub client_auth: Source,
    /// Where the users of the API come from; `None` without an API.
    pub users: Option<Source>,
    /// How codes for a second factor reach the user; `None` without them.
    pub code_delivery: Option<CodeDelivery>,
}

/// Every `section.key` that the program knows.
pub fn known_keys() -> BTreeSet<String> {
    let document = Document::empty();
    Config::read_sections(&document);
    document.known_keys()
}

impl Config {
    /// Reads and checks a document. There is a configuration exactly when the report has no errors.
    pub fn read(document: Document) -> (Option<Self>, Report) {
        let config = Self::read_sections(&document);
        let config = if document.has_errors() { None } else { config };
        (config, document.finish())
    }

    fn read_sections(document: &Document) -> Option<Self> {
        let mut server = ServerSection::read(document);
        let logging = LoggingSection::read(document);
        let api = ApiSection::read(document);
        let database = DatabaseSection::read(document);
        let smtp = SmtpSection::read(document);
        let pushover = PushoverSection::read(document);
        let monitoring = MonitoringSection::read(document);
        let notifications = NotificationsSection::read(document);
        let caddy = CaddySection::read(document);
        let plus = PlusSections::read(document);
        let sso = sso::SsoSections::read(document);
        let metrics = MetricsSection::read(document);
        let vault = VaultSection::read(document);

        server.check_address(document);
        server.check_urls(document);
        let ports = PortSet::new(&server.used_ports, &server.excluded_ports);
        if let Err(error) = &ports {
            let excluded = error.to_string().contains("parse 'excluded_ports'");
            let key = if excluded {
                "server.excluded_ports"
            } else {
                "server.used_ports"
            };
            document.error(key, error.to_string());
        }
        server.check_tunnel_proxy(document);
        caddy.check(document);
        server.check_data_dir(document);
        server.check_keep_disconnected(document);
        let client_auth = server.check_client_auth(document, &database.db_type);
        let (users, code_delivery) = api.check(document, &server, &database.db_type);
        match &code_delivery {
            Some(CodeDelivery::Smtp) => smtp.check(document),
            Some(CodeDelivery::Pushover) => pushover.check(document),
            _ => {}
        }
        api.check_audit(document);
        caddy.check_port_clash(document, &api.address);
        database.check(document);
        server.check_handshakes(document);
        server.check_interval(document);
        server.check_limits(document);
        let proxy = server.check_proxy(document);
        plus.check(document);
        let sso = sso.check(document, &api, users.as_ref());
        metrics.check(document, &api.address);

        Some(Self {
            ports: ports.ok()?,
            client_auth: client_auth?,
            proxy,
            server,
            logging,
            api,
            database,
            smtp,
            pushover,
            monitoring,
            notifications,
            caddy,
            plus,
            sso,
            metrics,
            vault,
            users,
            code_delivery,
        })
    }
}
