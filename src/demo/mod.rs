//! The demo: the real service on the built-in log in a temporary folder, a made-up fediverse that posts to it over HTTP,
//! two columns that show what the service changes, and the operator's page opened on it.
//!
//! | module | what it is |
//! |---|---|
//! | [`fediverse`] | the posts of the made-up fediverse, and when they arrive |
//! | [`client`] | its instance: posts to the service, and reads the feed |
//! | [`columns`] | the feed by arrival beside the feed in order |
//! | [`screen`] | the terminal that they are drawn on |
//! | [`settings`] | its configuration and its accounts |

pub mod client;
pub mod columns;
pub mod fediverse;
pub mod screen;
pub mod settings;

use crate::clock;
use crate::config::Config;
use crate::config::settings::Settings;
use crate::service::error::ServiceError;
use crate::service::reload::Watch;
use crate::service::{self, Service};
use client::{Client, ClientError};
use columns::{ColumnEntry, Scene, clock_time, count_out_of_order, in_words};
use fediverse::ScheduledPost;
use screen::Screen;
use slackwater_order::time::Time;
use std::collections::{BTreeMap, HashSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::MissedTickBehavior;

/// How much of the made-up evening is over when the demo begins, so that there is as much to see at once as is shown.
const OVER: Duration = Duration::from_secs(150);
/// How often what is due is posted and the picture drawn.
const TICK: Duration = Duration::from_millis(250);
/// How long the first posts may take to be in the feed before the picture is drawn without them, which would be a fault.
const FILLED_WAIT: Duration = Duration::from_secs(5);
/// How often the columns are written where there is no terminal.
const COLUMNS_EVERY: Duration = Duration::from_secs(5);
/// How long a post is pointed at.
const FRESH: Duration = Duration::from_secs(3);
/// How many arrivals are remembered; as many as a page of the feed has entries, so that the columns compare.
const ARRIVALS_MAX: usize = 80;
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8787);

/// How to run it.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen; none: 127.0.0.1:8787, or a free port if that is taken.
    pub listen: Option<SocketAddr>,
    /// When to end by itself.
    pub ends_after: Option<Duration>,
    /// The seed of the made-up fediverse: the same number makes the same posts.
    pub seed: u64,
    /// Whether a browser is opened on the page, if standard output is a terminal.
    pub opens_page: bool,
}

/// Why the demo failed.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// An address that others could reach.
    #[error("the demo asks nobody who they are: listen on a loopback address, not on {0}")]
    NotLoopback(SocketAddr),
    /// The temporary folder could not be made or removed.
    #[error("the temporary folder in {path}")]
    Folder {
        /// Which.
        path: String,
        /// The reason.
        source: io::Error,
    },
    /// The configuration that was written is none.
    #[error("the demo's own configuration: {0}")]
    Settings(String),
    /// Ctrl-C could not be listened for.
    #[error("listening for signals")]
    Signals(#[source] io::Error),
    /// The picture could not be shown.
    #[error("writing to standard output")]
    Output(#[source] io::Error),
    /// The service failed.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The service did not answer as it should.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The service ended by itself, without a reason.
    #[error("the service ended by itself")]
    Ended,
}

/// Runs the demo until a signal, or until its time is over. Whatever happens, the folder it made is removed. `hears` is
/// called as soon as it hears signals itself.
pub async fn run(options: Options, hears: impl FnOnce()) -> Result<(), DemoError> {
    // Before anything is made that a signal would leave behind.
    let mut signals = Signals::listen().map_err(DemoError::Signals)?;
    hears();
    let listen = ListenAddress::choose(options.listen)?;
    let folder = tempfile::Builder::new()
        .prefix("slackwater-demo-")
        .tempdir()
        .map_err(|source| DemoError::Folder {
            path: std::env::temp_dir().display().to_string(),
            source,
        })?;
    let (file, read) = settings::configuration(folder.path(), listen.address)?;
    let mut starting = std::pin::pin!(start(read, &file));
    let (service, is_ended) = tokio::select! {
        service = &mut starting => (service, false),
        // What is being opened cannot be broken off. It takes a moment, and is closed as it should be.
        () = signals.any() => (starting.await, true),
    };
    let mut service = service?;
    let mut demo = Demo::new(&service, &listen, &options, clock::now());
    let played = match is_ended {
        true => Ok(Ending::Signal),
        false => tokio::select! {
            () = signals.any() => Ok(Ending::Signal),
            played = demo.play(&mut service, folder.path(), options.ends_after) => played,
        },
    };
    let played = demo.finish(played).await;
    demo.screen.close();
    let stopped = service.stop().await;
    let path = remove(folder)?;
    let ended = played.and_then(|ending| {
        stopped?;
        let farewell = demo.farewell(ending);
        let line = format!("{farewell} {path} is removed.");
        demo.screen.line(&line).map_err(DemoError::Output)
    });
    match ended {
        // Whoever read it has seen enough: `slackwater demo | head`.
        Err(DemoError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        ended => ended,
    }
}

/// Where the demo listens.
struct ListenAddress {
    address: SocketAddr,
    /// The usual port is taken by another process.
    is_another: bool,
}

impl ListenAddress {
    fn choose(wanted: Option<SocketAddr>) -> Result<ListenAddress, DemoError> {
        if let Some(address) = wanted {
            if !address.ip().is_loopback() {
                return Err(DemoError::NotLoopback(address));
            }
            let is_another = false;
            return Ok(ListenAddress {
                address,
                is_another,
            });
        }
        // Only tried, and let go again: opening the service is too much to do twice.
        let is_another = std::net::TcpListener::bind(LISTEN)
            .is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse);
        let port = if is_another { 0 } else { LISTEN.port() };
        let address = SocketAddr::new(LISTEN.ip(), port);
        Ok(ListenAddress {
            address,
            is_another,
        })
    }
}

async fn start((config, settings): (Config, Settings), file: &Path) -> Result<Service, DemoError> {
    let watch = Watch::new(file).map_err(DemoError::Signals)?;
    Ok(service::start_with(config, settings, watch).await?)
}

/// Removes the folder and returns its path.
fn remove(folder: TempDir) -> Result<String, DemoError> {
    let path = folder.path().display().to_string();
    match folder.close() {
        Ok(()) => Ok(path),
        Err(source) => Err(DemoError::Folder { path, source }),
    }
}

/// What ended the demo, if nothing failed.
#[derive(Clone, Copy, Debug)]
enum Ending {
    /// A signal.
    Signal,
    /// The time that it was to run for is over.
    TimeOver,
}

/// The posts that have not arrived yet, and the two columns that the others make.
struct Demo {
    client: Client,
    screen: Screen,
    seed: u64,
    /// When the made-up evening began: a whole second.
    evening: Time,
    /// Hours made so far.
    hours: u32,
    /// Posts by arrival, as far as hours are made; the number keeps apart those that arrive at the same time.
    not_arrived: BTreeMap<(Time, u64), ScheduledPost>,
    made: u64,
    by_arrival: Vec<ColumnEntry>,
    in_order: Vec<ColumnEntry>,
    fresh: Vec<(Instant, String)>,
    page_url: String,
    feed_url: String,
    is_another_port: bool,
    opens_page: bool,
}

impl Demo {
    fn new(service: &Service, listen: &ListenAddress, options: &Options, now: Time) -> Demo {
        let client = Client::new(service.address, settings::ACCOUNT);
        let began = now.minus(OVER).millis();
        let screen = Screen::open();
        Demo {
            page_url: format!(
                "http://{}/?demo#/feeds/{}",
                service.address,
                settings::ACCOUNT
            ),
            feed_url: client.feed_url(),
            client,
            opens_page: options.opens_page && screen.is_live(),
            screen,
            seed: options.seed,
            evening: Time::from_millis(began - began.rem_euclid(1_000)),
            hours: 0,
            not_arrived: BTreeMap::new(),
            made: 0,
            by_arrival: Vec::new(),
            in_order: Vec::new(),
            fresh: Vec::new(),
            is_another_port: listen.is_another,
        }
    }

    /// Follows everybody, delivers what the evening has brought so far, then goes on live.
    async fn play(
        &mut self,
        service: &mut Service,
        folder: &Path,
        ends_after: Option<Duration>,
    ) -> Result<Ending, DemoError> {
        self.introduce(folder).map_err(DemoError::Output)?;
        self.client.relate(&settings::accounts()).await?;
        let before = self.arrived_by(clock::now());
        let profiles = fediverse::profiles();
        self.client.deliver_all(&profiles, &before).await?;
        self.by_arrival = before.iter().rev().map(column_entry).collect();
        self.by_arrival.truncate(ARRIVALS_MAX);
        // Accepted is durable, not yet in the feed: that takes a moment.
        let shown = in_feed(&before).min(ARRIVALS_MAX);
        let until = clock::stopwatch() + FILLED_WAIT;
        while self.in_order.len() < shown && clock::stopwatch() < until {
            tokio::time::sleep(TICK / 10).await;
            self.in_order = self.client.home().await?;
        }
        if self.opens_page {
            // Where there is no browser the address stands on the terminal.
            let _ = open::that_detached(&self.page_url);
        }

        let mut ends = std::pin::pin!(async {
            match ends_after {
                Some(after) => tokio::time::sleep(after).await,
                None => std::future::pending().await,
            }
        });
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut columns = tokio::time::interval(COLUMNS_EVERY);
        loop {
            let is_columns_due = tokio::select! {
                () = &mut ends => return Ok(Ending::TimeOver),
                () = service.ended() => return Err(DemoError::Ended),
                _ = columns.tick() => true,
                _ = tick.tick() => false,
            };
            self.go_on(clock::now()).await?;
            if self.screen.is_live() || is_columns_due {
                self.draw(clock::now()).map_err(DemoError::Output)?;
            }
        }
    }

    /// Draws the last picture; none if the demo ended before there was one.
    async fn finish(&mut self, played: Result<Ending, DemoError>) -> Result<Ending, DemoError> {
        let ending = played?;
        if self.by_arrival.is_empty() {
            return Ok(ending);
        }
        self.in_order = self.client.home().await?;
        if !self.screen.is_live() {
            self.draw(clock::now()).map_err(DemoError::Output)?;
        }
        Ok(ending)
    }

    /// Delivers what has arrived by `now`, one by one, and reads the feed.
    async fn go_on(&mut self, now: Time) -> Result<(), DemoError> {
        for post in self.arrived_by(now) {
            self.client.deliver(&post).await?;
            self.fresh.push((clock::stopwatch(), post.uri.clone()));
            self.by_arrival.insert(0, column_entry(&post));
            if !self.screen.is_live() {
                self.screen
                    .line(&arrival_line(&post))
                    .map_err(DemoError::Output)?;
            }
        }
        self.by_arrival.truncate(ARRIVALS_MAX);
        self.fresh.retain(|(since, _)| since.elapsed() < FRESH);
        self.in_order = self.client.home().await?;
        Ok(())
    }

    /// Takes the posts that have arrived by `now`, in the order they arrived.
    fn arrived_by(&mut self, now: Time) -> Vec<ScheduledPost> {
        // Nothing arrives before the hour in which it was written.
        while self.evening.plus(fediverse::HOUR * self.hours) <= now {
            for post in fediverse::hour(self.seed, self.evening, self.hours) {
                self.not_arrived.insert((post.arrives, self.made), post);
                self.made += 1;
            }
            self.hours += 1;
        }
        let later = self.not_arrived.split_off(&(now, u64::MAX));
        std::mem::replace(&mut self.not_arrived, later)
            .into_values()
            .collect()
    }

    fn draw(&mut self, now: Time) -> io::Result<()> {
        let fresh: Vec<String> = self.fresh.iter().map(|(_, uri)| uri.clone()).collect();
        let scene = Scene {
            now,
            by_arrival: &self.by_arrival,
            in_order: &self.in_order,
            fresh: &fresh,
            page_url: &self.page_url,
            is_another_port: self.is_another_port,
        };
        let rows = columns::draw(&scene, self.screen.canvas());
        self.screen.show(&rows)
    }

    fn introduce(&mut self, folder: &Path) -> io::Result<()> {
        let another = match self.is_another_port {
            true => " (port 8787 is taken)",
            false => "",
        };
        let settings = folder.join("slackwater.toml");
        let lines = [
            "Slackwater demo: a made-up fediverse, where a second stands for a minute.".to_owned(),
            format!("Look at it:  {}{another}", self.page_url),
            "    There, move the slider \"Patience\" to 30 s: what threads-like.example holds for 15 s comes in order, and".to_owned(),
            "    the page says what waits meanwhile. Then open slow.example: its page says which window would find its".to_owned(),
            "    posts in time, and the lines for it.".to_owned(),
            format!("Read it:  curl {}", self.feed_url),
            format!("Temporary folder:  {}", folder.display()),
            format!("Its settings, in force as soon as they are saved:  {}", settings.display()),
            "Ctrl-C ends it and removes what it made.".to_owned(),
        ];
        lines.iter().try_for_each(|line| self.screen.line(line))
    }

    fn farewell(&self, ending: Ending) -> String {
        let ended = match ending {
            Ending::Signal => "Ended.",
            Ending::TimeOver => "Ended: its time was over.",
        };
        format!(
            "{ended} Out of order: {} of the newest {} posts by arrival, {} of {} in the feed.",
            count_out_of_order(&self.by_arrival),
            self.by_arrival.len(),
            count_out_of_order(&self.in_order),
            self.in_order.len(),
        )
    }
}

/// How many of these posts are in the feed, once it is built: a reply whose parent has not arrived waits for it.
fn in_feed(posts: &[ScheduledPost]) -> usize {
    let mut there: HashSet<&str> = HashSet::new();
    let mut by_time: Vec<&ScheduledPost> = posts.iter().collect();
    // A parent was written before what answers it.
    by_time.sort_by_key(|post| post.published);
    for post in by_time {
        let parent = post.parent.as_deref();
        if parent.is_none_or(|parent| there.contains(parent)) {
            there.insert(&post.uri);
        }
    }
    there.len()
}

/// A post on its arrival, when no verdict is known.
fn column_entry(post: &ScheduledPost) -> ColumnEntry {
    ColumnEntry {
        uri: post.uri.clone(),
        handle: post.handle.clone(),
        text: post.text.to_owned(),
        written: post.published,
        late_ms: None,
    }
}

fn arrival_line(post: &ScheduledPost) -> String {
    format!(
        "{} arrived: {}, written {}, {} ago: {}",
        clock_time(post.arrives),
        post.handle,
        clock_time(post.published),
        in_words(post.arrives.since(post.published)),
        post.text,
    )
}

/// The signals that end the demo: Ctrl-C, a request to terminate, or a closed terminal.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    fn listen() -> io::Result<Signals> {
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn any(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}
