//! A seeded simulation of clusters: several nodes, each an engine and what `slackwater_cluster` makes of the nodes' log, which is one more
//! partition that each reads when it comes to it. Nodes are stopped, killed and begun again, cut off from the log and from each other, share
//! names and shards, and count partitions otherwise; relations are appended by any of them and answered when they are in force wherever
//! it matters; readers ask any of them, with a cursor and without, through the same looks at what a node may answer for as in the
//! service: before a look at a feed, and after it.
//!
//! | what must be so | where it is checked |
//! |---|---|
//! | 9: no look at a feed that is shown lacks a relation that was answered before it | every look that may be shown |
//! | 1, 2, 3: a feed is what the model says | every look, also those that are not shown |
//! | 5: catching up is complete, from node to node | readers' copies against fresh reads |
//! | a cursor is refused for a reason | refusals of cursors that have all relations |
//! | after faults every account is shown, wherever it is asked for | the end of every seed |

mod counted;
mod faults;
mod look;
mod member;
mod run;
mod shown;

use super::each_seed;
use counted::Counted;
use run::run;
use std::ops::Range;

/// Run by every `cargo test`.
const SEEDS: Range<u64> = 0..150;

/// Promises 2, 5 and 9 where several nodes serve. Were this to fail, some reader would be shown what they had hidden, by another node.
#[test]
fn whatever_befalls_the_nodes_of_a_cluster_what_is_shown_has_every_relation_that_was_answered() {
    let counted = each_seed(SEEDS, run, Counted::add);
    println!("{counted:?}");
    counted.check();
}
