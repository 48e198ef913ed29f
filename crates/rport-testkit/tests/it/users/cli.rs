//! `rportd user`, beside a running server.

use rport_testkit::eventually;
use rustix::process::Signal;
use serde_json::json;

use super::for_each_source;
use super::rig::{Rig, SOON, Source, done, rportd};

for_each_source!(users_are_managed_on_the_command_line);

async fn users_are_managed_on_the_command_line(source: Source) -> anyhow::Result<()> {
    let rig = Rig::start(source).await?;
    let config = rig.config.as_path();
    done(
        config,
        &[
            "user",
            "add",
            "-u",
            "ann",
            "-g",
            "ops,dev",
            "--2fa-sendto",
            "a@example.com",
        ],
        "first secret\n",
    )
    .await?;
    let made = done(config, &["user", "add", "bob", "--generate"], "").await?;
    let bobs = made.trim().strip_prefix("bob:").unwrap_or_default().to_owned();
    assert_eq!(bobs.len(), 32, "{made}");
    let works = async |name: &str, password: &str| {
        if source == Source::File {
            rig.server.child.signal(Signal::HUP)?;
        }
        let api = rig.as_user(name, password);
        eventually("the user to log in", SOON, || async {
            (api.get("/me").await.ok()?.status == 200).then_some(())
        })
        .await;
        anyhow::Ok(())
    };
    works("ann", "first secret").await?;
    works("bob", &bobs).await?;
    let listed = done(config, &["user", "list"], "").await?;
    assert!(
        listed.contains("admin\tAdministrators\t") && listed.contains("ann\t"),
        "{listed}"
    );
    assert!(!listed.contains("$2y$"), "{listed}");

    done(config, &["user", "password", "ann"], "second secret\n").await?;
    works("ann", "second secret").await?;
    done(
        config,
        &["user", "change", "ann", "-g", "", "--rename", "anna", "--expired"],
        "",
    )
    .await?;
    let listed = done(config, &["user", "list"], "").await?;
    assert!(listed.contains("anna\t\tpassword expired"), "{listed}");
    done(config, &["user", "delete", "anna"], "").await?;

    for (words, input, expected) in [
        (
            &["user", "add", "admin"][..],
            "a good one\n",
            "Another user with this username already exists",
        ),
        (
            &["user", "add", "carl"][..],
            "abc\n",
            "password must be at least 4 characters",
        ),
        (&["user", "change", "bob"][..], "", "nothing to change"),
        (
            &["user", "delete", "anna"][..],
            "",
            "cannot find user by username 'anna'",
        ),
        (
            &["user", "delete", "admin"][..],
            "",
            "the last user in the group Administrators",
        ),
    ] {
        let said = rportd(config, words, input).await?;
        assert!(
            !said.success && said.stderr.contains(expected),
            "{words:?}: {}",
            said.stderr
        );
    }

    if source == Source::File {
        // The running server does not overwrite what it has not read.
        done(config, &["user", "add", "dora", "--generate"], "").await?;
        let user = json!({ "username": "eve", "password": "a good one" });
        let answer = rig.api.post_json("/users", &user).await?;
        assert_eq!(
            (answer.status, answer.code()),
            (409, "ERR_CODE_USERS_CHANGED"),
            "{answer:?}"
        );
    }
    Ok(())
}
