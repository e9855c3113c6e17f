//! Relations of local accounts as documents: follows, mutes, blocks, lists, and settings of feeds. Pure.
//!
//! A relation is read into one form (domains and tags in lower case, defaults filled in), and its key is derived from
//! that form. A record whose key differs is refused: compaction keeps the newest of each *key*, so two spellings of one
//! relation would outlive each other in turn. A document with a field that its type does not have is refused too: a `bosts`
//! that is passed over would never be noticed.

mod decode;
mod document;
mod key;
mod patience;

pub use decode::{Change, decode};
pub use document::{Action, LANGUAGES_MAX, Relation, Replies, TITLE_BYTES_MAX};
pub use key::{ACCOUNT_BYTES_MAX, INSTANCE, Key, Kind, check_account};
pub use patience::Patience;

#[cfg(test)]
mod tests;
