//! Rendezvous hashing with bounded loads: where shards go if no consumer group says so, and who stands by for them.
//!
//! Every node finds the same places from the same live nodes, and few shards move when a node comes or goes (D. Thaler and
//! C. Ravishankar, "Using name-based mappings to increase hit rates", 1998; the bound as in V. Mirrokni et al., "Consistent hashing
//! with bounded loads", 2018).

use std::collections::{BTreeMap, BTreeSet};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// By node: the shards that it should serve. Each of `nodes` gets the share of `shards` that is rounded up, or fewer.
pub fn places<'a>(nodes: &BTreeSet<&'a str>, shards: u32) -> BTreeMap<&'a str, BTreeSet<u32>> {
    let mut placed: BTreeMap<&str, BTreeSet<u32>> =
        nodes.iter().map(|node| (*node, BTreeSet::new())).collect();
    let Ok(most) = usize::try_from(shards) else {
        return placed;
    };
    let most = most.div_ceil(nodes.len().max(1));
    for shard in 0..shards {
        let ranked = by_weight(nodes, shard);
        let has_room = |node: &&&str| {
            let there = placed.get(**node).map_or(0, BTreeSet::len);
            there < most
        };
        let Some(node) = ranked.iter().find(has_room) else {
            continue;
        };
        placed.entry(*node).or_default().insert(shard);
    }
    placed
}

/// By node: the shards that it should stand by for. Each of `shards` gets `wanted` of `nodes` but its owner, or all of them, and no node gets
/// more than its share, rounded up, as far as that leaves enough. Mostly a node stands by for what it would serve if the owner went.
pub fn standbys<'a>(
    nodes: &BTreeSet<&'a str>,
    shards: u32,
    owner: impl Fn(u32) -> Option<&'a str>,
    wanted: usize,
) -> BTreeMap<&'a str, BTreeSet<u32>> {
    let mut placed: BTreeMap<&str, BTreeSet<u32>> =
        nodes.iter().map(|node| (*node, BTreeSet::new())).collect();
    let Ok(count) = usize::try_from(shards) else {
        return placed;
    };
    let most = (count * wanted).div_ceil(nodes.len().max(1));
    for shard in 0..shards {
        let owner = owner(shard);
        let mut ranked = by_weight(nodes, shard);
        ranked.retain(|node| Some(*node) != owner);
        // The sort is stable.
        let is_full = |node: &&str| most <= placed.get(*node).map_or(0, BTreeSet::len);
        ranked.sort_by_key(is_full);
        for node in ranked.into_iter().take(wanted) {
            placed.entry(node).or_default().insert(shard);
        }
    }
    placed
}

/// The nodes by their weight for a shard, the heaviest first.
fn by_weight<'a>(nodes: &BTreeSet<&'a str>, shard: u32) -> Vec<&'a str> {
    let mut ranked: Vec<(u64, &str)> = nodes
        .iter()
        .map(|node| (xxh3_64_with_seed(node.as_bytes(), shard.into()), *node))
        .collect();
    ranked.sort_unstable_by(|one, other| other.cmp(one));
    ranked.into_iter().map(|(_, node)| node).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_shard_has_one_place_and_no_node_has_more_than_its_share(count in 1_usize..12, shards in 1_u32..130) {
            let names: Vec<String> = (0..count).map(|n| format!("node-{n}")).collect();
            let nodes: BTreeSet<&str> = names.iter().map(String::as_str).collect();
            let placed = places(&nodes, shards);
            let all: Vec<u32> = placed.values().flatten().copied().collect();
            let distinct: BTreeSet<u32> = all.iter().copied().collect();
            prop_assert_eq!(all.len(), shards as usize);
            prop_assert_eq!(distinct.len(), shards as usize);
            let most = (shards as usize).div_ceil(count);
            prop_assert!(placed.values().all(|of| of.len() <= most));
        }
    }

    /// Were this to fail, every node that is restarted would cost most readers their place.
    #[test]
    fn when_a_node_goes_few_shards_of_the_others_move() {
        let four: BTreeSet<&str> = ["a", "b", "c", "d"].into();
        let three: BTreeSet<&str> = ["a", "b", "c"].into();
        let (before, after) = (places(&four, 64), places(&three, 64));
        let kept = |node: &str| before[node].intersection(&after[node]).count();
        let kept: usize = three.iter().map(|node| kept(node)).sum();
        assert!(40 <= kept, "{kept} of 48 stay");
    }

    fn owner_by<'a>(owners: &BTreeMap<&'a str, BTreeSet<u32>>) -> impl Fn(u32) -> Option<&'a str> {
        move |shard| {
            let has = |(_, of): &(&&str, &BTreeSet<u32>)| of.contains(&shard);
            owners.iter().find(has).map(|(node, _)| *node)
        }
    }

    /// Were this to fail, some nodes would have twice the work, and others none; or a shard would be at its owner alone.
    #[test]
    fn standbys_are_spread_and_none_is_the_owner() {
        let names = ["a", "b", "c", "d", "e"];
        for count in 2..=names.len() {
            let nodes: BTreeSet<&str> = names.into_iter().take(count).collect();
            let owners = places(&nodes, 64);
            for wanted in [1, 2, 9] {
                let placed = standbys(&nodes, 64, owner_by(&owners), wanted);
                let each = wanted.min(count - 1);
                let share = 64 * each / count;
                for shard in 0..64 {
                    let of: Vec<_> = placed
                        .iter()
                        .filter(|(_, of)| of.contains(&shard))
                        .collect();
                    assert_eq!(of.len(), each);
                    assert!(of.iter().all(|(node, _)| !owners[*node].contains(&shard)));
                }
                let are_even = |of: &BTreeSet<u32>| of.len().abs_diff(share) <= share / 4;
                assert!(placed.values().all(are_even), "{share} {placed:?}");
            }
        }
    }

    /// Were this to fail, the feeds of a node that is gone would be cold where they are served from then on.
    #[test]
    fn who_stood_by_mostly_serves_when_the_owner_is_gone() {
        let nodes: BTreeSet<&str> = ["a", "b", "c", "d"].into();
        let owners = places(&nodes, 64);
        let before = standbys(&nodes, 64, owner_by(&owners), 1);
        let after = places(&["a", "b", "c"].into(), 64);
        let warm = owners["d"].iter().filter(|shard| {
            let mut left = ["a", "b", "c"].into_iter();
            left.any(|node| before[node].contains(shard) && after[node].contains(shard))
        });
        let warm = warm.count();
        assert!(10 <= warm, "{warm} of {}", owners["d"].len());
    }

    #[test]
    fn without_nodes_nothing_is_placed() {
        assert!(places(&BTreeSet::new(), 8).is_empty());
    }
}
