//! Mastodon's own home of an account beside the one here: every post that is in one and not in the other, with its reason. The proof
//! before an instance switches.
//!
//! | module | what it is |
//! |---|---|
//! | [`home`] | a home as each side has it |
//! | [`difference`] | what two homes have in common, and what not |
//! | [`relations`] | what Mastodon says of its relations, held against what is said here |
//! | [`reason`] | the reason of each difference, or that it has none |
//! | [`report`] | a comparison for machines and for people |
//! | [`error`] | why two homes could not be compared |
//! | [`mastodon`], [`slackwater`] | the two sides, asked over HTTP |
//! | [`comparison`] | one comparison, all of the above together |
//! | [`daily`] | some accounts, every day while the service runs |

pub mod comparison;
pub mod daily;
pub mod difference;
pub mod error;
pub mod home;
pub mod mastodon;
pub mod reason;
pub mod relations;
pub mod report;
pub mod slackwater;
