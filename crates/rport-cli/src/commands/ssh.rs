//! `ssh`: the system's ssh through a tunnel of its own.

use tokio::process::Command;

use super::clients::{ClientRef, Found};
use crate::{
    cli::Session,
    failure::{Failure, Result},
    reach::{PrivateTunnel, ReachArgs, Stop, Target, exit_number, run_in_front, with_tunnel},
};

/// Arguments of `ssh`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Everything after CLIENT goes to ssh as it is. The host key is remembered under the name rport-ID, whatever port the \
tunnel gets. Exit code: that of ssh.\n\nExamples:\n  rportcli ssh web\n  rportcli ssh root@web uptime\n  rportcli ssh web -L 8080:localhost:80")]
pub(crate) struct Ssh {
    /// Port of the machine's ssh server
    #[arg(long, value_name = "PORT", default_value_t = 22)]
    port: u16,
    #[command(flatten)]
    reach: ReachArgs,
    /// The client, by id or name, with the user to log in as; then arguments for ssh
    // One list, because options behind CLIENT would be taken for ours otherwise.
    #[arg(value_names = ["[USER@]CLIENT", "SSH ARGUMENT"], num_args = 1.., required = true, trailing_var_arg = true,
        allow_hyphen_values = true)]
    words: Vec<String>,
}

impl Ssh {
    /// Runs it.
    ///
    /// # Errors
    /// When the tunnel or the program cannot be had.
    pub(crate) async fn run(self, session: &Session) -> Result<u8> {
        let api = session.api()?;
        let mut stop = Stop::listen()?;
        let Some((client, mut arguments)) = self.words.split_first() else {
            return Err(Failure::usage("no client is named"));
        };
        if client.starts_with('-') {
            return Err(Failure::usage(format!("'{client}' is no client"))
                .hint("options of ssh go behind the client"));
        }
        // As with ssh itself, two dashes may separate the command.
        if let Some((first, rest)) = arguments.split_first()
            && first == "--"
        {
            arguments = rest;
        }
        let (user, client) = user_and_client(client);
        check_user(user)?;
        let client = ClientRef::any(client).find(&api).await?;
        let target = ssh_target(self.port, self.reach.acl(&api).await?, &self.reach);
        with_tunnel(&api, &client, target, &mut stop, async |tunnel, stop| {
            let mut command = Command::new("ssh");
            command.args(options(&client, "-p", tunnel));
            command.arg(destination(user, tunnel.host()));
            command.args(arguments);
            run_in_front(command, stop).await.map(exit_number)
        })
        .await
    }
}

/// A tunnel to an ssh server.
pub(super) fn ssh_target(port: u16, acl: String, reach: &ReachArgs) -> Target {
    Target {
        host: String::new(),
        port,
        protocol: "tcp",
        scheme: Some("ssh"),
        acl,
        idle_timeout: reach.idle_timeout,
        check_port: !reach.no_check_port,
    }
}

/// Options that ssh and scp share: the port, and whose host key is expected there. Tunnels come and go on the same ports
/// of the same host, so a key belongs to the client, not to the address.
pub(super) fn options(client: &Found, port_option: &str, tunnel: &PrivateTunnel) -> [String; 6] {
    options_at(client, port_option, tunnel.port())
}

/// As [`options`], for any tunnel.
pub(super) fn options_at(client: &Found, port_option: &str, port: u16) -> [String; 6] {
    [
        "-o".to_owned(),
        format!("HostKeyAlias={}", host_key_alias(&client.id)),
        "-o".to_owned(),
        "CheckHostIP=no".to_owned(),
        port_option.to_owned(),
        port.to_string(),
    ]
}

fn host_key_alias(id: &str) -> String {
    let sound = |c: char| {
        if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') {
            c
        } else {
            '_'
        }
    };
    format!("rport-{}", id.chars().map(sound).collect::<String>())
}

/// Splits `USER@CLIENT` at the last `@`; ids and names of clients have none as a rule.
pub(super) fn user_and_client(word: &str) -> (Option<&str>, &str) {
    match word.rsplit_once('@') {
        Some((user, client)) if !user.is_empty() && !client.is_empty() => (Some(user), client),
        _ => (None, word),
    }
}

fn destination(user: Option<&str>, host: &str) -> String {
    match user {
        Some(user) => format!("{user}@{host}"),
        None => host.to_owned(),
    }
}

/// Refuses a user that ssh would take for an option.
///
/// # Errors
/// When it is one.
pub(super) fn check_user(user: Option<&str>) -> Result<()> {
    match user {
        Some(user) if user.starts_with('-') => Err(Failure::usage(format!("'{user}' is no user"))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        assert_eq!(user_and_client("root@web"), (Some("root"), "web"));
        assert_eq!(user_and_client("a@b@web"), (Some("a@b"), "web"));
        assert_eq!(user_and_client("web"), (None, "web"));
        assert_eq!(user_and_client("@web"), (None, "@web"));
        assert_eq!(host_key_alias("a b;c/ä"), "rport-a_b_c__");
        assert!(check_user(Some("-oProxyCommand=x")).is_err() && check_user(Some("root")).is_ok());
    }
}
