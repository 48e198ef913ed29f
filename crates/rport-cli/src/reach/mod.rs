//! Tunnels that live as long as a command: only the operator's own address may visit them, the server closes them when
//! they are idle, and they are closed when the command ends, however it ends.

mod listen;
mod options;
mod private;
mod program;
mod signals;
mod spec;
mod tcp;
mod udp;

pub(crate) use listen::Listener;
pub(crate) use options::{ReachArgs, own_address, visited_host, well_known_port, well_known_scheme};
pub(crate) use private::{PrivateTunnel, Target, put, with_tunnel};
pub(crate) use program::{exit_number, find_program, run_in_front};
pub(crate) use signals::{Stop, until_stopped};
pub(crate) use spec::Spec;
