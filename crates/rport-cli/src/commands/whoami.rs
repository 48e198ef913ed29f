//! `whoami`, once `me`: the user behind the calls.

use serde_json::json;

use crate::{
    cli::Session,
    client::Query,
    failure::Result,
    output::{Column, Kind},
};

const COLUMNS: [Column; 9] = [
    Column::text("USER", "username"),
    Column::text("GROUPS", "groups"),
    Column::text("MAY USE", "effective_user_permissions"),
    Column::text("CODES GO TO", "two_fa_send_to"),
    Column::of("GROUP PERMISSIONS", "group_permissions_enabled", Kind::Flag).wide(),
    Column::text("RESTRICTIONS", "effective_extended_permissions").wide(),
    Column::text("SERVER", "server"),
    Column::text("CONTEXT", "context"),
    Column::text("ADDRESS", "ip"),
];

/// Arguments of `whoami`.
#[derive(Debug, clap::Args)]
pub(crate) struct Whoami {}

impl Whoami {
    /// Shows the user, and to people also where from and where to.
    ///
    /// # Errors
    /// Whatever the server or the way to it gives.
    pub(crate) async fn run(self, session: &Session) -> Result<()> {
        let api = session.api()?;
        let mut me = api.get("/me", &Query::new()).await?;
        if session.out.for_people() {
            let address = api.get("/me/ip", &Query::new()).await?;
            if let Some(about) = me.as_object_mut() {
                about.insert("server".to_owned(), json!(api.server().as_str()));
                about.insert("context".to_owned(), json!(session.settings.context));
                about.insert("ip".to_owned(), address.get("ip").cloned().unwrap_or_default());
            }
        }
        session.out.record(&COLUMNS, &me)
    }
}
