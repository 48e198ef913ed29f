//! The configuration loader of both programs.
//!
//! A file is TOML, read with the weak typing RPort users rely on: `"8080"` is an integer, `1` is `true`, a list may be
//! one string with commas. Keys and section names are case-insensitive. What is wrong is reported with file, line,
//! key, value and what is allowed; unknown keys are warnings, because the Go programs ignored them and an existing
//! file with a typo must still start.
//!
//! ```
//! use rport_runtime::toml_config::Document;
//!
//! let document = Document::parse("[server]\naddres = '0.0.0.0:80'\nallow_root = 'yes'\n", "rportd.conf");
//! let document = document.expect("sound TOML");
//! let server = document.section("server");
//! assert_eq!(server.string("address", "0.0.0.0:8080"), "0.0.0.0:8080");
//! assert!(!server.boolean("allow_root", false));
//! let report = document.finish();
//! assert_eq!(
//!     report.errors[0].to_string(),
//!     r#"rportd.conf:3: key 'server.allow_root': expected true or false, got "yes""#
//! );
//! assert_eq!(
//!     report.warnings[0].to_string(),
//!     "rportd.conf:2: key 'server.addres': unknown key, ignored; did you mean 'address'?"
//! );
//! ```
//!
//! Source of the rules: openrport's use of viper and mapstructure, reproduced by running both (reference `config.md`,
//! section 1).

mod duration;
mod load;
mod report;
mod section;
mod unknown;
mod value;

pub use duration::{format_duration, parse_duration};
pub use load::{Document, LoadError, find_in_current_dir};
pub use report::{Origin, Problem, Report};
pub use section::{FreeEntry, Section};
pub use value::Value;

#[cfg(test)]
mod tests;
