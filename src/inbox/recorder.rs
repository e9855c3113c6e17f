//! A request that the backend took: verified, and appended to the log.
//!
//! It waits for an actor's key and for the log, and no request to the backend waits with it: the answer is passed back after a moment
//! in any case ([`passage`](super::passage)). What waits is bounded in its bytes and its time; what is given up is counted.

use super::Options;
use super::actor_keys::{ActorKeys, KeyName, KnownKey};
use super::addresses::AddressRule;
use super::inbox_request::InboxRequest;
use super::key_fetch::KeyFetch;
use super::not_recorded::NotRecorded;
use super::signature::{self, RequestSignature};
use super::signing_key::SigningKey;
use crate::api::append_body::{self, ActivityHeaders, PlaceRule};
use crate::clock;
use crate::log::in_flight::InFlight;
use crate::log::{LogError, LogWriter};
use crate::operator::line_rate::{LineRate, left_out};
use crate::operator::metrics::Metrics;
use crate::operator::metrics::pipeline::Step;
use slackwater_engine::activity::{Activity, parse};
use slackwater_engine::decode::{Decoded, decode_record};
use slackwater_engine::host::origin_of;
use slackwater_engine::record::{NewRecord, RecordView, Topic};
use slackwater_order::time::Time;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Requests that wait for a key that is not known, in KiB; more are counted as `busy`. Those whose key is known do not wait with them.
const STRANGERS_KIB_MAX: usize = 64 << 10;
/// Requests that wait for the log, in KiB; more are counted as `lost`.
const APPENDS_KIB_MAX: usize = 64 << 10;
/// What each of either counts at least, in KiB: so there are at most 4,096.
const REQUEST_KIB_MIN: usize = 16;
/// The longest time for which a request waits for a key, its turn to fetch it included. One that waits longer is counted as `busy`.
const KEY_WAIT: Duration = Duration::from_secs(60);
/// The first pause before an append is tried again, which doubles ...
const PAUSE_MIN: Duration = Duration::from_millis(250);
/// ... up to this one.
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// The longest time for which an append is tried. What the log has not taken by then is counted as `lost`.
const APPEND_WAIT: Duration = Duration::from_secs(10 * 60);

/// The time in which each reason has one line in the log.
const LOGGED_EVERY: Duration = Duration::from_secs(60);

/// Verifies and appends.
pub(crate) struct Recorder {
    keys: ActorKeys,
    log_writer: LogWriter,
    in_flight: InFlight,
    strangers: Semaphore,
    appends: Semaphore,
    metrics: Arc<Metrics>,
    stopping: CancellationToken,
    /// Whether the last append failed: it is logged once.
    is_log_away: AtomicBool,
    /// The lines about what is not recorded.
    lines: LineRate,
}

impl Recorder {
    /// An error if this machine has no certificates to trust a server by, or the key to sign with is none.
    pub(crate) fn new(
        options: &Options,
        log_writer: LogWriter,
        in_flight: InFlight,
        metrics: Arc<Metrics>,
        stopping: CancellationToken,
    ) -> io::Result<Recorder> {
        let rule = AddressRule {
            allowed: options.allow_addresses.clone(),
        };
        let signing_key = options.signing.as_ref().map(SigningKey::new).transpose();
        let signing_key =
            signing_key.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let fetch = KeyFetch::new(rule, signing_key)?;
        Ok(Recorder {
            keys: ActorKeys::new(fetch, Arc::clone(&metrics)),
            log_writer,
            in_flight,
            strangers: Semaphore::new(STRANGERS_KIB_MAX),
            appends: Semaphore::new(APPENDS_KIB_MAX),
            metrics,
            stopping,
            is_log_away: AtomicBool::new(false),
            lines: LineRate::new(1, LOGGED_EVERY),
        })
    }

    /// Records a request that the backend took, if it may be. It is recorded durably, or counted, when this returns.
    pub(crate) async fn record(&self, request: InboxRequest) {
        self.metrics.inbox.pending.inc();
        match self.try_record(&request).await {
            Ok(()) => {
                self.metrics.inbox.recorded.inc();
            }
            Err(why) => {
                self.metrics.inbox.not_recorded(why.name());
                self.log_not_recorded(why, &request);
            }
        }
        self.metrics.inbox.pending.dec();
    }

    /// Logs what the backend took and is not recorded, but for what no feed is about.
    fn log_not_recorded(&self, why: NotRecorded, request: &InboxRequest) {
        let is_logged = !matches!(why, NotRecorded::NoFeed | NotRecorded::Refused);
        let reason = why.name();
        let unsaid = is_logged.then(|| self.lines.due(reason, 1, clock::stopwatch()));
        let Some(unsaid) = unsaid.flatten() else {
            return;
        };
        let actor = parse::actor(&request.body);
        let host = actor.as_deref().and_then(origin_of);
        let host = host.as_deref().unwrap_or("somebody");
        let left_out = left_out(unsaid);
        let line = format!(
            "what {host} sent to an inbox, and was taken there, is not recorded ({reason}); slackwater_inbox_not_recorded_total counts{left_out}"
        );
        match why {
            // It may have been good.
            NotRecorded::Busy | NotRecorded::Lost => tracing::error!(reason, host, "{line}"),
            _ => tracing::warn!(reason, host, "{line}"),
        }
    }

    async fn try_record(&self, request: &InboxRequest) -> Result<(), NotRecorded> {
        let actor = actor_heard(request)?;
        let signature = signature::of(request, request.arrived)?;
        let name = KeyName::new(actor, &signature.key_id)?;
        let known = self.keys.cached(&name);
        let verified = known.as_ref().map(|known| made_by(known, &signature));
        match verified {
            Some(Ok(())) => {}
            Some(Err(why)) if why != NotRecorded::WrongSignature => return Err(why),
            _ => self.verify(request, &name, &signature, known).await?,
        }
        self.append(request).await
    }

    /// Checks that a key of the actor's made the signature, by a key that is fetched. `known` did not make it.
    async fn verify(
        &self,
        request: &InboxRequest,
        name: &KeyName,
        signature: &RequestSignature,
        known: Option<Arc<KnownKey>>,
    ) -> Result<(), NotRecorded> {
        let room = self.strangers.try_acquire_many(kib_of(request));
        let _room = room.map_err(|_| NotRecorded::Busy)?;
        let verifying = async {
            let known = match known {
                Some(known) => known,
                None => self.keys.key(name).await?,
            };
            match made_by(&known, signature) {
                Err(NotRecorded::WrongSignature) => match self.keys.newer(name, &known).await? {
                    Some(newer) => made_by(&newer, signature),
                    None => Err(NotRecorded::WrongSignature),
                },
                outcome => outcome,
            }
        };
        tokio::select! {
            verified = tokio::time::timeout(KEY_WAIT, verifying) => {
                verified.unwrap_or(Err(NotRecorded::Busy))
            }
            () = self.stopped() => Err(NotRecorded::Lost),
        }
    }

    /// Appends the activity. It is tried again while the log is away.
    async fn append(&self, request: &InboxRequest) -> Result<(), NotRecorded> {
        let room = self.appends.try_acquire_many(kib_of(request));
        let _room = room.map_err(|_| NotRecorded::Lost)?;
        let appending = async {
            let mut pause = PAUSE_MIN;
            loop {
                let guard = self.in_flight.enter();
                let record = record_of(request, guard.at)?;
                let begun = clock::stopwatch();
                let appended = self.log_writer.append(vec![record]).await;
                let took = begun.elapsed();
                self.metrics.pipeline.step(Step::Append, took, 1);
                match appended {
                    Ok(_) => {
                        self.log_answers();
                        return Ok(());
                    }
                    Err(error) if error.is_too_large() => return Err(NotRecorded::Unusable),
                    Err(error) => self.log_is_away(&error),
                }
                // Nothing else waits for a record that is not on its way.
                drop(guard);
                tokio::time::sleep(pause).await;
                pause = PAUSE_MAX.min(pause * 2);
            }
        };
        tokio::select! {
            appended = tokio::time::timeout(APPEND_WAIT, appending) => {
                appended.unwrap_or(Err(NotRecorded::Lost))
            }
            // What is on its way is let go on for a moment: the service waits for it.
            () = self.stopped() => Err(NotRecorded::Lost),
        }
    }

    /// Waits until the service stops, and then as long as a fetch or an append takes that meets no trouble.
    async fn stopped(&self) {
        self.stopping.cancelled().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }

    fn log_is_away(&self, error: &LogError) {
        if !self.is_log_away.swap(true, Ordering::Relaxed) {
            tracing::error!(
                error = error as &dyn std::error::Error,
                "what came to inboxes waits for the log: {error}"
            );
        }
    }

    fn log_answers(&self) {
        if self.is_log_away.swap(false, Ordering::Relaxed) {
            tracing::info!("the log takes what comes to inboxes again");
        }
    }
}

/// What a request counts of the bounds on those that wait, in KiB.
fn kib_of(request: &InboxRequest) -> u32 {
    let kib = REQUEST_KIB_MIN.max(request.body.len() / 1024 + 1);
    u32::try_from(kib).unwrap_or(u32::MAX)
}

/// Whether a key made a signature.
fn made_by(known: &KnownKey, signature: &RequestSignature) -> Result<(), NotRecorded> {
    let key = known.key.as_ref().ok_or(NotRecorded::NoKey)?;
    let mut signed = signature.signed.iter();
    match signed.any(|it| key.has_signed(signature.algorithm, it, &signature.bytes)) {
        true => Ok(()),
        false => Err(NotRecorded::WrongSignature),
    }
}

/// The actor of an activity that concerns a feed, and that the log takes.
fn actor_heard(request: &InboxRequest) -> Result<String, NotRecorded> {
    let record = RecordView {
        topic: Topic::Activities,
        timestamp: Some(request.arrived),
        key: None,
        value: Some(&request.body),
        headers: &[],
    };
    match decode_record(record) {
        Decoded::Activity(_, activity) if matches!(*activity, Activity::Ignored(_)) => {
            Err(NotRecorded::NoFeed)
        }
        Decoded::Activity(..) => parse::actor(&request.body).ok_or(NotRecorded::Unusable),
        Decoded::Relation(_) | Decoded::Unusable(_) => Err(NotRecorded::Unusable),
    }
}

/// The activity as a record, with the time at which it came.
fn record_of(request: &InboxRequest, now: Time) -> Result<NewRecord, NotRecorded> {
    let headers = ActivityHeaders {
        arrived_at: Some(request.arrived.millis().to_string()),
        ..ActivityHeaders::default()
    };
    let record = append_body::activity(&request.body, headers, PlaceRule::default(), now);
    record.map_err(|_| NotRecorded::Unusable)
}
