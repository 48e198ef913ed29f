//! `clients`: the machines.

mod attributes;
mod find;
mod list;
mod wait;

use serde_json::json;

pub(crate) use find::{ClientRef, Found, found_of_words};

use super::texts;
use crate::{
    ask::Ask,
    cli::Session,
    client::{Query, segment},
    failure::Result,
    output::{Column, Kind, PageArgs},
};

/// How many clients, groups or credentials the server sends at once.
pub(crate) const PAGE: usize = 500;

const DETAILS: [Column; 34] = [
    Column::text("ID", "id"),
    Column::text("NAME", "name"),
    Column::text("STATE", "connection_state"),
    Column::time("DISCONNECTED", "disconnected_at"),
    Column::time("LAST HEARTBEAT", "last_heartbeat_at"),
    Column::text("HOSTNAME", "hostname"),
    Column::text("ADDRESS", "address"),
    Column::text("IPV4", "ipv4"),
    Column::text("IPV6", "ipv6"),
    Column::text("PUBLIC IPV4", "/ext_ip_addresses/ipv4"),
    Column::text("PUBLIC IPV6", "/ext_ip_addresses/ipv6"),
    Column::text("SYSTEM", "os_full_name"),
    Column::text("KERNEL", "os_kernel"),
    Column::text("ARCHITECTURE", "os_arch"),
    Column::text("CPU", "cpu_model_name"),
    Column::text("CPUS", "num_cpus"),
    Column::text("MEMORY BYTES", "mem_total"),
    Column::text("TIME ZONE", "timezone"),
    Column::text("AGENT VERSION", "version"),
    Column::text("CLIENT AUTH", "client_auth_id"),
    Column::text("TAGS", "tags"),
    Column::text("LABELS", "labels"),
    Column::text("GROUPS", "groups"),
    Column::text("USER GROUPS", "allowed_user_groups"),
    Column::of("TUNNELS", "tunnels", Kind::Count),
    Column::text("UPDATES", "/updates_status/updates_available"),
    Column::text("SECURITY UPDATES", "/updates_status/security_updates_available"),
    Column::of("REBOOT PENDING", "/updates_status/reboot_pending", Kind::Flag),
    Column::text("OS", "os").wide(),
    Column::text("OS FAMILY", "os_family").wide(),
    Column::text("OS VERSION", "os_version").wide(),
    Column::text("VIRTUALIZATION", "os_virtualization_system").wide(),
    Column::text("VIRTUALIZATION ROLE", "os_virtualization_role").wide(),
    Column::text("CPU VENDOR", "cpu_vendor").wide(),
];
const ATTRIBUTES: [Column; 2] = [Column::text("TAGS", "tags"), Column::text("LABELS", "labels")];
const TAGS: [Column; 3] = [
    Column::text("TAG", "tag"),
    Column::of("CLIENTS", "client_ids", Kind::Count),
    Column::text("IDS", "client_ids").wide(),
];

/// What can be done with clients.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List clients
    List(list::List),
    /// Show all about a client
    Get {
        #[command(flatten)]
        client: ClientRef,
    },
    /// Forget a client that is not connected
    Delete {
        #[command(flatten)]
        client: ClientRef,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
    /// Show or set the user groups that may see a client
    Acl {
        #[command(flatten)]
        client: ClientRef,
        /// These groups, separated by commas, and no others
        #[arg(long, value_name = "GROUP,…", value_delimiter = ',')]
        set: Option<Vec<String>>,
        /// Administrators only
        #[arg(long, conflicts_with = "set")]
        clear: bool,
    },
    /// Show or change the tags and labels of a connected client
    Attributes(attributes::Attributes),
    /// List the tags in use and how many clients carry them
    Tags {
        #[command(flatten)]
        page: PageArgs,
    },
    /// Wait until a client is connected, or is not
    Wait(wait::Wait),
}

impl Command {
    /// Does it.
    ///
    /// # Errors
    /// Whatever the server or the way to it gives.
    pub(crate) async fn run(self, session: &Session) -> Result<()> {
        let out = &session.out;
        match self {
            Self::List(list) => list.run(session).await,
            Self::Get { client } => {
                let api = session.api()?;
                let found = client.find(&api).await?;
                let client = api.get(&found.path(""), &Query::new()).await?;
                out.record(&DETAILS, &client)
            }
            Self::Delete { client, yes } => {
                let api = session.api()?;
                let found = client.find(&api).await?;
                Ask::confirm(yes, &format!("Forget client {found}"))?;
                api.delete(&found.path(""), &Query::new()).await?;
                out.done(&format!("Forgot client {found}."))
            }
            Self::Acl { client, set, clear } => {
                let api = session.api()?;
                let found = client.find(&api).await?;
                let groups = if clear { Some(Vec::new()) } else { set };
                let Some(groups) = groups else {
                    let query = Query::new().with("fields[clients]", "id,name,allowed_user_groups");
                    let client = api.get(&found.path(""), &query).await?;
                    return out.record(&DETAILS, &client);
                };
                let body = json!({ "allowed_user_groups": groups });
                api.post(&found.path("/acl"), &Query::new(), &body).await?;
                match texts(&body["allowed_user_groups"]).as_slice() {
                    [] => out.done(&format!("Only administrators may see {found} now.")),
                    groups => out.done(&format!(
                        "These groups may see {found} now: {}.",
                        groups.join(", ")
                    )),
                }
            }
            Self::Attributes(attributes) => attributes.run(session).await,
            Self::Tags { page } => {
                let api = session.api()?;
                let tags = page
                    .fetch_and_tell(&api, "/client-tags", &Query::new(), PAGE)
                    .await?;
                out.list(&TAGS, &tags)
            }
            Self::Wait(wait) => wait.run(session).await,
        }
    }
}

/// The path of a client's resource.
fn path_of(id: &str, below: &str) -> String {
    format!("/clients/{}{below}", segment(id))
}
