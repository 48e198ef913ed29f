//! What happens by itself.

use rport_protocol::to_client::AbortState;

use super::*;

/// Far beyond the time-out of a minute and the grace of another.
const LONG: Duration = Duration::from_secs(150);

async fn running(server: &TestServer, worker: &mut Worker) -> (JobId, rport_protocol::Job) {
    tokio::join!(
        async {
            server
                .jobs()
                .run(&admin(), &"c1".into(), command("x"))
                .await
                .expect("started")
        },
        worker.start()
    )
}

#[tokio::test]
async fn overdue_jobs_are_asked_after() {
    let server = TestServer::start().await;
    let mut worker = Worker::connect(&server, "c1").await;
    let (id, _) = running(&server, &mut worker).await;
    server.clock.advance(Duration::from_secs(119));
    assert!(worker.is_idle().await);
    server.clock.advance(Duration::from_secs(1));
    assert_eq!(worker.aborted(AbortState::Unknown).await, id.as_str());
    let job = server.job_in("c1", &id, JobStatus::Unknown).await;
    assert_eq!(job.error, "the client does not know the job");

    // One that says it is about to come is believed for a while.
    let (id, _) = running(&server, &mut worker).await;
    for _ in 0..3 {
        server.clock.advance(LONG);
        worker.aborted(AbortState::Finished).await;
    }
    let job = server.job_in("c1", &id, JobStatus::Unknown).await;
    assert_eq!(job.error, "the client has ended it, and its result does not come");
    drop(worker);
    server.stop().await;
}

#[tokio::test]
async fn go_agents_cannot_be_asked() {
    let server = TestServer::start().await;
    let mut worker = Worker::connect_go(&server, "c1").await;
    let (id, job) = running(&server, &mut worker).await;
    server.clock.advance(LONG);
    let lost = server.job_in("c1", &id, JobStatus::Unknown).await;
    assert!(
        lost.error.contains("no result within 60 seconds"),
        "{}",
        lost.error
    );
    worker.notify(worker::ended(job, JobStatus::Successful, "")).await;
    server.job_in("c1", &id, JobStatus::Successful).await;
    drop(worker);
    server.stop().await;
}

#[tokio::test]
async fn an_order_does_not_hang_on_a_client_that_is_gone() {
    let server = TestServer::start().await;
    let mut first = Worker::connect(&server, "c1").await;
    let mut second = Worker::connect(&server, "c2").await;
    let order = on(&["c1", "c2"], command("x"), ONE_AFTER_ANOTHER);
    let id = server.jobs().run_multi(&admin(), order).await.expect("ordered");
    let job = first.start().await;
    server.started("c1", &job.jid).await;
    first.agent.vanish();
    eventually("disconnect", || !server.is_connected("c1")).await;
    assert!(second.is_idle().await);
    server.clock.advance(LONG);
    second.run(JobStatus::Successful, "").await;
    let view = server.jobs().get_multi(&admin(), &id).await.expect("there");
    assert_eq!(
        (view.counts.running, view.counts.successful),
        (1, 1),
        "the first may come back"
    );
    server
        .server
        .clients()
        .delete(&admin(), &"c1".into())
        .await
        .expect("deleted");
    server.clock.advance(LONG);
    let over = server.over(&id).await;
    assert_eq!(
        over,
        [
            "c1 unknown the client was deleted before its result came",
            "c2 successful"
        ]
    );
    drop(second);
    server.stop().await;
}

#[tokio::test]
async fn only_so_many_jobs_are_kept() {
    let mut options = options();
    options.jobs.max_results = 2;
    options.jobs.retention = Duration::from_millis(20);
    let server = TestServer::start_with(options).await;
    let mut worker = Worker::connect(&server, "c1").await;
    let (open, _) = running(&server, &mut worker).await;
    for minute in 1..5 {
        let (_, job) = running(&server, &mut worker).await;
        let mut result = worker::ended(job, JobStatus::Successful, "");
        let at = start_time() + Duration::from_secs(60 * minute);
        result.started_at = at.into();
        assert_eq!(worker.report(result).await, Ok(()));
    }
    let query = ListQuery::parse::<&str, &str>(&[], &rport_domain::JOB_LIST).expect("valid");
    let cleaned = async {
        while server
            .jobs()
            .list(&admin(), &"c1".into(), &query)
            .await
            .expect("listed")
            .total
            > 3
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    soon("old ones are deleted", cleaned).await;
    assert_eq!(
        server.job("c1", &open).await.status,
        JobStatus::Running,
        "never one that runs"
    );
    drop(worker);
    server.stop().await;
}
