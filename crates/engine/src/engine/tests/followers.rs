//! Who could see a post, by what its author's documents name as their followers.
//!
//! A followers-only post is one addressed to a collection that the author's own document, sent by the author's host or fetched,
//! names or has named as `followers`. Matched only for that author's posts, on the author's host, never from a collection to an
//! actor; Public never.

use super::scenario::*;
use super::*;
use crate::activity::Visibility;

const DAY: i64 = 86_400_000;
/// More posts than are decided at once.
const MANY: usize = 450;

/// A collection of an author that is nobody's followers unless a document says so.
pub(super) fn circle(author: usize, n: usize) -> String {
    format!("{}/circles/{n}", actor(author))
}

/// The author's document, which names `followers`, sent by its host.
pub(super) fn names(author: usize, followers: &str) -> Line {
    let (id, document) = (actor(author), document(author, followers));
    told(format!(
        r#"{{"type":"Update","id":"{id}#update","actor":"{id}","object":{document}}}"#
    ))
}

/// The same post, for whom this says.
pub(super) fn addressed(to: &str, line: Line) -> Line {
    altered(line, PUBLIC, to)
}

fn document(author: usize, followers: &str) -> String {
    let id = actor(author);
    format!(r#"{{"type":"Person","id":"{id}","inbox":"{id}/inbox","followers":"{followers}"}}"#)
}

fn told(json: String) -> Line {
    Line::Activity {
        json,
        arrived: LATER,
        beside: Beside::default(),
    }
}

impl World {
    /// Who could see a post.
    fn visibility(&self, author: usize, n: usize) -> Visibility {
        let post = self.store.post_by_uri(&uri(author, n)).unwrap().unwrap();
        post.body.visibility
    }
}

/// After these lines, somebody who follows authors 0 and 3 has this.
#[track_caller]
fn check(lines: &[Line], home: &str) {
    let mut story = Story::given(&[wish("follow 0"), wish("follow 3")]);
    for line in lines {
        story.when(line.clone());
    }
    assert_eq!(story.home(), home, "{lines:#?}");
}

#[test]
fn a_followers_only_post_is_one_addressed_to_what_its_authors_document_names_or_has_named() {
    let to = |n| addressed(&circle(0, n), post(0, n));
    check(&[to(1), to(2)], "");
    check(&[names(0, &circle(0, 1)), to(1), to(2)], "0/1");
    check(&[to(1), to(2), names(0, &circle(0, 1))], "0/1");
    let both = [
        names(0, &circle(0, 1)),
        to(1),
        to(2),
        names(0, &circle(0, 2)),
    ];
    check(&both, "0/1 0/2");
}

#[test]
fn what_is_taken_for_the_followers_counts_until_one_is_known() {
    let mut story = Story::given(&[wish("follow 0")]);
    assert_eq!(story.when(private(0, post(0, 1))).home(), "0/1");
    // It is on another host, or everybody, or the author: none is known.
    for none in ["https://host1.example/f", PUBLIC, &actor(0)] {
        assert_eq!(story.when(names(0, none)).home(), "0/1", "{none}");
    }
    assert_eq!(story.when(names(0, &circle(0, 1))).home(), "");
    assert_eq!(story.when(private(0, post(0, 2))).home(), "");
    let named = format!("{}/followers/", actor(0));
    assert_eq!(story.when(names(0, &named)).home(), "0/1 0/2");
}

#[test]
fn a_document_counts_that_its_authors_host_sent_or_that_was_fetched_and_no_other() {
    let post = addressed(&circle(0, 1), post(0, 1));
    let id = actor(0);
    let document = document(0, &circle(0, 1));
    let update = |by: &str| format!(r#"{{"type":"Update","actor":"{by}","object":{document}}}"#);
    check(&[told(update(&id)), post.clone()], "0/1");
    check(&[fetched(told(document.clone())), post.clone()], "0/1");
    // Another actor of the host speaks for it.
    check(&[told(update(&actor(3))), post.clone()], "0/1");
    // It stands where the id would.
    let embedded = altered(
        private(0, super::scenario::post(0, 2)),
        &format!(r#""actor":"{id}""#),
        &format!(r#""actor":{document}"#),
    );
    check(&[post.clone(), embedded], "0/1");
    let boost = altered(
        boosts(0, 3, (2, 9)),
        &format!(r#""actor":"{id}""#),
        &format!(r#""actor":{document}"#),
    );
    check(&[post.clone(), boost], "0/1");
    // A community passes on what may be anybody's word.
    check(&[relayed(4, told(update(&id))), post.clone()], "");
    let create = altered(
        private(0, super::scenario::post(0, 2)),
        &format!(r#""actor":"{id}""#),
        &format!(r#""actor":{document}"#),
    );
    check(&[relayed(4, create), post.clone()], "0/2");
}

#[test]
fn a_document_that_another_host_sent_is_set_aside() {
    let mut world = World::new();
    let by = actor(1);
    let forged = format!(
        r#"{{"type":"Update","actor":"{by}","object":{}}}"#,
        document(0, &circle(0, 1))
    );
    let said = crate::activity::parse::decode(forged.as_bytes(), crate::record::Vouched::default());
    assert!(said.unwrap_err().contains("speaks for its own host only"));
    world.take(0, &addressed(&circle(0, 1), post(0, 1)));
    assert_eq!(world.visibility(0, 1), Visibility::Limited);
}

#[test]
fn mallorys_document_naming_vics_collection_changes_nothing_of_vics() {
    let (vic, mallory) = (0, 3);
    let circle = circle(vic, 1);
    let vics = [addressed(&circle, post(vic, 1)), private(vic, post(vic, 2))];
    let mallorys = names(mallory, &circle);
    let mallorys_post = addressed(&circle, post(mallory, 3));
    let before = [&[mallorys.clone(), mallorys_post][..], &vics].concat();
    check(&before, "0/2 3/3");
    check(
        &[&vics[..], std::slice::from_ref(&mallorys)].concat(),
        "0/2",
    );
    // Nor does Vic's say anything of Mallory's.
    let vics_own = names(vic, &circle);
    check(&[&before[..], &[vics_own]].concat(), "0/1 3/3");
    // Nor do a post and its boost by another become what they are not.
    let boost = boosts(mallory, 4, (vic, 1));
    check(&[&vics[..], &[mallorys, boost]].concat(), "0/2");
}

#[test]
fn a_post_to_a_collection_nobody_named_is_for_those_it_names_otherwise() {
    let mut story = Story::given(&[wish("follow 0"), wish("list close"), wish("member close 0")]);
    let to = format!(r#"{}","{}"#, circle(0, 1), actor(ME));
    story.when(addressed(&to, post(0, 1)));
    story.when(addressed(&circle(0, 1), post(0, 2)));
    assert_eq!(
        (story.home(), story.feed("close 7")),
        ("0/1".into(), "0/1".into())
    );
    story.when(names(0, &circle(0, 1)));
    assert_eq!(story.home(), "0/1 0/2");
    assert_eq!(story.feed("close 7"), "0/1 0/2");
    assert_eq!(story.feed("public"), "", "never for everybody");
}

/// Promise 2. Were this to fail, a crash would leave a post in feeds it does not belong in, or keep it out, for good.
#[test]
fn a_document_is_carried_out_wherever_a_checkpoint_is_cut_off() {
    let first = [
        follow("7", 0),
        addressed(&circle(0, 1), post(0, 1)),
        private(0, post(0, 2)),
        boosts(0, 3, (0, 1)),
    ];
    let second = [
        names(0, &circle(0, 1)),
        addressed(&circle(0, 1), post(0, 4)),
    ];
    let log = [&first[..], &second].concat();
    let mut whole = World::new();
    whole.read(&log, &BTreeSet::new());
    let expected = whole.home("7");
    assert_eq!(expected.0.len(), 3);
    for writes in 0.. {
        let mut world = World::new();
        world.read(&log, &BTreeSet::from([first.len() - 1]));
        let was_all = world.checkpoint_cut_off(writes);
        let mut world = world.crash();
        world.read(&log, &BTreeSet::new());
        assert_eq!(world.home("7"), expected, "after {writes} writes");
        // What is known of the author is known after another restart.
        world.checkpoint();
        let mut world = world.crash();
        world.take(log.len(), &addressed(&circle(0, 1), post(0, 5)));
        assert_eq!(world.visibility(0, 5), Visibility::Private);
        if was_all {
            assert!(10 < writes, "{writes} writes were all");
            break;
        }
    }
}

/// Were this to fail, a document of somebody who wrote much would hold everything up, or a crash amid it leave it half done.
#[test]
fn what_many_posts_are_for_is_decided_in_slices_and_goes_on_after_a_crash() {
    let mut world = World::new();
    let mut log = vec![follow("7", 0)];
    log.extend((0..MANY).map(|n| addressed(&circle(0, 1), post(0, n))));
    log.push(names(0, &circle(0, 1)));
    // Meanwhile what comes is decided by what is known, and another document has its turn.
    log.push(addressed(&circle(0, 1), post(0, MANY)));
    log.push(names(0, &circle(0, 2)));
    world.read(&log, &BTreeSet::new());
    let count = |world: &World| {
        let is_private = |n: &usize| world.visibility(0, *n) == Visibility::Private;
        (0..=MANY).filter(is_private).count()
    };
    assert_eq!(count(&world), 1);
    let seen = Arc::new(Offsets::new(&world.reflects.next));
    let document = LogPos::new(Position {
        topic: Topic::Activities,
        partition: 0,
        offset: i64::try_from(MANY).unwrap() + 1,
    });
    assert!(
        !world.ingest.again.told(&seen).has(document),
        "nobody is told of it yet"
    );
    let decided = world.reevaluate();
    assert!(0 < decided && decided < MANY, "{decided}");
    assert_eq!(count(&world), 1 + decided);
    world.checkpoint();
    let mut world = world.crash();
    let mut steps = 0;
    while !world.ingest.again.is_done() {
        world.reevaluate();
        steps += 1;
    }
    assert!(1 < steps);
    assert_eq!(count(&world), MANY + 1);
    assert!(world.ingest.again.told(&seen).has(document));
    assert_eq!(world.home("7").0.len(), LENGTH);
}

/// What is known of the author is stored before how far that was carried out. Were this to fail, a crash between the two would
/// leave most posts undecided for good.
#[test]
fn what_was_not_decided_in_slices_before_a_crash_is_decided_after_it() {
    let mut log: Vec<Line> = (0..MANY)
        .map(|n| addressed(&circle(0, 1), post(0, n)))
        .collect();
    log.push(names(0, &circle(0, 1)));
    for writes in 0.. {
        let mut world = World::new();
        world.read(&log, &BTreeSet::from([MANY - 1]));
        let was_all = world.checkpoint_cut_off(writes);
        let mut world = world.crash();
        world.read(&log, &BTreeSet::new());
        while !world.ingest.again.is_done() {
            world.reevaluate();
        }
        for n in 0..MANY {
            let visibility = world.visibility(0, n);
            assert_eq!(visibility, Visibility::Private, "{n} after {writes} writes");
        }
        if was_all {
            assert!(1 < writes, "{writes} writes were all");
            break;
        }
    }
}

#[test]
fn what_an_actor_named_is_known_as_long_as_anybody_follows_them_or_a_post_is_left() {
    let mut world = World::new();
    let log = [
        follow("7", 0),
        names(0, &circle(0, 1)),
        names(3, &circle(3, 1)),
        names(1, &circle(1, 1)),
        unlisted(create(1, 0, NOON, NOON)),
        create(4, 0, NOON + 31 * DAY, NOON + 31 * DAY),
    ];
    world.read(&log, &BTreeSet::new());
    let knows = |world: &World, n| world.store.followers(&actor(n)).unwrap().is_some();
    let told = |world: &World, n| world.store.actor(&actor(n)).unwrap().is_some();
    let sweep = |world: &mut World| {
        world.checkpoint();
        let log_time = world.arrived_last;
        world.begin_sweep(log_time);
        while !world.expiry.is_resting() {
            world.expire().unwrap();
        }
        world.checkpoint();
    };
    sweep(&mut world);
    for (n, is_kept) in [(0, true), (1, true), (3, false)] {
        assert_eq!(
            (knows(&world, n), told(&world, n)),
            (is_kept, is_kept),
            "{n}"
        );
    }
    // A year later nothing is left of its post.
    let later = NOON + 400 * DAY;
    world.take(log.len(), &create(4, 1, later, later));
    sweep(&mut world);
    assert_eq!([0, 1].map(|n| knows(&world, n)), [true, false]);
    let end = relation("follow", "7", 0, true);
    world.take(log.len() + 1, &end);
    let even_later = later + 31 * DAY;
    world.take(log.len() + 2, &create(4, 2, even_later, even_later));
    sweep(&mut world);
    assert!(!knows(&world, 0));
}

/// Were this to fail, lists of what was addressed to a collection would keep what is gone, and grow for ever.
#[test]
fn what_is_gone_edited_or_left_as_a_stub_is_in_no_list_of_what_is_addressed_to_a_collection() {
    let mut world = World::new();
    let log = [
        addressed(&circle(0, 1), post(0, 1)),
        addressed(&circle(0, 1), post(0, 2)),
        addressed(&circle(0, 1), post(0, 3)),
        deletes(0, 1),
        edits(0, 2, Some(1), ""),
        create(4, 0, NOON + 31 * DAY, NOON + 31 * DAY),
    ];
    world.read(&log[..3], &BTreeSet::new());
    let listed = |world: &World| {
        let collections = [circle(0, 1)];
        world
            .store
            .addressed_to(&actor(0), &collections)
            .unwrap()
            .len()
    };
    assert_eq!(listed(&world), 3);
    world.read(&log, &BTreeSet::new());
    assert_eq!(listed(&world), 1);
    world.checkpoint();
    let log_time = world.arrived_last;
    world.begin_sweep(log_time);
    world.end_sweep();
    assert_eq!(listed(&world), 0);
}
