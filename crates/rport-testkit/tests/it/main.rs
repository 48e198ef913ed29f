//! The integration tests of the whole workspace, in one binary so that they link once.

mod api;
mod architecture;
mod chaos;
mod client_auth;
mod credentials_table;
mod end_to_end;
mod hostile;
mod liveness;
mod nat;
mod start_up;
mod tunnel_proxy;
mod users;
