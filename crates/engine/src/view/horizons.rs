//! The horizons that readers have reached: a horizon does not retreat, whatever becomes of the hold behind it.

use crate::graph::AccountIx;
use crate::graph::Graph;
use crate::watch;
use hashbrown::{HashMap, HashSet};
use parking_lot::Mutex;
use slackwater_order::horizon::horizon;
use slackwater_order::time::Time;

/// The horizons reached. Only accounts whose feeds are held back and were read have a row.
#[derive(Debug, Default)]
pub struct Horizons {
    built: watch::Sender<Time>,
    reached: Mutex<Reached>,
}

#[derive(Debug, Default)]
struct Reached {
    by_account: HashMap<Box<str>, Time>,
    /// Not stored yet.
    new: HashSet<Box<str>>,
    /// Every account has reached this: the moment when the default patience grew from nothing.
    by_all: Time,
}

impl Horizons {
    /// Begins with the stored rows.
    pub fn new(stored: impl Iterator<Item = (String, Time)>) -> Horizons {
        let horizons = Horizons::default();
        horizons.reached.lock().by_account =
            stored.map(|(account, at)| (account.into(), at)).collect();
        horizons
    }

    /// The moment up to which everything that arrived has been taken in.
    pub fn built(&self) -> Time {
        *self.built.borrow()
    }

    /// Everything that arrived up to this moment has been taken in.
    pub fn set_built(&self, built: Time) {
        self.built.send_replace(built);
    }

    /// Changes whenever that moment moves.
    pub fn watch_built(&self) -> watch::Receiver<Time> {
        self.built.subscribe()
    }

    /// The horizon of an account's feeds; none if they are not held back.
    pub fn of(&self, graph: &Graph, account: AccountIx, now: Time) -> Option<Time> {
        let patience_ms = graph.patience_ms(account);
        let held = horizon(patience_ms, graph.hold_ms(account), self.built(), now)?;
        let id = graph.get(account).map_or("", |of| of.id());
        Some(held.max(self.reached(id)))
    }

    /// A reader of an account's feed has reached this horizon.
    pub fn reach(&self, account: &str, horizon: Time) {
        let mut reached = self.reached.lock();
        let is_new = reached
            .by_account
            .get(account)
            .is_none_or(|there| *there < horizon);
        if is_new {
            reached.by_account.insert(account.into(), horizon);
            reached.new.insert(account.into());
        }
    }

    /// Every account has reached this horizon.
    pub fn reach_all(&self, horizon: Time) {
        let mut reached = self.reached.lock();
        reached.by_all = reached.by_all.max(horizon);
    }

    /// An account was removed.
    pub fn forget(&self, account: &str) {
        let mut reached = self.reached.lock();
        reached.by_account.remove(account);
        reached.new.insert(account.into());
    }

    /// The rows that changed since the last call, to be stored; `None`: the row is to be deleted.
    pub fn unstored(&self) -> Vec<(Box<str>, Option<Time>)> {
        let mut reached = self.reached.lock();
        let new = std::mem::take(&mut reached.new);
        new.into_iter()
            .map(|account| {
                let at = reached.by_account.get(&account).copied();
                (account, at)
            })
            .collect()
    }

    fn reached(&self, account: &str) -> Time {
        let reached = self.reached.lock();
        let by_account = reached.by_account.get(account).copied();
        by_account.unwrap_or_default().max(reached.by_all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relationship::{Patience, decode};
    use std::time::Duration;

    fn time(ms: i64) -> Time {
        Time::from_millis(ms)
    }

    /// Were this to fail, following a slow origin would take back what a reader has seen.
    #[test]
    fn a_horizon_that_was_shown_does_not_retreat() {
        let mut graph = Graph::default();
        let follow = |graph: &mut Graph, host: &str| {
            let document =
                format!(r#"{{"type":"follow","account":"7","target":"https://{host}/users/1"}}"#);
            graph.apply(&decode(None, Some(document.as_bytes())).unwrap());
            graph.set_new_waits(|host| {
                Duration::from_secs(if host == "slow.example" { 100 } else { 1 })
            });
        };
        graph.set_default_patience(Patience::Complete);
        follow(&mut graph, "quick.example");
        let account = graph.account("7").unwrap();
        let horizons = Horizons::default();
        horizons.set_built(time(1_000_000));
        let of = |graph: &Graph, now| horizons.of(graph, account, time(now)).unwrap().millis();
        assert_eq!(of(&graph, 1_000_000), 999_000);
        horizons.reach("7", time(999_000));
        follow(&mut graph, "slow.example");
        assert_eq!(of(&graph, 1_000_000), 999_000, "it pauses");
        horizons.set_built(time(1_099_500));
        assert_eq!(of(&graph, 1_099_500), 999_500, "and goes on");
        assert_eq!(horizons.unstored(), [("7".into(), Some(time(999_000)))]);
        assert_eq!(horizons.unstored(), []);
        let again = Horizons::new([("7".to_owned(), time(999_000))].into_iter());
        assert_eq!(again.of(&graph, account, time(0)), Some(time(999_000)));
        horizons.forget("7");
        assert_eq!(horizons.unstored(), [("7".into(), None)]);
    }
}
