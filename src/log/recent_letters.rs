//! The records that were set aside last, by their positions: what a replay waits to learn of its record.

use parking_lot::Mutex;
use slackwater_engine::record::Position;
use std::collections::VecDeque;
use std::sync::Arc;

/// How many are remembered. A replay looks within seconds; if more were set aside meanwhile, it takes its record for good, and the list of
/// dead letters shows it all the same.
const REMEMBERED_MAX: usize = 1000;
/// Bytes of a reason that are remembered.
const REASON_BYTES_MAX: usize = 1000;

/// Remembers positions and reasons. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct RecentLetters(Arc<Mutex<VecDeque<(Position, String)>>>);

impl RecentLetters {
    /// The record at this position is set aside.
    pub fn note(&self, position: Position, reason: &str) {
        let mut recent = self.0.lock();
        if REMEMBERED_MAX <= recent.len() {
            recent.pop_front();
        }
        let end = reason.floor_char_boundary(REASON_BYTES_MAX);
        let reason = reason.get(..end).unwrap_or_default();
        recent.push_back((position, reason.to_owned()));
    }

    /// Why the record at this position was set aside, if it was.
    pub fn reason(&self, position: Position) -> Option<String> {
        let recent = self.0.lock();
        let found = recent.iter().rev().find(|(at, _)| *at == position);
        found.map(|(_, reason)| reason.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use slackwater_engine::record::Topic;

    #[test]
    fn the_last_are_remembered_and_no_more() {
        let at = |offset| Position {
            topic: Topic::Activities,
            partition: 0,
            offset,
        };
        let recent = RecentLetters::default();
        for offset in 0..1500 {
            recent.note(at(offset), &format!("reason {offset}"));
        }
        assert_eq!(recent.reason(at(499)), None);
        assert_eq!(recent.reason(at(500)).as_deref(), Some("reason 500"));
        assert_eq!(recent.0.lock().len(), REMEMBERED_MAX);
    }
}
