//! Placeholder page: see docs/ARCHITECTURE.md.
