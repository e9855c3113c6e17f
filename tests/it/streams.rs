//! Readers who watch, over real websockets to the real binary: told of everything once, through drops, restarts and kills;
//! and readers who misbehave, who harm nobody but themselves.

use crate::support;
use crate::support::instance::{self, Door, Instance, OFTEN};
use crate::support::wait_for;
use crate::support::watcher::{Came, Stream, Watcher};
use serde_json::{Value, json};
use slackwater::clock;
use slackwater_engine::view::cursor::Cursor;
use slackwater_engine::view::seal::{Key, SealedLog};
use slackwater_order::time::Time;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use tempfile::TempDir;
use tungstenite::Message;

const PUBLIC: &str = "https://www.w3.org/ns/activitystreams#Public";
const ANA: &str = "https://a.example/users/ana";
const BOB: &str = "https://b.example/users/bob";
const HOME: &str = "/v1/accounts/7/feeds/home";
/// To come last: marks come often enough to wait for.
const LIVELY: &str = "[stream]\nhorizon_every = \"1s\"\n";

fn uri(author: &str, n: i64) -> String {
    format!("{author}/posts/{n}")
}

fn activity(kind: &str, author: &str, n: i64, text: &str) -> String {
    let (uri, now) = (uri(author, n), clock::now().rfc3339());
    let mut object = json!({"type": "Note", "id": uri, "attributedTo": author, "content": text, "published": now,
        "to": [PUBLIC], "tag": [{"type": "Hashtag", "name": "#rust"}]});
    if kind == "Update" {
        object["updated"] = json!(now);
    }
    if kind == "Delete" {
        object = json!({"type": "Tombstone", "id": uri});
    }
    let id = format!("{uri}#{kind}{now}");
    json!({"type": kind, "id": id, "actor": author, "object": object}).to_string()
}

fn say(door: &Door, kind: &str, author: &str, n: i64, text: &str) {
    door.post_lines("/v1/activities", &[activity(kind, author, n, text)]);
}

fn relate(door: &Door, document: &Value) {
    door.post_lines("/v1/relationships", &[document.to_string()]);
}

fn follow(door: &Door, account: &str, target: &str) {
    relate(
        door,
        &json!({"type": "follow", "account": account, "target": target}),
    );
}

fn kinds(told: &[Value]) -> Vec<&str> {
    told.iter().map(|it| it["kind"].as_str().unwrap()).collect()
}

fn start(dir: &TempDir, more: &str) -> Instance {
    Instance::start(dir.path(), &instance::built_in(more))
}

#[test]
fn what_happens_is_told_as_it_happens() {
    let dir = TempDir::new().unwrap();
    let instance = start(&dir, LIVELY);
    let door = &instance.door;
    follow(door, "7", ANA);
    say(door, "Create", ANA, 1, "before");
    instance.settle_all();

    // Without a cursor: from now on.
    let mut fresh = Stream::open(door, &format!("{HOME}/stream"), &[]).unwrap();
    let hello = fresh.text();
    assert_eq!(
        (&hello["kind"], &hello["horizon"]),
        (&json!("hello"), &Value::Null)
    );
    let mut watcher = Watcher::begin(door, HOME);
    watcher.connect(door);
    // Of what happens to a post at once, readers are told what came of it: each is waited for.
    say(door, "Create", ANA, 2, "new");
    watcher.take_change();
    say(door, "Update", ANA, 1, "edited");
    watcher.take_change();
    say(door, "Delete", ANA, 2, "");
    watcher.take_change();
    relate(
        door,
        &json!({"type": "mute", "account": "7", "target": ANA}),
    );
    watcher.settle();
    assert_eq!(watcher.entries(), door.home("7"));
    assert_eq!(kinds(&watcher.told), ["post", "edit", "remove", "remove"]);
    assert_eq!(watcher.told[0]["behind"], false);
    let first = fresh.change();
    assert_eq!(
        first["entry"], watcher.told[0]["entry"],
        "nothing that was there before"
    );
    assert_eq!(first["entry"]["uri"], uri(ANA, 2));

    // A later mute of somebody else's ends: what comes back is told.
    relate(
        door,
        &json!({"type": "mute", "account": "7", "target": ANA, "removed": true}),
    );
    watcher.settle();
    assert_eq!(watcher.entries(), door.home("7"));
    assert_eq!(watcher.entries().len(), 1);
}

/// A failure means that a reader of a full feed keeps posts by somebody whom it has just blocked, for good.
#[test]
fn what_leaves_a_full_feed_between_two_marks_leaves_its_readers_too() {
    let dir = TempDir::new().unwrap();
    // No mark comes while this runs.
    let config = instance::built_in("").replace("[feed]\n", "[feed]\nlength = 10\n");
    let instance = Instance::start(dir.path(), &config);
    let door = &instance.door;
    follow(door, "7", ANA);
    follow(door, "7", BOB);
    say(door, "Create", BOB, 1, "the lowest");
    let lines: Vec<String> = (2..=10)
        .map(|n| activity("Create", ANA, n, "text"))
        .collect();
    door.post_lines("/v1/activities", &lines);
    instance.settle_all();
    let mut watcher = Watcher::begin(door, HOME);
    assert_eq!(watcher.entries().len(), 10);
    watcher.connect(door);
    say(door, "Create", ANA, 11, "one more than there is room for");
    assert_eq!(watcher.take_one(), Some(false));
    assert_eq!(watcher.entries(), door.home("7"));
    relate(
        door,
        &json!({"type": "block", "account": "7", "target": BOB}),
    );
    say(door, "Delete", ANA, 11, "");
    assert_eq!(watcher.take_one(), Some(false));
    assert_eq!(kinds(&watcher.told), ["post", "remove"]);
    assert_eq!(watcher.entries(), door.home("7"));
    assert_eq!(watcher.entries().len(), 9);
}

/// A failure means that a client that loses its connection misses posts, or shows them twice.
#[test]
fn who_drops_out_comes_back_and_has_missed_nothing_and_is_told_nothing_twice() {
    let dir = TempDir::new().unwrap();
    let instance = start(&dir, LIVELY);
    let door = &instance.door;
    follow(door, "7", ANA);
    let mut watcher = Watcher::begin(door, HOME);
    let lines: Vec<String> = (0..60)
        .map(|n| activity("Create", ANA, n, "text"))
        .collect();
    door.post_lines("/v1/activities", &lines);
    instance.settle_all();
    // All sixty are to be told: by several looks, and a drop after each few messages.
    for _ in 0..20 {
        watcher.connect(door);
        for _ in 0..3 {
            assert_eq!(watcher.take_one(), Some(false));
        }
        watcher.drop_out();
    }
    watcher.connect(door);
    watcher.settle();
    assert_eq!(watcher.entries(), door.home("7"));
    let mut told: Vec<&str> = watcher
        .told
        .iter()
        .map(|it| it["id"].as_str().unwrap())
        .collect();
    assert!(told.is_sorted(), "in order");
    told.dedup();
    assert_eq!(told.len(), watcher.told.len(), "each once");
    assert_eq!(told.len(), 60);
}

#[test]
fn a_kill_and_a_stop_lose_nothing_for_who_comes_back() {
    let dir = TempDir::new().unwrap();
    let mut instance = start(&dir, &format!("{OFTEN}{LIVELY}"));
    follow(&instance.door, "7", ANA);
    instance.settle_all();
    let mut watcher = Watcher::begin(&instance.door, HOME);
    for round in 0..4 {
        watcher.connect(&instance.door);
        for n in 0..10 {
            say(&instance.door, "Create", ANA, round * 10 + n, "text");
        }
        // Some of them, and a kill amid the rest.
        for _ in 0..3 {
            watcher.take_one();
        }
        if round == 3 {
            assert_eq!(instance.terminate().0.code(), Some(0));
        } else {
            instance.kill9();
        }
        while watcher.take_one().is_some() {}
        instance.restart();
        instance.wait_until_ready();
    }
    watcher.connect(&instance.door);
    watcher.settle();
    assert_eq!(watcher.entries(), instance.door.home("7"));
    assert_eq!(watcher.entries().len(), 40);
}

#[test]
fn a_stop_tells_readers_to_come_back() {
    let dir = TempDir::new().unwrap();
    let mut instance = start(&dir, "");
    follow(&instance.door, "7", ANA);
    let mut stream = Stream::open(&instance.door, &format!("{HOME}/stream"), &[]).unwrap();
    stream.text();
    let (status, took) = instance.terminate();
    assert_eq!(status.code(), Some(0));
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert!(matches!(stream.next(), Came::Closed(1012)));
}

#[test]
fn lists_hashtags_and_the_public_feed_are_told_too() {
    let dir = TempDir::new().unwrap();
    let instance = start(&dir, LIVELY);
    let door = &instance.door;
    follow(door, "7", ANA);
    relate(
        door,
        &json!({"type": "list", "account": "7", "target": "42", "title": "Friends"}),
    );
    relate(
        door,
        &json!({"type": "list_member", "account": "7", "list": "42", "target": ANA}),
    );
    let feeds = [
        "/v1/accounts/7/feeds/list:42",
        "/v1/feeds/tag/rust",
        "/v1/feeds/public",
    ];
    let mut watchers = feeds.map(|feed| {
        let mut watcher = Watcher::begin(door, feed);
        watcher.connect(door);
        watcher
    });
    say(door, "Create", ANA, 1, "one");
    say(door, "Create", BOB, 2, "two");
    // Read in one batch, a post and its removal are one change.
    for watcher in &mut watchers {
        watcher.settle();
    }
    say(door, "Delete", BOB, 2, "");
    let expected: [&[&str]; 3] = [
        &["post"],
        &["post", "post", "remove"],
        &["post", "post", "remove"],
    ];
    for (watcher, expected) in watchers.iter_mut().zip(expected) {
        watcher.settle();
        assert_eq!(kinds(&watcher.told), expected);
        assert_eq!(watcher.entries().len(), 1);
    }
    assert!(matches!(
        Stream::open(door, "/v1/accounts/7/feeds/list:9/stream", &[]),
        Err(404)
    ));
    assert!(matches!(
        Stream::open(door, "/v1/accounts/8/feeds/home/stream", &[]),
        Err(404)
    ));
    assert!(matches!(
        Stream::open(door, "/v1/accounts/7/feeds/other/stream", &[]),
        Err(404)
    ));
    // The list goes while it is watched.
    relate(
        door,
        &json!({"type": "list", "account": "7", "target": "42", "removed": true}),
    );
    assert_eq!(watchers[0].take_one_of_kind("reset"), 4410);
}

#[test]
fn the_patient_are_told_in_order_when_it_is_time() {
    let dir = TempDir::new().unwrap();
    let more = format!("{LIVELY}[ordering]\nreorder_window = \"2s\"\npatience = \"complete\"\n");
    let instance = start(&dir, &more);
    let door = &instance.door;
    follow(door, "7", ANA);
    follow(door, "7", BOB);
    let mut watcher = Watcher::begin(door, HOME);
    watcher.connect(door);
    // Bob's was written first, and comes second.
    let late = activity("Create", BOB, 1, "first");
    wait_for("a later moment", || {
        let written: Value = serde_json::from_str(&late).unwrap();
        let written: Time = serde_json::from_value(written["object"]["published"].clone()).unwrap();
        (written.plus(Duration::from_millis(50)) < clock::now()).then_some(())
    });
    say(door, "Create", ANA, 2, "second");
    door.post_lines("/v1/activities", &[late]);
    while watcher.told.len() < 2 {
        watcher.take_one().expect("a connection");
        for change in &watcher.told {
            assert_eq!(
                (&change["kind"], &change["behind"]),
                (&json!("post"), &json!(false))
            );
            let written: Time =
                serde_json::from_value(change["entry"]["published"].clone()).unwrap();
            assert!(
                written.plus(Duration::from_secs(2)) <= clock::now(),
                "not before it is time"
            );
        }
    }
    let authors: Vec<&Value> = watcher
        .told
        .iter()
        .map(|it| &it["entry"]["author"])
        .collect();
    assert_eq!(authors, [BOB, ANA]);
}

#[test]
fn a_cursor_that_cannot_be_served_is_told_so_and_a_damaged_one_refused() {
    let dir = TempDir::new().unwrap();
    let instance = start(&dir, LIVELY);
    let door = &instance.door;
    follow(door, "7", ANA);
    follow(door, "8", ANA);
    let of =
        |account: &str| Watcher::begin(door, &format!("/v1/accounts/{account}/feeds/home")).cursor;
    let stream = |cursor: &str| Stream::open(door, &format!("{HOME}/stream?cursor={cursor}"), &[]);
    // As the service makes them: with the key that it keeps beside its log.
    let secret = std::fs::read(dir.path().join("log/cursor.key")).unwrap();
    let sealed = |log: u64| SealedLog::new(log).sealed_with(Some(Key::of(&secret)));
    let mut other_log = Cursor::parse(&of("7"), &sealed(0)).unwrap();
    other_log.log = sealed(other_log.log.hash() ^ 1);
    let mut reset = stream(&other_log.to_text()).unwrap();
    let said = reset.text();
    assert_eq!(said["kind"], "reset");
    assert!(
        said["detail"].as_str().unwrap().contains("another log"),
        "{said}"
    );
    assert!(matches!(reset.next(), Came::Closed(4410)));

    assert!(matches!(stream("rubbish"), Err(400)));
    assert!(matches!(stream(&of("8")), Err(400)), "another feed's");
    assert!(stream(&of("7")).is_ok());
    let unknown = format!("{HOME}/stream?cursr={}", of("7"));
    assert!(matches!(Stream::open(door, &unknown, &[]), Err(400)));
    let plain = door.get(&format!("{HOME}/stream"));
    assert_eq!(
        (plain.status, plain.kind.as_str()),
        (400, "application/problem+json")
    );
}

/// What a reader is told of is as large as can be sent in one piece.
fn large() -> String {
    "x".repeat(200_000)
}

/// A failure means that one client that hangs holds up others, or fills the memory.
#[test]
fn a_reader_who_stops_reading_is_sent_away_and_a_bystander_waits_for_nothing() {
    let dir = TempDir::new().unwrap();
    let instance = start(
        &dir,
        "[stream]\nhorizon_every = \"1s\"\nsend_timeout = \"1s\"\n",
    );
    let door = &instance.door;
    follow(door, "7", ANA);
    follow(door, "8", BOB);
    let mut slow = Stream::open(door, &format!("{HOME}/stream"), &[]).unwrap();
    let hello = slow.text();
    let mut bystander = Watcher::begin(door, "/v1/accounts/8/feeds/home");
    bystander.connect(door);
    let ended = "slackwater_streams_ended_total{reason=\"too slow\"}";
    let mut waits = Vec::new();
    let mut n = 0;
    wait_for("the slow one's end", || {
        n += 1;
        say(door, "Create", ANA, n, &large());
        let begun = clock::stopwatch();
        say(door, "Create", BOB, n, "text");
        while bystander.told.len() < usize::try_from(n).unwrap() {
            bystander.take_one().expect("a connection");
        }
        waits.push(begun.elapsed());
        (door.metric(ended) == 1.0).then_some(())
    });
    let worst = waits.iter().max().unwrap();
    println!("bystander: worst wait {worst:?} of {}", waits.len());
    assert!(
        *worst < Duration::from_secs(1),
        "less than the slow one may take: {worst:?}"
    );
    // It reads on: it is told all that it can go on from.
    let (mut cursor, mut told) = (hello["cursor"].clone(), 0);
    loop {
        match slow.next() {
            Came::Text(message) if message["kind"] == "too_slow" => {
                assert_eq!(message["cursor"], cursor, "no gap");
                assert!(matches!(slow.next(), Came::Closed(1013)));
                break;
            }
            Came::Text(message) => {
                told += i64::from(message["kind"] == "post");
                cursor = message["cursor"].clone();
            }
            other => panic!("{other:?} after {told}"),
        }
    }
    assert!(0 < told && told < n, "{told} of {n}");
    let path = format!("{HOME}/stream?cursor={}", cursor.as_str().unwrap());
    let mut again = Stream::open(door, &path, &[]).unwrap();
    again.text();
    while told < n {
        told += i64::from(again.text()["kind"] == "post");
    }
}

#[test]
fn a_reader_who_does_not_answer_is_let_go() {
    let dir = TempDir::new().unwrap();
    let instance = start(&dir, "[stream]\nping_every = \"1s\"\n");
    let door = &instance.door;
    follow(door, "7", ANA);
    // It reads nothing, so it answers no ping: as one whose cable was pulled.
    let _dead = Stream::open(door, &format!("{HOME}/stream"), &[]).unwrap();
    let mut alive = Stream::open(door, &format!("{HOME}/stream"), &[]).unwrap();
    alive.text();
    wait_for("two readers", || {
        (door.metric("slackwater_streams") == 2.0).then_some(())
    });
    let alive = std::thread::spawn(move || alive.next());
    let silent = "slackwater_streams_ended_total{reason=\"silent\"}";
    wait_for("the silent one's end", || {
        (door.metric(silent) == 1.0).then_some(())
    });
    wait_for("one reader", || {
        (door.metric("slackwater_streams") == 1.0).then_some(())
    });
    assert!(!alive.is_finished(), "who answers stays");
    drop(instance);
    assert!(matches!(
        alive.join().unwrap(),
        Came::Gone | Came::Closed(_)
    ));
}

#[test]
fn a_reader_who_sends_rubbish_is_sent_away() {
    let dir = TempDir::new().unwrap();
    let instance = start(&dir, "");
    let door = &instance.door;
    follow(door, "7", ANA);
    let open = || {
        let mut stream = Stream::open(door, &format!("{HOME}/stream"), &[]).unwrap();
        stream.text();
        stream
    };
    for message in [Message::text("{}"), Message::binary(vec![0, 1, 2])] {
        let mut stream = open();
        stream.socket.send(message).unwrap();
        assert!(matches!(stream.next(), Came::Closed(1008)));
    }
    let mut stream = open();
    // More than a message may be: the server stops reading amid it.
    let sent = stream.socket.send(Message::text("x".repeat(1 << 20)));
    assert!(sent.is_err() || matches!(stream.next(), Came::Gone | Came::Closed(_)));
    // Bytes that are no frames.
    let mut stream = open();
    if let tungstenite::stream::MaybeTlsStream::Plain(tcp) = stream.socket.get_mut() {
        tcp.write_all(&[0xff; 4096]).unwrap();
    }
    assert!(matches!(stream.next(), Came::Gone | Came::Closed(_)));
    // A request that never ends.
    let address = door.base().trim_start_matches("http://");
    let mut endless = TcpStream::connect(address).unwrap();
    endless.set_read_timeout(Some(support::DEADLINE)).unwrap();
    let line = format!("GET {HOME}/stream HTTP/1.1\r\n");
    endless.write_all(line.as_bytes()).unwrap();
    let mut answer = [0; 12];
    loop {
        let more = format!("x-more: {}\r\n", "x".repeat(4_000));
        if endless.write_all(more.as_bytes()).is_err() {
            break;
        }
        endless.set_nonblocking(true).unwrap();
        let read = endless.read(&mut answer);
        endless.set_nonblocking(false).unwrap();
        if read.is_ok() {
            assert!(
                answer.starts_with(b"HTTP/1.1 431") || answer[0] == 0,
                "{answer:?}"
            );
            break;
        }
    }
    wait_for("nobody", || {
        (door.metric("slackwater_streams") == 0.0).then_some(())
    });
}

#[test]
fn there_are_only_so_many_connections() {
    let dir = TempDir::new().unwrap();
    let more = "[stream]\nconnections_max = 3\nconnections_per_account_max = 2\n";
    let instance = start(&dir, more);
    let door = &instance.door;
    follow(door, "7", ANA);
    follow(door, "8", ANA);
    let open = |account: &str| {
        Stream::open(
            door,
            &format!("/v1/accounts/{account}/feeds/home/stream"),
            &[],
        )
    };
    let (_one, two) = (open("7").unwrap(), open("7").unwrap());
    assert!(matches!(open("7"), Err(429)));
    let _three = open("8").unwrap();
    assert!(matches!(open("8"), Err(503)));
    drop(two);
    wait_for("room", || open("8").ok());
}

/// A failure means that any page, shown in a browser on the machine of somebody who tries this out, reads along.
#[test]
fn a_page_from_elsewhere_may_not_listen_where_there_are_no_tokens() {
    let dir = TempDir::new().unwrap();
    let instance = start(&dir, "");
    follow(&instance.door, "7", ANA);
    let open = |origin| {
        let path = format!("{HOME}/stream");
        Stream::open(&instance.door, &path, &[("origin", origin)])
    };
    assert!(matches!(open("https://evil.example"), Err(403)));
    assert!(matches!(open("null"), Err(403)));
    assert!(matches!(open("http://localhost.evil.example"), Err(403)));
    assert!(open("http://localhost:3000").is_ok());
    assert!(open("http://127.0.0.1:8787").is_ok());
    // Nor may it read, here or in Mastodon's words, nor by a name of its own that leads here.
    let status = |path: &str, name: &str, value: &str| {
        let request = instance.door.request(reqwest::Method::GET, path);
        request
            .header(name, value)
            .send()
            .unwrap()
            .status()
            .as_u16()
    };
    for path in [
        HOME,
        "/v1/feeds/public",
        "/api/v1/timelines/public",
        "/api/v1/streaming/public",
    ] {
        assert_eq!(
            status(path, "origin", "https://evil.example"),
            403,
            "{path}"
        );
        assert_eq!(status(path, "host", "evil.example:8787"), 403, "{path}");
    }
    assert_eq!(status(HOME, "host", "localhost:8787"), 200);
    assert_eq!(status(HOME, "host", "[::1]:8787"), 200);
}
