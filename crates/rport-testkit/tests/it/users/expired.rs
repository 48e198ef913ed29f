//! Passwords that have to be changed.

use serde_json::json;

use super::for_each_source;
use super::rig::{Rig, Source, assert_refused};

for_each_source!(an_expired_password_opens_nothing_but_the_way_to_a_new_one);

const EXPIRED: &str = "password has expired, please change your password";

async fn an_expired_password_opens_nothing_but_the_way_to_a_new_one(source: Source) -> anyhow::Result<()> {
    let rig = Rig::start(source).await?;
    let user = json!({ "username": "ann", "password": "first secret", "password_expired": true });
    assert_eq!(rig.api.post_json("/users", &user).await?.status, 201);
    assert_eq!(
        rig.listed("ann").await?.expect("listed")["password_expired"],
        true
    );
    assert_refused(
        &rig.as_user("ann", "first secret").get("/me").await?,
        401,
        EXPIRED,
    );
    assert_refused(
        &rig.as_user("ann", "wrong").get("/me").await?,
        401,
        "unauthorized",
    );

    let log_in = async |new: Option<&str>| {
        rig.log_in(&json!({ "username": "ann", "password": "first secret", "new_password": new }))
            .await
    };
    assert_refused(&log_in(None).await?.expect_err("expired"), 401, EXPIRED);
    assert_refused(
        &log_in(Some("abc")).await?.expect_err("too short"),
        400,
        "Your password is too short",
    );
    let session = log_in(Some("second secret")).await?.expect("logs in");
    assert_eq!(session.get("/me").await?.status, 200);
    assert_eq!(rig.as_user("ann", "second secret").get("/me").await?.status, 200);
    assert_eq!(rig.as_user("ann", "first secret").get("/me").await?.status, 401);

    assert_eq!(
        rig.change("ann", &json!({ "password_expired": true }))
            .await?
            .status,
        204
    );
    assert_eq!(session.get("/me").await?.status, 401, "sessions end");
    assert_eq!(
        rig.change("ann", &json!({ "password": "third secret" }))
            .await?
            .status,
        204
    );
    assert_eq!(rig.as_user("ann", "third secret").get("/me").await?.status, 200);
    Ok(())
}
