//! The thread that is a member of the group.

use super::super::consumer_client::partition_list;
use super::super::topics::{self, Partitions};
use super::super::{
    ClientError, KafkaError, Options, PARTITIONS_EVERY, QUESTION_WAIT, note_commit,
};
use super::{Assignment, MemberOptions, Requests};
use crate::clock;
use parking_lot::Mutex;
use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, FromClientConfigAndContext as _, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext};
use rdkafka::error::KafkaResult;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaRespErr;
use slackwater_engine::record::Topic;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// What this file relies on: `[kafka.client]` may not change it.
const REQUIRED: [(&str, &str); 8] = [
    // All members of a group must have the same.
    ("partition.assignment.strategy", "cooperative-sticky"),
    // The newer protocol (KIP-848) leaves a member that hears nothing as it is.
    ("group.protocol", "classic"),
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("allow.auto.create.topics", "false"),
    // A broker that hangs is given up within a session.
    ("socket.timeout.ms", "5000"),
    // The leader of the group sees by this that there are more partitions.
    ("topic.metadata.refresh.interval.ms", "60000"),
    ("reconnect.backoff.max.ms", "1000"),
];
/// How long a poll waits, and how soon a request of the handle is noticed.
const POLL_WAIT: Duration = Duration::from_millis(100);
/// The part of the session timeout after which a member says again that it is there.
const HEARTBEATS: u32 = 5;
/// The longest it waits with that: by the answer it learns that shards are shared out anew.
const HEARTBEAT_MAX: Duration = Duration::from_secs(3);
/// How long others wait for a member that is there and does not take part when shards are shared out anew, at least the session timeout.
const REBALANCE_MIN: Duration = Duration::from_secs(60);
/// The pause before a member that failed for good joins again. Two nodes of one name put each other out: they do it ever more slowly.
const REJOIN_MIN: Duration = Duration::from_secs(1);
/// The longest such pause.
const REJOIN_MAX: Duration = Duration::from_secs(60);
/// A member that was one for so long begins with the shortest pause again.
const REJOIN_CALM: Duration = Duration::from_secs(300);

/// The state of the thread.
pub(super) struct Membership {
    options: Options,
    settings: ClientConfig,
    given: Arc<Given>,
    requests: Arc<Mutex<Requests>>,
    consumer: BaseConsumer<Rebalances>,
    /// How long the group may give nothing after it was lost until that is believed.
    believe_after: Duration,
    partitions_read_at: Option<Instant>,
    joined_at: Instant,
    rejoin_after: Duration,
}

impl Membership {
    pub(super) fn new(
        options: &Options,
        membership: &MemberOptions,
        assignment: watch::Sender<Assignment>,
        requests: Arc<Mutex<Requests>>,
    ) -> Result<Membership, KafkaError> {
        let settings = settings(options, membership)?;
        let given = Arc::new(Given {
            state: Mutex::default(),
            assignment,
        });
        Ok(Membership {
            consumer: join(options, &settings, &given)?,
            options: options.clone(),
            settings,
            given,
            requests,
            believe_after: membership.session_timeout,
            partitions_read_at: None,
            joined_at: clock::stopwatch(),
            rejoin_after: REJOIN_MIN,
        })
    }

    /// Is a member until a stop.
    pub(super) fn run(mut self) {
        loop {
            if self.is_stopped() {
                // What the group gave is no news for anybody once this node stops.
                self.given.state.lock().is_ending = true;
                return;
            }
            self.poll();
            self.read_partitions();
            self.believe_nothing();
            self.commit();
            if let Some((code, reason)) = self.consumer.client().fatal_error() {
                tracing::error!(%code, "the member of group {} failed for good ({reason}): it joins again", self.options.group);
                self.rejoin();
            }
        }
    }

    /// Hands rebalances over to [`Rebalances`]. Records never come, since nothing is fetched.
    fn poll(&self) {
        if let Some(Err(error)) = self.consumer.poll(POLL_WAIT) {
            tracing::debug!(%error, "being a member of group {}", self.options.group);
        }
    }

    /// A group that gives nothing after it was lost mostly gives something next, when others have given it back. If it does not, that is
    /// its word.
    fn believe_nothing(&self) {
        let is_long = |since: Instant| self.believe_after <= since.elapsed();
        if self.given.state.lock().nothing_since.is_some_and(is_long) {
            self.given.change(State::find);
        }
    }

    /// Reads how many partitions there are: which of activities follow depends on it.
    fn read_partitions(&mut self) {
        let is_recent = |at: Instant| at.elapsed() < PARTITIONS_EVERY;
        if self.partitions_read_at.is_some_and(is_recent) && !self.given.state.lock().is_unknown() {
            return;
        }
        match topics::read_partitions(self.consumer.client(), &self.options, QUESTION_WAIT) {
            Ok(partitions) => {
                self.partitions_read_at = Some(clock::stopwatch());
                self.given.change(|state| state.partitions = partitions);
            }
            // The reader of the log says so.
            Err(error) => tracing::debug!(%error, "counting partitions"),
        }
    }

    fn commit(&self) {
        let Some(next) = self.requests.lock().to_commit.take() else {
            return;
        };
        let assignment = self.given.assignment.borrow().clone();
        if !assignment.is_current {
            return;
        }
        let owned = next
            .iter()
            .filter(|position| assignment.has(**position))
            .map(|position| {
                let partition = (position.topic, position.partition);
                (partition, Offset::Offset(position.offset))
            });
        let done = partition_list(&self.options, owned).and_then(|offsets| match offsets.count() {
            0 => Ok(()),
            _ => self.consumer.commit(&offsets, CommitMode::Async),
        });
        note_commit(done);
    }

    /// A new consumer in the place of one that is of no use any more.
    fn rejoin(&mut self) {
        if REJOIN_CALM <= self.joined_at.elapsed() {
            self.rejoin_after = REJOIN_MIN;
        }
        self.given.change(State::lose);
        let begun = clock::stopwatch();
        while begun.elapsed() < self.rejoin_after && !self.is_stopped() {
            self.poll();
        }
        self.rejoin_after = (self.rejoin_after * 2).min(REJOIN_MAX);
        match join(&self.options, &self.settings, &self.given) {
            Ok(consumer) => {
                let broken = std::mem::replace(&mut self.consumer, consumer);
                broken.context().0.lock().take();
                // Closing a consumer asks the group, which may take a while.
                std::thread::spawn(move || drop(broken));
            }
            Err(error) => {
                tracing::error!(%error, "group {} cannot be joined again", self.options.group);
            }
        }
        self.joined_at = clock::stopwatch();
    }

    fn is_stopped(&self) -> bool {
        self.requests.lock().stop
    }
}

fn settings(options: &Options, membership: &MemberOptions) -> Result<ClientConfig, KafkaError> {
    let mut settings = options.settings(&[], &REQUIRED)?;
    settings.set("group.id", &options.group);
    let timeout = membership.session_timeout;
    settings.set("session.timeout.ms", timeout.as_millis().to_string());
    let heartbeat = (timeout / HEARTBEATS).min(HEARTBEAT_MAX);
    settings.set(
        "heartbeat.interval.ms",
        heartbeat.as_millis().max(1).to_string(),
    );
    let rebalance = REBALANCE_MIN.max(timeout);
    settings.set("max.poll.interval.ms", rebalance.as_millis().to_string());
    match &membership.instance {
        Some(instance) => settings.set("group.instance.id", instance),
        None => settings.remove("group.instance.id"),
    };
    Ok(settings)
}

/// A consumer that joins. It connects by itself.
fn join(
    options: &Options,
    settings: &ClientConfig,
    given: &Arc<Given>,
) -> Result<BaseConsumer<Rebalances>, KafkaError> {
    let context = Rebalances(Mutex::new(Some(Arc::clone(given))));
    let consumer = BaseConsumer::from_config_and_context(settings, context)
        .map_err(|source| KafkaError::Settings(Box::new(source)))?;
    let subscribed = consumer.subscribe(&[options.topic_name(Topic::Relationships)]);
    subscribed.map_err(|source| KafkaError::Client {
        what: "joining the group",
        source: Box::new(source),
    })?;
    Ok(consumer)
}

/// What the group gave, and where that is told.
struct Given {
    state: Mutex<State>,
    assignment: watch::Sender<Assignment>,
}

#[derive(Default)]
struct State {
    /// Partitions of relationships that the group gave and has not taken back.
    relationships: BTreeSet<i32>,
    partitions: Partitions,
    /// Whether the group has not answered for so long that others may have what it gave.
    is_lost: bool,
    /// Since when it answers again and gives nothing.
    nothing_since: Option<Instant>,
    /// Whether the group has given something, were it nothing.
    has_joined: bool,
    is_ending: bool,
}

impl State {
    fn lose(&mut self) {
        self.relationships.clear();
        (self.is_lost, self.nothing_since) = (true, None);
    }

    fn find(&mut self) {
        (self.is_lost, self.nothing_since) = (false, None);
    }

    fn give(&mut self, relationships: &BTreeSet<i32>) {
        self.relationships.extend(relationships);
        self.has_joined = true;
        if self.is_lost && self.relationships.is_empty() {
            self.nothing_since.get_or_insert_with(clock::stopwatch);
        } else {
            self.find();
        }
    }

    /// Whether a partition was given that is not counted.
    fn is_unknown(&self) -> bool {
        let count = self.partitions.get(&Topic::Relationships).copied();
        let last = self.relationships.last();
        last.is_some_and(|last| count.unwrap_or(0) <= *last)
    }
}

impl Given {
    /// Changes what was given, and tells it.
    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock();
        change(&mut state);
        if !state.has_joined || state.is_ending {
            return;
        }
        self.assignment.send_if_modified(|told| {
            let found = match state.is_lost {
                // What it gave last goes on to be said.
                true => Assignment {
                    is_current: false,
                    ..told.clone()
                },
                false => Assignment::of(state.relationships.clone(), &state.partitions),
            };
            let is_news = *told != found;
            *told = found;
            is_news
        });
    }
}

/// Receives what the group gives and takes back. It is none for a consumer that was replaced.
struct Rebalances(Mutex<Option<Arc<Given>>>);

impl ClientContext for Rebalances {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        tracing::debug!(target: "librdkafka", ?level, facility, "{text}");
    }

    fn error(&self, error: ClientError, reason: &str) {
        tracing::debug!(target: "librdkafka", %error, "{reason}");
    }
}

impl ConsumerContext for Rebalances {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        what: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        let is_lost = consumer.assignment_lost();
        let elements = partitions.elements();
        let numbers: BTreeSet<i32> = elements.iter().map(|it| it.partition()).collect();
        let given = self.0.lock().clone();
        let change = |change: &dyn Fn(&mut State)| {
            if let Some(given) = &given {
                given.change(change);
            }
        };
        let nothing = TopicPartitionList::new();
        let done = match what {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                change(&|state| state.give(&numbers));
                consumer.incremental_assign(&nothing)
            }
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS if is_lost => {
                change(&State::lose);
                consumer.incremental_unassign(&nothing)
            }
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS => {
                change(&|state| state.relationships.retain(|it| !numbers.contains(it)));
                consumer.incremental_unassign(&nothing)
            }
            _ => {
                change(&State::lose);
                consumer.unassign()
            }
        };
        tracing::debug!(?what, ?numbers, is_lost, "the group shares out anew");
        if let Err(error) = done {
            tracing::warn!(%error, "answering the group: {error}");
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        note_commit(result);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Were this to fail, every restart would move shards, or two nodes put each other out.
    #[test]
    fn a_member_has_the_name_that_it_is_given_and_no_other() {
        let options = Options {
            client: [
                ("group.instance.id".to_owned(), "everybody".to_owned()),
                ("session.timeout.ms".to_owned(), "1".to_owned()),
            ]
            .into(),
            ..Options::default()
        };
        let check = |instance: Option<&str>| {
            let membership = MemberOptions {
                instance: instance.map(str::to_owned),
                session_timeout: Duration::from_secs(15),
            };
            let settings = settings(&options, &membership).unwrap();
            assert_eq!(settings.get("group.instance.id"), instance);
            assert_eq!(settings.get("session.timeout.ms"), Some("15000"));
            assert_eq!(settings.get("heartbeat.interval.ms"), Some("3000"));
        };
        check(Some("a"));
        check(None);
    }

    /// Were this to fail, a node would give up its shards for a moment after its broker was away.
    #[test]
    fn a_group_that_answers_again_and_gives_nothing_is_not_believed_at_once() {
        let (sender, assignment) = watch::channel(Assignment::default());
        let given = Given {
            state: Mutex::default(),
            assignment: sender,
        };
        let now = || {
            let now = assignment.borrow();
            let shards: Vec<i32> = now.relationships.iter().copied().collect();
            (shards, now.is_current)
        };
        given.change(|state| state.give(&[1, 2].into()));
        given.change(State::lose);
        given.change(|state| state.give(&[].into()));
        assert_eq!(now(), (vec![1, 2], false));
        assert!(given.state.lock().nothing_since.is_some());
        given.change(|state| state.give(&[2].into()));
        assert_eq!(now(), (vec![2], true));
        given.change(State::lose);
        given.change(|state| state.give(&[].into()));
        given.change(State::find);
        assert_eq!(now(), (vec![], true));
        // Without a loss its word counts.
        given.change(|state| state.give(&[3].into()));
        given.change(|state| state.relationships.clear());
        assert_eq!(now(), (vec![], true));
    }
}
