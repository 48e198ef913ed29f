//! `/ws/commands`, `/ws/scripts` and `/ws/jobs/{job_id}`.

use futures_util::SinkExt;
use reqwest::Method;
use rport_protocol::channel::{KIND_STDERR, KIND_STDOUT};
use rport_testkit::eventually;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::Message;

use crate::agent::Agent;
use crate::rig::{ADMIN, OPS, PATIENCE, Rig, answer, sent};
use crate::websocket::{self, Socket, next, token};

async fn connected() -> (Rig, Agent) {
    let rig = Rig::new().await;
    let agent = Agent::connect(rig.agents, "open", rig.tasks()).await;
    (rig, agent)
}

async fn open(rig: &Rig, path: &str, user: (&str, &str)) -> Socket {
    let bearer = format!("Bearer {}", token(rig, user).await);
    let opened = websocket::open(rig, path, &[("authorization", &bearer)]).await;
    opened.expect("opens").0
}

async fn say(socket: &mut Socket, text: impl ToString) {
    let message = Message::Text(text.to_string().into());
    socket.send(message).await.expect("sent");
}

#[tokio::test]
async fn output_comes_while_the_command_runs_and_the_job_at_the_end() {
    let (rig, mut agent) = connected().await;
    let mut socket = open(&rig, "/ws/commands", ADMIN).await;
    // As the original's command line sends it.
    let order = json!({
        "command": "x", "script": "x", "client_ids": ["open", "shut"], "group_ids": null, "timeout_sec": 30,
        "execute_concurrently": true, "abort_on_error": false, "cwd": "", "is_sudo": false, "interpreter": "",
    });
    say(&mut socket, order).await;
    let not_started = next(&mut socket).await;
    assert_eq!(
        (
            &not_started["client_id"],
            &not_started["status"],
            &not_started["result"]
        ),
        (&json!("shut"), &json!("failed"), &Value::Null)
    );
    assert!(
        not_started["finished_at"].is_string() && not_started["error"] != "",
        "{not_started}"
    );

    let job = agent.start().await;
    assert!(job.stream_result);
    let mut stdout = agent.output(KIND_STDOUT, &job).await;
    let mut stderr = agent.output(KIND_STDERR, &job).await;
    let chunk = |stdout: &str, stderr: &str| {
        json!({
            "jid": job.jid, "client_id": "open", "client_name": "name of open",
            "result": { "stdout": stdout, "stderr": stderr, "summary": "" },
        })
    };
    stdout.write_all(b"one <1>\n").await.expect("written");
    assert_eq!(next(&mut socket).await, chunk("one <1>\n", ""));
    stderr.write_all(b"oh").await.expect("written");
    assert_eq!(next(&mut socket).await, chunk("", "oh"));

    // Somebody comes later and hears what was said lately, what has ended already, and the rest.
    let multi = job.multi_job_id.clone().expect("a multi-job");
    let mut late = open(&rig, &format!("/ws/jobs/{multi}"), ADMIN).await;
    let said = [chunk("one <1>\n", ""), chunk("", "oh")];
    for earlier in said.iter().chain([&not_started]) {
        assert_eq!(next(&mut late).await, *earlier);
    }
    let mut single = open(&rig, &format!("/ws/jobs/{}", job.jid), OPS).await;
    for earlier in &said {
        assert_eq!(next(&mut single).await, *earlier);
    }
    // Who has no access, or is not there, hears before the connection is made.
    let bearer = format!("Bearer {}", token(&rig, OPS).await);
    let header = [("authorization", bearer.as_str())];
    for (path, status) in [
        (format!("/ws/jobs/{multi}"), 403),
        ("/ws/jobs/none".to_owned(), 404),
    ] {
        let refused = websocket::open(&rig, &path, &header).await.err();
        assert_eq!(refused, Some(status), "{path}");
    }

    stdout.write_all(b"two").await.expect("written");
    for socket in [&mut socket, &mut late, &mut single] {
        assert_eq!(next(socket).await, chunk("two", ""));
    }
    drop((stdout, stderr));
    let id = job.jid.clone();
    agent.finish(job, "successful", "all of it").await;
    for socket in [&mut socket, &mut late, &mut single] {
        let end = next(socket).await;
        assert_eq!((&end["jid"], &end["status"]), (&json!(id), &json!("successful")));
        assert_eq!(
            (&end["multi_job_id"], &end["stream_result"]),
            (&json!(multi), &json!(true))
        );
        assert_eq!(end["result"]["stdout"], "all of it");
        assert_eq!(next(socket).await, Value::Null, "and no more");
    }
}

#[tokio::test]
async fn bad_orders_are_answered_with_one_frame() {
    let (rig, _agent) = connected().await;
    let empty = "Inbound message should contain non empty json object with command data.";
    let interpreter = "expected interpreter to be one of: [cmd powershell tacoscript], actual: sh";
    for (path, order, title, detail) in [
        ("/ws/commands", "", empty, ""),
        (
            "/ws/commands",
            r#"{"cmd":1}"#,
            "Invalid JSON data.",
            "json: unknown field \"cmd\"",
        ),
        (
            "/ws/commands",
            r#"{"client_ids":["open"]}"#,
            "Command cannot be empty.",
            "",
        ),
        (
            "/ws/commands",
            r#"{"command":"x"}"#,
            "",
            "Missing targeting parameters.",
        ),
        (
            "/ws/commands",
            r#"{"command":"x","client_ids":["none"]}"#,
            "",
            "Client with id=\"none\" not found.",
        ),
        (
            "/ws/commands",
            r#"{"command":"x","client_ids":["open"],"interpreter":"sh"}"#,
            "Invalid interpreter",
            interpreter,
        ),
        (
            "/ws/scripts",
            r#"{"script":"x!","client_ids":["open"]}"#,
            "Failed to create script on multiple clients",
            "illegal base64 data at input byte 1",
        ),
    ] {
        let mut socket = open(&rig, path, OPS).await;
        say(&mut socket, order).await;
        let expected = json!({ "errors": [{ "code": "", "title": title, "detail": detail }] });
        assert_eq!(next(&mut socket).await, expected, "{path} {order}");
        assert_eq!(next(&mut socket).await, Value::Null, "{path} {order}");
    }
    let mut socket = open(&rig, "/ws/commands", OPS).await;
    say(&mut socket, r#"{"command":"x","client_ids":["open","shut"]}"#).await;
    let denied = next(&mut socket).await;
    assert!(
        denied["errors"][0]["title"]
            .as_str()
            .is_some_and(|title| title.contains("shut")),
        "{denied}"
    );
}

#[tokio::test]
async fn any_frame_ends_the_watching_and_the_job_runs_on() {
    let (rig, mut agent) = connected().await;
    let mut socket = open(&rig, "/ws/scripts", OPS).await;
    say(
        &mut socket,
        json!({ "script": "ZWNobyAx", "command": "", "client_ids": ["open"] }),
    )
    .await;
    let job = agent.start().await;
    assert_eq!((job.command.as_str(), job.is_script), ("echo 1", true));
    say(&mut socket, "enough").await;
    assert_eq!(next(&mut socket).await, Value::Null);
    let path = format!("/clients/open/commands/{}", job.jid);
    agent.finish(job, "successful", "1").await;
    eventually("the result", PATIENCE, || async {
        let (_, body) = answer(rig.get(&path)).await;
        (body["data"]["result"]["stdout"] == "1").then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_end_of_the_session_and_of_the_server_end_the_watching() {
    let (rig, mut agent) = connected().await;
    let olga = token(&rig, OPS).await;
    let mut socket = websocket::open(&rig, &format!("/ws/commands?access_token={olga}"), &[])
        .await
        .expect("opens")
        .0;
    say(&mut socket, json!({ "command": "x", "client_ids": ["open"] })).await;
    let job = agent.start().await;
    let mut other = open(&rig, &format!("/ws/jobs/{}", job.jid), ADMIN).await;
    let logout = rig.anonymous(Method::DELETE, "/logout").bearer_auth(&olga);
    assert_eq!(sent(logout).await.status(), 204);
    assert_eq!(next(&mut socket).await, Value::Null, "closed with the session");
    rig.tasks().soft().cancel();
    assert_eq!(next(&mut other).await, Value::Null, "closed with the server");
}
