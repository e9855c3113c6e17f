//! A feed followed live: one reader's place in it, looked at whenever it may show something new. Nothing is queued for a
//! reader; whoever is slow reads on from where it is.

use super::asked::Asked;
use super::change_batch::BatchLimit;
use super::cursor::Cursor;
use super::encoded::Encoding;
use super::look::Delivery;
use super::problem::Problem;
use super::reading;
use super::state::AppState;
use super::waking::{Awaited, Watching};
use slackwater_order::time::Time;
use std::pin::Pin;
use std::sync::Arc;

/// What a reader is told at a time: it is held in memory until the reader has taken it.
const LIMIT: BatchLimit = BatchLimit {
    changes: 20,
    bytes: 64 << 10,
};

/// One reader of one feed.
#[derive(Debug)]
pub struct Live {
    state: AppState,
    asked: Asked,
    watching: Watching,
    cursor: Cursor,
    awaited: Awaited,
    /// Whether the reader is told of floors.
    hears_floors: bool,
}

/// What a look told a reader.
#[derive(Debug)]
pub struct Looked {
    /// What changed since the look before.
    pub told: Delivery<Arc<Encoding>>,
    /// Up to when the feed is shown; none if all of it is.
    pub horizon: Option<Time>,
}

impl Live {
    /// Begins with what the feed shows now; nothing of that is told.
    pub async fn now(state: AppState, asked: Asked) -> Result<(Live, Option<Time>), Problem> {
        state.is_open()?;
        let watching = state.watch(&asked);
        let look = apart(state.look_again(&asked, None)).await?;
        let cursor = Cursor {
            feed: Cursor::feed_of(&asked.text()),
            log: state.view.log.clone(),
            from: look.moment(),
            batch: None,
        };
        let horizon = look.shown.horizon;
        Ok((Live::at(state, asked, watching, cursor), horizon))
    }

    /// Goes on from where a reader was; 410 if that cannot be.
    pub async fn since(
        state: AppState,
        asked: Asked,
        cursor: Cursor,
    ) -> Result<(Live, Option<Time>), Problem> {
        state.is_open()?;
        apart(state.reaches(&cursor)).await?;
        let watching = state.watch(&asked);
        let look = apart(state.look_again(&asked, Some(cursor.horizon()))).await?;
        let horizon = look.shown.horizon;
        Ok((Live::at(state, asked, watching, cursor), horizon))
    }

    fn at(state: AppState, asked: Asked, watching: Watching, cursor: Cursor) -> Live {
        Live {
            state,
            asked,
            watching,
            cursor,
            awaited: Awaited::default(),
            hears_floors: true,
        }
    }

    /// For a reader whose protocol has no word for a floor: what leaves is told wherever it stood.
    pub fn without_floor(mut self) -> Live {
        self.hears_floors = false;
        self.cursor.drop_floor();
        self
    }

    /// What the reader has been told of.
    pub fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    /// Looks at the feed, and tells what is new; that counts as told. 410 if what is new cannot be told: the reader is to
    /// read the feed anew.
    pub async fn look(&mut self) -> Result<Looked, Problem> {
        apart(self.look_now()).await
    }

    async fn look_now(&mut self) -> Result<Looked, Problem> {
        let least = Some(self.cursor.horizon());
        let look = self.state.look_again(&self.asked, least).await?;
        let told = reading::read(|| {
            look.changes_since(&self.state.view, &self.cursor, LIMIT, &*self.state.encoded)
        })
        .await?;
        let told = match self.hears_floors {
            true => told,
            false => told.without_floor(),
        };
        self.awaited = Awaited::after(&look, &told);
        self.cursor = told.cursor.clone();
        Ok(Looked {
            horizon: look.shown.horizon,
            told,
        })
    }

    /// Waits until a look may tell something. May be given up and begun again.
    pub async fn stirred(&mut self) {
        self.watching.wait(&self.state.view, self.awaited).await;
    }
}

/// What is done now and then, in memory of its own: a reader mostly waits, and what that takes is taken ten thousand times.
pub(super) fn apart<F: Future>(now_and_then: F) -> Pin<Box<F>> {
    Box::pin(now_and_then)
}
