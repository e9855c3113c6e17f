//! The calls that are made of the backend for each reader, counted by token as the backend counts them. Pure.

use crate::api::auth::token::Token;
use hashbrown::HashMap;
use slackwater_order::time::Time;
use std::collections::VecDeque;
use std::time::Duration;

/// The most calls for one reader at a time: two pages of the longest kind.
const AT_A_TIME_MAX: usize = 8;
/// The most requests of one reader that wait for others of theirs to end; more are told to come back.
const WAITING_MAX: usize = 16;
/// The most calls that the streams of one reader make within [`STREAM_SPAN`]: a fifth of what Mastodon allows a token (300), so that
/// the rest is the reader's own.
const STREAM_CALLS_MAX: usize = 60;
const STREAM_SPAN: Duration = Duration::from_secs(300);
/// The number of readers at which those without a call or a limit are removed. As many again may come before the next time.
const READERS_SWEPT_AT: usize = 10_000;

/// Whether calls begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beginning {
    /// They do.
    Begun,
    /// They may when others of this reader have ended; they wait until [`ReaderCalls::waited`] is called.
    Busy,
    /// They may in so many seconds.
    Refused(u32),
}

/// The calls of all readers.
#[derive(Debug, Default)]
pub(super) struct ReaderCalls {
    readers: HashMap<Token, Calls>,
    /// The number of readers at which the quiet ones are removed next.
    swept_at: usize,
}

#[derive(Debug, Default)]
struct Calls {
    now: usize,
    waiting: usize,
    /// The backend takes no more until then.
    refused_until: Option<Time>,
    /// When calls for streams were made, oldest first.
    of_streams: VecDeque<Time>,
}

impl Calls {
    fn is_quiet(&self, now: Time) -> bool {
        let is_old = |at: &Time| at.plus(STREAM_SPAN) <= now;
        self.now == 0
            && self.waiting == 0
            && self.refused_until.is_none_or(|until| until <= now)
            && self.of_streams.back().is_none_or(is_old)
    }
}

impl ReaderCalls {
    /// Counts so many calls that begin, if they may.
    pub(super) fn begin(&mut self, token: &Token, calls: usize, now: Time) -> Beginning {
        let of = self.of(token, now);
        if let Some(until) = of.refused_until.filter(|until| now < *until) {
            return Beginning::Refused(seconds(until.since(now)));
        }
        if AT_A_TIME_MAX < of.now + calls {
            if WAITING_MAX <= of.waiting {
                return Beginning::Refused(1);
            }
            of.waiting += 1;
            return Beginning::Busy;
        }
        of.now += calls;
        Beginning::Begun
    }

    /// One that was busy tries again, or is given up.
    pub(super) fn waited(&mut self, token: &Token) {
        if let Some(of) = self.readers.get_mut(token) {
            of.waiting = of.waiting.saturating_sub(1);
        }
    }

    /// So many calls have ended.
    pub(super) fn end(&mut self, token: &Token, calls: usize) {
        if let Some(of) = self.readers.get_mut(token) {
            of.now = of.now.saturating_sub(calls);
        }
    }

    /// The backend takes no more calls of a reader until then.
    pub(super) fn refused(&mut self, token: &Token, until: Time, now: Time) {
        self.of(token, now).refused_until = Some(until);
    }

    /// Counts a call for a stream, if there may be one more.
    pub(super) fn is_left_for_streams(&mut self, token: &Token, now: Time) -> bool {
        let of_streams = &mut self.of(token, now).of_streams;
        while of_streams
            .front()
            .is_some_and(|at| at.plus(STREAM_SPAN) <= now)
        {
            of_streams.pop_front();
        }
        let is_left = of_streams.len() < STREAM_CALLS_MAX;
        if is_left {
            of_streams.push_back(now);
        }
        is_left
    }

    fn of(&mut self, token: &Token, now: Time) -> &mut Calls {
        if self.swept_at.max(READERS_SWEPT_AT) <= self.readers.len() {
            self.readers.retain(|_, calls| !calls.is_quiet(now));
            self.swept_at = 2 * self.readers.len();
        }
        self.readers.entry(token.clone()).or_default()
    }
}

/// Milliseconds in whole seconds, at least one.
fn seconds(ms: i64) -> u32 {
    u32::try_from(ms.div_euclid(1000) + 1).unwrap_or(1).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str) -> Token {
        Token::new(text).unwrap()
    }

    fn at(seconds: i64) -> Time {
        Time::from_millis(1_000 * seconds)
    }

    /// A failure means that one reader's client takes all that the backend can do, or goes on where it was told to wait.
    #[test]
    fn a_reader_makes_so_many_calls_at_a_time_and_none_until_the_backend_takes_more() {
        let (mut calls, kim, lea) = (ReaderCalls::default(), token("kim"), token("lea"));
        for _ in 0..4 {
            assert_eq!(calls.begin(&kim, 2, at(0)), Beginning::Begun);
        }
        for _ in 0..WAITING_MAX {
            assert_eq!(calls.begin(&kim, 1, at(0)), Beginning::Busy);
        }
        assert_eq!(calls.begin(&kim, 1, at(0)), Beginning::Refused(1));
        calls.waited(&kim);
        assert_eq!(calls.begin(&kim, 1, at(0)), Beginning::Busy);
        assert_eq!(calls.begin(&lea, 1, at(0)), Beginning::Begun);
        calls.end(&kim, 2);
        assert_eq!(calls.begin(&kim, 1, at(0)), Beginning::Begun);
        calls.refused(&lea, at(40), at(10));
        assert_eq!(calls.begin(&lea, 1, at(10)), Beginning::Refused(31));
        assert_eq!(calls.begin(&lea, 1, at(39)), Beginning::Refused(2));
        assert_eq!(calls.begin(&lea, 1, at(40)), Beginning::Begun);
    }

    #[test]
    fn streams_make_sixty_calls_in_any_five_minutes() {
        let (mut calls, kim) = (ReaderCalls::default(), token("kim"));
        let mut made = Vec::new();
        for second in 0..1_000 {
            if calls.is_left_for_streams(&kim, at(second)) {
                made.push(second);
            }
        }
        for first in &made {
            let within = made.iter().filter(|it| (*first..first + 300).contains(*it));
            assert!(within.count() <= 60, "from {first}");
        }
        assert_eq!(made.len(), 4 * 60);
    }

    #[test]
    fn quiet_readers_are_forgotten() {
        let mut calls = ReaderCalls::default();
        let busy = token("busy");
        calls.begin(&busy, 1, at(0));
        for n in 0..READERS_SWEPT_AT {
            let token = token(&format!("reader-{n}"));
            calls.begin(&token, 1, at(0));
            calls.end(&token, 1);
        }
        assert!(
            calls.readers.len() < READERS_SWEPT_AT,
            "{}",
            calls.readers.len()
        );
        assert!(calls.readers.contains_key(&busy));
    }
}
