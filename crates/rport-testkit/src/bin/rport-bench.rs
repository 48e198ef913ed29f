//! Measures tunnels, lists of clients and fleets of agents on this machine; `make bench` runs it.

use std::{
    io::Read,
    time::{Duration, Instant},
};

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use rport_testkit::{
    bench::{
        fleet, jobs, lists,
        proc::machine_busy,
        report::Table,
        suite::{self, Effort},
        system::System,
        target::Target,
    },
    process,
    simulator::{Fleet, Simulator},
};

/// Measures RPort on 127.0.0.1, beside plain loopback and, when installed, rathole. Prints Markdown.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    options: Options,
}

#[derive(Args)]
struct Options {
    /// How often each tunnel is measured.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Sizes of the fleets, separated by commas; empty leaves them out.
    #[arg(long, default_value = "500,2000", value_delimiter = ',')]
    fleets: Vec<String>,
    /// Agents that connect at the same time.
    #[arg(long, default_value_t = 32)]
    at_once: usize,
    /// Only the fleets.
    #[arg(long)]
    only_fleets: bool,
    /// Only the lists of clients.
    #[arg(long, conflicts_with = "only_fleets")]
    only_lists: bool,
    /// Only orders to the fleets.
    #[arg(long, conflicts_with_all = ["only_fleets", "only_lists"])]
    only_jobs: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Simulates agents until standard input ends.
    Agents {
        /// Where the server listens for agents.
        #[arg(long)]
        server: String,
        /// Client auth, `id:password`.
        #[arg(long)]
        auth: String,
        /// How many agents.
        #[arg(long)]
        count: usize,
        /// How many connect at the same time.
        #[arg(long, default_value_t = 32)]
        at_once: usize,
    },
}

#[expect(clippy::print_stdout, reason = "the figures are the output of this program")]
#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    process::raise_file_limit();
    match cli.command {
        Some(Command::Agents {
            server,
            auth,
            count,
            at_once,
        }) => agents(server, &auth, count, at_once).await,
        None => {
            let (start, busy) = (Instant::now(), machine_busy()?);
            println!("{}", machine());
            let Options {
                only_fleets,
                only_lists,
                only_jobs,
                seconds,
                ..
            } = cli.options;
            if !only_fleets && !only_lists && !only_jobs {
                println!("{}", tunnels(&cli.options).await?);
            }
            if !only_fleets && !only_jobs {
                println!("{}", lists::first_page(seconds).await?.markdown());
                println!("{}", lists::filters().await?.markdown());
            }
            let sizes = sizes(&cli.options.fleets)?;
            if !only_lists && !only_jobs && !sizes.is_empty() {
                println!("{}", fleets(&sizes, cli.options.at_once).await?);
            }
            if !only_lists && !only_fleets && !sizes.is_empty() {
                println!("{}", orders(&sizes, cli.options.at_once).await?);
            }
            println!(
                "The run took {:.0} s; the machine's processors worked {:.0} s in that time.",
                start.elapsed().as_secs_f64(),
                machine_busy()?.saturating_sub(busy).as_secs_f64()
            );
            Ok(())
        }
    }
}

/// Measures the tunnels of all systems; returns the table.
async fn tunnels(options: &Options) -> anyhow::Result<String> {
    let target = Target::start()?;
    let mut systems = vec![System::direct(&target), System::ours(&target).await?];
    systems.extend(System::rathole(&target).await?);
    let names: Vec<&str> = systems.iter().map(|system| system.name).collect();
    let mut table = Table::new("tunnels", &names);
    let effort = Effort {
        rounds: options.rounds,
        duration: Duration::from_secs(options.seconds),
    };
    // The load threads block, so they must not sit on the runtime that watches the child processes.
    let (systems, target, table) = tokio::task::spawn_blocking(move || {
        suite::run(&systems, &target, effort, &mut table).map(|()| (systems, target, table))
    })
    .await??;
    for system in systems {
        system.stop().await?;
    }
    drop(target);
    Ok(table.markdown())
}

/// Reads the sizes of the fleets.
fn sizes(texts: &[String]) -> anyhow::Result<Vec<usize>> {
    let given = texts.iter().filter(|size| !size.is_empty());
    given
        .map(|size| {
            size.parse()
                .with_context(|| format!("'{size}' is no number of agents"))
        })
        .collect()
}

/// Measures fleets of simulated agents; returns the table.
async fn fleets(sizes: &[usize], at_once: usize) -> anyhow::Result<String> {
    let mut table = table("simulated agents, all in one process", sizes);
    fleet::run(sizes, at_once, &mut table).await?;
    Ok(table.markdown())
}

/// Measures orders to fleets of simulated agents; returns the table.
async fn orders(sizes: &[usize], at_once: usize) -> anyhow::Result<String> {
    let mut table = table("one order to all of a fleet", sizes);
    jobs::run(sizes, at_once, &mut table).await?;
    Ok(table.markdown())
}

/// An empty table with a column for each size.
fn table(title: &str, sizes: &[usize]) -> Table {
    let columns: Vec<String> = sizes.iter().map(|size| format!("{size} agents")).collect();
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    Table::new(title, &columns)
}

#[expect(clippy::print_stdout, reason = "the parent process waits for the word")]
async fn agents(server: String, auth: &str, count: usize, at_once: usize) -> anyhow::Result<()> {
    let (id, password) = auth.split_once(':').context("--auth is not id:password")?;
    let fleet = Fleet {
        server,
        auth: (id.to_owned(), password.to_owned()),
        count,
        at_once,
        prefix: "simulated-".to_owned(),
    };
    let simulator = Simulator::connect(&fleet).await?;
    println!("{}", fleet::ACCEPTED);
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    anyhow::ensure!(
        simulator.alive() == count,
        "{} of {count} links are up",
        simulator.alive()
    );
    Ok(())
}

/// One line about the machine.
fn machine() -> String {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let cpus = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let info = read("/proc/cpuinfo");
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown processor", |(_, name)| name);
    format!(
        "Machine: {cpus} processors ({model}), Linux {}",
        read("/proc/sys/kernel/osrelease")
    )
}
