//! `context`: servers and users to switch between.

use serde_json::{Value, json};

use crate::{
    cli::Session,
    context::Context,
    failure::Result,
    output::{Column, Kind},
};

const COLUMNS: [Column; 7] = [
    Column::of("CURRENT", "current", Kind::Flag),
    Column::text("NAME", "name"),
    Column::text("SERVER", "server"),
    Column::text("USER", "user"),
    Column::text("LOGIN", "login"),
    Column::text("CA FILE", "ca_file").wide(),
    Column::of("INSECURE", "insecure", Kind::Flag),
];

/// What can be done with contexts.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List contexts
    List,
    /// Use a context from now on
    Use {
        /// Its name
        name: String,
    },
    /// Show a context, the current one if none is named; never its secrets
    Show {
        /// Its name
        name: Option<String>,
    },
    /// Forget a context with its tokens; logins stay valid unless ended with logout
    Delete {
        /// Its name
        name: String,
    },
}

impl Command {
    /// Does it.
    ///
    /// # Errors
    /// When there is no such context, or the file cannot be written.
    pub(crate) fn run(self, session: &Session) -> Result<()> {
        let mut file = session.settings.file.clone();
        match self {
            Self::List => {
                let current = session.settings.context.as_deref();
                let items: Vec<Value> = file
                    .contexts
                    .iter()
                    .map(|(name, context)| shown(name, context, current == Some(name)))
                    .collect();
                session.out.list(&COLUMNS, &items)
            }
            Self::Use { name } => {
                file.context(&name)?;
                file.current = Some(name.clone());
                file.save()?;
                session.out.done(&format!("Using {name} from now on."))
            }
            Self::Show { name } => {
                let current = session.settings.context.clone();
                let name = name.or(current.clone()).unwrap_or_default();
                let context = file.context(&name)?;
                session
                    .out
                    .record(&COLUMNS, &shown(&name, context, current == Some(name.clone())))
            }
            Self::Delete { name } => {
                file.context(&name)?;
                file.contexts.remove(&name);
                file.current = file.current.filter(|current| *current != name);
                file.save()?;
                session.out.done(&format!("Forgot {name}."))
            }
        }
    }
}

fn shown(name: &str, context: &Context, current: bool) -> Value {
    let login = match context {
        Context { session: Some(_), .. } => "session",
        Context {
            api_token: Some(_), ..
        } => "API token",
        Context { token_command, .. } if !token_command.is_empty() => "command",
        _ => "none",
    };
    json!({
        "name": name,
        "current": current,
        "server": context.server,
        "user": context.user,
        "login": login,
        "ca_file": context.ca_file,
        "insecure": context.insecure,
    })
}
