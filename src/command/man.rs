//! `slackwater man`.

use super::line::CommandLine;
use super::terminal::print;
use clap::CommandFactory;
use std::error::Error;
use std::path::Path;

/// Writes a page for each command into a folder.
pub(crate) fn man(folder: &Path) -> Result<(), Box<dyn Error>> {
    let shown = folder.display();
    std::fs::create_dir_all(folder)
        .map_err(|error| format!("making the folder {shown}: {error}"))?;
    clap_mangen::generate_to(CommandLine::command(), folder)
        .map_err(|error| format!("writing the pages into {shown}: {error}"))?;
    print(&format!(
        "the pages are in {shown}: man {shown}/slackwater.1"
    ))
}
