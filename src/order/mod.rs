//! Where a post goes.
