//! Who started us.

use std::{fs, path::Path};

use rustix::process::{Pid, getppid};

/// Whether an init system started this process: its parent is process 1 or is called `systemd`, and the machine is no
/// docker or lxc container by the look of `/proc/1/cgroup`.
///
/// Source: reference `config.md` 5.2; the agent's defaults for `use_system_id` and `use_hostname` depend on it.
pub fn started_by_init() -> bool {
    let Some(parent) = getppid() else { return false };
    let name = fs::read_to_string(format!("/proc/{}/comm", parent.as_raw_nonzero())).unwrap_or_default();
    let cgroup = fs::read_to_string("/proc/1/cgroup").unwrap_or_default();
    judge(parent == Pid::INIT, name.trim(), &cgroup)
}

fn judge(parent_is_init: bool, parent_name: &str, cgroup_of_init: &str) -> bool {
    let container = cgroup_of_init
        .lines()
        .take(3)
        .any(|line| line.contains("docker") || line.contains("lxc"));
    !container && (parent_is_init || parent_name == "systemd")
}

/// What runs this machine instead of systemd, by the traces it leaves.
pub(super) fn init_system() -> &'static str {
    let traces = [
        ("/run/openrc", "OpenRC"),
        ("/sbin/launchd", "launchd"),
        ("/etc/init", "Upstart"),
        ("/etc/init.d", "SysV init"),
    ];
    let found = traces.iter().find(|(path, _)| Path::new(path).exists());
    found.map_or("none that is known", |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_have_an_init_parent_outside_containers() {
        for (init, name, cgroup, expected) in [
            (true, "init", "0::/init.scope\n", true),
            (false, "systemd", "", true),
            (false, "bash", "", false),
            (true, "sh", "12:cpu:/docker/abc\n", false),
            (true, "sh", "12:cpu:/lxc/abc\n", false),
            (true, "sh", "0::/\n", true),
        ] {
            assert_eq!(judge(init, name, cgroup), expected, "{init} {name} {cgroup}");
        }
    }

    #[test]
    fn tests_are_no_service_and_looking_does_not_fail() {
        started_by_init();
        assert!(!init_system().is_empty());
    }
}
