//! A feed as it is stored.

use super::{OrderedFeed, RelationChange};
use crate::feed::boost_groups::BoostGroups;
use crate::feed::store::columns::{self, Columns};
use crate::record::offsets::Offsets;
use serde::{Deserialize, Serialize};
use slackwater_order::place::PostId;

const VERSION: u8 = 4;
/// About what a packed feed takes, so that it is not copied while it grows.
const PACKED_HEADER: usize = 128;
const PACKED_ENTRY: usize = 12;
/// The last part of a stored feed, empty for most.
#[derive(Serialize, Deserialize)]
struct Remembered {
    relation_changes: Vec<RelationChange>,
    forgotten: Offsets,
    fell: Offsets,
}

impl OrderedFeed {
    /// As it is stored: a version byte, the floor, entries, further marks, removals and what is shown as [`columns`]; then,
    /// if there is any, what is remembered besides.
    pub fn pack(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(PACKED_HEADER + PACKED_ENTRY * self.ids.len());
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.floor.number().to_le_bytes());
        let entries = self.ids.iter().copied().zip(self.marks.iter().copied());
        columns::pack(entries, &mut bytes);
        columns::pack(self.dependencies.iter().copied(), &mut bytes);
        columns::pack(self.removed.iter().copied(), &mut bytes);
        columns::pack_places(self.shows.rows(), &mut bytes);
        let remembers = [&self.forgotten, &self.fell];
        if !self.relation_changes.is_empty()
            || remembers.iter().any(|seen| **seen != Offsets::default())
        {
            let remembered = Remembered {
                relation_changes: self.relation_changes.clone(),
                forgotten: self.forgotten.clone(),
                fell: self.fell.clone(),
            };
            bytes.extend(postcard::to_stdvec(&remembered).unwrap_or_default());
        }
        bytes
    }

    /// Reads a stored feed. None if the bytes are not one.
    pub fn read(bytes: &[u8]) -> Option<OrderedFeed> {
        let packed = Packed::read(bytes)?;
        let mut feed = OrderedFeed {
            floor: packed.floor,
            ids: packed.entries.ids()?,
            marks: packed.entries.marks()?,
            dependencies: packed.dependencies.pairs()?,
            removed: packed.removed.pairs()?,
            shows: BoostGroups::from_rows(packed.shows)?,
            ..OrderedFeed::default()
        };
        if !packed.rest.is_empty() {
            let remembered: Remembered = postcard::from_bytes(packed.rest).ok()?;
            feed.relation_changes = remembered.relation_changes;
            feed.forgotten = remembered.forgotten;
            feed.fell = remembered.fell;
        }
        Some(feed)
    }
}

/// A stored feed, taken apart, as good as without copying.
#[derive(Debug)]
pub struct Packed<'a> {
    floor: PostId,
    entries: Columns<'a>,
    dependencies: Columns<'a>,
    removed: Columns<'a>,
    shows: Vec<(PostId, PostId)>,
    rest: &'a [u8],
}

impl<'a> Packed<'a> {
    /// Takes stored bytes apart. None if they are not a feed.
    pub fn read(bytes: &'a [u8]) -> Option<Packed<'a>> {
        let (version, rest) = bytes.split_first()?;
        if *version != VERSION {
            return None;
        }
        let (floor, mut rest) = rest.split_first_chunk()?;
        Some(Packed {
            floor: PostId::from_number(u64::from_le_bytes(*floor))?,
            entries: Columns::take(&mut rest)?,
            dependencies: Columns::take(&mut rest)?,
            removed: Columns::take(&mut rest)?,
            shows: columns::take_places(&mut rest)?,
            rest,
        })
    }

    /// The entries' places, ascending. None if one of them is no place.
    pub fn ids(&self) -> Option<Vec<PostId>> {
        self.entries.ids()
    }
}
