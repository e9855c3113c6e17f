//! The log's form: for people on a terminal, JSON otherwise.

use crate::config::{Format, Logging};
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// Starts writing the log to standard error. A second call has no effect.
pub fn start(logging: &Logging) {
    let filter = EnvFilter::try_new(&logging.level).unwrap_or_else(|_| EnvFilter::new("info"));
    let human = match logging.format {
        Format::Human => true,
        Format::Json => false,
        Format::Auto => std::io::stderr().is_terminal(),
    };
    let base = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let started = if human {
        base.with_target(false)
            .with_ansi(std::io::stderr().is_terminal())
            .try_init()
    } else {
        base.json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .try_init()
    };
    if started.is_err() {
        tracing::debug!("the log was started before");
    }
}
