//! `tunnels create`.

use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;

use super::{
    super::{
        clients::{ClientRef, Found, found_of_words},
        ssh, text,
    },
    COLUMNS,
};
use crate::{
    ask::Ask,
    cli::Session,
    client::{Api, Query},
    failure::{Failure, Result},
    output::{note, parse_duration},
    reach::{self, Stop, own_address, visited_host, well_known_port, well_known_scheme},
};

/// Arguments of `tunnels create`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without --acl only your own address may visit the tunnel.\n\nExamples:\n  rportcli tunnels create web ssh\n  \
rportcli tunnels create web 10.0.0.5:8080 --scheme http --acl 203.0.113.0/24\n  \
rportcli tunnel create -c ID -l 0.0.0.0:3394 -r 22 -s ssh")]
pub(crate) struct Create {
    /// The client, by id or name, and what to reach: PORT, HOST:PORT, or ssh, rdp, vnc, http, https
    #[arg(value_names = ["CLIENT", "REMOTE"], num_args = 0..=2)]
    words: Vec<String>,
    /// The client's id
    #[arg(short = 'c', long = "client", value_name = "ID", conflicts_with = "name")]
    id: Option<String>,
    /// The client's name
    #[arg(short = 'n', long, value_name = "NAME")]
    name: Option<String>,
    /// What to reach, as the client sees it: PORT or HOST:PORT
    #[arg(short, long, value_name = "REMOTE")]
    remote: Option<String>,
    /// Where the server listens: PORT or HOST:PORT; a free port without
    #[arg(short, long, value_name = "LOCAL")]
    local: Option<String>,
    /// What it is, such as ssh or rdp; tells the port of well-known ones
    #[arg(short, long, value_name = "SCHEME")]
    scheme: Option<String>,
    /// Who may visit it: addresses and blocks with commas between, or `any`
    #[arg(short, long, value_name = "ADDRESS,…")]
    acl: Option<String>,
    /// tcp, udp or tcp+udp
    #[arg(long, value_name = "PROTOCOL")]
    protocol: Option<String>,
    /// Name for people
    #[arg(long, value_name = "TEXT")]
    tunnel_name: Option<String>,
    /// Whether the client tries the target first: 1 or 0
    #[arg(short = 'p', long = "checkp", visible_alias = "check-port", value_name = "1|0", num_args = 0..=1,
        default_missing_value = "1")]
    check_port: Option<String>,
    /// Minutes without use after which it closes; 0 for never
    #[arg(long, value_name = "MINUTES", conflicts_with = "skip_idle_timeout")]
    idle_timeout_minutes: Option<u32>,
    /// Never close it because nobody uses it
    #[arg(long)]
    skip_idle_timeout: bool,
    /// Close it after this time, used or not
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    auto_close: Option<Duration>,
    /// Put an HTTPS front before it
    #[arg(long)]
    http_proxy: bool,
    /// Host header that the front sends
    #[arg(long, value_name = "HOST", requires = "http_proxy")]
    host_header: Option<String>,
    /// User that the front asks for; its password is asked for here
    #[arg(long, value_name = "NAME", requires = "http_proxy")]
    auth_user: Option<String>,
    /// Read that password from standard input
    #[arg(long, requires = "auth_user")]
    auth_password_stdin: bool,
    /// Run ssh through it with these arguments and close it afterwards
    #[arg(short = 'b', long, value_name = "SSH ARGUMENTS", num_args = 0..=1, default_missing_value = "",
        allow_hyphen_values = true)]
    launch_ssh: Option<String>,
}

impl Create {
    /// Opens it.
    ///
    /// # Errors
    /// Whatever the server or the way to it gives.
    pub(super) async fn run(mut self, session: &Session) -> Result<()> {
        const USAGE: &str = "rportcli tunnels create CLIENT REMOTE";
        let words = std::mem::take(&mut self.words);
        let more = usize::from(self.remote.is_none());
        let flags = ClientRef::of_flags(self.id.take(), self.name.take());
        let (client, words) = found_of_words(flags, words, more, USAGE)?;
        let (remote, scheme) = self.remote_and_scheme(words.into_iter().next())?;
        let api = session.api()?;
        let found = client.find(&api).await?;
        let mut query = Query::new().with("remote", remote);
        query.add_some("scheme", scheme);
        match self.acl.as_deref() {
            Some("any" | "all") => {}
            Some(acl) if !acl.is_empty() => query.add("acl", acl),
            _ => query.add("acl", own_address(&api).await?),
        }
        self.add_to(&mut query)?;
        let mut stop = Stop::listen()?;
        let opened = reach::put(&api, &found.path("/tunnels"), &query).await?;
        match &self.launch_ssh {
            Some(arguments) => {
                let status = launch(&api, &found, &opened, arguments, &mut stop).await;
                close(&api, &found, &opened).await?;
                match status? {
                    0 => Ok(()),
                    number => Err(Failure::error(format!("ssh ended with {number}"))),
                }
            }
            None => show_opened(session, &api, &found, &opened).await,
        }
    }

    fn add_to(&self, query: &mut Query) -> Result<()> {
        query.add_some("local", self.local.as_deref());
        query.add_some("protocol", self.protocol.as_deref());
        query.add_some("name", self.tunnel_name.as_deref());
        query.add_some("check_port", self.check_port.as_deref());
        query.add_some(
            "idle-timeout-minutes",
            self.idle_timeout_minutes.map(|n| n.to_string()),
        );
        query.add_some(
            "auto-close",
            self.auto_close.map(|time| format!("{}s", time.as_secs())),
        );
        query.add_some("host_header", self.host_header.as_deref());
        if self.skip_idle_timeout {
            query.add("skip-idle-timeout", "1");
        }
        if self.http_proxy {
            query.add("http_proxy", "true");
        }
        if let Some(user) = &self.auth_user {
            let password = Ask::new(self.auth_password_stdin).new_secret("Password of the tunnel")?;
            query.add("auth_user", user);
            query.add("auth_password", password.expose());
        }
        Ok(())
    }

    /// What to reach and what it is; each tells the other where it is well known.
    fn remote_and_scheme(&self, word: Option<String>) -> Result<(String, Option<String>)> {
        let ssh = self.launch_ssh.as_ref().map(|_| "ssh".to_owned());
        let mut scheme = self.scheme.clone().or(ssh);
        let mut remote = self.remote.clone().or(word);
        if let Some(port) = remote.as_deref().and_then(well_known_port) {
            scheme = scheme.or(remote.take().map(|name| name.to_ascii_lowercase()));
            remote = Some(port.to_string());
        }
        if remote.is_none() {
            remote = scheme
                .as_deref()
                .and_then(well_known_port)
                .map(|port| port.to_string());
        }
        let Some(remote) = remote.filter(|remote| !remote.is_empty()) else {
            return Err(Failure::usage("what shall the tunnel reach?")
                .hint("name PORT, HOST:PORT, or one of ssh, rdp, vnc, http, https"));
        };
        if self.launch_ssh.is_some() && scheme.as_deref() != Some("ssh") {
            return Err(Failure::usage("--launch-ssh fits only the scheme ssh"));
        }
        let port = remote.rsplit(':').next().and_then(|port| port.parse().ok());
        let scheme = scheme.or_else(|| port.and_then(well_known_scheme).map(str::to_owned));
        // The server knows that a UDP tunnel has none of these schemes behind it only from us.
        let scheme = scheme.filter(|_| self.scheme.is_some() || self.protocol.as_deref() != Some("udp"));
        Ok((remote, scheme))
    }
}

/// Shows a tunnel that was opened, and to people how to use it.
///
/// # Errors
/// Whatever the server or the way to it gives.
pub(crate) async fn show_opened(session: &Session, api: &Api, client: &Found, tunnel: &Value) -> Result<()> {
    let mut shown = tunnel.clone();
    if session.out.for_people()
        && let Some(about) = shown.as_object_mut()
    {
        about.insert("client_id".to_owned(), client.id.clone().into());
    }
    session.out.record(&COLUMNS, &shown)?;
    if session.out.for_people() {
        let (host, port) = place(api, client, tunnel).await?;
        note(&usage(
            text(tunnel, "scheme"),
            &host,
            port,
            tunnel["http_proxy"] == true,
        ));
    }
    Ok(())
}

async fn place(api: &Api, client: &Found, tunnel: &Value) -> Result<(String, u16)> {
    let status = api.get("/status", &Query::new()).await?;
    let host = visited_host(
        api.server(),
        text(&status, "tunnel_host"),
        text(tunnel, "lhost"),
        client,
    )?;
    let port = text(tunnel, "lport");
    let port = port
        .parse()
        .map_err(|_| Failure::error(format!("the server names '{port}' as the port of the tunnel")))?;
    Ok((host, port))
}

fn usage(scheme: &str, host: &str, port: u16, http_proxy: bool) -> String {
    let address = if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    };
    match scheme {
        _ if http_proxy => format!("Visit it at https://{address}"),
        "ssh" => format!("Visit it with: ssh -p {port} {host}"),
        "http" | "https" => format!("Visit it at {scheme}://{address}"),
        _ => format!("Visit it at {address}"),
    }
}

async fn launch(api: &Api, client: &Found, tunnel: &Value, arguments: &str, stop: &mut Stop) -> Result<u8> {
    let (host, port) = place(api, client, tunnel).await?;
    let mut command = Command::new("ssh");
    command.args(ssh::options_at(client, "-p", port)).arg(host);
    command.args(arguments.split_whitespace());
    reach::run_in_front(command, stop).await.map(reach::exit_number)
}

async fn close(api: &Api, client: &Found, tunnel: &Value) -> Result<()> {
    let path = client.path(&format!(
        "/tunnels/{}",
        crate::client::segment(text(tunnel, "id"))
    ));
    api.delete(&path, &Query::new().with("force", "1"))
        .await
        .map(drop)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Words {
        #[command(flatten)]
        create: Create,
    }

    fn resolved(words: &str) -> Option<(String, Option<String>)> {
        let words = ["create"].into_iter().chain(words.split_whitespace());
        let create = Words::try_parse_from(words).ok()?.create;
        let word = create.words.get(1).cloned();
        create.remote_and_scheme(word).ok()
    }

    #[test]
    fn remote_and_scheme_tell_each_other() {
        let case = |words, remote: &str, scheme: Option<&str>| {
            assert_eq!(
                resolved(words),
                Some((remote.to_owned(), scheme.map(str::to_owned))),
                "{words}"
            );
        };
        case("web ssh", "22", Some("ssh"));
        case("web 22", "22", Some("ssh"));
        case("web 10.0.0.5:3389", "10.0.0.5:3389", Some("rdp"));
        case("web 8080", "8080", None);
        case("web 8080 --scheme http", "8080", Some("http"));
        case("-c id -s vnc", "5900", Some("vnc"));
        case(
            "-n web -l 0.0.0.0:3394 -r 22 -s ssh --acl 10.1.2.3",
            "22",
            Some("ssh"),
        );
        case("-c id -b -lroot", "22", Some("ssh"));
        case("web 80 --protocol udp", "80", None);
        for words in ["web", "web -s telnet", "-c id -b x -s rdp"] {
            assert_eq!(resolved(words), None, "{words}");
        }
    }

    #[test]
    fn the_old_vocabulary_is_understood() {
        for words in [
            "-c id -r 22 -p 1 -a 10.0.0.1 --skip-idle-timeout",
            "-n name -s ssh --checkp --idle-timeout-minutes 10",
        ] {
            assert!(
                Words::try_parse_from(["x"].into_iter().chain(words.split(' '))).is_ok(),
                "{words}"
            );
        }
    }
}
