//! The route that lists accounts: pages by id, for people who pick one.

use super::app::App;
use super::problem::Problem;
use super::responses::{AccountSummary, Accounts};
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use slackwater_engine::graph::account_list::AccountPage;
use slackwater_engine::graph::{Account, AccountIx};
use slackwater_engine::relationship::Patience;

/// Accounts on a page if none are asked for.
pub(super) const LIMIT_DEFAULT: usize = 20;
/// The most accounts on a page.
pub(super) const LIMIT_MAX: usize = 100;
/// Accounts looked at in one step.
const ACCOUNTS_STEP: usize = 4_096;
/// The longest word that is searched for, in bytes: no actor's id is longer.
pub(super) const WORD_BYTES_MAX: usize = 2_048;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AccountsQuery {
    limit: Option<usize>,
    after: Option<String>,
    find: Option<String>,
}

pub(super) async fn accounts(
    State(app): State<App>,
    query: Result<Query<AccountsQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|e| {
        Problem::bad_request(format!("{}: send find, limit and after", e.body_text()))
    })?;
    let limit = query.limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(Problem::bad_request(format!(
            "limit is {limit}: send 1 to {LIMIT_MAX}"
        )));
    }
    let word = query.find.unwrap_or_default().trim().to_lowercase();
    if WORD_BYTES_MAX < word.len() {
        return Err(Problem::bad_request(format!(
            "find has {} bytes: at most {WORD_BYTES_MAX}",
            word.len()
        )));
    }
    app.state.is_open()?;
    // One more, to see whether there is more.
    let page = AccountPage::new(query.after, limit + 1);
    let mut page = tokio::task::block_in_place(|| filled(&app, page, &word));
    let is_more = limit < page.len();
    page.truncate(limit);
    let graph = app.state.view.graph.read();
    let accounts: Vec<AccountSummary<'_>> = page
        .into_iter()
        .filter_map(|number| {
            let of = graph.get(number)?;
            Some(AccountSummary {
                account: of.id(),
                actor: of.actor().map(|actor| graph.name(actor)),
                patience: Patience::of_millis(graph.patience_ms(number)),
                follows: of.follows().len(),
            })
        })
        .collect();
    let next = accounts.last().filter(|_| is_more).map(|last| last.account);
    Ok(Json(Accounts { next, accounts }).into_response())
}

/// The accounts of the page that match. The graph is let go of between steps: relations, and all who read, wait for it.
fn filled(app: &App, mut page: AccountPage, word: &str) -> Vec<AccountIx> {
    let mut from = 0;
    loop {
        let graph = app.state.view.graph.read();
        let to = graph.accounts().min(from + ACCOUNTS_STEP);
        let matches = |of: &Account| word.is_empty() || graph.is_named(of, word);
        graph.fill_page(&mut page, from..to, matches);
        if to == graph.accounts() {
            return page.accounts();
        }
        from = to;
    }
}
