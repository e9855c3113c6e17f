//! `slackwater completions`.

use super::line::CommandLine;
use super::terminal::print;
use clap::CommandFactory;
use clap_complete::Shell;
use std::error::Error;

/// Prints the completions of a shell.
pub(crate) fn completions(shell: Shell) -> Result<(), Box<dyn Error>> {
    // Not straight to standard output: a reader that is gone would end it in a panic.
    let mut script = Vec::new();
    clap_complete::generate(
        shell,
        &mut CommandLine::command(),
        "slackwater",
        &mut script,
    );
    print(String::from_utf8(script)?.trim_end())
}
