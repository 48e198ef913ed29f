//! The integration tests of the whole workspace, in one binary so that they link once.

mod api;
mod architecture;
mod chaos;
mod end_to_end;
mod hostile;
mod liveness;
mod nat;
mod start_up;
