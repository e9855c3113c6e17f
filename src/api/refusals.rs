//! What is refused, for the operator: a line in the log with the reason, who asked and for what, at a bounded rate.

use super::limits::CallerKey;
use crate::operator::line_rate::{LineRate, left_out};
use axum::http::StatusCode;
use axum::response::Response;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// The time in which each status has one line.
const LOGGED_EVERY: Duration = Duration::from_secs(60);
/// The longest reason in a line, in characters: some repeat what the caller sent.
const REASON_CHARS_MAX: usize = 300;

/// The reason of a refusal, which its response carries to the log.
#[derive(Clone, Debug)]
pub(crate) struct Reason(pub(crate) String);

/// Whose request was refused, if its caller was known by then: `None` stands for the backend.
#[derive(Clone, Debug)]
pub(crate) struct RefusedCaller(pub(crate) Option<CallerKey>);

/// The refusals as they are logged.
#[derive(Debug)]
pub(crate) struct RefusalLog(LineRate);

impl Default for RefusalLog {
    fn default() -> RefusalLog {
        RefusalLog(LineRate::new(1, LOGGED_EVERY))
    }
}

impl RefusalLog {
    /// Logs that a request to `route` (the pattern, since a path may hold what is nobody else's business) was refused, unless one of
    /// the same status was logged a moment ago. A response that refuses nothing is passed over.
    pub(crate) fn record(
        &self,
        method: &str,
        route: &str,
        address: Option<IpAddr>,
        response: &Response,
        now: Instant,
    ) {
        let status = response.status();
        let Some(title) = status.canonical_reason().filter(|_| is_refusal(status)) else {
            return;
        };
        let Some(unsaid) = self.0.due(title, 1, now) else {
            return;
        };
        let reason = response.extensions().get::<Reason>();
        let reason = reason.map_or_else(|| title.to_owned(), |Reason(text)| on_one_line(text));
        let caller = match response.extensions().get::<RefusedCaller>() {
            Some(RefusedCaller(None)) => "the backend".to_owned(),
            Some(RefusedCaller(Some(CallerKey::Account(account)))) => {
                format!("account {}", on_one_line(account))
            }
            Some(RefusedCaller(Some(CallerKey::Address(address)))) => address.to_string(),
            None => address.map_or_else(|| "somebody".to_owned(), |address| address.to_string()),
        };
        let (status, method) = (status.as_u16(), &*on_one_line(method));
        let before = left_out(unsaid);
        tracing::info!(
            status,
            method,
            route,
            caller,
            reason,
            unsaid,
            "refused {caller} with {status}: {method} {route}: {reason}{before}"
        );
    }
}

/// Whether a response of this status refuses what was asked. That something is not there is an answer like any other, and failures
/// have lines of their own.
pub(crate) fn is_refusal(status: StatusCode) -> bool {
    match status {
        StatusCode::NOT_FOUND => false,
        StatusCode::SERVICE_UNAVAILABLE => true,
        status => status.is_client_error(),
    }
}

/// A text that may hold what a caller sent, as the log shows it: no line of it may pass for one of ours.
pub(crate) fn on_one_line(text: &str) -> String {
    let shown = text.chars().take(REASON_CHARS_MAX);
    let shown = shown.map(|c| if c.is_control() { ' ' } else { c });
    shown.collect()
}
