//! The reorder windows of simulated nodes.

use super::log::SURFACING;
use fastrand::Rng;
use slackwater_order::window::{
    HostPattern, LatePolicy, ReorderWindow, TooLatePolicy, Window, Windows,
};
use std::time::Duration;

/// Windows of one draw. `surfacing` is the window of [`SURFACING`] and how much longer its posts surface, in milliseconds.
pub(super) fn windows(dice: &mut Rng, surfacing: Option<(i64, i64)>) -> Windows {
    let bursty = [fixed(600_000), ReorderWindow::Auto];
    draw(dice, surfacing, &bursty)
}

/// The same, and none is learned: nodes that read partitions in other interleavings wait alike.
pub(super) fn fixed_windows(dice: &mut Rng) -> Windows {
    draw(dice, None, &[fixed(600_000)])
}

fn fixed(ms: i64) -> ReorderWindow {
    ReorderWindow::Fixed(Duration::from_millis(ms.unsigned_abs()))
}

fn draw(dice: &mut Rng, surfacing: Option<(i64, i64)>, bursty: &[ReorderWindow]) -> Windows {
    let mut windows = Windows::default();
    windows.default.reorder_window = fixed([0, 2_000, 30_000][dice.usize(..3)]);
    let mut name = |host: &str, reorder_window| {
        let window = Window {
            reorder_window,
            ..Window::default()
        };
        windows
            .set(HostPattern::Host(host.to_owned()), window)
            .unwrap();
    };
    name("threads.example", fixed([1_000, 960_000][dice.usize(..2)]));
    name("bursty.example", bursty[dice.usize(..bursty.len())]);
    if let Some((window, lateness)) = surfacing {
        let window = Window {
            reorder_window: fixed(window),
            allowed_lateness: Duration::from_millis(lateness.unsigned_abs()),
            late: LatePolicy::Surface,
            too_late: TooLatePolicy::Drop,
        };
        windows
            .set(HostPattern::Host(SURFACING.to_owned()), window)
            .unwrap();
    }
    windows
}
