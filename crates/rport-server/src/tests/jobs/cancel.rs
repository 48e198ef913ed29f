//! Users end jobs.

use rport_protocol::texts;
use rport_protocol::to_client::AbortState;

use super::*;

#[tokio::test]
async fn a_job_that_waits_is_not_started_any_more() {
    let server = TestServer::start().await;
    Worker::connect(&server, "c1").await.agent.vanish();
    eventually("disconnect", || !server.is_connected("c1")).await;
    let client = ClientId::new("c1");
    let id = server
        .jobs()
        .run(&admin(), &client, queued("x"))
        .await
        .expect("queued");
    assert_eq!(
        refusal(server.jobs().cancel(&member_of(&["dev"]), &client, &id).await).0,
        Kind::Forbidden
    );
    server.jobs().cancel(&admin(), &client, &id).await.expect("ended");
    let job = server.job("c1", &id).await;
    assert_eq!(
        (job.status, job.error.as_str()),
        (JobStatus::Failed, "cancelled by admin")
    );
    assert_eq!(
        refusal(server.jobs().cancel(&admin(), &client, &id).await),
        (Kind::Conflict, "The job has ended already.".to_owned())
    );
    assert_eq!(
        refusal(server.jobs().cancel(&admin(), &client, &"none".into()).await),
        (Kind::NotFound, "Job[id=\"none\"] not found.".to_owned())
    );
    let mut worker = Worker::connect(&server, "c1").await;
    assert!(worker.is_idle().await);
    drop(worker);
    server.stop().await;
}

#[tokio::test]
async fn a_job_that_runs_is_ended_by_its_agent() {
    let server = TestServer::start().await;
    let mut worker = Worker::connect(&server, "c1").await;
    let (client, actor) = (ClientId::new("c1"), admin());
    let (id, job) = tokio::join!(
        async {
            server
                .jobs()
                .run(&actor, &client, command("x"))
                .await
                .expect("started")
        },
        worker.start()
    );
    let (cancelled, asked) = tokio::join!(
        server.jobs().cancel(&actor, &client, &id),
        worker.aborted(AbortState::Aborting)
    );
    cancelled.expect("being ended");
    assert_eq!(asked, id.as_str());
    assert_eq!(
        server.job("c1", &id).await.status,
        JobStatus::Running,
        "until its result comes"
    );
    let mut result = worker::ended(job, JobStatus::Failed, "so far");
    result.error = "signal: terminated, aborted by the server".to_owned();
    assert_eq!(worker.report(result).await, Ok(()));
    let job = server.job("c1", &id).await;
    assert_eq!(
        (job.status, job.error.as_str()),
        (JobStatus::Failed, "cancelled by admin")
    );
    assert_eq!(job.result.expect("kept").stdout, "so far");
    drop(worker);
    server.stop().await;
}

#[tokio::test]
async fn what_an_agent_cannot_end_is_told() {
    let server = TestServer::start().await;
    let mut worker = Worker::connect(&server, "c1").await;
    let (client, actor) = (ClientId::new("c1"), admin());
    let start = async |worker: &mut Worker| {
        let (id, _) = tokio::join!(
            async {
                server
                    .jobs()
                    .run(&actor, &client, command("x"))
                    .await
                    .expect("started")
            },
            worker.start()
        );
        id
    };
    let id = start(&mut worker).await;
    let (over, _) = tokio::join!(
        server.jobs().cancel(&actor, &client, &id),
        worker.aborted(AbortState::Finished)
    );
    assert_eq!(
        refusal(over),
        (Kind::Conflict, "The job has ended already.".to_owned())
    );
    let (lost, _) = tokio::join!(
        server.jobs().cancel(&actor, &client, &id),
        worker.aborted(AbortState::Unknown)
    );
    lost.expect("nothing to end");
    let job = server.job("c1", &id).await;
    assert_eq!(job.error, "cancelled by admin; the client does not know the job");

    let id = start(&mut worker).await;
    worker.agent.vanish();
    eventually("disconnect", || !server.is_connected("c1")).await;
    let (kind, words) = refusal(server.jobs().cancel(&actor, &client, &id).await);
    assert_eq!(kind, Kind::Conflict);
    assert!(words.starts_with("The client is not connected"), "{words}");

    let mut go = Worker::connect_go(&server, "c1").await;
    let id = start(&mut go).await;
    assert_eq!(
        refusal(server.jobs().cancel(&actor, &client, &id).await),
        (
            Kind::Conflict,
            "The agent of this client cannot end a job that runs.".to_owned()
        )
    );
    assert!(
        go.is_idle().await,
        "{} is not even asked for",
        texts::UNKNOWN_REQUEST
    );
    drop(go);
    server.stop().await;
}

#[tokio::test]
async fn a_multi_job_ends_in_all_its_parts() {
    let server = TestServer::start().await;
    let mut first = Worker::connect(&server, "c1").await;
    let mut second = Worker::connect(&server, "c2").await;
    Worker::connect(&server, "c3").await.agent.vanish();
    eventually("disconnect", || !server.is_connected("c3")).await;
    let order = on(&["c1", "c3", "c2"], queued("x"), ONE_AFTER_ANOTHER);
    let id = server.jobs().run_multi(&admin(), order).await.expect("ordered");
    let one = first.start().await;
    let other = member_with("somebody", &Permission::ALL);
    assert_eq!(
        refusal(server.jobs().cancel_multi(&other, &id).await).0,
        Kind::Forbidden
    );
    let actor = admin();
    let (counts, _) = tokio::join!(
        server.jobs().cancel_multi(&actor, &id),
        first.aborted(AbortState::Aborting)
    );
    let counts = counts.expect("ended");
    assert_eq!((counts.waiting, counts.running, counts.failed), (0, 1, 2));
    assert_eq!(
        first.report(worker::ended(one, JobStatus::Failed, "")).await,
        Ok(())
    );
    assert_eq!(
        server.over(&id).await,
        [
            "c1 failed cancelled by admin",
            "c2 failed cancelled by admin",
            "c3 failed cancelled by admin"
        ]
    );
    let mut third = Worker::connect(&server, "c3").await;
    assert!(second.is_idle().await && third.is_idle().await);
    // A second time changes nothing.
    let counts = server.jobs().cancel_multi(&admin(), &id).await.expect("over");
    assert_eq!(counts.failed, 3);
    drop((first, second, third));
    server.stop().await;
}
