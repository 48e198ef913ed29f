//! The text of an order: parameters are filled in when it is ordered, values of the vault on the way to the client.
//!
//! Records hold the text with `%%vault:KEY%%` in it and never the values.

use std::collections::{BTreeMap, HashMap};

use rport_domain::{ClientId, Error, JobOrder, Kind, UserName, fill_parameters};
use rport_runtime::Secret;

use super::audit::NOWHERE;
use super::check;
use super::hidden::Hidden;
use super::request::ParameterValue;
use super::vault_marks;
use crate::actor::Actor;
use crate::login::Login;
use crate::vault::Vault;

/// Puts the values of parameters into the text of an order.
///
/// # Errors
/// `Invalid`, naming parameters without value, values without parameter, and keys no value can have here.
pub(super) fn fill(text: &str, values: &BTreeMap<String, ParameterValue>) -> Result<String, Error> {
    let known = rport_domain::library_parameters(text);
    let strangers: Vec<&str> = values
        .keys()
        .map(String::as_str)
        .filter(|name| !known.iter().any(|parameter| parameter.name == *name))
        .collect();
    if !strangers.is_empty() {
        return Err(Error::invalid("Unknown parameters.").detail(strangers.join(", ")));
    }
    fill_parameters(text, |name| match values.get(name) {
        None => Ok(None),
        Some(ParameterValue::Text(text)) => Ok(Some(text.clone())),
        Some(ParameterValue::Vault(key)) => match vault_marks::place(key) {
            Some(place) => Ok(Some(place)),
            None => Err(Error::invalid("Invalid key of the vault.").detail(format!(
                "the key for {name} is empty, or has %% or a line break in it"
            ))),
        },
    })
}

/// Why a text cannot be sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unprepared {
    /// It may be possible later; the job keeps waiting.
    Later(String),
    /// It never will; the job has failed.
    Never(String),
}

/// Puts values of the vault into texts, for those who may use them.
pub(super) struct Texts {
    vault: Vault,
    login: Option<Login>,
}

impl Texts {
    /// `login` knows the users as whom jobs are started; without it nobody uses the vault.
    pub(super) fn new(vault: Vault, login: Option<Login>) -> Self {
        Self { vault, login }
    }

    /// Checks that whoever orders a text may use the values of the vault it names, for all of the clients.
    ///
    /// # Errors
    /// `Forbidden`; `Conflict` when the vault is locked; `NotFound` when there is no such value.
    pub(super) async fn check(&self, actor: &Actor, text: &str, clients: &[ClientId]) -> Result<(), Error> {
        let keys = vault_marks::keys(text);
        if keys.is_empty() {
            return Ok(());
        }
        self.vault.check_use(actor, &keys, clients).await
    }

    /// Makes the text that goes to the client, with the rights that who ordered it has at this moment, and what must
    /// not be seen in its output.
    ///
    /// # Errors
    /// Whether it is worth trying again.
    pub(super) async fn prepare(
        &self,
        created_by: &UserName,
        client: &ClientId,
        order: &JobOrder,
    ) -> Result<(String, Hidden), Unprepared> {
        let keys = vault_marks::keys(&order.command);
        if keys.is_empty() {
            return Ok((order.command.clone(), Hidden::Nothing));
        }
        let never = |text: &str| Unprepared::Never(text.to_owned());
        let login = self
            .login
            .as_ref()
            .ok_or_else(|| never("without the API there are no users whose rights count"))?;
        let actor = login
            .on_behalf_of(created_by, NOWHERE)
            .await
            .map_err(unprepared)?;
        let actor = actor.ok_or_else(|| never(&format!("there is no user \"{created_by}\" any more")))?;
        let mut values: HashMap<&str, Secret> = HashMap::new();
        for key in keys {
            let value = self
                .vault
                .resolve(&actor, key, client)
                .await
                .map_err(unprepared)?;
            values.insert(key, value);
        }
        let value = |key: &str| values.get(key).map(Secret::expose).unwrap_or_default();
        let command = vault_marks::fill(&order.command, value);
        let filled = JobOrder {
            command,
            ..order.clone()
        };
        check::size(&filled).map_err(|error| Unprepared::Never(error.to_string()))?;
        Ok((filled.command, Hidden::new(values.into_values())))
    }

    /// What must not be seen in the output of a job that an earlier run of the server started.
    ///
    /// # Errors
    /// When that cannot be known at present, such as when the vault is locked.
    pub(super) async fn hidden(&self, client: &ClientId, text: &str) -> Result<Hidden, Error> {
        let keys = vault_marks::keys(text);
        let mut values = Vec::new();
        for key in &keys {
            match self.vault.to_hide(key, client).await? {
                Some(value) => values.push(value),
                // It was deleted meanwhile, and may stand anywhere.
                None => return Ok(Hidden::Unknown),
            }
        }
        Ok(Hidden::new(values))
    }
}

fn unprepared(error: Error) -> Unprepared {
    let text = error.to_string();
    match error.kind {
        Kind::Invalid | Kind::Forbidden | Kind::NotFound => Unprepared::Never(text),
        _ => Unprepared::Later(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_filled_in_and_strangers_named() {
        let values = BTreeMap::from([
            ("HOST".to_owned(), ParameterValue::Text("db1".to_owned())),
            ("PASS".to_owned(), ParameterValue::Vault("root".to_owned())),
        ]);
        let text = fill("login %%HOST%% %%PASS%% %%PORT=22%%", &values).expect("filled");
        assert_eq!(text, "login db1 %%vault:root%% 22");
        let bad = BTreeMap::from([("PASS".to_owned(), ParameterValue::Vault("a%%b".to_owned()))]);
        let error = fill("%%PASS%%", &bad).expect_err("no key");
        assert!(error.to_string().contains("the key for PASS is empty"), "{error}");
        let error = fill("ping %%HOST%%", &values).expect_err("PASS is not in it");
        assert_eq!(error.to_string(), "Unknown parameters.: PASS");
        let error = fill("%%HOST%% %%PASS%% %%USER%%", &values).expect_err("USER is missing");
        assert_eq!(error.to_string(), "Missing parameters.: USER");
    }
}
