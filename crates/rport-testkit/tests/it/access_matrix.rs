//! Every operation of the API's own description, tried by everybody who must not get through.
//!
//! The list of operations is the OpenAPI document that the server serves, so a new one is tried without anybody
//! thinking of it; one whose path has no place in [`Need::of`] fails the test.

use std::time::Duration;

use reqwest::Method;
use rport_testkit::{
    api::Api,
    process::{ServerConfig, ServerProcess},
    simulator::{Admission, SimulatedAgent},
};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(20);
/// Strong enough for the default rules.
const PASSWORD: &str = "Obelisk-Kaktus-77-Tau";
/// Clients: the users `weak` and `strong` may access the first and not the second.
const OPEN: &str = "open";
const SHUT: &str = "shut";

/// What an operation asks of its caller, besides access to the client in its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    /// Nothing at all.
    Nothing,
    /// The token of a login, and nothing else is ever enough.
    Token,
    /// Any user.
    Login,
    /// A function permission.
    Permission,
    /// An administrator.
    Admin,
}

impl Need {
    fn of(method: &Method, path: &str) -> Self {
        let segments: Vec<&str> = path.trim_start_matches("/api/v1/").split('/').collect();
        let reads = *method == Method::GET;
        match segments.as_slice() {
            [
                "login" | "openapi.json" | "docs" | "auth" | "oauth" | "oidc" | "plus",
                ..,
            ] => Self::Nothing,
            ["logout" | "verify-2fa"] => Self::Token,
            ["me", "session", ..] => Self::Token,
            ["ws", "commands" | "scripts" | "jobs", ..]
            | ["clients", _, "commands" | "scripts", ..]
            | ["commands" | "scripts", ..] => Self::Permission,
            ["me" | "status" | "client-tags" | "ws", ..] => Self::Login,
            ["users" | "user-groups" | "clients-auth", ..] => Self::Admin,
            ["client-groups", ..] if reads => Self::Login,
            ["client-groups", ..] => Self::Admin,
            ["clients", _, "acl" | "client-auth"] => Self::Admin,
            ["clients", _, "tunnels" | "stored-tunnels", ..]
            | ["tunnels" | "auditlog" | "library" | "schedules", ..] => Self::Permission,
            ["vault-admin", ..] if !reads => Self::Admin,
            ["vault" | "vault-admin", ..] => Self::Permission,
            ["clients", _, "attributes"] | ["clients"] | ["clients", _] => Self::Login,
            _ => panic!("{method} {path} has no place in Need::of: say what it asks of its caller"),
        }
    }
}

#[derive(Debug)]
struct Operation {
    id: String,
    method: Method,
    /// With names in braces.
    path: String,
    public: bool,
}

impl Operation {
    /// All operations of a document.
    fn all(document: &Value) -> Vec<Self> {
        let mut all = Vec::new();
        for (path, methods) in document["paths"].as_object().expect("paths") {
            for (method, operation) in methods.as_object().expect("methods") {
                let nobody = |security: &Value| {
                    let list = security.as_array().expect("a list");
                    list.iter()
                        .any(|one| one.as_object().is_some_and(serde_json::Map::is_empty))
                };
                all.push(Self {
                    id: operation["operationId"].as_str().expect("an id").to_owned(),
                    method: method.to_uppercase().parse().expect("a method"),
                    path: path.clone(),
                    public: operation.get("security").is_some_and(nobody),
                });
            }
        }
        all
    }

    fn names_client(&self) -> bool {
        self.path.contains("{client_id}")
    }

    /// The path below the base, for one client; other names are filled with what does not exist.
    fn path_for(&self, client: &str) -> String {
        let path = self
            .path
            .trim_start_matches("/api/v1")
            .replace("{client_id}", client);
        let mut filled = String::new();
        let mut rest = path.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            filled.push_str("12345678");
            rest = after.split_once('}').expect("a closed brace").1;
        }
        filled + rest
    }

    async fn status(&self, api: &Api, client: &str) -> anyhow::Result<u16> {
        let mut request = api.request(self.method.clone(), &self.path_for(client));
        if self.method != Method::GET && self.method != Method::DELETE {
            request = request.json(&json!({}));
        }
        Ok(api.send(request).await?.status)
    }
}

/// A server with users in tables, and everybody who tries.
struct World {
    server: ServerProcess,
    _agents: Vec<SimulatedAgent>,
    /// Callers nobody knows any more, with the reason.
    unknown: Vec<(&'static str, Api)>,
    /// Access to [`OPEN`] and no permission.
    weak: Api,
    /// Every permission, and access to [`OPEN`] only.
    strong: Api,
    read_token: Api,
    client_auth_token: Api,
}

impl World {
    async fn make() -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?.keep();
        let users = dir.join("auth.db");
        tables(&users)?;
        let config = ServerConfig {
            login: ("admin", PASSWORD),
            database_lines: vec![
                "db_type = \"sqlite\"".to_owned(),
                format!("db_name = \"{}\"", users.display()),
            ],
            api_lines: [
                ("user", "users"),
                ("group", "groups"),
                ("group_details", "group_details"),
            ]
            .map(|(key, table)| format!("auth_{key}_table = \"{table}\""))
            .into_iter()
            .chain([
                "max_failed_login = 0".to_owned(),
                "user_login_wait = 0".to_owned(),
            ])
            .collect(),
            ..ServerConfig::new()
        };
        let mut server = ServerProcess::start_with(config).await?;
        let nobody = server.anonymous();
        let admin = server.api();

        let revoked = token(&nobody, "admin").await?;
        assert_eq!(nobody.with_bearer(&revoked).delete("/logout").await?.status, 204);
        let gone = json!({ "username": "gone", "password": PASSWORD, "groups": ["Administrators"] });
        assert_eq!(admin.post_json("/users", &gone).await?.status, 201);
        let of_gone = token(&nobody, "gone").await?;
        let gone_token = api_token(&nobody.with_basic("gone", PASSWORD), "read+write").await?;
        assert_eq!(admin.delete("/users/gone").await?.status, 204);
        let expired = token(&nobody, "weak").await?;
        let read = api_token(&admin, "read").await?;
        let client_auth = api_token(&admin, "clients-auth").await?;

        // Time passes for one login while the server is away.
        server.child.terminate(SOON).await?;
        let sessions = rusqlite::Connection::open(server.data_dir().join("api_sessions.db"))?;
        let changed = sessions.execute(
            "UPDATE api_sessions SET expires_at = '2020-01-01 00:00:00+00:00' WHERE username = 'weak'",
            [],
        )?;
        assert_eq!(changed, 1);
        drop(sessions);
        server.restart().await?;

        let mut agents = Vec::new();
        for id in [OPEN, SHUT] {
            let (auth, password) = ServerConfig::AGENT_AUTH;
            let Admission::Admitted(agent) =
                SimulatedAgent::connect(server.config.agents, (auth, password), id).await?
            else {
                anyhow::bail!("{id} was not admitted");
            };
            agents.push(agent);
            admin.wait_connected(id, SOON).await;
        }
        let acl = json!({ "allowed_user_groups": ["weak", "strong"] });
        assert_eq!(
            admin
                .post_json(&format!("/clients/{OPEN}/acl"), &acl)
                .await?
                .status,
            204
        );

        Ok(Self {
            unknown: vec![
                ("nobody", nobody.clone()),
                ("a wrong password", nobody.with_basic("admin", "wrong")),
                ("an unknown user", nobody.with_basic("stranger", PASSWORD)),
                ("no token at all", nobody.with_bearer("a.b.c")),
                ("a login that was ended", nobody.with_bearer(&revoked)),
                ("a login that expired", nobody.with_bearer(&expired)),
                ("a login of a deleted user", nobody.with_bearer(&of_gone)),
                (
                    "an API token of a deleted user",
                    nobody.with_basic("gone", &gone_token),
                ),
                ("somebody else's API token", nobody.with_basic("weak", &read)),
            ],
            weak: nobody.with_basic("weak", PASSWORD),
            strong: nobody.with_basic("strong", PASSWORD),
            read_token: nobody.with_basic("admin", &read),
            client_auth_token: nobody.with_basic("admin", &client_auth),
            server,
            _agents: agents,
        })
    }
}

/// The operator's tables as the documentation has them, with passwords in clear as they may be.
fn tables(file: &std::path::Path) -> anyhow::Result<()> {
    let connection = rusqlite::Connection::open(file)?;
    connection.execute_batch(
        r#"CREATE TABLE users (username TEXT NOT NULL, password TEXT NOT NULL, password_expired BOOLEAN NOT NULL DEFAULT 0,
               two_fa_send_to TEXT, totp_secret TEXT);
           CREATE UNIQUE INDEX username ON users (username);
           CREATE TABLE groups (username TEXT NOT NULL, "group" TEXT NOT NULL);
           CREATE UNIQUE INDEX username_group ON groups (username, "group");
           CREATE TABLE group_details (name TEXT NOT NULL, permissions TEXT DEFAULT '{}');
           CREATE UNIQUE INDEX name ON group_details (name);
           INSERT INTO groups VALUES ('admin', 'Administrators'), ('weak', 'weak'), ('strong', 'strong');
           INSERT INTO group_details VALUES ('weak', '{}'), ('strong', '{"tunnels":true,"scripts":true,"commands":true,
               "vault":true,"scheduler":true,"monitoring":true,"uploads":true,"auditlog":true}');"#,
    )?;
    for user in ["admin", "weak", "strong"] {
        connection.execute(
            "INSERT INTO users (username, password, two_fa_send_to, totp_secret) VALUES (?1, ?2, '', '')",
            [user, PASSWORD],
        )?;
    }
    Ok(())
}

async fn token(api: &Api, user: &str) -> anyhow::Result<String> {
    let data = api.with_basic(user, PASSWORD).get("/login").await?.data()?;
    Ok(data["token"].as_str().expect("a token").to_owned())
}

async fn api_token(api: &Api, scope: &str) -> anyhow::Result<String> {
    let body = json!({ "name": scope, "scope": scope });
    let data = api.post_json("/me/tokens", &body).await?.data()?;
    Ok(data["token"].as_str().expect("a token").to_owned())
}

#[tokio::test]
async fn nobody_gets_through_who_must_not() -> anyhow::Result<()> {
    let world = World::make().await?;
    let document = world.server.anonymous().get("/openapi.json").await?.body;
    let operations = Operation::all(&document);
    assert!(
        operations.len() > 20,
        "the document has {} operations",
        operations.len()
    );
    let mut wrong = Vec::new();
    for operation in &operations {
        let need = Need::of(&operation.method, &operation.path);
        // `GET /login` is told who logs in by the header that elsewhere authenticates.
        let differs = (need == Need::Nothing) != operation.public && operation.id != "login";
        if differs && need != Need::Token {
            wrong.push(format!(
                "{}: the document says something else about who may call it",
                operation.id
            ));
        }
        let mut expect = async |who: &str, api: &Api, client: &str, expected: &[u16]| {
            let status = operation.status(api, client).await?;
            if !expected.contains(&status) {
                let Operation { id, method, path, .. } = operation;
                wrong.push(format!(
                    "{id} ({method} {path}) as {who}: {status} instead of {expected:?}"
                ));
            }
            anyhow::Ok(())
        };
        match need {
            Need::Nothing => continue,
            // The original answers 400 to a logout without a token worth something.
            Need::Token => {
                for (who, api) in &world.unknown {
                    expect(who, api, OPEN, &[400, 401]).await?;
                }
                continue;
            }
            Need::Login | Need::Permission | Need::Admin => {}
        }
        for (who, api) in &world.unknown {
            expect(who, api, SHUT, &[401]).await?;
        }
        if operation.method != Method::GET || operation.path.contains("/ws/") {
            expect("a token for reading", &world.read_token, OPEN, &[403]).await?;
        }
        if !operation.path.starts_with("/api/v1/clients-auth") {
            expect("a token for clients-auth", &world.client_auth_token, OPEN, &[403]).await?;
        }
        if need != Need::Login {
            expect("a user without permission", &world.weak, OPEN, &[403]).await?;
        }
        if need == Need::Admin {
            expect("a user who is no administrator", &world.strong, OPEN, &[403]).await?;
        }
        if operation.names_client() {
            expect("a user without access to the client", &world.strong, SHUT, &[403]).await?;
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    Ok(())
}
