use reqwest::{Method, StatusCode};
use rport_testkit::eventually;
use serde_json::json;

use crate::rig::{ADMIN, PATIENCE, Rig, answer, sent};

const NOT_FOUND: &str = "404 page not found\n";

#[tokio::test]
async fn unknown_paths_and_methods_are_not_found_in_plain_text() {
    let rig = Rig::new().await;
    let check = async |method: Method, path: &str| {
        let response = sent(rig.as_user(ADMIN, method.clone(), path)).await;
        assert_eq!(response.status(), 404, "{method} {path}");
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        assert!(!response.headers().contains_key("allow"), "{method} {path}");
        if method != Method::HEAD {
            assert_eq!(
                response.headers()["content-type"],
                "text/plain; charset=utf-8",
                "{method} {path}"
            );
            assert_eq!(response.text().await.expect("body"), NOT_FOUND, "{method} {path}");
        }
    };
    check(Method::GET, "/nothing").await;
    check(Method::GET, "//clients").await;
    check(Method::POST, "//").await;
    check(Method::GET, "//metrics").await;
    check(Method::GET, "/clients/").await;
    check(Method::GET, "/Clients").await;
    check(Method::POST, "/clients").await;
    check(Method::PATCH, "/clients/open").await;
    check(Method::OPTIONS, "/status").await;
    check(Method::HEAD, "/status").await;
    check(Method::GET, "/clients/open/tunnels").await;
}

#[tokio::test]
async fn unclean_paths_move() {
    let rig = Rig::new().await;
    let response = sent(rig.anonymous(Method::GET, "//api//v1/./status?x=1")).await;
    assert_eq!(response.status(), StatusCode::MOVED_PERMANENTLY);
    assert_eq!(response.headers()["location"], "/api/v1/status?x=1");
}

#[tokio::test]
async fn cors_is_off_unless_asked_for() {
    let rig = Rig::new().await;
    let response = sent(rig.get("/status").header("origin", "https://ui.example")).await;
    assert!(!response.headers().contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn listed_origins_may_call() {
    let rig = Rig::with(|_, api| api.cors = vec!["https://ui.example".to_owned()]).await;
    let response = sent(rig.get("/status").header("origin", "https://ui.example")).await;
    assert_eq!(
        response.headers()["access-control-allow-origin"],
        "https://ui.example"
    );
    assert_eq!(response.headers()["access-control-allow-credentials"], "true");
    let other = sent(rig.get("/status").header("origin", "https://evil.example")).await;
    assert!(!other.headers().contains_key("access-control-allow-origin"));

    let preflight = rig
        .anonymous(Method::OPTIONS, "/clients")
        .header("origin", "https://ui.example")
        .header("access-control-request-method", "PUT")
        .header("access-control-request-headers", "authorization");
    let response = sent(preflight).await;
    assert_eq!(response.status(), 200);
    let header = |name: &str| {
        response.headers()[name]
            .to_str()
            .expect("text")
            .to_ascii_lowercase()
    };
    assert!(header("access-control-allow-methods").contains("put"));
    assert!(header("access-control-allow-headers").contains("authorization"));
}

#[tokio::test]
async fn every_origin_never_gets_credentials() {
    let rig = Rig::with(|_, api| api.cors = vec!["*".to_owned()]).await;
    let response = sent(rig.get("/status").header("origin", "https://any.example")).await;
    assert_eq!(response.headers()["access-control-allow-origin"], "*");
    assert!(
        !response
            .headers()
            .contains_key("access-control-allow-credentials")
    );
}

#[tokio::test]
async fn answers_are_compressed_on_request_and_not_to_be_cached() {
    let rig = Rig::new().await;
    let openapi =
        async |accepted: &str| sent(rig.get("/openapi.json").header("accept-encoding", accepted)).await;
    let response = openapi("gzip").await;
    assert_eq!(response.headers()["content-encoding"], "gzip");
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(response.headers()["x-frame-options"], "SAMEORIGIN");
    assert!(
        response.headers()["content-security-policy"]
            .to_str()
            .is_ok_and(|csp| csp.contains("'none'"))
    );
    let body = response.bytes().await.expect("body");
    assert_eq!(&body[..2], [0x1f, 0x8b]);
    assert_eq!(openapi("gzip, br").await.headers()["content-encoding"], "br");
    assert!(
        openapi("br;q=0, identity")
            .await
            .headers()
            .get("content-encoding")
            .is_none()
    );
    // Short and empty answers gain nothing.
    let all = "gzip, br";
    let short = sent(rig.get("/me/ip").header("accept-encoding", all)).await;
    assert!(short.status() == 200 && short.headers().get("content-encoding").is_none());
    let token = answer(rig.get("/login")).await.1["data"]["token"].clone();
    let logout = rig
        .anonymous(Method::DELETE, "/logout")
        .bearer_auth(token.as_str().expect("a token"));
    let empty = sent(logout.header("accept-encoding", all)).await;
    assert!(empty.status() == 204 && empty.headers().get("content-encoding").is_none());
}

#[tokio::test]
async fn files_are_served_beside_the_api() {
    let site = tempfile::tempdir().expect("directory");
    std::fs::write(site.path().join("index.html"), "first page").expect("file");
    std::fs::write(site.path().join("app.js"), "script").expect("file");
    let root = site.path().to_owned();
    let rig = Rig::with(|_, api| api.doc_root = Some(root)).await;
    let text = async |path: &str| {
        sent(rig.anonymous(Method::GET, path))
            .await
            .text()
            .await
            .expect("body")
    };
    assert_eq!(text("//").await, "first page");
    assert_eq!(text("//app.js").await, "script");
    assert_eq!(text("//dashboard/anything").await, "first page");
    assert_eq!(text("//other").await, NOT_FOUND);
    assert_eq!(text("/nothing").await, NOT_FOUND);
    assert_eq!(
        answer(rig.get("/me/ip")).await,
        (200, json!({"data": {"ip": "127.0.0.1"}}))
    );
}

#[tokio::test]
async fn a_page_is_served_where_no_files_are() {
    let rig = Rig::new().await;
    let response = sent(rig.anonymous(Method::GET, "//").header("accept-encoding", "gzip")).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8");
    let policy = response.headers()["content-security-policy"]
        .to_str()
        .expect("text");
    assert!(
        policy.starts_with("default-src 'none'; script-src 'self'"),
        "{policy}"
    );
    assert_eq!(response.headers()["x-frame-options"], "DENY");
}

#[tokio::test]
async fn the_access_log_has_a_line_per_request_without_secrets() {
    let dir = tempfile::tempdir().expect("directory");
    let path = dir.path().join("access.log");
    let file = path.clone();
    let rig = Rig::with(|_, api| api.access_log_file = Some(file)).await;
    let request = rig
        .get("/status?access_token=secret.jwt")
        .header("user-agent", "test/1");
    assert_eq!(sent(request).await.status(), 200);
    let whole = || async {
        let log = std::fs::read_to_string(&path).unwrap_or_default();
        log.ends_with('\n').then_some(log)
    };
    let log = eventually("a line", PATIENCE, whole).await;
    assert!(log.starts_with("127.0.0.1 - - ["), "{log}");
    assert!(
        log.contains("\"GET /api/v1/status?access_token=*** HTTP/1.1\" 200 "),
        "{log}"
    );
    assert!(log.ends_with("\"-\" \"test/1\"\n"), "{log}");

    // A rotation: the moved file keeps its lines, further ones go to a new file.
    let moved = dir.path().join("access.log.1");
    std::fs::rename(&path, &moved).expect("moved");
    rig.port.reopen_access_log();
    eventually("a new file", PATIENCE, || async { path.exists().then_some(()) }).await;
    assert_eq!(sent(rig.get("/me/ip")).await.status(), 200);
    let later = eventually("a line", PATIENCE, whole).await;
    assert!(
        later.contains("GET /api/v1/me/ip ") && later.lines().count() == 1,
        "{later}"
    );
    assert_eq!(std::fs::read_to_string(&moved).expect("kept"), log);
}

#[tokio::test]
async fn metrics_are_shown_only_when_enabled() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    let rig = Rig::with(|_, api| api.metrics = Some(handle)).await;
    let response = sent(rig.anonymous(Method::GET, "//metrics")).await;
    assert_eq!(response.status(), 200);
    assert_eq!(
        response.headers()["content-type"],
        "text/plain; version=0.0.4; charset=utf-8"
    );
}

#[tokio::test]
async fn the_description_can_be_browsed_without_any_other_host() {
    let rig = Rig::new().await;
    let moved = sent(rig.anonymous(Method::GET, "/docs")).await;
    assert_eq!(
        (moved.status().as_u16(), &moved.headers()["location"]),
        (308, &"/api/v1/docs/".parse().expect("text"))
    );
    let mut parts = Vec::new();
    for (path, kind) in [
        ("/docs/", "text/html"),
        ("/docs/docs.js", "text/javascript"),
        ("/docs/docs.css", "text/css"),
    ] {
        let response = sent(rig.anonymous(Method::GET, path)).await;
        assert_eq!(response.status(), 200, "{path}");
        assert!(
            response.headers()["content-type"]
                .to_str()
                .is_ok_and(|found| found.starts_with(kind)),
            "{path}"
        );
        let policy = response.headers()["content-security-policy"]
            .to_str()
            .expect("text")
            .to_owned();
        assert!(
            policy.contains("default-src 'none'") && !policy.contains("unsafe") && !policy.contains("http"),
            "{policy}"
        );
        parts.push(response.text().await.expect("text"));
    }
    for part in &parts {
        // Nothing is fetched elsewhere, and nothing of the document can become markup.
        for never in ["http://", "https://", "innerHTML", "style=", "onclick"] {
            assert!(!part.contains(never), "{never}");
        }
    }
    let page = &parts[0];
    assert!(
        page.contains("src=\"docs.js\"")
            && page.contains("href=\"docs.css\"")
            && parts[1].contains("../openapi.json")
    );
}
