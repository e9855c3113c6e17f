//! Standard output: a terminal that is drawn on, or lines that can be read in a log.

use super::columns::Canvas;
use console::Term;
use std::fmt::Write as _;
use std::io::{self, Write as _};

/// Used where the output is no terminal, or one that does not say how large it is.
const LINES: Canvas = Canvas {
    columns: 100,
    rows: 40,
    colour: false,
};
/// A screen of its own, so that what stood on the terminal is there again afterwards; and no cursor.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";
const HOME: &str = "\x1b[H";
const CLEAR_REST_OF_ROW: &str = "\x1b[K";
const CLEAR_BELOW: &str = "\x1b[J";

/// Where the demo is shown.
#[derive(Debug)]
pub struct Screen {
    term: Term,
    is_drawn_on: bool,
}

impl Screen {
    /// Standard output.
    pub fn open() -> Screen {
        Screen {
            term: Term::stdout(),
            is_drawn_on: false,
        }
    }

    /// Whether it is a terminal, where a picture replaces the one before.
    pub fn is_live(&self) -> bool {
        self.term.is_term()
    }

    /// What there is to draw on now; a terminal may change its size.
    pub fn canvas(&self) -> Canvas {
        if !self.is_live() {
            return LINES;
        }
        let (rows, columns) = self
            .term
            .size_checked()
            .map_or((LINES.rows, LINES.columns), |(rows, columns)| {
                (usize::from(rows), usize::from(columns))
            });
        Canvas {
            columns,
            rows,
            colour: console::colors_enabled(),
        }
    }

    /// Shows a picture: in place of the one before, or below it where there is no terminal.
    pub fn show(&mut self, rows: &[String]) -> io::Result<()> {
        if !self.is_live() {
            let mut out = io::stdout().lock();
            for row in rows {
                writeln!(out, "{row}")?;
            }
            return out.flush();
        }
        let mut all = String::new();
        if !self.is_drawn_on {
            all.push_str(ENTER);
            self.is_drawn_on = true;
        }
        all.push_str(HOME);
        for (nth, row) in rows.iter().enumerate() {
            let end = if nth == 0 { "" } else { "\r\n" };
            // Writing to a text cannot fail.
            let _ = write!(all, "{end}{row}{CLEAR_REST_OF_ROW}");
        }
        all.push_str(CLEAR_BELOW);
        self.write(&all)
    }

    /// Writes a line, for good.
    pub fn line(&mut self, text: &str) -> io::Result<()> {
        self.close();
        self.write(&format!("{text}\n"))
    }

    /// Gives the terminal back as it was.
    pub fn close(&mut self) {
        if self.is_drawn_on {
            self.is_drawn_on = false;
            // If the terminal is gone, there is nothing to give back.
            let _ = self.write(LEAVE);
        }
    }

    // In one piece, so that no half picture is seen.
    fn write(&mut self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.close();
    }
}
