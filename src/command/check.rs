//! `slackwater check`.

use super::terminal::print;
use slackwater::config;
use std::error::Error;
use std::path::Path;

/// Says that the configuration is good; the mistakes in it are the error.
pub(crate) fn check(file: &Path) -> Result<(), Box<dyn Error>> {
    config::load(file)?;
    print(&format!("{} is good", file.display()))
}
