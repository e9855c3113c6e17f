//! Records that cannot be used, whose owner is killed before it writes their letters.

use super::load::Log;
use super::{ANA, home_of, post, relate, tell};
use crate::support::cluster::{Nodes, Options};
use crate::support::instance::Door;
use crate::support::{signal, wait_for};
use serde_json::{Value, json};
use slackwater::clock;
use slackwater_engine::record::{NewRecord, Topic};
use std::collections::BTreeMap;

/// So many records that nobody understands, under keys of all partitions.
const BAD: usize = 20;

/// Were this to fail, what came and could not be used would be gone without a word.
#[test]
fn a_record_that_cannot_be_used_has_its_letter_though_its_owner_is_killed_before_it_writes_it() {
    let mut nodes = Nodes::start_with(3, Options::quick(0));
    let log = Log::at(&nodes.broker.address());
    log.append(&bad("while all run"));
    for door in nodes.doors() {
        wait_for("a letter of each", || has_all(&door, "while all run"));
    }
    let once = letters(nodes.door(0), "while all run");
    assert!(once.values().all(|letters| *letters == 1), "{once:?}");

    // What comes while it is stopped, others have read, and it never does.
    let process = nodes.nodes[0].pid();
    signal(process, "STOP");
    log.append(&bad("while one is stopped"));
    let others = [nodes.door(1).clone(), nodes.door(2).clone()];
    tell(&others, &[post(ANA, 1)]);
    let before = letters(&others[0], "while one is stopped");
    assert!(before.len() < BAD, "it owns none of them");
    nodes.nodes[0].kill9();
    for door in &others {
        wait_for("a letter of each", || has_all(door, "while one is stopped"));
    }
    nodes.wait_settled();
    let follow = json!({"type": "follow", "account": "7", "target": ANA});
    relate(&others[0], &[follow]);
    let page = others[1].get(&home_of("7"));
    assert_eq!(page.status, 200, "{}", page.text);
}

fn bad(text: &str) -> Vec<NewRecord> {
    let record = |n: usize| {
        let key = format!("https://h{n}.example/users/1").into_bytes();
        NewRecord {
            topic: Topic::Activities,
            partition_by: key.clone(),
            key,
            value: Some(format!("{text}: {n}").into_bytes()),
            headers: Vec::new(),
            timestamp: clock::now(),
        }
    };
    (0..BAD).map(record).collect()
}

/// How many letters there are of each record whose value begins so.
fn letters(door: &Door, begin: &str) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    let answer = door.get("/v1/dead-letters?limit=80");
    assert_eq!(answer.status, 200, "{}", answer.text);
    let page: Value = answer.json();
    for letter in page["dead_letters"].as_array().expect("letters") {
        let value = letter["value"]["data"].as_str().expect("a value");
        if value.starts_with(begin) {
            *found.entry(value.to_owned()).or_default() += 1;
        }
    }
    found
}

fn has_all(door: &Door, begin: &str) -> Option<()> {
    (letters(door, begin).len() == BAD).then_some(())
}
