use reqwest::Method;
use serde_json::{Value, json};

use crate::rig::{ADMIN, OPS, Rig, answer, refusal, sent};

async fn put(rig: &Rig, id: &str, params: Value, allowed: Value) {
    let body = json!({ "id": id, "description": "d", "params": params, "allowed_user_groups": allowed });
    let request = rig.as_user(ADMIN, Method::PUT, &format!("/client-groups/{id}"));
    let response = sent(request.json(&body)).await;
    assert_eq!(response.status(), 204);
    assert_eq!(response.text().await.expect("body"), "");
}

#[tokio::test]
async fn groups_are_kept_and_shown() {
    let rig = Rig::new().await;
    let body = json!({ "id": "g", "description": "Both", "params": { "client_id": ["OPEN", "sh*"] },
        "client_ids": ["ignored"], "allowed_user_groups": null });
    let add = || rig.as_user(ADMIN, Method::POST, "/client-groups").json(&body);
    let response = sent(add()).await;
    assert_eq!(response.status(), 201);
    assert_eq!(response.text().await.expect("body"), "");
    let (status, again) = answer(add()).await;
    assert_eq!(
        (status, &again["errors"][0]["code"]),
        (409, &json!("ERR_CODE_ALREADY_EXIST"))
    );

    let (_, one) = answer(rig.get("/client-groups/g")).await;
    let text = one["data"].to_string();
    assert_eq!(one["data"]["client_ids"], json!(["open", "shut"]), "{text}");
    assert_eq!(
        (&one["data"]["num_clients"], &one["data"]["num_clients_connected"]),
        (&json!(2), &json!(0))
    );
    assert_eq!(
        one["data"]["params"].as_object().map(|params| params.len()),
        Some(14)
    );
    assert_eq!(one["data"]["allowed_user_groups"], Value::Null);

    put(&rig, "a", json!({ "tag": { "AND": ["x"] } }), json!(["dev"])).await;
    let (_, list) = answer(rig.get("/client-groups")).await;
    let expected = json!({ "data": [{ "id": "a", "description": "d" }, { "id": "g", "description": "Both" }],
        "meta": { "count": 2 } });
    assert_eq!(list, expected);
    let query = "/client-groups?filter[id]=A*&fields[client_groups]=params,num_clients";
    let (_, list) = answer(rig.get(query)).await;
    assert_eq!(list["data"][0]["params"]["tag"], json!({ "and": ["x"] }));
    assert_eq!(list["data"][0]["num_clients"], 0);

    for _ in 0..2 {
        let gone = sent(rig.as_user(ADMIN, Method::DELETE, "/client-groups/g")).await;
        assert_eq!(gone.status(), 204, "unknown ones, too");
    }
    let (status, title) = refusal(rig.get("/client-groups/g")).await;
    assert_eq!(
        (status, title.as_str()),
        (404, "Client Group[id=\"g\"] not found.")
    );
}

#[tokio::test]
async fn mistakes_are_named() {
    let rig = Rig::new().await;
    let post = async |body: Value| {
        let (status, body) = answer(rig.as_user(ADMIN, Method::POST, "/client-groups").json(&body)).await;
        assert_eq!(status, 400, "{body}");
        body["errors"][0]["detail"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    assert_eq!(post(json!({ "params": {} })).await, "group ID cannot be empty");
    assert_eq!(post(json!({ "id": "g" })).await, "params are missing");
    assert_eq!(
        post(json!({ "id": "g", "params": { "x": [] } })).await,
        "json: unknown field \"x\""
    );
    assert_eq!(
        post(json!({ "id": "g", "params": { "tag": { "not": [] } } })).await,
        "error, only and/or is allowed for tags group definitions"
    );
    let other = rig.as_user(ADMIN, Method::PUT, "/client-groups/g");
    assert_eq!(
        refusal(other.json(&json!({ "id": "h", "params": {} }))).await.0,
        400
    );
}

#[tokio::test]
async fn groups_open_their_clients_to_user_groups() {
    let rig = Rig::new().await;
    let get = |path: &str| rig.as_user(OPS, Method::GET, path);
    let ids = async |path: &str| -> Vec<String> {
        let (status, body) = answer(get(path)).await;
        assert_eq!(status, 200, "{body}");
        let items = body["data"].as_array().expect("list");
        assert_eq!(body["meta"]["count"], items.len());
        items
            .iter()
            .map(|item| item["id"].as_str().expect("id").to_owned())
            .collect()
    };
    put(&rig, "shut", json!({ "name": ["name of shut"] }), json!(["dev"])).await;
    assert_eq!(ids("/clients").await, ["open"]);
    assert!(
        ids("/client-groups").await.is_empty(),
        "no member of it is visible"
    );
    assert_eq!(answer(get("/clients/shut")).await.0, 403);
    let (status, group) = answer(get("/client-groups/shut")).await;
    assert_eq!((status, &group["data"]["client_ids"]), (200, &json!([])));

    put(
        &rig,
        "shut",
        json!({ "name": ["name of shut"] }),
        json!(["dev", "ops"]),
    )
    .await;
    assert_eq!(ids("/clients").await, ["open", "shut"]);
    assert_eq!(ids("/clients?sort=-id").await, ["shut", "open"]);
    assert_eq!(ids("/clients?sort=name").await, ["open", "shut"]);
    assert_eq!(ids("/clients?filter[groups]=SHUT").await, ["shut"]);
    assert_eq!(ids("/client-groups").await, ["shut"]);
    let (status, client) = answer(get("/clients/shut")).await;
    assert_eq!((status, &client["data"]["groups"]), (200, &json!(["shut"])));
    // Tunnels pass the same door: what is missing now is the connection.
    let (status, title) = refusal(rig.as_user(OPS, Method::PUT, "/clients/shut/tunnels?remote=22")).await;
    assert_eq!((status, title.as_str()), (404, "client with id shut not found"));

    sent(rig.as_user(ADMIN, Method::DELETE, "/client-groups/shut")).await;
    assert_eq!(ids("/clients").await, ["open"]);
    assert_eq!(answer(get("/clients/shut")).await.0, 403);
}

#[tokio::test]
async fn the_access_list_of_a_client_names_known_groups() {
    let rig = Rig::new().await;
    let set = |body: Value| rig.as_user(ADMIN, Method::POST, "/clients/shut/acl").json(&body);
    let (status, title) = refusal(set(json!({ "allowed_user_groups": ["ops", "x", "y"] }))).await;
    assert_eq!((status, title.as_str()), (404, "user groups not found: x, y"));
    assert_eq!(
        answer(rig.as_user(OPS, Method::GET, "/clients/shut")).await.0,
        403
    );
    let response = sent(set(json!({ "allowed_user_groups": ["ops", "Administrators"] }))).await;
    assert_eq!(response.status(), 204);
    assert_eq!(
        answer(rig.as_user(OPS, Method::GET, "/clients/shut")).await.0,
        200
    );
    assert_eq!(sent(set(json!({}))).await.status(), 204);
    let (_, body) = answer(rig.get("/clients/shut")).await;
    assert_eq!(body["data"]["allowed_user_groups"], json!([]));
    let other = rig
        .as_user(OPS, Method::POST, "/clients/open/acl")
        .body("rubbish");
    assert_eq!(answer(other).await.0, 403);
}
