//! What a command writes to the terminal: results to standard output, all else to standard error.

use indicatif::{ProgressBar, ProgressStyle};
use std::error::Error;
use std::io::{ErrorKind, IsTerminal, Write};

/// A bar on standard error; nothing where that is no terminal.
pub(crate) fn bar(what: &'static str) -> ProgressBar {
    let bar = ProgressBar::no_length().with_message(what);
    if let Ok(style) = ProgressStyle::with_template("{msg} {bar:40} {percent} %  {eta} to go") {
        bar.set_style(style);
    }
    bar
}

pub(crate) fn show_progress(bar: &ProgressBar, done: u64, all: u64) {
    bar.set_length(all.max(done));
    bar.set_position(done);
}

/// Writes a line to standard output. Whoever reads it may have enough and be gone: `slackwater tune trace | head`.
pub(crate) fn print(text: &str) -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(format!("writing to standard output: {error}").into())
        }
        _ => Ok(()),
    }
}

/// Asks a question on the terminal that is answered by yes or no; none if there is no terminal to answer at.
pub(crate) fn ask(question: &str) -> Result<Option<bool>, Box<dyn Error>> {
    if !std::io::stdin().is_terminal() {
        return Ok(None);
    }
    // Where it is answered there is somebody to read it.
    let _ = write!(std::io::stderr(), "{question} [y/N] ");
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    let answer = answer.trim().to_lowercase();
    Ok(Some(answer == "y" || answer == "yes"))
}

/// Writes a line to standard error; if nobody listens there, nobody is told.
pub(crate) fn tell(what: &str) {
    let _ = writeln!(std::io::stderr(), "{what}");
}

/// Writes an error to standard error, with its causes.
pub(crate) fn print_chain(error: &dyn Error) {
    tell(&format!("slackwater: {error}"));
    let mut cause = error.source();
    while let Some(error) = cause {
        tell(&format!("  because: {error}"));
        cause = error.source();
    }
}
