//! A home of twenty as a backend shows it, beside the same page as this service makes it, and the call of the backend alone: one
//! client, one after the other, taking turns, against the real binary. The backend is a stand-in in this process that answers at
//! once, with statuses of 4 KB. What a page takes more than that call is our own.
//!
//!     cargo bench --bench hydration
#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing
)]

mod support;

use reqwest::blocking::Client;
use serde_json::json;
use slackwater::clock;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;
use support::server::{AUTH, Server, token};

const ANA: &str = "https://a.example/users/ana";
const FIRST_ID: usize = 100_000;

fn main() {
    let pages = support::sized(2_000, 10);
    let backend = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = backend.local_addr().unwrap();
    std::thread::spawn(move || {
        for tcp in backend.incoming().flatten() {
            std::thread::spawn(move || serve(tcp));
        }
    });
    let behind = format!(
        "{AUTH}[mastodon]\nids = \"ref\"\nupstream = \"http://{address}\"\nweb_domain = \"social.example\"\n"
    );
    let dirs = [(); 2].map(|()| tempfile::TempDir::new().unwrap());
    let hydrated = Server::start(dirs[0].path(), &behind);
    let plain = Server::start(
        dirs[1].path(),
        &format!("{AUTH}[mastodon]\nids = \"ref\"\n"),
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    for server in [&hydrated, &plain] {
        runtime.block_on(fill(server));
    }

    let client = Client::builder().no_proxy().build().unwrap();
    let ids: Vec<String> = (FIRST_ID..FIRST_ID + 20)
        .map(|id| format!("id%5B%5D={id}"))
        .collect();
    let home = |server: &Server| format!("http://{}/api/v1/timelines/home", server.address);
    let asked = [
        ("as the backend shows it", home(&hydrated)),
        ("as we make it", home(&plain)),
        (
            "the call alone",
            format!("http://{address}/api/v1/statuses?{}", ids.join("&")),
        ),
    ];
    let mut took: [Vec<Duration>; 3] = Default::default();
    let cpu = [hydrated.cpu(), plain.cpu()];
    for _ in 0..pages {
        for (took, (_, url)) in took.iter_mut().zip(&asked) {
            let begun = clock::stopwatch();
            let answer = client.get(url).bearer_auth(token("7")).send().unwrap();
            assert_eq!(answer.status(), 200);
            let text = answer.text().unwrap();
            took.push(begun.elapsed());
            assert!(20_000 < text.len(), "{text}");
        }
    }
    let cpu = [hydrated.cpu() - cpu[0], plain.cpu() - cpu[1]];
    for (nth, (took, (name, _))) in took.iter_mut().zip(&asked).enumerate() {
        took.sort_unstable();
        let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
        let cpu = cpu.get(nth).map(|cpu| {
            let each = cpu * 1e6 / pages as f64;
            format!("; {each:.0} us of the service's processor time each")
        });
        println!(
            "a page of 20, {name}: p50 {:.2} ms, p99 {:.2} ms{}",
            at(0.5),
            at(0.99),
            cpu.unwrap_or_default()
        );
    }
}

async fn fill(server: &Server) {
    let client = reqwest::Client::new();
    let follow = json!({"type": "follow", "account": "7", "target": ANA}).to_string();
    server.send(&client, "relationships", vec![follow]).await;
    let posts = (0..support::sized(400, 40)).map(post).collect();
    server.send(&client, "activities", posts).await;
    // What was sent is in the feed when a page is full.
    loop {
        let url = format!(
            "http://{}/v1/accounts/7/feeds/home?limit=80",
            server.address
        );
        let page = client
            .get(url)
            .bearer_auth(token("7"))
            .send()
            .await
            .unwrap();
        let page: serde_json::Value = page.json().await.unwrap();
        if 40 <= page["entries"].as_array().unwrap().len() {
            return;
        }
    }
}

fn post(n: usize) -> String {
    let text = "Low tide at last, and the boats lie on their sides. ".repeat(8);
    let uri = format!("{ANA}/posts/{n}");
    json!({"ref": (FIRST_ID + n).to_string(), "author_ref": "900", "activity":
        {"type": "Create", "id": format!("{uri}#create"), "actor": ANA, "object": {
        "type": "Note", "id": uri, "attributedTo": ANA, "content": format!("<p>{text}</p>"),
        "published": clock::now().rfc3339(), "to": ["https://www.w3.org/ns/activitystreams#Public"]}}})
    .to_string()
}

/// Answers with the statuses of the ids that are asked for.
fn serve(tcp: TcpStream) {
    tcp.set_nodelay(true).unwrap();
    let (mut reader, mut out) = (BufReader::new(tcp.try_clone().unwrap()), tcp);
    let filler = "Low tide at last, and the boats lie on their sides. ".repeat(70);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        let ids = head
            .split([' ', '&', '?'])
            .filter_map(|it| it.strip_prefix("id%5B%5D="));
        let status =
            |id: &str| json!({"id": id, "content": filler, "favourited": true}).to_string();
        let body = format!("[{}]", ids.map(status).collect::<Vec<_>>().join(","));
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        if out.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}
