//! Mastodon's API as it is configured.

use super::ids::Ids;

/// The choices of the table `[mastodon]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Which ids clients see. Default [`Ids::Place`].
    pub ids: Ids,
    /// Whether the lists of an account end with the list of its late arrivals. Default true.
    pub late_list: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            ids: Ids::default(),
            late_list: true,
        }
    }
}
