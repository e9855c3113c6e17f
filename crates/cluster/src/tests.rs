//! Beats for tests.

use crate::beat::{Beat, Speaks, VERSION};

/// A beat of a node with eight shards and a lease of four seconds, which serves none.
pub(crate) fn beat(node: &str) -> Beat {
    Beat {
        v: VERSION,
        node: node.to_owned(),
        run: format!("run-of-{node}"),
        address: format!("http://{node}.example:8787"),
        n: 1,
        began: None,
        lease_ms: 4_000,
        shards: 8,
        serves: [].into(),
        standby: [].into(),
        claims: [].into(),
        owns: [].into(),
        shows: true,
        caught_up: true,
        in_force: [].into(),
        settled: None,
        letters: [].into(),
        candidate_for: [].into(),
        cannot_reach: [].into(),
        decides: "1".to_owned(),
        speaks: Speaks::default(),
        leaving: false,
        program: "0.1.0".to_owned(),
    }
}
