//! Lists, what schedules ask, and the data of a Go server.

use std::process::Command;

use super::*;
use crate::StoreErrorKind;

#[tokio::test]
async fn lists_know_the_grammar_and_the_kinds() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = open(directory.path());
    let jobs = store.jobs();
    let script = |id: &str, client: &str, multi| {
        let mut job = job(id, client, multi);
        job.order.is_script = true;
        job
    };
    order(
        &store,
        Some(multi("m1", Some("s1"))),
        vec![job("a", "c1", Some("m1")), job("b", "c2", Some("m1"))],
    )
    .await;
    let mut bob = job("c", "c1", None);
    bob.created_by = "bob".into();
    bob.started_at = at("2024-05-01T12:30:00+03:00");
    order(&store, None, vec![bob]).await;
    let mut scripts = multi("m2", None);
    scripts.order.is_script = true;
    scripts.created_by = "bob".into();
    order(&store, Some(scripts), vec![script("d", "c1", Some("m2"))]).await;
    jobs.finish(&"c1".into(), finished("a", JobStatus::Successful, "out"))
        .await
        .expect("runs");
    let c1 = || JobScope::Client("c1".into());
    let all = |query: &'static [(&'static str, &'static str)]| list(&store, c1(), BOTH, query);
    assert_eq!(all(&[]).await, ["a", "c", "d"], "unfinished ones last");
    assert_eq!(list(&store, c1(), &[LibraryKind::Script], &[]).await, ["d"]);
    assert_eq!(list(&store, c1(), &[LibraryKind::Command], &[]).await, ["a", "c"]);
    assert!(list(&store, c1(), &[], &[]).await.is_empty());
    assert_eq!(all(&[("filter[jid]", "c,d")]).await, ["c", "d"]);
    assert_eq!(all(&[("filter[created_by]", "bob")]).await, ["c"]);
    assert_eq!(all(&[("filter[schedule_id]", "s1")]).await, ["a"]);
    assert_eq!(all(&[("filter[multi_job_id]", "")]).await, ["c"]);
    assert_eq!(all(&[("filter[status]", "succ*")]).await, ["a"]);
    assert_eq!(all(&[("filter[*]", "m2")]).await, ["d"]);
    assert_eq!(
        all(&[("filter[started_at][lt]", "2024-05-01T12:00:00+02:00")]).await,
        ["c"]
    );
    assert_eq!(all(&[("filter[finished_at][since]", "2024-05-01")]).await, ["a"]);
    assert_eq!(
        all(&[("sort", "started_at"), ("sort", "-jid")]).await,
        ["c", "d", "a"]
    );
    let m1 = || JobId::from("m1");
    assert_eq!(list(&store, JobScope::Multi(m1()), BOTH, &[]).await, ["a", "b"]);
    let without = JobScope::MultiWithout(m1(), vec!["c1".into(), "x".into()]);
    assert_eq!(list(&store, without, BOTH, &[]).await, ["b"]);

    let counts = jobs.counts(&m1()).await.expect("counts");
    let expected = JobCounts {
        total: 2,
        waiting: 1,
        successful: 1,
        ..JobCounts::default()
    };
    assert_eq!(counts, expected);
    let multis = async |owner: Option<&str>, kinds, query: &[(&str, &str)]| {
        let query = ListQuery::parse(query, &MULTI_JOB_LIST).expect("valid");
        let page = jobs
            .list_multi(owner.map(Into::into).as_ref(), kinds, &query)
            .await;
        let items = page.expect("lists").items;
        items
            .into_iter()
            .map(|(multi, ..)| multi.id.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(multis(None, BOTH, &[]).await, ["m1", "m2"]);
    assert_eq!(multis(Some("bob"), BOTH, &[]).await, ["m2"]);
    assert_eq!(multis(None, &[LibraryKind::Command], &[]).await, ["m1"]);
    assert_eq!(multis(None, BOTH, &[("filter[schedule_id]", "s1")]).await, ["m1"]);
    assert_eq!(multis(None, BOTH, &[("sort", "-jid")]).await, ["m2", "m1"]);
}

#[tokio::test]
async fn results_are_read_as_far_as_they_are_wanted() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = open(directory.path());
    order(&store, None, vec![job("a", "c1", None)]).await;
    let client = ClientId::from("c1");
    let done = finished("a", JobStatus::Failed, "out");
    store.jobs().finish(&client, done).await.expect("runs");
    let result = async |query: &[(&str, &str)]| {
        let query = ListQuery::parse(query, &JOB_LIST).expect("valid");
        let page = store
            .jobs()
            .list(JobScope::Client("c1".into()), BOTH, &query)
            .await;
        let job = page.expect("lists").items.remove(0);
        let result = job.result.expect("a result");
        (result.stdout, result.stderr, result.summary)
    };
    let texts = |out: &str, err: &str, sum: &str| (out.to_owned(), err.to_owned(), sum.to_owned());
    assert_eq!(result(&[]).await, texts("", "", "sum"));
    assert_eq!(
        result(&[("fields[result]", "stdout")]).await,
        texts("out", "", "")
    );
    assert_eq!(
        result(&[("fields[result]", "stderr,summary")]).await,
        texts("", "err", "sum")
    );
}

#[tokio::test]
async fn a_page_has_a_weight() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = open(directory.path());
    order(&store, None, vec![job("a", "c1", None), job("b", "c1", None)]).await;
    let client = ClientId::from("c1");
    for id in ["a", "b"] {
        let done = finished(id, JobStatus::Successful, &"x".repeat(100));
        store.jobs().finish(&client, done).await.expect("runs");
    }
    let weigh = async |query: &[(&str, &str)]| {
        let query = ListQuery::parse(query, &JOB_LIST).expect("valid");
        let scope = JobScope::Client(client.clone());
        match store.jobs().list_within(150, scope, BOTH, &query).await {
            Ok(page) => Ok(page.items.len()),
            Err(error) => Err(error.kind().clone()),
        }
    };
    assert_eq!(
        weigh(&[("fields[result]", "stdout")]).await,
        Err(StoreErrorKind::TooLarge)
    );
    assert_eq!(
        weigh(&[("fields[result]", "stdout"), ("page[limit]", "1")]).await,
        Ok(1)
    );
    assert_eq!(weigh(&[]).await, Ok(2));
    assert_eq!(weigh(&[("fields[jobs]", "jid")]).await, Ok(2));
}

#[tokio::test]
async fn the_data_of_a_go_server_is_read() {
    let directory = tempfile::tempdir().expect("a directory");
    let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rport-testkit/fixtures/go-sqlite.tar.gz");
    let unpacked = Command::new("tar")
        .arg("-xzf")
        .arg(archive)
        .arg("-C")
        .arg(directory.path())
        .status();
    assert!(unpacked.expect("tar runs").success());
    let data = directory.path().join("data");
    // What other hands and later servers may leave.
    let connection = Connection::open(data.join("jobs.db")).expect("opens");
    connection
        .execute_batch(
            "PRAGMA foreign_keys = OFF;
             INSERT INTO jobs VALUES
                 ('odd', 'paused', 'yesterday', 'tomorrow', 'x', 'odd-client', NULL, 'no json'),
                 ('left', 'running', '2024-05-01 12:00:00.5+02:00', NULL, 'x', 'odd-client', 'lost',
                  '{\"timeout_sec\":60,\"client_name\":null,\"result\":null,\"later\":1}');",
        )
        .expect("valid");
    drop(connection);
    let store = open(&data);
    let jobs = store.jobs();
    let client = || JobScope::Client("go-agent".into());
    let newest_first = [
        "feb83846-5c9d-4cf3-b3c4-6db3eded09ff",
        "5d5472bb-ab1e-427b-a4a8-24476f1550b2",
        "a9491261-9815-4dfe-a5b5-ab62785a829b",
        "59a09321-9db6-480f-b569-74e0d04763d5",
        "03bd497c-0f38-4650-8962-03e8d8178214",
        "83c34174-e6ec-4a5f-8e8c-927acce473e3",
    ];
    assert_eq!(list(&store, client(), BOTH, &[]).await, newest_first);
    let commands = list(&store, client(), &[LibraryKind::Command], &[]).await;
    assert_eq!(commands, [newest_first[3], newest_first[5]]);
    let job = jobs
        .find(&newest_first[1].into())
        .await
        .expect("reads")
        .expect("present");
    assert_eq!(job.status, JobStatus::Successful);
    assert_eq!(job.started_at, at("2026-11-23T16:29:10.004027694Z"));
    assert_eq!(
        job.schedule_id,
        Some("3d5cddbd-eebc-4793-97fa-bb639fd1aa32".into())
    );
    assert_eq!(job.pid, Some(24644));
    let stdout = job.result.map(|result| result.stdout);
    assert_eq!(stdout.as_deref(), Some("Mon Nov 23 16:29:10 UTC 2026\n"));
    let failed = jobs
        .find(&newest_first[0].into())
        .await
        .expect("reads")
        .expect("present");
    assert_eq!((failed.pid, &failed.result), (None, &None));
    assert!(failed.error.starts_with("failed to send request"));

    let multi = jobs
        .find_multi(&"35803b16-d37e-486d-9c41-43d97674fcda".into())
        .await;
    let (multi, extras) = multi.expect("reads").expect("present");
    assert!(multi.order.is_script, "told from its jobs");
    assert_eq!(multi.targets.group_ids, ["go-boxes".into()]);
    assert_eq!((multi.pace.at_once, multi.pace.abort_on_error), (Some(1), true));
    assert_eq!((extras.phase, extras.start), (MultiJobPhase::Done, None));
    assert_eq!(jobs.open_multis().await.expect("reads"), []);
    let last = jobs
        .last_of_schedule(&"3d5cddbd-eebc-4793-97fa-bb639fd1aa32".into())
        .await;
    let last = last.expect("reads").expect("it ran");
    assert_eq!((last.counts.total, last.counts.failed), (1, 1));
    assert_eq!(last.single.expect("one job").id, newest_first[0].into());

    let odd = list(&store, JobScope::Client("odd-client".into()), BOTH, &[]).await;
    assert_eq!(odd, ["odd", "left"]);
    let odd = jobs.find(&"odd".into()).await.expect("reads").expect("present");
    assert_eq!(odd.status, JobStatus::Unknown);
    let open = jobs.open_jobs().await.expect("reads");
    assert_eq!(open.len(), 1);
    assert_eq!(
        (open[0].job.id.as_str(), open[0].phase),
        ("left", JobPhase::Started)
    );
    assert_eq!(open[0].start, None);
}

#[tokio::test]
async fn schedules_ask_about_their_runs() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = open(directory.path());
    let jobs = store.jobs();
    let schedule = ScheduleId::from("s1");
    let now = at("2024-05-01T10:00:30Z").to_utc();
    assert_eq!(jobs.last_of_schedule(&schedule).await.expect("reads"), None);
    assert!(!jobs.has_unfinished(&schedule, now).await.expect("reads"));
    let mut newer = multi("m2", Some("s1"));
    newer.started_at += TimeDelta::seconds(1);
    order(
        &store,
        Some(multi("m1", Some("s1"))),
        vec![job("a", "c1", Some("m1"))],
    )
    .await;
    order(
        &store,
        Some(newer),
        vec![job("b", "c1", Some("m2")), job("c", "c2", Some("m2"))],
    )
    .await;
    order(
        &store,
        Some(multi("m3", Some("s2"))),
        vec![job("d", "c1", Some("m3"))],
    )
    .await;
    let last = jobs
        .last_of_schedule(&schedule)
        .await
        .expect("reads")
        .expect("it ran");
    assert_eq!(
        (last.multi.id.as_str(), last.counts.total, last.single),
        ("m2", 2, None)
    );
    assert!(jobs.has_unfinished(&schedule, now).await.expect("reads"));
    let query = ListQuery::parse::<&str, &str>(&[], &MULTI_JOB_LIST).expect("valid");
    let runs = jobs.runs_of_schedule(&schedule, &query).await.expect("lists");
    let ids: Vec<&str> = runs.items.iter().map(|(multi, ..)| multi.id.as_str()).collect();
    assert_eq!(ids, ["m2", "m1"]);
    let all: Vec<JobId> = ["a", "b", "c"].map(Into::into).to_vec();
    jobs.end(&all, JobStatus::Failed, "x", now.fixed_offset())
        .await
        .expect("runs");
    assert!(
        jobs.has_unfinished(&schedule, now).await.expect("reads"),
        "a phase is open"
    );
    for id in ["m1", "m2"] {
        jobs.end_multi(&id.into(), MultiJobPhase::Done)
            .await
            .expect("runs");
    }
    assert!(!jobs.has_unfinished(&schedule, now).await.expect("reads"));
    assert_eq!(jobs.delete_of_schedule(&schedule).await.expect("deletes"), 2);
    assert_eq!(jobs.find(&"a".into()).await.expect("reads"), None);
    assert!(jobs.find(&"d".into()).await.expect("reads").is_some());
    assert!(jobs.has_unfinished(&"s2".into(), now).await.expect("reads"));

    // A Go server's unfinished job counts until its time is over.
    let connection = Connection::open(directory.path().join("jobs.db")).expect("opens");
    connection
        .execute_batch(
            "INSERT INTO multi_jobs VALUES ('g', '2024-05-01 10:00:00+00:00', 'x', '{}', 's3');
             INSERT INTO jobs VALUES ('gj', 'running', '2024-05-01 10:00:00+00:00', NULL, 'x', 'c1', 'g',
                 '{\"timeout_sec\":60}');",
        )
        .expect("valid");
    let start = at("2024-05-01T10:00:00Z").to_utc();
    for (seconds, unfinished) in [(59, true), (60, false)] {
        let then = start + TimeDelta::seconds(seconds);
        let found = jobs.has_unfinished(&"s3".into(), then).await;
        assert_eq!(found.expect("reads"), unfinished);
    }
}
