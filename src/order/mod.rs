//! Where a post goes: its verdict against its origin's reorder window, and its place, which is its id.
//!
//! | module | what it is |
//! |---|---|
//! | [`window`] | how long an origin's posts may take: as the operator says, or as learned |
//! | [`verdict`] | what that makes of one post |
//! | [`place`] | where it then stands |
//! | [`histogram`], [`curve`], [`delays`] | one origin's delays, and the window and the curve learned from them |
//! | [`origins`] | all of them |
//! | [`wait`] | how long a feed is held back for them |
//! | [`horizon`] | up to when it is shown |

pub mod curve;
pub mod delays;
pub mod histogram;
pub mod horizon;
pub mod origins;
pub mod place;
pub mod verdict;
pub mod wait;
pub mod window;
