use reqwest::Method;
use serde_json::{Value, json};

use crate::agent::{Agent, OLD_AGENT_TAG, UNWANTED_TAG};
use crate::rig::{ADMIN, OPS, Rig, answer, refusal};

fn set(rig: &Rig, body: &Value) -> reqwest::RequestBuilder {
    rig.as_user(ADMIN, Method::PUT, "/clients/open/attributes")
        .json(body)
}

#[tokio::test]
async fn attributes_go_to_the_agent_and_into_the_record() {
    let rig = Rig::new().await;
    let path = "/clients/open/attributes";
    let (status, title) = refusal(rig.get(path)).await;
    assert_eq!(
        (status, title.as_str()),
        (404, "Active client with id=\"open\" not found.")
    );
    assert_eq!(answer(set(&rig, &json!({ "tags": ["a"] }))).await.0, 404);

    let _agent = Agent::connect(rig.agents, "open", rig.tasks()).await;
    let wanted = json!({ "tags": ["prod", "web"], "labels": { "city": "Lille" } });
    let mut body = wanted.clone();
    body["other"] = json!(1);
    assert_eq!(answer(set(&rig, &body)).await, (200, json!({ "data": "ok" })));
    assert_eq!(answer(rig.get(path)).await, (200, json!({ "data": wanted })));
    let (_, list) = answer(rig.get("/clients?filter[labels]=city: lille&filter[tags]=and(prod,w*)")).await;
    assert_eq!(list["meta"]["count"], 1);

    let answers = answer(set(&rig, &json!({ "tags": ["web"] }))).await;
    assert_eq!(answers.0, 200, "{}", answers.1);
    let replaced = json!({ "data": { "tags": ["web"], "labels": null } });
    assert_eq!(answer(rig.get(path)).await.1, replaced);

    let (status, title) = refusal(set(&rig, &json!({ "tags": [UNWANTED_TAG] }))).await;
    assert_eq!((status, title.as_str()), (409, "attributes file path not set"));
    let (status, title) = refusal(set(&rig, &json!({ "tags": [OLD_AGENT_TAG] }))).await;
    assert!(status == 409 && title.contains("too old"), "{title}");
    let (status, title) = refusal(set(&rig, &json!({ "tags": ["x".repeat(2000)] }))).await;
    assert_eq!((status, title.as_str()), (400, "Invalid attributes."));
    let (status, title) = refusal(set(&rig, &json!({ "tags": 1 }))).await;
    assert!(
        status == 400 && title.starts_with("failed parsing attributes: "),
        "{title}"
    );
    assert_eq!(
        answer(rig.get(path)).await.1,
        replaced,
        "nothing of it was taken over"
    );
    assert_eq!(
        answer(rig.as_user(OPS, Method::GET, "/clients/shut/attributes"))
            .await
            .0,
        403
    );
}

#[tokio::test]
async fn tags_are_listed_with_their_visible_clients() {
    let rig = Rig::new().await;
    let mut agents = Vec::new();
    for (id, tags) in [
        ("open", json!(["web", "a"])),
        ("shut", json!(["web", "Z", "web"])),
    ] {
        agents.push(Agent::connect(rig.agents, id, rig.tasks()).await);
        let request = rig.as_user(ADMIN, Method::PUT, &format!("/clients/{id}/attributes"));
        assert_eq!(answer(request.json(&json!({ "tags": tags }))).await.0, 200);
    }
    let (_, body) = answer(rig.get("/client-tags")).await;
    let expected = json!({ "data": [
        { "tag": "Z", "client_ids": ["shut"] },
        { "tag": "a", "client_ids": ["open"] },
        { "tag": "web", "client_ids": ["open", "shut"] },
    ], "meta": { "count": 3 } });
    assert_eq!(body, expected);
    let query = "/client-tags?fields[client_tags]=tag&page[limit]=1&page[offset]=1";
    let (_, body) = answer(rig.get(query)).await;
    assert_eq!(body, json!({ "data": [{ "tag": "a" }], "meta": { "count": 3 } }));
    let (_, body) = answer(rig.as_user(OPS, Method::GET, "/client-tags")).await;
    let expected = json!([{ "tag": "a", "client_ids": ["open"] }, { "tag": "web", "client_ids": ["open"] }]);
    assert_eq!(body["data"], expected);
}
