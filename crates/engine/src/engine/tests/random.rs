//! Random fediverses, read in random order with checkpoints and crashes in between: every feed is what the rules give
//! from all that is so.

use super::reference_model::{Feed, Feeds, from_scratch};
use super::scenario::*;
use super::*;

/// Authors who write; the last is account 7 itself, the one before it account 8.
const WRITING: usize = 6;
const ACCOUNTS: [(&str, &str); 2] = [("7", "account 5"), ("8", "account 4")];
/// Posts an author writes at most: together more than a feed is long.
const POSTS_MAX: usize = 9;

#[derive(Clone, Debug)]
struct History {
    /// Each in its own order: the authors' lines, then the accounts'.
    queues: Vec<Vec<Line>>,
}

fn history() -> impl Strategy<Value = History> {
    let deed = (0usize..14, 0..WRITING, 0..POSTS_MAX);
    let authors = prop::collection::vec(prop::collection::vec(deed, 0..=POSTS_MAX), WRITING);
    let accounts = prop::collection::vec(prop::collection::vec(wishes(), 0..12), ACCOUNTS.len());
    (authors, accounts).prop_map(|(authors, accounts)| {
        let authors = authors.iter().enumerate().map(|(author, deeds)| {
            let deeds = deeds.iter().enumerate();
            deeds
                .map(|(n, deed)| does(author, n, *deed))
                .collect::<Vec<_>>()
        });
        let accounts = accounts.iter().zip(ACCOUNTS).map(|(wishes, (account, _))| {
            ["follow 0", "follow 1", "follow 2"]
                .into_iter()
                .chain(wishes.iter().map(String::as_str))
                .map(|words| wish_of(account, words))
                .collect()
        });
        History {
            queues: authors.chain(accounts).collect(),
        }
    })
}

/// What an author does as the `n`th thing.
fn does(author: usize, n: usize, (deed, other, which): (usize, usize, usize)) -> Line {
    let mention = format!(r#","tag":[{{"type":"Mention","href":"{}"}}]"#, actor(other));
    let before = n.saturating_sub(1);
    match deed {
        0 | 1 => post(author, n),
        2 => tagged(author, n),
        3 => writes(author, n, &RUST.replace("Rust", "sea")),
        4 => writes(author, n, &mention),
        5 => private(author, post(author, n)),
        6 => reply(author, n, (author, before)),
        7 | 8 => reply(author, n, (other, which)),
        9 | 10 => boosts(author, n, (other, which)),
        11 => deletes(author, which),
        // It is for others then, and for everybody with the next edit.
        12 if other % 2 == 0 => {
            let minutes = Some(1 + i64::try_from(n).unwrap());
            private(author, edits(author, before, minutes, ""))
        }
        12 => edits(author, before, Some(1 + i64::try_from(n).unwrap()), RUST),
        _ if which == 0 => leaves(author),
        _ => writes(author, n, r#","contentMap":{"de":"x"}"#),
    }
}

/// What an account wants next.
fn wishes() -> impl Strategy<Value = String> {
    (0usize..13, 0..WRITING, any::<bool>()).prop_map(|(kind, target, end)| {
        let list = ["friends", "close"][target % 2];
        let words = match kind {
            0 => format!("follow {target}"),
            1 => format!("follow {target} \"boosts\":false"),
            2 => format!("follow {target} \"languages\":[\"en\"]"),
            3 => format!("mute {target}"),
            4 => format!("block {target}"),
            5 => format!("blocked_by {target}"),
            6 => format!("domain_block host{}.example", target % 3),
            7 => format!("tag {}", ["rust", "sea"][target % 2]),
            8 => {
                let policy = ["none", "list", "followed"][target % 3];
                format!("list {list} \"replies\":\"{policy}\"")
            }
            9 => format!("list {list} \"exclusive\":true"),
            _ => format!("member {list} {target}"),
        };
        if end { format!("end {words}") } else { words }
    })
}

/// All lines in one order that keeps each queue's own, chosen by `choices`.
fn order(history: &History, choices: &[usize]) -> Vec<Line> {
    // Who is local is known first: whose part of the public feed a post is in is carried out elsewhere.
    let mut log: Vec<Line> = ACCOUNTS
        .iter()
        .map(|(account, own)| wish_of(account, own))
        .collect();
    let mut left: Vec<&[Line]> = history.queues.iter().map(Vec::as_slice).collect();
    let mut choices = choices.iter().cycle();
    loop {
        left.retain(|queue| !queue.is_empty());
        if left.is_empty() {
            return log;
        }
        let chosen = choices.next().unwrap() % left.len();
        if let Some((first, rest)) = left[chosen].split_first() {
            log.push(first.clone());
            left[chosen] = rest;
        }
    }
}

/// Whether each feed holds what it should above its floor, and has one only if it dropped something.
fn differing(found: &Feeds, expected: &Feeds) -> Option<String> {
    let above = |feed: Option<&Feed>, floor: PostId| -> Vec<PostId> {
        feed.into_iter()
            .flat_map(|feed| &feed.entries)
            .map(|(id, _)| *id)
            .filter(|id| floor < *id)
            .collect()
    };
    let names: BTreeSet<&String> = found.keys().chain(expected.keys()).collect();
    names.into_iter().find_map(|name| {
        let (there, right) = (found.get(name), expected.get(name));
        let floors = [there, right].map(|feed| feed.map_or(PostId::MIN, |feed| feed.floor));
        let floor = floors[0].max(floors[1]);
        let is_same = above(there, floor) == above(right, floor);
        (!is_same).then(|| {
            let found = held(found, name);
            let expected = held(expected, name);
            format!("{name}: {found} instead of {expected}, floors {floors:?}")
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    /// Promises 1, 2 and 10, of every feed and every rule. Were this to fail, somebody's feed would hold what does not
    /// belong there, or lack what does, for what came when or where the service died.
    #[test]
    fn every_feed_is_what_the_rules_give_from_all_that_is_so(
        history in history(),
        choices in prop::collection::vec(0usize..64, 1..40),
        checkpoints in prop::collection::btree_set(0usize..100, 0..4),
        crashes in prop::collection::vec(0usize..100, 0..3),
    ) {
        let log = order(&history, &choices);
        let mut world = World::new();
        for end in crashes {
            world.read(&log[..end.min(log.len())], &checkpoints);
            world = world.crash();
        }
        world.read(&log, &checkpoints);
        let differs = differing(&world.feeds(), &from_scratch(&log));
        prop_assert!(differs.is_none(), "{}\n{log:#?}", differs.unwrap_or_default());
    }

    /// The same where boosts are decided in slices of one, some between two lines. Were this to fail, a post that many boosted
    /// would be in feeds it left, or not in those it came to, for what came amid the slices or where the service died.
    #[test]
    fn boosts_that_are_decided_in_slices_end_where_the_rules_say(
        history in history(),
        choices in prop::collection::vec(0usize..64, 1..40),
        checkpoints in prop::collection::btree_set(0usize..100, 0..4),
        crashes in prop::collection::vec(0usize..100, 0..3),
        slices in prop::collection::vec(0usize..4, 1..20),
    ) {
        let log = order(&history, &choices);
        let mut world = World::in_slices();
        let mut ends: Vec<usize> = crashes.iter().map(|end| *end.min(&log.len())).collect();
        ends.push(log.len());
        let mut slices = slices.iter().cycle();
        for (nth, end) in ends.iter().enumerate() {
            if 0 < nth {
                world = world.crash();
            }
            for read in 0..=*end {
                world.read(&log[..read], &checkpoints);
                for _ in 0..*slices.next().unwrap() {
                    world.decide_boosts();
                }
            }
        }
        world.decide_all_boosts();
        let differs = differing(&world.feeds(), &from_scratch(&log));
        prop_assert!(differs.is_none(), "{}\n{log:#?}", differs.unwrap_or_default());
    }
}
