//! Reorder windows: how long an origin's posts may take and still be in time .

use crate::map::HashMap;
use std::time::Duration;

/// The windows of every origin, and how far ahead a clock may run.
#[derive(Clone, Debug, PartialEq)]
pub struct Windows {
    /// For origins not named.
    pub default: Window,
    /// How windows are learned where they are.
    pub auto: Auto,
    /// How far beyond its arrival a post may claim to have been published and be believed. 0 to 1 hour, default
    /// 2 minutes.
    pub clock_skew: Duration,
    /// By origin.
    exact: HashMap<Box<str>, Window>,
    /// By the domain that the origins are below: `*.example` is kept as `example`.
    below: HashMap<Box<str>, Window>,
    /// How many bytes long the keys of `below` are, ascending: no other end of a host is looked up, however long the host.
    below_bytes: Vec<usize>,
}

/// One origin's windows, as the operator wants them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// A post that took at most this long is in time. 0 to 7 days, default 30 seconds.
    pub reorder_window: ReorderWindow,
    /// A post that took at most this much longer than `reorder_window` is late, beyond that it is too late. 0 to 10
    /// years, default 24 hours.
    pub allowed_lateness: Duration,
    /// Where late posts go. Default in order.
    pub late: LatePolicy,
    /// Where posts go that are too late. Default in order.
    pub too_late: TooLatePolicy,
}

/// Where a reorder window comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReorderWindow {
    /// The operator says so.
    Fixed(Duration),
    /// It is learned from the origin's delays.
    Auto,
}

/// How windows are learned. The rest of it is in `delays`, as constants.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Auto {
    /// The share of an origin's posts that its window is to find in time. 0.5 to 0.9999, default 0.99.
    pub quantile: f64,
    /// No learned window is shorter. 0 to 7 days, default 1 second.
    pub min: Duration,
    /// No learned window is longer. At least `min`, 0 to 7 days, default 30 minutes.
    pub max: Duration,
}

/// What becomes of a late post.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "schemars",
    derive(schemars::JsonSchema),
    schemars(rename = "WhenLate")
)]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum LatePolicy {
    /// It goes where it was written, below what may have been read.
    #[default]
    Reorder,
    /// It goes where it arrived, on top. Only with a fixed window: its place depends on it.
    Surface,
}

/// What becomes of a post that is too late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "schemars",
    derive(schemars::JsonSchema),
    schemars(rename = "WhenTooLate")
)]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum TooLatePolicy {
    /// It goes where it was written, deep down.
    #[default]
    Bury,
    /// It is in no feed, though it can be asked for. Only with a fixed window.
    Drop,
}

/// One origin's windows in numbers, what was learned of it included: what a post is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EffectiveWindow {
    /// A post that took at most this long is in time.
    pub reorder_window: Duration,
    /// As [`Window::allowed_lateness`].
    pub allowed_lateness: Duration,
    /// As [`Window::late`].
    pub late: LatePolicy,
    /// As [`Window::too_late`].
    pub too_late: TooLatePolicy,
    /// As [`Windows::clock_skew`].
    pub clock_skew: Duration,
}

/// Where a reorder window comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(
    feature = "schemars",
    derive(schemars::JsonSchema),
    schemars(rename = "WindowFrom")
)]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum WindowSource {
    /// The operator fixed it.
    Fixed,
    /// It was learned from the delays seen.
    Learned,
    /// It is to be learned: so far nobody waits for it.
    NotYetLearned,
}

/// Which hosts a rule of windows is for, in the form that origins have: lower case, ASCII, without a leading `www.`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostPattern {
    /// This host, `threads.net`, also with a port.
    Host(String),
    /// All hosts below this domain: `example` for `*.example`.
    Below(String),
}

/// The pattern has windows already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PatternTaken;

impl Default for Window {
    fn default() -> Window {
        Window {
            reorder_window: ReorderWindow::Fixed(Duration::from_secs(30)),
            allowed_lateness: Duration::from_secs(24 * 60 * 60),
            late: LatePolicy::default(),
            too_late: TooLatePolicy::default(),
        }
    }
}

impl Window {
    /// Whether its posts' places or feeds depend on its window, which then must not be a learned one: what is learned
    /// changes, and differs after a rebuild.
    pub fn decides_places(&self) -> bool {
        self.late == LatePolicy::Surface || self.too_late == TooLatePolicy::Drop
    }
}

impl Default for Auto {
    fn default() -> Auto {
        Auto {
            quantile: 0.99,
            min: Duration::from_secs(1),
            max: Duration::from_secs(30 * 60),
        }
    }
}

impl Auto {
    /// A learned window within the bounds as they are now: it may have been learned under others.
    fn bounded(&self, learned: Duration) -> Duration {
        learned.max(self.min).min(self.max)
    }
}

impl Default for Windows {
    fn default() -> Windows {
        Windows::new(Window::default(), Duration::from_secs(2 * 60))
    }
}

impl Windows {
    /// The same windows for every origin.
    pub fn new(default: Window, clock_skew: Duration) -> Windows {
        Windows {
            default,
            auto: Auto::default(),
            clock_skew,
            exact: HashMap::new(),
            below: HashMap::new(),
            below_bytes: Vec::new(),
        }
    }

    /// The windows of `origin`, a host in the form of [`HostPattern::Host`]. The most specific name wins: the
    /// origin itself, then the longest `*.` name it is below (whatever its port), then the default.
    pub fn of(&self, origin: &str) -> &Window {
        if let Some(window) = self.exact.get(origin) {
            return window;
        }
        if self.below.is_empty() {
            return &self.default;
        }
        let host = origin.split_once(':').map_or(origin, |(host, _)| host);
        let end_of = |bytes: &usize| {
            let dot = host.len().checked_sub(bytes + 1)?;
            (host.as_bytes().get(dot) == Some(&b'.')).then_some(())?;
            self.below.get(host.get(dot + 1..)?)
        };
        let most_specific = self.below_bytes.iter().rev().find_map(end_of);
        most_specific.unwrap_or(&self.default)
    }

    /// What a post of `origin` is judged by, if `learned` was learned of it.
    ///
    /// The window of an origin. Of one not yet learned everything up to the longest window counts as in time: nobody is held for it, so
    /// there is no window that its posts could have missed.
    pub fn effective(&self, origin: &str, learned: Option<Duration>) -> EffectiveWindow {
        let window = self.of(origin);
        EffectiveWindow {
            reorder_window: match (window.reorder_window, learned) {
                (ReorderWindow::Fixed(fixed), _) => fixed,
                (ReorderWindow::Auto, Some(learned)) => self.auto.bounded(learned),
                (ReorderWindow::Auto, None) => self.auto.max,
            },
            allowed_lateness: window.allowed_lateness,
            late: window.late,
            too_late: window.too_late,
            clock_skew: self.clock_skew,
        }
    }

    /// How long feeds may be held for `origin` at most, if `learned` was learned of it: its window; nothing while that is to
    /// be learned.
    pub fn holding(&self, origin: &str, learned: Option<Duration>) -> Duration {
        match (self.of(origin).reorder_window, learned) {
            (ReorderWindow::Fixed(fixed), _) => fixed,
            (ReorderWindow::Auto, Some(learned)) => self.auto.bounded(learned),
            (ReorderWindow::Auto, None) => Duration::ZERO,
        }
    }

    /// Where the window of `origin` comes from, if `learned` was learned of it.
    pub fn source(&self, origin: &str, learned: Option<Duration>) -> WindowSource {
        match (self.of(origin).reorder_window, learned) {
            (ReorderWindow::Fixed(_), _) => WindowSource::Fixed,
            (ReorderWindow::Auto, Some(_)) => WindowSource::Learned,
            (ReorderWindow::Auto, None) => WindowSource::NotYetLearned,
        }
    }

    /// All of it that decides places, and who gets a post, in a form that is the same for the same windows: how far clocks may be ahead,
    /// and every pattern if one of them surfaces or drops.
    pub fn deciding(&self) -> String {
        let named = self
            .exact
            .iter()
            .map(|(host, window)| (host.to_string(), window));
        let below = self.below.iter();
        let below = below.map(|(domain, window)| (format!("*.{domain}"), window));
        let mut all: Vec<_> = named.chain(below).collect();
        all.push((String::new(), &self.default));
        all.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        if !all.iter().any(|(_, window)| window.decides_places()) {
            all.clear();
        }
        let lines = all
            .iter()
            .map(|(pattern, window)| match window.decides_places() {
                true => format!("{pattern} {window:?}\n"),
                false => format!("{pattern}\n"),
            });
        format!("skew {:?}\n{}", self.clock_skew, lines.collect::<String>())
    }

    /// Gives the hosts of a pattern windows of their own. Errors: the same pattern was given some before.
    pub fn set(&mut self, pattern: HostPattern, window: Window) -> Result<(), PatternTaken> {
        let (windows, key) = match pattern {
            HostPattern::Host(host) => (&mut self.exact, host),
            HostPattern::Below(domain) => {
                self.below_bytes.push(domain.len());
                self.below_bytes.sort_unstable();
                self.below_bytes.dedup();
                (&mut self.below, domain)
            }
        };
        if windows.contains_key(&*key) {
            return Err(PatternTaken);
        }
        windows.insert(key.into_boxed_str(), window);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(seconds: u64) -> Window {
        Window {
            reorder_window: ReorderWindow::Fixed(Duration::from_secs(seconds)),
            ..Window::default()
        }
    }

    fn windows(patterns: &[(&str, u64)]) -> Windows {
        let mut windows = Windows::new(window(0), Duration::ZERO);
        for (pattern, seconds) in patterns {
            let pattern = match pattern.strip_prefix("*.") {
                Some(domain) => HostPattern::Below(domain.to_owned()),
                None => HostPattern::Host((*pattern).to_owned()),
            };
            windows.set(pattern, window(*seconds)).unwrap();
        }
        windows
    }

    #[test]
    fn the_most_specific_pattern_wins() {
        let windows = windows(&[
            ("threads.net", 1),
            ("*.example", 2),
            ("*.social.example", 3),
            ("a.social.example", 4),
            ("a.example:8443", 5),
            ("*.www.example", 7),
        ]);
        let check = |host: &str, seconds: u64| {
            assert_eq!(*windows.of(host), window(seconds), "{host}");
        };
        check("threads.net", 1);
        check("m.threads.net", 0);
        check("nothreads.net", 0);
        check("elsewhere.test", 0);
        check("example", 0);
        check("a.example", 2);
        check("social.example", 2);
        check("a.social.example", 4);
        check("b.social.example", 3);
        check("c.b.social.example", 3);
        check("a.example:8443", 5);
        check("a.example:9443", 2);
        check("b.www.example", 7);
        check("[::1]:8443", 0);
    }

    #[test]
    fn a_window_not_yet_learned_holds_nobody_and_finds_nobody_late() {
        let seconds = Duration::from_secs;
        let mut windows = windows(&[("fixed.example", 20)]);
        windows.default.reorder_window = ReorderWindow::Auto;
        windows.auto.min = seconds(5);
        windows.auto.max = seconds(60);
        let check = |origin, learned: Option<u64>, judged: u64, holding: u64| {
            let learned = learned.map(seconds);
            assert_eq!(
                windows.effective(origin, learned).reorder_window,
                seconds(judged)
            );
            assert_eq!(windows.holding(origin, learned), seconds(holding));
        };
        check("a.example", None, 60, 0);
        check("a.example", Some(30), 30, 30);
        check("a.example", Some(4), 5, 5);
        check("a.example", Some(5), 5, 5);
        check("a.example", Some(60), 60, 60);
        check("a.example", Some(61), 60, 60);
        check("fixed.example", None, 20, 20);
        check("fixed.example", Some(61), 20, 20);
    }

    #[test]
    fn a_window_is_fixed_or_learned_or_yet_to_be_learned() {
        let mut windows = windows(&[("fixed.example", 20)]);
        windows.default.reorder_window = ReorderWindow::Auto;
        let learned = Some(Duration::from_secs(30));
        for (origin, learned, source) in [
            ("a.example", None, WindowSource::NotYetLearned),
            ("a.example", learned, WindowSource::Learned),
            ("fixed.example", None, WindowSource::Fixed),
            ("fixed.example", learned, WindowSource::Fixed),
        ] {
            assert_eq!(windows.source(origin, learned), source, "{origin}");
        }
    }

    #[test]
    fn a_host_of_endless_labels_costs_no_more_than_the_longest_name() {
        let windows = windows(&[("*.example", 2)]);
        let long = "a.".repeat(500_000);
        assert_eq!(*windows.of(&format!("{long}example")), window(2));
        assert_eq!(*windows.of(&long), window(0));
    }

    #[test]
    fn a_pattern_gets_windows_once() {
        let mut windows = windows(&[("threads.net", 1), ("*.example", 2)]);
        for pattern in [
            HostPattern::Host("threads.net".to_owned()),
            HostPattern::Below("example".to_owned()),
        ] {
            assert_eq!(windows.set(pattern, window(3)), Err(PatternTaken));
        }
        let same_name = HostPattern::Host("example".to_owned());
        assert_eq!(windows.set(same_name, window(3)), Ok(()));
        assert_eq!(*windows.of("a.example"), window(2));
    }
}
