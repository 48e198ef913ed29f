//! Network namespaces: machines behind a router, on one machine. Needs root.

use std::{
    fs::File,
    os::fd::AsFd,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

use anyhow::{Context, anyhow, bail};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// Runs a program to its end.
///
/// # Errors
///
/// When it fails; the error holds what it wrote.
pub fn run(line: &str) -> anyhow::Result<()> {
    let mut words = line.split_whitespace();
    let program = words.next().context("an empty command")?;
    let output = Command::new(program)
        .args(words)
        .output()
        .with_context(|| line.to_owned())?;
    if !output.status.success() {
        bail!("`{line}`: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// A network namespace; removed, with all its interfaces, when dropped.
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes one whose loopback interface is up.
    ///
    /// # Errors
    ///
    /// When the user may not.
    pub fn new(role: &str) -> anyhow::Result<Self> {
        let name = format!(
            "rport-{}-{}-{role}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        run(&format!("ip netns add {name}"))?;
        let namespace = Self { name };
        namespace.run("ip link set lo up")?;
        Ok(namespace)
    }

    /// Its name, as `ip netns exec` wants it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs a program inside.
    ///
    /// # Errors
    ///
    /// When it fails.
    pub fn run(&self, line: &str) -> anyhow::Result<()> {
        run(&format!("ip netns exec {} {line}", self.name))
    }

    /// Does some work on a thread that is inside, such as binding a socket, which then stays there.
    ///
    /// # Errors
    ///
    /// When the namespace cannot be entered.
    pub fn enter<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> anyhow::Result<T> {
        let file = File::open(format!("/var/run/netns/{}", self.name))?;
        // The thread ends afterwards, so nothing else of this process is ever inside.
        thread::spawn(move || {
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))?;
            anyhow::Ok(work())
        })
        .join()
        .map_err(|_| anyhow!("the work inside {} panicked", self.name))?
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // What is left of a failed test goes away with the machine.
        let _ = run(&format!("ip netns del {}", self.name));
    }
}

/// A machine behind a router that translates addresses, and this machine outside:
///
/// ```text
/// inside 10.77.N.2 ── 10.77.N.1 router 10.78.N.2 ── 10.78.N.1 this machine
/// ```
///
/// From outside there is no way in: this machine has no route to the inside, and the router forwards only what
/// belongs to connections made from there.
pub struct BehindNat {
    /// The machine behind the router.
    pub inside: Namespace,
    /// The router.
    pub router: Namespace,
    net: u32,
}

impl BehindNat {
    /// Builds it.
    ///
    /// # Errors
    ///
    /// When the user may not, or a needed program is missing.
    pub fn new() -> anyhow::Result<Self> {
        let (inside, router) = (Namespace::new("inside")?, Namespace::new("router")?);
        let net = std::process::id() % 250 + 1;
        let (i, r) = (inside.name(), router.name());
        run(&format!(
            "ip link add name uplink netns {i} type veth peer name lan netns {r}"
        ))?;
        inside.run(&format!("ip addr add 10.77.{net}.2/24 dev uplink"))?;
        inside.run("ip link set uplink up")?;
        inside.run(&format!("ip route add default via 10.77.{net}.1"))?;
        router.run(&format!("ip addr add 10.77.{net}.1/24 dev lan"))?;
        router.run("ip link set lan up")?;
        run(&format!(
            "ip link add name rpt{net} type veth peer name wan netns {r}"
        ))?;
        run(&format!("ip addr add 10.78.{net}.1/24 dev rpt{net}"))?;
        run(&format!("ip link set rpt{net} up"))?;
        router.run(&format!("ip addr add 10.78.{net}.2/24 dev wan"))?;
        router.run("ip link set wan up")?;
        router.run("sysctl -q -w net.ipv4.ip_forward=1")?;
        router.run("iptables -P FORWARD DROP")?;
        router.run("iptables -A FORWARD -i lan -j ACCEPT")?;
        router.run("iptables -A FORWARD -m conntrack --ctstate ESTABLISHED -j ACCEPT")?;
        router.run("iptables -t nat -A POSTROUTING -o wan -j MASQUERADE")?;
        Ok(Self { inside, router, net })
    }

    /// This machine's address towards the router.
    pub fn outside(&self) -> [u8; 4] {
        [10, 78, self.net_byte(), 1]
    }

    /// The router's address, which is what the outside sees of the inside.
    pub fn public(&self) -> [u8; 4] {
        [10, 78, self.net_byte(), 2]
    }

    /// Gives the router another public address, as a provider does at night. Running connections hear nothing.
    ///
    /// # Errors
    ///
    /// When the router refuses.
    pub fn renumber(&self) -> anyhow::Result<[u8; 4]> {
        let net = self.net;
        self.router
            .run(&format!("ip addr del 10.78.{net}.2/24 dev wan"))?;
        self.router
            .run(&format!("ip addr add 10.78.{net}.3/24 dev wan"))?;
        Ok([10, 78, self.net_byte(), 3])
    }

    fn net_byte(&self) -> u8 {
        u8::try_from(self.net).unwrap_or_default()
    }
}
