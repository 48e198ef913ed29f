//! Talking to the person at the terminal.

use std::io::{self, BufRead, IsTerminal, Read, Write};

use anyhow::Context;
use rport_runtime::Secret;

/// Says something on standard error.
pub(super) fn note(text: &str) {
    // Nobody is left to tell when the terminal is gone.
    let _ = writeln!(io::stderr(), "{text}");
}

/// One line of standard input; typed unseen where that is a terminal.
pub(super) fn read_password(prompt: &str) -> anyhow::Result<Secret> {
    let stdin = io::stdin();
    let hidden = if stdin.is_terminal() {
        let _ = write!(io::stderr(), "{prompt}");
        Some(Unseen::start().context("cannot switch the terminal's echo off")?)
    } else {
        None
    };
    let mut line = String::new();
    let read = stdin.lock().take(1 << 16).read_line(&mut line);
    if hidden.is_some() {
        note("");
    }
    drop(hidden);
    read.context("cannot read the password from standard input")?;
    let line = Secret::new(line);
    let password = line.expose().strip_suffix('\n').unwrap_or(line.expose());
    Ok(Secret::new(password.strip_suffix('\r').unwrap_or(password)))
}

/// Switches the terminal's echo off until it is dropped.
struct Unseen(rustix::termios::Termios);

impl Unseen {
    fn start() -> io::Result<Self> {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let before = tcgetattr(io::stdin())?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &silent)?;
        Ok(Self(before))
    }
}

impl Drop for Unseen {
    fn drop(&mut self) {
        use rustix::termios::{OptionalActions, tcsetattr};
        // The person can still type `stty sane`.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}
