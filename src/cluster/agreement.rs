//! The hash of all that decides feeds and ids: nodes that differ in it would show one account different feeds, or give one post two ids.

use crate::mastodon::ids::Ids;
use slackwater_engine::engine;
use slackwater_engine::feed::store;
use xxhash_rust::xxh3::xxh3_64;

/// Goes up whenever the rules, or the places of posts, become others in a release.
const RULES: u32 = 1;

/// The hash of what decides feeds, and what clients are shown of them, in hexadecimal. How long feeds wait is no part of it.
pub fn decides(store: &store::Options, engine: &engine::Options, ids: Ids) -> String {
    let all = format!(
        "rules {RULES}\nlength {}\nboosts {:?}\nplace {}\nwindows {}\nobjects {}\nids {ids:?}\n",
        store.length,
        store.boost_repeat_after,
        engine.place_source.name(),
        engine.windows.deciding(),
        engine.keep_objects,
    );
    format!("{:016x}", xxh3_64(all.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use slackwater_order::ref_place::PlaceSource;
    use slackwater_order::window::{HostPattern, ReorderWindow, TooLatePolicy, Window};
    use std::time::Duration;

    fn defaults() -> (store::Options, engine::Options) {
        let config = crate::config::Config::defaults(0);
        (config.store, config.pipeline.engine)
    }

    /// Were this to fail, two nodes would show one account different feeds; or a window that is tuned would stop a node.
    #[test]
    fn it_changes_with_what_decides_feeds_and_ids_and_with_nothing_else() {
        let (store, engine) = defaults();
        let usual = decides(&store, &engine, Ids::Place);
        let other = |change: &dyn Fn(&mut store::Options, &mut engine::Options)| {
            let (mut store, mut engine) = defaults();
            change(&mut store, &mut engine);
            decides(&store, &engine, Ids::Place)
        };
        let window = |seconds, too_late| Window {
            reorder_window: ReorderWindow::Fixed(Duration::from_secs(seconds)),
            too_late,
            ..Window::default()
        };
        let named = |seconds, too_late| {
            other(&move |_, engine| {
                let host = HostPattern::Host("a.example".to_owned());
                engine.windows.set(host, window(seconds, too_late)).unwrap();
            })
        };
        assert_eq!(other(&|_, _| {}), usual);
        assert_eq!(named(9, TooLatePolicy::Bury), usual);
        assert_eq!(other(&|store, _| store.cache_bytes += 1), usual);
        let dropping = named(9, TooLatePolicy::Drop);
        let all = [
            usual,
            dropping.clone(),
            named(8, TooLatePolicy::Drop),
            other(&|store, _| store.length += 1),
            other(&|store, _| store.boost_repeat_after = Duration::ZERO),
            other(&|_, engine| engine.place_source = PlaceSource::Ref),
            other(&|_, engine| engine.keep_objects = false),
            decides(&store, &engine, Ids::Ref),
            other(&|_, engine| engine.windows.clock_skew = Duration::ZERO),
        ];
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len(), "{all:?}");
    }
}
