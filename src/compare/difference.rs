//! Two homes of one account, held against each other: what is in both, in another order, or in one of them. Pure.

use super::home::{Home, OurPost, TheirPost};
use hashbrown::{HashMap, HashSet};
use slackwater_order::place::PostId;

/// What two homes have in common, and what not. Indexes are those of the posts in each home.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// Posts that are in both.
    pub both: usize,
    /// The least number of those that have to be moved to turn Mastodon's order into the one here.
    pub moved: usize,
    /// Posts of Mastodon's home that are not in the part read of the one here.
    pub only_theirs: Vec<usize>,
    /// Posts of the home here that are not in the part read of Mastodon's, and no older than the part that is compared.
    pub only_ours: Vec<usize>,
    /// Posts of the home here that are older than the part of Mastodon's that is compared.
    pub outside: usize,
    /// The lowest place that is compared, if the home here goes on below it.
    pub lowest_place: Option<PostId>,
}

/// Compares the newest `posts_max` posts of each home. What was read of them beyond is no difference, only known to be there: the
/// two stand in different orders, so their parts end at different posts.
pub fn differences(
    theirs: &Home<TheirPost>,
    ours: &Home<OurPost>,
    posts_max: usize,
) -> Differences {
    let their_part = theirs.posts.get(..posts_max).unwrap_or(&theirs.posts);
    let our_part = ours.posts.get(..posts_max).unwrap_or(&ours.posts);
    let their_ids: HashSet<u64> = theirs.posts.iter().map(|post| post.id).collect();
    let our_ids: HashSet<u64> = ours.posts.iter().filter_map(|post| post.id).collect();
    let lowest_id = their_part.last().map_or(0, |post| post.id);
    let ours_goes_on = our_part.len() < ours.posts.len() || !ours.is_whole;

    let only_theirs = their_part.iter().enumerate();
    let only_theirs = only_theirs.filter(|(_, post)| !our_ids.contains(&post.id));
    let mut only_ours = Vec::new();
    let mut outside = 0;
    for (nth, post) in our_part.iter().enumerate() {
        match post.id {
            Some(id) if their_ids.contains(&id) => {}
            Some(id) if id < lowest_id => outside += 1,
            _ => only_ours.push(nth),
        }
    }
    let positions: HashMap<u64, usize> = our_part
        .iter()
        .enumerate()
        .filter_map(|(nth, post)| Some((post.id?, nth)))
        .collect();
    let order: Vec<usize> = their_part
        .iter()
        .filter_map(|post| positions.get(&post.id).copied())
        .collect();
    Differences {
        both: order.len(),
        moved: order.len() - longest_rising(&order),
        only_theirs: only_theirs.map(|(nth, _)| nth).collect(),
        only_ours,
        outside,
        lowest_place: our_part
            .last()
            .map(|post| post.place)
            .filter(|_| ours_goes_on),
    }
}

/// Whether Mastodon's home shows, within so many entries of where a post of the home here would stand in it, the same post by another
/// entry. Mastodon leaves a boost out if that is so, and a post if a boost of it is there.
pub fn shows_nearby(theirs: &Home<TheirPost>, post: &OurPost, within: usize) -> bool {
    let (Some(id), Some(shows)) = (post.id, post.shows()) else {
        return false;
    };
    let stands = theirs.posts.partition_point(|it| id < it.id);
    let nearby = theirs.posts.iter().take(stands.saturating_add(within));
    let mut nearby = nearby.skip(stands.saturating_sub(within));
    nearby.any(|it| it.shows() == shows)
}

/// How many of different numbers can stay where they are while the others are moved until all rise: the length of the longest rising
/// subsequence (Fredman 1975, patience sorting).
fn longest_rising(numbers: &[usize]) -> usize {
    // The lowest number with which a rising subsequence of each length ends.
    let mut ends: Vec<usize> = Vec::new();
    for number in numbers {
        let length = ends.partition_point(|end| end < number);
        match ends.get_mut(length) {
            Some(end) => *end = *number,
            None => ends.push(*number),
        }
    }
    ends.len()
}

#[cfg(test)]
mod tests {
    use super::super::home::Boosted;
    use super::*;
    use slackwater_order::time::Time;

    fn theirs(ids: &[u64]) -> Home<TheirPost> {
        let post = |id: &u64| TheirPost {
            id: *id,
            ..TheirPost::default()
        };
        Home {
            posts: ids.iter().map(post).collect(),
            is_whole: true,
        }
    }

    /// Posts of these ids, from the highest place down.
    fn ours(ids: &[u64]) -> Home<OurPost> {
        let post = |(nth, id): (usize, &u64)| OurPost {
            place: PostId::from_number(1_000 - nth as u64).unwrap(),
            id: (*id != 0).then_some(*id),
            arrived: Time::default(),
            delay_ms: None,
            is_fetched: false,
            boosted: None,
        };
        Home {
            posts: ids.iter().enumerate().map(post).collect(),
            is_whole: true,
        }
    }

    #[test]
    fn a_post_is_moved_if_others_keep_their_order_without_it() {
        let check = |mastodons: &[u64], here: &[u64], moved: usize| {
            let found = differences(&theirs(mastodons), &ours(here), 100);
            assert_eq!((found.both, found.moved), (mastodons.len(), moved));
            assert_eq!((found.only_theirs.len(), found.only_ours.len()), (0, 0));
        };
        check(&[], &[], 0);
        check(&[5, 4, 3, 2, 1], &[5, 4, 3, 2, 1], 0);
        check(&[5, 4, 3, 2, 1], &[4, 3, 2, 1, 5], 1);
        check(&[5, 4, 3, 2, 1], &[4, 5, 3, 1, 2], 2);
        check(&[5, 4, 3, 2, 1], &[1, 2, 3, 4, 5], 4);
    }

    /// Small inputs, all of them: against the definition.
    #[test]
    fn no_fewer_posts_can_be_moved() {
        fn orders(left: &[usize]) -> Vec<Vec<usize>> {
            if left.is_empty() {
                return vec![Vec::new()];
            }
            let first = |n: usize| {
                let rest: Vec<usize> = left.iter().copied().filter(|it| *it != n).collect();
                let rest = orders(&rest).into_iter();
                rest.map(move |rest| [vec![n], rest].concat())
            };
            left.iter().flat_map(|n| first(*n)).collect()
        }
        for order in orders(&[0, 1, 2, 3, 4, 5]) {
            let rises = |kept: u32| {
                let kept = (0..6).filter(|nth| kept >> nth & 1 == 1);
                let kept: Vec<usize> = kept.map(|nth| order[nth]).collect();
                kept.is_sorted().then_some(kept.len())
            };
            let longest = (0..1 << 6).filter_map(rises).max().unwrap();
            assert_eq!(longest_rising(&order), longest, "{order:?}");
        }
    }

    #[test]
    fn what_is_in_one_home_only_is_found() {
        let found = differences(&theirs(&[9, 8, 7, 6]), &ours(&[9, 7, 6]), 100);
        assert_eq!((found.only_theirs, found.only_ours), (vec![1], vec![]));
        let found = differences(&theirs(&[9, 7, 6]), &ours(&[9, 8, 7, 6]), 100);
        assert_eq!((found.only_theirs, found.only_ours), (vec![], vec![1]));
        // One that Mastodon has no id of.
        let found = differences(&theirs(&[9, 7]), &ours(&[9, 0, 7]), 100);
        assert_eq!((found.only_theirs, found.only_ours), (vec![], vec![1]));
    }

    /// A failure means that two homes in another order never agree: the post that one part ends with is in the middle of the other.
    #[test]
    fn what_is_beyond_the_part_compared_is_no_difference() {
        // Five posts of which 1 was written last and came first, of each home the upper three.
        let (mastodons, here) = (theirs(&[5, 4, 3, 2, 1]), ours(&[1, 5, 4, 3, 2]));
        let found = differences(&mastodons, &here, 3);
        assert_eq!((found.both, found.moved), (2, 0));
        assert_eq!((found.only_theirs, found.only_ours), (vec![], vec![]));
        assert_eq!(found.lowest_place, PostId::from_number(998));
        // The same, where no more was read.
        let (mastodons, mut here) = (theirs(&[5, 4, 3]), ours(&[1, 5, 4]));
        here.is_whole = false;
        let found = differences(&mastodons, &here, 3);
        assert_eq!((found.only_theirs, found.only_ours), (vec![2], vec![]));
        assert_eq!(found.outside, 1, "older than all that Mastodon showed");
        assert_eq!(found.lowest_place, PostId::from_number(998));
    }

    #[test]
    fn what_mastodon_shows_by_another_entry_counts_where_it_is_near() {
        let mut mastodons = theirs(&[90, 80, 70, 60, 50, 40]);
        mastodons.posts[1].boosted = Some(Boosted {
            id: 7,
            author: String::new(),
        });
        let check = |id: u64, boosted: Option<u64>, within: usize, shows: bool| {
            let post = OurPost {
                boosted,
                ..ours(&[id]).posts[0].clone()
            };
            let found = shows_nearby(&mastodons, &post, within);
            assert_eq!(found, shows, "{id} {boosted:?} within {within}");
        };
        // Another boost of the same, above and below where it would stand.
        check(95, Some(7), 2, true);
        check(95, Some(7), 1, false);
        check(55, Some(7), 3, true);
        check(55, Some(7), 2, false);
        // A boost of what is there by itself, and what a boost shows by itself.
        check(65, Some(40), 3, true);
        check(65, Some(40), 2, false);
        check(7, None, 5, true);
        check(7, None, 4, false);
        check(65, Some(8), 10, false);
        check(65, None, 10, false);
        check(0, Some(7), 10, false);
    }

    #[test]
    fn a_home_that_ends_has_no_lowest_place() {
        let found = differences(&theirs(&[5, 4, 3]), &ours(&[5, 4]), 3);
        assert_eq!((found.only_theirs, found.lowest_place), (vec![2], None));
    }
}
