//! The API as its callers see it: a real server on a free port, spoken to over HTTP.

mod access;
mod agent;
mod clients;
mod hardening;
mod layers;
mod login;
mod openapi;
mod rig;
mod sessions;
mod tls;
mod tunnels;
