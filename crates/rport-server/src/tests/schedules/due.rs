//! Due times while the server runs.

use super::*;

#[tokio::test]
async fn what_is_due_is_ordered_once() {
    let rig = Rig::new().await;
    rig.server.schedules().wait_twice(&rig.tasks);
    let id = rig.add(&olga(), new("* * * * *")).await;
    rig.pass(59).await;
    assert!(rig.due(&id).await.is_empty());
    rig.pass(1).await;
    for _ in 0..50 {
        rig.settle().await;
    }
    assert_eq!(rig.due(&id).await, ["01 10:01:00"]);
    rig.pass(60).await;
    assert_eq!(rig.due(&id).await, ["01 10:01:00", "01 10:02:00"]);
    rig.assert_ordered_once(&id).await;
    let by: Vec<_> = rig.multi_jobs(&id).into_iter().map(|(_, by)| by).collect();
    assert_eq!(by, ["olga", "olga"]);
    let view = rig.server.schedules().get(&olga(), &id).await.expect("there");
    let last = view.last_execution.expect("has run");
    assert_eq!(
        (last.client_count, last.started_at.to_utc()),
        (1, time("2024-05-01T10:02:00Z"))
    );
}

#[tokio::test]
async fn clocks_that_change_neither_drop_nor_double_a_run() {
    for (start, expected) in [
        ("2024-03-30T12:00:00Z", ["31 01:00:00", "01 00:30:00"]),
        ("2024-10-26T12:00:00Z", ["27 00:30:00", "28 01:30:00"]),
    ] {
        let rig = Rig::at(start).await;
        let nightly = rig.add(&olga(), new("CRON_TZ=Europe/Berlin 30 2 * * *")).await;
        let hourly = rig.add(&olga(), new("CRON_TZ=Europe/Berlin 0 * * * *")).await;
        rig.pass_in_steps(38 * 2, 1800).await;
        assert_eq!(rig.due(&nightly).await, expected, "from {start}");
        assert_eq!(rig.due(&hourly).await.len(), 38, "an hour is an hour");
        rig.assert_ordered_once(&nightly).await;
        rig.assert_ordered_once(&hourly).await;
    }
}

#[tokio::test]
async fn a_run_waits_for_the_one_before_unless_they_may_overlap() {
    let rig = Rig::new().await;
    // Its client never connects, so the job waits.
    let waiting = NewSchedule {
        queue_if_offline: true,
        expires: "90s".into(),
        ..new("* * * * *")
    };
    let single = rig.add(&olga(), waiting.clone()).await;
    let overlapping = NewSchedule {
        overlaps: true,
        ..waiting
    };
    let overlapping = rig.add(&olga(), overlapping).await;
    rig.pass(60).await;
    rig.pass(60).await;
    assert_eq!(rig.due(&single).await, ["01 10:01:00", "-01 10:02:00"]);
    assert_eq!(
        rig.runs(&single).await[1].reason,
        "a job of the last run is unfinished"
    );
    assert_eq!(rig.due(&overlapping).await, ["01 10:01:00", "01 10:02:00"]);
    rig.assert_ordered_once(&single).await;

    let conflict = rig.server.schedules().run_now(&olga(), &single).await;
    assert_eq!(conflict.expect_err("not yet").kind, rport_domain::Kind::Conflict);
}

#[tokio::test]
async fn jitter_delays_a_run_by_as_much_as_it_may() {
    let rig = Rig::new().await;
    let late = NewSchedule {
        jitter_sec: 30,
        ..new("0 * * * *")
    };
    let mut ids = Vec::new();
    for _ in 0..8 {
        ids.push(rig.add(&olga(), late.clone()).await);
    }
    rig.pass(3599).await;
    rig.pass_in_steps(32, 1).await;
    let mut delays = Vec::new();
    for id in &ids {
        let runs = rig.runs(id).await;
        assert_eq!(rig.due(id).await, ["01 11:00:00"]);
        let delay = (runs[0].handled_at - runs[0].due_at).num_seconds();
        assert!((0..=31).contains(&delay), "{delay}");
        delays.push(delay);
        rig.assert_ordered_once(id).await;
    }
    delays.dedup();
    assert!(delays.len() > 2, "not all at once: {delays:?}");
}

#[tokio::test]
async fn a_schedule_that_rests_makes_nothing_up() {
    let rig = Rig::new().await;
    let resting = NewSchedule {
        paused: true,
        missed: "once".into(),
        ..new("* * * * *")
    };
    let view = rig.view(&olga(), resting.clone()).await;
    assert!(view.next_runs.is_empty());
    let id = view.schedule.id;
    rig.pass(300).await;
    assert!(rig.due(&id).await.is_empty());

    let job = rig
        .server
        .schedules()
        .run_now(&olga(), &id)
        .await
        .expect("runs all the same");
    let awake = NewSchedule {
        paused: false,
        ..resting
    };
    let view = rig
        .server
        .schedules()
        .replace(&olga(), &id, awake)
        .await
        .expect("wakes");
    assert_eq!(view.next_runs[0].to_utc(), time("2024-05-01T10:06:00Z"));
    rig.pass(60).await;
    assert_eq!(rig.due(&id).await, ["01 10:05:00", "01 10:06:00"]);
    let asked = &rig.runs(&id).await[0];
    assert_eq!(asked.requested_by, Some("olga".into()));
    assert_eq!(asked.multi_job_id, Some(job));
    rig.assert_ordered_once(&id).await;
}

#[tokio::test]
async fn a_change_counts_from_now_on() {
    let rig = Rig::new().await;
    let id = rig.add(&olga(), new("@every 10m")).await;
    rig.pass(540).await;
    let schedules = rig.server.schedules();
    let renamed = NewSchedule {
        name: "other".into(),
        ..new("@every 10m")
    };
    schedules.replace(&olga(), &id, renamed).await.expect("changes");
    rig.pass(60).await;
    assert_eq!(
        rig.due(&id).await,
        ["01 10:10:00"],
        "another name changes nothing"
    );
    rig.pass(60).await;
    schedules
        .replace(&olga(), &id, new("@every 5m"))
        .await
        .expect("changes");
    rig.pass(299).await;
    assert_eq!(rig.due(&id).await.len(), 1);
    rig.pass(1).await;
    assert_eq!(rig.due(&id).await, ["01 10:10:00", "01 10:16:00"]);
    schedules.delete(&olga(), &id).await.expect("deletes");
    rig.pass(3600).await;
    assert!(rig.multi_jobs(&id).is_empty(), "they went with it");
}

#[tokio::test]
async fn a_server_that_was_asleep_makes_one_of_many() {
    let rig = Rig::new().await;
    let skip = rig.add(&olga(), new("* * * * *")).await;
    let once = NewSchedule {
        missed: "once".into(),
        ..new("*/5 * * * *")
    };
    let once = rig.add(&olga(), once).await;
    // 10:13:30: the last minute's run is not late, those before it are.
    rig.pass(13 * 60 + 30).await;
    assert_eq!(rig.due(&skip).await, ["01 10:13:00"]);
    assert_eq!(
        rig.runs(&skip).await[0].reason,
        "12 earlier due times were missed since 2024-05-01T10:01:00Z"
    );
    assert_eq!(rig.due(&once).await, ["01 10:10:00"]);
    assert_eq!(
        rig.runs(&once).await[0].reason,
        "an earlier due time was missed: 2024-05-01T10:05:00Z"
    );
}
