//! One order for many clients.

use rport_domain::{TagOperator, TagTargets};

use super::*;

#[tokio::test]
async fn targets_are_judged_in_the_words_of_the_go_server() {
    let server = TestServer::start().await;
    let workers = [
        Worker::connect(&server, "c1").await,
        Worker::connect(&server, "c2").await,
    ];
    let actor = admin();
    let run = async |change: &dyn Fn(&mut NewMultiJob)| {
        let mut new = on(&["c1"], command("id"), ONE_AFTER_ANOTHER);
        change(&mut new);
        refusal(server.jobs().run_multi(&actor, new).await)
    };
    let tags = |tags: &[&str]| {
        Some(TagTargets {
            tags: tags.iter().map(ToString::to_string).collect(),
            operator: TagOperator::And,
        })
    };
    for (change, expected) in [
        (
            &(|new: &mut NewMultiJob| new.job.order.command.clear()) as &dyn Fn(&mut NewMultiJob),
            "Command cannot be empty.",
        ),
        (
            &|new| new.targets.client_ids.clear(),
            "Missing targeting parameters.",
        ),
        (&|new| new.tags_given = true, "Multiple targeting parameters."),
        (
            &|new| {
                new.targets.client_ids.clear();
                new.tags_given = true;
            },
            "No tags specified.",
        ),
        (
            &|new| {
                new.targets.client_ids.clear();
                new.targets.tags = tags(&["tag of c1", "tag of c2"]);
            },
            "at least 1 client should be specified",
        ),
        (
            &|new| new.targets.group_ids.push("none".into()),
            "Unknown group with id=\"none\".",
        ),
        (
            &|new| new.job.order.interpreter = "bash".into(),
            "Invalid interpreter.: expected interpreter to be one of: [cmd powershell tacoscript], actual: bash",
        ),
        (
            &|new| new.pace.at_once = Some(0),
            "\"max_concurrent\" must be at least 1.",
        ),
    ] {
        assert_eq!(run(change).await, (Kind::Invalid, expected.to_owned()));
    }
    // Scripts: the targets come first.
    let both_wrong = |new: &mut NewMultiJob| {
        new.job.order.is_script = true;
        new.job.order.command.clear();
        new.targets.client_ids.clear();
    };
    assert_eq!(run(&both_wrong).await.1, "Missing targeting parameters.");
    let unknown = |new: &mut NewMultiJob| new.targets.client_ids.push("none".into());
    assert_eq!(
        run(&unknown).await,
        (Kind::NotFound, "Client with id=\"none\" not found.".to_owned())
    );
    let dev = member_of(&["dev"]);
    let denied = server
        .jobs()
        .run_multi(&dev, on(&["c1", "c2"], command("id"), ALL_AT_ONCE));
    assert_eq!(
        refusal(denied.await),
        (
            Kind::Forbidden,
            "Access denied to client(s) with ID(s): c1, c2".to_owned()
        )
    );
    drop(workers);
    server.stop().await;
}

#[tokio::test]
async fn all_at_once_runs_on_everybody_who_is_there() {
    let server = TestServer::start().await;
    let mut first = Worker::connect(&server, "c1").await;
    let mut second = Worker::connect(&server, "c2").await;
    Worker::connect(&server, "c3").await.agent.vanish();
    eventually("disconnect", || !server.is_connected("c3")).await;
    let mut new = on(&[], command("id"), ALL_AT_ONCE);
    new.targets.tags = Some(TagTargets {
        tags: vec!["worker".to_owned(), "other".to_owned()],
        operator: TagOperator::Or,
    });
    let id = server.jobs().run_multi(&admin(), new).await.expect("ordered");
    let (one, two) = (first.start().await, second.start().await);
    assert_eq!(one.multi_job_id.as_deref(), Some(id.as_str()));
    assert_eq!(
        second.report(worker::ended(two, JobStatus::Failed, "")).await,
        Ok(())
    );
    assert_eq!(
        first.report(worker::ended(one, JobStatus::Successful, "")).await,
        Ok(())
    );
    assert_eq!(
        server.over(&id).await,
        [
            "c1 successful",
            "c2 failed",
            "c3 failed client with id c3 is not connected"
        ]
    );
    let counts = server
        .jobs()
        .get_multi(&admin(), &id)
        .await
        .expect("there")
        .counts;
    assert_eq!((counts.total, counts.successful, counts.failed), (3, 1, 2));
    // An order is its creator's.
    let other = member_with("somebody", &Permission::ALL);
    assert_eq!(
        refusal(server.jobs().get_multi(&other, &id).await),
        (Kind::Forbidden, "forbidden".to_owned())
    );
    assert_eq!(
        refusal(server.jobs().get_multi(&admin(), &"none".into()).await),
        (
            Kind::NotFound,
            "Multi-client Job[id=\"none\"] not found.".to_owned()
        )
    );
    drop((first, second));
    server.stop().await;
}

#[tokio::test]
async fn one_after_another_stops_at_a_failure() {
    let server = TestServer::start().await;
    let mut workers = Vec::new();
    for id in ["c1", "c2", "c3", "c4"] {
        workers.push(Worker::connect(&server, id).await);
    }
    let order = on(&["c3", "c1", "c2", "c4"], command("id"), ONE_AFTER_ANOTHER);
    let id = server.jobs().run_multi(&admin(), order).await.expect("ordered");
    let third = workers[2].start().await;
    for other in [0, 1, 3] {
        assert!(workers[other].is_idle().await, "its turn has not come");
    }
    assert_eq!(
        workers[2]
            .report(worker::ended(third, JobStatus::Unknown, ""))
            .await,
        Ok(())
    );
    workers[0].run(JobStatus::Failed, "").await;
    assert_eq!(
        server.over(&id).await,
        [
            "c1 failed",
            "c2 failed not started because the job on client c1 failed",
            "c3 unknown",
            "c4 failed not started because the job on client c1 failed",
        ]
    );
    for worker in &mut workers {
        assert!(worker.is_idle().await);
    }
    drop(workers);
    server.stop().await;
}

#[tokio::test]
async fn one_after_another_can_pass_over_failures_and_passes_over_who_is_away() {
    let server = TestServer::start().await;
    let mut first = Worker::connect(&server, "c1").await;
    Worker::connect(&server, "c2").await.agent.vanish();
    eventually("disconnect", || !server.is_connected("c2")).await;
    let mut third = Worker::connect(&server, "c3").await;
    let mut fourth = Worker::connect(&server, "c4").await;
    let mut order = on(&["c2", "c1", "c3", "c4"], command("id"), ONE_AFTER_ANOTHER);
    order.pace.abort_on_error = false;
    let id = server.jobs().run_multi(&admin(), order).await.expect("ordered");
    first.run(JobStatus::Failed, "").await;
    third.asked().await.refuse("no");
    fourth.run(JobStatus::Successful, "").await;
    assert_eq!(
        server.over(&id).await,
        [
            "c1 failed",
            "c2 failed client with id c2 is not connected",
            "c3 failed no",
            "c4 successful"
        ]
    );
    drop((first, third, fourth));
    server.stop().await;
}

#[tokio::test]
async fn a_number_of_clients_at_a_time() {
    let server = TestServer::start().await;
    let ids = ["c1", "c2", "c3", "c4", "c5"];
    let mut workers = Vec::new();
    for id in ids {
        workers.push(Worker::connect(&server, id).await);
    }
    let pace = JobPace {
        at_once: Some(2),
        abort_on_error: true,
    };
    let id = server
        .jobs()
        .run_multi(&admin(), on(&ids, command("id"), pace))
        .await
        .expect("ordered");
    let (one, two) = (workers[0].start().await, workers[1].start().await);
    assert!(workers[2].is_idle().await);
    assert_eq!(
        workers[1]
            .report(worker::ended(two, JobStatus::Successful, ""))
            .await,
        Ok(())
    );
    let three = workers[2].start().await;
    assert!(workers[3].is_idle().await);
    // What runs already ends as it will.
    assert_eq!(
        workers[2]
            .report(worker::ended(three, JobStatus::Failed, ""))
            .await,
        Ok(())
    );
    eventually_no_more_wait(&server, &id).await;
    assert_eq!(
        workers[0]
            .report(worker::ended(one, JobStatus::Successful, ""))
            .await,
        Ok(())
    );
    let reason = "not started because the job on client c3 failed";
    assert_eq!(
        server.over(&id).await,
        [
            "c1 successful".to_owned(),
            "c2 successful".to_owned(),
            "c3 failed".to_owned(),
            format!("c4 failed {reason}"),
            format!("c5 failed {reason}"),
        ]
    );
    drop(workers);
    server.stop().await;
}

async fn eventually_no_more_wait(server: &TestServer, id: &JobId) {
    let none_waits = async {
        while server
            .jobs()
            .get_multi(&admin(), id)
            .await
            .expect("there")
            .counts
            .waiting
            > 0
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    soon("none waits", none_waits).await;
}

#[tokio::test]
async fn who_is_away_gets_its_turn_later_if_the_order_waits() {
    let server = TestServer::start().await;
    Worker::connect(&server, "c1").await.agent.vanish();
    eventually("disconnect", || !server.is_connected("c1")).await;
    let mut second = Worker::connect(&server, "c2").await;
    let mut third = Worker::connect(&server, "c3").await;
    let order = on(&["c1", "c2", "c3"], queued("id"), ONE_AFTER_ANOTHER);
    let id = server.jobs().run_multi(&admin(), order).await.expect("ordered");
    // Nobody waits for the first, who is away.
    let two = second.start().await;
    let mut first = Worker::connect(&server, "c1").await;
    assert!(first.is_idle().await && third.is_idle().await, "one at a time");
    assert_eq!(
        second.report(worker::ended(two, JobStatus::Successful, "")).await,
        Ok(())
    );
    // Back in the line, before the one behind it.
    first.run(JobStatus::Successful, "").await;
    third.run(JobStatus::Successful, "").await;
    assert_eq!(
        server.over(&id).await,
        ["c1 successful", "c2 successful", "c3 successful"]
    );
    drop((first, second, third));
    server.stop().await;
}
