//! Promise 1, for what is not a single post: replies and what they answer, boosts and what they boost, removals, edits,
//! and the relations in between, read in every order there is.
//!
//! Each queue keeps its own order, as one author's records do in the log; where a queue has one line, anything may come
//! before it. Were one of these to fail, two readers of one fediverse would see two feeds.

mod documents;
mod relations;

use super::reference_model::from_scratch;
use super::scenario::*;
use super::*;

/// The account and what it wants from the beginning; then what comes in any order, as queues in the right order; and what
/// its home holds in the end, lowest first.
fn check(wants: &[&str], queues: &[&[Line]], home: &str) {
    let own = wish("account 5");
    let first: Vec<Line> = std::iter::once(own)
        .chain(wants.iter().map(|words| wish(words)))
        .collect();
    let right_order = [&first[..], &queues.concat()].concat();
    let expected = from_scratch(&right_order);
    assert_eq!(held(&expected, "home 7"), home, "from scratch");
    for order in interleavings(queues) {
        let log = [&first[..], &order].concat();
        let mut world = World::new();
        world.read(&log, &BTreeSet::new());
        assert_eq!(world.feeds(), expected, "{order:#?}");
        assert_eq!(world.refused, Vec::<String>::new());
        // And where boosts are decided later.
        for slices in [0, 1] {
            let mut world = World::in_slices();
            for (offset, line) in log.iter().enumerate() {
                world.take(offset, line);
                (0..slices).for_each(|_| world.decide_boosts());
            }
            world.decide_all_boosts();
            assert_eq!(world.feeds(), expected, "{slices} slices: {order:#?}");
        }
    }
}

/// Every order of all lines that keeps each queue's own.
fn interleavings(queues: &[&[Line]]) -> Vec<Vec<Line>> {
    let mut orders = Vec::new();
    for (n, queue) in queues.iter().enumerate() {
        let Some((first, rest)) = queue.split_first() else {
            continue;
        };
        let mut left = queues.to_vec();
        left[n] = rest;
        for mut order in interleavings(&left) {
            order.insert(0, first.clone());
            orders.push(order);
        }
    }
    if orders.is_empty() {
        orders.push(Vec::new());
    }
    orders
}

#[test]
fn every_order_is_tried_that_keeps_each_queues_own() {
    let count = |sizes: &[usize]| {
        let lines: Vec<Line> = (0..4).map(|n| post(0, n)).collect();
        let queues: Vec<&[Line]> = sizes.iter().map(|size| &lines[..*size]).collect();
        interleavings(&queues).len()
    };
    assert_eq!(count(&[1, 1, 1, 1]), 24);
    assert_eq!(count(&[2, 2]), 6);
    assert_eq!(count(&[3, 1, 1]), 20);
}

const TWO: [&str; 2] = ["follow 0", "follow 1"];

#[test]
fn a_reply_its_parent_and_that_ones_parent() {
    // 2 is a stranger: who answers them is not shown, and their own answer neither.
    let lines = [
        post(2, 0),
        reply(1, 1, (2, 0)),
        reply(0, 2, (1, 1)),
        reply(2, 3, (0, 2)),
        reply(0, 4, (2, 3)),
    ];
    let queues: Vec<&[Line]> = lines.chunks(1).collect();
    check(&TWO, &queues, "0/2");
}

#[test]
fn a_thread_of_ones_own_and_one_under_a_friends_post() {
    check(
        &TWO,
        &[
            &[post(0, 0)],
            &[reply(0, 1, (0, 0))],
            &[reply(0, 2, (0, 1))],
            &[reply(1, 3, (0, 2))],
            &[reply(1, 4, (1, 3))],
        ],
        "0/0 0/1 0/2 1/3 1/4",
    );
}

#[test]
fn a_thread_of_ones_own_under_a_strangers_post() {
    check(
        &[
            "follow 0",
            "list friends \"replies\":\"followed\"",
            "member friends 0",
        ],
        &[
            &[post(2, 0)],
            &[reply(0, 1, (2, 0))],
            &[reply(0, 2, (0, 1))],
            &[tagged(0, 5)],
            &[reply(0, 3, (0, 2))],
        ],
        "0/5",
    );
}

#[test]
fn a_thread_whose_stranger_is_followed_in_between() {
    check(
        &["follow 0"],
        &[
            &[post(2, 0)],
            &[reply(0, 1, (2, 0)), reply(0, 2, (0, 1))],
            &[
                wish("follow 2"),
                wish("list friends \"replies\":\"followed\""),
            ],
            &[wish("member friends 0")],
        ],
        "2/0 0/1 0/2",
    );
}

#[test]
fn a_parent_the_instance_fetched() {
    check(
        &TWO,
        &[
            &[fetched(post(1, 0)), post(1, 0)],
            &[reply(0, 1, (1, 0))],
            &[reply(0, 2, (0, 1))],
        ],
        "1/0 0/1 0/2",
    );
}

#[test]
fn my_own_reply_and_its_parent_in_my_own_lists() {
    for policy in ["none", "list", "followed"] {
        let list = format!("list friends \"replies\":\"{policy}\"");
        check(
            &["follow 1", &list, "member friends 5"],
            &[
                &[post(1, 0)],
                &[reply(ME, 1, (1, 0)), reply(ME, 3, (ME, 1))],
                &[post(2, 0)],
                &[reply(ME, 2, (2, 0))],
            ],
            "1/0 5/1 5/2 5/3",
        );
    }
}

#[test]
fn a_boost_its_original_and_the_original_fetched() {
    check(
        &["follow 0"],
        &[
            &[fetched(post(2, 0))],
            &[post(2, 0)],
            &[boosts(0, 1, (2, 0))],
            &[boosts(0, 2, (3, 0))],
            &[wish("mute 4")],
        ],
        "0/1",
    );
}

#[test]
fn a_boost_and_an_original_that_is_a_reply() {
    check(
        &TWO,
        &[
            &[post(3, 0)],
            &[reply(2, 1, (3, 0))],
            &[boosts(0, 2, (2, 1)), boosts(0, 3, (3, 0))],
            &[boosts(1, 4, (2, 1))],
        ],
        "0/2 0/3 1/4",
    );
}

#[test]
fn a_delete_and_its_create() {
    check(
        &TWO,
        &[
            &[post(0, 0)],
            &[deletes(0, 0)],
            &[post(0, 1)],
            &[boosts(1, 2, (0, 0))],
            &[reply(1, 3, (0, 0))],
        ],
        "0/1 1/3",
    );
}

#[test]
fn an_undo_and_its_announce() {
    check(
        &TWO,
        &[
            &[post(2, 0)],
            &[boosts(0, 1, (2, 0))],
            &[undoes(0, Some(1), (2, 0))],
            &[boosts(1, 2, (2, 0))],
        ],
        "1/2",
    );
}

/// What it undoes is said by its author's own order, which is kept, and by nothing else.
#[test]
fn an_undo_without_an_id_between_two_announces() {
    check(
        &TWO,
        &[
            &[post(2, 0)],
            &[
                boosts(0, 1, (2, 0)),
                undoes(0, None, (2, 0)),
                boosts(0, 3, (2, 0)),
            ],
            &[boosts(1, 2, (2, 0))],
        ],
        "1/2 0/3",
    );
}

#[test]
fn an_edit_and_its_create() {
    check(
        &["follow 0", "tag sea"],
        &[
            &[tagged(0, 0)],
            &[edits(0, 0, Some(1), "")],
            &[edits(0, 0, Some(2), &RUST.replace("Rust", "sea"))],
            &[wish("end follow 0")],
        ],
        "0/0",
    );
}

#[test]
fn an_edit_that_mentions_whom_i_mute() {
    let mention = format!(r#","tag":[{{"type":"Mention","href":"{}"}}]"#, actor(3));
    check(
        &["follow 0", "follow 1"],
        &[
            &[post(0, 0)],
            &[edits(0, 0, Some(1), &mention)],
            &[boosts(1, 1, (0, 0))],
            &[wish("mute 3")],
            &[post(1, 2)],
        ],
        "1/2",
    );
}

#[test]
fn an_author_deleted_among_their_posts_and_what_answers_and_boosts_them() {
    check(
        &TWO,
        &[
            &[post(0, 0)],
            &[leaves(0)],
            &[reply(1, 1, (0, 0))],
            &[reply(1, 2, (1, 1))],
            &[boosts(1, 3, (0, 0))],
        ],
        "",
    );
}

#[test]
fn an_author_deleted_and_a_post_of_theirs_deleted() {
    check(
        &TWO,
        &[
            &[post(0, 0)],
            &[leaves(0)],
            &[deletes(0, 0)],
            &[reply(1, 1, (0, 0))],
            &[post(1, 2)],
        ],
        "1/2",
    );
}
