//! This node's membership of the consumer group, which says where work goes. It fetches nothing.
//!
//! The group shares out the partitions of relationships, each of which is a shard of accounts. librdkafka keeps what the group gave
//! apart from what is fetched, so a member that answers every rebalance with an empty list is a full member that reads nothing; the
//! log is read by [`super::Consumer`], from our own offsets.
//!
//! Partitions of activities follow: a node has those whose number, modulo the partitions of relationships, is one of its own. Were
//! both topics subscribed to, the assignor would balance their sum, and some nodes would have all the shards.
//!
//! | file | what it is |
//! |---|---|
//! | this one | [`Member`], the handle |
//! | `membership` | the thread that answers the group |
//! | `assignment` | what the group gave |

mod assignment;
mod membership;

pub use assignment::Assignment;

use super::{KafkaError, Options};
use membership::Membership;
use parking_lot::Mutex;
use slackwater_engine::record::Position;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;
use tokio::sync::watch;

/// How long dropping the handle waits for the thread before it leaves it to itself. Without a broker the thread cannot
/// say goodbye.
const STOP_WAIT: Duration = Duration::from_secs(5);

/// How a node is a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberOptions {
    /// The name under which it comes back to its shards (`group.instance.id`, KIP-345). Two members may not have the same. Without
    /// one, a node that starts again is another member, and shards move when it stops.
    pub instance: Option<String>,
    /// How long the group keeps the shards of a member that says nothing for it. Kafka takes 6 s to 30 min.
    pub session_timeout: Duration,
}

/// The membership. Dropping it keeps the place of a member with a name for the session timeout; one without leaves.
pub struct Member {
    requests: Arc<Mutex<Requests>>,
    assignment: watch::Receiver<Assignment>,
    /// Closed when the thread has ended.
    stopped: Receiver<()>,
}

/// Commits offsets through a member: a group that has members takes them from nobody else. Cheap to clone.
#[derive(Clone)]
pub struct Commits(Arc<Mutex<Requests>>);

impl Commits {
    /// Commits where reading stands, for lag tools alone, of those partitions that the member has. Its thread does it later, and the
    /// newest call counts. While the group is sharing out anew it may be refused, which is logged at `debug` and nothing else.
    pub fn commit(&self, next: &[Position]) {
        self.0.lock().to_commit = Some(next.to_vec());
    }
}

/// What the handle asks of the thread.
#[derive(Default)]
struct Requests {
    /// Where reading stands, to be committed for what is owned.
    to_commit: Option<Vec<Position>>,
    stop: bool,
}

impl Member {
    /// Joins the group. It does not wait for a broker: what the group gives is seen in [`Member::assignment`].
    ///
    /// Errors: settings that are refused, no thread.
    pub fn join(options: &Options, membership: &MemberOptions) -> Result<Member, KafkaError> {
        let (sender, assignment) = watch::channel(Assignment::default());
        let requests: Arc<Mutex<Requests>> = Arc::default();
        let (alive, stopped) = sync_channel::<()>(0);
        let membership = Membership::new(options, membership, sender, Arc::clone(&requests))?;
        let run = move || {
            let _alive = alive;
            membership.run();
        };
        thread::Builder::new()
            .name("kafka-member".to_owned())
            .spawn(run)
            .map_err(KafkaError::Thread)?;
        Ok(Member {
            requests,
            assignment,
            stopped,
        })
    }

    /// What the group gave, to be looked at or waited for.
    pub fn assignment(&self) -> watch::Receiver<Assignment> {
        self.assignment.clone()
    }

    /// A way to commit offsets through this member.
    pub fn commits(&self) -> Commits {
        Commits(Arc::clone(&self.requests))
    }

    fn stop(&self) {
        self.requests.lock().stop = true;
        if let Err(RecvTimeoutError::Timeout) = self.stopped.recv_timeout(STOP_WAIT) {
            tracing::warn!(
                "the member of the group did not end within {STOP_WAIT:?}: left to itself"
            );
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.stop();
    }
}

#[cfg(test)]
mod tests;
