//! The route by which a standby hears which accounts are awake on the node that serves them, so that it keeps their feeds too.

use super::app::App;
use super::problem::Problem;
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use slackwater_engine::kept::Kept;
use slackwater_engine::view::View;
use slackwater_engine::view::awake::AwakenedSince;

/// The path that a standby asks.
pub const PATH: &str = "/v1/nodes/awake";

/// The most shards that are asked for at once.
const SHARDS_MAX: usize = 1_024;

/// What a standby asks for: a page of a walk through all accounts, or those that were awakened since a sequence.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AwakeQuery {
    shards: u32,
    of: String,
    from: Option<usize>,
    since: Option<u64>,
    run: Option<String>,
}

/// Accounts that are awake on a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Awake {
    /// Their ids. Some may be asleep again.
    pub accounts: Vec<Box<str>>,
    /// The process that answers: numbers and sequences are of one process.
    pub run: String,
    /// Where the next page of the walk begins; null if this was its last, or no walk was asked for.
    pub from: Option<usize>,
    /// The sequence from which to ask what was awakened since: after a walk that of its first page.
    pub since: u64,
    /// What was asked for is too long ago, or of another process: the walk begins again.
    pub walk_again: bool,
}

pub(super) async fn awake(
    State(app): State<App>,
    query: Result<Query<AwakeQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|e| Problem::bad_request(e.body_text()))?;
    let Some(placement) = &app.state.placement else {
        return Err(Problem::not_found("this node is not one of several"));
    };
    let shards = query.of.split(',').map(str::parse);
    let shards: Result<Vec<u32>, _> = shards.collect();
    let shards = shards.ok().filter(|shards| shards.len() <= SHARDS_MAX);
    let shards = shards.ok_or_else(|| Problem::bad_request("of is no list of shards: 0,5,9"))?;
    let kept = Kept::shards(query.shards, shards);
    let run = placement.run();
    let view = &app.state.view;
    let answer = tokio::task::block_in_place(|| match (query.from, query.since) {
        (None, Some(since)) if query.run.as_ref() == Some(&run) => {
            since_then(view, &kept, since, run)
        }
        (from, since) => {
            let is_walk = since.is_none();
            page(view, &kept, from.unwrap_or(0), run, is_walk)
        }
    });
    Ok(Json(answer).into_response())
}

fn page(view: &View, kept: &Kept, from: usize, run: String, is_walk: bool) -> Awake {
    let since = view.awakened_next();
    if !is_walk {
        return Awake {
            accounts: Vec::new(),
            run,
            from: None,
            since,
            walk_again: true,
        };
    }
    let page = view.awake_page(kept, from);
    Awake {
        accounts: page.accounts,
        run,
        from: page.next,
        since,
        walk_again: false,
    }
}

fn since_then(view: &View, kept: &Kept, since: u64, run: String) -> Awake {
    match view.awakened_since(kept, since) {
        AwakenedSince::Accounts { accounts, next } => Awake {
            accounts,
            run,
            from: None,
            since: next,
            walk_again: false,
        },
        AwakenedSince::WalkAgain => page(view, kept, 0, run, false),
    }
}
