//! What happened to one feed since it was stored. Pure.

use super::ledger::{Ledger, Op, Turn};
use std::sync::Arc;

/// What happened to one feed since it was stored.
#[derive(Clone, Debug, Default)]
pub(super) struct Pending {
    /// If set, what is stored counts for nothing and this stands in its place.
    pub(super) base: Option<Arc<Ledger>>,
    /// Oldest first.
    pub(super) ops: Vec<Op>,
    #[allow(clippy::box_collection)] // rare: a pointer is all it costs the feeds without
    /// Changes of relations, oldest first.
    pub(super) turns: Option<Box<Vec<Turn>>>,
}

impl Pending {
    /// How many entries it brings.
    pub(super) fn weight(&self) -> usize {
        self.ops.len() + self.base.as_ref().map_or(0, |base| base.ids.len())
    }

    /// `stored` with this taken in.
    pub(super) fn onto(&self, stored: Ledger) -> Ledger {
        let mut ledger = match &self.base {
            Some(base) => (**base).clone(),
            None => stored,
        };
        ledger.take_in(&self.ops);
        for turn in self.turns.iter().flat_map(|turns| turns.iter()) {
            ledger.turn(turn.clone());
        }
        ledger
    }
}
