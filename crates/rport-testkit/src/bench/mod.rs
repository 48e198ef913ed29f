//! The measurements behind `make bench`.
//!
//! Each system under test offers one visitor address that leads to the same [`target::Target`]; plain loopback is a
//! system like any other. Load is made by blocking threads of this process, which cost less than an async runtime.
//! Rounds go through the systems in turn, so that a slow spell of the machine meets all of them, and a cell of the
//! report is the median over the rounds.

pub mod fleet;
pub mod jobs;
pub mod lists;
pub mod load;
pub mod proc;
pub mod report;
pub mod suite;
pub mod system;
pub mod target;
