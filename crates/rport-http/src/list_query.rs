//! Reads the query strings of lists.

use std::collections::BTreeMap;
use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::request::Parts;
use rport_domain::list::{FieldsSpec, ListSpec};
use rport_domain::{Fields, ListQuery, TunnelRequest};
use utoipa::IntoParams;

use crate::error::ApiResult;

/// The decoded pairs of a query string, in order. Keys may repeat.
pub(crate) struct QueryPairs(Vec<(String, String)>);

impl QueryPairs {
    /// Checks the pairs against what a list allows.
    pub(crate) fn list(&self, spec: &ListSpec) -> ApiResult<ListQuery> {
        Ok(ListQuery::parse(&self.0, spec)?)
    }

    /// The parameters of a tunnel to open; the service checks them.
    pub(crate) fn tunnel(&self) -> TunnelRequest {
        TunnelRequest::from_pairs(&self.0)
    }

    /// The first value of a key; empty when there is none.
    pub(crate) fn first(&self, key: &str) -> &str {
        self.0
            .iter()
            .find(|(name, _)| name == key)
            .map_or("", |(_, value)| value)
    }

    /// Checks the pairs against the fields a single item has.
    pub(crate) fn fields(&self, spec: &'static FieldsSpec) -> ApiResult<Fields> {
        Ok(Fields::parse(&self.0, spec)?)
    }
}

impl<S: Sync> FromRequestParts<S> for QueryPairs {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let query = parts.uri.query().unwrap_or_default();
        Ok(Self(
            form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        ))
    }
}

/// The parameters of every list, for the OpenAPI document.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes parameters that QueryPairs reads")]
pub(crate) struct ListParams {
    /// Column to sort by, with `-` in front for descending order.
    sort: Option<String>,
    /// `filter[COLUMN]=VALUE`: only items whose column equals the value; `*` stands for any text, `a,b` for either,
    /// `and(a,b)` for both. `filter[A|B]` looks at two columns, `filter[*]` at all.
    #[param(style = DeepObject, explode, value_type = Option<BTreeMap<String, String>>)]
    filter: Option<BTreeMap<String, String>>,
    /// `fields[RESOURCE]=a,b`: only these members.
    #[param(style = DeepObject, explode, value_type = Option<BTreeMap<String, String>>)]
    fields: Option<BTreeMap<String, String>>,
    /// `page[limit]` and `page[offset]`: how many items, and how many to skip.
    #[param(style = DeepObject, explode, value_type = Option<BTreeMap<String, u64>>)]
    page: Option<BTreeMap<String, u64>>,
}

/// The parameters of a single item with sparse fields, for the OpenAPI document.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes parameters that QueryPairs reads")]
pub(crate) struct FieldsParams {
    /// `fields[RESOURCE]=a,b`: only these members.
    #[param(style = DeepObject, explode, value_type = Option<BTreeMap<String, String>>)]
    fields: Option<BTreeMap<String, String>>,
}
