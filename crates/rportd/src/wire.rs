//! The parts put together: files, key, server, API, signals.

use std::{
    fs::{File, OpenOptions, TryLockError},
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow, bail};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use rport_http::Api;
use rport_runtime::{
    Clock, Tasks, fsutil, net,
    signals::{Signal, Signals},
    systemd,
    telemetry::Telemetry,
};
use rport_server::{Parts, Server};
use rport_store::{Store, StoreOptions};
use rport_transport::HostKey;
use tokio::net::TcpListener;

use crate::{config::Config, https::Https, options};

/// How long connections and requests under way may take to end when the server is stopped.
const GRACE: Duration = Duration::from_secs(5);

/// The same when the start failed half-way and nobody is connected yet.
const SHORT_GRACE: Duration = Duration::from_secs(1);

/// How often figures of past minutes are condensed, so that metrics nobody reads do not grow.
const METRICS_UPKEEP: Duration = Duration::from_secs(60);

/// The file that tells people what agents should pin. Name and content as the Go server writes them.
const FINGERPRINT_FILE: &str = "rportd-fingerprint.txt";

/// The file whose lock says that a server uses the data directory. Ours.
const LOCK_FILE: &str = "rportd.lock";

/// Runs the server until a signal ends it. Must be called inside a tokio runtime.
///
/// # Errors
/// The reason not to start, as one sentence that names what to mend.
pub async fn run(config: Config, telemetry: &Telemetry) -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    let mut signals = Signals::install().context("cannot take over signals")?;
    warn_of_header_login(&config);
    raise_open_files();
    rport_runtime::rng::warm_up();

    let tasks = Tasks::new();
    // Ports first: a second server on the same data must notice before it touches the files.
    let agents = listen(&config.server.address, "agents", "[server] address").await?;
    let agents_address = agents.local_addr()?;
    let host_key = HostKey::from_seed(config.server.key_seed.expose())?;
    let (store, _lock) = open_store(&config, &tasks, &host_key).await?;
    let metrics = if config.metrics.enabled {
        Some(install_metrics(&tasks)?)
    } else {
        None
    };

    let parts = Parts {
        store,
        host_key,
        clock: Clock::system(),
        tasks: tasks.clone(),
    };
    let https = Https::open(&config, &tasks).await?;
    let mut options = options::server(&config);
    options.tunnels.proxy = https
        .tunnels
        .as_ref()
        .map(|certificates| options::tunnel_proxy(&config, certificates));
    let server = Server::start(options, parts).await?;
    let api = match serve(&config, &server, &https, metrics, &tasks).await {
        Ok(api) => api,
        Err(error) => {
            server.stop(SHORT_GRACE).await;
            return Err(error);
        }
    };
    server.listen(agents);
    tracing::info!(
        address = %agents_address,
        version = env!("CARGO_PKG_VERSION"),
        took_ms = started.elapsed().as_millis() as u64,
        "server started, waiting for agents"
    );
    systemd::ready();
    let running = Running {
        server,
        api,
        https,
        tasks,
    };
    let code = follow_signals(&mut signals, &running, telemetry).await;
    Ok(code)
}

/// What signals act on.
struct Running {
    server: Server,
    api: Option<Api>,
    https: Https,
    tasks: Tasks,
}

/// Starts the API, if there shall be one, and what obtains certificates.
async fn serve(
    config: &Config,
    server: &Server,
    https: &Https,
    metrics: Option<PrometheusHandle>,
    tasks: &Tasks,
) -> anyhow::Result<Option<Api>> {
    if !config.api.enabled() {
        tracing::info!("there is no API: '[api] address' is empty");
        https.start(config, tasks)?;
        return Ok(None);
    }
    let address = resolve(&config.api.address, "[api] address").await?;
    let mut options = options::api(config, address, https.api.as_ref());
    options.metrics = metrics;
    if options.tls.is_none() && !address.ip().is_loopback() {
        tracing::warn!(%address, "the API speaks plain HTTP on a public address; set cert_file and key_file in [api], or put a TLS proxy in front");
    }
    let api = Api::start(options, server.clone(), Clock::system(), tasks).await?;
    https.start(config, tasks)?;
    Ok(Some(api))
}

/// A header that nobody may send has no effect, which its operator should know.
fn warn_of_header_login(config: &Config) {
    let api = &config.api;
    if api.enabled() && !api.auth_header.is_empty() && api.trusted_proxies.is_empty() {
        tracing::warn!(
            "'auth_header' in [api] has no effect: name the proxy that sends it in 'trusted_proxies'; nobody else is believed"
        );
    }
}

/// Opens the data directory and keeps others out of it for as long as the returned file is open.
async fn open_store(config: &Config, tasks: &Tasks, host_key: &HostKey) -> anyhow::Result<(Store, File)> {
    let data_dir = config.server.data_dir.clone();
    let fingerprint = host_key.fingerprint();
    if config.server.key_seed.is_empty() {
        tracing::warn!(
            "'key_seed' in [server] is not set; the next start has another fingerprint, and agents that pin this one stay away"
        );
    }
    tracing::info!(
        fingerprint.md5 = fingerprint.md5(),
        fingerprint.sha256 = fingerprint.sha256(),
        "host key"
    );
    let options = StoreOptions {
        data_dir: data_dir.clone(),
        wal: config.server.sqlite_wal,
    };
    let md5 = fingerprint.md5().to_owned();
    let opened = tasks.spawn_blocking("open_store", move || {
        let named = |what: &str| {
            format!(
                "data directory {}: {what}; see '[server] data_dir'",
                data_dir.display()
            )
        };
        fsutil::create_dir(&data_dir, 0o700).with_context(|| named("cannot be created"))?;
        fsutil::check_writable(&data_dir).with_context(|| named("cannot be written to"))?;
        let lock = lock(&data_dir).with_context(|| named("is not free"))?;
        write_fingerprint(&data_dir, &md5);
        Ok((Store::open(&options)?, lock))
    });
    opened
        .await
        .map_err(|_| anyhow!("opening the data directory failed"))?
}

/// Two servers on the same files would mark each other's clients as disconnected. The system releases the lock when
/// the process ends, however it ends.
fn lock(data_dir: &Path) -> anyhow::Result<File> {
    let path = data_dir.join(LOCK_FILE);
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(&path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => bail!("another server uses it ({LOCK_FILE} is locked)"),
        // Some network file systems have no locks; then the operator has to take care.
        Err(TryLockError::Error(error)) => {
            tracing::warn!(%error, file = %path.display(), "the data directory cannot be locked")
        }
    }
    Ok(file)
}

fn write_fingerprint(data_dir: &Path, fingerprint: &str) {
    let path = data_dir.join(FINGERPRINT_FILE);
    // People can also read it in the log and in the API, so this is no reason not to serve.
    if let Err(error) = fsutil::atomic_write(&path, fingerprint.as_bytes(), 0o644) {
        tracing::error!(%error, file = %path.display(), "the fingerprint file cannot be written");
    }
}

/// Turns `host:port` into an address; without a host every address of the machine.
async fn resolve(text: &str, key: &str) -> anyhow::Result<SocketAddr> {
    let full = if text.starts_with(':') {
        format!("[::]{text}")
    } else {
        text.to_owned()
    };
    let found = tokio::net::lookup_host(&full)
        .await
        .with_context(|| format!("cannot resolve {key} {text:?}"))?;
    found
        .into_iter()
        .next()
        .ok_or_else(|| anyhow!("cannot resolve {key} {text:?}: the name has no address"))
}

async fn listen(text: &str, whom: &str, key: &str) -> anyhow::Result<TcpListener> {
    let address = resolve(text, key).await?;
    let listener = net::listen_tcp(address).and_then(TcpListener::from_std);
    listener.with_context(|| format!("cannot listen on {address} for {whom}; see '{key}'"))
}

fn install_metrics(tasks: &Tasks) -> anyhow::Result<PrometheusHandle> {
    let handle = PrometheusBuilder::new()
        .install_recorder()
        .context("cannot set up metrics")?;
    rport_server::describe_metrics();
    rport_http::describe_metrics();
    let (upkeep, stop) = (handle.clone(), tasks.soft());
    tasks.spawn("metrics", async move {
        while tokio::time::timeout(METRICS_UPKEEP, stop.cancelled())
            .await
            .is_err()
        {
            upkeep.run_upkeep();
        }
    });
    Ok(handle)
}

/// One open file per agent and two per visitor: the usual soft limit of 1024 is soon reached.
fn raise_open_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "the limit of open files cannot be raised");
    }
}

async fn follow_signals(signals: &mut Signals, running: &Running, telemetry: &Telemetry) -> ExitCode {
    let Running { server, tasks, .. } = running;
    loop {
        match signals.next().await {
            Signal::Hangup => {
                systemd::reloading();
                telemetry.reopen();
                if let Some(api) = &running.api {
                    api.reopen_access_log();
                }
                reload(server, tasks).await;
                running.https.reload(tasks).await;
                tracing::info!("logs, certificates and files with credentials opened again");
                systemd::ready();
            }
            Signal::User1 => reload(server, tasks).await,
            Signal::User2 => log_figures(tasks),
            signal @ (Signal::Interrupt | Signal::Terminate) => {
                tracing::info!(?signal, "stopping");
                systemd::stopping();
                return stop(signals, server).await;
            }
        }
    }
}

/// Stops in order; a second signal ends the waiting.
async fn stop(signals: &mut Signals, server: &Server) -> ExitCode {
    let impatient = async { while !signals.next().await.stops() {} };
    tokio::select! {
        () = server.stop(GRACE) => {
            tracing::info!("stopped");
            ExitCode::SUCCESS
        }
        () = impatient => {
            tracing::warn!("stopped at once by a second signal");
            ExitCode::FAILURE
        }
    }
}

/// Reads the files with users and with credentials of agents again. A bad one leaves the known content in place.
async fn reload(server: &Server, tasks: &Tasks) {
    let server = server.clone();
    let reading = tasks.spawn_blocking("reload", move || {
        if let Err(error) = server.reload_client_auth() {
            tracing::error!(%error, "credentials of agents were not read again; the known ones stay");
        }
        if let Err(error) = server.reload_users() {
            tracing::error!(%error, "users were not read again; the known ones stay");
        }
    });
    // A panic inside has been logged; the server goes on.
    let _ = reading.await;
}

fn log_figures(tasks: &Tasks) {
    let counts = tasks.counts();
    let alive: Vec<String> = counts
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(name, count)| format!("{name}:{count}"))
        .collect();
    tracing::info!(tasks = tasks.count(), names = alive.join(","), "figures");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_directory_has_one_server_at_a_time() {
        let folder = tempfile::tempdir().expect("folder");
        let first = lock(folder.path()).expect("free");
        let error = lock(folder.path()).expect_err("taken").to_string();
        assert_eq!(error, "another server uses it (rportd.lock is locked)");
        drop(first);
        lock(folder.path()).expect("free again");
    }

    #[tokio::test]
    async fn addresses_without_a_host_are_every_address() {
        let address = resolve(":8080", "[server] address").await.expect("sound");
        assert!(address.ip().is_unspecified() && address.port() == 8080);
        let address = resolve("127.0.0.1:0", "[server] address").await.expect("sound");
        assert_eq!(address.to_string(), "127.0.0.1:0");
        let error = resolve("127.0.0.1", "[api] address")
            .await
            .expect_err("no port")
            .to_string();
        assert_eq!(error, "cannot resolve [api] address \"127.0.0.1\"");
    }
}
