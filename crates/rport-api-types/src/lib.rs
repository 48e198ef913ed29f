//! Shapes of the REST API: what requests carry and what answers look like, with conversions from the domain.
//!
//! Key order, `null`s and number forms follow the Go server, because scripts and front ends rely on them. Texts on
//! the members end in the OpenAPI document and speak to its readers. The envelope and the error body stand in
//! `rport-http`, beside the statuses they belong to.
//!
//! This crate knows neither the HTTP library nor the services. Start reading at [`client::Client`].

pub mod api_session;
pub mod api_token;
pub mod attributes;
pub mod audit;
pub mod client;
pub mod client_auth;
pub mod client_group;
pub mod client_tag;
pub mod event;
pub mod job;
pub mod job_message;
pub mod library;
pub mod login;
pub mod me;
pub mod multi_job;
pub mod plus;
pub mod schedule;
pub mod second_factor;
pub mod sso;
pub mod status;
pub mod stored_tunnel;
pub mod tunnel;
pub mod user;
pub mod user_group;
pub mod vault;
