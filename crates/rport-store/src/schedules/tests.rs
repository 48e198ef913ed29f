use chrono::TimeDelta;
use rport_domain::{
    JobOrder, JobTargets, MissedRuns, RunOutcome, SCHEDULE_LIST, SCHEDULE_RUN_LIST, ScheduleDefinition,
    ScheduleExtras, ScheduleParameter, ScheduleRun, TagOperator, TagTargets,
};
use tempfile::TempDir;

use super::*;
use crate::Claim;
use crate::store::{Store, StoreOptions};

struct Rig {
    store: Store,
    directory: TempDir,
}

impl Rig {
    fn new() -> Self {
        Self::open(tempfile::tempdir().expect("a directory"))
    }

    fn open(directory: TempDir) -> Self {
        let options = StoreOptions {
            data_dir: directory.path().to_owned(),
            wal: true,
        };
        let store = Store::open(&options).expect("opens");
        Self { store, directory }
    }

    async fn reopened(self) -> Self {
        self.store.close().await;
        Self::open(self.directory)
    }

    fn schedules(&self) -> &Schedules {
        self.store.schedules()
    }

    /// The file as a Go server sees it.
    fn file(&self) -> Connection {
        Connection::open(self.directory.path().join("jobs.db")).expect("opens")
    }

    async fn ids(&self, owner: Option<&str>, query: &[(&str, &str)]) -> Vec<String> {
        let query = ListQuery::parse(query, &SCHEDULE_LIST).expect("valid");
        let owner = owner.map(UserName::from);
        let page = self
            .schedules()
            .list(owner.as_ref(), &query)
            .await
            .expect("lists");
        page.items
            .iter()
            .map(|(schedule, _)| schedule.id.to_string())
            .collect()
    }

    async fn runs(&self, id: &str, query: &[(&str, &str)]) -> Page<ScheduleRun> {
        let query = ListQuery::parse(query, &SCHEDULE_RUN_LIST).expect("valid");
        self.schedules().runs(&id.into(), &query).await.expect("lists")
    }
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 + seconds, 0).expect("in range")
}

fn progress(seconds: i64) -> ScheduleProgress {
    ScheduleProgress {
        since: at(0),
        done_until: at(seconds),
    }
}

fn schedule(id: &str, owner: &str) -> Schedule {
    Schedule {
        id: id.into(),
        created_at: at(0).fixed_offset(),
        created_by: owner.into(),
        definition: ScheduleDefinition {
            name: format!("name of {id}"),
            schedule: "* * * * *".into(),
            targets: JobTargets {
                client_ids: vec!["c1".into()],
                ..JobTargets::default()
            },
            order: JobOrder {
                command: "echo <1>".into(),
                ..JobOrder::default()
            },
            ..ScheduleDefinition::default()
        },
    }
}

fn run(seconds: i64, outcome: RunOutcome) -> ScheduleRun {
    ScheduleRun {
        due_at: at(seconds),
        handled_at: at(seconds) + TimeDelta::milliseconds(250),
        outcome,
        multi_job_id: (outcome != RunOutcome::Skipped).then(|| format!("m{seconds}").into()),
        reason: String::new(),
        requested_by: None,
    }
}

#[tokio::test]
async fn rows_are_those_of_the_go_server() {
    let rig = Rig::new();
    let command = schedule("a", "ann");
    let mut script = schedule("b", "ann");
    script.definition.targets = JobTargets {
        tags: Some(TagTargets {
            tags: vec!["x".into()],
            operator: TagOperator::And,
        }),
        ..JobTargets::default()
    };
    script.definition.order = JobOrder {
        command: "id\n".into(),
        interpreter: "bash".into(),
        cwd: "/tmp".into(),
        is_sudo: true,
        is_script: true,
        timeout_sec: 5,
    };
    (script.definition.abort_on_error, script.definition.overlaps) = (Some(false), true);
    for one in [&command, &script] {
        assert!(
            rig.schedules()
                .insert(one.clone(), progress(0))
                .await
                .expect("inserts")
        );
    }
    let file = rig.file();
    let row = |id: &str| -> [String; 7] {
        file.query_row("SELECT * FROM schedules WHERE id = ?1", [id], |row| {
            Ok([0, 1, 2, 3, 4, 5, 6].map(|at| row.get(at).expect("text")))
        })
        .expect("a row")
    };
    assert_eq!(
        row("a"),
        [
            "a",
            "2023-11-14 22:13:20+00:00",
            "ann",
            "name of a",
            "* * * * *",
            "command",
            concat!(
                r#"{"client_ids":["c1"],"group_ids":null,"tags":null,"command":"echo \u003c1\u003e","interpreter":"","#,
                r#""cwd":"","is_sudo":false,"timeout_sec":0,"execute_concurrently":false,"abort_on_error":null,"#,
                r#""overlaps":false}"#
            ),
        ]
    );
    assert_eq!(
        row("b")[5..],
        [
            "script",
            concat!(
                r#"{"client_ids":null,"group_ids":null,"tags":{"tags":["x"],"operator":"AND"},"script":"aWQK","#,
                r#""interpreter":"bash","cwd":"/tmp","is_sudo":true,"timeout_sec":5,"execute_concurrently":false,"#,
                r#""abort_on_error":false,"overlaps":true}"#
            ),
        ]
    );
    for one in [command, script] {
        let found = rig.schedules().find(&one.id).await.expect("reads");
        assert_eq!(found, Some((one, Some(progress(0)))));
    }
}

#[tokio::test]
async fn what_a_go_server_did_is_understood() {
    let rig = Rig::new();
    rig.schedules()
        .insert(schedule("gone", "ann"), progress(0))
        .await
        .expect("inserts");
    rig.schedules()
        .insert(schedule("changed", "ann"), progress(0))
        .await
        .expect("inserts");
    assert_eq!(
        rig.schedules()
            .claim(&"gone".into(), run(60, RunOutcome::Ordered), at(60))
            .await
            .expect("claims"),
        Claim::Yours
    );
    rig.file()
        .execute_batch(
            r#"INSERT INTO schedules VALUES ('go', '2024-05-01 12:00:00.5+02:00', 'admin', 'nightly', '@daily', 'script',
                   '{"client_ids":null,"group_ids":["g"],"tags":null,"script":"aWQK","interpreter":"","cwd":"","is_sudo":false,"timeout_sec":60,"execute_concurrently":true,"abort_on_error":null,"overlaps":false,"new":1}');
               INSERT INTO schedules VALUES ('odd', 'x', 'admin', '', '7 7 7', 'command', 'no JSON');
               UPDATE schedules SET schedule = '@hourly' WHERE id = 'changed';
               DELETE FROM schedules WHERE id = 'gone';"#,
        )
        .expect("valid");
    let rig = rig.reopened().await;
    let mut all = rig.schedules().load().await.expect("reads");
    all.sort_by(|a, b| a.0.id.cmp(&b.0.id));
    let known: Vec<_> = all
        .iter()
        .map(|(one, progress)| (one.id.as_str(), progress.is_some()))
        .collect();
    assert_eq!(known, [("changed", false), ("go", false), ("odd", false)]);
    let go = &all[1].0;
    assert_eq!(
        (
            go.definition.order.command.as_str(),
            go.definition.order.is_script
        ),
        ("id\n", true)
    );
    assert_eq!(go.created_at.to_rfc3339(), "2024-05-01T12:00:00.500+02:00");
    assert_eq!(go.definition.targets.group_ids, ["g".into()]);
    assert_eq!(rig.runs("gone", &[]).await.total, 0, "goes with its schedule");

    let adopted = all.into_iter().map(|(one, _)| (one, progress(7))).collect();
    rig.schedules().adopt(adopted).await.expect("writes");
    let (_, kept) = rig
        .schedules()
        .find(&"go".into())
        .await
        .expect("reads")
        .expect("there");
    assert_eq!(kept, Some(progress(7)));
}

#[tokio::test]
async fn what_go_does_not_know_is_kept_beside() {
    let rig = Rig::new();
    let mut one = schedule("a", "ann");
    rig.schedules()
        .insert(one.clone(), progress(0))
        .await
        .expect("inserts");
    one.created_by = "eve".into();
    one.definition.extras = ScheduleExtras {
        jitter_sec: 30,
        missed: MissedRuns::Once,
        paused: true,
        queue_if_offline: true,
        expires: Some(std::time::Duration::from_millis(90_500)),
        parameters: Some(
            [
                ("HOST".to_owned(), ScheduleParameter::Text("db<1>".into())),
                ("PASS".to_owned(), ScheduleParameter::Vault("root".into())),
            ]
            .into(),
        ),
        max_concurrent: Some(20),
    };
    assert!(
        rig.schedules()
            .replace(one.clone(), progress(9))
            .await
            .expect("writes")
    );
    let rig = rig.reopened().await;
    let found = rig
        .schedules()
        .find(&one.id)
        .await
        .expect("reads")
        .expect("there");
    one.created_by = "ann".into();
    assert_eq!(found, (one, Some(progress(9))), "who created it stays");
    let unknown = rig.schedules().replace(schedule("x", "ann"), progress(0)).await;
    assert!(!unknown.expect("nothing written"));
}

#[tokio::test]
async fn lists_are_filtered_and_show_the_own() {
    let rig = Rig::new();
    for (id, owner, groups) in [
        ("a", "ann", vec!["Web"]),
        ("b", "bob", vec!["web", "db"]),
        ("c", "ann", vec![]),
    ] {
        let mut one = schedule(id, owner);
        one.definition.targets.group_ids = groups.into_iter().map(Into::into).collect();
        one.definition.order.is_script = id == "c";
        rig.schedules().insert(one, progress(0)).await.expect("inserts");
    }
    assert_eq!(rig.ids(None, &[]).await, ["a", "b", "c"]);
    assert_eq!(rig.ids(Some("ann"), &[]).await, ["a", "c"]);
    assert_eq!(
        rig.ids(None, &[("sort", "-created_by"), ("sort", "id")]).await,
        ["b", "a", "c"]
    );
    assert_eq!(rig.ids(None, &[("filter[type]", "script")]).await, ["c"]);
    assert_eq!(rig.ids(None, &[("filter[group_ids]", "web")]).await, ["a", "b"]);
    assert_eq!(rig.ids(Some("bob"), &[("filter[group_ids]", "web")]).await, ["b"]);
    assert_eq!(
        rig.ids(None, &[("filter[group_ids]", "and(web,db)")]).await,
        ["b"]
    );
    assert_eq!(
        rig.ids(None, &[("filter[client_ids|name]", "name of c")]).await,
        ["c"]
    );
    assert_eq!(rig.ids(None, &[("filter[*]", "db")]).await, ["b"]);
    assert_eq!(
        rig.ids(
            None,
            &[
                ("filter[client_ids]", "c1"),
                ("page[limit]", "1"),
                ("page[offset]", "2")
            ]
        )
        .await,
        ["c"]
    );
}

#[tokio::test]
async fn a_due_time_is_somebodys_once_for_all() {
    let rig = Rig::new();
    let id = ScheduleId::from("a");
    rig.schedules()
        .insert(schedule("a", "ann"), progress(0))
        .await
        .expect("inserts");
    let mut claims = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (schedules, id) = (rig.schedules().clone(), id.clone());
        claims.spawn(async move { schedules.claim(&id, run(60, RunOutcome::Ordering), at(60)).await });
    }
    let claims = claims.join_all().await;
    let yours = claims
        .iter()
        .filter(|claim| matches!(claim, Ok(Claim::Yours)))
        .count();
    assert_eq!((yours, claims.len()), (1, 20), "{claims:?}");
    let rig = rig.reopened().await;
    let again = |seconds| {
        rig.schedules()
            .claim(&id, run(seconds, RunOutcome::Ordering), at(seconds))
    };
    assert_eq!(again(60).await.expect("answers"), Claim::Taken);
    assert_eq!(
        again(30).await.expect("answers"),
        Claim::Taken,
        "what is before is over"
    );
    let unknown = ScheduleId::from("x");
    let nobody = rig
        .schedules()
        .claim(&unknown, run(60, RunOutcome::Ordering), at(60));
    assert_eq!(nobody.await.expect("answers"), Claim::Missing);

    let unsettled = rig.schedules().unsettled().await.expect("reads");
    assert_eq!(unsettled, [(id.clone(), run(60, RunOutcome::Ordering))]);
    rig.schedules()
        .settle(&id, at(60), RunOutcome::Ordered, "why")
        .await
        .expect("writes");
    assert_eq!(rig.schedules().unsettled().await.expect("reads"), []);
    assert_eq!(rig.runs("a", &[]).await.items[0].reason, "why");
    let (_, kept) = rig.schedules().find(&id).await.expect("reads").expect("there");
    assert_eq!(kept, Some(progress(60)));
}

#[tokio::test]
async fn runs_are_listed_and_old_ones_forgotten() {
    let rig = Rig::new();
    let id = ScheduleId::from("a");
    rig.schedules()
        .insert(schedule("a", "ann"), progress(0))
        .await
        .expect("inserts");
    for (seconds, outcome) in [
        (60, RunOutcome::Ordering),
        (120, RunOutcome::Skipped),
        (180, RunOutcome::Ordered),
    ] {
        let claim = rig.schedules().claim(&id, run(seconds, outcome), at(seconds));
        assert_eq!(claim.await.expect("claims"), Claim::Yours);
    }
    let asked = ScheduleRun {
        requested_by: Some("bob".into()),
        ..run(150, RunOutcome::Ordered)
    };
    assert_eq!(
        rig.schedules().add_run(&id, asked.clone()).await.expect("adds"),
        Claim::Yours
    );
    assert_eq!(
        rig.schedules()
            .add_run(&id, asked.clone())
            .await
            .expect("answers"),
        Claim::Taken
    );
    assert_eq!(
        rig.schedules()
            .add_run(&"x".into(), asked)
            .await
            .expect("answers"),
        Claim::Missing
    );
    let due = |page: Page<ScheduleRun>| {
        page.items
            .iter()
            .map(|run| (run.due_at - at(0)).num_seconds())
            .collect::<Vec<_>>()
    };
    assert_eq!(due(rig.runs("a", &[]).await), [180, 150, 120, 60]);
    assert_eq!(
        due(rig
            .runs("a", &[("filter[outcome]", "ordered"), ("sort", "due_at")])
            .await),
        [150, 180]
    );
    assert_eq!(
        due(rig
            .runs("a", &[("filter[due_at][gt]", "2023-11-14T22:15:20Z")])
            .await),
        [180, 150]
    );
    assert_eq!(rig.schedules().remove_old_runs(1).await.expect("removes"), 2);
    assert_eq!(
        due(rig.runs("a", &[]).await),
        [180, 60],
        "what is under way is kept"
    );
}

#[tokio::test]
async fn a_schedule_takes_everything_along() {
    let rig = Rig::new();
    for id in ["a", "b"] {
        rig.schedules()
            .insert(schedule(id, "ann"), progress(0))
            .await
            .expect("inserts");
        let of = ScheduleId::from(id);
        let claim = rig.schedules().claim(&of, run(60, RunOutcome::Ordered), at(60));
        claim.await.expect("claims");
        rig.file()
            .execute_batch(&format!(
                "INSERT INTO multi_jobs VALUES ('m{id}', '2024-01-01 00:00:00+00:00', 'ann', '{{}}', '{id}');
                 INSERT INTO jobs VALUES ('j{id}', 'successful', '2024-01-01 00:00:00+00:00', NULL, 'ann', 'c1', 'm{id}', '{{}}');"
            ))
            .expect("valid");
    }
    assert!(rig.schedules().delete(&"a".into()).await.expect("deletes"));
    assert!(!rig.schedules().delete(&"a".into()).await.expect("is gone"));
    for table in [
        "schedules",
        "schedule_extras",
        "schedule_runs",
        "multi_jobs",
        "jobs",
    ] {
        let left: i64 = rig
            .file()
            .query_row(&format!("SELECT COUNT(*) FROM {table}"), [], |row| row.get(0))
            .expect("counts");
        assert_eq!(left, 1, "{table}");
    }
}
