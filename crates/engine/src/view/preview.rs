//! A feed as another patience would show it, and what waits then: what an operator looks at before an account is asked to wait.
//!
//! A preview has a hold and a horizon of its own. It raises no horizon that the account reached, and gives no cursor, so that
//! nobody's reading begins or ends with it.

use crate::feed::store::disk::DiskError;
use crate::graph::{AccountIx, Graph};
use crate::relationship::Patience;
use crate::view::View;
use crate::view::feed_ref::FeedRef;
use crate::view::snapshot::Snapshot;
use slackwater_order::horizon::{due_at, horizon};
use slackwater_order::place::PostId;
use slackwater_order::time::Time;

/// A feed of an account at one moment, at some patience.
#[derive(Debug)]
pub struct Preview {
    /// The feed with what that patience shows of it. It is not to be made a cursor of.
    pub snapshot: Snapshot,
    /// The patience, in milliseconds.
    pub patience_ms: i64,
    /// How long the feed is held back at it, in milliseconds.
    pub hold_ms: i64,
    /// The origins whose wait that is, by host.
    pub held_by: Vec<String>,
    /// When this is so.
    pub now: Time,
}

impl View {
    /// A feed as it would be at `patience`, or is at the account's own if none is given; none if there is no such account or list.
    /// At the account's own, what readers have seen already stays shown, as it does for them.
    pub fn preview(
        &self,
        feed_ref: &FeedRef,
        patience: Option<Patience>,
        now: Time,
    ) -> Result<Option<Preview>, DiskError> {
        let mut held = (0, 0, Vec::new());
        let horizon_of = |graph: &Graph, account: AccountIx| {
            let patience_ms = patience.map_or_else(|| graph.patience_ms(account), Patience::millis);
            let hold_ms = graph.hold_at_ms(account, patience_ms);
            let held_by = graph.held_by_at(account, patience_ms);
            let held_by = held_by.into_iter().map(str::to_owned).collect();
            held = (patience_ms, hold_ms, held_by);
            match patience {
                Some(_) => horizon(patience_ms, hold_ms, self.horizons.built(), now),
                None => self.horizons.of(graph, account, now),
            }
        };
        let snapshot = self.snapshot_held_back(feed_ref, horizon_of, now)?;
        let (patience_ms, hold_ms, held_by) = held;
        Ok(snapshot.map(|snapshot| Preview {
            snapshot,
            patience_ms,
            hold_ms,
            held_by,
            now,
        }))
    }
}

impl Preview {
    /// The places that wait for the horizon, ascending: the first is shown next. Hidden repeats are not among them.
    pub fn waiting(&self) -> Vec<PostId> {
        let Snapshot { feed, visible, .. } = &self.snapshot;
        let held = feed.ids.get(visible.entries.end..).unwrap_or_default();
        let is_shown_once = |id: &&PostId| !visible.hides(**id);
        held.iter().filter(is_shown_once).copied().collect()
    }

    /// When a place that waits is shown, if all partitions are read to their ends by then.
    pub fn shown_at(&self, id: PostId) -> Time {
        due_at(id.time(), self.hold_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::feed_op::FeedOp;
    use crate::feed::store::{Options, Store, home_key};
    use crate::record::offsets::LogPos;
    use crate::relationship::decode;
    use crate::watch;
    use parking_lot::RwLock;
    use std::sync::Arc;
    use std::time::Duration;
    use tempfile::TempDir;

    const NOW: i64 = 1_000_000;

    /// Account 7, with this patience, follows somebody at an origin that is waited for for 10 s and somebody at one for 60 s. Its home
    /// has a post of each of the last seconds that are named.
    struct Held {
        view: View,
        home: FeedRef,
        _folder: TempDir,
    }

    impl Held {
        fn new(patience: &str, seconds_ago: &[i64]) -> Held {
            let folder = tempfile::tempdir().unwrap();
            let store = Store::open(Options {
                length: 100,
                boost_repeat_after: Duration::from_secs(3_600),
                ..Options::of_tests(folder.path())
            });
            let store = Arc::new(store.unwrap());
            let mut graph = Graph::default();
            for document in [
                r#"{"type":"follow","account":"7","target":"https://bridge.example/ana"}"#
                    .to_owned(),
                r#"{"type":"follow","account":"7","target":"https://slow.example/bob"}"#.to_owned(),
                format!(r#"{{"type":"ordering","account":"7","patience":"{patience}"}}"#),
            ] {
                graph.apply(&decode(None, Some(document.as_bytes())).unwrap());
            }
            graph.set_new_waits(|host| {
                Duration::from_secs(if host == "slow.example" { 60 } else { 10 })
            });
            let account = graph.account("7").unwrap();
            store.homes.add(account, home_key("7"));
            for (n, ago) in seconds_ago.iter().enumerate() {
                let log_pos = LogPos::of_activity(0, i64::try_from(n).unwrap());
                store
                    .homes
                    .apply(&[account], &[FeedOp::insert(place(*ago), log_pos)]);
            }
            let (_, watching) = watch::channel(Arc::default());
            let view = View {
                graph: Arc::new(RwLock::new(graph)),
                ..View::of(store, watching)
            };
            view.horizons.set_built(Time::from_millis(NOW));
            let home = FeedRef::Home {
                account: "7".to_owned(),
            };
            Held {
                view,
                home,
                _folder: folder,
            }
        }

        fn preview(&self, patience: Option<&str>) -> Preview {
            let patience = patience.map(|text| text.parse().unwrap());
            let preview = self.view.preview(&self.home, patience, at(0));
            preview.unwrap().unwrap()
        }
    }

    fn at(seconds_ago: i64) -> Time {
        Time::from_millis(NOW - seconds_ago * 1_000)
    }

    fn place(seconds_ago: i64) -> PostId {
        PostId::new(at(seconds_ago), 5, 0)
    }

    /// A failure means that an operator is shown another home than the account would have at that patience.
    #[test]
    fn it_shows_the_feed_as_any_patience_would_and_what_waits_for_whom_until_when() {
        let held = Held::new("30s", &[90, 40, 20, 5]);
        let check = |patience, shown: &[i64], hold_s: i64, by: &[&str]| {
            let preview = held.preview(patience);
            let all = [90, 40, 20, 5];
            let shown: Vec<PostId> = shown.iter().map(|ago| place(*ago)).collect();
            let waiting = all.map(place).into_iter().filter(|id| !shown.contains(id));
            assert_eq!(preview.snapshot.ids(), shown, "{patience:?}");
            assert_eq!(
                preview.waiting(),
                waiting.collect::<Vec<_>>(),
                "{patience:?}"
            );
            assert_eq!(
                (preview.hold_ms, &preview.held_by[..]),
                (
                    hold_s * 1_000,
                    &by.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>()[..]
                )
            );
            for id in preview.waiting() {
                let due = preview.shown_at(id);
                assert_eq!(due.since(id.time()), hold_s * 1_000);
                assert!(at(0) < due, "what is due is shown");
            }
        };
        check(Some("0s"), &[90, 40, 20, 5], 0, &[]);
        check(Some("5s"), &[90, 40, 20, 5], 0, &[]);
        check(None, &[90, 40, 20], 10, &["bridge.example"]);
        check(Some("30s"), &[90, 40, 20], 10, &["bridge.example"]);
        check(Some("1m"), &[90], 60, &["slow.example"]);
        check(Some("complete"), &[90], 60, &["slow.example"]);
        assert_eq!(
            held.preview(Some("complete")).snapshot.visible.horizon,
            Some(at(60))
        );
    }

    /// A failure means that looking at a home changes what its owner sees of it.
    #[test]
    fn it_moves_no_horizon_of_the_account_and_holds_back_nothing_that_was_seen() {
        let held = Held::new("2m", &[90, 40, 5]);
        let home = || {
            let seen = held.view.snapshot(&held.home, None, at(0)).unwrap();
            seen.unwrap().ids().to_vec()
        };
        for patience in [Some("0s"), Some("10s"), Some("complete"), None] {
            held.preview(patience);
        }
        assert_eq!(held.view.horizons.unstored(), []);
        assert_eq!(home(), [place(90)], "as if nobody had looked");
        assert_eq!(held.view.horizons.unstored().len(), 1);
        // Once seen it stays so, in a preview of the account's own patience too; a patience that is tried starts from nothing.
        held.view.horizons.reach("7", at(30));
        let shown = |patience| held.preview(patience).snapshot.ids().to_vec();
        assert_eq!(shown(None), [place(90), place(40)]);
        assert_eq!(shown(Some("2m")), [place(90)]);
    }

    #[test]
    fn there_is_none_of_a_feed_that_is_not_there() {
        let held = Held::new("0s", &[]);
        let stranger = FeedRef::Home {
            account: "8".to_owned(),
        };
        assert!(held.view.preview(&stranger, None, at(0)).unwrap().is_none());
    }
}
