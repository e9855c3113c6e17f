//! Counting once, across origins and restarts.

use super::*;
use crate::origin_stats::OBSERVATIONS_MIN;
use crate::time::millis_of;
use crate::window::{HostPattern, Window as Wanted};

const NOON: Time = Time::from_millis(1_763_805_600_000);

fn auto() -> Windows {
    let mut windows = Windows::default();
    windows.default.reorder_window = ReorderWindow::Auto;
    windows
}

fn seen(delay_ms: i64, partition: i32, offset: i64) -> Observation {
    Observation {
        verdict: Verdict::InTime,
        delay_ms: Some(delay_ms),
        arrived: NOON,
        at: RecordAt { partition, offset },
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
    origins.get(host).map_or(0, OriginStats::posts)
}

/// The last two labels.
pub(super) fn domain_of(host: &str) -> &str {
    match host.rmatch_indices('.').nth(1) {
        Some((dot, _)) => &host[dot + 1..],
        None => host,
    }
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
    let wait = origins.hold("a.example", &auto());
    take(
        &mut origins,
        "liar.example",
        100_000_000,
        0,
        ENOUGH..20 * ENOUGH,
    );
    assert_eq!(origins.get("a.example").cloned(), before);
    assert_eq!(origins.hold("a.example", &auto()), wait);
    let longest = millis_of(auto().auto.max);
    assert_eq!(origins.hold("liar.example", &auto()).window_ms(), longest);
    assert_eq!(
        origins.hold("unheard.example", &auto()),
        OriginHold::default()
    );
}

#[test]
fn what_moved_is_told_once_and_only_where_it_is_learned() {
    let mut windows = auto();
    let fixed = Wanted {
        reorder_window: ReorderWindow::Fixed(Duration::from_secs(7)),
        ..Wanted::default()
    };
    windows
        .set(HostPattern::Host("fixed.example".to_owned()), fixed)
        .unwrap();
    let mut origins = Origins::default();
    take(&mut origins, "a.example", 10_000, 0, 0..ENOUGH - 1);
    take(&mut origins, "fixed.example", 10_000, 1, 0..ENOUGH);
    assert_eq!(origins.take_changed_holds(&windows), []);
    take(&mut origins, "a.example", 10_000, 0, ENOUGH - 1..ENOUGH);
    let wait = origins.hold("a.example", &windows);
    assert!(10_000 <= wait.window_ms());
    assert_eq!(
        origins.take_changed_holds(&windows),
        [("a.example".into(), wait)]
    );
    assert_eq!(origins.take_changed_holds(&windows), []);
    assert_eq!(
        origins.hold("fixed.example", &windows),
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
    let wait = origins.hold("a.example", &windows);
    assert!(600_000 <= wait.window_ms());
    assert_eq!(
        origins.take_changed_holds(&windows),
        [("a.example".into(), wait)]
    );
}

/// Were this to fail, whoever has a wildcard certificate could end learning for every origin that comes later.
#[test]
fn names_that_are_made_up_below_one_domain_leave_room_for_all_others() {
    let mut origins = Origins::by_domain(domain_of);
    for n in 0..2 * ORIGINS_MAX {
        origins.count(&format!("h{n}.evil.example"), seen(1, 0, 0), &auto());
    }
    let names = OF_DOMAIN_MAX as usize;
    assert_eq!(origins.len(), names + 1);
    assert_eq!(posts(&origins, OTHERS), (2 * ORIGINS_MAX - names) as u64);
    assert_eq!(origins.hold(OTHERS, &auto()), OriginHold::default());
    take(&mut origins, "good.example", 10_000, 1, 0..ENOUGH);
    assert!(10_000 <= origins.hold("good.example", &auto()).window_ms());
}

/// Were this to fail, as many domains as are remembered, heard once each, would end learning too; or make others be forgotten
/// that are heard, or fill memory.
#[test]
fn past_the_bound_those_give_way_that_are_hardly_heard() {
    let mut origins = Origins::default();
    take(&mut origins, "old.example", 10_000, 0, 0..ENOUGH);
    for n in 0..3 * ORIGINS_MAX {
        origins.count(&format!("h{n}-evil.example"), seen(1, 1, 0), &auto());
        assert!(origins.len() <= ORIGINS_MAX + 1);
        if n == ORIGINS_MAX {
            // Between two checkpoints all that is known is stored once.
            let rows = origins.unstored();
            assert!(rows.iter().all(|(_, row)| row.is_some()));
        }
    }
    take(&mut origins, "new.example", 10_000, 2, 0..ENOUGH);
    for host in ["old.example", "new.example"] {
        assert_eq!(posts(&origins, host), OBSERVATIONS_MIN, "{host}");
        assert!(10_000 <= origins.hold(host, &auto()).window_ms(), "{host}");
    }
    let posts = (3 * ORIGINS_MAX) as u64 + 2 * OBSERVATIONS_MIN;
    assert_eq!(origins.posts()[0], posts, "what gave way is counted still");
    // What gave way goes from the disk, and what is there now is what is known.
    let rows = origins.unstored();
    let gone = rows.iter().filter(|(_, row)| row.is_none()).count();
    assert!((1..=ORIGINS_MAX + 1).contains(&gone), "{gone}");
    let is_known = |host: &str| origins.get(host).is_some();
    assert!(
        rows.iter()
            .all(|(host, row)| is_known(host) == row.is_some())
    );
}

#[test]
fn nobody_waits_for_an_origin_that_gave_way() {
    let mut origins = Origins::default();
    take(&mut origins, "old.example", 10_000, 0, 0..ENOUGH);
    let wait = origins.hold("old.example", &auto());
    assert_eq!(
        origins.take_changed_holds(&auto()),
        [("old.example".into(), wait)]
    );
    let mut n = 0;
    while origins.get("old.example").is_some() {
        take(
            &mut origins,
            &format!("h{n}.example"),
            1,
            1 + n,
            0..ENOUGH + 1,
        );
        n += 1;
        if n as usize == ORIGINS_MAX + 100 {
            panic!("it never gave way");
        }
    }
    let moved = origins.take_changed_holds(&auto());
    assert_eq!(
        moved.first(),
        Some(&("old.example".into(), OriginHold::default()))
    );
}

#[test]
fn what_is_refused_is_counted_once_for_its_origin() {
    let mut origins = Origins::default();
    for offset in [3, 3, 2, 4] {
        let at = RecordAt {
            partition: 0,
            offset,
        };
        origins.count_refused("evil.example", at);
        origins.passed(0, offset);
    }
    let refused = |origins: &Origins| origins.get("evil.example").map(OriginStats::refused);
    assert_eq!(refused(&origins), Some(2));
    let mut after = Origins::default();
    for (host, row) in origins.unstored() {
        assert!(after.restore(&host, row.unwrap(), &[4]));
    }
    after.count_refused(
        "evil.example",
        RecordAt {
            partition: 0,
            offset: 4,
        },
    );
    assert_eq!(refused(&after), Some(2), "it was counted before the crash");
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
            for (host, row) in &rows {
                assert!(after.restore(host, row.clone().unwrap(), &[0, reflected]));
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
            let again = rows.iter().map(|(host, row)| (host, row));
            let mut last = Origins::default();
            for (host, row) in again {
                assert!(last.restore(host, row.clone().unwrap(), &[0, reflected]));
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
    let wait = before.hold("a.example", &auto());
    let mut after = Origins::default();
    for (host, row) in before.unstored() {
        assert!(after.restore(&host, row.unwrap(), &[ENOUGH + 1]));
    }
    assert_eq!(
        after.take_changed_holds(&auto()),
        [("a.example".into(), wait)]
    );
    let mut unsound = OriginStats::default().to_row(&[]);
    unsound.learned_ms = Some(-1);
    assert!(!after.restore("c.example", unsound, &[]));
    assert_eq!(after.len(), 2);
}

#[test]
fn some_of_them_are_given_by_posts_or_by_host() {
    let mut origins = Origins::default();
    let all = [("b", 3), ("a", 1), ("d", 2), ("c", 2)];
    for (partition, (host, posts)) in (0..).zip(all) {
        take(&mut origins, host, 10, partition, 0..posts);
    }
    let hosts = |rows: Vec<(Arc<str>, OriginStats)>| {
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
