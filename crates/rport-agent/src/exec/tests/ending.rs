//! How jobs end, and what they leave running.

use std::time::Instant;

use rport_protocol::to_client::AbortState;

use super::rig::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn codes_and_signals() {
    let rig = Rig::new(ALLOW_ALL);
    let mut server = rig.connect(Answer::Stored).await;
    for (id, text, error) in [
        ("e1", "exit 3", "exit status 3"),
        ("e2", "kill -9 $$", "signal: killed"),
        ("e3", "kill -15 $$", "signal: terminated"),
    ] {
        let result = server.outcome(&script(id, text)).await;
        assert_eq!((result.status.as_str(), result.error.as_str()), ("failed", error));
    }
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_timeout_ends_the_whole_family() {
    let rig = Rig::new(ALLOW_ALL);
    let mut server = rig.connect(Answer::Stored).await;
    // One child in the group, one in a session of its own, one of those without a parent.
    let mut job = script(
        "family",
        "sleep 300 & echo $!\nsetsid sh -c 'echo $$; exec sleep 300' &\n(setsid sh -c 'echo $$; exec sleep 300' &)\n\
         sleep 300",
    );
    job.timeout_sec = 1;
    let started = Instant::now();
    let result = server.outcome(&job).await;
    assert_eq!(result.status, "unknown");
    assert_eq!(result.error, "signal: terminated, timeout of 1 seconds reached");
    assert!(started.elapsed().as_secs() < 5, "nobody resisted");
    let pids: Vec<&str> = stdout(&result).lines().collect();
    assert_eq!(pids.len(), 3);
    for pid in pids {
        assert!(!is_alive(pid), "process {pid} lives on");
    }
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_ignores_the_request_to_end_is_killed() {
    let rig = Rig::new(ALLOW_ALL);
    let mut server = rig.connect(Answer::Stored).await;
    let mut job = script(
        "deaf",
        "trap 'echo no' TERM; echo $$; while :; do sleep 0.1; done",
    );
    job.timeout_sec = 1;
    let result = server.outcome(&job).await;
    assert_eq!(result.error, "signal: killed, timeout of 1 seconds reached");
    let mut lines = stdout(&result).lines();
    assert!(!is_alive(lines.next().unwrap()));
    assert_eq!(lines.next(), Some("no"), "last words are heard");
    assert_eq!(lines.next(), None, "asked once");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_that_holds_the_pipes_does_not_hold_the_job() {
    let rig = Rig::new(ALLOW_ALL);
    let mut server = rig.connect(Answer::Stored).await;
    let started = Instant::now();
    let result = server
        .outcome(&script("daemon", "setsid sleep 300 & echo $!"))
        .await;
    assert_eq!(
        (result.status.as_str(), result.error.as_str()),
        ("successful", "")
    );
    assert!(started.elapsed().as_secs() < 10);
    let pid = stdout(&result).trim().to_owned();
    assert!(
        is_alive(&pid),
        "what was left in the background on purpose is left alone"
    );
    let kill = server.outcome(&script("kill", &format!("kill {pid}"))).await;
    assert_eq!(kill.status, "successful");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_aborted() {
    let rig = Rig::new(ALLOW_ALL);
    let mut server = rig.connect(Answer::Stored).await;
    assert_eq!(server.abort("long").await, AbortState::Unknown);
    server.run(&script("long", "sleep 300")).await.unwrap();
    assert_eq!(server.abort("long").await, AbortState::Aborting);
    let result = server.result().await;
    assert_eq!(result.status, "failed");
    assert_eq!(result.error, "signal: terminated, aborted by the server");
    assert_eq!(server.abort("long").await, AbortState::Finished);
    rig.stop().await;
}
