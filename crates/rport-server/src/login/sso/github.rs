//! GitHub, which speaks OAuth without OpenID Connect.

use std::sync::Arc;

use serde_json::Value;

use super::device::{DeviceStart, Polled};
use super::http::{Http, Problem};
use super::mapping::Identity;
use super::oidc::{challenge, described, with_query};
use super::options::{SsoOptions, SsoProvider};
use super::pending::Pending;

/// Enough to read name, organizations and teams.
const SCOPE: &str = "read:user read:org";
const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// Teams and organizations that are asked for at once, and how often at most.
const PAGE: usize = 100;
const PAGES: usize = 5;

pub(super) struct Github {
    options: Arc<SsoOptions>,
}

impl Github {
    pub(super) fn new(options: Arc<SsoOptions>) -> Self {
        Self { options }
    }

    fn url(&self, path: &str) -> String {
        match &self.options.provider {
            SsoProvider::Github { base_url, .. } => format!("{}{path}", base_url.trim_end_matches('/')),
            SsoProvider::Oidc { .. } => unreachable!("made for GitHub"),
        }
    }

    fn api(&self, path: &str) -> String {
        match &self.options.provider {
            SsoProvider::Github { api_url, .. } => format!("{}{path}", api_url.trim_end_matches('/')),
            SsoProvider::Oidc { .. } => unreachable!("made for GitHub"),
        }
    }

    pub(super) fn authorize_url(&self, state: &str, login: &Pending) -> String {
        let query = [
            ("client_id", self.options.client_id.as_str()),
            ("redirect_uri", &self.options.redirect_url),
            ("scope", SCOPE),
            ("state", state),
            ("code_challenge", &challenge(login.verifier.expose())),
            ("code_challenge_method", "S256"),
        ];
        with_query(&self.url("/login/oauth/authorize"), &query)
    }

    pub(super) async fn redeem(&self, http: &Http, code: &str, login: &Pending) -> Result<Identity, Problem> {
        let form = [
            ("client_id", self.options.client_id.as_str()),
            ("client_secret", self.options.client_secret.expose()),
            ("code", code),
            ("redirect_uri", &self.options.redirect_url),
            ("code_verifier", login.verifier.expose()),
        ];
        let (_, answer) = http
            .post(&self.url("/login/oauth/access_token"), &form, None)
            .await?;
        match answer["access_token"].as_str() {
            Some(token) => self.identity(http, token).await,
            None => Err(Problem::refused(described(&answer))),
        }
    }

    pub(super) async fn begin_device(&self, http: &Http) -> Result<DeviceStart, Problem> {
        let form = [("client_id", self.options.client_id.as_str()), ("scope", SCOPE)];
        let (status, answer) = http.post(&self.url("/login/device/code"), &form, None).await?;
        DeviceStart::read(status, &answer)
    }

    pub(super) async fn poll_device(&self, http: &Http, code: &str) -> Result<Polled, Problem> {
        let form = [
            ("client_id", self.options.client_id.as_str()),
            ("device_code", code),
            ("grant_type", DEVICE_GRANT),
        ];
        let (status, answer) = http
            .post(&self.url("/login/oauth/access_token"), &form, None)
            .await?;
        match answer["access_token"].as_str() {
            Some(token) => self.identity(http, token).await.map(Polled::Done),
            // GitHub answers 200 whatever the matter is.
            None => Ok(Polled::waiting(status.max(400), &answer)),
        }
    }

    /// Groups are `organization` and `organization/team`.
    async fn identity(&self, http: &Http, token: &str) -> Result<Identity, Problem> {
        let user = http.get(&self.api("/user"), Some(token)).await?;
        let mut groups = Vec::new();
        for organization in self.all(http, "/user/orgs", token).await? {
            groups.extend(organization["login"].as_str().map(str::to_owned));
        }
        for team in self.all(http, "/user/teams", token).await? {
            if let (Some(organization), Some(slug)) =
                (team["organization"]["login"].as_str(), team["slug"].as_str())
            {
                groups.push(format!("{organization}/{slug}"));
            }
        }
        Ok(Identity {
            name: user["login"].as_str().unwrap_or_default().to_owned(),
            groups,
        })
    }

    async fn all(&self, http: &Http, path: &str, token: &str) -> Result<Vec<Value>, Problem> {
        let mut all = Vec::new();
        for page in 1..=PAGES {
            let url = self.api(&format!("{path}?per_page={PAGE}&page={page}"));
            let Value::Array(found) = http.get(&url, Some(token)).await? else {
                return Err(Problem::unreachable(format!("{path} is no list")));
            };
            let is_last = found.len() < PAGE;
            all.extend(found);
            if is_last {
                break;
            }
        }
        Ok(all)
    }
}
