//! What agents notice: rotation, expiry, switching off, deletion, and whose a client id is.

use rport_domain::Kind;

use super::*;

fn disabled(disabled: bool, force: bool) -> ClientAuthChange {
    ClientAuthChange {
        disabled: Some(disabled),
        force,
        ..ClientAuthChange::default()
    }
}

#[tokio::test]
async fn a_rotated_password_is_worthless_at_once_or_after_the_grace() {
    let fixture = start_with(|options| options.hash = PasswordHashing::Argon2id).await;
    fixture
        .update("client1", rotate_to("second"))
        .await
        .expect("rotates");
    assert!(fixture.lets_in("client1", "second").await && !fixture.lets_in("client1", "yienei5Ch").await);
    let graceful = ClientAuthChange {
        grace: Some(Duration::from_secs(600)),
        ..rotate_to("third")
    };
    fixture.update("client1", graceful).await.expect("rotates");
    assert!(fixture.lets_in("client1", "third").await && fixture.lets_in("client1", "second").await);
    assert!(!fixture.lets_in("client1", "yienei5Ch").await);
    let until = fixture
        .get("client1")
        .await
        .expect("there")
        .previous_password_until;
    assert_eq!(until, Some(start_time() + Duration::from_secs(600)));
    fixture.server.clock.advance(Duration::from_secs(600));
    assert!(fixture.lets_in("client1", "third").await && !fixture.lets_in("client1", "second").await);
    assert_eq!(
        fixture
            .get("client1")
            .await
            .expect("there")
            .previous_password_until,
        None
    );
    // A rotation without grace ends an earlier grace.
    let graceful = ClientAuthChange {
        grace: Some(Duration::from_secs(600)),
        ..rotate_to("fourth")
    };
    fixture.update("client1", graceful).await.expect("rotates");
    fixture
        .update("client1", rotate_to("fifth"))
        .await
        .expect("rotates");
    assert!(fixture.is_right("client1", "fifth").await);
    assert!(!fixture.is_right("client1", "fourth").await && !fixture.is_right("client1", "third").await);
    fixture.server.stop().await;
}

#[tokio::test]
async fn a_grace_needs_a_password_and_an_end() {
    let fixture = start().await;
    let alone = ClientAuthChange {
        grace: Some(Duration::from_secs(60)),
        ..ClientAuthChange::default()
    };
    assert_eq!(
        fixture.update("client1", alone).await.expect_err("refused").kind,
        Kind::Invalid
    );
    let endless = ClientAuthChange {
        grace: Some(crate::MAX_GRACE * 2),
        ..rotate_to("second")
    };
    assert_eq!(
        fixture
            .update("client1", endless)
            .await
            .expect_err("refused")
            .kind,
        Kind::Invalid
    );
    let error = fixture
        .update("nobody", rotate_to("second"))
        .await
        .expect_err("refused");
    assert_eq!(
        (error.kind, error.code),
        (Kind::NotFound, "ERR_CODE_CLIENT_AUTH_NOT_FOUND")
    );
    fixture.server.stop().await;
}

#[tokio::test]
async fn expired_credentials_let_nobody_in_and_throw_the_connected_out() {
    let fixture = start().await;
    let change = ClientAuthChange {
        expires_at: Some(Some(in_an_hour())),
        ..ClientAuthChange::default()
    };
    fixture.update("client1", change).await.expect("changes");
    let agent = fixture.agent("client1", "yienei5Ch", "c1").await;
    let other = fixture.agent("client2", "ieRi1Noo2", "c2").await;
    let service = fixture.server.server.client_auth();
    service.disconnect_expired().await;
    assert!(!agent.connection.is_closed());
    fixture.server.clock.advance(Duration::from_secs(3600));
    assert_eq!(
        fixture.check("client1", "yienei5Ch").await,
        Verdict::Unusable("expired")
    );
    assert!(!fixture.lets_in("client1", "yienei5Ch").await);
    service.disconnect_expired().await;
    soon("the connection is closed", agent.connection.closed()).await;
    assert!(!other.connection.is_closed());
    let change = ClientAuthChange {
        expires_at: Some(None),
        ..ClientAuthChange::default()
    };
    fixture.update("client1", change).await.expect("changes");
    assert!(fixture.lets_in("client1", "yienei5Ch").await);
    drop((agent, other));
    fixture.server.stop().await;
}

#[tokio::test]
async fn disabling_with_force_disconnects_at_once_and_no_session_is_resumed() {
    let fixture = start().await;
    let agent = fixture.agent("client1", "yienei5Ch", "c1").await;
    let waiting = Agent::log_in_as(&fixture.server, "client1", "yienei5Ch").await;
    let other = fixture.agent("client2", "ieRi1Noo2", "c2").await;
    fixture
        .update("client1", disabled(true, false))
        .await
        .expect("changes");
    assert!(!agent.connection.is_closed(), "without force the connected stay");
    let outcome = fixture
        .update("client1", disabled(true, true))
        .await
        .expect("changes");
    assert_eq!(outcome.disconnected, 2, "also the one that is no client yet");
    soon("closed", agent.connection.closed()).await;
    assert!(
        !fixture.server.is_connected("c1"),
        "cleaned up before the call returned"
    );
    soon("closed", waiting.connection.closed()).await;
    assert!(fixture.server.is_connected("c2") && !other.connection.is_closed());
    assert!(
        !fixture.lets_in("client1", "yienei5Ch").await,
        "the session id is worth nothing without the login"
    );
    assert_eq!(
        fixture.check("client1", "yienei5Ch").await,
        Verdict::Unusable("disabled")
    );
    assert!(fixture.get("client1").await.expect("there").disabled);
    fixture
        .update("client1", disabled(false, false))
        .await
        .expect("changes");
    drop(agent);
    let agent = fixture.agent("client1", "yienei5Ch", "c1").await;
    drop((agent, waiting, other));
    fixture.server.stop().await;
}

#[tokio::test]
async fn deleting_needs_force_while_clients_belong_to_the_credentials() {
    let fixture = start().await;
    let agent = fixture.agent("client1", "yienei5Ch", "c1").await;
    fixture.agent("client1", "yienei5Ch", "c2").await.vanish();
    eventually("disconnect", || !fixture.server.is_connected("c2")).await;
    let other = fixture.agent("client2", "ieRi1Noo2", "c3").await;
    let view = fixture.get("client1").await.expect("there");
    assert_eq!((view.bound_clients, view.connected_clients), (2, 1));
    let error = fixture.delete("client1", false).await.expect_err("refused");
    assert_eq!(
        (error.kind, error.code),
        (Kind::Conflict, "ERR_CODE_CLIENT_AUTH_HAS_CLIENT")
    );
    assert_eq!(
        error.title,
        "Client Auth expected to have no active or disconnected bound client(s), got 2."
    );
    assert!(fixture.server.is_connected("c1"));
    fixture.delete("client1", true).await.expect("deletes");
    soon("closed", agent.connection.closed()).await;
    assert_eq!(fixture.server.ids(), ["c3"], "gone when the call returns");
    assert!(!other.connection.is_closed());
    assert!(!fixture.lets_in("client1", "yienei5Ch").await);
    assert!(
        !std::fs::read_to_string(&fixture.file)
            .expect("reads")
            .contains("client1")
    );
    let error = fixture.delete("client1", true).await.expect_err("refused");
    assert_eq!(error.to_string(), "Client Auth with ID=\"client1\" not found.");
    let rows = Sqlite::open(fixture.directory().join("clients.db"))
        .expect("opens")
        .query_row("SELECT COUNT(*) FROM clients", [], |row| row.get::<_, i64>(0));
    assert_eq!(rows.expect("counts"), 1);
    fixture.add(new("client1", "again")).await.expect("adds");
    let view = fixture.get("client1").await.expect("there");
    assert_eq!(
        (view.last_used_at, view.bound_clients),
        (None, 0),
        "nothing is left of the old one"
    );
    drop((agent, other));
    fixture.server.stop().await;
}

#[tokio::test]
async fn credentials_deleted_elsewhere_end_a_login_that_is_not_through_yet() {
    let fixture = start().await;
    // Logged in as of now; the check of the session comes after the login.
    std::fs::write(&fixture.file, r#"{"client2": "ieRi1Noo2"}"#).expect("writes");
    let agent = fixture.agent("client1", "yienei5Ch", "c1").await;
    fixture.server.server.reload_client_auth().expect("sound");
    assert!(!agent.connection.is_closed(), "a reload alone disconnects nobody");
    assert!(!fixture.lets_in("client1", "yienei5Ch").await);
    drop(agent);
    fixture.server.stop().await;
}

#[tokio::test]
async fn the_last_use_is_seen_at_once_and_survives() {
    let fixture = start().await;
    assert_eq!(fixture.get("client1").await.expect("there").last_used_at, None);
    fixture.server.clock.advance(Duration::from_secs(60));
    assert!(!fixture.lets_in("client1", "wrong").await);
    assert_eq!(fixture.get("client1").await.expect("there").last_used_at, None);
    assert!(fixture.lets_in("client1", "yienei5Ch").await);
    let used = Some(start_time() + Duration::from_secs(60));
    assert_eq!(fixture.get("client1").await.expect("there").last_used_at, used);
    let directory = fixture.server.stop().await;
    let file = ClientAuthSource::File(directory.path().join("client-auth.json"));
    let fixture = start_in(directory, file, |_| {}).await;
    assert_eq!(fixture.get("client1").await.expect("there").last_used_at, used);
    fixture.server.stop().await;
}

#[tokio::test]
async fn enforced_a_client_id_stays_with_its_credentials() {
    let fixture = start_with(|options| options.binding = ClientIdBinding::Enforce).await;
    let owner = fixture.agent("client1", "yienei5Ch", "c1").await;
    // Not even with the session id of the owner, and the owner is not disturbed.
    let stranger = Agent::log_in_as(&fixture.server, "client2", "ieRi1Noo2").await;
    let refusal = stranger
        .request(&hello("c1", "session of c1"))
        .await
        .expect_err("refused");
    assert!(
        refusal.contains("\"c1\" belongs to other client auth credentials"),
        "{refusal}"
    );
    assert!(!owner.connection.is_closed() && fixture.server.is_connected("c1"));
    let (application, action, affected, client, request) = fixture.audited().pop().expect("audited");
    assert_eq!(
        (
            application.as_str(),
            action.as_str(),
            affected.as_str(),
            client.as_str()
        ),
        ("client", "failed", "c1", "c1")
    );
    assert!(
        request.contains("client2") && request.contains("client1"),
        "{request}"
    );
    owner.vanish();
    eventually("disconnect", || !fixture.server.is_connected("c1")).await;

    let service = fixture.server.server.client_auth();
    let error = service
        .rebind(&admin(), &"c1".into(), &"nobody".into())
        .await
        .expect_err("refused");
    assert_eq!(
        (error.kind, error.code),
        (Kind::NotFound, "ERR_CODE_CLIENT_AUTH_NOT_FOUND")
    );
    let error = service
        .rebind(&admin(), &"c9".into(), &"client2".into())
        .await
        .expect_err("refused");
    assert_eq!(error.kind, Kind::NotFound);
    service
        .rebind(&admin(), &"c1".into(), &"client2".into())
        .await
        .expect("re-binds");
    drop(fixture.agent("client2", "ieRi1Noo2", "c1").await);
    let stranger = Agent::log_in_as(&fixture.server, "client1", "yienei5Ch").await;
    assert!(
        stranger.request(&hello("c1", "x")).await.is_err(),
        "the former owner is a stranger now"
    );

    // Credentials that are gone hold nothing back.
    fixture
        .update("client2", disabled(true, true))
        .await
        .expect("disables");
    drop(fixture.agent("client1", "yienei5Ch", "c1").await);
    fixture.server.stop().await;
}

#[tokio::test]
async fn by_default_a_change_of_owner_is_audited_and_let_through() {
    let fixture = start().await;
    fixture.agent("client1", "yienei5Ch", "c1").await.vanish();
    eventually("disconnect", || !fixture.server.is_connected("c1")).await;
    let agent = fixture.agent("client2", "ieRi1Noo2", "c1").await;
    let audited = fixture.audited();
    let [(application, action, affected, ..)] = &audited[..] else {
        panic!("one entry: {audited:?}")
    };
    assert_eq!(
        (application.as_str(), action.as_str(), affected.as_str()),
        ("client", "update", "c1")
    );
    assert_eq!(
        fixture
            .server
            .client("c1")
            .expect("known")
            .record
            .client_auth_id
            .as_str(),
        "client2"
    );
    drop(agent);
    fixture.server.stop().await;

    let fixture = start_with(|options| options.binding = ClientIdBinding::Off).await;
    fixture.agent("client1", "yienei5Ch", "c1").await.vanish();
    eventually("disconnect", || !fixture.server.is_connected("c1")).await;
    drop(fixture.agent("client2", "ieRi1Noo2", "c1").await);
    assert!(fixture.audited().is_empty());
    fixture.server.stop().await;
}

#[tokio::test]
async fn deleting_takes_clients_along_that_were_bound_to_the_credentials_while_connected() {
    let fixture = start().await;
    let agent = fixture.agent("client1", "yienei5Ch", "c1").await;
    let service = fixture.server.server.client_auth();
    service
        .rebind(&admin(), &"c1".into(), &"client2".into())
        .await
        .expect("re-binds");
    assert!(!agent.connection.is_closed(), "it may go on until it is moved");
    fixture.delete("client2", true).await.expect("deletes");
    soon("closed", agent.connection.closed()).await;
    assert!(fixture.server.ids().is_empty());
    fixture.server.stop().await;
}
