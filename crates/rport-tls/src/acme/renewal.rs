//! When certificates are obtained: at once where there is none, else after two thirds of their life.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use instant_acme::{Account, Key};
use rport_runtime::rng::SmallRng;
use rport_runtime::{Backoff, Tasks};

use super::order::{Proof, obtain};
use super::{AcmeError, Inner, cache};
use crate::certificates::Certificates;
use crate::der;

/// Longest single sleep: a machine that was suspended, or whose clock was set, notices within this time.
const LONGEST_SLEEP: Duration = Duration::from_secs(3600);
/// Longest time one attempt may take.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(300);
/// Renewals start up to this part of the life later, so that a fleet does not ask at the same moment.
const JITTER_PART: i32 = 30;

pub(super) struct Renewal {
    inner: Arc<Inner>,
    tasks: Tasks,
    account: Option<Account>,
    hosts: Vec<Host>,
}

struct Host {
    name: String,
    certificates: Arc<Certificates>,
    due: DateTime<Utc>,
    backoff: Backoff,
    proof: Proof,
}

impl Renewal {
    pub(super) fn new(inner: Arc<Inner>, tasks: Tasks) -> Self {
        let now = inner.clock.now();
        let (shortest, longest) = inner.options.retry;
        // With a port for HTTP the operator has said how names are to be proven.
        let proof = if inner.options.http {
            Proof::Http
        } else {
            Proof::Tls
        };
        let hosts = inner.hosts.iter().map(|(name, certificates)| Host {
            name: name.clone(),
            certificates: Arc::clone(certificates),
            due: due(certificates, now),
            backoff: Backoff::new(shortest, longest, 3.0),
            proof,
        });
        Self {
            hosts: hosts.collect(),
            inner,
            tasks,
            account: None,
        }
    }

    pub(super) async fn run(mut self) {
        let stop = self.tasks.soft();
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.renew_for_ever() => {}
        }
    }

    async fn renew_for_ever(&mut self) {
        loop {
            let now = self.inner.clock.now();
            let Some(next) = (0..self.hosts.len()).min_by_key(|at| self.hosts[*at].due) else {
                return;
            };
            let wait = (self.hosts[next].due - now).to_std().unwrap_or_default();
            if !wait.is_zero() {
                tokio::time::sleep(wait.min(LONGEST_SLEEP)).await;
                continue;
            }
            self.attempt(next).await;
        }
    }

    async fn attempt(&mut self, at: usize) {
        let (name, proof) = (self.hosts[at].name.clone(), self.hosts[at].proof);
        let obtained = tokio::time::timeout(ATTEMPT_LIMIT, self.obtain(&name, proof)).await;
        let obtained = obtained.unwrap_or(Err(AcmeError::Timeout));
        let now = self.inner.clock.now();
        let may_change_proof = self.inner.options.http;
        let host = &mut self.hosts[at];
        match obtained {
            Ok(certified) => {
                host.certificates.set(certified);
                host.backoff.reset();
                host.due = due(&host.certificates, now);
                let until = host.certificates.not_after().map(|until| until.to_rfc3339());
                tracing::info!(host = name, until, "obtained a certificate");
            }
            Err(error) => {
                let pause = host.backoff.next();
                host.due = now + TimeDelta::from_std(pause).unwrap_or(TimeDelta::hours(6));
                if may_change_proof && matches!(error, AcmeError::Validation { .. } | AcmeError::NoChallenge)
                {
                    host.proof = proof.other();
                }
                // The next attempt logs in again: the account may be what is wrong.
                self.account = None;
                let until = host.certificates.not_after();
                let seconds = pause.as_secs();
                match until.filter(|until| *until > now) {
                    Some(until) => tracing::warn!(%error, host = name, valid_until = %until.to_rfc3339(),
                        next_try_seconds = seconds, "no new certificate yet, the present one stays in use"),
                    None => tracing::error!(%error, host = name, next_try_seconds = seconds,
                        "no certificate, so HTTPS does not work"),
                }
            }
        }
    }

    async fn obtain(
        &mut self,
        host: &str,
        proof: Proof,
    ) -> Result<Arc<rustls::sign::CertifiedKey>, AcmeError> {
        let account = match &self.account {
            Some(account) => account.clone(),
            None => self.log_in().await?,
        };
        let text = obtain(&account, host, proof, &self.inner.challenges).await?;
        self.account = Some(account);
        let certified = cache::certified(text.as_bytes(), host).map_err(AcmeError::Issued)?;
        let (cache, name) = (self.inner.cache.clone(), host.to_owned());
        let saved = self.blocking(move || cache.save_certificate(&name, &text)).await;
        if let Err(error) = saved {
            // Better served from memory than not at all; the next start asks the authority again.
            tracing::error!(%error, host, "a new certificate cannot be kept");
        }
        Ok(certified)
    }

    /// Uses the account of the key on the disk, or registers one. The key is kept before it is registered, so that
    /// no account is lost.
    async fn log_in(&self) -> Result<Account, AcmeError> {
        let cache = self.inner.cache.clone();
        let key = self
            .blocking(move || {
                if let Some(key) = cache.account_key()? {
                    return Ok(key);
                }
                let (_, key) = Key::generate_pkcs8().map_err(|error| AcmeError::Key(error.to_string()))?;
                cache.save_account_key(&key)?;
                Ok(key)
            })
            .await?;
        let usable =
            Key::from_pkcs8_der(key.clone_key()).map_err(|error| AcmeError::Key(error.to_string()))?;
        let builder = Account::builder_with_http(Box::new(self.inner.http.clone()));
        let directory = self.inner.options.directory_url.clone();
        let logged_in = builder.create_from_key((usable, key.into()), directory).await;
        let (account, _credentials) = logged_in.map_err(|source| AcmeError::Authority {
            step: "logging in at the ACME authority",
            source,
        })?;
        Ok(account)
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, AcmeError> + Send + 'static,
    ) -> Result<T, AcmeError> {
        let done = self.tasks.spawn_blocking("acme-files", work).await;
        done.unwrap_or_else(|_| Err(AcmeError::Key("the work on the disk was cut off".to_owned())))
    }
}

/// When to ask for a new certificate.
fn due(certificates: &Certificates, now: DateTime<Utc>) -> DateTime<Utc> {
    let Some((from, until)) = certificates.leaf().as_deref().and_then(der::validity) else {
        return now;
    };
    let life = (until - from).max(TimeDelta::zero());
    let spread = u64::try_from((life / JITTER_PART).num_milliseconds()).unwrap_or(0);
    let jitter = i64::try_from(SmallRng::random().below(spread)).unwrap_or(0);
    from + life * 2 / 3 + TimeDelta::milliseconds(jitter)
}
