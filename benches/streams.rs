//! Load: ten thousand readers, each connected to a home of its own, and posts that all of them get. The service is the real
//! binary in a process of its own; the clients share its machine. `mastodon`: by Mastodon's streaming, each with a token.
//! `full`: with homes as long as they get.
//!
//!     cargo bench --bench streams [-- READERS] [mastodon] [full]
#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use serde_json::json;
use slackwater::clock;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use support::server::{AUTH, Server, token};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};

const READERS: usize = 10_000;
const ANA: &str = "https://a.example/users/ana";
/// Posts, one after the other, each when all have the one before.
const ALONE: usize = 30;
/// Posts at once.
const BURST: usize = 50;
/// The longest anything may take.
const LONGEST: Duration = Duration::from_secs(60);
/// How long nothing happens, to see what that costs.
const IDLE: Duration = Duration::from_secs(30);

/// Entries of a full home.
const FULL: usize = 800;

/// How readers are connected.
#[derive(Clone, Copy)]
struct Load {
    readers: usize,
    is_mastodon: bool,
    is_full: bool,
    idle: Duration,
}

/// What all readers got.
#[derive(Default)]
struct Got {
    posts: AtomicUsize,
    more: Notify,
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    // Among the tests it only shows that it works.
    let is_measured = arguments.iter().any(|it| it == "--bench");
    let said = arguments.iter().find_map(|it| it.parse().ok());
    let load = Load {
        readers: said.unwrap_or(if is_measured { READERS } else { 50 }),
        is_mastodon: arguments.iter().any(|it| it == "mastodon"),
        is_full: arguments.iter().any(|it| it == "full"),
        idle: if is_measured { IDLE } else { Duration::ZERO },
    };
    let dir = tempfile::TempDir::new().unwrap();
    let server = Server::start(dir.path(), AUTH);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    runtime.unwrap().block_on(measure(&server, load));
}

async fn measure(server: &Server, load: Load) {
    let (readers, client) = (load.readers, reqwest::Client::new());
    for chunk in (0..readers).collect::<Vec<_>>().chunks(2_000) {
        let line = |n: &usize| {
            json!({"type": "follow", "account": format!("r{n}"), "target": ANA}).to_string()
        };
        let lines: Vec<String> = chunk.iter().map(line).collect();
        server.send(&client, "relationships", lines).await;
    }
    let there = if load.is_full { FULL } else { 1 };
    // Before all that is measured, and long enough to be nobody's news.
    let there = (0..there).map(|n| post(1_000_000 + n)).collect();
    server.send(&client, "activities", there).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = server.memory_kib();
    let (got, begun) = (Arc::new(Got::default()), clock::stopwatch());
    let (latencies, mut told) = mpsc::unbounded_channel();
    for n in 0..readers {
        let tcp = TcpStream::connect(&server.address).await.unwrap();
        let token = token(&format!("r{n}"));
        let path = match load.is_mastodon {
            true => format!("/api/v1/streaming?stream=user&access_token={token}"),
            false => format!("/v1/accounts/r{n}/feeds/home/stream?access_token={token}"),
        };
        tokio::spawn(read(tcp, path, Arc::clone(&got), latencies.clone(), begun));
        let some = async {
            while readers.min(n + 1) > connected(&got) + 200 {
                got.more.notified().await;
            }
        };
        tokio::time::timeout(LONGEST, some)
            .await
            .expect("some to be connected");
    }
    let all = async {
        while connected(&got) < readers {
            got.more.notified().await;
        }
    };
    tokio::time::timeout(LONGEST, all)
        .await
        .expect("all to be connected");
    let took = begun.elapsed();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let after = server.memory_kib();
    println!("{readers} readers connected in {:.1} s", took.as_secs_f64());
    println!(
        "memory: {} KiB before, {} KiB with them: {:.1} KiB a connection",
        before,
        after,
        (after as f64 - before as f64) / readers as f64
    );

    let mut all = Vec::with_capacity(ALONE * readers);
    for n in 1..=ALONE {
        let sent = begun.elapsed();
        server.send(&client, "activities", vec![post(n)]).await;
        for _ in 0..readers {
            let at: Duration = told.recv().await.unwrap();
            all.push(at.saturating_sub(sent));
        }
    }
    all.sort_unstable();
    let at = |share: f64| all[((all.len() - 1) as f64 * share) as usize].as_secs_f64() * 1000.0;
    println!(
        "one post to all, from before its append to received: p50 {:.0} ms, p99 {:.0} ms, worst {:.0} ms",
        at(0.5),
        at(0.99),
        at(1.0)
    );

    let sent = begun.elapsed();
    let lines = (1..=BURST).map(|n| post(ALONE + n)).collect();
    server.send(&client, "activities", lines).await;
    let mut last = sent;
    for _ in 0..readers * BURST {
        last = last.max(told.recv().await.unwrap());
    }
    let took = (last - sent).as_secs_f64();
    println!(
        "{BURST} posts at once: {} messages in {took:.2} s, {:.0} a second",
        readers * BURST,
        (readers * BURST) as f64 / took
    );
    let after = server.memory_kib();
    println!(
        "memory after that: {after} KiB, {:.1} KiB a connection",
        (after as f64 - before as f64) / readers as f64
    );

    let (cpu, wall) = (server.cpu(), clock::stopwatch());
    tokio::time::sleep(load.idle).await;
    let (spent, wall) = (server.cpu() - cpu, wall.elapsed().as_secs_f64());
    println!(
        "{wall:.0} s in which nothing happens: {spent:.2} s of processor time, {:.1} % of a core",
        100.0 * spent / wall
    );
}

fn connected(got: &Got) -> usize {
    got.posts.load(Ordering::Relaxed)
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

/// One reader: a websocket client that does what it must (RFC 6455) and no more, so that it leaves the processor to the
/// service.
async fn read(
    mut tcp: TcpStream,
    path: String,
    got: Arc<Got>,
    latencies: mpsc::UnboundedSender<Duration>,
    begun: Instant,
) {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    tcp.write_all(request.as_bytes()).await.unwrap();
    let mut buffer = Vec::with_capacity(2 << 10);
    let head = loop {
        assert_ne!(tcp.read_buf(&mut buffer).await.unwrap(), 0, "refused");
        if let Some(end) = buffer.windows(4).position(|it| it == b"\r\n\r\n") {
            break end + 4;
        }
    };
    assert!(
        buffer.starts_with(b"HTTP/1.1 101"),
        "{}",
        String::from_utf8_lossy(&buffer)
    );
    buffer.drain(..head);
    if path.starts_with("/api") {
        // Nothing else says that it has begun, which takes a moment more.
        got.posts.fetch_add(1, Ordering::Relaxed);
        got.more.notify_one();
    }
    loop {
        while let Some((opcode, payload, end)) = frame(&buffer) {
            let begins = |with: &[u8]| buffer[payload..end].starts_with(with);
            if opcode == 9 {
                tcp.write_all(&[0x8a, 0x80, 0, 0, 0, 0]).await.unwrap();
            } else if begins(b"{\"kind\":\"post\"") || begins(b"{\"event\":\"update\"") {
                let _ = latencies.send(begun.elapsed());
            } else if begins(b"{\"kind\":\"hello\"") {
                got.posts.fetch_add(1, Ordering::Relaxed);
                got.more.notify_one();
            }
            buffer.drain(..end);
        }
        if tcp.read_buf(&mut buffer).await.unwrap_or(0) == 0 {
            return;
        }
    }
}

/// The first whole frame: what it is, and where its payload begins and ends.
fn frame(buffer: &[u8]) -> Option<(u8, usize, usize)> {
    let (opcode, short) = (*buffer.first()? & 0x0f, *buffer.get(1)? & 0x7f);
    let (head, length) = match short {
        126 => (
            4,
            usize::from(u16::from_be_bytes(buffer.get(2..4)?.try_into().ok()?)),
        ),
        127 => (
            10,
            usize::try_from(u64::from_be_bytes(buffer.get(2..10)?.try_into().ok()?)).ok()?,
        ),
        length => (2, usize::from(length)),
    };
    (head + length <= buffer.len()).then_some((opcode, head, head + length))
}
