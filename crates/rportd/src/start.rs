//! From a command line to an exit code.

use std::{
    ffi::OsString,
    io::{self, Write},
    process::ExitCode,
};

use rport_runtime::{
    Clock,
    telemetry::Telemetry,
    toml_config::{LoadError, Problem},
};

use crate::{
    cli::{self, Action, Invocation},
    commands,
    config::Config,
    wire,
};

/// Does what the command line asks for and returns the exit code: 0, or 1 for everything that went wrong.
pub fn main(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    let invocation = match cli::parse(words) {
        Ok(invocation) => invocation,
        Err(text) => {
            // Nobody is left to tell when the terminal is gone.
            let _ = text.print();
            return if text.use_stderr() {
                ExitCode::FAILURE
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    match &invocation.action {
        Action::Run => run(&invocation),
        Action::Service { command, user } => match commands::service::run(&invocation, command, user) {
            Ok(text) => finish(writeln!(io::stdout(), "{text}").map(|()| true)),
            Err(texts) => {
                texts.iter().for_each(|text| complain(text));
                ExitCode::FAILURE
            }
        },
        Action::ConfigCheck => finish(commands::config_check::run(&invocation, &mut io::stdout())),
        Action::ConfigGenerate(options) => {
            finish(commands::config_generate::run(options, &mut io::stdout()).map(|()| true))
        }
        Action::ClientAuth(command) => {
            let config = load(&invocation).map(|(config, _)| config);
            report(config.and_then(|config| commands::client_auth::run(&config, command).map_err(one)))
        }
        Action::User(command) => {
            let config = load(&invocation).map(|(config, _)| config);
            report(config.and_then(|config| commands::user::run(&config, command.clone()).map_err(one)))
        }
        Action::Database(command) => {
            let config = load(&invocation).map(|(config, _)| config);
            report(config.and_then(|config| commands::database::run(&config, *command).map_err(one)))
        }
    }
}

fn one(error: anyhow::Error) -> Vec<String> {
    vec![one_line(&error)]
}

fn report(outcome: Result<(), Vec<String>>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(texts) => {
            texts.iter().for_each(|text| complain(text));
            ExitCode::FAILURE
        }
    }
}

fn finish(outcome: io::Result<bool>) -> ExitCode {
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// A line on standard error with the time in front, as the Go server writes it.
fn complain(text: &str) {
    let time = Clock::system().now_local().format("%Y/%m/%d %H:%M:%S");
    // Nobody is left to tell when standard error is gone.
    let _ = writeln!(io::stderr(), "{time} {text}");
}

fn run(invocation: &Invocation) -> ExitCode {
    let (config, warnings) = match load(invocation) {
        Ok(loaded) => loaded,
        Err(texts) => {
            texts
                .iter()
                .for_each(|text| complain(&format!("Invalid config: {text}. See --help")));
            return ExitCode::FAILURE;
        }
    };
    if rustix::process::geteuid().is_root() && !config.server.allow_root {
        complain("By default running as root is not allowed.");
        return ExitCode::FAILURE;
    }
    let telemetry = match Telemetry::init("server", config.logging.level, config.logging.output.clone()) {
        Ok(telemetry) => telemetry,
        Err(error) => {
            complain(&error.to_string());
            return ExitCode::FAILURE;
        }
    };
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let outcome = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => {
            let outcome = runtime.block_on(wire::run(config, &telemetry));
            // What still runs was asked to stop and given its time.
            runtime.shutdown_background();
            outcome
        }
        Err(error) => Err(anyhow::Error::new(error).context("cannot start threads")),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            let text = one_line(&error);
            tracing::error!("{text}");
            telemetry.flush();
            complain(&text);
            ExitCode::FAILURE
        }
    }
}

/// The error with its causes, without a cause that its parent names already.
fn one_line(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(|cause| cause.to_string().replace('\n', " ")) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

fn load(invocation: &Invocation) -> Result<(Config, Vec<Problem>), Vec<String>> {
    let document = invocation
        .document()
        .map_err(|error: LoadError| vec![error.to_string()])?;
    let (config, report) = Config::read(document);
    match config {
        Some(config) => Ok((config, report.warnings)),
        None => Err(report.errors.iter().map(describe).collect()),
    }
}

fn describe(problem: &Problem) -> String {
    if problem.unreadable {
        format!("error parsing config file: {problem}")
    } else {
        problem.to_string()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn mistakes_are_lines_with_their_place() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("rportd.conf");
        let load = |text: &str| {
            fs::write(&path, text).expect("written");
            let words = [OsString::from("rportd"), "-c".into(), path.clone().into()];
            load(&cli::parse(words).expect("sound")).map(|_| ())
        };
        let place = path.display();
        assert_eq!(load("[server]\nauth = 'a:b'\n"), Ok(()));
        assert_eq!(
            load("[server]\nauth = 'a:b'\nallow_root = 'yes'\n"),
            Err(vec![format!(
                "error parsing config file: {place}:3: key 'server.allow_root': expected true or false, got \"yes\""
            )])
        );
        assert_eq!(
            load("[server]\nauth = 'a:b'\nauth_file = 'f'\n"),
            Err(vec![format!(
                "{place}:3: key 'server.auth_file': 'auth_file' and 'auth' are both set: expected only one of them"
            )])
        );
        assert!(load("nonsense").expect_err("no TOML")[0].starts_with("error reading config file: "));
    }

    #[test]
    fn errors_become_one_line_without_repetition() {
        let error = anyhow::Error::msg("disk full\n(really)")
            .context("writing: disk full (really)")
            .context("stop");
        assert_eq!(one_line(&error), "stop: writing: disk full (really)");
    }
}
