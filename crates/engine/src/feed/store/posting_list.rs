//! A packed, sorted list of ids with a floor: an index of posts as it is stored. Pure.
//!
//! Fixed eight bytes an entry, so that a page is cut out of the stored bytes by binary search without decoding the
//! rest. New entries gather beside it as [`PostingOp`]s and are merged in at a checkpoint; a reader merges on the fly.

use slackwater_order::place::PostId;
use std::ops::Range;

const VERSION: u8 = 1;
const HEADER: usize = 1 + 8;
const ENTRY: usize = 8;

/// A stored list: a version byte, the floor, and the ids, each as eight bytes, ascending.
#[derive(Clone, Copy, Debug)]
pub struct PostingList<'a> {
    floor: PostId,
    ids: &'a [u8],
}

/// One thing that happened to a list since it was stored. Of several ops on an id the last counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PostingOp(u64);

const REMOVAL: u64 = 1 << 63;

impl PostingOp {
    /// `id` belongs in the list.
    pub const fn insert(id: PostId) -> PostingOp {
        PostingOp(id.number())
    }

    /// `id` does not.
    pub const fn remove(id: PostId) -> PostingOp {
        PostingOp(id.number() | REMOVAL)
    }

    fn id(self) -> PostId {
        place(self.0 & !REMOVAL)
    }

    const fn is_removal(self) -> bool {
        self.0 & REMOVAL != 0
    }
}

impl<'a> PostingList<'a> {
    /// The empty list that has dropped nothing.
    pub const EMPTY: PostingList<'static> = PostingList {
        floor: PostId::MIN,
        ids: &[],
    };

    /// Reads a stored list. None if the bytes are not one.
    pub fn read(bytes: &'a [u8]) -> Option<PostingList<'a>> {
        let (header, ids) = bytes.split_at_checked(HEADER)?;
        let (version, floor) = header.split_first()?;
        if *version != VERSION || ids.len() % ENTRY != 0 {
            return None;
        }
        let floor = PostId::from_number(u64::from_le_bytes(floor.try_into().ok()?))?;
        if let Some(highest) = ids.last_chunk::<ENTRY>() {
            PostId::from_number(u64::from_le_bytes(*highest))?;
        }
        Some(PostingList { floor, ids })
    }

    /// The highest place it has dropped for length: nothing at or below it enters again.
    pub fn floor(&self) -> PostId {
        self.floor
    }

    /// How many entries it has.
    pub fn len(&self) -> usize {
        self.ids.len() / ENTRY
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Its entries from the lowest place up.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = PostId> + ExactSizeIterator + 'a {
        self.ids
            .chunks_exact(ENTRY)
            .map(|bytes| place(bytes.try_into().map_or(0, u64::from_le_bytes)))
    }
}

/// A list with what happened since merged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// The entries, ascending, at most as many as asked for.
    pub ids: Vec<PostId>,
    /// The highest place dropped for length, now or before.
    pub floor: PostId,
    /// How many insertions stood at or below the floor and did not enter.
    pub below_floor: u64,
}

/// Merges `ops`, oldest first, into `stored`, keeping the highest `length` entries.
pub fn merge(stored: PostingList<'_>, ops: &[PostingOp], length: usize) -> Merged {
    let ops = settle(ops);
    let floor = stored.floor;
    let mut below_floor = 0;
    let mut ids = Vec::with_capacity(stored.len() + ops.len());
    let mut stored = stored.iter().peekable();
    for op in ops {
        let id = op.id();
        while let Some(lower) = stored.next_if(|there| *there < id) {
            ids.push(lower);
        }
        let there = stored.next_if(|there| *there == id).is_some();
        if op.is_removal() {
            continue;
        }
        if there || floor < id {
            ids.push(id);
        } else {
            below_floor += 1;
        }
    }
    ids.extend(stored);
    let mut merged = Merged {
        ids,
        floor,
        below_floor,
    };
    merged.trim(length);
    merged
}

/// What of [`merge`]d entries stands between two places, both exclusive: the highest, at most `most`, from the highest down.
/// No more than that, and what is above, is looked at.
pub fn newest(
    stored: PostingList<'_>,
    ops: &[PostingOp],
    length: usize,
    between: Range<PostId>,
    most: usize,
) -> Vec<PostId> {
    let ops = settle(ops);
    let mut ops = ops.iter().rev().peekable();
    let mut there = stored.iter().rev().peekable();
    let merged = std::iter::from_fn(|| {
        loop {
            let lower = ops.peek().map(|op| op.id());
            if let Some(id) = there.next_if(|id| lower.is_none_or(|lower| lower < *id)) {
                return Some(id);
            }
            let op = ops.next()?;
            let was_there = there.next_if(|id| *id == op.id()).is_some();
            if !op.is_removal() && (was_there || stored.floor < op.id()) {
                return Some(op.id());
            }
        }
    });
    let meant = merged
        .take(length)
        .skip_while(|id| between.end <= *id)
        .take_while(|id| between.start < *id);
    meant.take(most).collect()
}

impl Merged {
    /// Keeps the highest `length` entries; the floor rises to the highest it drops.
    fn trim(&mut self, length: usize) {
        let surplus = self.ids.len().saturating_sub(length);
        if let Some(highest_dropped) = surplus.checked_sub(1).and_then(|last| self.ids.get(last)) {
            self.floor = self.floor.max(*highest_dropped);
            self.ids.drain(..surplus);
        }
    }

    /// As it is stored.
    pub fn pack(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER + self.ids.len() * ENTRY);
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.floor.number().to_le_bytes());
        for id in &self.ids {
            bytes.extend_from_slice(&id.number().to_le_bytes());
        }
        bytes
    }
}

/// The place of a number. The ids of a stored list ascend, and the highest was checked when the list was read.
fn place(number: u64) -> PostId {
    PostId::from_number(number).unwrap_or(PostId::MAX)
}

/// The last op on each id, by place.
fn settle(ops: &[PostingOp]) -> Vec<PostingOp> {
    let mut settled = ops.to_vec();
    if settled.is_sorted_by(|a, b| a.id() < b.id()) {
        return settled;
    }
    settled.sort_by_key(|op| op.id());
    // A stable sort keeps the words on one id in order: of each run, keep the last.
    settled.dedup_by(|later, kept| {
        let same = later.id() == kept.id();
        if same {
            *kept = *later;
        }
        same
    });
    settled
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn id(n: u64) -> PostId {
        PostId::from_number(n).unwrap()
    }

    #[test]
    fn what_is_packed_is_read_again() {
        let merged = merge(
            PostingList::EMPTY,
            &[
                PostingOp::insert(id(3)),
                PostingOp::insert(id(1)),
                PostingOp::insert(id(2)),
            ],
            2,
        );
        assert_eq!(
            merged,
            Merged {
                ids: vec![id(2), id(3)],
                floor: id(1),
                below_floor: 0
            }
        );
        let bytes = merged.pack();
        let segment = PostingList::read(&bytes).unwrap();
        assert_eq!(
            (segment.iter().collect::<Vec<_>>(), segment.floor()),
            (vec![id(2), id(3)], id(1))
        );
    }

    #[test]
    fn bytes_that_are_no_list_are_refused() {
        for bad in [
            &[][..],
            &[1; 8],
            &[2; 9],
            &[1; 18],
            &[1, 255, 255, 255, 255, 255, 255, 255, 255],
            &[[1; 9].as_slice(), &[255; 8]].concat(),
        ] {
            assert!(PostingList::read(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn nothing_at_or_below_the_floor_enters_again_and_that_is_counted() {
        let stored = Merged {
            ids: vec![id(8), id(9)],
            floor: id(5),
            below_floor: 0,
        }
        .pack();
        let stored = PostingList::read(&stored).unwrap();
        let merged = merge(
            stored,
            &[
                PostingOp::insert(id(4)),
                PostingOp::insert(id(5)),
                PostingOp::insert(id(6)),
            ],
            10,
        );
        assert_eq!(
            merged,
            Merged {
                ids: vec![id(6), id(8), id(9)],
                floor: id(5),
                below_floor: 2
            }
        );
    }

    proptest! {
        /// Were this to fail, a feed would depend on when its checkpoints happened.
        #[test]
        fn merging_in_any_steps_gives_the_highest_of_the_set(
            steps in prop::collection::vec(prop::collection::vec((1u64..60, prop::bool::weighted(0.8)), 0..20), 0..8),
            length in 1usize..20,
        ) {
            let mut model = BTreeSet::new();
            let mut floor = PostId::MIN;
            let mut bytes = Merged { ids: vec![], floor: PostId::MIN, below_floor: 0 }.pack();
            for step in &steps {
                let ops: Vec<PostingOp> = step
                    .iter()
                    .map(|(n, insert)| if *insert { PostingOp::insert(id(*n)) } else { PostingOp::remove(id(*n)) })
                    .collect();
                for (n, insert) in step {
                    if !insert {
                        model.remove(&id(*n));
                    } else if floor < id(*n) {
                        model.insert(id(*n));
                    }
                }
                while length < model.len() {
                    floor = model.pop_first().unwrap();
                }
                bytes = merge(PostingList::read(&bytes).unwrap(), &ops, length).pack();
            }
            let end = PostingList::read(&bytes).unwrap();
            for (start, end_of, most) in [(0, 100, 100), (10, 40, 3), (0, 30, 1)] {
                let (start, end_of) = (id(start), id(end_of));
                let ops: Vec<PostingOp> = steps.concat().iter().map(|(n, insert)| {
                    if *insert { PostingOp::insert(id(*n)) } else { PostingOp::remove(id(*n)) }
                }).collect();
                // Not the same as in steps, where what fell is gone for good: as merged at once.
                let expected = merge(end, &ops, length).ids.into_iter().rev();
                let expected = expected.filter(|id| start < *id && *id < end_of).take(most);
                let found = newest(end, &ops, length, start..end_of, most);
                prop_assert_eq!(found, expected.collect::<Vec<_>>());
            }
            prop_assert_eq!(end.iter().collect::<Vec<_>>(), model.into_iter().collect::<Vec<_>>());
            prop_assert_eq!(end.floor(), floor);
        }
    }
}
