//! Where the requests of an account go, and which nodes they can be passed on to.

use super::{AWAY_FOR, Node};
use crate::beat::Beat;
use crate::moment::Moment;
use crate::serving::Role;
use crate::shard::AccountHash;

/// Where the requests of an account go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// This node answers.
    Here(Role),
    /// One of these nodes answers: to be asked in this order. Each with its address.
    There(Vec<(String, String)>),
    /// Nobody that can be reached. Its shard may be claimed.
    Nowhere,
}

impl Node {
    /// A request for an account of this shard came, and no node that serves it can be reached: it is served here as soon as may be.
    pub fn claim(&mut self, account: AccountHash, now: Moment) {
        self.claimed
            .insert(account.shard(self.progress.shards), now);
    }

    /// A node could not be reached.
    pub fn mark_away(&mut self, node: &str, now: Moment) {
        if node != self.settings.node && self.standing.node(node).is_some() {
            self.away.insert(node.to_owned(), now);
        }
    }

    /// Where the requests of an account go. A standby is asked if no node that serves the account can be reached.
    pub fn route(&self, account: AccountHash, now: Moment) -> Route {
        let own = self.serving().role(account, now);
        if own == Some(Role::Serves) {
            return Route::Here(Role::Serves);
        }
        let proved = self.proved.unwrap_or_default();
        let servers = self.standing.servers(account, proved);
        let is_there = |beat: &&&Beat| self.passes_on_to(beat) && !self.is_away(&beat.node, now);
        let place = |beat: &&Beat| (beat.node.clone(), beat.address.clone());
        let reachable = servers.iter().filter(is_there);
        let serve_it = reachable.clone().any(|beat| beat.serves(account));
        if own == Some(Role::StandsBy) && !serve_it {
            return Route::Here(Role::StandsBy);
        }
        let there: Vec<_> = reachable.map(place).collect();
        if there.is_empty() {
            Route::Nowhere
        } else {
            Route::There(there)
        }
    }

    /// The nodes that could not be reached lately.
    pub fn away(&self) -> impl Iterator<Item = &str> {
        self.away.keys().map(String::as_str)
    }

    /// Whether this node can pass requests on to another, as far as their versions go.
    pub(super) fn passes_on_to(&self, beat: &Beat) -> bool {
        let (_, version) = self.settings.speaks.hop;
        beat.node != self.settings.node && beat.speaks.reads_hop(version)
    }

    /// Whether a node could not be reached just now.
    fn is_away(&self, node: &str, now: Moment) -> bool {
        let since = self.away.get(node);
        since.is_some_and(|since| now < since.plus(AWAY_FOR))
    }
}
