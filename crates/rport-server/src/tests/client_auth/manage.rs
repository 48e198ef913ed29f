//! The service as the API sees it. Texts and codes: rest-api.md 9.1.

use rport_domain::Kind;

use super::*;

fn check_error<T>(outcome: Result<T, Error>, kind: Kind, code: &str, text: &str) {
    let error = outcome.err().expect("refused");
    assert_eq!((error.kind, error.code), (kind, code), "{error}");
    assert_eq!(error.to_string(), text);
}

#[tokio::test]
async fn the_documented_file_is_listed_in_byte_order_and_filtered() {
    let fixture = start().await;
    assert_eq!(
        fixture.list(&[]).await,
        (
            ["admin", "client1", "client2", "clientAuth1"]
                .map(String::from)
                .into(),
            4
        )
    );
    let (page, total) = fixture
        .list(&[("sort", "-id"), ("page[limit]", "2"), ("page[offset]", "1")])
        .await;
    assert_eq!(
        (page, total),
        (["client2", "client1"].map(String::from).into(), 4)
    );
    let (page, total) = fixture
        .list(&[("filter[id]", "CLIENT*"), ("page[limit]", "1")])
        .await;
    assert_eq!((page, total), (vec!["client1".to_owned()], 3));
    assert_eq!(fixture.list(&[("filter[id]", "nobody")]).await, (Vec::new(), 0));
    let view = fixture.get("client1").await.expect("there");
    assert_eq!(
        (view.password.as_deref(), view.hashed, view.bound_clients),
        (Some("yienei5Ch"), false, 0)
    );
    check_error(
        fixture.get("x").await,
        Kind::NotFound,
        "",
        "Client Auth with ID \"x\" not found",
    );
    fixture.server.stop().await;
}

#[tokio::test]
async fn adding_is_checked_and_on_disk_at_once() {
    let fixture = start().await;
    let invalid = "ERR_CODE_INVALID_REQUEST";
    for (id, password, text) in [
        ("ab", "x", "Invalid or missing ID.: Min size is 3."),
        ("abc", "x", "Invalid or missing password.: Min size is 3."),
    ] {
        check_error(fixture.add(new(id, password)).await, Kind::Invalid, invalid, text);
    }
    let long = "x".repeat(10_000);
    for (id, password) in [
        (long.as_str(), "1234"),
        ("abc", long.as_str()),
        ("a\0bc", "1234"),
        ("abc", "12\u{7}34"),
    ] {
        let error = fixture.add(new(id, password)).await.expect_err("refused");
        assert_eq!((error.kind, error.code), (Kind::Invalid, invalid));
    }
    let taken = "Client Auth with ID \"admin\" already exist.";
    check_error(
        fixture.add(new("admin", "1234")).await,
        Kind::Conflict,
        "ERR_CODE_ALREADY_EXIST",
        taken,
    );
    assert!(fixture.is_right("admin", "123456").await);
    let mut rich = new("a/b' OR ''='", "pass word");
    rich.comment = "the printer".into();
    rich.expires_at = Some(in_an_hour());
    assert!(fixture.add(rich).await.expect("adds").generated.is_none());
    assert!(
        std::fs::read_to_string(&fixture.file)
            .expect("reads")
            .contains("\"a/b' OR ''='\": \"pass word\"")
    );
    let view = fixture.get("a/b' OR ''='").await.expect("there");
    assert_eq!(
        (view.comment.as_str(), view.expires_at),
        ("the printer", Some(in_an_hour()))
    );
    assert_eq!((view.created_at, view.last_used_at), (Some(start_time()), None));
    assert!(fixture.is_right("a/b' OR ''='", "pass word").await);
    let audited = fixture.audited();
    assert_eq!(audited.len(), 1, "refused requests are no events: {audited:?}");
    assert_eq!(
        (audited[0].0.as_str(), audited[0].1.as_str()),
        ("client.auth", "create")
    );
    fixture.server.stop().await;
}

#[tokio::test]
async fn fifty_parallel_adds_lose_none() {
    let fixture = start().await;
    let service = fixture.server.server.client_auth();
    let adds: Vec<_> = (0..50)
        .map(|number| {
            let service = service.clone();
            let add = async move {
                service
                    .add(&admin(), new(&format!("parallel{number}"), "1234"))
                    .await
            };
            fixture.server.tasks.spawn("add", add)
        })
        .collect();
    for add in adds {
        add.await.expect("no panic").expect("added");
    }
    assert_eq!(fixture.list(&[("filter[id]", "parallel*")]).await.1, 50);
    // And of fifty that want the same id, one gets it.
    let adds: Vec<_> = (0..50)
        .map(|number| {
            let service = service.clone();
            let add = async move {
                service
                    .add(&admin(), new("wanted", &format!("password{number}")))
                    .await
            };
            fixture.server.tasks.spawn("add", add)
        })
        .collect();
    let mut added = 0;
    for add in adds {
        added += usize::from(add.await.expect("no panic").is_ok());
    }
    assert_eq!(added, 1);
    fixture.server.stop().await;
}

#[tokio::test]
async fn a_generated_password_is_strong_and_shown_once() {
    let fixture = start_with(|options| options.hash = PasswordHashing::Argon2id).await;
    let mut wanted = new("client3", "");
    wanted.password = NewPassword::Generated;
    let password = fixture.add(wanted).await.expect("adds").generated.expect("shown");
    assert!(password.expose().len() >= 32);
    let view = fixture.get("client3").await.expect("there");
    assert_eq!((view.password, view.hashed), (None, true));
    let file = std::fs::read_to_string(&fixture.file).expect("reads");
    assert!(file.contains("\"client3\": \"$argon2id$") && !file.contains(password.expose()));
    assert!(fixture.lets_in("client3", password.expose()).await);
    assert!(!fixture.lets_in("client3", "another").await);
    let change = ClientAuthChange {
        password: Some(NewPassword::Generated),
        ..ClientAuthChange::default()
    };
    let next = fixture
        .update("client3", change)
        .await
        .expect("rotates")
        .generated
        .expect("shown");
    assert_ne!(next, password);
    assert!(
        fixture.is_right("client3", next.expose()).await
            && !fixture.is_right("client3", password.expose()).await
    );
    fixture.server.stop().await;
}

#[tokio::test]
async fn who_may_and_what_can_be_written() {
    let read_only = start_with(|options| options.write = false).await;
    let code = "ERR_CODE_CLIENT_AUTH_RO";
    let text = "Client authentication has been attached in read-only mode.";
    check_error(
        read_only.add(new("abc", "1234")).await,
        Kind::Forbidden,
        code,
        text,
    );
    check_error(
        read_only.update("admin", rotate_to("1234")).await,
        Kind::Forbidden,
        code,
        text,
    );
    check_error(read_only.delete("admin", true).await, Kind::Forbidden, code, text);
    assert_eq!(read_only.list(&[]).await.1, 4, "reading is allowed");
    assert_eq!(
        read_only.server.server.status(&admin()).clients_auth_mode,
        "Read Only"
    );
    let service = read_only.server.server.client_auth();
    let member = member_of(&["ops"]);
    let query = ListQuery::parse::<&str, &str>(&[], &CLIENT_AUTH_LIST).expect("valid");
    let refused = [
        service.list(&member, &query).await.err(),
        service.get(&member, &"admin".into()).await.err(),
        service.check_writable(&member).err(),
        service.rebind(&member, &"c1".into(), &"admin".into()).await.err(),
    ];
    for error in refused {
        assert_eq!(error.expect("refused").kind, Kind::Forbidden);
    }
    read_only.server.stop().await;

    let single = ClientAuthSource::Single {
        id: "rport".into(),
        password: "a-strong-password12345".into(),
    };
    let fixture = start_in(tempfile::tempdir().expect("a directory"), single, |_| {}).await;
    let code = "ERR_CODE_CLIENT_AUTH_SINGLE";
    let text = "Client authentication is enabled only for a single user.";
    check_error(fixture.add(new("abc", "1234")).await, Kind::ReadOnly, code, text);
    check_error(fixture.delete("rport", true).await, Kind::ReadOnly, code, text);
    assert_eq!(fixture.list(&[]).await, (vec!["rport".to_owned()], 1));
    assert!(
        fixture.lets_in("rport", "a-strong-password12345").await && !fixture.lets_in("rport", "wrong").await
    );
    fixture.server.stop().await;
}

#[tokio::test]
async fn passwords_are_hidden_on_request() {
    let fixture = start_with(|options| options.reveal = false).await;
    let view = fixture.get("client1").await.expect("there");
    assert_eq!((view.password.as_deref(), view.hashed), (None, false));
    fixture.server.stop().await;
}

#[tokio::test]
async fn an_edited_file_is_neither_believed_nor_overwritten_until_the_reload() {
    let fixture = start().await;
    std::fs::write(&fixture.file, r#"{"edited": "by hand"}"#).expect("writes");
    let error = fixture.add(new("abc", "1234")).await.expect_err("refused");
    assert_eq!(
        (error.kind, error.code),
        (Kind::Conflict, "ERR_CODE_CLIENT_AUTH_CHANGED")
    );
    assert!(
        error.title.contains("client-auth.json") && error.title.contains("SIGHUP"),
        "{error}"
    );
    assert!(
        fixture.update("admin", rotate_to("4711")).await.is_err()
            && fixture.delete("admin", true).await.is_err()
    );
    assert!(fixture.is_right("admin", "123456").await && !fixture.is_right("edited", "by hand").await);
    assert!(fixture.get("abc").await.is_err());
    fixture.server.server.reload_client_auth().expect("sound");
    assert!(!fixture.is_right("admin", "123456").await && fixture.is_right("edited", "by hand").await);
    fixture.add(new("abc", "1234")).await.expect("adds");
    assert_eq!(fixture.list(&[]).await.1, 2);
    std::fs::write(&fixture.file, "{").expect("writes");
    assert!(fixture.server.server.reload_client_auth().is_err());
    assert!(
        fixture.is_right("edited", "by hand").await,
        "a bad file changes nothing"
    );
    fixture.server.stop().await;
}

#[tokio::test]
async fn a_change_that_failed_leaves_nothing_behind() {
    let fixture = start().await;
    fixture
        .update(
            "admin",
            ClientAuthChange {
                comment: Some("before".into()),
                ..ClientAuthChange::default()
            },
        )
        .await
        .expect("changes");
    std::fs::write(&fixture.file, "{}").expect("writes");
    let change = ClientAuthChange {
        comment: Some("after".into()),
        grace: Some(Duration::from_secs(60)),
        ..rotate_to("new password")
    };
    assert!(fixture.update("admin", change).await.is_err());
    let view = fixture.get("admin").await.expect("there");
    assert_eq!(
        (view.comment.as_str(), view.previous_password_until),
        ("before", None)
    );
    assert!(!fixture.is_right("admin", "new password").await);
    fixture.server.stop().await;
}

#[tokio::test]
async fn no_secret_reaches_the_audit_log_or_debug_output() {
    let fixture = start().await;
    fixture.add(new("secretive", "planted-one")).await.expect("adds");
    let change = ClientAuthChange {
        grace: Some(Duration::from_secs(60)),
        comment: Some("rotated".into()),
        expires_at: Some(Some(in_an_hour())),
        disabled: Some(false),
        force: true,
        ..rotate_to("planted-two")
    };
    assert!(!format!("{change:?} {:?}", new("a", "planted-three")).contains("planted"));
    fixture.update("secretive", change).await.expect("changes");
    assert!(!format!("{:?}", fixture.get("secretive").await).contains("planted"));
    fixture.delete("secretive", false).await.expect("deletes");
    let audited = fixture.audited();
    let actions: Vec<&str> = audited.iter().map(|row| row.1.as_str()).collect();
    assert_eq!(actions, ["create", "update", "delete"]);
    assert!(audited.iter().all(|row| row.2 == "secretive"));
    assert!(!format!("{audited:?}").contains("planted"), "{audited:?}");
    for part in [
        "\"grace_seconds\":60",
        "\"comment\":\"rotated\"",
        "\"force\":true",
        "\"disabled\":false",
    ] {
        assert!(audited[1].4.contains(part), "{part}: {}", audited[1].4);
    }
    assert_eq!(audited[2].4, "{\"force\":false}");
    fixture.server.stop().await;
}
