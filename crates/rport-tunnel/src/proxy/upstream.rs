//! The way from the front to the client's service: a channel, perhaps TLS, HTTP/1.1.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{HeaderValue, Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use rport_transport::Channel;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{self, ClientConfig, DigitallySignedStruct, SignatureScheme};

use super::Front;
use crate::state::State;
use crate::tcp::{DIAL_LIMIT, DialFailure, Tcp};

/// Idle connections to the service kept for the next requests of the same visitor.
const KEPT: usize = 8;

/// Why the service was not reached.
#[derive(Debug, thiserror::Error)]
pub(super) enum UpstreamError {
    /// The client opened no channel.
    #[error(transparent)]
    Dial(#[from] DialFailure),
    /// No TLS with the service.
    #[error("TLS with the service failed: {0}")]
    Tls(#[source] io::Error),
    /// The service speaks TLS, or not, too slowly.
    #[error("the service did not finish its TLS handshake")]
    TlsLate,
    /// The service closed the connection or speaks no HTTP.
    #[error("the service closed the connection or speaks no HTTP: {0}")]
    Http(#[from] hyper::Error),
}

/// The connections of one visitor. They are not shared between visitors: some services tie a login to a connection.
pub(super) struct Upstream {
    tcp: Arc<Tcp>,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    kept: Mutex<Vec<SendRequest<Incoming>>>,
}

impl Upstream {
    pub(super) fn new(tcp: Arc<Tcp>, front: Front, host_header: Option<&HeaderValue>) -> Self {
        let tls = (front == Front::Https).then(|| {
            let name = server_name(host_header, &tcp.remote_host);
            (TlsConnector::from(client_config()), name)
        });
        Self {
            tcp,
            tls,
            kept: Mutex::default(),
        }
    }

    /// Sends a request and returns the head of the answer.
    pub(super) async fn send(&self, request: Request<Incoming>) -> Result<Response<Incoming>, UpstreamError> {
        let mut request = request;
        while let Some(mut sender) = self.take_kept() {
            match sender.try_send_request(request).await {
                Ok(answer) => {
                    self.keep(sender);
                    return Ok(answer);
                }
                // The service closed the connection while it was idle; nothing of the request has left.
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(error.into_error().into()),
                },
            }
        }
        let mut sender = self.connect().await?;
        let answer = sender.send_request(request).await?;
        self.keep(sender);
        Ok(answer)
    }

    fn take_kept(&self) -> Option<SendRequest<Incoming>> {
        let mut kept = self.kept.lock();
        kept.retain(|sender| !sender.is_closed());
        // One whose answer is still being read is not ready.
        let ready = kept.iter().position(SendRequest::is_ready)?;
        Some(kept.swap_remove(ready))
    }

    fn keep(&self, sender: SendRequest<Incoming>) {
        let mut kept = self.kept.lock();
        if kept.len() < KEPT {
            kept.push(sender);
        }
    }

    async fn connect(&self) -> Result<SendRequest<Incoming>, UpstreamError> {
        let channel = self.tcp.open_channel().await?;
        let metered = Metered {
            channel,
            state: Arc::clone(&self.tcp.state),
        };
        match &self.tls {
            None => self.speak(metered).await,
            Some((connector, name)) => {
                let handshake = connector.connect(name.clone(), metered);
                match tokio::time::timeout(DIAL_LIMIT, handshake).await {
                    Ok(Ok(stream)) => self.speak(stream).await,
                    Ok(Err(error)) => Err(UpstreamError::Tls(error)),
                    Err(_) => Err(UpstreamError::TlsLate),
                }
            }
        }
    }

    async fn speak<S>(&self, stream: S) -> Result<SendRequest<Incoming>, UpstreamError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let stop = self.tcp.stop.clone();
        self.tcp.tasks.spawn("tunnel-upstream", async move {
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                // How it ended is told to whoever waits for an answer.
                _ = connection.with_upgrades() => {}
            }
        });
        Ok(sender)
    }
}

/// The name in the handshake: services with several names choose their certificate by it.
fn server_name(host_header: Option<&HeaderValue>, remote_host: &str) -> ServerName<'static> {
    let wanted = host_header
        .and_then(|value| value.to_str().ok())
        .map(|host| host.rsplit_once(':').map_or(host, |(name, _)| name));
    wanted
        .into_iter()
        .chain([remote_host, "localhost"])
        .find_map(|name| ServerName::try_from(name.to_owned()).ok())
        .expect("the last of them is a name")
}

/// One configuration for all tunnels.
fn client_config() -> Arc<ClientConfig> {
    static CONFIG: std::sync::OnceLock<Arc<ClientConfig>> = std::sync::OnceLock::new();
    let made = CONFIG.get_or_init(|| {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("the provider knows the default versions")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
            .with_no_client_auth();
        Arc::new(config)
    });
    Arc::clone(made)
}

/// Takes every certificate, see [`Front::Https`].
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// A channel whose bytes count in the figures of the tunnel.
struct Metered {
    channel: Channel,
    state: Arc<State>,
}

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.channel).poll_read(context, buffer);
        let read = buffer.filled().len() - before;
        if read > 0 {
            self.state.received_from_client(read as u64);
        }
        polled
    }
}

impl AsyncWrite for Metered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.channel).poll_write(context, data);
        if let Poll::Ready(Ok(written)) = polled {
            self.state.sent_to_client(written as u64);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.channel).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.channel).poll_shutdown(context)
    }
}
