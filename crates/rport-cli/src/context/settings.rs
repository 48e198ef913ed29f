//! From flags, environment and contexts to one server and one credential.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use etcetera::BaseStrategy;
use reqwest::Url;
use rport_runtime::Secret;

use super::{
    command,
    file::{ConfigFile, Context},
    legacy,
};
use crate::{
    client::{Credential, Reach},
    failure::{Exit, Failure, Result},
    output::{Format, parse_duration, warn},
};

/// How long a call may take when nobody says.
const TIMEOUT: Duration = Duration::from_secs(30);
/// As with the old program.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Options that every command has.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Address of the server, such as https://rport.example.com
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "RPORT_API_URL",
        hide_env_values = true
    )]
    pub(crate) server: Option<String>,
    /// Context to use instead of the current one
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        env = "RPORT_CONTEXT",
        hide_env_values = true
    )]
    pub(crate) context: Option<String>,
    /// API token, with its user as USER:TOKEN or in RPORT_API_USER; safer in the environment, others see command lines
    #[arg(
        long,
        global = true,
        value_name = "TOKEN",
        env = "RPORT_API_TOKEN",
        hide_env_values = true
    )]
    pub(crate) token: Option<String>,
    /// How to write answers [default: table]
    #[arg(short, long, global = true, value_enum, value_name = "FORMAT")]
    pub(crate) output: Option<Format>,
    /// Leave out the headlines of tables and CSV
    #[arg(long, global = true)]
    pub(crate) no_headers: bool,
    /// Certificate authorities (PEM) to trust beside those of the system
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Accept any certificate; whoever is in between then reads and changes everything
    #[arg(long, global = true)]
    pub(crate) insecure: bool,
    /// How long a call may take, such as 90s [default: 30s]
    #[arg(long, global = true, value_name = "DURATION", value_parser = parse_duration)]
    pub(crate) timeout: Option<Duration>,
    /// Tell each call and its status on standard error
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
    /// Configuration file [default: rportcli/config.toml in the XDG configuration folder]
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "RPORTCLI_CONFIG",
        hide_env_values = true
    )]
    pub(crate) config: Option<PathBuf>,
    /// Was for indented JSON, which is the only kind now
    #[arg(short = 'j', long, global = true, hide = true)]
    pub(crate) json_pretty: bool,
}

/// What the flags, the environment and the contexts say together.
pub(crate) struct Settings {
    /// The configuration file.
    pub(crate) file: ConfigFile,
    /// The name of the context in use, when it is one of the file or is about to be.
    pub(crate) context: Option<String>,
    /// The context in use, or what the old program left.
    chosen: Option<Context>,
    server: Option<String>,
    token: Option<Secret>,
    user: Option<String>,
    password: Option<Secret>,
    session_seconds: Option<String>,
    connect_timeout: Duration,
    global: Global,
}

impl Settings {
    /// Reads everything there is to read. A login may name a context that does not exist yet.
    ///
    /// # Errors
    /// When the file is broken or the context does not exist.
    pub(crate) fn gather(global: &Global, env: &dyn Fn(&str) -> Option<String>, login: bool) -> Result<Self> {
        let (own, old) = paths(global, env)?;
        let file = ConfigFile::load(&own)?;
        let server = global
            .server
            .clone()
            .or_else(|| legacy::variable(env, &["RPORT_SERVER_URL"]))
            .filter(|server| !server.is_empty());
        let (context, chosen) = match global.context.as_deref() {
            Some(name) if login => (Some(name.to_owned()), file.contexts.get(name).cloned()),
            name => choose(&file, name, server.as_deref(), &old)?,
        };
        let connect_timeout = legacy::variable(env, &["CONN_TIMEOUT_SEC"]).and_then(|text| text.parse().ok());
        Ok(Self {
            file,
            context,
            chosen,
            server,
            token: global
                .token
                .clone()
                .filter(|token| !token.is_empty())
                .map(Secret::new),
            user: legacy::variable(env, &["RPORT_API_USER", "RPORT_USER"]),
            password: legacy::variable(env, &["RPORT_API_PASSWORD", "RPORT_PASSWORD"]).map(Secret::new),
            session_seconds: legacy::variable(env, &["SESSION_VALIDITY_SECONDS"]),
            connect_timeout: connect_timeout.map_or(CONNECT_TIMEOUT, Duration::from_secs),
            global: global.clone(),
        })
    }

    /// The server that is meant.
    ///
    /// # Errors
    /// When none is, or its address is none.
    pub(crate) fn server(&self) -> Result<Url> {
        let context = self.chosen.as_ref().map(|context| context.server.as_str());
        let Some(server) = self.server.as_deref().or(context) else {
            return Err(Failure::usage("no server is known").hint(
                "log in with: rportcli login --server https://rport.example.com; or set RPORT_API_URL",
            ));
        };
        parse_server(server)
    }

    /// How to reach the server.
    ///
    /// # Errors
    /// When no server is known.
    pub(crate) fn reach(&self) -> Result<Reach> {
        let server = self.server()?;
        let context = self.chosen.as_ref();
        let insecure = self.global.insecure || context.is_some_and(|context| context.insecure);
        if insecure && server.scheme() == "https" {
            warn("certificates are not checked (--insecure): passwords and tokens may go to a stranger");
        }
        Ok(Reach {
            server,
            ca_file: self
                .global
                .ca_file
                .clone()
                .or_else(|| context.and_then(|context| context.ca_file.clone())),
            insecure,
            timeout: self.global.timeout.unwrap_or(TIMEOUT),
            connect_timeout: self.connect_timeout,
            verbose: self.global.verbose,
        })
    }

    /// How to log in: a token that was given, name and password of the environment, then what the context has.
    ///
    /// # Errors
    /// When there is nothing, or a token without a user.
    pub(crate) fn credential(&self) -> Result<Credential> {
        if let Some(token) = &self.token {
            return self.token_of(token, self.user.as_deref());
        }
        if let (Some(user), Some(password)) = (&self.user, &self.password) {
            return Ok(Credential::Basic {
                user: user.clone(),
                secret: password.clone(),
            });
        }
        match &self.chosen {
            Some(context) => self.credential_of(context),
            None => Err(not_logged_in()),
        }
    }

    /// How to log in with what a context has.
    ///
    /// # Errors
    /// When it has nothing.
    pub(crate) fn credential_of(&self, context: &Context) -> Result<Credential> {
        let user = context.user.as_deref();
        match context {
            Context {
                session: Some(token), ..
            } => Ok(Credential::Session(token.clone())),
            Context {
                api_token: Some(token),
                ..
            } => self.token_of(token, user),
            Context { token_command, .. } if !token_command.is_empty() => {
                self.token_of(&command::first_line(token_command)?, user)
            }
            _ => Err(not_logged_in()),
        }
    }

    /// A token with its user. The token of a login needs none, and has another form: three parts with dots between.
    fn token_of(&self, token: &Secret, user: Option<&str>) -> Result<Credential> {
        let text = token.expose();
        if text.starts_with("ey") && text.split('.').count() == 3 && !text.contains(':') {
            return Ok(Credential::Session(token.clone()));
        }
        let (user, secret) = match (text.split_once(':'), user) {
            (Some((user, secret)), _) if !user.is_empty() => (user.to_owned(), secret),
            (_, Some(user)) => (user.to_owned(), text),
            _ => {
                return Err(Failure::usage("the API token comes without its user")
                    .hint("give it as USER:TOKEN, or set RPORT_API_USER"));
            }
        };
        Ok(Credential::Basic {
            user,
            secret: Secret::new(secret),
        })
    }

    /// The user's name where the environment or the context tells it.
    pub(crate) fn user(&self) -> Option<String> {
        let context = self.chosen.as_ref().and_then(|context| context.user.clone());
        self.user.clone().or(context)
    }

    /// The password of the environment.
    pub(crate) fn password(&self) -> Option<Secret> {
        self.password.clone()
    }

    /// How many seconds a login should last, as the old program's variable says.
    pub(crate) fn session_seconds(&self) -> Option<u64> {
        self.session_seconds.as_deref()?.parse().ok()
    }

    /// Further flags of a context that is about to be written.
    pub(crate) fn global(&self) -> &Global {
        &self.global
    }
}

fn not_logged_in() -> Failure {
    Failure::new(Exit::Forbidden, "not logged in").hint("log in: rportcli login")
}

/// Our file, and where the old program kept its own.
fn paths(global: &Global, env: &dyn Fn(&str) -> Option<String>) -> Result<(PathBuf, PathBuf)> {
    if let Some(path) = &global.config {
        return Ok((path.clone(), path.with_extension("json")));
    }
    if let Some(path) = legacy::variable(env, &["CONFIG_PATH"]) {
        let path = PathBuf::from(path);
        return Ok((path.with_extension("toml"), path));
    }
    let folders = etcetera::choose_base_strategy().map_err(|error| {
        Failure::usage(format!("no folder for the configuration: {error}")).hint("set HOME")
    })?;
    let folder = folders.config_dir().join("rportcli");
    Ok((folder.join("config.toml"), folder.join("config.json")))
}

/// The context in use: the one that was named; one for the server that was named; the current one; the old program's.
///
/// A server that was named never gets the credential of another.
fn choose(
    file: &ConfigFile,
    name: Option<&str>,
    server: Option<&str>,
    old: &Path,
) -> Result<(Option<String>, Option<Context>)> {
    let wanted = server.map(parse_server).transpose()?;
    let fits = |context: &Context| match &wanted {
        Some(wanted) => parse_server(&context.server).is_ok_and(|server| server == *wanted),
        None => true,
    };
    if let Some(name) = name.filter(|name| !name.is_empty()) {
        let context = file.context(name)?;
        if !fits(context) {
            return Err(Failure::usage(format!(
                "context '{name}' is for {}, not for the server that was named",
                context.server
            ))
            .hint("leave out --server, or --context"));
        }
        return Ok((Some(name.to_owned()), Some(context.clone())));
    }
    let current = file
        .current
        .as_deref()
        .and_then(|name| Some((name, file.contexts.get(name)?)));
    let others = file
        .contexts
        .iter()
        .map(|(name, context)| (name.as_str(), context));
    let others = others.filter(|_| wanted.is_some());
    if let Some((name, context)) = current
        .into_iter()
        .chain(others)
        .find(|(_, context)| fits(context))
    {
        return Ok((Some(name.to_owned()), Some(context.clone())));
    }
    Ok((None, legacy::read(old).filter(fits)))
}

/// Reads the address of a server: the path of the API may follow, the scheme may be missing.
///
/// # Errors
/// When it is no HTTP address.
pub(crate) fn parse_server(text: &str) -> Result<Url> {
    let text = text.trim();
    let wrong = |what: &str| {
        Failure::usage(format!("'{text}' is no address of a server: {what}"))
            .hint("write it like https://rport.example.com or http://localhost:3000")
    };
    let full = if text.contains("://") {
        text.to_owned()
    } else {
        format!("https://{text}")
    };
    let mut url = Url::parse(&full).map_err(|error| wrong(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("only http and https are known"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("name and password do not belong there"));
    }
    if url.host_str().is_none() {
        return Err(wrong("there is no host"));
    }
    url.set_query(None);
    url.set_fragment(None);
    let path = url.path().trim_end_matches('/');
    let path = path.strip_suffix("/api/v1").unwrap_or(path).to_owned();
    url.set_path(&path);
    Ok(url)
}

#[cfg(test)]
mod tests;
