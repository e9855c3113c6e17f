//! Metrics of origins: the busiest one by one, the others together, so that labels stay few. Pure.

use super::labelled::Labels;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use slackwater_order::origin_stats::OriginStats;
use slackwater_order::origins::{OTHERS, Origins};
use slackwater_order::verdict::Verdict;
use slackwater_order::window::Windows;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// Origins with labels of their own: those with the most posts ever, so that few come and go.
pub const LABELLED_ORIGINS_MAX: usize = 50;

/// The shares of an origin's posts of which it is said how long they took at most, recent ones counting more. They are no histogram:
/// what an origin took weighs less with time, so that its counts fall.
const SHARES: [(f64, &str, &str); 3] = [
    (
        0.5,
        "origin_delay_p50",
        "What half of an origin's recent posts took at most",
    ),
    (
        0.9,
        "origin_delay_p90",
        "What nine in ten of an origin's recent posts took at most",
    ),
    (
        0.99,
        "origin_delay_p99",
        "What 99 in a hundred of an origin's recent posts took at most",
    ),
];

/// Origins at one moment, as far as metrics tell them apart.
#[derive(Debug)]
pub struct OriginMetrics {
    busiest: Vec<(Arc<str>, OriginStats)>,
    /// Posts of all others by verdict. It falls when one of them becomes one of the busiest.
    others: [u64; Verdict::ALL.len()],
    /// Refused activities of all others.
    others_refused: u64,
    known: usize,
}

impl OriginMetrics {
    /// The busiest of `origins`, and the others together.
    pub fn of(origins: &Origins) -> OriginMetrics {
        let mut busiest = origins.busiest(LABELLED_ORIGINS_MAX);
        busiest.retain(|(host, _)| **host != *OTHERS);
        let mut others = origins.posts();
        for (verdict, count) in Verdict::ALL.into_iter().zip(&mut others) {
            let of_busiest: u64 = busiest.iter().map(|(_, delays)| delays.with(verdict)).sum();
            *count = count.saturating_sub(of_busiest);
        }
        let refused: u64 = busiest.iter().map(|(_, delays)| delays.refused()).sum();
        OriginMetrics {
            busiest,
            others,
            others_refused: origins.refused().saturating_sub(refused),
            known: origins.len(),
        }
    }

    /// These metrics, beside `windows` that say how long each origin is waited for.
    pub fn registry(&self, windows: &Windows) -> Registry {
        let posts = Family::<Labels, Counter>::default();
        let refused = Family::<Labels, Counter>::default();
        let delay = SHARES.map(|_| Family::<Labels, Gauge<f64, AtomicU64>>::default());
        let window = Family::<Labels, Gauge<f64, AtomicU64>>::default();
        for (host, stats) in &self.busiest {
            let of_host = || ("origin", host.to_string());
            for verdict in Verdict::ALL {
                let labels = vec![of_host(), ("verdict", verdict.name().to_owned())];
                posts.get_or_create(&labels).inc_by(stats.with(verdict));
            }
            for ((share, ..), delay) in SHARES.iter().zip(&delay) {
                if let Some(ms) = stats.quantile_ms(*share) {
                    delay.get_or_create(&vec![of_host()]).set(ms as f64 / 1e3);
                }
            }
            refused
                .get_or_create(&vec![of_host()])
                .inc_by(stats.refused());
            let holding = windows.holding(host, stats.learned());
            window
                .get_or_create(&vec![of_host()])
                .set(holding.as_secs_f64());
        }
        for (verdict, count) in Verdict::ALL.into_iter().zip(self.others) {
            let labels = vec![
                ("origin", OTHERS.to_owned()),
                ("verdict", verdict.name().to_owned()),
            ];
            posts.get_or_create(&labels).inc_by(count);
        }
        refused
            .get_or_create(&vec![("origin", OTHERS.to_owned())])
            .inc_by(self.others_refused);
        let known = Gauge::<i64>::default();
        known.set(i64::try_from(self.known).unwrap_or(i64::MAX));
        let mut registry = Registry::with_prefix("slackwater");
        registry.register("origins", "Origins heard of", known);
        registry.register(
            "origin_posts",
            "Posts by origin and verdict: the busiest origins, and the others together",
            posts,
        );
        registry.register(
            "origin_refused",
            "Activities of an origin that were understood and refused: they are dead letters",
            refused,
        );
        for ((_, name, help), delay) in SHARES.into_iter().zip(delay) {
            registry.register_with_unit(name, help, Unit::Seconds, delay);
        }
        registry.register_with_unit(
            "origin_reorder_window",
            "How long feeds may be held for an origin; 0 while that is to be learned",
            Unit::Seconds,
            window,
        );
        registry
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operator::metrics::Metrics;
    use crate::operator::metrics::text_format::TextFormat;
    use slackwater_order::origins::{Observation, RecordAt};
    use slackwater_order::time::Time;

    fn at(offset: i64) -> RecordAt {
        RecordAt {
            partition: 0,
            offset,
        }
    }

    #[test]
    fn the_busiest_are_shown_and_the_rest_together() {
        let mut origins = Origins::default();
        let mut offset = 0;
        // h0 has 60 posts, h59 one: the last ten, with 1 to 10, are the others.
        for n in 0..60 {
            for _ in n..60 {
                let seen = Observation {
                    verdict: Verdict::Late,
                    delay_ms: Some(2_000),
                    arrived: Time::default(),
                    at: at(offset),
                };
                origins.count(&format!("h{n}"), seen, &Windows::default());
                offset += 1;
            }
        }
        for host in ["h0", "h0", "h58"] {
            origins.count_refused(host, at(offset));
        }
        let registry = OriginMetrics::of(&origins).registry(&Windows::default());
        let text = Metrics::default().text(&[registry], TextFormat::OpenMetrics);
        for line in [
            "slackwater_origins 60",
            "slackwater_origin_posts_total{origin=\"h0\",verdict=\"late\"} 60",
            "slackwater_origin_posts_total{origin=\"h49\",verdict=\"late\"} 11",
            "slackwater_origin_posts_total{origin=\"(others)\",verdict=\"late\"} 55",
            "slackwater_origin_refused_total{origin=\"h0\"} 2",
            "slackwater_origin_refused_total{origin=\"h1\"} 0",
            "slackwater_origin_refused_total{origin=\"(others)\"} 1",
            "slackwater_origin_delay_p99_seconds{origin=\"h0\"} 2.0",
            "slackwater_origin_reorder_window_seconds{origin=\"h0\"} 30.0",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
        assert!(!text.contains("h50"), "{text}");
        assert_eq!(text.matches("# EOF").count(), 1);
        assert!(text.ends_with("# EOF\n"));
    }
}
