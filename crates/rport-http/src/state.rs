//! What every route can reach.

use std::sync::Arc;

use rport_server::{Login, Server};

use crate::options::ApiOptions;

/// Shared by all routes; cheap to clone.
#[derive(Clone)]
pub(crate) struct ApiState {
    server: Server,
    login: Login,
    options: Arc<ApiOptions>,
}

impl ApiState {
    pub(crate) fn new(server: Server, login: Login, options: Arc<ApiOptions>) -> Self {
        Self {
            server,
            login,
            options,
        }
    }

    /// The services.
    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    /// The service that knows users.
    pub(crate) fn login(&self) -> &Login {
        &self.login
    }

    /// The options of the API port.
    pub(crate) fn options(&self) -> &ApiOptions {
        &self.options
    }
}
