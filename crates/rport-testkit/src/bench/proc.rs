//! Reading /proc: what a process used and holds.

use std::time::{Duration, Instant};

use anyhow::Context;

/// Linux reports process times in hundredths of a second, whatever the kernel's own tick is.
const TICK: Duration = Duration::from_millis(10);

/// CPU time, user and system, that a process has used.
///
/// # Errors
///
/// When the process is gone.
pub fn cpu(pid: u32) -> anyhow::Result<Duration> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name, in parentheses, may hold blanks; what follows it is fields 3 and up.
    let fields: Vec<&str> = text
        .rsplit_once(')')
        .context("an odd stat file")?
        .1
        .split_whitespace()
        .collect();
    let ticks =
        |field: usize| -> anyhow::Result<u32> { Ok(fields.get(field).context("short stat")?.parse()?) };
    Ok(TICK * (ticks(11)? + ticks(12)?))
}

/// CPU time of several processes together.
///
/// # Errors
///
/// When one of them is gone.
pub fn cpu_of_all(pids: &[u32]) -> anyhow::Result<Duration> {
    pids.iter().map(|&pid| cpu(pid)).sum()
}

/// Memory of a process.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// Resident bytes.
    pub resident: u64,
    /// Resident bytes that are the process's own, not mapped files.
    pub own: u64,
}

/// Memory that a process holds.
///
/// # Errors
///
/// When the process is gone.
pub fn memory(pid: u32) -> anyhow::Result<Memory> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kilobytes = |key: &str| -> anyhow::Result<u64> {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(key))
            .with_context(|| format!("no {key}"))?;
        Ok(line
            .trim_start_matches(':')
            .trim()
            .trim_end_matches(" kB")
            .trim()
            .parse::<u64>()?
            * 1024)
    };
    Ok(Memory {
        resident: kilobytes("VmRSS")?,
        own: kilobytes("RssAnon")?,
    })
}

/// CPU time that the whole machine has spent on work.
///
/// # Errors
///
/// When /proc cannot be read.
pub fn machine_busy() -> anyhow::Result<Duration> {
    let text = std::fs::read_to_string("/proc/stat")?;
    let line = text.lines().next().context("an empty /proc/stat")?;
    let fields: Vec<u64> = line
        .split_whitespace()
        .skip(1)
        .filter_map(|field| field.parse().ok())
        .collect();
    // user nice system idle iowait irq softirq steal
    let busy: u64 = [0, 1, 2, 5, 6].iter().filter_map(|&at| fields.get(at)).sum();
    Ok(Duration::from_millis(busy * 10))
}

/// Waits until the machine is nearly idle, for at most `limit`: the compile that started a benchmark, or the start
/// of a system under test, would otherwise be part of the figures.
///
/// # Errors
///
/// When /proc cannot be read.
pub fn wait_quiet(limit: Duration) -> anyhow::Result<()> {
    const LOOK: Duration = Duration::from_millis(300);
    let end = Instant::now() + limit;
    loop {
        let before = machine_busy()?;
        std::thread::sleep(LOOK);
        let used = machine_busy()?.saturating_sub(before);
        if used < LOOK.mul_f64(0.15) || Instant::now() > end {
            return Ok(());
        }
    }
}
