//! One turn at the outbox: rows are read, said in the log, and then removed, in one transaction that no other connector has at the
//! same time. A turn that is cut off between the log and the commit is said again: records are idempotent.

use super::batch::Batch;
use super::database::DatabaseError;
use super::mapping::MappedActivity;
use super::outbox;
use super::read_back::ReadBackError;
use super::resolve::{Known, Resolver, Said};
use crate::api::append_body::{ActivityHeaders, PlaceRule, activity, relation};
use crate::clock;
use crate::log::in_flight::InFlight;
use crate::log::{LogError, LogWriter};
use crate::operator::metrics::Metrics;
use crate::operator::metrics::pipeline::Step;
use serde_json::Value;
use slackwater_engine::feed::store::disk::DiskError;
use slackwater_engine::record::NewRecord;
use slackwater_order::ref_place::PlaceSource;
use slackwater_order::time::Time;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The most rows of one turn. A turn is in memory whole.
pub const ROWS_MAX: i64 = 500;

/// Why a turn failed. The next may go on where this one began.
#[derive(Debug, thiserror::Error)]
pub enum DrainError {
    /// The outbox.
    #[error("reading Mastodon's outbox")]
    Outbox(#[from] DatabaseError),
    /// The rows it names.
    #[error(transparent)]
    ReadBack(#[from] ReadBackError),
    /// Our log.
    #[error("appending to the log")]
    Log(#[from] LogError),
    /// The data folder.
    #[error("reading the data folder")]
    Store(#[source] DiskError),
    /// What the database noted lies further ahead than clocks may differ: posts that have ids of that time would be refused, and lost.
    #[error(
        "this machine's clock is {behind_ms} ms behind that of Mastodon's database, which is more than ordering.clock_skew: set the clocks"
    )]
    Clock {
        /// By how much, in milliseconds.
        behind_ms: i64,
    },
}

/// What a turn did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Another connector has the outbox.
    Elsewhere,
    /// This is what it did.
    Done {
        /// Rows that were said and removed.
        rows: usize,
        /// Records that were appended.
        records: usize,
        /// What Mastodon has and the log does not take, rows that could not be read, and rows that named somebody of whom nothing is
        /// left.
        unusable: usize,
        /// Whether there may be more.
        is_more: bool,
    },
}

/// Where records go.
#[derive(Clone)]
pub struct Sink {
    /// The log.
    pub log_writer: LogWriter,
    /// The records on their way into it.
    pub in_flight: InFlight,
    /// How long appending takes is counted here.
    pub metrics: Arc<Metrics>,
}

impl Sink {
    /// Appends records. They are durable when this returns.
    pub(super) async fn append(&self, records: Vec<NewRecord>) -> Result<(), LogError> {
        let begun = clock::stopwatch();
        self.log_writer.append(records).await?;
        let took = begun.elapsed();
        self.metrics.pipeline.step(Step::Append, took, 1);
        Ok(())
    }
}

/// Rows that wait for the second statement that gives a local post its `uri`.
#[derive(Clone, Debug, Default)]
pub struct Waiting {
    numbers: BTreeSet<i64>,
    since: Option<Time>,
}

/// Takes a turn. `waiting` is kept from turn to turn; when it is lost, its rows are only read again.
pub async fn turn<K: Known>(
    resolver: &Resolver<'_, K>,
    sink: &Sink,
    waiting: &mut Waiting,
) -> Result<Turn, DrainError> {
    let work = locked_turn(resolver, sink, waiting);
    let taken = outbox::in_turn(resolver.database, work).await?;
    Ok(taken.unwrap_or(Turn::Elsewhere))
}

async fn locked_turn<K: Known>(
    resolver: &Resolver<'_, K>,
    sink: &Sink,
    waiting: &mut Waiting,
) -> Result<Turn, DrainError> {
    let (database, now) = (resolver.database, resolver.now);
    // What has waited is read together with what came since: the row with the `uri` is another one of the same post.
    let is_due = waiting
        .since
        .is_some_and(|since| RETRY_AFTER_MS <= now.since(since));
    let skipped = match is_due {
        true => BTreeSet::new(),
        false => std::mem::take(&mut waiting.numbers),
    };
    let mut rows = outbox::first(database, ROWS_MAX, &skipped).await?;
    if !skipped.is_empty() && !rows.is_empty() {
        rows.extend(outbox::numbered(database, &skipped).await?);
        rows.sort_by_key(|row| row.seq);
    }
    if rows.is_empty() {
        waiting.numbers = skipped;
        return Ok(Turn::Done {
            rows: 0,
            records: 0,
            unusable: 0,
            is_more: false,
        });
    }
    let places = resolver.known.places();
    let newest = rows.iter().map(|row| row.at).max().unwrap_or(now);
    if places.source == PlaceSource::Ref && now.plus(places.clock_skew) < newest {
        let behind_ms = newest.since(now);
        return Err(DrainError::Clock { behind_ms });
    }
    let is_more = ROWS_MAX <= i64::try_from(rows.len()).unwrap_or(i64::MAX);
    let said = resolver.resolve(Batch::of(rows)).await?;
    let Appended {
        appended: count,
        refused,
    } = append(&said, places, sink).await?;
    let numbers: Vec<i64> = said.numbers.iter().copied().collect();
    outbox::remove(database, &numbers).await?;
    waiting.since = (!said.waiting.is_empty()).then_some(now);
    waiting.numbers = said.waiting;
    Ok(Turn::Done {
        rows: numbers.len(),
        records: count,
        unusable: refused + said.unresolved + resolver.queries.take_unreadable(),
        is_more,
    })
}

/// How many records were appended, and how many could not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Records in the log.
    pub appended: usize,
    /// What the log does not take.
    pub refused: usize,
}

/// Appends what is said. It is durable when this returns.
pub async fn append(said: &Said, places: PlaceRule, sink: &Sink) -> Result<Appended, DrainError> {
    let guard = sink.in_flight.enter();
    let (records, refused) = records(said, places, guard.at);
    let appended = records.len();
    if !records.is_empty() {
        sink.append(records).await?;
    }
    drop(guard);
    Ok(Appended { appended, refused })
}

/// How long rows that wait are left alone, if nothing else comes.
const RETRY_AFTER_MS: i64 = 1_000;

/// The records of what is said, and how many cannot be used. Relations come first, so that a post finds who follows its author.
fn records(said: &Said, places: PlaceRule, now: Time) -> (Vec<NewRecord>, usize) {
    let mut refused = 0;
    let mut records = Vec::with_capacity(said.relations.len() + said.activities.len());
    for document in &said.relations {
        match relation(document.to_string().as_bytes(), now) {
            Ok(record) => records.push(record),
            Err(rejection) => refuse(document, &rejection.reason, &mut refused),
        }
    }
    for mapped in &said.activities {
        let text = mapped.activity.to_string();
        match activity(text.as_bytes(), headers(mapped), places, now) {
            Ok(record) => records.push(record),
            Err(rejection) => refuse(&mapped.activity, &rejection.reason, &mut refused),
        }
    }
    (records, refused)
}

fn headers(mapped: &MappedActivity) -> ActivityHeaders {
    ActivityHeaders {
        arrived_at: Some(mapped.arrived.millis().to_string()),
        post_ref: mapped.post_ref.map(|id| id.to_string()),
        author_ref: mapped.author_ref.map(|id| id.to_string()),
        fetched: mapped.is_fetched.then(|| "true".to_owned()),
        forgotten: mapped.is_forgotten.then(|| "true".to_owned()),
        ..ActivityHeaders::default()
    }
}

/// It stays in Mastodon's database as it is; the reason says what to look at.
fn refuse(document: &Value, reason: &str, refused: &mut usize) {
    *refused += 1;
    let id = document
        .get("id")
        .or_else(|| document.get("target"))
        .and_then(Value::as_str);
    let id = id.unwrap_or("something without an id");
    tracing::warn!(
        id,
        reason,
        "{id} in Mastodon's database cannot be used: {reason}"
    );
}
