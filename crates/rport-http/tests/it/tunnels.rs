//! Tunnels through the API, with an agent that is a few lines of test code.

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::agent::Agent;
use crate::rig::{ADMIN, OPS, Rig, answer, refusal, sent};

async fn connected() -> (Rig, Agent) {
    let rig = Rig::new().await;
    let agent = Agent::connect(rig.agents, "open", rig.tasks()).await;
    (rig, agent)
}

async fn open(rig: &Rig, query: &str) -> (u16, Value) {
    answer(rig.as_user(OPS, Method::PUT, &format!("/clients/open/tunnels?{query}"))).await
}

#[tokio::test]
async fn a_tunnel_is_opened_used_listed_and_closed() {
    let (rig, _agent) = connected().await;
    let (status, body) = open(&rig, "remote=22&scheme=ssh&acl=127.0.0.1").await;
    assert_eq!(status, 200, "{body}");
    let tunnel = &body["data"];
    assert_eq!(tunnel["rport"], "22");
    assert_eq!(
        (&tunnel["rhost"], &tunnel["lhost"]),
        (&json!("127.0.0.1"), &json!("0.0.0.0"))
    );
    assert_eq!(
        (&tunnel["owner"], &tunnel["scheme"]),
        (&json!("olga"), &json!("ssh"))
    );
    assert_eq!(
        (&tunnel["lport_random"], &tunnel["idle_timeout_minutes"]),
        (&json!(true), &json!(5))
    );
    let port: u16 = tunnel["lport"]
        .as_str()
        .and_then(|port| port.parse().ok())
        .expect("port");
    let id = tunnel["id"].as_str().expect("id");

    let mut visitor = TcpStream::connect(("127.0.0.1", port))
        .await
        .expect("the tunnel listens");
    visitor.write_all(b"hello").await.expect("send");
    let mut echo = [0; 5];
    visitor.read_exact(&mut echo).await.expect("echo");
    assert_eq!(&echo, b"hello");

    let (_, body) = answer(rig.get("/tunnels")).await;
    assert_eq!(body["data"][0]["client_id"], "open");
    assert_eq!(body["data"][0]["lport"], tunnel["lport"]);
    let (_, body) = answer(rig.get("/clients/open?fields[clients]=tunnels,connection_state")).await;
    assert_eq!(body["data"]["connection_state"], "connected");
    assert_eq!(body["data"]["tunnels"][0]["id"], tunnel["id"]);

    let delete =
        |query: &str| rig.as_user(OPS, Method::DELETE, &format!("/clients/open/tunnels/{id}{query}"));
    let (status, title) = refusal(delete("?force=maybe")).await;
    assert_eq!((status, title.as_str()), (400, "Invalid force param: maybe."));
    let (status, title) = refusal(delete("")).await;
    assert_eq!(
        (status, title.as_str()),
        (409, "tunnel has 1 active connection(s)")
    );
    assert_eq!(sent(delete("?force=1")).await.status(), 204);
    assert!(matches!(visitor.read(&mut echo).await, Ok(0) | Err(_)));
    let (status, title) = refusal(delete("")).await;
    assert_eq!((status, title.as_str()), (404, "tunnel not found"));
    TcpStream::connect(("127.0.0.1", port))
        .await
        .expect_err("nobody listens any more");
    assert_eq!(rig.server.tunnels().leased_ports(), 0);
}

#[tokio::test]
async fn the_acl_changes_while_the_tunnel_runs() {
    let (rig, _agent) = connected().await;
    let (_, body) = open(&rig, "remote=22").await;
    let (id, port) = (
        body["data"]["id"].as_str().expect("id"),
        body["data"]["lport"].as_str().expect("port"),
    );
    let port: u16 = port.parse().expect("port");
    let set = |acl: &str| {
        rig.as_user(OPS, Method::PUT, &format!("/clients/open/tunnels/{id}/acl"))
            .body(acl.to_owned())
    };
    let visit = async || {
        let mut visitor = TcpStream::connect(("127.0.0.1", port))
            .await
            .expect("the tunnel listens");
        let _ = visitor.write_all(b"x").await;
        matches!(visitor.read(&mut [0; 1]).await, Ok(1))
    };
    assert!(visit().await);
    assert_eq!(sent(set(r#"{"acl":"10.0.0.1"}"#)).await.status(), 204);
    assert!(!visit().await);
    let (status, title) = refusal(set(r#"{"acl":"nonsense"}"#)).await;
    assert_eq!((status, title.as_str()), (400, "invalid IP addr: nonsense"));
    let (_, body) = answer(rig.get("/tunnels")).await;
    assert_eq!(body["data"][0]["acl"], "10.0.0.1");
    assert_eq!(sent(set(r#"{"ACL":null}"#)).await.status(), 204);
    assert!(visit().await);
}

#[tokio::test]
async fn mistakes_are_named() {
    let (rig, _agent) = connected().await;
    let check = async |query: &str, status: u16, code: &str, title: &str| {
        let (found, body) = open(&rig, query).await;
        let error = &body["errors"][0];
        assert_eq!(
            (found, &error["code"], &error["title"]),
            (status, &json!(code), &json!(title)),
            "{query}"
        );
    };
    check("remote=", 400, "", r#"failed to decode "": Missing ports"#).await;
    check(
        "remote=22&acl=0.0.0.0/0",
        400,
        "ERR_CODE_INVALID_ACL",
        "Invalid ACL: 0.0.0.0 would allow access to everyone. If that's what you want, do not set the ACL",
    )
    .await;
    check(
        "remote=22&scheme=1234567890123456",
        400,
        "ERR_CODE_URI_SCHEME_LENGTH_EXCEED",
        "Invalid URI scheme.",
    )
    .await;
    check(
        "remote=22&local=80",
        400,
        "ERR_CODE_LOCAL_PORT_NOT_ALLOWED",
        "Local port 80 is not among allowed ports.",
    )
    .await;
    check(
        "remote=9",
        400,
        "ERR_CODE_REMOTE_PORT_NOT_OPEN",
        "Port 9 is not in listening state.",
    )
    .await;
    assert_eq!(open(&rig, "remote=9&check_port=0").await.0, 200);
    check(
        "remote=9&check_port=0",
        400,
        "ERR_CODE_TUNNEL_TO_PORT_EXIST",
        "Tunnel to port 9 already exists.",
    )
    .await;
}

#[tokio::test]
async fn a_caller_that_hangs_up_still_gets_its_tunnel() {
    let (rig, _agent) = connected().await;
    let mut socket = TcpStream::connect(rig.api).await.expect("connects");
    let basic = "Basic YWRtaW46cGFzc3dvcmQgb2YgYWRtaW4=";
    let request = format!(
        "PUT /api/v1/clients/open/tunnels?remote=22 HTTP/1.1\r\nHost: x\r\nAuthorization: {basic}\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).await.expect("sends");
    drop(socket);
    for _ in 0..1000 {
        let (_, body) = answer(rig.as_user(ADMIN, Method::GET, "/tunnels")).await;
        if body["data"].as_array().is_some_and(|tunnels| tunnels.len() == 1) {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("the tunnel was not opened");
}
