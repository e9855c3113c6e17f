//! The bodies of all responses but entries, origins and problems.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use slackwater_engine::relationship::Patience;
use slackwater_engine::view::CatchingUp;
use slackwater_order::time::Time;
use std::collections::BTreeMap;

/// The answer to posted activities or relationships.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Accepted {
    /// How many are durable.
    pub accepted: usize,
    /// The others, in order.
    pub rejected: Vec<Rejected>,
    /// What was accepted and yet does nothing so far, in order; left out if there is none of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
}

/// The answer to a set of relations that replaced those in force.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Replaced {
    /// How many relations were not in force before.
    pub added: usize,
    /// How many were in force otherwise.
    pub changed: usize,
    /// How many were in force and are removed.
    pub removed: usize,
}

/// A line that was not accepted.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rejected {
    /// Its number; the first is 1.
    pub line: usize,
    /// Why, and what to send instead.
    pub reason: String,
}

/// A line that was accepted and rests on what is not there: an account or a list that no document has told of.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Warning {
    /// Its number; the first is 1. Of several lines with the same warning, the first.
    pub line: usize,
    /// What is not there, and what that means.
    pub text: String,
}

/// A page of a feed. A page may be shorter than was asked for: it has at most 4 MiB, or one entry.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Page<'a> {
    /// Newest first.
    pub entries: Vec<super::entry::Entry<'a>>,
    /// Up to when the feed is complete; null while the account waits for nobody: then everything shows.
    pub horizon: Option<Time>,
    /// How far the whole feed had been built: opaque. Null for late arrivals, which have pages only.
    pub cursor: Option<String>,
}

/// A page of a feed of which `fields=refs` was asked for.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RefPage<'a> {
    /// Newest first.
    pub entries: Vec<super::ref_entry::RefEntry<'a>>,
    /// As on a page with all fields.
    pub horizon: Option<Time>,
    /// As on a page with all fields.
    pub cursor: Option<String>,
}

/// How long an account's feeds are held back, and why.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Ordering<'a> {
    /// How long they may be: what the account chose, else what its document says, else the instance's default.
    pub patience: Patience,
    /// How long they are: the longest wait for an origin it follows.
    pub hold: String,
    /// The origins whose wait that is, by host.
    pub held_by: Vec<HeldBy<'a>>,
    /// Up to when its feeds are shown; null with no patience: then everything shows.
    pub horizon: Option<Time>,
}

/// An origin that an account's feeds wait for.
#[derive(Debug, Serialize, JsonSchema)]
pub struct HeldBy<'a> {
    /// Its host.
    pub origin: &'a str,
    /// How long they do: its reorder window if that fits in the patience, else the shortest time in which as good as all of
    /// its posts come that come within the patience.
    pub wait: String,
}

/// A feed of an account as a patience would show it, and what waits then. It has no cursor: it is to be looked at, and asked for again.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PreviewPage<'a> {
    /// The patience: the one that was asked for, or else the account's own.
    pub patience: Patience,
    /// How long the feed is held back at it.
    pub hold: String,
    /// The origins whose wait that is, by host.
    pub held_by: Vec<HeldBy<'a>>,
    /// Up to when the feed is shown; null with no patience: then everything shows.
    pub horizon: Option<Time>,
    /// When this was so, by the clock that the horizon is worked out with.
    pub now: Time,
    /// What is shown, newest first: up to `limit` entries, and about 4 MB of them at most.
    pub entries: Vec<super::entry::Entry<'a>>,
    /// How many entries wait.
    pub waiting_count: usize,
    /// They, the one that is shown next first: up to `limit`, and about 4 MB of them at most.
    pub waiting: Vec<WaitingEntry<'a>>,
    /// The handles, `user@host`, of the authors of these entries and of what they boost, by actor id: of those whose documents came.
    pub handles: BTreeMap<&'a str, String>,
}

/// An entry that the feed holds back.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WaitingEntry<'a> {
    /// When it is shown, if all that arrives is read by then. What is not read yet may hold it back longer, up to the patience.
    pub shown_at: Time,
    /// The entry.
    pub entry: super::entry::Entry<'a>,
}

/// A page of the local accounts.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Accounts<'a> {
    /// By id, ascending.
    pub accounts: Vec<AccountSummary<'a>>,
    /// The id to send as `after` for the next page; null at the end.
    pub next: Option<&'a str>,
}

/// A local account, in a list of them.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AccountSummary<'a> {
    /// The backend's id of it.
    pub account: &'a str,
    /// Its actor id; null until its account document comes.
    pub actor: Option<&'a str>,
    /// How long its feeds may be held back: its own choice, or else the default.
    pub patience: Patience,
    /// How many it follows.
    pub follows: usize,
}

/// The patience an account chooses.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// How long its feeds may be held back: a duration such as `"30s"`, `"0s"`, or `"complete"`.
    pub patience: Patience,
}

/// `/healthz` and `/readyz`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Readiness {
    /// Whether requests are answered from a log read to its end.
    pub ready: bool,
    /// What is going on, for a person.
    pub detail: String,
    /// Records read since the start, and how many there were to read then; null once caught up.
    pub catching_up: Option<CatchingUp>,
}
