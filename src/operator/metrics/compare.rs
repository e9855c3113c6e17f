//! Numbers of the last daily comparison with Mastodon's own homes.

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// What the last comparison found, summed over its accounts. All are 0 before the first.
#[derive(Debug, Default)]
pub struct CompareMetrics {
    /// Accounts that were compared.
    pub accounts: Gauge,
    /// Accounts that could not be compared.
    pub failed: Gauge,
    /// Posts that only Mastodon's homes had.
    pub only_in_mastodon: Gauge,
    /// Posts that only the homes here had.
    pub only_here: Gauge,
    /// Posts in both that would move.
    pub moved: Gauge,
    /// Posts in one of them only that had no reason.
    pub unexplained: Gauge,
    /// When it ended, in seconds since 1970.
    pub last_run: Gauge,
}

impl CompareMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        for (name, help, gauge) in [
            (
                "compare_accounts",
                "Accounts whose homes were compared with Mastodon's by the last daily comparison",
                &self.accounts,
            ),
            (
                "compare_failed",
                "Accounts whose homes it could not compare",
                &self.failed,
            ),
            (
                "compare_only_in_mastodon",
                "Posts that only Mastodon's homes had",
                &self.only_in_mastodon,
            ),
            (
                "compare_only_here",
                "Posts that only the homes here had",
                &self.only_here,
            ),
            (
                "compare_moved",
                "Posts in both homes that would move",
                &self.moved,
            ),
            (
                "compare_unexplained",
                "Posts in one of the homes only, for no reason",
                &self.unexplained,
            ),
            (
                "compare_last_run_timestamp_seconds",
                "When the last daily comparison ended",
                &self.last_run,
            ),
        ] {
            registry.register(name, help, gauge.clone());
        }
    }
}
