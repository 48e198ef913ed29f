//! `clients list`.

use super::super::pair;
use crate::{
    cli::Session,
    client::Query,
    failure::Result,
    output::{Column, Kind, PageArgs},
};

const COLUMNS: [Column; 16] = [
    Column::text("ID", "id"),
    Column::text("NAME", "name"),
    Column::text("STATE", "connection_state"),
    Column::time("SINCE", "disconnected_at"),
    Column::text("ADDRESS", "address"),
    Column::text("SYSTEM", "os_full_name"),
    Column::text("TAGS", "tags"),
    Column::of("TUNNELS", "tunnels", Kind::Count),
    Column::text("HOSTNAME", "hostname").wide(),
    Column::time("LAST HEARTBEAT", "last_heartbeat_at").wide(),
    Column::text("KERNEL", "os_kernel").wide(),
    Column::text("ARCHITECTURE", "os_arch").wide(),
    Column::text("VERSION", "version").wide(),
    Column::text("CLIENT AUTH", "client_auth_id").wide(),
    Column::text("GROUPS", "groups").wide(),
    Column::text("LABELS", "labels").wide(),
];
/// What JSON has beside the columns.
const MORE: &str = "timezone,ipv4,ipv6,allowed_user_groups";

/// Arguments of `clients list`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Filters are case-insensitive and know * for anything; several must all hold. A filter takes several values with commas, \
one of which must hold, and several columns with |: --filter 'os_family|os_kernel=debian,ubuntu*'")]
pub(crate) struct List {
    /// Only where a column has this value
    #[arg(short, long, value_name = "COLUMN=VALUE", value_parser = pair)]
    filter: Vec<(String, String)>,
    /// Only with this tag; several must all be there
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// Only of this client group
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
    /// Only with this operating system, such as linux, windows or ubuntu
    #[arg(long, value_name = "NAME")]
    os: Option<String>,
    /// Only connected ones
    #[arg(long, conflicts_with = "offline")]
    online: bool,
    /// Only those that are not connected
    #[arg(long)]
    offline: bool,
    /// Only where any column holds this text (or, as it was, COLUMN=VALUE)
    #[arg(long, value_name = "TEXT")]
    search: Vec<String>,
    /// Sort by id, name, os, hostname or version; with - before it backwards
    #[arg(long, value_name = "COLUMN", allow_hyphen_values = true)]
    sort: Option<String>,
    /// Columns of JSON and CSV, separated by commas
    #[arg(long, value_name = "COLUMN,…")]
    fields: Option<String>,
    #[command(flatten)]
    page: PageArgs,
}

impl List {
    /// Lists them.
    ///
    /// # Errors
    /// Whatever the server or the way to it gives.
    pub(super) async fn run(self, session: &Session) -> Result<()> {
        let api = session.api()?;
        let query = self.query();
        let clients = self
            .page
            .fetch_and_tell(&api, "/clients", &query, super::PAGE)
            .await?;
        session.out.list(&COLUMNS, &clients)
    }

    fn query(&self) -> Query {
        let mut query = Query::new();
        for (column, value) in &self.filter {
            query.add(format!("filter[{column}]"), value);
        }
        match self.tag.as_slice() {
            [] => {}
            [tag] => query.add("filter[tags]", tag),
            several => query.add("filter[tags]", format!("and({})", several.join(","))),
        }
        query.add_some("filter[groups]", self.group.as_deref());
        query.add_some(
            "filter[os|os_kernel|os_family|os_full_name]",
            self.os.as_ref().map(|os| format!("*{os}*")),
        );
        if self.online || self.offline {
            let state = if self.online { "connected" } else { "disconnected" };
            query.add("filter[connection_state]", state);
        }
        for text in &self.search {
            match text.split_once('=') {
                Some((column, value)) if is_column(column) => query.add(format!("filter[{column}]"), value),
                _ => query.add("filter[*]", format!("*{text}*")),
            }
        }
        query.add_some("sort", self.sort.as_deref());
        let usual = || {
            let columns: Vec<&str> = COLUMNS.iter().map(|column| column.key).collect();
            format!("{},{MORE}", columns.join(","))
        };
        query.add("fields[clients]", self.fields.clone().unwrap_or_else(usual));
        query
    }
}

fn is_column(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Words {
        #[command(flatten)]
        list: List,
    }

    #[track_caller]
    fn check(words: &str, parts: &[&str]) {
        let words = ["list"].into_iter().chain(words.split_whitespace());
        let list = Words::try_parse_from(words).expect("sound").list;
        let query = format!("{:?}", list.query());
        for part in parts {
            assert!(query.contains(part), "{part} in {query}");
        }
    }

    #[test]
    fn options_become_filters() {
        check("", &[r#"("fields[clients]", "id,name,connection_state"#]);
        check(
            "--filter name=web* -f os_arch=arm64",
            &[r#"("filter[name]", "web*")"#, r#"("filter[os_arch]", "arm64")"#],
        );
        check("--tag a --tag b", &[r#"("filter[tags]", "and(a,b)")"#]);
        check(
            "--tag a --group g --online",
            &[r#""a")"#, "filter[groups]", r#"_state]", "connected")"#],
        );
        check("--search web", &[r#"("filter[*]", "*web*")"#]);
        check("--search os_family=deb*", &[r#"("filter[os_family]", "deb*")"#]);
        check(
            "--sort -name --fields id",
            &[r#"("sort", "-name")"#, r#"("fields[clients]", "id")"#],
        );
    }
}
