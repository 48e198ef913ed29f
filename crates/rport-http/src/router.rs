//! All routes, and the layers around them.

use std::sync::LazyLock;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use rport_runtime::Tasks;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::compat::{self, API_BASE};
use crate::layers::request_log::Logs;
use crate::layers::{
    ban, clean_path, compression, cors, detached, panic_guard, request_log, security_headers,
};
use crate::routes::metrics::MetricsPage;
use crate::routes::{
    api_tokens, attributes, auditlog, auth, client_commands, client_groups, clients, clients_auth, commands,
    docs, library, login, me, metrics, openapi, plus, schedules, scripts, second_factor, sessions, sso,
    status, stored_tunnels, tunnels, user_groups, users, vault,
};
use crate::state::ApiState;
use crate::static_files::StaticFiles;
use crate::ui;
use crate::ws;

/// What the document says besides its routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "RPort API",
        description = "Remote management of machines behind firewalls. Answers are JSON in an envelope: \
                       `{\"data\": …}`, failures `{\"errors\": [{\"code\", \"title\", \"detail\"}]}`.",
    ),
    modifiers(&Logins),
    security(("basic" = []), ("bearer" = [])),
    tags(
        (name = "about", description = "The server itself."),
        (name = "login", description = "Proving who you are."),
        (name = "me", description = "The user behind the request."),
        (name = "users", description = "Who may log in."),
        (name = "events", description = "What happens, as it happens."),
        (name = "clients", description = "The managed machines."),
        (name = "client-groups", description = "Clients chosen by what they are."),
        (name = "stored-tunnels", description = "Saved tunnel definitions."),
        (name = "clients-auth", description = "What agents log in with."),
        (name = "auditlog", description = "Who did what."),
        (name = "jobs", description = "Commands and scripts that clients run."),
        (name = "library", description = "Commands and scripts that are kept for later."),
        (name = "vault", description = "Values that are kept encrypted."),
        (name = "schedules", description = "Orders that are made again and again."),
        (name = "tunnels", description = "Ports of the server that lead to a client."),
    ),
)]
struct Document;

/// The two ways to authenticate.
struct Logins;

impl Modify for Logins {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let basic = SecurityScheme::Http(Http::new(HttpAuthScheme::Basic));
        components.add_security_scheme("basic", basic);
        components.add_security_scheme("bearer", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    }
}

/// Every documented route. There is no other way to add one, so none is undocumented.
fn api() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(login::login, login::login_with_body))
        .routes(routes!(login::logout))
        .routes(routes!(auth::provider))
        .routes(routes!(sso::settings))
        .routes(routes!(sso::device_settings))
        .routes(routes!(sso::login))
        .routes(routes!(sso::device_login))
        .routes(routes!(openapi::document))
        .routes(routes!(status::status))
        .routes(routes!(me::me, me::change))
        .routes(routes!(me::ip))
        .routes(routes!(ws::events::events))
        .routes(routes!(second_factor::verify))
        .routes(routes!(
            second_factor::get_secret,
            second_factor::add_secret,
            second_factor::delete_secret
        ))
        .routes(routes!(second_factor::codes_left, second_factor::renew_codes))
        .routes(routes!(second_factor::reset_secret))
        .routes(routes!(sessions::list_own))
        .routes(routes!(sessions::end_own))
        .routes(routes!(sessions::refresh))
        .routes(routes!(api_tokens::list, api_tokens::add))
        .routes(routes!(api_tokens::change, api_tokens::delete))
        .routes(routes!(api_tokens::old_get, api_tokens::old_add))
        .routes(routes!(api_tokens::old_change, api_tokens::old_delete))
        .routes(routes!(users::list, users::add))
        .routes(routes!(users::change, users::delete))
        .routes(routes!(user_groups::list))
        .routes(routes!(user_groups::get, user_groups::set, user_groups::delete))
        .routes(routes!(sessions::list, sessions::end_all))
        .routes(routes!(sessions::end))
        .routes(routes!(api_tokens::list_of_user))
        .routes(routes!(api_tokens::delete_of_user))
        .routes(routes!(clients::list))
        .routes(routes!(clients::get, clients::delete))
        .routes(routes!(clients::set_acl))
        .routes(routes!(attributes::get, attributes::set))
        .routes(routes!(attributes::tags))
        .routes(routes!(stored_tunnels::list, stored_tunnels::add))
        .routes(routes!(
            stored_tunnels::get,
            stored_tunnels::put,
            stored_tunnels::delete
        ))
        .routes(routes!(client_groups::list, client_groups::add))
        .routes(routes!(
            client_groups::get,
            client_groups::put,
            client_groups::delete
        ))
        .routes(routes!(clients_auth::bind))
        .routes(routes!(clients_auth::list, clients_auth::add))
        .routes(routes!(
            clients_auth::get,
            clients_auth::change,
            clients_auth::delete
        ))
        .routes(routes!(library::list_commands, library::add_command))
        .routes(routes!(
            library::get_command,
            library::change_command,
            library::delete_command
        ))
        .routes(routes!(library::list_scripts, library::add_script))
        .routes(routes!(
            library::get_script,
            library::change_script,
            library::delete_script
        ))
        .routes(routes!(vault::status))
        .routes(routes!(vault::init))
        .routes(routes!(vault::unlock, vault::lock))
        .routes(routes!(vault::list, vault::add))
        .routes(routes!(vault::get, vault::change, vault::delete))
        .routes(routes!(schedules::list, schedules::add))
        .routes(routes!(schedules::get, schedules::change, schedules::delete))
        .routes(routes!(schedules::executions))
        .routes(routes!(schedules::run))
        .routes(routes!(client_commands::list, client_commands::run))
        .routes(routes!(client_commands::get))
        .routes(routes!(client_commands::cancel))
        .routes(routes!(scripts::run_on_client))
        .routes(routes!(commands::list, commands::run))
        .routes(routes!(commands::get))
        .routes(routes!(commands::list_jobs))
        .routes(routes!(commands::cancel))
        .routes(routes!(scripts::run))
        .routes(routes!(ws::jobs::commands))
        .routes(routes!(ws::jobs::scripts))
        .routes(routes!(ws::jobs::job))
        .routes(routes!(tunnels::open))
        .routes(routes!(tunnels::close))
        .routes(routes!(tunnels::set_acl))
        .routes(routes!(tunnels::list))
        .routes(routes!(plus::status))
        .routes(routes!(auditlog::list))
        .routes(routes!(auditlog::export))
}

fn documented() -> OpenApiRouter<ApiState> {
    OpenApiRouter::with_openapi(Document::openapi()).nest(API_BASE, api())
}

/// The OpenAPI document, as served and as committed in `openapi.json`.
#[must_use]
pub fn openapi_json() -> &'static str {
    static JSON: LazyLock<String> = LazyLock::new(|| {
        let document = documented().into_openapi();
        document
            .to_pretty_json()
            .expect("the document is made of strings and maps")
    });
    &JSON
}

/// Puts routes and layers together.
pub(crate) fn build(state: ApiState, logs: Logs, tasks: &Tasks) -> Router {
    let options = state.options();
    let cors = cors::layer(&options.cors);
    let files = options.doc_root.as_deref().map(StaticFiles::new);
    let metrics_page = options.metrics.clone().map(|handle| MetricsPage {
        handle,
        tasks: tasks.clone(),
    });

    // The last layer added sees a request first.
    let (router, _) = documented().split_for_parts();
    let router = router
        .merge(docs::router())
        .layer(from_fn_with_state(tasks.clone(), detached::detach_mutations))
        .layer(from_fn_with_state(state.clone(), ban::refuse_banned))
        .method_not_allowed_fallback(|| async { compat::not_found() });
    let mut router = router.with_state(state);
    if let Some(page) = metrics_page {
        router = router.route("/metrics", get(metrics::page).with_state(page));
    }
    let router = match files {
        Some(files) => router.fallback(move |request: Request| files.clone().serve(request)),
        None => router.fallback(ui::serve),
    };
    let mut router = router
        .layer(from_fn(security_headers::add))
        .layer(panic_guard::layer())
        .layer(compression::layer());
    if let Some(cors) = cors {
        router = router.layer(cors);
    }
    // A router of its own for what must see the request before its route is chosen, and the answer after the inner
    // router has finished it.
    Router::new()
        .fallback_service(router)
        .layer(from_fn(clean_path::clean_path))
        .layer(from_fn_with_state(logs, request_log::log))
}
