//! Two columns of text: the feed as it would be by arrival beside the feed in order. Pure.

use super::fediverse::people::ORIGINS;
use console::{Style, measure_text_width, truncate_str};
use slackwater_order::time::Time;

/// The fewest rows in which an entry gets two lines; in fewer it gets one, so that enough of them are seen.
const ROOMY_ROWS_MIN: usize = 36;
/// The narrowest picture drawn; a narrower terminal cuts it off.
const COLUMNS_MIN: usize = 60;
/// The narrowest column in which an entry of one row names its origin, and the room for that and for a bare name.
const HANDLE_COLUMN_MIN: usize = 66;
const HANDLE: usize = 25;
const NAME: usize = 6;
const BETWEEN: &str = " │ ";

/// A post in a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnEntry {
    /// The object's id: the same post in both columns.
    pub uri: String,
    /// Its author, `name@host`.
    pub handle: String,
    /// Its text, without markup.
    pub text: String,
    /// When it was written.
    pub written: Time,
    /// How long it took, if the service says it is late.
    pub late_ms: Option<i64>,
}

/// The columns, and what stands around them.
#[derive(Debug)]
pub struct Scene<'a> {
    /// The made-up fediverse's now.
    pub now: Time,
    /// By arrival, newest first.
    pub by_arrival: &'a [ColumnEntry],
    /// As the service gives the feed, newest first.
    pub in_order: &'a [ColumnEntry],
    /// The posts that came a moment ago.
    pub fresh: &'a [String],
    /// Where the feed is read over HTTP.
    pub url: &'a str,
    /// Its port is not the usual one, which was taken.
    pub is_another_port: bool,
}

/// The size of the terminal, and its colours.
#[derive(Clone, Copy, Debug)]
pub struct Canvas {
    /// Characters in a row.
    pub columns: usize,
    /// Rows.
    pub rows: usize,
    /// Whether colours may be used.
    pub colour: bool,
}

/// The picture: rows without line ends, at most as many as the canvas has.
pub fn draw(scene: &Scene<'_>, canvas: Canvas) -> Vec<String> {
    let columns = canvas.columns.max(COLUMNS_MIN);
    let painter = Painter {
        colour: canvas.colour,
        column: (columns - measure_text_width(BETWEEN)) / 2,
        roomy: ROOMY_ROWS_MIN <= canvas.rows,
        fresh: scene.fresh,
    };
    let whole = |text: &str, style: Style| painter.with(&fit(text, columns), style);
    let rule = |crossing: char| {
        let line = "─".repeat(painter.column + 1);
        painter.with(&format!("{line}{crossing}{line}"), Style::new().dim())
    };
    let clock = format!("{} there ", hh_mm(scene.now));
    let title = fit(
        " Slackwater demo, all made up. One second here is one minute there.",
        columns.saturating_sub(clock.len()),
    );
    let mut rows = vec![
        painter.with(&format!("{title}{clock}"), Style::new().bold()),
        rule('┬'),
        painter.beside(
            &painter.cell("  By arrival (what servers do today)", Style::new().bold()),
            &painter.cell("  In order (Slackwater)", Style::new().bold()),
        ),
        painter.beside(
            &painter.tally(scene.by_arrival),
            &painter.tally(scene.in_order),
        ),
        rule('┼'),
    ];
    let mut below = vec![rule('┴')];
    below.extend(painter.legend(columns));
    let another = match scene.is_another_port {
        true => "  (port 8787 is taken)",
        false => "",
    };
    let read_it = format!(" Read it:  curl {}{another}", scene.url);
    below.push(whole(&read_it, Style::new()));
    below.push(whole(
        " ▸ came a moment ago.  Ctrl-C ends it and removes what it made.",
        Style::new().dim(),
    ));

    let height = if painter.roomy { 2 } else { 1 };
    let room = canvas.rows.saturating_sub(rows.len() + below.len()) / height;
    let misplaced = out_of_order(scene.by_arrival);
    let blank = || vec![" ".repeat(painter.column); height];
    let mut left = scene.by_arrival.iter().zip(misplaced).map(|(it, wrong)| {
        let mark = match (wrong, painter.roomy) {
            (false, _) => "",
            (true, true) => "out of order",
            (true, false) => "misplaced",
        };
        painter.entry(it, mark, Style::new().red())
    });
    let mut right = scene.in_order.iter().map(|it| {
        let mark = match it.late_ms.map(in_words) {
            None => String::new(),
            Some(by) if painter.roomy => format!("late +{by}"),
            Some(by) => format!("+{by}"),
        };
        painter.entry(it, &mark, Style::new().yellow())
    });
    for _ in 0..room {
        let (left, right) = (left.next(), right.next());
        if left.is_none() && right.is_none() {
            break;
        }
        let pairs = left
            .unwrap_or_else(blank)
            .into_iter()
            .zip(right.unwrap_or_else(blank));
        rows.extend(pairs.map(|(left, right)| painter.beside(&left, &right)));
    }
    rows.extend(below);
    rows.iter().map(|row| row.trim_end().to_owned()).collect()
}

/// Which posts of a column, newest first, stand above one that was written later.
pub fn out_of_order(column: &[ColumnEntry]) -> Vec<bool> {
    let mut latest_below = None;
    let mut wrong: Vec<bool> = column
        .iter()
        .rev()
        .map(|it| {
            let is_wrong = latest_below.is_some_and(|latest| it.written < latest);
            latest_below = latest_below.max(Some(it.written));
            is_wrong
        })
        .collect();
    wrong.reverse();
    wrong
}

/// How many those are.
pub fn count_out_of_order(column: &[ColumnEntry]) -> usize {
    out_of_order(column).into_iter().filter(|it| *it).count()
}

/// `18:42`, in UTC.
pub fn hh_mm(time: Time) -> String {
    let minutes = time.millis().div_euclid(60_000).rem_euclid(24 * 60);
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

/// A delay in words: seconds below a minute, whole minutes beyond.
pub fn in_words(delay_ms: i64) -> String {
    let seconds = delay_ms / 1000;
    if seconds < 60 {
        format!("{seconds} s")
    } else {
        format!("{} min", (seconds + 30) / 60)
    }
}

struct Painter<'a> {
    colour: bool,
    /// The width of a column.
    column: usize,
    roomy: bool,
    fresh: &'a [String],
}

impl Painter<'_> {
    /// An entry as the rows of its column; `mark` stands at the right.
    fn entry(&self, it: &ColumnEntry, mark: &str, mark_style: Style) -> Vec<String> {
        let is_fresh = self.fresh.contains(&it.uri);
        let pointer = if is_fresh { "▸ " } else { "  " };
        let lively = |style: Style| if is_fresh { style.bold() } else { style };
        let time = lively(Style::new().cyan());
        let name_style = match is_fresh {
            true => Style::new().bold(),
            false => Style::new().dim(),
        };
        let mark_style = lively(mark_style);
        let mark_width = match measure_text_width(mark) {
            0 => 0,
            width => width + 2,
        };
        // Two characters of pointer, five of time, two of space.
        let left = self.column.saturating_sub(9 + mark_width);
        let mark = self.with(&align_right(mark, mark_width), mark_style);
        let begin = self.with(&format!("{pointer}{}", hh_mm(it.written)), time);
        if self.roomy {
            let author = self.with(&fit(&it.handle, left), name_style);
            let indent = " ".repeat(9);
            let text = self.with(&fit(&it.text, self.column - 9), lively(Style::new()));
            return vec![
                format!("{begin}  {author}{mark}"),
                format!("{indent}{text}"),
            ];
        }
        // The whole handle only where it leaves enough room for the text.
        let (author, name) = match it.handle.split_once('@') {
            Some((name, _)) if self.column < HANDLE_COLUMN_MIN => (name, NAME),
            _ => (it.handle.as_str(), HANDLE),
        };
        let author = self.with(&fit(author, name), name_style);
        let text = fit(&it.text, left.saturating_sub(name + 1));
        let text = self.with(&text, lively(Style::new()));
        vec![format!("{begin}  {author} {text}{mark}")]
    }

    fn tally(&self, column: &[ColumnEntry]) -> String {
        let wrong = count_out_of_order(column);
        let text = format!("  {wrong} of the newest {} out of order", column.len());
        let style = match wrong {
            0 => Style::new().green(),
            _ => Style::new().red(),
        };
        self.cell(&text, style)
    }

    /// The origins and how they deliver, as many to a row as the width allows.
    fn legend(&self, columns: usize) -> Vec<String> {
        let mut rows: Vec<String> = Vec::new();
        for (host, _, manner) in ORIGINS {
            let one = format!("{host}: {manner}");
            match rows.last_mut() {
                Some(row) if measure_text_width(row) + 3 + one.len() <= columns => {
                    row.push_str(" · ");
                    row.push_str(&one);
                }
                _ => rows.push(format!(" {one}")),
            }
        }
        rows.iter()
            .map(|row| self.with(&fit(row, columns), Style::new().dim()))
            .collect()
    }

    fn cell(&self, text: &str, style: Style) -> String {
        self.with(&fit(text, self.column), style)
    }

    fn beside(&self, left: &str, right: &str) -> String {
        format!("{left}{}{right}", self.with(BETWEEN, Style::new().dim()))
    }

    fn with(&self, text: &str, style: Style) -> String {
        if text.is_empty() {
            return String::new();
        }
        style.force_styling(self.colour).apply_to(text).to_string()
    }
}

/// `text` cut or filled to `width`.
fn fit(text: &str, width: usize) -> String {
    let cut = truncate_str(text, width, "…");
    let missing = width.saturating_sub(measure_text_width(&cut));
    format!("{cut}{}", " ".repeat(missing))
}

/// `text` at the right end of `width`.
fn align_right(text: &str, width: usize) -> String {
    let missing = width.saturating_sub(measure_text_width(text));
    format!("{}{text}", " ".repeat(missing))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(uri: &str, minute: i64, late_ms: Option<i64>) -> ColumnEntry {
        ColumnEntry {
            uri: uri.to_owned(),
            handle: "ana@tide.example".to_owned(),
            text: format!("Post {uri}"),
            written: Time::from_millis((18 * 60 + minute) * 60_000),
            late_ms,
        }
    }

    #[test]
    fn a_post_above_one_written_later_is_out_of_order() {
        let check = |minutes: &[i64], expected: &[bool]| {
            let column: Vec<ColumnEntry> = minutes.iter().map(|it| entry("x", *it, None)).collect();
            assert_eq!(out_of_order(&column), expected, "{minutes:?}");
        };
        check(&[], &[]);
        check(&[3, 2, 1], &[false, false, false]);
        check(&[1, 3, 2], &[true, false, false]);
        check(&[1, 2, 3], &[true, true, false]);
        check(&[2, 2], &[false, false]);
    }

    #[test]
    fn the_picture_shows_both_columns_and_fits() {
        let in_order = [
            entry("c", 20, None),
            entry("b", 10, None),
            entry("a", 5, Some(900_000)),
        ];
        let [c, b, a] = &in_order;
        let by_arrival = [a.clone(), c.clone(), b.clone()];
        let fresh = ["a".to_owned()];
        let scene = Scene {
            now: Time::from_millis(20 * 60_000),
            by_arrival: &by_arrival,
            in_order: &in_order,
            fresh: &fresh,
            url: "http://127.0.0.1:8787/v1/accounts/demo/feeds/home",
            is_another_port: true,
        };
        for columns in [60, 80, 100, 110, 200] {
            for rows in [14, 24, 40, 60] {
                let canvas = Canvas {
                    columns,
                    rows,
                    colour: false,
                };
                let drawn = draw(&scene, canvas);
                assert!(drawn.len() <= rows, "{columns} x {rows}");
                for row in &drawn {
                    assert!(measure_text_width(row) <= columns, "{row:?}");
                }
            }
        }
        let drawn = draw(
            &scene,
            Canvas {
                columns: 100,
                rows: 24,
                colour: false,
            },
        );
        let entries: Vec<&str> = drawn[5..8].iter().map(String::as_str).collect();
        assert_eq!(
            entries,
            [
                "▸ 18:05  ana    Post a                 misplaced │   18:20  ana    Post c",
                "  18:20  ana    Post c                           │   18:10  ana    Post b",
                "  18:10  ana    Post b                           │ ▸ 18:05  ana    Post a                   +15 min",
            ]
        );
    }
}
