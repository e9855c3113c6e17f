//! What a node does before it answers for accounts that it did not answer for without a break: it makes that known, and then reads
//! relations up to where they end by then.
//!
//! A relation that is answered as in force is either in the log before the end is asked for, and so is read here first; or the
//! one who waits for it has read by then that this node claims the accounts, and waits for this node too.

use crate::moment::Moment;
use std::collections::BTreeMap;

/// By partition of the relationships topic: its next offset.
pub type Ends = BTreeMap<u32, i64>;

/// The step at which it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CatchUp {
    /// The record of this number, or a later one, is to be read back: it says that the accounts are claimed.
    ReadBack {
        /// Its number.
        n: u64,
    },
    /// The ends of relations are to be asked for, at this moment or later: one after that in which the record was read back.
    Ask {
        /// The moment.
        after: Moment,
    },
    /// Relations up to here are to be in force.
    Reach {
        /// The ends.
        ends: Ends,
    },
    /// All is done.
    Done,
}

impl CatchUp {
    /// A record of our own was read back.
    pub fn read_back(&mut self, number: u64, now: Moment) {
        if matches!(self, CatchUp::ReadBack { n } if *n <= number) {
            *self = CatchUp::Ask { after: now.next() };
        }
    }

    /// What was done is to be done again, since others may have counted this node as gone. What is still to be claimed is claimed first.
    pub fn begin_again(&mut self) {
        if !matches!(self, CatchUp::ReadBack { .. }) {
            *self = CatchUp::ReadBack { n: 0 };
        }
    }

    /// The log said where relations end; it was asked at `asked`.
    pub fn ends(&mut self, asked: Moment, ends: &Ends) {
        if matches!(self, CatchUp::Ask { after } if *after <= asked) {
            *self = CatchUp::Reach { ends: ends.clone() };
        }
    }

    /// Relations are in force up to here.
    pub fn reached(&mut self, taken: &Ends) {
        let has = |(partition, end): (&u32, &i64)| {
            *end == 0 || taken.get(partition).is_some_and(|next| end <= next)
        };
        if matches!(self, CatchUp::Reach { ends } if ends.iter().all(has)) {
            *self = CatchUp::Done;
        }
    }

    /// Whether it is done.
    pub fn is_done(&self) -> bool {
        *self == CatchUp::Done
    }

    /// Whether the ends of relations are to be asked for.
    pub fn asks(&self) -> bool {
        matches!(self, CatchUp::Ask { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Moment {
        Moment::from_millis(millis)
    }

    #[test]
    fn the_ends_are_asked_for_after_the_claim_was_read_back() {
        let ends: Ends = [(0, 3), (1, 0)].into();
        let mut catch_up = CatchUp::ReadBack { n: 5 };
        catch_up.ends(at(1), &ends);
        catch_up.read_back(4, at(10));
        assert_eq!(catch_up, CatchUp::ReadBack { n: 5 });
        catch_up.read_back(5, at(20));
        assert!(catch_up.asks());
        catch_up.ends(at(20), &[(0, 1)].into());
        assert!(catch_up.asks(), "that may have been asked for before");
        catch_up.ends(at(21), &ends);
        catch_up.reached(&[(0, 2)].into());
        assert!(!catch_up.is_done());
        catch_up.reached(&[(0, 3)].into());
        assert!(catch_up.is_done(), "the other partition is empty");
    }
}
