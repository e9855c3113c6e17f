//! `[logging]`: what the log holds.

use super::Resolver;
use crate::config::file;
use crate::config::mistake::{guess, quoted};
use crate::operator::logging;
use tracing_subscriber::filter::{EnvFilter, LevelFilter};

impl Resolver<'_> {
    /// The log's level and form.
    pub(super) fn logging(&mut self, written: file::Logging) -> logging::Options {
        let mut logging = logging::Options::default();
        if let Some(level) = written.level {
            match level_mistake(&level) {
                None => logging.level = level,
                Some(guess) => {
                    let allowed =
                        "off, error, warn, info, debug or trace, and module=level, between commas";
                    self.mistake("logging.level", &quoted(&level), allowed, guess);
                }
            }
        }
        logging.format = written.format.unwrap_or(logging.format);
        logging
    }
}

/// The mistake in a filter for log lines, if there is one: the level that was probably meant, if that can be guessed. A lone word
/// that is no level would be a filter for the module so named; far more likely it is a level that is misspelt.
fn level_mistake(level: &str) -> Option<Option<String>> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let unknown = level
        .split(',')
        .map(str::trim)
        .filter(|part| !part.contains(['=', '[']))
        .find(|part| part.is_empty() || part.parse::<LevelFilter>().is_err());
    match unknown {
        Some(part) => Some(guess(part, LEVELS.into_iter()).map(quoted)),
        None => EnvFilter::builder().parse(level).is_err().then_some(None),
    }
}
