//! The state that all routes share: the data that responses are made from, and the bounds on callers.

use super::account_locks::AccountLocks;
use super::auth::Auth;
use super::dismissals::DismissalLog;
use super::forward::Edge;
use super::limits::{Connections, RequestRates};
use super::options::{Options, Shutdown, StreamOptions};
use super::refusals::RefusalLog;
use super::rejections::RejectionLog;
use super::response_memory::{self, ResponseMemory};
use super::state::AppState;
use crate::log::LogWriter;
use crate::operator::connector_status::Stage;
use ipnet::IpNet;
use slackwater_engine::feed::post::Post;
use slackwater_engine::feed::store::disk::DiskError;
use slackwater_engine::view::BuildProgress;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Request bodies held in memory at once, in KiB. A request waits for its share before its body is read.
const BODIES_KIB_MAX: usize = 128 << 10;

/// Why Mastodon's API leaves a post out that boosts this original, whatever feed it is in; `None` if it shows the post. That API
/// is built on this module, so this module is given the function.
pub(crate) type Omission =
    Arc<dyn Fn(&AppState, &Post, Option<&Post>) -> Result<Option<String>, DiskError> + Send + Sync>;

/// The state that all routes share. There is one: it is cloned several times for each request.
#[derive(Clone)]
pub(crate) struct App(Arc<AppInner>);

pub(crate) struct AppInner {
    pub(crate) state: AppState,
    pub(crate) log_writer: LogWriter,
    pub(crate) auth: Auth,
    /// The way to the other nodes, if this one is part of a cluster.
    pub(crate) edge: Option<Edge>,
    pub(crate) requests: Semaphore,
    /// Further permits for the requests that append, so that readers never block the backend.
    pub(crate) requests_of_backend: Semaphore,
    pub(crate) bodies: Arc<Semaphore>,
    pub(crate) timeout: Duration,
    pub(crate) rates: RequestRates,
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) connections: Arc<Connections>,
    pub(crate) response_memory: Arc<ResponseMemory>,
    pub(crate) stream_options: StreamOptions,
    pub(crate) omission: Omission,
    pub(crate) rejection_log: Arc<RejectionLog>,
    pub(crate) refusal_log: RefusalLog,
    pub(crate) dismissal_log: DismissalLog,
    pub(crate) account_locks: AccountLocks,
    /// One permit, for reading dead letters.
    pub(crate) letters_turn: Arc<Semaphore>,
    pub(crate) live_max_age: Duration,
    pub(crate) stopping: CancellationToken,
    pub(crate) streams: TaskTracker,
}

impl Deref for App {
    type Target = AppInner;

    fn deref(&self) -> &AppInner {
        &self.0
    }
}

impl App {
    /// The state of a service that has just started, without connections.
    pub(crate) fn new(
        state: AppState,
        log_writer: LogWriter,
        auth: Auth,
        options: Options,
        shutdown: Shutdown,
        omission: Omission,
    ) -> App {
        let edge = state.placement.clone();
        let edge = edge.map(|placement| Edge::new(placement, Arc::clone(&state.metrics)));
        App(Arc::new(AppInner {
            edge,
            state,
            log_writer,
            auth,
            requests: Semaphore::new(options.requests_max),
            requests_of_backend: Semaphore::new(options.requests_max.div_ceil(8)),
            bodies: Arc::new(Semaphore::new(BODIES_KIB_MAX)),
            timeout: options.request_timeout,
            rates: RequestRates::new(options.requests_per_minute),
            trusted_proxies: options.trusted_proxies,
            connections: Connections::new(options.connections),
            response_memory: ResponseMemory::new(response_memory::Limits::default()),
            stream_options: options.stream_options,
            omission,
            rejection_log: Arc::default(),
            refusal_log: RefusalLog::default(),
            dismissal_log: DismissalLog::default(),
            account_locks: AccountLocks::default(),
            letters_turn: Arc::new(Semaphore::new(1)),
            live_max_age: options.live_max_age,
            stopping: shutdown.stopping,
            streams: shutdown.streams,
        }))
    }

    /// Sets the gauges. They are set when metrics are read, so that they are right from the start and while no record arrives.
    pub(crate) fn gauge(&self) {
        let (metrics, store) = (&self.state.metrics, &self.state.view.store);
        let gauge = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        metrics.http.streams.set(gauge(self.connections.count()));
        let (accounts, follows) = {
            let graph = self.state.view.graph.read();
            (graph.accounts(), graph.follows())
        };
        metrics.feeds.accounts.set(gauge(accounts));
        let awake = self.state.view.awake_count();
        metrics.feeds.awake_accounts.set(gauge(awake));
        metrics.feeds.follows.set(gauge(follows));
        let (entries_max, bytes_max) = store.unwritten_max();
        metrics.feeds.unwritten_entries_max.set(gauge(entries_max));
        metrics.feeds.unwritten_bytes_max.set(gauge(bytes_max));
        let bytes = i64::try_from(store.bytes_on_disk()).unwrap_or(i64::MAX);
        metrics.feeds.disk_bytes.set(bytes);
        let woken = self.state.view.last_access.woken();
        metrics.cluster.woken.inner().store(woken, Relaxed);
        metrics.machine.look_at_disks();
        let is_refused = self.state.refused_settings.read().is_some();
        metrics.config_refused.set(is_refused.into());
        let is_connected = self.state.connector.stage() != Stage::Off;
        metrics.connector.configured.set(is_connected.into());
        let is_ready = self.is_ready(&self.state.view.built.borrow());
        metrics.pipeline.ready.set(is_ready.into());
    }

    /// Why this node of a cluster shows no feeds, if it is one and does not.
    pub(crate) fn cluster_trouble(&self) -> Option<String> {
        self.state.placement.as_ref().and_then(|it| it.trouble())
    }

    /// Whether the service is ready, for `/readyz`, `/healthz` and the gauge in `/metrics` alike.
    pub(crate) fn is_ready(&self, built: &BuildProgress) -> bool {
        built.is_ready()
            && self.state.log_end.trouble().is_none()
            && self.cluster_trouble().is_none()
            && self.state.connector.lacking().is_none()
    }
}
