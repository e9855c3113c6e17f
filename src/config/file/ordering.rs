//! `[ordering]` as written, with its `auto` and its origins.

use super::value::{Patience, ReorderWindow, Span};
use schemars::JsonSchema;
use serde::Deserialize;
use slackwater_order::ref_place::PlaceSource;
use slackwater_order::window::{LatePolicy, TooLatePolicy};
use std::collections::BTreeMap;

/// How long posts may take.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Ordering {
    /// A post that took at most this long is in time.
    #[schemars(extend("x-min" = "0s", "x-max" = "7d"))]
    pub reorder_window: Option<ReorderWindow>,
    /// How long feeds may be held back for the sake of order, of accounts that say nothing.
    #[schemars(extend("x-min" = "0s", "x-max" = "7d"))]
    pub patience: Option<Patience>,
    /// A post that took at most this much longer than the window is late; beyond that, too late.
    #[schemars(extend("x-min" = "0s", "x-max" = "10y"))]
    pub allowed_lateness: Option<Span>,
    /// Where late posts go.
    pub late: Option<LatePolicy>,
    /// Where posts go that are too late.
    pub too_late: Option<TooLatePolicy>,
    /// How far ahead of ours another server's clock may run.
    #[schemars(extend("x-min" = "0s", "x-max" = "1h"))]
    pub clock_skew: Option<Span>,
    /// From what posts get their places, which are their ids. Another choice needs a rebuild.
    pub place: Option<PlaceSource>,
    /// How windows that are "auto" are learned.
    pub auto: Auto,
    /// Windows of their own for some origins: `threads.net`, or `*.example` for all below it.
    pub origin: BTreeMap<String, Origin>,
}

/// How windows that are "auto" are learned.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Auto {
    /// The share of an origin's posts that its window is to find in time.
    #[schemars(range(min = 0.5, max = 0.9999))]
    pub quantile: Option<f64>,
    /// No learned window is shorter.
    #[schemars(extend("x-min" = "0s", "x-max" = "7d"))]
    pub min: Option<Span>,
    /// No learned window is longer.
    #[schemars(extend("x-min" = "0s", "x-max" = "7d"))]
    pub max: Option<Span>,
}

/// Windows of one origin.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Origin {
    /// As in `[ordering]`, which holds if this is left out.
    #[schemars(extend("x-min" = "0s", "x-max" = "7d"))]
    pub reorder_window: Option<ReorderWindow>,
    /// As in `[ordering]`, which holds if this is left out.
    #[schemars(extend("x-min" = "0s", "x-max" = "10y"))]
    pub allowed_lateness: Option<Span>,
    /// As in `[ordering]`, which holds if this is left out.
    pub late: Option<LatePolicy>,
    /// As in `[ordering]`, which holds if this is left out.
    pub too_late: Option<TooLatePolicy>,
}
