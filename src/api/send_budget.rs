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
/// How many readers are sent a part of something long at once. All others wait for their turn here, and not where everything
/// waits that the service does: who asks something meanwhile waits behind so many and not behind thousands, at each step of it.
const TURNS_MAX: usize = 4;

/// All that is on its way.
#[derive(Debug)]
pub struct SendBudget {
    bytes_max: usize,
    state: Mutex<State>,
    turns: Semaphore,
}

#[derive(Debug, Default)]
struct State {
    /// By when they began, which is how they are numbered.
    deliveries: BTreeMap<u64, (TextId, CancellationToken)>,
    texts: HashMap<TextId, Text>,
    bytes: usize,
    next: u64,
}

/// A text, by where it is in memory: whoever sends it has it.
type TextId = usize;

#[derive(Debug)]
struct Text {
    bytes: usize,
    readers: usize,
}

/// A text on its way to one reader. It has arrived, or will not, when this is dropped.
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
        // Whatever else can be done comes first; with nobody before it, a turn would be had at once, thousands in a row.
        tokio::task::yield_now().await;
        turn
    }

    /// A text begins its way to one reader. Others are given up if there is too much with it.
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
    /// Is cancelled when there is no more room for it.
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

    /// A failure means that readers who take nothing fill the memory, or that others pay for them.
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

    /// A failure means that a big post sent to thousands holds up everybody who asks something, at each step of the answer.
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
