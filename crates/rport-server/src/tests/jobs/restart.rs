//! The server ends, in order or not, and starts again.

use super::*;

/// What a server that is killed now would leave behind.
async fn kill(server: TestServer) -> tempfile::TempDir {
    let killed = tempfile::tempdir().expect("a directory");
    let directory = server.directory.as_ref().expect("present").path().to_owned();
    for entry in std::fs::read_dir(directory).expect("readable") {
        let entry = entry.expect("readable");
        if entry.file_type().expect("known").is_file() {
            std::fs::copy(entry.path(), killed.path().join(entry.file_name())).expect("copies");
        }
    }
    server.stop().await;
    killed
}

#[tokio::test]
async fn waiting_jobs_wait_on() {
    let server = TestServer::start().await;
    Worker::connect(&server, "c1").await.agent.vanish();
    eventually("disconnect", || !server.is_connected("c1")).await;
    let id = server
        .jobs()
        .run(&admin(), &"c1".into(), queued("x"))
        .await
        .expect("queued");
    let server = TestServer::start_in(kill(server).await, options()).await;
    assert_eq!(server.job("c1", &id).await.status, JobStatus::Waiting);
    let mut worker = Worker::connect(&server, "c1").await;
    worker.run(JobStatus::Successful, "late").await;
    let job = server.job_in("c1", &id, JobStatus::Successful).await;
    assert_eq!(job.result.expect("kept").stdout, "late");
    drop(worker);
    server.stop().await;
}

#[tokio::test]
async fn a_start_that_was_cut_off_is_repeated_on_our_agents_only() {
    for (go, expected) in [(false, JobStatus::Running), (true, JobStatus::Unknown)] {
        let server = TestServer::start().await;
        let mut worker = if go {
            Worker::connect_go(&server, "c1").await
        } else {
            Worker::connect(&server, "c1").await
        };
        let order = on(&["c1"], command("x"), ALL_AT_ONCE);
        server.jobs().run_multi(&admin(), order).await.expect("ordered");
        let asked = worker.asked().await;
        let id = JobId::new(asked.job.jid.as_str());
        let directory = kill(server).await;
        drop(asked.keep_silent());
        let server = TestServer::start_in(directory, options()).await;
        // A fleet needs a moment to come back.
        server.clock.advance(Duration::from_secs(90));
        let mut worker = if go {
            Worker::connect_go(&server, "c1").await
        } else {
            Worker::connect(&server, "c1").await
        };
        if go {
            server.job_in("c1", &id, expected).await;
            assert!(worker.is_idle().await);
        } else {
            assert_eq!(worker.start().await.jid, id.as_str());
            server.job_in("c1", &id, expected).await;
        }
        drop(worker);
        server.stop().await;
    }
}

#[tokio::test]
async fn results_of_an_earlier_run_are_kept_and_an_order_goes_on_behind_them() {
    let server = TestServer::start().await;
    let mut first = Worker::connect(&server, "c1").await;
    let second = Worker::connect(&server, "c2").await;
    let third = Worker::connect(&server, "c3").await;
    let order = on(&["c1", "c2", "c3"], command("x"), ONE_AFTER_ANOTHER);
    let id = server.jobs().run_multi(&admin(), order).await.expect("ordered");
    let one = first.start().await;
    server.started("c1", &one.jid).await;
    let directory = kill(server).await;
    drop((first, second, third));

    let server = TestServer::start_in(directory, options()).await;
    let mut second = Worker::connect(&server, "c2").await;
    assert!(second.is_idle().await, "the first may still run");
    let first = Worker::connect(&server, "c1").await;
    assert_eq!(
        first.report(worker::ended(one, JobStatus::Successful, "x")).await,
        Ok(())
    );
    second.run(JobStatus::Successful, "").await;
    // Clients need a moment to come back, so their turn waits for them.
    let mut third = Worker::connect(&server, "c3").await;
    third.run(JobStatus::Successful, "").await;
    assert_eq!(
        server.over(&id).await,
        ["c1 successful", "c2 successful", "c3 successful"]
    );
    drop((first, second, third));
    server.stop().await;
}

#[tokio::test]
async fn who_does_not_come_back_after_a_restart_is_not_waited_for() {
    let server = TestServer::start().await;
    let mut first = Worker::connect(&server, "c1").await;
    let second = Worker::connect(&server, "c2").await;
    let order = on(&["c1", "c2"], command("x"), ONE_AFTER_ANOTHER);
    let id = server.jobs().run_multi(&admin(), order).await.expect("ordered");
    let one = first.start().await;
    server.started("c1", &one.jid).await;
    let directory = kill(server).await;
    drop((first, second));
    let server = TestServer::start_in(directory, options()).await;
    let first = Worker::connect(&server, "c1").await;
    assert_eq!(
        first.report(worker::ended(one, JobStatus::Successful, "x")).await,
        Ok(())
    );
    server.clock.advance(Duration::from_secs(61));
    let over = server.over(&id).await;
    assert_eq!(
        over,
        ["c1 successful", "c2 failed client with id c2 is not connected"]
    );
    drop(first);
    server.stop().await;
}
