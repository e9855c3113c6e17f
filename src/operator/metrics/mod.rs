//! Numbers for Prometheus. Every label has a bounded set of values.
//!
//! | file | what is counted |
//! |---|---|
//! | [`pipeline`] | records, and what they came to on their way into feeds |
//! | [`feeds`] | what is kept: feeds, relations, checkpoints, the data folder |
//! | [`http`] | requests, rejected lines, streams |
//! | [`mastodon`] | Mastodon's API, and calls of the backend for it |
//! | [`connector`] | the connector to Mastodon's database |
//! | [`cluster`] | this node among others: leases, shards |
//! | [`compare`] | the last daily comparison with Mastodon's homes |
//! | [`inbox`] | requests to inboxes that are passed on |
//! | [`forwarding`] | requests that are passed on between nodes |
//! | [`origins`] | single origins, as they are when they are asked for |
//! | [`machine`] | the build, the memory that may be used, the disks of the folders |
//! | [`process`] | this process, under the names that others have |
//! | `labelled` | counters by the words of a bounded set |
//! | [`histogram`] | times, counted without a lock |
//! | [`text_format`] | the format of the text that metrics are read in |

pub mod cluster;
pub mod compare;
pub mod connector;
pub mod feeds;
pub mod forwarding;
pub mod histogram;
pub mod http;
pub mod inbox;
mod labelled;
pub mod machine;
pub mod mastodon;
pub mod origins;
pub mod pipeline;
pub mod process;
pub mod text_format;

use cluster::ClusterMetrics;
use compare::CompareMetrics;
use connector::ConnectorMetrics;
use feeds::FeedMetrics;
use forwarding::ForwardingMetrics;
use http::HttpMetrics;
use inbox::InboxMetrics;
use labelled::LabelledCounter;
use machine::MachineMetrics;
use mastodon::MastodonMetrics;
use pipeline::PipelineMetrics;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use text_format::TextFormat;

/// What comes of reading the configuration again.
const RELOADS: [&str; 3] = ["taken_over", "unchanged", "refused"];

/// All of them. Cheap to count on from any thread.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    reloads: LabelledCounter,
    /// 1 while the configuration as it was last saved is refused, and the settings before it are in force.
    pub config_refused: Gauge,
    /// Settings that changed in the configuration and wait for a restart.
    pub config_restart_needed: Gauge,
    /// Records, and what they came to.
    pub pipeline: PipelineMetrics,
    /// What is kept, and how it is written.
    pub feeds: FeedMetrics,
    /// Requests, rejected lines and streams.
    pub http: HttpMetrics,
    /// Mastodon's API.
    pub mastodon: MastodonMetrics,
    /// The connector to Mastodon's database.
    pub connector: ConnectorMetrics,
    /// The last daily comparison with Mastodon's homes.
    pub compare: CompareMetrics,
    /// Requests to inboxes.
    pub inbox: InboxMetrics,
    /// This node among others.
    pub cluster: ClusterMetrics,
    /// Requests that are passed on between nodes.
    pub forwarding: ForwardingMetrics,
    /// The build, the memory that may be used, the disks.
    pub machine: MachineMetrics,
}

impl Default for Metrics {
    fn default() -> Metrics {
        let mut metrics = Metrics {
            registry: Registry::with_prefix("slackwater"),
            reloads: LabelledCounter::new("outcome", RELOADS),
            config_refused: Gauge::default(),
            config_restart_needed: Gauge::default(),
            pipeline: PipelineMetrics::default(),
            feeds: FeedMetrics::default(),
            http: HttpMetrics::default(),
            mastodon: MastodonMetrics::default(),
            connector: ConnectorMetrics::default(),
            compare: CompareMetrics::default(),
            inbox: InboxMetrics::default(),
            cluster: ClusterMetrics::default(),
            forwarding: ForwardingMetrics::default(),
            machine: MachineMetrics::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    /// The configuration was read again: `taken_over`, `unchanged` or `refused`.
    pub fn reload(&self, outcome: &'static str) {
        self.reloads.count(outcome, 1);
    }

    /// As text, with those of `more` behind them.
    pub fn text(&self, more: &[Registry], format: TextFormat) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        for registry in [&self.registry].into_iter().chain(more) {
            let _ = encode_registry(&mut text, registry);
        }
        let _ = encode_eof(&mut text);
        format.of(text)
    }

    fn register(&mut self) {
        let r = &mut self.registry;
        r.register(
            "config_reloads",
            "Times the configuration was read again, by outcome",
            self.reloads.family.clone(),
        );
        r.register(
            "config_refused",
            "1 while the configuration as last saved is refused, and the one before is in force",
            self.config_refused.clone(),
        );
        r.register(
            "config_restart_needed",
            "Settings that changed in the configuration and wait for a restart",
            self.config_restart_needed.clone(),
        );
        self.machine.register(r);
        self.pipeline.register(r);
        self.feeds.register(r);
        self.http.register(r);
        self.mastodon.register(r);
        self.connector.register(r);
        self.compare.register(r);
        self.inbox.register(r);
        self.cluster.register(r);
        self.forwarding.register(r);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use slackwater_order::verdict::Verdict;
    use std::time::Duration;

    #[test]
    fn what_is_counted_is_shown() {
        let metrics = Metrics::default();
        metrics.pipeline.read("activities", 3);
        metrics
            .pipeline
            .placed(Verdict::Late, Some(Duration::from_secs(60)));
        metrics.pipeline.dead_letters.inc();
        let text = metrics.text(&[], TextFormat::OpenMetrics);
        for line in [
            "slackwater_records_read_total{topic=\"activities\"} 3",
            "slackwater_posts_placed_total{verdict=\"late\"} 1",
            "slackwater_dead_letters_total 1",
            "slackwater_delay_seconds_bucket{le=\"60.0\",verdict=\"late\"} 1",
            // What nothing was counted on is there too.
            "slackwater_posts_placed_total{verdict=\"undated\"} 0",
            "slackwater_upstream_calls_total{outcome=\"slow\"} 0",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }
}
