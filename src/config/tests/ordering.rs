//! `[ordering]`: windows, and the patience of accounts.

use super::*;
use slackwater_order::ref_place::PlaceSource;

#[test]
fn an_origin_has_windows_of_its_own() {
    let config = right(
        r#"
        [ordering.origin."WWW.Threads.net"]
        reorder_window = "16m"
        [ordering.origin."*.example"]
        allowed_lateness = "0s"
        [ordering]
        reorder_window = "10s"
        allowed_lateness = "1h"
        "#,
    );
    let check = |origin: &str, reorder: u64, lateness: u64| {
        let meant = Window {
            reorder_window: ReorderWindow::Fixed(Duration::from_secs(reorder)),
            allowed_lateness: Duration::from_secs(lateness),
            ..Window::default()
        };
        assert_eq!(
            *config.pipeline.engine.windows.of(origin),
            meant,
            "{origin}"
        );
    };
    check("threads.net", 960, 3600);
    check("a.example", 10, 0);
    check("example", 10, 3600);
    check("elsewhere.test", 10, 3600);
}

#[test]
fn late_posts_go_where_their_origin_says() {
    use LatePolicy::{Reorder, Surface};
    use TooLatePolicy::{Bury, Drop};
    let config = right(
        r#"
        [ordering]
        reorder_window = "auto"
        [ordering.origin."a.example"]
        reorder_window = "1m"
        late = "surface"
        [ordering.origin."b.example"]
        reorder_window = "1m"
        too_late = "drop"
        "#,
    );
    let windows = &config.pipeline.engine.windows;
    let check = |origin: &str, late, too_late| {
        let of = windows.of(origin);
        assert_eq!((of.late, of.too_late), (late, too_late), "{origin}");
    };
    check("a.example", Surface, Bury);
    check("b.example", Reorder, Drop);
    check("c.example", Reorder, Bury);
    assert_eq!(windows.of("c.example").reorder_window, ReorderWindow::Auto);
}

#[test]
fn a_learned_window_moves_no_place() {
    let surface = r#"found late = "surface" with reorder_window = "auto"; allowed: "surface" with a reorder_window that is a duration, as a window that is learned must not move places; or late = "reorder""#;
    let drop = r#"found too_late = "drop" with reorder_window = "auto"; allowed: "drop" with a reorder_window that is a duration, as a window that is learned must not move places; or too_late = "bury""#;
    check(
        "[ordering]\nreorder_window = \"auto\"\nlate = \"surface\"\ntoo_late = \"drop\"",
        &format!("s.toml:3: ordering.late: {surface}\ns.toml:4: ordering.too_late: {drop}"),
    );
    // What an origin takes over is said once, where it is written.
    check(
        "[ordering]\nreorder_window = \"auto\"\nlate = \"surface\"\n[ordering.origin.\"a.example\"]\nallowed_lateness = \"1h\"",
        &format!("s.toml:3: ordering.late: {surface}"),
    );
    check(
        "[ordering]\nlate = \"surface\"\n[ordering.origin.\"a.example\"]\nreorder_window = \"auto\"",
        &format!("s.toml:4: ordering.origin.\"a.example\".reorder_window: {surface}"),
    );
    check(
        "[ordering]\nreorder_window = \"auto\"\n[ordering.origin.\"a.example\"]\ntoo_late = \"drop\"",
        &format!("s.toml:4: ordering.origin.\"a.example\".too_late: {drop}"),
    );
    right(
        "[ordering]\nlate = \"surface\"\n[ordering.origin.\"a.example\"]\nreorder_window = \"auto\"\nlate = \"reorder\"",
    );
}

#[test]
fn a_place_that_the_backend_gave_does_not_surface() {
    let mistake = r#"found late = "surface" with ordering.place = "ref"; allowed: "surface" with ordering.place = "published", as a place that the backend gave does not move; or late = "reorder""#;
    let config = right("[ordering]\nplace = \"ref\"\ntoo_late = \"drop\"");
    assert_eq!(config.pipeline.engine.place_source, PlaceSource::Ref);
    check(
        "[ordering]\nplace = \"ref\"\nlate = \"surface\"",
        &format!("s.toml:3: ordering.late: {mistake}"),
    );
    check(
        "[ordering]\nplace = \"ref\"\n[ordering.origin.\"a.example\"]\nlate = \"surface\"\n[ordering.origin.\"b.example\"]\nlate = \"reorder\"",
        &format!("s.toml:4: ordering.origin.\"a.example\".late: {mistake}"),
    );
    check(
        "[ordering]\nplace = \"arrived\"",
        "s.toml:2: ordering.place: found \"arrived\"; allowed: \"published\" or \"ref\"",
    );
}

#[test]
fn how_windows_are_learned_has_bounds() {
    let quantile = "allowed: a number from 0.5 to 0.9999";
    for (text, found) in [
        ("0.49", "0.49"),
        ("0.99991", "0.99991"),
        ("1", "1"),
        ("nan", "NaN"),
    ] {
        check(
            &format!("ordering.auto.quantile = {text}"),
            &format!("s.toml:1: ordering.auto.quantile: found {found}; {quantile}"),
        );
    }
    check(
        "ordering.auto.min = \"31m\"",
        "s.toml:1: ordering.auto.min: found \"31m\"; allowed: at most ordering.auto.max, 30m",
    );
    check(
        "[ordering.auto]\nmin = \"2s\"\nmax = \"1s\"",
        "s.toml:3: ordering.auto.max: found \"1s\"; allowed: at least ordering.auto.min, 2s",
    );
    let auto = right("ordering.auto = { quantile = 0.9999, min = \"1s\", max = \"1s\" }");
    assert_eq!(
        auto.pipeline.engine.windows.auto.min,
        auto.pipeline.engine.windows.auto.max
    );
}

#[test]
fn patience_is_a_duration_or_complete() {
    for (text, meant) in [
        ("0s", Patience::For(Duration::ZERO)),
        ("20m", Patience::For(Duration::from_secs(1200))),
        ("complete", Patience::Complete),
    ] {
        let config = right(&format!("ordering.patience = {text:?}"));
        assert_eq!(config.pipeline.engine.patience, meant);
    }
    let allowed =
        "allowed: a duration such as \"30s\", \"24h\" or \"30d\", from 0s to 7d; or \"complete\"";
    for (text, guess) in [
        ("compleet", "; did you mean \"complete\"?"),
        ("20", "; did you mean \"20s\"?"),
        ("8d", ""),
        ("auto", ""),
    ] {
        check(
            &format!("ordering.patience = {text:?}"),
            &format!("s.toml:1: ordering.patience: found {text:?}; {allowed}{guess}"),
        );
    }
}

#[test]
fn origins_are_hosts_each_named_once() {
    let host = "allowed: a host such as \"threads.net\", or \"*.example\" for all below it";
    check(
        "[ordering.origin.\"threads net\"]",
        &format!("s.toml:1: ordering.origin.\"threads net\": found \"threads net\"; {host}"),
    );
    check(
        "[ordering.origin.\"https://threads.net/\"]",
        &format!(
            "s.toml:1: ordering.origin.\"https://threads.net/\": found \"https://threads.net/\"; {host}; \
             did you mean ordering.origin.\"threads.net\"?"
        ),
    );
    check(
        "[ordering.origin.\"threads.net\"]\n[ordering.origin.\"a.example\"]\n[ordering.origin.\"WWW.threads.net\"]",
        "s.toml:3: ordering.origin.\"WWW.threads.net\": found an origin named before; allowed: each origin once",
    );
    check(
        "[ordering.origin.\"threads.net\"]\nreorder_window = \"8d\"\nclock_skew = \"1s\"",
        "s.toml:2: ordering.origin.\"threads.net\".reorder_window: found \"8d\"; allowed: a duration such as \"30s\", \"24h\" or \"30d\", from 0s to 7d; or \"auto\"\n\
         s.toml:3: ordering.origin.\"threads.net\".clock_skew: found an unknown key; allowed: allowed_lateness, late, reorder_window, too_late; did you mean ordering.clock_skew?",
    );
}
