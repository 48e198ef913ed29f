//! Every channel against something real: a mail server that encrypts and wants a password, programs, web services.

mod doubles;

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use self::doubles::{HttpDouble, MailServer};
use super::*;

const LIMIT: Duration = Duration::from_secs(10);

fn message() -> CodeMessage {
    CodeMessage {
        code: "aB3dE6".into(),
        send_to: "ann@example.com".into(),
        ttl: Duration::from_secs(600),
        user_agent: "curl/8 & more".into(),
        remote_address: "203.0.113.7".into(),
    }
}

fn mail(server: &MailServer, tls: MailTls) -> MailOptions {
    MailOptions {
        host: "localhost".into(),
        port: server.port,
        sender: "rport@example.com".into(),
        username: "rport".into(),
        password: "mail password".into(),
        tls,
        extra_ca: Some(server.ca.clone().into_bytes()),
    }
}

async fn send(channel: CodeChannel) -> Result<(), String> {
    let sender = CodeSender::new(&channel, LIMIT).expect("sound options");
    sender.send(&message()).await.map_err(|error| error.to_string())
}

#[tokio::test]
async fn mail_is_encrypted_by_starttls_and_logs_in() {
    let server = MailServer::start(false).await;
    send(CodeChannel::Mail(mail(&server, MailTls::StartTls)))
        .await
        .expect("delivered");
    let mails = server.mails.lock();
    let mail = mails.first().expect("a mail");
    assert!(mail.encrypted);
    assert_eq!(mail.login.as_deref(), Some("\0rport\0mail password"));
    assert_eq!(
        (mail.from.as_str(), mail.to.as_str()),
        ("rport@example.com", "ann@example.com")
    );
    assert!(mail.text.contains("Your code is aB3dE6"), "{}", mail.text);
    assert!(
        mail.text.contains("Subject: RPort two-factor code"),
        "{}",
        mail.text
    );
}

#[tokio::test]
async fn mail_is_encrypted_from_the_start() {
    let server = MailServer::start(true).await;
    send(CodeChannel::Mail(mail(&server, MailTls::Implicit)))
        .await
        .expect("delivered");
    assert!(server.mails.lock().first().is_some_and(|mail| mail.encrypted));
}

#[tokio::test]
async fn mail_servers_that_nobody_vouches_for_or_that_refuse_get_nothing() {
    let server = MailServer::start(false).await;
    let mut options = mail(&server, MailTls::StartTls);
    options.extra_ca = None;
    send(CodeChannel::Mail(options))
        .await
        .expect_err("unknown authority");
    let mut options = mail(&server, MailTls::StartTls);
    options.password = "wrong".into();
    let error = send(CodeChannel::Mail(options)).await.expect_err("refused");
    assert!(error.contains("535"), "{error}");
    assert!(server.mails.lock().is_empty());
}

/// A program with this text, run by the shell.
fn program(directory: &tempfile::TempDir, text: &str) -> PathBuf {
    let path = directory.path().join("send-code.sh");
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("writes");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).expect("executable");
    path
}

#[tokio::test]
async fn programs_find_everything_in_their_environment() {
    let directory = tempfile::tempdir().expect("a directory");
    let out = directory.path().join("out");
    let text = format!(
        "printf '%s|%s|%s|%s|%s|%s' \"$RPORT_2FA_TOKEN\" \"$RPORT_2FA_SENDTO\" \"$RPORT_2FA_TOKEN_TTL\" \
         \"$RPORT_2FA_USER_AGENT\" \"$RPORT_2FA_REMOTE_ADDRESS\" \"$#\" > {}",
        out.display()
    );
    send(CodeChannel::Script(program(&directory, &text)))
        .await
        .expect("runs");
    assert_eq!(
        std::fs::read_to_string(out).expect("written"),
        "aB3dE6|ann@example.com|600|curl/8 & more|203.0.113.7|0"
    );
}

#[tokio::test]
async fn failing_programs_are_quoted_and_slow_ones_killed() {
    let directory = tempfile::tempdir().expect("a directory");
    let text = "head -c 100000 /dev/zero | tr '\\0' x >&2; exit 3";
    let error = send(CodeChannel::Script(program(&directory, text)))
        .await
        .expect_err("fails");
    assert!(error.contains("exit status: 3"), "{error}");
    assert_eq!(error.matches('x').count(), 1024 + "exit".matches('x').count());

    let slow = CodeChannel::Script(program(&directory, "exec sleep 60"));
    let sender = CodeSender::new(&slow, Duration::from_millis(50)).expect("sound options");
    let error = sender.send(&message()).await.expect_err("too slow");
    assert!(matches!(error, DeliveryError::TooSlow(_)), "{error}");
    let missing = send(CodeChannel::Script("/nonexistent".into())).await;
    assert!(missing.is_err());
}

#[tokio::test]
async fn web_services_get_a_form() {
    let service = HttpDouble::start(&[(204, ""), (500, "")]).await;
    let channel = CodeChannel::Url {
        url: service.url("/send"),
        base_url: "https://rport.example.com".into(),
    };
    send(channel.clone()).await.expect("any 2xx is success");
    let request = service.requests.lock().remove(0);
    assert!(request.starts_with("POST /send HTTP/1.1"), "{request}");
    assert!(
        request.ends_with(
            "email=ann%40example.com&token=aB3dE6&ttl=600&user_agent=curl%2F8+%26+more\
             &remote_address=203.0.113.7&url=https%3A%2F%2Frport.example.com"
        ),
        "{request}"
    );
    let error = send(channel).await.expect_err("refused");
    assert!(error.contains("500") && !error.contains("127.0.0.1"), "{error}");
}

#[tokio::test]
async fn pushover_is_asked_as_its_vendor_describes() {
    let service = HttpDouble::start(&[
        (200, r#"{"status":1,"request":"x"}"#),
        (400, r#"{"status":0,"errors":["user identifier is invalid"]}"#),
        (503, ""),
    ])
    .await;
    let options = PushoverOptions {
        api_token: "app token".into(),
        api_url: service.url(""),
    };
    let sender = CodeSender::new(&CodeChannel::Pushover(options), LIMIT).expect("sound options");
    sender.send(&message()).await.expect("sent");
    let request = service.requests.lock().remove(0);
    assert!(request.starts_with("POST /1/messages.json "), "{request}");
    assert!(
        request.contains("token=app+token&user=ann%40example.com&title=") && request.contains("aB3dE6"),
        "{request}"
    );
    let error = sender.check_address("nobody").await.expect_err("unknown");
    assert_eq!(
        error.to_string(),
        "the address is not accepted: user identifier is invalid"
    );
    assert!(service.requests.lock()[0].starts_with("POST /1/users/validate.json "));
    let error = sender.check_address("u5p9").await.expect_err("down");
    assert_eq!(error.to_string(), "pushover service unavailable");
}
