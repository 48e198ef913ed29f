//! One administrator named in the configuration.

use std::sync::Arc;

use rport_domain::access::ADMINISTRATORS;
use rport_domain::{User, UserName};
use rport_runtime::Secret;

use super::{Lookup, UserProvider};
use crate::error::StartError;

pub(crate) struct Single {
    user: Arc<User>,
    stand_in: String,
}

impl Single {
    pub(crate) fn new(name: &str, password: Secret) -> Self {
        let user = User {
            name: UserName::new(name),
            password_hash: password.expose().to_owned(),
            groups: vec![ADMINISTRATORS.to_owned()],
            password_expired: false,
            two_fa_send_to: String::new(),
            totp_secret: String::new(),
        };
        Self {
            user: Arc::new(user),
            stand_in: rport_runtime::rng::alphanumeric(32),
        }
    }
}

impl UserProvider for Single {
    fn find<'a>(&'a self, name: &'a UserName) -> Lookup<'a> {
        let found = (*name == self.user.name).then(|| self.user.clone());
        Box::pin(async move { Ok(found) })
    }

    fn stand_in(&self) -> &str {
        &self.stand_in
    }

    fn reload(&self) -> Result<(), StartError> {
        Ok(())
    }

    fn source_name(&self) -> &'static str {
        "Static Credentials"
    }
}
