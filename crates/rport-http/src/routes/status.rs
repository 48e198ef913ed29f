//! Facts about the server.

use rport_api_types::status::{AuditLogStatus, Status};

use crate::answer::Data;
use crate::ctx::Ctx;
use crate::error::Failure;

/// Show the server's state.
///
/// Version, host key fingerprint, how agents connect, and which features are on.
#[utoipa::path(
    get, path = "/status", tag = "about", operation_id = "status",
    responses((status = 200, body = Data<Status>), (status = 401, body = Failure))
)]
pub(crate) async fn status(ctx: Ctx) -> Data<Status> {
    Data {
        data: shown(ctx.server().status(&ctx.actor)),
    }
}

/// Features of later releases are shown as off.
fn shown(status: rport_server::Status) -> Status {
    let about = &*status.about;
    Status {
        version: about.version.clone(),
        clients_connected: status.clients_connected,
        clients_disconnected: status.clients_disconnected,
        fingerprint: status.fingerprint,
        connect_url: about.connect_url.clone(),
        pairing_url: about.pairing_url.clone(),
        clients_auth_source: status.clients_auth_source.to_owned(),
        clients_auth_mode: status.clients_auth_mode.to_owned(),
        users_auth_source: status.users_auth_source.to_owned(),
        two_fa_enabled: !status.two_fa_delivery_method.is_empty(),
        two_fa_delivery_method: status.two_fa_delivery_method.to_owned(),
        group_permissions_enabled: status.group_permissions_enabled,
        auth_header: !about.auth_header.is_empty(),
        auditlog: AuditLogStatus {
            enabled: about.audit_log_enabled,
            rotation: about.audit_log_rotation.clone(),
        },
        tunnel_host: about.tunnel_host.clone(),
        tunnel_proxy_enabled: about.tunnel_proxy_enabled,
        monitoring_enabled: about.monitoring_enabled,
        used_ports: about.used_ports.clone(),
        excluded_ports: about.excluded_ports.clone(),
        password_min_length: about.password_min_length,
        ..Status::default()
    }
}
