//! What every route can reach.

use std::sync::Arc;

use rport_runtime::Tasks;
use rport_server::{Login, Server};

use crate::options::ApiOptions;

/// Shared by all routes; cheap to clone.
#[derive(Clone)]
pub(crate) struct ApiState {
    server: Server,
    login: Login,
    options: Arc<ApiOptions>,
    tasks: Tasks,
}

impl ApiState {
    pub(crate) fn new(server: Server, login: Login, options: Arc<ApiOptions>, tasks: Tasks) -> Self {
        Self {
            server,
            login,
            options,
            tasks,
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

    /// Where tasks are started that outlive their request.
    pub(crate) fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// The options of the API port.
    pub(crate) fn options(&self) -> &ApiOptions {
        &self.options
    }
}
