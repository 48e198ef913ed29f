//! Runs act as whoever made the schedule, with the rights of the moment.

use rport_domain::{ClientId, Kind, SCHEDULE_LIST};

use super::*;

impl Rig {
    fn set_users(&self, names: &[(&str, &[&str])]) {
        std::fs::write(self.directory.path().join("users.json"), users(names)).expect("writes");
        self.server.reload_users().expect("reads");
    }

    async fn last_reason(&self, id: &ScheduleId) -> String {
        let last = self.runs(id).await.pop().expect("has run");
        assert_eq!(last.outcome, RunOutcome::Skipped);
        last.reason
    }
}

#[tokio::test]
async fn runs_without_a_right_are_left_out_and_say_why() {
    let rig = Rig::new().await;
    let id = rig.add(&olga(), new("* * * * *")).await;
    rig.set_users(&[ADMIN]);
    rig.pass(60).await;
    assert_eq!(rig.last_reason(&id).await, "there is no user \"olga\" any more");
    let refused = rig.server.schedules().run_now(&admin(), &id).await;
    assert_eq!(refused.expect_err("as olga").kind, Kind::Forbidden);

    rig.set_users(&[ADMIN, ("olga", &["others"])]);
    rig.pass(60).await;
    assert_eq!(
        rig.last_reason(&id).await,
        "Access denied to client(s) with ID(s): open"
    );

    rig.set_users(&[ADMIN, OLGA]);
    rig.pass(60).await;
    assert_eq!(
        rig.due(&id).await,
        ["-01 10:01:00", "-01 10:02:00", "01 10:03:00"]
    );

    rig.server
        .clients()
        .delete(&admin(), &ClientId::new("open"))
        .await
        .expect("deletes");
    rig.pass(60).await;
    assert_eq!(rig.last_reason(&id).await, "Client with id=\"open\" not found.");
    rig.assert_ordered_once(&id).await;
}

#[tokio::test]
async fn others_neither_see_nor_touch_a_schedule() {
    let rig = Rig::new().await;
    let schedules = rig.server.schedules();
    let of_admin = rig.add(&admin(), new("* * * * *")).await;
    let of_olga = rig.add(&olga(), new("* * * * *")).await;
    let list = async |actor: &Actor| {
        let query = ListQuery::parse::<&str, &str>(&[], &SCHEDULE_LIST).expect("valid");
        let page = schedules.list(actor, &query).await.expect("lists");
        page.items
            .into_iter()
            .map(|view| view.schedule.id)
            .collect::<Vec<_>>()
    };
    assert_eq!(list(&olga()).await, std::slice::from_ref(&of_olga));
    assert_eq!(list(&admin()).await, [of_admin.clone(), of_olga.clone()]);
    let forbidden = |error: rport_domain::Error| {
        assert_eq!((error.kind, error.title.as_str()), (Kind::Forbidden, "forbidden"))
    };
    forbidden(
        schedules
            .get(&olga(), &of_admin)
            .await
            .expect_err("hers is another"),
    );
    forbidden(
        schedules
            .replace(&olga(), &of_admin, new("@daily"))
            .await
            .expect_err("hers is another"),
    );
    forbidden(
        schedules
            .delete(&olga(), &of_admin)
            .await
            .expect_err("hers is another"),
    );
    forbidden(
        schedules
            .run_now(&olga(), &of_admin)
            .await
            .expect_err("hers is another"),
    );
    schedules
        .replace(&admin(), &of_olga, new("@daily"))
        .await
        .expect("administrators may");

    let nobody = Actor::new(
        "olga".into(),
        &["ops".to_owned()],
        Permissions::NONE,
        IpAddr::from([127, 0, 0, 1]),
    );
    let error = schedules.get(&nobody, &of_olga).await.expect_err("no permission");
    assert_eq!(error.title, "user does not have \"scheduler\" permission");
    let only_scheduler = Actor {
        permissions: [rport_domain::Permission::Scheduler].into_iter().collect(),
        ..nobody
    };
    let error = schedules
        .add(&only_scheduler, new("@daily"))
        .await
        .expect_err("nothing to run");
    assert_eq!(error.title, "user does not have \"commands\" permission");
    let error = schedules
        .run_now(&only_scheduler, &of_olga)
        .await
        .expect_err("nothing to run");
    assert_eq!(error.title, "user does not have \"commands\" permission");
}

#[tokio::test]
async fn what_is_stored_is_audited_for_each_client() {
    let rig = Rig::new().await;
    let mut both = new("@daily");
    both.targets.client_ids.push("shut".into());
    let id = rig.add(&admin(), both.clone()).await;
    let schedules = rig.server.schedules();
    schedules
        .replace(&admin(), &id, new("@hourly"))
        .await
        .expect("changes");
    schedules.delete(&admin(), &id).await.expect("deletes");
    rig.server.stop(PATIENCE).await;
    let file = rusqlite::Connection::open(rig.directory.path().join("auditlog.db")).expect("opens");
    let mut query = file
        .prepare(
            "SELECT action || ' ' || client_id || ' ' || username FROM auditlog
             WHERE application = 'schedule' AND affected_id = ?1 ORDER BY rowid",
        )
        .expect("valid");
    let rows = query.query_map([id.as_str()], |row| row.get(0)).expect("runs");
    let mut rows: Vec<String> = rows.collect::<Result<_, _>>().expect("reads");
    rows[..2].sort();
    assert_eq!(
        rows,
        [
            "create open admin",
            "create shut admin",
            "update open admin",
            "delete  admin"
        ]
    );
}

#[tokio::test]
async fn schedules_go_with_a_new_name_and_rest_when_their_user_goes() {
    let rig = Rig::new().await;
    let users = rig.server.users().expect("the API is on");
    let id = rig.add(&olga(), new("* * * * *")).await;
    let rename = crate::UserUpdate {
        name: Some("olga2".into()),
        ..crate::UserUpdate::default()
    };
    users
        .update(&admin(), &"olga".into(), rename)
        .await
        .expect("renames");
    rig.pass(60).await;
    assert_eq!(rig.due(&id).await, ["01 10:01:00"]);
    let by: Vec<_> = rig.multi_jobs(&id).into_iter().map(|(_, by)| by).collect();
    assert_eq!(by, ["olga2"]);

    users.delete(&admin(), &"olga2".into()).await.expect("deletes");
    let namesake = crate::NewUser {
        name: "olga2".into(),
        password: "Obelisk-Kaktus-77-Tau".into(),
        groups: vec!["ops".into()],
        ..crate::NewUser::default()
    };
    users.add(&admin(), namesake).await.expect("adds");
    rig.pass(120).await;
    let rig = rig.away(120).await;
    rig.pass(120).await;
    assert_eq!(
        rig.due(&id).await,
        ["01 10:01:00"],
        "nothing runs for another olga2"
    );
    let view = rig.server.schedules().get(&admin(), &id).await.expect("there");
    assert!(view.schedule.definition.extras.paused);
    assert_eq!(view.schedule.created_by, "olga2".into());
}
