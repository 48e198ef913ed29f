//! `rportd config check`.

use std::io::{self, Write};

use crate::{cli::Invocation, config::Config};

/// Names every mistake of the configuration on `out`, one per line. Returns whether the server would start with it.
///
/// # Errors
/// When `out` cannot be written to.
pub fn run(invocation: &Invocation, out: &mut impl Write) -> io::Result<bool> {
    let file = invocation
        .config_file()
        .map_or_else(|| "no file".to_owned(), |path| path.display().to_string());
    let document = match invocation.document() {
        Ok(document) => document,
        Err(error) => {
            writeln!(out, "error: {error}")?;
            return Ok(false);
        }
    };
    let (config, report) = Config::read(document);
    for problem in &report.errors {
        writeln!(out, "error: {problem}")?;
    }
    for problem in &report.warnings {
        writeln!(out, "warning: {problem}")?;
    }
    let (errors, warnings) = (report.errors.len(), report.warnings.len());
    writeln!(out, "{file}: {errors} errors, {warnings} warnings")?;
    Ok(config.is_some())
}

#[cfg(test)]
mod tests {
    use std::{ffi::OsString, fs};

    use super::*;

    #[test]
    fn tells_good_from_bad() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("r.conf");
        let check = |text: &str| {
            fs::write(&path, text).expect("written");
            let words = [
                OsString::from("rportd"),
                "-c".into(),
                path.clone().into(),
                "config".into(),
                "check".into(),
            ];
            let mut out = Vec::new();
            let fine = run(&crate::cli::parse(words).expect("sound"), &mut out).expect("written");
            (fine, String::from_utf8(out).expect("text"))
        };
        let (fine, text) = check("[server]\nauth = 'a:b'\nadress = 'x'\n");
        assert!(
            fine && text.contains("warning: ") && text.ends_with("r.conf: 0 errors, 1 warnings\n"),
            "{text}"
        );
        let (fine, text) = check("[server]\nurl = 'x'\n");
        assert!(
            !fine && text.contains("r.conf:2: key 'server.url'") && text.ends_with("2 errors, 0 warnings\n"),
            "{text}"
        );
        let (fine, text) = check("[server\n");
        assert!(
            !fine && text.starts_with("error: error reading config file: "),
            "{text}"
        );
    }
}
