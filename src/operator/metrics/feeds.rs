//! Numbers of what is kept: feeds, relations, checkpoints and the data folder.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// What is kept, and how it is written.
#[derive(Debug)]
pub struct FeedMetrics {
    /// Entries that stood at or below a full feed's floor and did not enter.
    pub below_floor: Counter,
    /// Entries written by checkpoints.
    pub entries_written: Counter,
    /// Checkpoints, by how many seconds they took.
    pub checkpoint_seconds: Histogram,
    /// Entries that wait for a checkpoint.
    pub unwritten_entries: Gauge,
    /// Bytes of posts that wait for a checkpoint.
    pub unwritten_bytes: Gauge,
    /// As many entries wait at most: then a checkpoint begins.
    pub unwritten_entries_max: Gauge,
    /// Posts of as many bytes wait at most: then a checkpoint begins.
    pub unwritten_bytes_max: Gauge,
    /// Bytes of the data folder.
    pub disk_bytes: Gauge,
    /// Local accounts known.
    pub accounts: Gauge,
    /// Those of them that have feeds here.
    pub awake_accounts: Gauge,
    /// Follows known.
    pub follows: Gauge,
    /// Posts dropped after their retention.
    pub expired_posts: Counter,
}

impl Default for FeedMetrics {
    fn default() -> FeedMetrics {
        FeedMetrics {
            below_floor: Counter::default(),
            entries_written: Counter::default(),
            checkpoint_seconds: Histogram::new(exponential_buckets(0.001, 2.0, 16)),
            unwritten_entries: Gauge::default(),
            unwritten_bytes: Gauge::default(),
            unwritten_entries_max: Gauge::default(),
            unwritten_bytes_max: Gauge::default(),
            disk_bytes: Gauge::default(),
            accounts: Gauge::default(),
            awake_accounts: Gauge::default(),
            follows: Gauge::default(),
            expired_posts: Counter::default(),
        }
    }
}

impl FeedMetrics {
    pub(super) fn register(&self, r: &mut Registry) {
        r.register(
            "below_floor",
            "Entries below a full feed's floor, not entered",
            self.below_floor.clone(),
        );
        r.register(
            "entries_written",
            "Feed entries written by checkpoints",
            self.entries_written.clone(),
        );
        r.register_with_unit(
            "checkpoint",
            "How long checkpoints took",
            Unit::Seconds,
            self.checkpoint_seconds.clone(),
        );
        r.register(
            "unwritten_entries",
            "Feed and index entries waiting for a checkpoint",
            self.unwritten_entries.clone(),
        );
        r.register_with_unit(
            "unwritten",
            "Posts waiting for a checkpoint",
            Unit::Bytes,
            self.unwritten_bytes.clone(),
        );
        r.register(
            "unwritten_entries_max",
            "How many entries may wait: feed.unflushed_entries_max",
            self.unwritten_entries_max.clone(),
        );
        r.register(
            "unwritten_bytes_max",
            "How many bytes of posts may wait: feed.unflushed_bytes_max",
            self.unwritten_bytes_max.clone(),
        );
        r.register_with_unit(
            "disk",
            "The data folder",
            Unit::Bytes,
            self.disk_bytes.clone(),
        );
        r.register("accounts", "Local accounts known", self.accounts.clone());
        r.register(
            "awake_accounts",
            "Local accounts that have feeds here",
            self.awake_accounts.clone(),
        );
        r.register("follows", "Follows known", self.follows.clone());
        r.register(
            "expired_posts",
            "Posts dropped after their retention",
            self.expired_posts.clone(),
        );
    }
}
