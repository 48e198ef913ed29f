//! Orders that are made again and again.

use reqwest::Method;
use serde_json::{Value, json};

use crate::rig::{ADMIN, OPS, Rig, answer, refusal, sent};

fn body() -> Value {
    json!({ "name": "n", "schedule": "30 4 * * *", "type": "command", "command": "id", "client_ids": ["open"] })
}

/// Stores a schedule as a user and returns its id.
async fn add(rig: &Rig, user: (&str, &str), body: Value) -> Value {
    let (status, answer) = answer(rig.as_user(user, Method::POST, "/schedules").json(&body)).await;
    assert_eq!(status, 201, "{answer}");
    answer["data"].clone()
}

fn one(schedule: &Value) -> String {
    format!("/schedules/{}", schedule["id"].as_str().expect("an id"))
}

#[tokio::test]
async fn schedules_live_from_post_to_delete() {
    let rig = Rig::new().await;
    let mut given = body();
    given["time_zone"] = json!("Europe/Berlin");
    given["expires"] = json!("90m");
    given["queue_if_offline"] = json!(true);
    given["parameters"] = Value::Null;
    let stored = add(&rig, OPS, given).await;
    assert_eq!(
        (&stored["schedule"], &stored["time_zone"], &stored["expires"]),
        (
            &json!("CRON_TZ=Europe/Berlin 30 4 * * *"),
            &json!("Europe/Berlin"),
            &json!("1h30m0s")
        )
    );
    assert_eq!(
        (
            &stored["created_by"],
            &stored["group_ids"],
            &stored["abort_on_error"],
            &stored["last_execution"]
        ),
        (&json!(OPS.0), &Value::Null, &Value::Null, &Value::Null)
    );
    let runs = stored["next_runs"].as_array().expect("a list");
    assert_eq!(runs.len(), 5);
    assert!(
        runs.iter()
            .all(|run| run.as_str().is_some_and(|run| run.contains("T04:30:00+0"))),
        "as the clock in Berlin shows them: {runs:?}"
    );
    let path = one(&stored);
    assert_eq!(answer(rig.get(&path)).await, (200, json!({ "data": stored })));

    // What a GET answers can be sent back.
    let mut changed = stored.clone();
    changed["name"] = json!("other");
    changed["paused"] = json!(true);
    let (status, body) = answer(rig.as_user(ADMIN, Method::PUT, &path).json(&changed)).await;
    assert_eq!(status, 200, "{body}");
    let changed = &body["data"];
    assert_eq!(
        (
            &changed["name"],
            &changed["created_by"],
            &changed["created_at"],
            &changed["next_runs"]
        ),
        (&json!("other"), &json!(OPS.0), &stored["created_at"], &json!([]))
    );
    let (status, list) = answer(rig.get("/schedules?filter[client_ids]=open")).await;
    assert_eq!(status, 200);
    assert_eq!(
        list,
        json!({ "data": { "data": [changed], "meta": { "count": 1 } } })
    );
    let (status, list) = answer(rig.get(&format!("{path}/executions"))).await;
    assert_eq!(
        (status, list),
        (200, json!({ "data": [], "meta": { "count": 0 } }))
    );

    let deleted = sent(rig.as_user(OPS, Method::DELETE, &path)).await;
    assert_eq!(deleted.status(), 204);
    let id = path.rsplit('/').next().expect("an id");
    let gone = (404, format!("Cannot find a schedule by the provided id: {id}"));
    assert_eq!(refusal(rig.get(&path)).await, gone);
    assert_eq!(refusal(rig.as_user(OPS, Method::DELETE, &path)).await, gone);
    assert_eq!(
        refusal(rig.as_user(OPS, Method::PUT, &path).json(&stored)).await,
        gone
    );
    let run = format!("{path}/run");
    assert_eq!(refusal(rig.as_user(OPS, Method::POST, &run)).await, gone);
}

#[tokio::test]
async fn what_cannot_be_stored_is_named() {
    let rig = Rig::new().await;
    let refused = async |change: &dyn Fn(&mut Value)| {
        let mut body = body();
        change(&mut body);
        refusal(rig.as_user(OPS, Method::POST, "/schedules").json(&body)).await
    };
    let invalid = |title: &str| (400, title.to_owned());
    assert_eq!(
        refused(&|new| new["type"] = json!("x")).await,
        invalid("Invalid type.")
    );
    assert_eq!(
        refused(&|new| new["schedule"] = json!("0 0 31 2 *")).await,
        invalid("Invalid schedule.")
    );
    assert_eq!(
        refused(&|new| new["command"] = json!("")).await,
        invalid("Empty command.")
    );
    assert_eq!(
        refused(&|new| new["interpreter"] = json!("x")).await,
        invalid("Invalid interpreter.")
    );
    assert_eq!(
        refused(&|new| new["client_ids"] = json!([])).await,
        invalid("Missing targeting parameters.")
    );
    assert_eq!(
        refused(&|new| new["tags"] = json!({ "tags": ["x"] })).await,
        invalid("Multiple targeting parameters.")
    );
    assert_eq!(
        refused(&|new| new["group_ids"] = json!(["x"])).await,
        invalid("Unknown group with id=\"x\".")
    );
    let unknown = refused(&|new| new["client_ids"] = json!(["x"])).await;
    assert_eq!(unknown, (404, "Client with id=\"x\" not found.".to_owned()));
    let denied = refused(&|new| new["client_ids"] = json!(["open", "shut"])).await;
    assert_eq!(
        denied,
        (403, "Access denied to client(s) with ID(s): shut".to_owned())
    );
    let script = |new: &mut Value| {
        new["type"] = json!("script");
        new["script"] = json!("no base64!");
    };
    assert_eq!(refused(&script).await, invalid("Invalid script."));
    let (_, list) = answer(rig.get("/schedules")).await;
    assert_eq!(list["data"]["meta"]["count"], 0, "nothing of it was stored");
}

#[tokio::test]
async fn nobody_else_sees_a_schedule() {
    let rig = Rig::new().await;
    let of_admin = one(&add(&rig, ADMIN, body()).await);
    let of_olga = one(&add(&rig, OPS, body()).await);
    let count = async |user| {
        answer(rig.as_user(user, Method::GET, "/schedules")).await.1["data"]["meta"]["count"].clone()
    };
    assert_eq!((count(OPS).await, count(ADMIN).await), (json!(1), json!(2)));
    let executions = format!("{of_admin}/executions");
    let run = format!("{of_admin}/run");
    for (method, path) in [
        (Method::GET, &of_admin),
        (Method::PUT, &of_admin),
        (Method::DELETE, &of_admin),
        (Method::GET, &executions),
        (Method::POST, &run),
    ] {
        let request = rig.as_user(OPS, method.clone(), path).json(&body());
        assert_eq!(
            refusal(request).await,
            (403, "forbidden".to_owned()),
            "{method} {path}"
        );
    }
    assert_eq!(answer(rig.get(&of_admin)).await.0, 200, "it is still there");
    assert_eq!(answer(rig.get(&of_olga)).await.0, 200, "administrators see all");
}

#[tokio::test]
async fn a_run_that_is_asked_for_is_listed() {
    let rig = Rig::new().await;
    let stored = add(&rig, OPS, body()).await;
    let path = one(&stored);
    let (status, started) = answer(rig.as_user(ADMIN, Method::POST, &format!("{path}/run"))).await;
    assert_eq!(status, 200, "{started}");
    let job = started["data"]["jid"].as_str().expect("an id").to_owned();
    let (_, list) = answer(rig.as_user(OPS, Method::GET, &format!("{path}/executions"))).await;
    let run = &list["data"][0];
    assert_eq!(
        (
            &run["outcome"],
            &run["multi_job_id"],
            &run["requested_by"],
            &run["counts"]["total"]
        ),
        (&json!("ordered"), &json!(job), &json!(ADMIN.0), &json!(1))
    );
    let (status, multi) = answer(rig.as_user(OPS, Method::GET, &format!("/commands/{job}"))).await;
    assert_eq!(status, 200, "it is olga's: {multi}");
    assert_eq!(
        (&multi["data"]["schedule_id"], &multi["data"]["created_by"]),
        (&stored["id"], &json!(OPS.0))
    );
    let (_, shown) = answer(rig.get(&path)).await;
    assert_eq!(shown["data"]["last_execution"]["client_count"], 1);
}
