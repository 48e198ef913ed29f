//! `rportcli` as a program, against a real server and a real agent.

mod admin;
mod failures;
mod jobs;
mod login;
mod reach;
mod rig;
mod second_factor;
mod sso;
mod vault;
