//! The route that says which nodes there are and what each serves, for people and for backends that go straight to an account's node.

use super::app::App;
use super::node_status::Nodes;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};

pub(super) async fn nodes(State(app): State<App>) -> Response {
    let placement = app.state.placement.as_ref();
    let nodes: Nodes = placement.map(|it| it.nodes()).unwrap_or_default();
    Json(nodes).into_response()
}
