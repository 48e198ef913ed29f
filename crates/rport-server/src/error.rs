//! Why the server does not start.

use std::path::PathBuf;

/// A reason not to start, as one line for the operator.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A database file cannot be used.
    #[error(transparent)]
    Store(#[from] rport_store::StoreError),
    /// A file named in the configuration cannot be used.
    #[error("{}: {problem}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The database named in the configuration cannot be used.
    #[error("{0}")]
    Database(String),
    /// Codes of the second factor cannot be sent as configured.
    #[error("codes for the second factor cannot be delivered as configured: {0}")]
    Delivery(String),
    /// Single sign-on cannot be prepared.
    #[error("single sign-on: {0}")]
    SingleSignOn(String),
    /// The configuration asks for something this version cannot do.
    #[error("{0}")]
    Unsupported(&'static str),
}
