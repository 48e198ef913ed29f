//! Jobs that wait for their clients.

use super::*;
use crate::Expiry;

#[tokio::test]
async fn a_job_waits_for_its_client() {
    let server = TestServer::start().await;
    Worker::connect(&server, "c1").await.agent.vanish();
    eventually("disconnect", || !server.is_connected("c1")).await;
    let first = server
        .jobs()
        .run(&admin(), &"c1".into(), queued("first"))
        .await
        .expect("queued");
    let second = server
        .jobs()
        .run(&admin(), &"c1".into(), queued("second"))
        .await
        .expect("queued");
    assert_eq!(server.job("c1", &first).await.status, JobStatus::Waiting);

    let mut worker = Worker::connect(&server, "c1").await;
    let mut commands = [worker.start().await, worker.start().await].map(|job| job.command);
    commands.sort();
    assert_eq!(commands, ["first", "second"]);
    server.job_in("c1", &first, JobStatus::Running).await;
    server.job_in("c1", &second, JobStatus::Running).await;

    // A link that comes and goes starts nothing twice.
    worker.agent.vanish();
    eventually("disconnect", || !server.is_connected("c1")).await;
    let mut worker = Worker::connect(&server, "c1").await;
    assert!(worker.is_idle().await);
    drop(worker);
    server.stop().await;
}

#[tokio::test]
async fn a_job_waits_no_longer_than_it_should() {
    let server = TestServer::start().await;
    Worker::connect(&server, "c1").await.agent.vanish();
    eventually("disconnect", || !server.is_connected("c1")).await;
    let new = NewJob {
        expires: Some(Expiry::After(Duration::from_secs(600))),
        ..queued("late")
    };
    let id = server
        .jobs()
        .run(&admin(), &"c1".into(), new)
        .await
        .expect("queued");
    server.clock.advance(Duration::from_secs(599));
    assert_eq!(server.job("c1", &id).await.status, JobStatus::Waiting);
    server.clock.advance(Duration::from_secs(1));
    let job = server.job_in("c1", &id, JobStatus::Failed).await;
    assert_eq!(job.error, "not started before 2024-05-01T10:10:00Z");
    let mut worker = Worker::connect(&server, "c1").await;
    assert!(worker.is_idle().await);
    drop(worker);
    server.stop().await;
}

#[tokio::test]
async fn a_client_gets_no_more_than_it_can_take_at_a_time() {
    let server = TestServer::start().await;
    Worker::connect(&server, "c1").await.agent.vanish();
    eventually("disconnect", || !server.is_connected("c1")).await;
    for _ in 0..30 {
        server
            .jobs()
            .run(&admin(), &"c1".into(), queued("x"))
            .await
            .expect("queued");
    }
    let mut worker = Worker::connect(&server, "c1").await;
    let mut running = Vec::new();
    for _ in 0..24 {
        running.push(worker.start().await);
    }
    assert!(worker.is_idle().await);
    for job in running {
        assert_eq!(
            worker.report(worker::ended(job, JobStatus::Successful, "")).await,
            Ok(())
        );
    }
    for _ in 0..6 {
        worker.run(JobStatus::Successful, "").await;
    }
    drop(worker);
    server.stop().await;
}

#[tokio::test]
async fn our_agents_are_asked_again_when_the_link_is_lost_during_the_start() {
    let server = TestServer::start().await;
    let mut worker = Worker::connect(&server, "c1").await;
    let (id, first) = tokio::join!(
        async {
            server
                .jobs()
                .run(&admin(), &"c1".into(), command("id"))
                .await
                .expect("goes on")
        },
        async {
            let asked = worker.asked().await;
            let job = asked.job.clone();
            worker.lose(asked).await;
            job
        }
    );
    eventually("disconnect", || !server.is_connected("c1")).await;
    let mut worker = Worker::connect(&server, "c1").await;
    let again = worker.start().await;
    assert_eq!(first, again, "the same order, under the same id");
    let running = server.job_in("c1", &id, JobStatus::Running).await;
    assert_eq!(running.error, "");
    assert_eq!(
        worker
            .report(worker::ended(again, JobStatus::Successful, ""))
            .await,
        Ok(())
    );
    server.job_in("c1", &id, JobStatus::Successful).await;
    drop(worker);
    server.stop().await;
}

#[tokio::test]
async fn our_agents_are_not_asked_again_when_it_is_too_late() {
    let server = TestServer::start().await;
    let mut worker = Worker::connect(&server, "c1").await;
    let (id, ()) = tokio::join!(
        async {
            server
                .jobs()
                .run(&admin(), &"c1".into(), command("id"))
                .await
                .expect("goes on")
        },
        async {
            let asked = worker.asked().await;
            worker.lose(asked).await;
        }
    );
    eventually("disconnect", || !server.is_connected("c1")).await;
    server.clock.advance(Duration::from_secs(61));
    let job = server.job_in("c1", &id, JobStatus::Unknown).await;
    assert!(job.error.contains("it may have run"), "{}", job.error);
    // It has: what becomes known later counts.
    let mut worker = Worker::connect(&server, "c1").await;
    assert!(worker.is_idle().await);
    let wire = rport_protocol::Job {
        jid: id.to_string(),
        ..Default::default()
    };
    assert_eq!(
        worker.report(worker::ended(wire, JobStatus::Failed, "x")).await,
        Ok(())
    );
    let job = server.job("c1", &id).await;
    assert_eq!((job.status, job.error.as_str()), (JobStatus::Failed, ""));
    drop(worker);
    server.stop().await;
}

#[tokio::test]
async fn go_agents_are_never_asked_twice() {
    let server = TestServer::start().await;
    let mut worker = Worker::connect_go(&server, "c1").await;
    let (id, job) = tokio::join!(
        async {
            server
                .jobs()
                .run(&admin(), &"c1".into(), queued("id"))
                .await
                .expect("kept")
        },
        async {
            let asked = worker.asked().await;
            let job = asked.job.clone();
            worker.lose(asked).await;
            job
        }
    );
    let lost = server.job_in("c1", &id, JobStatus::Unknown).await;
    assert!(lost.error.contains("it may have run"), "{}", lost.error);
    eventually("disconnect", || !server.is_connected("c1")).await;
    let mut worker = Worker::connect_go(&server, "c1").await;
    assert!(worker.is_idle().await);
    // Without wanting an answer.
    worker
        .notify(worker::ended(job, JobStatus::Successful, "it ran"))
        .await;
    let job = server.job_in("c1", &id, JobStatus::Successful).await;
    assert_eq!(
        (job.error.as_str(), job.result.expect("kept").stdout.as_str()),
        ("", "it ran")
    );
    drop(worker);
    server.stop().await;
}
