//! One administrator named in the configuration, and changed only there.

use std::sync::Arc;

use rport_domain::access::ADMINISTRATORS;
use rport_domain::{Error, User, UserChange, UserName};
use rport_runtime::Secret;

use super::provider::{Answer, UserProvider, single_only};

pub(crate) struct Single {
    user: Arc<User>,
    stand_in: String,
}

impl Single {
    pub(crate) fn new(name: &str, password: &Secret) -> Self {
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

fn refused<'a, T: Send + 'a>() -> Answer<'a, T> {
    Box::pin(async { Err::<T, Error>(single_only()) })
}

impl UserProvider for Single {
    fn find<'a>(&'a self, name: &'a UserName) -> Answer<'a, Option<Arc<User>>> {
        let found = (*name == self.user.name).then(|| self.user.clone());
        Box::pin(async move { Ok(found) })
    }

    fn list(&self) -> Answer<'_, Vec<Arc<User>>> {
        refused()
    }

    fn add(&self, _user: User) -> Answer<'_, ()> {
        refused()
    }

    fn change<'a>(&'a self, _name: &'a UserName, _change: UserChange) -> Answer<'a, ()> {
        refused()
    }

    fn delete<'a>(&'a self, _name: &'a UserName) -> Answer<'a, ()> {
        refused()
    }

    fn stand_in(&self) -> String {
        self.stand_in.clone()
    }

    fn source_name(&self) -> &'static str {
        "Static Credentials"
    }

    fn is_writable(&self) -> bool {
        false
    }

    fn no_groups_text(&self) -> &'static str {
        "The single user authentication doesn't support this feature."
    }
}
