use reqwest::Method;
use serde_json::{Value, json};

use crate::rig::{ADMIN, Rig, answer, refusal, sent};

#[tokio::test]
async fn lists_show_the_asked_fields_in_order() {
    let rig = Rig::new().await;
    let text = sent(rig.get("/clients?filter[id]=open"))
        .await
        .text()
        .await
        .expect("body");
    let expected =
        r#"{"data":[{"id":"open","name":"name of open","hostname":"host-open"}],"meta":{"count":1}}"#;
    assert_eq!(text, expected);
    let query = "/clients?filter%5Bid%5D=open&fields%5Bclients%5D=labels,os,id,connection_state";
    let text = sent(rig.get(query)).await.text().await.expect("body");
    let os = r"Linux \u003cx86\u003e \u0026 more";
    let item = format!(r#"{{"id":"open","os":"{os}","connection_state":"disconnected","labels":null}}"#);
    assert_eq!(text, format!(r#"{{"data":[{item}],"meta":{{"count":1}}}}"#));
}

#[tokio::test]
async fn lists_sort_page_and_count() {
    let rig = Rig::new().await;
    let ids = async |query: &str| {
        let (status, body) = answer(rig.get(&format!("/clients?{query}"))).await;
        assert_eq!(status, 200, "{query}: {body}");
        assert_eq!(body["meta"]["count"], 3, "{query}");
        let items = body["data"].as_array().expect("list").clone();
        items
            .iter()
            .map(|item| item["id"].as_str().expect("id").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids("").await, ["open", "shut", "with/slash"]);
    assert_eq!(ids("sort=-id").await, ["with/slash", "shut", "open"]);
    assert_eq!(ids("page[limit]=1&page[offset]=1").await, ["shut"]);
    assert!(ids("page[offset]=9").await.is_empty());
}

#[tokio::test]
async fn mistakes_in_queries_come_together() {
    let rig = Rig::new().await;
    let (status, body) =
        answer(rig.get("/clients?sort=x&filter[y]=1&fields[clients]=z&page[limit]=501")).await;
    assert_eq!(status, 400);
    let titles: Vec<&str> = body["errors"]
        .as_array()
        .expect("errors")
        .iter()
        .filter_map(|error| error["title"].as_str())
        .collect();
    let expected = [
        "unsupported sort field 'x'",
        "unsupported filter field 'filter[y]'",
        "unsupported field \"z\" for resource \"clients\"",
        "pagination limit too big (501) maximum is 500",
    ];
    assert_eq!(titles, expected);
}

#[tokio::test]
async fn one_client_has_all_members() {
    let rig = Rig::new().await;
    let (status, body) = answer(rig.get("/clients/open")).await;
    assert_eq!(status, 200);
    let client = body["data"].as_object().expect("object");
    assert_eq!(client.len(), 34);
    assert_eq!(client["disconnected_at"], "2024-03-05T09:07:01+02:00");
    assert_eq!(
        (&client["allowed_user_groups"], &client["groups"]),
        (&json!(["ops"]), &json!([]))
    );
    assert_eq!(client["last_heartbeat_at"], Value::Null);
    let (_, body) = answer(rig.get("/clients/open?fields[clients]=id")).await;
    assert_eq!(body["data"], json!({"id": "open"}));
}

#[tokio::test]
async fn ids_with_slashes_can_be_addressed() {
    let rig = Rig::new().await;
    let (status, body) = answer(rig.get("/clients/with%2Fslash?fields[clients]=id")).await;
    assert_eq!((status, body), (200, json!({"data": {"id": "with/slash"}})));
}

#[tokio::test]
async fn unknown_clients_are_named_and_deleted_ones_are_gone() {
    let rig = Rig::new().await;
    let (status, title) = refusal(rig.get("/clients/nobody")).await;
    assert_eq!(
        (status, title.as_str()),
        (404, "Client with id=\"nobody\" not found.")
    );
    let deleted = sent(rig.as_user(ADMIN, Method::DELETE, "/clients/shut")).await;
    assert_eq!(deleted.status(), 204);
    assert_eq!(answer(rig.get("/clients/shut")).await.0, 404);
}
