//! Commands and scripts that are kept for later.

use reqwest::Method;
use serde_json::{Value, json};

use crate::rig::{ADMIN, OPS, Rig, answer, refusal, sent};

/// Stores a body; status, content type and the entry.
async fn add(rig: &Rig, path: &str, body: Value) -> (u16, String, Value) {
    let response = sent(rig.as_user(OPS, Method::POST, path).json(&body)).await;
    let (status, label) = (
        response.status().as_u16(),
        response.headers()["content-type"].clone(),
    );
    let body: Value = response.json().await.expect("JSON");
    let label = label.to_str().expect("text").to_owned();
    (status, label, body["data"].clone())
}

#[tokio::test]
async fn entries_live_from_post_to_delete() {
    let rig = Rig::new().await;
    for (path, text) in [("/library/commands", "cmd"), ("/library/scripts", "script")] {
        let given = json!({ "name": "one", text: "echo <1>", "tags": ["a", "b"], "timeout_sec": 30 });
        let (status, label, entry) = add(&rig, path, given).await;
        assert_eq!(
            (status, label.as_str()),
            (201, "application/json; charset=UTF-8"),
            "{path}"
        );
        assert_eq!(
            (&entry[text], &entry["tags"], &entry["timeout_sec"]),
            (&json!("echo <1>"), &json!(["a", "b"]), &json!(30))
        );
        assert_eq!(
            (&entry["created_by"], &entry["updated_by"]),
            (&json!(OPS.0), &json!(OPS.0))
        );
        let one = format!("{path}/{}", entry["id"].as_str().expect("an id"));

        assert_eq!(answer(rig.get(&one)).await, (200, json!({ "data": entry })));
        let change = rig.as_user(ADMIN, Method::PUT, &one);
        let (status, body) = answer(change.body(json!({ "NAME": "two", text: "echo 2" }).to_string())).await;
        assert_eq!(status, 200, "{body}");
        let changed = &body["data"];
        assert_eq!(
            (&changed["name"], &changed["tags"], &changed["timeout_sec"]),
            (&json!("two"), &Value::Null, &json!(60))
        );
        assert_eq!(
            (&changed["created_by"], &changed["updated_by"]),
            (&json!(OPS.0), &json!(ADMIN.0))
        );
        assert_eq!(changed["created_at"], entry["created_at"]);

        let (status, body) = answer(rig.get(path)).await;
        assert_eq!(status, 200);
        assert_eq!(body, json!({ "data": [changed], "meta": { "count": 1 } }));
        let deleted = sent(rig.as_user(ADMIN, Method::DELETE, &one)).await;
        assert_eq!(deleted.status(), 204);
        let kind = path.trim_start_matches("/library/").trim_end_matches('s');
        let id = one.rsplit('/').next().expect("an id");
        assert_eq!(
            refusal(rig.get(&one)).await,
            (404, format!("Cannot find a {kind} by the provided id: {id}"))
        );
        let again = rig.as_user(ADMIN, Method::DELETE, &one);
        assert_eq!(
            refusal(again).await,
            (404, "cannot find this entry by the provided id".to_owned())
        );
        let lost = rig.as_user(ADMIN, Method::PUT, &one);
        assert_eq!(
            refusal(lost.body(json!({ "name": "x", text: "y" }).to_string())).await,
            (404, "cannot find entry by the provided ID".to_owned())
        );
    }
}

#[tokio::test]
async fn what_cannot_be_stored_is_named() {
    let rig = Rig::new().await;
    let post = |path: &str, body: Value| rig.as_user(ADMIN, Method::POST, path).json(&body);
    let (status, body) = answer(post("/library/scripts", json!({}))).await;
    assert_eq!(status, 400);
    let titles = [&body["errors"][0]["title"], &body["errors"][1]["title"]];
    assert_eq!(titles, ["name is required", "script is required"]);
    let (status, body) = answer(post("/library/commands", json!({ "name": "n", "script": "s" }))).await;
    assert_eq!(
        (status, &body["errors"][0]["detail"]),
        (400, &json!("json: unknown field \"script\""))
    );

    // A star is a letter like any other here.
    assert_eq!(
        answer(post("/library/commands", json!({ "name": "ab", "cmd": "x" })))
            .await
            .0,
        201
    );
    assert_eq!(
        answer(post("/library/commands", json!({ "name": "a*", "cmd": "x" })))
            .await
            .0,
        201
    );
    assert_eq!(
        refusal(post("/library/commands", json!({ "name": "a*", "cmd": "y" }))).await,
        (409, "another command with the same name 'a*' exists".to_owned())
    );
    assert_eq!(
        answer(post("/library/scripts", json!({ "name": "ab", "script": "x" })))
            .await
            .0,
        201,
        "names of the other kind do not matter"
    );
}

#[tokio::test]
async fn lists_are_filtered_by_tag_and_show_wanted_members() {
    let rig = Rig::new().await;
    for (name, tags) in [
        ("one", json!(["web", "prod"])),
        ("two", json!(["Web"])),
        ("three", Value::Null),
    ] {
        let body = json!({ "name": name, "cmd": "ping %%HOST%% -c %%COUNT=3%%", "tags": tags });
        assert_eq!(add(&rig, "/library/commands", body).await.0, 201);
    }
    let list = async |query: &str| answer(rig.get(&format!("/library/commands?{query}"))).await;
    let (_, body) = list("filter[tags]=web&sort=-name&fields[commands]=name").await;
    assert_eq!(
        body,
        json!({ "data": [{ "name": "two" }, { "name": "one" }], "meta": { "count": 2 } })
    );
    let (_, body) = list("filter[name]=three&fields[commands]=timeout_sec,parameters").await;
    let parameters = json!([{ "name": "HOST", "default": null }, { "name": "COUNT", "default": "3" }]);
    assert_eq!(
        body["data"],
        json!([{ "timeout_sec": 60, "parameters": parameters }])
    );
    let (status, body) = list("sort=timeout_sec&fields[scripts]=id&page[limit]=101").await;
    assert_eq!((status, body["errors"].as_array().map(Vec::len)), (400, Some(3)));
}
