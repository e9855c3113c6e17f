//! The state that Mastodon's routes share: the API's, and the cache and options that only they use.

use super::Options;
use super::status_cache::StatusCache;
use super::upstream::{Reader, Relay, Upstream};
use crate::api::app::App;
use crate::api::auth::Caller;
use crate::api::caller::CallerContext;
use std::ops::Deref;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// A connection to the backend's streaming server, and what comes from it.
pub(super) type Relayed = (Option<Arc<Relay>>, Option<mpsc::Receiver<Utf8Bytes>>);

/// The next message that is passed on; for ever none where there is no such connection.
pub(super) async fn next_passed(passed: &mut Option<mpsc::Receiver<Utf8Bytes>>) -> Utf8Bytes {
    match passed {
        Some(passed) => match passed.recv().await {
            Some(text) => text,
            None => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}

/// The state that Mastodon's routes share. There is one: it is cloned several times for each request, and each stream has it.
#[derive(Clone)]
pub(crate) struct MastodonApp(Arc<MastodonAppInner>);

pub(crate) struct MastodonAppInner {
    app: App,
    pub(super) status_cache: Arc<StatusCache>,
    pub(super) late_list: bool,
    /// The backend, if statuses are shown as it shows them.
    pub(super) upstream: Option<Arc<Upstream>>,
}

impl MastodonApp {
    /// Joins Mastodon's part to the API's.
    pub(crate) fn new(app: App, status_cache: Arc<StatusCache>, options: &Options) -> MastodonApp {
        let upstream = app.auth.backend.as_ref().zip(options.upstream.as_ref());
        let upstream = upstream.map(|(backend, options)| {
            let metrics = Arc::clone(&app.state.metrics);
            Arc::new(Upstream::new(backend.clone(), options, metrics))
        });
        MastodonApp(Arc::new(MastodonAppInner {
            app,
            status_cache,
            late_list: options.late_list,
            upstream,
        }))
    }

    /// The backend, and the reader that it is to be asked for; none without a backend, or for a caller that is no user.
    pub(super) fn upstream_for(&self, context: &CallerContext) -> Option<(&Arc<Upstream>, Reader)> {
        let upstream = self.upstream.as_ref()?;
        let (Caller::User(_), Some(token)) = (&context.caller, &context.token) else {
            return None;
        };
        let reader = Reader {
            token: token.clone(),
            address: context.address,
        };
        Some((upstream, reader))
    }

    /// The connection to the backend's streaming server for a client's streams, and what comes from it to be passed on; none without
    /// such a server, or for a caller that is no user.
    pub(super) fn relay_for(&self, context: &CallerContext) -> Relayed {
        let relayed = self
            .upstream_for(context)
            .and_then(|(upstream, reader)| Relay::begin(upstream, reader));
        match relayed {
            Some((relay, passed)) => (Some(relay), Some(passed)),
            None => (None, None),
        }
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
