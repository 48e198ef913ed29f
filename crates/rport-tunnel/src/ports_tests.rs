use std::net::{Ipv4Addr, TcpStream};

use super::*;

/// A pool of `count` ports that were free a moment ago, so that parallel tests do not meet.
fn free_pool(count: usize) -> (PortPool, Vec<u16>) {
    let listeners: Vec<_> = (0..count)
        .map(|_| Host::ANY.listen_tcp(0).expect("the kernel finds a port"))
        .collect();
    let mut ports: Vec<u16> = listeners
        .iter()
        .map(|listener| listener.local_addr().expect("bound").port())
        .collect();
    ports.sort_unstable();
    (pool(&ports), ports)
}

fn pool(ports: &[u16]) -> PortPool {
    let used: Vec<String> = ports.iter().map(u16::to_string).collect();
    PortPool::new(PortSet::new(&used, &[""; 0]).expect("valid ports"))
}

#[tokio::test]
async fn a_fixed_port_is_leased_once_and_returned_on_drop() {
    let (pool, ports) = free_pool(1);
    let bound = pool
        .lease(Some(ports[0]), Protocol::Tcp, "127.0.0.1")
        .await
        .expect("free");
    assert_eq!(bound.port(), ports[0]);
    assert_eq!(pool.leased(), 1);
    TcpStream::connect((Ipv4Addr::LOCALHOST, ports[0])).expect("it listens already");

    let error = pool
        .lease(Some(ports[0]), Protocol::Tcp, "127.0.0.1")
        .await
        .expect_err("taken");
    assert_eq!(
        error.to_string(),
        format!("Local port {} already in use.", ports[0])
    );

    drop(bound);
    assert_eq!(pool.leased(), 0);
    pool.lease(Some(ports[0]), Protocol::Tcp, "127.0.0.1")
        .await
        .expect("free again");
}

#[tokio::test]
async fn a_port_outside_the_set_is_refused() {
    let (pool, ports) = free_pool(1);
    let other = ports[0].wrapping_add(1).max(1);
    let error = pool
        .lease(Some(other), Protocol::Tcp, "0.0.0.0")
        .await
        .expect_err("not allowed");
    assert_eq!(
        error.to_string(),
        format!("Local port {other} is not among allowed ports.")
    );
}

#[tokio::test]
async fn a_port_of_another_program_is_in_use() {
    let other = Host::ANY.listen_tcp(0).expect("binds");
    let port = other.local_addr().expect("bound").port();
    let error = pool(&[port])
        .lease(Some(port), Protocol::Tcp, "0.0.0.0")
        .await
        .expect_err("taken");
    assert!(matches!(error, PortError::InUse(p) if p == port));
    let error = pool(&[port])
        .lease(None, Protocol::Tcp, "0.0.0.0")
        .await
        .expect_err("taken");
    assert_eq!(error.to_string(), "no ports available");
}

#[tokio::test]
async fn random_ports_use_the_whole_set_and_then_run_out() {
    let (pool, ports) = free_pool(8);
    let mut leases = Vec::new();
    for _ in &ports {
        leases.push(
            pool.lease(None, Protocol::Tcp, "0.0.0.0")
                .await
                .expect("one is free"),
        );
    }
    let mut got: Vec<u16> = leases.iter().map(BoundPort::port).collect();
    got.sort_unstable();
    assert_eq!(got, ports);
    let error = pool
        .lease(None, Protocol::Tcp, "0.0.0.0")
        .await
        .expect_err("all leased");
    assert!(matches!(error, PortError::Exhausted));
    leases.clear();
    assert_eq!(pool.leased(), 0);
}

#[tokio::test]
async fn tcp_and_udp_share_a_port_number() {
    let (pool, ports) = free_pool(1);
    let udp = pool
        .lease(Some(ports[0]), Protocol::Udp, "127.0.0.1")
        .await
        .expect("free");
    let tcp = pool
        .lease(Some(ports[0]), Protocol::Tcp, "127.0.0.1")
        .await
        .expect("independent of UDP");
    assert_eq!(pool.leased(), 2);
    drop(tcp);
    let error = pool
        .lease(Some(ports[0]), Protocol::TcpUdp, "127.0.0.1")
        .await
        .expect_err("UDP is taken");
    assert!(matches!(error, PortError::InUse(_)));
    assert_eq!(pool.leased(), 1, "the failed attempt holds nothing");
    drop(udp);
    let both = pool
        .lease(None, Protocol::TcpUdp, "127.0.0.1")
        .await
        .expect("free for both");
    assert!(both.tcp.is_some() && both.udp.is_some());
    assert_eq!(pool.leased(), 2);
}

#[tokio::test]
async fn a_foreign_address_names_itself() {
    let (pool, ports) = free_pool(1);
    let error = pool
        .lease(Some(ports[0]), Protocol::Tcp, "192.0.2.1")
        .await
        .expect_err("not ours");
    let text = error.to_string();
    assert!(
        text.starts_with(&format!(
            "unable to start tunnel: listen 192.0.2.1:{}: ",
            ports[0]
        )),
        "{text}"
    );
}

#[tokio::test]
async fn two_addresses_of_the_machine_may_share_a_port() {
    let (pool, ports) = free_pool(1);
    let first = pool
        .lease(Some(ports[0]), Protocol::Tcp, "127.0.0.1")
        .await
        .expect("free");
    let second = pool
        .lease(Some(ports[0]), Protocol::Tcp, "127.0.0.2")
        .await
        .expect("another address");
    assert_eq!(pool.leased(), 2);
    drop(first);
    assert_eq!(pool.leased(), 1);
    drop(second);
    assert_eq!(pool.leased(), 0);
}
