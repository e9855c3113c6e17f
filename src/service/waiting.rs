//! Which connections wait for a request to come, in the order in which they began to: who has waited longest gives way to
//! somebody new.

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// The part of a request's head that everybody has room for, in bytes: a token and a cursor of some partitions fit.
pub(super) const HEAD_BYTES_COMMON: usize = 8 << 10;
/// The longest head, in bytes: a cursor of a thousand partitions fits into its path, and more than 64 KiB none can have.
pub(super) const HEAD_BYTES_MAX: usize = 80 << 10;
/// How many heads may be longer than the common ones at once: 80 MiB of them.
const LONG_HEADS_MAX: usize = 1_024;

/// All connections that wait for a request.
#[derive(Debug)]
pub(super) struct Waiting {
    queue: Mutex<Queue>,
    long_heads: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct Queue {
    next: u64,
    lines: BTreeMap<u64, Arc<Line>>,
}

/// What a connection is used for just now.
#[derive(Debug)]
pub(super) struct Line {
    waiting: Arc<Waiting>,
    state: Mutex<State>,
    /// Whether the other side has not taken all it was sent: an answer on its way does not give way.
    is_unsent: AtomicBool,
    gives_way: Notify,
    /// Who is to look at the time again when it waits for a request.
    reader: AtomicWaker,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    /// Requests so far.
    requests: u64,
    /// Its number in the queue.
    number: Option<u64>,
    /// Held while a head is longer than most.
    long_head: Option<OwnedSemaphorePermit>,
}

/// What a connection is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The head of a request is to come.
    Waiting,
    /// A request is being answered.
    Busy,
    /// It is a websocket.
    Stream,
    /// It is closed.
    Gone,
}

/// A request that is being answered, until this is dropped.
#[derive(Debug)]
pub(super) struct Busy(Arc<Line>);

impl Waiting {
    pub(super) fn none() -> Arc<Waiting> {
        Arc::new(Waiting {
            queue: Mutex::default(),
            long_heads: Arc::new(Semaphore::new(LONG_HEADS_MAX)),
        })
    }

    /// A connection that has just come.
    pub(super) fn line(self: &Arc<Self>) -> Arc<Line> {
        let line = Arc::new(Line {
            waiting: Arc::clone(self),
            state: Mutex::new(State {
                phase: Phase::Waiting,
                requests: 0,
                number: None,
                long_head: None,
            }),
            is_unsent: AtomicBool::new(false),
            gives_way: Notify::new(),
            reader: AtomicWaker::new(),
        });
        line.queue_up(&mut line.state.lock());
        line
    }

    /// Tells the connection that has waited longest to close; false if none waits.
    pub(super) fn oldest_gives_way(&self) -> bool {
        let mut queue = self.queue.lock();
        let is_done = |line: &Arc<Line>| !line.is_unsent.load(Ordering::Relaxed);
        let oldest = queue.lines.iter().find(|(_, line)| is_done(line));
        let Some(line) = oldest
            .map(|(number, _)| *number)
            .and_then(|number| queue.lines.remove(&number))
        else {
            return false;
        };
        line.gives_way.notify_one();
        true
    }
}

impl Line {
    /// What it is used for, and after how many requests.
    pub(super) fn phase(&self) -> (Phase, u64) {
        let state = self.state.lock();
        (state.phase, state.requests)
    }

    /// The head of a request is here.
    pub(super) fn begin(self: &Arc<Self>) -> Busy {
        let mut state = self.state.lock();
        state.phase = Phase::Busy;
        state.requests += 1;
        state.long_head = None;
        self.leave_queue(&mut state);
        Busy(Arc::clone(self))
    }

    /// Wakes this task when a request is waited for: HTTP reads ahead before it is done with the one before.
    pub(super) fn wakes(&self, task: &Waker) {
        self.reader.register(task);
    }

    /// Whether there is room for a head that is longer than most; there is, until a request begins.
    pub(super) fn has_room_for_long_head(&self) -> bool {
        let mut state = self.state.lock();
        if state.long_head.is_none() {
            let room = Arc::clone(&self.waiting.long_heads).try_acquire_owned();
            state.long_head = room.ok();
        }
        state.long_head.is_some()
    }

    /// Whether the other side has not taken all it was sent.
    pub(super) fn is_unsent(&self, is_unsent: bool) {
        self.is_unsent.store(is_unsent, Ordering::Relaxed);
    }

    /// Waits until it is to give way.
    pub(super) async fn gives_way(&self) {
        self.gives_way.notified().await;
    }

    /// It is closed.
    pub(super) fn end(&self) {
        let mut state = self.state.lock();
        state.phase = Phase::Gone;
        state.long_head = None;
        self.leave_queue(&mut state);
    }

    fn queue_up(self: &Arc<Self>, state: &mut State) {
        let mut queue = self.waiting.queue.lock();
        let number = queue.next;
        queue.next += 1;
        queue.lines.insert(number, Arc::clone(self));
        state.number = Some(number);
    }

    fn leave_queue(&self, state: &mut State) {
        if let Some(number) = state.number.take() {
            self.waiting.queue.lock().lines.remove(&number);
        }
    }
}

impl Busy {
    /// From here on it is a websocket.
    pub(super) fn is_stream(&self) {
        self.0.state.lock().phase = Phase::Stream;
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        if state.phase == Phase::Busy {
            state.phase = Phase::Waiting;
            self.0.queue_up(&mut state);
            drop(state);
            self.0.reader.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    fn is_told(line: &Line) -> bool {
        line.gives_way().now_or_never().is_some()
    }

    /// Were this to fail, those who never finish a request could keep everybody else out, or be preferred to somebody whose
    /// request is being answered.
    #[test]
    fn who_has_waited_longest_gives_way_and_nobody_who_is_answered() {
        let waiting = Waiting::none();
        let [first, second, third] = [(); 3].map(|()| waiting.line());
        let busy = first.begin();
        assert!(waiting.oldest_gives_way());
        assert_eq!(
            [&first, &second, &third].map(|line| is_told(line)),
            [false, true, false]
        );
        drop(busy);
        // It has waited since its answer only.
        assert!(waiting.oldest_gives_way());
        assert_eq!([&first, &third].map(|line| is_told(line)), [false, true]);
        let busy = first.begin();
        busy.is_stream();
        drop(busy);
        assert!(!waiting.oldest_gives_way(), "a stream may be quiet");
    }

    #[test]
    fn an_answer_on_its_way_is_not_cut_off() {
        let waiting = Waiting::none();
        let line = waiting.line();
        line.is_unsent(true);
        assert!(!waiting.oldest_gives_way());
        line.is_unsent(false);
        assert!(waiting.oldest_gives_way());
    }

    #[test]
    fn who_is_gone_leaves_nothing_behind_whatever_ends_first() {
        let waiting = Waiting::none();
        let line = waiting.line();
        let busy = line.begin();
        line.end();
        drop(busy);
        waiting.line().end();
        assert!(waiting.queue.lock().lines.is_empty());
    }

    #[test]
    fn so_many_heads_are_long_and_no_more() {
        let waiting = Waiting::none();
        let lines: Vec<_> = (0..=LONG_HEADS_MAX).map(|_| waiting.line()).collect();
        let has_room = |line: &Arc<Line>| line.has_room_for_long_head();
        assert_eq!(lines.iter().filter(|line| has_room(line)).count(), 1_024);
        lines[0].end();
        assert!(has_room(&lines[LONG_HEADS_MAX]));
    }
}
