//! Two columns of text: the feed as it would be by arrival beside the feed in order. On a terminal that is too narrow for two, the feed in
//! order alone. Pure.

use super::fediverse::people::ORIGINS;
use console::{Style, measure_text_width, truncate_str};
use slackwater_order::time::Time;

/// The fewest rows in which an entry gets two lines; in fewer it gets one, so that enough of them are seen.
const ROOMY_ROWS_MIN: usize = 36;
/// The narrowest picture of two columns.
const COLUMNS_MIN: usize = 60;
/// The room for what stands before an entry: two characters of pointer, eight of time, two of space.
const BEGIN: usize = 12;
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
    /// The page that shows the feed.
    pub page_url: &'a str,
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
    let columns = canvas.columns;
    let is_one = columns < COLUMNS_MIN;
    let painter = Painter {
        colour: canvas.colour,
        column: match is_one {
            true => columns,
            false => (columns - measure_text_width(BETWEEN)) / 2,
        },
        is_one,
        roomy: ROOMY_ROWS_MIN <= canvas.rows,
        fresh: scene.fresh,
    };
    let whole = |text: &str, style: Style| painter.with(&fit(text, columns), style);
    let rule = |crossing: char| {
        let line = match is_one {
            true => "─".repeat(columns),
            false => {
                let line = "─".repeat(painter.column + 1);
                format!("{line}{crossing}{line}")
            }
        };
        painter.with(&line, Style::new().dim())
    };
    let clock = format!(" {} ", clock_time(scene.now));
    let title = fit(
        " Slackwater demo, all made up: a second stands for a minute.",
        columns.saturating_sub(clock.len()),
    );
    let mut rows = vec![
        whole(&format!("{title}{clock}"), Style::new().bold()),
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
    let look_at_it = format!(" Look at it:  {}{another}", scene.page_url);
    below.push(whole(&look_at_it, Style::new().bold()));
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
    rows.truncate(canvas.rows);
    // A mark may be wider than what is left of a very narrow row.
    let cut = |row: &String| truncate_str(row, columns, "").trim_end().to_owned();
    rows.iter().map(cut).collect()
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

/// `18:42:05`, in UTC.
pub fn clock_time(time: Time) -> String {
    let seconds = time.millis().div_euclid(1_000).rem_euclid(24 * 60 * 60);
    let minutes = seconds / 60;
    format!(
        "{:02}:{:02}:{:02}",
        minutes / 60,
        minutes % 60,
        seconds % 60
    )
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
    /// There is room for one column only.
    is_one: bool,
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
        let left = self.column.saturating_sub(BEGIN + mark_width);
        let mark = self.with(&align_right(mark, mark_width), mark_style);
        let begin = self.with(&format!("{pointer}{}", clock_time(it.written)), time);
        if self.roomy {
            let author = self.with(&fit(&it.handle, left), name_style);
            let indent = " ".repeat(BEGIN);
            let room = self.column.saturating_sub(BEGIN);
            let text = self.with(&fit(&it.text, room), lively(Style::new()));
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
                Some(row) if measure_text_width(row) + 3 + measure_text_width(&one) <= columns => {
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

    /// A row of both columns; of the right one alone where there is no room for two.
    fn beside(&self, left: &str, right: &str) -> String {
        if self.is_one {
            return right.to_owned();
        }
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
            written: Time::from_millis(((18 * 60 + 30) * 60 + minute) * 1_000),
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
            entry("a", 5, Some(15_000)),
        ];
        let [c, b, a] = &in_order;
        let by_arrival = [a.clone(), c.clone(), b.clone()];
        let fresh = ["a".to_owned()];
        let scene = Scene {
            now: Time::from_millis(20 * 1_000),
            by_arrival: &by_arrival,
            in_order: &in_order,
            fresh: &fresh,
            page_url: "http://127.0.0.1:8787/?demo#/feeds/demo",
            is_another_port: true,
        };
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
                "▸ 18:30:05  ana    Post a              misplaced │   18:30:20  ana    Post c",
                "  18:30:20  ana    Post c                        │   18:30:10  ana    Post b",
                "  18:30:10  ana    Post b                        │ ▸ 18:30:05  ana    Post a                  +15 s",
            ]
        );
    }

    /// A failure means that a narrow terminal wraps its rows, so that the picture falls apart.
    #[test]
    fn the_picture_is_cut_to_any_width_and_height_wide_characters_too() {
        let texts = [
            "Low tide",
            "引き潮だ、長靴を履く",
            "🦀🦀🦀 found a whole crab 🦀",
            "e\u{301}te\u{301} a\u{200d}b",
        ];
        let entries: Vec<ColumnEntry> = texts
            .iter()
            .cycle()
            .take(12)
            .enumerate()
            .map(|(n, text)| ColumnEntry {
                text: (*text).to_owned(),
                handle: if n % 2 == 0 {
                    "潮@tide.example".to_owned()
                } else {
                    "ana@threads-like.example".to_owned()
                },
                ..entry(
                    "a",
                    40 - i64::try_from(n).unwrap(),
                    (n % 3 == 0).then_some(15_000),
                )
            })
            .collect();
        let by_arrival: Vec<ColumnEntry> = entries.iter().rev().cloned().collect();
        let scene = Scene {
            now: Time::from_millis(0),
            by_arrival: &by_arrival,
            in_order: &entries,
            fresh: &["a".to_owned()],
            page_url: "http://127.0.0.1:8787/?demo#/feeds/demo",
            is_another_port: true,
        };
        for columns in 20..=200 {
            for rows in [1, 5, 14, 24, 40, 60] {
                for colour in [false, true] {
                    let drawn = draw(
                        &scene,
                        Canvas {
                            columns,
                            rows,
                            colour,
                        },
                    );
                    assert!(drawn.len() <= rows, "{columns} x {rows}");
                    for row in &drawn {
                        let width = measure_text_width(row);
                        assert!(width <= columns, "{columns}: {width}: {row:?}");
                    }
                }
            }
            let canvas = Canvas {
                columns,
                rows: 40,
                colour: false,
            };
            let drawn = draw(&scene, canvas).join("\n");
            assert!(
                drawn.contains("Low tide"),
                "{columns}: what is written is to be read"
            );
            assert!(
                columns < 54 || drawn.contains("#/feeds/demo"),
                "{columns}: and where to look"
            );
        }
    }
}
