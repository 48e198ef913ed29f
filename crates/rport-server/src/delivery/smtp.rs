//! Mail.

use std::net::IpAddr;
use std::time::Duration;

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use rport_runtime::Secret;

use super::DeliveryError;

/// How mails leave (`[smtp]`).
#[derive(Debug, Clone)]
pub struct MailOptions {
    /// Host name or address of the mail server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whose mails they are.
    pub sender: String,
    /// User of the mail server; empty to send without a login.
    pub username: String,
    /// The user's password.
    pub password: Secret,
    /// When encryption starts.
    pub tls: MailTls,
    /// Certificate authority that is trusted besides those of the machine, as PEM.
    pub extra_ca: Option<Vec<u8>>,
}

/// When encryption starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailTls {
    /// With the connection (`secure = true`).
    Implicit,
    /// By STARTTLS. Demanded when there is a password to protect on its way to another machine, else used where the
    /// server offers it.
    StartTls,
}

pub(super) struct Mailer {
    sender: Mailbox,
    transport: AsyncSmtpTransport<Tokio1Executor>,
}

impl Mailer {
    pub(super) fn new(options: &MailOptions, timeout: Duration) -> Result<Self, String> {
        let sender = options
            .sender
            .parse()
            .map_err(|error| format!("sender of mails {:?}: {error}", options.sender))?;
        let mut tls = TlsParameters::builder(options.host.clone());
        if let Some(pem) = &options.extra_ca {
            let certificate = Certificate::from_pem(pem).map_err(|error| error.to_string())?;
            tls = tls.add_root_certificate(certificate);
        }
        let tls = tls.build_rustls().map_err(|error| error.to_string())?;
        let logs_in = !options.username.is_empty() || !options.password.is_empty();
        let tls = match options.tls {
            MailTls::Implicit => Tls::Wrapper(tls),
            // Differs from RPort only in words: its library too keeps passwords off unencrypted lines.
            MailTls::StartTls if logs_in && !is_this_machine(&options.host) => Tls::Required(tls),
            MailTls::StartTls => Tls::Opportunistic(tls),
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(options.host.clone())
            .port(options.port)
            .timeout(Some(timeout))
            .tls(tls);
        if logs_in {
            let credentials =
                Credentials::new(options.username.clone(), options.password.expose().to_owned());
            builder = builder
                .credentials(credentials)
                .authentication(vec![Mechanism::Plain, Mechanism::Login]);
        }
        Ok(Self {
            sender,
            transport: builder.build(),
        })
    }

    pub(super) async fn send(&self, to: &str, subject: &str, text: String) -> Result<(), DeliveryError> {
        let to: Mailbox = to
            .parse()
            .map_err(|_| DeliveryError::Address("it is no e-mail address".to_owned()))?;
        let mail = Message::builder()
            .from(self.sender.clone())
            .to(to)
            .subject(subject)
            .header(ContentType::TEXT_PLAIN)
            .body(text)
            .map_err(|error| DeliveryError::Failed(error.to_string()))?;
        match self.transport.send(mail).await {
            Ok(_) => Ok(()),
            Err(error) => Err(DeliveryError::Failed(with_causes(&error))),
        }
    }
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
