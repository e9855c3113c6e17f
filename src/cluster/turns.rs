//! The thread that reads what the nodes say, and says what this one does.

use super::counting::Counting;
use super::{Cluster, Held, Inner, Options, moment};
use crate::api::forward;
use crate::clock;
use crate::operator::line_rate::{LineRate, left_out};
use crate::operator::metrics::Metrics;
use slackwater_cluster::beat::{Beat, Speaks};
use slackwater_cluster::catch_up::Ends;
use slackwater_cluster::moment::Moment;
use slackwater_cluster::node::{Given, Node, Progress, Settings};
use slackwater_engine::record::{Position, Topic};
use slackwater_engine::view::cursor;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

/// The events that may wait for the thread. Whoever reads the topic waits when there are more.
const EVENTS_MAX: usize = 1_024;
/// The events that are taken in before the thread says something.
const EVENTS_AT_ONCE: usize = 256;
/// The shortest rest between two turns, if no event comes.
const TURNS_APART: Duration = Duration::from_millis(2);
/// The longest rest between two: how soon it is noticed what no event tells of.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long the log is left alone after it did not say where it ends.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(100);
/// How long a question for where the log ends may take before it counts as lost.
const ASKED_MAX: Duration = Duration::from_secs(30);
/// The records that are not understood, of which each has a line in the log, in [`LOGGED_EVERY`].
const LINES_MAX: u32 = 5;
/// How long it takes until others have.
const LOGGED_EVERY: Duration = Duration::from_secs(60);

/// What the thread is told.
#[derive(Debug)]
pub enum Event {
    /// A record of the topic, in the order of offsets.
    Record {
        /// Its offset.
        offset: i64,
        /// The name of a node.
        key: String,
        /// What it said; none if the record removes that.
        value: Option<Vec<u8>>,
    },
    /// The topic was read up to where it ended at the start.
    Started,
    /// What the consumer group says of which shards this node should serve.
    Given(Given),
    /// Where relations end, asked for at a moment; none if the log does not answer.
    Ends(Moment, Option<Vec<Position>>),
    /// Something may have changed.
    Poke,
    /// The node has left.
    Stop,
}

/// Appends a record under the name of a node.
pub type Say = Box<dyn FnMut(&str, Vec<u8>) + Send>;

/// What a node has around it.
pub struct Around {
    /// How far it has come with the log.
    pub progress: Box<dyn Fn() -> Progress + Send>,
    /// Appends a record to the topic, under the name of the node. It does not block.
    pub say: Say,
    /// Why records are not accepted or do not come back, if that is known.
    pub trouble: Box<dyn Fn() -> Option<String> + Send>,
    /// Asks the log where relations end, and tells by [`Event::Ends`]. It does not block.
    pub ask_ends: Box<dyn FnMut(Moment) + Send>,
}

/// Events to tell the thread of. Cheap to clone.
pub type Events = SyncSender<Event>;

/// A node that is not driven yet.
#[derive(Debug)]
pub struct Undriven {
    /// Its handle.
    pub cluster: Cluster,
    /// What it is told of what happens around it.
    pub events: Events,
    received: Receiver<Event>,
}

/// A node of these options that others reach at `address`, an http URL without a path, in a cluster of so many shards. `run` is a name that
/// no other process has; `decides` the hash of what decides feeds and ids; `candidate_for` the work of which there is one in the cluster
/// and which this node would do.
pub fn node(
    options: &Options,
    address: String,
    run: String,
    decides: String,
    candidate_for: BTreeSet<String>,
    shards: u32,
    metrics: Arc<Metrics>,
) -> Undriven {
    let (events, received) = sync_channel(EVENTS_MAX);
    let settings = Settings {
        node: options.node.clone(),
        run,
        address,
        lease: options.lease,
        standbys: options.standbys,
        decides,
        speaks: Speaks {
            cursor: (cursor::VERSION.into(), cursor::VERSION.into()),
            hop: (forward::VERSION, forward::VERSION),
        },
        candidate_for,
        program: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let secret = options.secret.clone();
    Undriven {
        cluster: Cluster::new(settings, secret, shards, events.clone(), metrics),
        events,
        received,
    }
}

impl Undriven {
    /// Drives the node on a thread of its own until it has left.
    ///
    /// Errors: the thread cannot be started.
    pub fn drive(self, around: Around) -> std::io::Result<Cluster> {
        let cluster = self.cluster.clone();
        let mut turns = Turns {
            cluster: self.cluster,
            counting: Counting::new(Arc::clone(&cluster.0.metrics)),
            around,
            asked: None,
            not_before: Moment::default(),
            lines: LineRate::new(LINES_MAX, LOGGED_EVERY),
        };
        let received = self.received;
        std::thread::Builder::new()
            .name("cluster".to_owned())
            .spawn(move || turns.run(&received))?;
        Ok(cluster)
    }
}

struct Turns {
    cluster: Cluster,
    around: Around,
    counting: Counting,
    /// When the log was asked where relations end, if it has not answered.
    asked: Option<Moment>,
    /// Before, it is not asked again.
    not_before: Moment,
    lines: LineRate,
}

impl Turns {
    fn run(&mut self, received: &Receiver<Event>) {
        loop {
            let wait = self.turn();
            let first = match received.recv_timeout(wait) {
                Ok(event) => event,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            // Whatever is taken out of the queue is taken in: records count because all before them are known.
            let more = received.try_iter().take(EVENTS_AT_ONCE - 1);
            for event in std::iter::once(first).chain(more) {
                if matches!(event, Event::Stop) {
                    return;
                }
                self.take(event);
            }
        }
    }

    /// Does what is due, and returns how long there is nothing to do.
    fn turn(&mut self) -> Duration {
        let progress = (self.around.progress)();
        let trouble = (self.around.trouble)();
        let inner = &self.cluster.0;
        let mut node = inner.node.lock();
        node.advance(progress);
        let now = moment();
        let beat = node.turn(now);
        publish(inner, &node, now);
        put(&inner.trouble, trouble);
        self.counting.turn(&node, now);
        let waits = self.asked.is_some_and(|asked| now < asked.plus(ASKED_MAX));
        let ask = node.asks_ends() && !waits && self.not_before <= now;
        let wait = node.next_turn(now).since(now);
        let wait = wait.clamp(TURNS_APART, LOOK_EVERY);
        let name = beat.as_ref().map(|beat| beat.node.clone());
        drop(node);
        // Whoever reads the record counts on what was published before it.
        if let Some((name, beat)) = name.zip(beat.as_ref().map(Beat::encode)) {
            (self.around.say)(&name, beat);
        }
        if ask {
            let now = moment();
            self.asked = Some(now);
            (self.around.ask_ends)(now);
        }
        inner.changed.send_replace(());
        wait
    }

    fn take(&mut self, event: Event) {
        let inner = &self.cluster.0;
        match event {
            Event::Record { offset, key, value } => {
                let mut node = inner.node.lock();
                let read = node.read(offset, &key, value.as_deref(), moment());
                self.counting.read(&node);
                drop(node);
                if let Err(error) = read
                    && let Some(more) = self.lines.due("unreadable", 1, clock::stopwatch())
                {
                    let more = left_out(more);
                    tracing::warn!(offset, %key, %error, "record {offset} of the nodes topic, keyed {key:?}, is none of a node that is understood: {error}{more}");
                }
            }
            Event::Started => inner.node.lock().start(),
            Event::Given(shards) => inner.node.lock().give(shards),
            Event::Ends(asked, ends) => {
                self.asked = None;
                match ends {
                    Some(ends) => inner.node.lock().ends(asked, &ends_of(&ends)),
                    None => self.not_before = moment().plus(ASK_AGAIN_AFTER),
                }
            }
            Event::Poke | Event::Stop => {}
        }
    }
}

/// Publishes what changed, for the threads that answer requests and for the pipeline.
fn publish(inner: &Inner, node: &Node, now: Moment) {
    let serving = node.serving();
    let held = Held::of(&serving, now);
    put(&inner.serving, serving);
    put(&inner.held, held);
    put(&inner.kept, node.kept());
    put(&inner.settled_elsewhere, node.settled_elsewhere());
    put(&inner.barred, node.barred());
    let proved = node.proved().unwrap_or_default();
    let live = node.standing().live(proved);
    put(&inner.live, live.map(|(name, _)| name.to_owned()).collect());
}

/// Only what is new wakes those who wait for it.
fn put<T: PartialEq>(to: &tokio::sync::watch::Sender<T>, value: T) {
    to.send_if_modified(|there| {
        let is_new = *there != value;
        if is_new {
            *there = value;
        }
        is_new
    });
}

/// The ends of the partitions of relationships.
pub fn ends_of(positions: &[Position]) -> Ends {
    let relations = positions
        .iter()
        .filter(|position| position.topic == Topic::Relationships);
    let partition = |position: &Position| u32::try_from(position.partition).ok();
    relations
        .filter_map(|position| Some((partition(position)?, position.offset)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::auth::secret::Secret;
    use std::sync::mpsc::channel;

    /// Were this to fail, a node that reads many records at once would miss one: it would say nothing ever, if that was the end of what
    /// was there at the start, or not wait for a node whose claim it was.
    #[test]
    fn no_event_is_lost_however_many_come_at_once() {
        for before in [0, 1, 254, 255, 256, 257, 511, 512, 513, 1_000] {
            let options = Options::new("a", Secret::new("a secret of these tests"));
            let (address, run) = ("http://127.0.0.1:1".to_owned(), "run".to_owned());
            let metrics = Arc::new(Metrics::default());
            let none = BTreeSet::new();
            let undriven = node(&options, address, run, String::new(), none, 8, metrics);
            for _ in 0..before {
                undriven.events.send(Event::Poke).unwrap();
            }
            undriven.events.send(Event::Started).unwrap();
            let (say, said) = channel();
            let around = Around {
                progress: Box::new(Progress::default),
                say: Box::new(move |node, _| {
                    let _ = say.send(node.to_owned());
                }),
                trouble: Box::new(|| None),
                ask_ends: Box::new(|_| {}),
            };
            let cluster = undriven.drive(around).unwrap();
            let said = said.recv_timeout(Duration::from_secs(10));
            assert_eq!(said.as_deref(), Ok("a"), "{before} before it");
            cluster.stop();
        }
    }
}
