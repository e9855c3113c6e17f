//! The feed or the cursor that a request names, or a problem with the way out.

use super::disk_reads;
use super::problem::Problem;
use super::state::AppState;
use crate::clock;
use axum::http::StatusCode;
use slackwater_engine::feed::post::Post;
use slackwater_engine::record::offsets::Offsets;
use slackwater_engine::relationship::Patience;
use slackwater_engine::view::changes::CursorRefused;
use slackwater_engine::view::cursor::{Cursor, CursorError};
use slackwater_engine::view::explain::Explanation;
use slackwater_engine::view::feed_ref::FeedRef;
use slackwater_engine::view::preview::Preview;
use slackwater_engine::view::snapshot::{ChangesError, Snapshot};
use slackwater_order::time::Time;
use std::pin::pin;
use std::time::Duration;

/// The longest time that a cursor waits for this node when it is ahead of it: Kafka's client
/// reports the end of the log every second.
const ENDS_WAIT: Duration = Duration::from_secs(3);
/// How soon a page that this node is too far behind for is looked for again.
const LOOKED_AGAIN: Duration = Duration::from_millis(50);
/// The longest time that a request waits for a dropped feed to be rebuilt before it gets 503.
const AWAKE_WAIT: Duration = Duration::from_secs(5);

impl AppState {
    /// Whether all relations known at the start are in force.
    pub fn is_open(&self) -> Result<(), Problem> {
        if self.view.built.borrow().relations_in_force {
            Ok(())
        } else {
            Err(Problem::unavailable(
                "relations are still being read: feeds are shown when all are in force",
                1,
            ))
        }
    }

    /// Reads a cursor of a feed: 400 if it is damaged or another feed's, 410 if there are no changes since it any more.
    pub fn cursor(&self, feed_ref: &FeedRef, text: &str) -> Result<Cursor, Problem> {
        let cursor = Cursor::parse(text, &self.view.log).map_err(|e| match e {
            CursorError::Damaged => Problem::bad_request(e.to_string()),
            CursorError::OtherVersion => self.gone("other_version", &e),
            CursorError::OtherKey => self.gone("other_key", &e),
        })?;
        if cursor.feed != Cursor::feed_of(&feed_ref.text()) {
            return Err(Problem::bad_request(
                "the cursor is of another feed: send one that this feed gave",
            ));
        }
        if cursor.log != self.view.log {
            return Err(self.gone("other_log", &"the cursor is of another log"));
        }
        Ok(cursor)
    }

    /// Checks that the log reaches a cursor. Another node may have read more: the records have a moment to come here too. 503 if
    /// they do not come, or too many requests wait for them; 410 only if the log itself, queried now, ends before the cursor.
    pub async fn reaches(&self, cursor: &Cursor) -> Result<(), Problem> {
        let is_there = |ends: &Offsets| {
            let upto = cursor.batch.as_ref().map(|batch| &batch.upto.seen);
            cursor.from.seen.is_within(ends) && upto.is_none_or(|upto| upto.is_within(ends))
        };
        if is_there(&self.view.built.borrow().ends) {
            return Ok(());
        }
        let Ok(_turn) = self.log_end.turn() else {
            return Err(Problem::unavailable(
                "too many cursors have seen more than this node has heard of: come back in a moment",
                1,
            ));
        };
        let mut built = self.view.built.clone();
        let mut hearing = pin!(async {
            let reached = built.wait_for(|built| is_there(&built.ends));
            match tokio::time::timeout(ENDS_WAIT, reached).await {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(_)) => Err(Problem::unavailable("this node is stopping", 5)),
                Err(_) => Err(Problem::unavailable(
                    "this node has not heard yet of all that the cursor has seen: come back in a moment",
                    1,
                )),
            }
        });
        // The log itself is queried meanwhile: it rules out a made-up cursor at once.
        let ends = tokio::select! {
            heard = &mut hearing => return heard,
            ends = self.log_end.now() => ends,
        };
        match ends {
            Ok(ends) if !is_there(&ends) => {
                Err(self.gone("beyond_end", &"the log ends before this cursor"))
            }
            _ => hearing.await,
        }
    }

    /// A snapshot of a feed, once there is one if its account is inactive. `least` is a horizon that was reached before.
    pub async fn snapshot_when_active(
        &self,
        feed_ref: &FeedRef,
        least: Option<Time>,
    ) -> Result<Snapshot, Problem> {
        loop {
            let snapshot = disk_reads::read(|| self.snapshot_now(feed_ref, least)).await?;
            if !self.has_slept(&snapshot).await? {
                self.count_hold(feed_ref, &snapshot);
                return Ok(snapshot);
            }
        }
    }

    /// As [`Self::snapshot_when_active`], of no earlier moment than a page that gave the cursor `seen`, maybe another node's. 400 if it is
    /// no cursor of this feed, 503 if this node does not get so far in time.
    pub async fn snapshot_not_before(
        &self,
        feed_ref: &FeedRef,
        seen: &str,
    ) -> Result<Snapshot, Problem> {
        let is_none = |problem: Problem| match problem.status {
            410 => Problem::bad_request(format!("seen: {}", problem.detail)),
            _ => problem,
        };
        let cursor = self.cursor(feed_ref, seen).map_err(is_none)?;
        self.reaches(&cursor).await.map_err(is_none)?;
        let has_read = async {
            let mut built = self.view.built.clone();
            loop {
                let least = Some(cursor.horizon());
                let snapshot = self.snapshot_when_active(feed_ref, least).await?;
                if snapshot.has_read(&cursor) {
                    return Ok(snapshot);
                }
                // Relations that are carried out may change nothing else.
                let _ = tokio::time::timeout(LOOKED_AGAIN, built.changed()).await;
            }
        };
        let behind = || {
            Problem::unavailable(
                "this node has not read yet all that the page before shows: come back in a moment",
                1,
            )
        };
        let read = tokio::time::timeout(ENDS_WAIT, has_read).await;
        read.unwrap_or_else(|_| Err(behind()))
    }

    fn count_hold(&self, feed_ref: &FeedRef, snapshot: &Snapshot) {
        if feed_ref.owner().is_none() {
            return;
        }
        let horizon = snapshot.visible.horizon;
        let hold_ms = horizon.map_or(0, |horizon| clock::now().since(horizon));
        let hold = Duration::from_millis(u64::try_from(hold_ms).unwrap_or(0));
        self.metrics.http.hold.observe(hold);
    }

    /// As [`Self::snapshot_when_active`], for a stream, which takes many snapshots. All streams take one when the service has
    /// started, of feeds that are one value each: a thread for each of them would cost more memory than their connections.
    pub async fn snapshot_again(
        &self,
        feed_ref: &FeedRef,
        least: Option<Time>,
    ) -> Result<Snapshot, Problem> {
        loop {
            let snapshot = self.snapshot_now(feed_ref, least)?;
            if !self.has_slept(&snapshot).await? {
                return Ok(snapshot);
            }
        }
    }

    /// A feed as it would be at a patience, once there is one if its account is inactive.
    pub async fn preview_when_active(
        &self,
        feed_ref: &FeedRef,
        patience: Option<Patience>,
    ) -> Result<Preview, Problem> {
        loop {
            self.permit(feed_ref.account())?;
            let preview = || self.view.preview(feed_ref, patience, clock::now());
            let preview = disk_reads::read(preview).await;
            let preview = preview.map_err(|e| Problem::internal(&e))?;
            let preview = preview.ok_or_else(|| self.is_missing(feed_ref))?;
            if !self.has_slept(&preview.snapshot).await? {
                return Ok(preview);
            }
        }
    }

    /// Whether a snapshot is to be taken again because its account was inactive. When this returns, it is active.
    async fn has_slept(&self, snapshot: &Snapshot) -> Result<bool, Problem> {
        let Some(account) = snapshot.resolved.account.filter(|_| snapshot.is_inactive) else {
            return Ok(false);
        };
        let awake = self.view.last_access.until_active(account);
        match tokio::time::timeout(AWAKE_WAIT, awake).await {
            Ok(Ok(())) => Ok(true),
            Ok(Err(too_many)) => Err(Problem::unavailable(too_many.to_string(), 1)),
            Err(_) => Err(Problem::unavailable(
                "the feed is being rebuilt: come back in a moment",
                1,
            )),
        }
    }

    /// Whether there is such a feed: 404 if there is no such account or list.
    pub fn is_there(&self, feed_ref: &FeedRef) -> Result<(), Problem> {
        let found = feed_ref.find(&self.view.graph.read());
        match found {
            Some(_) => Ok(()),
            None => Err(self.is_missing(feed_ref)),
        }
    }

    /// A snapshot of the home of an account, be it inactive or not.
    pub fn home_snapshot(&self, account: &str) -> Result<Snapshot, Problem> {
        self.permit(Some(account))?;
        let snapshot = self.view.home_snapshot(account, None, clock::now());
        let snapshot = snapshot.map_err(|e| Problem::internal(&e))?;
        snapshot.ok_or_else(|| no_account(account))
    }

    /// Why an account has a post in its feeds, or has not.
    pub fn explain(
        &self,
        account: &str,
        post: &Post,
        original: Option<&Post>,
    ) -> Result<Explanation, Problem> {
        self.permit(Some(account))?;
        let explained = self.view.explain(account, post, original, clock::now());
        let explained = explained.map_err(|e| Problem::internal(&e))?;
        explained.ok_or_else(|| no_account(account))
    }

    fn snapshot_now(&self, feed_ref: &FeedRef, least: Option<Time>) -> Result<Snapshot, Problem> {
        self.permit(feed_ref.account())?;
        let snapshot = self.view.snapshot(feed_ref, least, clock::now());
        let snapshot = snapshot.map_err(|e| Problem::internal(&e))?;
        snapshot.ok_or_else(|| self.is_missing(feed_ref))
    }

    /// The problem that keeps a reader from the changes since its cursor.
    pub fn changes_problem(&self, error: ChangesError) -> Problem {
        match error {
            ChangesError::CursorRefused(refused) => {
                let why = match refused {
                    CursorRefused::Forgotten => "forgotten",
                    CursorRefused::NotListed => "not_listed",
                };
                self.gone(why, &refused)
            }
            ChangesError::Disk(error) => Problem::internal(&error),
        }
    }

    /// 410, counted under `why` (one of a bounded set of words).
    fn gone(&self, why: &'static str, detail: &dyn std::fmt::Display) -> Problem {
        self.metrics.http.cursor_refused(why);
        Problem::new(
            StatusCode::GONE,
            format!("{detail}: read the feed anew, and go on with the cursor it gives"),
        )
    }

    fn is_missing(&self, feed_ref: &FeedRef) -> Problem {
        match feed_ref {
            FeedRef::List { account, list }
                if self.view.graph.read().account(account).is_some() =>
            {
                Problem::not_found(format!("account {account:?} has no list {list:?}"))
            }
            _ => no_account(feed_ref.owner().unwrap_or_default()),
        }
    }
}

/// 404: no document has named this account.
pub fn no_account(account: &str) -> Problem {
    Problem::not_found(format!(
        "no account {account:?}: send its account document to /v1/relationships first"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::log_end::LogEnd;
    use crate::log;
    use crate::log::built_in;
    use crate::pipeline::due::Due;
    use crate::pipeline::{Options, Pipeline};
    use slackwater_engine::feed::feed_id::PublicPart;
    use slackwater_engine::feed::store::{self, Store};
    use slackwater_engine::record::{NewRecord, Position, Topic};
    use slackwater_engine::view::cursor::ReadPoint;
    use slackwater_engine::view::{BuildProgress, View};
    use slackwater_engine::watch;
    use slackwater_order::place::PostId;
    use std::sync::Arc;
    use tempfile::TempDir;

    const DAY: Duration = Duration::from_secs(86_400);

    fn store_in(folder: &TempDir) -> Arc<Store> {
        let store = Store::open(store::Options {
            path: folder.path().join("feeds"),
            length: 10,
            boost_repeat_after: DAY,
            unflushed_entries_max: 1_000,
            unflushed_bytes_max: 1 << 20,
            cache_bytes: 1 << 20,
        });
        Arc::new(store.unwrap())
    }

    /// A pipeline that has opened its log and does not run: it never reads the records that are appended.
    fn deaf(folder: &TempDir) -> (Pipeline, log::LogWriter) {
        let log = log::Options::BuiltIn(built_in::Options::at(folder.path().join("log")));
        let (source, log_writer) = log::open(&log, &[], &[]).unwrap();
        let options = Options {
            engine: slackwater_engine::engine::Options::default(),
            due: Due {
                replay_max: DAY,
                rows_every: DAY,
                all_every: DAY,
            },
        };
        let runtime = tokio::runtime::Handle::current();
        let store = store_in(folder);
        let pipeline = Pipeline::new(source, log_writer.clone(), runtime, store, options);
        (pipeline.unwrap(), log_writer)
    }

    fn cursor(view: &View, offset: i64) -> Cursor {
        let next = Position {
            topic: Topic::Relationships,
            partition: 0,
            offset,
        };
        Cursor {
            feed: 1,
            log: view.log.clone(),
            from: ReadPoint {
                seen: Offsets::new(&[next]),
                ahead: Offsets::default(),
                horizon: Time::default(),
                top: PostId::MIN,
                floor: PostId::MIN,
            },
            batch: None,
        }
    }

    /// A failure means that a reader that comes from another node is told to drop its feed for a cursor that is good.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_cursor_is_gone_only_if_the_log_itself_says_so_now() {
        let folder = tempfile::tempdir().unwrap();
        let (pipeline, log_writer) = deaf(&folder);
        let state = pipeline.state();
        let mute = NewRecord {
            topic: Topic::Relationships,
            partition_by: b"7".to_vec(),
            key: b"7/tag/rust".to_vec(),
            value: None,
            headers: Vec::new(),
            timestamp: Time::from_millis(1),
        };
        log_writer.append(vec![mute; 3]).await.unwrap();
        let mut away = state.clone();
        away.log_end = LogEnd::default();
        let (at_start, good, bad) = (
            cursor(&state.view, 0),
            cursor(&state.view, 3),
            cursor(&state.view, 4),
        );
        let (at_start, good, bad, unknown) = tokio::join!(
            state.reaches(&at_start),
            state.reaches(&good),
            state.reaches(&bad),
            away.reaches(&bad)
        );
        assert_eq!(at_start, Ok(()));
        let outcome = |result: Result<(), Problem>| {
            let problem = result.unwrap_err();
            (problem.status, problem.retry_after.is_some())
        };
        assert_eq!(outcome(good), (503, true));
        assert_eq!(outcome(bad), (410, false));
        assert_eq!(outcome(unknown), (503, true));
    }

    /// A failure means that made-up cursors, where none are sealed, keep any number of requests waiting.
    #[tokio::test(flavor = "multi_thread")]
    async fn of_more_than_there_is_the_log_says_so_before_it_would_be_heard_of_and_only_so_many_wait()
     {
        let folder = tempfile::tempdir().unwrap();
        let (pipeline, _appender) = deaf(&folder);
        let state = pipeline.state();
        let forged = cursor(&state.view, 1_000);
        let begun = clock::stopwatch();
        let gone = state.reaches(&forged).await.unwrap_err();
        assert_eq!(gone.status, 410);
        assert!(begun.elapsed() < ENDS_WAIT, "{:?}", begun.elapsed());
        let turns: Vec<_> = std::iter::from_fn(|| state.log_end.turn().ok()).collect();
        let refused = state.reaches(&forged).await.unwrap_err();
        assert_eq!((refused.status, refused.retry_after), (503, Some(1)));
        assert_eq!(
            state.reaches(&cursor(&state.view, 0)).await,
            Ok(()),
            "who waits for nothing"
        );
        drop(turns);
    }

    /// A failure means that who pages through a feed while it moves to a node that has read less keeps what left meanwhile, for good.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_page_is_of_no_earlier_moment_than_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let (node, built) = watch::channel(Arc::<BuildProgress>::default());
        let state = AppState::of(View::of(store_in(&folder), built));
        let next = |offset| Position {
            topic: Topic::Activities,
            partition: 0,
            offset,
        };
        node.send_modify(|built| Arc::make_mut(built).ends = Arc::new(Offsets::new(&[next(3)])));
        let feed_ref = FeedRef::Public {
            part: PublicPart::All,
            reader: None,
        };
        let seen = |offset| {
            let mut cursor = cursor(&state.view, 0);
            cursor.feed = Cursor::feed_of(&feed_ref.text());
            cursor.from.seen = Offsets::new(&[next(offset)]);
            cursor.to_text()
        };
        let status = async |seen: &str| {
            let page = state.snapshot_not_before(&feed_ref, seen).await;
            page.map_or_else(|problem| problem.status, |_| 200)
        };
        assert_eq!(status(&seen(0)).await, 200);
        assert_eq!(status(&seen(3)).await, 503);
        assert_eq!(status("rubbish").await, 400);
        let of_home = cursor(&state.view, 0).to_text();
        assert_eq!(status(&of_home).await, 400);
        let reads = async {
            tokio::task::yield_now().await;
            node.send_modify(|built| {
                Arc::make_mut(built).seen = Arc::new(Offsets::new(&[next(3)]));
            });
        };
        let text = seen(3);
        assert_eq!(tokio::join!(status(&text), reads).0, 200);
    }
}
