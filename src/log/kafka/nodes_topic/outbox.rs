//! Appends our records to the nodes topic. At most one record waits: a newer one takes its place, so that a broker that is away
//! leaves no queue behind.

use super::super::{ClientError, KafkaError, Listener, Options};
use super::Shared;
use rdkafka::ClientContext;
use rdkafka::config::{FromClientConfigAndContext as _, RDKafkaLogLevel};
use rdkafka::message::{DeliveryResult, Message as _};
use rdkafka::producer::{BaseRecord, ProducerContext, ThreadedProducer};
use std::sync::{Arc, Weak};

/// What the client relies on, beside what both do. Other names of the same settings are set too, or an operator's might win.
const REQUIRED: [(&str, &str); 12] = [
    ("acks", "all"),
    // A newer record says all that one before it does, so one that comes twice does no harm. An idempotent client whose record times
    // out was seen to stop a broker for good.
    ("enable.idempotence", "false"),
    ("max.in.flight.requests.per.connection", "1"),
    ("max.in.flight", "1"),
    ("linger.ms", "0"),
    ("queue.buffering.max.ms", "0"),
    ("compression.type", "none"),
    ("compression.codec", "none"),
    // What a node said longer ago is of no use to others.
    ("message.timeout.ms", "3000"),
    ("delivery.timeout.ms", "3000"),
    ("retry.backoff.ms", "50"),
    ("retry.backoff.max.ms", "500"),
];

/// What waits to be accepted.
#[derive(Default)]
pub(super) struct Outbox {
    /// The record to be sent next.
    waiting: Option<(String, Vec<u8>)>,
    /// Whether librdkafka has a record that is not answered yet. It has one at a time, so that what it sends is always the newest.
    is_sending: bool,
    /// The greatest offset that the broker gave one of our records.
    pub(super) accepted: Option<i64>,
}

impl Outbox {
    /// Replaces what waits by a newer record.
    pub(super) fn put(&mut self, node: &str, value: Vec<u8>) {
        self.waiting = Some((node.to_owned(), value));
    }

    /// Whether nothing waits to be sent or answered.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_none() && !self.is_sending
    }

    fn next(&mut self) -> Option<(String, Vec<u8>)> {
        let next = (!self.is_sending).then(|| self.waiting.take());
        let next = next.flatten()?;
        self.is_sending = true;
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
        shared: Arc::downgrade(shared),
    };
    ThreadedProducer::from_config_and_context(&settings, context)
        .map_err(|source| KafkaError::Settings(Box::new(source)))
}

/// Sends what is put in until a stop.
pub(super) fn send_all(options: &Options, shared: &Shared, client: &Client) {
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
        let record = BaseRecord::to(&options.nodes)
            .partition(0)
            .key(&node)
            .payload(&value);
        if let Err((error, _)) = client.send(record) {
            done(shared, Err(error));
        }
    }
}

/// A record was accepted at an offset, or was not.
fn done(shared: &Shared, accepted: Result<i64, ClientError>) {
    let mut state = shared.state.lock();
    state.outbox.is_sending = false;
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
    shared: Weak<Shared>,
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
        let Some(shared) = self.shared.upgrade() else {
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
    fn the_newest_record_waits_alone_while_one_is_on_its_way() {
        let mut outbox = Outbox::default();
        outbox.put("a", vec![1]);
        outbox.put("a", vec![2]);
        assert_eq!(outbox.next(), Some(("a".to_owned(), vec![2])));
        outbox.put("a", vec![3]);
        assert_eq!(outbox.next(), None);
        outbox.put("a", vec![4]);
        outbox.is_sending = false;
        assert_eq!(outbox.next(), Some(("a".to_owned(), vec![4])));
        outbox.is_sending = false;
        assert!(outbox.is_empty());
    }
}
