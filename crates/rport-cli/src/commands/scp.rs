//! `scp`: the system's scp through a tunnel of its own.

use tokio::process::Command;

use super::{
    clients::ClientRef,
    ssh::{check_user, options, ssh_target, user_and_client},
};
use crate::{
    cli::Session,
    failure::{Failure, Result},
    reach::{ReachArgs, Stop, exit_number, run_in_front, with_tunnel},
};

/// Options of scp that take a value in the next word.
const WITH_VALUE: &str = "cDFiJloPSX";

/// Arguments of `scp`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Everything goes to scp as it is, but for the client, which becomes the tunnel. Exit code: that of scp.\n\n\
Example:\n  rportcli scp -r ./site root@web:/var/www")]
pub(crate) struct Scp {
    /// Port of the machine's ssh server
    #[arg(long, value_name = "PORT", default_value_t = 22)]
    port: u16,
    #[command(flatten)]
    reach: ReachArgs,
    /// For scp: options, sources and target, one side of them as [USER@]CLIENT:PATH
    #[arg(
        value_name = "SCP ARGUMENTS",
        trailing_var_arg = true,
        allow_hyphen_values = true,
        required = true
    )]
    arguments: Vec<String>,
}

impl Scp {
    /// Runs it.
    ///
    /// # Errors
    /// When no client is named, or more than one, or the tunnel or the program cannot be had.
    pub(crate) async fn run(self, session: &Session) -> Result<u8> {
        let words = parse(self.arguments)?;
        let api = session.api()?;
        let mut stop = Stop::listen()?;
        let client = ClientRef::any(the_client(&words)?).find(&api).await?;
        let target = ssh_target(self.port, self.reach.acl(&api).await?, &self.reach);
        with_tunnel(&api, &client, target, &mut stop, async |tunnel, stop| {
            let mut command = Command::new("scp");
            command.args(options(&client, "-P", tunnel));
            command.args(words.iter().map(|word| word.for_scp(tunnel.host())));
            run_in_front(command, stop).await.map(exit_number)
        })
        .await
    }
}

/// A word for scp.
#[derive(Debug, PartialEq, Eq)]
enum Word {
    Plain(String),
    Remote {
        user: Option<String>,
        client: String,
        path: String,
    },
}

impl Word {
    fn for_scp(&self, host: &str) -> String {
        // scp takes an address with colons in brackets only.
        let host = if host.contains(':') {
            format!("[{host}]")
        } else {
            host.to_owned()
        };
        match self {
            Self::Plain(word) => word.clone(),
            Self::Remote {
                user: Some(user),
                path,
                ..
            } => format!("{user}@{host}:{path}"),
            Self::Remote { user: None, path, .. } => format!("{host}:{path}"),
        }
    }
}

/// Tells options and local paths from those on a client, as scp does: a colon before any slash.
fn parse(arguments: Vec<String>) -> Result<Vec<Word>> {
    let mut words = Vec::new();
    let (mut value, mut options) = (false, true);
    for word in arguments {
        let is_value = std::mem::take(&mut value);
        if !is_value && options && word.len() > 1 && word.starts_with('-') {
            options = word != "--";
            value = word.len() == 2
                && word
                    .chars()
                    .nth(1)
                    .is_some_and(|option| WITH_VALUE.contains(option));
        } else if !is_value
            && let Some((machine, path)) = word.split_once(':')
            && !machine.is_empty()
            && !machine.contains('/')
        {
            let (user, client) = user_and_client(machine);
            check_user(user)?;
            words.push(Word::Remote {
                user: user.map(str::to_owned),
                client: client.to_owned(),
                path: path.to_owned(),
            });
            continue;
        }
        words.push(Word::Plain(word));
    }
    Ok(words)
}

fn the_client(words: &[Word]) -> Result<&str> {
    let mut clients = words.iter().filter_map(|word| match word {
        Word::Remote { client, .. } => Some(client.as_str()),
        Word::Plain(_) => None,
    });
    let Some(first) = clients.next() else {
        return Err(Failure::usage("no client is named").hint("write one side as [USER@]CLIENT:PATH"));
    };
    if clients.any(|other| other != first) {
        return Err(Failure::usage("files go between one client and this machine").hint("copy in two steps"));
    }
    Ok(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(words: &str) -> Option<(String, String)> {
        let words = parse(words.split(' ').map(str::to_owned).collect()).ok()?;
        let client = the_client(&words).ok()?.to_owned();
        let line: Vec<String> = words.iter().map(|word| word.for_scp("::1")).collect();
        Some((client, line.join(" ")))
    }

    #[test]
    fn only_the_client_is_rewritten() {
        for (words, client, line) in [
            ("-r a root@web:/x", "web", "-r a root@[::1]:/x"),
            ("web:a web:b .", "web", "[::1]:a [::1]:b ."),
            (
                "-o Proxy:x -i k:y ./a:b web:",
                "web",
                "-o Proxy:x -i k:y ./a:b [::1]:",
            ),
            ("-- -a web:b:c", "web", "-- -a [::1]:b:c"),
        ] {
            let expected = Some((client.to_owned(), line.to_owned()));
            assert_eq!(rewritten(words), expected, "{words}");
        }
        for words in ["a b", "web:a db:b", "-o web:a b", "-x@web:a b"] {
            assert_eq!(rewritten(words), None, "{words}");
        }
        assert!(parse(vec!["--".to_owned(), "-x@web:a".to_owned()]).is_err());
    }
}
