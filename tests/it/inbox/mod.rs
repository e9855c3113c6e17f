//! The inbox mode: what other servers deliver goes through the service to the server behind, byte for byte, and into the log only if
//! that server took it and the signature is proved here.

mod actor;
mod fedify;
mod nginx;
mod stand_in;
mod tls;

use crate::support::broker::Broker;
use crate::support::failing::{ENOSPC, Failing};
use crate::support::instance::{self, Around, Instance};
use crate::support::{wait_for, wait_within};
use actor::{Actor, Delivery, HOME, Keys};
use reqwest::Method;
use serde_json::{Value, json};
use slackwater::clock;
use stand_in::{Says, StandIn, accepted, says};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tls::Tls;

/// Keys are fetched from this machine, which is where the actors are.
const LOOPBACK: &str = "allow_addresses = [\"127.0.0.1\"]\n";
const KIM: &str = "https://home.example/users/kim";

/// A service with a server behind it, and one account, Kim's.
pub(crate) struct Inbox {
    pub(crate) instance: Instance,
    pub(crate) upstream: StandIn,
    _dir: TempDir,
}

impl Inbox {
    pub(crate) fn start() -> Inbox {
        Inbox::start_with(LOOPBACK)
    }

    /// The same with these lines in its table.
    fn start_with(lines: &str) -> Inbox {
        Inbox::start_within(
            TempDir::new().unwrap(),
            instance::built_in,
            lines,
            Around::default(),
        )
    }

    fn start_within(
        dir: TempDir,
        config: impl FnOnce(&str) -> String,
        lines: &str,
        around: Around,
    ) -> Inbox {
        let upstream = StandIn::start(|_| accepted());
        let table = format!("[inbox]\nupstream = \"{}\"\n{lines}", upstream.base());
        let config = config(&table);
        let inbox = Inbox {
            instance: Instance::start_within(dir.path(), &config, around),
            upstream,
            _dir: dir,
        };
        inbox.relate(&json!({"type": "account", "account": "7", "actor": KIM}));
        inbox
    }

    fn relate(&self, relation: &Value) {
        let door = &self.instance.door;
        door.post_lines("/v1/relationships", &[relation.to_string()]);
    }

    /// Kim follows them from here on.
    pub(crate) fn follows(&self, target: &str) {
        self.relate(&json!({"type": "follow", "account": "7", "target": target}));
    }

    /// Delivers; the status of the answer, or why there is none.
    fn try_deliver(&self, delivery: &Delivery) -> reqwest::Result<u16> {
        deliver(&self.instance, delivery)
    }

    fn deliver(&self, delivery: &Delivery) -> u16 {
        self.try_deliver(delivery).expect("an answer")
    }

    /// How many were not recorded for this reason.
    fn not_recorded(&self, reason: &str) -> f64 {
        let name = format!("slackwater_inbox_not_recorded_total{{reason=\"{reason}\"}}");
        self.instance.door.metric(&name)
    }

    fn recorded(&self) -> f64 {
        self.instance.door.metric("slackwater_inbox_recorded_total")
    }

    pub(crate) fn wait_for_post(&self, uri: &str) -> Value {
        wait_for(&format!("{uri} in the feed"), || {
            let home = self.instance.door.home("7");
            home.into_iter().find(|entry| entry["uri"] == uri)
        })
    }

    /// Delivers what must be passed on, and must not be recorded for this reason.
    #[track_caller]
    fn check_not_recorded(&self, delivery: &Delivery, reason: &str) {
        let (before, recorded) = (self.not_recorded(reason), self.recorded());
        let passed_on = self.upstream.seen().len();
        assert_eq!(self.deliver(delivery), 202, "{reason}");
        let last = self.upstream.seen().pop().expect("it was passed on");
        assert_eq!(last.body, delivery.body.as_bytes(), "{reason}");
        assert_eq!(self.upstream.seen().len(), passed_on + 1, "{reason}");
        wait_for(&format!("{reason} to be counted"), || {
            (before < self.not_recorded(reason)).then_some(())
        });
        assert_eq!(self.recorded(), recorded, "{reason}");
    }
}

fn deliver(instance: &Instance, delivery: &Delivery) -> reqwest::Result<u16> {
    let mut request = instance.door.request(Method::POST, &delivery.target);
    for (name, value) in &delivery.headers {
        request = request.header(name, value);
    }
    let answer = request.body(delivery.body.clone()).send()?;
    Ok(answer.status().as_u16())
}

/// A failure means that a signature that was good is not any more behind us, or that a sender is told something else than the
/// server said.
#[test]
fn a_request_is_passed_on_as_it_came_and_its_answer_back_as_it_came() {
    let inbox = Inbox::start();
    let answer = "HTTP/1.1 418 So\r\nX-Odd: \tone  two\r\nset-cookie: a=b\r\nSet-Cookie: c=d\r\nretry-after: 17\r\nconnection: \
                  close, x-hop\r\nx-hop: 1\r\ncontent-length: 5\r\n\r\n\0\u{7f}\n\r.";
    inbox
        .upstream
        .answers(move |_| Says::Bytes(answer.as_bytes().to_vec()));
    let body = b"\xff\xfe {\"no\": JSON\0}\r\n".to_vec();
    let head = format!(
        "POST /users/k%69m/inbox?page=%2Fa&b=%7E&&c HTTP/1.1\r\nHost: {HOME}\r\nSignature: keyId=\"x\",  signature=\"a+/=\"\r\n\
         Digest: SHA-256=none\r\nDate: Mon, 30 Nov 2026 10:00:00 GMT\r\nX-Forwarded-For: 192.0.2.7\r\nX-Twice: one\r\nUser-Agent: http.rb/5 \
         (Mastodon/4.5; +https://a.example/)\r\nx-twice: two\r\nAccept-Encoding: gzip\r\nAuthorization: Bearer x\r\nConnection: \
         close, X-Private\r\nX-Private: hop\r\nKeep-Alive: timeout=5\r\nTE: trailers\r\nContent-Type: application/activity+json\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    let address = inbox.instance.door.base().trim_start_matches("http://");
    let mut tcp = TcpStream::connect(address).unwrap();
    tcp.write_all(&[head.as_bytes(), &body].concat()).unwrap();
    let mut answered = Vec::new();
    tcp.read_to_end(&mut answered).unwrap();

    let seen = inbox.upstream.seen();
    let [seen] = seen.as_slice() else {
        panic!("{} requests", seen.len());
    };
    assert_eq!(
        seen.line,
        "POST /users/k%69m/inbox?page=%2Fa&b=%7E&&c HTTP/1.1"
    );
    assert_eq!(seen.body, body);
    let lower = |line: &str| {
        let (name, value) = line.split_once(':').expect("a header");
        (name.to_ascii_lowercase(), value.trim().to_owned())
    };
    let mut passed: Vec<_> = seen.headers.iter().map(|line| lower(line)).collect();
    let hops = ["connection", "x-private", "keep-alive", "te"];
    let sent = head.lines().skip(1).filter(|line| !line.is_empty());
    let mut sent: Vec<_> = sent.map(lower).collect();
    sent.retain(|(name, _)| !hops.contains(&name.as_str()));
    passed.sort();
    sent.sort();
    assert_eq!(passed, sent);

    let answered = String::from_utf8(answered).unwrap();
    let (head, body) = answered.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 418 "), "{head}");
    assert_eq!(body, "\0\u{7f}\n\r.");
    for line in [
        "x-odd: one  two",
        "set-cookie: a=b\r\nset-cookie: c=d",
        "retry-after: 17",
    ] {
        assert!(head.contains(line), "{line} in {head}");
    }
    assert!(!head.contains("x-hop"), "{head}");
    assert_eq!(inbox.not_recorded("refused"), 1.0);
}

/// A failure means that whoever delivers can put a request of their own behind it, which the server behind takes for ours.
#[test]
fn a_body_in_chunks_is_passed_on_with_its_length_whatever_length_it_says_to_have() {
    let inbox = Inbox::start();
    let address = inbox.instance.door.base().trim_start_matches("http://");
    for length in ["", "Content-Length: 3\r\n"] {
        for head in [
            format!("{length}Transfer-Encoding: chunked\r\n"),
            format!("Transfer-Encoding: chunked\r\n{length}"),
        ] {
            let before = inbox.upstream.seen().len();
            let mut tcp = TcpStream::connect(address).unwrap();
            let request = format!(
                "POST /inbox HTTP/1.1\r\nHost: {HOME}\r\nConnection: close\r\n{head}\r\n4\r\nabcd\r\n3\r\nefg\r\n0\r\n\r\n"
            );
            tcp.write_all(request.as_bytes()).unwrap();
            let mut answered = String::new();
            tcp.read_to_string(&mut answered).unwrap();
            let seen = inbox.upstream.seen();
            if answered.starts_with("HTTP/1.1 400 ") {
                // One that contradicts itself may be refused.
                assert_eq!((length.is_empty(), seen.len()), (false, before), "{head}");
                continue;
            }
            assert!(answered.starts_with("HTTP/1.1 202 "), "{head}: {answered}");
            let last = seen.last().unwrap();
            assert_eq!(last.body, b"abcdefg", "{head}");
            let says = |name: &str| {
                let lines = last.headers.iter().map(|line| line.to_ascii_lowercase());
                lines
                    .filter(|line| line.starts_with(name))
                    .collect::<Vec<_>>()
            };
            assert_eq!(says("content-length:"), ["content-length: 7"], "{head}");
            assert!(says("transfer-encoding:").is_empty(), "{head}");
        }
    }
}

/// A failure means that a sender which does not wait for long has its posts in the server behind, and in no feed.
#[test]
fn what_a_sender_does_not_wait_for_is_recorded_all_the_same() {
    let inbox = Inbox::start();
    let ana = Actor::start("ana", Keys::first());
    inbox.follows(&ana.id);
    let (answers, wait) = std::sync::mpsc::channel::<()>();
    inbox.upstream.answers(move |_| {
        // Until the sender has gone.
        wait.recv().expect("the word to answer");
        accepted()
    });
    let post = ana.post(1);
    let mut request = format!("POST {} HTTP/1.1\r\n", post.target);
    for (name, value) in &post.headers {
        request += &format!("{name}: {value}\r\n");
    }
    request += &format!("content-length: {}\r\n\r\n{}", post.body.len(), post.body);
    let address = inbox.instance.door.base().trim_start_matches("http://");
    let mut tcp = TcpStream::connect(address).unwrap();
    tcp.write_all(request.as_bytes()).unwrap();
    wait_for("the request to be passed on", || {
        (!inbox.upstream.came().is_empty()).then_some(())
    });
    drop(tcp);
    // By now the service has seen that it went.
    assert_eq!(inbox.instance.door.get("/healthz").status, 200);
    answers.send(()).unwrap();
    inbox.wait_for_post(&ana.uri(1));
}

/// A failure means that posts of followed people are missing, or are not in their place.
#[test]
fn a_signed_post_is_in_the_feed_when_it_is_answered_late_and_in_its_place() {
    let inbox = Inbox::start();
    let ana = Actor::start("ana", Keys::first());
    inbox.follows(&ana.id);
    let now = clock::now();
    let minutes = |n: u64| now.minus(Duration::from_secs(60 * n));
    for (n, written) in [(1, minutes(20)), (2, minutes(1)), (3, minutes(15))] {
        let delivery = ana.signed(&ana.create(n, written), now);
        assert_eq!(inbox.deliver(&delivery), 202);
        // It is in the log by now, whatever becomes of this process.
        assert_eq!(inbox.recorded(), n as f64);
    }
    let late = inbox.wait_for_post(&ana.uri(3));
    assert_eq!(late["verdict"], "late");
    assert_eq!(late["placed_by"], "published");
    assert_eq!(late["published"], minutes(15).rfc3339());
    inbox.wait_for_post(&ana.uri(2));
    let order = [2, 3, 1].map(|n| ana.uri(n));
    assert_eq!(inbox.instance.door.uris("7"), order);
    // One look at her document is enough for three posts.
    assert_eq!(ana.server.seen().len(), 1);
}

/// A failure means that a server which sends again, as all do, doubles its posts.
#[test]
fn the_same_activity_delivered_twice_is_one_post() {
    let inbox = Inbox::start();
    let ana = Actor::start("ana", Keys::first());
    inbox.follows(&ana.id);
    let post = ana.post(1);
    let mut to_kim = post.clone();
    to_kim.target = "/users/kim/inbox".to_owned();
    assert_eq!(inbox.deliver(&post), 202);
    assert_eq!(inbox.deliver(&post), 202);
    // The path is part of what was signed.
    inbox.check_not_recorded(&to_kim, "wrong_signature");
    assert_eq!(inbox.recorded(), 2.0);
    inbox.wait_for_post(&ana.uri(1));
    inbox.instance.settle();
    assert_eq!(inbox.instance.door.uris("7"), [ana.uri(1)]);
}

/// A failure means that a stranger writes, edits or deletes in the name of somebody else: the server behind answers 202 to all.
#[test]
fn nothing_is_recorded_that_its_actor_did_not_sign() {
    let inbox = Inbox::start();
    let ana = Actor::start("ana", Keys::first());
    let eve = Actor::start("eve", Keys::second());
    inbox.follows(&ana.id);
    assert_eq!(inbox.deliver(&ana.post(1)), 202);
    inbox.wait_for_post(&ana.uri(1));
    let now = clock::now();
    let delete = json!({"type": "Delete", "id": format!("{}#delete", ana.uri(1)), "actor": ana.id, "object": ana.uri(1)});
    let forged = ana.create(2, now);

    // Eve's key is good, and Eve's.
    inbox.check_not_recorded(&eve.signed(&forged, now), "not_the_actor");
    inbox.check_not_recorded(&eve.signed(&delete, now), "not_the_actor");
    // Eve says that it is Ana's.
    let mut posing = Actor::start("eve", Keys::second());
    posing.key_id = ana.key_id.clone();
    inbox.check_not_recorded(&posing.signed(&forged, now), "wrong_signature");
    // A key at Ana's own host that her document does not have.
    posing.key_id = format!("{}/users/eve#main-key", ana.server.base());
    inbox.check_not_recorded(&posing.signed(&forged, now), "no_key");
    // Eve speaks for herself, and has Ana's words in it.
    let mut wrapped = eve.create(3, now);
    wrapped["object"] = forged["object"].clone();
    inbox.check_not_recorded(&eve.signed(&wrapped, now), "unusable");
    let mut shared = eve.create(4, now);
    shared["type"] = "Announce".into();
    shared["object"] = forged.clone();
    inbox.check_not_recorded(&eve.signed(&shared, now), "unusable");
    // Nobody signed it.
    inbox.check_not_recorded(&ana.signed(&delete, now).without("signature"), "unsigned");
    inbox.check_not_recorded(&ana.signed(&forged, now).without("digest"), "unsigned");
    // Somebody changed it, or kept it.
    inbox.check_not_recorded(&ana.post(5).with_body(&forged), "digest");
    let long_ago = now.minus(Duration::from_secs(13 * 60 * 60));
    inbox.check_not_recorded(&ana.signed(&forged, long_ago), "stale");
    // What concerns no feed is signed well, and of no use to the log.
    let like =
        json!({"type": "Like", "id": format!("{}#like", ana.id), "actor": ana.id, "object": KIM});
    inbox.check_not_recorded(&ana.signed(&like, now), "no_feed");
    // Each reason is in the log, however often somebody tries.
    let said = inbox.instance.said();
    let lines = |reason: &str| said.matches(&format!("is not recorded ({reason})")).count();
    let reasons = [
        "not_the_actor",
        "wrong_signature",
        "no_key",
        "unsigned",
        "stale",
        "digest",
    ];
    assert_eq!(reasons.map(lines), [1; 6], "{said}");
    assert_eq!(lines("no_feed"), 0);
    inbox.check_not_recorded(&ana.signed(&json!("no activity"), now), "unusable");

    inbox.instance.settle();
    assert_eq!(inbox.instance.door.uris("7"), [ana.uri(1)]);
    assert_eq!(inbox.recorded(), 1.0);
    // And Ana still can.
    assert_eq!(inbox.deliver(&ana.signed(&delete, now)), 202);
    wait_for("the post to be gone", || {
        inbox.instance.door.uris("7").is_empty().then_some(())
    });
}

/// A failure means that the feed has what the server behind refused, as of a blocked instance.
#[test]
fn what_the_server_refuses_is_not_recorded() {
    let inbox = Inbox::start();
    let ana = Actor::start("ana", Keys::first());
    inbox.follows(&ana.id);
    for status in [301, 401, 403, 404, 410, 429, 500, 503] {
        inbox
            .upstream
            .answers(move |_| says(status, "text/plain", "no"));
        assert_eq!(inbox.deliver(&ana.post(status.into())), status);
    }
    assert_eq!(inbox.not_recorded("refused"), 8.0);
    let asked = |answer: &str| {
        let name = format!("slackwater_inbox_passed_on_total{{answer=\"{answer}\"}}");
        inbox.instance.door.metric(&name)
    };
    assert_eq!(
        ["2xx", "3xx", "4xx", "5xx"].map(asked),
        [0.0, 1.0, 5.0, 2.0]
    );
    assert_eq!(inbox.recorded(), 0.0);
    // Nobody was asked for a key.
    assert_eq!(ana.server.seen().len(), 0);
}

#[test]
fn while_the_server_is_away_the_answer_is_502_and_nothing_is_recorded() {
    let nowhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = nowhere.local_addr().unwrap();
    drop(nowhere);
    let dir = TempDir::new().unwrap();
    let config = instance::built_in(&format!("[inbox]\nupstream = \"http://{address}\"\n"));
    let instance = Instance::start(dir.path(), &config);
    let ana = Actor::start("ana", Keys::first());
    assert_eq!(deliver(&instance, &ana.post(1)).unwrap(), 502);
    let metric = |name: &str| instance.door.metric(name);
    assert_eq!(
        metric("slackwater_inbox_passed_on_total{answer=\"away\"}"),
        1.0
    );
    assert_eq!(metric("slackwater_inbox_recorded_total"), 0.0);
    instance.wait_until_ready();
}

#[test]
fn a_server_that_does_not_answer_is_given_up_with_504() {
    let dir = TempDir::new().unwrap();
    let upstream = StandIn::start(|_| Says::Nothing);
    let config = instance::built_in(&format!("[inbox]\nupstream = \"{}\"\n", upstream.base()));
    let config = config.replace("[http]\n", "[http]\nrequest_timeout = \"1s\"\n");
    let instance = Instance::start(dir.path(), &config);
    let ana = Actor::start("ana", Keys::first());
    assert_eq!(deliver(&instance, &ana.post(1)).unwrap(), 504);
    let slow = "slackwater_inbox_passed_on_total{answer=\"slow\"}";
    assert_eq!(instance.door.metric(slow), 1.0);
}

#[test]
fn without_a_server_behind_there_is_no_inbox() {
    let dir = TempDir::new().unwrap();
    let instance = Instance::start(dir.path(), &instance::built_in(""));
    let ana = Actor::start("ana", Keys::first());
    assert_eq!(deliver(&instance, &ana.post(1)).unwrap(), 404);
}

/// A failure means that an instance whose log is Kafka has none of what comes to its inboxes.
#[test]
fn with_kafka_a_post_is_in_the_topic_when_it_is_answered() {
    let dir = TempDir::new().unwrap();
    let broker = Broker::start(dir.path());
    broker.create_topics(4, 4);
    let inbox = Inbox::start_within(
        dir,
        |table| instance::on_kafka(&broker.address(), table),
        LOOPBACK,
        Around::default(),
    );
    let ana = Actor::start("ana", Keys::first());
    inbox.follows(&ana.id);
    assert_eq!(inbox.deliver(&ana.post(1)), 202);
    assert_eq!(inbox.recorded(), 1.0);
    let entry = inbox.wait_for_post(&ana.uri(1));
    assert_eq!(entry["verdict"], "in_time");
}

/// A failure means that keys are fetched from whoever says to be that host, or from nobody.
#[test]
fn keys_are_fetched_over_tls_from_whom_a_certificate_vouches_for() {
    let tls = Tls::start();
    let ana = Actor::start("ana", Keys::first());
    let ana = ana.moved_to(&format!("https://localhost:{}/users/ana", tls.port));
    tls.serves("users/ana", &ana.document());
    let lines = "allow_addresses = [\"127.0.0.1\", \"::1\"]\n";
    let strict = Inbox::start_with(lines);
    strict.check_not_recorded(&ana.post(1), "no_key");

    let around = Around {
        environment: vec![("SSL_CERT_FILE".to_owned(), tls.authority())],
        ..Around::default()
    };
    let inbox = Inbox::start_within(TempDir::new().unwrap(), instance::built_in, lines, around);
    inbox.follows(&ana.id);
    assert_eq!(inbox.deliver(&ana.post(2)), 202);
    inbox.wait_for_post(&ana.uri(2));
}

/// A failure means that an account that changed its keys, as after a move of servers, is never heard again.
#[test]
fn a_new_key_is_fetched_and_the_old_one_is_good_no_longer() {
    let inbox = Inbox::start();
    let ana = Actor::start("ana", Keys::first());
    inbox.follows(&ana.id);
    assert_eq!(inbox.deliver(&ana.post(1)), 202);
    let old = ana.post(2);
    ana.changes_its_keys(Keys::second());
    // Her document is not read again for a while after it was: whoever makes signatures up would have it read all the time.
    let mut n = 2;
    let new = wait_for("her new key to be believed", || {
        n += 1;
        let before = inbox.recorded();
        assert_eq!(inbox.deliver(&ana.post(n)), 202);
        (before < inbox.recorded()).then_some(n)
    });
    inbox.wait_for_post(&ana.uri(new));
    inbox.check_not_recorded(&old, "wrong_signature");
    assert_eq!(ana.server.seen().len(), 2);
}

/// A failure means that one server can keep posts of others, or the answers to their servers, waiting; or have us call what is not
/// public.
#[test]
fn a_server_whose_keys_cannot_be_had_harms_nobody_else() {
    let inbox = Inbox::start();
    let ana = Actor::start("ana", Keys::first());
    inbox.follows(&ana.id);
    let elsewhere = StandIn::start(|_| accepted());
    let bob = || Actor::start("bob", Keys::second());
    let is = |says: Says| {
        let bob = bob();
        bob.server.answers(move |_| says.clone());
        bob
    };
    let redirect = |to: &str| {
        let head = format!(
            "HTTP/1.1 302 So\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        );
        Says::Bytes(head.into_bytes())
    };
    let elsewhere_at = |host: &str| format!("http://{host}:{}/users/bob", elsewhere.address.port());
    let html = bob();
    let document = html.document();
    html.server
        .answers(move |_| says(200, "text/html", &document));
    for (what, bob) in [
        ("gone", is(says(410, "text/plain", "gone"))),
        ("forbidden", is(says(401, "text/plain", "sign it"))),
        ("broken", is(Says::Bytes(b"nonsense".to_vec()))),
        ("huge", is(Says::Endlessly)),
        ("an upload", html),
        (
            "leads to another port",
            is(redirect(&elsewhere_at("127.0.0.1"))),
        ),
        (
            "leads to a private address",
            is(redirect(&elsewhere_at("127.0.0.2"))),
        ),
        ("leads to a file", is(redirect("file:///etc/passwd"))),
        ("leads to itself", is(redirect("/users/bob"))),
    ] {
        println!("{what}");
        let begun = clock::stopwatch();
        inbox.check_not_recorded(&bob.post(1), "no_key");
        // Given up for what it is, and not for the ten seconds that it may take.
        assert!(begun.elapsed() < Duration::from_secs(9), "{what}");
        assert!(bob.server.seen().len() <= 4, "{what}");
    }
    assert_eq!(elsewhere.seen().len(), 0);
    // Slow ones are waited for, by nobody.
    let slow = is(Says::Nothing);
    let begun = clock::stopwatch();
    assert_eq!(inbox.deliver(&slow.post(1)), 202);
    // Less than its fetch takes.
    assert!(begun.elapsed() < Duration::from_secs(9));
    assert_eq!(inbox.deliver(&ana.post(1)), 202);
    inbox.wait_for_post(&ana.uri(1));
    wait_for("the slow one to be given up", || {
        (9.0 < inbox.not_recorded("no_key")).then_some(())
    });
}

/// A failure means that the first post of somebody whose small server is overrun, since all who got the post ask it for her key, is
/// missing.
#[test]
fn a_server_that_is_busy_for_a_moment_is_asked_once_more() {
    let inbox = Inbox::start();
    let ana = Actor::start("ana", Keys::first());
    inbox.follows(&ana.id);
    let (document, mut asked) = (ana.document(), 0);
    ana.server.answers(move |_| {
        asked += 1;
        match asked {
            1 => says(503, "text/plain", "not now"),
            _ => says(200, "application/activity+json", &document),
        }
    });
    assert_eq!(inbox.deliver(&ana.post(1)), 202);
    inbox.wait_for_post(&ana.uri(1));
    assert_eq!(ana.server.seen().len(), 2);
}

/// A failure means that somebody who has a slow server, and as many actors there as they like, keeps posts of others out of feeds.
#[test]
fn a_flood_of_strangers_whose_keys_do_not_come_keeps_out_nobody_whose_key_is_known() {
    const STRANGERS: usize = 300;
    let inbox = Inbox::start();
    let ana = Actor::start("ana", Keys::first());
    inbox.follows(&ana.id);
    assert_eq!(inbox.deliver(&ana.post(1)), 202);
    let slow = StandIn::start(|_| Says::Nothing);
    let begun = clock::stopwatch();
    std::thread::scope(|scope| {
        for n in 0..STRANGERS {
            let eve = Actor::start("eve", Keys::second());
            let eve = eve.moved_to(&format!("{}/users/eve{n}", slow.base()));
            let (inbox, post) = (&inbox, eve.post(1));
            scope.spawn(move || assert_eq!(inbox.deliver(&post), 202));
        }
        // They all are here, and have one host: there is room for 256 of it.
        let is_full = || STRANGERS as f64 - 256.0 <= inbox.not_recorded("busy");
        // In less time than the others wait until they are given up.
        let full = wait_within(Duration::from_secs(40), || is_full().then_some(()));
        assert!(full.is_some(), "{}", inbox.not_recorded("busy"));
        assert_eq!(inbox.deliver(&ana.post(2)), 202);
        assert_eq!(inbox.recorded(), 2.0);
    });
    inbox.wait_for_post(&ana.uri(2));
    // Eight at a time, of which each is given up after ten seconds.
    let rounds = 1 + begun.elapsed().as_secs() / 10;
    assert!(slow.came().len() as u64 <= 8 * rounds);
}

/// A failure means that strangers have this machine call what only this machine can reach.
#[test]
fn an_address_that_is_not_public_is_asked_for_no_key_unless_it_is_allowed() {
    let inbox = Inbox::start_with("");
    let ana = Actor::start("ana", Keys::first());
    inbox.check_not_recorded(&ana.post(1), "no_key");
    assert_eq!(ana.server.seen().len(), 0);
    let other = Inbox::start_with("allow_addresses = [\"127.0.0.2/31\"]\n");
    other.check_not_recorded(&ana.post(1), "no_key");
    assert_eq!(ana.server.seen().len(), 0);
}

/// A failure means that posts of servers that answer no fetch without a signature are never recorded.
#[test]
fn fetches_are_signed_with_the_key_that_is_configured() {
    let dir = TempDir::new().unwrap();
    let key = dir.path().join("key.pem");
    let made = std::process::Command::new("openssl")
        .args(["genpkey", "-algorithm", "RSA", "-out"])
        .arg(&key)
        .output()
        .unwrap();
    assert!(made.status.success());
    let lines = format!(
        "allow_addresses = [\"127.0.0.1\"]\nkey = \"file:{}\"\nkey_id = \"https://{HOME}/actor#main-key\"\n",
        key.display()
    );
    let inbox = Inbox::start_within(dir, instance::built_in, &lines, Around::default());
    let ana = Actor::start("ana", Keys::first());
    inbox.follows(&ana.id);
    assert_eq!(inbox.deliver(&ana.post(1)), 202);
    inbox.wait_for_post(&ana.uri(1));
    let seen = ana.server.seen();
    let header = |name: &str| {
        let headers = seen[0].headers.iter();
        let value = headers.filter_map(|line| line.split_once(": "));
        let value = value.filter(|(it, _)| it.eq_ignore_ascii_case(name));
        value.map(|(_, value)| value.to_owned()).next().expect(name)
    };
    assert_eq!(header("host"), ana.server.address.to_string());
    let signature = header("signature");
    let begins = format!("keyId=\"https://{HOME}/actor#main-key\",algorithm=\"rsa-sha256\"");
    assert!(signature.starts_with(&begins), "{signature}");
    assert!(header("date").ends_with(" GMT"));
}

/// A failure means that a sender was told 202, and the post is gone.
#[test]
fn whatever_was_answered_2xx_survives_the_service_being_killed() {
    const KILLS: u64 = 5;
    let mut inbox = Inbox::start();
    let ana = Actor::start("ana", Keys::first());
    inbox.follows(&ana.id);
    let next = Arc::new(AtomicU64::new(0));
    let mut answered = Vec::new();
    for turn in 0..KILLS {
        let (told, posts) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let (told, next, ana, inbox) = (told.clone(), &next, &ana, &inbox);
                scope.spawn(move || {
                    // Until it is killed.
                    loop {
                        let n = next.fetch_add(1, Ordering::Relaxed);
                        match inbox.try_deliver(&ana.post(n)) {
                            Ok(202) => told.send(n).expect("somebody who listens"),
                            Ok(status) => panic!("{status}"),
                            Err(_) => break,
                        }
                    }
                });
            }
            drop(told);
            let mut count = 0;
            for n in &posts {
                answered.push(n);
                count += 1;
                if count == 10 + turn {
                    let pid = inbox.instance.pid().to_string();
                    let killed = std::process::Command::new("kill")
                        .args(["-9", &pid])
                        .status();
                    assert!(killed.unwrap().success());
                }
            }
        });
        inbox.instance.restart();
    }
    inbox.instance.wait_until_ready();
    for n in &answered {
        inbox.wait_for_post(&ana.uri(*n));
    }
    assert!(KILLS * 10 <= answered.len() as u64);
}

/// A failure means that a log that fails for a while costs posts, or keeps the server's answers back.
#[test]
fn while_the_log_takes_nothing_answers_go_back_and_posts_are_recorded_once_it_does() {
    let dir = TempDir::new().unwrap();
    let failing = Failing::new(dir.path());
    let around = Around {
        environment: failing.environment(),
        ..Around::default()
    };
    let log = dir.path().join("log");
    let inbox = Inbox::start_within(dir, instance::built_in, LOOPBACK, around);
    let ana = Actor::start("ana", Keys::first());
    inbox.follows(&ana.id);
    assert_eq!(inbox.deliver(&ana.post(1)), 202);
    failing.fail(ENOSPC, &log);
    let begun = clock::stopwatch();
    assert_eq!(inbox.deliver(&ana.post(2)), 202);
    assert!(begun.elapsed() < Duration::from_secs(30));
    assert_eq!(inbox.recorded(), 1.0);
    assert_eq!(inbox.instance.door.metric("slackwater_inbox_pending"), 1.0);
    failing.stop();
    inbox.wait_for_post(&ana.uri(2));
    assert_eq!(inbox.recorded(), 2.0);
}
