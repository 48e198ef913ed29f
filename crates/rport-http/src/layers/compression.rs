//! Makes long answers shorter for callers who take brotli, gzip.
//!
//! Differs from RPort: short answers and empty ones are left alone, and weights in `Accept-Encoding` are understood.

use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{And, DefaultPredicate, Predicate, SizeAbove};

/// Below this many bytes an answer fits into one packet whatever is done to it.
const SMALLEST: u64 = 1024;

/// The layer. It leaves pictures and event streams alone.
pub(crate) fn layer() -> CompressionLayer<And<SizeAbove, DefaultPredicate>> {
    // The fastest level: lists shrink to a tenth by it already, and more would cost more than the answer itself.
    CompressionLayer::new()
        .quality(CompressionLevel::Fastest)
        .compress_when(SizeAbove::new(SMALLEST).and(DefaultPredicate::new()))
}
