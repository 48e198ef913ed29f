//! Output while jobs run.

use rport_protocol::channel::{KIND_STDERR, KIND_STDOUT};
use rport_protocol::to_client::RunCmd;
use rport_protocol::{Job as WireJob, Request};
use tokio::io::AsyncWriteExt;

use super::*;
use crate::{JobNews, JobWatch, OutputStream};

fn extra(job: &WireJob) -> Vec<u8> {
    RunCmd(job.clone()).encode()
}

async fn next(watch: &mut JobWatch) -> Option<String> {
    soon("news", watch.next(&admin())).await.map(|news| match news {
        JobNews::Chunk {
            client, stream, text, ..
        } => {
            let stream = if stream == OutputStream::Stdout {
                "out"
            } else {
                "err"
            };
            format!("{client} {stream} {text}")
        }
        JobNews::Skipped { client, bytes, .. } => format!("{client} skipped {bytes}"),
        JobNews::Finished(job) => format!("{} {}", job.client_id, job.status),
    })
}

#[tokio::test]
async fn output_is_told_as_it_comes_and_before_the_end() {
    let server = TestServer::start().await;
    let mut worker = Worker::connect(&server, "c1").await;
    Worker::connect(&server, "c2").await.agent.vanish();
    eventually("disconnect", || !server.is_connected("c2")).await;
    let order = on(&["c1", "c2"], command("x"), ALL_AT_ONCE);
    let (id, mut watch) = server.jobs().run_watched(&admin(), order).await.expect("ordered");
    assert_eq!(next(&mut watch).await.as_deref(), Some("c2 failed"));
    let asked = worker.asked().await;
    assert!(asked.job.stream_result);
    // Agents open their channels before they answer.
    let extra = extra(&asked.job);
    let mut stdout = worker.open(KIND_STDOUT, &extra).await.expect("taken");
    let mut stderr = worker.open(KIND_STDERR, &extra).await.expect("taken");
    assert!(worker.open(KIND_STDOUT, &extra).await.is_err(), "one of each");
    let job = asked.accept();
    stdout.write_all(b"gr\xc3").await.expect("written");
    assert_eq!(next(&mut watch).await.as_deref(), Some("c1 out gr"));
    stdout.write_all(b"\xbcn").await.expect("written");
    assert_eq!(next(&mut watch).await.as_deref(), Some("c1 out ün"));
    stderr.write_all(b"oh").await.expect("written");
    assert_eq!(next(&mut watch).await.as_deref(), Some("c1 err oh"));
    let mut late = server.jobs().watch(&admin(), &id).await.expect("allowed");
    for earlier in ["c1 out gr", "c1 out ün", "c1 err oh", "c2 failed"] {
        assert_eq!(
            next(&mut late).await.as_deref(),
            Some(earlier),
            "what was before comes first"
        );
    }
    stdout.write_all(&vec![b'x'; 5000]).await.expect("written");
    assert_eq!(
        worker.report(worker::ended(job, JobStatus::Successful, "")).await,
        Ok(())
    );
    for watch in [&mut watch, &mut late] {
        let mut length = 0;
        let end = loop {
            let news = next(watch).await.expect("not over");
            match news.strip_prefix("c1 out ") {
                Some(text) => {
                    assert!(text.len() <= 4096);
                    length += text.len();
                }
                None => break news,
            }
        };
        assert_eq!((length, end.as_str()), (5000, "c1 successful"));
        assert_eq!(next(watch).await, None);
    }
    drop((stdout, stderr, worker));
    server.stop().await;
}

#[tokio::test]
async fn a_slow_watcher_slows_nobody_and_is_told_what_it_missed() {
    let server = TestServer::start().await;
    let mut worker = Worker::connect(&server, "c1").await;
    let order = on(&["c1"], command("x"), ALL_AT_ONCE);
    let (_, mut watch) = server.jobs().run_watched(&admin(), order).await.expect("ordered");
    let asked = worker.asked().await;
    let mut stdout = worker.open(KIND_STDOUT, &extra(&asked.job)).await.expect("taken");
    let job = asked.accept();
    let total = 8 << 20;
    let writing = async {
        stdout.write_all(&vec![b'x'; total]).await.expect("written");
        worker
            .report(worker::ended(job, JobStatus::Successful, ""))
            .await
            .expect("stored");
    };
    soon("nobody waits for the watcher", writing).await;
    let (mut heard, mut skipped) = (0, 0);
    loop {
        match soon("news", watch.next(&admin())).await {
            Some(JobNews::Chunk { text, .. }) => heard += text.len(),
            Some(JobNews::Skipped { bytes, .. }) => skipped += usize::try_from(bytes).expect("small"),
            Some(JobNews::Finished(_)) => {}
            None => break,
        }
    }
    assert_eq!(heard + skipped, total);
    assert!(
        heard <= 1 << 20 && skipped > 0,
        "{heard} heard, {skipped} skipped"
    );
    drop((stdout, worker));
    server.stop().await;
}

#[tokio::test]
async fn output_of_jobs_that_are_not_theirs_is_refused() {
    let server = TestServer::start().await;
    let mut worker = Worker::connect(&server, "c1").await;
    let stranger = Worker::connect(&server, "c2").await;
    let order = on(&["c1"], command("x"), ALL_AT_ONCE);
    let (_, watch) = server.jobs().run_watched(&admin(), order).await.expect("ordered");
    let job = worker.start().await;
    assert!(stranger.open(KIND_STDOUT, &extra(&job)).await.is_err());
    assert!(worker.open(KIND_STDOUT, b"nonsense").await.is_err());
    assert!(worker.open("session", b"").await.is_err());
    assert_eq!(
        worker
            .report(worker::ended(job.clone(), JobStatus::Successful, ""))
            .await,
        Ok(())
    );
    assert!(
        worker.open(KIND_STDOUT, &extra(&job)).await.is_err(),
        "it has ended"
    );
    // Without a wish for it there is no live output.
    let (_, job) = tokio::join!(
        async {
            server
                .jobs()
                .run(&admin(), &"c1".into(), command("x"))
                .await
                .expect("started")
        },
        worker.start()
    );
    assert!(worker.open(KIND_STDOUT, &extra(&job)).await.is_err());
    drop((watch, worker, stranger));
    server.stop().await;
}

#[tokio::test]
async fn watching_takes_what_seeing_takes() {
    let server = TestServer::start().await;
    let mut worker = Worker::connect(&server, "c1").await;
    let (single, ()) = tokio::join!(
        async {
            server
                .jobs()
                .run(&admin(), &"c1".into(), command("x"))
                .await
                .expect("started")
        },
        worker.run(JobStatus::Successful, "")
    );
    let order = on(&["c1"], command("x"), ALL_AT_ONCE);
    let multi = server.jobs().run_multi(&admin(), order).await.expect("ordered");
    worker.run(JobStatus::Successful, "").await;
    let stranger = member_of(&["dev"]);
    for id in [&single, &multi] {
        assert_eq!(
            refusal(server.jobs().watch(&stranger, id).await).0,
            Kind::Forbidden
        );
        let mut watch = server.jobs().watch(&admin(), id).await.expect("allowed");
        assert_eq!(next(&mut watch).await.as_deref(), Some("c1 successful"));
        assert_eq!(next(&mut watch).await, None);
    }
    assert_eq!(
        refusal(server.jobs().watch(&admin(), &"none".into()).await).0,
        Kind::NotFound
    );
    drop(worker);
    server.stop().await;
}
