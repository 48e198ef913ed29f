//! Commands and scripts: ordering, reading, cancelling. Watching is in `job_sockets.rs`.

use reqwest::Method;
use rport_testkit::eventually;
use serde_json::{Value, json};

use crate::agent::Agent;
use crate::rig::{ADMIN, OPS, PATIENCE, Rig, answer, refusal};

async fn connected() -> (Rig, Agent) {
    let rig = Rig::new().await;
    let agent = Agent::connect(rig.agents, "open", rig.tasks()).await;
    (rig, agent)
}

async fn post(rig: &Rig, path: &str, body: Value) -> (u16, Value) {
    answer(rig.as_user(OPS, Method::POST, path).json(&body)).await
}

fn id(body: &Value) -> String {
    body["data"]["jid"].as_str().expect("an id").to_owned()
}

/// Waits until the job at a path has ended.
async fn ended(rig: &Rig, path: &str) -> Value {
    eventually("the end of a job", PATIENCE, || async {
        let (_, body) = answer(rig.get(path)).await;
        body["data"]["finished_at"]
            .is_string()
            .then(|| body["data"].clone())
    })
    .await
}

#[tokio::test]
async fn a_command_is_started_kept_and_read() {
    let (rig, mut agent) = connected().await;
    let order = json!({ "command": "echo <1>", "cwd": "/tmp", "script": "ignored", "ClientID": "x", "IsScript": true });
    let ((status, body), job) = tokio::join!(post(&rig, "/clients/open/commands", order), agent.start());
    assert_eq!(status, 200, "{body}");
    let id = id(&body);
    assert_eq!(body, json!({ "data": { "jid": id } }));
    assert_eq!(
        (job.jid.as_str(), job.command.as_str(), job.cwd.as_str()),
        (id.as_str(), "echo <1>", "/tmp")
    );
    assert_eq!(
        (job.timeout_sec, job.is_script, job.stream_result),
        (60, false, false)
    );

    let path = format!("/clients/open/commands/{id}");
    let (_, body) = answer(rig.get(&path)).await;
    let running = &body["data"];
    assert_eq!(
        (&running["status"], &running["pid"]),
        (&json!("running"), &json!(4711))
    );
    assert_eq!(
        (&running["finished_at"], &running["result"]),
        (&Value::Null, &Value::Null)
    );

    agent.finish(job, "successful", "<1>").await;
    let expected = json!({
        "jid": id, "status": "successful", "finished_at": "2024-05-01T10:00:02Z", "client_id": "open",
        "client_name": "name of open", "command": "echo <1>", "cwd": "/tmp", "interpreter": "", "pid": 4711,
        "started_at": "2024-05-01T10:00:01Z", "created_by": OPS.0, "timeout_sec": 60, "multi_job_id": null,
        "schedule_id": null, "error": "",
        "result": { "stdout": "<1>", "stderr": "", "summary": "summary of <1>" },
        "is_sudo": false, "is_script": false, "stream_result": false,
    });
    assert_eq!(ended(&rig, &path).await, expected);

    let list = async |query: &str| answer(rig.get(&format!("/clients/open/commands{query}"))).await;
    let item = json!({
        "jid": id, "status": "successful", "finished_at": "2024-05-01T10:00:02Z",
        "result": { "summary": "summary of <1>" },
    });
    assert_eq!(
        list("").await,
        (200, json!({ "data": [item], "meta": { "count": 1 } }))
    );
    let (_, body) = list(&format!(
        "?filter[jid]={id}&fields[commands]=pid&fields[result]=stdout"
    ))
    .await;
    assert_eq!(
        body["data"],
        json!([{ "pid": 4711, "result": { "stdout": "<1>" } }])
    );
    let (_, body) = list("?filter[started_at][gt]=2025-01-01&filter[created_by]=olga").await;
    assert_eq!(body, json!({ "data": [], "meta": { "count": 0 } }));
    let (status, body) = list("?sort=pid&filter[pid]=1&fields[x]=y&page[limit]=1001").await;
    let titles = body["errors"]
        .as_array()
        .expect("errors")
        .iter()
        .map(|error| error["title"].as_str());
    let titles: Vec<&str> = titles.map(Option::unwrap_or_default).collect();
    assert_eq!(
        (status, titles.as_slice()),
        (
            400,
            [
                "unsupported sort field 'pid'",
                "unsupported filter field 'filter[pid]'",
                "unsupported resource in fields: \"x\"",
                "pagination limit too big (1001) maximum is 1000",
            ]
            .as_slice()
        )
    );
    // Another client, with a job that is not its own.
    let foreign = rig.get(&format!("/clients/shut/commands/{id}"));
    assert_eq!(
        refusal(foreign).await,
        (404, format!("Job[id=\"{id}\"] not found."))
    );
    let cancel = rig.as_user(OPS, Method::POST, &format!("{path}/cancel"));
    assert_eq!(answer(cancel).await.0, 409, "it has ended");
}

#[tokio::test]
async fn a_script_travels_in_base64_and_is_shown_in_clear() {
    let (rig, mut agent) = connected().await;
    let order = json!({ "script": "IyEvYmluL3NoCmVjaG8gMQo=", "interpreter": "bash", "timeout_sec": 5 });
    let ((status, body), job) = tokio::join!(post(&rig, "/clients/open/scripts", order), agent.start());
    assert_eq!(status, 200, "{body}");
    assert_eq!(
        (job.command.as_str(), job.is_script),
        ("#!/bin/sh\necho 1\n", true)
    );
    assert_eq!((job.interpreter.as_str(), job.timeout_sec), ("bash", 5));
    agent.finish(job, "failed", "1").await;
    let job = ended(&rig, &format!("/clients/open/commands/{}", id(&body))).await;
    assert_eq!(
        (&job["status"], &job["command"], &job["is_script"]),
        (&json!("failed"), &json!("#!/bin/sh\necho 1\n"), &json!(true))
    );
    // Longer than any other body may be.
    let long = "x".repeat(20_000);
    let order = json!({ "script": base64(&long) });
    let ((status, body), job) = tokio::join!(post(&rig, "/clients/open/scripts", order), agent.start());
    assert_eq!((status, job.command.len()), (200, 20_000), "{body}");
}

fn base64(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}

#[tokio::test]
async fn orders_are_refused_in_the_words_of_the_original() {
    let (rig, mut agent) = connected().await;
    let interpreter = "expected interpreter to be one of: [cmd powershell tacoscript], actual: bash";
    for (path, body, status, title, detail) in [
        (
            "/clients/open/commands",
            "{}",
            400,
            "Command cannot be empty.",
            "",
        ),
        (
            "/clients/open/commands",
            "",
            400,
            "Missing body with json data.",
            "",
        ),
        (
            "/clients/open/commands",
            r#"{"cmd":"x"}"#,
            400,
            "Invalid JSON data.",
            "json: unknown field \"cmd\"",
        ),
        (
            "/clients/open/commands",
            r#"{"command":"x","interpreter":"bash"}"#,
            400,
            "Invalid interpreter.",
            interpreter,
        ),
        (
            "/clients/open/scripts",
            r#"{"command":"x"}"#,
            400,
            "Missing script body",
            "",
        ),
        (
            "/clients/open/scripts",
            r#"{"script":"x!"}"#,
            400,
            "illegal base64 data at input byte 1",
            "",
        ),
        (
            "/clients/none/commands",
            r#"{"command":"x"}"#,
            404,
            "Client with id=\"none\" not found.",
            "",
        ),
        (
            "/commands",
            r#"{"client_ids":["open"]}"#,
            400,
            "Command cannot be empty.",
            "",
        ),
        (
            "/commands",
            r#"{"command":"x"}"#,
            400,
            "Missing targeting parameters.",
            "",
        ),
        (
            "/commands",
            r#"{"command":"x","client_ids":["open"],"tags":{"tags":["a"]}}"#,
            400,
            "Multiple targeting parameters.",
            "",
        ),
        (
            "/commands",
            r#"{"command":"x","tags":{"tags":[]}}"#,
            400,
            "No tags specified.",
            "",
        ),
        (
            "/commands",
            r#"{"command":"x","group_ids":["g"]}"#,
            400,
            "Unknown group with id=\"g\".",
            "",
        ),
        (
            "/commands",
            r#"{"command":"x","tags":{"tags":["nobody"]}}"#,
            400,
            "at least 1 client should be specified",
            "",
        ),
        (
            "/commands",
            r#"{"command":"x","client_ids":["none"]}"#,
            404,
            "Client with id=\"none\" not found.",
            "",
        ),
        (
            "/commands",
            r#"{"command":"x","client_ids":["open"],"max_concurrent":0}"#,
            400,
            "max_concurrent must be at least 1",
            "",
        ),
        (
            "/commands",
            r#"{"command":"x","client_ids":["open"],"expires":"1h"}"#,
            400,
            "\"expires\" needs \"queue_if_offline\".",
            "",
        ),
        (
            "/scripts",
            r#"{"client_ids":["open"]}"#,
            400,
            "Missing script body",
            "",
        ),
        ("/scripts", "{}", 400, "Missing targeting parameters.", ""),
    ] {
        let request = rig.as_user(OPS, Method::POST, path).body(body);
        let (found, answer) = answer(request).await;
        let error = &answer["errors"][0];
        assert_eq!(
            (found, &error["title"], &error["detail"]),
            (status, &json!(title), &json!(detail)),
            "{path} {body}"
        );
    }
    let denied = rig.as_user(OPS, Method::POST, "/commands");
    let denied = denied.body(r#"{"command":"x","client_ids":["open","shut"]}"#);
    assert_eq!(answer(denied).await.0, 403);
    let offline = rig.as_user(ADMIN, Method::POST, "/clients/shut/commands");
    let offline = refusal(offline.body(r#"{"command":"x"}"#)).await;
    assert_eq!(
        offline,
        (404, "Active client with id=\"shut\" not found.".to_owned())
    );
    let order = json!({ "command": "rm" });
    let ((status, body), ()) = tokio::join!(
        post(&rig, "/clients/open/commands", order),
        agent.refuse("command is not allowed")
    );
    assert_eq!(status, 409);
    assert_eq!(body["errors"][0]["title"], "client error: command is not allowed");
}

#[tokio::test]
async fn a_multi_job_belongs_to_who_ordered_it() {
    let (rig, mut agent) = connected().await;
    let order = json!({ "client_ids": ["open", "shut"], "command": "id", "execute_concurrently": true });
    let request = rig.as_user(ADMIN, Method::POST, "/commands").json(&order);
    let (status, body) = answer(request).await;
    assert_eq!(status, 200, "{body}");
    let multi = id(&body);
    let job = agent.start().await;
    assert_eq!(job.multi_job_id.as_deref(), Some(multi.as_str()));
    agent.finish(job, "successful", "x").await;
    let path = format!("/commands/{multi}");
    let done = eventually("both jobs", PATIENCE, || async {
        let (_, body) = answer(rig.get(&path)).await;
        (body["data"]["counts"]["waiting"] == 0 && body["data"]["counts"]["running"] == 0)
            .then(|| body["data"].clone())
    })
    .await;
    let counts =
        json!({ "total": 2, "waiting": 0, "running": 0, "successful": 1, "failed": 1, "unknown": 0 });
    assert_eq!(done["counts"], counts);
    assert_eq!(
        (&done["client_ids"], &done["group_ids"], &done["tags"]),
        (&json!(["open", "shut"]), &Value::Null, &Value::Null)
    );
    assert_eq!(
        (
            &done["concurrent"],
            &done["abort_on_err"],
            &done["is_script"],
            &done["created_by"]
        ),
        (&json!(true), &json!(true), &json!(false), &json!(ADMIN.0))
    );
    let jobs = done["jobs"].as_array().expect("jobs");
    let shut = jobs.iter().find(|job| job["client_id"] == "shut").expect("a job");
    assert_eq!(
        (&shut["status"], &shut["result"]),
        (&json!("failed"), &Value::Null)
    );
    assert!(
        shut["error"]
            .as_str()
            .is_some_and(|text| text.contains("not connected")),
        "{shut}"
    );

    let (_, body) = answer(rig.get("/commands")).await;
    assert_eq!(body["meta"]["count"], 1);
    let item = &body["data"][0];
    assert_eq!((&item["jid"], &item["counts"]), (&json!(multi), &counts));
    assert_eq!(
        (&item["command"], &item["is_script"]),
        (&json!("id"), &json!(false))
    );
    let (_, body) = answer(rig.get(&format!("{path}/jobs?sort=jid&fields[jobs]=client_id"))).await;
    assert_eq!(body["meta"]["count"], 2);

    // Somebody else, who may run commands as well.
    let (_, body) = answer(rig.as_user(OPS, Method::GET, "/commands")).await;
    assert_eq!(body, json!({ "data": [], "meta": { "count": 0 } }));
    for (method, path) in [
        (Method::GET, path.clone()),
        (Method::GET, format!("{path}/jobs")),
        (Method::POST, format!("{path}/cancel")),
    ] {
        let (status, title) = refusal(rig.as_user(OPS, method, &path)).await;
        assert_eq!((status, title.as_str()), (403, "forbidden"), "{path}");
    }
    let missing = refusal(rig.get("/commands/none")).await;
    assert_eq!(
        missing,
        (404, "Multi-client Job[id=\"none\"] not found.".to_owned())
    );
}

#[tokio::test]
async fn jobs_are_cancelled() {
    let (rig, mut agent) = connected().await;
    let order = json!({ "command": "x", "queue_if_offline": true, "expires": "2h" });
    let request = rig
        .as_user(ADMIN, Method::POST, "/clients/shut/commands")
        .json(&order);
    let (status, body) = answer(request).await;
    assert_eq!(status, 200, "{body}");
    let path = format!("/clients/shut/commands/{}", id(&body));
    let (_, body) = answer(rig.get(&path)).await;
    assert_eq!(body["data"]["status"], "waiting");
    let cancel = |path: &str| rig.as_user(ADMIN, Method::POST, &format!("{path}/cancel"));
    assert_eq!(answer(cancel(&path)).await.0, 204);
    let job = ended(&rig, &path).await;
    assert_eq!(
        (&job["status"], &job["error"]),
        (&json!("failed"), &json!("cancelled by admin"))
    );
    assert_eq!(answer(cancel(&path)).await.0, 409);
    assert_eq!(answer(cancel("/clients/open/commands/none")).await.0, 404);

    let order = json!({ "client_ids": ["open", "shut"], "command": "x", "queue_if_offline": true });
    let request = rig.as_user(ADMIN, Method::POST, "/commands").json(&order);
    let multi = format!("/commands/{}", id(&answer(request).await.1));
    let running = agent.start().await;
    let cancelling = cancel(&multi);
    let ((status, body), aborted) = tokio::join!(answer(cancelling), agent.abort());
    assert_eq!(
        (status, &body["data"]["total"], &body["data"]["failed"]),
        (200, &json!(2), &json!(1))
    );
    assert_eq!(aborted, running.jid);
    agent.finish(running, "failed", "half").await;
    eventually("the end", PATIENCE, || async {
        let (_, body) = answer(rig.get(&multi)).await;
        (body["data"]["counts"]["failed"] == 2).then_some(())
    })
    .await;
}
