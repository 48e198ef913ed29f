//! `tunnels`: those that stay open until they are closed.

mod create;

use serde_json::{Value, json};

use super::{
    clients::{ClientRef, PAGE, found_of_words},
    text,
};
use crate::{
    cli::Session,
    client::{Api, Query, segment},
    failure::{Failure, Result},
    output::{Column, Kind, PageArgs},
};

pub(crate) use create::{Create, show_opened};

const COLUMNS: [Column; 18] = [
    Column::text("CLIENT", "client_id"),
    Column::text("ID", "id"),
    Column::text("NAME", "name"),
    Column::text("HOST", "lhost"),
    Column::text("PORT", "lport"),
    Column::text("REMOTE HOST", "rhost"),
    Column::text("REMOTE PORT", "rport"),
    Column::text("SCHEME", "scheme"),
    Column::text("ACL", "acl"),
    Column::text("OWNER", "owner"),
    Column::time("OPENED", "created_at"),
    Column::text("PROTOCOL", "protocol").wide(),
    Column::text("IDLE MINUTES", "idle_timeout_minutes").wide(),
    Column::of("CLOSES AFTER", "auto_close", Kind::Nanoseconds).wide(),
    Column::of("HTTP PROXY", "http_proxy", Kind::Flag).wide(),
    Column::text("HOST HEADER", "host_header").wide(),
    Column::text("AUTH USER", "auth_user").wide(),
    Column::text("URL", "tunnel_url").wide(),
];

/// What can be done with tunnels.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List open tunnels, of all connected clients or of one
    List {
        /// The client, by id or name
        client: Option<String>,
        /// The client's id
        #[arg(short = 'c', long = "client-id", alias = "client", value_name = "ID", conflicts_with_all = ["client", "name"])]
        id: Option<String>,
        /// The client's name
        #[arg(short = 'n', long, value_name = "NAME", conflicts_with = "client")]
        name: Option<String>,
    },
    /// Open a tunnel
    #[command(alias = "open")]
    Create(Box<Create>),
    /// Close a tunnel
    #[command(alias = "close")]
    Delete {
        /// The client, by id or name, and the tunnel's id
        #[arg(value_names = ["CLIENT", "TUNNEL"], num_args = 0..=2)]
        words: Vec<String>,
        /// The client's id
        #[arg(short = 'c', long = "client", value_name = "ID", conflicts_with = "name")]
        id: Option<String>,
        /// The client's name
        #[arg(short = 'n', long, value_name = "NAME")]
        name: Option<String>,
        /// The tunnel's id
        #[arg(short = 't', long = "tunnel", value_name = "TUNNEL")]
        tunnel: Option<String>,
        /// Also when it is in use
        #[arg(short, long)]
        force: bool,
    },
    /// Change who may visit a tunnel
    Acl {
        /// The client, by id or name
        client: String,
        /// The tunnel's id
        tunnel: String,
        /// Addresses and blocks with commas between; everyone without
        #[arg(long, value_name = "ADDRESS,…", required_unless_present = "clear")]
        set: Option<String>,
        /// Everyone may visit it
        #[arg(long, conflicts_with = "set")]
        clear: bool,
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
            Self::List { client, id, name } => {
                let client = ClientRef::of_flags(id, name).or(client.as_deref().map(ClientRef::any));
                let tunnels = match client {
                    Some(client) => of_client(&api, &client).await?,
                    None => api.list("/tunnels", &Query::new()).await?.0,
                };
                out.list(&COLUMNS, &tunnels)
            }
            Self::Create(create) => create.run(session).await,
            Self::Delete {
                words,
                id,
                name,
                tunnel,
                force,
            } => {
                const USAGE: &str = "rportcli tunnels delete CLIENT TUNNEL";
                let more = usize::from(tunnel.is_none());
                let flags = ClientRef::of_flags(id, name);
                let (client, words) = found_of_words(flags, words, more, USAGE)?;
                let tunnel = tunnel.or_else(|| words.into_iter().next());
                let tunnel =
                    tunnel.ok_or_else(|| Failure::usage(format!("no tunnel is named; usage: {USAGE}")))?;
                let found = client.find(&api).await?;
                let query = if force {
                    Query::new().with("force", "1")
                } else {
                    Query::new()
                };
                let path = found.path(&format!("/tunnels/{}", segment(&tunnel)));
                api.delete(&path, &query).await.map_err(|failure| {
                    match failure.what().contains("active connection") {
                        true => failure.hint("close it anyway with --force"),
                        false => failure,
                    }
                })?;
                out.done(&format!("Closed tunnel {tunnel} of {found}."))
            }
            Self::Acl {
                client,
                tunnel,
                set,
                clear,
            } => {
                let found = ClientRef::any(&client).find(&api).await?;
                let acl = set.filter(|_| !clear);
                let path = found.path(&format!("/tunnels/{}/acl", segment(&tunnel)));
                api.put(&path, &Query::new(), &json!({ "acl": acl })).await?;
                match acl.filter(|acl| !acl.is_empty()) {
                    Some(acl) => out.done(&format!("Only {acl} may visit tunnel {tunnel} of {found} now.")),
                    None => out.done(&format!("Everyone may visit tunnel {tunnel} of {found} now.")),
                }
            }
        }
    }
}

/// The tunnels of one client, or of all whose name fits a pattern, as the old rportcli showed them.
async fn of_client(api: &Api, client: &ClientRef) -> Result<Vec<Value>> {
    let (filter, value) = match client.pattern() {
        Some(pattern) => ("filter[name]", pattern.to_owned()),
        None => ("filter[id]", client.find(api).await?.id),
    };
    let query = Query::new()
        .with(filter, value)
        .with("fields[clients]", "id,tunnels");
    let page = PageArgs::everything()
        .fetch(api, "/clients", &query, PAGE)
        .await?;
    let mut tunnels = Vec::new();
    for client in &page.items {
        for tunnel in client["tunnels"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default()
        {
            let mut tunnel = tunnel.clone();
            tunnel["client_id"] = json!(text(client, "id"));
            tunnels.push(tunnel);
        }
    }
    Ok(tunnels)
}
