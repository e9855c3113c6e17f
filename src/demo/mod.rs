//! The demo: the real service on the built-in log in a temporary folder, a made-up fediverse that posts to it over HTTP,
//! and two columns that show what the service changes.
//!
//! | module | what it is |
//! |---|---|
//! | [`fediverse`] | the posts of the made-up fediverse, and when they arrive |
//! | [`client`] | its instance: posts to the service, and reads the feed |
//! | [`columns`] | the feed by arrival beside the feed in order |
//! | [`screen`] | the terminal that they are drawn on |

pub mod client;
pub mod columns;
pub mod fediverse;
pub mod screen;

use crate::clock;
use crate::config::{Config, memory};
use crate::log;
use crate::log::built_in;
use crate::service::error::ServiceError;
use crate::service::{self, Service};
use client::{Client, ClientError};
use columns::{ColumnEntry, Scene, count_out_of_order, hh_mm, in_words};
use fediverse::ScheduledPost;
use screen::Screen;
use slackwater_order::time::Time;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::MissedTickBehavior;

/// How much faster the made-up fediverse lives: its minute takes a second here.
const FASTER: u32 = 60;
/// How much of the made-up evening is over when the demo begins, so that there is something to see at once.
const OVER: Duration = Duration::from_secs(40 * 60);
/// When that evening begins, after midnight UTC.
const EVENING_MS: i64 = 18 * 60 * 60 * 1000;
/// How many days ago: the service believes no arrival in the future, so the faster clock must not overtake ours. It
/// does so after this many days over 59, about three hours.
const DAYS_AGO: i64 = 8;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// How often what is due is posted and the picture drawn.
const TICK: Duration = Duration::from_millis(250);
/// How long the first posts may take to be in the feed before the picture is drawn without them.
const FILLED_WAIT: Duration = Duration::from_secs(5);
/// How often the columns are written where there is no terminal.
const COLUMNS_EVERY: Duration = Duration::from_secs(5);
/// How long a post is pointed at.
const FRESH: Duration = Duration::from_secs(3);
/// How many arrivals are remembered; as many as a page of the feed has entries, so that the columns compare.
const ARRIVALS_MAX: usize = 80;
/// The account whose feed is shown.
const ACCOUNT: &str = "demo";
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
    let mut service = service::start(config(folder.path(), listen.address)).await?;
    let mut demo = Demo::new(&service, &listen, options.seed, clock::now());
    let played = tokio::select! {
        () = signals.any() => Ok(Ending::Signal),
        played = demo.play(&mut service, folder.path(), options.ends_after) => played,
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

fn config(folder: &Path, listen: SocketAddr) -> Config {
    let mut config = Config::defaults(memory::usable_bytes());
    config.log = log::Options::BuiltIn(built_in::Options::at(folder.join("log")));
    config.store.path = folder.join("feeds");
    config.listen = listen;
    config
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
    /// The faster clock of the made-up fediverse has reached ours.
    CaughtUp,
}

/// The posts that have not arrived yet, the clock they live by, and the two columns they make.
struct Demo {
    client: Client,
    screen: Screen,
    seed: u64,
    /// When the made-up evening began.
    evening: Time,
    /// When the demo began, here.
    began: Instant,
    /// Hours made so far.
    hours: u32,
    /// Posts by arrival, as far as hours are made; the number keeps apart those that arrive at the same time.
    not_arrived: BTreeMap<(Time, u64), ScheduledPost>,
    made: u64,
    by_arrival: Vec<ColumnEntry>,
    in_order: Vec<ColumnEntry>,
    fresh: Vec<(Instant, String)>,
    url: String,
    is_another_port: bool,
}

impl Demo {
    fn new(service: &Service, listen: &ListenAddress, seed: u64, now: Time) -> Demo {
        let midnight = now.millis().div_euclid(DAY_MS) - DAYS_AGO;
        let client = Client::new(service.address, ACCOUNT);
        Demo {
            url: client.feed_url(),
            client,
            screen: Screen::open(),
            seed,
            evening: Time::from_millis(midnight * DAY_MS + EVENING_MS),
            began: clock::stopwatch(),
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
        if !self.screen.is_live() {
            self.introduce(folder).map_err(DemoError::Output)?;
        }
        self.client
            .relate(&fediverse::relationships(ACCOUNT))
            .await?;
        let before = self.arrived_by(self.fediverse_now());
        self.client.deliver_all(&before).await?;
        self.by_arrival = before.iter().rev().map(column_entry).collect();
        self.by_arrival.truncate(ARRIVALS_MAX);
        // Accepted is durable, not yet in the feed: that takes a moment.
        let until = clock::stopwatch() + FILLED_WAIT;
        while self.in_order.len() < self.by_arrival.len() && clock::stopwatch() < until {
            tokio::time::sleep(TICK / 10).await;
            self.in_order = self.client.home().await?;
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
            let there = self.fediverse_now();
            if clock::now() <= there {
                return Ok(Ending::CaughtUp);
            }
            self.go_on(there).await?;
            if self.screen.is_live() || is_columns_due {
                self.draw(there).map_err(DemoError::Output)?;
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
            self.draw(self.fediverse_now()).map_err(DemoError::Output)?;
        }
        Ok(ending)
    }

    /// The made-up fediverse's now.
    fn fediverse_now(&self) -> Time {
        self.evening.plus(OVER + self.began.elapsed() * FASTER)
    }

    /// Delivers what has arrived by `there`, one by one, and reads the feed.
    async fn go_on(&mut self, there: Time) -> Result<(), DemoError> {
        for post in self.arrived_by(there) {
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

    /// Takes the posts that have arrived by `there`, in the order they arrived.
    fn arrived_by(&mut self, there: Time) -> Vec<ScheduledPost> {
        // Nothing arrives before the hour in which it was written.
        while self.evening.plus(fediverse::HOUR * self.hours) <= there {
            for post in fediverse::hour(self.seed, self.evening, self.hours) {
                self.not_arrived.insert((post.arrives, self.made), post);
                self.made += 1;
            }
            self.hours += 1;
        }
        let later = self.not_arrived.split_off(&(there, u64::MAX));
        std::mem::replace(&mut self.not_arrived, later)
            .into_values()
            .collect()
    }

    fn draw(&mut self, there: Time) -> io::Result<()> {
        let fresh: Vec<String> = self.fresh.iter().map(|(_, uri)| uri.clone()).collect();
        let scene = Scene {
            now: there,
            by_arrival: &self.by_arrival,
            in_order: &self.in_order,
            fresh: &fresh,
            url: &self.url,
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
        let lines = [
            "Slackwater demo: a made-up fediverse. One second here is one minute there.".to_owned(),
            format!("Read it:  curl {}{another}", self.url),
            format!("Temporary folder:  {}", folder.display()),
            "Ctrl-C ends it and removes what it made.".to_owned(),
        ];
        lines.iter().try_for_each(|line| self.screen.line(line))
    }

    fn farewell(&self, ending: Ending) -> String {
        let ended = match ending {
            Ending::Signal => "Ended.",
            Ending::TimeOver => "Ended: its time was over.",
            Ending::CaughtUp => "Ended: the made-up fediverse has caught up with real time.",
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
        hh_mm(post.arrives),
        post.handle,
        hh_mm(post.published),
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
