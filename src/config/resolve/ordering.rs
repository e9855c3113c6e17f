//! `[ordering]`: the reorder windows of all origins.

use super::Resolver;
use crate::config::file::{self, Span};
use crate::config::mistake::quoted;
use crate::config::validate::join;
use slackwater_engine::host::{origin_of, pattern_of};
use slackwater_order::ref_place::PlaceSource;
use slackwater_order::window::{
    Auto, LatePolicy, PatternTaken, ReorderWindow, TooLatePolicy, Window, Windows,
};

impl Resolver<'_> {
    /// The windows, with those of single origins.
    pub(super) fn windows(&mut self, written: &file::Ordering, default: Windows) -> Windows {
        let mut windows = default;
        windows.auto = self.auto(&written.auto);
        if let Some(Span(skew)) = written.clock_skew {
            windows.clock_skew = skew;
        }
        let of_all = file::Origin {
            reorder_window: written.reorder_window,
            allowed_lateness: written.allowed_lateness,
            late: written.late,
            too_late: written.too_late,
        };
        windows.default = self.window("ordering", &of_all, windows.default);
        let mut origins: Vec<_> = written
            .origin
            .iter()
            .map(|(name, origin)| (join("ordering.origin", name), name, origin))
            .collect();
        // In the order of the file, so that of two the later is called the second.
        origins.sort_by_key(|(key, ..)| self.validated.lines.get(key).copied());
        for (key, name, origin) in origins {
            let window = self.window(&key, origin, windows.default);
            match pattern_of(name).map(|pattern| windows.set(pattern, window)) {
                Some(Ok(())) => {}
                None => {
                    let guess = host_in(name).map(|host| join("ordering.origin", &host));
                    let allowed =
                        "a host such as \"threads.net\", or \"*.example\" for all below it";
                    // A host in tables, `origin.threads.net`, has its mistake already.
                    if !self.has_mistake_below(&key) {
                        self.mistake(&key, &quoted(name), allowed, guess);
                    }
                }
                Some(Err(PatternTaken)) => {
                    self.mistake(&key, "an origin named before", "each origin once", None);
                }
            }
        }
        windows
    }

    /// From what posts get their places. A ref does not move, so that nothing can surface.
    pub(super) fn place_source(&mut self, written: &file::Ordering) -> PlaceSource {
        let place_source = written.place.unwrap_or_default();
        let of_origins = written
            .origin
            .iter()
            .map(|(name, origin)| (join("ordering.origin", name), origin.late));
        let all = of_origins.chain([("ordering".to_owned(), written.late)]);
        for (key, late) in all {
            if (place_source, late) == (PlaceSource::Ref, Some(LatePolicy::Surface)) {
                let found = "late = \"surface\" with ordering.place = \"ref\"";
                let allowed = "\"surface\" with ordering.place = \"published\", as a place that the backend gave does not move; or late = \"reorder\"";
                self.mistake(&join(&key, "late"), found, allowed, None);
            }
        }
        place_source
    }

    fn auto(&mut self, written: &file::Auto) -> Auto {
        let default = Auto::default();
        let auto = Auto {
            quantile: written.quantile.unwrap_or(default.quantile),
            min: written.min.map_or(default.min, |it| it.0),
            max: written.max.map_or(default.max, |it| it.0),
        };
        if auto.min <= auto.max {
            return auto;
        }
        let shown = |it| humantime::format_duration(it).to_string();
        let (key, found, allowed) = if self.is_written("ordering.auto.max") {
            (
                "ordering.auto.max",
                auto.max,
                format!("at least ordering.auto.min, {}", shown(auto.min)),
            )
        } else {
            (
                "ordering.auto.min",
                auto.min,
                format!("at most ordering.auto.max, {}", shown(auto.max)),
            )
        };
        self.mistake(key, &quoted(&shown(found)), &allowed, None);
        default
    }

    /// The windows of the table `key`; `otherwise` has those that it leaves out.
    fn window(&mut self, key: &str, written: &file::Origin, otherwise: Window) -> Window {
        let window = Window {
            reorder_window: written
                .reorder_window
                .map_or(otherwise.reorder_window, |it| it.0),
            allowed_lateness: written
                .allowed_lateness
                .map_or(otherwise.allowed_lateness, |it| it.0),
            late: written.late.unwrap_or(otherwise.late),
            too_late: written.too_late.unwrap_or(otherwise.too_late),
        };
        let is_learned = window.reorder_window == ReorderWindow::Auto;
        let surfaces = is_learned && window.late == LatePolicy::Surface;
        let drops = is_learned && window.too_late == TooLatePolicy::Drop;
        for (is_mistaken, name, word, instead, is_said) in [
            (
                surfaces,
                "late",
                "surface",
                "reorder",
                written.late.is_some(),
            ),
            (
                drops,
                "too_late",
                "drop",
                "bury",
                written.too_late.is_some(),
            ),
        ] {
            // Where the table only takes over both, that is a mistake of the table it takes them from.
            let key = match (is_said, written.reorder_window.is_some()) {
                _ if !is_mistaken => continue,
                (true, _) => join(key, name),
                (false, true) => join(key, "reorder_window"),
                (false, false) => continue,
            };
            let found = format!("{name} = {word:?} with reorder_window = \"auto\"");
            let allowed = format!(
                "{word:?} with a reorder_window that is a duration, as a window that is learned must not move places; \
                 or {name} = {instead:?}"
            );
            self.mistake(&key, &found, &allowed, None);
        }
        window
    }
}

/// The host in something that has one, but is more than one.
fn host_in(name: &str) -> Option<String> {
    let host = match name.rsplit_once('@') {
        Some((_, host)) => host.to_owned(),
        None if name.contains("://") => origin_of(name)?,
        None => return None,
    };
    pattern_of(&host).is_some().then_some(host)
}
