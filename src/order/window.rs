//! Reorder windows: how long an origin's posts may take and still be in time (DESIGN.md, "Windows"). Pure.

use hashbrown::HashMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
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
    pub late: WhenLate,
    /// Where posts go that are too late. Default in order.
    pub too_late: WhenTooLate,
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhenLate {
    /// It goes where it was written, below what may have been read.
    #[default]
    Reorder,
    /// It goes where it arrived, on top. Only with a fixed window: its place depends on it.
    Surface,
}

/// What becomes of a post that is too late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhenTooLate {
    /// It goes where it was written, deep down.
    #[default]
    Bury,
    /// It is in no feed, though it can be asked for. Only with a fixed window.
    Drop,
}

/// One origin's windows in numbers, what was learned of it included: what a post is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InForce {
    /// A post that took at most this long is in time.
    pub reorder_window: Duration,
    /// As [`Window::allowed_lateness`].
    pub allowed_lateness: Duration,
    /// As [`Window::late`].
    pub late: WhenLate,
    /// As [`Window::too_late`].
    pub too_late: WhenTooLate,
    /// As [`Windows::clock_skew`].
    pub clock_skew: Duration,
}

/// Why an origin could not be given windows of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not a host, host and port, or `*.` and a domain.
    #[error("not a host")]
    NotAHost,
    /// It has windows already, maybe under another spelling.
    #[error("named already")]
    Twice,
}

impl Default for Window {
    fn default() -> Window {
        Window {
            reorder_window: ReorderWindow::Fixed(Duration::from_secs(30)),
            allowed_lateness: Duration::from_secs(24 * 60 * 60),
            late: WhenLate::default(),
            too_late: WhenTooLate::default(),
        }
    }
}

impl Window {
    /// Whether its posts' places or feeds depend on its window, which then must not be a learned one: what is learned
    /// changes, and differs after a rebuild.
    pub fn decides_places(&self) -> bool {
        self.late == WhenLate::Surface || self.too_late == WhenTooLate::Drop
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

    /// The windows of `origin`, which is as [`crate::post::origin_of`] gives it. The most specific name wins: the
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
    /// Of an origin not yet learned everything up to the longest window counts as in time: nobody is held for it, so
    /// there is no window that its posts could have missed.
    pub fn in_force(&self, origin: &str, learned: Option<Duration>) -> InForce {
        let window = self.of(origin);
        InForce {
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

    /// Gives an origin (`threads.net`, also with a port) or all origins below a domain (`*.example`) windows of its
    /// own. Upper case, a leading `www.` and international names are brought to the form that origins have.
    pub fn name(&mut self, name: &str, window: Window) -> Result<(), NameError> {
        let (named, key) = match name.strip_prefix("*.") {
            Some(domain) => (&mut self.below, domain_of(domain)),
            None => (&mut self.exact, origin_of(name)),
        };
        let key = key.ok_or(NameError::NotAHost)?.into_boxed_str();
        if named.contains_key(&key) {
            return Err(NameError::Twice);
        }
        if name.starts_with("*.") {
            self.below_bytes.push(key.len());
            self.below_bytes.sort_unstable();
            self.below_bytes.dedup();
            self.below.insert(key, window);
        } else {
            self.exact.insert(key, window);
        }
        Ok(())
    }
}

/// The origin of ids at this host, if it is nothing but a host and maybe a port.
fn origin_of(host: &str) -> Option<String> {
    let odd = |c: char| c.is_whitespace() || c.is_control() || "/\\?#@*%".contains(c);
    if host.contains(odd) {
        return None;
    }
    crate::post::origin_of(&format!("https://{host}"))
}

/// A domain that origins can be below: no address, no port; and `www.` at its front means what it says.
fn domain_of(domain: &str) -> Option<String> {
    origin_of(domain)?;
    match url::Url::parse(&format!("https://{domain}")).ok()? {
        url if url.port().is_some() || domain.contains(':') => None,
        url => match url.host()? {
            url::Host::Domain(domain) if !domain.starts_with('.') => Some(domain.to_owned()),
            _ => None,
        },
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

    fn windows(names: &[(&str, u64)]) -> Windows {
        let mut windows = Windows::new(window(0), Duration::ZERO);
        for (name, seconds) in names {
            windows.name(name, window(*seconds)).unwrap();
        }
        windows
    }

    #[test]
    fn the_most_specific_name_wins() {
        let windows = windows(&[
            ("Threads.NET", 1),
            ("*.example", 2),
            ("*.social.example", 3),
            ("WWW.a.social.example", 4),
            ("a.example:8443", 5),
            ("bücher.example", 6),
            ("*.www.example", 7),
        ]);
        let check = |id: &str, seconds: u64| {
            let origin = crate::post::origin_of(id).unwrap();
            assert_eq!(*windows.of(&origin), window(seconds), "{id}");
        };
        check("https://threads.net/@zuck", 1);
        check("https://www.threads.net/@zuck", 1);
        check("https://WWW.Threads.net/@zuck", 1);
        check("https://m.threads.net/@zuck", 0);
        check("https://nothreads.net/@zuck", 0);
        check("https://elsewhere.test/users/a", 0);
        check("https://example/users/a", 0);
        check("https://www.example/users/a", 0);
        check("https://a.example/users/a", 2);
        check("https://www.a.example/users/a", 2);
        check("https://social.example/users/a", 2);
        check("https://a.social.example/users/a", 4);
        check("https://b.social.example/users/a", 3);
        check("https://c.b.social.example/users/a", 3);
        check("https://a.example:8443/users/a", 5);
        check("https://a.example:9443/users/a", 2);
        check("https://xn--bcher-kva.example/users/a", 6);
        check("https://b.www.example/users/a", 7);
        check("https://[::1]:8443/users/a", 0);
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
                windows.in_force(origin, learned).reorder_window,
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
    fn a_host_of_endless_labels_costs_no_more_than_the_longest_name() {
        let windows = windows(&[("*.example", 2)]);
        let long = "a.".repeat(500_000);
        assert_eq!(*windows.of(&format!("{long}example")), window(2));
        assert_eq!(*windows.of(&long), window(0));
    }

    #[test]
    fn what_is_no_host_gets_no_windows() {
        for name in [
            "",
            "*",
            "*.",
            "*.*.example",
            "a.*.example",
            "*.example:8443",
            "*.10.0.0.1",
            "*.[::1]",
            "*..example",
            "https://threads.net",
            "threads.net/",
            "@me@threads.net",
            "threads net",
            "threads.net:port",
        ] {
            let mut windows = Windows::default();
            let outcome = windows.name(name, window(1));
            assert_eq!(outcome, Err(NameError::NotAHost), "{name:?}");
        }
    }

    #[test]
    fn an_origin_is_named_once_however_it_is_spelled() {
        let mut windows = windows(&[("threads.net", 1), ("*.example", 2)]);
        for name in ["www.threads.net", "THREADS.net", "*.Example"] {
            let outcome = windows.name(name, window(3));
            assert_eq!(outcome, Err(NameError::Twice), "{name:?}");
        }
        assert_eq!(windows.name("example", window(3)), Ok(()));
    }
}
