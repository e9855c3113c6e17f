//! Which entries of a feed show which posts, and which of those are repeats. Pure.
//!
//! An entry shows the post it boosts, or itself. Of the entries showing one post the lowest is shown; one above it repeats
//! it, and is hidden, until it stands far enough above the last one shown. So whether an entry is hidden depends on those
//! below it and on none above: what the horizon has not reached hides nothing that it has.

use slackwater_order::place::PostId;
use slackwater_order::time::millis_of;
use std::time::Duration;

/// The posts that several entries of one feed show, or may come to show, by entry. Posts nobody
/// boosts are not in it, and nothing hides them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BoostGroups {
    /// The post shown and the entry, ascending: those that show one post stand together, by place.
    rows: Vec<(PostId, PostId)>,
}

impl BoostGroups {
    /// From the rows it was made of. None if they do not ascend.
    pub fn from_rows(rows: Vec<(PostId, PostId)>) -> Option<BoostGroups> {
        rows.is_sorted_by(|a, b| a < b)
            .then_some(BoostGroups { rows })
    }

    /// The post shown and the entry, ascending.
    pub fn rows(&self) -> &[(PostId, PostId)] {
        &self.rows
    }

    /// `entry` shows `post`, and nothing else.
    pub fn note(&mut self, entry: PostId, post: PostId) {
        let is_of_another = |(other, there): &(PostId, PostId)| *there == entry && *other != post;
        if self.rows.iter().any(is_of_another) {
            self.rows.retain(|row| !is_of_another(row));
        }
        self.note_new(entry, post);
    }

    /// `entry`, of which nothing was known, shows `post`. Does not look through all the others for it: ten thousand boosts of
    /// one post would take a hundred million looks.
    pub fn note_new(&mut self, entry: PostId, post: PostId) {
        if let Err(at) = self.rows.binary_search(&(post, entry)) {
            self.rows.insert(at, (post, entry));
        }
    }

    /// Whether it is known that `post` shows itself.
    pub fn has_itself(&self, post: PostId) -> bool {
        self.rows.binary_search(&(post, post)).is_ok()
    }

    /// Whether it is known what `entry` shows.
    pub fn has(&self, entry: PostId) -> bool {
        self.rows.iter().any(|(_, there)| *there == entry)
    }

    /// Whether some entry shows `post`.
    pub fn is_of(&self, post: PostId) -> bool {
        let from = self.rows.partition_point(|(there, _)| *there < post);
        self.rows.get(from).is_some_and(|(there, _)| *there == post)
    }

    /// The entries that show `post`, ascending.
    pub fn entries_of(&self, post: PostId) -> impl Iterator<Item = PostId> + '_ {
        let from = self.rows.partition_point(|(there, _)| *there < post);
        let rows = self.rows.get(from..).unwrap_or_default().iter();
        let of_post = rows.take_while(move |(there, _)| *there == post);
        of_post.map(|(_, entry)| *entry)
    }

    /// Keeps what is known of these entries alone.
    pub fn retain(&mut self, is_kept: impl Fn(PostId) -> bool) {
        self.rows.retain(|(_, entry)| is_kept(*entry));
    }

    /// The entries at or below `floor`, ascending.
    pub fn fallen(&self, floor: PostId) -> Vec<PostId> {
        let entries = self.rows.iter().map(|(_, entry)| *entry);
        let mut fallen: Vec<PostId> = entries.filter(|entry| *entry <= floor).collect();
        fallen.sort_unstable();
        fallen
    }

    /// The hidden ones among the entries that `stands` says are there, ascending. Each is less than `after` above the last
    /// one shown of its post.
    pub fn hidden(&self, after: Duration, stands: impl Fn(PostId) -> bool) -> Vec<PostId> {
        let mut hidden = Vec::new();
        for group in self.groups() {
            let mut shown = None;
            for (_, entry) in group.iter().filter(|(_, entry)| stands(*entry)) {
                match shown {
                    Some(below) if is_within(below, *entry, after) => hidden.push(*entry),
                    _ => shown = Some(*entry),
                }
            }
        }
        hidden.sort_unstable();
        hidden
    }

    /// The entries above one that `is_new` to somebody and shows the same post, ascending: any of them may have been hidden
    /// for them and be shown now, or the other way round.
    pub fn above(&self, is_new: impl Fn(PostId) -> bool) -> Vec<PostId> {
        let mut above = Vec::new();
        for group in self.groups() {
            let new = group.iter().position(|(_, entry)| is_new(*entry));
            let rest = new.and_then(|at| group.get(at + 1..)).unwrap_or_default();
            above.extend(rest.iter().map(|(_, entry)| *entry));
        }
        above.sort_unstable();
        above
    }

    /// Each post shown, and the lowest entry that shows it.
    pub fn lowest(&self) -> Vec<(PostId, PostId)> {
        let groups = self.rows.chunk_by(|a, b| a.0 == b.0);
        groups.filter_map(|group| group.first().copied()).collect()
    }

    /// Forgets a post's entries below the floor once nothing above `floor` can be within `after` of them. They are forgotten all together:
    /// which of them were visible depends on the lower ones.
    pub fn age(&mut self, floor: PostId, after: Duration) {
        let mut kept = Vec::with_capacity(self.rows.len());
        for group in self.rows.chunk_by(|a, b| a.0 == b.0) {
            let (fallen, above) = group.split_at(group.partition_point(|(_, at)| *at <= floor));
            let can_hide = |(_, highest): &(PostId, PostId)| is_within(*highest, floor, after);
            if fallen.last().is_some_and(can_hide) {
                kept.extend_from_slice(fallen);
            }
            kept.extend_from_slice(above);
        }
        self.rows = kept;
    }

    /// Keeps of what fell no more than `most`, the highest. Whether that was too many.
    pub fn keep_fallen(&mut self, floor: PostId, most: usize) -> bool {
        let fallen = self.fallen(floor);
        let Some(highest_forgotten) = fallen.len().checked_sub(most + 1) else {
            return false;
        };
        let highest_forgotten = fallen.get(highest_forgotten).copied();
        self.retain(|entry| highest_forgotten.is_none_or(|gone| gone < entry));
        true
    }

    /// The entries that may show one post, for each post that several may.
    fn groups(&self) -> impl Iterator<Item = &[(PostId, PostId)]> {
        self.rows
            .chunk_by(|a, b| a.0 == b.0)
            .filter(|group| 1 < group.len())
    }
}

/// Whether `above` stands less than `after` above `below`.
fn is_within(below: PostId, above: PostId, after: Duration) -> bool {
    above.time().since(below.time()) < millis_of(after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use slackwater_order::time::Time;
    use std::collections::BTreeMap;

    const DAY: Duration = Duration::from_secs(86_400);

    /// The place of the hour.
    fn at(hour: u64) -> PostId {
        let time = Time::from_millis(i64::try_from(hour).unwrap() * 3_600_000);
        PostId::new(time, 5, 0)
    }

    fn shows(rows: &[(u64, u64)]) -> BoostGroups {
        let mut shows = BoostGroups::default();
        for (entry, post) in rows {
            shows.note(at(*entry), at(*post));
        }
        shows
    }

    fn hours(places: &[PostId]) -> Vec<u64> {
        places
            .iter()
            .map(|place| place.number() >> 16)
            .map(|millis| millis / 3_600_000)
            .collect()
    }

    #[test]
    fn a_boost_is_hidden_within_a_day_of_the_last_shown_below_it() {
        let check = |entries: &[u64], hidden: &[u64]| {
            let rows: Vec<_> = entries.iter().map(|entry| (*entry, 0)).collect();
            let found = shows(&rows).hidden(DAY, |_| true);
            assert_eq!(hours(&found), hidden, "{entries:?}");
        };
        check(&[], &[]);
        check(&[5], &[]);
        check(&[5, 6], &[6]);
        check(&[5, 28], &[28]);
        check(&[5, 29], &[]);
        check(&[5, 20, 28, 29, 40, 53], &[20, 28, 40]);
        // What counts is the last one shown: the hidden one at 20 does not hide that at 30.
        check(&[5, 20, 30], &[20]);
        check(&[0, 5], &[5]);
    }

    #[test]
    fn what_does_not_stand_hides_nothing_and_what_shows_another_post_neither() {
        let shows = shows(&[(5, 0), (6, 0), (7, 0), (8, 1)]);
        let hidden = |gone: &[u64]| {
            let gone: Vec<PostId> = gone.iter().map(|hour| at(*hour)).collect();
            hours(&shows.hidden(DAY, |entry| !gone.contains(&entry)))
        };
        assert_eq!(hidden(&[]), [6, 7]);
        assert_eq!(hidden(&[5]), [7]);
        assert_eq!(hidden(&[5, 6]), [0; 0]);
        assert_eq!(hidden(&[7]), [6]);
        assert_eq!(hours(&shows.hidden(Duration::ZERO, |_| true)), [0; 0]);
    }

    #[test]
    fn an_entry_shows_one_post() {
        let mut shows = shows(&[(5, 0), (6, 0)]);
        shows.note(at(6), at(1));
        assert_eq!(shows.rows(), [(at(0), at(5)), (at(1), at(6))]);
        assert!(shows.has(at(6)) && !shows.has(at(7)));
        assert!(shows.is_of(at(1)) && !shows.is_of(at(6)) && !shows.is_of(at(9)));
        assert!(!shows.has_itself(at(1)));
        shows.note_new(at(1), at(1));
        assert!(shows.has_itself(at(1)));
    }

    #[test]
    fn in_doubt_is_what_stands_above_what_is_new_and_shows_the_same() {
        let shows = shows(&[(5, 0), (6, 0), (7, 0), (8, 1), (9, 2), (10, 2)]);
        let above = |new: &[u64]| {
            let new: Vec<PostId> = new.iter().map(|hour| at(*hour)).collect();
            hours(&shows.above(|entry| new.contains(&entry)))
        };
        assert_eq!(above(&[]), [0; 0]);
        assert_eq!(above(&[5]), [6, 7]);
        assert_eq!(above(&[6, 9]), [7, 10]);
        assert_eq!(above(&[7, 8, 10]), [0; 0]);
    }

    /// Were this to fail, trimming would bring repeats to light, or feeds would grow without bound.
    #[test]
    fn what_fell_is_kept_while_any_of_its_post_can_hide_something() {
        let kept = |floor| {
            let mut shows = shows(&[(1, 0), (10, 0), (12, 3), (40, 0)]);
            shows.age(at(floor), DAY);
            hours(&shows.rows().iter().map(|row| row.1).collect::<Vec<_>>())
        };
        assert_eq!(kept(0), [1, 10, 40, 12]);
        assert_eq!(kept(33), [1, 10, 40, 12]);
        assert_eq!(kept(34), [40, 12]);
        assert_eq!(kept(36), [40]);
        assert_eq!(kept(63), [1, 10, 40], "all or nothing");
        assert_eq!(kept(64), [0; 0]);
    }

    #[test]
    fn of_too_much_that_fell_the_highest_is_kept() {
        let mut shows = shows(&[(1, 0), (2, 3), (4, 0), (5, 3), (9, 0)]);
        assert!(!shows.keep_fallen(at(5), 4));
        assert!(shows.keep_fallen(at(5), 3));
        assert_eq!(hours(&shows.fallen(at(5))), [2, 4, 5]);
        assert!(shows.has(at(9)));
    }

    proptest! {
        /// Were this to fail, a reader would see a post twice, or a boost of it never.
        #[test]
        fn hidden_is_what_the_definition_says(
            rows in prop::collection::btree_map(1u64..200, 0u64..4, 0..60),
            gone in prop::collection::btree_set(1u64..200, 0..20),
        ) {
            let noted: Vec<_> = rows.iter().map(|(entry, post)| (*entry, *post)).collect();
            let found = shows(&noted).hidden(DAY, |entry| !gone.contains(&hours(&[entry])[0]));
            let (mut last, mut expected) = (BTreeMap::new(), Vec::new());
            for (entry, post) in rows.iter().filter(|(entry, _)| !gone.contains(*entry)) {
                match last.get(post) {
                    Some(shown) if entry - shown < 24 => expected.push(*entry),
                    _ => drop(last.insert(post, *entry)),
                }
            }
            prop_assert_eq!(hours(&found), expected);
        }

        /// Were this to fail, ageing would show or hide something.
        #[test]
        fn ageing_changes_nothing_above_the_floor(
            rows in prop::collection::btree_map(1u64..200, 0u64..4, 0..60),
            gone in prop::collection::btree_set(1u64..200, 0..20),
            floor in 1u64..200,
        ) {
            let noted: Vec<_> = rows.iter().map(|(entry, post)| (*entry, *post)).collect();
            let mut shows = shows(&noted);
            let hidden = |shows: &BoostGroups| {
                let mut hidden = shows.hidden(DAY, |entry| !gone.contains(&hours(&[entry])[0]));
                hidden.retain(|entry| at(floor) < *entry);
                hidden
            };
            let before = hidden(&shows);
            shows.age(at(floor), DAY);
            prop_assert_eq!(hidden(&shows), before);
        }
    }
}
