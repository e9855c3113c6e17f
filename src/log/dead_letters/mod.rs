//! Dead letters as they are read: records that could not be used, each with its reason. Pure.
//!
//! | module | what it is |
//! |---|---|
//! | [`letter`] | a dead letter, and the excerpt of it that a list shows |
//! | [`position`] | where a letter stands among the letters, and where a page ends |
//! | [`replay`] | a letter as the record that is appended again |
//! | [`page`] | the newest letters, or those before or after a position, of all partitions |
//!
//! [`LogWriter::dead_letter`](super::LogWriter::dead_letter) writes them, and [`letter_reader`](super::letter_reader) reads them from either
//! log.

pub mod letter;
pub mod page;
pub mod position;
pub mod replay;

pub use letter::{Excerpt, Letter, LetterExcerpt, SourcePosition};
pub use page::{LetterPage, Span};
pub use position::{LetterId, LettersPosition};
