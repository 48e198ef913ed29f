//! What the tests and the benchmarks of the whole workspace stand on.
//!
//! * [`eventually()`]: wait for a state with a deadline, never for a time.
//! * [`process`]: the real programs `rportd` and `rport`, each in a directory of its own.
//! * [`pair`]: one of each, connected.
//! * [`api`]: the API as a caller sees it.
//! * [`service`]: things behind an agent that a tunnel can lead to.
//! * [`visitor`]: what goes through a tunnel.
//! * [`raw`]: bytes at each step, as an attacker sends them.
//! * [`chaos`]: a TCP proxy that cuts, stalls, swallows and trickles.
//! * [`netns`]: machines behind a router, on one machine.
//! * [`databases`]: MariaDB and PostgreSQL, private to the tests.
//! * [`simulator`]: many agents in one process.
//! * [`workers`]: many agents in one process that take jobs.
//! * [`oidc`]: a provider of identities, and how it can be wrong.
//! * [`acme`]: an authority for certificates that really validates names.
//! * [`mod@bench`]: the measurements of `make bench`.
//!
//! The integration tests of the workspace are one binary, `tests/it/main.rs`. Nothing here is shipped.
//!
//! Programs and proxies bind 127.0.0.1 only, unless a test puts them into a network namespace of its own.

pub mod acme;
pub mod api;
pub mod bench;
pub mod chaos;
pub mod databases;
pub mod eventually;
pub mod netns;
pub mod oidc;
pub mod pair;
pub mod ports;
pub mod process;
pub mod raw;
pub mod service;
pub mod simulator;
pub mod tls;
pub mod visitor;
pub mod workers;

pub use eventually::{eventually, eventually_ok};
