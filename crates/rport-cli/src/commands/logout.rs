//! `logout`: ends a login.

use crate::{
    cli::Session,
    client::{Api, Credential, Query},
    failure::{Exit, Failure, Result},
    output::note,
};

/// Arguments of `logout`.
#[derive(Debug, clap::Args)]
pub(crate) struct Logout {}

impl Logout {
    /// Ends the login at the server and forgets the token here.
    ///
    /// # Errors
    /// When there is no login, or the server cannot be told. The token is forgotten in any case but the former.
    pub(crate) async fn run(self, session: &Session) -> Result<()> {
        let mut file = session.settings.file.clone();
        let name = session.settings.context.clone();
        let context = name.as_ref().and_then(|name| file.contexts.get_mut(name));
        let token = match context {
            // What is kept here goes, whatever the environment says.
            Some(context) => {
                context.api_token = None;
                context.token_command = Vec::new();
                context.session.take()
            }
            None => match session.settings.credential()? {
                Credential::Session(token) => Some(token),
                _ => None,
            },
        };
        if name.is_some() {
            file.save()?;
        }
        let Some(token) = token else {
            if name.is_none() {
                return Err(Failure::new(Exit::Forbidden, "there is no login to end")
                    .hint("an API token ends with: rportcli tokens delete"));
            }
            return session
                .out
                .done("Forgot the API token. It still works elsewhere until it is deleted.");
        };
        let api = Api::new(session.settings.reach()?, Credential::Session(token))?;
        match api.delete("/logout", &Query::new()).await {
            Ok(_) => session.out.done("Logged out."),
            // The server forgot the login before we did.
            Err(failure) if failure.exit() != Exit::Unreachable => {
                note(&format!("the login had ended already: {}", failure.what()));
                session.out.done("Logged out.")
            }
            Err(failure) => Err(failure.hint("the token is forgotten here, but works until it expires")),
        }
    }
}
