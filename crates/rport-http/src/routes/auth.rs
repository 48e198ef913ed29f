//! How to log in, for programs that have to ask.

use axum::extract::State;
use rport_api_types::login::AuthProvider;

use crate::answer::Data;
use crate::routes::sso;
use crate::state::ApiState;

/// Tell how users log in.
#[utoipa::path(
    get, path = "/auth/provider", tag = "login", operation_id = "auth_provider", security(()),
    responses((status = 200, body = Data<AuthProvider>))
)]
pub(crate) async fn provider(State(state): State<ApiState>) -> Data<AuthProvider> {
    let hours = state.options().max_token_lifetime_hours;
    let data = match state.server().sso() {
        Some(single) => {
            AuthProvider::external(single.provider_name(), sso::SETTINGS, sso::DEVICE_SETTINGS, hours)
        }
        None => AuthProvider::built_in(hours),
    };
    Data { data }
}
