use std::fs;

use chrono::{DateTime, FixedOffset};
use proptest::prelude::*;

use super::*;

/// Lays out files below a temporary root.
fn tree(files: &[(&str, &[u8])]) -> (tempfile::TempDir, SystemFiles) {
    let dir = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let files = SystemFiles::below(dir.path());
    (dir, files)
}

#[test]
fn distributions_are_named_as_the_go_agent_names_them() {
    #[track_caller]
    fn check(os_release: &str, full_name: &str, family: &str) {
        let release = os_release::parse(os_release);
        assert_eq!(
            (release.full_name().as_str(), release.family.as_str()),
            (full_name, family)
        );
    }
    check(
        "ID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"24.04\"\n",
        "Ubuntu 24.04",
        "debian",
    );
    check(
        "ID=\"rhel\"\nID_LIKE=\"fedora\"\nVERSION_ID=\"9.4\"",
        "Redhat 9.4",
        "rhel",
    );
    check(
        "ID='rocky'\nVERSION_ID=9.3\nID_LIKE='rhel centos fedora'",
        "Rocky 9.3",
        "rhel",
    );
    check(
        "ID=\"opensuse-leap\"\nVERSION_ID=\"15.6\"\n",
        "Opensuse-Leap 15.6",
        "suse",
    );
    check("ID=alpine\nVERSION_ID=3.20.1\n", "Alpine 3.20.1", "alpine");
    check("ID=arch\nBUILD_ID=rolling\n", "Arch unknown", "arch");
    check(
        "ID=mylinux\nID_LIKE=\"debian\"\nVERSION_ID=\"1\\\"2\"\n",
        "Mylinux 1\"2",
        "debian",
    );
    check("", "Linux unknown", "linux");
}

#[test]
fn debian_point_release_comes_from_its_own_file() {
    let release = b"ID=debian\nVERSION_ID=\"12\"\n".as_slice();
    for (debian_version, expected) in [(b"12.11\n".as_slice(), "12.11"), (b"trixie/sid\n", "12")] {
        let (_dir, files) = tree(&[
            ("etc/os-release", release),
            ("etc/debian_version", debian_version),
        ]);
        assert_eq!(os_release::read(&files).version, expected);
    }
}

const X86: &str = "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 17\n\
    model name\t: AMD EPYC\nflags\t\t: fpu hypervisor\n\nprocessor\t: 1\nvendor_id\t: Other\n";
const ARM: &str = "processor\t: 0\nBogoMIPS\t: 50.00\nCPU implementer\t: 0x41\nCPU architecture: 8\n\
    CPU variant\t: 0x3\nCPU part\t: 0xd0c\n\nprocessor\t: 1\n\nprocessor\t: 2\n";

#[test]
fn the_first_processor_is_described_and_all_are_counted() {
    let cpu = cpu::parse(X86);
    assert_eq!(
        [&cpu.family, &cpu.model, &cpu.model_name, &cpu.vendor],
        ["25", "17", "AMD EPYC", "AuthenticAMD"]
    );
    assert_eq!(cpu.count, 2);
    let cpu = cpu::parse(ARM);
    assert_eq!(
        [&cpu.family, &cpu.model, &cpu.model_name, &cpu.vendor],
        ["8", "0xd0c", "unknown", "ARM"]
    );
    assert_eq!(cpu.count, 3);
    assert!(cpu::parse("").count >= 1);
}

#[test]
fn memory_is_reported_in_bytes() {
    let text = "MemFree:  12 kB\nMemTotal:       24684096 kB\n";
    assert_eq!(cpu::memory_total(text), Some(25_276_514_304));
    assert_eq!(cpu::memory_total("MemTotal: many kB"), None);
    assert_eq!(cpu::memory_total(""), None);
}

#[test]
fn machine_id_prefers_the_file_of_dbus() {
    let (_dir, files) = tree(&[
        ("var/lib/dbus/machine-id", b"aaaa\n"),
        ("etc/machine-id", b"bbbb\n"),
    ]);
    assert_eq!(machine_id(&files).unwrap(), "aaaa");
    let (_dir, files) = tree(&[("var/lib/dbus/machine-id", b"\n"), ("etc/machine-id", b"bbbb\n")]);
    assert_eq!(machine_id(&files).unwrap(), "bbbb");
    let (_dir, files) = tree(&[("etc/machine-id", b"uninitialized\n")]);
    assert_eq!(machine_id(&files), Err(MachineIdError::Missing));
}

#[test]
fn guests_are_recognised() {
    #[track_caller]
    fn check(files: &[(&str, &[u8])], system: &str, role: &str) {
        let (_dir, files) = tree(files);
        assert_eq!(virtualization::read(&files), (system.to_owned(), role.to_owned()));
    }
    check(&[], "", "");
    check(&[("dev/vmbus/hv_kvp", b"")], "HYPERV", "guest");
    check(
        &[("proc/bus/pci/devices", b"0008\t80867000\t0\tvirtio-pci\n")],
        "KVM",
        "guest",
    );
    check(
        &[("proc/bus/pci/devices", b"0000\t80861237\tahci\n")],
        "UNKNOWN",
        "unknown",
    );
    check(
        &[
            ("proc/bus/pci/devices", b"0000\t80861237\tahci\n"),
            ("sys/class/dmi/id/sys_vendor", b"VMware, Inc.\n"),
        ],
        "VMWARE",
        "guest",
    );
    check(&[("sys/hypervisor/type", b"xen\n")], "XEN", "guest");
}

#[test]
fn zone_names_follow_the_offset() {
    #[track_caller]
    fn check(rule: &str, offset: i32, expected: Option<&str>) {
        assert_eq!(timezone::abbreviation(rule, offset).as_deref(), expected);
    }
    check("CET-1CEST,M3.5.0,M10.5.0/3", 3600, Some("CET"));
    check("CET-1CEST,M3.5.0,M10.5.0/3", 7200, Some("CEST"));
    check("UTC0", 0, Some("UTC"));
    check("<-03>3", -10800, Some("-03"));
    check("IST-5:30", 19800, Some("IST"));
    check("NZST-12NZDT,M9.5.0,M4.1.0/3", 46800, Some("NZDT"));
    check("UTC0", 3600, None);
    check("", 0, None);
}

#[test]
fn the_zone_is_described_even_without_a_zone_file() {
    let at = |text: &str| DateTime::<FixedOffset>::parse_from_rfc3339(text).unwrap();
    let zone: &[u8] = b"TZif2\0\0binary\nCET-1CEST,M3.5.0,M10.5.0/3\n";
    let (_dir, files) = tree(&[("etc/localtime", zone)]);
    // The zone variable of whoever runs the tests would lead elsewhere.
    if std::env::var_os("TZ").is_none() {
        assert_eq!(
            timezone::describe(&files, &at("2026-01-02T03:04:05+01:00")),
            "CET (UTC+01:00)"
        );
        assert_eq!(
            timezone::describe(&files, &at("2026-07-02T03:04:05+02:00")),
            "CEST (UTC+02:00)"
        );
        let (_dir, files) = tree(&[]);
        assert_eq!(
            timezone::describe(&files, &at("2026-01-02T03:04:05Z")),
            "UTC (UTC+00:00)"
        );
        assert_eq!(
            timezone::describe(&files, &at("2026-01-02T03:04:05-09:30")),
            "-0930 (UTC-09:30)"
        );
    }
}

#[test]
fn loopback_addresses_stay_home() {
    let addresses = ["127.0.0.1", "192.0.2.7", "::1", "fe80::1", "2001:db8::7"];
    let (v4, v6) = addresses::split(addresses.iter().map(|text| text.parse().unwrap()));
    assert_eq!(v4, ["192.0.2.7"]);
    assert_eq!(v6, ["fe80::1", "2001:db8::7"]);
}

#[test]
fn collecting_on_a_bare_system_gives_unknowns() {
    let (_dir, files) = tree(&[]);
    let now = DateTime::<FixedOffset>::parse_from_rfc3339("2026-01-02T03:04:05Z").unwrap();
    let info = SystemInfo::collect(&files, &now);
    assert_eq!(info.os_version, UNKNOWN);
    assert_eq!(info.cpu_vendor, UNKNOWN);
    assert_eq!(info.memory_total, 0);
    assert!(info.num_cpus >= 1);
    assert!(!info.hostname.is_empty());
    assert!(!info.os.is_empty());
}

proptest! {
    #[test]
    fn no_text_upsets_a_parser(text in any::<String>(), offset in -50_000_i32..50_000, bytes: Vec<u8>) {
        let _ = os_release::parse(&text).full_name();
        let _ = cpu::parse(&text);
        let _ = cpu::memory_total(&text);
        let _ = timezone::abbreviation(&text, offset);
        let _ = virtualization::from_vendor(&text);
        let (_dir, files) = tree(&[("etc/localtime", &bytes)]);
        let now = DateTime::from_timestamp(0, 0).unwrap().fixed_offset();
        let _ = timezone::describe(&files, &now);
    }
}
