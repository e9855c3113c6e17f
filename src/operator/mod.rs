//! What the service says of itself: numbers for Prometheus, how far a start has come, the log's form; and what other
//! windows would have done.

pub mod by_origin;
pub mod logging;
pub mod metrics;
pub mod progress;
pub mod trace;
pub mod tune;
