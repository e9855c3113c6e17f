//! The routes of origins. Their statistics are copied, bounded, while the pipeline waits, and written as JSON afterwards.

use super::app::App;
use super::origin::{LIMIT_DEFAULT, LIMIT_MAX, Order, Origin, Origins};
use super::problem::Problem;
use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use slackwater_engine::host::origin_of;
use slackwater_order::origin_stats::OriginStats;
use std::sync::Arc;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OriginsQuery {
    #[serde(default)]
    by: Order,
    limit: Option<usize>,
    after: Option<String>,
}

pub(super) async fn origins(
    State(app): State<App>,
    query: Result<Query<OriginsQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|e| {
        let instead = "send by (posts or host), limit, and with by=host after";
        Problem::bad_request(format!("{}: {instead}", e.body_text()))
    })?;
    let limit = query.limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(Problem::bad_request(format!(
            "limit is {limit}: send 1 to {LIMIT_MAX}"
        )));
    }
    if query.after.is_some() && query.by != Order::Host {
        return Err(Problem::bad_request("after is for by=host: send that too"));
    }
    let view = &app.state.view;
    let (known, mut rows) = {
        let origins = view.origins.read();
        let rows = match query.by {
            Order::Posts => origins.busiest(limit),
            // One more, to see whether there is more.
            Order::Host => origins.by_host(query.after.as_deref(), limit + 1),
        };
        (origins.len(), rows)
    };
    let is_more = limit < rows.len();
    rows.truncate(limit);
    let last = rows.last().map(|(host, _)| host.as_ref().to_owned());
    let windows = view.windows();
    let shown = |(host, delays): (Arc<str>, OriginStats)| Origin::new(&host, &delays, &windows);
    Ok(Json(Origins {
        origins: rows.into_iter().map(shown).collect(),
        known,
        next: last.filter(|_| is_more),
    })
    .into_response())
}

pub(super) async fn origin(
    State(app): State<App>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let Path(name) = path.map_err(|e| Problem::bad_request(e.body_text()))?;
    let (host, known) = {
        let origins = app.state.view.origins.read();
        // As it is kept (`(others)` is no host), or as people write it.
        let host = match origins.get(&name) {
            Some(_) => name,
            None => origin_of(&format!("https://{name}/")).unwrap_or(name),
        };
        let known = origins.get(&host).cloned();
        (host, known)
    };
    let known =
        known.ok_or_else(|| Problem::not_found(format!("nothing was heard from {host:?}")))?;
    Ok(Json(Origin::new(&host, &known, &app.state.view.windows())).into_response())
}
