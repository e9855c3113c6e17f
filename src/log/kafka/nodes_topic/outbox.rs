//! Appends our records to the nodes topic. At most one record waits: a newer one takes its place, so that a broker that is away
//! leaves no queue behind.

use super::super::{ClientError, KafkaError, Listener, Options};
use super::Shared;
use crate::clock;
use parking_lot::Mutex;
use rdkafka::ClientContext;
use rdkafka::config::{FromClientConfigAndContext as _, RDKafkaLogLevel};
use rdkafka::message::{DeliveryResult, Message as _};
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// Records that librdkafka may have at a time. With more than one, a record need not wait for the answer to the one before it; an
/// idempotent client keeps five in order.
const IN_FLIGHT_MAX: usize = 4;
/// What the clients rely on, beside what both do.
const REQUIRED: [(&str, &str); 7] = [
    ("acks", "all"),
    ("enable.idempotence", "true"),
    ("linger.ms", "0"),
    ("compression.type", "none"),
    // What a node said longer ago is of no use to others.
    ("message.timeout.ms", "4000"),
    ("retry.backoff.ms", "50"),
    ("retry.backoff.max.ms", "500"),
];
/// The pause before a client that failed for good is replaced.
const REPLACE_AFTER: Duration = Duration::from_millis(500);

/// What waits to be accepted.
#[derive(Default)]
pub(super) struct Outbox {
    /// The record to be sent next.
    waiting: Option<(String, Vec<u8>)>,
    /// Records that librdkafka has.
    in_flight: usize,
    /// The greatest offset that the broker gave one of our records.
    pub(super) accepted: Option<i64>,
}

impl Outbox {
    /// Replaces what waits by a newer record.
    pub(super) fn put(&mut self, node: &str, value: Vec<u8>) {
        self.waiting = Some((node.to_owned(), value));
    }

    /// A record that could not be sent waits again, unless a newer one does.
    fn put_back(&mut self, node: String, value: Vec<u8>) {
        self.waiting.get_or_insert((node, value));
    }

    /// Whether nothing waits to be sent or answered.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_none() && self.in_flight == 0
    }

    fn next(&mut self) -> Option<(String, Vec<u8>)> {
        let next = (self.in_flight < IN_FLIGHT_MAX).then(|| self.waiting.take());
        let next = next.flatten()?;
        self.in_flight += 1;
        Some(next)
    }
}

pub(super) type Client = ThreadedProducer<Deliveries>;

/// Makes the client. It connects by itself.
pub(super) fn connect(options: &Options, shared: &Arc<Shared>) -> Result<Client, KafkaError> {
    let mut required = REQUIRED.to_vec();
    required.extend(super::REQUIRED);
    let settings = options.settings(&[], &required)?;
    let context = Deliveries {
        listener: Listener::default(),
        shared: Mutex::new(Arc::downgrade(shared)),
    };
    ThreadedProducer::from_config_and_context(&settings, context)
        .map_err(|source| KafkaError::Settings(Box::new(source)))
}

/// Sends what is put in until a stop.
pub(super) fn send_all(options: &Options, shared: &Arc<Shared>, mut client: Client) {
    loop {
        let (node, value) = {
            let mut state = shared.state.lock();
            loop {
                if state.stop {
                    return;
                }
                match state.outbox.next() {
                    Some(next) => break next,
                    None => shared.changed.wait(&mut state),
                }
            }
        };
        if let Some((code, reason)) = client.client().fatal_error() {
            tracing::error!(%code, "the producer of {} failed for good ({reason}): it is replaced", options.nodes);
            client = match replace(options, shared, client) {
                Some(client) => client,
                None => return,
            };
            shared.state.lock().outbox.put_back(node, value);
            continue;
        }
        let record = BaseRecord::to(&options.nodes)
            .partition(0)
            .key(&node)
            .payload(&value);
        if let Err((error, _)) = client.send(record) {
            done(shared, Err(error));
        }
    }
}

/// A new client in the place of one that refuses everything; none at a stop. What the old one has not sent is given up.
fn replace(options: &Options, shared: &Arc<Shared>, broken: Client) -> Option<Client> {
    // Its answers are no longer counted, since it may give none.
    *broken.context().shared.lock() = Weak::new();
    // Dropping a client waits for its threads.
    std::thread::spawn(move || drop(broken));
    loop {
        let begun = clock::stopwatch();
        {
            let mut state = shared.state.lock();
            state.outbox.in_flight = 0;
            while !state.stop
                && let Some(left) = REPLACE_AFTER.checked_sub(begun.elapsed())
            {
                shared.changed.wait_for(&mut state, left);
            }
            if state.stop {
                return None;
            }
        }
        match connect(options, shared) {
            Ok(client) => return Some(client),
            Err(error) => {
                tracing::error!(%error, "the producer of {} cannot be replaced", options.nodes)
            }
        }
    }
}

/// A record was accepted at an offset, or was not.
fn done(shared: &Shared, accepted: Result<i64, ClientError>) {
    let mut state = shared.state.lock();
    state.outbox.in_flight = state.outbox.in_flight.saturating_sub(1);
    match accepted {
        // An offset that the broker did not say is below zero.
        Ok(offset) => {
            state.outbox.accepted = state.outbox.accepted.max(Some(offset));
            state.not_accepted = None;
        }
        Err(error) => {
            let error = format!("what this node says of itself is not accepted: {error}");
            if state.not_accepted.as_ref() != Some(&error) {
                tracing::warn!("{error}");
            }
            state.not_accepted = Some(error);
        }
    }
    shared.changed.notify_all();
}

/// Hears which records were accepted.
pub(super) struct Deliveries {
    listener: Listener,
    shared: Mutex<Weak<Shared>>,
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.listener.log(level, facility, text);
    }

    fn error(&self, error: ClientError, reason: &str) {
        self.listener.error(error, reason);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let Some(shared) = self.shared.lock().upgrade() else {
            return;
        };
        done(
            &shared,
            match result {
                Ok(message) => Ok(message.offset()),
                Err((error, _)) => Err(error.clone()),
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Were this to fail, a broker that is away would leave a queue of old records behind.
    #[test]
    fn the_newest_record_waits_alone_and_few_are_on_their_way() {
        let mut outbox = Outbox::default();
        outbox.put("a", vec![1]);
        outbox.put("a", vec![2]);
        assert_eq!(outbox.next(), Some(("a".to_owned(), vec![2])));
        assert_eq!(outbox.next(), None);
        for _ in 1..IN_FLIGHT_MAX {
            outbox.put("a", vec![3]);
            assert!(outbox.next().is_some());
        }
        outbox.put("a", vec![4]);
        assert_eq!(outbox.next(), None);
        outbox.put("a", vec![5]);
        outbox.in_flight -= 1;
        assert_eq!(outbox.next(), Some(("a".to_owned(), vec![5])));
        outbox.put("a", vec![7]);
        outbox.put_back("a".to_owned(), vec![6]);
        outbox.in_flight = 0;
        assert_eq!(outbox.next(), Some(("a".to_owned(), vec![7])));
    }
}
