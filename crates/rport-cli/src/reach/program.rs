//! Other programs of this machine, run in front of the operator.

use std::{
    env,
    os::unix::{fs::PermissionsExt, process::ExitStatusExt},
    path::PathBuf,
    process::ExitStatus,
};

use rport_runtime::signals::Signal;
use rustix::process::{Pid, Signal as Number, kill_process};
use tokio::process::Command;

use super::Stop;
use crate::failure::{Failure, Result};

/// Finds a program on the search path.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| {
            file.metadata()
                .is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
        })
}

/// Runs a program that has the terminal until it ends.
///
/// Ctrl-C reaches it without us, because it is in the foreground too; other signals are passed on. Either way the end is
/// its own, so that a tunnel can be closed afterwards.
///
/// # Errors
/// When it cannot be started.
pub(crate) async fn run_in_front(mut command: Command, stop: &mut Stop) -> Result<ExitStatus> {
    let name = command.as_std().get_program().to_string_lossy().into_owned();
    let wrong = |error: std::io::Error| {
        Failure::error(format!("cannot run {name}: {error}")).hint("install it, or add its folder to PATH")
    };
    let mut child = command.kill_on_drop(true).spawn().map_err(wrong)?;
    loop {
        tokio::select! {
            status = child.wait() => return status.map_err(wrong),
            signal = stop.wanted() => {
                let number = match signal {
                    Signal::Terminate => Number::TERM,
                    Signal::Hangup => Number::HUP,
                    _ => continue,
                };
                if let Some(pid) = child.id().and_then(|pid| Pid::from_raw(pid.cast_signed())) {
                    // It may have ended this very moment.
                    let _ = kill_process(pid, number);
                }
            }
        }
    }
}

/// The exit code of a program as a shell tells it: 128 and the signal that ended it.
pub(crate) fn exit_number(status: ExitStatus) -> u8 {
    let number = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal));
    number.and_then(|number| u8::try_from(number).ok()).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes() {
        assert_eq!(exit_number(ExitStatus::from_raw(7 << 8)), 7);
        assert_eq!(exit_number(ExitStatus::from_raw(15)), 143);
        assert!(find_program("sh").is_some() && find_program("no such program").is_none());
    }
}
