//! Streams of accounts that another node answers for.

use super::node::{Node, TOKEN, user_token};
use super::passing_on::{edge_and_server, post};
use crate::api;
use crate::api::limits::Limits;
use crate::api::placement::Route;
use axum::http::HeaderValue;
use futures_util::{SinkExt, StreamExt};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

pub(super) const STREAM: &str = "/v1/accounts/7/feeds/home/stream";
pub(super) const WAIT: Duration = Duration::from_secs(20);

pub(super) struct Client(WebSocketStream<TcpStream>);

impl Client {
    pub(super) async fn connect(node: &Node, path: &str, token: &str) -> Result<Client, Error> {
        let socket = TcpStream::connect(node.address).await.unwrap();
        let url = format!("ws://{}{path}", node.address);
        let mut request = url.into_client_request().unwrap();
        let token = HeaderValue::try_from(format!("Bearer {token}")).unwrap();
        request.headers_mut().insert("authorization", token);
        let (client, _) = client_async(request, socket).await?;
        Ok(Client(client))
    }

    pub(super) async fn stream(node: &Node) -> Client {
        let mut client = Client::connect(node, STREAM, TOKEN).await.unwrap();
        assert_eq!(client.next().await["kind"], "hello");
        client
    }

    pub(super) async fn message(&mut self) -> Option<Result<Message, Error>> {
        timeout(WAIT, self.0.next()).await.expect("nothing comes")
    }

    /// The next message, as JSON.
    pub(super) async fn next(&mut self) -> Value {
        match self.message().await {
            Some(Ok(Message::Text(text))) => serde_json::from_str(&text).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// Waits until the streams of a client of Mastodon's have begun: the answer to its next command, which is none, is there.
    async fn mastodons_error(&mut self) {
        let command = json!({"type": "subscribe", "stream": "none"}).to_string();
        self.0.send(Message::Text(command.into())).await.unwrap();
        assert_eq!(self.next().await["status"], 400);
    }

    /// The close frame that comes next.
    pub(super) async fn close(&mut self) -> (u16, String) {
        match self.message().await {
            Some(Ok(Message::Close(Some(CloseFrame { code, reason })))) => {
                (code.into(), reason.to_string())
            }
            other => panic!("{other:?}"),
        }
    }
}

fn status(refused: Result<Client, Error>) -> u16 {
    match refused {
        Err(Error::Http(answer)) => answer.status().as_u16(),
        Err(other) => panic!("{other}"),
        Ok(_) => 101,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_the_same_through_another_node() {
    let (edge, server) = edge_and_server(1).await;
    let mut clients = [Client::stream(&edge).await, Client::stream(&server).await];
    post(&server, 20).await;
    let mut ids = [Vec::new(), Vec::new()];
    for (client, ids) in clients.iter_mut().zip(&mut ids) {
        for _ in 0..20 {
            let message = client.next().await;
            assert_eq!(message["kind"], "post");
            ids.push(message["id"].clone());
        }
    }
    assert_eq!(ids[0], ids[1]);
    let [client, _] = &mut clients;
    client.0.send(Message::Ping("there?".into())).await.unwrap();
    let answer = client.message().await;
    assert_eq!(answer.unwrap().unwrap(), Message::Pong("there?".into()));
    client.0.send(Message::Text("a word".into())).await.unwrap();
    let end = client.close().await;
    assert_eq!(end, (1008, "nothing is to be sent here".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_websocket_or_not_allowed_is_answered_as_there() {
    let (edge, _server) = edge_and_server(1).await;
    let plain = reqwest::Client::new().get(edge.url(STREAM));
    let plain = plain.bearer_auth(TOKEN).send().await.unwrap();
    assert_eq!(plain.status(), StatusCode::BAD_REQUEST);
    let other = Client::connect(&edge, STREAM, &user_token("8")).await;
    assert_eq!(status(other), 403);
    let gone = Client::connect(&edge, &format!("{STREAM}?cursor=AAAA"), TOKEN).await;
    assert_eq!(status(gone), 400);
    let mut own = Client::connect(&edge, STREAM, &user_token("7"))
        .await
        .unwrap();
    assert_eq!(own.next().await["kind"], "hello");
}

/// A failure means that readers wait for posts on a connection that nothing comes from.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_is_told_to_come_back_when_its_node_dies_or_stops_without_a_word() {
    let (edge, mut server) = edge_and_server(1).await;
    let mut client = Client::stream(&edge).await;
    let mut mastodons = mastodons_user(&edge).await;
    server.kill();
    let gone = (1012, "the node of this stream is gone".to_owned());
    assert_eq!(client.close().await, gone);
    assert_eq!(mastodons.close().await, gone);

    let (edge, _stopped) = edge_and_server(1).await;
    let mut client = Client::stream(&edge).await;
    edge.seats.gone.send_replace(vec!["server".to_owned()]);
    assert_eq!(client.close().await, gone);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_of_either_node_is_said_to_the_client() {
    let stopping = (1012, "the service is stopping".to_owned());
    let (edge, server) = edge_and_server(1).await;
    let mut client = Client::stream(&edge).await;
    server.shutdown.stopping.cancel();
    assert_eq!(client.close().await, stopping);
    let (edge, _server) = edge_and_server(1).await;
    let mut client = Client::stream(&edge).await;
    edge.shutdown.stopping.cancel();
    assert_eq!(client.close().await, stopping);
    edge.shutdown.streams.close();
    timeout(WAIT, edge.shutdown.streams.wait()).await.unwrap();
}

pub(super) async fn mastodons_user(node: &Node) -> Client {
    let path = "/api/v1/streaming?stream=user";
    let mut client = Client::connect(node, path, &user_token("7")).await.unwrap();
    client.mastodons_error().await;
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn mastodons_streams_go_through_another_node_too() {
    let (edge, server) = edge_and_server(1).await;
    let mut client = mastodons_user(&edge).await;
    let wanted = json!({"type": "subscribe", "stream": "public"}).to_string();
    client.0.send(Message::Text(wanted.into())).await.unwrap();
    let events = reqwest::Client::new().get(edge.url("/api/v1/streaming/user"));
    let mut events = events.bearer_auth(user_token("7")).send().await.unwrap();
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    let first = timeout(WAIT, events.chunk()).await.unwrap().unwrap();
    assert_eq!(first.unwrap().as_ref(), b":thump\n\n");
    client.mastodons_error().await;
    post(&server, 2).await;
    let mut streams = Vec::new();
    for _ in 0..4 {
        let event = client.next().await;
        assert_eq!(event["event"], "update");
        streams.push(event["stream"][0].as_str().unwrap().to_owned());
    }
    streams.sort();
    assert_eq!(streams, ["public", "public", "user", "user"]);
    let next = timeout(WAIT, events.chunk())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    let text = String::from_utf8_lossy(&next);
    assert!(text.contains("event: update"), "{text}");
    // The body ends when this node stops.
    edge.shutdown.stopping.cancel();
    while let Ok(Some(_)) = timeout(WAIT, events.chunk()).await.unwrap() {}
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_counted_by_address_where_they_come_in_and_by_account_where_they_are_answered()
{
    let limits = |per_account, per_address| api::Options {
        connections: Limits {
            all: 100,
            per_account,
            per_address,
        },
        ..api::Options::default()
    };
    let connected = async |edge: &Node| {
        let (mut kept, mut found) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            let client = Client::connect(edge, STREAM, &user_token("7")).await;
            found.push(match client {
                Ok(client) => {
                    kept.push(client);
                    101
                }
                refused @ Err(_) => status(refused),
            });
        }
        found
    };
    let (_, server) = edge_and_server(1).await;
    let few = Node::with("few", limits(1, 2)).await;
    few.believes("7", Route::There(vec![server.server()]));
    assert_eq!(connected(&few).await, [101, 101, 429]);

    let server = super::passing_on::serving_with("server", limits(2, 1)).await;
    let edge = Node::start("edge").await;
    edge.believes("7", Route::There(vec![server.server()]));
    assert_eq!(connected(&edge).await, [101, 101, 429]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_message_passes_whole_to_a_client_that_reads_late() {
    let (edge, server) = edge_and_server(1).await;
    let mut client = Client::stream(&edge).await;
    let long = "é".repeat(200_000);
    super::passing_on::post_text(&server, &long).await;
    post(&server, 3).await;
    let message = client.next().await;
    assert_eq!(message["entry"]["object"]["content"], long);
    for _ in 0..3 {
        assert_eq!(client.next().await["kind"], "post");
    }
}
