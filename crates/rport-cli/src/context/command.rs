//! Tokens from another program, such as a password manager.

use std::process::{Command, Stdio};

use rport_runtime::Secret;

use crate::failure::{Failure, Result};

/// Runs a program and takes the first line it prints. It may ask the operator for something on the terminal.
///
/// # Errors
/// When it cannot be started, fails or prints nothing.
pub(super) fn first_line(words: &[String]) -> Result<Secret> {
    let wrong = |what: String| {
        Failure::new(
            crate::failure::Exit::Forbidden,
            format!("token_command {}: {what}", words.join(" ")),
        )
    };
    let Some((program, arguments)) = words.split_first() else {
        return Err(wrong("names no program".to_owned()));
    };
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::inherit())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| wrong(error.to_string()))?;
    if !output.status.success() {
        return Err(wrong(format!("ended with {}", output.status)));
    }
    let text = Secret::new(String::from_utf8_lossy(&output.stdout));
    match text.expose().lines().next().map(str::trim) {
        Some(line) if !line.is_empty() => Ok(Secret::new(line)),
        _ => Err(wrong("printed nothing".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_first_line_of_a_success() {
        let run = |script: &str| first_line(&["sh".to_owned(), "-c".to_owned(), script.to_owned()]);
        assert_eq!(
            run("printf 'admin:abc\\nmore\\n'").expect("a line"),
            Secret::from("admin:abc")
        );
        assert!(
            run("exit 3")
                .expect_err("failed")
                .what()
                .contains("exit status: 3")
        );
        assert!(
            run("true").is_err() && first_line(&["/no/such".to_owned()]).is_err() && first_line(&[]).is_err()
        );
    }
}
