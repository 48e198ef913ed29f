//! The program `rport`: command line, log, signals, exit code. Everything else is in the library.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::anyhow;
use rport_agent::cli::{self, CommandLine, Invocation};
use rport_agent::config::{self, AgentConfig, Surroundings};
use rport_agent::{Agent, AgentHandle, AgentState, service, startup};
use rport_runtime::signals::{Signal, Signals};
use rport_runtime::telemetry::{Output, Telemetry};
use rport_runtime::{Tasks, systemd};
use tracing::{error, info, warn};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long open streams and files may take to end when the program is stopped.
const GRACE: Duration = Duration::from_secs(3);

/// More threads than this only cost memory: the work of an agent is carried by its one link.
const MAX_THREADS: usize = 2;

fn main() -> ExitCode {
    match cli::parse(std::env::args_os()) {
        Ok(Invocation::Version) => say(&format!("version {}", rport_agent::VERSION)),
        Ok(Invocation::Run(line)) => match run(&line) {
            Ok(()) => return ExitCode::SUCCESS,
            Err(error) => {
                complain(&error);
                return ExitCode::FAILURE;
            }
        },
        Err(error) => {
            // Prints help to the standard output and mistakes to the standard error.
            let _ = error.print();
            return if error.use_stderr() {
                ExitCode::FAILURE
            } else {
                ExitCode::SUCCESS
            };
        }
    }
    ExitCode::SUCCESS
}

#[expect(clippy::print_stdout, reason = "this is what the user asked for")]
fn say(text: &str) {
    println!("{text}");
}

#[expect(clippy::print_stderr, reason = "the program ends, and the log may not exist")]
fn complain(error: &anyhow::Error) {
    eprintln!("{error}");
}

fn run(line: &CommandLine) -> anyhow::Result<()> {
    if let Some(command) = &line.service {
        say(service::manage(command, line)?);
        return Ok(());
    }
    let loaded = config::load(line, &Surroundings::of_this_process())?;
    let config = loaded.config;
    startup::check_root(&config)?;
    let output = config.logging.file.clone().map_or(Output::Stdout, Output::File);
    let telemetry = Telemetry::init("client", config.logging.level, output)
        .map_err(|error| anyhow!("failed starting log output: {error}"))?;
    for warning in loaded.warnings {
        warn!("{warning}");
    }
    if let Err(error) = startup::prepare_directories(&config.client.data_dir) {
        // Only the watchdog cannot do without; an agent with tunnels alone needs no files.
        if config.connection.watchdog_integration {
            error!("{error}");
            return Err(error.into());
        }
        warn!("{error}; features that keep files will not work");
    }
    let threads = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(MAX_THREADS);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .map_err(|error| anyhow!("can't start the runtime: {error}"))?;
    let end = runtime.block_on(serve(config, &telemetry));
    // Blocking work that hangs, on a dead disk for example, must not keep the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    end
}

async fn serve(config: AgentConfig, telemetry: &Telemetry) -> anyhow::Result<()> {
    let signals = Signals::install().map_err(|error| anyhow!("can't handle signals: {error}"))?;
    let tasks = Tasks::new();
    let agent = Agent::start(config, &tasks);
    systemd::ready();
    let end = tokio::select! {
        end = agent.ended() => end,
        () = until_stopped(signals, &agent, &tasks, telemetry) => AgentState::Stopped,
    };
    systemd::stopping();
    tasks.shutdown(GRACE).await;
    match end {
        AgentState::GaveUp => anyhow::bail!("max retries exceeded, giving up"),
        _ => Ok(()),
    }
}

/// Obeys signals until one of them says to stop.
async fn until_stopped(mut signals: Signals, agent: &AgentHandle, tasks: &Tasks, telemetry: &Telemetry) {
    loop {
        match signals.next().await {
            Signal::Interrupt | Signal::Terminate => {
                info!("stopping");
                return;
            }
            Signal::Hangup => {
                telemetry.reopen();
                agent.retry_now();
            }
            Signal::User1 => {}
            Signal::User2 => info!("running tasks: {:?}", tasks.counts()),
        }
    }
}
