//! A message with a long part that all its readers share, and a part of the reader's own before and after it.

use tokio_tungstenite::tungstenite::{Bytes, Utf8Bytes};

/// A text in three parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SplicedMessage {
    /// The reader's own.
    pub before: String,
    /// Everybody's.
    pub shared: Utf8Bytes,
    /// The reader's own.
    pub after: String,
}

impl From<String> for SplicedMessage {
    fn from(before: String) -> SplicedMessage {
        SplicedMessage {
            before,
            ..SplicedMessage::default()
        }
    }
}

impl SplicedMessage {
    /// How many bytes it has.
    pub fn bytes(&self) -> usize {
        self.before.len() + self.shared.len() + self.after.len()
    }

    /// All of it, copied.
    pub fn text(&self) -> String {
        let mut text = String::with_capacity(self.bytes());
        text.push_str(&self.before);
        text.push_str(&self.shared);
        text.push_str(&self.after);
        text
    }

    /// Its parts in their order, the shared one not copied.
    pub fn parts(self) -> [Bytes; 3] {
        [self.before.into(), self.shared.into(), self.after.into()]
    }
}
