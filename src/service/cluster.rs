//! The node among others, started: the topic, the log and the engine's progress joined to its turns.

mod hearing;

use super::error::{ServiceError, broken};
use crate::api::state::AppState;
use crate::clock;
use crate::cluster::turns::{self, Around, Event, Events};
use crate::cluster::{Assignment, Cluster, Options, agreement};
use crate::compare::daily;
use crate::config::Config;
use crate::log::kafka::{
    self, EndsClient, Member, MemberOptions, NodeRecord, NodesTopic, PartitionCheck,
};
use crate::log::{self, LogWriter};
use crate::operator::line_rate::{LineRate, left_out};
use crate::pipeline::Pipeline;
use crate::pipeline::among_nodes::AmongNodes;
use crate::pipeline::letter_ownership::LetterOwnership;
use hearing::Hearing;
use slackwater_cluster::moment::Moment;
use slackwater_cluster::node::{Given, Progress};
use slackwater_engine::record::{Position, Topic};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{TrySendError, sync_channel};
use std::time::Duration;

/// How often it is said at most that the log does not say where it ends.
const WARNED_EVERY: Duration = Duration::from_secs(60);

/// The other nodes, and the membership of the group that says where shards go, if it does.
pub(super) struct Joined {
    /// The other nodes.
    pub(super) cluster: Cluster,
    member: Option<Member>,
}

impl std::fmt::Debug for Joined {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Joined")
            .field("cluster", &self.cluster)
            .finish_non_exhaustive()
    }
}

impl Joined {
    /// Keeps the place in the group for when this node comes back. It blocks for some seconds at most.
    pub(super) fn close(self) {
        drop(self.member);
    }
}

/// Joins this node to the others, if it is one of several, and the loop to what they say.
///
/// Errors: the topic of the nodes is missing or cannot be read; the log does not say where it ends.
pub(super) async fn join(
    config: &Config,
    address: SocketAddr,
    pipeline: &mut Pipeline,
    state: &AppState,
    log_writer: &LogWriter,
) -> Result<Option<Joined>, ServiceError> {
    let (Some(options), log::Options::Kafka(kafka)) = (&config.cluster, &config.log) else {
        return Ok(None);
    };
    let (config, kafka, options) = (config.clone(), kafka.clone(), options.clone());
    let state = state.clone();
    let runtime = tokio::runtime::Handle::current();
    let hearing = Hearing {
        letters: pipeline.letter_ownership(),
        partition_check: pipeline.partition_check(),
        log_writer: log_writer.clone(),
        run: run_name().map_err(|error| broken("drawing a name for this process", &error))?,
        shards: 0,
    };
    hearing.letters.share();
    let starting = tokio::task::spawn_blocking(move || {
        start(
            &config, address, &kafka, &options, &state, hearing, &runtime,
        )
    });
    let starting = starting.await;
    let joined = starting.map_err(|e| broken("joining the cluster", &e))??;
    if let Some(member) = &joined.member {
        pipeline.commit_through(member.commits());
    }
    pipeline.join(AmongNodes::new(
        joined.cluster.kept(),
        joined.cluster.settled_elsewhere(),
    ));
    Ok(Some(joined))
}

/// It blocks until the topic of the nodes was read.
fn start(
    config: &Config,
    address: SocketAddr,
    kafka: &kafka::Options,
    options: &Options,
    state: &AppState,
    mut hearing: Hearing,
    runtime: &tokio::runtime::Handle,
) -> Result<Joined, ServiceError> {
    let (log_writer, partition_check) =
        (hearing.log_writer.clone(), hearing.partition_check.clone());
    let decides = agreement::decides(&config.store, &config.pipeline.engine, config.mastodon.ids);
    let shards = partitions(&log_writer.ends_now()?).max(1);
    let compares = !config.compare.tokens.is_empty();
    let work = compares.then(|| daily::WORK.to_owned());
    let candidate_for: BTreeSet<String> = work.into_iter().collect();
    let advertised = options.advertise.as_ref();
    let advertised = advertised.map(|url| url.as_str().trim_end_matches('/').to_owned());
    let undriven = turns::node(
        options,
        advertised.unwrap_or_else(|| format!("http://{address}")),
        hearing.run.clone(),
        decides,
        candidate_for,
        shards,
        Arc::clone(&state.metrics),
    );
    if options.assignment == Assignment::Group {
        let _ = undriven.events.send(Event::Given(Given::Awaited));
    }
    let events = undriven.events.clone();
    let letters = hearing.letters.clone();
    let each = move |record: NodeRecord| {
        let NodeRecord { offset, key, value } = record;
        hearing.hear(&key, value.as_deref());
        let _ = events.send(Event::Record { offset, key, value });
    };
    let events = undriven.events.clone();
    runtime.spawn(tell_of_relations(state.clone(), undriven.events.clone()));
    let progress = progress(state, letters, shards);
    let ask_ends = ask_ends(kafka, state, partition_check, events.clone())
        .map_err(|error| broken("starting the thread that asks where the log ends", &error))?;
    // The thread runs before the topic is read, so that its records find room.
    let topic = Arc::new(parking_lot::Mutex::new(None::<NodesTopic>));
    let (sends, fails) = (Arc::clone(&topic), Arc::clone(&topic));
    let around = Around {
        progress: Box::new(progress),
        say: Box::new(move |node, value| {
            if let Some(topic) = &*sends.lock() {
                topic.send(node, value);
            }
        }),
        trouble: Box::new(move || fails.lock().as_ref()?.trouble()),
        ask_ends: Box::new(ask_ends),
    };
    let cluster = undriven
        .drive(around)
        .map_err(|error| broken("starting the cluster's thread", &error))?;
    let opened = NodesTopic::open(kafka, each).map_err(log::LogError::from)?;
    *topic.lock() = Some(opened);
    let _ = events.send(Event::Started);
    let member = match options.assignment {
        Assignment::Group => Some(member(kafka, options, events, runtime)?),
        Assignment::Rendezvous => None,
    };
    Ok(Joined { cluster, member })
}

/// Joins the consumer group, and tells the node of the shards that it gives.
fn member(
    kafka: &kafka::Options,
    options: &Options,
    events: Events,
    runtime: &tokio::runtime::Handle,
) -> Result<Member, ServiceError> {
    let membership = MemberOptions {
        instance: Some(options.node.clone()),
        session_timeout: options.session_timeout,
    };
    let member = Member::join(kafka, &membership).map_err(log::LogError::from)?;
    let mut assignment = member.assignment();
    runtime.spawn(async move {
        while assignment.changed().await.is_ok() {
            let given = assignment.borrow_and_update().shards();
            let events = events.clone();
            let told = tokio::task::spawn_blocking(move || {
                events.send(Event::Given(Given::Shards(given)))
            });
            if !told.await.is_ok_and(|told| told.is_ok()) {
                return;
            }
        }
    });
    Ok(member)
}

/// How far this node has come with the log, whenever it is asked.
fn progress(
    state: &AppState,
    letters: LetterOwnership,
    shards: u32,
) -> impl Fn() -> Progress + Send + use<> {
    let state = state.clone();
    move || {
        let ends = Arc::clone(&state.view.built.borrow().ends);
        let taken = turns::ends_of(&state.view.relations_taken());
        let in_force = turns::ends_of(&state.view.in_force());
        Progress {
            shards: partitions(&ends.positions()).max(shards),
            taken,
            in_force,
            has_relations: state.view.built.borrow().relations_in_force,
            is_caught_up: is_caught_up(&state),
            settled: Some(state.in_flight.settled().millis()),
            letters: letters.written(),
        }
    }
}

/// Tells the node's thread at once when relations come into force or are carried out: requests wait for it to say so.
async fn tell_of_relations(state: AppState, events: Events) {
    let mut built = state.view.built.clone();
    let mut released = state.view.pending_relations.watch_released();
    let reached = || {
        let taken = state.view.relations_taken();
        (taken, state.view.in_force(), is_caught_up(&state))
    };
    let mut told = reached();
    loop {
        let changed = tokio::select! {
            changed = built.changed() => changed,
            changed = released.changed() => changed,
        };
        let reached = reached();
        if told == reached && changed.is_ok() {
            continue;
        }
        told = reached;
        let is_gone = matches!(
            events.try_send(Event::Poke),
            Err(TrySendError::Disconnected(_))
        );
        if is_gone || changed.is_err() {
            return;
        }
    }
}

/// Whether the log was read up to where it ended at the start.
fn is_caught_up(state: &AppState) -> bool {
    let built = state.view.built.borrow();
    built.relations_in_force && built.catching_up.is_none()
}

/// How many partitions of relationships are among these.
fn partitions(positions: &[Position]) -> u32 {
    let relations = positions
        .iter()
        .filter(|position| position.topic == Topic::Relationships);
    let numbers = relations.filter_map(|position| u32::try_from(position.partition).ok());
    numbers.max().map_or(0, |last| last + 1)
}

/// Asks the log where it ends, on a thread of its own. If it has more partitions than are read here, they are looked for at once: relations in
/// them are waited for.
///
/// Errors: the thread cannot be started.
fn ask_ends(
    kafka: &kafka::Options,
    state: &AppState,
    partition_check: Option<PartitionCheck>,
    events: Events,
) -> std::io::Result<impl FnMut(Moment) + Send + use<>> {
    let (ask, asked) = sync_channel(1);
    let (mut client, state) = (EndsClient::new(kafka), state.clone());
    let lines = LineRate::new(1, WARNED_EVERY);
    std::thread::Builder::new()
        .name("cluster-ends".to_owned())
        .spawn(move || {
            while let Ok(asked) = asked.recv() {
                let ends = client.ends_now();
                let read = Arc::clone(&state.view.built.borrow().ends);
                let has_more =
                    |ends: &Vec<Position>| partitions(&read.positions()) < partitions(ends);
                if let Some(check) = partition_check
                    .as_ref()
                    .filter(|_| ends.as_ref().is_ok_and(has_more))
                {
                    check.ask();
                }
                if let Err(error) = &ends
                    && let Some(more) = lines.due("ends", 1, clock::stopwatch())
                {
                    let more = left_out(more);
                    tracing::warn!(
                        error = error as &dyn std::error::Error,
                        "where relations end is not known, to be asked again: {error}{more}"
                    );
                }
                if events.send(Event::Ends(asked, ends.ok())).is_err() {
                    // The node has left.
                    return;
                }
            }
        })?;
    Ok(move |moment| {
        // One is asked at a time.
        let _ = ask.try_send(moment);
    })
}

/// A name that no other process has.
fn run_name() -> Result<String, getrandom::Error> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
