//! Who may call what: one row per operation of the OpenAPI document, walked as three callers.

use reqwest::Method;
use serde_json::Value;

use crate::rig::{ADMIN, OPS, Rig, sent};

/// What each caller gets, as status codes.
struct Row {
    operation: &'static str,
    method: Method,
    path: &'static str,
    /// Without credentials.
    anonymous: u16,
    /// As a user who may not access the client in the path, or for whom the operation is not meant.
    foreign: u16,
    /// As an administrator.
    admin: u16,
}

const fn row(
    operation: &'static str,
    method: Method,
    path: &'static str,
    anonymous: u16,
    foreign: u16,
    admin: u16,
) -> Row {
    Row {
        operation,
        method,
        path,
        anonymous,
        foreign,
        admin,
    }
}

/// The table. A new operation without a row fails the test below.
///
/// The permission `tunnels` and its like can be missing only with groups in a database, which this version does not
/// have; the rule itself is tested at `rport_server::Actor`.
const ROWS: &[Row] = &[
    row("login", Method::GET, "/login", 401, 200, 200),
    row("login_with_body", Method::POST, "/login", 400, 400, 400),
    row("logout", Method::DELETE, "/logout", 400, 400, 400),
    row("auth_provider", Method::GET, "/auth/provider", 200, 200, 200),
    row("sso_settings", Method::GET, "/auth/ext/settings", 403, 403, 403),
    row(
        "sso_device_settings",
        Method::GET,
        "/auth/ext/settings/device",
        403,
        403,
        403,
    ),
    row("sso_login", Method::GET, "/oauth/login", 403, 403, 403),
    row(
        "sso_device_login",
        Method::GET,
        "/oauth/login/device",
        403,
        403,
        403,
    ),
    row("openapi", Method::GET, "/openapi.json", 200, 200, 200),
    row("list_audit_entries", Method::GET, "/auditlog", 401, 200, 200),
    row(
        "export_audit_entries",
        Method::GET,
        "/auditlog/export",
        401,
        200,
        200,
    ),
    row("plus_status", Method::GET, "/plus/status", 200, 200, 200),
    row("status", Method::GET, "/status", 401, 200, 200),
    row("me", Method::GET, "/me", 401, 200, 200),
    row("me_ip", Method::GET, "/me/ip", 401, 200, 200),
    // Nothing here asks for a WebSocket.
    row("ws_events", Method::GET, "/ws/events", 401, 400, 400),
    row("ws_commands", Method::GET, "/ws/commands", 401, 400, 400),
    row("ws_scripts", Method::GET, "/ws/scripts", 401, 400, 400),
    // Neither a password nor an administrator's opens the second step.
    row("verify_second_factor", Method::POST, "/verify-2fa", 401, 401, 401),
    // Nobody is asked for a second factor here.
    row("get_totp_secret", Method::GET, "/me/totp-secret", 401, 400, 400),
    row("add_totp_secret", Method::POST, "/me/totp-secret", 401, 400, 400),
    row(
        "delete_totp_secret",
        Method::DELETE,
        "/me/totp-secret",
        401,
        400,
        400,
    ),
    row(
        "get_recovery_codes",
        Method::GET,
        "/me/recovery-codes",
        401,
        200,
        200,
    ),
    row(
        "renew_recovery_codes",
        Method::POST,
        "/me/recovery-codes",
        401,
        409,
        409,
    ),
    row(
        "reset_totp_secret",
        Method::DELETE,
        "/users/olga/totp-secret",
        401,
        403,
        400,
    ),
    row("list_own_sessions", Method::GET, "/me/sessions", 401, 200, 200),
    row("end_own_session", Method::DELETE, "/me/sessions/1", 401, 404, 404),
    row(
        "refresh_session",
        Method::POST,
        "/me/session/refresh",
        401,
        400,
        400,
    ),
    row("list_api_tokens", Method::GET, "/me/tokens", 401, 200, 200),
    row("add_api_token", Method::POST, "/me/tokens", 401, 200, 200),
    row(
        "change_api_token",
        Method::PUT,
        "/me/tokens/abcd1234",
        401,
        404,
        404,
    ),
    row(
        "delete_api_token",
        Method::DELETE,
        "/me/tokens/abcd1234",
        401,
        404,
        404,
    ),
    row("old_api_token", Method::GET, "/me/token", 401, 410, 410),
    row("old_add_api_token", Method::POST, "/me/token", 401, 410, 410),
    row(
        "old_change_api_token",
        Method::PUT,
        "/me/token/abcd1234",
        401,
        410,
        410,
    ),
    row(
        "old_delete_api_token",
        Method::DELETE,
        "/me/token/abcd1234",
        401,
        410,
        410,
    ),
    row("change_me", Method::PUT, "/me", 401, 400, 400),
    row("list_users", Method::GET, "/users", 401, 403, 200),
    row("add_user", Method::POST, "/users", 401, 403, 400),
    row("change_user", Method::PUT, "/users/olga", 401, 403, 400),
    row("delete_user", Method::DELETE, "/users/nobody", 401, 403, 404),
    // Users of a file have groups, but groups have nothing of their own.
    row("list_user_groups", Method::GET, "/user-groups", 401, 403, 400),
    row("get_user_group", Method::GET, "/user-groups/ops", 401, 403, 400),
    row("set_user_group", Method::PUT, "/user-groups/ops", 401, 403, 400),
    row(
        "delete_user_group",
        Method::DELETE,
        "/user-groups/ops",
        401,
        403,
        400,
    ),
    row(
        "list_sessions",
        Method::GET,
        "/users/olga/sessions",
        401,
        403,
        200,
    ),
    row(
        "end_sessions",
        Method::DELETE,
        "/users/olga/sessions",
        401,
        403,
        204,
    ),
    row(
        "end_session",
        Method::DELETE,
        "/users/olga/sessions/1",
        401,
        403,
        204,
    ),
    row(
        "list_api_tokens_of_user",
        Method::GET,
        "/users/olga/tokens",
        401,
        403,
        200,
    ),
    row(
        "delete_api_token_of_user",
        Method::DELETE,
        "/users/olga/tokens/abcd1234",
        401,
        403,
        404,
    ),
    row("list_clients", Method::GET, "/clients", 401, 200, 200),
    row("get_client", Method::GET, "/clients/shut", 401, 403, 200),
    row("delete_client", Method::DELETE, "/clients/shut", 401, 403, 204),
    row(
        "bind_client_auth",
        Method::PUT,
        "/clients/shut/client-auth",
        401,
        403,
        204,
    ),
    row("set_client_acl", Method::POST, "/clients/shut/acl", 401, 403, 204),
    row(
        "get_client_attributes",
        Method::GET,
        "/clients/shut/attributes",
        401,
        403,
        404,
    ),
    row(
        "set_client_attributes",
        Method::PUT,
        "/clients/shut/attributes",
        401,
        403,
        404,
    ),
    row("list_client_tags", Method::GET, "/client-tags", 401, 200, 200),
    row(
        "list_stored_tunnels",
        Method::GET,
        "/clients/shut/stored-tunnels",
        401,
        403,
        200,
    ),
    row(
        "add_stored_tunnel",
        Method::POST,
        "/clients/shut/stored-tunnels",
        401,
        403,
        200,
    ),
    row(
        "get_stored_tunnel",
        Method::GET,
        "/clients/shut/stored-tunnels/x",
        401,
        403,
        404,
    ),
    row(
        "put_stored_tunnel",
        Method::PUT,
        "/clients/shut/stored-tunnels/x",
        401,
        403,
        404,
    ),
    row(
        "delete_stored_tunnel",
        Method::DELETE,
        "/clients/shut/stored-tunnels/x",
        401,
        403,
        204,
    ),
    row("list_client_groups", Method::GET, "/client-groups", 401, 200, 200),
    row("add_client_group", Method::POST, "/client-groups", 401, 403, 201),
    // Every user may look at a group, but sees only clients that are open to him.
    row("get_client_group", Method::GET, "/client-groups/g", 401, 404, 404),
    row("put_client_group", Method::PUT, "/client-groups/g", 401, 403, 204),
    row(
        "delete_client_group",
        Method::DELETE,
        "/client-groups/g",
        401,
        403,
        204,
    ),
    row("list_client_auths", Method::GET, "/clients-auth", 401, 403, 200),
    // There is a single pair, which can be read and not be changed.
    row(
        "get_client_auth",
        Method::GET,
        "/clients-auth/agent",
        401,
        403,
        200,
    ),
    row("add_client_auth", Method::POST, "/clients-auth", 401, 403, 405),
    row(
        "change_client_auth",
        Method::PUT,
        "/clients-auth/agent",
        401,
        403,
        405,
    ),
    row(
        "delete_client_auth",
        Method::DELETE,
        "/clients-auth/agent",
        401,
        403,
        405,
    ),
    row(
        "list_library_commands",
        Method::GET,
        "/library/commands",
        401,
        200,
        200,
    ),
    row(
        "add_library_command",
        Method::POST,
        "/library/commands",
        401,
        201,
        409,
    ),
    row(
        "get_library_command",
        Method::GET,
        "/library/commands/none",
        401,
        404,
        404,
    ),
    row(
        "change_library_command",
        Method::PUT,
        "/library/commands/none",
        401,
        404,
        404,
    ),
    row(
        "delete_library_command",
        Method::DELETE,
        "/library/commands/none",
        401,
        404,
        404,
    ),
    row(
        "list_library_scripts",
        Method::GET,
        "/library/scripts",
        401,
        200,
        200,
    ),
    row(
        "add_library_script",
        Method::POST,
        "/library/scripts",
        401,
        201,
        409,
    ),
    row(
        "get_library_script",
        Method::GET,
        "/library/scripts/none",
        401,
        404,
        404,
    ),
    row(
        "change_library_script",
        Method::PUT,
        "/library/scripts/none",
        401,
        404,
        404,
    ),
    row(
        "delete_library_script",
        Method::DELETE,
        "/library/scripts/none",
        401,
        404,
        404,
    ),
    row("get_vault_status", Method::GET, "/vault-admin", 401, 200, 200),
    row("init_vault", Method::POST, "/vault-admin/init", 401, 403, 201),
    row("unlock_vault", Method::POST, "/vault-admin/sesame", 401, 403, 409),
    row("lock_vault", Method::DELETE, "/vault-admin/sesame", 401, 403, 409),
    // There is no vault, which counts as locked.
    row("list_vault_values", Method::GET, "/vault", 401, 409, 409),
    row("add_vault_value", Method::POST, "/vault", 401, 409, 409),
    row("get_vault_value", Method::GET, "/vault/1", 401, 409, 409),
    row("change_vault_value", Method::PUT, "/vault/1", 401, 409, 409),
    row("delete_vault_value", Method::DELETE, "/vault/1", 401, 409, 409),
    row("list_schedules", Method::GET, "/schedules", 401, 200, 200),
    row("add_schedule", Method::POST, "/schedules", 401, 403, 201),
    row("get_schedule", Method::GET, "/schedules/none", 401, 404, 404),
    row("change_schedule", Method::PUT, "/schedules/none", 401, 404, 404),
    row(
        "delete_schedule",
        Method::DELETE,
        "/schedules/none",
        401,
        404,
        404,
    ),
    row(
        "list_schedule_executions",
        Method::GET,
        "/schedules/none/executions",
        401,
        404,
        404,
    ),
    row("run_schedule", Method::POST, "/schedules/none/run", 401, 404, 404),
    row(
        "run_client_command",
        Method::POST,
        "/clients/shut/commands",
        401,
        403,
        404,
    ),
    row(
        "list_client_jobs",
        Method::GET,
        "/clients/shut/commands",
        401,
        403,
        200,
    ),
    row(
        "get_client_job",
        Method::GET,
        "/clients/shut/commands/none",
        401,
        403,
        404,
    ),
    row(
        "cancel_client_job",
        Method::POST,
        "/clients/shut/commands/none/cancel",
        401,
        403,
        404,
    ),
    row(
        "run_client_script",
        Method::POST,
        "/clients/shut/scripts",
        401,
        403,
        404,
    ),
    row("run_command", Method::POST, "/commands", 401, 403, 200),
    row("run_script", Method::POST, "/scripts", 401, 403, 200),
    row("list_multi_jobs", Method::GET, "/commands", 401, 200, 200),
    row("get_multi_job", Method::GET, "/commands/none", 401, 404, 404),
    row(
        "list_jobs_of_multi_job",
        Method::GET,
        "/commands/none/jobs",
        401,
        404,
        404,
    ),
    row(
        "cancel_multi_job",
        Method::POST,
        "/commands/none/cancel",
        401,
        404,
        404,
    ),
    row("ws_job", Method::GET, "/ws/jobs/none", 401, 404, 404),
    row(
        "open_tunnel",
        Method::PUT,
        "/clients/shut/tunnels?remote=22",
        401,
        403,
        404,
    ),
    row(
        "close_tunnel",
        Method::DELETE,
        "/clients/shut/tunnels/1",
        401,
        403,
        404,
    ),
    row(
        "set_tunnel_acl",
        Method::PUT,
        "/clients/shut/tunnels/1/acl",
        401,
        403,
        404,
    ),
    row("list_tunnels", Method::GET, "/tunnels", 401, 200, 200),
];

fn documented() -> Vec<String> {
    let document: Value = serde_json::from_str(rport_http::openapi_json()).expect("JSON");
    let paths = document["paths"].as_object().expect("paths").values();
    let operations = paths.flat_map(|path| path.as_object().expect("operations").values());
    let ids = operations.map(|operation| {
        operation["operationId"]
            .as_str()
            .expect("every operation has an id")
    });
    ids.map(str::to_owned).collect()
}

#[test]
fn every_operation_has_a_row() {
    let mut documented = documented();
    documented.sort_unstable();
    let mut rows: Vec<&str> = ROWS.iter().map(|row| row.operation).collect();
    rows.sort_unstable();
    assert_eq!(
        documented, rows,
        "each operation of the OpenAPI document needs a row in ROWS, and no other"
    );
}

#[tokio::test]
async fn callers_get_what_they_may() {
    // Deleting succeeds for the administrator, so it needs a server of its own: one server per row.
    for row in ROWS {
        let rig = Rig::new().await;
        let status = async |request: reqwest::RequestBuilder| {
            let body = match row.operation {
                "set_tunnel_acl" => r#"{"acl":"127.0.0.1"}"#,
                "add_api_token" => r#"{"scope":"read","name":"one"}"#,
                "change_api_token" => r#"{"name":"one"}"#,
                "set_client_acl" => r#"{"allowed_user_groups":["ops"]}"#,
                "set_client_attributes" => r#"{"tags":["a"]}"#,
                "add_stored_tunnel" | "put_stored_tunnel" => r#"{"name":"ssh","remote_port":22}"#,
                "add_client_group" | "put_client_group" => r#"{"id":"g","params":{}}"#,
                "bind_client_auth" => r#"{"client_auth_id":"agent"}"#,
                "add_library_command" | "change_library_command" => r#"{"name":"n","cmd":"c"}"#,
                "add_library_script" | "change_library_script" => r#"{"name":"n","script":"s"}"#,
                "init_vault" | "unlock_vault" => r#"{"password":"geheim"}"#,
                "add_vault_value" | "change_vault_value" => r#"{"key":"k","value":"v","type":"text"}"#,
                "add_schedule" | "change_schedule" => {
                    r#"{"schedule":"@daily","type":"command","command":"id","client_ids":["open","shut"]}"#
                }
                "run_client_command" => r#"{"command":"id"}"#,
                "run_client_script" => r#"{"script":"aWQ="}"#,
                "run_command" => r#"{"client_ids":["shut"],"command":"id"}"#,
                "run_script" => r#"{"client_ids":["shut"],"script":"aWQ="}"#,
                _ => "",
            };
            sent(request.body(body)).await.status().as_u16()
        };
        let name = row.operation;
        let anonymous = status(rig.anonymous(row.method.clone(), row.path)).await;
        assert_eq!(anonymous, row.anonymous, "{name} without credentials");
        let wrong = status(rig.as_user(("admin", "wrong"), row.method.clone(), row.path)).await;
        assert_eq!(wrong, row.anonymous, "{name} with a wrong password");
        let foreign = status(rig.as_user(OPS, row.method.clone(), row.path)).await;
        assert_eq!(foreign, row.foreign, "{name} as a user without access");
        let admin = status(rig.as_user(ADMIN, row.method.clone(), row.path)).await;
        assert_eq!(admin, row.admin, "{name} as an administrator");
    }
}

#[tokio::test]
async fn lists_show_only_what_the_caller_may_access() {
    let rig = Rig::new().await;
    for (user, expected) in [(ADMIN, 3), (OPS, 1)] {
        let (status, body) = crate::rig::answer(rig.as_user(user, Method::GET, "/clients")).await;
        assert_eq!(status, 200);
        assert_eq!(
            body["data"].as_array().map(Vec::len),
            Some(expected),
            "{}",
            user.0
        );
        assert_eq!(body["meta"]["count"], expected);
    }
}
