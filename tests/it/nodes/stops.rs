//! Processes that are stopped while they serve, and go on when others have taken their place.

use super::{ANA, BOB, home_of, post, relate, tell, uri};
use crate::support::cluster::{LEASE, Nodes, Options};
use crate::support::instance::Door;
use crate::support::watcher::{Came, Stream, Watcher};
use crate::support::{DEADLINE, signal, times, wait_for};
use serde_json::{Value, json};
use slackwater::clock;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// How often a node is stopped.
const STOPS: usize = 2;
/// What a node that is stopped may take more than its lease until a relation is answered by another.
const MARGIN: Duration = Duration::from_secs(2);

/// How long it looks for the next message of a stream.
const LOOK: Duration = Duration::from_millis(100);

/// Were this to fail, a process that was stopped would show on waking what its reader has muted meanwhile.
#[test]
fn a_node_that_was_stopped_for_three_leases_never_shows_what_was_muted_meanwhile() {
    let stops = times("SLACKWATER_STOPS", STOPS);
    let nodes = Nodes::start_with(3, Options::quick(0));
    let accounts: Vec<String> = (0..stops).map(|n| format!("acct-{n}")).collect();
    let follow = |account: &String| {
        [ANA, BOB].map(|target| json!({"type": "follow", "account": account, "target": target}))
    };
    let follows: Vec<Value> = accounts.iter().flat_map(follow).collect();
    relate(nodes.door(0), &follows);
    tell(&nodes.doors(), &[post(ANA, 0), post(BOB, 0)]);
    let mut longest = Duration::ZERO;
    for (stop, account) in accounts.iter().enumerate() {
        longest = longest.max(stopped(&nodes, account, stop + 1));
    }
    println!("{stops} stops; the mute was answered after {longest:?} at the latest");
}

/// Stops the node of an account, has Ana muted by another, and lets it go on; how long the mute took.
fn stopped(nodes: &Nodes, account: &str, stop: usize) -> Duration {
    let server = nodes.server_of(account);
    let (stopped, others) = (nodes.door(server), doors_but(nodes, server));
    let feed = home_of(account);
    // Connections that are open when it stops: one of a client that keeps them, one whose next request waits in it, a stream.
    assert!(stopped.get(&feed).text.contains(ANA));
    let mut waiting = Waiting::open(stopped, &feed);
    assert!(waiting.ask().contains(ANA));
    let mut watcher = Watcher::begin(stopped, &feed);
    watcher.connect(stopped);

    let process = nodes.nodes[server].pid();
    signal(process, "STOP");
    let begun = clock::stopwatch();
    let mute = json!({"type": "mute", "account": account, "target": ANA});
    relate(&others[0], &[mute]);
    let took = begun.elapsed();
    let most = LEASE + MARGIN;
    assert!(took < most, "the mute was answered after {took:?}");
    waiting.send();
    // Other nodes come to answer for the account, and a post comes that the stopped one has not read.
    for door in &others {
        let shown = wait_for("another node", || good(door, &feed));
        assert!(!shown.contains(ANA) && shown.contains(BOB), "{shown}");
    }
    tell(&others, &[post(ANA, stop), post(BOB, stop)]);
    wait_for("three leases", || {
        for door in &others {
            let page = door.get(&feed);
            assert!(!page.text.contains(ANA), "{}", page.text);
        }
        (3 * LEASE < begun.elapsed()).then_some(())
    });

    signal(process, "CONT");
    check(&waiting.answer());
    check(&waiting.ask());
    let mut stream = watcher.stream.take().unwrap();
    goes_on(&mut stream, &uri(BOB, stop));
    wait_for("it to be one of them again", || {
        let answer = stopped.get(&feed);
        check(&format!(
            "HTTP/1.1 {} \r\n\r\n{}",
            answer.status, answer.text
        ));
        (stopped.get("/readyz").status == 200).then_some(())
    });
    nodes.wait_settled();
    let page = stopped.get(&feed);
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(!page.text.contains(ANA), "{}", page.text);
    took
}

fn doors_but(nodes: &Nodes, but: usize) -> Vec<Door> {
    let others = (0..nodes.nodes.len()).filter(|at| *at != but);
    others.map(|at| nodes.door(at).clone()).collect()
}

/// A page, if it is answered with one.
fn good(door: &Door, feed: &str) -> Option<String> {
    let answer = door.get(feed);
    assert!([200, 503].contains(&answer.status), "{}", answer.text);
    (answer.status == 200).then_some(answer.text)
}

/// Fails if an answer shows Ana, or is none that a node may give that is not sure.
fn check(answer: &str) {
    let status = answer.split(' ').nth(1).unwrap_or_default();
    assert!(["200", "503", "421"].contains(&status), "{answer}");
    assert!(!answer.contains(ANA), "{answer}");
}

/// Reads a stream until it tells of a post, or ends as one does whose reader is to come again; there is nothing of Ana's in it.
fn goes_on(stream: &mut Stream, post: &str) {
    stream.wait_at_most(LOOK);
    wait_for("the stream to go on or to end", || {
        match stream.next_in_time()? {
            Came::Text(message) => {
                assert!(!message.to_string().contains(ANA), "{message}");
                message.to_string().contains(post).then_some(())
            }
            Came::Closed(1012 | 1013) => Some(()),
            other => panic!("the stream ended: {other:?}"),
        }
    });
}

/// A connection on which a request may wait.
struct Waiting {
    connection: TcpStream,
    request: String,
}

impl Waiting {
    fn open(door: &Door, path: &str) -> Waiting {
        let host = door.base().replace("http://", "");
        let connection = TcpStream::connect(&host).expect("a connection");
        connection
            .set_read_timeout(Some(DEADLINE))
            .expect("a timeout");
        let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n");
        Waiting {
            connection,
            request,
        }
    }

    fn send(&mut self) {
        let sent = self.connection.write_all(self.request.as_bytes());
        sent.expect("sending a request");
    }

    /// The answer to the request that was sent: head and body.
    fn answer(&mut self) -> String {
        let mut answer = Vec::new();
        loop {
            let mut some = [0; 16 << 10];
            let read = self.connection.read(&mut some).expect("an answer");
            assert_ne!(read, 0, "it hung up");
            answer.extend_from_slice(&some[..read]);
            let text = String::from_utf8_lossy(&answer).into_owned();
            let Some((head, body)) = text.split_once("\r\n\r\n") else {
                continue;
            };
            let mut lengths = head.lines().filter_map(|line| {
                let (name, value) = line.split_once(": ")?;
                (name.eq_ignore_ascii_case("content-length")).then(|| value.parse::<usize>())
            });
            let length = lengths.next().expect("a length").expect("a number");
            if length <= body.len() {
                return text;
            }
        }
    }

    fn ask(&mut self) -> String {
        self.send();
        self.answer()
    }
}
