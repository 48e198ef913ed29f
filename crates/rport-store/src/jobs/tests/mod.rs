//! Rows and their way; what is read from them is in `reading.rs`.

mod reading;

use std::path::Path;
use std::time::{Duration, Instant};

use chrono::{DateTime, FixedOffset, TimeDelta};
use rport_domain::{
    ClientId, JOB_LIST, Job, JobCounts, JobId, JobOrder, JobPace, JobStatus, JobTargets, LibraryKind,
    ListQuery, MULTI_JOB_LIST, MultiJob, ScheduleId, TagOperator, TagTargets,
};
use rport_protocol::JobResult;
use rusqlite::Connection;

use super::*;
use crate::{Store, StoreOptions};

const BOTH: &[LibraryKind] = &[LibraryKind::Command, LibraryKind::Script];

fn open(directory: &Path) -> Store {
    let options = StoreOptions {
        data_dir: directory.to_owned(),
        wal: true,
    };
    Store::open(&options).expect("the store opens")
}

fn at(text: &str) -> DateTime<FixedOffset> {
    DateTime::parse_from_rfc3339(text).expect("a time")
}

fn job(id: &str, client: &str, multi: Option<&str>) -> Job {
    Job {
        id: id.into(),
        status: JobStatus::Waiting,
        started_at: at("2024-05-01T12:00:00+02:00"),
        finished_at: None,
        created_by: "ann".into(),
        client_id: client.into(),
        client_name: format!("name of {client}"),
        multi_job_id: multi.map(Into::into),
        schedule_id: None,
        order: JobOrder {
            command: "echo '<\"is_script\":true>'".into(),
            timeout_sec: 60,
            ..JobOrder::default()
        },
        pid: None,
        error: String::new(),
        result: None,
    }
}

fn multi(id: &str, schedule: Option<&str>) -> MultiJob {
    MultiJob {
        id: id.into(),
        started_at: at("2024-05-01T10:00:00Z"),
        created_by: "ann".into(),
        schedule_id: schedule.map(Into::into),
        targets: JobTargets {
            client_ids: vec!["c1".into(), "c2".into()],
            ..JobTargets::default()
        },
        order: job("", "", None).order,
        pace: JobPace {
            at_once: Some(7),
            abort_on_error: true,
        },
    }
}

fn rule() -> StartRule {
    StartRule {
        not_after: DateTime::from_timestamp_micros(1_714_557_600_123_456).expect("in range"),
        queue: true,
        stream: false,
    }
}

fn running() -> MultiJobExtras {
    MultiJobExtras {
        phase: MultiJobPhase::Running,
        start: Some(rule()),
    }
}

async fn order(store: &Store, multi: Option<MultiJob>, jobs: Vec<Job>) {
    let new = NewJobs {
        multi: multi.map(|multi| (multi, running())),
        jobs,
        start: rule(),
    };
    store.jobs().order(new).await.expect("ordered");
}

fn finished(id: &str, status: JobStatus, stdout: &str) -> FinishedJob {
    FinishedJob {
        id: id.into(),
        status,
        pid: Some(42),
        started_at: None,
        finished_at: at("2024-05-01T12:00:05.25+02:00"),
        error: String::new(),
        result: Some(JobResult {
            stdout: stdout.into(),
            stderr: "err".into(),
            summary: "sum".into(),
        }),
    }
}

async fn list(store: &Store, scope: JobScope, kinds: &[LibraryKind], query: &[(&str, &str)]) -> Vec<String> {
    let query = ListQuery::parse(query, &JOB_LIST).expect("valid");
    let page = store.jobs().list(scope, kinds, &query).await.expect("lists");
    page.items.iter().map(|job| job.id.to_string()).collect()
}

#[tokio::test]
async fn a_job_goes_its_way_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = open(directory.path());
    let jobs = store.jobs();
    let (id, client) = (JobId::from("j1"), ClientId::from("c1"));
    order(&store, None, vec![job("j1", "c1", None)]).await;
    let waiting = jobs.open_jobs().await.expect("reads");
    assert_eq!(
        waiting,
        [OpenJob {
            job: job("j1", "c1", None),
            phase: JobPhase::Waiting,
            start: Some(rule()),
            position: 0
        }]
    );
    let again = NewJobs {
        multi: None,
        jobs: vec![job("j2", "c1", None), job("j1", "c1", None)],
        start: rule(),
    };
    assert!(jobs.order(again).await.is_err(), "the id is taken");
    assert_eq!(
        jobs.find(&"j2".into()).await.expect("reads"),
        None,
        "all or nothing"
    );

    assert!(jobs.take(&id).await.expect("runs"));
    assert!(!jobs.take(&id).await.expect("runs"), "taken already");
    assert!(jobs.put_back(&id).await.expect("runs"));
    assert!(!jobs.put_back(&id).await.expect("runs"));
    assert!(jobs.take(&id).await.expect("runs"));
    let open = jobs.open_jobs().await.expect("reads");
    assert_eq!(
        (open[0].phase, open[0].job.status),
        (JobPhase::Sending, JobStatus::Running)
    );
    let began = at("2024-05-01T12:00:01+02:00");
    assert!(jobs.started(&id, 42, began).await.expect("runs"));
    assert!(!jobs.put_back(&id).await.expect("runs"), "it runs");
    store.close().await;

    let store = self::open(directory.path());
    let jobs = store.jobs();
    let open = jobs.open_jobs().await.expect("reads");
    assert_eq!((open[0].phase, open[0].job.pid), (JobPhase::Started, Some(42)));
    assert_eq!(open[0].job.started_at, began);
    let foreign = jobs
        .finish(&"c2".into(), finished("j1", JobStatus::Failed, ""))
        .await;
    assert_eq!(foreign.expect("runs"), Finish::Foreign);
    let foreign = jobs.finish(&client, finished("no", JobStatus::Failed, "")).await;
    assert_eq!(foreign.expect("runs"), Finish::Foreign);
    let done = jobs
        .finish(&client, finished("j1", JobStatus::Successful, "out"))
        .await;
    let Finish::Stored(done) = done.expect("runs") else {
        panic!("not stored")
    };
    let expected = Job {
        status: JobStatus::Successful,
        started_at: began,
        finished_at: Some(at("2024-05-01T12:00:05.25+02:00")),
        pid: Some(42),
        result: finished("j1", JobStatus::Successful, "out").result,
        ..job("j1", "c1", None)
    };
    assert_eq!(done, expected);
    let twice = jobs
        .finish(&client, finished("j1", JobStatus::Failed, "other"))
        .await;
    assert_eq!(twice.expect("runs"), Finish::Repeated);
    assert!(!jobs.started(&id, 43, began).await.expect("runs"), "it is over");
    let none = jobs
        .end(std::slice::from_ref(&id), JobStatus::Unknown, "gone", began)
        .await;
    assert_eq!(none.expect("runs"), []);
    assert_eq!(jobs.find(&id).await.expect("reads"), Some(expected));
    assert_eq!(jobs.open_jobs().await.expect("reads"), []);
}

#[tokio::test]
async fn what_was_given_up_takes_a_late_result() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = open(directory.path());
    let jobs = store.jobs();
    let ids = [JobId::from("j1"), JobId::from("j2"), JobId::from("none")];
    order(&store, None, vec![job("j1", "c1", None), job("j2", "c1", None)]).await;
    let now = at("2024-05-01T10:02:00Z");
    let ended = jobs
        .end(&ids, JobStatus::Unknown, "nobody knows", now)
        .await
        .expect("runs");
    assert_eq!(ended.len(), 2);
    assert!(
        ended
            .iter()
            .all(|job| job.error == "nobody knows" && job.finished_at == Some(now))
    );
    assert!(!jobs.take(&ids[0]).await.expect("runs"), "it is over");
    let late = jobs
        .finish(&"c1".into(), finished("j1", JobStatus::Successful, "late"))
        .await;
    assert!(matches!(late.expect("runs"), Finish::Stored(job) if job.error.is_empty()));
    let empty = FinishedJob {
        result: None,
        ..finished("j2", JobStatus::Failed, "")
    };
    let empty = jobs.finish(&"c1".into(), empty).await;
    assert_eq!(empty.expect("runs"), Finish::Repeated, "says nothing new");
}

#[tokio::test]
async fn rows_are_those_of_the_go_server() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = open(directory.path());
    let of_tags = MultiJob {
        targets: JobTargets {
            tags: Some(TagTargets {
                tags: vec!["a".into()],
                operator: TagOperator::And,
            }),
            ..JobTargets::default()
        },
        ..multi("m2", None)
    };
    order(
        &store,
        Some(multi("m1", Some("s1"))),
        vec![job("j1", "c1", Some("m1"))],
    )
    .await;
    order(&store, Some(of_tags.clone()), Vec::new()).await;
    let read = store.jobs().find_multi(&"m2".into()).await.expect("reads");
    assert_eq!(read, Some((of_tags, running())));
    let of_job = store
        .jobs()
        .find(&"j1".into())
        .await
        .expect("reads")
        .expect("present");
    assert_eq!(of_job.schedule_id, Some(ScheduleId::from("s1")));
    store.close().await;

    let connection = Connection::open(directory.path().join("jobs.db")).expect("opens");
    let texts = |sql: &str| -> Vec<String> {
        let mut query = connection.prepare(sql).expect("valid");
        let rows = query.query_map([], |row| row.get(0)).expect("runs");
        rows.collect::<Result<_, _>>().expect("texts")
    };
    let row = "jid || '|' || status || '|' || started_at || '|' || multi_job_id || '|' || details";
    assert_eq!(
        texts(&format!("SELECT {row} FROM jobs")),
        [concat!(
            "j1|waiting|2024-05-01 10:00:00+00:00|m1|",
            r#"{"command":"echo '\u003c\"is_script\":true\u003e'","cwd":"","is_sudo":false,"is_script":false,"#,
            r#""interpreter":"","pid":null,"timeout_sec":60,"error":"","result":null,"client_name":"name of c1"}"#
        )]
    );
    assert_eq!(
        texts("SELECT details FROM multi_jobs ORDER BY jid"),
        [
            concat!(
                r#"{"client_ids":["c1","c2"],"group_ids":null,"tags":null,"#,
                r#""command":"echo '\u003c\"is_script\":true\u003e'","interpreter":"","cwd":"","is_sudo":false,"#,
                r#""timeout_sec":60,"concurrent":true,"abort_on_err":true}"#
            ),
            concat!(
                r#"{"client_ids":null,"group_ids":null,"tags":{"tags":["a"],"operator":"AND"},"#,
                r#""command":"echo '\u003c\"is_script\":true\u003e'","interpreter":"","cwd":"","is_sudo":false,"#,
                r#""timeout_sec":60,"concurrent":true,"abort_on_err":true}"#
            ),
        ]
    );
    let version: (i64, String) = connection
        .query_row("SELECT version, dirty FROM schema_migrations", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .expect("the bookkeeping");
    assert_eq!(version, (3, "false".into()));
}

#[tokio::test]
async fn the_newest_and_the_unfinished_are_kept() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = open(directory.path());
    let jobs = store.jobs();
    let aged = |id: &str, multi: Option<&str>, age: i64, status| {
        let mut job = job(id, "c1", multi);
        job.started_at -= TimeDelta::minutes(age);
        job.status = status;
        job
    };
    let (done, waits) = (JobStatus::Successful, JobStatus::Waiting);
    for (id, oldest, extra) in [("m1", 9, done), ("m2", 2, done), ("m3", 9, waits)] {
        let mut multi = multi(id, None);
        multi.started_at -= TimeDelta::minutes(oldest);
        let first = format!("{id}-old");
        let second = format!("{id}-other");
        let other = if id == "m2" { 1 } else { oldest };
        let children = vec![
            aged(&first, Some(id), oldest, done),
            aged(&second, Some(id), other, extra),
        ];
        order(&store, Some(multi), children).await;
        if id != "m3" {
            jobs.end_multi(&id.into(), MultiJobPhase::Done)
                .await
                .expect("runs");
        }
    }
    // Two jobs are younger than all others; one of them is of m2.
    order(
        &store,
        None,
        vec![
            aged("new", None, 0, done),
            aged("old", None, 5, done),
            aged("queued", None, 8, waits),
        ],
    )
    .await;
    assert_eq!(jobs.remove_old(100).await.expect("runs"), 0);
    assert_eq!(
        jobs.remove_old(2).await.expect("runs"),
        3,
        "old and the two of m1"
    );
    let mut left = list(&store, JobScope::Client("c1".into()), BOTH, &[]).await;
    left.sort();
    assert_eq!(
        left,
        ["m2-old", "m2-other", "m3-old", "m3-other", "new", "queued"]
    );
    assert_eq!(jobs.find_multi(&"m1".into()).await.expect("reads"), None);
    assert!(jobs.find_multi(&"m2".into()).await.expect("reads").is_some());
    assert_eq!(jobs.remove_old(0).await.expect("runs"), 3, "all that is over");
    assert_eq!(jobs.open_jobs().await.expect("reads").len(), 2);
}

/// The time limits are far above what it takes, and far below what a transaction per job would take.
#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_is_ordered_and_reports_at_once() {
    const FLEET: usize = 2000;
    let directory = tempfile::tempdir().expect("a directory");
    let store = open(directory.path());
    let began = Instant::now();
    let children = (0..FLEET)
        .map(|number| job(&format!("j{number}"), &format!("c{number}"), Some("m1")))
        .collect();
    order(&store, Some(multi("m1", None)), children).await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let began = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..FLEET {
        let jobs = store.jobs().clone();
        tasks.spawn(async move {
            let id = format!("j{number}");
            assert!(jobs.take(&id.as_str().into()).await.expect("runs"));
            let done = finished(&id, JobStatus::Successful, &"x".repeat(1000));
            jobs.finish(&format!("c{number}").into(), done)
                .await
                .expect("runs")
        });
    }
    let outcomes = tasks.join_all().await;
    assert!(
        outcomes
            .iter()
            .all(|outcome| matches!(outcome, Finish::Stored(_)))
    );
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let counts = store.jobs().counts(&"m1".into()).await.expect("counts");
    assert_eq!((counts.total, counts.successful), (FLEET as u64, FLEET as u64));
}
