//! Schedules: orders to many clients that are made again and again. Source: rest-api.md 15, operations.md 21.

mod line;
mod timetable;
mod zone;

pub use timetable::{Origin, Timetable, TimetableError};
pub use zone::WallClock;
