//! Whether the machine is a guest, and of what.
//!
//! The Go agent looks for the names of virtual devices' drivers in `/proc/bus/pci/devices` and for two Hyper-V
//! devices (`client/system/virt_info_provider.go`, `system_info_nix.go`). The same is done here first, so that a
//! machine does not change its answer with its agent. Machines it calls unknown get a second look at the vendor
//! strings of the firmware.

use super::files::SystemFiles;

const DRIVERS: &[(&str, &str)] = &[
    ("hyperv_fb", "HYPERV"),
    ("vmwgfx", "VMWARE"),
    ("virtio-pci", "KVM"),
    ("xen-platform-pci", "XEN"),
];

/// Beginnings of firmware strings and what they stand for.
const VENDORS: &[(&str, &str)] = &[
    ("vmware", "VMWARE"),
    ("virtual machine", "HYPERV"),
    ("qemu", "KVM"),
    ("kvm", "KVM"),
    ("amazon ec2", "KVM"),
    ("google", "KVM"),
    ("openstack", "KVM"),
    ("hetzner", "KVM"),
    ("digitalocean", "KVM"),
    ("xen", "XEN"),
    ("hvm domu", "XEN"),
    ("virtualbox", "VBOX"),
    ("parallels", "PARALLELS"),
];

/// Returns system (upper case) and role (lower case).
pub(super) fn read(files: &SystemFiles) -> (String, String) {
    if files.exists("dev/vmbus/hv_kvp") || files.exists("dev/vmbus/hv_vss") {
        return guest("HYPERV");
    }
    let devices = files.read("proc/bus/pci/devices");
    if let Some(system) = devices.as_deref().and_then(from_drivers) {
        return guest(system);
    }
    let firmware = [
        "sys/class/dmi/id/product_name",
        "sys/class/dmi/id/sys_vendor",
        "sys/hypervisor/type",
    ]
    .into_iter()
    .filter_map(|path| files.read(path))
    .find_map(|text| from_vendor(&text));
    match (firmware, devices) {
        (Some(system), _) => guest(system),
        (None, Some(_)) => ("UNKNOWN".to_owned(), "unknown".to_owned()),
        // Without a PCI bus there is nothing to judge by; the Go agent then sends two empty strings.
        (None, None) => (String::new(), String::new()),
    }
}

pub(super) fn from_drivers(devices: &str) -> Option<&'static str> {
    DRIVERS
        .iter()
        .find(|(driver, _)| devices.contains(driver))
        .map(|(_, system)| *system)
}

pub(super) fn from_vendor(text: &str) -> Option<&'static str> {
    let text = text.trim().to_lowercase();
    VENDORS
        .iter()
        .find(|(vendor, _)| text.starts_with(vendor))
        .map(|(_, system)| *system)
}

fn guest(system: &str) -> (String, String) {
    (system.to_owned(), "guest".to_owned())
}
