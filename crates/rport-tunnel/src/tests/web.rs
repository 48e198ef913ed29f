//! A small web service that tells what it was asked.

use std::convert::Infallible;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rport_transport::Channel;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Bytes of `/big`.
pub(super) const BIG: usize = 100_000_000;
const PIECE: usize = 64 * 1024;

/// A certificate for `localhost` and what serves it.
pub(super) fn certificate() -> &'static (CertificateDer<'static>, Arc<ServerConfig>) {
    static MADE: OnceLock<(CertificateDer<'static>, Arc<ServerConfig>)> = OnceLock::new();
    MADE.get_or_init(|| {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("certificate");
        let der = made.cert.der().clone();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("key");
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![der.clone()], key)
            .expect("usable");
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        (der, Arc::new(config))
    })
}

pub(super) async fn serve_tls(channel: Channel) {
    let mut config = (*certificate().1).clone();
    config.alpn_protocols.clear();
    if let Ok(stream) = TlsAcceptor::from(Arc::new(config)).accept(channel).await {
        serve(stream).await;
    }
}

pub(super) async fn serve<S>(stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service_fn(answer))
        .with_upgrades()
        .await;
}

type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

async fn answer(mut request: Request<Incoming>) -> Result<Answer, Infallible> {
    let path = request.uri().path().to_owned();
    Ok(match path.as_str() {
        "/big" => Response::new(Pieces(BIG).boxed_unsync()),
        "/count" => {
            let mut count = 0;
            let mut body = request.into_body();
            while let Some(Ok(frame)) = body.frame().await {
                count += frame.data_ref().map_or(0, Bytes::len);
            }
            text(count.to_string())
        }
        "/ws" => {
            let upgraded = hyper::upgrade::on(&mut request);
            #[expect(clippy::disallowed_methods, reason = "the test ends with its connection")]
            tokio::spawn(async move {
                let Ok(upgraded) = upgraded.await else { return };
                let mut stream = TokioIo::new(upgraded);
                let mut buffer = [0; 1024];
                while let Ok(n @ 1..) = stream.read(&mut buffer).await {
                    if stream.write_all(&buffer[..n]).await.is_err() {
                        return;
                    }
                }
            });
            let mut answer = text(String::new());
            *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            let headers = answer.headers_mut();
            headers.insert(header::CONNECTION, "Upgrade".parse().expect("text"));
            headers.insert(header::UPGRADE, "echo".parse().expect("text"));
            answer
        }
        _ => {
            let mut lines: Vec<String> = request
                .headers()
                .iter()
                .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap_or("?")))
                .collect();
            lines.sort();
            lines.insert(0, format!("{} {}", request.method(), request.uri()));
            let mut answer = text(lines.join("\n"));
            answer
                .headers_mut()
                .insert("keep-alive", "timeout=5".parse().expect("text"));
            answer
        }
    })
}

fn text(text: String) -> Answer {
    Response::new(Full::new(Bytes::from(text)).boxed_unsync())
}

/// The byte at a place of `/big`.
pub(super) fn byte_at(place: usize) -> u8 {
    (place % 251) as u8
}

/// A body without length, so it is sent in chunks.
struct Pieces(usize);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.0 == 0 {
            return std::task::Poll::Ready(None);
        }
        let start = BIG - self.0;
        let piece: Vec<u8> = (start..start + PIECE.min(self.0)).map(byte_at).collect();
        self.0 -= piece.len();
        std::task::Poll::Ready(Some(Ok(Frame::data(piece.into()))))
    }
}
