//! Kernel and architecture.

/// Returns the line `uname -a` prints.
#[cfg(unix)]
pub(super) fn line() -> String {
    let name = rustix::system::uname();
    let mut words: Vec<String> = [
        name.sysname(),
        name.nodename(),
        name.release(),
        name.version(),
        name.machine(),
    ]
    .into_iter()
    .map(|part| part.to_string_lossy().into_owned())
    .filter(|part| !part.is_empty())
    .collect();
    if cfg!(target_os = "linux") {
        words.push("GNU/Linux".to_owned());
    }
    words.join(" ")
}

/// Returns the name of the system; there is no `uname` to ask.
#[cfg(not(unix))]
pub(super) fn line() -> String {
    kernel().to_owned()
}

/// Returns the kernel's name in Go's words (`GOOS`).
pub(super) fn kernel() -> &'static str {
    match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    }
}

/// Returns the architecture in Go's words (`GOARCH`).
pub(super) fn go_arch() -> &'static str {
    let little = cfg!(target_endian = "little");
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "x86" => "386",
        "aarch64" => "arm64",
        "powerpc64" if little => "ppc64le",
        "powerpc64" => "ppc64",
        "mips" if little => "mipsle",
        "mips64" if little => "mips64le",
        "loongarch64" => "loong64",
        other => other,
    }
}
