//! Very many schedules that are due at the same moment.

use rport_domain::{JobOrder, Schedule, ScheduleDefinition};
use rport_store::ScheduleProgress;

use super::*;

const MANY: usize = 2000;
const MANY_ROWS: i64 = 2000;

/// A server with very many schedules, all due each minute.
async fn full(clock: Clock) -> (Rig, Vec<ScheduleId>) {
    let rig = Rig::new().await;
    rig.server.stop(PATIENCE).await;
    let file = store(&rig.directory);
    let now = clock.now();
    let mut ids = Vec::new();
    let mut writes = tokio::task::JoinSet::new();
    for number in 0..MANY {
        let schedule = Schedule {
            id: format!("s{number}").into(),
            created_at: now.fixed_offset(),
            created_by: "olga".into(),
            definition: ScheduleDefinition {
                schedule: "* * * * *".into(),
                targets: JobTargets {
                    client_ids: vec!["open".into()],
                    ..JobTargets::default()
                },
                order: JobOrder {
                    command: "id".into(),
                    ..JobOrder::default()
                },
                ..ScheduleDefinition::default()
            },
        };
        ids.push(schedule.id.clone());
        let schedules = file.schedules().clone();
        let progress = ScheduleProgress {
            since: now,
            done_until: now,
        };
        writes.spawn(async move { schedules.insert(schedule, progress).await });
    }
    for written in writes.join_all().await {
        assert!(written.expect("writes"));
    }
    file.close().await;
    (Rig::with_clock(rig.directory, clock).await, ids)
}

#[tokio::test]
async fn all_of_very_many_run_exactly_once() {
    let (rig, ids) = full(Clock::manual(start_time())).await;
    rig.pass(60).await;
    let file = rusqlite::Connection::open(rig.directory.path().join("jobs.db")).expect("opens");
    let count = |sql: &str| -> i64 { file.query_row(sql, [], |row| row.get(0)).expect("counts") };
    assert_eq!(
        count("SELECT COUNT(*) FROM schedule_runs WHERE outcome = 'ordered'"),
        MANY_ROWS
    );
    assert_eq!(count("SELECT COUNT(*) FROM schedule_runs"), MANY_ROWS);
    assert_eq!(
        count("SELECT COUNT(DISTINCT schedule_id) FROM multi_jobs"),
        MANY_ROWS
    );
    assert_eq!(count("SELECT COUNT(*) FROM multi_jobs"), MANY_ROWS);
    rig.assert_ordered_once(&ids[MANY / 2]).await;
}

/// Not a test of correctness: says how late the last of very many is ordered, on the clock of the machine.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures: takes a minute, and means something only in a release build, alone on the machine"]
async fn how_late_the_last_of_very_many_is() {
    let (rig, _) = full(Clock::system()).await;
    let done = || {
        let file = rusqlite::Connection::open(rig.directory.path().join("jobs.db")).expect("opens");
        let sql = "SELECT COUNT(*) FROM schedule_runs WHERE outcome = 'ordered'";
        file.query_row(sql, [], |row| row.get::<_, i64>(0))
            .expect("counts")
    };
    let waiting = async {
        while done() < MANY_ROWS {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(90), waiting)
        .await
        .expect("all run");
    let now = rig.clock.now();
    let due = DateTime::from_timestamp(now.timestamp() / 60 * 60, 0).expect("in range");
    rig.server.stop(PATIENCE).await;
    let mut delays: Vec<i64> = Vec::new();
    let file = rusqlite::Connection::open(rig.directory.path().join("jobs.db")).expect("opens");
    let mut query = file.prepare("SELECT started_at FROM multi_jobs").expect("valid");
    let rows = query.query_map([], |row| row.get::<_, String>(0)).expect("runs");
    for row in rows {
        let text = row.expect("reads").replacen(' ', "T", 1);
        delays.push((time(&text) - due).num_milliseconds());
    }
    delays.sort_unstable();
    assert!(
        delays[MANY - 1] < 1000,
        "p50 {} p99 {} max {} ms",
        delays[MANY / 2],
        delays[MANY * 99 / 100],
        delays[MANY - 1]
    );
}
