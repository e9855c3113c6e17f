//! `slackwater check`.

use super::terminal::{print, tell};
use slackwater::config;
use slackwater::config::advice::advice;
use std::error::Error;
use std::path::Path;

/// Says that the configuration is good, and on standard error which of its settings defeat each other; the mistakes in it are the error.
pub(crate) fn check(file: &Path) -> Result<(), Box<dyn Error>> {
    let config = config::load(file)?;
    for advice in advice(&config) {
        tell(&format!("{}: {advice}", file.display()));
    }
    print(&format!("{} is good", file.display()))
}
