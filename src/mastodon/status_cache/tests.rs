//! Statuses are made on threads that no other task waits for.

use super::*;
use crate::example;
use slackwater_engine::feed::store::disk::{waiting, without_waiting};
use slackwater_engine::feed::store::{Options, Store};
use slackwater_engine::view::View;
use slackwater_engine::watch;
use slackwater_order::place::PostId;
use std::time::Duration;

const ANA: &str = "https://a.example/users/ana";

/// A failure means that a long post is made harmless once for each reader, or on a thread that other tasks wait for.
#[test]
fn a_long_post_is_shown_where_nobody_waits_and_once_for_all() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(Options {
        path: folder.path().to_owned(),
        length: 10,
        boost_repeat_after: Duration::from_millis(100),
        unflushed_entries_max: 1_000,
        unflushed_bytes_max: 1 << 20,
        cache_bytes: 1 << 20,
    });
    let (_built, watching) = watch::channel(Arc::default());
    let state = AppState::of(View::of(Arc::new(store.unwrap()), watching));
    let status_cache = StatusCache::new(Ids::Place);
    let post = |ms: i64, text: &str| {
        let mut post = example::post(ANA);
        let object = serde_json::json!({"content": text}).to_string();
        post.id = PostId::new(Time::from_millis(ms), 5, 0);
        post.body.object = serde_json::value::RawValue::from_string(object).unwrap();
        Arc::new(post)
    };
    let shown = |post: &Arc<Post>, base_url: &str| {
        let status_cache = status_cache.at(base_url);
        let status = status_cache.status(&state, Arc::clone(post), None, Time::default());
        status.ok().flatten()
    };
    let (home, short) = ("https://home.example", post(1, "short"));
    // Whatever else is read for it is at hand from here on.
    waiting(|| shown(&short, home)).unwrap();
    assert!(
        without_waiting(|| shown(&post(2, "short"), home))
            .flatten()
            .is_some()
    );

    let long = post(3, &"<p>long</p>".repeat(2_000));
    assert!(without_waiting(|| shown(&long, home)).is_none());
    let all = std::sync::Barrier::new(20);
    let found: Vec<_> = std::thread::scope(|scope| {
        let ask = || {
            all.wait();
            waiting(|| shown(&long, home)).unwrap()
        };
        let context: Vec<_> = (0..20).map(|_| scope.spawn(ask)).collect();
        context.into_iter().map(|it| it.join().unwrap()).collect()
    });
    assert!(found.iter().all(|it| Arc::ptr_eq(it, &found[0])));
    let again = without_waiting(|| shown(&long, home)).flatten();
    assert!(Arc::ptr_eq(&again.unwrap(), &found[0]));
    let elsewhere = waiting(|| shown(&long, "https://www.home.example")).unwrap();
    assert!(!Arc::ptr_eq(&elsewhere, &found[0]));
}
