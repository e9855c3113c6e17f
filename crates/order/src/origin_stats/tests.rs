//! What is learned from delays, and what is not.

use super::*;
use crate::decaying_histogram::HALF_LIFE;
use proptest::prelude::*;

const NOON: Time = Time::from_millis(1_763_805_600_000);

fn auto() -> Auto {
    Auto {
        quantile: 0.9,
        min: Duration::from_secs(1),
        max: Duration::from_secs(1800),
    }
}

/// The window a delay of so many milliseconds asks for.
fn window(ms: i64) -> Duration {
    Duration::from_millis(upper_bound_ms(bucket_of(ms)).unsigned_abs())
}

/// So many posts, `apart` from each other, the first at `from`; when the last arrived.
fn count(delays: &mut OriginStats, posts: u64, delay_ms: i64, from: Time, apart: Duration) -> Time {
    let mut arrived = from;
    for n in 0..posts {
        arrived = from.plus(apart * u32::try_from(n).unwrap());
        delays.count(Verdict::InTime, Some(delay_ms), arrived, &auto());
    }
    arrived
}

fn learned(delay_ms: i64) -> OriginStats {
    let mut delays = OriginStats::default();
    count(
        &mut delays,
        OBSERVATIONS_MIN,
        delay_ms,
        NOON,
        Duration::ZERO,
    );
    delays
}

#[test]
fn a_window_is_learned_from_so_many_posts_and_no_fewer() {
    let mut delays = OriginStats::default();
    count(
        &mut delays,
        OBSERVATIONS_MIN - 1,
        20_000,
        NOON,
        Duration::ZERO,
    );
    assert_eq!(delays.learned(), None);
    let moved = delays.count(Verdict::InTime, Some(20_000), NOON, &auto());
    assert_eq!(moved, Learned::Moved);
    assert_eq!(delays.learned(), Some(window(20_000)));
}

#[test]
fn a_window_stays_between_its_bounds() {
    assert_eq!(learned(3).learned(), Some(auto().min));
    assert_eq!(learned(3_600_000).learned(), Some(auto().max));
}

#[test]
fn a_window_covers_the_share_that_was_asked_for() {
    for (slow, meant) in [(25, 1_000), (26, 60_000)] {
        let mut delays = OriginStats::default();
        count(&mut delays, slow, 60_000, NOON, Duration::ZERO);
        count(
            &mut delays,
            OBSERVATIONS_MIN - slow,
            1_000,
            NOON,
            Duration::ZERO,
        );
        assert_eq!(delays.learned(), Some(window(meant)), "{slow} of 250");
    }
}

#[test]
fn every_delay_counts_but_those_that_are_none() {
    use Verdict::{Fetched, FromTheFuture, InTime, Late, TooLate, Undated};
    let max_ms = millis_of(auto().max);
    for (verdict, delay_ms, counts) in [
        (InTime, Some(500), true),
        (InTime, Some(-500), true),
        (Late, Some(80_000_000), true),
        (TooLate, Some(max_ms), true),
        (TooLate, Some(max_ms + 1), false),
        (FromTheFuture, Some(-500_000), false),
        (Undated, None, false),
        (Fetched, Some(500), false),
    ] {
        let mut delays = OriginStats::default();
        for _ in 0..OBSERVATIONS_MIN {
            delays.count(verdict, delay_ms, NOON, &auto());
        }
        assert_eq!(
            delays.learned().is_some(),
            counts,
            "{verdict:?} {delay_ms:?}"
        );
        assert_eq!(
            delays.quantile_ms(0.5).is_some(),
            counts,
            "{verdict:?} {delay_ms:?}"
        );
        assert_eq!(
            delays.max_ms().is_some(),
            counts,
            "{verdict:?} {delay_ms:?}"
        );
        assert_eq!(delays.with(verdict), OBSERVATIONS_MIN);
        assert_eq!(delays.last_heard(), NOON);
    }
}

/// Were this to fail, a window once short would find all that is slower too late, see only what is fast, and stay short.
#[test]
fn a_window_that_misses_nearly_all_does_not_stay() {
    let mut delays = learned(1_000);
    for _ in 0..1_000 {
        delays.count(Verdict::TooLate, Some(120_000), NOON, &auto());
    }
    assert_eq!(delays.learned(), Some(window(120_000)));
}

#[test]
fn a_window_grows_at_once() {
    let mut delays = learned(1_000);
    // Of 250 and n, more than a tenth are slow from n = 28 on; it is looked at every 16.
    count(&mut delays, 31, 900_000, NOON, Duration::ZERO);
    assert_eq!(delays.learned(), Some(window(1_000)));
    count(&mut delays, 1, 900_000, NOON, Duration::ZERO);
    assert_eq!(delays.learned(), Some(window(900_000)));
}

#[test]
fn a_window_shrinks_a_bucket_at_a_time() {
    let mut delays = learned(900_000);
    let slow = delays.learned().unwrap();
    let before = NOON.plus(SHRINK_EVERY).minus(Duration::from_millis(1));
    count(&mut delays, 16_000, 1_000, before, Duration::ZERO);
    assert_eq!(delays.learned(), Some(slow), "too soon");
    let mut now = NOON;
    let mut last = slow;
    let mut steps = 0;
    while last != window(1_000) {
        now = now.plus(SHRINK_EVERY);
        count(&mut delays, 160, 1_000, now, Duration::ZERO);
        let next = delays.learned().unwrap();
        assert_eq!(bucket_of(millis_of(next)), bucket_of(millis_of(last)) - 1);
        assert!(next < last);
        last = next;
        steps += 1;
    }
    assert_eq!(steps, bucket_of(900_000) - bucket_of(1_000));
}

#[test]
fn a_share_that_wavers_about_the_quantile_does_not_make_the_window_waver() {
    let mut delays = OriginStats::default();
    let mut now = NOON;
    let mut moves = 0;
    // 9.5 % and 10.5 % slow by turns, for a hundred days; 10 % may be.
    for day in 0..100_u32 {
        let slow = if day % 2 == 0 { 95 } else { 105 };
        for n in 0..1_000 {
            now = now.plus(HALF_LIFE / 1_000);
            let delay_ms = if n * slow % 1_000 < slow {
                60_000
            } else {
                1_000
            };
            let moved = delays.count(Verdict::InTime, Some(delay_ms), now, &auto());
            moves += u32::from(moved == Learned::Moved);
        }
    }
    assert!(moves <= 3, "{moves} moves");
    assert_eq!(delays.learned(), Some(window(60_000)));
}

#[test]
fn one_post_out_of_a_long_silence_moves_nothing() {
    let mut delays = learned(1_000);
    let later = NOON.plus(30 * HALF_LIFE);
    // It is looked at every 16 posts, so the next time after the ninth late one.
    let few = WEIGHT_MIN as u64 - 1;
    count(&mut delays, LOOK_EVERY - few, 1_000, NOON, Duration::ZERO);
    count(&mut delays, few, 900_000, later, Duration::ZERO);
    assert_eq!(delays.learned(), Some(window(1_000)));
    count(&mut delays, LOOK_EVERY, 900_000, later, Duration::ZERO);
    assert_eq!(delays.learned(), Some(window(900_000)));
}

#[test]
fn a_delay_that_is_shifted_and_not_wide_looks_scheduled() {
    assert!(learned(902_000).looks_scheduled());
    assert!(!learned(30_000).looks_scheduled(), "short");
    let mut wide = learned(902_000);
    count(&mut wide, 50, 70_000, NOON, Duration::ZERO);
    assert!(!wide.looks_scheduled(), "wide");
    let mut few = OriginStats::default();
    count(
        &mut few,
        OBSERVATIONS_MIN - 1,
        902_000,
        NOON,
        Duration::ZERO,
    );
    assert!(!few.looks_scheduled(), "too few to tell");
}

#[test]
fn a_curve_is_learned_with_the_window_and_moves_on_its_own() {
    let mut delays = OriginStats::default();
    let almost = OBSERVATIONS_MIN - 1;
    count(&mut delays, almost, 1_000, NOON, Duration::ZERO);
    assert_eq!(delays.curve(), None);
    count(&mut delays, 1, 1_000, NOON, Duration::ZERO);
    let before = delays.curve().cloned().unwrap();
    // 1 % of them are slow, then 5 %: less than the window may miss.
    count(&mut delays, 3, 900_000, NOON, Duration::ZERO);
    count(&mut delays, LOOK_EVERY - 3, 1_000, NOON, Duration::ZERO);
    assert_eq!(delays.curve(), Some(&before), "within the dead band");
    count(&mut delays, LOOK_EVERY - 1, 900_000, NOON, Duration::ZERO);
    let moved = delays.count(Verdict::Late, Some(900_000), NOON, &auto());
    assert_eq!(moved, Learned::Moved);
    assert_ne!(delays.curve(), Some(&before));
    assert_eq!(delays.learned(), Some(window(1_000)));
    // Feeds come to wait longer at once, and shorter not so soon.
    let within = |delays: &OriginStats, ms| delays.curve().unwrap().shortest(0.9)[bucket_of(ms)];
    let before = within(&delays, 60_000);
    count(&mut delays, 6 * LOOK_EVERY, 20_000, NOON, Duration::ZERO);
    let longer = within(&delays, 60_000);
    assert!(before < longer);
    let early = NOON.plus(SHRINK_EVERY).minus(Duration::from_millis(1));
    count(&mut delays, 1_600, 1_000, early, Duration::ZERO);
    assert_eq!(within(&delays, 60_000), longer);
    count(
        &mut delays,
        LOOK_EVERY,
        1_000,
        NOON.plus(SHRINK_EVERY),
        Duration::ZERO,
    );
    assert_eq!(within(&delays, 60_000), before);
    // One post out of a long silence tells nothing here either.
    let (before, later) = (delays.curve().cloned(), NOON.plus(30 * HALF_LIFE));
    count(&mut delays, LOOK_EVERY - 9, 1_000, NOON, Duration::ZERO);
    count(&mut delays, 9, 900_000, later, Duration::ZERO);
    assert_eq!(delays.curve().cloned(), before);
}

#[test]
fn what_is_known_survives_being_stored() {
    let mut delays = learned(20_000);
    delays.count(Verdict::Undated, None, NOON, &auto());
    // The curve is not the histogram's any more: it is stored, not made anew.
    count(&mut delays, 4, 60_000, NOON, Duration::ZERO);
    assert_ne!(delays.curve().cloned(), DelayCurve::new(&delays.histogram));
    let row = delays.to_row(&[0, 7]);
    assert_eq!(
        OriginStats::from_row(row.clone()),
        Some((delays, vec![0, 7]))
    );
    let mut unsound = row;
    unsound.learned_ms = Some(-1);
    assert_eq!(OriginStats::from_row(unsound), None);
}

proptest! {
    /// Were this to fail, an operator would be shown a window shorter than the delays it must cover.
    #[test]
    fn a_quantile_is_at_most_one_bucket_too_high(mut seen in prop::collection::vec(-5i64..1_000_000_000, 1..300), q in 0.0f64..=1.0) {
        let mut delays = OriginStats::default();
        for ms in &seen {
            delays.count(Verdict::Late, Some(*ms), NOON, &auto());
        }
        seen.sort_unstable();
        let rank = ((q * seen.len() as f64 - 1e-6).ceil() as usize).max(1);
        let exact = seen[rank - 1].max(0);
        let found = delays.quantile_ms(q).unwrap();
        prop_assert!(exact <= found, "{exact} <= {found}");
        if exact < 438_000_000 {
            prop_assert!(found as f64 <= (exact.max(1) as f64 * 1.39).ceil() + 1.0, "{found} for {exact}");
        }
    }
}
