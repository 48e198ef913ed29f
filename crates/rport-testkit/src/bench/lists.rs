//! The suite of client lists: what reading them costs the server.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Context;
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::DateTime;
use rport_domain::{ClientDetails, ClientRecord};
use rport_store::{Store, StoreOptions};
use rusqlite::Connection;
use serde_json::json;

use super::{proc, report::Table};
use crate::{
    process::{ServerConfig, ServerProcess},
    simulator::{Fleet, Simulator},
};

/// How many callers read at the same time.
const CALLERS: usize = 8;
/// Connected clients of the first table.
const CONNECTED: usize = 200;
/// Known clients of the second table.
const KNOWN: usize = 20_000;
/// How often each filter is asked.
const ASKED: usize = 50;

/// Name and password of the administrator, and the password as the user file keeps it.
const LOGIN: (&str, &str) = ("root", "foobaz");
const HASH: &str = "$2y$10$abcdefghijklmnopqrstuuneg3A1GhtQsMBzPy2Fo6jFKH4ri1t5a";

/// Queries over many clients: what the report calls them, and the query.
const QUERIES: [(&str, &str); 8] = [
    ("first page", ""),
    ("page in the middle", "page[offset]=10000"),
    ("sorted by host name", "sort=hostname"),
    ("filter[name]=*77*", "filter[name]=*77*"),
    ("filter[tags]=and(prod,web*)", "filter[tags]=and(prod,web*)"),
    (
        "filter[name|hostname|ipv4]=10.0.7.*",
        "filter[name|hostname|ipv4]=10.0.7.*",
    ),
    ("filter[labels]=*lille", "filter[labels]=*lille"),
    ("filter[*]=*nowhere*", "filter[*]=*nowhere*"),
];

/// Reads the first page of 200 connected clients with each kind of login, from 8 connections at once.
///
/// # Errors
///
/// When a program does not start or an answer is not as expected.
pub async fn first_page(seconds: u64) -> anyhow::Result<Table> {
    let mut table = Table::new(
        "GET /clients: first page of 200 connected clients, 8 connections",
        &["Basic", "bearer", "API token"],
    );
    let dir = tempfile::tempdir()?;
    let mut server = start(dir.path(), None).await?;
    let fleet = Fleet {
        server: server.config.agents.to_string(),
        auth: (
            ServerConfig::AGENT_AUTH.0.to_owned(),
            ServerConfig::AGENT_AUTH.1.to_owned(),
        ),
        count: CONNECTED,
        at_once: 16,
        prefix: "listed-".to_owned(),
    };
    let simulator = Simulator::connect(&fleet).await?;
    let api = server.api();
    let login = api.get("/login").await?.data()?;
    let bearer = login["token"].as_str().context("no token")?.to_owned();
    let made = api
        .post_json("/me/tokens", &json!({ "scope": "read", "name": "bench" }))
        .await?
        .data()?;
    let token = made["token"].as_str().context("no API token")?;
    let basic = |password: &str| format!("Basic {}", STANDARD.encode(format!("{}:{password}", LOGIN.0)));
    let logins = [
        ("Basic", basic(LOGIN.1)),
        ("bearer", format!("Bearer {bearer}")),
        ("API token", basic(token)),
    ];
    let pid = server.child.pid().context("the server has ended")?;
    for (column, authorization) in logins {
        let address = server.config.api;
        let request = request(address, "", &authorization);
        let duration = Duration::from_secs(seconds);
        let load = tokio::task::spawn_blocking(move || load(pid, address, &request, duration)).await??;
        let count = load.latencies.len() as f64;
        table.add(
            "answers per second",
            "1/s",
            column,
            count / load.elapsed.as_secs_f64(),
        );
        let each = load.cpu.as_secs_f64() * 1e3 / count;
        table.add("server CPU per request", "ms", column, each);
        for (name, part) in [("median", 0.5), ("99 of 100 within", 0.99)] {
            table.add(name, "ms", column, quantile(&load.latencies, part));
        }
    }
    drop(simulator);
    server.child.terminate(Duration::from_secs(30)).await?;
    Ok(table)
}

/// Filters and sorts 20,000 known clients, one request after the other.
///
/// # Errors
///
/// When a program does not start or an answer is not as expected.
pub async fn filters() -> anyhow::Result<Table> {
    let mut table = Table::new(
        "GET /clients over 20000 clients, one caller",
        &["median", "slowest"],
    );
    let dir = tempfile::tempdir()?;
    let data = dir.path().join("data");
    std::fs::create_dir(&data)?;
    write_clients(&data).await?;
    let mut server = start(dir.path(), Some(&data)).await?;
    let authorization = format!("Basic {}", STANDARD.encode(format!("{}:{}", LOGIN.0, LOGIN.1)));
    for (name, query) in QUERIES {
        let address = server.config.api;
        let request = request(address, query, &authorization);
        let latencies = tokio::task::spawn_blocking(move || -> anyhow::Result<Vec<f64>> {
            let mut caller = Caller::connect(address)?;
            caller.ask(&request)?;
            (0..ASKED).map(|_| caller.ask(&request)).collect()
        })
        .await??;
        table.add(name, "ms", "median", quantile(&latencies, 0.5));
        table.add(name, "ms", "slowest", quantile(&latencies, 1.0));
    }
    server.child.terminate(Duration::from_secs(30)).await?;
    Ok(table)
}

async fn start(dir: &Path, data: Option<&Path>) -> anyhow::Result<ServerProcess> {
    let users = dir.join("users.json");
    let list = json!([{ "username": LOGIN.0, "password": HASH, "groups": ["Administrators"] }]);
    std::fs::write(&users, list.to_string())?;
    let config = ServerConfig {
        data_dir: data.map(Path::to_owned),
        log_level: "error",
        login: LOGIN,
        api_lines: vec![format!("auth_file = \"{}\"", users.display())],
        ..ServerConfig::new()
    };
    ServerProcess::start_with(config).await
}

/// Fills `clients.db`. The store makes the file; the rows go in as one transaction, which takes a second instead of
/// a minute.
async fn write_clients(data: &Path) -> anyhow::Result<()> {
    let store = Store::open(&StoreOptions {
        data_dir: data.to_owned(),
        wal: true,
    })?;
    store.close().await;
    let mut file = Connection::open(data.join("clients.db"))?;
    let rows = file.transaction()?;
    {
        let mut insert = rows.prepare("INSERT INTO clients VALUES (?1, ?2, ?3, ?4)")?;
        for number in 0..KNOWN {
            let record = record(number);
            insert.execute((
                record.id.as_str(),
                record.client_auth_id.as_str(),
                "2024-05-01 12:00:00+00:00",
                record.details.to_json(),
            ))?;
        }
    }
    rows.commit()?;
    Ok(())
}

fn record(number: usize) -> ClientRecord {
    let tags = ["prod", "test", "web-front", "db", "backup"];
    let cities = ["Lille", "Paris", "Berlin"];
    ClientRecord {
        id: format!(
            "{:08x}-{number}",
            number.wrapping_mul(2_654_435_761) & 0xffff_ffff
        )
        .into(),
        client_auth_id: "fleet".into(),
        disconnected_at: Some(DateTime::UNIX_EPOCH.fixed_offset()),
        details: ClientDetails {
            name: format!("Machine number {number}"),
            hostname: format!("host-{}.example.com", (number * 7919) % KNOWN),
            os: "Linux 6.1.0-13-amd64 x86_64 GNU/Linux".to_owned(),
            os_kernel: "linux".to_owned(),
            os_family: "debian".to_owned(),
            os_full_name: "Debian 12.11".to_owned(),
            cpu_model_name: "Some Processor of 3.4 GHz".to_owned(),
            num_cpus: 8,
            mem_total: 16 << 30,
            timezone: "UTC (UTC+00:00)".to_owned(),
            version: "1.0.0".to_owned(),
            address: format!("192.0.2.{}", number % 250),
            ipv4: Some(vec![format!("10.0.{}.{}", number / 250, number % 250)]),
            tags: Some(vec![tags[number % 2].to_owned(), tags[2 + number % 3].to_owned()]),
            labels: Some([("city".to_owned(), cities[number % 3].to_owned())].into()),
            ..ClientDetails::default()
        },
    }
}

fn request(address: SocketAddr, query: &str, authorization: &str) -> String {
    format!(
        "GET /api/v1/clients?{query} HTTP/1.1\r\nHost: {address}\r\nAuthorization: {authorization}\r\n\r\n"
    )
}

struct Load {
    latencies: Vec<f64>,
    elapsed: Duration,
    cpu: Duration,
}

/// All callers ask as fast as they are answered.
fn load(pid: u32, address: SocketAddr, request: &str, duration: Duration) -> anyhow::Result<Load> {
    // The first request of a login is checked at length and belongs to nobody's figures.
    Caller::connect(address)?.ask(request)?;
    let (before, start) = (proc::cpu(pid)?, Instant::now());
    let latencies = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| {
                scope.spawn(move || -> anyhow::Result<Vec<f64>> {
                    let mut caller = Caller::connect(address)?;
                    let mut latencies = Vec::new();
                    while start.elapsed() < duration {
                        latencies.push(caller.ask(request)?);
                    }
                    Ok(latencies)
                })
            })
            .collect();
        let mut all = Vec::new();
        for caller in callers {
            let latencies = caller.join().map_err(|_| anyhow::anyhow!("a caller gave up"))?;
            all.extend(latencies?);
        }
        anyhow::Ok(all)
    })?;
    Ok(Load {
        latencies,
        elapsed: start.elapsed(),
        cpu: proc::cpu(pid)?.saturating_sub(before),
    })
}

/// One kept connection, without the cost of a whole HTTP client.
struct Caller {
    stream: BufReader<TcpStream>,
}

impl Caller {
    fn connect(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Self {
            stream: BufReader::new(stream),
        })
    }

    /// Sends a request and reads the answer; returns the milliseconds in between.
    fn ask(&mut self, request: &str) -> anyhow::Result<f64> {
        let start = Instant::now();
        self.stream.get_mut().write_all(request.as_bytes())?;
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        anyhow::ensure!(line.starts_with("HTTP/1.1 200"), "the API answers {line:?}");
        let mut length = 0;
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            if line.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse()?;
            }
        }
        anyhow::ensure!(length > 0, "an answer without a length");
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok(start.elapsed().as_secs_f64() * 1e3)
    }
}

fn quantile(samples: &[f64], part: f64) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    let at = ((last as f64) * part).round() as usize;
    sorted.get(at).copied().unwrap_or_default()
}
