//! Mistakes in a configuration, with what stands there, what may, and what was probably meant.

pub(super) use slackwater_engine::spelling::guess;
use std::fmt;

/// All mistakes in a configuration, in the order of its lines; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes(pub Vec<Mistake>);

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The name of the file, as it was given.
    pub file: String,
    /// The line in it, from 1; none if it is about the file as a whole.
    pub line: Option<usize>,
    /// The key, with its tables: `ordering.reorder_window`; empty if it is about the file as a whole.
    pub key: String,
    /// The value that stands there; of a secret only what kind of thing it is.
    pub found: String,
    /// The values that may stand there, in words.
    pub allowed: String,
    /// The key or value that was probably meant.
    pub guess: Option<String>,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file)?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        if !self.key.is_empty() {
            write!(f, " {}:", self.key)?;
        }
        write!(f, " found {}; allowed: {}", self.found, self.allowed)?;
        match &self.guess {
            Some(guess) => write!(f, "; did you mean {guess}?"),
            None => Ok(()),
        }
    }
}

/// A line for each.
impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, mistake) in self.0.iter().enumerate() {
            let separator = if nth == 0 { "" } else { "\n" };
            write!(f, "{separator}{mistake}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

/// A text as a mistake shows it: quoted, on one line, and not too long.
pub(super) fn quoted(text: &str) -> String {
    const CHARS_MAX: usize = 60;
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{:?}…", text.get(..end).unwrap_or_default()),
        None => format!("{text:?}"),
    }
}
