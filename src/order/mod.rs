//! Where a post goes: its verdict against its origin's reorder window, and its place, which is its id.

pub mod delays;
pub mod place;
pub mod verdict;
pub mod window;
