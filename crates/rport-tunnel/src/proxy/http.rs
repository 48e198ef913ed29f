//! One request on its way to the service and back.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;
use tracing::{debug, info};

use super::login::Verdict;
use super::upstream::UpstreamError;
use super::{RunningGuard, Visit, cors, headers, pages};

/// How long a service may take to begin its answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(300);

/// A body on its way to the visitor.
pub(super) type Answer = Response<UnsyncBoxBody<Bytes, hyper::Error>>;

impl Visit {
    /// Answers one request; never fails, because every failure has a page.
    pub(super) async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Result<Answer, Infallible> {
        let running = self.running.enter();
        let origin = request.headers().get(header::ORIGIN).cloned();
        let allowed = origin.and_then(|origin| cors::allowed(&self.proxy.spec.cors, &origin));
        let mut answer = match &allowed {
            Some(_) if cors::is_preflight(&request) => cors::preflight(request.headers()),
            _ => self.decided(request).await,
        };
        if let Some(allowed) = &allowed {
            allowed.mark(answer.headers_mut());
        }
        Ok(answer.map(|body| {
            Guarded {
                body,
                _running: running,
            }
            .boxed_unsync()
        }))
    }

    /// Passes visitors whom the ACL and the login let in.
    async fn decided(&self, mut request: Request<Incoming>) -> Answer {
        let proxy = &self.proxy;
        let state = &self.tcp.state;
        let address = proxy.address(self.peer, request.headers());
        if !state.allows(address) {
            state.visitor_denied();
            debug!(tunnel.label = %state.label, visitor = %address, "visitor refused by the tunnel's ACL");
            return pages::denied();
        }
        if let Some(login) = &proxy.spec.login {
            match proxy.throttle.check(login, address, request.headers()) {
                Verdict::LetIn => {}
                Verdict::Ask => return pages::login_wanted(),
                Verdict::Refused => {
                    info!(tunnel.label = %state.label, visitor = %address, "wrong login at a tunnel");
                    return pages::login_wanted();
                }
                Verdict::Wait(seconds) => return pages::slow_down(seconds),
            }
            // The service has no business with the tunnel's password.
            request.headers_mut().remove(header::AUTHORIZATION);
        }
        self.forwarded(request).await
    }

    async fn forwarded(&self, mut request: Request<Incoming>) -> Answer {
        let upgrade = headers::upgrade(&request);
        let visitor = upgrade.is_some().then(|| hyper::upgrade::on(&mut request));
        let trusted = self.proxy.trusts(self.peer);
        let request = match headers::for_service(
            request,
            self.peer,
            trusted,
            self.proxy.spec.host_header.as_ref(),
            upgrade.as_ref(),
        ) {
            Ok(request) => request,
            Err(problem) => return pages::bad_request(problem),
        };
        let sent = tokio::time::timeout(ANSWER_LIMIT, self.upstream.send(request)).await;
        let mut answer = match sent {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return self.unreachable(&error),
            Err(_) => {
                info!(tunnel.label = %self.tcp.state.label, "the service behind a tunnel does not answer");
                return pages::too_late();
            }
        };
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            let (Some(visitor), Some(protocol)) = (visitor, upgrade) else {
                return pages::away();
            };
            let service = hyper::upgrade::on(&mut answer);
            self.join(visitor, service);
            headers::keep_end_to_end(answer.headers_mut());
            let headers = answer.headers_mut();
            headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(header::UPGRADE, protocol);
        } else {
            headers::keep_end_to_end(answer.headers_mut());
        }
        answer.map(BodyExt::boxed_unsync)
    }

    fn unreachable(&self, error: &UpstreamError) -> Answer {
        let state = &self.tcp.state;
        info!(tunnel.label = %state.label, target = %self.tcp.target, reason = %error,
            "the service behind a tunnel is away");
        if matches!(error, UpstreamError::Dial(_)) {
            state.visitor_not_dialled();
        }
        pages::away()
    }

    /// Carries bytes between visitor and service after both have left HTTP, a WebSocket for example.
    fn join(&self, visitor: hyper::upgrade::OnUpgrade, service: hyper::upgrade::OnUpgrade) {
        let (open, stop, label) = (
            Arc::clone(&self.open),
            self.tcp.stop.clone(),
            self.tcp.state.label.clone(),
        );
        let running = self.running.enter();
        let carry = async move {
            let (visitor, service) = match tokio::try_join!(visitor, service) {
                Ok(both) => both,
                Err(error) => return debug!(tunnel.label = %label, %error, "upgrade failed"),
            };
            let (mut visitor, mut service) = (TokioIo::new(visitor), TokioIo::new(service));
            // How a WebSocket ends is between its two ends.
            let _ = copy_bidirectional(&mut visitor, &mut service).await;
        };
        self.tcp.tasks.spawn("tunnel-upgrade", async move {
            let _counted = (open, running);
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = carry => {}
            }
        });
    }
}

/// A body that counts as a running request until its end.
struct Guarded {
    body: UnsyncBoxBody<Bytes, hyper::Error>,
    _running: RunningGuard,
}

impl Body for Guarded {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
