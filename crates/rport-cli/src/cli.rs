//! What can be asked for.

use clap::{Parser, Subcommand};

use crate::{
    client::Api,
    commands::{
        api, audit, client_auth, client_groups, clients, completion, context, forward, jobs, library, login,
        logout, rdp, run, schedules, scp, sessions, ssh, status, stored_tunnels, tokens, totp, tunnels,
        user_groups, users, vault, whoami,
    },
    context::{Global, Settings},
    failure::Result,
    output::{Format, Output},
};

const AFTER: &str = "\
Exit codes: 0 done; 1 error; 2 wrong usage; 3 not logged in, not allowed or locked out; 4 not found; 5 exists already, \
in use or ambiguous; 6 server unreachable or too slow; 10 to 12 of run, script and jobs follow: went well on some \
clients only, on none, reached none; 130 interrupted.";

/// Reach machines behind firewalls through an RPort server
///
/// Log in once with `rportcli login`, then list machines with `rportcli clients list` and go there with `rportcli ssh`.
#[derive(Debug, Parser)]
#[command(name = "rportcli", version, after_help = AFTER, max_term_width = 110, propagate_version = false)]
pub(crate) struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Log in to a server and remember it
    Login(login::Login),
    /// End the login and forget its token
    Logout(logout::Logout),
    /// Show who you are and what you may do
    #[command(alias = "me")]
    Whoami(whoami::Whoami),
    /// Show the state of the server
    Status(status::Status),
    /// Switch between servers and users
    #[command(subcommand, alias = "contexts")]
    Context(context::Command),
    /// Machines: list, find, tag, forget
    #[command(subcommand, visible_alias = "client")]
    Clients(Box<clients::Command>),
    /// Tunnels: list, open, close
    #[command(subcommand, visible_alias = "tunnel")]
    Tunnels(Box<tunnels::Command>),
    /// Log in to a machine with ssh through a tunnel of its own
    Ssh(ssh::Ssh),
    /// Copy files with scp through a tunnel of its own
    Scp(scp::Scp),
    /// See a machine's desktop through a tunnel of its own
    Rdp(rdp::Rdp),
    /// Run a command on machines and see its output
    #[command(alias = "command", alias = "execute")]
    Run(Box<run::Run>),
    /// Run a script on machines and see its output
    Script(Box<run::Script>),
    /// What was run: list, show, follow, cancel
    #[command(subcommand, alias = "job")]
    Jobs(jobs::Command),
    /// Commands and scripts that run by the clock
    #[command(subcommand, visible_alias = "schedule")]
    Schedules(Box<schedules::Command>),
    /// Commands and scripts kept for later
    #[command(subcommand)]
    Library(Box<library::Command>),
    /// Values kept encrypted: passwords for commands and scripts
    #[command(subcommand)]
    Vault(Box<vault::Command>),
    /// Make ports of a machine reachable on this one
    Forward(forward::Forward),
    /// Credentials that machines connect with
    #[command(subcommand, alias = "clients-auth")]
    ClientAuth(client_auth::Command),
    /// Users of the server
    #[command(subcommand, alias = "user")]
    Users(users::Command),
    /// Groups of users and what they may do
    #[command(subcommand, alias = "user-group")]
    UserGroups(user_groups::Command),
    /// Groups of machines
    #[command(subcommand, alias = "client-group")]
    ClientGroups(client_groups::Command),
    /// Tunnels kept for later
    #[command(subcommand, alias = "stored-tunnel")]
    StoredTunnels(stored_tunnels::Command),
    /// Your API tokens, for scripts
    #[command(subcommand, alias = "token")]
    Tokens(tokens::Command),
    /// Logins that are alive
    #[command(subcommand, alias = "session")]
    Sessions(sessions::Command),
    /// Your second factor: an authenticator app
    #[command(subcommand)]
    Totp(totp::Command),
    /// Who did what
    #[command(subcommand)]
    Audit(audit::Command),
    /// Call the API as it is
    Api(api::Raw),
    /// Print a script that completes commands in your shell
    Completion(completion::Completion),
    /// The name that `login` had in the old rportcli
    #[command(hide = true)]
    Init(login::Login),
    /// The old rportcli's way to ask for the version
    #[command(hide = true)]
    Version,
}

/// What every command gets: settings and standard output.
pub(crate) struct Session {
    /// Where to and as whom.
    pub(crate) settings: Settings,
    /// Standard output.
    pub(crate) out: Output,
}

impl Session {
    /// The API of the chosen server, called as the chosen user.
    ///
    /// # Errors
    /// When no server is known, or no way to log in there.
    pub(crate) fn api(&self) -> Result<Api> {
        Api::new(self.settings.reach()?, self.settings.credential()?)
    }
}

impl Cli {
    /// Does what is asked for; returns the exit code.
    ///
    /// # Errors
    /// Whatever stops it.
    pub(crate) async fn run(self) -> Result<u8> {
        let mut global = self.global.clone();
        let login = match &self.command {
            Command::Login(command) | Command::Init(command) => Some(command),
            _ => None,
        };
        if let Some(address) = login.and_then(login::Login::address) {
            global.server = Some(address.to_owned());
        }
        let settings = Settings::gather(&global, &|name| std::env::var(name).ok(), login.is_some())?;
        let out = Output::new(
            self.global.output.unwrap_or(Format::Table),
            !self.global.no_headers,
        );
        let session = &Session { settings, out };
        match self.command {
            Command::Login(command) => command.run(session).await,
            Command::Logout(command) => command.run(session).await,
            Command::Whoami(command) => command.run(session).await,
            Command::Status(command) => command.run(session).await,
            Command::Context(command) => command.run(session),
            Command::Clients(command) => command.run(session).await,
            Command::Tunnels(command) => command.run(session).await,
            Command::Ssh(command) => return command.run(session).await,
            Command::Scp(command) => return command.run(session).await,
            Command::Rdp(command) => return command.run(session).await,
            Command::Run(command) => return command.run(session).await,
            Command::Script(command) => return command.run(session).await,
            Command::Jobs(command) => return command.run(session).await,
            Command::Schedules(command) => command.run(session).await,
            Command::Library(command) => command.run(session).await,
            Command::Vault(command) => command.run(session).await,
            Command::Forward(command) => return command.run(session).await,
            Command::ClientAuth(command) => command.run(session).await,
            Command::Users(command) => command.run(session).await,
            Command::UserGroups(command) => command.run(session).await,
            Command::ClientGroups(command) => command.run(session).await,
            Command::StoredTunnels(command) => command.run(session).await,
            Command::Tokens(command) => command.run(session).await,
            Command::Sessions(command) => command.run(session).await,
            Command::Totp(command) => command.run(session).await,
            Command::Audit(command) => command.run(session).await,
            Command::Api(command) => return command.run(session).await,
            Command::Completion(command) => command.run(session),
            Command::Init(command) => command.run(session).await,
            Command::Version => session.out.line(concat!("rportcli ", env!("CARGO_PKG_VERSION"))),
        }?;
        Ok(0)
    }
}

#[cfg(test)]
mod tests;
