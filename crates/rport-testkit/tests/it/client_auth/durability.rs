//! What was answered stays, whatever happens next.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    time::Duration,
};

use rport_testkit::eventually;
use rustix::process::Signal;
use serde_json::json;
use tokio::task::JoinSet;

use super::{
    for_each_source,
    rig::{Rig, SOON, Source, Stored, assert_refused, quiet},
};

for_each_source!(
    what_was_answered_survives_a_kill,
    fifty_at_once_are_all_kept,
    the_same_id_fifty_times_at_once_is_added_once,
);

async fn what_was_answered_survives_a_kill(source: Source) -> anyhow::Result<()> {
    let mut rig = Rig::start_with(source, &[("doomed", "password-of-doomed")], quiet()).await?;
    let answer = rig
        .api
        .post_json(
            "/clients-auth",
            &json!({ "id": "added", "password": "first-password", "comment": "rack 7" }),
        )
        .await?;
    rig.server.child.kill().await?;
    assert_eq!(answer.status, 201, "{answer:?}");
    rig.server.restart().await?;
    assert!(rig.admits("added", "first-password").await?);
    assert_eq!(rig.get("added").await?["comment"], "rack 7");

    let change =
        json!({ "password": "second-password", "grace_seconds": 3600, "expires_at": "2099-01-01T00:00:00Z" });
    let answer = rig.change("added", &change).await?;
    rig.server.child.kill().await?;
    assert!((200..300).contains(&answer.status), "{answer:?}");
    rig.server.restart().await?;
    assert!(rig.admits("added", "second-password").await?);
    assert!(
        rig.admits("added", "first-password").await?,
        "the grace period was forgotten"
    );
    assert_eq!(rig.get("added").await?["expires_at"], "2099-01-01T00:00:00Z");

    let answer = rig.change("added", &json!({ "disabled": true })).await?;
    rig.server.child.kill().await?;
    assert!((200..300).contains(&answer.status), "{answer:?}");
    rig.server.restart().await?;
    assert!(
        !rig.admits("added", "second-password").await?,
        "it is enabled again"
    );

    let answer = rig.delete("doomed", true).await?;
    rig.server.child.kill().await?;
    assert_eq!(answer.status, 204, "{answer:?}");
    rig.server.restart().await?;
    assert!(!rig.admits("doomed", "password-of-doomed").await?);
    assert_eq!(rig.ids("").await?, ["added"]);
    Ok(())
}

async fn fifty_at_once_are_all_kept(source: Source) -> anyhow::Result<()> {
    let mut rig = Rig::start_with(source, &[("there", "already there")], quiet()).await?;
    let mut calls = JoinSet::new();
    for n in 0..50 {
        let api = rig.api.clone();
        let new = json!({ "id": format!("parallel-{n:02}"), "password": format!("password-{n}") });
        calls.spawn(async move { api.post_json("/clients-auth", &new).await });
    }
    while let Some(answer) = calls.join_next().await {
        let answer = answer??;
        assert_eq!(answer.status, 201, "{answer:?}");
    }
    assert_eq!(rig.stored.pairs()?.len(), 51);
    rig.kill_and_restart().await?;
    assert_eq!(rig.api.get("/clients-auth").await?.body["meta"]["count"], 51);
    assert!(rig.admits("parallel-49", "password-49").await?);
    Ok(())
}

async fn the_same_id_fifty_times_at_once_is_added_once(source: Source) -> anyhow::Result<()> {
    let rig = Rig::start_with(source, &[], quiet()).await?;
    let mut calls = JoinSet::new();
    for n in 0..50 {
        let api = rig.api.clone();
        let new = json!({ "id": "contested", "password": format!("password-{n}") });
        calls.spawn(async move { anyhow::Ok((n, api.post_json("/clients-auth", &new).await?)) });
    }
    let mut winners = Vec::new();
    while let Some(answer) = calls.join_next().await {
        let (n, answer) = answer??;
        match answer.status {
            201 => winners.push(n),
            _ => assert_refused(&answer, 409, "ERR_CODE_ALREADY_EXIST"),
        }
    }
    assert_eq!(winners.len(), 1, "{winners:?}");
    assert!(
        rig.admits("contested", &format!("password-{}", winners[0]))
            .await?
    );
    Ok(())
}

/// Killed at any moment of a write, the server leaves a whole file with everything it ever confirmed.
#[tokio::test]
async fn a_kill_in_the_middle_of_writing_leaves_old_or_new() -> anyhow::Result<()> {
    let mut rig = Rig::start_with(Source::File, &[], quiet()).await?;
    let mut confirmed = BTreeMap::new();
    for round in 0..12_u64 {
        let api = rig.api.clone();
        let mut writer = JoinSet::new();
        writer.spawn(async move {
            let mut done = Vec::new();
            for n in 0.. {
                let (id, password) = (format!("round-{round}-{n}"), format!("password-{round}-{n}"));
                let new = json!({ "id": id, "password": password });
                match api.post_json("/clients-auth", &new).await {
                    Ok(answer) if answer.status == 201 => done.push((id, password)),
                    _ => break,
                }
            }
            done
        });
        // Not a wait for a state: the kill shall hit at moments that nothing in the program marks.
        tokio::time::sleep(Duration::from_millis(60 + round * 17)).await;
        rig.server.child.kill().await?;
        confirmed.extend(writer.join_all().await.into_iter().flatten());
        let stored = rig.stored.pairs()?;
        for (id, password) in &confirmed {
            assert_eq!(stored.get(id), Some(password), "round {round}");
        }
        rig.server.restart().await?;
    }
    assert!(
        confirmed.len() > 12,
        "only {} writes were confirmed",
        confirmed.len()
    );
    Ok(())
}

#[tokio::test]
async fn writes_keep_mode_and_owner_and_leave_nothing_behind() -> anyhow::Result<()> {
    let rig = Rig::start(Source::File).await?;
    let Stored::File(path) = &rig.stored else {
        panic!("a file");
    };
    let owner = if rport_testkit::process::is_root() {
        12_345
    } else {
        fs::metadata(path)?.uid()
    };
    for mode in [0o640, 0o600, 0o444] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
        if rport_testkit::process::is_root() {
            std::os::unix::fs::chown(path, Some(owner), Some(owner))?;
        }
        let answer = rig.add(&format!("with-{mode:o}"), "some password").await?;
        assert_eq!(answer.status, 201, "{answer:?}");
        let metadata = fs::metadata(path)?;
        assert_eq!((metadata.mode() & 0o777, metadata.uid()), (mode, owner));
    }
    let text = fs::read_to_string(path)?;
    assert!(
        text.starts_with("{\n\t\"admin\": \"123456\",\n\t\"client1\""),
        "Go's form: {text}"
    );
    let left: Vec<_> = fs::read_dir(path.parent().expect("a directory"))?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name != "client-auth.json" && !name.ends_with(".lock"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    Ok(())
}

#[tokio::test]
async fn an_edit_on_disk_is_never_overwritten() -> anyhow::Result<()> {
    let rig = Rig::start(Source::File).await?;
    rig.stored.put(&[("edited", "by an operator")])?;
    let edited = rig.stored.pairs()?;
    for answer in [
        rig.add("client3", "sei5Ohph").await?,
        rig.change("client1", &json!({ "password": "another one" }))
            .await?,
        rig.delete("client1", true).await?,
    ] {
        assert_refused(&answer, 409, "ERR_CODE_CLIENT_AUTH_CHANGED");
        assert!(answer.title().contains("SIGHUP"), "{answer:?}");
    }
    assert_eq!(rig.stored.pairs()?, edited);
    assert!(
        rig.admits("client1", "yienei5Ch").await?,
        "a refused change has no effect"
    );

    rig.server.child.signal(Signal::HUP)?;
    eventually("the edit to be read", SOON, || async {
        rig.admits("edited", "by an operator").await.ok()?.then_some(())
    })
    .await;
    assert_eq!(rig.add("client3", "sei5Ohph").await?.status, 201);
    let stored = rig.stored.pairs()?;
    assert!(
        stored.contains_key("edited") && stored.contains_key("client3"),
        "{stored:?}"
    );
    Ok(())
}

/// An edit that leaves time and length as they were is an edit all the same.
#[tokio::test]
async fn an_edit_that_hides_is_noticed() -> anyhow::Result<()> {
    let rig = Rig::start(Source::File).await?;
    let Stored::File(path) = &rig.stored else {
        panic!("a file");
    };
    let before = fs::metadata(path)?.modified()?;
    let text = fs::read_to_string(path)?.replace("1234\"", "4321\"");
    fs::write(path, &text)?;
    fs::File::options().write(true).open(path)?.set_modified(before)?;
    assert_refused(
        &rig.add("client3", "sei5Ohph").await?,
        409,
        "ERR_CODE_CLIENT_AUTH_CHANGED",
    );
    assert_eq!(fs::read_to_string(path)?, text);
    Ok(())
}
