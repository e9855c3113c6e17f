//! A report for people: tables for a terminal.

use super::recommend::learnable;
use super::report::{Configuration, OriginRow, ReaderRow, Report};
use slackwater_order::window::WindowSource;
use std::fmt::Write;

/// Origins in each table, those with the most posts.
pub const ORIGINS_MAX: usize = 20;

/// The report as text, its lines ended.
pub fn text(report: &Report) -> String {
    let mut text = String::new();
    let trace = &report.trace;
    line(
        &mut text,
        &format!(
            "{} posts of {} origins, {} to {}",
            trace.posts,
            trace.origins,
            trace.from.rfc3339(),
            trace.until.rfc3339()
        ),
    );
    if 0 < trace.malformed.lines {
        line(
            &mut text,
            &format!("{} lines could not be read:", trace.malformed.lines),
        );
        for malformed in &trace.malformed.told {
            line(
                &mut text,
                &format!("  line {}: {}", malformed.line, malformed.reason),
            );
        }
    }
    for configuration in &report.configurations {
        line(&mut text, "");
        of_configuration(&mut text, configuration);
    }
    line(&mut text, "");
    recommended(&mut text, report);
    line(&mut text, "");
    line(
        &mut text,
        "Readers follow everybody in the trace. hold: the longest wait for an origin, at the end: its window if that fits in\n\
         the patience; if not, and it is learned, as long as waiting finds more in time. added wait: from a post's arrival\n\
         until it shows, the hold less its delay. behind: entries that came below one already shown.",
    );
    text
}

/// A share, 0 to 1, in percent with two digits behind the point. What is not all is not shown as all.
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    let percent = if share < 1.0 {
        percent.min(99.99)
    } else {
        percent
    };
    format!("{percent:.2} %")
}

/// The same in a sentence: `99 %`, `99.5 %`.
pub fn percent_in_words(share: f64) -> String {
    let digits = percent(share);
    let digits = digits
        .trim_end_matches(" %")
        .trim_end_matches('0')
        .trim_end_matches('.');
    format!("{digits} %")
}

/// A time in milliseconds, to about three digits.
pub fn span(ms: i64) -> String {
    match ms {
        ..1_000 => format!("{ms}ms"),
        1_000..60_000 => format!("{}s", trimmed(ms as f64 / 1e3)),
        60_000..3_600_000 => format!("{}m{:02}s", ms / 60_000, ms / 1_000 % 60),
        3_600_000..86_400_000 => format!("{}h{:02}m", ms / 3_600_000, ms / 60_000 % 60),
        _ => format!("{}d{:02}h", ms / 86_400_000, ms / 3_600_000 % 24),
    }
}

fn of_configuration(text: &mut String, configuration: &Configuration) {
    let shares = configuration.shares;
    line(
        text,
        &format!(
            "{}: {} in time, {} late, {} too late",
            configuration.name,
            percent(shares.in_time),
            percent(shares.late),
            percent(shares.too_late)
        ),
    );
    let mut rows = vec![cells([
        "patience",
        "hold",
        "added wait p50",
        "p95",
        "p99",
        "behind",
    ])];
    for reader in &configuration.readers {
        let wait = reader.added_wait_ms;
        rows.push(cells([
            &reader.patience,
            &zero(reader.hold_ms),
            &zero(wait.p50),
            &zero(wait.p95),
            &zero(wait.p99),
            &percent(reader.behind),
        ]));
    }
    aligned(text, &rows);
    line(text, "");
    let mut rows = vec![cells([
        "origin", "posts", "window", "in time", "late", "too late",
    ])];
    rows.extend(
        configuration
            .origins
            .iter()
            .take(ORIGINS_MAX)
            .map(of_origin),
    );
    aligned(text, &rows);
    more(text, configuration.origins.len());
}

fn of_origin(origin: &OriginRow) -> Vec<String> {
    let window = match origin.window_from {
        WindowSource::Fixed => zero(origin.reorder_window_ms),
        WindowSource::Learned => format!("{} learned", zero(origin.reorder_window_ms)),
        WindowSource::NotYetLearned => "not yet learned".to_owned(),
    };
    cells([
        &shortened(&origin.host),
        &origin.posts.to_string(),
        &window,
        &percent(origin.shares.in_time),
        &percent(origin.shares.late),
        &percent(origin.shares.too_late),
    ])
}

fn recommended(text: &mut String, report: &Report) {
    let target = percent_in_words(report.target);
    let origins = &report.recommended.origins;
    if origins.is_empty() {
        line(
            text,
            &format!("No origin has posts enough to recommend a window for {target} in time."),
        );
    } else {
        recommended_windows(text, report, &target);
    }
    if let Some(reader) = &report.recommended.patience {
        line(text, "");
        recommended_patience(text, report, reader);
    }
    if report.recommended.patience.is_some() || !origins.is_empty() {
        line(text, "");
        to_be_pasted(text, report);
    }
}

fn recommended_windows(text: &mut String, report: &Report, target: &str) {
    let origins = &report.recommended.origins;
    line(
        text,
        &format!(
            "To have {target} of an origin's posts in time (what it does to readers: last above):"
        ),
    );
    let mut rows = vec![cells(["origin", "posts", "window", "in time", ""])];
    for origin in origins.iter().take(ORIGINS_MAX) {
        let remark = if origin.looks_scheduled {
            "scheduled delay: a shorter window does nothing"
        } else if origin.auto {
            "better learned: most of its posts come within the patience"
        } else {
            ""
        };
        rows.push(cells([
            &shortened(&origin.host),
            &origin.posts.to_string(),
            &zero(origin.reorder_window_ms),
            &percent(origin.in_time),
            remark,
        ]));
    }
    aligned(text, &rows);
    more(text, origins.len());
}

fn recommended_patience(text: &mut String, report: &Report, reader: &ReaderRow) {
    let least = percent_in_words(1.0 - report.target);
    let live = report
        .configurations
        .last()
        .and_then(|it| it.readers.first());
    let instead = live.filter(|live| live.patience != reader.patience);
    let instead = instead.map(|live| format!(" instead of {}", percent(live.behind)));
    line(
        text,
        &format!(
            "To wait while each doubling of the hold brings at least {least} of the entries in order: patience {}, a hold of\n\
             {}, added wait p50 {}, {}{} behind.",
            reader.patience,
            zero(reader.hold_ms),
            zero(reader.added_wait_ms.p50),
            percent(reader.behind),
            instead.unwrap_or_default(),
        ),
    );
}

/// What is recommended, as the configuration has it.
fn to_be_pasted(text: &mut String, report: &Report) {
    if let Some(reader) = &report.recommended.patience {
        line(
            text,
            &format!("[ordering]\npatience = \"{}\"", reader.patience),
        );
    }
    let origins = || report.recommended.origins.iter().take(ORIGINS_MAX);
    if origins().any(|origin| origin.auto) {
        let quantile = learnable(report.target);
        line(text, &format!("[ordering.auto]\nquantile = {quantile}"));
    }
    for origin in origins() {
        let millis = origin.reorder_window_ms.unsigned_abs();
        let window = if origin.auto {
            "auto".to_owned()
        } else {
            humantime::format_duration(std::time::Duration::from_millis(millis)).to_string()
        };
        line(
            text,
            &format!(
                "[ordering.origin.{:?}]\nreorder_window = \"{window}\"",
                origin.host
            ),
        );
    }
}

fn more(text: &mut String, origins: usize) {
    if ORIGINS_MAX < origins {
        line(
            text,
            &format!("  and {} more: --json has them all", origins - ORIGINS_MAX),
        );
    }
}

/// A time as [`span`] has it, and no time at all as `0s`.
fn zero(ms: i64) -> String {
    if ms == 0 { "0s".to_owned() } else { span(ms) }
}

fn trimmed(number: f64) -> String {
    let text = format!("{number:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

/// A host as a table shows it. Another chose it: it can hold no control characters, but it can be long.
fn shortened(host: &str) -> String {
    const CHARS_MAX: usize = 40;
    match host.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{}…", host.get(..end).unwrap_or_default()),
        None => host.to_owned(),
    }
}

fn cells<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).into()
}

/// Rows under each other: the first column to the left, the others to the right, the last as it comes.
fn aligned(text: &mut String, rows: &[Vec<String>]) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells
            .map(|cell| console::measure_text_width(cell))
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in rows {
        let mut aligned = String::from("  ");
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let gap = " ".repeat(width.saturating_sub(console::measure_text_width(cell)));
            match column {
                0 => aligned.extend([cell.as_str(), &gap]),
                _ => aligned.extend(["  ", &gap, cell]),
            }
        }
        line(text, aligned.trim_end());
    }
}

fn line(text: &mut String, line: &str) {
    // To memory: it does not fail.
    let _ = writeln!(text, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_shares_are_short() {
        for (ms, text) in [
            (0, "0ms"),
            (999, "999ms"),
            (1_000, "1s"),
            (12_340, "12.3s"),
            (60_000, "1m00s"),
            (985_000, "16m25s"),
            (3_600_000, "1h00m"),
            (90_000_000, "1d01h"),
        ] {
            assert_eq!(span(ms), text);
        }
        for (share, text) in [
            (0.0, "0.00 %"),
            (0.5, "50.00 %"),
            (0.99996, "99.99 %"),
            (1.0, "100.00 %"),
            (0.01234, "1.23 %"),
        ] {
            assert_eq!(percent(share), text);
        }
        for (share, text) in [
            (0.0, "0 %"),
            (0.1, "10 %"),
            (0.99, "99 %"),
            (0.995, "99.5 %"),
            (1.0, "100 %"),
        ] {
            assert_eq!(percent_in_words(share), text);
        }
    }
}
