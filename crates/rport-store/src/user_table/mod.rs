//! Users in tables of a database the operator owns. Source: storage.md 6.

mod options;

pub use options::UserTableNames;
