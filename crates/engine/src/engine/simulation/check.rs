//! What is checked of every look at a feed, and of every walk through its pages.

use super::log::{ACCOUNTS, FeedKind, PARTITIONS, host_of};
use super::model::{Account, Model, numbers};
use super::reader::snapshot;
use super::run::Run;
use crate::feed::post::Post;
use crate::feed::store::HELD_FACTOR;
use crate::view::page::Span;
use crate::view::page_walk::{Offer, walk_page};
use crate::view::pending_relations::Consistency;
use crate::view::snapshot::Snapshot;
use crate::view::with_original::post_with_original;
use slackwater_fediverse::event::text;
use slackwater_order::horizon::highest_visible;
use slackwater_order::place::PostId;
use slackwater_order::time::Time;
use std::collections::BTreeSet;

/// Whether a page shows this entry of a feed.
pub(super) fn is_shown(run: &Run, node: usize, snapshot: &Snapshot, id: u64) -> bool {
    let view = &run.nodes[node].view;
    let id = PostId::from_number(id).unwrap();
    let found = post_with_original(&view.store, id).unwrap();
    found.is_some_and(|(post, original)| snapshot.resolved.admits(view, &post, original.as_deref()))
}

impl Run {
    /// Pages from the top down, while records are read between them: every entry that was there all the while once.
    pub(super) fn walk(&mut self, account: usize, which: FeedKind, node: usize) {
        if !self.is_whole(node) {
            return;
        }
        let is_there = |run: &Run| -> Option<(BTreeSet<u64>, Snapshot)> {
            let snapshot = snapshot(
                &run.nodes[node],
                (account, which),
                None,
                Time::from_millis(run.now),
            )?;
            // Else there may be what is not shown any more.
            (snapshot.progress.consistency == Consistency::Complete).then_some(())?;
            let mut ids = numbers(snapshot.ids());
            if !run.nodes[node].is_decided() {
                // What waits to leave is left out already.
                ids.retain(|id| is_shown(run, node, &snapshot, *id));
            }
            Some((ids, snapshot))
        };
        self.rouse(node, account);
        let Some((mut throughout, _)) = is_there(self) else {
            return;
        };
        let (mut visited, mut before) = (Vec::new(), None);
        loop {
            let Some((there, snapshot)) = is_there(self) else {
                return;
            };
            throughout.retain(|id| there.contains(id));
            let span = Span {
                before,
                after: None,
                limit: 3,
            };
            let view = &self.nodes[node].view;
            let admits = |post: &Post, original: Option<&Post>| {
                snapshot.resolved.admits(view, post, original)
            };
            let taken = |_: &Post, _: Option<&Post>| Offer::Taken;
            let page = walk_page(&view.store, span, snapshot.ids(), &admits, taken);
            let page = page.unwrap().ids;
            let left = there
                .iter()
                .rev()
                .filter(|id| before.is_none_or(|before: PostId| **id < before.number()));
            let left: Vec<u64> = left.take(3).copied().collect();
            assert_eq!(page.iter().map(|id| id.number()).collect::<Vec<_>>(), left);
            let Some(last) = page.last() else { break };
            before = Some(*last);
            visited.extend(left);
            self.now += self.dice.i64(0..2_000);
            if self.nodes[node].is_between_batches() {
                let ends = self.log.ends(self.now);
                if let Some(partition) =
                    (0..PARTITIONS).find(|n| self.nodes[node].read()[*n] < ends[*n])
                {
                    let now = Time::from_millis(self.now);
                    self.nodes[node].take(&self.log, partition, now);
                    self.nodes[node].announce(&ends, now);
                }
            }
        }
        assert!(
            visited.is_sorted_by(|a, b| a > b),
            "each once, newest first"
        );
        assert!(
            throughout.iter().all(|id| visited.contains(id)),
            "{throughout:?} {visited:?}"
        );
    }

    /// Whether its feeds are shown and are of one moment: not before it has read again what a cut-off checkpoint stored.
    pub(super) fn is_whole(&self, node: usize) -> bool {
        let node = &self.nodes[node];
        node.is_open() && node.is_decided() && node.reflected() == node.read()
    }

    /// Every account's feed, as this node shows it now, is what the model says.
    pub(super) fn check(&mut self, node: usize) {
        self.check_hidden(node);
        if !self.is_whole(node) {
            return;
        }
        let model = self.model(node);
        for account in 0..ACCOUNTS.len() {
            if self.sleeps_on(node, account) {
                continue;
            }
            self.rouse(node, account);
            self.check_account(&model, node, account);
        }
    }

    /// The feeds of one account, which is awake, are what the model says.
    pub(super) fn check_account(&mut self, model: &Model, node: usize, account: usize) {
        let there = snapshot(
            &self.nodes[node],
            (account, FeedKind::Home),
            None,
            Time::from_millis(self.now),
        );
        let Some(snapshot) = there else {
            let story = || {
                self.log
                    .story(account, &BTreeSet::new(), &self.nodes[node].read())
            };
            // One that was removed may come back as a relation without a document: with the relation it goes again.
            let is_nobody = model.account(account).is_none_or(Account::is_blank);
            assert!(
                is_nobody,
                "node {node} knows no account {account}. {}",
                story()
            );
            self.reached.remove(&(node, account));
            self.visible.remove(&(node, account));
            return;
        };
        self.counted.looks += 1;
        self.check_horizon(model, node, account, &snapshot);
        if snapshot.progress.consistency == Consistency::Complete {
            self.check_entries(model, node, (account, FeedKind::Home), &snapshot);
            self.check_list(model, node, account);
        } else {
            self.counted.pending_relations += 1;
        }
    }

    /// While boosts wait to come or go, a page shows none that the model does not.
    pub(super) fn check_hidden(&mut self, node: usize) {
        let of = &self.nodes[node];
        let is_amid = !of.is_decided() && of.are_authors_decided() && of.is_open();
        if !is_amid || of.reflected() != of.read() {
            return;
        }
        let model = self.model(node);
        let now = Time::from_millis(self.now);
        for account in 0..ACCOUNTS.len() {
            let looked_at = (account, FeedKind::Home);
            let Some(snapshot) = snapshot(&self.nodes[node], looked_at, None, now) else {
                continue;
            };
            if snapshot.is_inactive || snapshot.progress.consistency == Consistency::Pending {
                continue;
            }
            self.counted.amid_boosts += 1;
            let belongs = model.feed(account, FeedKind::Home);
            for id in numbers(snapshot.ids())
                .iter()
                .filter(|id| !belongs.contains_key(*id))
            {
                self.counted.hidden += 1;
                assert!(
                    !is_shown(self, node, &snapshot, *id),
                    "{id} is shown to {account} and should be hidden. {}",
                    self.log.story(
                        account,
                        &model.posts_at(&[*id].into()),
                        &self.nodes[node].read()
                    )
                );
            }
        }
    }

    fn check_horizon(&mut self, model: &Model, node: usize, account: usize, snapshot: &Snapshot) {
        let of = &self.nodes[node];
        let wants = model.account(account).unwrap();
        let patience = wants.patience_ms(of.patience_ms());
        // An account that was removed and is back begins anew.
        let begins_anew = self.log.is_ever_removed(account);
        let last = highest_visible(snapshot.visible.horizon).number();
        let ids = numbers(snapshot.ids());
        let before = self
            .visible
            .insert((node, account), ids)
            .unwrap_or_default();
        let kept = numbers(&snapshot.feed.ids);
        let is_back = |id: &u64| last < *id && kept.contains(id);
        assert!(
            begins_anew || !before.iter().any(is_back),
            "what was shown is taken back"
        );
        let Some(visible) = snapshot.visible.horizon else {
            assert_eq!(patience, 0);
            return;
        };
        assert!(0 < patience);
        let visible = visible.millis();
        let follows = wants.follows.keys();
        let waits = follows.map(|author| of.wait_ms(host_of(*author), patience));
        let hold = waits.max().unwrap_or(0);
        let built = of.view.horizons.built().millis().min(self.now);
        let held = self.now.saturating_sub(patience).max(built - hold);
        let reached = self.reached.insert((node, account), visible);
        assert!(
            held <= visible,
            "held back longer than patience and origins ask for"
        );
        assert!(
            begins_anew || reached.is_none_or(|reached| reached <= visible),
            "the horizon retreated"
        );
        let waiting = snapshot.feed.ids.len() - snapshot.visible.entries.end;
        assert!(
            waiting <= (HELD_FACTOR - 1) * self.length,
            "an unseen post could be dropped"
        );
    }

    fn check_list(&mut self, model: &Model, node: usize, account: usize) {
        let of = (account, FeedKind::List);
        let list = snapshot(&self.nodes[node], of, None, Time::from_millis(self.now));
        assert_eq!(list.is_some(), model.has_list(account));
        if let Some(snapshot) = list {
            self.counted.lists += 1;
            self.check_entries(model, node, of, &snapshot);
        }
    }

    fn check_entries(
        &mut self,
        model: &Model,
        node: usize,
        (account, which): (usize, FeedKind),
        snapshot: &Snapshot,
    ) {
        let all = model.feed(account, which);
        let last = highest_visible(snapshot.visible.horizon).number();
        let floor = snapshot.feed.floor.number();
        let above = all.range(floor + 1..).filter(|(id, _)| **id <= last);
        let expected: BTreeSet<u64> = above.rev().take(self.length).map(|(id, _)| *id).collect();
        // Of what was dropped for length a feed may know less than all, but it hides by what it knows.
        let fallen = numbers(&snapshot.feed.fallen());
        let is_above = |id| floor < id;
        let hidden = model.hidden(account, which, |id| fallen.contains(&id), is_above);
        let by_all = model.hidden(account, which, |id| !is_above(id), is_above);
        let differs = |id: &u64| hidden.contains(id) != by_all.contains(id);
        // Nor does a feed that was made anew know what became a stub before.
        let knows_stubs = !self.taste.ages;
        self.counted.knew_less += u64::from(knows_stubs && expected.iter().any(differs));
        self.counted.looks_trimmed += u64::from(0 < floor);
        let seen = expected.difference(&hidden).copied();
        let (expected, seen) = (&expected, seen.collect::<Vec<_>>());
        let entries = &snapshot.feed.ids[snapshot.visible.entries.clone()];
        let found = numbers(entries);
        let shown = snapshot.ids().iter().map(|id| id.number());
        if found != *expected || !shown.eq(seen.iter().copied()) {
            let mut ids: BTreeSet<u64> = found.symmetric_difference(expected).copied().collect();
            let visible = numbers(snapshot.ids());
            ids.extend(&fallen);
            ids.extend(visible.symmetric_difference(&seen.iter().copied().collect()));
            let story = self
                .log
                .story(account, &model.posts_at(&ids), &self.nodes[node].read());
            panic!(
                "node {node} shows account {account}, {which:?}, {visible:?} of {found:?}, not {seen:?} of {expected:?} (floor {floor}, fallen {fallen:?}). {story}"
            );
        }
        assert!(snapshot.ids().is_sorted());
        if self.taste.calm && !self.is_disturbed {
            let newest: BTreeSet<u64> = all
                .range(..=last)
                .rev()
                .take(self.length)
                .map(|(id, _)| *id)
                .collect();
            assert_eq!(
                found, newest,
                "node {node} account {account}: more was dropped than length asks for"
            );
        }
        let as_long = model.places().iter().rev().nth(self.length - 1);
        assert!(
            floor == 0 || as_long.is_some_and(|lowest| floor < *lowest),
            "dropped too early"
        );
        for id in snapshot.ids() {
            let (post, original) = post_with_original(&self.nodes[node].view.store, *id)
                .unwrap()
                .unwrap();
            let (number, updated) = all[&id.number()];
            if let Some(post_ref) = &post.post_ref {
                assert!(!self.log.by_ref || *post_ref == id.to_string());
                let found = self.nodes[node].view.store.post_by_ref(post_ref);
                assert_eq!(found.unwrap().unwrap().id, *id, "found by its ref");
                self.counted.by_ref += u64::from(self.log.by_ref);
                self.counted.again += u64::from(self.log.has_come_again(number, post_ref));
            }
            assert_eq!(post.body.uri, model.uri(&self.log, number));
            let visibility = post.body.visibility.name();
            assert_eq!(visibility, model.visibility(number), "{}", post.body.uri);
            let shows = &original.unwrap_or(post).body;
            let says = shows.boost_of.is_some() || shows.object.get().contains(&text(updated));
            assert!(says, "{} is not {}", shows.object, text(updated));
        }
    }
}
