//! What the loop takes from the cluster that its node is part of: whose feeds to keep, and what has arrived at other nodes.

use slackwater_cluster::shard::ShardSet;
use slackwater_engine::kept::Kept;
use slackwater_order::time::Time;
use tokio::sync::watch;

/// The cluster as the loop sees it.
#[derive(Clone, Debug)]
pub struct AmongNodes {
    /// The shards whose feeds are to be kept here.
    kept: watch::Receiver<ShardSet>,
    /// All that arrived at any other node before this is in the log, in milliseconds since 1970.
    settled_elsewhere: watch::Receiver<Option<i64>>,
}

impl AmongNodes {
    /// Of a node that is to keep the feeds of the shards in `kept`. As long as there are none, it does not know yet which.
    pub fn new(
        mut kept: watch::Receiver<ShardSet>,
        settled_elsewhere: watch::Receiver<Option<i64>>,
    ) -> AmongNodes {
        // What was said before this was made is as good as what comes.
        if !kept.borrow().of.is_empty() {
            kept.mark_changed();
        }
        AmongNodes {
            kept,
            settled_elsewhere,
        }
    }

    /// Whose feeds to keep, if that has changed since it was last asked.
    pub(super) fn kept_if_changed(&mut self) -> Option<Kept> {
        // The sender lives as long as the service.
        if !self.kept.has_changed().unwrap_or(false) {
            return None;
        }
        let set = self.kept.borrow_and_update();
        Some(Kept::shards(set.shards, set.of.iter().copied()))
    }

    /// The moment before which all that arrived here, by `here`, or at any other node is in the log.
    pub(super) fn settled(&self, here: Time) -> Time {
        let elsewhere = *self.settled_elsewhere.borrow();
        elsewhere.map_or(here, |elsewhere| here.min(Time::from_millis(elsewhere)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Were this to fail, a patient reader would be shown past a post that another node has not appended yet.
    #[test]
    fn nothing_settles_past_what_is_on_its_way_at_another_node() {
        let (elsewhere, settled_elsewhere) = watch::channel(None);
        let (keeps, kept) = watch::channel(ShardSet::default());
        let mut among = AmongNodes::new(kept, settled_elsewhere);
        let here = Time::from_millis(100);
        assert_eq!(among.settled(here), here);
        for (millis, expected) in [(99, 99), (101, 100)] {
            elsewhere.send_replace(Some(millis));
            assert_eq!(among.settled(here), Time::from_millis(expected));
        }
        assert_eq!(
            among.kept_if_changed(),
            None,
            "nothing is dropped at the start"
        );
        let of = [3].into();
        keeps.send_replace(ShardSet { shards: 8, of });
        assert_eq!(among.kept_if_changed(), Some(Kept::shards(8, [3])));
        assert_eq!(among.kept_if_changed(), None);
        let mut late = AmongNodes::new(keeps.subscribe(), elsewhere.subscribe());
        assert_eq!(late.kept_if_changed(), Some(Kept::shards(8, [3])));
    }
}
