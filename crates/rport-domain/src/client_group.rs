//! Client groups: clients chosen by what they are, and who may access them.
//!
//! Source: rest-api.md 17, storage.md 4.2 and 5.4.

mod view;

use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::Value;

use crate::{
    ClientGroupId, ClientRecord, Error, Glob, Result,
    list::{FieldsSpec, FilterSpec, ListSpec, SortSpec, Value as Member},
};

pub use view::ClientGroupView;

/// Longest id, in bytes.
const MAX_ID: usize = 30;
/// Longest description, in bytes. Differs from RPort, which knows no limit.
const MAX_DESCRIPTION: usize = 4096;
/// Most patterns and user groups of one group. Differs from RPort, which knows no limit.
const MAX_ENTRIES: usize = 10_000;
/// Longest pattern and name of a user group, in bytes. Differs from RPort, which knows no limit.
const MAX_ENTRY: usize = 1024;

const ONLY_AND_OR: &str = "error, only and/or is allowed for tags group definitions";
const TAG_UNREADABLE: &str = "error parsing tags group definitions";

/// The parameters that are lists of patterns, in their order; the tags stand before [`TAG_AT`].
const LISTS: [&str; 13] = [
    "client_id",
    "name",
    "os",
    "os_arch",
    "os_family",
    "os_kernel",
    "hostname",
    "ipv4",
    "ipv6",
    "version",
    "address",
    "client_auth_id",
    "connection_state",
];
/// Where `tag` stands among them.
const TAG_AT: usize = 9;

/// Members of a client group in answers, in their order.
pub static CLIENT_GROUP_FIELDS: FieldsSpec = FieldsSpec {
    resource: "client_groups",
    also: &[],
    all: &[
        "id",
        "description",
        "params",
        "allowed_user_groups",
        "client_ids",
        "num_clients",
        "num_clients_connected",
    ],
    default: &["id", "description"],
};

/// What `GET /client-groups` allows. Source: rest-api.md 4.2.
pub static CLIENT_GROUP_LIST: ListSpec = ListSpec {
    default_limit: 50,
    max_limit: 500,
    sorts: &["id", "description"],
    default_sort: &[SortSpec::ascending("id")],
    single_sort: None,
    filters: &[FilterSpec::matching("id"), FilterSpec::matching("description")],
    fields: Some(&CLIENT_GROUP_FIELDS),
};

/// A client group as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct ClientGroup {
    /// Its id, chosen by people.
    pub id: ClientGroupId,
    /// What it is for.
    pub description: String,
    /// Which clients belong to it.
    pub params: ClientGroupParams,
    /// User groups that may access its clients; `None` until set.
    pub allowed_user_groups: Option<Vec<String>>,
}

impl ClientGroup {
    /// Checks what a caller wants to keep.
    ///
    /// # Errors
    /// `Invalid`, titled `Invalid client group.`.
    pub fn check(&self) -> Result<()> {
        check_id(self.id.as_str())?;
        let size = self.description.len();
        if size > MAX_DESCRIPTION {
            return Err(invalid(format!(
                "description too long: max length {MAX_DESCRIPTION} bytes, got {size}"
            )));
        }
        let groups = self.allowed_user_groups.iter().flatten();
        let entries = || self.params.patterns().chain(groups.clone());
        if entries().count() > MAX_ENTRIES {
            return Err(invalid(format!(
                "more than {MAX_ENTRIES} patterns and user groups"
            )));
        }
        if let Some(entry) = entries().find(|entry| entry.len() > MAX_ENTRY) {
            let size = entry.len();
            return Err(invalid(format!(
                "pattern or user group too long: max length {MAX_ENTRY} bytes, got {size}"
            )));
        }
        Ok(())
    }
}

fn check_id(id: &str) -> Result<()> {
    if id.is_empty() {
        return Err(invalid("group ID cannot be empty"));
    }
    if id.len() > MAX_ID {
        return Err(invalid(format!(
            "invalid group ID: max length {MAX_ID}, got {}",
            id.len()
        )));
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'*');
    if !id.bytes().all(allowed) {
        return Err(invalid(format!(
            "invalid group ID {id:?}: can contain only \"A-Za-z0-9_-*\""
        )));
    }
    Ok(())
}

fn invalid(detail: impl Into<String>) -> Error {
    Error::invalid("Invalid client group.").detail(detail)
}

/// Makes the answer for a group that does not exist.
pub fn client_group_not_found(id: &ClientGroupId) -> Error {
    Error::not_found(format!("Client Group[id={:?}] not found.", id.as_str()))
}

/// Which clients belong to a group: those that satisfy every parameter that is given. Without any, nobody does.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ClientGroupParams {
    lists: [Option<Vec<String>>; LISTS.len()],
    tag: Option<TagParam>,
}

/// The parameter `tag`.
#[derive(Debug, Clone, PartialEq)]
struct TagParam {
    patterns: Vec<String>,
    form: TagForm,
}

/// How `tag` is written, and whether every pattern must match a tag.
#[derive(Debug, Clone, Copy, PartialEq)]
enum TagForm {
    /// A list: any.
    List,
    /// `{"or": […]}`: any.
    Or,
    /// `{"and": […]}`: all.
    And,
}

impl ClientGroupParams {
    /// Reads the parameters from JSON; members that are no parameter are ignored.
    ///
    /// Differs from RPort: `AND` and `OR` are understood in any letter case and kept in lower case. RPort accepts
    /// them, and then they match nobody.
    ///
    /// # Errors
    /// `Invalid`.
    pub fn from_json(value: &Value) -> Result<Self> {
        let empty = serde_json::Map::new();
        let members = match value {
            Value::Null => &empty,
            Value::Object(members) => members,
            _ => return Err(invalid("params must be an object")),
        };
        let mut params = Self::default();
        for (list, name) in params.lists.iter_mut().zip(LISTS) {
            *list = match members.get(name) {
                None | Some(Value::Null) => None,
                Some(value) => Some(
                    texts(value).ok_or_else(|| invalid(format!("params.{name} must be a list of texts")))?,
                ),
            };
        }
        params.tag = members
            .get("tag")
            .map_or(Ok(None), TagParam::from_json)
            .map_err(invalid)?;
        Ok(params)
    }

    /// Reads what [`ClientGroupParams::to_json`] or the Go server has written.
    ///
    /// # Errors
    /// `Invalid`.
    pub fn from_json_text(text: &str) -> Result<Self> {
        let value = serde_json::from_str(text).map_err(|error| invalid(error.to_string()))?;
        Self::from_json(&value)
    }

    /// Writes the parameters as the Go server keeps them.
    pub fn to_json(&self) -> String {
        rport_protocol::json::encode_string(self)
    }

    fn patterns(&self) -> impl Iterator<Item = &String> + Clone {
        let tags = self.tag.iter().flat_map(|tag| &tag.patterns);
        self.lists.iter().flatten().flatten().chain(tags)
    }
}

impl TagParam {
    fn from_json(value: &Value) -> Result<Option<Self>, &'static str> {
        let members = match value {
            Value::Null => return Ok(None),
            Value::Object(members) => members,
            list => {
                let patterns = texts(list).ok_or(TAG_UNREADABLE)?;
                return Ok(Some(Self {
                    patterns,
                    form: TagForm::List,
                }));
            }
        };
        let mut found = None;
        for (key, list) in members {
            let form = match key.to_ascii_lowercase().as_str() {
                "and" => TagForm::And,
                "or" => TagForm::Or,
                _ => return Err(ONLY_AND_OR),
            };
            let patterns = texts(list).ok_or(TAG_UNREADABLE)?;
            if found.replace(Self { patterns, form }).is_some() {
                // Nobody can say which of the two would count.
                return Err(TAG_UNREADABLE);
            }
        }
        found.ok_or(TAG_UNREADABLE).map(Some)
    }
}

fn texts(value: &Value) -> Option<Vec<String>> {
    let list = value.as_array()?;
    list.iter()
        .map(|entry| entry.as_str().map(str::to_owned))
        .collect()
}

impl Serialize for ClientGroupParams {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(LISTS.len() + 1))?;
        for (at, (name, list)) in LISTS.iter().zip(&self.lists).enumerate() {
            if at == TAG_AT {
                map.serialize_entry("tag", &self.tag)?;
            }
            map.serialize_entry(name, list)?;
        }
        map.end()
    }
}

impl Serialize for TagParam {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let operator = match self.form {
            TagForm::List => return self.patterns.serialize(serializer),
            TagForm::Or => "or",
            TagForm::And => "and",
        };
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(operator, &self.patterns)?;
        map.end()
    }
}

/// The prepared parameters of a group.
#[derive(Debug, Clone)]
pub struct ClientGroupMatcher {
    /// Members of a client and the patterns for them. Empty: nobody belongs.
    lists: Vec<(&'static str, Vec<Glob>)>,
    tag: Option<(Vec<Glob>, bool)>,
}

impl ClientGroupMatcher {
    /// Prepares the parameters.
    pub fn new(params: &ClientGroupParams) -> Self {
        let prepare = |patterns: &[String]| patterns.iter().map(|pattern| Glob::new(pattern)).collect();
        let lists = LISTS.iter().zip(&params.lists).filter_map(|(name, list)| {
            // The parameter is called after the object, the member is not.
            let member = if *name == "client_id" { "id" } else { name };
            Some((member, prepare(list.as_deref()?)))
        });
        Self {
            lists: lists.collect(),
            tag: params
                .tag
                .as_ref()
                .map(|tag| (prepare(&tag.patterns), tag.form == TagForm::And)),
        }
    }

    /// Tells whether a client belongs to the group.
    pub fn contains(&self, client: &ClientRecord) -> bool {
        if self.lists.is_empty() && self.tag.is_none() {
            return false;
        }
        let lists = self.lists.iter().all(|(member, patterns)| {
            let value = client.field(member);
            match &value {
                Member::Text(text) => any(patterns, std::slice::from_ref(text), text.is_empty()),
                Member::List(list) => any(patterns, list, list.is_empty()),
                _ => patterns.is_empty(),
            }
        });
        lists && self.tag.as_ref().is_none_or(|tag| has_tags(tag, client))
    }
}

/// Whether any pattern matches any value. No patterns at all match what is empty, and nothing else.
fn any<T: AsRef<str>>(patterns: &[Glob], values: &[T], is_empty: bool) -> bool {
    if patterns.is_empty() {
        return is_empty;
    }
    values
        .iter()
        .any(|value| patterns.iter().any(|pattern| pattern.matches(value.as_ref())))
}

fn has_tags((patterns, all): &(Vec<Glob>, bool), client: &ClientRecord) -> bool {
    let tags = client.details.tags.as_deref().unwrap_or_default();
    if patterns.is_empty() || !all {
        return any(patterns, tags, tags.is_empty());
    }
    patterns
        .iter()
        .all(|pattern| tags.iter().any(|tag| pattern.matches(tag)))
}

#[cfg(test)]
mod tests;
