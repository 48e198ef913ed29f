//! One pair for all agents.

use rport_domain::StoredPassword;
use rport_runtime::Secret;

use super::provider::{Answer, Change, Pair, Provider, ProviderError};

pub(crate) struct Single {
    id: String,
    password: StoredPassword,
}

impl Single {
    pub(crate) fn new(id: &str, password: &Secret) -> Self {
        Self {
            id: id.to_owned(),
            password: StoredPassword::new(password.expose()),
        }
    }
}

impl Provider for Single {
    fn lookup<'a>(&'a self, id: &'a str) -> Answer<'a, Option<StoredPassword>> {
        let found = (id == self.id).then(|| self.password.clone());
        Box::pin(async move { Ok(found) })
    }

    fn list(&self) -> Answer<'_, Vec<Pair>> {
        Box::pin(async move { Ok(vec![(self.id.as_str().into(), self.password.clone())]) })
    }

    fn change(&self, _changes: Vec<Change>) -> Answer<'_, ()> {
        Box::pin(async move { Err(ProviderError::ReadOnly) })
    }

    fn example_hash(&self) -> Option<StoredPassword> {
        Some(self.password.clone()).filter(StoredPassword::is_hashed)
    }

    fn source_name(&self) -> &'static str {
        "Static Credentials"
    }

    fn is_writable(&self) -> bool {
        false
    }
}
