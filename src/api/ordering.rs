//! The routes of an account's ordering: its patience, and the hold that comes of it.

use super::app::App;
use super::append::{RELATION_FORMS, form_and_small_body};
use super::append_body::{self, CHOICE_BYTES_MAX};
use super::caller::CallerContext;
use super::disk_reads;
use super::feed_lookup::no_account;
use super::problem::Problem;
use super::responses::{Choice, HeldBy, Ordering};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use slackwater_engine::record::NewRecord;
use slackwater_engine::relationship::{Patience, Relation};
use std::time::Duration;

pub(super) async fn get(
    State(app): State<App>,
    path: Result<Path<String>, PathRejection>,
    Extension(context): Extension<CallerContext>,
) -> Result<Response, Problem> {
    let Path(account) = path.map_err(|e| Problem::bad_request(e.body_text()))?;
    app.auth
        .may_set(&context.caller, &account, "read:accounts")?;
    app.ordering(&account).await
}

pub(super) async fn put(
    State(app): State<App>,
    path: Result<Path<String>, PathRejection>,
    Extension(context): Extension<CallerContext>,
    request: Request,
) -> Result<Response, Problem> {
    let Path(account) = path.map_err(|e| Problem::bad_request(e.body_text()))?;
    app.auth
        .may_set(&context.caller, &account, "write:accounts")?;
    let body = form_and_small_body(request, RELATION_FORMS, CHOICE_BYTES_MAX).await?;
    let choice: Choice = serde_json::from_slice(&body).map_err(|e| {
        let detail = format!("{e}: send {{\"patience\":\"30s\"}}, \"0s\" or \"complete\"");
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
    })?;
    let relation = Relation::Ordering {
        account: account.clone(),
        patience: choice.patience,
    };
    let document = serde_json::to_vec(&relation).map_err(|e| Problem::internal(&e))?;
    app.say(&account, &document).await
}

pub(super) async fn delete(
    State(app): State<App>,
    path: Result<Path<String>, PathRejection>,
    Extension(context): Extension<CallerContext>,
) -> Result<Response, Problem> {
    let Path(account) = path.map_err(|e| Problem::bad_request(e.body_text()))?;
    app.auth
        .may_set(&context.caller, &account, "write:accounts")?;
    let document = serde_json::json!({"type": "ordering", "account": account, "removed": true});
    app.say(&account, document.to_string().as_bytes()).await
}

impl App {
    /// Appends an ordering document, and answers when it is in force.
    async fn say(&self, account: &str, document: &[u8]) -> Result<Response, Problem> {
        if self.state.view.graph.read().account(account).is_none() {
            return Err(no_account(account));
        }
        let guard = self.state.in_flight.enter();
        let record: NewRecord = append_body::relation(document, guard.at).map_err(|rejection| {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, rejection.reason)
        })?;
        let accounts = [account.as_bytes()].into_iter();
        let _shared = self.account_locks.shared(accounts).await;
        self.append_in_force(vec![record], guard).await?;
        self.ordering(account).await
    }

    async fn ordering(&self, account: &str) -> Result<Response, Problem> {
        // The horizon as a page would show it, with what has given way.
        let snapshot = disk_reads::read(|| self.state.home_snapshot(account)).await?;
        let graph = self.state.view.graph.read();
        let number = graph.account(account).ok_or_else(|| no_account(account))?;
        let patience_ms = graph.patience_ms(number);
        let millis = |ms| Duration::from_millis(u64::try_from(ms).unwrap_or(0));
        let hold = humantime::format_duration(millis(graph.hold_ms(number))).to_string();
        let held_by = graph.held_by(number).into_iter().map(|origin| HeldBy {
            origin,
            wait: hold.clone(),
        });
        let answer = Ordering {
            patience: Patience::of_millis(patience_ms),
            held_by: held_by.collect(),
            hold,
            horizon: snapshot.visible.horizon,
        };
        Ok(Json(answer).into_response())
    }
}
