//! The integration tests of the whole workspace, in one binary so that they link once.

mod access_matrix;
mod api;
mod architecture;
mod attributes;
mod client_auth;
mod client_groups;
mod credentials_table;
mod end_to_end;
mod go_data;
mod heavy;
mod hostile;
mod liveness;
mod nat;
mod rportcli;
mod start_up;
mod tunnel_proxy;
mod users;
