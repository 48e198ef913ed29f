//! `login`: by password and second factor, by single sign-on, or with an API token.

mod second_factor;
mod sso;

use std::{net::IpAddr, time::Duration};

use reqwest::Url;
use rport_runtime::Secret;
use serde_json::{Value, json};

use super::text;
use crate::{
    ask::Ask,
    cli::Session,
    client::{Api, Credential, Query},
    context::{Context, parse_server},
    failure::{Exit, Failure, Result},
    output::{parse_duration, warn},
};

pub(crate) use second_factor::{show_recovery_codes, show_secret};

/// How long a login lasts when nobody says: a working day. The server prolongs it while it is used.
const LIFETIME: Duration = Duration::from_secs(12 * 3600);
/// The word of the API for a password that has to be changed (reference `rest-api.md`, section 6.1).
const EXPIRED: &str = "password has expired";

/// Arguments of `login`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The token of the login is kept in the configuration file, which only you can read. With --password-stdin the first line \
is the password, the next one the code of the second factor. RPORT_API_USER and RPORT_API_PASSWORD are taken, too.")]
pub(crate) struct Login {
    /// Address of the server, such as https://rport.example.com
    #[arg(value_name = "SERVER")]
    address: Option<String>,
    /// Name of the user
    #[arg(short, long, visible_short_alias = 'l', value_name = "NAME")]
    user: Option<String>,
    /// Read the password, and then the code, from standard input instead of asking
    #[arg(long, conflicts_with_all = ["sso", "token_stdin", "token_command"])]
    password_stdin: bool,
    /// Log in with the server's identity provider in a browser, here or on another device
    #[arg(long)]
    sso: bool,
    /// Keep an API token instead, read from standard input or asked for
    #[arg(long, conflicts_with_all = ["sso", "token_command"])]
    token_stdin: bool,
    /// Keep a command that prints the API token instead, such as "pass show rport"
    #[arg(long, value_name = "COMMAND", conflicts_with = "sso")]
    token_command: Option<String>,
    /// How long the login lasts without being used, such as 12h or 20d [default: 12h]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    lifetime: Option<Duration>,
    /// The old rportcli's way to name the server
    #[arg(short = 's', hide = true, value_name = "URL", conflicts_with = "address")]
    old_server: Option<String>,
    /// The old rportcli's way to give the password
    #[arg(
        short = 'p',
        hide = true,
        value_name = "PASSWORD",
        conflicts_with = "password_stdin"
    )]
    old_password: Option<String>,
}

impl Login {
    /// The server, when this command names one.
    pub(crate) fn address(&self) -> Option<&str> {
        self.address.as_deref().or(self.old_server.as_deref())
    }

    /// Logs in and remembers how.
    ///
    /// # Errors
    /// When it fails.
    pub(crate) async fn run(self, session: &Session) -> Result<()> {
        let settings = &session.settings;
        let api = Api::new(settings.reach()?, Credential::Nobody)?;
        warn_of_clear_text(api.server());
        let context = if let Some(command) = &self.token_command {
            let words: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
            Context {
                user: self.user.clone().or_else(|| settings.user()),
                token_command: words,
                ..Context::default()
            }
        } else if self.token_stdin {
            self.with_api_token(session)?
        } else {
            let token = if self.sso {
                sso::login(&api, self.seconds(session)).await?
            } else {
                self.with_password(session, &api).await?
            };
            Context {
                session: Some(token),
                ..Context::default()
            }
        };
        self.remember(session, &api, context).await
    }

    fn seconds(&self, session: &Session) -> u64 {
        let old = || session.settings.session_seconds();
        let given = self.lifetime.map(|lifetime| lifetime.as_secs());
        given.or_else(old).unwrap_or(LIFETIME.as_secs())
    }

    fn name(&self, session: &Session, ask: Ask) -> Result<String> {
        match self.user.clone().or_else(|| session.settings.user()) {
            Some(user) => Ok(user),
            None if ask.interactive() => ask.line("User"),
            None => Err(Failure::usage("whose login is it?").hint("name the user with --user")),
        }
    }

    async fn with_password(&self, session: &Session, api: &Api) -> Result<Secret> {
        let ask = Ask::new(self.password_stdin);
        let user = self.name(session, ask)?;
        let password = match (&self.old_password, session.settings.password()) {
            (Some(password), _) => {
                warn("others on this machine can read passwords on a command line; leave -p out to be asked");
                Secret::new(password)
            }
            (None, Some(password)) if !self.password_stdin => password,
            _ => ask.secret(&format!("Password of {user}"))?,
        };
        let lifetime = Query::new().with("token-lifetime", self.seconds(session).to_string());
        let mut body = json!({ "username": user, "password": password.expose() });
        let answer = match api.post("/login", &lifetime, &body).await {
            Err(failure) if failure.what().contains(EXPIRED) && ask.interactive() => {
                warn("the password has expired and has to be changed now");
                body["new_password"] = json!(ask.new_secret("New password")?.expose());
                api.post("/login", &lifetime, &body).await?
            }
            answer => answer?,
        };
        let token = token(&answer)?;
        match answer.get("two_fa") {
            None | Some(Value::Null) => Ok(token),
            Some(factor) => second_factor::pass(api, ask, &user, token, factor, &lifetime).await,
        }
    }

    fn with_api_token(&self, session: &Session) -> Result<Context> {
        let answer = Ask::new(!Ask::new(false).interactive()).secret("API token")?;
        let (user, token) = match answer.expose().split_once(':') {
            Some((user, token)) => (Some(user.to_owned()), token.to_owned()),
            None => (
                self.user.clone().or_else(|| session.settings.user()),
                answer.expose().to_owned(),
            ),
        };
        if user.is_none() {
            return Err(Failure::usage("the API token comes without its user")
                .hint("name the user with --user, or give it as USER:TOKEN"));
        }
        Ok(Context {
            user,
            api_token: Some(Secret::new(token)),
            ..Context::default()
        })
    }

    /// Tries the login out and writes it down.
    async fn remember(&self, session: &Session, api: &Api, mut context: Context) -> Result<()> {
        let settings = &session.settings;
        let global = settings.global();
        let name = settings
            .context
            .clone()
            .unwrap_or_else(|| context_name(api.server()));
        let mut file = settings.file.clone();
        // What a person wrote there by hand stays.
        let earlier = file.contexts.get(&name).cloned().unwrap_or_default();
        context.server = api.server().as_str().trim_end_matches('/').to_owned();
        let same = parse_server(&earlier.server).is_ok_and(|server| server == *api.server());
        let ca_file = earlier.ca_file.filter(|_| same);
        context.ca_file = match &global.ca_file {
            // The next command may be started elsewhere.
            Some(path) => Some(std::path::absolute(path).unwrap_or_else(|_| path.clone())),
            None => ca_file,
        };
        context.insecure = global.insecure || (same && earlier.insecure);
        let credential = settings.credential_of(&context)?;
        let me = api.with(credential).get("/me", &Query::new()).await?;
        let user = text(&me, "username").to_owned();
        context.user = Some(user.clone())
            .filter(|user| !user.is_empty())
            .or(context.user);
        let server = context.server.clone();
        file.contexts.insert(name.clone(), context);
        file.current = Some(name.clone());
        file.save()?;
        session.out.done(&format!(
            "Logged in to {server} as {user}; remembered as context {name}."
        ))
    }
}

/// The token of an answer to a login.
fn token(answer: &Value) -> Result<Secret> {
    match text(answer, "token") {
        "" => Err(Failure::new(Exit::Error, "the server sent no token")),
        token => Ok(Secret::new(token)),
    }
}

/// The name of a context that nobody named: the host, with its port where that is unusual.
fn context_name(server: &Url) -> String {
    let host = server.host_str().unwrap_or("server");
    match server.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// Whether a server is on this machine, so that nobody listens on the way.
fn is_local(server: &Url) -> bool {
    let host = server.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn warn_of_clear_text(server: &Url) {
    if server.scheme() == "http" && !is_local(server) {
        warn(&format!(
            "{server} is not encrypted: whoever is on the way reads passwords and tokens"
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_are_named_after_hosts() {
        let url = |text: &str| Url::parse(text).expect("an address");
        assert_eq!(
            context_name(&url("https://rport.example.com/x")),
            "rport.example.com"
        );
        assert_eq!(context_name(&url("http://127.0.0.1:3000")), "127.0.0.1:3000");
        assert!(is_local(&url("http://[::1]:3000")) && is_local(&url("http://localhost")));
        assert!(!is_local(&url("http://localhost.example.com")));
    }
}
