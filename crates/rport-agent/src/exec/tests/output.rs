//! What jobs print: much, long, binary, live.

use super::rig::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gigabyte_is_read_and_only_the_limit_is_kept() {
    let rig = Rig::new(
        "[remote-commands]\nallow = ['']\ndeny = []\nsend_back_limit = 1000\n[remote-scripts]\nenabled = true\n",
    );
    let mut server = rig.connect(Answer::Stored).await;
    let result = server
        .outcome(&script("gb", "yes | head -c 1073741824; echo end >&2"))
        .await;
    assert_eq!(result.status, "successful");
    assert_eq!(
        result.error,
        "overflow of stdOut buffer: maximum send_back_limit of 1000 bytes exceeded"
    );
    assert_eq!(stdout(&result), "y\n".repeat(500));
    assert_eq!(stderr(&result), "end\n");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_of_100_mb_is_nothing_special() {
    let rig = Rig::new(ALLOW_ALL);
    let mut server = rig.connect(Answer::Stored).await;
    let mut job = script(
        "line",
        "head -c 104857600 /dev/zero | tr '\\0' x; echo; echo end >&2",
    );
    job.stream_result = true;
    let result = server.outcome(&job).await;
    assert_eq!(
        result.error,
        "overflow of stdOut buffer: maximum send_back_limit of 4194304 bytes exceeded"
    );
    assert_eq!(stdout(&result).len(), 4_194_304);
    assert!(stdout(&result).bytes().all(|byte| byte == b'x'));
    let mut streams = [
        server.streams.recv().await.unwrap(),
        server.streams.recv().await.unwrap(),
    ];
    streams.sort();
    assert_eq!(streams[0], ("stderr of line".to_owned(), b"end\n".to_vec()));
    assert_eq!(
        (streams[1].0.as_str(), streams[1].1.len()),
        ("stdout of line", 4_194_304)
    );
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_are_no_text() {
    let rig = Rig::new(ALLOW_ALL);
    let mut server = rig.connect(Answer::Stored).await;
    let mut job = script("bin", "printf '\\377\\000a\\303\\251\\377'");
    job.stream_result = true;
    let result = server.outcome(&job).await;
    assert_eq!(stdout(&result), "\u{fffd}\0aé\u{fffd}");
    let mut streams = [
        server.streams.recv().await.unwrap(),
        server.streams.recv().await.unwrap(),
    ];
    streams.sort();
    assert_eq!(streams[1].1, b"\xff\0a\xc3\xa9\xff", "live output is not touched");
    let result = server
        .outcome(&script("noise", "head -c 1000000 /dev/urandom"))
        .await;
    assert_eq!(result.status, "successful");
    assert!(stdout(&result).chars().count() > 300_000);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn live_output_comes_while_the_job_runs_and_the_result_after_it() {
    let rig = Rig::new(ALLOW_ALL);
    let mut server = rig.connect(Answer::Stored).await;
    let gate = rig.dir.path().join("gate");
    let mut job = script(
        "live",
        &format!(
            "echo one; while ! test -e {}; do sleep 0.05; done; echo two",
            gate.display()
        ),
    );
    job.stream_result = true;
    server.run(&job).await.unwrap();
    assert!(server.results.try_recv().is_err());
    std::fs::write(&gate, "").unwrap();
    let result = server.result().await;
    assert_eq!(stdout(&result), "one\ntwo\n");
    // The channels end after the result.
    let mut streams = [
        server.streams.recv().await.unwrap(),
        server.streams.recv().await.unwrap(),
    ];
    streams.sort();
    assert_eq!(streams[1], ("stdout of live".to_owned(), b"one\ntwo\n".to_vec()));
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_summary_is_extracted() {
    let rig = Rig::new(ALLOW_ALL);
    let mut server = rig.connect(Answer::Stored).await;
    let result = server
        .outcome(&script("sum", "echo 'a<Summary>all'; echo 'well</summary>b'"))
        .await;
    assert_eq!(result.result.unwrap().summary, "all\nwell");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_the_output_early_is_not_the_end() {
    let rig = Rig::new(ALLOW_ALL);
    let mut server = rig.connect(Answer::Stored).await;
    let result = server
        .outcome(&script("early", "echo out; exec >&- 2>&-; sleep 0.5; exit 4"))
        .await;
    assert_eq!(
        (result.error.as_str(), stdout(&result)),
        ("exit status 4", "out\n")
    );
    assert_eq!(result.status, "failed");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewer_that_does_not_look_holds_nothing_up() {
    let rig = Rig::new(ALLOW_ALL);
    let mut server = rig.connect(Answer::StoredBlindly).await;
    let mark = rig.dir.path().join("mark");
    let mut job = script(
        "unseen",
        &format!(
            "head -c 20000000 /dev/zero | tr '\\0' x; echo done > {}",
            mark.display()
        ),
    );
    job.stream_result = true;
    server.run(&job).await.unwrap();
    // The script has printed everything long before anybody gave up waiting for the viewer.
    until("the script is over", || mark.exists()).await;
    assert!(server.results.try_recv().is_err());
    let mut small = script("small", "echo small");
    small.stream_result = true;
    server.run(&small).await.unwrap();
    assert_eq!(server.result().await.jid, "small");
    rig.until_files(&["small.done", "unseen.result"]).await;
    // A stop does not wait for viewers either.
    rig.stop().await;
}
