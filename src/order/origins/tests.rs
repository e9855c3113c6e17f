//! Counting once, across origins and restarts.

use super::*;
use crate::order::delays::OBSERVATIONS_MIN;
use crate::order::window::Window as Wanted;
use crate::time::millis_of;

const NOON: Time = Time::from_millis(1_763_805_600_000);

fn auto() -> Windows {
    let mut windows = Windows::default();
    windows.default.reorder_window = ReorderWindow::Auto;
    windows
}

fn seen(delay_ms: i64, partition: i32, offset: i64) -> Seen {
    Seen {
        verdict: Verdict::InTime,
        delay_ms: Some(delay_ms),
        arrived: NOON,
        partition,
        offset,
    }
}

/// Takes in records of one post each.
fn take(
    origins: &mut Origins,
    host: &str,
    delay_ms: i64,
    partition: i32,
    offsets: std::ops::Range<i64>,
) {
    for offset in offsets {
        origins.count(host, seen(delay_ms, partition, offset), &auto());
        origins.passed(partition, offset);
    }
}

fn posts(origins: &Origins, host: &str) -> u64 {
    origins.get(host).map_or(0, Delays::posts)
}

const ENOUGH: i64 = OBSERVATIONS_MIN as i64;

#[test]
fn a_record_read_again_counts_once_and_all_its_posts_count() {
    let mut origins = Origins::default();
    for (partition, offset) in [(0, 5), (0, 5), (0, 4), (1, 5), (0, 6)] {
        // A boost that brought what it boosts along: two posts of one record.
        origins.count("a.example", seen(10, partition, offset), &auto());
        origins.count("a.example", seen(10, partition, offset), &auto());
        origins.passed(partition, offset);
    }
    assert_eq!(posts(&origins, "a.example"), 2 * 3);
}

#[test]
fn one_origin_never_moves_anothers_window() {
    let mut origins = Origins::default();
    take(&mut origins, "a.example", 10_000, 0, 0..ENOUGH);
    let before = origins.get("a.example").cloned();
    let wait = origins.wait("a.example", &auto());
    take(
        &mut origins,
        "liar.example",
        100_000_000,
        0,
        ENOUGH..20 * ENOUGH,
    );
    assert_eq!(origins.get("a.example").cloned(), before);
    assert_eq!(origins.wait("a.example", &auto()), wait);
    let longest = millis_of(auto().auto.max);
    assert_eq!(origins.wait("liar.example", &auto()).window_ms(), longest);
    assert_eq!(origins.wait("unheard.example", &auto()), Wait::default());
}

#[test]
fn what_moved_is_told_once_and_only_where_it_is_learned() {
    let mut windows = auto();
    let fixed = Wanted {
        reorder_window: ReorderWindow::Fixed(Duration::from_secs(7)),
        ..Wanted::default()
    };
    windows.name("fixed.example", fixed).unwrap();
    let mut origins = Origins::default();
    take(&mut origins, "a.example", 10_000, 0, 0..ENOUGH - 1);
    take(&mut origins, "fixed.example", 10_000, 1, 0..ENOUGH);
    assert_eq!(origins.waits_moved(&windows), []);
    take(&mut origins, "a.example", 10_000, 0, ENOUGH - 1..ENOUGH);
    let wait = origins.wait("a.example", &windows);
    assert!(10_000 <= wait.window_ms());
    assert_eq!(origins.waits_moved(&windows), [("a.example".into(), wait)]);
    assert_eq!(origins.waits_moved(&windows), []);
    assert_eq!(
        origins.wait("fixed.example", &windows),
        Duration::from_secs(7).into()
    );
    // It grows twice before it is asked about.
    take(&mut origins, "a.example", 60_000, 0, ENOUGH..2 * ENOUGH);
    take(
        &mut origins,
        "a.example",
        600_000,
        0,
        2 * ENOUGH..9 * ENOUGH,
    );
    let wait = origins.wait("a.example", &windows);
    assert!(600_000 <= wait.window_ms());
    assert_eq!(origins.waits_moved(&windows), [("a.example".into(), wait)]);
}

#[test]
fn origins_past_the_bound_are_counted_together_and_learned_of_none() {
    let mut origins = Origins::default();
    for n in 0..ORIGINS_MAX {
        origins.count(&format!("h{n}.example"), seen(1, 0, 0), &auto());
    }
    take(&mut origins, "one.example", 10_000, 1, 0..ENOUGH);
    take(&mut origins, "other.example", 10_000, 1, ENOUGH..2 * ENOUGH);
    take(
        &mut origins,
        "h7.example",
        10_000,
        1,
        2 * ENOUGH..3 * ENOUGH,
    );
    assert_eq!(origins.len(), ORIGINS_MAX + 1);
    assert_eq!(posts(&origins, OTHERS), 2 * OBSERVATIONS_MIN);
    assert_eq!(posts(&origins, "h7.example"), 1 + OBSERVATIONS_MIN);
    for host in ["one.example", "other.example", OTHERS] {
        assert_eq!(origins.wait(host, &auto()), Wait::default(), "{host}");
    }
    let moved = origins.waits_moved(&auto());
    assert_eq!(moved.len(), 1, "{moved:?}");
}

/// After every number of records that a crash may have left uncounted, and with the offsets of the checkpoint before.
#[test]
fn what_was_stored_ahead_of_the_offsets_is_not_counted_twice() {
    for stored_at in 0..8_i64 {
        for reflected in 0..=stored_at {
            let mut before = Origins::default();
            take(&mut before, "a.example", 10, 1, 0..stored_at);
            let rows = before.unstored();
            assert!(before.unstored().is_empty());
            let mut after = Origins::default();
            for (host, bytes) in &rows {
                assert!(after.restore(host, bytes, &[0, reflected]));
            }
            take(&mut after, "a.example", 10, 0, 0..3);
            take(
                &mut after,
                "a.example",
                10,
                1,
                reflected..reflected.max(stored_at - 1),
            );
            // And once more, before it has caught up.
            let rows = after.unstored();
            let again = rows.iter().map(|(host, bytes)| (host, bytes));
            let mut last = Origins::default();
            for (host, bytes) in again {
                assert!(last.restore(host, bytes, &[0, reflected]));
            }
            take(&mut last, "a.example", 10, 0, 0..3);
            take(&mut last, "a.example", 10, 1, reflected..8);
            assert_eq!(posts(&last, "a.example"), 3 + 8, "{stored_at} {reflected}");
        }
    }
}

#[test]
fn after_a_restart_all_that_is_learned_is_told() {
    let mut before = Origins::default();
    take(&mut before, "a.example", 10_000, 0, 0..ENOUGH);
    take(&mut before, "b.example", 10_000, 0, ENOUGH..ENOUGH + 1);
    let wait = before.wait("a.example", &auto());
    let mut after = Origins::default();
    for (host, bytes) in before.unstored() {
        assert!(after.restore(&host, &bytes, &[ENOUGH + 1]));
    }
    assert_eq!(after.waits_moved(&auto()), [("a.example".into(), wait)]);
    assert!(!after.restore("c.example", b"\x01odd", &[]));
    assert_eq!(after.len(), 2);
}

#[test]
fn some_of_them_are_given_by_posts_or_by_host() {
    let mut origins = Origins::default();
    let all = [("b", 3), ("a", 1), ("d", 2), ("c", 2)];
    for (partition, (host, posts)) in (0..).zip(all) {
        take(&mut origins, host, 10, partition, 0..posts);
    }
    let hosts = |rows: Vec<(Arc<str>, Delays)>| {
        let hosts = rows.iter().map(|(host, _)| host.to_string());
        hosts.collect::<Vec<_>>().join(" ")
    };
    for (count, meant) in [(0, ""), (1, "b"), (2, "b c"), (3, "b c d"), (9, "b c d a")] {
        assert_eq!(hosts(origins.busiest(count)), meant);
    }
    for (after, count, meant) in [
        (None, 2, "a b"),
        (None, 4, "a b c d"),
        (Some("b"), 2, "c d"),
        (Some("bb"), 1, "c"),
        (Some("d"), 9, ""),
    ] {
        assert_eq!(hosts(origins.by_host(after, count)), meant);
    }
    assert_eq!(origins.posts(), [8, 0, 0, 0, 0, 0]);
}
