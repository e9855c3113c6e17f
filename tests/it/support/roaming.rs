//! A reader who catches up, or watches, through whichever node it reaches: a copy of a feed, and what it was answered.

use super::instance::{Answer, Door};
use super::replica::id_of;
use super::watcher::{Came, Stream};
use serde_json::Value;
use slackwater::clock;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The longest a reader waits for one answer.
const WAIT: Duration = Duration::from_secs(20);

/// How long it looks for the next message of a stream.
const LOOK: Duration = Duration::from_millis(100);

/// A copy of one account's home feed, kept by asking any node what changed, or by what a stream tells.
pub(crate) struct Roaming {
    pub(crate) account: String,
    /// By id: the entries as they were told last.
    entries: BTreeMap<u64, Value>,
    /// None before the first page, and when the feed is to be read anew.
    cursor: Option<String>,
    /// Its stream, and when that was opened.
    stream: Option<(Stream, Instant)>,
    /// Its cursor is amid a delivery of several answers: the last of them is of the moment of the first.
    is_amid: bool,
    /// Pages after the first may have been newer than the cursor: until all changes since it are taken in, they tell some again.
    is_newer: bool,
    pub(crate) tally: Tally,
}

/// How often a reader was answered in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) good: usize,
    /// 503 with `Retry-After`.
    pub(crate) later: usize,
    /// No answer: the node that was asked is gone.
    pub(crate) gone: usize,
    /// 410, or 4410 of a stream: the feed was read anew.
    pub(crate) anew: usize,
    /// 1012 or 1013: the stream is to be opened again.
    pub(crate) moved: usize,
    /// Posts that were told though the copy had them just so: where a node cannot know whether a reader has an entry, it sends it again.
    pub(crate) repeated: usize,
}

/// What came of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// The copy is as new as the answer.
    Good,
    /// There is more to ask for.
    More,
    /// To be asked again, later or elsewhere.
    Again,
}

impl Roaming {
    pub(crate) fn of(account: &str) -> Roaming {
        Roaming {
            account: account.to_owned(),
            entries: BTreeMap::new(),
            cursor: None,
            stream: None,
            is_amid: false,
            is_newer: false,
            tally: Tally::default(),
        }
    }

    /// Asks a node once: for what changed, or for the feed if there is no cursor.
    pub(crate) fn ask(&mut self, door: &Door) -> Asked {
        let feed = format!("/v1/accounts/{}/feeds/home", self.account);
        let path = match &self.cursor {
            Some(cursor) => format!("{feed}/changes?limit=40&cursor={cursor}"),
            None => format!("{feed}?limit=80"),
        };
        let Ok(answer) = door.try_get(&path, WAIT) else {
            self.tally.gone += 1;
            return Asked::Again;
        };
        match answer.status {
            200 => {}
            410 => {
                self.is_refused();
                return Asked::Again;
            }
            503 if answer.retry_after.is_some() => {
                self.tally.later += 1;
                return Asked::Again;
            }
            _ => panic!("{path}: {answer:?}"),
        }
        let is_more = match self.cursor {
            Some(_) => {
                let was_amid = self.is_amid;
                self.is_amid = self.take_changes(&answer);
                was_amid || self.is_amid
            }
            None => match self.read(door, &answer) {
                Some(()) => false,
                None => return Asked::Again,
            },
        };
        self.tally.good += 1;
        match is_more {
            true => Asked::More,
            false => Asked::Good,
        }
    }

    /// Looks for the next message of its stream for a moment, and opens one at this node if there is none. Since when it is open; none if it
    /// ended or is not to be had.
    pub(crate) fn watch(&mut self, door: &Door) -> Option<Instant> {
        let Some(cursor) = self.cursor.clone() else {
            let asked = clock::stopwatch();
            return (self.ask(door) != Asked::Again).then_some(asked);
        };
        if self.stream.is_none() {
            let account = &self.account;
            let path = format!("/v1/accounts/{account}/feeds/home/stream?cursor={cursor}");
            let opened = Stream::open(door, &path, &[]);
            let stream = self.opened(opened)?;
            stream.wait_at_most(LOOK);
            self.stream = Some((stream, clock::stopwatch()));
        }
        let (stream, since) = self.stream.as_mut()?;
        let since = *since;
        let message = match stream.next_in_time() {
            None => return Some(since),
            Some(Came::Text(message)) => message,
            Some(ended) => {
                self.stream = None;
                match ended {
                    Came::Closed(1012 | 1013) => self.tally.moved += 1,
                    Came::Closed(4410) => self.is_refused(),
                    Came::Gone => self.tally.gone += 1,
                    other => panic!("{}: {other:?}", self.account),
                }
                return None;
            }
        };
        match message["kind"].as_str() {
            Some("post" | "edit" | "remove") => self.take(&message),
            // What comes next says how the stream ends.
            Some("too_slow" | "reset") => return Some(since),
            Some("horizon") => self.is_newer = false,
            _ => {}
        }
        self.drop_below(&message);
        self.cursor = Some(message["cursor"].as_str().expect("a cursor").to_owned());
        self.is_amid = true;
        self.tally.good += 1;
        Some(since)
    }

    /// Ends its stream, if it has one.
    pub(crate) fn hang_up(&mut self) {
        self.stream = None;
    }

    fn opened(&mut self, opened: Result<Stream, u16>) -> Option<Stream> {
        match opened {
            Ok(stream) => return Some(stream),
            Err(0) => self.tally.gone += 1,
            Err(503) => self.tally.later += 1,
            Err(410) => self.is_refused(),
            Err(status) => panic!("{}: a stream is refused with {status}", self.account),
        }
        None
    }

    fn is_refused(&mut self) {
        self.tally.anew += 1;
        self.cursor = None;
        self.is_amid = false;
    }

    /// Asks a node until the copy is as new as its answer.
    pub(crate) fn catch_up(&mut self, door: &Door) {
        super::wait_for("a reader to have caught up", || {
            (self.ask(door) == Asked::Good).then_some(())
        });
    }

    /// The feed as this reader has it, newest first.
    pub(crate) fn entries(&self) -> Vec<Value> {
        self.entries.values().rev().cloned().collect()
    }

    /// Reads the feed from its first page on; none if a page does not come.
    fn read(&mut self, door: &Door, first: &Answer) -> Option<()> {
        let mut page = first.json();
        // The pages after it are of no earlier moment.
        let cursor = page["cursor"].as_str().expect("a cursor").to_owned();
        let mut entries = BTreeMap::new();
        let mut next = first.next();
        loop {
            let list = page["entries"].as_array().expect("entries");
            entries.extend(list.iter().map(|entry| (id_of(entry), entry.clone())));
            let Some(path) = next else {
                break;
            };
            let answer = door.try_get(&path, WAIT).ok()?;
            if answer.status != 200 {
                assert_eq!(answer.status, 503, "{path}: {answer:?}");
                self.tally.later += 1;
                return None;
            }
            page = answer.json();
            next = answer.next();
        }
        self.entries = entries;
        self.cursor = Some(cursor);
        self.is_newer = true;
        Some(())
    }

    /// Whether there are more.
    fn take_changes(&mut self, answer: &Answer) -> bool {
        let told = answer.json();
        for change in told["changes"].as_array().expect("changes") {
            self.take(change);
        }
        self.drop_below(&told);
        let cursor = told["cursor"].as_str().expect("a cursor").to_owned();
        let is_more = told["more"] == true;
        self.cursor = Some(cursor);
        self.is_newer &= is_more;
        is_more
    }

    fn take(&mut self, change: &Value) {
        let id = id_of(change);
        if change["kind"] == "remove" {
            self.entries.remove(&id);
            return;
        }
        assert_eq!(id_of(&change["entry"]), id);
        let before = self.entries.insert(id, change["entry"].clone());
        let is_same = before.as_ref() == Some(&change["entry"]);
        if change["kind"] == "post" && is_same && !self.is_newer {
            self.tally.repeated += 1;
        }
    }

    fn drop_below(&mut self, told: &Value) {
        if let Some(floor) = told["floor"].as_str() {
            let floor: u64 = floor.parse().expect("a floor");
            self.entries = self.entries.split_off(&(floor + 1));
        }
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.good += other.good;
        self.later += other.later;
        self.gone += other.gone;
        self.anew += other.anew;
        self.moved += other.moved;
        self.repeated += other.repeated;
    }
}
