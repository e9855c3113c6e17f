//! Where a post goes: its verdict against its origin's reorder window, and its place, which is its id.
//!
//! | module | what it is |
//! |---|---|
//! | [`window`] | how long an origin's posts may take: as the operator says, or as learned |
//! | [`verdict`] | what that makes of one post |
//! | [`place`] | where it then stands |
//! | [`histogram`], [`delays`] | one origin's delays, and the window learned from them |
//! | [`origins`] | all of them |
//! | [`horizon`] | how long a feed is held back for them, and up to when it is shown |

pub mod delays;
pub mod histogram;
pub mod horizon;
pub mod origins;
pub mod place;
pub mod verdict;
pub mod window;
