//! The configuration that a command works with.

use slackwater::config::{self, Config};
use std::error::Error;
use std::path::Path;

/// The configuration of this file, or of slackwater.toml here, or the default; and what it is called.
pub(crate) fn config_or_default(file: Option<&Path>) -> Result<(String, Config), Box<dyn Error>> {
    let here = Path::new("slackwater.toml");
    let file = file.or_else(|| here.exists().then_some(here));
    match file {
        Some(file) => Ok((file.display().to_string(), config::load(file)?)),
        None => Ok((config::NO_FILE.to_owned(), config::load_without_file()?)),
    }
}
