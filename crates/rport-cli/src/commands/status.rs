//! `status`: the server.

use serde_json::json;

use crate::{
    cli::Session,
    client::Query,
    failure::Result,
    output::{Column, Kind},
};

const COLUMNS: [Column; 24] = [
    Column::text("SERVER", "server"),
    Column::text("VERSION", "version"),
    Column::text("CONNECTED", "clients_connected"),
    Column::text("DISCONNECTED", "clients_disconnected"),
    Column::text("FINGERPRINT", "fingerprint"),
    Column::text("CONNECT URL", "connect_url"),
    Column::text("TUNNEL HOST", "tunnel_host"),
    Column::text("CLIENT AUTH", "clients_auth_source"),
    Column::text("CLIENT AUTH MODE", "clients_auth_mode"),
    Column::text("USERS", "users_auth_source"),
    Column::of("GROUP PERMISSIONS", "group_permissions_enabled", Kind::Flag),
    Column::of("SECOND FACTOR", "two_fa_enabled", Kind::Flag),
    Column::text("SECOND FACTOR BY", "two_fa_delivery_method"),
    Column::of("TUNNEL PROXY", "tunnel_proxy_enabled", Kind::Flag),
    Column::of("AUDIT LOG", "/auditlog/enabled", Kind::Flag),
    Column::text("PORTS", "used_ports"),
    Column::text("PORTS EXCLUDED", "excluded_ports"),
    Column::text("PAIRING URL", "pairing_url").wide(),
    Column::of("AUTH HEADER", "auth_header", Kind::Flag).wide(),
    Column::of("CADDY", "caddy_integration_enabled", Kind::Flag).wide(),
    Column::of("MONITORING", "monitoring_enabled", Kind::Flag).wide(),
    Column::text("AUDIT ROTATION", "/auditlog/rotation").wide(),
    Column::text("PASSWORD LENGTH", "password_min_length").wide(),
    Column::text("CONTEXT", "context").wide(),
];

/// Arguments of `status`.
#[derive(Debug, clap::Args)]
pub(crate) struct Status {}

impl Status {
    /// Shows it.
    ///
    /// # Errors
    /// Whatever the server or the way to it gives.
    pub(crate) async fn run(self, session: &Session) -> Result<()> {
        let api = session.api()?;
        let mut status = api.get("/status", &Query::new()).await?;
        if session.out.for_people()
            && let Some(about) = status.as_object_mut()
        {
            about.insert("server".to_owned(), json!(api.server().as_str()));
            about.insert("context".to_owned(), json!(session.settings.context));
        }
        session.out.record(&COLUMNS, &status)
    }
}
