//! What one node answers as in force is in force on all.

use super::{ANA, BOB, authors, home_of, post, relate, tell};
use crate::support::cluster::{Nodes, Options};
use crate::support::instance::Door;
use crate::support::{times, wait_for};
use fastrand::Rng;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const CY: &str = "https://c.example/users/cy";
const AUTHORS: [&str; 3] = [ANA, BOB, CY];
/// Relations that are changed, each on a node and looked at on another.
const CHANGES: usize = 60;

/// An account, and its relations as the test has changed them.
struct Reader {
    account: String,
    follows: BTreeSet<&'static str>,
    shuns: BTreeSet<(&'static str, &'static str)>,
}

/// Were this to fail, a mute that was answered on one node would not be in force on another.
#[test]
fn a_relation_that_one_node_answers_is_in_force_at_once_on_all() {
    let options = Options::quick(1);
    let nodes = Nodes::start_with(3, options);
    let doors = nodes.doors();
    let mut readers: Vec<Reader> = (0..6)
        .map(|n| Reader {
            account: format!("acct-{n}"),
            follows: AUTHORS.into(),
            shuns: BTreeSet::new(),
        })
        .collect();
    let follows: Vec<Value> = readers.iter().flat_map(Reader::all).collect();
    relate(&doors[0], &follows);
    let posts: Vec<Value> = AUTHORS.iter().map(|author| post(author, 1)).collect();
    tell(&doors, &posts);
    let servers: BTreeSet<usize> = readers
        .iter()
        .map(|reader| nodes.server_of(&reader.account))
        .collect();
    assert_eq!(servers.len(), 3, "each node has one of the accounts");
    let rng = &mut Rng::with_seed(7);
    for change in 0..times("SLACKWATER_RELATIONS", CHANGES) {
        let (on, at) = (change / 3 % 3, change % 3);
        let reader = &mut readers[rng.usize(..6)];
        let document = reader.change(rng);
        relate(&doors[on], std::slice::from_ref(&document));
        assert_eq!(
            page(&doors[at], &home_of(&reader.account)),
            reader.shown(),
            "change {change}, answered by node {on}, looked at through node {at}: {document}"
        );
    }
}

/// Were this to fail, a host that is suspended would be shown to some, depending on the node that they reach.
#[test]
fn a_host_that_one_node_suspends_is_in_no_public_feed_of_any() {
    let nodes = Nodes::start_with(3, Options::quick(0));
    let doors = nodes.doors();
    let posts: Vec<Value> = AUTHORS.iter().map(|author| post(author, 1)).collect();
    tell(&doors, &posts);
    let feed = "/v1/feeds/public";
    for door in &doors {
        assert_eq!(page(door, feed), AUTHORS.map(str::to_owned).into());
    }
    let mut shown: BTreeSet<&str> = AUTHORS.into();
    let rng = &mut Rng::with_seed(8);
    for change in 0..times("SLACKWATER_RELATIONS", CHANGES) / 4 {
        let author = AUTHORS[rng.usize(..3)];
        let removed = shown.insert(author);
        if !removed {
            shown.remove(author);
        }
        let host = author.split('/').nth(2).unwrap();
        let document = json!({"type": "moderation", "account": "_instance", "target": host, "action": "suspend",
            "removed": removed});
        relate(&doors[change % 3], &[document]);
        for (at, door) in doors.iter().enumerate() {
            let wanted: BTreeSet<String> = shown.iter().map(|it| (*it).to_owned()).collect();
            if removed {
                // What is lifted is shown when posts are decided again, on one node too; what is suspended is hidden at once.
                wait_for("a host that is suspended no more", || {
                    (page(door, feed) == wanted).then_some(())
                });
            }
            assert_eq!(page(door, feed), wanted, "change {change} on node {at}");
        }
    }
}

/// The authors that a feed shows. A node that is not sure says so, and is asked again: what it shows then is what counts.
fn page(door: &Door, feed: &str) -> BTreeSet<String> {
    let page = wait_for("a page", || {
        let page = door.get(feed);
        let is_later = page.status == 503 && page.retry_after.is_some();
        assert!(is_later || page.status == 200, "{page:?}");
        (!is_later).then_some(page)
    });
    authors(&page.json())
}

impl Reader {
    /// What the account sends to begin with.
    fn all(&self) -> Vec<Value> {
        let account = &self.account;
        let actor = format!("https://home.example/users/{account}");
        let be = json!({"type": "account", "account": account, "actor": actor});
        let follow =
            |target: &&str| json!({"type": "follow", "account": account, "target": target});
        [be].into_iter()
            .chain(self.follows.iter().map(follow))
            .collect()
    }

    /// Changes its mind of one author.
    fn change(&mut self, rng: &mut Rng) -> Value {
        let author = AUTHORS[rng.usize(..3)];
        let kind = ["mute", "block", "follow"][rng.usize(..3)];
        let has = match kind {
            "follow" => self.follows.contains(author),
            _ => self.shuns.contains(&(kind, author)),
        };
        match (kind, has) {
            ("follow", true) => self.follows.remove(author),
            ("follow", false) => self.follows.insert(author),
            (_, true) => self.shuns.remove(&(kind, author)),
            (_, false) => self.shuns.insert((kind, author)),
        };
        json!({"type": kind, "account": self.account, "target": author, "removed": has})
    }

    /// The authors that its home shows.
    fn shown(&self) -> BTreeSet<String> {
        let is_shown = |author: &&&str| {
            let shuns = |kind| self.shuns.contains(&(kind, **author));
            !shuns("mute") && !shuns("block")
        };
        let shown = self.follows.iter().filter(is_shown);
        shown.map(|author| (*author).to_owned()).collect()
    }
}
