//! A feed asked for, as soon as it can be looked at, and a cursor held against it. What cannot be had is a problem that
//! says what to do instead.

use super::asked::Asked;
use super::cursor::{Cursor, CursorError};
use super::look::{Look, TellError};
use super::problem::Problem;
use super::reading;
use super::view::View;
use crate::clock;
use crate::time::Time;
use axum::http::StatusCode;
use std::time::Duration;

/// How long the end of the log may take to be heard of, when a cursor has seen more than this node knows of.
const ENDS_WAIT: Duration = Duration::from_secs(5);
/// How long a feed that was given up may take to be rebuilt, before its reader is told to come back.
const AWAKE_WAIT: Duration = Duration::from_secs(5);

impl View {
    /// Whether all relations known at the start are in force.
    pub fn is_open(&self) -> Result<(), Problem> {
        if self.built.borrow().relations_in_force {
            Ok(())
        } else {
            Err(Problem::unavailable(
                "relations are still being read: feeds are shown when all are in force",
                1,
            ))
        }
    }

    /// Reads a cursor of a feed: 400 if it is damaged or another feed's, 410 if nothing can be told since it.
    pub fn cursor(&self, asked: &Asked, text: &str) -> Result<Cursor, Problem> {
        let cursor = Cursor::parse(text).map_err(|e| match e {
            CursorError::Damaged => Problem::bad_request(e.to_string()),
            CursorError::OtherVersion => gone(&e),
        })?;
        if cursor.feed != Cursor::feed_of(&asked.text()) {
            return Err(Problem::bad_request(
                "the cursor is of another feed: send one that this feed gave",
            ));
        }
        if cursor.log != self.log {
            return Err(gone(&"the cursor is of another log"));
        }
        Ok(cursor)
    }

    /// Whether the log goes as far as a cursor says. Another node may have heard of more: it has a moment to come.
    pub async fn reaches(&self, cursor: &Cursor) -> Result<(), Problem> {
        let mut built = self.built.clone();
        let there = built.wait_for(|built| {
            cursor.from.seen.is_within(&built.ends)
                && cursor
                    .batch
                    .as_ref()
                    .is_none_or(|batch| batch.upto.seen.is_within(&built.ends))
        });
        match tokio::time::timeout(ENDS_WAIT, there).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(Problem::unavailable("this node is stopping", 5)),
            Err(_) => Err(gone(&"the log ends before this cursor")),
        }
    }

    /// Looks at a feed; waits until there is one, if its account sleeps. `least` is a horizon that was reached before.
    pub async fn look_awake(&self, asked: &Asked, least: Option<Time>) -> Result<Look, Problem> {
        loop {
            let look = reading::read(|| self.look_now(asked, least)).await?;
            if !self.has_slept(&look).await? {
                return Ok(look);
            }
        }
    }

    /// As [`Self::look_awake`], for one who looks again and again. All of them look when the service has started, at feeds of
    /// which each is one value: to move each aside for that would cost more memory than their connections.
    pub async fn look_again(&self, asked: &Asked, least: Option<Time>) -> Result<Look, Problem> {
        loop {
            let look = self.look_now(asked, least)?;
            if !self.has_slept(&look).await? {
                return Ok(look);
            }
        }
    }

    /// Whether this is to be looked at again, because its account slept: when this returns, it is awake.
    async fn has_slept(&self, look: &Look) -> Result<bool, Problem> {
        let Some(account) = look.found.account.filter(|_| look.is_asleep) else {
            return Ok(false);
        };
        let awake = self.attendance.awake(account);
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
    pub fn is_there(&self, asked: &Asked) -> Result<(), Problem> {
        let found = asked.find(&self.graph.read());
        match found {
            Some(_) => Ok(()),
            None => Err(self.is_missing(asked)),
        }
    }

    fn look_now(&self, asked: &Asked, least: Option<Time>) -> Result<Look, Problem> {
        let look = self.look_at(asked, least, clock::now());
        let look = look.map_err(|e| Problem::internal(&e))?;
        look.ok_or_else(|| self.is_missing(asked))
    }

    fn is_missing(&self, asked: &Asked) -> Problem {
        match asked {
            Asked::List { account, list } if self.graph.read().account(account).is_some() => {
                Problem::not_found(format!("account {account:?} has no list {list:?}"))
            }
            _ => no_account(asked.owner().unwrap_or_default()),
        }
    }
}

impl Cursor {
    /// The horizon its reader has reached.
    pub fn horizon(&self) -> Time {
        let upto = self.batch.as_ref().map(|batch| &batch.upto);
        upto.unwrap_or(&self.from).horizon
    }
}

impl From<TellError> for Problem {
    fn from(error: TellError) -> Problem {
        match error {
            TellError::Refused(refused) => gone(&refused),
            TellError::Disk(error) => Problem::internal(&error),
        }
    }
}

/// 404: nothing was ever said of this account.
pub fn no_account(account: &str) -> Problem {
    Problem::not_found(format!(
        "no account {account:?}: send its account document to /v1/relationships first"
    ))
}

fn gone(why: &dyn std::fmt::Display) -> Problem {
    Problem::new(
        StatusCode::GONE,
        format!("{why}: read the feed anew, and go on with the cursor it gives"),
    )
}
