//! The audit log: listed, filtered, exported, out of reach where it should be.

use reqwest::Method;
use serde_json::json;

use crate::rig::{ADMIN, OPS, Rig, answer, refusal, sent};

/// Makes two entries: a success of the administrator and a failure with a hostile name.
async fn with_entries() -> Rig {
    let rig = Rig::new().await;
    assert_eq!(sent(rig.get("/login")).await.status(), 200);
    let hostile = ("=1+1|\"x\",\r\n<script>", "guess");
    assert_eq!(
        sent(rig.as_user(hostile, Method::GET, "/login")).await.status(),
        401
    );
    // The failure is written beside the request.
    for _ in 0..2000 {
        let (_, body) = answer(rig.get("/auditlog?filter[action]=failed")).await;
        if body["meta"]["count"] == 1 {
            return rig;
        }
        tokio::task::yield_now().await;
    }
    panic!("the failed login was not noted");
}

#[tokio::test]
async fn entries_are_listed_by_the_rules_of_lists() {
    let rig = with_entries().await;
    let (status, body) = answer(rig.get("/auditlog?sort=-timestamp&filter[action]=failed")).await;
    assert_eq!(status, 200, "{body}");
    let item = &body["data"][0];
    assert_eq!(item["application"], "auth.login");
    assert_eq!(item["remote_ip"], "127.0.0.1");
    assert_eq!(item["username"], "=1+1|\"x\",\u{fffd}\u{fffd}<script>");
    assert_eq!(item["request"], r#"{"via":"login"}"#);
    let (status, _) = answer(rig.get("/auditlog?filter[*]=log*&page[limit]=100")).await;
    assert_eq!(status, 200);
    let (status, body) = answer(rig.get("/auditlog?sort=request&page[limit]=101&filter[timestamp]=x")).await;
    assert_eq!(status, 400);
    let titles: Vec<_> = body["errors"]
        .as_array()
        .expect("errors")
        .iter()
        .map(|error| error["title"].clone())
        .collect();
    assert_eq!(
        titles,
        [
            json!("unsupported sort field 'request'"),
            json!("unsupported filter field 'filter[timestamp]'"),
            json!("pagination limit too big (101) maximum is 100"),
        ]
    );
    let (status, body) = answer(rig.get("/auditlog?filter[timestamp][gt]=2999-01-01")).await;
    assert_eq!((status, &body["data"]), (200, &json!([])));
}

#[tokio::test]
async fn others_see_their_own_entries_only() {
    let rig = with_entries().await;
    assert_eq!(sent(rig.as_user(OPS, Method::GET, "/login")).await.status(), 200);
    let as_ops = |path: &str| rig.as_user(OPS, Method::GET, path);
    let (_, body) = answer(as_ops("/auditlog?page[limit]=100")).await;
    let users: Vec<_> = body["data"]
        .as_array()
        .expect("entries")
        .iter()
        .map(|item| item["username"].clone())
        .collect();
    assert!(
        !users.is_empty() && users.iter().all(|user| user == OPS.0),
        "{users:?}"
    );
    for filter in ["username", "action|username"] {
        let forbidden = refusal(as_ops(&format!("/auditlog?filter[{filter}]=*"))).await;
        assert_eq!(forbidden, (403, "filter forbidden".to_owned()));
    }
    let (status, body) = answer(as_ops(&format!("/auditlog?filter[*]={}", ADMIN.0))).await;
    assert_eq!((status, &body["meta"]["count"]), (200, &json!(0)));
    let export = sent(as_ops("/auditlog/export?format=jsonl&from=2000-01-01"))
        .await
        .text()
        .await
        .expect("a body");
    assert!(export.contains(OPS.0) && !export.contains(ADMIN.0), "{export}");
}

#[tokio::test]
async fn exports_read_back() {
    let rig = with_entries().await;
    let response = sent(rig.get("/auditlog/export?filter[action]=failed")).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/csv; charset=utf-8");
    let text = response.text().await.expect("a body");
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    assert_eq!(reader.headers().expect("a head").get(1), Some("username"));
    let records: Vec<_> = reader.records().collect::<Result<_, _>>().expect("sound CSV");
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].get(1), Some("'=1+1|\"x\",\u{fffd}\u{fffd}<script>"));
    // A compressed body is asked for more once after its end.
    let packed = rig
        .get("/auditlog/export?format=csv")
        .header("Accept-Encoding", "gzip");
    let packed = sent(packed).await;
    assert_eq!(packed.status(), 200);
    assert!(!packed.bytes().await.expect("a whole body").is_empty());
    let lines = sent(rig.get("/auditlog/export?format=jsonl&to=2999-12-31"))
        .await
        .text()
        .await
        .expect("a body");
    assert!(lines.lines().count() >= 2, "{lines}");
    for line in lines.lines() {
        serde_json::from_str::<serde_json::Value>(line).expect("JSON");
    }
    let (_, title) = refusal(rig.get("/auditlog/export?format=xml")).await;
    assert_eq!(title, "invalid format: \"xml\"");
    let (_, title) = refusal(rig.get("/auditlog/export?from=yesterday")).await;
    assert_eq!(title, "invalid from: \"yesterday\"");
}

#[tokio::test]
async fn a_log_that_is_off_says_so() {
    let rig = Rig::with(|options, _| options.audit.enabled = false).await;
    for path in ["/auditlog", "/auditlog/export"] {
        let (status, title) = refusal(rig.get(path)).await;
        assert_eq!((status, title.as_str()), (404, "the audit log is switched off"));
    }
}

#[tokio::test]
async fn nobody_changes_the_log() {
    let rig = Rig::new().await;
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
        assert_eq!(
            sent(rig.as_user(ADMIN, method.clone(), "/auditlog"))
                .await
                .status(),
            404,
            "{method}"
        );
    }
}
