//! Results get home, whatever happens on the way.

use super::rig::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_breaks_during_the_job_costs_nothing() {
    let rig = Rig::new(ALLOW_ALL);
    let server = rig.connect(Answer::Stored).await;
    let mut job = script("cut", "echo before; sleep 0.5; echo after");
    job.stream_result = true;
    server.run(&job).await.unwrap();
    server.cut().await;
    rig.until_files(&["cut.result"]).await;
    let mut server = rig.connect(Answer::Stored).await;
    let result = server.result().await;
    assert_eq!(
        (result.status.as_str(), stdout(&result)),
        ("successful", "before\nafter\n")
    );
    rig.until_files(&["cut.done"]).await;
    assert!(server.results.try_recv().is_err(), "delivered once");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_is_kept_until_it_is_acknowledged() {
    let rig = Rig::new(ALLOW_ALL);
    for answer in [Answer::Nothing, Answer::Later] {
        let mut server = rig.connect(answer).await;
        if answer == Answer::Nothing {
            server.run(&script("kept", "echo kept")).await.unwrap();
        }
        assert_eq!(stdout(&server.result().await), "kept\n");
        server.cut().await;
        assert_eq!(rig.files(), ["kept.result"]);
    }
    // Another agent, the same directory.
    let rig = Rig::at(rig.stop().await, ALLOW_ALL);
    let mut server = rig.connect(Answer::Refused).await;
    assert_eq!(stdout(&server.result().await), "kept\n");
    rig.until_files(&["kept.done"]).await;
    server.cut().await;
    let mut server = rig.connect(Answer::Stored).await;
    server.run(&script("next", "echo next")).await.unwrap();
    assert_eq!(
        server.result().await.jid,
        "next",
        "what is refused is not offered again"
    );
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_end_with_the_agent_and_their_results_are_delivered_by_the_next() {
    let rig = Rig::new(ALLOW_ALL);
    let server = rig.connect(Answer::Stored).await;
    server
        .run(&script("stopped", "echo begun; sleep 300 & echo $!; wait"))
        .await
        .unwrap();
    server.cut().await;
    let rig = Rig::at(rig.stop().await, ALLOW_ALL);
    assert_eq!(rig.files(), ["stopped.result"]);
    let mut server = rig.connect(Answer::Stored).await;
    let result = server.result().await;
    assert_eq!(result.status, "failed");
    assert_eq!(result.error, "signal: terminated, the agent was stopped");
    if let Some(pid) = stdout(&result).lines().nth(1) {
        assert!(!is_alive(pid));
    }
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_agents_do_not_share_a_directory() {
    let rig = Rig::new(ALLOW_ALL);
    let server = rig.connect(Answer::Stored).await;
    server.run(&script("first", "echo")).await.unwrap();
    // A second agent with the same directory may not touch it.
    let text = format!(
        "[client]\nserver = 'unused'\ndata_dir = '{}'\n{ALLOW_ALL}",
        rig.dir.path().display()
    );
    let config = std::sync::Arc::new(crate::config::from_toml(&text).unwrap());
    let tasks = rport_runtime::Tasks::new();
    let second = crate::exec::Jobs::start(config, rport_runtime::Clock::system(), &tasks);
    let order = rport_protocol::json::encode(&script("second", "echo"));
    let refused = second.run(&order, &server.link).await.unwrap_err();
    assert!(refused.starts_with("another agent uses "), "{refused}");
    tasks.shutdown(DEADLINE).await;
    rig.stop().await;
}
