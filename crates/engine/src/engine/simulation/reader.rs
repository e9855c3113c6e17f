//! A reader who catches up by cursor and keeps a copy of a feed, and what must be so of every answer.

use super::driver::Node;
use super::log::{ACCOUNTS, FeedKind, Log, PARTITIONS};
use super::model::numbers;
use super::plain::Plain;
use crate::record::offsets::LogPos;
use crate::view::change_batch::{BatchLimit, ChangeItem, ChangeKind, WriteEntry};
use crate::view::cursor::Cursor;
use crate::view::feed_ref;
use crate::view::pending_relations::Consistency;
use crate::view::snapshot::{ChangeDelivery, ChangesError, Snapshot};
use crate::view::with_original::post_with_original;
use slackwater_fediverse::event::LIST;
use slackwater_order::horizon::highest_visible;
use slackwater_order::place::PostId;
use slackwater_order::time::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Every so many times a copy is compared to the last word.
const COMPARED_EVERY: u32 = 4;

/// How a reader asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Habit {
    /// Now and then, any node, also while a batch is being read.
    Roams,
    /// One node that never fails, after every batch, on a stream: it hears each change apart, and of floors what messages say.
    Watches,
    /// The same on a stream of Mastodon's, which has no word for a floor.
    Listens,
}

impl Habit {
    /// Whether it stays at one node and asks after every batch.
    pub(super) fn stays(self) -> bool {
        self != Habit::Roams
    }
}

/// What came of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PollOutcome {
    /// The feed is not to be had now.
    Closed,
    /// It was read anew: the first time, or because the account was new.
    Anew,
    /// The cursor was refused, and the feed read anew.
    CursorRefused,
    /// There is more to ask for.
    More,
    /// All was told.
    Done,
}

#[derive(Clone)]
pub(super) struct Reader {
    pub(super) account: usize,
    pub(super) which: FeedKind,
    habit: Habit,
    entries: BTreeMap<u64, Arc<str>>,
    cursor: Option<String>,
    /// Up to where any node that told it anything had read each partition.
    known: [usize; PARTITIONS],
    /// The highest place it had when it began to catch up.
    top: u64,
    posted: BTreeSet<u64>,
    /// Whether entries can enter by an edit.
    edits_let_in: bool,
    /// Whether the instance does something to authors, or ends it: then their posts are told again.
    is_moderated: bool,
    /// The URIs of boosts, and of what is boosted.
    boosts: BTreeSet<String>,
    /// Whether the backend forgets posts: boosts leave with what they boost, and come again with it.
    forgets: bool,
    /// How many wishes of its account were read when it was last told anything, and whether there were new ones: what they
    /// take out and let in again within a batch is told again.
    wishes: usize,
    has_new_wishes: bool,
    was_not_told_all: bool,
    /// Whether the answers of this batch took anything out, or dropped anything for length. It may never have been there, or only
    /// since; if it had been, it might have hidden a boost above it, which is then told again, as new or as edited.
    has_removed: bool,
    /// Whether the node it asked did not claim all it had read when it gave the cursor that this reader has, and the one that this
    /// will have when it has been told all: some was not carried out. Such a cursor lacks what was told with it, so that is told
    /// again, and it does not know of its top.
    was_held_back: bool,
    is_held_back: bool,
    compared: u32,
    /// The highest floor there was, if it listens. What comes to light from below it is no news.
    floor_max: u64,
    /// How often its copy differed from a fresh read for what fell: see [`Reader::compare`].
    misled: u64,
    /// The highest place that any node it asked had dropped for length: what left below that, nobody could tell it.
    dropped_max: u64,
    wrong: Vec<(u64, String)>,
}

impl Reader {
    pub(super) fn new(
        (account, which): (usize, FeedKind),
        habit: Habit,
        edits_let_in: bool,
        log: &Log,
    ) -> Reader {
        Reader {
            account,
            which,
            habit,
            entries: BTreeMap::new(),
            cursor: None,
            known: [0; PARTITIONS],
            top: 0,
            posted: BTreeSet::new(),
            edits_let_in,
            is_moderated: log.is_moderated(),
            boosts: log.boosts(),
            forgets: log.forgets(),
            wishes: 0,
            has_new_wishes: false,
            was_not_told_all: false,
            has_removed: false,
            was_held_back: false,
            is_held_back: false,
            compared: 0,
            floor_max: 0,
            misled: 0,
            dropped_max: 0,
            wrong: Vec::new(),
        }
    }

    /// What was wrong with what it was told, by place.
    pub(super) fn wrong(&self) -> &[(u64, String)] {
        &self.wrong
    }

    /// Takes back what was wrong with these.
    pub(super) fn forgive(&mut self, is_excused: impl Fn(u64) -> bool) {
        self.wrong.retain(|(id, _)| !is_excused(*id));
    }

    /// How often it was misled since the last call.
    pub(super) fn misled(&mut self) -> u64 {
        std::mem::take(&mut self.misled)
    }

    /// Whether its cursor lacks what was told with it.
    pub(super) fn was_held_back(&self) -> bool {
        self.was_held_back
    }

    /// How it reads, for whoever looks for the cause of a failure.
    pub(super) fn way(&self) -> String {
        let Reader {
            which,
            habit,
            floor_max,
            cursor,
            ..
        } = self;
        let cursor = cursor.as_deref().map(|text| Cursor::parse(text, &0.into()));
        format!("{which:?} {habit:?} {floor_max} {cursor:?}")
    }

    /// Whether its cursor, if it has one, has a record.
    pub(super) fn cursor_has(&self, node: &Node, log_pos: LogPos) -> bool {
        let parse = |text| Cursor::parse(text, &node.view.log).unwrap();
        let cursor = self.cursor.as_deref().map(parse);
        cursor.is_some_and(|cursor| cursor.from.has(log_pos))
    }

    pub(super) fn habit(&self) -> Habit {
        self.habit
    }

    /// Asks a node once for what changed. `wishes` is how many of its account's the node has read.
    pub(super) fn ask(
        &mut self,
        node: &Node,
        wishes: usize,
        now: Time,
        limit: usize,
    ) -> PollOutcome {
        self.has_new_wishes =
            self.wishes != wishes || (self.has_new_wishes && self.was_not_told_all);
        self.wishes = wishes;
        if !node.is_open() {
            return PollOutcome::Closed;
        }
        let Some(text) = &self.cursor else {
            return self.read_anew(node, now);
        };
        let cursor = Cursor::parse(text, &node.view.log).unwrap();
        let least = match &cursor.batch {
            Some(batch) => batch.upto.horizon,
            None => cursor.from.horizon,
        };
        let Some(snapshot) = snapshot(node, (self.account, self.which), Some(least), now) else {
            // The account is gone, or this node has not heard of it yet.
            self.cursor = None;
            return PollOutcome::Closed;
        };
        assert!(!snapshot.is_inactive);
        match snapshot.changes_since(&node.view, &cursor, BatchLimit::of(limit), &Plain) {
            Ok(told) if self.habit == Habit::Listens => {
                self.take(node, &snapshot, &cursor, &told.without_floor(), limit)
            }
            Ok(told) => self.take(node, &snapshot, &cursor, &told, limit),
            Err(ChangesError::CursorRefused(_)) => {
                self.read_anew(node, now);
                PollOutcome::CursorRefused
            }
            Err(ChangesError::Disk(error)) => panic!("{error}"),
        }
    }

    fn read_anew(&mut self, node: &Node, now: Time) -> PollOutcome {
        let snapshot = snapshot(node, (self.account, self.which), None, now);
        // What stands above it when relations are carried out is not told apart from what did before: a cursor from amid
        // them may be refused, so one who watches waits.
        let is_open = |snapshot: &Snapshot| {
            !self.habit.stays() || snapshot.progress.consistency == Consistency::Complete
        };
        let Some(snapshot) = snapshot.filter(is_open) else {
            self.cursor = None;
            return PollOutcome::Closed;
        };
        self.entries = fresh(node, &snapshot);
        self.posted = self.entries.keys().copied().collect();
        self.known = node.reflected();
        self.was_held_back = node.is_held_back();
        let mut cursor = Cursor {
            feed: Cursor::feed_of(&format!("{}/home", ACCOUNTS[self.account])),
            log: node.view.log.clone(),
            from: snapshot.read_point(),
            batch: None,
        };
        if self.habit == Habit::Listens {
            cursor.drop_floor();
            let (visible, feed) = (&snapshot.visible, &snapshot.feed);
            (self.floor_max, self.dropped_max) = (visible.floor.number(), feed.floor.number());
        }
        self.cursor = Some(cursor.to_text());
        PollOutcome::Anew
    }

    fn take(
        &mut self,
        node: &Node,
        snapshot: &Snapshot,
        from: &Cursor,
        told: &ChangeDelivery<Arc<str>>,
        limit: usize,
    ) -> PollOutcome {
        let upto = from.batch.as_ref().map_or(&from.from, |batch| &batch.upto);
        let seen = &node.view.built.borrow().seen;
        let has_pending_relations = snapshot.progress.consistency == Consistency::Pending;
        if has_pending_relations || !from.from.is_within(seen) || !upto.is_within(seen) {
            // The node is behind this reader, or behind what it has read itself.
            assert_eq!(
                (told.batch.items.len(), told.batch.more, &told.cursor),
                (0, false, from)
            );
            self.was_not_told_all |= has_pending_relations;
            return PollOutcome::Done;
        }
        if from.batch.is_none() {
            self.has_removed = from.from.floor < told.floor;
            self.is_held_back = node.is_held_back();
            self.top = self.entries.last_key_value().map_or(0, |(id, _)| *id);
        }
        assert!(told.batch.items.len() <= limit);
        assert!(
            !told.batch.more || !told.batch.items.is_empty(),
            "it gets on"
        );
        // It may drop out amid a stream, and come back with the cursor of the last change that it had.
        let lines = told.batch.items.len();
        let drops_out = 1 < lines && (lines + limit + self.entries.len()).is_multiple_of(3);
        let cut = drops_out.then(|| told.cut(lines / 2));
        let told = cut.as_ref().unwrap_or(told);
        let after = &told.cursor;
        let reached = after
            .batch
            .as_ref()
            .map_or(&after.from, |batch| &batch.upto)
            .horizon;
        assert!(upto.horizon <= reached, "the horizon retreated");
        self.change(told, highest_visible(snapshot.visible.horizon));
        self.cursor = Some(told.cursor.to_text());
        for (known, read) in self.known.iter_mut().zip(node.reflected()) {
            *known = (*known).max(read);
        }
        match self.habit {
            // What is to be dropped is told with all that comes before it.
            Habit::Roams if drops_out => {}
            Habit::Roams => self.drop_at(told.floor.number()),
            Habit::Watches if told.raises_floor_silently() => self.drop_at(told.floor.number()),
            Habit::Watches => {}
            Habit::Listens => {
                self.floor_max = self.floor_max.max(snapshot.visible.floor.number());
                self.dropped_max = self.dropped_max.max(snapshot.feed.floor.number());
            }
        }
        self.was_not_told_all = told.batch.more;
        if told.batch.more {
            return PollOutcome::More;
        }
        self.was_held_back = self.is_held_back;
        // The end of several answers is the feed as it was at the first of them; and a feed that is of two moments after a
        // crash is right when it is of one again.
        if from.batch.is_none() && self.known == node.read() && node.is_decided() {
            self.compare(node, snapshot);
        }
        PollOutcome::Done
    }

    /// Its copy is what a fresh read gives. What the entries say is looked at now and then only: it takes longer than all
    /// the rest, and what is wrong stays wrong.
    fn compare(&mut self, node: &Node, snapshot: &Snapshot) {
        let (ids, in_feed) = (numbers(snapshot.ids()), numbers(&snapshot.feed.ids));
        let is_missing = |id: &&u64| self.floor_max < **id && !self.entries.contains_key(*id);
        for id in ids.iter().filter(is_missing) {
            self.wrong.push((*id, "is missing".to_owned()));
        }
        // Who is told of no floor keeps what is below it, until it leaves.
        let is_below = |id| self.habit == Habit::Listens && id <= snapshot.visible.floor.number();
        let may_stay = |id| id <= self.dropped_max || is_below(id) && in_feed.contains(&id);
        let kept = self.entries.iter();
        for (id, entry) in kept.filter(|(id, _)| !ids.contains(*id) && !may_stay(**id)) {
            self.wrong.push((*id, format!("{entry} should have left")));
        }
        // Of the boosts of a post that were dropped for length a feed made anew may know others than the one before, and so hide
        // other repeats above them, of which no record says so. It must stay rare.
        let rows = snapshot.feed.shows.rows();
        let fell = |post: &PostId| {
            rows.iter()
                .any(|(of, at)| of == post && *at <= snapshot.feed.floor)
        };
        let row_of = |id: u64| rows.iter().find(|(_, at)| at.number() == id);
        let shows = |id: &u64| row_of(*id).map(|(post, _)| post);
        let by_what_fell = |(id, _): &(u64, String)| shows(id).is_some_and(fell);
        if self.habit == Habit::Roams
            && !self.wrong.is_empty()
            && self.wrong.iter().all(by_what_fell)
        {
            self.wrong.clear();
            self.misled += 1;
            self.cursor = None;
            return;
        }
        self.compared += 1;
        if self.wrong.is_empty() && self.compared.is_multiple_of(COMPARED_EVERY) {
            // What came to light from below a floor may have changed there, where nobody was told of it.
            let told = fresh(node, snapshot).split_off(&(self.floor_max + 1));
            for (id, entry) in told {
                let there = self.entries.get(&id);
                if let Some(there) = there
                    && *there != entry
                {
                    self.wrong.push((id, format!("{there} stands for {entry}")));
                }
            }
        }
    }

    fn change(&mut self, told: &ChangeDelivery<Arc<str>>, last: PostId) {
        let mut before = 0;
        for (nth, change) in told.batch.items.iter().enumerate() {
            let id = change.id.number();
            assert!(before < id, "in place order, each once");
            before = id;
            if self.habit == Habit::Watches {
                self.watch(id, change);
            }
            match &change.entry {
                None => {
                    assert_eq!(change.kind, ChangeKind::Remove);
                    self.has_removed = true;
                    self.entries.remove(&id);
                    self.posted.remove(&id);
                }
                Some(entry) => {
                    assert!(id <= last.number(), "beyond the horizon");
                    assert!(entry.starts_with(&format!("{id} ")));
                    self.entries.insert(id, Arc::clone(entry));
                }
            }
            if self.habit == Habit::Watches
                && let Some(floor) = told.cursor_after(nth).floor()
            {
                self.drop_at(floor.number());
            }
        }
    }

    /// The feed is only so long.
    fn drop_at(&mut self, floor: u64) {
        self.entries.retain(|id, _| floor < *id);
        self.posted.retain(|id| floor < *id);
    }

    /// A watcher is told of each post once, and truly whether it is behind.
    fn watch(&mut self, id: u64, change: &ChangeItem<Arc<str>>) {
        let entry = change.entry.as_deref();
        let is_new = entry.is_some() && self.posted.insert(id);
        let uri = entry.and_then(|entry| entry.split(' ').nth(1));
        let may_come_to_light =
            (self.has_removed || self.forgets) && uri.is_some_and(|uri| self.boosts.contains(uri));
        let may_be_again = self.is_moderated || self.was_held_back;
        let wrong = match change.kind {
            ChangeKind::Post
                if !is_new && !self.has_new_wishes && !may_be_again && !may_come_to_light =>
            {
                "is told twice"
            }
            ChangeKind::Post
                if change.behind != (id < self.top)
                    && !self.was_held_back
                    && (is_new || !self.is_moderated) =>
            {
                "is wrongly behind, or not"
            }
            ChangeKind::Edit if is_new && !self.edits_let_in && !may_come_to_light => {
                "is edited and never came"
            }
            ChangeKind::Edit | ChangeKind::Remove if change.behind => "is behind and is no post",
            _ => return,
        };
        self.wrong
            .push((id, format!("{wrong} (top {}): {entry:?}", self.top)));
    }
}

/// A feed as a page of all of it shows it.
pub(super) fn fresh(node: &Node, snapshot: &Snapshot) -> BTreeMap<u64, Arc<str>> {
    let entry = |id: &PostId| {
        let found = post_with_original(&node.view.store, *id).unwrap();
        // What is deleted of somebody just unfollowed waits to be weeded out, and boosts of what is deleted wait to leave. And a
        // checkpoint that was cut off stored deletions that are not read again yet.
        let is_settled = snapshot.progress.consistency == Consistency::Complete
            && node.is_decided()
            && node.reflected() == node.read();
        assert!(
            found.is_some() || !is_settled,
            "an entry has a post to show"
        );
        let (post, original) = found?;
        Some((id.number(), Plain.write(post, original)))
    };
    snapshot.ids().iter().filter_map(entry).collect()
}

pub(super) fn snapshot(
    node: &Node,
    (account, which): (usize, FeedKind),
    least: Option<Time>,
    now: Time,
) -> Option<Snapshot> {
    let account = ACCOUNTS[account].to_owned();
    let asked = match which {
        FeedKind::Home => feed_ref::FeedRef::Home { account },
        FeedKind::List => feed_ref::FeedRef::List {
            account,
            list: LIST.to_owned(),
        },
    };
    node.view.snapshot(&asked, least, now).unwrap()
}
