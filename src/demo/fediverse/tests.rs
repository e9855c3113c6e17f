//! The made-up fediverse: what is written, when it comes, and whether the service understands it.

use super::people::ORIGINS;
use super::*;
use slackwater_engine::activity::Activity;
use slackwater_engine::activity::parse::decode;
use slackwater_engine::record::Vouched;
use std::collections::BTreeSet;

const START: Time = Time::from_millis(1_763_748_000_000);

fn day(seed: u64) -> Vec<ScheduledPost> {
    (0..24).flat_map(|nth| hour(seed, START, nth)).collect()
}

fn of(posts: &[ScheduledPost], style: DeliveryStyle) -> Vec<ScheduledPost> {
    let (host, ..) = ORIGINS.iter().find(|it| it.1 == style).unwrap();
    let from_there = |it: &&ScheduledPost| it.handle.ends_with(&format!("@{host}"));
    posts.iter().filter(from_there).cloned().collect()
}

#[test]
fn a_seed_is_one_fediverse() {
    assert_eq!(day(7), day(7));
    assert_ne!(day(7), day(8));
}

#[test]
fn the_bridge_delivers_threads_2_3_1() {
    for seed in 0..20 {
        let mut parts: Vec<ScheduledPost> = of(&day(seed), DeliveryStyle::Bridge)
            .into_iter()
            .filter(|it| it.text.contains("/3 "))
            .collect();
        let written: String = parts.iter().map(|it| &it.text[..1]).collect();
        assert_eq!(written, "123".repeat(48), "seed {seed}");
        for thread in parts.chunks(3) {
            let answers = |nth: usize| thread[nth].activity["object"]["inReplyTo"].clone();
            assert_eq!(answers(0), Value::Null);
            assert_eq!(answers(1), thread[0].uri);
            assert_eq!(answers(2), thread[1].uri);
            assert_eq!(thread[2].parent.as_ref(), Some(&thread[1].uri));
        }
        parts.sort_by_key(|it| it.arrives);
        let arrived: String = parts.iter().map(|it| &it.text[..1]).collect();
        assert_eq!(arrived, "231".repeat(48), "seed {seed}");
    }
}

#[test]
fn each_origin_takes_its_time() {
    for seed in 0..20 {
        let posts = day(seed);
        for (style, seconds) in [
            (DeliveryStyle::Punctual, 1..=5),
            (DeliveryStyle::Hearth, 2..=9),
            (DeliveryStyle::SlowQueue, 0..=500),
            (DeliveryStyle::Bridge, 60..=600),
            (DeliveryStyle::ThreadsLike, 900..=930),
        ] {
            let all = of(&posts, style);
            assert!(20 < all.len(), "{style:?} is heard");
            for it in all {
                // Times here are whole milliseconds.
                let ms = it.arrives.since(it.published) * i64::from(FASTER);
                let delay = (ms + 500) / 1000;
                assert!(seconds.contains(&delay), "{style:?} took {delay} s there");
            }
        }
    }
}

#[test]
fn no_two_posts_are_of_the_same_second() {
    for seed in 0..20 {
        let posts = day(seed);
        let seconds: BTreeSet<i64> = posts
            .iter()
            .map(|it| it.published.millis() / 1_000)
            .collect();
        assert_eq!(seconds.len(), posts.len());
    }
}

#[test]
fn every_activity_is_understood_as_it_is_meant() {
    for it in day(1) {
        let bytes = serde_json::to_vec(&it.activity).unwrap();
        let Ok(Activity::Post { body, .. }) = decode(&bytes, Vouched::default()) else {
            panic!("{} is no post", it.activity);
        };
        assert_eq!(body.uri, it.uri);
        assert_eq!(body.published, Some(it.published));
        let known = PEOPLE.iter().find(|person| person.actor() == body.author);
        assert_eq!(known.map(Person::handle), Some(it.handle));
    }
}

#[test]
fn everybody_has_a_profile_with_their_name() {
    let profiles = profiles();
    assert_eq!(profiles.len(), PEOPLE.len());
    for (person, profile) in PEOPLE.iter().zip(profiles) {
        let bytes = serde_json::to_vec(&profile).unwrap();
        let read = decode(&bytes, Vouched::default());
        assert!(read.is_ok(), "{profile}: {read:?}");
        assert_eq!(profile["object"]["preferredUsername"], person.name);
        assert_eq!(profile["actor"], person.actor());
    }
}
