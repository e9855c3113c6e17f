//! `slackwater tune`.

use super::configuration::config_or_default;
use super::terminal::{bar, print, show_progress, tell};
use slackwater::config;
use slackwater::operator::tune::trace_file::{Trace, TraceFileError};
use slackwater::operator::tune::{self, Candidate, plot, table};
use slackwater_order::window::ReorderWindow;
use std::error::Error;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// Replays a trace, and prints what each configuration would have done.
pub(crate) fn tune(
    file: &Path,
    configs: &[PathBuf],
    target: f64,
    as_json: bool,
    plot: Option<&Path>,
) -> Result<(), Box<dyn Error>> {
    let candidates = candidates(configs)?;
    let reading = bar("reading the trace");
    let trace = if file == Path::new("-") {
        Trace::read(std::io::stdin().lock(), &mut |read| {
            show_progress(&reading, read, 0);
        })?
    } else {
        let opened = File::open(file).map_err(|e| format!("opening {}: {e}", file.display()))?;
        let all = opened.metadata()?.len();
        let lines = BufReader::with_capacity(1 << 20, opened);
        let read = Trace::read(lines, &mut |read| show_progress(&reading, read, all));
        let file = file.display();
        read.map_err(|error| match error {
            TraceFileError::Read(error) => format!("reading {file}: {error}"),
            error => format!("{error} (in {file})"),
        })?
    };
    reading.finish_and_clear();
    let replaying = bar("replaying");
    let report = tune::tune(&trace, &candidates, target, &mut |done, all| {
        show_progress(&replaying, done, all);
    });
    replaying.finish_and_clear();
    if let Some(plot) = plot {
        std::fs::write(plot, plot::svg(&report))
            .map_err(|e| format!("writing {}: {e}", plot.display()))?;
    }
    let text = match as_json {
        true => serde_json::to_string_pretty(&report)?,
        false => table::text(&report).trim_end().to_owned(),
    };
    print(&text)?;
    if as_json && 0 < report.trace.malformed.lines {
        tell(&format!(
            "{} lines could not be read",
            report.trace.malformed.lines
        ));
    }
    Ok(())
}

/// What to try: the files given; or what would be served here, and the same with learned windows.
fn candidates(configs: &[PathBuf]) -> Result<Vec<Candidate>, Box<dyn Error>> {
    let mut candidates = Vec::new();
    for file in configs {
        let name = file.display().to_string();
        let windows = config::load(file)?.pipeline.engine.windows;
        candidates.push(Candidate { name, windows });
    }
    if candidates.is_empty() {
        let (name, config) = config_or_default(None)?;
        let windows = config.pipeline.engine.windows;
        let mut auto = windows.clone();
        auto.default.reorder_window = ReorderWindow::Auto;
        let may_be_learned = auto != windows && !auto.default.decides_places();
        candidates.push(Candidate {
            name: name.clone(),
            windows,
        });
        if may_be_learned {
            candidates.push(Candidate {
                name: format!("{name}, reorder_window = \"auto\""),
                windows: auto,
            });
        }
    }
    Ok(candidates)
}

/// Reads `--target`.
pub(crate) fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if 0.0 < share && share < 1.0 => Ok(share),
        _ => Err("send a number above 0 and below 1, such as 0.99".to_owned()),
    }
}
