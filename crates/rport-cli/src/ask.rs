//! Questions to the operator. Secrets come from the terminal without echo, or line by line from standard input; never
//! from the command line, which other users of the machine can read.

use std::io::{self, BufRead, IsTerminal, Write};

use rport_runtime::{Secret, rng};

use crate::failure::{Failure, Result};

/// Where answers come from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask {
    stdin: bool,
}

impl Ask {
    /// From standard input, a line per question, or from the terminal.
    pub(crate) fn new(stdin: bool) -> Self {
        Self { stdin }
    }

    /// Whether a person answers.
    pub(crate) fn interactive(self) -> bool {
        !self.stdin && io::stdin().is_terminal()
    }

    /// Asks for something that must not be seen.
    ///
    /// # Errors
    /// When nobody answers, or with Ctrl-C.
    pub(crate) fn secret(self, prompt: &str) -> Result<Secret> {
        if self.stdin {
            return line(prompt).map(Secret::new);
        }
        match rpassword::prompt_password(format!("{prompt}: ")) {
            Ok(answer) if answer.is_empty() => Err(Failure::usage(format!("no answer to: {prompt}"))),
            Ok(answer) => Ok(Secret::new(answer)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(Failure::interrupted()),
            Err(error) => Err(
                Failure::usage(format!("there is no terminal to ask for: {prompt} ({error})"))
                    .hint("pass it on standard input with --password-stdin, or in the environment"),
            ),
        }
    }

    /// Asks for a new secret, on a terminal twice.
    ///
    /// # Errors
    /// When nobody answers, or twice not the same.
    pub(crate) fn new_secret(self, prompt: &str) -> Result<Secret> {
        let first = self.secret(prompt)?;
        if !self.stdin && self.secret(&format!("{prompt} again"))? != first {
            return Err(Failure::usage("the two differ"));
        }
        Ok(first)
    }

    /// Asks for something that may be seen.
    ///
    /// # Errors
    /// When nobody answers.
    pub(crate) fn line(self, prompt: &str) -> Result<String> {
        if !self.stdin {
            if !io::stdin().is_terminal() {
                return Err(
                    Failure::usage(format!("there is no terminal to ask for: {prompt}"))
                        .hint("name it on the command line; rportcli help COMMAND tells how"),
                );
            }
            // Whoever cannot see the question still can answer it.
            let _ = write!(io::stderr(), "{prompt}: ");
        }
        line(prompt)
    }

    /// Asks whether to go on with something that cannot be taken back. Scripts have to say so with `--yes`.
    ///
    /// # Errors
    /// When the answer is no, or there is none.
    pub(crate) fn confirm(yes: bool, what: &str) -> Result<()> {
        if yes {
            return Ok(());
        }
        if !io::stdin().is_terminal() {
            return Err(Failure::usage(format!("{what} needs a yes")).hint("say so with --yes"));
        }
        let answer = Self::new(false).line(&format!("{what}? [y/N]"))?;
        match answer.to_ascii_lowercase().as_str() {
            "y" | "yes" => Ok(()),
            _ => Err(Failure::error("nothing was done")),
        }
    }
}

fn line(prompt: &str) -> Result<String> {
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line);
    let line = line.trim_end_matches(['\r', '\n']);
    match read {
        Ok(_) if !line.is_empty() => Ok(line.to_owned()),
        Ok(_) => Err(Failure::usage(format!("no answer to: {prompt}"))),
        Err(error) => Err(Failure::usage(format!(
            "cannot read the answer to: {prompt} ({error})"
        ))),
    }
}

/// Where a command takes a new password from.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct PasswordArgs {
    /// Read the password from standard input instead of asking
    #[arg(long, conflicts_with = "generate")]
    password_stdin: bool,
    /// Make a strong password and show it once
    #[arg(long)]
    pub(crate) generate: bool,
}

impl PasswordArgs {
    /// Whether one of the two was given.
    pub(crate) fn given(self) -> bool {
        self.password_stdin || self.generate
    }

    /// The password.
    ///
    /// # Errors
    /// When nobody gives one.
    pub(crate) fn take(self, prompt: &str) -> Result<Secret> {
        if self.generate {
            // 24 letters and digits are 142 bits, and pass any sensible rule about length and guessing.
            return Ok(Secret::new(rng::alphanumeric(24)));
        }
        Ask::new(self.password_stdin).new_secret(prompt)
    }

    /// Reads it from standard input or asks, where the server makes generated ones itself.
    ///
    /// # Errors
    /// When nobody gives one.
    pub(crate) fn ask(self, prompt: &str) -> Result<Option<Secret>> {
        if self.generate {
            return Ok(None);
        }
        Ask::new(self.password_stdin).new_secret(prompt).map(Some)
    }
}
