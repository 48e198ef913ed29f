//! Client groups.

use rport_domain::{ClientGroupParams, ClientGroupView, Error, Fields};
use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap};
use serde_json::Value;
use utoipa::ToSchema;

/// A client group with the members that were asked for.
#[derive(Debug, Clone)]
pub struct ClientGroup {
    view: ClientGroupView,
    fields: Fields,
}

impl ClientGroup {
    /// Shows the wanted members of a group.
    pub fn new(view: ClientGroupView, fields: Fields) -> Self {
        Self { view, fields }
    }
}

impl Serialize for ClientGroup {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ClientGroupView {
            group,
            client_ids,
            connected,
        } = &self.view;
        let mut map = serializer.serialize_map(None)?;
        for name in self.fields.names() {
            match name {
                "id" => map.serialize_entry(name, &group.id),
                "description" => map.serialize_entry(name, &group.description),
                "params" => map.serialize_entry(name, &group.params),
                "allowed_user_groups" => map.serialize_entry(name, &group.allowed_user_groups),
                "client_ids" => map.serialize_entry(name, client_ids),
                "num_clients" => map.serialize_entry(name, &client_ids.len()),
                "num_clients_connected" => map.serialize_entry(name, connected),
                _ => Ok(()),
            }?;
        }
        map.end()
    }
}

/// A client group. Members that were not asked for are absent.
#[derive(ToSchema)]
#[schema(as = ClientGroup)]
#[expect(
    dead_code,
    reason = "describes what ClientGroup writes, for the OpenAPI document"
)]
pub struct ClientGroupDocument {
    /// Its id.
    id: Option<String>,
    /// What it is for.
    description: Option<String>,
    /// Which clients belong to it.
    params: Option<ClientGroupParamsBody>,
    /// User groups that may access its clients; null until set.
    allowed_user_groups: Option<Vec<String>>,
    /// Its clients that the caller may see, sorted.
    client_ids: Option<Vec<String>>,
    /// How many they are.
    num_clients: Option<u64>,
    /// How many of them are connected.
    num_clients_connected: Option<u64>,
}

/// A client group to keep. Replaces the whole earlier one.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct ClientGroupBody {
    /// 1 to 30 of `A-Za-z0-9_-*`.
    #[schema(min_length = 1, max_length = 30, pattern = "^[A-Za-z0-9_*-]+$")]
    pub id: String,
    /// What it is for.
    pub description: String,
    /// Which clients belong to it.
    #[schema(required)]
    pub params: Option<ClientGroupParamsBody>,
    /// User groups that may access its clients.
    pub allowed_user_groups: Option<Vec<String>>,
    /// Ignored: the server finds the clients.
    #[schema(value_type = Option<Object>)]
    pub client_ids: Option<Value>,
    /// Ignored.
    #[schema(value_type = Option<Object>)]
    pub num_clients: Option<Value>,
    /// Ignored.
    #[schema(value_type = Option<Object>)]
    pub num_clients_connected: Option<Value>,
}

impl ClientGroupBody {
    /// Reads the parameters; the rest is checked where the group is kept.
    ///
    /// # Errors
    /// `Invalid`, titled `Invalid client group.`.
    pub fn into_group(self) -> Result<rport_domain::ClientGroup, Error> {
        let invalid = |detail: String| Error::invalid("Invalid client group.").detail(detail);
        let params = self
            .params
            .ok_or_else(|| invalid("params are missing".to_owned()))?;
        let params = serde_json::to_value(params).map_err(|error| invalid(error.to_string()))?;
        Ok(rport_domain::ClientGroup {
            id: self.id.into(),
            description: self.description,
            params: ClientGroupParams::from_json(&params)?,
            allowed_user_groups: self.allowed_user_groups,
        })
    }
}

/// Which clients belong to a group: those that match every parameter that is given. Each is null or a list of patterns
/// of which one must match, in any letter case; `*` stands for any text.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ClientGroupParamsBody {
    /// Ids.
    pub client_id: Option<Vec<String>>,
    /// Display names.
    pub name: Option<Vec<String>>,
    /// Operating systems.
    pub os: Option<Vec<String>>,
    /// Architectures.
    pub os_arch: Option<Vec<String>>,
    /// Families of operating systems.
    pub os_family: Option<Vec<String>>,
    /// Kernels.
    pub os_kernel: Option<Vec<String>>,
    /// Host names.
    pub hostname: Option<Vec<String>>,
    /// Interface addresses.
    pub ipv4: Option<Vec<String>>,
    /// Interface addresses.
    pub ipv6: Option<Vec<String>>,
    /// Tags: a list, or `{"and": […]}` if all patterns must match, or `{"or": […]}`.
    #[schema(value_type = Option<TagParam>)]
    pub tag: Option<Value>,
    /// Versions of the agent.
    pub version: Option<Vec<String>>,
    /// Addresses the agent connects from.
    pub address: Option<Vec<String>>,
    /// Credentials the agent connects with.
    pub client_auth_id: Option<Vec<String>>,
    /// `connected` or `disconnected`.
    pub connection_state: Option<Vec<String>>,
}

/// Patterns for tags.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum TagParam {
    /// One must match.
    Any(Vec<String>),
    /// All must match.
    And {
        /// The patterns.
        and: Vec<String>,
    },
    /// One must match.
    Or {
        /// The patterns.
        or: Vec<String>,
    },
}
