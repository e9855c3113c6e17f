//! The routes of health, readiness and metrics.

use super::app::App;
use super::responses::Readiness;
use crate::operator::metrics::origins::OriginMetrics;
use crate::operator::metrics::process::ProcessMetrics;
use crate::operator::metrics::text_format::TextFormat;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use slackwater_engine::view::BuildProgress;

pub(super) async fn metrics(State(app): State<App>, headers: HeaderMap) -> Response {
    let accept = headers.get_all(header::ACCEPT).iter();
    let accept: Vec<&str> = accept.filter_map(|value| value.to_str().ok()).collect();
    let format = TextFormat::accepted(&accept.join(","));
    let origins = OriginMetrics::of(&app.state.view.origins.read());
    let process = tokio::task::block_in_place(|| {
        app.gauge();
        ProcessMetrics::now()
    });
    let more = [
        origins.registry(&app.state.view.windows()),
        process.registry(),
    ];
    let text = app.state.metrics.text(&more, format);
    let headers = [
        (header::CONTENT_TYPE, format.content_type()),
        (header::VARY, "accept"),
    ];
    (headers, text).into_response()
}

pub(super) async fn healthz(State(app): State<App>) -> Response {
    let built = app.state.view.built.borrow().clone();
    let (status, detail) = match &built.failed {
        None => (StatusCode::OK, "alive".to_owned()),
        Some(failed) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("stopping: {failed}"),
        ),
    };
    (
        status,
        Json(Readiness {
            ready: app.is_ready(&built),
            detail,
            catching_up: built.catching_up,
        }),
    )
        .into_response()
}

pub(super) async fn readyz(State(app): State<App>) -> Response {
    let built = app.state.view.built.borrow().clone();
    let is_ready = app.is_ready(&built);
    let detail = match (app.state.log_end.trouble(), &built.failed) {
        (Some(trouble), None) => {
            format!("the log cannot be written to, and is tried again every second: {trouble}")
        }
        _ => detail_of(&app, &built),
    };
    let status = if is_ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (
        status,
        Json(Readiness {
            ready: is_ready,
            detail,
            catching_up: built.catching_up,
        }),
    )
        .into_response()
}

/// How far it has come, for a person.
fn detail_of(app: &App, built: &BuildProgress) -> String {
    match (&built.failed, built.log_reachable, &built.catching_up) {
        (Some(failed), _, _) => format!("stopping: {failed}"),
        (None, false, _) => "the log cannot be reached".to_owned(),
        (None, true, None) if let Some(trouble) = app.cluster_trouble() => trouble,
        (None, true, None) if let Some(lacking) = app.state.connector.lacking() => lacking,
        (None, true, _) if let Some(failing) = &built.letters_failing => {
            format!("records that cannot be used wait to be kept as dead letters: {failing}")
        }
        (None, true, Some(progress)) => match progress.seconds_left {
            Some(seconds) => format!(
                "catching up: {} read, {} to go, about {seconds} s",
                progress.read, progress.left
            ),
            None => format!(
                "catching up: {} read, {} to go",
                progress.read, progress.left
            ),
        },
        (None, true, None) => match app.state.refused_settings.read().as_deref() {
            None => match app.state.connector.away() {
                None => match restart_needed(&app.state.restart_needed.read()) {
                    None => "ready".to_owned(),
                    Some(needed) => format!("ready; {needed}"),
                },
                Some(away) => format!("ready, with what came so far: {away}"),
            },
            Some(mistakes) => format!(
                "ready, with the settings before: the configuration as it is now was refused: {mistakes}"
            ),
        },
    }
}

/// That settings wait for a restart, if some do.
fn restart_needed(keys: &[String]) -> Option<String> {
    (!keys.is_empty()).then(|| format!("these settings wait for a restart: {}", keys.join(", ")))
}
