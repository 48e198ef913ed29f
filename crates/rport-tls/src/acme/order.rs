//! One order, from the request to the certificate.

use std::sync::Arc;
use std::time::Duration;

use instant_acme::{
    Account, AuthorizationStatus, ChallengeHandle, ChallengeType, Identifier, NewOrder, Order, OrderStatus,
    RetryPolicy,
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};

use super::AcmeError;
use super::challenges::{Challenges, OpenChallenge};

/// How long the authority may take to validate or to issue.
const PATIENCE: RetryPolicy = RetryPolicy::new().timeout(Duration::from_secs(90));

/// How a name is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    Http,
    Tls,
}

impl Proof {
    pub(super) fn other(self) -> Self {
        match self {
            Self::Http => Self::Tls,
            Self::Tls => Self::Http,
        }
    }

    fn kind(self) -> ChallengeType {
        match self {
            Self::Http => ChallengeType::Http01,
            Self::Tls => ChallengeType::TlsAlpn01,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http-01",
            Self::Tls => "tls-alpn-01",
        }
    }
}

fn step(step: &'static str) -> impl FnOnce(instant_acme::Error) -> AcmeError {
    move |source| AcmeError::Authority { step, source }
}

/// Obtains a certificate. Returns its key and its chain as PEM.
pub(super) async fn obtain(
    account: &Account,
    host: &str,
    proof: Proof,
    challenges: &Arc<Challenges>,
) -> Result<String, AcmeError> {
    let names = [Identifier::Dns(host.to_owned())];
    let mut order = account
        .new_order(&NewOrder::new(&names))
        .await
        .map_err(step("ordering a certificate"))?;
    let open = prove(&mut order, host, proof, challenges).await?;
    let validated = order.poll_ready(&PATIENCE).await;
    drop(open);
    match validated {
        Ok(OrderStatus::Ready) => {}
        ended => {
            let reason = refusal(&mut order).await;
            let fallback = || match ended {
                Ok(status) => format!("the order is {status:?}"),
                Err(error) => error.to_string(),
            };
            return Err(AcmeError::Validation {
                kind: proof.as_str(),
                reason: reason.unwrap_or_else(fallback),
            });
        }
    }

    let (key, request) = key_and_request(host).map_err(|error| AcmeError::Key(error.to_string()))?;
    order
        .finalize_csr(&request)
        .await
        .map_err(step("asking for the certificate"))?;
    let chain = order
        .poll_certificate(&PATIENCE)
        .await
        .map_err(step("fetching the certificate"))?;
    Ok(format!("{key}{chain}"))
}

/// Opens the challenges of all authorizations that are not valid yet and tells the authority.
async fn prove(
    order: &mut Order,
    host: &str,
    proof: Proof,
    challenges: &Arc<Challenges>,
) -> Result<Vec<OpenChallenge>, AcmeError> {
    let mut open = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization.map_err(step("reading an authorization"))?;
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let mut challenge = authorization
            .challenge(proof.kind())
            .ok_or(AcmeError::NoChallenge)?;
        open.push(answer(&challenge, host, proof, challenges)?);
        // An authority that validates at once says here already that it could not.
        challenge
            .set_ready()
            .await
            .map_err(|error| AcmeError::Validation {
                kind: proof.as_str(),
                reason: error.to_string(),
            })?;
    }
    Ok(open)
}

fn answer(
    challenge: &ChallengeHandle<'_>,
    host: &str,
    proof: Proof,
    challenges: &Arc<Challenges>,
) -> Result<OpenChallenge, AcmeError> {
    let text = challenge.key_authorization();
    match proof {
        Proof::Http => Ok(challenges.open_http(&challenge.token, text.as_str())),
        Proof::Tls => challenges.open_tls(host, text.digest().as_ref()),
    }
}

/// What the authority wrote about the challenge that failed.
async fn refusal(order: &mut Order) -> Option<String> {
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        let state = authorization.refresh().await.ok()?;
        let problem = state
            .challenges
            .iter()
            .find_map(|challenge| challenge.error.as_ref());
        if let Some(problem) = problem {
            return Some(problem.to_string());
        }
    }
    None
}

/// A new ECDSA key on P-256 as PEM, and the request for its certificate as DER.
fn key_and_request(host: &str) -> Result<(String, Vec<u8>), rcgen::Error> {
    let mut params = CertificateParams::new(vec![host.to_owned()])?;
    params.distinguished_name = DistinguishedName::new();
    let key = KeyPair::generate()?;
    let request = params.serialize_request(&key)?;
    Ok((key.serialize_pem(), request.der().to_vec()))
}
