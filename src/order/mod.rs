//! Where a post goes.

pub mod window;
