//! Peers that mean harm, or no good at least, at the agents' port, at the API, and as a server.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use rport_testkit::{
    bench::proc,
    eventually,
    pair::{CONNECT_LIMIT, Pair},
    process::{AgentConfig, AgentProcess, ServerProcess},
    raw, visitor,
};
use rport_transport::ws::accept_key;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// By then the server has closed whatever did not log in.
const DEADLINE: Duration = Duration::from_secs(45);
const SILENT: usize = 200;
/// What allocators keep of a burst.
const MEMORY_SLACK: u64 = 24 * 1024 * 1024;

/// Waits until the server's memory is about what it was.
async fn memory_returns(server: &ServerProcess, before: u64) {
    let pid = server.child.pid().expect("the server runs");
    eventually(
        "the server's memory to return to where it was",
        Duration::from_secs(20),
        || async {
            let now = proc::memory(pid).ok()?.own;
            (now < before + MEMORY_SLACK).then_some(())
        },
    )
    .await;
}

fn memory(server: &ServerProcess) -> anyhow::Result<u64> {
    Ok(proc::memory(server.child.pid().expect("the server runs"))?.own)
}

/// Sends a request head byte by byte, until the server has enough.
async fn slow_head(server: SocketAddr) -> anyhow::Result<()> {
    let mut socket = TcpStream::connect(server).await?;
    let head = format!(
        "GET / HTTP/1.1\r\nHost: server\r\nX-Padding: {}",
        "x".repeat(10_000)
    );
    for byte in head.bytes() {
        if socket.write_all(&[byte]).await.is_err() {
            return Ok(());
        }
        // Whatever the server has to say, or its goodbye, ends it; silence means the next byte.
        let read = tokio::time::timeout(Duration::from_millis(200), socket.read(&mut [0; 512])).await;
        if read.is_ok_and(|read| !matches!(read, Ok(n) if n > 0)) {
            return Ok(());
        }
    }
    anyhow::bail!("the server listens to a head of {} bytes, one by one", head.len())
}

#[tokio::test]
async fn silent_and_slow_connections_keep_nobody_out() -> anyhow::Result<()> {
    let server = ServerProcess::start().await?;
    let before = memory(&server)?;
    let mut silent = Vec::new();
    for _ in 0..SILENT {
        silent.push(TcpStream::connect(server.config.agents).await?);
    }
    let mut after_upgrade = Vec::new();
    for _ in 0..SILENT {
        after_upgrade.push(raw::upgraded(server.config.agents).await?);
    }
    let address = server.config.agents;
    let mut slow: JoinSet<_> = (0..SILENT).map(|_| slow_head(address)).collect();

    let start = Instant::now();
    let _agent = AgentProcess::start(AgentConfig::new("punctual", address))?;
    server.api().wait_connected("punctual", CONNECT_LIMIT).await;
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());

    for mut socket in silent.into_iter().chain(after_upgrade) {
        raw::until_closed(&mut socket, DEADLINE).await?;
    }
    while let Some(end) = slow.join_next().await {
        end??;
    }
    memory_returns(&server, before).await;
    Ok(())
}

#[tokio::test]
async fn silent_connections_do_not_close_the_api() -> anyhow::Result<()> {
    let server = ServerProcess::start().await?;
    let mut silent = Vec::new();
    for _ in 0..SILENT {
        silent.push(TcpStream::connect(server.config.api).await?);
    }
    let address = server.config.api;
    let mut slow: JoinSet<_> = (0..20).map(|_| slow_head(address)).collect();
    assert_eq!(server.api().get("/status").await?.status, 200);
    for mut socket in silent {
        raw::until_closed(&mut socket, DEADLINE).await?;
    }
    while let Some(end) = slow.join_next().await {
        end??;
    }
    Ok(())
}

/// What an attacker sends after the upgrade, by name.
fn after_upgrade() -> Vec<(&'static str, Vec<u8>)> {
    let version = raw::frame(raw::VERSION_LINE);
    let with_version = |payload: &[u8]| [version.clone(), raw::frame(payload)].concat();
    vec![
        ("bytes that are no frame", visitor::pattern(5_000)),
        (
            "a frame of 2^62 bytes",
            [&[0x82, 0xff][..], &(1_u64 << 62).to_be_bytes(), &[1, 2, 3, 4]].concat(),
        ),
        (
            "a frame of 4 GiB",
            [&[0x82, 0xff][..], &(1_u64 << 32).to_be_bytes(), &[1, 2, 3, 4]].concat(),
        ),
        (
            "a frame without a mask",
            vec![0x82, 0x05, b'h', b'e', b'l', b'l', b'o'],
        ),
        ("reserved bits", vec![0xf2, 0x80, 1, 2, 3, 4]),
        ("an unknown opcode", vec![0x87, 0x80, 1, 2, 3, 4]),
        ("a continuation of nothing", vec![0x80, 0x80, 1, 2, 3, 4]),
        (
            "a ping of 64 KiB",
            [&[0x89, 0xfe][..], &[0xff, 0xff], &[0; 4], &[0; 65_535]].concat(),
        ),
        ("an endless identification line", raw::frame(&vec![b'S'; 300_000])),
        ("no SSH", raw::frame(b"GET / HTTP/1.1\r\n\r\n")),
        ("a packet of 4 GiB", with_version(&[0xff; 64])),
        ("an empty packet", with_version(&[0; 64])),
        (
            "a packet of junk",
            with_version(&[&[0, 0, 0x01, 0xfc, 4, 20][..], &visitor::pattern(506)].concat()),
        ),
        ("a key exchange with endless lists", {
            let mut packet = vec![0, 0, 0x80, 0x00, 4, 20];
            packet.extend(std::iter::repeat_n(0xff, 0x8000 - 2));
            with_version(&packet)
        }),
        (
            "a login before the key exchange",
            with_version(&[0, 0, 0, 12, 4, 50, 0, 0, 0, 1, b'x', 0, 0, 0, 0, 0]),
        ),
    ]
}

#[tokio::test]
async fn garbage_at_every_step_harms_nobody() -> anyhow::Result<()> {
    let pair = Pair::start(&[]).await?;
    let address = pair.server.config.agents;
    let before = memory(&pair.server)?;
    let before_upgrade = [
        ("no HTTP", visitor::pattern(2_000)),
        (
            "an endless head",
            format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(2_000_000)).into_bytes(),
        ),
        (
            "endless headers",
            format!("GET / HTTP/1.1\r\n{}", "A: b\r\n".repeat(200_000)).into_bytes(),
        ),
        (
            "a huge body",
            [
                b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n",
                &[b'x'; 1_000_000][..],
            ]
            .concat(),
        ),
    ];
    let mut attacks = JoinSet::new();
    for (name, bytes) in before_upgrade {
        for _ in 0..10 {
            let bytes = bytes.clone();
            attacks
                .spawn(async move { (name, attack(TcpStream::connect(address).await?, &bytes).await).ok() });
        }
    }
    for (name, bytes) in after_upgrade() {
        for _ in 0..10 {
            let bytes = bytes.clone();
            attacks.spawn(async move { (name, attack(raw::upgraded(address).await?, &bytes).await).ok() });
        }
    }
    while let Some(end) = attacks.join_next().await {
        end??;
    }
    memory_returns(&pair.server, before).await;
    assert!(
        !pair.server.child.output().contains("panicked"),
        "the server panicked"
    );
    assert!(
        !pair.agent.child.output().contains("Connection error"),
        "an honest agent was disturbed"
    );
    assert_eq!(pair.api.connected().await?, 1);
    Ok(())
}

/// Sends all bytes, as far as the server takes them, and waits until it hangs up.
async fn attack(mut socket: TcpStream, bytes: &[u8]) -> anyhow::Result<()> {
    let (mut reader, mut writer) = socket.split();
    let mut sink = tokio::io::sink();
    // A server that has heard enough may reset the connection while we are still talking.
    let talk = async {
        let _ = writer.write_all(bytes).await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        _ = tokio::io::copy(&mut reader, &mut sink) => Ok(()),
        () = talk => Ok(()),
        () = tokio::time::sleep(DEADLINE) => anyhow::bail!("the server still listens after {DEADLINE:?}"),
    }
}

/// Gives a failed attack its name.
trait Named {
    fn ok(self) -> anyhow::Result<()>;
}

impl Named for (&'static str, anyhow::Result<()>) {
    fn ok(self) -> anyhow::Result<()> {
        self.1.map_err(|error| error.context(self.0))
    }
}

/// How a server treats an agent that dials it.
#[derive(Debug, Clone, Copy)]
enum Treatment {
    Silence,
    HangUp,
    NoHttp,
    NotFound,
    EndlessHead,
    SilentAfterUpgrade,
    JunkAfterUpgrade,
    HugeFrame,
    SilentAfterVersion,
    JunkAfterVersion,
}

const TREATMENTS: [Treatment; 10] = [
    Treatment::Silence,
    Treatment::HangUp,
    Treatment::NoHttp,
    Treatment::NotFound,
    Treatment::EndlessHead,
    Treatment::SilentAfterUpgrade,
    Treatment::JunkAfterUpgrade,
    Treatment::HugeFrame,
    Treatment::SilentAfterVersion,
    Treatment::JunkAfterVersion,
];

/// Treats one connection of an agent, and holds it until the agent has had enough.
async fn treat(mut socket: TcpStream, treatment: Treatment) -> anyhow::Result<()> {
    match treatment {
        Treatment::Silence => {}
        Treatment::HangUp => return Ok(()),
        Treatment::NoHttp => socket.write_all(&visitor::pattern(4_000)).await?,
        Treatment::NotFound => {
            socket
                .write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
                .await?
        }
        Treatment::EndlessHead => {
            socket.write_all(b"HTTP/1.1 101 Switching Protocols\r\n").await?;
            for _ in 0..200_000 {
                socket.write_all(b"X-Header: value\r\n").await?;
            }
        }
        _ => {
            accept_upgrade(&mut socket).await?;
            let junk = visitor::pattern(4_000);
            match treatment {
                Treatment::JunkAfterUpgrade => socket.write_all(&junk).await?,
                Treatment::HugeFrame => {
                    socket
                        .write_all(&[0x82, 0x7f, 0x3f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])
                        .await?;
                }
                Treatment::SilentAfterVersion => socket.write_all(b"\x82\x15SSH-rport-v1-server\r\n").await?,
                Treatment::JunkAfterVersion => {
                    socket
                        .write_all(b"\x82\x15SSH-rport-v1-server\r\n\x82\x7e\x0f\xa0")
                        .await?;
                    socket.write_all(&junk).await?;
                }
                _ => {}
            }
        }
    }
    raw::until_closed(&mut socket, Duration::from_secs(120)).await?;
    Ok(())
}

/// Answers an upgrade request the way any WebSocket server does.
async fn accept_upgrade(socket: &mut TcpStream) -> anyhow::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await?);
    }
    let head = String::from_utf8(head)?;
    let key = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find_map(|(name, value)| {
            name.eq_ignore_ascii_case("sec-websocket-key")
                .then_some(value.trim())
        })
        .ok_or_else(|| anyhow::anyhow!("no upgrade request: {head}"))?;
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\nSec-WebSocket-Protocol: rport-v1\r\n\r\n",
        accept_key(key)
    );
    socket.write_all(answer.as_bytes()).await?;
    Ok(())
}

#[tokio::test]
async fn an_agent_survives_every_kind_of_server() -> anyhow::Result<()> {
    let mut trials = JoinSet::new();
    for treatment in TREATMENTS {
        trials.spawn(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let config =
                AgentConfig::new("patient", listener.local_addr()?).connection("max_retry_interval = \"1s\"");
            let mut agent = AgentProcess::start(config)?;
            let mut treated = JoinSet::new();
            // Two full rounds: it came, was treated badly, came again, and once more.
            for round in 0..3 {
                let accepted = tokio::time::timeout(Duration::from_secs(90), listener.accept()).await;
                let (socket, _) = accepted.map_err(|_| {
                    anyhow::anyhow!(
                        "after {treatment:?} the agent did not come for round {round}: {}",
                        agent.child.output()
                    )
                })??;
                if round < 2 {
                    treated.spawn(treat(socket, treatment));
                }
            }
            anyhow::ensure!(agent.child.ended()?.is_none(), "{treatment:?} ended the agent");
            anyhow::ensure!(
                !agent.child.output().contains("panicked"),
                "{treatment:?}: {}",
                agent.child.output()
            );
            anyhow::Ok(())
        });
    }
    while let Some(trial) = trials.join_next().await {
        trial??;
    }
    Ok(())
}
