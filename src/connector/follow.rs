//! Mastodon's database followed while the service runs: what was there first, then what changes, on one connection, and on another when
//! that is lost.

use super::Options;
use super::database::Database;
use super::drain::{self, DrainError, Sink, Turn, Waiting};
use super::import;
use super::inspect::{Found, Ours, inspect};
use super::install_sql::Level;
use super::mapping::uris::Instance;
use super::outbox;
use super::progress::{Progress, ProgressFile};
use super::read_back::Queries;
use super::recheck;
use super::resolve::{Known, Resolver};
use super::resync::{Resync, Sides, Step};
use crate::api::append_body::PlaceRule;
use crate::clock;
use crate::error_chain::chain;
use crate::operator::connector_status::{ConnectorStatus, Stage};
use crate::operator::metrics::Metrics;
use parking_lot::Mutex;
use slackwater_engine::relationship::INSTANCE;
use slackwater_engine::view::View;
use slackwater_order::place::PostId;
use slackwater_order::time::Time;
use std::collections::HashSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// How often an empty outbox is asked.
const ASK_EVERY: Duration = Duration::from_millis(100);
/// How often the outbox is counted, and asked whether it was full.
const COUNT_EVERY: Duration = Duration::from_secs(10);
/// How often all relations are compared.
const RESYNC_EVERY: Duration = Duration::from_secs(24 * 60 * 60);
/// The first pause after a failure, and the longest: each is twice the one before.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));
/// How far before it was full the outbox may have missed something: posts are imported again from there on.
const OVERFLOW_MARGIN: Duration = Duration::from_secs(24 * 60 * 60);

/// What the connector works with.
pub struct Parts {
    /// What is in the log, as far as it is read.
    pub view: View,
    /// Where records go.
    pub sink: Sink,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What is said of it.
    pub status: Arc<ConnectorStatus>,
    /// The folder for the file with its progress.
    pub folder: PathBuf,
    /// How long posts are kept: so far back the first import goes.
    pub posts_keep: Duration,
}

impl Parts {
    /// Says that there is no connection. Before the first import is done that is a part of it.
    fn say_away(&self, why: Option<String>) {
        let progress = ProgressFile::within(&self.folder).read().ok().flatten();
        self.status
            .set(match progress.is_some_and(|progress| progress.has_posts) {
                true => Stage::Away(why),
                false => Stage::Importing(why.unwrap_or_else(|| "not begun yet".to_owned())),
            });
    }
}

/// Why the connection is given up.
#[derive(Debug, thiserror::Error)]
enum FollowError {
    /// The database or the log.
    #[error(transparent)]
    Drain(#[from] DrainError),
    /// There is no outbox.
    #[error(
        "the database has no outbox: `slackwater mastodon install` makes one, `slackwater mastodon check` says more"
    )]
    NotInstalled,
    /// The file with the progress.
    #[error("reading or writing how far the import has come")]
    Progress(#[from] io::Error),
}

/// What is in the log, by what this node has read of it, and what was sent to it since.
struct InLog {
    view: View,
    /// The targets of moderation that is in force, or that was.
    moderated: Mutex<HashSet<String>>,
}

impl Known for InLog {
    fn has_post(&self, uri: &str) -> bool {
        let found = tokio::task::block_in_place(|| self.view.store.post_by_uri(uri));
        found.is_ok_and(|post| post.is_some())
    }

    fn answers(&self, uri: &str) -> Option<String> {
        let found = tokio::task::block_in_place(|| self.view.store.post_by_uri(uri));
        found.ok().flatten()?.body.in_reply_to.clone()
    }

    fn has_actor(&self, uri: &str) -> bool {
        let found = tokio::task::block_in_place(|| self.view.store.actor(uri));
        found.is_ok_and(|actor| actor.is_some())
    }

    fn has_account(&self, account: i64) -> bool {
        let graph = self.view.graph.read();
        let account = graph.account(&account.to_string());
        account
            .and_then(|account| graph.get(account)?.actor())
            .is_some()
    }

    fn has_moderation(&self, target: &str) -> bool {
        // Another node may have sent it, or this one what is not read yet.
        self.view.graph.read().moderated(target).is_some() || self.moderated.lock().contains(target)
    }

    fn places(&self) -> PlaceRule {
        PlaceRule {
            source: self.view.place_source,
            clock_skew: self.view.windows().clock_skew,
        }
    }

    fn note_moderation(&self, target: &str) {
        self.moderated.lock().insert(target.to_owned());
    }
}

/// Follows the database until `stop`. Nothing is taken before the relations that are in the log are in force here.
pub async fn run(options: Options, parts: Parts, stop: CancellationToken) {
    if options.database.is_none() {
        return;
    }
    parts.say_away(None);
    tokio::select! {
        () = follow(&options, &parts) => {}
        () = stop.cancelled() => {}
    }
}

async fn follow(options: &Options, parts: &Parts) {
    let mut built = parts.view.built.clone();
    if built.wait_for(|built| built.is_ready()).await.is_err() {
        return;
    }
    let moderated = parts.view.relations(INSTANCE, clock::now());
    let known = InLog {
        moderated: Mutex::new(
            moderated
                .unwrap_or_default()
                .into_keys()
                .map(|key| key.target)
                .collect(),
        ),
        view: parts.view.clone(),
    };
    let mut pause = PAUSES.0;
    loop {
        let ended = match Connection::open(options, parts, &known).await {
            Ok(mut connection) => connection.follow(&mut pause).await,
            Err(error) => error,
        };
        parts.metrics.connector.following.set(0);
        let why = chain(&ended);
        tracing::warn!(
            "Mastodon's database is not followed, and is tried again in {pause:?}: {why}"
        );
        parts.say_away(Some(why));
        tokio::time::sleep(pause).await;
        pause = PAUSES.1.min(pause * 2);
    }
}

/// One connection, and what is done on it.
struct Connection<'a> {
    parts: &'a Parts,
    known: &'a InLog,
    database: Database,
    queries: Queries,
    instance: Instance,
    has_place_ids: bool,
    file: ProgressFile,
    progress: Progress,
    waiting: Waiting,
    /// The comparison of relations that is going on.
    resync: Option<Resync>,
    resynced: Instant,
    /// Where the search for lost posts goes on.
    recheck_from: PostId,
    counted: Option<Instant>,
}

impl<'a> Connection<'a> {
    async fn open(
        options: &Options,
        parts: &'a Parts,
        known: &'a InLog,
    ) -> Result<Connection<'a>, FollowError> {
        let Some(address) = &options.database else {
            return Err(FollowError::NotInstalled);
        };
        let database = Database::connect(address).await.map_err(DrainError::from)?;
        let found: Found = inspect(&database).await.map_err(DrainError::from)?;
        let Ours::Installed(installed) = &found.ours else {
            return Err(FollowError::NotInstalled);
        };
        let file = ProgressFile::within(&parts.folder);
        let oldest = clock::now().minus(parts.posts_keep);
        let progress = file.read()?.unwrap_or_else(|| Progress::from(oldest));
        Ok(Connection {
            parts,
            known,
            queries: Queries::new(&found),
            instance: Instance::new(&options.web_domain),
            has_place_ids: installed.level == Level::Serve,
            database,
            file,
            progress,
            waiting: Waiting::default(),
            resync: Some(Resync::default()),
            resynced: clock::stopwatch(),
            recheck_from: PostId::MIN,
            counted: None,
        })
    }

    /// Goes on until something fails: a turn at the outbox, then a step of what else is to be done.
    async fn follow(&mut self, pause: &mut Duration) -> FollowError {
        loop {
            let is_busy = match self.turn().await {
                Ok(is_busy) => is_busy,
                Err(error) => return error,
            };
            *pause = PAUSES.0;
            if !is_busy {
                tokio::time::sleep(ASK_EVERY).await;
            }
        }
    }

    /// Whether there is more to do at once.
    async fn turn(&mut self) -> Result<bool, FollowError> {
        self.count_now_and_then().await?;
        let resolver = Resolver {
            database: &self.database,
            queries: &self.queries,
            instance: &self.instance,
            known: self.known,
            now: clock::now(),
        };
        let turn = drain::turn(&resolver, &self.parts.sink, &mut self.waiting);
        let Turn::Done {
            rows,
            records,
            unusable,
            is_more,
        } = turn.await?
        else {
            return Ok(false);
        };
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let metrics = &self.parts.metrics;
        metrics.connector.rows.inc_by(count(rows));
        metrics.connector.records.inc_by(count(records));
        metrics.connector.unusable.inc_by(count(unusable));
        Ok(self.step().await? || is_more)
    }

    /// A step of what there was before: relations, then posts. Whether there is more to do.
    async fn step(&mut self) -> Result<bool, FollowError> {
        let (database, queries, instance) = (&self.database, &self.queries, &self.instance);
        let (view, sink, now) = (&self.parts.view, &self.parts.sink, clock::now());
        if let Some(resync) = &mut self.resync {
            let sides = Sides {
                database,
                queries,
                instance,
                view,
                sink,
                now,
            };
            let step = resync.step(&sides).await?;
            let found = resync.differences;
            if !self.progress.has_posts {
                let accounts = found.accounts;
                self.parts.status.set(Stage::Importing(format!(
                    "relations of {accounts} accounts so far"
                )));
            }
            if step == Step::Done {
                let healed = found.added + found.changed + found.removed;
                let metrics = &self.parts.metrics;
                metrics
                    .connector
                    .healed
                    .inc_by(u64::try_from(healed).unwrap_or(u64::MAX));
                tracing::info!(
                    accounts = found.accounts,
                    added = found.added,
                    changed = found.changed,
                    removed = found.removed,
                    "the relations of {} accounts were compared with Mastodon's: {} added, {} changed, {} removed",
                    found.accounts,
                    found.added,
                    found.changed,
                    found.removed
                );
                self.resync = None;
                self.resynced = clock::stopwatch();
            }
            return Ok(step != Step::Elsewhere);
        }
        if !self.progress.has_posts {
            let resolver = Resolver {
                database,
                queries,
                instance,
                known: self.known,
                now,
            };
            let records =
                import::step(&mut self.progress, self.has_place_ids, &resolver, sink).await?;
            let Some(records) = records else {
                return Ok(false);
            };
            self.parts
                .metrics
                .connector
                .records
                .inc_by(u64::try_from(records).unwrap_or(u64::MAX));
            self.file.write(&self.progress)?;
            let up_to = Time::from_millis(self.progress.posts_up_to >> 16);
            self.parts
                .status
                .set(Stage::Importing(format!("posts up to {}", up_to.rfc3339())));
            return Ok(true);
        }
        if self.progress.may_have_lost_posts {
            match recheck::step(self.recheck_from, database, view, self.known, sink, now).await? {
                None => return Ok(false),
                Some(Some(next)) => self.recheck_from = next,
                Some(None) => {
                    self.progress.may_have_lost_posts = false;
                    self.recheck_from = PostId::MIN;
                    self.file.write(&self.progress)?;
                }
            }
            return Ok(true);
        }
        self.parts.status.set(Stage::Following);
        self.parts.metrics.connector.following.set(1);
        if RESYNC_EVERY <= self.resynced.elapsed() {
            self.resync = Some(Resync::default());
        }
        Ok(false)
    }

    async fn count_now_and_then(&mut self) -> Result<(), FollowError> {
        if self.counted.is_some_and(|at| at.elapsed() < COUNT_EVERY) {
            return Ok(());
        }
        self.counted = Some(clock::stopwatch());
        let (rows, oldest) = outbox::length(&self.database)
            .await
            .map_err(DrainError::from)?;
        self.parts.metrics.connector.outbox_rows.set(rows);
        let lag_ms = oldest.map_or(0, |oldest| clock::now().since(oldest).max(0));
        let lag_seconds = &self.parts.metrics.connector.lag_seconds;
        lag_seconds.set(lag_ms as f64 / 1e3);
        let full = outbox::overflowed(&self.database)
            .await
            .map_err(DrainError::from)?;
        if let Some(full) = full {
            tracing::warn!(
                "Mastodon's outbox was full: relations are compared, and posts imported again from a day before"
            );
            let again = Progress::from(full.minus(OVERFLOW_MARGIN));
            self.progress = Progress {
                posts_up_to: again.posts_up_to.min(self.progress.posts_up_to),
                may_have_lost_posts: true,
                ..again
            };
            // Before the flag goes: a crash between the two only does it twice.
            self.file.write(&self.progress)?;
            outbox::forget_overflow(&self.database)
                .await
                .map_err(DrainError::from)?;
            self.resync = Some(Resync::default());
        }
        Ok(())
    }
}
