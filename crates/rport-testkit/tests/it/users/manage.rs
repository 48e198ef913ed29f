//! Adding, changing and removing users.

use serde_json::json;

use super::for_each_source;
use super::rig::{Rig, Source, assert_refused, path};

for_each_source!(
    users_are_added_changed_and_removed,
    users_change_themselves,
    sessions_and_tokens_follow_their_user,
    odd_names_are_just_names,
    mistakes_are_told,
    parallel_changes_lose_none,
    the_last_administrator_stays,
);

async fn users_are_added_changed_and_removed(source: Source) -> anyhow::Result<()> {
    let mut rig = Rig::start(source).await?;
    let ann = rig.add("ann", &["ops", "dev", "ops"]).await?;
    let me = ann.get("/me").await?.data()?;
    assert_eq!(me["username"], "ann");
    let listed = rig.listed("ann").await?.expect("listed");
    let mut groups: Vec<&str> = listed["groups"]
        .as_array()
        .expect("groups")
        .iter()
        .filter_map(|group| group.as_str())
        .collect();
    groups.sort_unstable();
    assert_eq!(groups, ["dev", "ops"]);
    assert_eq!(
        (&listed["effective_user_permissions"], &listed["password_expired"]),
        (&json!(null), &json!(false))
    );
    assert!(!listed.to_string().contains("secret"), "{listed}");
    assert_refused(
        &ann.get("/users").await?,
        403,
        "current user should belong to Administrators group to access this resource",
    );

    let change = json!({ "username": "anna", "password": "another secret", "groups": [] });
    assert_eq!(rig.change("ann", &change).await?.status, 204);
    assert_eq!(ann.get("/me").await?.status, 401, "old name and password");
    let anna = rig.as_user("anna", "another secret");
    assert_eq!(anna.get("/me").await?.data()?["groups"], json!(null));
    let twofa = json!({ "two_fa_send_to": "anna@example.com" });
    assert_eq!(rig.change("anna", &twofa).await?.status, 204);
    assert_eq!(
        anna.get("/me").await?.data()?["two_fa_send_to"],
        "anna@example.com"
    );

    // What was acknowledged survives a power cut.
    rig.server.child.kill().await?;
    rig.server.restart().await?;
    assert_eq!(
        anna.get("/me").await?.data()?["two_fa_send_to"],
        "anna@example.com"
    );
    assert_eq!(rig.api.delete("/users/anna").await?.status, 204);
    assert_eq!(anna.get("/me").await?.status, 401);
    assert!(rig.listed("anna").await?.is_none());
    assert_refused(
        &rig.api.delete("/users/anna").await?,
        404,
        "cannot find user by username 'anna'",
    );
    let log = rig.api.get("/auditlog").await?;
    if log.status == 200 {
        let log = log.data()?.to_string();
        assert!(
            log.contains("auth.user") && !log.contains("another secret"),
            "{log}"
        );
    }
    Ok(())
}

async fn users_change_themselves(source: Source) -> anyhow::Result<()> {
    let rig = Rig::start(source).await?;
    let ann = rig.add("ann", &["ops"]).await?;
    let put = async |body| ann.put_json("/me", &body).await;
    assert_refused(
        &put(json!({ "password": "new secret" })).await?,
        403,
        "Missing old password.",
    );
    let wrong = json!({ "password": "new secret", "old_password": "wrong" });
    assert_refused(&put(wrong).await?, 403, "Incorrect old password.");
    assert_refused(&put(json!({})).await?, 400, "nothing to change");
    assert_eq!(
        put(json!({ "groups": ["Administrators"] })).await?.status,
        400,
        "not a field of one's own"
    );
    let right = json!({ "password": "new secret", "old_password": "secret of ann", "two_fa_send_to": "a@example.com" });
    assert_eq!(put(right).await?.status, 204);
    let me = rig.as_user("ann", "new secret").get("/me").await?.data()?;
    assert_eq!(me["two_fa_send_to"], "a@example.com");
    assert_eq!(
        put(json!({ "username": "bob" })).await?.status,
        401,
        "the old password"
    );
    Ok(())
}

async fn sessions_and_tokens_follow_their_user(source: Source) -> anyhow::Result<()> {
    let rig = Rig::start(source).await?;
    let ann = rig.add("ann", &["ops"]).await?;
    let log_in = async |password: &str| {
        let session = rig
            .log_in(&json!({ "username": "ann", "password": password }))
            .await?;
        anyhow::Ok(session.expect("logs in"))
    };
    let session = log_in("secret of ann").await?;
    let token = ann
        .post_json("/me/tokens", &json!({ "scope": "read", "name": "t" }))
        .await?
        .data()?;
    let token = token["token"].as_str().expect("a token").to_owned();
    assert_eq!(rig.as_user("ann", &token).get("/me").await?.status, 200);
    assert_eq!(session.get("/me").await?.status, 200);

    assert_eq!(
        rig.change("ann", &json!({ "password": "new secret" }))
            .await?
            .status,
        204
    );
    assert_eq!(
        session.get("/me").await?.status,
        401,
        "a new password ends sessions"
    );
    let session = log_in("new secret").await?;
    assert_eq!(
        rig.change("ann", &json!({ "username": "bob" })).await?.status,
        204
    );
    assert_eq!(session.get("/me").await?.status, 401, "a new name ends sessions");
    assert_eq!(
        rig.as_user("bob", &token).get("/me").await?.status,
        200,
        "tokens go with the name"
    );
    assert_eq!(rig.as_user("ann", &token).get("/me").await?.status, 401);

    assert_eq!(rig.api.delete("/users/bob").await?.status, 204);
    rig.add("bob", &["ops"]).await?;
    assert_eq!(
        rig.as_user("bob", &token).get("/me").await?.status,
        401,
        "a new user of the same name inherits nothing"
    );
    Ok(())
}

async fn odd_names_are_just_names(source: Source) -> anyhow::Result<()> {
    let rig = Rig::start(source).await?;
    for name in [
        "Ann",
        "' OR 1=1 --",
        "\"; DROP TABLE users; --",
        "`a`",
        "a%b_c?$1",
        "back\\slash",
        "a/b#c",
        "Grüße 客户端 🔑",
        "x\u{2028}y",
    ] {
        let user = rig.add(name, &[name]).await?;
        assert_eq!(user.get("/me").await?.data()?["groups"], json!([name]), "{name}");
        assert_eq!(
            rig.change(name, &json!({ "groups": [] })).await?.status,
            204,
            "{name}"
        );
        assert_eq!(
            rig.api.delete(&path("/users/", name)).await?.status,
            204,
            "{name}"
        );
        assert!(rig.listed(name).await?.is_none(), "{name}");
    }
    // Whatever the database takes for equal: these are not the same.
    rig.add("case", &[]).await?;
    for other in ["CASE", "case ", "cäse"] {
        assert_eq!(
            rig.as_user(other, "secret of case").get("/me").await?.status,
            401,
            "{other}"
        );
    }
    Ok(())
}

async fn mistakes_are_told(source: Source) -> anyhow::Result<()> {
    let rig = Rig::start(source).await?;
    rig.add("ann", &[]).await?;
    let add = async |body| rig.api.post_json("/users", &body).await;
    let empty = add(json!({})).await?;
    assert_refused(&empty, 400, "username is required");
    assert_eq!(empty.body["errors"][1]["title"], "password is required");
    let same = json!({ "username": "ann", "password": "a good one" });
    assert_refused(
        &add(same).await?,
        400,
        "Another user with this username already exists",
    );
    let blank = json!({ "username": " bob", "password": "a good one" });
    assert_refused(
        &add(blank).await?,
        400,
        "username must not start or end with whitespace",
    );
    let short = add(json!({ "username": "bob", "password": "abc" })).await?;
    assert_refused(&short, 400, "Your password is too short");
    assert_eq!(
        short.body["errors"][0]["detail"],
        "password must be at least 4 characters"
    );
    let long = json!({ "username": "bob", "password": "x".repeat(73) });
    assert_refused(&add(long).await?, 400, "Your password is too long");
    let unknown = add(json!({ "username": "bob", "password": "a good one", "admin": true })).await?;
    assert_refused(&unknown, 400, "Invalid JSON data.");
    assert_refused(&rig.change("ann", &json!({})).await?, 400, "nothing to change");
    assert_refused(
        &rig.change("nobody", &json!({ "groups": [] })).await?,
        404,
        "cannot find user by username 'nobody'",
    );
    let taken = json!({ "username": "admin" });
    assert_refused(
        &rig.change("ann", &taken).await?,
        400,
        "Another user with this username already exists",
    );
    Ok(())
}

async fn parallel_changes_lose_none(source: Source) -> anyhow::Result<()> {
    let rig = Rig::start(source).await?;
    let adds = (0..50).map(|number| {
        let api = rig.api.clone();
        async move {
            let user =
                json!({ "username": format!("user{number}"), "password": "a good one", "groups": ["ops"] });
            api.post_json("/users", &user).await
        }
    });
    for answer in futures_util::future::join_all(adds).await {
        assert_eq!(answer?.status, 201);
    }
    let list = rig.api.get("/users").await?.data()?;
    assert_eq!(list.as_array().map(Vec::len), Some(51));
    Ok(())
}

async fn the_last_administrator_stays(source: Source) -> anyhow::Result<()> {
    let rig = Rig::start(source).await?;
    let last = "'admin' is the last user in the group Administrators";
    assert_refused(&rig.api.delete("/users/admin").await?, 409, last);
    assert_refused(
        &rig.change("admin", &json!({ "groups": ["ops"] })).await?,
        409,
        last,
    );
    rig.add("second", &["Administrators"]).await?;
    assert_eq!(
        rig.change("admin", &json!({ "groups": ["ops"] })).await?.status,
        204
    );
    assert_eq!(rig.api.get("/users").await?.status, 403, "counts at once");
    Ok(())
}
