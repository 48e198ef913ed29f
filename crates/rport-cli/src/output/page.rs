//! Long lists, page by page.

use serde_json::Value;

use super::note;
use crate::{
    client::{Api, Query},
    failure::Result,
};

/// Which part of a list is wanted.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct PageArgs {
    /// Show at most this many [default: 50]
    #[arg(long, value_name = "N", conflicts_with = "all")]
    limit: Option<usize>,
    /// Leave out the first N
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    offset: usize,
    /// Show all, however many there are
    #[arg(long)]
    all: bool,
}

/// What a list shows without being told.
const USUAL: usize = 50;

/// A part of a list.
#[derive(Debug)]
pub(crate) struct Page {
    /// The items.
    pub(crate) items: Vec<Value>,
    /// How many there are in all, as far as the server says.
    pub(crate) total: Option<usize>,
}

impl PageArgs {
    /// All of a list.
    pub(crate) fn everything() -> Self {
        Self {
            all: true,
            ..Self::default()
        }
    }

    /// Fetches the wanted part, `most` items at a time: more the server refuses to send at once.
    ///
    /// # Errors
    /// Whatever the server or the way to it gives.
    pub(crate) async fn fetch(&self, api: &Api, path: &str, query: &Query, most: usize) -> Result<Page> {
        let wanted = if self.all {
            usize::MAX
        } else {
            self.limit.unwrap_or(USUAL)
        };
        let mut items: Vec<Value> = Vec::new();
        loop {
            let limit = most.min(wanted - items.len());
            let mut query = query.clone();
            query.add("page[limit]", limit.to_string());
            query.add("page[offset]", (self.offset + items.len()).to_string());
            let (page, total) = api.list(path, &query).await?;
            let got = page.len();
            items.extend(page);
            // A server that ignores the page would send the same items for ever; one that sends fewer has no more.
            if got == 0 || got != limit || items.len() >= wanted {
                items.truncate(wanted);
                return Ok(Page { items, total });
            }
        }
    }

    /// Fetches the wanted part and tells on standard error when there is more.
    ///
    /// # Errors
    /// Whatever the server or the way to it gives.
    pub(crate) async fn fetch_and_tell(
        &self,
        api: &Api,
        path: &str,
        query: &Query,
        most: usize,
    ) -> Result<Vec<Value>> {
        let page = self.fetch(api, path, query, most).await?;
        let shown = self.offset + page.items.len();
        if let Some(total) = page.total.filter(|&total| total > shown && self.limit != Some(0)) {
            note(&format!(
                "{} of {total} shown; --all shows the rest",
                page.items.len()
            ));
        }
        Ok(page.items)
    }
}
