//! The topic in which the nodes of a cluster say what each serves: one partition, which is one order for all, and compacted.
//!
//! | file | what it is |
//! |---|---|
//! | this one | [`NodesTopic`], the handle |
//! | `outbox` | the thread that appends our records, the newest of those that wait |
//! | `reading` | the thread that reads all records, in their order |
//! | `checks` | what the topic must be like |
//!
//! Reading back a record of one's own proves that appending, reading and the order all work, so latency is what both clients are set
//! up for.

pub(super) mod checks;
mod outbox;
mod reading;

use super::{KafkaError, Options, START_WAIT};
use crate::clock;
use outbox::Outbox;
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

/// What both clients rely on: `[kafka.client]` may not change it, as what suits the log may take seconds here.
const REQUIRED: [(&str, &str); 4] = [
    // A broker that comes back is found before a lease ends, as is a connection that swallows what is sent: with the default of a minute
    // one broker that hangs would end every lease.
    ("reconnect.backoff.max.ms", "500"),
    ("socket.timeout.ms", "1000"),
    ("socket.connection.setup.timeout.ms", "5000"),
    ("socket.nagle.disable", "true"),
];
/// How long dropping the handle waits for its threads before it leaves them to themselves.
const STOP_WAIT: Duration = Duration::from_secs(2);

/// A record of the nodes topic. Its value may be anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRecord {
    /// Its offset. Offsets have gaps where records were compacted away, and begin anew if the topic was deleted and created again.
    pub offset: i64,
    /// The name of the node.
    pub key: String,
    /// What the node said; none if the record removes what it said before.
    pub value: Option<Vec<u8>>,
}

/// Appends to the nodes topic and reads it. Dropping it ends its threads; records that wait are then lost.
pub struct NodesTopic {
    shared: Arc<Shared>,
}

/// What the handle and its two threads share.
#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Signalled at each change of what waits to be sent, and at a stop.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    outbox: Outbox,
    /// Why the last record was not accepted; none if it was.
    not_accepted: Option<String>,
    /// Why the topic is not read; none once a record was read.
    not_read: Option<String>,
    stop: bool,
    /// Threads that have not ended.
    threads: usize,
}

impl NodesTopic {
    /// Checks the topic, and reads it. It blocks until a broker answers and `each` was given every record that the topic had then, for
    /// at most a minute. `each` is called on a thread of its own, in the order of the offsets; while it blocks, nothing is read.
    ///
    /// Errors: settings that are refused, no broker, a topic that is missing or has more than one partition.
    pub fn open(
        options: &Options,
        each: impl FnMut(NodeRecord) + Send + 'static,
    ) -> Result<NodesTopic, KafkaError> {
        let begun = clock::stopwatch();
        let end = checks::wait_for_end(options, START_WAIT)?;
        let described = options.clone();
        thread::spawn(move || checks::warn_of_settings(&described));
        let nodes_topic = NodesTopic {
            shared: Arc::default(),
        };
        let (caught_up, is_caught_up) = sync_channel(1);
        let client = outbox::connect(options, &nodes_topic.shared)?;
        let reading = reading::Reading::new(options, &nodes_topic.shared, Box::new(each))?;
        nodes_topic.spawn("nodes-send", {
            let (options, shared) = (options.clone(), Arc::clone(&nodes_topic.shared));
            move || outbox::send_all(&options, &shared, &client)
        })?;
        nodes_topic.spawn("nodes-read", move || reading.run(end, &caught_up))?;
        let left = START_WAIT.saturating_sub(begun.elapsed());
        match is_caught_up.recv_timeout(left) {
            Ok(()) => Ok(nodes_topic),
            Err(_) => Err(checks::not_read(options)),
        }
    }

    /// Appends a record, sooner or later, and says nothing of it: it was appended when it is read back. A record that waits while
    /// this one comes is never sent. A record that was not accepted may be appended all the same, seconds later, and one may be there
    /// twice or behind a newer one: readers tell by a number in it.
    pub fn send(&self, node: &str, value: Vec<u8>) {
        self.shared.state.lock().outbox.put(node, value);
        self.shared.changed.notify_all();
    }

    /// Why records are not accepted or not read, if that is known. The next that is ends it.
    pub fn trouble(&self) -> Option<String> {
        let state = self.shared.state.lock();
        let trouble = state.not_accepted.as_ref().or(state.not_read.as_ref());
        trouble.cloned()
    }

    fn spawn(&self, name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), KafkaError> {
        self.shared.state.lock().threads += 1;
        let ended = Ended(Arc::clone(&self.shared));
        let run = move || {
            let _ended = ended;
            run();
        };
        let thread = thread::Builder::new().name(name.to_owned());
        thread.spawn(run).map(drop).map_err(KafkaError::Thread)
    }
}

impl Drop for NodesTopic {
    fn drop(&mut self) {
        let begun = clock::stopwatch();
        let mut state = self.shared.state.lock();
        state.stop = true;
        self.shared.changed.notify_all();
        while state.threads != 0
            && let Some(left) = STOP_WAIT.checked_sub(begun.elapsed())
        {
            self.shared.changed.wait_for(&mut state, left);
        }
    }
}

/// Says at its end that a thread has ended.
struct Ended(Arc<Shared>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.state.lock().threads -= 1;
        self.0.changed.notify_all();
    }
}

impl Shared {
    fn is_stopped(&self) -> bool {
        self.state.lock().stop
    }
}

#[cfg(test)]
mod tests;
