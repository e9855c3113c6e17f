//! Requests and streams at nodes that do not have their account, with real processes on a real broker.

use crate::mastodon::Socket;
use crate::support::cluster::Nodes;
use crate::support::instance::{Door, Instance, uri_of};
use crate::support::watcher::{Came, Stream};
use crate::support::{measures, wait_for, wait_within};
use serde_json::{Value, json};
use slackwater::api::auth::jwt;
use slackwater::api::auth::secret::Secret;
use slackwater::clock;
use slackwater_cluster::shard::AccountHash;
use std::process::Command;
use std::time::Duration;

const ANA: &str = "https://tide.example/users/ana";
const BEN: &str = "https://tide.example/users/ben";
const SIGNING: &str = "0123456789abcdef0123456789abcdef";
const SERVICE: &str = "0123456789abcdef";

/// Accounts that follow two authors.
fn accounts(nodes: &Nodes, count: usize) -> Vec<String> {
    let accounts: Vec<String> = (1..=count).map(|it| it.to_string()).collect();
    let mut lines = Vec::new();
    for account in &accounts {
        let actor = format!("https://home.example/users/{account}");
        lines.push(json!({"type": "account", "account": account, "actor": actor}));
        for target in [ANA, BEN] {
            lines.push(json!({"type": "follow", "account": account, "target": target}));
        }
    }
    let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
    nodes.door(0).post_lines("/v1/relationships", &lines);
    accounts
}

/// Notes of an author's, handed to a node; their ids.
fn write(door: &Door, author: &str, names: &[&str]) -> Vec<String> {
    let note = |name: &&str| {
        let uri = format!("{author}/{name}");
        json!({"type": "Create", "id": format!("{uri}#create"), "actor": author, "object": {
            "type": "Note", "id": uri, "attributedTo": author, "content": name,
            "published": clock::now().rfc3339(), "to": ["https://www.w3.org/ns/activitystreams#Public"]
        }})
        .to_string()
    };
    let lines: Vec<String> = names.iter().map(note).collect();
    door.post_lines("/v1/activities", &lines);
    names
        .iter()
        .map(|name| format!("{author}/{name}"))
        .collect()
}

/// The node that serves an account, as the first that runs knows it.
fn server_of(nodes: &Nodes, account: &str) -> usize {
    let running = nodes.nodes.iter().find(|node| node.is_running());
    let said = running.unwrap().door.get("/v1/nodes").json();
    let shards = said["shards"].as_u64().unwrap();
    let shard = u64::from(AccountHash::of(account).shard(u32::try_from(shards).unwrap()));
    let all = said["nodes"].as_array().unwrap().iter();
    let serves = |node: &&Value| {
        let serves = node["serves"].as_array().unwrap();
        node["live"] == true && serves.iter().any(|it| it.as_u64() == Some(shard))
    };
    let names: Vec<&str> = all
        .filter(serves)
        .filter_map(|it| it["node"].as_str())
        .collect();
    assert_eq!(names.len(), 1, "account {account}, shard {shard}: {said:#}");
    usize::from(names[0].as_bytes()[0] - b'a')
}

/// An account that this node serves.
fn served_by(nodes: &Nodes, accounts: &[String], at: usize) -> String {
    let found = accounts.iter().find(|it| server_of(nodes, it) == at);
    found.expect("every node has some of so many").clone()
}

fn stream(door: &Door, account: &str, cursor: Option<&str>) -> Result<Stream, u16> {
    let cursor = cursor.map_or_else(String::new, |cursor| format!("?cursor={cursor}"));
    let path = format!("/v1/accounts/{account}/feeds/home/stream{cursor}");
    Stream::open(door, &path, &[])
}

fn home(account: &str) -> String {
    format!("/v1/accounts/{account}/feeds/home")
}

fn signal(node: &Instance, name: &str) {
    let pid = node.pid().to_string();
    let sent = Command::new("kill").args(["-s", name, &pid]).status();
    assert!(sent.unwrap().success());
}

fn all_in(door: &Door, account: &str, posts: usize) -> Vec<String> {
    wait_for("all posts", || {
        let uris = door.uris(account);
        (uris.len() == posts).then_some(uris)
    })
}

/// A failure means that what a reader sees depends on which node the load balancer picks.
#[test]
fn every_node_answers_for_every_account() {
    let nodes = Nodes::start(3, "");
    let accounts = accounts(&nodes, 12);
    write(nodes.door(1), ANA, &["one", "two", "three"]);
    for account in &accounts {
        let expected = all_in(nodes.door(0), account, 3);
        let page = nodes.door(0).get(&home(account)).json();
        let cursor = page["cursor"].as_str().unwrap();
        for at in 1..3 {
            assert_eq!(nodes.door(at).uris(account), expected, "node {at}");
            let changes = nodes
                .door(at)
                .get(&format!("{}/changes?cursor={cursor}", home(account)));
            assert_eq!(changes.status, 200, "{}", changes.text);
            // Where the account has moved meanwhile, what is there may be told again.
            for change in changes.json()["changes"].as_array().unwrap() {
                assert!(expected.contains(&uri_of(&change["entry"])), "{change}");
            }
        }
    }
    let sum = |name: &str| -> f64 { (0..3).map(|at| nodes.door(at).metric(name)).sum() };
    let answered = sum("slackwater_forwarded_total{outcome=\"answered\"}");
    // A lease may lapse on a machine that is busy; all else knows where to go.
    let misrouted = sum("slackwater_misrouted_total");
    assert!(misrouted < 0.1 * answered, "{misrouted} of {answered}");
    assert_eq!(sum("slackwater_forwarded_total{outcome=\"nobody\"}"), 0.0);
    // Streams through each node, of an account that is another's.
    for at in 0..3 {
        let account = served_by(&nodes, &accounts, (at + 1) % 3);
        let mut stream = stream(nodes.door(at), &account, None).unwrap();
        assert_eq!(stream.text()["kind"], "hello");
        let uri = write(
            nodes.door((at + 2) % 3),
            BEN,
            &[["four", "five", "six"][at]],
        );
        // The node of this account may have read the post before this one only after the stream began.
        let mut seen = Vec::new();
        while seen.last() != Some(&uri[0]) {
            let post = stream.change();
            assert_eq!(post["kind"], "post", "{seen:?}");
            seen.push(uri_of(&post["entry"]).clone());
            assert!(seen.len() <= 3, "{seen:?}");
        }
    }
}

/// A failure means that readers wait on a node that is dead, or begin anew when it dies.
#[test]
fn who_reads_from_a_node_that_is_killed_goes_on_at_another() {
    let mut nodes = Nodes::start(3, "standbys = 1");
    let accounts = accounts(&nodes, 24);
    write(nodes.door(0), ANA, &["one", "two"]);
    let account = served_by(&nodes, &accounts, 1);
    all_in(nodes.door(0), &account, 2);
    let mut reader = stream(nodes.door(0), &account, None).unwrap();
    let hello = reader.text();
    assert_eq!(hello["kind"], "hello");
    let cursor = hello["cursor"].as_str().unwrap();
    nodes.nodes[1].kill9();
    let begun = clock::stopwatch();
    let told = reader.next();
    assert!(matches!(told, Came::Closed(1012)), "{told:?}");
    let (mut again, tries) = resumed(nodes.door(0), &account, cursor);
    println!(
        "a stream resumed {:?} after the kill, at try {tries}",
        begun.elapsed()
    );
    let uri = write(nodes.door(2), ANA, &["three"]);
    assert_eq!(uri_of(&again.change()["entry"]), uri[0]);
    let page = nodes.door(2).get(&home(&account));
    assert_eq!(
        (
            page.status,
            page.json()["entries"].as_array().unwrap().len()
        ),
        (200, 3)
    );
}

/// A stream that goes on from a cursor, as a client opens it that comes back: again for as long as it is told to.
fn resumed(door: &Door, account: &str, cursor: &str) -> (Stream, u32) {
    let mut tries = 0;
    let opened = wait_within(Duration::from_secs(30), || {
        tries += 1;
        match stream(door, account, Some(cursor)) {
            Ok(mut stream) => match stream.next() {
                Came::Text(hello) => {
                    assert_eq!(hello["kind"], "hello", "{hello}");
                    Some(stream)
                }
                Came::Closed(code) => {
                    assert!([1012, 1013].contains(&code), "{code}");
                    None
                }
                Came::Gone => None,
            },
            Err(status) => {
                assert_eq!(status, 503);
                None
            }
        }
    });
    (opened.expect("a stream that goes on"), tries)
}

/// A failure means that a reader is shown what it has muted, by a node that did not hear of it.
#[test]
fn a_node_that_stopped_shows_nothing_that_was_hidden_meanwhile() {
    let nodes = Nodes::start(3, "");
    let accounts = accounts(&nodes, 24);
    write(nodes.door(0), ANA, &["one"]);
    write(nodes.door(0), BEN, &["hidden"]);
    let account = served_by(&nodes, &accounts, 1);
    all_in(nodes.door(0), &account, 2);
    let mut through = stream(nodes.door(0), &account, None).unwrap();
    let mut straight = stream(nodes.door(1), &account, None).unwrap();
    assert_eq!(through.text()["kind"], "hello");
    assert_eq!(straight.text()["kind"], "hello");
    signal(&nodes.nodes[1], "STOP");
    let mute = json!({"type": "mute", "account": account, "target": BEN}).to_string();
    let begun = clock::stopwatch();
    let answer = nodes
        .door(2)
        .post("/v1/relationships", "application/json", mute);
    let took = begun.elapsed();
    assert_eq!(answer.status, 202, "{}", answer.text);
    println!("a mute was in force after {took:?}, with its account's node stopped");
    write(nodes.door(2), BEN, &["hidden-too"]);
    let uris = wait_for("a page", || {
        let page = nodes.door(0).get(&home(&account));
        (page.status == 200).then(|| page.json())
    });
    let uris = uris["entries"].as_array().unwrap().iter().map(uri_of);
    assert_eq!(uris.collect::<Vec<_>>(), [format!("{ANA}/one")]);
    let told = through.next();
    assert!(matches!(told, Came::Closed(1012)), "{told:?}");
    signal(&nodes.nodes[1], "CONT");
    // Whatever it answers now, it is not what was hidden.
    for _ in 0..50 {
        let page = nodes.door(1).get(&home(&account));
        assert!(
            page.status == 503 || !page.text.contains("hidden"),
            "{}",
            page.text
        );
    }
    // Its stream ends, or goes on with what is to be hidden taken out.
    let uri = write(nodes.door(0), ANA, &["two"]);
    loop {
        match straight.next() {
            Came::Closed(code) => {
                assert_eq!(code, 1012);
                break;
            }
            Came::Text(message) if message["kind"] == "post" => {
                assert_eq!(uri_of(&message["entry"]), uri[0]);
                break;
            }
            Came::Text(message) => {
                let kind = message["kind"].as_str().unwrap();
                assert!(["remove", "horizon"].contains(&kind), "{message}");
            }
            Came::Gone => panic!("it ended without a word"),
        }
    }
}

/// A failure means that apps see another account, or nothing, behind a load balancer.
#[test]
fn mastodons_clients_are_served_through_a_node_that_has_none_of_their_accounts() {
    let auth = format!(
        "[auth]\nservice_tokens = [\"{SERVICE}\"]\n[auth.jwt]\nalgorithm = \"HS256\"\nkey = \"{SIGNING}\"\n"
    );
    let nodes = Nodes::start_as(2, &auth, SERVICE);
    let accounts = accounts(&nodes, 12);
    write(nodes.door(0), ANA, &["one", "two"]);
    let account = served_by(&nodes, &accounts, 1);
    all_in(nodes.door(0), &account, 2);
    let key = Secret::new(SIGNING);
    let options = jwt::Options {
        algorithm: jwt::Algorithm::Hs256,
        key: key.clone(),
        issuer: None,
        audience: None,
    };
    let lives = Duration::from_secs(600);
    let token = jwt::mint(&options, &key, &account, "read", clock::now(), lives).unwrap();
    let door = nodes.door(0).with_token(&token);
    let timeline = door.get("/api/v1/timelines/home");
    assert_eq!(timeline.status, 200, "{}", timeline.text);
    assert_eq!(timeline.json().as_array().unwrap().len(), 2);
    let own = door.get("/api/v1/accounts/verify_credentials");
    assert_eq!(own.status, 200, "{}", own.text);
    assert_eq!(own.json()["username"], json!(account));
    let bearer = format!("Bearer {token}");
    let mut socket = Socket::open_at(&door, "?stream=user", &[("authorization", &bearer)]).unwrap();
    socket.settle();
    write(nodes.door(1), BEN, &["three"]);
    let event = socket.next();
    assert_eq!(event["event"], "update");
    assert_eq!(event["payload"]["uri"], json!(format!("{BEN}/three")));
}

/// Processor time that a node has taken.
fn processor_time(node: &Instance) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", node.pid())).unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let fields: Vec<&str> = fields.split_whitespace().collect();
    // User and system time in hundredths of a second, which Linux counts in.
    let ticks: u64 = fields[11..13]
        .iter()
        .map(|it| it.parse::<u64>().unwrap())
        .sum();
    Duration::from_millis(ticks * 10)
}

/// With `SLACKWATER_MEASURE` over enough to mean something: what passing on adds to a page and to a message of a stream.
#[test]
fn what_passing_on_costs() {
    let (pages, posts, streams) = match measures() {
        true => (4_000, 400, 50),
        false => (20, 5, 2),
    };
    let nodes = Nodes::start(2, "standbys = 0");
    let accounts = accounts(&nodes, 12);
    write(nodes.door(0), ANA, &["one", "two", "three", "four", "five"]);
    let account = served_by(&nodes, &accounts, 1);
    all_in(nodes.door(0), &account, 5);
    let both = || processor_time(&nodes.nodes[0]) + processor_time(&nodes.nodes[1]);
    let path = home(&account);
    for (at, way) in [(1, "straight"), (0, "passed on")] {
        let before = both();
        let mut took: Vec<Duration> = Vec::with_capacity(pages);
        for _ in 0..pages {
            let begun = clock::stopwatch();
            assert_eq!(nodes.door(at).get(&path).status, 200);
            took.push(begun.elapsed());
        }
        took.sort_unstable();
        let each = (both() - before) / u32::try_from(pages).unwrap();
        println!(
            "a page {way}: p50 {:?}, p99 {:?}, processor time {each:?}",
            took[pages / 2],
            took[pages * 99 / 100]
        );
    }
    for (at, way) in [(1, "straight"), (0, "passed on")] {
        let mut readers: Vec<Stream> = (0..streams)
            .map(|_| stream(nodes.door(at), &account, None).unwrap())
            .collect();
        for reader in &mut readers {
            assert_eq!(reader.text()["kind"], "hello");
        }
        let before = both();
        for nth in 0..posts {
            let name = format!("{}-{nth}", way.len());
            write(nodes.door(1), BEN, &[&name]);
            for reader in &mut readers {
                assert_eq!(reader.change()["kind"], "post");
            }
        }
        let messages = u32::try_from(posts * streams).unwrap();
        println!(
            "a message {way}: processor time {:?}",
            (both() - before) / messages
        );
    }
}
