//! The feed of late arrivals: entries of a home that were put below what its reader may have read, ordered by when they came there. So
//! an entry that comes to a home by itself is either pushed as new or listed here. The feed is worked out as it is read, from the home
//! and its posts.

use crate::feed::post::Post;
use crate::feed::reply_target::ReplyTarget;
use crate::feed::store::disk::DiskError;
use crate::record::Topic;
use crate::view::View;
use crate::view::page::Span;
use crate::view::snapshot::Snapshot;
use crate::view::with_original::post_with_original;
use slackwater_order::place::PostId;
use slackwater_order::time::Time;
use slackwater_order::verdict::Verdict;
use std::sync::Arc;
use std::time::Duration;

/// The most posts above a reply that are looked at for when it was known whom it answers; of a longer thread of one author those
/// further up do not count.
const THREAD_MAX: usize = 100;
/// The bits of an entry's id that tell posts of one millisecond apart.
const WITHIN_MS: u64 = 0xffff;

/// When and how an entry came into a home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When the last of the records arrived that it needed to be there: its own, that of what it boosts, those of what it answers,
    /// and the document of its author that says who could see it.
    pub at: Time,
    /// Whether one of these was read long after it arrived: see [`crate::record::READ_LATE_AFTER`].
    pub read_late: bool,
}

/// A late arrival.
#[derive(Clone, Debug)]
pub struct LateEntry {
    /// Its id in this feed: its arrival in milliseconds, and the low 16 bits of its post's id. If that is the same for several entries,
    /// the lowest placed has it, and each of the others the next free number.
    pub key: PostId,
    /// When it came.
    pub at: Time,
    /// Its post.
    pub post: Arc<Post>,
    /// What that boosts.
    pub original: Option<Arc<Post>>,
}

impl Arrival {
    /// The arrival of a post in the home of `owner`, an actor; `original` is the post that it boosts.
    pub fn of(
        view: &View,
        owner: Option<&str>,
        post: &Post,
        original: Option<&Post>,
    ) -> Result<Arrival, DiskError> {
        let mut arrival = Arrival {
            at: post.arrived,
            read_late: post.read_late,
        };
        if let Some(original) = original {
            arrival.needs(original);
        }
        if owner == Some(post.body.author.as_str()) {
            // A home has the posts of its own actor, whatever they answer and whoever may see them.
            return Ok(arrival);
        }
        if let Some(document) = post.document
            && let Some(followers) = view.store.followers(&post.body.author)?
        {
            arrival.at = arrival.at.max(followers.arrival_of(document));
        }
        let mut parent = view.parent_of(post)?;
        for _ in 0..THREAD_MAX {
            let Some(above) = parent else { break };
            arrival.needs(&above);
            // Who goes on in a thread of their own answers whom that answers.
            let goes_on = above.body.author == post.body.author;
            parent = match goes_on && above.answers.whom != ReplyTarget::Nobody {
                true => view.parent_of(&above)?,
                false => None,
            };
        }
        Ok(arrival)
    }

    fn needs(&mut self, other: &Post) {
        self.at = self.at.max(other.arrived);
        self.read_late |= other.read_late;
    }

    /// Whether it came within `wait` of its place: its reader may not have read so far yet.
    pub fn is_quick(&self, place: PostId, wait: Duration) -> bool {
        self.at <= place.time().plus(wait)
    }
}

impl View {
    fn parent_of(&self, post: &Post) -> Result<Option<Arc<Post>>, DiskError> {
        match &post.body.in_reply_to {
            Some(uri) => self.store.post_by_uri(uri),
            None => Ok(None),
        }
    }

    /// How long after its place an entry may come to a feed of `owner` and be new to its reader: as long as the feed is held
    /// back, and at least `live_max_age`.
    pub fn new_for(&self, owner: Option<&str>, live_max_age: Duration) -> Duration {
        let graph = self.graph.read();
        let owner = owner.and_then(|owner| graph.account(owner));
        let hold_ms = owner.map_or(0, |owner| graph.hold_ms(owner));
        let hold = Duration::from_millis(u64::try_from(hold_ms).unwrap_or(0));
        hold.max(live_max_age)
    }

    /// The actor that an account is.
    pub fn actor_of(&self, account: &str) -> Option<String> {
        let graph = self.graph.read();
        let actor = graph.get(graph.account(account)?)?.actor()?;
        Some(graph.name(actor).to_owned())
    }

    /// The late arrivals in the home of `account`, of which `snapshot` is the look, oldest first: entries that come within `wait` of
    /// their place are new to their reader. Every entry's post is read.
    pub fn late(
        &self,
        account: &str,
        snapshot: &Snapshot,
        wait: Duration,
    ) -> Result<Vec<LateEntry>, DiskError> {
        let owner = self.actor_of(account);
        let mut late = Vec::new();
        for id in snapshot.ids() {
            let Some((post, original)) = post_with_original(&self.store, *id)? else {
                continue;
            };
            if !snapshot.resolved.admits(self, &post, original.as_deref()) {
                continue;
            }
            let arrival = Arrival::of(self, owner.as_deref(), &post, original.as_deref())?;
            let mut marks = snapshot.feed.marks_of(*id);
            let by_relation = marks.any(|log_pos| log_pos.topic() == Topic::Relationships);
            if is_late(&post, &arrival, by_relation, wait) {
                let (key, at) = (key(arrival.at, *id), arrival.at);
                late.push(LateEntry {
                    key,
                    at,
                    post,
                    original,
                });
            }
        }
        late.sort_unstable_by_key(|entry| (entry.key, entry.post.id));
        tell_apart(&mut late);
        Ok(late)
    }
}

/// The part of late arrivals, oldest first, that a page shows, also oldest first. `is_upward`: those just above `after`, not the
/// newest.
pub fn page_of(late: &[LateEntry], span: Span, is_upward: bool) -> &[LateEntry] {
    let from = span
        .after
        .map_or(0, |after| late.partition_point(|entry| entry.key <= after));
    let to = span.before.map_or(late.len(), |before| {
        late.partition_point(|entry| entry.key < before)
    });
    let part = late.get(from..to).unwrap_or_default();
    match is_upward {
        true => part.get(..span.limit).unwrap_or(part),
        false => {
            let begin = part.len().saturating_sub(span.limit);
            part.get(begin..).unwrap_or_default()
        }
    }
}

/// Gives those that would have one id, as a thread does that waited for its first post, ids of their own: clients know an entry by
/// its id. They are sorted by id, then by place, and stay so.
fn tell_apart(late: &mut [LateEntry]) {
    let mut last = 0;
    for entry in late {
        let free = entry.key.number().max(last + 1);
        entry.key = PostId::from_number(free).unwrap_or(entry.key);
        last = free;
    }
}

/// The id of a late arrival.
fn key(at: Time, id: PostId) -> PostId {
    let ms = u64::try_from(at.millis()).unwrap_or(0);
    PostId::from_number(ms << 16 | id.number() & WITHIN_MS).unwrap_or(id)
}

/// Whether an entry is pushed as new to those on a stream. It is if its verdict allows it, if it comes on top or within `wait` of its
/// place, and if none of its records was read long after it arrived, as those of an import are. `behind`: the reader has had an entry
/// above it.
pub fn is_pushed(post: &Post, arrival: &Arrival, behind: bool, wait: Duration) -> bool {
    !is_quiet(post) && !arrival.read_late && (!behind || arrival.is_quick(post.id, wait))
}

/// Whether an entry is never pushed as new, however quickly it comes.
fn is_quiet(post: &Post) -> bool {
    match post.verdict {
        Verdict::InTime | Verdict::Late | Verdict::FromTheFuture | Verdict::Undated => false,
        Verdict::TooLate | Verdict::Fetched => true,
    }
}

/// Whether an entry was put below what its reader may have read. A relation that lets many in at once is no news: of what it
/// brought only what was late itself counts.
fn is_late(post: &Post, arrival: &Arrival, by_relation: bool, wait: Duration) -> bool {
    let own = Arrival {
        at: post.arrived,
        read_late: post.read_late,
    };
    !own.is_quick(post.id, wait)
        || !by_relation && (is_quiet(post) || arrival.read_late || !arrival.is_quick(post.id, wait))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::post::example;

    fn minutes(n: u64) -> Duration {
        Duration::from_secs(60 * n)
    }

    /// Placed at ten minutes, arrived then.
    fn post(arrived: u64) -> Post {
        let mut post = example::post("https://a.example/users/ana");
        post.id = PostId::new(Time::default().plus(minutes(10)), 5, 0);
        post.arrived = Time::default().plus(minutes(arrived));
        post
    }

    fn by_itself(post: &Post) -> Arrival {
        Arrival {
            at: post.arrived,
            read_late: post.read_late,
        }
    }

    /// Were this to fail, a post would be neither pushed nor listed, and buried below what its reader has read.
    #[test]
    fn what_comes_later_than_its_reader_waits_is_late() {
        let check = |arrived, wait, expected| {
            let post = post(arrived);
            let found = is_late(&post, &by_itself(&post), false, minutes(wait));
            assert_eq!(found, expected, "{arrived} {wait}");
        };
        check(10, 1, false);
        check(11, 1, false);
        check(12, 1, true);
        check(26, 16, false);
        check(27, 16, true);
    }

    #[test]
    fn what_is_never_pushed_or_was_let_in_late_or_read_late_is_late_unless_a_relation_brought_it() {
        let quick = post(10);
        let check = |post: &Post, arrival: Arrival| {
            assert!(is_late(post, &arrival, false, minutes(1)), "{arrival:?}");
            assert!(!is_late(post, &arrival, true, minutes(1)), "{arrival:?}");
        };
        for verdict in [Verdict::TooLate, Verdict::Fetched] {
            let post = Post {
                verdict,
                ..quick.clone()
            };
            check(&post, by_itself(&post));
        }
        let mut waited = by_itself(&quick);
        waited.needs(&post(15));
        assert_eq!(waited.at, Time::default().plus(minutes(15)));
        check(&quick, waited);
        let mut read_late = by_itself(&quick);
        read_late.needs(&Post {
            read_late: true,
            ..post(9)
        });
        assert_eq!((read_late.at, read_late.read_late), (quick.arrived, true));
        check(&quick, read_late);
        let late = post(30);
        assert!(is_late(&late, &by_itself(&late), true, minutes(1)));
    }

    /// Were this to fail, a post would be in a home without its reader ever coming upon it.
    #[test]
    fn what_comes_by_itself_is_pushed_or_late() {
        use Verdict::*;
        for verdict in [InTime, Late, TooLate, FromTheFuture, Undated, Fetched] {
            for (arrived, waited) in [(10, 0), (11, 0), (12, 0), (10, 12), (40, 0), (10, 40)] {
                for (read_late, behind) in
                    [(false, false), (false, true), (true, false), (true, true)]
                {
                    let post = Post {
                        verdict,
                        read_late,
                        ..post(arrived)
                    };
                    let mut arrival = by_itself(&post);
                    arrival.at = arrival.at.max(Time::default().plus(minutes(waited)));
                    let is_pushed = is_pushed(&post, &arrival, behind, minutes(1));
                    let is_late = is_late(&post, &arrival, false, minutes(1));
                    assert!(is_pushed || is_late, "{post:?} {arrival:?} {behind}");
                    assert!(
                        !is_pushed || !behind || !is_late,
                        "{post:?} {arrival:?}: twice"
                    );
                }
            }
        }
    }

    fn entry(ms: i64, low: u64) -> LateEntry {
        let post = Arc::new(post(10));
        let id = PostId::from_number(1 << 20 | low).unwrap();
        LateEntry {
            key: key(Time::from_millis(ms), id),
            at: Time::from_millis(ms),
            post,
            original: None,
        }
    }

    /// Were this to fail, clients would show one of several posts, or pages would miss some.
    #[test]
    fn those_that_came_in_one_moment_have_ids_of_their_own() {
        let mut late = [
            entry(1, 7),
            entry(2, 7),
            entry(2, 7),
            entry(2, 8),
            entry(4, 7),
        ];
        tell_apart(&mut late);
        let low = |of: &LateEntry| (of.key.number() >> 16, of.key.number() & 0xffff);
        let keys: Vec<_> = late.iter().map(low).collect();
        assert_eq!(keys, [(1, 7), (2, 7), (2, 8), (2, 9), (4, 7)]);
        let check = |before: Option<usize>, after: Option<usize>, limit, expected: &[usize]| {
            let span = Span {
                before: before.map(|at| late[at].key),
                after: after.map(|at| late[at].key),
                limit,
            };
            let is_upward = before.is_none() && after.is_some();
            let page = page_of(&late, span, is_upward).iter().map(low);
            let expected: Vec<_> = expected.iter().map(|at| keys[*at]).collect();
            assert_eq!(page.collect::<Vec<_>>(), expected, "{span:?}");
        };
        check(None, None, 2, &[3, 4]);
        check(Some(3), None, 1, &[2]);
        check(Some(3), None, 9, &[0, 1, 2]);
        check(Some(0), None, 5, &[]);
        check(None, Some(0), 1, &[1]);
        check(None, Some(0), 9, &[1, 2, 3, 4]);
        check(None, Some(4), 3, &[]);
        check(Some(4), Some(0), 2, &[2, 3]);
    }
}
