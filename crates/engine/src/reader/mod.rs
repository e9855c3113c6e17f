//! What readers see of a feed, before it is JSON or HTTP.
//!
//! | module | what it is |
//! |---|---|
//! | [`page`] | which ids of a feed a page shows |
//! | [`page_walk`] | the entries of a page, taken one by one |
//! | [`shown`] | the part of a feed that is shown |
//! | [`attendance`] | when accounts were last seen, and who sleeps for that |
//! | [`unsettled`] | feeds in which some relations are still to be carried out |
//! | [`horizons`] | how far feeds are shown, as readers were told |
//! | [`cursor`] | how far a reader has been told, as text |
//! | [`seal`] | what that text is sealed with |
//! | [`doubts`] | which entries a cursor may know hidden or shown otherwise than they are |
//! | [`changes`] | what changed in a feed since a cursor |
//! | [`change_batch`] | as many of those as one answer takes |
//! | [`whole`] | a post with what it boosts |
//! | [`late`] | what came late to a home, worked out from it |
//! | [`asked`] | which feed is asked for, and by whom |
//! | [`look`] | a feed looked at: all of the above at one moment |
//! | [`explained`] | why an account has a post in its feeds, or has not |
//! | [`view`] | the state requests are answered from |

pub mod asked;
pub mod attendance;
pub mod change_batch;
pub mod changes;
pub mod cursor;
pub mod doubts;
pub mod explained;
pub mod horizons;
pub mod late;
pub mod look;
pub mod page;
pub mod page_walk;
pub mod seal;
pub mod shown;
pub mod unsettled;
pub mod view;
pub mod whole;
