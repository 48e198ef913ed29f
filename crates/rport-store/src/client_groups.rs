//! `client_groups.db`: clients chosen by what they are.
//!
//! Source: storage.md 4.2 and 5.4.

use rport_domain::{ClientGroup, ClientGroupId, ClientGroupParams};
use rusqlite::{Connection, Row, params};

use crate::database::Database;
use crate::error::StoreError;
use crate::migrations::Migration;
use crate::store::StoreOptions;

/// Names, types and order are those of the Go server: it reads rows with `SELECT *`.
const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        sql: "
            CREATE TABLE client_groups (
                id TEXT PRIMARY KEY NOT NULL,
                description TEXT NOT NULL,
                params TEXT NOT NULL
            ) WITHOUT ROWID;
        ",
    },
    Migration {
        version: 2,
        sql: "ALTER TABLE client_groups ADD COLUMN allowed_user_groups TEXT NOT NULL DEFAULT '[]';",
    },
];

/// The client groups on disk.
#[derive(Clone)]
pub struct ClientGroups {
    database: Database,
}

impl ClientGroups {
    pub(crate) fn open(options: &StoreOptions) -> Result<Self, StoreError> {
        let path = options.data_dir.join("client_groups.db");
        Ok(Self {
            database: Database::open(&path, options.wal, MIGRATIONS)?,
        })
    }

    /// All groups. A row that cannot be understood is left alone in the file and reported in the log; such a group
    /// has no members and gives nobody access.
    pub async fn all(&self) -> Result<Vec<ClientGroup>, StoreError> {
        self.database
            .read(|connection| {
                let mut query = connection.prepare_cached(
                    "SELECT id, description, params, allowed_user_groups FROM client_groups",
                )?;
                let mut rows = query.query([])?;
                let mut groups = Vec::new();
                while let Some(row) = rows.next()? {
                    match group(row) {
                        Ok(group) => groups.push(group),
                        Err(problem) => {
                            let id: String = row.get(0).unwrap_or_default();
                            tracing::error!(
                                client_group.id = id,
                                problem,
                                "client_groups.db: a row cannot be read and is left out"
                            );
                        }
                    }
                }
                Ok(groups)
            })
            .await
    }

    /// Adds a group; `false`, and nothing changes, if a row of that id exists. On disk when it returns.
    pub async fn insert(&self, group: &ClientGroup) -> Result<bool, StoreError> {
        let row = GroupRow::of(group);
        self.database
            .write(move |connection| row.write(connection, "ON CONFLICT (id) DO NOTHING"))
            .await
    }

    /// Adds a group or replaces the one of the same id. On disk when it returns.
    pub async fn save(&self, group: &ClientGroup) -> Result<(), StoreError> {
        let row = GroupRow::of(group);
        self.database
            .write(move |connection| {
                row.write(
                    connection,
                    "ON CONFLICT (id) DO UPDATE SET description = excluded.description,
                         params = excluded.params, allowed_user_groups = excluded.allowed_user_groups",
                )
            })
            .await
            .map(drop)
    }

    /// Removes a group. Returns whether there was one. On disk when it returns.
    pub async fn delete(&self, id: &ClientGroupId) -> Result<bool, StoreError> {
        let id = id.to_string();
        self.database
            .write(move |connection| {
                let deleted = connection
                    .prepare_cached("DELETE FROM client_groups WHERE id = ?1")?
                    .execute([id])?;
                Ok(deleted > 0)
            })
            .await
    }

    pub(crate) async fn close(&self) {
        self.database.close().await;
    }
}

/// A group as column values.
struct GroupRow {
    id: String,
    description: String,
    params: String,
    allowed_user_groups: String,
}

impl GroupRow {
    fn of(group: &ClientGroup) -> Self {
        Self {
            id: group.id.to_string(),
            description: group.description.clone(),
            params: group.params.to_json(),
            allowed_user_groups: rport_protocol::json::encode_string(&group.allowed_user_groups),
        }
    }

    /// Whether a row was written.
    fn write(&self, connection: &Connection, conflict: &str) -> rusqlite::Result<bool> {
        let written = connection
            .prepare_cached(&format!(
                "INSERT INTO client_groups (id, description, params, allowed_user_groups)
                 VALUES (?1, ?2, ?3, ?4) {conflict}"
            ))?
            .execute(params![
                self.id,
                self.description,
                self.params,
                self.allowed_user_groups
            ])?;
        Ok(written > 0)
    }
}

fn group(row: &Row<'_>) -> Result<ClientGroup, String> {
    let text = |at: usize| row.get::<_, String>(at).map_err(|error| error.to_string());
    let allowed = text(3)?;
    // Go writes a list or the text `null`; nothing at all is what an old hand may have left.
    let allowed_user_groups = if allowed.is_empty() {
        None
    } else {
        serde_json::from_str(&allowed).map_err(|error| format!("allowed_user_groups: {error}"))?
    };
    Ok(ClientGroup {
        id: text(0)?.into(),
        description: text(1)?,
        params: ClientGroupParams::from_json_text(&text(2)?).map_err(|error| format!("params: {error}"))?,
        allowed_user_groups,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn open(directory: &std::path::Path) -> ClientGroups {
        let options = StoreOptions {
            data_dir: directory.to_owned(),
            wal: true,
        };
        ClientGroups::open(&options).expect("opens")
    }

    /// What the Go server leaves, at the schema before or after user groups were added.
    fn write_go_file(directory: &std::path::Path, version: i64) {
        let connection = Connection::open(directory.join("client_groups.db")).expect("opens");
        connection
            .execute_batch(&format!(
                r#"
                CREATE TABLE schema_migrations (version uint64,dirty bool);
                CREATE UNIQUE INDEX version_unique ON schema_migrations (version);
                INSERT INTO schema_migrations VALUES ({version}, 'false');
                CREATE TABLE client_groups (id TEXT PRIMARY KEY NOT NULL, description TEXT NOT NULL,
                    params TEXT NOT NULL) WITHOUT ROWID;
                INSERT INTO client_groups VALUES
                    ('web', 'Web \u003cservers\u003e', '{{"client_id":null,"name":["web*"],"os":null,"os_arch":null,"os_family":null,"os_kernel":null,"hostname":null,"ipv4":null,"ipv6":null,"tag":{{"and":["prod"]}},"version":null,"address":null,"client_auth_id":null,"connection_state":null}}'),
                    ('bare', '', '{{}}'),
                    ('broken', '', '{{"name":');
                "#
            ))
            .expect("the fixture is valid");
        if version == 2 {
            connection
                .execute_batch(
                    r#"ALTER TABLE client_groups ADD COLUMN allowed_user_groups TEXT NOT NULL DEFAULT '[]';
                       UPDATE client_groups SET allowed_user_groups = 'null' WHERE id = 'bare';
                       UPDATE client_groups SET allowed_user_groups = '["ops"]' WHERE id = 'web';"#,
                )
                .expect("the fixture is valid");
        }
    }

    #[tokio::test]
    async fn groups_of_the_go_server_are_read() {
        for version in [1, 2] {
            let directory = tempfile::tempdir().expect("a directory");
            write_go_file(directory.path(), version);
            let mut groups = open(directory.path()).all().await.expect("reads");
            groups.sort_by(|a, b| a.id.cmp(&b.id));
            let ids: Vec<&str> = groups.iter().map(|group| group.id.as_str()).collect();
            assert_eq!(ids, ["bare", "web"], "all but the broken row");
            let allowed = |at: usize| groups[at].allowed_user_groups.clone();
            let expected = match version {
                1 => (Some(vec![]), Some(vec![])),
                _ => (None, Some(vec!["ops".to_owned()])),
            };
            assert_eq!((allowed(0), allowed(1)), expected);
            let params = json!({ "name": ["web*"], "tag": { "and": ["prod"] } });
            assert_eq!(
                groups[1].params,
                ClientGroupParams::from_json(&params).expect("valid")
            );
        }
    }

    #[tokio::test]
    async fn what_is_written_is_what_the_go_server_writes() {
        let directory = tempfile::tempdir().expect("a directory");
        let groups = open(directory.path());
        let group = ClientGroup {
            id: "db".into(),
            description: "Databases".into(),
            params: ClientGroupParams::from_json(&json!({ "os": ["a&b"] })).expect("valid"),
            allowed_user_groups: None,
        };
        assert!(groups.insert(&group).await.expect("adds"));
        let other = ClientGroup {
            description: "other".into(),
            ..group.clone()
        };
        assert!(!groups.insert(&other).await.expect("refuses"));
        assert_eq!(groups.all().await.expect("reads"), std::slice::from_ref(&group));
        groups.close().await;

        let file = Connection::open(directory.path().join("client_groups.db")).expect("opens");
        let row: (String, String) = file
            .query_row(
                "SELECT params, allowed_user_groups FROM client_groups",
                [],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .expect("a row");
        assert!(row.0.contains(r#""os":["a\u0026b"],"os_arch":null"#), "{}", row.0);
        assert_eq!(row.1, "null");
        let version: (i64, String) = file
            .query_row("SELECT version, dirty FROM schema_migrations", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .expect("the bookkeeping");
        assert_eq!(version, (2, "false".into()));
        drop(file);

        let groups = open(directory.path());
        groups.save(&other).await.expect("replaces");
        assert_eq!(groups.all().await.expect("reads"), [other]);
        assert!(groups.delete(&"db".into()).await.expect("deletes"));
        assert!(!groups.delete(&"db".into()).await.expect("runs"));
    }
}
