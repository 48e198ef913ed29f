//! `run` and `script`: something happens on many machines, and is seen while it does.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::{
    library::{Half, read},
    order::{Content, OrderArgs, TargetArgs},
    text,
};
use crate::{
    cli::Session,
    client::{Api, Query},
    failure::{Failure, Result},
    live::{EXPLAINED, Follow, Style},
    output::{Column, note},
};

/// What can be said about how it is shown.
#[derive(Debug, Clone, Copy, clap::Args)]
struct ShowArgs {
    /// Do not wait: print the id of the job and leave
    #[arg(short, long)]
    detach: bool,
    #[command(flatten)]
    style: Style,
}

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXPLAINED)]
pub(crate) struct Run {
    #[command(flatten)]
    targets: TargetArgs,
    #[command(flatten)]
    order: OrderArgs,
    #[command(flatten)]
    show: ShowArgs,
    /// Run a command of the library
    #[arg(short, long, value_name = "NAME", conflicts_with = "words")]
    library: Option<String>,
    /// The command, as its shell reads it; several words are joined with blanks
    #[arg(value_name = "COMMAND", trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

/// Arguments of `script`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXPLAINED)]
pub(crate) struct Script {
    #[command(flatten)]
    targets: TargetArgs,
    #[command(flatten)]
    order: OrderArgs,
    #[command(flatten)]
    show: ShowArgs,
    /// Run a script of the library
    #[arg(short, long, value_name = "NAME", conflicts_with = "file")]
    library: Option<String>,
    /// The script; - for standard input
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Run {
    /// Runs it; returns the exit code.
    ///
    /// # Errors
    /// Whatever the server or the way to it gives.
    pub(crate) async fn run(self, session: &Session) -> Result<u8> {
        let api = session.api()?;
        let content = match &self.library {
            Some(name) => Content::of_library(&api, Half::Commands, name).await?,
            None if self.words.is_empty() => {
                return Err(Failure::usage("there is no command to run")
                    .hint("rportcli run -c CLIENT COMMAND, or --library NAME"));
            }
            None => Content {
                text: self.words.join(" "),
                is_script: false,
                library: None,
            },
        };
        go(session, &api, &self.targets, &self.order, self.show, &content).await
    }
}

impl Script {
    /// Runs it; returns the exit code.
    ///
    /// # Errors
    /// When the file cannot be read, and whatever the server or the way to it gives.
    pub(crate) async fn run(self, session: &Session) -> Result<u8> {
        let api = session.api()?;
        let content = match (&self.library, &self.file) {
            (Some(name), _) => Content::of_library(&api, Half::Scripts, name).await?,
            (None, Some(file)) => Content {
                text: read(file)?,
                is_script: true,
                library: None,
            },
            (None, None) => {
                return Err(Failure::usage("there is no script to run")
                    .hint("rportcli script -c CLIENT FILE, - for standard input, or --library NAME"));
            }
        };
        go(session, &api, &self.targets, &self.order, self.show, &content).await
    }
}

async fn go(
    session: &Session,
    api: &Api,
    targets: &TargetArgs,
    order: &OrderArgs,
    show: ShowArgs,
    content: &Content,
) -> Result<u8> {
    let mut body = order.body(content);
    targets.add_to(api, &mut body).await?;
    let (path, socket) = match content.is_script {
        true => ("/scripts", "/ws/scripts"),
        false => ("/commands", "/ws/commands"),
    };
    if !show.detach {
        // So that it can be cancelled, and followed again, before the first word of output.
        body["announce"] = json!(true);
        return Follow::new(session, api, show.style).order(socket, &body).await;
    }
    let ordered: Value = api.post(path, &Query::new(), &body).await?;
    session.out.record(&[Column::text("JOB", "jid")], &ordered)?;
    if session.out.for_people() {
        note(&format!(
            "follow it with: rportcli jobs follow {}",
            text(&ordered, "jid")
        ));
    }
    Ok(0)
}
