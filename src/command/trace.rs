//! `slackwater trace`.

use super::configuration::config_or_default;
use super::terminal::{bar, show_progress, tell};
use slackwater::operator::{logging, trace_export};
use std::error::Error;
use std::io::{BufWriter, ErrorKind};
use std::path::Path;

/// Writes the delays in the log to standard output.
pub(crate) fn trace(file: Option<&Path>) -> Result<(), Box<dyn Error>> {
    let (_, config) = config_or_default(file)?;
    // What is told of reading is told by the bar; standard output is the trace.
    logging::start(&logging::Options {
        level: "warn".to_owned(),
        ..config.logging
    });
    let bar = bar("reading the log");
    let mut out = BufWriter::new(std::io::stdout().lock());
    let traced = trace_export::write(&config.log, &mut out, &mut |read, all| {
        show_progress(&bar, read, all);
    });
    bar.finish_and_clear();
    let traced = match traced {
        // Whoever reads has enough: `slackwater trace | head`.
        Err(trace_export::ExportError::Write(error)) if error.kind() == ErrorKind::BrokenPipe => {
            return Ok(());
        }
        traced => traced?,
    };
    tell(&format!(
        "{} posts in {} records, {} of which could not be used",
        traced.posts, traced.records, traced.unusable
    ));
    Ok(())
}
