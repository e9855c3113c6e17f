//! Settings that are good by themselves and defeat each other: one has no effect, or a promise reaches less far than another setting
//! says. They are no mistakes, so a service starts with them.

use super::Config;
use crate::log;
use slackwater_order::window::{ReorderWindow, Windows};
use std::fmt;
use std::time::Duration;

/// Two settings, one of which defeats the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// The keys, with their tables, as in `feed.posts_keep and log.keep`.
    pub keys: &'static str,
    /// What comes of them together.
    pub found: String,
    /// What to write instead.
    pub instead: &'static str,
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Advice {
            keys,
            found,
            instead,
        } = self;
        write!(f, "{keys}: {found}. {instead}")
    }
}

/// All of it in this configuration.
pub fn advice(config: &Config) -> Vec<Advice> {
    let engine = &config.pipeline.engine;
    let keep = &engine.keep;
    let mut advice = Vec::new();
    let latest = latest(&engine.windows);
    if keep.removals < latest {
        advice.push(Advice {
            keys: "feed.removals_keep and ordering.allowed_lateness",
            found: format!(
                "a removal is forgotten after {}, and a post may come {} late: then it shows although it was removed",
                shown(keep.removals),
                shown(latest)
            ),
            instead: "Keep removals for at least as long as posts may be late",
        });
    }
    if keep.stubs < keep.posts {
        advice.push(Advice {
            keys: "feed.stubs_keep and feed.posts_keep",
            found: format!(
                "nothing is left of a post that goes after {}, so another delivery of it is taken for a new post",
                shown(keep.posts)
            ),
            instead: "Keep stubs for longer than posts",
        });
    }
    if let log::Options::BuiltIn(log) = &config.log
        && log.activities_keep < keep.posts
    {
        advice.push(Advice {
            keys: "log.keep and feed.posts_keep",
            found: format!(
                "posts are kept for {}, and a rebuild has only those of the last {}",
                shown(keep.posts),
                shown(log.activities_keep)
            ),
            instead: "Keep the log for at least as long as posts",
        });
    }
    let limits = &config.api.connections;
    for (keys, part) in [
        (
            "stream.connections_per_account_max and stream.connections_max",
            limits.per_account,
        ),
        (
            "stream.connections_per_address_max and stream.connections_max",
            limits.per_address,
        ),
    ] {
        if limits.all < part {
            advice.push(Advice {
                keys,
                found: format!("{part} of {} in all bounds nothing", limits.all),
                instead: "Lower the first, or raise the second",
            });
        }
    }
    advice
}

/// The longest delay with which a post is not too late, of origins that are not named.
fn latest(windows: &Windows) -> Duration {
    let window = match windows.default.reorder_window {
        ReorderWindow::Fixed(window) => window,
        ReorderWindow::Auto => windows.auto.max,
    };
    window.saturating_add(windows.default.allowed_lateness)
}

fn shown(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(change: impl FnOnce(&mut Config)) -> Vec<&'static str> {
        let mut config = Config::defaults(0);
        change(&mut config);
        advice(&config).iter().map(|advice| advice.keys).collect()
    }

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    #[test]
    fn the_defaults_defeat_nothing() {
        assert_eq!(keys(|_| {}), Vec::<&str>::new());
    }

    #[test]
    fn each_pair_that_defeats_itself_is_told() {
        let check = |change: &dyn Fn(&mut Config), expected: &str| {
            assert_eq!(keys(change), [expected]);
        };
        check(
            &|config| config.pipeline.engine.keep.stubs = DAY,
            "feed.stubs_keep and feed.posts_keep",
        );
        check(
            &|config| {
                let window = &mut config.pipeline.engine.windows.default;
                window.allowed_lateness = 31 * DAY;
            },
            "feed.removals_keep and ordering.allowed_lateness",
        );
        check(
            &|config| config.pipeline.engine.keep.removals = DAY / 2,
            "feed.removals_keep and ordering.allowed_lateness",
        );
        check(
            &|config| config.pipeline.engine.keep.posts = 40 * DAY,
            "log.keep and feed.posts_keep",
        );
        check(
            &|config| config.api.connections.per_account = 30_000,
            "stream.connections_per_account_max and stream.connections_max",
        );
        check(
            &|config| config.api.connections.per_address = 30_000,
            "stream.connections_per_address_max and stream.connections_max",
        );
    }
}
