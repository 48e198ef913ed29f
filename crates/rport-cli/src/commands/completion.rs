//! `completion`: scripts for shells.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::{
    cli::{Cli, Session},
    failure::Result,
};

/// Arguments of `completion`.
#[derive(Debug, clap::Args)]
pub(crate) struct Completion {
    /// The shell
    shell: Shell,
}

impl Completion {
    /// Prints the script.
    ///
    /// # Errors
    /// When nobody takes it.
    pub(crate) fn run(self, session: &Session) -> Result<()> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "rportcli", &mut script);
        session.out.bytes(&script)
    }
}
