//! Requests that reach a node which does not answer for their account.

use super::node::{Claim, Node, SECRET, TOKEN, user_token};
use crate::api;
use crate::api::auth::Caller;
use crate::api::auth::secret::Secret;
use crate::api::caller::CallerContext;
use crate::api::forward::hop::HopKey;
use crate::api::placement::Route;
use crate::clock;
use reqwest::header::HeaderValue;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

const ANA: &str = "https://tide.example/users/ana";

/// A node that answers for account 7, which follows somebody who wrote this many posts, and one that knows where.
pub(super) async fn edge_and_server(posts: usize) -> (Node, Node) {
    edge_of(serving("server", posts).await).await
}

async fn edge_of(server: Node) -> (Node, Node) {
    let edge = Node::start("edge").await;
    edge.believes("7", Route::There(vec![server.server()]));
    (edge, server)
}

pub(super) async fn serving(name: &'static str, posts: usize) -> Node {
    let server = serving_with(name, api::Options::default()).await;
    post(&server, posts).await;
    server
}

/// A node that answers for account 7.
pub(super) async fn serving_with(name: &'static str, options: api::Options) -> Node {
    let server = Node::with(name, options).await;
    server.believes("7", Route::Here);
    relate(&server).await;
    server
}

async fn relate(node: &Node) {
    let relations = [
        json!({"type": "account", "account": "7", "actor": "https://home.example/users/7"}),
        json!({"type": "follow", "account": "7", "target": ANA}),
    ];
    let answer = by(backend(node, Method::POST, "/v1/relationships"), &relations);
    assert_eq!(answer.await.status(), StatusCode::ACCEPTED);
}

/// Posts that account 7 gets.
pub(super) async fn post(node: &Node, posts: usize) {
    append(node, posts, "short").await;
    in_home(node, posts).await;
}

pub(super) async fn post_text(node: &Node, text: &str) {
    append(node, 1, text).await;
}

pub(super) async fn append(node: &Node, posts: usize, text: &str) {
    let notes: Vec<Value> = (0..posts)
        .map(|n| {
            let uri = format!("{ANA}/{}/{n}", clock::now().millis());
            json!({"type": "Create", "id": format!("{uri}#create"), "actor": ANA, "object": {
                "type": "Note", "id": uri, "attributedTo": ANA, "content": text,
                "published": clock::now().rfc3339(), "to": ["https://www.w3.org/ns/activitystreams#Public"]
            }})
        })
        .collect();
    let answer = by(backend(node, Method::POST, "/v1/activities"), &notes);
    assert_eq!(answer.await.status(), StatusCode::ACCEPTED);
}

async fn in_home(node: &Node, posts: usize) {
    // The records are read by a thread of their own.
    for _ in 0..1_000 {
        let home = get(node, "/v1/accounts/7/feeds/home?limit=80").await;
        let home: Value = home.json().await.unwrap();
        if home["entries"]
            .as_array()
            .is_some_and(|it| posts <= it.len())
        {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("posts do not come");
}

fn by(request: RequestBuilder, lines: &[Value]) -> impl Future<Output = Response> {
    let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
    let request = request.header("content-type", "application/x-ndjson");
    let sending = request.body(lines.join("\n")).send();
    async { sending.await.unwrap() }
}

fn backend(node: &Node, method: Method, path: &str) -> RequestBuilder {
    let request = reqwest::Client::new().request(method, node.url(path));
    request.bearer_auth(TOKEN)
}

pub(super) async fn get(node: &Node, path: &str) -> Response {
    backend(node, Method::GET, path).send().await.unwrap()
}

pub(super) fn of_user(node: &Node, path: &str) -> RequestBuilder {
    let request = reqwest::Client::new().get(node.url(path));
    request.bearer_auth(user_token("7"))
}

/// A body but for its cursor, which has a moment in it.
fn without_cursor(text: &str) -> String {
    let Ok(Value::Object(mut page)) = serde_json::from_str(text) else {
        return text.to_owned();
    };
    page.remove("cursor");
    Value::Object(page).to_string()
}

/// How many requests were passed on with this outcome.
fn forwarded(node: &Node, outcome: &str) -> u64 {
    counted(
        node,
        &format!("slackwater_forwarded_total{{outcome=\"{outcome}\"}} "),
    )
}

pub(super) fn counted(node: &Node, sample: &str) -> u64 {
    use crate::operator::metrics::text_format::TextFormat;
    let text = node.state.metrics.text(&[], TextFormat::OpenMetrics);
    let line = text.lines().find_map(|line| line.strip_prefix(sample));
    line.unwrap().parse().unwrap()
}

/// A header whose links have no cursors, which say the moment they were made.
fn without_cursors(value: &HeaderValue) -> String {
    let parts = value.to_str().unwrap().split('&');
    let parts = parts.map(|part| part.split_once("seen=").map_or(part, |(before, _)| before));
    parts.collect::<Vec<_>>().join("&")
}

#[tokio::test(flavor = "multi_thread")]
async fn any_node_answers_as_the_account_s_node_does() {
    let (edge, server) = edge_and_server(30).await;
    let paths = [
        "/v1/accounts/7/feeds/home?limit=5",
        "/v1/accounts/7/feeds/home?limit=500",
        "/v1/accounts/7/feeds/late",
        "/v1/accounts/7/feeds/home/preview?patience=1h",
        "/v1/accounts/7/ordering",
        "/v1/accounts/7/relationships",
        "/v1/feeds/public?account=7&limit=3",
        "/v1/accounts/7/feeds/none",
    ];
    for path in paths {
        let (there, here) = (get(&server, path).await, get(&edge, path).await);
        assert_eq!(there.status(), here.status(), "{path}");
        for name in ["content-type", "link", "etag"] {
            let of = |answer: &Response| answer.headers().get(name).map(without_cursors);
            assert_eq!(of(&there), of(&here), "{path}");
        }
        if path.contains("preview") {
            continue; // It has the time in it.
        }
        let (there, here) = (there.text().await.unwrap(), here.text().await.unwrap());
        assert_eq!(without_cursor(&there), without_cursor(&here), "{path}");
    }
    assert_eq!(forwarded(&edge, "answered"), paths.len() as u64);
    // What any node has is not passed on: this one knows of no account.
    let accounts: Value = get(&edge, "/v1/accounts").await.json().await.unwrap();
    assert_eq!(accounts["accounts"], json!([]));
    let other = of_user(&edge, "/v1/accounts/8/feeds/home").send().await;
    assert_eq!(other.unwrap().status(), StatusCode::FORBIDDEN);
    assert_eq!(forwarded(&edge, "answered"), paths.len() as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn mastodons_clients_are_answered_by_the_node_of_their_token_and_keep_the_name_they_used() {
    let (edge, _server) = edge_and_server(30).await;
    for path in [
        "/api/v1/timelines/home?limit=3",
        "/api/v1/timelines/public",
        "/api/v1/lists",
        "/api/v1/accounts/verify_credentials",
        "/api/v2/instance",
    ] {
        let request = of_user(&edge, path);
        let request = request.header("x-forwarded-host", "social.example");
        let request = request.header("x-forwarded-proto", "https");
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        if path.starts_with("/api/v1/timelines/home") {
            let link = answer.headers()["link"].to_str().unwrap();
            let begin = "<https://social.example/api/v1/timelines/home?";
            assert!(link.starts_with(begin), "{link}");
            let page: Value = answer.json().await.unwrap();
            assert_eq!(page.as_array().unwrap().len(), 3);
        }
    }
    assert_eq!(forwarded(&edge, "answered"), 5);
}

/// A failure means that any client is whoever it says to be.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_says_to_be_a_node_is_refused() {
    let (edge, server) = edge_and_server(1).await;
    let path = "/v1/accounts/7/feeds/home";
    let headers = |secret: &str, caller: Caller| {
        let context = CallerContext {
            caller,
            token: None,
            address: None,
            peer: None,
            base_url: Arc::default(),
            is_hop: false,
        };
        let (mut headers, target) = (axum::http::HeaderMap::new(), path.parse().unwrap());
        let line = (&Method::GET, &target);
        let key = HopKey::new(&Secret::new(secret));
        key.sign(line, &mut headers, &context, clock::now())
            .unwrap();
        headers
    };
    for node in [&edge, &server] {
        let url = node.url(path);
        let client = reqwest::Client::new();
        let forged = client
            .get(&url)
            .headers(headers("guessed-secret-00", Caller::Backend));
        assert_eq!(forged.send().await.unwrap().status(), StatusCode::FORBIDDEN);
        let with_token = client
            .get(&url)
            .bearer_auth(TOKEN)
            .header("slackwater-hop", "1");
        assert_eq!(
            with_token.send().await.unwrap().status(),
            StatusCode::FORBIDDEN
        );
    }
    let signed = |node: &Node| {
        let request = reqwest::Client::new().get(node.url(path));
        request.headers(headers(SECRET, Caller::Backend)).send()
    };
    let answer = signed(&server).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK, "from a node");
    // One hop and no further.
    let answer = signed(&edge).await.unwrap();
    assert_eq!(answer.status(), StatusCode::MISDIRECTED_REQUEST);
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["serves"], json!(["server"]));
    assert_eq!(counted(&edge, "slackwater_misrouted_total "), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_node_is_tried_when_one_is_away_or_answers_for_the_account_no_more() {
    let (edge, server) = edge_and_server(1).await;
    let (mut gone, moved) = (Node::start("gone").await, Node::start("moved").await);
    gone.kill();
    let other = Node::of_another_cluster("other").await;
    let servers = [&gone, &other, &moved, &server].map(Node::server);
    edge.believes("7", Route::There(servers.to_vec()));
    let paths = ["/v1/accounts/7/feeds/home", "/api/v1/timelines/home"];
    for path in paths {
        let answer = of_user(&edge, path).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
    }
    assert_eq!(*edge.seats.away.lock(), ["gone", "other", "gone", "other"]);
    let outcomes = ["away", "refused", "moved", "answered"].map(|it| forwarded(&edge, it));
    assert_eq!(outcomes, [2, 2, 2, 2]);
    assert_eq!(counted(&moved, "slackwater_misrouted_total "), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_reaches_nobody_answers_itself_if_it_may_and_says_so_if_it_may_not() {
    let (edge, mut server) = edge_and_server(1).await;
    server.kill();
    let path = "/v1/accounts/7/feeds/home";
    let answer = get(&edge, path).await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers()["retry-after"], "1");
    assert_eq!(forwarded(&edge, "nobody"), 1);
    let answer = of_user(&edge, "/api/v1/timelines/home")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    let error: Value = answer.json().await.unwrap();
    assert!(error["error"].is_string(), "{error}");
    let is_standby = &edge.seats.stands_by;
    is_standby.store(true, Ordering::Relaxed);
    // It has no such account, and says so itself.
    assert_eq!(get(&edge, path).await.status(), StatusCode::NOT_FOUND);
    is_standby.store(false, Ordering::Relaxed);
    *edge.seats.claims.lock() = Claim::Serves;
    assert_eq!(get(&edge, path).await.status(), StatusCode::NOT_FOUND);
}

/// A failure means that a lease which lapses for a moment costs readers an error, though somebody could answer right after.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_claim_all_are_asked_again_and_who_stands_by_answers() {
    let (edge, server) = edge_and_server(1).await;
    let path = "/v1/accounts/7/feeds/home";
    server.believes("7", Route::Nowhere);
    *edge.seats.claims.lock() = Claim::ServedBy(Arc::clone(&server.seats));
    assert_eq!(get(&edge, path).await.status(), StatusCode::OK);
    server.believes("7", Route::Nowhere);
    *edge.seats.claims.lock() = Claim::Fails;
    assert_eq!(
        get(&edge, path).await.status(),
        StatusCode::SERVICE_UNAVAILABLE
    );
    *edge.seats.claims.lock() = Claim::StandsBy;
    // It has no such account, and says so itself.
    assert_eq!(get(&edge, path).await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_passed_on_short_or_long_whatever_was_tried_before() {
    let (edge, server) = edge_and_server(1).await;
    let mut gone = Node::start("gone").await;
    gone.kill();
    edge.believes("7", Route::There(vec![gone.server(), server.server()]));
    let set = |follows: usize| {
        let mut lines = vec![
            json!({"type": "account", "account": "7", "actor": "https://home.example/users/7"}),
        ];
        lines.extend((0..follows).map(|n| {
            let target = format!("https://far.example/users/somebody-with-a-long-name-{n}");
            json!({"type": "follow", "account": "7", "target": target})
        }));
        lines
    };
    for follows in [2, 30_000] {
        let lines = set(follows);
        let request = backend(&edge, Method::PUT, "/v1/accounts/7/relationships");
        let answer = by(request, &lines).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let text = get(&edge, "/v1/accounts/7/relationships")
            .await
            .text()
            .await
            .unwrap();
        assert_eq!(text.lines().count(), follows + 1);
        assert!(follows < 10_000 || 3 << 20 < text.len(), "{}", text.len());
    }
    // Some of this body was taken by a node which then said that it answers for the account no more.
    let moved = Node::start("moved").await;
    edge.believes("7", Route::There(vec![moved.server(), server.server()]));
    let request = backend(&edge, Method::PUT, "/v1/accounts/7/relationships");
    let answer = by(request, &set(30_000)).await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    let request = backend(&edge, Method::PUT, "/v1/accounts/7/relationships");
    assert_eq!(
        by(request, &set(2)).await.status(),
        StatusCode::OK,
        "a short one"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_an_account_are_counted_once_where_they_are_answered() {
    let few = |requests_per_minute| api::Options {
        requests_per_minute,
        ..api::Options::default()
    };
    let (edge, server) = (
        Node::with("edge", few(2)).await,
        Node::with("server", few(4)).await,
    );
    server.believes("7", Route::Here);
    edge.believes("7", Route::There(vec![server.server()]));
    relate(&server).await;
    let mut found = Vec::new();
    for _ in 0..5 {
        let answer = of_user(&edge, "/api/v1/timelines/home")
            .send()
            .await
            .unwrap();
        found.push(answer.status().as_u16());
    }
    assert_eq!(found, [200, 200, 200, 200, 429]);
}
