//! The text of an order: parameters are filled in when it is ordered, values of the vault on the way to the client.
//!
//! Records hold the text with `%%vault:KEY%%` in it and never the values.

use std::collections::BTreeMap;
use std::sync::Arc;

use rport_domain::{ClientId, Error, JobOrder, UserName, fill_parameters};
use rport_protocol::JobResult;
use rport_runtime::Secret;

use super::request::ParameterValue;
use crate::actor::Actor;

/// Begins the place of a value from the vault; `%%` ends it.
const VAULT_MARK: &str = "%%vault:";

/// Puts the values of parameters into the text of an order.
///
/// # Errors
/// `Invalid`, naming parameters without value and values without parameter.
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
    fill_parameters(text, |name| {
        Ok(values.get(name).map(|value| match value {
            ParameterValue::Text(text) => text.clone(),
            ParameterValue::Vault(key) => format!("{VAULT_MARK}{key}%%"),
        }))
    })
}

/// Checks that whoever orders a text may use the values of the vault it names, for all of the clients.
///
/// # Errors
/// `Invalid` as long as there is no vault.
pub(super) async fn check(_actor: &Actor, text: &str, _clients: &[ClientId]) -> Result<(), Error> {
    if text.contains(VAULT_MARK) {
        return Err(Error::invalid("The vault cannot be used in jobs yet."));
    }
    Ok(())
}

/// Why a text cannot be sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unprepared {
    /// It may be possible later; the job keeps waiting.
    #[expect(dead_code, reason = "a vault that is locked")]
    Later(String),
    /// It never will; the job has failed.
    Never(String),
}

/// Makes the text that goes to the client, and what must not be seen in its output.
pub(super) async fn prepare_text(
    _created_by: &UserName,
    _client: &ClientId,
    order: &JobOrder,
) -> Result<(String, Hidden), Unprepared> {
    if order.command.contains(VAULT_MARK) {
        return Err(Unprepared::Never(
            "the vault cannot be used in jobs yet".to_owned(),
        ));
    }
    Ok((order.command.clone(), Hidden::default()))
}

/// Values that must not be seen in the output of a job.
#[derive(Debug, Clone, Default)]
pub(super) struct Hidden(Arc<[Secret]>);

impl Hidden {
    /// Replaces the values in a piece of live output.
    pub(super) fn redact(&self, mut text: String) -> String {
        for value in self.0.iter().map(Secret::expose) {
            if text.contains(value) {
                text = text.replace(value, "***");
            }
        }
        text
    }

    /// Replaces the values in a result.
    pub(super) fn redact_result(&self, result: JobResult) -> JobResult {
        JobResult {
            stdout: self.redact(result.stdout),
            stderr: self.redact(result.stderr),
            summary: self.redact(result.summary),
        }
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
        let error = fill("ping %%HOST%%", &values).expect_err("PASS is not in it");
        assert_eq!(error.to_string(), "Unknown parameters.: PASS");
        let error = fill("%%HOST%% %%PASS%% %%USER%%", &values).expect_err("USER is missing");
        assert_eq!(error.to_string(), "Missing parameters.: USER");
    }
}
