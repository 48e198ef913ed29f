//! Finding the programs under test.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use anyhow::{Context, bail};

/// Where the programs under test are.
#[derive(Debug, Clone)]
pub struct Binaries {
    /// The server.
    pub rportd: PathBuf,
    /// The agent.
    pub rport: PathBuf,
    /// The operator's command line.
    pub rportcli: PathBuf,
}

/// Finds the programs beside the running test or benchmark.
///
/// `cargo test -p rport-testkit` does not build the programs of other packages, so the first call in a test builds
/// them (a moment when they are fresh). `RPORT_BIN_DIR` names a directory to take them from instead, as `make test` does.
///
/// # Panics
///
/// When they are not there and cannot be built: no test that asks for them could go on.
pub fn binaries() -> &'static Binaries {
    static FOUND: OnceLock<Binaries> = OnceLock::new();
    FOUND.get_or_init(|| match find() {
        Ok(found) => found,
        Err(error) => panic!("no programs to test: {error:#}"),
    })
}

fn find() -> anyhow::Result<Binaries> {
    if let Some(dir) = std::env::var_os("RPORT_BIN_DIR") {
        return inside(Path::new(&dir));
    }
    let exe = std::env::current_exe()?;
    let dir = exe.parent().context("the test program has no directory")?;
    // Test programs live in target/<profile>/deps, benchmarks in target/<profile>.
    if dir.ends_with("deps") {
        let profile = dir.parent().context("no directory above deps")?;
        build(profile)?;
        return inside(profile);
    }
    inside(dir)
}

fn inside(dir: &Path) -> anyhow::Result<Binaries> {
    let found = Binaries {
        rportd: dir.join("rportd"),
        rport: dir.join("rport"),
        rportcli: dir.join("rportcli"),
    };
    for path in [&found.rportd, &found.rport, &found.rportcli] {
        if !path.is_file() {
            bail!(
                "{} is missing; build it with `cargo build -p rportd -p rport-agent -p rport-cli`",
                path.display()
            );
        }
    }
    Ok(found)
}

fn build(profile_dir: &Path) -> anyhow::Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args([
        "build",
        "--quiet",
        "-p",
        "rportd",
        "-p",
        "rport-agent",
        "-p",
        "rport-cli",
        "--bins",
    ]);
    if profile_dir.ends_with("release") {
        command.arg("--release");
    }
    if let Some(target_dir) = profile_dir.parent() {
        command.env("CARGO_TARGET_DIR", target_dir);
    }
    let status = command.status().context("cannot start cargo")?;
    if !status.success() {
        bail!("cargo build ended with {status}");
    }
    Ok(())
}
