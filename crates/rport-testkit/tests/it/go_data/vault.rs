//! The vault of a Go server, and what we write into it. Source: storage.md 9.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    digest,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{
    fixture::{Fixture, Users},
    same_items,
};

/// The recording's.
const PASSWORD: &str = "vault-pass-1";

/// Opens an entry the way the Go server does: SHA-256 of the password is the key; nonce, text and tag stand together.
fn opened_as_go_does(password: &str, encrypted: &str) -> Vec<u8> {
    let key = digest::digest(&digest::SHA256, password.as_bytes());
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key.as_ref()).expect("32 bytes"));
    let mut bytes = STANDARD.decode(encrypted).expect("base64 with padding");
    let (nonce, sealed) = bytes.split_at_mut(NONCE_LEN);
    let nonce = Nonce::try_assume_unique_for_key(nonce).expect("12 bytes");
    let text = key.open_in_place(nonce, Aad::empty(), sealed);
    text.expect("encrypted with this key").to_vec()
}

#[test]
fn the_go_way_is_the_documented_one() {
    let encrypted = "AAECAwQFBgcICQoLLJ6ixbjbX57PhQ9xNgte16+zRPX+Kak0PULU";
    assert_eq!(opened_as_go_does("1234", encrypted), b"hello vault");
}

#[tokio::test]
async fn the_values_of_a_go_server_are_read() -> anyhow::Result<()> {
    let fixture = Fixture::start(Users::Sqlite).await?;
    let admin = fixture.admin();
    let state = admin.get("/vault-admin").await?.data()?;
    assert_eq!(state, json!({ "init": "setup-completed", "status": "locked" }));
    let unlock = |password: &str| {
        let body = json!({ "password": password });
        let admin = admin.clone();
        async move { admin.post_json("/vault-admin/sesame", &body).await }
    };
    assert_eq!(unlock("vault-pass-2").await?.status, 401);
    assert_eq!(unlock(PASSWORD).await?.status, 201);

    let listed = admin.get("/vault").await?.data()?;
    same_items(&listed, &fixture.facts["/vault"]["data"], "key");
    for path in ["/vault/1", "/vault/2"] {
        let value = admin.get(path).await?.data()?;
        assert_eq!(value, fixture.facts[path]["data"], "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn what_we_write_opens_the_go_way() -> anyhow::Result<()> {
    let mut fixture = Fixture::start(Users::Sqlite).await?;
    let admin = fixture.admin();
    let body = json!({ "password": PASSWORD });
    assert_eq!(admin.post_json("/vault-admin/sesame", &body).await?.status, 201);
    let new = json!({ "key": "ours", "value": "ü <2>", "type": "text" });
    let id = admin.post_json("/vault", &new).await?.data()?["id"].clone();
    let changed = json!({ "key": "db", "value": "changed", "type": "secret", "client_id": "go-agent" });
    assert_eq!(admin.put_json("/vault/1", &changed).await?.status, 200);
    stop(&mut fixture).await?;

    let file = rusqlite::Connection::open(fixture.server.data_dir().join("vault.sqlite.db"))?;
    let mut statement = file.prepare(
        r#"SELECT id, value, typeof(required_group), created_at, updated_by FROM "values" ORDER BY id"#,
    )?;
    let rows = statement.query_map([], |row| {
        Ok((
            row.get::<_, i64>(0)?,
            row.get::<_, String>(1)?,
            row.get::<_, String>(2)?,
            row.get::<_, String>(3)?,
            row.get::<_, String>(4)?,
        ))
    })?;
    let mut values = Vec::new();
    for row in rows {
        let (id, encrypted, group, created_at, updated_by) = row?;
        // A missing group stops the Go server's reader, and so does a time in another form.
        assert_eq!((group.as_str(), updated_by.as_str()), ("text", "admin"));
        chrono::DateTime::parse_from_rfc3339(&created_at)?;
        let text = String::from_utf8(opened_as_go_does(PASSWORD, &encrypted))?;
        values.push(json!([id, text]));
    }
    assert_eq!(
        Value::from(values),
        json!([[1, "changed"], [2, "only"], [id, "ü <2>"]])
    );
    Ok(())
}

/// A vault that we make is one that a Go server opens with the same password.
#[tokio::test]
async fn a_vault_we_make_opens_the_go_way() -> anyhow::Result<()> {
    let mut fixture = Fixture::start_without_vault(Users::Sqlite).await?;
    let body = json!({ "password": PASSWORD });
    let init = fixture.admin().post_json("/vault-admin/init", &body).await?;
    assert_eq!(init.status, 201, "{init:?}");
    stop(&mut fixture).await?;
    let file = rusqlite::Connection::open(fixture.server.data_dir().join("vault.sqlite.db"))?;
    let (status, enc_check, dec_check, kind): (String, String, Vec<u8>, String) = file.query_row(
        "SELECT db_status, enc_check, CAST(dec_check AS BLOB), typeof(dec_check) FROM status",
        [],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
    )?;
    assert_eq!((status.as_str(), kind.as_str()), ("setup-completed", "text"));
    assert_eq!(opened_as_go_does(PASSWORD, &enc_check), dec_check);
    assert_eq!(dec_check.len(), 19 + 32);
    Ok(())
}

async fn stop(fixture: &mut Fixture) -> anyhow::Result<()> {
    let limit = std::time::Duration::from_secs(20);
    fixture.server.child.terminate(limit).await?;
    Ok(())
}
