//! `clients attributes`: tags and labels, which the agent keeps.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    super::{pair, texts},
    ATTRIBUTES, ClientRef,
};
use crate::{cli::Session, client::Query, failure::Result};

/// Arguments of `clients attributes`.
#[derive(Debug, clap::Args)]
pub(crate) struct Attributes {
    #[command(flatten)]
    client: ClientRef,
    #[command(flatten)]
    changes: Changes,
}

/// What to change; nothing of it given means to show.
#[derive(Debug, Default, PartialEq, Eq, clap::Args)]
struct Changes {
    /// Add a tag
    #[arg(long, value_name = "TAG")]
    add_tag: Vec<String>,
    /// Take a tag away
    #[arg(long, value_name = "TAG")]
    remove_tag: Vec<String>,
    /// Set a label
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    set_label: Vec<(String, String)>,
    /// Take a label away
    #[arg(long, value_name = "KEY")]
    remove_label: Vec<String>,
}

impl Attributes {
    /// Shows or changes them.
    ///
    /// # Errors
    /// Whatever the server or the way to it gives.
    pub(super) async fn run(self, session: &Session) -> Result<()> {
        let api = session.api()?;
        let found = self.client.find(&api).await?;
        let path = found.path("/attributes");
        let mut attributes = api.get(&path, &Query::new()).await?;
        if self.changes != Changes::default() {
            attributes = self.changes.apply(&attributes);
            api.put(&path, &Query::new(), &attributes).await?;
        }
        session.out.record(&ATTRIBUTES, &attributes)
    }
}

impl Changes {
    /// The API replaces all at once.
    fn apply(&self, attributes: &Value) -> Value {
        let mut tags = texts(&attributes["tags"]);
        tags.retain(|tag| !self.remove_tag.contains(tag));
        for tag in &self.add_tag {
            if !tags.contains(tag) {
                tags.push(tag.clone());
            }
        }
        let mut labels: BTreeMap<String, Value> = attributes["labels"]
            .as_object()
            .map(|labels| {
                labels
                    .iter()
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect()
            })
            .unwrap_or_default();
        labels.retain(|key, _| !self.remove_label.contains(key));
        labels.extend(
            self.set_label
                .iter()
                .map(|(key, value)| (key.clone(), json!(value))),
        );
        json!({ "tags": tags, "labels": labels })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_leave_the_rest_alone() {
        let changes = Changes {
            add_tag: vec!["new".to_owned(), "kept".to_owned()],
            remove_tag: vec!["old".to_owned()],
            set_label: vec![("city".to_owned(), "Bonn".to_owned())],
            remove_label: vec!["gone".to_owned()],
        };
        let before = json!({ "tags": ["kept", "old"], "labels": { "gone": "x", "stays": "y" } });
        assert_eq!(
            changes.apply(&before),
            json!({ "tags": ["kept", "new"], "labels": { "city": "Bonn", "stays": "y" } })
        );
        let nothing = json!({ "tags": null, "labels": null });
        assert_eq!(changes.apply(&nothing)["tags"], json!(["new", "kept"]));
    }
}
