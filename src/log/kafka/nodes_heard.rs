//! What the nodes of a cluster say, to somebody who listens for some seconds and says nothing.

use super::nodes_topic::{NodeRecord, NodesTopic};
use super::{KafkaError, Options};
use crate::clock;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

/// The records that may wait to be looked at; more are passed over, as each node says more soon.
const WAITING_MAX: usize = 1_024;
/// The most nodes that are told of.
const NODES_MAX: usize = 256;

/// Listens to the nodes for so long. Returns the newest record of each that said something meanwhile, by its key: what was said before
/// says nothing of who lives. It blocks until then, and for a minute more if no broker answers.
///
/// Errors: no broker answers; the topic is missing or has several partitions; settings that librdkafka refuses.
pub fn hear_nodes(
    options: &Options,
    listen: Duration,
) -> Result<BTreeMap<String, NodeRecord>, KafkaError> {
    let (sender, records) = sync_channel(WAITING_MAX);
    let is_listening = Arc::new(AtomicBool::new(false));
    let listens = Arc::clone(&is_listening);
    let each = move |record| {
        if listens.load(Ordering::Relaxed) {
            let _ = sender.try_send(record);
        }
    };
    let topic = NodesTopic::open(options, each)?;
    is_listening.store(true, Ordering::Relaxed);
    let begun = clock::stopwatch();
    let mut heard: BTreeMap<String, NodeRecord> = BTreeMap::new();
    while let Some(left) = listen.checked_sub(begun.elapsed())
        && let Ok(record) = records.recv_timeout(left)
    {
        if heard.len() < NODES_MAX || heard.contains_key(&record.key) {
            heard.insert(record.key.clone(), record);
        }
    }
    drop(topic);
    Ok(heard)
}
