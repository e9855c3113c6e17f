//! The service started, run and stopped: everything else is told what it needs here.

mod connection;
mod cursor_key;
mod daily_comparison;
mod descriptors;
mod inbox;
mod listener;
pub mod reload;
pub mod signals;
mod socket;
mod waiting;

use crate::api::Shutdown;
use crate::api::auth::registered::TokenRegister;
use crate::api::auth::{Auth, AuthError};
use crate::api::state::AppState;
use crate::config::Config;
use crate::connector;
use crate::connector::token_bearers::TokenBearers;
use crate::http;
use crate::inbox::passage::requests_max;
use crate::log::{self, LogError, LogWriter};
use crate::pipeline::settings_mailbox::SettingsMailbox;
use crate::pipeline::{self, Pipeline, PipelineError};
use cursor_key::sealed;
use listener::Listener;
use reload::Watch;
use slackwater_engine::feed::store::disk::DiskError;
use slackwater_engine::feed::store::{self, CheckpointState, Store};
use slackwater_engine::view::View;
use slackwater_order::place::PostId;
use slackwater_order::ref_place::PlaceSource;
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
use xxhash_rust::xxh3::xxh3_64;

/// How long requests in hand may take when the service stops.
const REQUESTS_END_WAIT: Duration = Duration::from_secs(2);

/// How long the head of a request may take to come whole: as long as a bad line takes to send some kilobytes.
const HEAD_WAIT: Duration = Duration::from_secs(15);

/// How long a connection may rest between two requests: longer than nginx keeps one to a server behind it (a minute), so that
/// the proxy closes it and none is closed in the face of a request.
const IDLE_WAIT: Duration = Duration::from_secs(75);

/// How long a connection may take nothing of what it is sent, if streams may not for longer.
const WRITE_WAIT: Duration = Duration::from_secs(30);

/// Under which name the data folder keeps which log it was built from.
const LOG: &str = "log";

/// Under which name the data folder keeps from what its posts got their places, unless it is from when they were written.
const PLACE_SOURCE: &str = "place_source";

/// Why the service did not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The data folder.
    #[error("opening the data folder {path}")]
    Folder {
        /// Which.
        path: String,
        /// The reason.
        source: DiskError,
    },
    /// The data folder was built from another log.
    #[error(
        "the data folder {path} was built from {built_from}, and this is {now}: `slackwater serve --rebuild` puts it aside and \
         makes it anew"
    )]
    OtherLog {
        /// The folder.
        path: String,
        /// What it was built from.
        built_from: String,
        /// What is configured.
        now: String,
    },
    /// The posts of the data folder got their places from something else.
    #[error(
        "the data folder {path} was built with ordering.place = {built_with:?}, and this is {now:?}: `slackwater serve --rebuild` puts \
         it aside and makes it anew, with other ids; or set ordering.place back"
    )]
    OtherPlaces {
        /// The folder.
        path: String,
        /// What it was built with.
        built_with: &'static str,
        /// What is configured.
        now: &'static str,
    },
    /// The file with the built-in log's id.
    #[error("reading or writing the id of the built-in log")]
    LogId {
        /// The reason.
        source: std::io::Error,
    },
    /// The file with the key that cursors are sealed with.
    #[error("reading or writing the key of cursors, {path}")]
    CursorKey {
        /// Which.
        path: String,
        /// The reason.
        source: std::io::Error,
    },
    /// The log.
    #[error("opening the log")]
    Log {
        /// The reason.
        #[from]
        source: LogError,
    },
    /// The keys and connections that tokens are checked with.
    #[error("preparing to check tokens")]
    Auth {
        /// The reason.
        source: AuthError,
    },
    /// The way to the inboxes of the backend.
    #[error("preparing to pass on what comes to inboxes")]
    Inbox {
        /// The reason.
        source: std::io::Error,
    },
    /// The address.
    #[error("listening on {listen}")]
    Listen {
        /// Which.
        listen: SocketAddr,
        /// The reason.
        source: std::io::Error,
    },
    /// The data folder failed while it was used.
    #[error("using the data folder {path}")]
    Disk {
        /// Which.
        path: String,
        /// The reason.
        source: DiskError,
    },
    /// The pipeline ended by itself.
    #[error("the pipeline ended")]
    Pipeline {
        /// The reason.
        source: PipelineError,
    },
    /// A part of the service panicked or could not be started.
    #[error("{what}")]
    Broken {
        /// Which.
        what: String,
    },
}

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
pub async fn start_with(config: Config, file: Watch) -> Result<Service, ServiceError> {
    let service = start(config.clone()).await?;
    let (reload, state) = (service.reload.clone(), service.state.clone());
    tokio::spawn(file.follow(config, reload, state));
    Ok(service)
}

/// Starts the service: opens the data folder and the log, reads on where the last checkpoint ended, and listens.
pub async fn start(config: Config) -> Result<Service, ServiceError> {
    let runtime = tokio::runtime::Handle::current();
    // Before anything is opened.
    let files_max = descriptors::raise();
    let (folder, log) = (config.store.clone(), config.log.clone());
    let options = config.pipeline.clone();
    tracing::info!("opening the log and the data folder");
    // Opening blocks: on sled's recovery, and on a broker that does not answer.
    let opened = tokio::task::spawn_blocking(move || open(folder, &log, options, runtime));
    let (pipeline, log_writer) = opened.await.map_err(|e| broken("opening", &e))??;

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
        folder: config.store.path.display().to_string(),
    })
}

impl Service {
    /// What its readers look at.
    pub fn state(&self) -> &AppState {
        &self.state
    }

    /// Waits until the pipeline ends by itself, which it only does if something failed.
    pub async fn ended(&mut self) {
        // A sender dropped without a word means that the thread is gone: ended too.
        let _ = (&mut self.ended).await;
    }

    /// Finishes what is in hand, writes a last checkpoint and closes everything. Errors: why the pipeline ended.
    pub async fn stop(mut self) -> Result<(), ServiceError> {
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
        self.stop.store(true, Ordering::Relaxed);
        let pipeline = self.pipeline;
        let ended = tokio::task::spawn_blocking(move || pipeline.join())
            .await
            .map_err(|e| broken("stopping", &e))?;
        let log_writer = self.log_writer.0;
        tokio::task::spawn_blocking(move || log_writer.close())
            .await
            .map_err(|e| broken("closing the log", &e))?;
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

/// Opens the data folder and the log it was built from.
fn open(
    folder: store::Options,
    log: &log::Options,
    mut options: pipeline::Options,
    runtime: tokio::runtime::Handle,
) -> Result<(Pipeline, LogWriter), ServiceError> {
    let identity = log.identity().map_err(|error| match error {
        LogError::Id { source } => ServiceError::LogId { source },
        error => error.into(),
    })?;
    let path = folder.path.display().to_string();
    let failed = |source| ServiceError::Folder {
        path: path.clone(),
        source,
    };
    let store = Arc::new(Store::open(folder).map_err(failed)?);
    let reflects = store.reflects().map_err(failed)?;
    bind_places(&store, &reflects, options.engine.place_source, &path)?;
    let built_from = store.meta::<String>(LOG).map_err(failed)?;
    let built_from = built_from.filter(|_| !reflects.next.is_empty());
    match (identity.stored_as(built_from.as_deref()), built_from) {
        (Some(log), _) => {
            store.put_meta(LOG, &log).map_err(failed)?;
            options.engine.log = xxh3_64(log.as_bytes());
        }
        (None, built_from) => {
            return Err(ServiceError::OtherLog {
                path: path.clone(),
                built_from: built_from.unwrap_or_default(),
                now: identity.to_string(),
            });
        }
    }
    let (source, log_writer) = log::open(log, &reflects.next, &reflects.taken)?;
    let pipeline = Pipeline::new(source, log_writer.clone(), runtime, store, options)
        .map_err(|error| pipeline_error(error, &path))?;
    Ok((pipeline, log_writer))
}

/// Notes in the data folder from what its posts get their places. Errors: those that it has got theirs from something else.
fn bind_places(
    store: &Store,
    reflects: &CheckpointState,
    place_source: PlaceSource,
    path: &str,
) -> Result<(), ServiceError> {
    let failed = |source| ServiceError::Folder {
        path: path.to_owned(),
        source,
    };
    let noted = store.meta::<PlaceSource>(PLACE_SOURCE).map_err(failed)?;
    let built_with = noted.unwrap_or_default();
    // A checkpoint that was cut off leaves posts, and nothing that says so.
    let (posts, _) = store.stored_posts(PostId::MIN, 1).map_err(failed)?;
    let is_empty = reflects.next.is_empty() && posts.is_empty();
    if built_with == place_source {
        return Ok(());
    }
    if !is_empty {
        return Err(ServiceError::OtherPlaces {
            path: path.to_owned(),
            built_with: built_with.name(),
            now: place_source.name(),
        });
    }
    store.put_meta(PLACE_SOURCE, &place_source).map_err(failed)
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
    let is_relayed = upstream.is_some_and(|upstream| upstream.streaming.is_some());
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

/// Why the pipeline ended, with the path of the data folder if that is why.
fn pipeline_error(error: PipelineError, folder: &str) -> ServiceError {
    match error {
        PipelineError::Disk(source) => ServiceError::Disk {
            path: folder.to_owned(),
            source,
        },
        source => ServiceError::Pipeline { source },
    }
}

fn broken(what: &str, error: &dyn std::fmt::Display) -> ServiceError {
    ServiceError::Broken {
        what: format!("{what}: {error}"),
    }
}
