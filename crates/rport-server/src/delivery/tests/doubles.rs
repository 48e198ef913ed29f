//! The other ends of the channels.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use parking_lot::Mutex;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rport_runtime::Tasks;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A mail as it arrived.
#[derive(Debug, Default, Clone)]
pub(super) struct Mail {
    pub(super) encrypted: bool,
    /// The decoded text of `AUTH PLAIN`.
    pub(super) login: Option<String>,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) text: String,
}

/// A mail server that takes mails only over TLS, from `rport` with the password `mail password`.
pub(super) struct MailServer {
    pub(super) port: u16,
    /// The authority of its certificate, as PEM.
    pub(super) ca: String,
    pub(super) mails: Arc<Mutex<Vec<Mail>>>,
    tasks: Tasks,
}

impl MailServer {
    /// With `implicit` the connection begins encrypted, else STARTTLS is offered.
    pub(super) async fn start(implicit: bool) -> Self {
        let (ca, tls) = certificate();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let port = listener.local_addr().expect("bound").port();
        let (mails, tasks) = (Arc::new(Mutex::default()), Tasks::new());
        let (inbox, group) = (Arc::clone(&mails), tasks.clone());
        tasks.spawn("mail_server", async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (tls, inbox) = (tls.clone(), Arc::clone(&inbox));
                group.spawn("mail_connection", async move {
                    let mut plain = BufReader::new(socket);
                    if !implicit && !talk(&mut plain, false, true, &inbox).await {
                        return;
                    }
                    if let Ok(stream) = tls.accept(plain.into_inner()).await {
                        talk(&mut BufReader::new(stream), true, implicit, &inbox).await;
                    }
                });
            }
        });
        Self {
            port,
            ca,
            mails,
            tasks,
        }
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.tasks.abort();
    }
}

/// Speaks until the end (`false`) or until the line is to be encrypted (`true`).
async fn talk<S>(stream: &mut BufReader<S>, encrypted: bool, greet: bool, inbox: &Mutex<Vec<Mail>>) -> bool
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut mail = Mail {
        encrypted,
        ..Mail::default()
    };
    if greet && stream.write_all(b"220 localhost ready\r\n").await.is_err() {
        return false;
    }
    let mut line = String::new();
    loop {
        line.clear();
        if !matches!(stream.read_line(&mut line).await, Ok(1..)) {
            return false;
        }
        let command = line.trim_end();
        let address = || {
            let (_, rest) = command.split_once('<').unwrap_or_default();
            rest.split('>').next().unwrap_or_default().to_owned()
        };
        let reply = if command.starts_with("EHLO") && encrypted {
            "250-localhost\r\n250 AUTH PLAIN LOGIN\r\n"
        } else if command.starts_with("EHLO") {
            "250-localhost\r\n250 STARTTLS\r\n"
        } else if command == "STARTTLS" {
            return stream.write_all(b"220 go on\r\n").await.is_ok();
        } else if let Some(login) = command.strip_prefix("AUTH PLAIN ") {
            let login = String::from_utf8(STANDARD.decode(login).expect("base64")).expect("text");
            let right = login == "\0rport\0mail password";
            mail.login = Some(login);
            if right {
                "235 welcome\r\n"
            } else {
                "535 wrong password\r\n"
            }
        } else if command.starts_with("MAIL FROM") && encrypted && mail.login.is_some() {
            mail.from = address();
            "250 ok\r\n"
        } else if command.starts_with("RCPT TO") {
            mail.to = address();
            "250 ok\r\n"
        } else if command == "DATA" {
            stream.write_all(b"354 go on\r\n").await.expect("still there");
            loop {
                line.clear();
                stream.read_line(&mut line).await.expect("still there");
                if line.trim_end() == "." {
                    break;
                }
                mail.text.push_str(&line);
            }
            inbox.lock().push(mail.clone());
            "250 delivered\r\n"
        } else if command == "QUIT" {
            let _ = stream.write_all(b"221 bye\r\n").await;
            return false;
        } else {
            "503 not now\r\n"
        };
        if stream.write_all(reply.as_bytes()).await.is_err() {
            return false;
        }
    }
}

fn certificate() -> (String, TlsAcceptor) {
    let mut authority = CertificateParams::new(Vec::new()).expect("no names");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().expect("a key");
    let ca = authority.self_signed(&authority_key).expect("signs").pem();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let certificate = params.signed_by(&key, &issuer).expect("signs");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .expect("a pair");
    (ca, TlsAcceptor::from(Arc::new(config)))
}

/// A web server that gives prepared answers, one per connection.
pub(super) struct HttpDouble {
    port: u16,
    /// Head and body of each request.
    pub(super) requests: Arc<Mutex<Vec<String>>>,
    tasks: Tasks,
}

impl HttpDouble {
    pub(super) async fn start(answers: &'static [(u16, &'static str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let port = listener.local_addr().expect("bound").port();
        let (requests, tasks) = (Arc::new(Mutex::default()), Tasks::new());
        let log: Arc<Mutex<Vec<String>>> = Arc::clone(&requests);
        tasks.spawn("http_double", async move {
            for (status, body) in answers {
                let (mut socket, _) = listener.accept().await.expect("accepts");
                let mut request = String::new();
                let mut buffer = [0; 4096];
                while !is_whole(&request) {
                    let count = socket.read(&mut buffer).await.expect("reads");
                    assert!(count > 0, "half a request: {request}");
                    request.push_str(&String::from_utf8_lossy(&buffer[..count]));
                }
                log.lock().push(request);
                let answer = format!(
                    "HTTP/1.1 {status} Said\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
                socket.write_all(answer.as_bytes()).await.expect("writes");
            }
        });
        Self {
            port,
            requests,
            tasks,
        }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}

impl Drop for HttpDouble {
    fn drop(&mut self) {
        self.tasks.abort();
    }
}

fn is_whole(request: &str) -> bool {
    let Some((head, body)) = request.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().ok())?
    });
    body.len() >= length.unwrap_or(0)
}
