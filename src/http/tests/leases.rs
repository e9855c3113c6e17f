//! Feeds shown under a lease: what is begun under it and finished after it is not shown.

use super::node::{Node, TOKEN};
use super::passing_on::{append, edge_and_server, get, of_user, serving};
use super::relaying::{Client, STREAM, WAIT, mastodons_user};
use crate::api::placement::Route;
use crate::clock;
use reqwest::StatusCode;
use serde_json::Value;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::timeout;

const MOVED: &str = "this node answers for the account no more";

/// Whatever shows feeds or posts of them, as the backend and as an account ask for it.
const OF_BACKEND: [&str; 8] = [
    "/v1/accounts/7/feeds/home",
    "/v1/accounts/7/feeds/late",
    "/v1/accounts/7/feeds/home/preview",
    "/v1/accounts/7/ordering",
    "/v1/feeds/public",
    "/v1/feeds/public?account=7",
    "/v1/feeds/tag/sea",
    "/v1/feeds/tag/sea?account=7",
];
const OF_USER: [&str; 5] = [
    "/v1/accounts/7/feeds/home",
    "/api/v1/timelines/home",
    "/api/v1/timelines/public",
    "/api/v1/timelines/tag/sea",
    "/api/v1/timelines/list/9223372036854775807",
];

/// Every path that shows something, with its status.
async fn statuses(node: &Node, changes: &str, post: &str) -> Vec<(String, u16)> {
    let of_backend = OF_BACKEND.iter().map(|it| (*it).to_owned());
    let mut found = Vec::new();
    let explained = format!("/v1/posts/{post}?explain_for=7");
    let status = format!("/api/v1/statuses/{post}");
    for path in of_backend.chain([changes.to_owned(), explained, status.clone()]) {
        let answer = get(node, &path).await;
        found.push((path, answer.status().as_u16()));
    }
    for path in OF_USER.into_iter().chain([status.as_str()]) {
        let answer = of_user(node, path).send().await.unwrap();
        found.push((path.to_owned(), answer.status().as_u16()));
    }
    found
}

/// A failure means that a page is shown which lacks what other nodes have in force.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_straddles_the_end_of_a_lease_or_comes_after_it_is_not_shown() {
    let server = serving("server", 1).await;
    let home: Value = get(&server, OF_BACKEND[0]).await.json().await.unwrap();
    let cursor = home["cursor"].as_str().unwrap();
    let changes = format!("/v1/accounts/7/feeds/home/changes?cursor={cursor}");
    let post = home["entries"][0]["id"].as_str().unwrap();
    for (path, status) in statuses(&server, &changes, post).await {
        assert!([200, 206].contains(&status), "{path}: {status}");
    }
    for lapse in [
        &server.seats.lease.lapses_amid,
        &server.seats.lease.has_lapsed,
    ] {
        lapse.store(true, Ordering::Relaxed);
        for (path, status) in statuses(&server, &changes, post).await {
            // Mastodon's word for a timeline that is not there yet, without a post in it.
            let is_word = status == 206 && path.starts_with("/api/");
            assert!(status == 503 || is_word, "{path}: {status}");
        }
    }
    // What shows no feed goes on.
    for path in ["/v1/accounts", "/v1/origins", "/metrics", "/readyz"] {
        assert_eq!(get(&server, path).await.status(), StatusCode::OK, "{path}");
    }
}

/// A failure means that a node which stops or gives an account away costs whoever reads at that moment an error.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_whose_account_moves_amid_it_is_answered_by_the_node_that_has_it_now() {
    let (edge, server) = edge_and_server(2).await;
    let moves = |node: &Node| {
        node.believes("7", Route::Here);
        *node.seats.moves_to.lock() = Some(server.server());
    };
    let page: Value = get(&server, OF_BACKEND[0]).await.json().await.unwrap();
    moves(&edge);
    let moved: Value = get(&edge, OF_BACKEND[0]).await.json().await.unwrap();
    assert_eq!(moved["entries"], page["entries"]);
    for path in &OF_USER[..2] {
        moves(&edge);
        let answer = of_user(&edge, path).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
    }
    // One that was passed on is sent on by the node that did so: it goes one hop.
    let first = Node::start("first").await;
    moves(&edge);
    first.believes("7", Route::There(vec![edge.server(), server.server()]));
    let moved: Value = get(&first, OF_BACKEND[0]).await.json().await.unwrap();
    assert_eq!(moved["entries"], page["entries"]);
    // What changes something may have done so.
    moves(&edge);
    let ordering = edge.url("/v1/accounts/7/ordering");
    let put = reqwest::Client::new().put(ordering).bearer_auth(TOKEN);
    let put = put.json(&serde_json::json!({"patience": "30s"})).send();
    assert_eq!(put.await.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
}

/// A failure means that a reader misses what came while Kafka paused, or is shown it before the node knows what is in force.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_rests_while_a_lease_has_run_out_and_goes_on_with_all_of_it() {
    let server = serving("server", 1).await;
    let lease = &server.seats.lease;
    let mut native = Client::stream(&server).await;
    let mut mastodons = mastodons_user(&server).await;
    // Before the look, and after it.
    for lapse in [&lease.has_lapsed, &lease.lapses_amid] {
        lapse.store(true, Ordering::Relaxed);
        append(&server, 3, "short").await;
        let quiet = Duration::from_millis(700);
        let sent = timeout(quiet, native.message()).await;
        assert!(sent.is_err(), "{sent:?}");
        let sent = timeout(quiet / 7, mastodons.message()).await;
        assert!(sent.is_err(), "{sent:?}");
        lapse.store(false, Ordering::Relaxed);
        for _ in 0..3 {
            assert_eq!(native.next().await["kind"], "post");
            assert_eq!(mastodons.next().await["event"], "update");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_closed_when_a_lease_does_not_come_back() {
    let server = serving("server", 1).await;
    let mut native = Client::stream(&server).await;
    let mut mastodons = mastodons_user(&server).await;
    let mut events = of_user(&server, "/api/v1/streaming/user")
        .send()
        .await
        .unwrap();
    let first = timeout(WAIT, events.chunk()).await.unwrap().unwrap();
    assert_eq!(first.unwrap().as_ref(), b":thump\n\n");
    let begun = clock::stopwatch();
    server.seats.lease.has_lapsed.store(true, Ordering::Relaxed);
    append(&server, 3, "short").await;
    server.seats.lease.ended.cancel();
    let moved = (1012, MOVED.to_owned());
    assert_eq!(native.close().await, moved);
    let took = begun.elapsed();
    assert!(
        Duration::from_secs(2) <= took && took < Duration::from_secs(10),
        "{took:?}"
    );
    assert_eq!(mastodons.close().await, moved);
    let end = timeout(WAIT, events.chunk()).await.unwrap().unwrap();
    assert_eq!(end, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_sent_to_the_node_that_answers_for_their_account_now() {
    let server = serving("server", 1).await;
    let mut native = Client::stream(&server).await;
    let shared = Client::connect(&server, "/v1/feeds/public/stream", TOKEN).await;
    let mut shared = shared.unwrap();
    assert_eq!(shared.next().await["kind"], "hello");
    server.believes("7", Route::There(Vec::new()));
    server.seats.lease.ended.cancel();
    assert_eq!(native.close().await, (1012, MOVED.to_owned()));
    // Feeds of nobody are any node's.
    append(&server, 1, "short").await;
    assert_eq!(shared.next().await["kind"], "post");
    assert!(Client::connect(&server, STREAM, TOKEN).await.is_err());
}
