//! What ends up in the audit log.

use rport_domain::{ClientId, TunnelRequest};
use rusqlite::Connection;

use super::agent::Agent;
use super::*;
use crate::RequestOrigin;

/// Application, action, user, request and response of every entry.
fn entries(directory: &TempDir) -> Vec<[String; 5]> {
    let file = Connection::open(directory.path().join("auditlog.db")).expect("opens");
    let mut query = file
        .prepare("SELECT application, action, username, request, response FROM auditlog ORDER BY rowid")
        .expect("valid");
    let rows = query
        .query_map([], |row| {
            Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?])
        })
        .expect("runs");
    rows.collect::<Result<_, _>>().expect("reads")
}

fn of<'a>(entries: &'a [[String; 5]], application: &str, action: &str) -> Vec<&'a [String; 5]> {
    let wanted = |entry: &&[String; 5]| entry[0] == application && entry[1] == action;
    entries.iter().filter(wanted).collect()
}

fn origin() -> RequestOrigin {
    RequestOrigin {
        address: IpAddr::from([203, 0, 113, 7]),
        user_agent: "curl".into(),
    }
}

async fn patient_server() -> TestServer {
    TestServer::start_with(Options {
        login: LoginOptions {
            user_wait: Duration::ZERO,
            ban: None,
            ..LoginOptions::default()
        },
        ..options()
    })
    .await
}

#[tokio::test]
async fn logins_failures_and_logouts_are_noted() {
    let server = patient_server().await;
    let login = server.server.login().expect("the API is on").clone();
    let token = login
        .password("admin", &"foobaz".into(), None, None, &origin())
        .await
        .expect("logs in")
        .token;
    login.logout(token.expose(), &origin()).await.expect("logs out");
    login
        .bearer(token.expose(), "GET", "/api/v1/me", &origin())
        .await
        .expect_err("it is over");
    for _ in 0..5 {
        login
            .basic("admin", &"secret word".into(), "GET", "/api/v1/me", &origin())
            .await
            .expect_err("wrong");
        login
            .basic("admin", &"foobaz".into(), "GET", "/api/v1/me", &origin())
            .await
            .expect("right");
    }
    let found = entries(&server.stop().await);
    let success: Vec<_> = of(&found, "auth.login", "success")
        .iter()
        .map(|entry| entry[3].clone())
        .collect();
    assert_eq!(
        success,
        [
            r#"{"via":"login"}"#,
            r#"{"via":"basic"}"#,
            r#"{"repeated":4,"via":"basic"}"#
        ]
    );
    assert_eq!(of(&found, "auth.login", "logout").len(), 1);
    let mut failed: Vec<_> = of(&found, "auth.login", "failed")
        .iter()
        .map(|entry| entry[3].as_str())
        .collect();
    failed.sort_unstable();
    assert_eq!(
        failed,
        [
            r#"{"repeated":4,"via":"basic"}"#,
            r#"{"via":"basic"}"#,
            r#"{"via":"bearer"}"#
        ]
    );
    assert!(
        found.iter().flatten().all(|text| !text.contains("secret word")),
        "{found:?}"
    );
}

#[tokio::test]
async fn a_flood_of_guesses_writes_a_bounded_number_of_entries() {
    let server = patient_server().await;
    let login = server.server.login().expect("the API is on").clone();
    for number in 0..3000 {
        let name = format!("user{number}");
        for _ in 0..2 {
            login
                .basic(&name, &"guess".into(), "GET", "/api/v1/me", &origin())
                .await
                .expect_err("refused");
        }
    }
    let found = entries(&server.stop().await);
    // A thousand first tries, their repetitions, and everything else as one.
    assert_eq!(found.len(), 2001, "{:?}", found.last());
    let together = found.iter().find(|entry| entry[2].is_empty()).expect("the rest");
    assert_eq!(
        together[3],
        r#"{"note":"many names and addresses","repeated":4000}"#
    );
}

#[tokio::test]
async fn tunnels_are_noted_without_their_passwords() {
    let server = TestServer::start().await;
    let _agent = Agent::connect(&server, "c1", "s1").await;
    let request = TunnelRequest::from_pairs(&[("remote", "22"), ("name", "ssh")]);
    let id = ClientId::new("c1");
    let tunnels = server.server.tunnels().clone();
    let tunnel = tunnels.open(&admin(), &id, request).await.expect("opens");
    tunnels
        .set_acl(&admin(), &id, &tunnel.id, Some("10.0.0.1"))
        .await
        .expect("changes");
    tunnels
        .close(&admin(), &id, &tunnel.id, true)
        .await
        .expect("closes");
    let found = entries(&server.stop().await);
    let actions: Vec<_> = found
        .iter()
        .filter(|entry| entry[0] == "client.tunnel")
        .map(|entry| (entry[1].as_str(), entry[3].as_str()))
        .collect();
    assert_eq!(actions[0].0, "create");
    assert!(actions[0].1.contains(r#""rport":"22""#), "{}", actions[0].1);
    assert_eq!(
        actions[1..],
        [
            ("update", r#"{"acl":"10.0.0.1"}"#),
            ("delete", r#"{"force":true}"#)
        ]
    );
    assert!(found[0][4].contains(r#""id":"1""#), "{}", found[0][4]);
}

#[tokio::test]
async fn a_new_file_is_started_by_the_clock_and_nothing_is_lost_or_replaced() {
    let mut options = options();
    options.audit.rotation = crate::AuditRotation::Daily;
    options.audit.keep_days = Some(3);
    let server = TestServer::start_with(options).await;
    let path = server.directory.as_ref().expect("running").path().to_owned();
    std::fs::write(path.join("auditlog.2024-04-01.db"), "an old file").expect("writes");
    std::fs::write(path.join("auditlog.2024-05-02.db"), "a file of that day").expect("writes");
    let logs = server.server.audit_logs().clone();
    let audit = logs.writer();
    let note = async |number: usize| {
        let id = number.to_string();
        audit
            .record(
                &admin(),
                crate::audit::Application::Client,
                crate::audit::Action::Delete,
                &id,
                None,
            )
            .await;
    };
    for number in 0..20 {
        note(number).await;
    }
    logs.look().await;
    assert!(!path.join("auditlog.2024-05-02.2.db").exists(), "too early");
    assert!(!path.join("auditlog.2024-04-01.db").exists(), "kept long enough");

    server.clock.advance(Duration::from_secs(24 * 3600));
    let writing = async {
        for number in 20..60 {
            note(number).await;
        }
    };
    tokio::join!(logs.look(), writing);
    assert_eq!(
        std::fs::read(path.join("auditlog.2024-05-02.db")).expect("still there"),
        b"a file of that day"
    );
    let directory = server.stop().await;
    let ids = |name: &str| {
        let file = Connection::open(directory.path().join(name)).expect("opens");
        let mut query = file
            .prepare("SELECT affected_id FROM auditlog WHERE application = 'client' ORDER BY rowid")
            .expect("valid");
        let rows = query.query_map([], |row| row.get::<_, String>(0)).expect("runs");
        rows.collect::<Result<Vec<_>, _>>().expect("reads")
    };
    let (old, new) = (ids("auditlog.2024-05-02.2.db"), ids("auditlog.db"));
    assert!(old.len() >= 20, "{old:?}");
    let expected: Vec<_> = (0..60).map(|number| number.to_string()).collect();
    assert_eq!([old, new].concat(), expected);
    assert!(!directory.path().join("auditlog.2024-05-02.2.db-wal").exists());
}

#[tokio::test]
async fn exports_read_what_was_put_aside() {
    let mut options = options();
    options.audit.rotation = crate::AuditRotation::Daily;
    let server = TestServer::start_with(options).await;
    let logs = server.server.audit_logs().clone();
    let login = server.server.login().expect("the API is on").clone();
    let mut days = Vec::new();
    for _ in 0..3 {
        login
            .password("admin", &"foobaz".into(), None, None, &origin())
            .await
            .expect("logs in");
        days.push(server.clock.now_local());
        server.clock.advance(Duration::from_secs(25 * 3600));
        logs.look().await;
    }
    let export = async |from: Option<usize>, to: Option<usize>| {
        let query = ListQuery::parse(
            &[("filter[application]", "auth.login")],
            &rport_domain::AUDIT_LIST,
        );
        let request = crate::AuditExportRequest {
            query: query.expect("valid"),
            from: from.map(|day| days[day]),
            to: to.map(|day| days[day]),
        };
        let mut entries = logs.export(&admin(), request).expect("allowed");
        let mut times = Vec::new();
        while let Some(chunk) = entries.next().await {
            times.extend(chunk.expect("reads").into_iter().map(|entry| entry.timestamp));
        }
        times
    };
    assert_eq!(export(Some(0), None).await, days);
    assert_eq!(export(Some(1), None).await, days[1..]);
    assert_eq!(export(None, Some(1)).await, days[..2]);
    assert_eq!(export(Some(1), Some(1)).await, days[1..2]);
    assert!(
        export(None, None).await.is_empty(),
        "the file in use has just begun"
    );
    server.stop().await;
}
