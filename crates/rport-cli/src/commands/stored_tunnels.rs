//! `stored-tunnels`: tunnels to open with one word.

use serde_json::{Value, json};

use super::{
    clients::{ClientRef, Found},
    text,
    tunnels::show_opened,
};
use crate::{
    cli::Session,
    client::{Api, Query, segment},
    failure::{Exit, Failure, Result},
    output::{Column, PageArgs},
    reach::{self, own_address, well_known_port, well_known_scheme},
};

/// How many the server sends at once.
const PAGE: usize = 100;
const COLUMNS: [Column; 9] = [
    Column::text("NAME", "name"),
    Column::text("SCHEME", "scheme"),
    Column::text("HOST", "remote_ip"),
    Column::text("PORT", "remote_port"),
    Column::text("SERVER PORT", "public_port"),
    Column::text("ACL", "acl"),
    Column::text("ID", "id"),
    Column::time("MADE", "created_at").wide(),
    Column::text("OPTIONS", "further_options").wide(),
];

/// What can be done with stored tunnels.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List those of a client
    List {
        #[command(flatten)]
        client: ClientRef,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Store one
    #[command(alias = "create")]
    Add {
        /// The client, by id or name
        client: String,
        /// Its name
        name: String,
        /// What it reaches: PORT, HOST:PORT, or ssh, rdp, vnc, http, https
        remote: String,
        /// What it is, such as ssh
        #[arg(short, long, value_name = "SCHEME")]
        scheme: Option<String>,
        /// Port on the server; any free one without
        #[arg(short, long, value_name = "PORT")]
        local: Option<u16>,
        /// Who may visit it
        #[arg(short, long, value_name = "ADDRESS,…")]
        acl: Option<String>,
    },
    /// Open one; only your own address may visit it unless it says otherwise
    Open {
        /// The client, by id or name
        client: String,
        /// Its name or id
        name: String,
    },
    /// Forget one
    Delete {
        /// The client, by id or name
        client: String,
        /// Its name or id
        name: String,
    },
}

impl Command {
    /// Does it.
    ///
    /// # Errors
    /// Whatever the server or the way to it gives.
    pub(crate) async fn run(self, session: &Session) -> Result<()> {
        let api = session.api()?;
        let out = &session.out;
        match self {
            Self::List { client, page } => {
                let found = client.find(&api).await?;
                let path = found.path("/stored-tunnels");
                let tunnels = page.fetch_and_tell(&api, &path, &Query::new(), PAGE).await?;
                out.list(&COLUMNS, &tunnels)
            }
            Self::Add {
                client,
                name,
                remote,
                scheme,
                local,
                acl,
            } => {
                let found = ClientRef::any(&client).find(&api).await?;
                let mut body = new(&remote, scheme)?;
                body["name"] = json!(name);
                body["public_port"] = json!(local);
                body["acl"] = json!(acl);
                let stored = api
                    .post(&found.path("/stored-tunnels"), &Query::new(), &body)
                    .await?;
                out.record(&COLUMNS, &stored)
            }
            Self::Open { client, name } => {
                let found = ClientRef::any(&client).find(&api).await?;
                let stored = the_one(&api, &found, &name).await?;
                let query = opening(&stored, own_address(&api).await?);
                let opened = reach::put(&api, &found.path("/tunnels"), &query).await?;
                show_opened(session, &api, &found, &opened).await
            }
            Self::Delete { client, name } => {
                let found = ClientRef::any(&client).find(&api).await?;
                let stored = the_one(&api, &found, &name).await?;
                let path = found.path(&format!("/stored-tunnels/{}", segment(text(&stored, "id"))));
                api.delete(&path, &Query::new()).await?;
                out.done(&format!("Forgot {} of {found}.", text(&stored, "name")))
            }
        }
    }
}

fn new(remote: &str, scheme: Option<String>) -> Result<Value> {
    if let Some(port) = well_known_port(remote) {
        let scheme = scheme.unwrap_or_else(|| remote.to_ascii_lowercase());
        return Ok(json!({ "scheme": scheme, "remote_ip": null, "remote_port": port }));
    }
    let (host, port) = match remote.rsplit_once(':') {
        Some((host, port)) => (Some(host.trim_start_matches('[').trim_end_matches(']')), port),
        None => (None, remote),
    };
    let port: u16 = port.parse().map_err(|_| {
        Failure::usage(format!(
            "'{remote}' is neither PORT, HOST:PORT nor a well-known scheme"
        ))
    })?;
    let scheme = scheme.or_else(|| well_known_scheme(port).map(str::to_owned));
    Ok(json!({ "scheme": scheme, "remote_ip": host, "remote_port": port }))
}

async fn the_one(api: &Api, client: &Found, name: &str) -> Result<Value> {
    let path = client.path("/stored-tunnels");
    let page = PageArgs::everything()
        .fetch(api, &path, &Query::new(), PAGE)
        .await?;
    let fits = |tunnel: &&Value| text(tunnel, "id") == name || text(tunnel, "name") == name;
    let mut fitting = page.items.iter().filter(fits);
    match (fitting.next(), fitting.next()) {
        (Some(one), None) => Ok(one.clone()),
        (None, _) => Err(
            Failure::not_found(format!("{client} has no stored tunnel '{name}'")).hint(format!(
                "list them with: rportcli stored-tunnels list {}",
                client.id
            )),
        ),
        _ => Err(Failure::new(
            Exit::Conflict,
            format!("several stored tunnels have the name '{name}'"),
        )
        .hint("use an id")),
    }
}

/// The call that opens it. Further options have the names of the parameters, as front ends store them.
fn opening(stored: &Value, own_address: String) -> Query {
    let port = stored
        .get("remote_port")
        .and_then(Value::as_u64)
        .unwrap_or_default();
    let remote = match text(stored, "remote_ip") {
        "" => port.to_string(),
        host if host.contains(':') => format!("[{host}]:{port}"),
        host => format!("{host}:{port}"),
    };
    let mut query = Query::new().with("remote", remote);
    query.add_some(
        "scheme",
        Some(text(stored, "scheme")).filter(|scheme| !scheme.is_empty()),
    );
    let local = stored
        .get("public_port")
        .and_then(Value::as_u64)
        .filter(|&port| port > 0);
    query.add_some("local", local.map(|port| port.to_string()));
    match text(stored, "acl") {
        "" => query.add("acl", own_address),
        acl => query.add("acl", acl),
    }
    for (name, value) in stored["further_options"].as_object().into_iter().flatten() {
        match value {
            Value::String(text) if !text.is_empty() => query.add(name, text),
            Value::Bool(_) | Value::Number(_) => query.add(name, value.to_string()),
            _ => {}
        }
    }
    query
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_tunnel_becomes_a_call() {
        let stored = json!({ "name": "x", "scheme": "http", "remote_ip": "10.0.0.5", "remote_port": 80, "public_port": 3000,
            "acl": null, "further_options": { "http_proxy": true, "host_header": "", "idle-timeout-minutes": 9, "list": [] } });
        let query = format!("{:?}", opening(&stored, "192.0.2.1".to_owned()));
        for part in [
            r#"("remote", "10.0.0.5:80")"#,
            r#"("local", "3000")"#,
            r#"("acl", "192.0.2.1")"#,
            r#"("http_proxy", "true")"#,
            r#"("idle-timeout-minutes", "9")"#,
        ] {
            assert!(query.contains(part), "{part} in {query}");
        }
        assert!(!query.contains("host_header") && !query.contains("list"));
    }

    #[test]
    fn what_it_reaches() {
        assert_eq!(new("ssh", None).expect("known")["remote_port"], 22);
        let there = new("[fe80::1]:3389", None).expect("sound");
        assert_eq!(
            (text(&there, "remote_ip"), text(&there, "scheme")),
            ("fe80::1", "rdp")
        );
        assert!(new("telnet", None).is_err());
    }
}
