//! What is drawn, and how much of it.

use super::*;
use crate::json::Shape;
use crate::origin::{DelayProfile, Origin};

const SPAN: i64 = 2_400_000;

fn world() -> World {
    let origin = |host: &str, delay| Origin {
        host: host.to_owned(),
        delay,
        shape: Shape::Plain,
    };
    World {
        origins: vec![
            origin("punctual.example", DelayProfile::PUNCTUAL),
            origin("threads.example", DelayProfile::THREADS),
            origin("here.example", DelayProfile::AT_ONCE),
        ],
        authors: 7,
        local_authors: 2,
        accounts: ["a", "b", "c"].map(str::to_owned).into(),
        tags: vec!["sea".to_owned()],
        begin: 1_763_805_600_000,
        span: SPAN,
    }
}

const ALL: Taste = Taste {
    posts: 1..6,
    boosts: 0..24,
    boosts_without_id: true,
    withdrawals: true,
    dependent_reach: true,
    documents: true,
    moderation: true,
    deleted_author_chance: 128,
    only_fetched_chance: 8,
    steady_every: None,
    relations: true,
};

fn lines(world: &World, taste: &Taste, seed: u64) -> Vec<String> {
    let history = History::draw(world, taste, &mut Rng::with_seed(seed));
    let line = |arrival: &Arrival| {
        let json = arrival.event.json(world, &history.authors);
        format!("{} {json}", arrival.at)
    };
    history.arrivals.iter().map(line).collect()
}

#[test]
fn a_seed_is_one_history() {
    assert_eq!(lines(&world(), &ALL, 7), lines(&world(), &ALL, 7));
    assert_ne!(lines(&world(), &ALL, 7), lines(&world(), &ALL, 8));
}

#[test]
fn accounts_are_the_last_authors_and_then_those_who_never_write() {
    let world = world();
    let own: Vec<String> = (0..3)
        .map(|account| world.actor(world.own(account)))
        .collect();
    let expected = [5, 6, 7].map(|n| format!("https://here.example/users/{n}"));
    assert_eq!(own, expected);
    assert_eq!(world.host_of(4), "punctual.example");
    assert_eq!(world.actors(), 8);
}

/// A failure means that a rule could break without any simulated feed that shows it.
#[test]
fn every_kind_of_event_is_drawn() {
    let all: String = (0..100)
        .flat_map(|seed| lines(&world(), &ALL, seed))
        .collect();
    for kind in [
        "Create",
        "Update",
        "Announce",
        "Delete",
        "Undo",
        "Tombstone",
        "Person",
        "Note",
        "account",
        "follow",
        "mute",
        "block",
        "domain_block",
        "blocked_by",
        "tag",
        "list",
        "list_member",
        "ordering",
        "moderation",
    ] {
        assert!(all.contains(&format!(r#""type":"{kind}""#)), "no {kind}");
    }
    for field in [
        "inReplyTo",
        "until",
        "removed",
        "Hashtag",
        "Mention",
        "circles",
        "updated",
    ] {
        assert!(all.contains(field), "no {field}");
    }
}

#[test]
fn what_a_history_leaves_out_is_not_in_it() {
    let taste = Taste {
        boosts_without_id: false,
        withdrawals: false,
        dependent_reach: false,
        documents: false,
        moderation: false,
        deleted_author_chance: 0,
        relations: false,
        ..ALL
    };
    for seed in 0..100 {
        let history = History::draw(&world(), &taste, &mut Rng::with_seed(seed));
        for Arrival { event, .. } in &history.arrivals {
            let is_plain = match event {
                Event::Write(writing) => {
                    writing.parent.is_none() && !matches!(writing.audience, Audience::To(_))
                }
                Event::Boost { has_id, .. } => *has_id,
                _ => false,
            };
            assert!(is_plain, "{event:?}");
        }
    }
}

#[test]
fn the_steady_neither_boost_nor_take_anything_back() {
    let taste = Taste {
        steady_every: Some(3),
        ..ALL
    };
    let mut written = 0;
    for seed in 0..100 {
        let history = History::draw(&world(), &taste, &mut Rng::with_seed(seed));
        for Arrival { event, .. } in &history.arrivals {
            let is_of_backend = matches!(event, Event::Relate { .. } | Event::Moderate { .. });
            if !is_of_backend && [1, 4].contains(&event.author(&history.authors)) {
                assert!(
                    matches!(event, Event::Write(_) | Event::Name { .. }),
                    "{event:?}"
                );
                written += 1;
            }
        }
    }
    assert!(100 < written);
}

#[test]
fn events_arrive_in_order_and_none_before_it_was_written() {
    for seed in 0..100 {
        let history = History::draw(&world(), &ALL, &mut Rng::with_seed(seed));
        assert!(history.arrivals.is_sorted_by_key(|arrival| arrival.at));
        for Arrival { event, at } in &history.arrivals {
            if let Event::Boost { published, .. } = event {
                assert!(published <= at);
            }
        }
    }
}
