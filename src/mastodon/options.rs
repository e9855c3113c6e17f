//! Mastodon's API as it is configured.

use super::ids::Ids;
use url::Url;

/// The choices of the table `[mastodon]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Which ids clients see. Default [`Ids::Place`].
    pub ids: Ids,
    /// Whether the lists of an account end with the list of its late arrivals. Default true.
    pub late_list: bool,
    /// How statuses and events are taken from the backend, if they are. Only with [`Ids::Ref`], and with
    /// `auth::Options::backend`, which has its address. Default none.
    pub upstream: Option<UpstreamOptions>,
}

/// How statuses and events are taken from the backend.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpstreamOptions {
    /// The address of its streaming server: http or https, without a path. Default none: streams are ours alone.
    pub streaming: Option<Url>,
    /// Whether statuses are shown as this service makes them while the backend does not answer. Default false: 503.
    pub plain_when_away: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            ids: Ids::default(),
            late_list: true,
            upstream: None,
        }
    }
}
