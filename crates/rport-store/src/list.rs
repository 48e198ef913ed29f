//! List queries as SQL.
//!
//! Source: rest-api.md 4.1, the column "SQL": equality is exact, `*` makes a pattern in any letter case in which `_`
//! still stands for one character, the empty value also finds what is not set, and `and(…)` counts as `or(…)`.
//!
//! Differs from RPort: `filter[*]` works where columns have operators, and a time with a zone is compared as the
//! instant it names. A bare date is compared as text, as before.
//!
//! Nothing a caller sends becomes part of a statement: values are bound, and the names of columns come from the
//! resource's [`rport_domain::list::ListSpec`].

use chrono::DateTime;
use rport_domain::list::{Filter, Operator};
use rport_domain::{ListQuery, Page};
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

use crate::go_time::GoTime;

/// What a list reads.
pub(crate) struct ListSource {
    /// The columns a row has, as they stand behind `SELECT`.
    pub(crate) columns: &'static str,
    /// The table.
    pub(crate) table: &'static str,
    /// What settles ties, as it stands behind `ORDER BY`. Must be unique, or pages could overlap.
    pub(crate) tie: &'static str,
}

impl ListSource {
    /// Answers a query: counts what matches and reads one page of it, both from the same state of the file.
    ///
    /// `scope` are columns and the exact values they must have, whatever the query says. Set
    /// [`ListQuery::limit`] to `usize::MAX` to read everything.
    pub(crate) fn page<T>(
        &self,
        connection: &Connection,
        query: &ListQuery,
        scope: &[(&'static str, &str)],
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Page<T>> {
        self.page_without(connection, query, scope, ("", &[]), read)
    }

    /// The same without the rows in which a column has one of some values.
    pub(crate) fn page_without<T>(
        &self,
        connection: &Connection,
        query: &ListQuery,
        scope: &[(&'static str, &str)],
        (column, without): (&'static str, &[&str]),
        mut read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Page<T>> {
        let mut statement = Statement::default();
        if !without.is_empty() {
            // One bound value, however many there are.
            let values = statement.bind(serde_json::json!(without).to_string());
            let column = quoted(column);
            statement.add(&format!(
                "{column} NOT IN (SELECT value FROM json_each({values}))"
            ));
        }
        for (column, value) in scope {
            let value = statement.bind((*value).to_owned());
            statement.add(&format!("{} = {value}", quoted(column)));
        }
        for filter in &query.filters {
            let condition = statement.condition(filter);
            statement.add(&condition);
        }
        let Self { columns, table, tie } = self;
        let condition = &statement.sql;
        // A transaction that only reads; dropping it ends it.
        let reading = connection.unchecked_transaction()?;
        let total: i64 = reading
            .prepare_cached(&format!("SELECT COUNT(*) FROM {table}{condition}"))?
            .query_row(params_from_iter(&statement.values), |row| row.get(0))?;
        let order: String = query
            .sorts
            .iter()
            .map(|sort| {
                let direction = if sort.descending { " DESC" } else { "" };
                format!("{}{direction}, ", quoted(sort.column))
            })
            .collect();
        let limit = statement.bind(to_sql(query.limit));
        let offset = statement.bind(to_sql(query.offset));
        let condition = &statement.sql;
        let sql = format!(
            "SELECT {columns} FROM {table}{condition} ORDER BY {order}{tie} LIMIT {limit} OFFSET {offset}"
        );
        let mut rows = reading.prepare_cached(&sql)?;
        let mut rows = rows.query(params_from_iter(&statement.values))?;
        let mut items = Vec::new();
        while let Some(row) = rows.next()? {
            items.push(read(row)?);
        }
        Ok(Page {
            items,
            total: usize::try_from(total).unwrap_or_default(),
        })
    }
}

/// The condition of a statement and the values it is run with.
#[derive(Default)]
struct Statement {
    /// Empty, or ` WHERE …`.
    sql: String,
    values: Vec<Value>,
}

impl Statement {
    /// Adds a value and returns what stands for it.
    fn bind(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("?{}", self.values.len())
    }

    fn add(&mut self, condition: &str) {
        self.sql
            .push_str(if self.sql.is_empty() { " WHERE " } else { " AND " });
        self.sql.push_str(condition);
    }

    /// One filter: any value in any column. Each value is bound once, however many columns are searched.
    fn condition(&mut self, filter: &Filter) -> String {
        let tests = if filter.operator == Operator::Match {
            self.matching(&filter.values)
        } else {
            filter
                .values
                .iter()
                .map(|value| self.time(filter.operator, value))
                .collect()
        };
        let alternatives: Vec<String> = filter
            .columns
            .iter()
            .flat_map(|column| {
                let column = quoted(column);
                tests.iter().map(move |test| test.replace("{column}", &column))
            })
            .collect();
        format!("({})", alternatives.join(" OR "))
    }

    fn matching(&mut self, values: &[String]) -> Vec<String> {
        let mut tests = Vec::new();
        let mut equal = Vec::new();
        for value in values {
            if value.is_empty() {
                tests.push("{column} = '' OR {column} IS NULL".to_owned());
            } else if value.contains('*') {
                let pattern = value
                    .to_lowercase()
                    .replace('\\', r"\\")
                    .replace('%', r"\%")
                    .replace('*', "%");
                let pattern = self.bind(pattern);
                tests.push(format!(r"LOWER({{column}}) LIKE {pattern} ESCAPE '\'"));
            } else {
                equal.push(self.bind(value.clone()));
            }
        }
        if let [value] = equal.as_slice() {
            tests.push(format!("{{column}} = {value}"));
        } else if !equal.is_empty() {
            // A list costs no depth of the expression, which SQLite limits.
            tests.push(format!("{{column}} IN ({})", equal.join(", ")));
        }
        tests
    }

    fn time(&mut self, operator: Operator, value: &str) -> String {
        let sign = match operator {
            Operator::Gt => ">",
            Operator::Lt => "<",
            Operator::Since => ">=",
            Operator::Until => "<=",
            Operator::Eq | Operator::Match => {
                let value = self.bind(value.to_owned());
                return format!("date({{column}}) = date({value})");
            }
        };
        if let Some(instant) = instant(value) {
            let value = self.bind(instant.to_text());
            return format!("julianday({{column}}) {sign} julianday({value})");
        }
        let value = self.bind(value.to_owned());
        format!("{{column}} {sign} {value}")
    }
}

/// A whole instant: date, time and zone.
fn instant(text: &str) -> Option<GoTime> {
    DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%:z"))
        .ok()
        .map(GoTime)
}

fn quoted(column: &str) -> String {
    format!("\"{column}\"")
}

fn to_sql(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rport_domain::list::{FilterSpec, ListSpec};

    use super::*;

    static SPEC: ListSpec = ListSpec {
        default_limit: 3,
        max_limit: 10,
        sorts: &["name", "port", "at"],
        default_sort: &[],
        single_sort: None,
        filters: &[
            FilterSpec::matching("name"),
            FilterSpec::matching("note"),
            FilterSpec::matching("port"),
            FilterSpec {
                name: "at",
                operators: &[Operator::Gt, Operator::Lt, Operator::Since, Operator::Until],
            },
        ],
        fields: None,
    };

    const SOURCE: ListSource = ListSource {
        columns: "name",
        table: "items",
        tie: "rowid",
    };

    fn items() -> Connection {
        let connection = Connection::open_in_memory().expect("opens");
        connection
            .execute_batch(
                "CREATE TABLE items (owner TEXT, name TEXT, note TEXT, port NUMBER, at DATETIME);
                 INSERT INTO items VALUES
                     ('me', 'beta', NULL, 22, '2024-05-01 12:00:00+02:00'),
                     ('me', 'Alpha', '', 8080, '2024-05-01 11:00:00.5+00:00'),
                     ('me', 'al%ha', 'x', 22, '2024-05-02 00:00:00+00:00'),
                     ('me', 'gamma', 'a\\b', NULL, NULL),
                     ('you', 'hidden', 'x', 22, '2024-05-03 00:00:00+00:00');",
            )
            .expect("valid");
        connection
    }

    fn ask(connection: &Connection, query: &[(&str, &str)]) -> Page<String> {
        let query = ListQuery::parse(query, &SPEC).expect("valid");
        SOURCE
            .page(connection, &query, &[("owner", "me")], |row| row.get(0))
            .expect("runs")
    }

    fn check(query: &[(&str, &str)], expected: &[&str]) {
        assert_eq!(ask(&items(), query).items, expected, "{query:?}");
    }

    #[test]
    fn filters_follow_the_sql_rules() {
        check(&[], &["beta", "Alpha", "al%ha"]);
        check(&[("filter[name]", "alpha")], &[]);
        check(&[("filter[name]", "Alpha")], &["Alpha"]);
        check(&[("filter[name]", "AL*")], &["Alpha", "al%ha"]);
        check(&[("filter[name]", "al%*")], &["al%ha"]);
        check(&[("filter[name]", "_eta*")], &["beta"]);
        check(&[("filter[note]", r"a\*")], &["gamma"]);
        check(&[("filter[note]", "")], &["beta", "Alpha"]);
        check(&[("filter[name]", "beta, gamma,nobody")], &["beta", "gamma"]);
        check(&[("filter[name]", "and(beta,gamma)")], &["beta", "gamma"]);
        check(&[("filter[port]", "22")], &["beta", "al%ha"]);
        check(&[("filter[name|note]", "x"), ("filter[port]", "22")], &["al%ha"]);
        check(&[("filter[*]", "x")], &["al%ha"]);
    }

    #[test]
    fn times_are_instants_or_texts() {
        check(&[("filter[at][gt]", "2024-05-01T10:00:00Z")], &["Alpha", "al%ha"]);
        check(
            &[("filter[at][since]", "2024-05-01T10:00:00Z")],
            &["beta", "Alpha", "al%ha"],
        );
        check(&[("filter[at][until]", "2024-05-01 11:00:00+00:00")], &["beta"]);
        check(&[("filter[at][since]", "2024-05-02")], &["al%ha"]);
        check(
            &[("filter[at][lt]", "2024-05-02"), ("filter[at][gt]", "2024-05-01")],
            &["beta", "Alpha"],
        );
    }

    #[test]
    fn pages_are_sorted_and_counted() {
        check(&[("sort", "name")], &["Alpha", "al%ha", "beta"]);
        check(
            &[("sort", "-port"), ("sort", "name")],
            &["Alpha", "al%ha", "beta"],
        );
        let page = ask(&items(), &[("page[offset]", "3"), ("page[limit]", "2")]);
        assert_eq!((page.items, page.total), (vec!["gamma".to_owned()], 4));
        let page = ask(&items(), &[("page[offset]", "9")]);
        assert_eq!((page.items.len(), page.total), (0, 4));
    }

    #[test]
    fn many_values_are_no_trouble() {
        let many: Vec<String> = (0..5000).map(|number| format!("name{number}")).collect();
        let page = ask(&items(), &[("filter[*]", &format!("{},beta", many.join(",")))]);
        assert_eq!(page.items, ["beta"]);
    }

    proptest! {
        #[test]
        fn no_value_breaks_a_statement(
            value in "[a'\"%_*\\\\?;, -]{0,12}",
            column in prop::sample::select(vec!["filter[name]", "filter[*]", "filter[name|port]", "filter[at][gt]"]),
        ) {
            let page = ask(&items(), &[(column, &value)]);
            prop_assert!(page.total <= 4);
        }
    }
}
