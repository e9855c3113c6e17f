//! Readers who ask or watch all the time, each through any node that it reaches, while nodes come and go.

use super::hiders::{Hidden, Hider};
use super::load::Load;
use crate::support::cluster::{Nodes, name_of, served_by};
use crate::support::instance::Door;
use crate::support::roaming::{Asked, Roaming, Tally};
use crate::support::wait_for;
use fastrand::Rng;
use parking_lot::{Condvar, Mutex};
use serde_json::Value;
use slackwater::clock;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// How long a reader rests between two questions, unless a node is ended.
const REST: Duration = Duration::from_millis(200);
/// And before it asks again what was not answered.
const AGAIN: Duration = Duration::from_millis(20);

/// The readers, and what they know of the nodes. Every third watches a stream; the others ask for changes. Some accounts beside them mute
/// and look.
pub(super) struct Crowd {
    readers: Vec<Roaming>,
    hiders: Vec<Hider>,
    all_watch: bool,
    news: Mutex<News>,
    told: Condvar,
}

/// What readers are told, and tell.
#[derive(Default)]
struct News {
    /// Where nodes answer, as a load balancer would know.
    doors: Vec<Door>,
    has_ended: bool,
    /// When the last node was ended.
    ended: Option<Instant>,
    /// The accounts whose node that was, as long as their reader has had no answer to what it asked since.
    waiting: BTreeSet<String>,
    /// How long each was without one.
    resumed: Vec<Duration>,
}

/// How long readers were without an answer, and what they were answered in all.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) resumed: Vec<Duration>,
    pub(super) asking: Tally,
    pub(super) watching: Tally,
    pub(super) hidden: Hidden,
}

impl Crowd {
    /// Readers of these accounts, each of whom has read its feed.
    pub(super) fn of(accounts: &[String], nodes: &Nodes) -> Crowd {
        let door = nodes.door(0);
        let mut readers: Vec<Roaming> = accounts.iter().map(|it| Roaming::of(it)).collect();
        for reader in &mut readers {
            reader.catch_up(door);
            reader.catch_up(door);
            reader.tally = Tally::default();
        }
        Crowd {
            readers,
            hiders: Vec::new(),
            all_watch: false,
            news: Mutex::new(News {
                doors: nodes.doors(),
                ..News::default()
            }),
            told: Condvar::new(),
        }
    }

    /// Readers of these accounts, all of whom watch streams.
    pub(super) fn of_watchers(accounts: &[String], nodes: &Nodes) -> Crowd {
        Crowd {
            all_watch: true,
            ..Crowd::of(accounts, nodes)
        }
    }

    /// Among them some accounts that mute and look.
    pub(super) fn with_hiders(mut self, count: usize, nodes: &Nodes, load: &Load) -> Crowd {
        self.hiders = (0..count).map(Hider::new).collect();
        for hider in &self.hiders {
            let authors = load.fediverse.authors();
            let follows: Vec<Value> = hider.follows(authors.into_iter()).collect();
            super::relate(nodes.door(0), &follows);
        }
        self
    }

    /// Has all readers read while a load flows and something is done with the nodes; then all of it flows and is read. Fails unless every
    /// reader's copy is what each node gives afresh, and what the fediverse says it must be.
    pub(super) fn read_under(
        &mut self,
        load: &Load,
        nodes: &mut Nodes,
        then: impl FnOnce(&mut Nodes, &Gone<'_>),
    ) -> Report {
        let broker = nodes.broker.address();
        std::thread::scope(|scope| {
            scope.spawn(|| load.run(&broker));
            self.read_while(|gone| {
                then(nodes, gone);
                load.let_go(1, 1);
                load.wait_read(nodes);
            });
        });
        self.check(nodes, load)
    }

    /// Has all readers read while something is done.
    fn read_while(&mut self, then: impl FnOnce(&Gone<'_>)) {
        let readers = std::mem::take(&mut self.readers);
        let hiders = std::mem::take(&mut self.hiders);
        let accounts: Vec<String> = readers.iter().map(|it| it.account.clone()).collect();
        self.news.lock().has_ended = false;
        let begun = clock::stopwatch();
        let shared = &*self;
        (self.readers, self.hiders) = std::thread::scope(|scope| {
            let threads: Vec<_> = readers
                .into_iter()
                .enumerate()
                .map(|(n, reader)| scope.spawn(move || shared.read(reader, n)))
                .collect();
            let hiding: Vec<_> = hiders
                .into_iter()
                .map(|hider| scope.spawn(move || shared.hide(hider)))
                .collect();
            let gone = Gone {
                crowd: shared,
                accounts,
                begun,
            };
            then(&gone);
            drop(gone);
            let joined = threads.into_iter().map(|thread| thread.join().unwrap());
            let hid = hiding.into_iter().map(|thread| thread.join().unwrap());
            (joined.collect(), hid.collect())
        });
    }

    fn check(&mut self, nodes: &Nodes, load: &Load) -> Report {
        let mut report = Report {
            resumed: std::mem::take(&mut self.news.lock().resumed),
            asking: Tally::default(),
            watching: Tally::default(),
            hidden: Hidden::default(),
        };
        for hider in &self.hiders {
            report.hidden += hider.hidden;
        }
        assert!(self.hiders.is_empty() || 0 < report.hidden.looks);
        for (n, reader) in self.readers.iter_mut().enumerate() {
            match self.all_watch || watches(n) {
                true => report.watching += reader.tally,
                false => report.asking += reader.tally,
            }
            for (at, door) in nodes.doors().iter().enumerate() {
                reader.catch_up(door);
                let fresh = door.home(&reader.account);
                let (account, tally) = (&reader.account, reader.tally);
                assert_eq!(reader.entries(), fresh, "{account} through {at}: {tally:?}");
                load.fediverse.check(&reader.account, &fresh);
            }
        }
        report
    }

    fn read(&self, mut reader: Roaming, n: usize) -> Roaming {
        let mut rng = Rng::with_seed(n as u64);
        let mut at = n;
        loop {
            let door = {
                let news = self.news.lock();
                if news.has_ended {
                    reader.hang_up();
                    return reader;
                }
                news.doors[at % news.doors.len()].clone()
            };
            let asked = clock::stopwatch();
            let answered = match self.watches(n) {
                // What was opened before a node was ended says nothing of it.
                true => reader.watch(&door).map(|since| (since, since)),
                false => match reader.ask(&door) {
                    Asked::Good | Asked::More => Some((asked, clock::stopwatch())),
                    Asked::Again => None,
                },
            };
            match answered {
                Some((asked, at)) => self.answered(&reader.account, asked, at),
                None => {
                    at += 1;
                    self.rest(AGAIN);
                    continue;
                }
            }
            if !self.watches(n) {
                at = rng.usize(..6);
                self.rest(REST);
            }
        }
    }

    fn watches(&self, reader: usize) -> bool {
        self.all_watch || watches(reader)
    }

    fn hide(&self, mut hider: Hider) -> Hider {
        loop {
            let doors = {
                let news = self.news.lock();
                if news.has_ended {
                    return hider;
                }
                news.doors.clone()
            };
            hider.step(&doors);
            self.rest(AGAIN);
        }
    }

    /// What a reader asked for at a moment was answered at another; a stream is an answer when it is open.
    fn answered(&self, account: &str, asked: Instant, at: Instant) {
        let mut news = self.news.lock();
        if let Some(ended) = news.ended
            && ended <= asked
            && news.waiting.remove(account)
        {
            news.resumed.push(at.duration_since(ended));
        }
    }

    fn rest(&self, most: Duration) {
        let mut news = self.news.lock();
        self.told.wait_for(&mut news, most);
    }
}

/// What is done with the nodes while readers read. They end with it.
pub(super) struct Gone<'a> {
    crowd: &'a Crowd,
    accounts: Vec<String>,
    begun: Instant,
}

impl Gone<'_> {
    /// The nodes that run are where readers go.
    pub(super) fn reach(&self, doors: Vec<Door>) {
        self.crowd.news.lock().doors = doors;
    }

    /// Waits until every reader has had an answer, and every watcher has its stream.
    pub(super) fn wait_begun(&self) {
        self.expect(self.begun, self.accounts.iter().cloned().collect());
        self.wait_answered();
        self.crowd.news.lock().resumed.clear();
    }

    /// How long those were without an answer whose node was ended since this was asked last.
    pub(super) fn resumed(&self) -> String {
        percentiles(&mut std::mem::take(&mut self.crowd.news.lock().resumed))
    }

    /// Kills a node, and waits until every reader of its accounts has an answer again.
    pub(super) fn kill(&self, nodes: &mut Nodes, at: usize) {
        let readers = self.readers_of(nodes, at);
        let killed = clock::stopwatch();
        nodes.nodes[at].kill9();
        self.expect(killed, readers);
        self.wait_answered();
    }

    /// Has a node stop as an operator does, and waits until every reader of its accounts has an answer of after that was said.
    pub(super) fn stop(&self, nodes: &mut Nodes, at: usize) {
        self.expect(clock::stopwatch(), self.readers_of(nodes, at));
        assert!(nodes.nodes[at].terminate().0.success());
        self.wait_answered();
    }

    fn readers_of(&self, nodes: &Nodes, at: usize) -> BTreeSet<String> {
        let (serves, name) = (served_by(nodes.door(at)), name_of(at));
        let accounts = self.accounts.iter();
        let readers: BTreeSet<String> = accounts
            .filter(|account| serves(&name, account))
            .cloned()
            .collect();
        assert!(!readers.is_empty(), "{name} serves no reader");
        readers
    }

    fn expect(&self, ended: Instant, waiting: BTreeSet<String>) {
        {
            let mut news = self.crowd.news.lock();
            news.ended = Some(ended);
            news.waiting = waiting;
        }
        self.crowd.told.notify_all();
    }

    fn wait_answered(&self) {
        wait_for("an answer for every reader", || {
            self.crowd.news.lock().waiting.is_empty().then_some(())
        });
    }
}

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        self.crowd.news.lock().has_ended = true;
        self.crowd.told.notify_all();
    }
}

fn watches(reader: usize) -> bool {
    reader % 3 == 2
}

/// How long something took in the middle, at worst but for one in a hundred, and at worst.
pub(super) fn percentiles(took: &mut [Duration]) -> String {
    took.sort_unstable();
    let last = took.len().saturating_sub(1);
    let at = |percent: usize| took.get(last * percent / 100).copied().unwrap_or_default();
    format!(
        "{}: p50 {:?}, p99 {:?}, max {:?}",
        took.len(),
        at(50),
        at(99),
        at(100)
    )
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let resumed = percentiles(&mut self.resumed.clone());
        let (asking, watching, hidden) = (&self.asking, &self.watching, &self.hidden);
        write!(
            f,
            "resumed {resumed}; asking: {asking:?}; watching: {watching:?}; {hidden:?}"
        )
    }
}
