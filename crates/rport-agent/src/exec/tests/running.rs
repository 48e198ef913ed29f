//! What is run, and how.

use std::os::unix::fs::PermissionsExt;

use rport_protocol::GoTime;

use super::rig::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_runs_and_its_result_comes_home() {
    let rig = Rig::new("");
    let mut server = rig.connect(Answer::Stored).await;
    let mut job = script("11111111-2222-4333-8444-555555555555", "/usr/bin/id -u");
    job.is_script = false;
    job.multi_job_id = Some("m1".to_owned());
    job.client_id = "c1".to_owned();
    let reply = server.run(&job).await.unwrap();
    assert!(reply.pid > 1 && reply.started_at > GoTime::zero());
    let result = server.result().await;
    let finished_at = result.finished_at.unwrap();
    assert!(finished_at >= result.started_at);
    let uid = format!("{}\n", rustix::process::geteuid().as_raw());
    assert_eq!((stdout(&result), stderr(&result)), (uid.as_str(), ""));
    let expected = rport_protocol::Job {
        status: "successful".to_owned(),
        pid: Some(reply.pid),
        started_at: reply.started_at,
        finished_at: Some(finished_at),
        result: result.result.clone(),
        ..job
    };
    assert_eq!(result, expected, "the order comes back with the result filled in");
    rig.until_files(&["11111111-2222-4333-8444-555555555555.done"])
        .await;
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_of_old_servers_are_understood() {
    let rig = Rig::new("");
    let mut server = rig.connect(Answer::Stored).await;
    for order in [
        r#"{"jid":"old1","command":"/usr/bin/printf old","timeout_sec":5,"has_shebang":false}"#,
        r#"{"JID":"old2","status":"","finished_at":null,"Command":"/usr/bin/printf old","pid":null,"timeout_sec":5}"#,
        // No id: it cannot be remembered, but it runs.
        r#"{"command":"/usr/bin/printf old","timeout_sec":0}"#,
    ] {
        server.run_payload(order.as_bytes()).await.unwrap();
        let result = server.result().await;
        assert_eq!(
            (result.status.as_str(), stdout(&result)),
            ("successful", "old"),
            "{order}"
        );
    }
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn interpreters_aliases_and_shebangs() {
    let rig = Rig::new(&format!(
        "{ALLOW_ALL}[interpreter-aliases]\nMine = '/usr/bin/perl'\ndos = ['/bin/cat', 'cp437']\n\
         mixed = ['/bin/cat', 'utf-8', 'iso-8859-1']\n"
    ));
    let mut server = rig.connect(Answer::Stored).await;
    for (number, interpreter, text, expected) in [
        (1, "", "echo $0 | grep -c /scripts/", "1\n"),
        (2, "/bin/bash", "[[ a == a ]] && echo bash", "bash\n"),
        (3, "perl", "print 6*7", "42"),
        (4, "mine", "print 6*7", "42"),
        (5, "Mine", "print 6*7", "42"),
        (6, "perl", "#!/bin/sh\necho shebang wins", "shebang wins\n"),
        (7, "dos", "é█", "é█"),
        (8, "mixed", "é", "Ã©"),
    ] {
        let mut job = script(&format!("i{number}"), text);
        job.interpreter = interpreter.to_owned();
        let result = server.outcome(&job).await;
        assert_eq!(
            stdout(&result),
            expected,
            "{interpreter} {text}: {}",
            result.error
        );
        assert_eq!(result.status, "successful");
    }
    let mut job = script("i9", "€");
    job.interpreter = "dos".to_owned();
    let refused = server.run(&job).await.unwrap_err();
    assert_eq!(
        refused,
        "the interpreter's encoding \"cp437\" has no character '€'"
    );
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn surroundings_of_a_job() {
    let rig = Rig::new(ALLOW_ALL);
    let mut server = rig.connect(Answer::Stored).await;
    let mut job = script(
        "s1",
        "pwd; echo $RPORT_JOB_ID; test -n \"$PATH\" && echo path; read x || echo eof",
    );
    job.cwd = "/usr".to_owned();
    let result = server.outcome(&job).await;
    assert_eq!(stdout(&result), "/usr\ns1\npath\neof\n");
    // A group of its own, and not the agent's.
    let result = server
        .outcome(&script("s2", "ps -o pgid= -p $$ | tr -d ' '"))
        .await;
    assert_eq!(stdout(&result).trim(), result.pid.unwrap().to_string());
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sudo_is_asked_not_to_ask() {
    let rig = Rig::new(ALLOW_ALL);
    let mut server = rig.connect(Answer::Stored).await;
    let mut job = script("r1", "echo as $AS");
    job.is_sudo = true;
    let refused = server.run(&job).await.unwrap_err();
    assert!(refused.ends_with("/sudo: no such file or directory"), "{refused}");
    let sudo = rig.dir.path().join("sudo");
    std::fs::write(
        &sudo,
        "#!/bin/sh\ntest \"$1\" = -n || exit 9\nshift\nAS=root exec \"$@\"\n",
    )
    .unwrap();
    std::fs::set_permissions(&sudo, std::fs::Permissions::from_mode(0o755)).unwrap();
    let result = server.outcome(&job).await;
    assert_eq!((stdout(&result), result.error.as_str()), ("as root\n", ""));
    job.jid = "r2".to_owned();
    job.command = "#!/bin/sh\necho shebang as $AS".to_owned();
    assert_eq!(stdout(&server.outcome(&job).await), "shebang as root\n");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_cannot_start_leaves_nothing_behind() {
    let rig = Rig::new(ALLOW_ALL);
    let mut server = rig.connect(Answer::Stored).await;
    let mut job = script("f1", "echo ok");
    job.interpreter = "no-such-shell".to_owned();
    assert_eq!(
        server.run(&job).await.unwrap_err(),
        "failed to start a command: exec: \"no-such-shell\": executable file not found in $PATH"
    );
    job.interpreter = "/no/such/shell".to_owned();
    assert_eq!(
        server.run(&job).await.unwrap_err(),
        "failed to start a command: fork/exec /no/such/shell: no such file or directory"
    );
    job.interpreter = String::new();
    job.cwd = "/no/such/dir".to_owned();
    assert_eq!(
        server.run(&job).await.unwrap_err(),
        "failed to start a command: chdir /no/such/dir: no such file or directory"
    );
    assert_eq!(rig.files(), [""; 0], "neither notes nor scripts");
    job.cwd = String::new();
    assert_eq!(
        stdout(&server.outcome(&job).await),
        "ok\n",
        "the id is not used up"
    );

    let decode = server.run_payload(b"[]").await.unwrap_err();
    assert!(decode.starts_with("failed to decode requested job: "), "{decode}");
    for id in ["x".repeat(65), "a\0b".to_owned()] {
        assert!(
            server
                .run(&script(&id, "echo"))
                .await
                .unwrap_err()
                .starts_with("job id ")
        );
    }
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_run_beside_each_other_up_to_a_limit() {
    let rig = Rig::new(ALLOW_ALL);
    let mut server = rig.connect(Answer::Stored).await;
    let gate = rig.dir.path().join("gate");
    let text = format!(
        "while ! test -e {}; do sleep 0.1; done; echo $RPORT_JOB_ID",
        gate.display()
    );
    for number in 0..crate::exec::limits::MAX_JOBS {
        server.run(&script(&format!("m{number}"), &text)).await.unwrap();
    }
    let refused = server.run(&script("one-more", "echo")).await.unwrap_err();
    assert!(
        refused.starts_with("too many jobs are running on this client"),
        "{refused}"
    );
    std::fs::write(&gate, "").unwrap();
    for _ in 0..crate::exec::limits::MAX_JOBS {
        let result = server.result().await;
        assert_eq!(stdout(&result).trim_end(), result.jid);
    }
    server.outcome(&script("one-more", "echo")).await;
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_started_once() {
    let rig = Rig::new(ALLOW_ALL);
    let mut server = rig.connect(Answer::Stored).await;
    let counter = rig.dir.path().join("counter");
    let job = script("once", &format!("echo x >> {}; sleep 0.5", counter.display()));
    let first = server.run(&job).await.unwrap();
    assert_eq!(
        server.run(&job).await.unwrap(),
        first,
        "asked again while it runs"
    );
    assert_eq!(server.result().await.pid, Some(first.pid));
    rig.until_files(&["once.done"]).await;
    assert_eq!(server.run(&job).await.unwrap_err(), "job was run already: once");
    drop(server);
    let rig = Rig::at(rig.stop().await, ALLOW_ALL);
    let server = rig.connect(Answer::Stored).await;
    assert_eq!(server.run(&job).await.unwrap_err(), "job was run already: once");
    assert_eq!(std::fs::read_to_string(&counter).unwrap(), "x\n");
    rig.stop().await;
}
