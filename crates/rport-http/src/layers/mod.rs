//! What happens around every route, outermost first: request log, path cleaning, CORS, compression, panic guard,
//! security headers, ban, and detached mutations.

pub(crate) mod access_log;
pub(crate) mod ban;
pub(crate) mod clean_path;
pub(crate) mod compression;
pub(crate) mod cors;
pub(crate) mod detached;
pub(crate) mod panic_guard;
pub(crate) mod request_log;
pub(crate) mod security_headers;
