//! Schedules on a clock that the test moves: what comes due is done once, whatever happens in between.

mod due;
mod load;
mod restart;
mod rights;

use chrono::TimeDelta;
use rport_domain::{
    ClientDetails, ClientRecord, JobTargets, NewSchedule, RunOutcome, SCHEDULE_RUN_LIST, ScheduleId,
    ScheduleRun,
};
use serde_json::json;

use super::*;
use crate::ScheduleView;
use crate::audit::AuditOptions;

/// A server whose time is the test's, in a directory that outlives it.
struct Rig {
    server: Server,
    clock: Clock,
    tasks: Tasks,
    directory: TempDir,
}

/// An administrator, and olga, who may access the client `open`.
fn users(names: &[(&str, &[&str])]) -> String {
    let user = |(name, groups): &(&str, &[&str])| {
        let parts = bcrypt::hash_with_result(name, 4).expect("hashes");
        let hash = parts.format_for_version(bcrypt::Version::TwoY);
        json!({ "username": name, "password": hash, "groups": groups })
    };
    json!(names.iter().map(user).collect::<Vec<_>>()).to_string()
}

const ADMIN: (&str, &[&str]) = ("admin", &["Administrators"]);
const OLGA: (&str, &[&str]) = ("olga", &["ops"]);

fn olga() -> Actor {
    Actor::new(
        "olga".into(),
        &["ops".to_owned()],
        Permissions::all(),
        IpAddr::from([127, 0, 0, 1]),
    )
}

fn time(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).expect("test data").to_utc()
}

fn store(directory: &TempDir) -> Store {
    let options = StoreOptions {
        data_dir: directory.path().to_owned(),
        wal: true,
    };
    Store::open(&options).expect("the store opens")
}

fn record(id: &str, groups: &[&str]) -> ClientRecord {
    ClientRecord {
        id: id.into(),
        client_auth_id: "rport".into(),
        disconnected_at: Some(start_time().fixed_offset()),
        details: ClientDetails {
            name: format!("name of {id}"),
            allowed_user_groups: Some(groups.iter().map(ToString::to_string).collect()),
            ..ClientDetails::default()
        },
    }
}

/// A command on the client `open`.
fn new(schedule: &str) -> NewSchedule {
    NewSchedule {
        name: "a schedule".into(),
        schedule: schedule.into(),
        kind: "command".into(),
        command: "id".into(),
        targets: JobTargets {
            client_ids: vec!["open".into()],
            ..JobTargets::default()
        },
        ..NewSchedule::default()
    }
}

impl Rig {
    async fn new() -> Self {
        Self::at("2024-05-01T10:00:00Z").await
    }

    async fn at(now: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join("users.json"), users(&[ADMIN, OLGA])).expect("writes");
        let store = store(&directory);
        for client in [record("open", &["ops"]), record("shut", &[])] {
            store.clients().save(&client).await.expect("saves");
        }
        store.close().await;
        Self::start(directory, time(now)).await
    }

    async fn start(directory: TempDir, now: DateTime<Utc>) -> Self {
        Self::with_clock(directory, Clock::manual(now)).await
    }

    async fn with_clock(directory: TempDir, clock: Clock) -> Self {
        let tasks = Tasks::new();
        let parts = Parts {
            store: store(&directory),
            host_key: HostKey::from_seed("test").expect("a key"),
            clock: clock.clone(),
            tasks: tasks.clone(),
        };
        let options = Options {
            users: Some(UserSource::File(directory.path().join("users.json")).into()),
            audit: AuditOptions::default(),
            ..options()
        };
        let server = Server::start(options, parts).await.expect("starts");
        Self {
            server,
            clock,
            tasks,
            directory,
        }
    }

    /// Stops in order and starts again so much later.
    async fn away(self, seconds: i64) -> Self {
        let now = self.clock.now() + TimeDelta::seconds(seconds);
        self.server.stop(PATIENCE).await;
        assert_eq!(self.tasks.count(), 0, "{:?}", self.tasks.counts());
        Self::start(self.directory, now).await
    }

    async fn add(&self, actor: &Actor, new: NewSchedule) -> ScheduleId {
        self.view(actor, new).await.schedule.id
    }

    async fn view(&self, actor: &Actor, new: NewSchedule) -> ScheduleView {
        self.server.schedules().add(actor, new).await.expect("adds")
    }

    /// Lets time pass, and waits until everything that came due has been dealt with.
    async fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
        self.settle().await;
    }

    /// The same in steps, as a clock would.
    async fn pass_in_steps(&self, steps: u64, seconds: u64) {
        for _ in 0..steps {
            self.pass(seconds).await;
        }
    }

    async fn settle(&self) {
        let schedules = self.server.schedules();
        // Twice, so that a look that began before the clock moved does not count.
        for _ in 0..2 {
            eventually("nothing is left to do", || schedules.is_idle()).await;
        }
    }

    /// All runs of a schedule, the oldest first.
    async fn runs(&self, id: &ScheduleId) -> Vec<ScheduleRun> {
        let query = [("sort", "due_at"), ("page[limit]", "100")];
        let query = ListQuery::parse(&query, &SCHEDULE_RUN_LIST).expect("valid");
        let page = self.server.schedules().executions(&admin(), id, &query).await;
        page.expect("lists")
            .items
            .into_iter()
            .map(|(run, _)| run)
            .collect()
    }

    /// When its runs were due, with a minus in front of those that were left out.
    async fn due(&self, id: &ScheduleId) -> Vec<String> {
        let runs = self.runs(id).await;
        let word = |run: &ScheduleRun| {
            let mark = match run.outcome {
                RunOutcome::Ordered => "",
                RunOutcome::Skipped => "-",
                RunOutcome::Ordering => "?",
            };
            format!("{mark}{}", run.due_at.format("%d %H:%M:%S"))
        };
        runs.iter().map(word).collect()
    }

    /// The multi-jobs of a schedule: their ids and who ordered them, the oldest first.
    fn multi_jobs(&self, id: &ScheduleId) -> Vec<(String, String)> {
        let file = rusqlite::Connection::open(self.directory.path().join("jobs.db")).expect("opens");
        let mut query = file
            .prepare("SELECT jid, created_by FROM multi_jobs WHERE schedule_id = ?1 ORDER BY started_at")
            .expect("valid");
        let rows = query.query_map([id.as_str()], |row| Ok((row.get(0)?, row.get(1)?)));
        rows.expect("runs").collect::<Result<_, _>>().expect("reads")
    }

    /// Every run that was ordered has its multi-job, and there is none besides.
    async fn assert_ordered_once(&self, id: &ScheduleId) {
        let runs = self.runs(id).await;
        let mut chosen: Vec<String> = runs
            .iter()
            .filter(|run| run.outcome == RunOutcome::Ordered)
            .map(|run| run.multi_job_id.as_ref().expect("chosen").to_string())
            .collect();
        let mut ordered: Vec<String> = self.multi_jobs(id).into_iter().map(|(id, _)| id).collect();
        chosen.sort();
        ordered.sort();
        assert_eq!(chosen, ordered);
    }
}
