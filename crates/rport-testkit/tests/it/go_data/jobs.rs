//! What a Go server ran, planned and locked away.

use rport_testkit::api::Api;
use serde_json::{Value, json};

use super::fixture::{Fixture, Users};

/// The password of the recorded vaults.
const VAULT: &str = "vault-pass-1";

/// Jobs, multi-jobs and schedules are shown as the Go server showed them.
pub(super) async fn jobs_and_schedules_are_all_there(users: Users) -> anyhow::Result<()> {
    let fixture = Fixture::start(users).await?;
    let (admin, facts) = (fixture.admin(), &fixture.facts);
    for (id, recorded) in facts["jobs"].as_object().expect("jobs by id") {
        let path = format!("/clients/go-agent/commands/{id}");
        assert_eq!(admin.get(&path).await?.data()?, recorded["data"], "{id}");
    }
    // One of the schedules fires every three seconds and goes on doing so, so there may be more by now.
    contains_all(&admin, facts, "/clients/go-agent/commands").await?;
    contains_all(&admin, facts, "/commands").await?;

    let listed = admin.get("/schedules").await?.data()?;
    let listed = listed["data"].as_array().expect("a list in a list").clone();
    let recorded = facts["/schedules"]["data"]["data"].as_array().expect("a list");
    assert_eq!(listed.len(), recorded.len());
    for recorded in recorded {
        let ours = listed
            .iter()
            .find(|ours| ours["id"] == recorded["id"])
            .expect("the schedule");
        for (name, value) in recorded.as_object().expect("an object") {
            let fires = recorded["schedule"] == "@every 3s" && name == "last_execution";
            assert!(
                fires || ours[name] == *value,
                "{name}: {} instead of {value}",
                ours[name]
            );
        }
    }
    Ok(())
}

/// Whether a list of ours holds every recorded item, with the recorded members.
async fn contains_all(api: &Api, facts: &Value, path: &str) -> anyhow::Result<()> {
    let ours = api.get(&format!("{path}?page[limit]=1000")).await?.data()?;
    for recorded in facts[path]["data"].as_array().expect("a list") {
        let same = |ours: &Value| ours["jid"] == recorded["jid"];
        let item = ours
            .as_array()
            .expect("a list")
            .iter()
            .find(|ours| same(ours))
            .expect("the job");
        for (name, value) in recorded.as_object().expect("an object") {
            assert_eq!(item[name], *value, "{path}: {name} of {}", recorded["jid"]);
        }
    }
    Ok(())
}

/// The library and the vault open and hold what they held; what we add to the vault stands beside it.
pub(super) async fn library_and_vault_are_all_there(users: Users) -> anyhow::Result<()> {
    let fixture = Fixture::start(users).await?;
    let (admin, facts) = (fixture.admin(), &fixture.facts);
    for path in ["/library/commands", "/library/scripts"] {
        let ours = admin.get(path).await?.data()?;
        super::same_items(&ours, &facts[path]["data"], "id");
    }

    let state = admin.get("/vault-admin").await?.data()?;
    assert_eq!(state, json!({ "init": "setup-completed", "status": "locked" }));
    assert_eq!(admin.get("/vault/1").await?.status, 409, "it is locked");
    let wrong = admin
        .post_json("/vault-admin/sesame", &json!({ "password": "wrong" }))
        .await?;
    assert_eq!(wrong.status, 401, "{wrong:?}");
    let open = admin
        .post_json("/vault-admin/sesame", &json!({ "password": VAULT }))
        .await?;
    assert_eq!(open.status, 201, "{open:?}");
    for path in ["/vault/1", "/vault/2"] {
        assert_eq!(admin.get(path).await?.data()?, facts[path]["data"], "{path}");
    }
    let value = json!({ "key": "ours", "value": "new", "type": "text" });
    assert_eq!(admin.post_json("/vault", &value).await?.status, 201);
    let listed = admin.get("/vault").await?.data()?;
    assert_eq!(listed.as_array().map(Vec::len), Some(3), "{listed}");
    Ok(())
}
