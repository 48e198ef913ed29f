//! Stored tunnels, a table of `clients.db`. Its schema stands in `clients.rs`, with the rest of that file.

use rport_domain::{
    ClientId, ListQuery, MAX_STORED_TUNNELS, Page, StoredTunnel, StoredTunnelId, TunnelDefinition,
};
use rusqlite::types::ValueRef;
use rusqlite::{OptionalExtension, Row, named_params};

use crate::database::Database;
use crate::error::StoreError;
use crate::go_time::GoTime;
use crate::list::ListSource;

const COLUMNS: &str =
    "id, created_at, name, scheme, remote_ip, remote_port, acl, public_port, further_options";

const LIST: ListSource = ListSource {
    columns: COLUMNS,
    table: "stored_tunnels",
    tie: "rowid",
};

/// The stored tunnels on disk.
#[derive(Clone)]
pub struct StoredTunnels {
    database: Database,
}

impl StoredTunnels {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    /// The stored tunnels of a client. `query` was read with [`rport_domain::STORED_TUNNEL_LIST`].
    pub async fn list(&self, client: &ClientId, query: &ListQuery) -> Result<Page<StoredTunnel>, StoreError> {
        let (client, query) = (client.to_string(), query.clone());
        self.database
            .read(move |connection| LIST.page(connection, &query, &[("client_id", &client)], tunnel))
            .await
    }

    /// One stored tunnel of a client.
    pub async fn find(
        &self,
        client: &ClientId,
        id: &StoredTunnelId,
    ) -> Result<Option<StoredTunnel>, StoreError> {
        let (client, id) = (client.to_string(), id.to_string());
        self.database
            .read(move |connection| {
                connection
                    .prepare_cached(&format!(
                        "SELECT {COLUMNS} FROM stored_tunnels WHERE client_id = ?1 AND id = ?2"
                    ))?
                    .query_row([client, id], tunnel)
                    .optional()
            })
            .await
    }

    /// Adds a stored tunnel; `false`, and nothing is added, if the client has [`MAX_STORED_TUNNELS`] already. On disk
    /// when it returns.
    pub async fn insert(&self, client: &ClientId, tunnel: StoredTunnel) -> Result<bool, StoreError> {
        let client = client.to_string();
        self.database
            .write(move |connection| {
                let known: i64 = connection
                    .prepare_cached("SELECT COUNT(*) FROM stored_tunnels WHERE client_id = ?1")?
                    .query_row([&client], |row| row.get(0))?;
                if usize::try_from(known).is_ok_and(|known| known >= MAX_STORED_TUNNELS) {
                    return Ok(false);
                }
                let StoredTunnel {
                    id,
                    created_at,
                    definition,
                } = &tunnel;
                connection
                    .prepare_cached(
                        "INSERT INTO stored_tunnels (id, client_id, created_at, name, scheme, remote_ip,
                             remote_port, acl, public_port, further_options)
                         VALUES (:id, :client_id, :created_at, :name, :scheme, :remote_ip,
                             :remote_port, :acl, :public_port, :further_options)",
                    )?
                    .execute(named_params! {
                        ":id": id.as_str(),
                        ":client_id": client,
                        ":created_at": GoTime(*created_at),
                        ":name": definition.name,
                        ":scheme": definition.scheme,
                        ":remote_ip": definition.remote_ip,
                        ":remote_port": definition.remote_port,
                        ":acl": definition.acl,
                        ":public_port": definition.public_port,
                        ":further_options": options(definition),
                    })?;
                Ok(true)
            })
            .await
    }

    /// Gives a stored tunnel another definition and returns it; `None` if the client has none of that id. On disk when
    /// it returns.
    pub async fn replace(
        &self,
        client: &ClientId,
        id: &StoredTunnelId,
        definition: TunnelDefinition,
    ) -> Result<Option<StoredTunnel>, StoreError> {
        let (client, id) = (client.to_string(), id.to_string());
        self.database
            .write(move |connection| {
                connection
                    .prepare_cached(&format!(
                        "UPDATE stored_tunnels SET name = :name, scheme = :scheme, remote_ip = :remote_ip,
                             remote_port = :remote_port, acl = :acl, public_port = :public_port,
                             further_options = :further_options
                         WHERE client_id = :client_id AND id = :id RETURNING {COLUMNS}"
                    ))?
                    .query_row(
                        named_params! {
                            ":id": id,
                            ":client_id": client,
                            ":name": definition.name,
                            ":scheme": definition.scheme,
                            ":remote_ip": definition.remote_ip,
                            ":remote_port": definition.remote_port,
                            ":acl": definition.acl,
                            ":public_port": definition.public_port,
                            ":further_options": options(&definition),
                        },
                        tunnel,
                    )
                    .optional()
            })
            .await
    }

    /// Removes a stored tunnel of a client. Returns whether there was one. On disk when it returns.
    pub async fn delete(&self, client: &ClientId, id: &StoredTunnelId) -> Result<bool, StoreError> {
        let (client, id) = (client.to_string(), id.to_string());
        self.database
            .write(move |connection| {
                let deleted = connection
                    .prepare_cached("DELETE FROM stored_tunnels WHERE client_id = ?1 AND id = ?2")?
                    .execute([client, id])?;
                Ok(deleted > 0)
            })
            .await
    }

    /// Removes all stored tunnels of a client and returns how many there were. On disk when it returns.
    pub async fn delete_all(&self, client: &ClientId) -> Result<usize, StoreError> {
        let client = client.to_string();
        self.database
            .write(move |connection| {
                connection
                    .prepare_cached("DELETE FROM stored_tunnels WHERE client_id = ?1")?
                    .execute([client])
            })
            .await
    }
}

fn options(definition: &TunnelDefinition) -> Option<String> {
    definition
        .further_options
        .as_ref()
        .map(rport_protocol::json::encode_string)
}

/// Reads a row. The Go server checks nothing it is given, and every column but the id may be unset.
fn tunnel(row: &Row<'_>) -> rusqlite::Result<StoredTunnel> {
    let id: String = row.get(0)?;
    let created_at: Option<GoTime> = row.get(1)?;
    let further_options: Option<String> = row.get(8)?;
    Ok(StoredTunnel {
        id: id.into(),
        created_at: created_at.unwrap_or_else(GoTime::zero).0,
        definition: TunnelDefinition {
            name: row.get::<_, Option<String>>(2)?.unwrap_or_default(),
            scheme: row.get(3)?,
            remote_ip: row.get(4)?,
            remote_port: port(row.get_ref(5)?),
            acl: row.get(6)?,
            public_port: port(row.get_ref(7)?),
            // What is no JSON was put there by hand; nobody can do anything with it.
            further_options: further_options.and_then(|text| serde_json::from_str(&text).ok()),
        },
    })
}

fn port(value: ValueRef<'_>) -> Option<i64> {
    match value {
        ValueRef::Integer(port) => Some(port),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
