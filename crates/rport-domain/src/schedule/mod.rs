mod line;
mod timetable;
mod zone;
pub use timetable::{Origin, Timetable, TimetableError};
pub use zone::WallClock;
