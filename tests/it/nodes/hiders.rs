//! Accounts that mute an author and end that again, over and over, through whatever node they reach: from the answer on, no page of any
//! node shows that author.

use super::{authors, home_of};
use crate::support::instance::{Answer, Door};
use fastrand::Rng;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::ops::AddAssign;
use std::time::Duration;

/// The longest that one answer is waited for: longer than a relation waits for a node that is gone.
const WAIT: Duration = Duration::from_secs(20);
/// How many pages are looked at before a mute ends.
const LOOKS: usize = 8;

/// One of them.
pub(super) struct Hider {
    account: String,
    state: State,
    /// Authors whose mute's end was sent and not answered: it may be appended long after it was sent again.
    spared: BTreeSet<String>,
    rng: Rng,
    pub(super) hidden: Hidden,
}

/// How often one of them did what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Hidden {
    /// Mutes that were answered as in force.
    mutes: usize,
    /// Pages that were given while one was.
    pub(super) looks: usize,
    /// Requests that were not answered, or with a word to come again.
    again: usize,
}

enum State {
    /// Nobody is muted.
    Idle,
    /// A mute of this author was asked for, and may be in force.
    Muting(String),
    /// This author is muted, and is looked for so often.
    Muted(String, usize),
    /// The end of that mute was asked for.
    Ending(String),
}

impl Hider {
    /// An account that is no other test's.
    pub(super) fn new(n: usize) -> Hider {
        Hider {
            account: format!("hider-{n}"),
            state: State::Idle,
            spared: BTreeSet::new(),
            rng: Rng::with_seed(n as u64),
            hidden: Hidden::default(),
        }
    }

    /// What makes it follow these authors.
    pub(super) fn follows<'a>(
        &'a self,
        authors: impl Iterator<Item = &'a str>,
    ) -> impl Iterator<Item = Value> {
        authors.map(|target| json!({"type": "follow", "account": self.account, "target": target}))
    }

    /// Does what comes next, through one of these nodes.
    pub(super) fn step(&mut self, doors: &[Door]) {
        let door = &doors[self.rng.usize(..doors.len())];
        let state = std::mem::replace(&mut self.state, State::Idle);
        self.state = match state {
            State::Idle => match self.page(door) {
                Some(page) => {
                    let shown = authors(&page);
                    let shown: Vec<_> = shown.difference(&self.spared).cloned().collect();
                    let one = self.rng.choice(shown);
                    one.map_or(State::Idle, State::Muting)
                }
                None => State::Idle,
            },
            State::Muting(author) => match self.mute(door, &author, false) {
                true => {
                    self.hidden.mutes += 1;
                    State::Muted(author, LOOKS)
                }
                false => State::Muting(author),
            },
            State::Muted(author, 0) => State::Ending(author),
            State::Muted(author, looks) => match self.page(door) {
                Some(page) => {
                    let account = &self.account;
                    assert!(!authors(&page).contains(&author), "{account}: {page}");
                    self.hidden.looks += 1;
                    State::Muted(author, looks - 1)
                }
                None => State::Muted(author, looks),
            },
            State::Ending(author) => match self.mute(door, &author, true) {
                true => State::Idle,
                false => {
                    self.spared.insert(author.clone());
                    State::Ending(author)
                }
            },
        };
    }

    fn page(&mut self, door: &Door) -> Option<Value> {
        let answer = door.try_get(&format!("{}?limit=80", home_of(&self.account)), WAIT);
        self.good(answer).map(|answer| answer.json())
    }

    /// Whether it was answered as in force.
    fn mute(&mut self, door: &Door, author: &str, ends: bool) -> bool {
        let document =
            json!({"type": "mute", "account": self.account, "target": author, "removed": ends});
        let body = document.to_string().into_bytes();
        let answer = door.try_post("/v1/relationships", "application/json", body);
        self.good(answer).is_some()
    }

    fn good(&mut self, answer: reqwest::Result<Answer>) -> Option<Answer> {
        match answer {
            Ok(answer) if [200, 202].contains(&answer.status) => Some(answer),
            Ok(answer) => {
                assert_eq!(answer.status, 503, "{}: {answer:?}", self.account);
                self.hidden.again += 1;
                None
            }
            Err(_) => {
                self.hidden.again += 1;
                None
            }
        }
    }
}

impl AddAssign for Hidden {
    fn add_assign(&mut self, other: Hidden) {
        self.mutes += other.mutes;
        self.looks += other.looks;
        self.again += other.again;
    }
}
