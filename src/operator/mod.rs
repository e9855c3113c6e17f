//! What an operator reads: metrics, the progress of a start, the log; and what other windows would have done.
//!
//! | module | what it is |
//! |---|---|
//! | [`metrics`] | numbers for Prometheus: of the service, and of single origins |
//! | [`connector_status`] | how the connector to Mastodon's database is |
//! | [`logging`], [`line_rate`] | the log on standard error, and how many lines of it a caller may cause |
//! | [`progress`] | how far catching up has come |
//! | [`shown_url`] | addresses as people may be shown them |
//! | [`trace_export`] | the delays in a log, as a trace |
//! | [`traces`] | spans for OpenTelemetry |
//! | [`tune`] | a trace replayed under other windows |

pub mod connector_status;
pub mod line_rate;
pub mod logging;
pub mod metrics;
pub mod progress;
pub mod shown_url;
pub mod trace_export;
pub mod traces;
pub mod tune;
