//! The entries of a page, taken one by one from a feed's ids.

use crate::feed::post::Post;
use crate::feed::store::Store;
use crate::feed::store::disk::DiskError;
use crate::view::page::{Candidates, Span};
use crate::view::with_original::{FeedFilter, post_with_original};
use slackwater_order::place::PostId;

/// The answer to an entry that is offered to a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// It is on the page.
    Taken,
    /// The page is full without it.
    Full,
}

/// The entries that a page took.
#[derive(Debug, PartialEq, Eq)]
pub struct PageWalk {
    /// They, in the order in which they were taken.
    pub ids: Vec<PostId>,
    /// Whether that is from the lowest to the highest.
    pub is_upward: bool,
    /// Whether the feed has nothing more in that direction: what stands there does not belong in it any more.
    pub has_all: bool,
}

/// Offers entries for `span` out of the ascending `ids` to `take`, as far as they still belong there, until the page is full.
pub fn walk_page(
    store: &Store,
    span: Span,
    ids: &[PostId],
    admits: &FeedFilter<'_>,
    take: impl FnMut(&Post, Option<&Post>) -> Offer,
) -> Result<PageWalk, DiskError> {
    let candidates = span.of(ids);
    let (Candidates::Down(part) | Candidates::Up(part)) = candidates;
    let mut page = PageWalk {
        ids: Vec::with_capacity(part.len().min(span.limit)),
        is_upward: matches!(candidates, Candidates::Up(_)),
        has_all: false,
    };
    match candidates {
        Candidates::Down(part) => page.take(store, part.iter().rev(), span, admits, take)?,
        Candidates::Up(part) => page.take(store, part.iter(), span, admits, take)?,
    }
    Ok(page)
}

impl PageWalk {
    fn take<'a>(
        &mut self,
        store: &Store,
        ids: impl Iterator<Item = &'a PostId>,
        span: Span,
        admits: &FeedFilter<'_>,
        mut take: impl FnMut(&Post, Option<&Post>) -> Offer,
    ) -> Result<(), DiskError> {
        for id in ids {
            if span.limit <= self.ids.len() {
                return Ok(());
            }
            // What went since the feed was read is passed over, so that a page is empty only at the end.
            let Some((post, original)) = post_with_original(store, *id)? else {
                continue;
            };
            if !admits(&post, original.as_deref()) {
                continue;
            }
            match take(&post, original.as_deref()) {
                Offer::Taken => self.ids.push(*id),
                Offer::Full => return Ok(()),
            }
        }
        self.has_all = true;
        Ok(())
    }
}
