//! Where the certificates of the listening ports come from.

use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context, anyhow};
use rport_runtime::{Clock, Tasks, net};
use rport_tls::{Acme, Certificates};
use tokio::net::TcpListener;

use crate::{config::Config, options};

/// The certificates, and who obtains them.
#[derive(Default)]
pub(crate) struct Https {
    /// The API's; `None` speaks plain HTTP.
    pub(crate) api: Option<Arc<Certificates>>,
    /// Those of the HTTPS fronts of tunnels; `None` has no such fronts.
    pub(crate) tunnels: Option<Arc<Certificates>>,
    acme: Option<Acme>,
}

impl Https {
    /// Reads what is on the disk. What is missing is obtained after [`Https::start`].
    pub(crate) async fn open(config: &Config, tasks: &Tasks) -> anyhow::Result<Self> {
        let acme = options::acme(config);
        let host = options::api_acme_host(config);
        let files = (config.api.enabled() && !config.api.cert_file.is_empty())
            .then(|| (config.api.cert_file.clone(), config.api.key_file.clone()));
        let server = &config.server;
        let tunnel_files = (!server.tunnel_proxy_cert_file.is_empty()).then(|| {
            (
                server.tunnel_proxy_cert_file.clone(),
                server.tunnel_proxy_key_file.clone(),
            )
        });
        let tunnel_host = options::tunnel_acme_host(config);
        let opened = tasks.spawn_blocking("open-certificates", move || {
            let acme = acme
                .map(|options| Acme::open(options, Clock::system()))
                .transpose()?;
            let api = match (files, host) {
                (Some((cert, key)), _) => Some(Certificates::from_files(cert.as_ref(), key.as_ref())?),
                (None, Some(host)) => acme.as_ref().and_then(|acme| acme.certificates(&host.name)),
                (None, None) => None,
            };
            let tunnels = match (tunnel_files, tunnel_host) {
                (Some((cert, key)), _) => Some(Certificates::from_files(cert.as_ref(), key.as_ref())?),
                (None, Some(host)) => acme.as_ref().and_then(|acme| acme.certificates(&host)),
                (None, None) => None,
            };
            anyhow::Ok(Self { api, tunnels, acme })
        });
        opened
            .await
            .map_err(|_| anyhow!("reading the certificates failed"))?
    }

    /// Starts watching files and obtaining certificates.
    pub(crate) fn start(&self, config: &Config, tasks: &Tasks) -> anyhow::Result<()> {
        for certificates in self.api.iter().chain(&self.tunnels) {
            certificates.watch(tasks);
        }
        let Some(acme) = &self.acme else {
            return Ok(());
        };
        let port = u16::try_from(config.server.acme_http_port).unwrap_or(0);
        if port != 0 {
            let address = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
            let listener = net::listen_tcp(address).and_then(TcpListener::from_std);
            let listener = listener.with_context(|| {
                format!("cannot listen on {address} for ACME; see '[server] acme_http_port'")
            })?;
            acme.serve_http(listener, tasks);
        }
        acme.start(tasks);
        Ok(())
    }

    /// Reads the files again, when an operator asks for it.
    pub(crate) async fn reload(&self, tasks: &Tasks) {
        for certificates in self.api.iter().chain(&self.tunnels) {
            let certificates = certificates.clone();
            // A panic inside has been logged; the old certificate stays.
            let _ = tasks
                .spawn_blocking("read-certificate", move || certificates.reload())
                .await;
        }
    }
}
