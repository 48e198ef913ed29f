//! Due times while the server is away, and kills at the worst moment.

use rport_domain::JobId;
use rport_store::Claim;

use super::*;

#[tokio::test]
async fn a_restart_repeats_nothing() {
    let rig = Rig::new().await;
    let id = rig.add(&olga(), new("* * * * *")).await;
    rig.pass(60).await;
    let rig = rig.away(0).await;
    rig.pass(10).await;
    let rig = rig.away(5).await;
    rig.pass(10).await;
    assert_eq!(rig.due(&id).await, ["01 10:01:00"]);
    rig.pass(35).await;
    assert_eq!(rig.due(&id).await, ["01 10:01:00", "01 10:02:00"]);
    rig.assert_ordered_once(&id).await;
}

#[tokio::test]
async fn what_came_due_a_moment_ago_is_run_when_agents_had_time_to_return() {
    let rig = Rig::new().await;
    let id = rig.add(&olga(), new("* * * * *")).await;
    let rig = rig.away(65).await;
    rig.pass(4).await;
    assert!(rig.due(&id).await.is_empty());
    rig.pass(1).await;
    assert_eq!(rig.due(&id).await, ["01 10:01:00"]);
    assert_eq!(rig.runs(&id).await[0].handled_at, time("2024-05-01T10:01:10Z"));
    rig.assert_ordered_once(&id).await;
}

#[tokio::test]
async fn longer_absence_is_the_schedules_to_judge() {
    let rig = Rig::new().await;
    let hourly = |missed: &str| NewSchedule {
        missed: missed.into(),
        ..new("0 * * * *")
    };
    let skip = rig.add(&olga(), hourly("skip")).await;
    let once = rig.add(&olga(), hourly("once")).await;
    // 13:30.
    let rig = rig.away(3 * 3600 + 1800).await;
    rig.pass(5).await;
    assert_eq!(rig.due(&skip).await, ["-01 13:00:00"]);
    assert_eq!(
        rig.runs(&skip).await[0].reason,
        "missed: the server did not run, or was too busy; 2 earlier due times were missed since 2024-05-01T11:00:00Z"
    );
    assert_eq!(rig.due(&once).await, ["01 13:00:00"]);
    let rig = rig.away(0).await;
    rig.pass(1795).await;
    assert_eq!(rig.due(&skip).await, ["-01 13:00:00", "01 14:00:00"]);
    assert_eq!(rig.due(&once).await, ["01 13:00:00", "01 14:00:00"]);
    rig.assert_ordered_once(&skip).await;
    rig.assert_ordered_once(&once).await;
}

/// A run as a kill leaves it between writing it down and ordering it.
async fn leave_unsettled(rig: &Rig, id: &ScheduleId, multi: &str) {
    rig.clock.advance(Duration::from_secs(1));
    let due_at = rig.clock.now();
    let run = ScheduleRun {
        due_at,
        handled_at: due_at,
        outcome: RunOutcome::Ordering,
        multi_job_id: Some(multi.into()),
        reason: String::new(),
        requested_by: None,
    };
    let file = store(&rig.directory);
    let claimed = file.schedules().claim(id, run, due_at).await.expect("writes");
    assert_eq!(claimed, Claim::Yours);
    file.close().await;
}

async fn recovered(rig: &Rig, id: &ScheduleId) -> ScheduleRun {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let run = rig.runs(id).await.remove(0);
        if run.outcome != RunOutcome::Ordering {
            return run;
        }
        assert!(tokio::time::Instant::now() < deadline, "never found out");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_kill_before_the_order_is_mended_under_the_same_id() {
    let rig = Rig::new().await;
    let id = rig.add(&olga(), new("0 * * * *")).await;
    leave_unsettled(&rig, &id, "chosen").await;
    let rig = rig.away(10).await;
    let run = recovered(&rig, &id).await;
    assert_eq!(
        (run.outcome, run.multi_job_id),
        (RunOutcome::Ordered, Some(JobId::from("chosen")))
    );
    assert_eq!(rig.multi_jobs(&id), [("chosen".to_owned(), "olga".to_owned())]);
}

#[tokio::test]
async fn a_kill_after_the_order_orders_nothing_more() {
    let rig = Rig::new().await;
    let id = rig.add(&olga(), new("0 * * * *")).await;
    let job = rig.server.schedules().run_now(&olga(), &id).await.expect("runs");
    let before = rig.multi_jobs(&id);
    rusqlite::Connection::open(rig.directory.path().join("jobs.db"))
        .expect("opens")
        .execute("UPDATE schedule_runs SET outcome = 'ordering'", [])
        .expect("changes");
    let rig = rig.away(10).await;
    let run = recovered(&rig, &id).await;
    assert_eq!((run.outcome, run.multi_job_id), (RunOutcome::Ordered, Some(job)));
    assert_eq!(rig.multi_jobs(&id), before);
}

#[tokio::test]
async fn a_kill_long_ago_is_left_out_and_said() {
    let rig = Rig::new().await;
    let id = rig.add(&olga(), new("0 0 * * *")).await;
    leave_unsettled(&rig, &id, "chosen").await;
    let rig = rig.away(600).await;
    let run = recovered(&rig, &id).await;
    assert_eq!(run.outcome, RunOutcome::Skipped);
    assert_eq!(
        run.reason,
        "the server was killed before it was ordered, and came back too late"
    );
    assert!(rig.multi_jobs(&id).is_empty());
}

#[tokio::test]
async fn schedules_of_a_go_server_begin_now() {
    let rig = Rig::new().await;
    rusqlite::Connection::open(rig.directory.path().join("jobs.db"))
        .expect("opens")
        .execute_batch(
            r#"INSERT INTO schedules VALUES ('go', '2020-01-01 00:00:00+00:00', 'admin', 'n', '@every 1m', 'command',
                   '{"client_ids":["open"],"group_ids":null,"tags":null,"command":"id","interpreter":"","cwd":"","is_sudo":false,"timeout_sec":0,"execute_concurrently":false,"abort_on_error":null,"overlaps":false}');
               INSERT INTO schedules VALUES ('odd', '2020-01-01 00:00:00+00:00', 'admin', 'n', '0 0 31 2 *', 'command', '{}');"#,
        )
        .expect("writes");
    let rig = rig.away(30).await;
    rig.pass(60).await;
    assert_eq!(rig.due(&"go".into()).await, ["01 10:01:30"]);
    assert!(rig.due(&"odd".into()).await.is_empty());
    let view = rig
        .server
        .schedules()
        .get(&admin(), &"odd".into())
        .await
        .expect("is shown");
    assert!(view.next_runs.is_empty());
}
