//! One job on one client: who may, what is refused, what is kept.

use super::*;

#[tokio::test]
async fn a_job_is_started_and_its_result_kept() {
    let server = TestServer::start().await;
    let mut worker = Worker::connect(&server, "c1").await;
    let mut events = server.server.events().listen();
    let mut new = command("id -u");
    new.order.cwd = "/tmp".into();
    let (id, job) = tokio::join!(
        async {
            server
                .jobs()
                .run(&admin(), &"c1".into(), new)
                .await
                .expect("started")
        },
        worker.start(),
    );
    assert_eq!(job.jid, id.as_str());
    assert_eq!(
        (job.command.as_str(), job.cwd.as_str(), job.timeout_sec),
        ("id -u", "/tmp", 60)
    );
    assert_eq!(
        (job.client_id.as_str(), job.client_name.as_str()),
        ("c1", "name of c1")
    );
    assert_eq!((job.created_by.as_str(), job.stream_result), ("admin", false));
    let running = server.job("c1", &id).await;
    assert_eq!((running.status, running.pid), (JobStatus::Running, Some(4711)));

    assert_eq!(
        worker
            .report(worker::ended(job, JobStatus::Successful, "0\n"))
            .await,
        Ok(())
    );
    let done = server.job("c1", &id).await;
    assert_eq!(done.status, JobStatus::Successful);
    assert_eq!(done.result.expect("stored").stdout, "0\n");
    assert!(done.finished_at.is_some());
    let mut told = 0;
    while told < 3 {
        let heard = soon("events", events.next(&admin())).await;
        if let Some(crate::Heard::Event(event)) = heard
            && event.job_id.as_ref() == Some(&id)
        {
            assert_eq!(event.kind.as_str(), "job_changed");
            told += 1;
        }
    }
    drop(worker);
    server.stop().await;
}

#[tokio::test]
async fn what_the_agent_says_against_it_is_told_and_kept() {
    let server = TestServer::start().await;
    let mut worker = Worker::connect(&server, "c1").await;
    let client = ClientId::new("c1");
    let actor = admin();
    let (refused, ()) = tokio::join!(server.jobs().run(&actor, &client, command("rm")), async {
        worker.asked().await.refuse("command is not allowed: rm");
    });
    assert_eq!(
        refusal(refused),
        (
            Kind::ClientRefused,
            "client error: command is not allowed: rm".to_owned()
        )
    );
    let query = ListQuery::parse::<&str, &str>(&[], &rport_domain::JOB_LIST).expect("valid");
    let jobs = server.jobs().list(&actor, &client, &query).await.expect("listed");
    assert_eq!(jobs.total, 1);
    let job = server.job("c1", &jobs.items[0].id).await;
    assert_eq!(
        (job.status, job.error.as_str()),
        (JobStatus::Failed, "command is not allowed: rm")
    );
    drop(worker);
    server.stop().await;
}

#[tokio::test]
async fn orders_that_make_no_sense_are_refused_in_the_words_of_the_go_server() {
    let server = TestServer::start().await;
    let worker = Worker::connect(&server, "away").await;
    worker.agent.vanish();
    eventually("disconnect", || !server.is_connected("away")).await;
    let run =
        async |client: &str, new: NewJob| refusal(server.jobs().run(&admin(), &client.into(), new).await);
    assert_eq!(
        run("none", command("id")).await,
        (Kind::NotFound, "Client with id=\"none\" not found.".to_owned())
    );
    assert_eq!(
        run("away", command("")).await,
        (Kind::Invalid, "Command cannot be empty.".to_owned())
    );
    assert_eq!(
        run("away", command("id")).await,
        (
            Kind::NotFound,
            "Active client with id=\"away\" not found.".to_owned()
        )
    );
    let query = ListQuery::parse::<&str, &str>(&[], &rport_domain::JOB_LIST).expect("valid");
    let kept = server
        .jobs()
        .list(&admin(), &"away".into(), &query)
        .await
        .expect("listed");
    assert_eq!(kept.total, 0, "nothing is stored of what was refused");
    server.stop().await;
}

#[tokio::test]
async fn jobs_are_shown_to_who_may_run_them_there() {
    let server = TestServer::start().await;
    let mut first = Worker::connect(&server, "c1").await;
    let _second = Worker::connect(&server, "c2").await;
    let (id, ()) = tokio::join!(
        async {
            server
                .jobs()
                .run(&admin(), &"c1".into(), command("id"))
                .await
                .expect("started")
        },
        first.run(JobStatus::Successful, "secret"),
    );
    let get =
        async |actor: &Actor, client: &str| refusal(server.jobs().get(actor, &client.into(), &id).await).0;
    let stranger = member_of(&["dev"]);
    assert_eq!(get(&stranger, "c1").await, Kind::Forbidden);
    assert_eq!(
        get(&admin(), "c2").await,
        Kind::NotFound,
        "a job of another client"
    );
    let mut scripts_only = admin();
    scripts_only.permissions = [Permission::Scripts].into_iter().collect();
    assert_eq!(get(&scripts_only, "c1").await, Kind::Forbidden);
    let query = ListQuery::parse::<&str, &str>(&[], &rport_domain::JOB_LIST).expect("valid");
    let shown = server
        .jobs()
        .list(&scripts_only, &"c1".into(), &query)
        .await
        .expect("a list");
    assert_eq!(shown.total, 0, "of scripts only");
    let mut neither = admin();
    neither.permissions = [Permission::Vault].into_iter().collect();
    assert_eq!(
        refusal(server.jobs().list(&neither, &"c1".into(), &query).await).0,
        Kind::Forbidden
    );
    let mut no_commands = admin();
    no_commands.permissions = [Permission::Scripts].into_iter().collect();
    assert_eq!(
        refusal(server.jobs().run(&no_commands, &"c1".into(), command("id")).await).0,
        Kind::Forbidden
    );
    drop((first, _second));
    server.stop().await;
}

#[tokio::test]
async fn orders_ends_and_cancellations_are_in_the_audit_log() {
    let server = TestServer::start().await;
    let mut worker = Worker::connect(&server, "c1").await;
    let order = on(&["c1"], command("id %%vault_free"), ALL_AT_ONCE);
    let multi = server.jobs().run_multi(&admin(), order).await.expect("ordered");
    worker.run(JobStatus::Successful, "secret output").await;
    server.over(&multi).await;
    worker.agent.vanish();
    eventually("disconnect", || !server.is_connected("c1")).await;
    let id = server
        .jobs()
        .run(&admin(), &"c1".into(), queued("x"))
        .await
        .expect("queued");
    server
        .jobs()
        .cancel(&admin(), &"c1".into(), &id)
        .await
        .expect("ended");
    let query = ListQuery::parse(&[("sort", "timestamp")], &rport_domain::AUDIT_LIST).expect("valid");
    let entries = server
        .server
        .audit_logs()
        .list(&admin(), &query)
        .await
        .expect("listed")
        .items;
    let mut lines: Vec<_> = entries
        .iter()
        .filter(|entry| entry.application == "client.command")
        .map(|entry| {
            (
                entry.action.as_str(),
                entry.username.as_str(),
                entry.client_id.as_str(),
            )
        })
        .collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            ("execute.cancel", "admin", "c1"),
            ("execute.done", "", "c1"),
            ("execute.start", "admin", "c1"),
            ("execute.start", "admin", "c1"),
        ]
    );
    let start = entries
        .iter()
        .find(|entry| entry.action == "execute.start")
        .expect("there");
    assert!(
        start.request.contains("\"command\":\"id %%vault_free\""),
        "{}",
        start.request
    );
    assert!(
        !entries
            .iter()
            .any(|entry| entry.response.contains("secret output"))
    );
    server.stop().await;
}
