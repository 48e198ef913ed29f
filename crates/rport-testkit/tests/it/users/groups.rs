//! Groups of users and what they grant.

use rport_testkit::eventually;
use serde_json::{Value, json};

use super::for_each_table;
use super::rig::{Rig, SOON, Source, assert_refused, path};

for_each_table!(
    groups_grant_permissions,
    groups_are_listed_changed_and_removed,
    hashes_of_every_kind_are_understood,
);

/// No such client: who may open tunnels is told 404, who may not 403.
const TUNNEL: &str = "/tunnels";

async fn allowed(api: &rport_testkit::api::Api) -> anyhow::Result<Value> {
    let me = api.get("/me").await?.data()?;
    assert_eq!(me["group_permissions_enabled"], true);
    Ok(me["effective_user_permissions"].clone())
}

async fn groups_grant_permissions(source: Source) -> anyhow::Result<()> {
    let rig = Rig::start(source).await?;
    let ann = rig.add("ann", &["ops"]).await?;
    let everything = allowed(&rig.api).await?;
    assert!(
        everything
            .as_object()
            .expect("permissions")
            .values()
            .all(|granted| granted == true)
    );
    let nothing = allowed(&ann).await?;
    assert!(
        nothing
            .as_object()
            .expect("permissions")
            .values()
            .all(|granted| granted == false)
    );
    assert_refused(
        &ann.get("/auditlog").await?,
        403,
        "user does not have \"auditlog\" permission",
    );

    let put = async |name: &str, permissions: Value| {
        let body = json!({ "permissions": permissions });
        rig.api.put_json(&path("/user-groups/", name), &body).await
    };
    assert_eq!(put("ops", json!({ "tunnels": true })).await?.status, 200);
    assert_eq!(allowed(&ann).await?["tunnels"], true, "counts at once");
    assert_eq!(put("dev", json!({ "vault": true })).await?.status, 200);
    assert_eq!(
        rig.change("ann", &json!({ "groups": ["ops", "dev"] }))
            .await?
            .status,
        204
    );
    let both = allowed(&ann).await?;
    assert_eq!(
        (&both["tunnels"], &both["vault"], &both["commands"]),
        (&json!(true), &json!(true), &json!(false))
    );
    assert_eq!(ann.get(TUNNEL).await?.status, 200);

    // What somebody else changes in the database counts within seconds.
    rig.stored
        .execute("UPDATE group_details SET permissions = '{\"commands\":true}' WHERE name = 'ops'")?;
    eventually("the change of somebody else", SOON, || async {
        let now = allowed(&ann).await.ok()?;
        (now["commands"] == true && now["tunnels"] == false).then_some(())
    })
    .await;

    assert_eq!(put("Administrators", json!({})).await?.status, 200);
    assert_eq!(
        allowed(&rig.api).await?["vault"],
        false,
        "administrators are not exempt"
    );
    assert_eq!(
        put("Administrators", json!({ "vault": true })).await?.status,
        200,
        "and can mend it"
    );
    let status = rig.api.get("/status").await?.data()?;
    assert_eq!(
        (&status["group_permissions_enabled"], &status["users_auth_source"]),
        (&json!(true), &json!("DB"))
    );
    Ok(())
}

async fn groups_are_listed_changed_and_removed(source: Source) -> anyhow::Result<()> {
    let rig = Rig::start(source).await?;
    let ann = rig.add("ann", &["members only"]).await?;
    let odd = "a/b '\"`\\ 客户端";
    for name in ["zoo", odd] {
        let group = rig
            .api
            .put_json(
                &path("/user-groups/", name),
                &json!({ "permissions": { "vault": true } }),
            )
            .await?
            .data()?;
        assert_eq!(
            (
                &group["name"],
                &group["permissions"]["vault"],
                &group["permissions"]["tunnels"]
            ),
            (&json!(name), &json!(true), &json!(false))
        );
        assert_eq!(rig.api.get(&path("/user-groups/", name)).await?.data()?, group);
    }
    let list = rig.api.get("/user-groups").await?.data()?;
    let names: Vec<&str> = list
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|group| group["name"].as_str())
        .collect();
    assert_eq!(names, [odd, "zoo", "Administrators", "members only"]);
    let unknown = rig.api.get("/user-groups/nobody").await?.data()?;
    assert_eq!(unknown["permissions"]["vault"], false);
    let wrong = rig
        .api
        .put_json("/user-groups/zoo", &json!({ "permissions": { "fly": true } }))
        .await?;
    assert_refused(&wrong, 400, "Invalid JSON data.");
    assert_eq!(wrong.body["errors"][0]["detail"], "invalid permission: fly");
    for _ in 0..2 {
        assert_eq!(
            rig.api
                .delete(&path("/user-groups/", "members only"))
                .await?
                .status,
            204
        );
    }
    assert_eq!(ann.get("/me").await?.data()?["groups"], json!(null));
    assert_eq!(rig.api.delete("/user-groups/Administrators").await?.status, 409);
    assert_eq!(ann.get("/user-groups").await?.status, 403);
    Ok(())
}

async fn hashes_of_every_kind_are_understood(source: Source) -> anyhow::Result<()> {
    let rig = Rig::start_with(source, &["password_hash = \"argon2id\""]).await?;
    rig.add("ann", &[]).await?;
    // Of `a good password`: with each prefix of bcrypt, and in clear as the Go server's documentation allows.
    let bcrypt = bcrypt::hash("a good password", 4)?;
    for prefix in ["$2y$", "$2a$", "$2b$"] {
        let hash = format!("{prefix}{}", &bcrypt[4..]);
        let name = &prefix[1..3];
        rig.stored.execute(&format!(
            "INSERT INTO users (username, password) VALUES ('{name}', '{hash}')"
        ))?;
        assert_eq!(
            rig.as_user(name, "a good password").get("/me").await?.status,
            200,
            "{name}"
        );
        assert_eq!(
            rig.as_user(name, &hash).get("/me").await?.status,
            401,
            "a hash is no password"
        );
    }
    rig.stored
        .execute("INSERT INTO users (username, password) VALUES ('plain', 'in clear'), ('empty', '')")?;
    assert_eq!(rig.as_user("plain", "in clear").get("/me").await?.status, 200);
    assert_eq!(rig.as_user("empty", "").get("/me").await?.status, 401);
    Ok(())
}
