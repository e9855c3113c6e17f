use super::*;
use crate::feed::feed_op::FeedOp;
use crate::feed::post::{Post, example};
use crate::feed::store::{Options, Store, home_key};
use crate::graph::Graph;
use crate::record::offsets::LogPos;
use crate::record::{Position, Topic};
use crate::relationship::decode;
use crate::view::BuildProgress;
use crate::view::change_batch::{ChangeItem, ChangeKind};
use crate::view::page_walk::{Offer, walk_page};
use crate::watch;
use parking_lot::RwLock;
use std::time::Duration;
use tempfile::TempDir;

const REPEAT_AFTER: Duration = Duration::from_millis(100);
const ANA: &str = "https://a.example/users/ana";

/// One account, 7, that follows ANA, and whatever is put into its feed.
struct Desk {
    view: View,
    built: watch::Sender<Arc<BuildProgress>>,
    _folder: TempDir,
}

impl Desk {
    fn new(patience: &str) -> Desk {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(Options {
            boost_repeat_after: REPEAT_AFTER,
            ..Options::of_tests(folder.path())
        });
        let store = Arc::new(store.unwrap());
        let mut graph = Graph::default();
        for document in [
            format!(r#"{{"type":"follow","account":"7","target":"{ANA}"}}"#),
            format!(r#"{{"type":"ordering","account":"7","patience":"{patience}"}}"#),
        ] {
            graph.apply(&decode(None, Some(document.as_bytes())).unwrap());
        }
        store.homes.add(graph.account("7").unwrap(), home_key("7"));
        let (built, watching) = watch::channel(Arc::default());
        let view = View {
            graph: Arc::new(RwLock::new(graph)),
            log: 1.into(),
            ..View::of(store, watching)
        };
        Desk {
            view,
            built,
            _folder: folder,
        }
    }

    /// Record `n` is a post placed at `ms`.
    fn put(&self, n: i64, ms: i64) {
        let mut post = example::post(ANA);
        post.id = place(ms);
        post.body.uri = format!("{ANA}/{n}");
        post.made = LogPos::of_activity(0, n);
        post.newest = post.made;
        let post = self.view.store.put_post(post);
        self.does(FeedOp::insert(post.id, post.newest));
    }

    /// Record `n` is a boost placed at `ms`, of the post placed at `of`.
    fn boost(&self, n: i64, ms: i64, of: i64) {
        let original = self.view.store.post(place(of)).unwrap().unwrap();
        self.put(n, ms);
        let mut post = (*self.view.store.post(place(ms)).unwrap().unwrap()).clone();
        post.body.boost_of = Some(original.body.uri.clone());
        self.view.store.put_post(post);
        self.does(FeedOp::shows(place(ms), place(of)));
    }

    fn does(&self, op: FeedOp) {
        let account = self.view.graph.read().account("7").unwrap();
        self.view.store.homes.apply(&[account], &[op]);
    }

    /// Readers are told that records below `n` were seen.
    fn announce(&self, n: i64) {
        let seen = Arc::new(Offsets::new(&[at(n)]));
        let built = BuildProgress {
            taken: Arc::clone(&seen),
            seen,
            ..BuildProgress::default()
        };
        self.built.send_replace(Arc::new(built));
    }

    fn snapshot(&self, now: i64) -> Snapshot {
        self.look_from(None, now)
    }

    fn look_from(&self, least: Option<i64>, now: i64) -> Snapshot {
        let least = least.map(Time::from_millis);
        let snapshot = self.view.home_snapshot("7", least, Time::from_millis(now));
        snapshot.unwrap().unwrap()
    }

    fn tell(&self, cursor: &Cursor, limit: usize) -> Told {
        let snapshot = self.snapshot(1_000);
        snapshot
            .changes_since(&self.view, cursor, BatchLimit::of(limit), &Ids)
            .unwrap()
    }
}

fn at(n: i64) -> Position {
    Position {
        topic: Topic::Activities,
        partition: 0,
        offset: n,
    }
}

fn place(ms: i64) -> PostId {
    PostId::new(Time::from_millis(ms), 5, 0)
}

fn cursor(from: ReadPoint) -> Cursor {
    Cursor {
        feed: 1,
        log: 1.into(),
        from,
        batch: None,
    }
}

/// Kind, whether behind, and milliseconds of each change.
fn told(told: &Told) -> Vec<(String, bool, i64)> {
    let row = |change: &ChangeItem<PostId>| {
        let kind = match change.kind {
            ChangeKind::Post => "post",
            ChangeKind::Edit => "edit",
            ChangeKind::Remove => "remove",
        };
        assert!(change.entry.is_none_or(|entry| entry == change.id));
        (kind.to_owned(), change.behind, change.id.time().millis())
    };
    told.batch.items.iter().map(row).collect()
}

/// An entry is its id, and takes as much room as if it were shown.
struct Ids;

type Told = ChangeDelivery<PostId>;

impl WriteEntry for Ids {
    type Entry = PostId;

    fn write(&self, post: Arc<Post>, _: Option<Arc<Post>>) -> PostId {
        post.id
    }

    fn bytes(_: &PostId) -> usize {
        1_000
    }
}

fn posts(rows: &[(bool, i64)]) -> Vec<(String, bool, i64)> {
    let row = |(behind, ms): &(bool, i64)| ("post".to_owned(), *behind, *ms);
    rows.iter().map(row).collect()
}

#[test]
fn an_account_nobody_knows_has_no_feed() {
    let desk = Desk::new("0s");
    assert!(
        desk.view
            .home_snapshot("8", None, Time::default())
            .unwrap()
            .is_none()
    );
}

#[test]
fn a_post_is_behind_if_an_entry_above_it_had_been_shown() {
    let desk = Desk::new("0s");
    desk.put(0, 50);
    desk.announce(1);
    let from = cursor(desk.snapshot(100).read_point());
    desk.put(1, 49);
    desk.put(2, 51);
    desk.announce(3);
    assert_eq!(
        told(&desk.tell(&from, 10)),
        posts(&[(true, 49), (false, 51)])
    );
}

/// What came in a batch that readers have not been told of is told again: it makes nothing behind.
#[test]
fn what_was_not_announced_is_nobodys_top() {
    let desk = Desk::new("0s");
    desk.put(0, 50);
    desk.announce(1);
    desk.put(1, 60);
    let snapshot = desk.snapshot(100);
    assert_eq!(snapshot.ids().len(), 2);
    assert_eq!(snapshot.read_point().top, place(50));
    desk.announce(2);
    assert_eq!(desk.snapshot(100).read_point().top, place(60));
    assert_eq!(Desk::new("0s").snapshot(100).read_point().top, PostId::MIN);
}

#[test]
fn a_moment_says_up_to_when_all_was_shown() {
    let live = Desk::new("0s");
    live.put(0, 50);
    assert_eq!(
        live.snapshot(100).read_point().horizon,
        Time::from_millis(100)
    );
    live.put(1, 120);
    assert_eq!(
        live.snapshot(100).read_point().horizon,
        Time::from_millis(120),
        "placed after now, and shown"
    );
    let patient = Desk::new("30ms");
    patient.put(0, 70);
    patient.put(1, 71);
    patient.view.horizons.set_built(Time::from_millis(20));
    let snapshot = patient.snapshot(100);
    assert_eq!(snapshot.ids(), [place(70)]);
    assert_eq!(snapshot.read_point().horizon, Time::from_millis(70));
}

/// Were this to fail, a reader who changes nodes would be shown less than it has.
#[test]
fn a_reader_brings_its_horizon_along() {
    let desk = Desk::new("30ms");
    for n in 0..3 {
        desk.put(n, 70 + n);
    }
    let visible = |least, now| desk.look_from(least, now).ids().len();
    assert_eq!(visible(None, 100), 1);
    assert_eq!(visible(Some(71), 100), 2);
    assert_eq!(visible(Some(69), 100), 1);
    assert_eq!(visible(None, 102), 3);
    assert_eq!(visible(None, 90), 3, "what was reached stays so");
}

#[test]
fn an_answer_that_is_full_is_gone_on_with() {
    let desk = Desk::new("0s");
    desk.announce(0);
    let from = cursor(desk.snapshot(1_000).read_point());
    for n in 0..5 {
        desk.put(n, 10 * n + 10);
    }
    desk.announce(5);
    let first = desk.tell(&from, 2);
    assert_eq!(told(&first), posts(&[(false, 10), (false, 20)]));
    assert!(first.batch.more);
    let batch = first.cursor.batch.clone().unwrap();
    assert_eq!((batch.last, &first.cursor.from), (place(20), &from.from));
    assert_eq!(batch.upto, desk.snapshot(1_000).read_point());

    // Meanwhile one lands below what was told, and one above: the first is told with the next, for the batch is of before.
    desk.put(5, 15);
    desk.put(6, 45);
    desk.announce(7);
    let second = desk.tell(&first.cursor, 3);
    assert_eq!(
        told(&second),
        posts(&[(false, 30), (false, 40), (false, 45)])
    );
    let third = desk.tell(&second.cursor, 3);
    assert_eq!(told(&third), posts(&[(false, 50)]));
    assert_eq!((third.batch.more, &third.cursor.batch), (false, &None));
    let mut upto = batch.upto;
    upto.ahead.raise(LogPos::new(at(6)).next());
    assert_eq!(
        third.cursor.from, upto,
        "the feed as it was at the first answer, and what rests on more"
    );
    let last = desk.tell(&third.cursor, 3);
    assert_eq!(told(&last), posts(&[(true, 15), (true, 45)]));
    assert_eq!(told(&desk.tell(&last.cursor, 3)), posts(&[]));
}

#[test]
fn an_answer_of_exactly_the_limit_is_the_last() {
    let desk = Desk::new("0s");
    let from = cursor(desk.snapshot(1_000).read_point());
    desk.put(0, 10);
    desk.put(1, 20);
    desk.announce(2);
    let only = desk.tell(&from, 2);
    assert_eq!((told(&only).len(), only.batch.more), (2, false));
}

/// Were this to fail, readers would keep what was dropped, or never hear of what comes back to light.
#[test]
fn a_reader_is_told_below_what_to_drop_and_what_comes_back_to_light() {
    let desk = Desk::new("0s");
    let start = cursor(desk.snapshot(1_000).read_point());
    for n in 0..12 {
        desk.put(n, 10 * n + 10);
    }
    desk.announce(12);
    let first = desk.tell(&start, 2);
    assert_eq!(told(&first), posts(&[(false, 30), (false, 40)]));
    assert_eq!(first.floor, place(20), "ten are shown");
    // Two late ones push the next two out of sight before they are told.
    desk.put(12, 115);
    desk.put(13, 116);
    desk.announce(14);
    let second = desk.tell(&first.cursor, 80);
    assert_eq!((told(&second)[0].2, second.batch.more), (50, false));
    assert_eq!(second.floor, place(40));
    desk.does(FeedOp::remove(
        place(120),
        crate::record::offsets::LogPos::new(at(14)),
    ));
    desk.announce(15);
    let third = desk.tell(&second.cursor, 1);
    assert_eq!(told(&third), posts(&[(true, 40)]), "it comes back to light");
    assert_eq!(third.floor, place(30));
}

#[test]
fn what_ripens_while_an_answer_goes_on_is_left_to_the_next() {
    let desk = Desk::new("30ms");
    let snapshot = |now| desk.snapshot(now);
    let from = cursor(snapshot(40).read_point());
    for n in 0..4 {
        desk.put(n, 11 + n);
    }
    desk.announce(4);
    let first = snapshot(43)
        .changes_since(&desk.view, &from, BatchLimit::of(2), &Ids)
        .unwrap();
    assert_eq!(told(&first), posts(&[(false, 11), (false, 12)]));
    let second = snapshot(44)
        .changes_since(&desk.view, &first.cursor, BatchLimit::of(2), &Ids)
        .unwrap();
    assert_eq!(told(&second), posts(&[(false, 13)]));
    assert_eq!(second.cursor.from.horizon, Time::from_millis(13));
    let third = snapshot(44)
        .changes_since(&desk.view, &second.cursor, BatchLimit::of(2), &Ids)
        .unwrap();
    assert_eq!(told(&third), posts(&[(false, 14)]));
}

#[test]
fn what_was_known_and_is_edited_is_an_edit_and_what_left_is_removed() {
    let desk = Desk::new("0s");
    desk.put(0, 10);
    desk.put(1, 20);
    desk.announce(2);
    let from = cursor(desk.snapshot(1_000).read_point());
    let mut post = (*desk.view.store.post(place(10)).unwrap().unwrap()).clone();
    post.newest = LogPos::of_activity(0, 2);
    desk.view.store.put_post(post);
    desk.does(FeedOp::insert(
        place(10),
        crate::record::offsets::LogPos::new(at(2)),
    ));
    desk.does(FeedOp::remove(
        place(20),
        crate::record::offsets::LogPos::new(at(3)),
    ));
    desk.announce(4);
    let expected = [("edit", false, 10), ("remove", false, 20)]
        .map(|(kind, behind, ms)| (kind.to_owned(), behind, ms));
    assert_eq!(told(&desk.tell(&from, 10)), expected);
}

/// Were this to fail, a reader would lose what this node has not read, or keep what leaves before it has.
#[test]
fn a_node_behind_the_cursor_tells_nothing_and_leaves_it_as_it_is() {
    let desk = Desk::new("0s");
    desk.put(0, 10);
    desk.announce(1);
    let from = desk.snapshot(1_000).read_point();
    let seen = |n| Offsets::new(&[at(n)]);
    let read_point = |saw, ahead| ReadPoint {
        seen: seen(saw),
        ahead: seen(ahead),
        ..from.clone()
    };
    desk.put(1, 20);
    desk.announce(2);
    let check = |cursor: &Cursor, tells: usize| {
        let answer = desk.tell(cursor, 10);
        assert_eq!(told(&answer).len(), tells, "{cursor:?}");
        assert!(!answer.batch.more);
        assert_eq!(answer.cursor == *cursor, tells == 0);
    };
    check(&cursor(read_point(1, 0)), 1);
    check(&cursor(read_point(1, 2)), 1);
    check(&cursor(read_point(3, 0)), 0);
    check(&cursor(read_point(1, 3)), 0);
    let begun = |upto| Cursor {
        batch: Some(Batch {
            upto,
            last: PostId::MIN,
        }),
        ..cursor(read_point(1, 0))
    };
    check(&begun(read_point(2, 0)), 1);
    check(&begun(read_point(3, 0)), 0);
}

/// Were this to fail, a page read amid a batch would show a post that its cursor knows nothing of.
#[test]
fn a_moment_says_what_it_shows_beyond_what_was_announced() {
    let desk = Desk::new("0s");
    desk.put(0, 10);
    desk.announce(1);
    assert_eq!(desk.snapshot(1_000).read_point().ahead, Offsets::default());
    desk.put(4, 20);
    assert_eq!(
        desk.snapshot(1_000).read_point().ahead,
        Offsets::new(&[at(5)])
    );
    desk.does(FeedOp::depends_on(
        place(10),
        crate::record::offsets::LogPos::new(at(6)),
    ));
    assert_eq!(
        desk.snapshot(1_000).read_point().ahead,
        Offsets::new(&[at(7)])
    );
    desk.announce(7);
    assert_eq!(desk.snapshot(1_000).read_point().ahead, Offsets::default());
}

/// Kind and milliseconds of each change.
fn kinds(answer: &Told) -> Vec<(String, i64)> {
    let all = told(answer).into_iter();
    all.map(|(kind, _, ms)| (kind, ms)).collect()
}

fn rows(rows: &[(&str, i64)]) -> Vec<(String, i64)> {
    let row = |(kind, ms): &(&str, i64)| ((*kind).to_owned(), *ms);
    rows.iter().map(row).collect()
}

fn ms(snapshot: &Snapshot) -> Vec<i64> {
    let time = |id: &PostId| id.time().millis();
    snapshot.ids().iter().map(time).collect()
}

/// Were this to fail, page and stream would disagree about a boost.
#[test]
fn a_repeat_is_not_on_the_page_until_what_hides_it_leaves() {
    let desk = Desk::new("0s");
    desk.put(0, 10);
    desk.boost(1, 20, 10);
    desk.boost(2, 109, 10);
    desk.boost(3, 110, 10);
    desk.announce(4);
    assert_eq!(ms(&desk.snapshot(1_000)), [10, 110]);
    let from = cursor(desk.snapshot(1_000).read_point());
    desk.does(FeedOp::remove(
        place(10),
        crate::record::offsets::LogPos::new(at(4)),
    ));
    desk.announce(5);
    assert_eq!(ms(&desk.snapshot(1_000)), [20]);
    let changes = [
        ("remove", 10),
        ("post", 20),
        ("remove", 109),
        ("remove", 110),
    ];
    assert_eq!(kinds(&desk.tell(&from, 10)), rows(&changes));
}

#[test]
fn a_late_boost_takes_the_place_of_those_above_it() {
    let desk = Desk::new("0s");
    desk.put(0, 5);
    desk.does(FeedOp::remove(place(5), LogPos::new(at(0))));
    desk.boost(1, 20, 5);
    desk.announce(2);
    let from = cursor(desk.snapshot(1_000).read_point());
    assert_eq!(from.from.top, place(20));
    desk.boost(2, 15, 5);
    desk.announce(3);
    assert_eq!(ms(&desk.snapshot(1_000)), [15]);
    assert_eq!(desk.snapshot(1_000).read_point().top, place(15));
    let told = desk.tell(&from, 10);
    assert_eq!(kinds(&told), rows(&[("post", 15), ("remove", 20)]));
}

/// Were this to fail, ten thousand boosts of one post would be ten thousand removals of what nobody has.
#[test]
fn a_repeat_that_was_hidden_from_the_first_is_not_told() {
    let desk = Desk::new("0s");
    desk.put(0, 10);
    desk.announce(1);
    let from = cursor(desk.snapshot(1_000).read_point());
    for n in 1..6 {
        desk.boost(n, 10 + n, 10);
    }
    desk.announce(6);
    assert_eq!(kinds(&desk.tell(&from, 10)), rows(&[]));
}

/// Were this to fail, a reader would keep what an answer showed that came after its batch began.
#[test]
fn a_repeat_that_a_later_answer_told_is_taken_out() {
    let desk = Desk::new("0s");
    desk.put(0, 5);
    desk.does(FeedOp::remove(place(5), LogPos::new(at(0))));
    desk.announce(1);
    let start = cursor(desk.snapshot(1_000).read_point());
    for n in 1..4 {
        desk.put(n, 10 * n);
    }
    desk.announce(4);
    let first = desk.tell(&start, 2);
    desk.boost(4, 29, 5);
    desk.announce(5);
    let second = desk.tell(&first.cursor, 10);
    assert_eq!(kinds(&second), rows(&[("post", 29), ("post", 30)]));
    desk.boost(5, 15, 5);
    desk.announce(6);
    let third = desk.tell(&second.cursor, 10);
    assert_eq!(kinds(&third), rows(&[("post", 15), ("remove", 29)]));
}

/// Were this to fail, a reader would keep an entry that has left by a relation which another node read together with what let it in.
#[test]
fn what_a_later_answer_told_is_remembered_with_the_records_it_rests_on() {
    let desk = Desk::new("0s");
    let start = cursor(desk.snapshot(1_000).read_point());
    for n in 0..3 {
        desk.put(n, 10 * (n + 1));
    }
    desk.announce(3);
    let first = desk.tell(&start, 2);
    desk.put(3, 29);
    desk.announce(4);
    let second = desk.tell(&first.cursor, 10);
    assert_eq!(kinds(&second), rows(&[("post", 29), ("post", 30)]));
    let (read, here) = (&second.cursor.from, LogPos::new(at(3)));
    assert!(!read.has(here) && read.may_show(here), "{read:?}");
    assert!(!read.may_show(LogPos::new(at(4))));
}

#[test]
fn an_account_may_want_every_boost() {
    let desk = Desk::new("0s");
    desk.put(0, 10);
    desk.boost(1, 20, 10);
    desk.announce(2);
    assert_eq!(ms(&desk.snapshot(1_000)), [10]);
    let document =
        format!(r#"{{"type":"account","account":"7","actor":"{ANA}","aggregate_boosts":false}}"#);
    let change = decode(None, Some(document.as_bytes())).unwrap();
    desk.view.graph.write().apply(&change);
    assert_eq!(ms(&desk.snapshot(1_000)), [10, 20]);
}

/// Were this to fail, a page would be shorter than asked for, or the walk would end early.
#[test]
fn a_page_is_full_of_what_is_shown() {
    let desk = Desk::new("0s");
    desk.put(0, 10);
    for n in 1..6 {
        desk.boost(n, 10 + n, 10);
    }
    desk.put(6, 20);
    desk.put(7, 30);
    let snapshot = desk.snapshot(1_000);
    let span = crate::view::page::Span {
        before: None,
        after: None,
        limit: 3,
    };
    let fill = |admits: &crate::view::with_original::FeedFilter<'_>| {
        let taken = |_: &Post, _: Option<&Post>| Offer::Taken;
        let page = walk_page(&desk.view.store, span, snapshot.ids(), admits, taken).unwrap();
        (page.ids, page.has_all)
    };
    assert_eq!(fill(&|_, _| true).0, [30, 20, 10].map(place));
    // What just went may still stand below: there is no page of it.
    let above = fill(&|post, _| post.id != place(10));
    assert_eq!(above, ([30, 20].map(place).to_vec(), true));
    let full = fill(&|post, _| post.id != place(20));
    assert_eq!(full, ([30, 10].map(place).to_vec(), true));
}
