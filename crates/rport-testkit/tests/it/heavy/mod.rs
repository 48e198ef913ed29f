//! Tests that take the whole machine for minutes. `make test` runs them after the others and one at a time, so that
//! neither they nor the others run out of time.

mod chaos;
mod fleet_jobs;
mod hard_jobs;
