//! `rportcli`, the operator's command line over the API of `rportd`.
//!
//! It knows nothing of the server but its API. Start reading at [`cli`]: what can be asked for; each noun has a file of
//! the same name in [`commands`]. [`context`] finds out which server is meant and how to log in there, [`client`] calls
//! it, [`output`] writes answers for people or scripts, [`live`] follows jobs, [`reach`] opens tunnels that live as long as a command.

#![expect(
    rustdoc::broken_intra_doc_links,
    rustdoc::bare_urls,
    reason = "what clap shows as help is written for terminals, where brackets are optional words"
)]

mod ask;
mod cli;
mod client;
mod commands;
mod context;
mod failure;
mod live;
#[cfg(test)]
mod manual;
mod output;
mod reach;

use std::process::ExitCode;

use clap::Parser;

use crate::{
    cli::Cli,
    failure::{Exit, Failure},
    output::note,
};

fn main() -> ExitCode {
    // Clap prints help and mistakes by itself and ends with 2 for mistakes, as documented.
    let cli = Cli::parse();
    match run(cli) {
        Ok(number) => ExitCode::from(number),
        Err(failure) => {
            if !failure.is_quiet() {
                note(&failure.to_string());
            }
            ExitCode::from(failure.number())
        }
    }
}

fn run(cli: Cli) -> failure::Result<u8> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Error, format!("cannot start: {error}")))?;
    let result = runtime.block_on(cli.run());
    // A prompt or a name lookup may still block a thread; nobody waits for it.
    runtime.shutdown_background();
    result
}
