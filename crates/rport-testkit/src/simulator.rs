//! Many agents in one process, each as far as a real one goes while nobody uses it: dial, handshake, password, the
//! connection request with a realistic inventory, then answers to whatever the server asks.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use parking_lot::Mutex;
use rport_protocol::ServerUrl;
use rport_runtime::{Secret, Tasks};
use rport_transport::{
    AgentCredentials, Connection, DialOptions, Event, HandshakeError, Incoming, Link, LinkOptions, Reply,
    connect, dial,
};
use serde_json::json;
use tokio::sync::Semaphore;

/// How long the server may take for the connection request of one of many agents.
const REQUEST_LIMIT: Duration = Duration::from_secs(120);

/// Connected simulated agents; all links close when this is dropped.
pub struct Simulator {
    links: Vec<Connection>,
    tasks: Tasks,
}

/// What to simulate.
#[derive(Debug, Clone)]
pub struct Fleet {
    /// Where to connect, as an agent's configuration has it.
    pub server: String,
    /// Client auth id and password.
    pub auth: (String, String),
    /// How many agents.
    pub count: usize,
    /// How many connect at the same time.
    pub at_once: usize,
    /// Client ids are this and a number.
    pub prefix: String,
}

impl Fleet {
    /// The client id of an agent by its number.
    pub fn client_id(&self, number: usize) -> String {
        format!("{}{number:05}", self.prefix)
    }
}

impl Simulator {
    /// Connects a fleet and waits until the server has accepted each agent.
    ///
    /// # Errors
    ///
    /// When one agent is not accepted.
    pub async fn connect(fleet: &Fleet) -> anyhow::Result<Self> {
        let tasks = Tasks::new();
        let fleet = Arc::new(fleet.clone());
        let slots = Arc::new(Semaphore::new(fleet.at_once.max(1)));
        let links = Arc::new(Mutex::new(Vec::with_capacity(fleet.count)));
        let mut agents = Vec::with_capacity(fleet.count);
        for number in 0..fleet.count {
            let slot = slots.clone().acquire_owned().await?;
            let (fleet, links, group) = (fleet.clone(), links.clone(), tasks.clone());
            agents.push(tasks.spawn("simulated agent", async move {
                let (connection, incoming) = admit(&fleet, number, &group).await?;
                links.lock().push(connection);
                // Only now: when all slots are free, all links are in the list.
                drop(slot);
                serve(incoming).await;
                anyhow::Ok(())
            }));
            // A refused agent ends its task at once; no need to start the rest.
            if let Some(at) = agents.iter().position(tokio::task::JoinHandle::is_finished) {
                agents.swap_remove(at).await?.context("an agent ended early")?;
                bail!("the server closed the link of an agent");
            }
        }
        // All slots are free again when the last agent is admitted.
        let _all = slots.acquire_many(u32::try_from(fleet.at_once.max(1))?).await?;
        let links = std::mem::take(&mut *links.lock());
        if links.len() != fleet.count {
            bail!("only {} of {} agents were accepted", links.len(), fleet.count);
        }
        Ok(Self { links, tasks })
    }

    /// How many links are up.
    pub fn alive(&self) -> usize {
        self.links.iter().filter(|link| !link.is_closed()).count()
    }

    /// The links, to make calls through.
    pub fn links(&self) -> &[Connection] {
        &self.links
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        for link in &self.links {
            link.close();
        }
        self.tasks.abort();
    }
}

/// How far an agent got.
pub enum Admission {
    /// The client is connected.
    Admitted(SimulatedAgent),
    /// Id or password were refused.
    LoginRefused,
    /// The login was fine, the client was not; in the server's words.
    ClientRefused(String),
}

/// A single agent; its link closes when this is dropped.
pub struct SimulatedAgent {
    link: Connection,
    tasks: Tasks,
}

impl SimulatedAgent {
    /// Connects as a client with credentials.
    ///
    /// # Errors
    ///
    /// When the server neither accepts nor refuses, as one that bans this address.
    pub async fn connect(server: SocketAddr, auth: (&str, &str), client: &str) -> anyhow::Result<Admission> {
        let tasks = Tasks::new();
        let link = match log_in(&server.to_string(), auth, &tasks).await {
            Ok(link) => link,
            Err(HandshakeError::Refused { .. }) => return Ok(Admission::LoginRefused),
            Err(error) => return Err(error.into()),
        };
        let call = link
            .connection
            .call("new_connection", inventory(client, 0), REQUEST_LIMIT);
        match call.await? {
            Reply::Success(_) => {
                tasks.spawn("simulated agent", serve(link.incoming));
                let link = link.connection;
                Ok(Admission::Admitted(Self { link, tasks }))
            }
            Reply::Failure(text) => Ok(Admission::ClientRefused(
                String::from_utf8_lossy(&text).into_owned(),
            )),
        }
    }

    /// Whether its link is up.
    pub fn is_connected(&self) -> bool {
        !self.link.is_closed()
    }
}

impl Drop for SimulatedAgent {
    fn drop(&mut self) {
        self.link.close();
        self.tasks.abort();
    }
}

/// Goes as far as the password and tells whether it was accepted.
///
/// # Errors
///
/// When the server neither accepts nor refuses.
pub async fn can_log_in(server: SocketAddr, auth: (&str, &str)) -> anyhow::Result<bool> {
    let tasks = Tasks::new();
    match log_in(&server.to_string(), auth, &tasks).await {
        Ok(link) => {
            link.connection.close();
            Ok(true)
        }
        Err(HandshakeError::Refused { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

async fn log_in(server: &str, auth: (&str, &str), tasks: &Tasks) -> Result<Link, HandshakeError> {
    let failed = |text: String| HandshakeError::Protocol(text);
    let url: ServerUrl = server
        .parse()
        .map_err(|error| failed(format!("{server}: {error}")))?;
    let stream = dial(&url, &DialOptions::default())
        .await
        .map_err(|error| failed(format!("cannot dial: {error}")))?;
    let credentials = AgentCredentials {
        user: auth.0.to_owned(),
        password: Secret::new(auth.1),
    };
    connect(stream, &credentials, None, &LinkOptions::default(), tasks).await
}

/// Brings up one link and has the server accept the client.
pub(crate) async fn admit(
    fleet: &Fleet,
    number: usize,
    tasks: &Tasks,
) -> anyhow::Result<(Connection, Incoming)> {
    let link = log_in(&fleet.server, (&fleet.auth.0, &fleet.auth.1), tasks)
        .await
        .context("handshake")?;
    let id = fleet.client_id(number);
    match link
        .connection
        .call("new_connection", inventory(&id, number), REQUEST_LIMIT)
        .await?
    {
        Reply::Success(_) => Ok((link.connection, link.incoming)),
        Reply::Failure(text) => bail!("the server refused {id}: {}", String::from_utf8_lossy(&text)),
    }
}

/// Answers pings, takes note of nothing, refuses the rest, until the link ends.
async fn serve(mut incoming: Incoming) {
    while let Some(event) = incoming.next().await {
        match event {
            Event::Request(request) if matches!(request.name.as_str(), "ping" | "put_capabilities") => {
                request.succeed(b"");
            }
            // Dropping a request refuses it.
            Event::Request(_) => {}
            Event::Channel(channel) => channel.reject(1, "a simulated agent has no services"),
        }
    }
}

/// A connection request as a small virtual machine sends it, about 3 kB.
fn inventory(id: &str, number: usize) -> Vec<u8> {
    let (high, low) = (number / 250 % 250, number % 250);
    let details = json!({
        "ID": id,
        "Name": format!("machine {number}"),
        "SessionID": format!("session-of-{id}"),
        "OS": "Linux 6.1.0-28-amd64 #1 SMP PREEMPT_DYNAMIC x86_64 GNU/Linux",
        "OSFullName": "Debian 12.8",
        "OSVersion": "12.8",
        "OSVirtualizationSystem": "KVM",
        "OSVirtualizationRole": "guest",
        "OSArch": "amd64",
        "OSFamily": "debian",
        "OSKernel": "linux",
        "Version": "1.0.0",
        "Hostname": format!("host-{number}.example.org"),
        "CPUFamily": "25",
        "CPUModel": "1",
        "CPUModelName": "AMD EPYC 7B13",
        "CPUVendor": "AuthenticAMD",
        "NumCPUs": 2,
        "MemoryTotal": 4_123_168_768_u64,
        "Timezone": "UTC (UTC+00:00)",
        "IPv4": [format!("192.0.2.{low}"), format!("198.51.{high}.{low}")],
        "IPv6": [format!("2001:db8::{high:x}:{low:x}"), "fe80::fc:ff:fe00:1"],
        "Tags": ["simulated", format!("rack-{}", number % 40)],
        "Labels": { "city": "Cologne", "building": "Trade Fair" },
        "Remotes": [],
        "ClientConfiguration": configuration(id),
    });
    details.to_string().into_bytes()
}

fn configuration(id: &str) -> serde_json::Value {
    json!({
        "client": {
            "server": "ws://127.0.0.1:8080", "fallback_servers": [],
            "server_switchback_interval": 120_000_000_000_i64, "fingerprint": "", "auth": "", "proxy": "",
            "id": id, "use_system_id": true, "name": "", "use_hostname": true, "tags": [], "labels": null,
            "remotes": [], "tunnel_allowed": null, "allow_root": false,
            "updates_interval": 14_400_000_000_000_i64, "data_dir": "/var/lib/rport", "bind_interface": "",
            "ip_api_url": "", "ip_refresh_min": 30, "proxy_url": null, "tunnels": [],
            "auth_user": "", "auth_pass": "",
        },
        "connection": {
            "keep_alive": 180_000_000_000_i64, "keep_alive_timeout": 30_000_000_000_i64, "max_retry_count": -1,
            "max_retry_interval": 300_000_000_000_i64, "headers": [], "hostname": "",
            "watchdog_integration": false, "http_headers": { "User-Agent": ["rport 1.0.0"] },
        },
        "logging": { "log_file": { "File": {} }, "log_level": 1 },
        "remote_commands": {
            "enabled": true, "send_back_limit": 4_194_304,
            "allow": ["^/usr/bin/.*", "^/usr/local/bin/.*", "^C:\\\\Windows\\\\System32\\\\.*"],
            "deny": ["(\\||<|>|;|,|\\n|&)"], "order": ["allow", "deny"],
            "allow_regexp": ["^/usr/bin/.*", "^/usr/local/bin/.*", "^C:\\\\Windows\\\\System32\\\\.*"],
            "deny_regexp": ["(\\||<|>|;|,|\\n|&)"],
        },
        "remote_scripts": { "enabled": false },
        "monitoring": {
            "enabled": true, "interval": 60_000_000_000_i64,
            "fs_type_include": ["ext3", "ext4", "xfs", "jfs", "ntfs", "btrfs", "hfs", "apfs", "exfat", "smbfs"],
            "fs_path_exclude": [], "fs_path_exclude_recurse": false, "fs_identify_mountpoints_by_device": true,
            "pm_enabled": true, "pm_kerneltasks_enabled": true, "pm_max_number_processes": 500,
            "net_lan": [], "net_wan": [], "lan_card": null, "wan_card": null,
        },
        "file_reception": {
            "protected": ["/bin", "/sbin", "/boot", "/usr/bin", "/usr/sbin", "/dev", "/lib*", "/run"],
            "enabled": true,
        },
        "interpreter_aliases": {}, "interpreter_aliases_encodings": {},
    })
}
