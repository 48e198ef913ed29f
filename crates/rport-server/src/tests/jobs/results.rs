//! What agents report, and what they only pretend.

use rport_protocol::channel::KIND_CMD_RESULT;
use rport_protocol::to_server::CmdResult;
use rport_protocol::{Job as WireJob, Request, ResultVerdict};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

/// A server, a worker, and a job that runs on it.
async fn running() -> (TestServer, Worker, JobId, WireJob) {
    let server = TestServer::start().await;
    let mut worker = Worker::connect(&server, "c1").await;
    let (id, job) = tokio::join!(
        async {
            server
                .jobs()
                .run(&admin(), &"c1".into(), command("x"))
                .await
                .expect("started")
        },
        worker.start()
    );
    (server, worker, id, job)
}

#[tokio::test]
async fn results_of_other_clients_jobs_change_nothing() {
    let (server, worker, id, job) = running().await;
    let stranger = Worker::connect(&server, "c2").await;
    let forged = worker::ended(job.clone(), JobStatus::Successful, "forged");
    let words = stranger.report(forged.clone()).await.expect_err("refused");
    assert_eq!(words, "this client was not asked to run such a job");
    let verdict = stranger
        .report_large(id.as_str(), &CmdResult(forged.clone()).encode())
        .await;
    assert_eq!(verdict, ResultVerdict::Refused(words.clone()));
    let invented = WireJob {
        jid: "none".to_owned(),
        ..forged
    };
    assert_eq!(worker.report(invented).await, Err(words));
    let untouched = server.job("c1", &id).await;
    assert_eq!((untouched.status, untouched.result), (JobStatus::Running, None));
    // Its own counts, and what it says about whose it is does not.
    let mut own = worker::ended(job, JobStatus::Successful, "own");
    own.client_id = "c2".to_owned();
    own.command = "something else".to_owned();
    own.created_by = "nobody".to_owned();
    assert_eq!(worker.report(own).await, Ok(()));
    let done = server.job("c1", &id).await;
    assert_eq!(done.result.expect("kept").stdout, "own");
    assert_eq!(
        (done.order.command.as_str(), done.created_by.as_str()),
        ("x", "admin")
    );
    drop((worker, stranger));
    server.stop().await;
}

#[tokio::test]
async fn a_result_counts_once() {
    let (server, worker, id, job) = running().await;
    let first = worker::ended(job.clone(), JobStatus::Successful, "first");
    assert_eq!(worker.report(first).await, Ok(()));
    let second = worker::ended(job, JobStatus::Failed, "second");
    assert_eq!(
        worker.report(second).await,
        Ok(()),
        "acknowledged, so that it does not come again"
    );
    let done = server.job("c1", &id).await;
    assert_eq!(done.status, JobStatus::Successful);
    assert_eq!(done.result.expect("kept").stdout, "first");
    drop(worker);
    server.stop().await;
}

#[tokio::test]
async fn what_is_no_result_is_refused_for_good() {
    let (server, worker, id, job) = running().await;
    let refused = worker
        .report_bytes(b"{\"jid\":7}".to_vec())
        .await
        .expect_err("refused");
    assert!(refused.starts_with("the result cannot be read: "), "{refused}");
    let odd = WireJob {
        status: "wonderful".to_owned(),
        ..job.clone()
    };
    assert_eq!(
        worker.report(odd).await,
        Err("\"wonderful\" is not how a job ends".to_owned())
    );
    for jid in [String::new(), "x".repeat(65), "a\nb".to_owned()] {
        let strange = WireJob {
            jid,
            ..worker::ended(job.clone(), JobStatus::Successful, "")
        };
        let words = worker.report(strange).await.expect_err("refused");
        assert_eq!(words, "the id of the job is none of ours");
    }
    assert_eq!(server.job("c1", &id).await.status, JobStatus::Running);
    // Through a channel it is known which job it would have been for. Nothing waits for it any more.
    let verdict = worker.report_large(id.as_str(), b"nonsense").await;
    assert!(matches!(verdict, ResultVerdict::Refused(_)), "{verdict:?}");
    let job = server.job("c1", &id).await;
    assert_eq!(job.status, JobStatus::Unknown);
    assert!(job.error.starts_with("its result was refused: "), "{}", job.error);
    drop(worker);
    server.stop().await;
}

#[tokio::test]
async fn large_results_come_through_a_channel() {
    let (server, worker, id, job) = running().await;
    let text = "0123456789\n".repeat(200_000);
    let result = CmdResult(worker::ended(job, JobStatus::Successful, &text)).encode();
    assert_eq!(
        worker.report_large(id.as_str(), &result).await,
        ResultVerdict::Stored
    );
    let done = server.job("c1", &id).await;
    assert_eq!(done.result.expect("kept").stdout, text);
    assert_eq!(
        worker.report_large(id.as_str(), &result).await,
        ResultVerdict::Stored,
        "again"
    );
    drop(worker);
    server.stop().await;
}

#[tokio::test]
async fn a_result_that_never_ends_is_refused() {
    let (server, worker, id, _) = running().await;
    let endless = vec![b' '; (50 << 20) + 100];
    let verdict = worker.report_large(id.as_str(), &endless).await;
    assert_eq!(
        verdict,
        ResultVerdict::Refused("the result is larger than 52428800 bytes".to_owned())
    );
    let job = server.job("c1", &id).await;
    assert_eq!(job.status, JobStatus::Unknown);
    assert!(job.error.contains("larger than"), "{}", job.error);
    drop(worker);
    server.stop().await;
}

#[tokio::test]
async fn a_client_sends_one_large_result_at_a_time_and_the_newest_counts() {
    let (server, worker, id, job) = running().await;
    let mut halves = Vec::new();
    for _ in 0..3 {
        let mut channel = worker
            .open(KIND_CMD_RESULT, id.as_str().as_bytes())
            .await
            .expect("taken");
        channel.write_all(b"{\"jid\":").await.expect("written");
        halves.push(channel);
    }
    let result = CmdResult(worker::ended(job, JobStatus::Successful, "whole")).encode();
    assert_eq!(
        worker.report_large(id.as_str(), &result).await,
        ResultVerdict::Stored
    );
    for mut channel in halves {
        let mut answer = Vec::new();
        let ended = soon("the older ones are over", channel.read_to_end(&mut answer)).await;
        assert!(ended.is_ok() && answer.is_empty(), "{answer:?}");
    }
    assert_eq!(server.job("c1", &id).await.status, JobStatus::Successful);
    drop(worker);
    server.stop().await;
}

#[tokio::test]
async fn a_result_may_overtake_the_answer_to_the_order() {
    let server = TestServer::start().await;
    let mut worker = Worker::connect(&server, "c1").await;
    let (client, actor) = (ClientId::new("c1"), admin());
    let (id, ()) = tokio::join!(
        async {
            server
                .jobs()
                .run(&actor, &client, command("x"))
                .await
                .expect("started")
        },
        async {
            let asked = worker.asked().await;
            let result = worker::ended(asked.job.clone(), JobStatus::Successful, "quick");
            assert_eq!(worker.report(result).await, Ok(()));
            asked.accept();
        }
    );
    let done = server.job("c1", &id).await;
    assert_eq!((done.status, done.pid), (JobStatus::Successful, Some(4711)));
    drop(worker);
    server.stop().await;
}
