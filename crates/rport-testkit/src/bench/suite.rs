//! The tunnel suite: throughput, latency, new connections, for each system in turn.

use std::time::Duration;

use super::{
    load::{self, Direction, Throughput},
    proc,
    report::Table,
    system::System,
    target::Target,
};

/// Before each measurement the machine gets at most this long to calm down.
const QUIET_LIMIT: Duration = Duration::from_secs(6);

/// How much to measure.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// How often each system is measured.
    pub rounds: u32,
    /// How long each measurement takes.
    pub duration: Duration,
}

/// Measures all systems and fills the table.
///
/// # Errors
///
/// When a tunnel breaks while it is measured.
pub fn run(systems: &[System], target: &Target, effort: Effort, table: &mut Table) -> anyhow::Result<()> {
    for _ in 0..effort.rounds {
        for streams in [1, 8] {
            for direction in [Direction::Up, Direction::Down] {
                for system in systems {
                    measure_throughput(system, target, direction, streams, effort.duration, table)?;
                }
            }
        }
        for system in systems {
            measure_latency(system, effort.duration, table)?;
        }
        for at_once in [1, 32] {
            for system in systems {
                measure_connections(system, at_once, effort.duration, table)?;
            }
        }
    }
    Ok(())
}

/// Runs a measurement and returns it with the CPU seconds that the system used meanwhile.
fn with_cpu<T>(system: &System, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<(T, f64)> {
    proc::wait_quiet(QUIET_LIMIT)?;
    let pids = system.pids();
    let before = proc::cpu_of_all(&pids)?;
    let result = work()?;
    Ok((
        result,
        (proc::cpu_of_all(&pids)?.saturating_sub(before)).as_secs_f64(),
    ))
}

fn measure_throughput(
    system: &System,
    target: &Target,
    direction: Direction,
    streams: usize,
    duration: Duration,
    table: &mut Table,
) -> anyhow::Result<()> {
    let way = match direction {
        Direction::Up => "to the agent's side",
        Direction::Down => "from the agent's side",
    };
    let plural = if streams == 1 { "stream" } else { "streams" };
    let metric = format!("{streams} {plural} {way}");
    let (
        Throughput {
            megabytes_per_second,
            bytes,
        },
        cpu,
    ) = with_cpu(system, || {
        load::throughput(system.visitors, target, direction, streams, duration)
    })?;
    table.add(&metric, "MB/s", system.name, megabytes_per_second);
    if !system.pids().is_empty() {
        let metric = format!("{metric}: CPU, server + agent");
        table.add(&metric, "s/GB", system.name, cpu / (bytes as f64 / 1e9));
    }
    Ok(())
}

fn measure_latency(system: &System, duration: Duration, table: &mut Table) -> anyhow::Result<()> {
    let (alone, cpu) = with_cpu(system, || load::ping_pong(system.visitors, duration))?;
    table.add("round trip p50", "µs", system.name, alone.p50);
    table.add("round trip p99", "µs", system.name, alone.p99);
    if !system.pids().is_empty() {
        let per_trip = cpu * 1e6 / alone.count as f64;
        table.add("CPU per round trip, server + agent", "µs", system.name, per_trip);
    }
    let ((beside, bulk), _) = with_cpu(system, || load::ping_beside_bulk(system.visitors, duration))?;
    table.add(
        "round trip p50 beside one bulk download",
        "µs",
        system.name,
        beside.p50,
    );
    table.add(
        "round trip p99 beside one bulk download",
        "µs",
        system.name,
        beside.p99,
    );
    table.add(
        "that bulk download",
        "MB/s",
        system.name,
        bulk.megabytes_per_second,
    );
    Ok(())
}

fn measure_connections(
    system: &System,
    at_once: usize,
    duration: Duration,
    table: &mut Table,
) -> anyhow::Result<()> {
    let (times, cpu) = with_cpu(system, || load::connections(system.visitors, at_once, duration))?;
    let name = format!("new connections, {at_once} at a time");
    table.add(&name, "1/s", system.name, times.per_second);
    table.add(&format!("{name}: p50"), "µs", system.name, times.p50);
    table.add(&format!("{name}: p99"), "µs", system.name, times.p99);
    if !system.pids().is_empty() {
        let metric = format!("{name}: CPU, server + agent");
        table.add(&metric, "µs", system.name, cpu * 1e6 / times.count as f64);
    }
    Ok(())
}
