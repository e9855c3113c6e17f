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

/// The nodes that stand by for a shard: `wanted` of `nodes` but its owner, those that have its feeds already first.
pub fn standbys<'a>(
    nodes: &BTreeSet<&'a str>,
    shard: u32,
    owner: &str,
    has_feeds: impl Fn(&str) -> bool,
    wanted: usize,
) -> Vec<&'a str> {
    let mut ranked = by_weight(nodes, shard);
    ranked.retain(|node| *node != owner);
    // The sort is stable.
    ranked.sort_by_key(|node| !has_feeds(node));
    ranked.truncate(wanted);
    ranked
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

    #[test]
    fn who_has_the_feeds_stands_by_before_others() {
        let nodes: BTreeSet<&str> = ["a", "b", "c", "d"].into();
        for shard in 0..16 {
            for last in ["b", "c", "d"] {
                assert_eq!(standbys(&nodes, shard, "a", |it| it == last, 1), [last]);
            }
            assert_eq!(standbys(&nodes, shard, "a", |_| false, 9).len(), 3);
        }
    }

    #[test]
    fn without_nodes_nothing_is_placed() {
        assert!(places(&BTreeSet::new(), 8).is_empty());
    }
}
