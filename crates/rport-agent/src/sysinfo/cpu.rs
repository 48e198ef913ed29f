//! Processor and memory, from `/proc/cpuinfo` and `/proc/meminfo`.

use super::UNKNOWN;
use super::files::SystemFiles;

/// The first processor, and how many there are.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cpu {
    pub(super) family: String,
    pub(super) model: String,
    pub(super) model_name: String,
    pub(super) vendor: String,
    pub(super) count: usize,
}

/// Names of the companies behind the `CPU implementer` codes of ARM processors.
/// Source: the implementer table of the Arm Architecture Reference Manual (`MIDR_EL1`).
const ARM_IMPLEMENTERS: &[(&str, &str)] = &[
    ("0x41", "ARM"),
    ("0x42", "Broadcom"),
    ("0x43", "Cavium"),
    ("0x46", "Fujitsu"),
    ("0x48", "HiSilicon"),
    ("0x4e", "NVIDIA"),
    ("0x50", "APM"),
    ("0x51", "Qualcomm"),
    ("0x53", "Samsung"),
    ("0x56", "Marvell"),
    ("0x61", "Apple"),
    ("0x69", "Intel"),
    ("0xc0", "Ampere"),
];

pub(super) fn read(files: &SystemFiles) -> Cpu {
    parse(&files.read("proc/cpuinfo").unwrap_or_default())
}

pub(super) fn parse(cpuinfo: &str) -> Cpu {
    let mut family = None;
    let mut model = None;
    let mut model_name = None;
    let mut vendor = None;
    let mut count = 0;
    for line in cpuinfo.lines() {
        let Some((key, value)) = line.split_once(':') else {
            continue;
        };
        let value = value.trim();
        // Only the first processor that mentions a fact counts; later ones repeat it.
        let slot = match key.trim() {
            "processor" => {
                count += 1;
                continue;
            }
            "vendor_id" => &mut vendor,
            "CPU implementer" => {
                let name = ARM_IMPLEMENTERS.iter().find(|(code, _)| *code == value);
                vendor.get_or_insert_with(|| name.map_or(value, |(_, name)| name).to_owned());
                continue;
            }
            "cpu family" | "CPU architecture" => &mut family,
            "model" | "CPU part" => &mut model,
            "model name" | "cpu" => &mut model_name,
            _ => continue,
        };
        if !value.is_empty() {
            slot.get_or_insert_with(|| value.to_owned());
        }
    }
    if count == 0 {
        count = std::thread::available_parallelism().map_or(1, usize::from);
    }
    let or_unknown = |value: Option<String>| value.unwrap_or_else(|| UNKNOWN.to_owned());
    Cpu {
        family: or_unknown(family),
        model: or_unknown(model),
        model_name: or_unknown(model_name),
        vendor: or_unknown(vendor),
        count,
    }
}

/// Returns the main memory in bytes.
pub(super) fn memory_total(meminfo: &str) -> Option<u64> {
    let rest = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = rest.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}
