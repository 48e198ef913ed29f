//! The API as its callers see it: a real server on a free port, spoken to over HTTP.

mod access;
mod agent;
mod attributes;
mod auditlog;
mod client_groups;
mod clients;
mod events;
mod hardening;
mod job_sockets;
mod jobs;
mod layers;
mod library;
mod login;
mod openapi;
mod rig;
mod schedules;
mod second_factor;
mod sessions;
mod sso;
mod stored_tunnels;
mod tls;
mod tunnels;
mod vault;
mod websocket;
