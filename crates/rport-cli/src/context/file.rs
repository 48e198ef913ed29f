//! The configuration file: contexts, each a server and a way to log in there.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use rport_runtime::{Secret, fsutil};
use serde::{Deserialize, Serialize, Serializer};

use crate::{
    failure::{Failure, Result},
    output::warn,
};

/// All contexts.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct ConfigFile {
    /// The context that is used when none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) current: Option<String>,
    /// The contexts by name.
    #[serde(default)]
    pub(crate) contexts: BTreeMap<String, Context>,
    #[serde(skip)]
    path: PathBuf,
}

/// A server and a way to log in there.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Context {
    /// Base address of the server.
    pub(crate) server: String,
    /// Name of the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<String>,
    /// Token of the last login.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "exposed")]
    pub(crate) session: Option<Secret>,
    /// API token, used as the password of `user`.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "exposed")]
    pub(crate) api_token: Option<Secret>,
    /// Program and arguments that print the API token, or user and token with a colon between.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) token_command: Vec<String>,
    /// Certificate authorities to trust beside those of the system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Whether any certificate will do.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) insecure: bool,
}

/// The file is where secrets are kept, so here, and only here, they are written.
fn exposed<S: Serializer>(secret: &Option<Secret>, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    secret.as_ref().map(Secret::expose).serialize(serializer)
}

impl ConfigFile {
    /// Reads the file; one that does not exist is empty.
    ///
    /// # Errors
    /// When it cannot be read or is no such file.
    pub(crate) fn load(path: &Path) -> Result<Self> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(Failure::usage(format!("cannot read {}: {error}", path.display()))),
        };
        // The parser quotes the line it stumbles over, and that line may hold a secret.
        let mut file: Self = toml::from_str(&text).map_err(|error: toml::de::Error| {
            let line = error
                .span()
                .map(|span| text[..span.start.min(text.len())].lines().count().max(1));
            let line = line.map(|line| format!(", line {line}")).unwrap_or_default();
            Failure::usage(format!("{}{line}: {}", path.display(), error.message()))
                .hint("mend the file, or move it away and log in again")
        })?;
        path.clone_into(&mut file.path);
        if file.has_secrets() && readable_by_others(path) {
            warn(&format!(
                "{} holds tokens and others can read it; run: chmod 600 {0}",
                path.display()
            ));
        }
        Ok(file)
    }

    /// Replaces the file in one step, readable by its owner only.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn save(&self) -> Result<()> {
        let wrong = |error: String| Failure::error(format!("cannot write {}: {error}", self.path.display()));
        let text = toml::to_string(self).map_err(|error| wrong(error.to_string()))?;
        if let Some(folder) = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fsutil::create_dir(folder, 0o700).map_err(|error| wrong(error.to_string()))?;
        }
        fsutil::atomic_write(&self.path, text.as_bytes(), 0o600).map_err(|error| wrong(error.to_string()))
    }

    /// Where it is.
    #[cfg(test)]
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A context by name.
    ///
    /// # Errors
    /// When there is none of that name.
    pub(crate) fn context(&self, name: &str) -> Result<&Context> {
        self.contexts.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.contexts.keys().map(String::as_str).collect();
            let hint = match known.as_slice() {
                [] => "there are no contexts yet; rportcli login makes one".to_owned(),
                known => format!("known contexts: {}", known.join(", ")),
            };
            Failure::usage(format!("no context '{name}' in {}", self.path.display())).hint(hint)
        })
    }

    fn has_secrets(&self) -> bool {
        let holds = |context: &Context| context.session.is_some() || context.api_token.is_some();
        self.contexts.values().any(holds)
    }
}

fn readable_by_others(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|about| about.permissions().mode() & 0o077 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> ConfigFile {
        let context = Context {
            server: "https://rport.example.com".to_owned(),
            user: Some("admin".to_owned()),
            session: Some(Secret::from("JWT")),
            ..Context::default()
        };
        ConfigFile {
            current: Some("prod".to_owned()),
            contexts: [("prod".to_owned(), context)].into(),
            path: PathBuf::new(),
        }
    }

    #[test]
    fn is_written_for_its_owner_only_and_read_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deep/er/config.toml");
        assert!(ConfigFile::load(&path).expect("empty").contexts.is_empty());
        let mut file = sample();
        path.clone_into(&mut file.path);
        file.save().expect("written");
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().expect("a folder")), 0o700);
        let read = ConfigFile::load(&path).expect("read");
        assert_eq!(read.current.as_deref(), Some("prod"));
        let context = read.context("prod").expect("there");
        assert_eq!(context.session, Some(Secret::from("JWT")));
        assert!(context.api_token.is_none() && !context.insecure);
        assert_eq!(read.context("test").expect_err("none").number(), 2);
    }

    #[test]
    fn a_broken_file_is_named_without_its_secrets() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config.toml");
        fs::write(&path, "[contexts.a]\nserver = 'x'\nsession = 'geheim\n").expect("written");
        let said = ConfigFile::load(&path).expect_err("broken").to_string();
        assert!(said.contains("line 3") && !said.contains("geheim"), "{said}");
        assert!(!format!("{:?}", sample()).contains("JWT"));
    }
}
