//! The state that Mastodon's routes share: the API's, and the cache and options that only they use.

use super::Options;
use super::status_cache::StatusCache;
use crate::api::app::App;
use std::ops::Deref;
use std::sync::Arc;

/// The state that Mastodon's routes share. There is one: it is cloned several times for each request, and each stream has it.
#[derive(Clone)]
pub(crate) struct MastodonApp(Arc<MastodonAppInner>);

pub(crate) struct MastodonAppInner {
    app: App,
    pub(super) status_cache: Arc<StatusCache>,
    pub(super) late_list: bool,
}

impl MastodonApp {
    /// Joins Mastodon's part to the API's.
    pub(crate) fn new(app: App, status_cache: Arc<StatusCache>, options: &Options) -> MastodonApp {
        MastodonApp(Arc::new(MastodonAppInner {
            app,
            status_cache,
            late_list: options.late_list,
        }))
    }

    /// The API's part.
    pub(super) fn api(&self) -> &App {
        &self.0.app
    }
}

impl Deref for MastodonApp {
    type Target = MastodonAppInner;

    fn deref(&self) -> &MastodonAppInner {
        &self.0
    }
}

impl Deref for MastodonAppInner {
    type Target = App;

    fn deref(&self) -> &App {
        &self.app
    }
}
