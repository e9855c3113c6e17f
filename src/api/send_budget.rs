//! The memory that long messages to readers take until they are sent. A text that many are sent is held once for all of them, so
//! that it takes the texts, each once, and a frame for each reader. When that is too much, the delivery that began first is given
//! up: of all that are not done, the slowest.

use hashbrown::HashMap;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::sync::CancellationToken;

/// The longest frame, in bytes: a longer message goes in several (RFC 6455, section 5.4), as each connection copies what it is
/// sending, and keeps a buffer for as much.
pub const FRAME_BYTES_MAX: usize = 8 << 10;
/// The most bytes on their way to all readers together.
const BYTES_MAX: usize = 256 << 20;
/// The most readers that are sent a part of a long text at once. All others wait for their turn here instead of in the runtime's
/// queue, so that any other request waits behind this many tasks, and not behind thousands, at each of its steps.
const TURNS_MAX: usize = 4;

/// All texts that are being sent.
#[derive(Debug)]
pub struct SendBudget {
    bytes_max: usize,
    state: Mutex<State>,
    turns: Semaphore,
}

#[derive(Debug, Default)]
struct State {
    /// Deliveries by their number, which is the order that they began in.
    deliveries: BTreeMap<u64, (TextId, CancellationToken)>,
    texts: HashMap<TextId, Text>,
    bytes: usize,
    next: u64,
}

/// A text by its address in memory, which stays its own while a delivery holds the text.
type TextId = usize;

#[derive(Debug)]
struct Text {
    bytes: usize,
    readers: usize,
}

/// A text that is being sent to one reader. When this is dropped, the text was sent or given up.
#[derive(Debug)]
pub struct TextInFlight {
    send_budget: Arc<SendBudget>,
    number: u64,
    given_up: CancellationToken,
}

impl Default for SendBudget {
    fn default() -> SendBudget {
        SendBudget::new(BYTES_MAX)
    }
}

impl SendBudget {
    fn new(bytes_max: usize) -> SendBudget {
        SendBudget {
            bytes_max,
            state: Mutex::default(),
            turns: Semaphore::new(TURNS_MAX),
        }
    }

    /// Waits for a turn to send a part of something long, first come, first served: it ends when this is dropped. None, which is
    /// a turn too, if there are no turns any more: there are for as long as this is there.
    pub async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        let turn = self.turns.acquire().await.ok();
        // Other tasks run first: with no other reader waiting, a task would have thousands of turns in a row.
        tokio::task::yield_now().await;
        turn
    }

    /// Begins to send a text to one reader. If all texts then take too much memory, the oldest deliveries are given up.
    pub fn begin(self: &Arc<SendBudget>, text: &[u8]) -> TextInFlight {
        let mut state = self.state.lock();
        let (number, given_up) = (state.next, CancellationToken::new());
        state.next += 1;
        let id = text.as_ptr() as usize;
        let begun = state.texts.entry(id).or_insert(Text {
            bytes: text.len(),
            readers: 0,
        });
        begun.readers += 1;
        let more = match begun.readers {
            1 => begun.bytes,
            _ => 0,
        };
        state.bytes += more + FRAME_BYTES_MAX;
        state.deliveries.insert(number, (id, given_up.clone()));
        while self.bytes_max < state.bytes {
            match state.deliveries.first_key_value() {
                Some((&slowest, (_, given_up))) if slowest < number => {
                    given_up.cancel();
                    state.end(slowest);
                }
                _ => break,
            }
        }
        TextInFlight {
            send_budget: Arc::clone(self),
            number,
            given_up,
        }
    }
}

impl State {
    fn end(&mut self, number: u64) {
        let Some((id, _)) = self.deliveries.remove(&number) else {
            return;
        };
        self.bytes = self.bytes.saturating_sub(FRAME_BYTES_MAX);
        if let Some(text) = self.texts.get_mut(&id) {
            text.readers -= 1;
            if text.readers == 0 {
                self.bytes = self.bytes.saturating_sub(text.bytes);
                self.texts.remove(&id);
            }
        }
    }
}

impl TextInFlight {
    /// The token that is cancelled when there is no more room for this text.
    pub fn given_up(&self) -> &CancellationToken {
        &self.given_up
    }
}

impl Drop for TextInFlight {
    fn drop(&mut self) {
        self.send_budget.state.lock().end(self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// A failure means that readers that take nothing fill the memory, or cost other readers their messages.
    #[test]
    fn who_has_been_at_it_longest_is_given_up_when_there_is_too_much() {
        let long = 10 * FRAME_BYTES_MAX;
        let texts: Vec<Vec<u8>> = (0..3).map(|_| vec![b'x'; long]).collect();
        let send_budget = Arc::new(SendBudget::new(2 * long + 6 * FRAME_BYTES_MAX));
        let begin = |text: usize| send_budget.begin(&texts[text]);
        let is_given_up = |it: &TextInFlight| it.given_up().is_cancelled();
        let first: Vec<_> = (0..4).map(|_| begin(0)).collect();
        let second = begin(1);
        assert!(
            !first.iter().chain([&second]).any(is_given_up),
            "shared texts count once"
        );
        let done = begin(1);
        drop(done);
        // A third text only goes when all have given up the first.
        let third = begin(2);
        assert!(first.iter().all(is_given_up));
        assert!(!is_given_up(&second) && !is_given_up(&third));
        drop(first);
        drop((second, third));
        let state = send_budget.state.lock();
        assert_eq!(
            (state.bytes, state.texts.len(), state.deliveries.len()),
            (0, 0, 0)
        );
    }

    /// A failure means that a big post sent to thousands holds up every request, at each of its steps.
    #[tokio::test]
    async fn others_wait_behind_few_however_many_are_sent_something_long() {
        const READERS: usize = 500;
        const FEW: usize = 16;
        let (send_budget, sent) = (
            Arc::new(SendBudget::default()),
            Arc::new(AtomicUsize::new(0)),
        );
        for _ in 0..READERS {
            let (send_budget, sent) = (Arc::clone(&send_budget), Arc::clone(&sent));
            tokio::spawn(async move {
                for _ in 0..3 {
                    let turn = send_budget.turn().await;
                    sent.fetch_add(1, Ordering::Relaxed);
                    drop(turn);
                }
            });
        }
        let (mut before, mut most) = (0, 0);
        while before < 3 * READERS {
            tokio::task::yield_now().await;
            let now = sent.load(Ordering::Relaxed);
            most = most.max(now - before);
            before = now;
        }
        assert!(most <= FEW, "{most} between two steps");
    }

    #[test]
    fn one_alone_goes_however_long_it_is() {
        let send_budget = Arc::new(SendBudget::new(1));
        assert!(!send_budget.begin(b"long").given_up().is_cancelled());
    }
}
