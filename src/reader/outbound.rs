//! What is on its way to readers and too long to be taken at once. A text that many are sent is there once for all of them, so
//! what it takes is the texts, each once, and a frame for each reader. When that is too much, who has been at it longest is given
//! up: of all who are still at it, the slowest.

use super::websocket::FRAME_BYTES_MAX;
use hashbrown::HashMap;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::sync::CancellationToken;

/// The most bytes on their way to all readers together.
const BYTES_MAX: usize = 256 << 20;
/// How many readers are sent a part of something long at once. All others wait for their turn here, and not where everything
/// waits that the service does: who asks something meanwhile waits behind so many and not behind thousands, at each step of it.
const TURNS_MAX: usize = 4;

/// All that is on its way.
#[derive(Debug)]
pub struct Outbound {
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
pub struct Delivery {
    outbound: Arc<Outbound>,
    number: u64,
    given_up: CancellationToken,
}

impl Default for Outbound {
    fn default() -> Outbound {
        Outbound::new(BYTES_MAX)
    }
}

impl Outbound {
    fn new(bytes_max: usize) -> Outbound {
        Outbound {
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
    pub fn begin(self: &Arc<Outbound>, text: &[u8]) -> Delivery {
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
        Delivery {
            outbound: Arc::clone(self),
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

impl Delivery {
    /// Is cancelled when there is no more room for it.
    pub fn given_up(&self) -> &CancellationToken {
        &self.given_up
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.outbound.state.lock().end(self.number);
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
        let outbound = Arc::new(Outbound::new(2 * long + 6 * FRAME_BYTES_MAX));
        let begin = |text: usize| outbound.begin(&texts[text]);
        let is_given_up = |it: &Delivery| it.given_up().is_cancelled();
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
        let state = outbound.state.lock();
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
        let (outbound, sent) = (Arc::new(Outbound::default()), Arc::new(AtomicUsize::new(0)));
        for _ in 0..READERS {
            let (outbound, sent) = (Arc::clone(&outbound), Arc::clone(&sent));
            tokio::spawn(async move {
                for _ in 0..3 {
                    let turn = outbound.turn().await;
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
        let outbound = Arc::new(Outbound::new(1));
        assert!(!outbound.begin(b"long").given_up().is_cancelled());
    }
}
