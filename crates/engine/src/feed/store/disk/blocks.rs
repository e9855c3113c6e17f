//! Posts in the data folder: blocks of them, each under the place where its range ends.

use super::error::DiskError;
use super::read_mode::require_waiting;
use super::{Bytes, Disk, PostWrite};
use crate::feed::post::Post;
use crate::feed::store::post_block::{self, Block};
use slackwater_order::place::PostId;

impl Disk {
    /// The post at a place.
    pub fn post(&self, id: PostId) -> Result<Option<Post>, DiskError> {
        require_waiting()?;
        let Some((_, bytes)) = self.block_over(id)? else {
            return Ok(None);
        };
        let block = Block::read(&bytes).ok_or(DiskError::Damaged { tree: "posts" })?;
        match block.find(id) {
            Some(post) => post_block::decode(post)
                .map(Some)
                .ok_or(DiskError::Damaged { tree: "posts" }),
            None => Ok(None),
        }
    }

    /// The highest place of a stored post, or a higher one if that is not quickly known.
    pub fn highest_place(&self) -> Result<PostId, DiskError> {
        // The last block ends at the highest place there can be, so that it is found without reading backwards.
        match self.block_over(PostId::MAX)? {
            None if self.posts.is_empty() => Ok(PostId::MIN),
            None => Ok(PostId::MAX),
            Some((last, bytes)) => {
                let block = Block::read(&bytes).ok_or(DiskError::Damaged { tree: "posts" })?;
                let highest = block.rows().last().map_or(PostId::MAX, |(id, _)| id);
                // A split that was cut off may have left higher ones below it.
                Ok(highest.max(self.stale_below(last, block.above())?))
            }
        }
    }

    /// Writes posts, ascending by id, into their blocks; `None` takes a post out.
    ///
    /// Safe to be cut off anywhere and done again: a block that grew too long is split from below, the lower parts
    /// are written first, so that until the last is there the old one still has everything.
    pub fn put_posts(&self, changes: &[PostWrite]) -> Result<(), DiskError> {
        let mut rest = changes;
        while let Some((first, _)) = rest.first() {
            let (last, old) = self
                .block_over(*first)?
                .unwrap_or((PostId::MAX, Bytes::default()));
            let here = rest.partition_point(|(id, _)| *id <= last);
            let (now, later) = rest.split_at(here);
            self.put_block(last, &old, now)?;
            rest = later;
        }
        Ok(())
    }

    /// Every post from `from` on, by place: at most `blocks_max` blocks of them, and the place to go on from.
    pub fn posts_from(
        &self,
        from: PostId,
        blocks_max: usize,
    ) -> Result<(Vec<Post>, Option<PostId>), DiskError> {
        let mut posts = Vec::new();
        let mut next = None;
        for row in self
            .posts
            .range(from.number().to_be_bytes()..)
            .take(blocks_max)
        {
            let (key, bytes) = row.map_err(self.failed("scan posts"))?;
            let last = last_place(&key).ok_or(DiskError::Damaged { tree: "posts" })?;
            let block = Block::read(&bytes).ok_or(DiskError::Damaged { tree: "posts" })?;
            let stale = self.stale_below(last, block.above())?;
            for (id, post) in block.rows() {
                if from <= id && stale < id {
                    posts.push(
                        post_block::decode(post).ok_or(DiskError::Damaged { tree: "posts" })?,
                    );
                }
            }
            next = PostId::from_number(last.number().saturating_add(1));
        }
        Ok((posts, next))
    }

    /// The block whose range holds `id`: the first that ends at or after it.
    pub(super) fn block_over(&self, id: PostId) -> Result<Option<(PostId, Bytes)>, DiskError> {
        match self.posts.range(id.number().to_be_bytes()..).next() {
            None => Ok(None),
            Some(Err(source)) => Err(self.failed("read a post")(source)),
            Some(Ok((key, bytes))) => {
                let last = last_place(&key).ok_or(DiskError::Damaged { tree: "posts" })?;
                Ok(Some((last, bytes)))
            }
        }
    }

    fn put_block(&self, last: PostId, old: &[u8], changes: &[PostWrite]) -> Result<(), DiskError> {
        let old = if old.is_empty() {
            None
        } else {
            Some(Block::read(old).ok_or(DiskError::Damaged { tree: "posts" })?)
        };
        let mut above = match old {
            Some(block) => self.stale_below(last, block.above())?,
            None => PostId::MIN,
        };
        let kept = old
            .iter()
            .flat_map(|block| block.rows().map(|(id, post)| (id, Some(post))))
            .filter(|(id, _)| above < *id);
        let rows = overlay(kept, changes);
        if let Some((first, _)) = rows.first() {
            above =
                above.min(PostId::from_number(first.number().saturating_sub(1)).unwrap_or(above));
        }
        let mut rest = rows.as_slice();
        for rows_here in post_block::split(&rows) {
            let (here, later) = rest.split_at(rows_here.min(rest.len()));
            let end = match here.last() {
                Some((highest, _)) if !later.is_empty() => *highest,
                _ => last,
            };
            self.put_raw_block(end, post_block::pack(above, here))?;
            above = end;
            rest = later;
        }
        if rows.is_empty() && old.is_some() {
            // The block above may still hold, from a split that was cut off, what only this one's end keeps hidden.
            if let Some(above) = PostId::from_number(last.number() + 1) {
                self.drop_stale(above)?;
            }
            let removed = self.posts.remove(last.number().to_be_bytes());
            removed.map_err(self.failed("remove posts"))?;
        }
        Ok(())
    }

    /// Rewrites the block over `id` without what is left over in it from a split that was cut off.
    fn drop_stale(&self, id: PostId) -> Result<(), DiskError> {
        let Some((last, bytes)) = self.block_over(id)? else {
            return Ok(());
        };
        let block = Block::read(&bytes).ok_or(DiskError::Damaged { tree: "posts" })?;
        let stale = self.stale_below(last, block.above())?;
        let rows: Vec<_> = block.rows().filter(|(id, _)| stale < *id).collect();
        self.put_raw_block(last, post_block::pack(stale, &rows))
    }

    pub(super) fn put_raw_block(&self, last: PostId, bytes: Vec<u8>) -> Result<(), DiskError> {
        #[cfg(test)]
        self.count_write()?;
        let put = self.posts.insert(last.number().to_be_bytes(), bytes);
        put.map(drop).map_err(self.failed("write posts"))
    }

    /// The end of the block just below the one ending at `last`, looked for from `above` on: what that block still
    /// holds at or below it is left over from a split that was cut off.
    fn stale_below(&self, last: PostId, above: PostId) -> Result<PostId, DiskError> {
        let mut below = PostId::MIN;
        let from = above.number().to_be_bytes();
        for key in self.posts.range(from..last.number().to_be_bytes()).keys() {
            let key = key.map_err(self.failed("read posts"))?;
            below = last_place(&key).ok_or(DiskError::Damaged { tree: "posts" })?;
        }
        Ok(below)
    }
}

fn last_place(key: &[u8]) -> Option<PostId> {
    PostId::from_number(u64::from_be_bytes(key.try_into().ok()?))
}

/// `kept` and `changes`, both ascending, as one; of two with one id the change counts, and `None` is left out.
fn overlay<'a>(
    kept: impl Iterator<Item = (PostId, Option<&'a [u8]>)>,
    changes: &'a [PostWrite],
) -> Vec<(PostId, &'a [u8])> {
    let mut rows = Vec::new();
    let mut kept = kept.peekable();
    for (id, change) in changes {
        while let Some((lower, post)) = kept.next_if(|(there, _)| there < id) {
            rows.extend(post.map(|post| (lower, post)));
        }
        kept.next_if(|(there, _)| there == id);
        rows.extend(change.as_deref().map(|post| (*id, post)));
    }
    rows.extend(kept.filter_map(|(id, post)| post.map(|post| (id, post))));
    rows
}
