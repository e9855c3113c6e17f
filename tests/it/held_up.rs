//! Clients that begin and do not go on: heads that never end, answers that nobody reads, bodies that do not come. Whoever asks
//! beside them is answered, and memory and files stay bounded.

use crate::support;
use crate::support::instance::{self, Around, Instance};
use crate::support::surface::{self, PUBLIC, SERVICE, Surface, note};
use crate::support::wait_for;
use reqwest::Method;
use serde_json::json;
use slackwater::clock;
use socket2::{Domain, Socket, Type};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;
use tempfile::TempDir;

fn address(door: &instance::Door) -> SocketAddr {
    door.base().trim_start_matches("http://").parse().unwrap()
}

/// What is answered until the connection ends, or nothing if it ended without a word.
fn answer_to(mut stream: &TcpStream) -> String {
    let mut answer = Vec::new();
    stream.set_read_timeout(Some(support::DEADLINE)).unwrap();
    // What was taken back with the connection is not there.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// A failure means that anybody who can connect ends the service, without a token and with a few hundred bytes.
#[test]
fn heads_that_never_end_keep_nobody_out_and_take_no_files_that_the_log_needs() {
    let dir = TempDir::new().unwrap();
    let mut instance = Instance::start_within(
        dir.path(),
        &instance::built_in(instance::OFTEN),
        Around {
            files_max: Some(256),
            ..Around::default()
        },
    );
    let door = &instance.door;
    let begun: Vec<TcpStream> = (0..400)
        .filter_map(|_| {
            let mut stream = TcpStream::connect(address(door)).ok()?;
            stream
                .write_all(b"GET /healthz HTTP/1.1\r\nX-Begun: ")
                .ok()?;
            Some(stream)
        })
        .collect();
    assert!(300 < begun.len(), "{}", begun.len());
    let answered = clock::stopwatch();
    assert_eq!(door.get("/healthz").status, 200);
    assert!(answered.elapsed() < Duration::from_secs(5));
    // Written to the log and to the feeds, which opens files.
    for n in 0..3 {
        let answer = door.post("/v1/activities", "application/json", activity(n));
        assert_eq!(answer.status, 202, "{}", answer.text);
    }
    instance.wait_until_read("activities", 3);
    instance.settle();
    let said = instance.said();
    assert_eq!(
        said.matches("as many connections as there may be").count(),
        1,
        "{said}"
    );
    let (status, _) = instance.terminate();
    assert_eq!(status.code(), Some(0), "{}", instance.said());
    drop(begun);
}

fn activity(n: i64) -> String {
    let note = json!({"type": "Note", "id": format!("https://a.example/{n}"), "content": "hello",
        "attributedTo": "https://a.example/u", "published": clock::now().rfc3339(), "to": [PUBLIC]});
    json!({"type": "Create", "actor": "https://a.example/u", "object": note}).to_string()
}

/// Resident memory of a process, in bytes.
fn memory(pid: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:"));
    let kib = line.unwrap().trim().trim_end_matches(" kB");
    kib.parse::<usize>().unwrap() << 10
}

/// A failure means that one account takes all memory by asking and not reading, within what it may ask.
#[test]
fn answers_that_nobody_reads_take_so_much_memory_and_no_more() {
    let surface = Surface::start("");
    let text = "x".repeat(100_000);
    let posts: Vec<_> = (0..40)
        .map(|n| json!({"type": "Create", "actor": surface::ANA, "object": note(n, &text)}))
        .collect();
    for part in posts.chunks(10) {
        surface.tell(part);
    }
    let token = surface.token("read");
    let page = "/v1/accounts/7/feeds/home?limit=40";
    let whole = surface
        .door()
        .request(Method::GET, page)
        .bearer_auth(&token);
    let bytes = whole.send().unwrap().bytes().unwrap().len();
    assert!(3_900_000 < bytes, "{bytes}");
    let before = memory(surface.instance.pid());
    let unread: Vec<TcpStream> = (0..60)
        .map(|_| {
            // One that takes next to nothing in.
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            socket.set_recv_buffer_size(4_096).unwrap();
            socket.connect(&address(surface.door()).into()).unwrap();
            let mut stream = TcpStream::from(socket);
            let head = format!(
                "GET {page} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).unwrap();
            stream
        })
        .collect();
    // Some wait in vain for room that those before them hold. Looked at without reading: what is read makes room.
    let refused = wait_for("one that is refused", || {
        unread.iter().find(|stream| {
            let mut head = [0; 12];
            stream.set_nonblocking(true).unwrap();
            matches!(stream.peek(&mut head), Ok(12)) && head.ends_with(b"429")
        })
    });
    refused.set_nonblocking(false).unwrap();
    let answer = answer_to(refused);
    assert!(answer.starts_with("HTTP/1.1 429 "), "{answer:.100}");
    assert!(answer.contains("\r\nretry-after: "), "{answer:.300}");
    // All sixty would take 240 MB.
    let grown = memory(surface.instance.pid()).saturating_sub(before);
    assert!(grown < 100_000_000, "{grown}");
    // Nobody else waits for them.
    let answered = clock::stopwatch();
    let backend = surface
        .door()
        .request(Method::GET, "/v1/accounts/7/feeds/home?limit=1");
    assert_eq!(backend.bearer_auth(SERVICE).send().unwrap().status(), 200);
    let other = surface
        .door()
        .request(Method::GET, "/v1/accounts/8/feeds/home");
    let other = other.bearer_auth(surface::token_of("8", "read", Duration::from_secs(60)));
    assert_eq!(other.send().unwrap().status(), 200);
    assert!(answered.elapsed() < Duration::from_secs(3));
    // When they are gone there is room again.
    drop(unread);
    wait_for("room for another page", || {
        let again = surface
            .door()
            .request(Method::GET, page)
            .bearer_auth(&token);
        (again.send().unwrap().status() == 200).then_some(())
    });
}

/// A failure means that a user with a slow line, or a bad intent, keeps the backend's posts from being taken.
#[test]
fn bodies_that_do_not_come_keep_nobody_elses_out() {
    let surface = Surface::start("");
    let door = surface.door();
    let begin = |length: &str, token: &str, path: &str| {
        let mut stream = TcpStream::connect(address(door)).unwrap();
        let head = format!(
            "{path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
             {length}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream
    };
    let (token, ordering) = (surface.token("read write"), "PUT /v1/accounts/7/ordering");
    let large: Vec<_> = (0..8)
        .map(|_| begin("Content-Length: 16777216", &token, ordering))
        .collect();
    let endless: Vec<_> = (0..8)
        .map(|_| begin("Transfer-Encoding: chunked", &token, ordering))
        .collect();
    for mut stream in &endless {
        stream.write_all(b"1\r\n{\r\n").unwrap();
    }
    let slow = begin("Content-Length: 100", SERVICE, "POST /v1/activities");
    let posted = clock::stopwatch();
    surface.create(&note(1, "hello"));
    assert!(
        posted.elapsed() < Duration::from_secs(4),
        "{:?}",
        posted.elapsed()
    );
    let answer = answer_to(&large[0]);
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    for stream in [&endless[0], &slow] {
        let answer = answer_to(stream);
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    }
    // What is said is small, and more of it than that is not read.
    let long = format!("{{\"patience\":\"30s\"}}{}", " ".repeat(5_000));
    let request = door.request(Method::PUT, "/v1/accounts/7/ordering");
    let request = request
        .bearer_auth(&token)
        .header("content-type", "application/json");
    assert_eq!(request.body(long).send().unwrap().status(), 413);
}
