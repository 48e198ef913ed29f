use std::sync::Arc;

use rport_runtime::Secret;

use super::*;
use crate::{
    AgentCredentials, Authenticator, FingerprintPin, HandshakeError, HostKey, WsStream, accept, connect,
};

struct OnePassword;

impl Authenticator for OnePassword {
    async fn verify(&self, user: &str, password: &[u8]) -> bool {
        user == "agent" && password == b"right"
    }
}

fn credentials(password: &str) -> AgentCredentials {
    AgentCredentials {
        user: "agent".to_owned(),
        password: Secret::new(password),
    }
}

/// Runs both sides over memory; returns how the agent and the server fared.
async fn shake(
    password: &str,
    pin: Option<&str>,
) -> (Result<Link, HandshakeError>, Result<Link, HandshakeError>) {
    let (a, b) = tokio::io::duplex(1 << 16);
    let host_key = Arc::new(HostKey::from_seed("test").expect("key"));
    let pin: Option<FingerprintPin> = pin.map(|p| p.parse().expect("pin"));
    let (options, tasks) = (LinkOptions::default(), Tasks::new());
    let credentials = credentials(password);
    let agent = async {
        connect(
            WsStream::client(a, Vec::new()),
            &credentials,
            pin.as_ref(),
            &options,
            &tasks,
        )
        .await
    };
    let server = async {
        accept(
            WsStream::server(b, Vec::new()),
            &host_key,
            &OnePassword,
            &options,
            &tasks,
        )
        .await
    };
    soon(async { tokio::join!(agent, server) }).await
}

#[tokio::test]
async fn the_right_password_and_key_make_a_link() {
    for pin in [
        None,
        Some("aa:0d:c9:17"),
        Some("SHA256:RZpraBIw1a3k2tnWNzNCHm/fxa3fWrBi8DJLhcPRlGQ"),
    ] {
        let (agent, server) = shake("right", pin).await;
        let (agent, server) = (agent.expect("agent"), server.expect("server"));
        assert_eq!(server.peer.user, "agent");
        assert_eq!(server.peer.id_line, "SSH-rport-v1-client");
        assert_eq!(agent.peer.id_line, "SSH-rport-v1-server");
        assert!(agent.peer.is_ours && server.peer.is_ours);
        let fingerprint = agent.peer.fingerprint.expect("seen").to_string();
        assert_eq!(fingerprint, "aa:0d:c9:17:67:75:6f:a6:ec:49:65:d4:0f:eb:92:01");
    }
}

#[tokio::test]
async fn a_wrong_password_is_refused() {
    let (agent, server) = shake("wrong", None).await;
    assert!(matches!(agent, Err(HandshakeError::Refused { user }) if user == "agent"));
    assert!(matches!(
        server,
        Err(HandshakeError::Closed | HandshakeError::Io(_))
    ));
}

#[tokio::test]
async fn a_wrong_key_is_refused_before_the_password_is_sent() {
    let (agent, server) = shake("right", Some("00:11")).await;
    assert!(
        matches!(agent, Err(HandshakeError::WrongFingerprint { .. })),
        "{agent:?}"
    );
    assert!(server.is_err());
}

#[tokio::test]
async fn silence_ends_at_the_deadline_on_both_sides() {
    let options = LinkOptions {
        handshake_timeout: Duration::from_millis(30),
        ..LinkOptions::default()
    };
    let tasks = Tasks::new();
    let host_key = Arc::new(HostKey::from_seed("test").expect("key"));
    let (a, _silent) = tokio::io::duplex(64);
    let outcome = soon(accept(
        WsStream::server(a, Vec::new()),
        &host_key,
        &OnePassword,
        &options,
        &tasks,
    ))
    .await;
    assert!(matches!(outcome, Err(HandshakeError::Timeout(_))));
    let (a, _silent) = tokio::io::duplex(64);
    let outcome = soon(connect(
        WsStream::client(a, Vec::new()),
        &credentials("x"),
        None,
        &options,
        &tasks,
    ))
    .await;
    assert!(matches!(outcome, Err(HandshakeError::Timeout(_))));
}
