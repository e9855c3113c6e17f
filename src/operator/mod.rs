//! What the service says of itself: numbers for Prometheus, how far a start has come, the log's form; and what other
//! windows would have done.

pub mod logging;
pub mod metrics;
pub mod origin_metrics;
pub mod progress;
pub mod trace_export;
pub mod tune;
