//! What groups grant, as its table keeps it. Source: storage.md 5.4 and 6.

use rport_domain::{Permission, Permissions, UserGroup};
use serde_json::{Map, Value};

use super::Inner;
use crate::operator_db::{Row, Statement, TableError};

impl Inner {
    pub(super) fn select_details(&self) -> Option<String> {
        let table = self.details.as_ref()?;
        let dialect = self.database.dialect();
        let mut columns = vec!["name", "permissions"];
        if self.columns.restrictions {
            columns.extend(RESTRICTIONS);
        }
        let columns: Vec<String> = columns.into_iter().map(|column| dialect.text(column)).collect();
        Some(format!("SELECT {} FROM {} t", columns.join(", "), table.quoted()))
    }

    /// Replaces the row of a group, or adds it. Columns of others stay as they are.
    pub(super) fn put_details(&self, group: &UserGroup) -> Result<Statement, TableError> {
        let Some(table) = &self.details else {
            return Err(TableError::Failed(
                "there is no table for what groups grant".into(),
            ));
        };
        let restricted = group.tunnels_restricted.is_some() || group.commands_restricted.is_some();
        if restricted && !self.columns.restrictions {
            return Err(TableError::Unfit(format!(
                "The table {table} has no columns tunnels_restricted and commands_restricted."
            )));
        }
        let dialect = self.database.dialect();
        let mut columns = vec![dialect.column("permissions")];
        let mut values = vec![render(group.permissions)];
        if self.columns.restrictions {
            for (column, value) in RESTRICTIONS
                .iter()
                .zip([&group.tunnels_restricted, &group.commands_restricted])
            {
                columns.push(dialect.column(column));
                values.push(value.as_ref().map_or_else(|| "null".to_owned(), Value::to_string));
            }
        }
        let sets: Vec<String> = columns.iter().map(|column| format!("{column} = ?")).collect();
        let table = table.quoted();
        let update = format!(
            "UPDATE {table} SET {} WHERE {}",
            sets.join(", "),
            dialect.exactly("name")
        );
        let insert = format!(
            "INSERT INTO {table} ({}, {}) VALUES ({}, ?)",
            columns.join(", "),
            dialect.column("name"),
            vec!["?"; columns.len()].join(", ")
        );
        let name = group.name.as_str();
        let values = || values.iter().map(String::as_str);
        let twice = TableError::Unfit(format!("The database takes the group {name:?} for another one."));
        let insert = Statement::new(insert, values().chain([name])).if_duplicate(twice);
        Ok(Statement::new(update, values().chain([name, name])).or_else(insert))
    }
}

/// The columns of the Go server's closed plugin.
pub(super) const RESTRICTIONS: [&str; 2] = ["tunnels_restricted", "commands_restricted"];

/// A row of [`Inner::select_details`].
pub(super) fn group(row: Row) -> Option<UserGroup> {
    let mut columns = row.into_iter();
    let mut next = || columns.next().flatten();
    let name = next().filter(|name| !name.is_empty())?;
    let permissions = parse(&name, &next().unwrap_or_default());
    Some(UserGroup {
        permissions,
        tunnels_restricted: next().and_then(|text| restriction(&name, &text)),
        commands_restricted: next().and_then(|text| restriction(&name, &text)),
        name,
    })
}

/// Reads `{"tunnels": true, …}`. What cannot be read grants nothing.
fn parse(name: &str, text: &str) -> Permissions {
    if text.trim().is_empty() {
        return Permissions::NONE;
    }
    let Ok(permissions) = serde_json::from_str::<Option<Map<String, Value>>>(text) else {
        tracing::error!(
            group = name,
            "the permissions of this group in the table are no JSON object; it grants nothing"
        );
        return Permissions::NONE;
    };
    let permissions = permissions.unwrap_or_default();
    Permission::ALL
        .into_iter()
        .filter(|permission| permissions.get(permission.as_str()) == Some(&Value::Bool(true)))
        .collect()
}

fn render(permissions: Permissions) -> String {
    let map: Map<String, Value> = Permission::ALL
        .into_iter()
        .map(|permission| (permission.to_string(), permissions.contains(permission).into()))
        .collect();
    Value::Object(map).to_string()
}

fn restriction(name: &str, text: &str) -> Option<Value> {
    if text.trim().is_empty() {
        return None;
    }
    match serde_json::from_str(text) {
        Ok(Value::Null) => None,
        Ok(value) => Some(value),
        Err(_) => {
            tracing::error!(
                group = name,
                "a restriction of this group in the table is no JSON"
            );
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_of_all_forms_are_read() {
        for (text, expected) in [
            ("", "{}"),
            ("null", "{}"),
            ("{}", "{}"),
            ("[1]", "{}"),
            ("{\"tunnels\":true,\"vault\":false,\"else\":true}", "{Tunnels}"),
            ("{\"tunnels\":\"true\"}", "{}"),
        ] {
            assert_eq!(format!("{:?}", parse("g", text)), expected, "{text}");
        }
        let all = render(Permissions::all());
        assert_eq!(parse("g", &all), Permissions::all());
        assert_eq!(parse("g", &render(Permissions::NONE)), Permissions::NONE);
    }

    proptest::proptest! {
        #[test]
        fn foreign_text_never_panics(text in "[\\[\\]{}\":,a-z0-9 ]{0,60}") {
            let _ = (parse("g", &text), restriction("g", &text));
        }
    }
}
