//! The state of the original's add-on, which there is not.

use serde::Serialize;
use utoipa::ToSchema;

/// What a server without the add-on says. Source: API notes, section 21.5.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct PlusStatus {
    /// Whether the add-on is loaded.
    pub is_enabled: bool,
    /// Whether it runs without licence.
    pub is_trial: bool,
    /// Whether its licence is valid.
    pub valid_license: bool,
    /// What the licence covers.
    pub lic_info: PlusLicense,
    /// Version of the add-on.
    pub plus_version: String,
    /// When it was built.
    pub build_time: String,
    /// Whether somebody built it at home.
    pub local_build: String,
    /// What it was built from.
    pub rport_git_ref: String,
    /// What it was built from, exactly.
    pub rport_commit_id: String,
}

/// What a licence covers.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct PlusLicense {
    /// Clients that may connect; 0 when there is no licence.
    pub max_clients: u64,
    /// Users that may exist; 0 when there is no licence.
    pub max_users: u64,
}

impl PlusStatus {
    /// The state of a server without the add-on. It says "trial", as front ends expect where nothing is licensed.
    pub fn absent() -> Self {
        Self {
            is_trial: true,
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_the_go_server_meant_to_say() {
        let shown = serde_json::to_string(&PlusStatus::absent()).expect("JSON");
        let expected = concat!(
            r#"{"is_enabled":false,"is_trial":true,"valid_license":false,"#,
            r#""lic_info":{"max_clients":0,"max_users":0},"plus_version":"","build_time":"","local_build":"","#,
            r#""rport_git_ref":"","rport_commit_id":""}"#
        );
        assert_eq!(shown, expected);
    }
}
