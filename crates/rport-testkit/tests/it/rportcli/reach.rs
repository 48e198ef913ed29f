//! Clients and tunnels, those that live as long as a command above all.

use std::{fs, net::SocketAddr, os::unix::fs::PermissionsExt};

use anyhow::Context;
use rport_testkit::{eventually, eventually_ok, pair::Pair, process::Child, service::Service, visitor};
use rustix::process::Signal;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
};

use super::rig::{Operator, SOON, quiet};

async fn start() -> anyhow::Result<(Pair, Operator)> {
    let pair = Pair::start_with(quiet(), |config| config).await?;
    let operator = Operator::logged_in(&pair.server.config).await?;
    Ok((pair, operator))
}

/// Waits until a forward says where it listens.
async fn listens(forward: &Child, count: usize) -> Vec<SocketAddr> {
    eventually("the forward to say where it listens", SOON, || async {
        let text = forward.output();
        let first = |line: &str| line.split_once(" leads to ")?.0.parse().ok();
        let places: Vec<SocketAddr> = text.lines().filter_map(first).collect();
        (places.len() == count).then_some(places)
    })
    .await
}

async fn no_tunnels(pair: &Pair) {
    pair.api.wait_tunnels(Pair::ID, 0, SOON).await;
}

#[tokio::test]
async fn clients_are_found_by_id_name_and_filters() -> anyhow::Result<()> {
    let (_pair, operator) = start().await?;
    let table = operator.done(&["clients", "list"]).await?;
    let mut lines = table.lines();
    assert!(
        lines.next().is_some_and(|line| line.starts_with("ID ")),
        "{table}"
    );
    assert!(
        lines.next().is_some_and(|line| line.contains("tester by name")),
        "{table}"
    );

    for words in [
        &["clients", "get", Pair::ID][..],
        &["clients", "get", "Tester BY name"],
        &["client", "get", "-n", "tester by name"],
        &["clients", "get", "-c", Pair::ID],
    ] {
        assert_eq!(operator.json(words).await?["id"], Pair::ID, "{words:?}");
    }
    for (words, count) in [
        (&["--online", "--filter", "name=tester*"][..], 1),
        (&["--offline"], 0),
        (&["--search", "by name"], 1),
        (&["--search", "name=nobody*"], 0),
        (&["--all", "--sort", "-name"], 1),
    ] {
        let words: Vec<&str> = ["clients", "list"].iter().chain(words).copied().collect();
        let found = operator.json(&words).await?;
        assert_eq!(found.as_array().map(Vec::len), Some(count), "{words:?}: {found}");
    }
    let csv = operator
        .done(&["clients", "list", "-o", "csv", "--no-headers"])
        .await?;
    assert!(csv.starts_with("tester,tester by name,connected,"), "{csv}");
    operator
        .done(&["clients", "wait", Pair::ID, "--online", "--for", "5s"])
        .await?;
    let (code, text) = operator
        .fails(&["clients", "wait", Pair::ID, "--offline", "--for", "1s"])
        .await?;
    assert_eq!(code, 6, "{text}");
    Ok(())
}

#[tokio::test]
async fn tunnels_are_opened_listed_and_closed() -> anyhow::Result<()> {
    let (pair, operator) = start().await?;
    let service = Service::tcp_echo().await?;
    let port = service.port().to_string();
    let opened = operator
        .json(&["tunnels", "create", Pair::ID, &port, "--scheme", "http"])
        .await?;
    assert_eq!(
        (&opened["acl"], &opened["scheme"]),
        (&json!("127.0.0.1"), &json!("http"))
    );
    let lport: u16 = opened["lport"].as_str().context("a port")?.parse()?;
    visitor::echo_tcp(SocketAddr::from(([127, 0, 0, 1], lport)), 1000).await?;
    let id = opened["id"].as_str().context("an id")?;

    for words in [
        &["tunnels", "list"][..],
        &["tunnel", "list", "-c", Pair::ID],
        &["tunnel", "list", "-n", "tester*"],
    ] {
        let listed = operator.json(words).await?;
        assert_eq!(
            (&listed[0]["id"], &listed[0]["client_id"]),
            (&json!(id), &json!(Pair::ID)),
            "{words:?}"
        );
    }
    operator
        .done(&["tunnels", "acl", Pair::ID, id, "--set", "198.51.100.1"])
        .await?;
    let (code, text) = operator
        .fails(&["tunnels", "create", Pair::ID, &port, "--acl", "198.51.100.1"])
        .await?;
    assert_eq!(code, 1, "{text}");
    operator
        .done(&["tunnel", "delete", "-c", Pair::ID, "-t", id])
        .await?;
    no_tunnels(&pair).await;
    assert_eq!(operator.fails(&["tunnels", "delete", Pair::ID, id]).await?.0, 4);
    Ok(())
}

#[tokio::test]
async fn an_interrupted_forward_leaves_no_tunnel() -> anyhow::Result<()> {
    let (pair, operator) = start().await?;
    let (one, two) = (Service::tcp_echo().await?, Service::tcp_count().await?);
    let specs = [format!(":{}", one.port()), format!("0:localhost:{}", two.port())];
    let mut forward = operator.start(&["forward", Pair::ID, &specs[0], &specs[1]])?;
    let places = listens(&forward, 2).await;
    assert!(places.iter().all(|place| place.ip().is_loopback()));
    visitor::echo_tcp(places[0], 200_000).await?;
    // A half-closed connection still gets its answer.
    let mut counted = TcpStream::connect(places[1]).await?;
    counted.write_all(&[7; 50_000]).await?;
    counted.shutdown().await?;
    let mut answer = String::new();
    counted.read_to_string(&mut answer).await?;
    assert_eq!(answer, "50000");

    let tunnels = pair.api.tunnels(Pair::ID).await?;
    assert_eq!(tunnels.len(), 2);
    for tunnel in &tunnels {
        assert_eq!(
            (&tunnel.data["acl"], &tunnel.data["idle_timeout_minutes"]),
            (&json!("127.0.0.1"), &json!(5))
        );
    }
    // Interrupted in the middle of a conversation.
    let mut open = TcpStream::connect(places[0]).await?;
    open.write_all(b"hello").await?;
    open.read_exact(&mut [0; 5]).await?;
    forward.signal(Signal::INT)?;
    let status = forward.wait(SOON).await?;
    assert_eq!(status.code(), Some(130), "{}", forward.output());
    assert!(pair.api.tunnels(Pair::ID).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_forward_outlives_its_tunnel_and_is_shared() -> anyhow::Result<()> {
    let (pair, operator) = start().await?;
    let service = Service::tcp_echo().await?;
    let spec = format!(":{}", service.port());
    let mut first = operator.start(&["forward", Pair::ID, &spec])?;
    let place = listens(&first, 1).await[0];
    visitor::echo_tcp(place, 100).await?;
    for tunnel in pair.api.tunnels(Pair::ID).await? {
        pair.api.close_tunnel(Pair::ID, &tunnel.id).await?;
    }
    no_tunnels(&pair).await;
    visitor::echo_tcp(place, 100).await?;

    // Another forward to the same target finds the tunnel in its way, and shares it.
    let other = Operator::logged_in(&pair.server.config).await?;
    let mut second = other.start(&["forward", "tester by name", &spec])?;
    let shared = listens(&second, 1).await[0];
    visitor::echo_tcp(shared, 100).await?;
    assert_eq!(pair.api.tunnels(Pair::ID).await?.len(), 1);
    // A visitor of the second keeps the tunnel open when the first ends.
    let mut open = TcpStream::connect(shared).await?;
    open.write_all(b"hello").await?;
    open.read_exact(&mut [0; 5]).await?;
    first.signal(Signal::TERM)?;
    assert_eq!(first.wait(SOON).await?.code(), Some(130), "{}", first.output());
    open.write_all(b"still").await?;
    open.read_exact(&mut [0; 5]).await?;
    second.signal(Signal::INT)?;
    second.wait(SOON).await?;
    no_tunnels(&pair).await;
    Ok(())
}

#[tokio::test]
async fn datagrams_are_forwarded() -> anyhow::Result<()> {
    let (pair, operator) = start().await?;
    let service = Service::udp_echo().await?;
    let mut forward = operator.start(&["forward", "--udp", Pair::ID, &format!(":{}", service.port())])?;
    let place = listens(&forward, 1).await[0];
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    socket.connect(place).await?;
    // Datagrams may be lost, so it is asked again.
    eventually_ok("an echo", SOON, || async {
        socket.send(b"hello").await?;
        let mut buffer = [0; 16];
        let length = tokio::time::timeout(SOON / 20, socket.recv(&mut buffer)).await??;
        anyhow::ensure!(&buffer[..length] == b"hello");
        Ok::<_, anyhow::Error>(())
    })
    .await;
    forward.signal(Signal::INT)?;
    assert_eq!(forward.wait(SOON).await?.code(), Some(130));
    no_tunnels(&pair).await;
    Ok(())
}

/// A stand-in for ssh: writes down its arguments, visits the tunnel, ends with 7, or waits to be stopped.
const FAKE_SSH: &str = r#"#!/bin/bash
printf '%s\n' "$@" >"$HOME/arguments"
while [ "$1" != -p ]; do shift; done
host=${3#*@}
exec 3<>"/dev/tcp/$host/$2"
IFS= read -r -t 10 line <&3
echo "heard: $line"
[ "$4" = linger ] && { echo lingering >"$HOME/lingering"; exec sleep 60; }
exit 7
"#;

fn with_fake(operator: &mut Operator, name: &str) -> anyhow::Result<()> {
    let programs = operator.home().join("programs");
    fs::create_dir_all(&programs)?;
    let file = programs.join(name);
    fs::write(&file, FAKE_SSH)?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755))?;
    operator.programs = Some(programs);
    Ok(())
}

#[tokio::test]
async fn ssh_goes_through_a_tunnel_of_its_own() -> anyhow::Result<()> {
    let (pair, mut operator) = start().await?;
    with_fake(&mut operator, "ssh")?;
    let service = Service::tcp_greeting("SSH-2.0-test\n").await?;
    let port = service.port().to_string();
    let said = operator
        .say(&["ssh", "--port", &port, "root@tester", "-v", "uptime"], "")
        .await?;
    assert_eq!(
        (said.code, said.stdout.trim()),
        (7, "heard: SSH-2.0-test"),
        "{said:?}"
    );
    let arguments = fs::read_to_string(operator.home().join("arguments"))?;
    let arguments: Vec<&str> = arguments.lines().collect();
    assert_eq!(
        arguments[..4],
        ["-o", "HostKeyAlias=rport-tester", "-o", "CheckHostIP=no"]
    );
    assert_eq!(arguments[6..], ["root@127.0.0.1", "-v", "uptime"]);
    assert!(pair.api.tunnels(Pair::ID).await?.is_empty());

    // Stopped from outside: the program ends, and the tunnel goes.
    let mut lingering = operator.start(&["ssh", "--port", &port, "tester", "linger"])?;
    let mark = operator.home().join("lingering");
    eventually("the stand-in to linger", SOON, || async {
        mark.exists().then_some(())
    })
    .await;
    assert_eq!(pair.api.tunnels(Pair::ID).await?.len(), 1);
    lingering.signal(Signal::TERM)?;
    assert_eq!(
        lingering.wait(SOON).await?.code(),
        Some(143),
        "{}",
        lingering.output()
    );
    assert!(pair.api.tunnels(Pair::ID).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn the_systems_ssh_understands_the_options() -> anyhow::Result<()> {
    let (pair, operator) = start().await?;
    let service = Service::tcp_greeting("not ssh\n").await?;
    let port = service.port().to_string();
    // -G makes ssh print what it would do; where there is no ssh, the tunnel must go as well.
    let said = operator
        .say(&["ssh", "--port", &port, "root@tester", "-G"], "")
        .await?;
    if said.code == 0 {
        assert!(said.stdout.contains("hostkeyalias rport-tester\n"), "{said:?}");
        assert!(said.stdout.contains("user root\n"), "{said:?}");
    } else {
        assert!(said.stderr.contains("cannot run ssh"), "{said:?}");
    }
    assert!(pair.api.tunnels(Pair::ID).await?.is_empty());
    Ok(())
}
