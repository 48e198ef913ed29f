use reqwest::Method;
use serde_json::{Value, json};

use crate::rig::{ADMIN, OPS, Rig, answer, refusal, sent};

const PATH: &str = "/clients/open/stored-tunnels";

async fn add(rig: &Rig, body: &Value) -> Value {
    let (status, body) = answer(rig.as_user(OPS, Method::POST, PATH).json(body)).await;
    assert_eq!(status, 200, "{body}");
    body["data"].clone()
}

#[tokio::test]
async fn definitions_are_kept_replaced_and_removed() {
    let rig = Rig::new().await;
    let body = json!({ "id": "mine", "created_at": 1, "name": "ssh", "scheme": "ssh", "remote_ip": "127.0.0.1",
        "remote_port": 22, "public_port": null, "acl": "10.0.0.0/8", "further_options": { "z": 1, "a": [null] } });
    let added = add(&rig, &body).await;
    let id = added["id"].as_str().expect("id").to_owned();
    assert!(id.len() == 36 && added["created_at"].is_string(), "{added}");
    for member in [
        "name",
        "scheme",
        "remote_ip",
        "remote_port",
        "public_port",
        "acl",
        "further_options",
    ] {
        assert_eq!(added[member], body[member], "{member}");
    }
    let one = format!("{PATH}/{id}");
    assert_eq!(answer(rig.get(&one)).await, (200, json!({ "data": added })));

    let put = |path: &str| {
        rig.as_user(OPS, Method::PUT, path)
            .json(&json!({ "name": "new" }))
    };
    let (status, replaced) = answer(put(&one)).await;
    let mut expected = json!({ "name": "new", "scheme": null, "remote_ip": null, "remote_port": null,
        "public_port": null, "acl": null, "further_options": null });
    expected["id"] = added["id"].clone();
    expected["created_at"] = added["created_at"].clone();
    assert_eq!((status, &replaced["data"]), (200, &expected));
    assert_eq!(answer(put(&format!("{PATH}/unknown"))).await.0, 404);
    // Through another client it cannot be reached.
    let foreign = format!("/clients/shut/stored-tunnels/{id}");
    assert_eq!(answer(rig.get(&foreign)).await.0, 404);

    for _ in 0..2 {
        let gone = sent(rig.as_user(OPS, Method::DELETE, &one)).await;
        assert_eq!(gone.status(), 204, "unknown ones, too");
    }
    let (_, list) = answer(rig.get(PATH)).await;
    assert_eq!(list, json!({ "data": [], "meta": { "count": 0 } }));
}

#[tokio::test]
async fn lists_filter_sort_and_page() {
    let rig = Rig::new().await;
    for (name, scheme, port) in [("b", "ssh", 22), ("a", "rdp", 3389), ("c", "ssh", 2222)] {
        add(
            &rig,
            &json!({ "name": name, "scheme": scheme, "remote_port": port }),
        )
        .await;
    }
    let names = async |query: &str, count: usize| -> String {
        let (status, body) = answer(rig.get(&format!("{PATH}?{query}"))).await;
        assert_eq!((status, &body["meta"]["count"]), (200, &json!(count)), "{query}");
        let items = body["data"].as_array().expect("list");
        items
            .iter()
            .map(|item| item["name"].as_str().expect("name"))
            .collect()
    };
    assert_eq!(names("", 3).await, "bac");
    assert_eq!(names("sort=-remote_port", 3).await, "acb");
    assert_eq!(names("sort=scheme&sort=-name", 3).await, "acb");
    assert_eq!(
        names("filter[scheme]=ssh&page[limit]=1&page[offset]=1", 2).await,
        "c"
    );
    assert_eq!(names("filter[*]=2222", 1).await, "c");
    assert_eq!(names("filter[remote_ip]=", 3).await, "bac");
    let (status, title) = refusal(rig.get(&format!("{PATH}?filter[acl]=x"))).await;
    assert_eq!(
        (status, title.as_str()),
        (400, "unsupported filter field 'filter[acl]'")
    );
    let (status, title) = refusal(rig.get(&format!("{PATH}?page[limit]=101"))).await;
    assert_eq!(
        (status, title.as_str()),
        (400, "pagination limit too big (101) maximum is 100")
    );
}

#[tokio::test]
async fn definitions_have_limits_and_go_with_their_client() {
    let rig = Rig::new().await;
    let bad = rig
        .as_user(OPS, Method::POST, PATH)
        .json(&json!({ "remote_port": 70_000 }));
    let (status, body) = answer(bad).await;
    assert_eq!(
        (status, &body["errors"][0]["detail"]),
        (400, &json!("remote_port must lie between 1 and 65535"))
    );
    let large = json!({ "further_options": "x".repeat(70_000) });
    assert_eq!(
        answer(rig.as_user(OPS, Method::POST, PATH).json(&large)).await.0,
        400
    );

    let added = add(&rig, &json!({ "name": "x" })).await;
    assert_eq!(
        sent(rig.as_user(ADMIN, Method::DELETE, "/clients/open"))
            .await
            .status(),
        204
    );
    let _agent = crate::agent::Agent::connect(rig.agents, "open", rig.tasks()).await;
    let one = format!("{PATH}/{}", added["id"].as_str().expect("id"));
    let (status, title) = refusal(rig.get(&one)).await;
    assert!(
        status == 404 && title.starts_with("Stored tunnel with id="),
        "{title}"
    );
}
