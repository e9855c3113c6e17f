//! The service started, run and stopped: everything else is told what it needs here.

mod cluster;
pub mod collector;
mod connection;
mod cursor_key;
mod daily_comparison;
mod descriptors;
pub mod error;
mod inbox;
mod listener;
mod open;
pub mod reload;
pub mod signals;
mod socket;
pub mod summary;
mod waiting;

use crate::api::Shutdown;
use crate::api::auth::Auth;
use crate::api::auth::registered::TokenRegister;
use crate::api::state::AppState;
use crate::cluster::Cluster;
use crate::cluster::agreement::decides;
use crate::cluster::warming::keep_warm;
use crate::config::settings::Settings;
use crate::config::{Config, memory};
use crate::connector;
use crate::connector::token_bearers::TokenBearers;
use crate::http;
use crate::inbox::passage::requests_max;
use crate::log::{self, LogWriter};
use crate::pipeline::PipelineError;
use crate::pipeline::settings_mailbox::SettingsMailbox;
use cluster::Joined;
use cursor_key::sealed;
use error::{ServiceError, broken, pipeline_error};
use listener::Listener;
use open::open;
use reload::Watch;
use slackwater_engine::kept::Kept;
use slackwater_engine::view::View;
use socket::Waits;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long requests in hand may take when the service stops.
const REQUESTS_END_WAIT: Duration = Duration::from_secs(2);

/// How long the head of a request may take to come whole: as long as a bad line takes to send some kilobytes.
const HEAD_WAIT: Duration = Duration::from_secs(15);

/// How long a connection may rest between two requests: longer than nginx keeps one to a server behind it (a minute), so that
/// the proxy closes it and none is closed in the face of a request.
const IDLE_WAIT: Duration = Duration::from_secs(75);

/// How long a connection may take nothing of what it is sent, if streams may not for longer.
const WRITE_WAIT: Duration = Duration::from_secs(30);

/// A running service.
#[derive(Debug)]
pub struct Service {
    /// Where it listens: the port is a real one, also if 0 was asked for.
    pub address: SocketAddr,
    state: AppState,
    reload: SettingsMailbox,
    stop: Arc<AtomicBool>,
    pipeline: std::thread::JoinHandle<Result<(), PipelineError>>,
    ended: oneshot::Receiver<()>,
    stop_http: CancellationToken,
    http: JoinHandle<()>,
    shutdown: Shutdown,
    log_writer: LogWriterToClose,
    /// The other nodes, if this is one of several.
    cluster: Option<Joined>,
    /// The data folder.
    folder: String,
}

struct LogWriterToClose(LogWriter);

impl std::fmt::Debug for LogWriterToClose {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LogWriter")
    }
}

/// As [`start`], with the configuration in a file: what it says of ordering is taken over whenever it is saved.
pub async fn start_with(
    config: Config,
    settings: Settings,
    file: Watch,
) -> Result<Service, ServiceError> {
    let service = start(config.clone()).await?;
    let (reload, state) = (service.reload.clone(), service.state.clone());
    let cluster = service
        .cluster
        .as_ref()
        .map(|joined| joined.cluster.clone());
    let taken_over = move |config: &Config| {
        if let Some(cluster) = &cluster {
            let pipeline = &config.pipeline;
            cluster.set_decides(decides(
                &config.store,
                &pipeline.engine,
                config.mastodon.ids,
            ));
        }
    };
    tokio::spawn(file.follow(config, settings, reload, state, taken_over));
    Ok(service)
}

/// Starts the service: opens the data folder and the log, reads on where the last checkpoint ended, and listens.
pub async fn start(config: Config) -> Result<Service, ServiceError> {
    let runtime = tokio::runtime::Handle::current();
    // Before anything is opened.
    let files_max = descriptors::raise();
    let (folder, log) = (config.store.clone(), config.log.clone());
    let mut options = config.pipeline.clone();
    if config.cluster.is_some() {
        // Until the cluster says whose feeds are kept here, none are made.
        options.engine.kept = Kept::nobody();
    }
    tracing::info!("opening the log and the data folder");
    // Opening blocks: on sled's recovery, and on a broker that does not answer.
    let opened = tokio::task::spawn_blocking(move || open(folder, &log, options, runtime));
    let (mut pipeline, log_writer) = opened.await.map_err(|e| broken("opening", &e))??;

    let listen = config.listen;
    let cannot = |source| ServiceError::Listen { listen, source };
    let (connections_max, inbox_requests_max) = connections_max(&config, files_max);
    let waits = Waits {
        head: HEAD_WAIT,
        idle: IDLE_WAIT,
        write: WRITE_WAIT.max(config.api.stream_options.socket.send_timeout),
    };
    let listener = Listener::bind(listen, connections_max, waits).map_err(cannot)?;
    let address = listener.address().map_err(cannot)?;
    let mut state = pipeline.state();
    let machine = &state.metrics.machine;
    let memory = i64::try_from(memory::usable_bytes()).unwrap_or(i64::MAX);
    machine.usable_memory_bytes.set(memory);
    machine.watch_folder("feeds", config.store.path.clone());
    if let log::Options::BuiltIn(log) = &config.log {
        machine.watch_folder("log", log.path.clone());
    }
    let cluster = cluster::join(&config, address, &mut pipeline, &state, &log_writer).await?;
    if let Some(joined) = &cluster {
        state.placement = Some(Arc::new(joined.cluster.clone()));
    }
    state.view.log = sealed(&state.view.log, &config)?;
    let reload = pipeline.settings_mailbox();
    let auth = Auth::new(config.auth.clone(), token_register(&config))
        .map_err(|source| ServiceError::Auth { source })?;
    let mut options = http::Options {
        api: config.api.clone(),
        mastodon: config.mastodon.clone(),
    };
    options.api.connections.all = streams_max(&config, connections_max);
    let shutdown = Shutdown::default();
    if let Some(joined) = &cluster {
        let (cluster, stop) = (joined.cluster.clone(), shutdown.stopping.clone());
        tokio::spawn(keep_warm(cluster, state.view.clone(), stop));
    }
    let inbox = inbox::passage(&config, inbox_requests_max, &state, &log_writer, &shutdown)?;
    let routes = http::router(
        state.clone(),
        log_writer.clone(),
        auth,
        options,
        shutdown.clone(),
        inbox,
    );
    let stop_http = CancellationToken::new();
    let http = tokio::spawn(listener.serve(routes, stop_http.clone()));

    let stop = Arc::new(AtomicBool::new(false));
    let (ending, ended) = oneshot::channel();
    let stops = Arc::clone(&stop);
    let pipeline = std::thread::Builder::new()
        .name("pipeline".to_owned())
        .spawn(move || {
            let result = pipeline.run(stops);
            // Nobody may be waiting any more.
            let _ = ending.send(());
            result
        })
        .map_err(|e| broken("starting the pipeline's thread", &e))?;
    tokio::spawn(show_progress(state.view.clone()));
    daily_comparison::start(&config, address, &state, shutdown.stopping.clone());
    let parts = connector::follow::Parts {
        view: state.view.clone(),
        sink: connector::drain::Sink {
            log_writer: log_writer.clone(),
            in_flight: state.in_flight.clone(),
            metrics: Arc::clone(&state.metrics),
        },
        metrics: Arc::clone(&state.metrics),
        status: Arc::clone(&state.connector),
        folder: connector_folder(&config),
        posts_keep: config.pipeline.engine.keep.posts,
    };
    tokio::spawn(connector::follow::run(
        config.connector,
        parts,
        shutdown.stopping.clone(),
    ));
    tracing::info!(%address, "listening on http://{address}");
    Ok(Service {
        address,
        state,
        reload,
        stop,
        pipeline,
        ended,
        stop_http,
        http,
        shutdown,
        log_writer: LogWriterToClose(log_writer),
        cluster,
        folder: config.store.path.display().to_string(),
    })
}

impl Service {
    /// What its readers look at.
    pub fn state(&self) -> &AppState {
        &self.state
    }

    /// Waits until the service ends by itself: something failed, or another process took the name of this node.
    pub async fn ended(&mut self) {
        let superseded = async {
            match &self.cluster {
                Some(joined) => joined.cluster.superseded().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // A sender dropped without a word means that the thread is gone: ended too.
            _ = &mut self.ended => {}
            () = superseded => {}
        }
    }

    /// Finishes what is in hand, writes a last checkpoint and closes everything. Errors: why the pipeline ended.
    pub async fn stop(mut self) -> Result<(), ServiceError> {
        let cluster = self.cluster.as_ref().map(|joined| &joined.cluster);
        let is_superseded = cluster.is_some_and(Cluster::is_superseded);
        if let Some(cluster) = cluster {
            // While it still answers: others take its shards first.
            cluster.leave().await;
        }
        self.stop_http.cancel();
        self.shutdown.stopping.cancel();
        self.shutdown.streams.close();
        let ending = async {
            // How the server ended does not matter any more.
            let _ = (&mut self.http).await;
            self.shutdown.streams.wait().await;
        };
        if tokio::time::timeout(REQUESTS_END_WAIT, ending)
            .await
            .is_err()
        {
            self.http.abort();
        }
        if let Some(joined) = &self.cluster {
            joined.cluster.stop();
        }
        self.stop.store(true, Ordering::Relaxed);
        let pipeline = self.pipeline;
        let ended = tokio::task::spawn_blocking(move || pipeline.join())
            .await
            .map_err(|e| broken("stopping", &e))?;
        let (log_writer, cluster) = (self.log_writer.0, self.cluster);
        let closing = move || {
            log_writer.close();
            if let Some(joined) = cluster {
                joined.close();
            }
        };
        tokio::task::spawn_blocking(closing)
            .await
            .map_err(|e| broken("closing the log", &e))?;
        if is_superseded {
            return Err(ServiceError::Superseded);
        }
        match ended {
            Ok(result) => result.map_err(|error| pipeline_error(error, &self.folder)),
            Err(_) => Err(ServiceError::Broken {
                what: "the pipeline panicked".to_owned(),
            }),
        }
    }
}

/// Mastodon's database, if there is one to ask whose a token is.
fn token_register(config: &Config) -> Option<Box<dyn TokenRegister>> {
    let address = config.connector.database.clone()?;
    Some(Box::new(TokenBearers::new(address)))
}

/// Where the connector keeps how far it has come: beside the records that it says are there.
fn connector_folder(config: &Config) -> PathBuf {
    match &config.log {
        log::Options::BuiltIn(built_in) => built_in.path.clone(),
        log::Options::Kafka(_) => {
            let folder = config.store.path.parent();
            folder.unwrap_or(Path::new(".")).to_owned()
        }
    }
}

/// How many connections there may be: as many as there may be streams and requests, as far as the system allows. And how many requests
/// to inboxes may be passed on at once, which have connections of their own.
fn connections_max(config: &Config, files_max: Option<usize>) -> (usize, usize) {
    let wanted = config
        .api
        .connections
        .all
        .saturating_add(config.api.requests_max);
    let upstream = config.mastodon.upstream.as_ref();
    // To the backend, or from another node: no stream is both.
    let is_relayed =
        upstream.is_some_and(|upstream| upstream.streaming.is_some()) || config.cluster.is_some();
    let possible = descriptors::connections(files_max, is_relayed);
    let inbox = config.inbox.as_ref();
    let inbox_requests_max = inbox.map_or(0, |_| requests_max(possible));
    // And some for the keys that they are verified with.
    let possible = possible.saturating_sub(inbox_requests_max + inbox_requests_max / 8);
    if possible < config.api.connections.all {
        tracing::warn!(
            files_max,
            connections = possible,
            "at most {} files may be open here, which leaves {possible} connections, fewer than stream.connections_max: \
             raise the limit (ulimit -n, LimitNOFILE)",
            files_max.unwrap_or(0)
        );
    }
    (wanted.min(possible), inbox_requests_max)
}

/// How many of so many connections may be streams: some are left to those who ask and go.
fn streams_max(config: &Config, connections_max: usize) -> usize {
    let left = connections_max.div_ceil(8);
    let streams_max = connections_max.saturating_sub(left).max(1);
    config.api.connections.all.min(streams_max)
}

/// Draws how far catching up has come, on a terminal. The log tells it everywhere.
async fn show_progress(mut view: View) {
    if !std::io::stderr().is_terminal() {
        return;
    }
    let style = indicatif::ProgressStyle::with_template(
        "catching up {bar:40} {percent} %  {human_pos}/{human_len} records  {msg}",
    );
    let bar = indicatif::ProgressBar::no_length();
    if let Ok(style) = style {
        bar.set_style(style);
    }
    loop {
        let Some(progress) = view.built.borrow_and_update().catching_up else {
            break;
        };
        bar.set_length(progress.read + progress.left);
        bar.set_position(progress.read);
        if let Some(seconds) = progress.seconds_left {
            bar.set_message(format!("about {seconds} s to go"));
        }
        if view.built.changed().await.is_err() {
            break;
        }
    }
    bar.finish_and_clear();
}
