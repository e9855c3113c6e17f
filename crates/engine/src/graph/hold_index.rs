//! Whom each account's feeds wait for: the origins of those it follows, and how long. Pure.
//!
//! Waits stand by number beside the actors' origins, so that a hold over thousands of follows is a few look-ups in arrays
//! for each and nothing is kept per account.

use crate::graph::AccountIx;
use crate::graph::ActorIx;
use crate::graph::Graph;
use crate::host::origin_of;
use crate::relationship::Patience;
use hashbrown::HashMap;
use slackwater_order::hold::{OriginHold, hold_ms};

#[derive(Debug)]
pub(super) struct HoldIndex {
    /// The patience of accounts that set none.
    patience_ms: i64,
    by_host: HashMap<Box<str>, u32>,
    hosts: Vec<Box<str>>,
    /// By origin: how long feeds wait for it.
    waits: Vec<OriginHold>,
    /// By actor: its origin.
    origins: Vec<u32>,
    /// The first origin whose wait nobody set yet.
    unset: usize,
}

/// Which record says what patience an account has.
#[derive(Clone, Copy, Debug)]
pub(super) enum Said {
    Account,
    Ordering,
}

impl Default for HoldIndex {
    fn default() -> HoldIndex {
        HoldIndex {
            patience_ms: 0,
            by_host: HashMap::new(),
            hosts: Vec::new(),
            waits: Vec::new(),
            origins: Vec::new(),
            unset: 0,
        }
    }
}

impl HoldIndex {
    pub(super) fn add_actor(&mut self, id: &str) {
        // An actor without a host can write no post: one origin for all of them holds nobody up.
        let host = origin_of(id).unwrap_or_default();
        let origin = match self.by_host.get(host.as_str()) {
            Some(origin) => *origin,
            None => {
                let origin = u32::try_from(self.hosts.len()).unwrap_or(u32::MAX);
                self.by_host.insert(host.as_str().into(), origin);
                self.hosts.push(host.into());
                self.waits.push(OriginHold::default());
                origin
            }
        };
        self.origins.push(origin);
    }

    fn wait(&self, origin: u32) -> Option<&OriginHold> {
        self.waits.get(origin as usize)
    }
}

impl Graph {
    /// How long an account's feeds may be held back, in milliseconds; [`slackwater_order::horizon::COMPLETE_MS`] if as long as it takes.
    pub fn patience_ms(&self, account: AccountIx) -> i64 {
        let said = self
            .get(account)
            .and_then(|of| of.patience[1].or(of.patience[0]));
        said.map_or(self.waits.patience_ms, Patience::millis)
    }

    /// How long an account's feeds are held back, in milliseconds: the longest wait for an origin it follows, at its
    /// patience.
    pub fn hold_ms(&self, account: AccountIx) -> i64 {
        self.hold_at_ms(account, self.patience_ms(account))
    }

    /// How long they would be held back at another patience, in milliseconds.
    pub fn hold_at_ms(&self, account: AccountIx, patience_ms: i64) -> i64 {
        if patience_ms <= 0 {
            return 0;
        }
        hold_ms(self.waits_of(account), patience_ms)
    }

    /// How long who has so many milliseconds of patience waits for the origin of an actor that some relation names, in milliseconds.
    pub fn wait_ms(&self, actor: &str, patience_ms: i64) -> i64 {
        let number = self.actor(actor).map(ActorIx::number);
        let origin = number.and_then(|number| self.waits.origins.get(number));
        let wait = origin.and_then(|origin| self.waits.wait(*origin));
        wait.filter(|_| 0 < patience_ms)
            .map_or(0, |wait| wait.ms(patience_ms))
    }

    /// The origins whose wait is an account's hold, by name, each once; none if nothing is held back.
    pub fn held_by(&self, account: AccountIx) -> Vec<&str> {
        self.held_by_at(account, self.patience_ms(account))
    }

    /// The origins whose wait would be its hold at another patience, in milliseconds.
    pub fn held_by_at(&self, account: AccountIx, patience_ms: i64) -> Vec<&str> {
        let hold = self.hold_at_ms(account, patience_ms);
        if hold == 0 {
            return Vec::new();
        }
        let mut hosts: Vec<&str> = self
            .origins_followed(account)
            .filter(|origin| {
                let wait = self.waits.wait(*origin);
                wait.is_some_and(|wait| wait.ms(patience_ms) == hold)
            })
            .filter_map(|origin| self.waits.hosts.get(origin as usize).map(|host| &**host))
            .collect();
        hosts.sort_unstable();
        hosts.dedup();
        hosts
    }

    /// The patience of accounts that set none.
    pub fn default_patience_ms(&self) -> i64 {
        self.waits.patience_ms
    }

    /// Sets the patience of accounts that set none.
    pub fn set_default_patience(&mut self, patience: Patience) {
        self.waits.patience_ms = patience.millis();
    }

    /// Sets how long feeds wait for an origin; whether that is another time than before, whoever waits. One that no
    /// relation names is passed over.
    pub fn set_wait(&mut self, host: &str, wait: OriginHold) -> bool {
        let origin = self.waits.by_host.get(host);
        let there = origin.and_then(|origin| self.waits.waits.get_mut(*origin as usize));
        there.is_some_and(|there| std::mem::replace(there, wait) != *there)
    }

    /// Sets anew how long feeds wait for every origin some relation names.
    pub fn set_waits<W: Into<OriginHold>>(&mut self, wait: impl Fn(&str) -> W) {
        let hosts = self.waits.hosts.iter();
        self.waits.waits = hosts.map(|host| wait(host).into()).collect();
        self.waits.unset = self.waits.hosts.len();
    }

    /// Sets how long feeds wait for the origins that are new since the last call.
    pub fn set_new_waits<W: Into<OriginHold>>(&mut self, wait: impl Fn(&str) -> W) {
        let waits = &mut self.waits;
        let new = waits.hosts.iter().zip(&mut waits.waits).skip(waits.unset);
        for (host, there) in new {
            *there = wait(host).into();
        }
        waits.unset = waits.hosts.len();
    }

    pub(super) fn set_patience(
        &mut self,
        account: AccountIx,
        said: Said,
        patience: Option<Patience>,
    ) {
        if let Some(of) = self.accounts.get_mut(account.number()) {
            let [by_account, by_ordering] = &mut of.patience;
            match said {
                Said::Account => *by_account = patience,
                Said::Ordering => *by_ordering = patience,
            }
        }
    }

    fn waits_of(&self, account: AccountIx) -> impl Iterator<Item = &OriginHold> {
        self.origins_followed(account)
            .filter_map(|origin| self.waits.wait(origin))
    }

    fn origins_followed(&self, account: AccountIx) -> impl Iterator<Item = u32> + '_ {
        let follows = self.get(account).map_or(&[][..], |of| of.follows());
        let origins = &self.waits.origins;
        follows
            .iter()
            .filter_map(|actor| origins.get(actor.number()).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relationship::decode;
    use slackwater_order::horizon::COMPLETE_MS;
    use std::time::Duration;

    fn apply(graph: &mut Graph, document: &str) -> Option<i64> {
        graph
            .apply(&decode(None, Some(document.as_bytes())).unwrap())
            .patience_ms_before
    }

    fn follow(graph: &mut Graph, host: &str, user: usize) {
        apply(
            graph,
            &format!(r#"{{"type":"follow","account":"7","target":"https://{host}/users/{user}"}}"#),
        );
    }

    fn window(host: &str) -> Duration {
        Duration::from_secs(match host {
            "slow.example" => 960,
            "bridge.example" => 12,
            "other.example" => 12,
            _ => 1,
        })
    }

    #[test]
    fn a_feed_is_held_by_the_slowest_origin_its_account_is_patient_enough_for() {
        let mut graph = Graph::default();
        for (host, user) in [
            ("slow.example", 1),
            ("bridge.example", 1),
            ("bridge.example", 2),
            ("quick.example", 1),
        ] {
            follow(&mut graph, host, user);
        }
        graph.set_new_waits(window);
        let account = graph.account("7").unwrap();
        let mut check = |patience: &str, hold: i64, by: &[&str]| {
            apply(
                &mut graph,
                &format!(r#"{{"type":"ordering","account":"7","patience":"{patience}"}}"#),
            );
            assert_eq!(
                (graph.hold_ms(account), graph.held_by(account)),
                (hold, by.to_vec()),
                "{patience}"
            );
        };
        check("0s", 0, &[]);
        check("999ms", 0, &[]);
        check("1s", 1_000, &["quick.example"]);
        check("30s", 12_000, &["bridge.example"]);
        check("20m", 960_000, &["slow.example"]);
        check("complete", 960_000, &["slow.example"]);
        // The windows move, and so does the hold.
        let set =
            |graph: &mut Graph, host: &str| graph.set_wait(host, Duration::from_secs(2_000).into());
        assert!(set(&mut graph, "bridge.example"));
        assert!(!set(&mut graph, "bridge.example"), "it is the same");
        assert!(!set(&mut graph, "unheard.example"), "nobody waits for it");
        assert_eq!(graph.hold_ms(account), 2_000_000);
        graph.set_waits(|_| Duration::ZERO);
        assert_eq!(
            (graph.hold_ms(account), graph.held_by(account).len()),
            (0, 0)
        );
    }

    #[test]
    fn the_hold_follows_the_follows() {
        let mut graph = Graph::default();
        graph.set_default_patience(Patience::For(Duration::from_secs(30)));
        follow(&mut graph, "quick.example", 1);
        graph.set_new_waits(window);
        let account = graph.account("7").unwrap();
        assert_eq!(graph.hold_ms(account), 1_000);
        follow(&mut graph, "other.example", 1);
        assert_eq!(
            graph.hold_ms(account),
            1_000,
            "not before its window is set"
        );
        graph.set_new_waits(window);
        assert_eq!(
            (graph.hold_ms(account), graph.held_by(account)),
            (12_000, vec!["other.example"])
        );
        apply(
            &mut graph,
            r#"{"type":"follow","account":"7","target":"https://other.example/users/1","removed":true}"#,
        );
        assert_eq!(graph.hold_ms(account), 1_000);
    }

    #[test]
    fn patience_is_what_the_account_chose_then_what_its_document_says_then_the_default() {
        let mut graph = Graph::default();
        graph.set_default_patience(Patience::For(Duration::from_secs(5)));
        follow(&mut graph, "quick.example", 1);
        let account = graph.account("7").unwrap();
        assert_eq!(graph.patience_ms(account), 5_000);
        let document = r#"{"type":"account","account":"7","actor":"https://me.example/users/me","patience":"30s"}"#;
        assert_eq!(apply(&mut graph, document), Some(5_000));
        assert_eq!(apply(&mut graph, document), None, "nothing new");
        let chosen = r#"{"type":"ordering","account":"7","patience":"complete"}"#;
        assert_eq!(apply(&mut graph, chosen), Some(30_000));
        assert_eq!(graph.patience_ms(account), COMPLETE_MS);
        let removed = r#"{"type":"ordering","account":"7","removed":true}"#;
        assert_eq!(apply(&mut graph, removed), Some(COMPLETE_MS));
        assert_eq!(graph.patience_ms(account), 30_000);
    }
}
