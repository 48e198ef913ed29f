//! Jobs as a server sees them.

mod delivery;
mod ending;
mod output;
mod rig;
mod running;
