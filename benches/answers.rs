//! Pages over HTTP, from the real binary in a process of its own: eight clients, each with a connection that it keeps, ask
//! for the newest twenty of a full home again and again, as Mastodon's API has them and as ours. The clients share the
//! machine.
//!
//!     cargo bench --bench answers [-- SECONDS]
#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use serde_json::json;
use slackwater::clock;
use std::time::Duration;
use support::server::{AUTH, Server, token};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const CLIENTS: usize = 8;
const ANA: &str = "https://a.example/users/ana";
const PATHS: [(&str, &str); 2] = [
    ("Mastodon's home", "/api/v1/timelines/home?limit=20"),
    ("a native page", "/v1/accounts/r0/feeds/home?limit=20"),
];

fn main() {
    let said = std::env::args().find_map(|it| it.parse().ok());
    let asks_for = Duration::from_secs(said.unwrap_or(10));
    let asks_for = match support::is_measuring() {
        true => asks_for,
        false => Duration::from_millis(200),
    };
    let dir = tempfile::TempDir::new().unwrap();
    let server = Server::start(dir.path(), AUTH);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(measure(&server, asks_for));
}

async fn measure(server: &Server, asks_for: Duration) {
    let client = reqwest::Client::new();
    let follows = (0..CLIENTS)
        .map(|n| json!({"type": "follow", "account": format!("r{n}"), "target": ANA}).to_string());
    server
        .send(&client, "relationships", follows.collect())
        .await;
    let posts = (0..support::sized(1_000, 50)).map(post);
    server.send(&client, "activities", posts.collect()).await;
    for (name, path) in PATHS {
        // What was just sent is taken in, and each has been asked for once.
        ask_all(server, path, Duration::from_millis(500)).await;
        let (begun, cpu) = (clock::stopwatch(), server.cpu());
        let mut took = ask_all(server, path, asks_for).await;
        let (wall, cpu) = (begun.elapsed().as_secs_f64(), server.cpu() - cpu);
        took.sort_unstable();
        let at = |share: f64| {
            let nth = ((took.len() - 1) as f64 * share) as usize;
            took[nth].as_secs_f64() * 1e3
        };
        println!(
            "{name}, {CLIENTS} clients: {:.0} pages a second, p50 {:.2} ms, p99 {:.2} ms; {:.0} us of the service's \
             processor time each; {} MiB",
            took.len() as f64 / wall,
            at(0.5),
            at(0.99),
            cpu * 1e6 / took.len() as f64,
            server.memory_kib() >> 10
        );
    }
}

async fn ask_all(server: &Server, path: &'static str, asks_for: Duration) -> Vec<Duration> {
    let clients: Vec<_> = (0..CLIENTS)
        .map(|n| {
            let path = path.replace("r0", &format!("r{n}"));
            tokio::spawn(ask(server.address.clone(), path, n, asks_for))
        })
        .collect();
    let mut took = Vec::new();
    for client in clients {
        took.extend(client.await.unwrap());
    }
    took
}

/// One client: asks, reads what it is answered, and asks again. How long each answer took.
async fn ask(address: String, path: String, n: usize, asks_for: Duration) -> Vec<Duration> {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\r\n",
        token(&format!("r{n}"))
    );
    let mut tcp = TcpStream::connect(&address).await.unwrap();
    tcp.set_nodelay(true).unwrap();
    let (begun, mut took) = (clock::stopwatch(), Vec::new());
    let mut buffer = Vec::with_capacity(256 << 10);
    while begun.elapsed() < asks_for {
        let feed_ref = clock::stopwatch();
        tcp.write_all(request.as_bytes()).await.unwrap();
        buffer.clear();
        let whole = loop {
            assert_ne!(tcp.read_buf(&mut buffer).await.unwrap(), 0, "closed");
            if let Some(whole) = length(&buffer) {
                break whole;
            }
        };
        while buffer.len() < whole {
            assert_ne!(tcp.read_buf(&mut buffer).await.unwrap(), 0, "closed");
        }
        took.push(feed_ref.elapsed());
    }
    took
}

/// How long an answer is, head and body, once its head is there.
fn length(buffer: &[u8]) -> Option<usize> {
    let head = buffer.windows(4).position(|it| it == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&buffer[..head]).to_ascii_lowercase();
    assert!(text.starts_with("http/1.1 200"), "{text}");
    let length = text.split("content-length: ").nth(1).unwrap();
    Some(head + length.split_once('\r').unwrap().0.parse::<usize>().unwrap())
}

fn post(n: usize) -> String {
    let text = "Low tide at last, and the boats lie on their sides. ".repeat(8);
    let uri = format!("{ANA}/posts/{n}");
    json!({"type": "Create", "id": format!("{uri}#create"), "actor": ANA, "object": {
        "type": "Note", "id": uri, "attributedTo": ANA, "content": format!("<p>{text}</p>"),
        "published": clock::now().rfc3339(), "to": ["https://www.w3.org/ns/activitystreams#Public"]
    }})
    .to_string()
}
