//! Who may read what, over real connections to the real binary: service tokens, tokens the backend signs, and tokens that
//! somebody else is asked about.

use crate::support::instance::{self, Door, Instance};
use crate::support::wait_for;
use crate::support::watcher::{Came, Stream};
use reqwest::Method;
use serde_json::json;
use slackwater::api::auth::jwt;
use slackwater::api::auth::secret::Secret;
use slackwater::{clock, config};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

const SERVICE: &str = "0123456789abcdef";
const SECRET: &str = "fedcba9876543210fedcba9876543210";
const ANA: &str = "https://a.example/users/ana";
const HOME: &str = "/v1/accounts/7/feeds/home";

fn signed_tokens(more: &str) -> String {
    let auth = format!(
        "[auth]\nservice_tokens = [\"{SERVICE}\"]\n[auth.jwt]\nalgorithm = \"HS256\"\nkey = \"{SECRET}\"\n"
    );
    instance::built_in(&format!("{auth}{more}"))
}

fn mint(account: &str, scope: &str, lives: Duration) -> String {
    let options = jwt::Options {
        algorithm: jwt::Algorithm::Hs256,
        key: Secret::new(SECRET),
        issuer: None,
        audience: None,
    };
    jwt::mint(&options, &options.key, account, scope, clock::now(), lives).unwrap()
}

fn minute() -> Duration {
    Duration::from_secs(60)
}

fn status(door: &Door, path: &str, token: Option<&str>) -> u16 {
    let mut request = door.request(Method::GET, path);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    request.send().unwrap().status().as_u16()
}

/// Relations, as the backend sends them.
fn relate(door: &Door, documents: &[serde_json::Value]) {
    let lines: Vec<String> = documents.iter().map(ToString::to_string).collect();
    let request = door
        .request(Method::POST, "/v1/relationships")
        .bearer_auth(SERVICE);
    let request = request.header("content-type", "application/x-ndjson");
    assert_eq!(request.body(lines.join("\n")).send().unwrap().status(), 202);
}

fn people(door: &Door) {
    relate(
        door,
        &[
            json!({"type": "follow", "account": "7", "target": ANA}),
            json!({"type": "follow", "account": "8", "target": ANA}),
            json!({"type": "list", "account": "7", "target": "42", "title": "Friends"}),
            json!({"type": "list", "account": "8", "target": "43", "title": "Others"}),
        ],
    );
}

#[test]
fn a_user_reads_their_own_feeds_and_nothing_else() {
    let dir = TempDir::new().unwrap();
    let instance = Instance::start(dir.path(), &signed_tokens(""));
    let door = &instance.door;
    people(door);
    let mine = mint("7", "read", minute());
    let check = |path: &str, token: Option<&str>, expected: u16| {
        assert_eq!(status(door, path, token), expected, "{path}");
    };
    for path in [
        HOME,
        "/v1/accounts/7/feeds/list:42",
        "/v1/feeds/public",
        "/v1/feeds/tag/rust?account=7",
        "/v1/accounts/7/ordering",
    ] {
        check(path, Some(&mine), 200);
        check(path, Some(SERVICE), 200);
        check(path, None, 401);
        check(path, Some("rubbish"), 401);
        check(
            path,
            Some(&mint("7", "read", Duration::ZERO).replace('.', "-")),
            401,
        );
        check(path, Some(&mint("7", "follow", minute())), 403);
    }
    for path in [
        "/v1/accounts/8/feeds/home",
        "/v1/accounts/8/feeds/list:43",
        "/v1/feeds/public?account=8",
        "/v1/accounts/8/ordering",
        "/v1/posts/1",
        "/v1/origins",
        "/metrics",
    ] {
        check(path, Some(&mine), 403);
    }
    // Whose list it is stands in the path; there is no other way to it.
    check("/v1/accounts/7/feeds/list:43", Some(&mine), 404);
    let write = |method: Method, path: &str, token: &str| {
        let request = door.request(method, path).bearer_auth(token);
        let request = request.header("content-type", "application/json");
        request
            .body(r#"{"patience":"5s"}"#)
            .send()
            .unwrap()
            .status()
            .as_u16()
    };
    let ordering = "/v1/accounts/7/ordering";
    assert_eq!(write(Method::PUT, ordering, &mine), 403);
    let writer = mint("7", "read write", minute());
    assert_eq!(write(Method::PUT, ordering, &writer), 200);
    assert_eq!(write(Method::PUT, "/v1/accounts/8/ordering", &writer), 403);
    assert_eq!(write(Method::POST, "/v1/activities", &writer), 403);
    assert_eq!(write(Method::POST, "/v1/relationships", &writer), 403);
    check("/healthz", None, 200);
}

/// A failure means that an instance without tokens, behind a proxy that writes its own `Host`, is everybody's on the internet.
#[test]
fn without_tokens_nobody_is_let_in_who_was_passed_on_for_somebody_else() {
    let dir = TempDir::new().unwrap();
    let instance = Instance::start(dir.path(), &instance::built_in(""));
    let asked = |name: &str, value: &str| {
        let request = instance.door.request(Method::GET, "/v1/origins");
        let answer = request.header(name, value).send().unwrap();
        (answer.status().as_u16(), answer.text().unwrap())
    };
    for (name, value) in [
        ("x-forwarded-for", "198.51.100.1"),
        ("x-forwarded-for", "127.0.0.1, 198.51.100.1"),
        ("x-real-ip", "198.51.100.1"),
        ("forwarded", "for=\"[2001:db8::17]:4711\""),
    ] {
        let (status, told) = asked(name, value);
        assert_eq!(status, 403, "{name}: {value}");
        assert!(
            told.contains(name) && told.contains("auth.service_tokens"),
            "{told}"
        );
    }
    assert_eq!(asked("x-forwarded-for", "127.0.0.1").0, 200);
    assert_eq!(asked("x-forwarded-proto", "https").0, 200);
    // With tokens it is they that say who asks.
    let dir = TempDir::new().unwrap();
    let instance = Instance::start(dir.path(), &signed_tokens(""));
    let request = instance.door.request(Method::GET, "/v1/origins");
    let request = request
        .bearer_auth(SERVICE)
        .header("x-forwarded-for", "198.51.100.1");
    assert_eq!(request.send().unwrap().status(), 200);
}

/// A failure means that what a client writes into its `Host` ends up in links and pictures of others.
#[test]
fn a_host_that_is_none_is_refused() {
    let dir = TempDir::new().unwrap();
    let instance = Instance::start(dir.path(), &signed_tokens(""));
    let address = instance
        .door
        .base()
        .trim_start_matches("http://")
        .to_owned();
    let status = |hosts: &str| {
        let mut stream = TcpStream::connect(&address).unwrap();
        let head = format!("GET /api/v1/instance HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer[9..12].to_owned()
    };
    assert_eq!(status("Host: social.example:8080\r\n"), "200");
    assert_eq!(status("Host: a\"><b>\r\n"), "400");
    assert_eq!(status("Host: user@social.example\r\n"), "400");
    assert_eq!(status("Host: a.example\r\nHost: b.example\r\n"), "400");
}

#[test]
fn a_stream_takes_its_token_from_header_query_and_subprotocol() {
    let dir = TempDir::new().unwrap();
    let instance = Instance::start(dir.path(), &signed_tokens(""));
    let door = &instance.door;
    people(door);
    let (mine, path) = (mint("7", "read", minute()), format!("{HOME}/stream"));
    let bearer = format!("Bearer {mine}");
    let in_query = |token: &str| format!("{path}?access_token={token}");
    let protocol = [("sec-websocket-protocol", mine.as_str())];
    let mut good = [
        Stream::open(door, &path, &[("authorization", &bearer)]).unwrap(),
        Stream::open(door, &in_query(&mine), &[]).unwrap(),
        // The client would refuse a connection on which the protocol it asked for is not echoed.
        Stream::open(door, &path, &protocol).unwrap(),
    ];
    for stream in &mut good {
        assert_eq!(stream.text()["kind"], "hello");
    }
    let refused = |path: &str, headers: &[(&str, &str)]| Stream::open(door, path, headers).err();
    assert_eq!(refused(&path, &[]), Some(401));
    assert_eq!(refused(&in_query("rubbish"), &[]), Some(401));
    assert_eq!(
        refused(&path, &[("authorization", "Bearer rubbish")]),
        Some(401)
    );
    assert_eq!(
        refused(&path, &[("sec-websocket-protocol", "rubbish")]),
        Some(401)
    );
    let other = "/v1/accounts/8/feeds/home/stream";
    assert_eq!(
        refused(&format!("{other}?access_token={mine}"), &[]),
        Some(403)
    );
    assert_eq!(
        refused("/v1/accounts/7/feeds/list:42/stream", &[]),
        Some(401)
    );
    // In a query only where no header can be set.
    assert_eq!(
        status(door, &format!("{HOME}?access_token={mine}"), None),
        401
    );
}

#[test]
fn public_feeds_are_open_if_the_configuration_says_so() {
    let dir = TempDir::new().unwrap();
    let auth = format!("[auth]\nservice_tokens = [\"{SERVICE}\"]\npublic_feeds_open = true\n");
    let instance = Instance::start(dir.path(), &instance::built_in(&auth));
    let door = &instance.door;
    people(door);
    for path in ["/v1/feeds/public", "/v1/feeds/tag/rust"] {
        assert_eq!(status(door, path, None), 200);
        assert_eq!(status(door, &format!("{path}?account=7"), None), 401);
        let mut stream = Stream::open(door, &format!("{path}/stream"), &[]).unwrap();
        assert_eq!(stream.text()["kind"], "hello");
    }
    assert_eq!(status(door, HOME, None), 401);
    // Not by another spelling of the path either.
    assert_eq!(
        status(door, "/v1/feeds/../accounts/7/feeds/home", None),
        401
    );
    assert_ne!(
        status(
            door,
            "/v1/feeds/public/..%2f..%2faccounts/7/feeds/home",
            None
        ),
        200
    );
}

#[test]
fn a_token_that_ends_ends_its_streams() {
    let dir = TempDir::new().unwrap();
    let instance = Instance::start(dir.path(), &signed_tokens(""));
    let door = &instance.door;
    people(door);
    let short = mint("7", "read", Duration::from_secs(1));
    let begun = clock::stopwatch();
    let mut stream =
        Stream::open(door, &format!("{HOME}/stream?access_token={short}"), &[]).unwrap();
    assert_eq!(stream.text()["kind"], "hello");
    assert!(matches!(stream.next(), Came::Closed(4401)));
    // It may be five seconds over, for clocks that differ.
    let took = begun.elapsed();
    assert!(Duration::from_secs(4) < took && took < minute(), "{took:?}");
    assert_eq!(status(door, HOME, Some(&short)), 401);
}

#[test]
fn the_command_line_makes_a_token_that_is_taken() {
    let dir = TempDir::new().unwrap();
    let instance = Instance::start(dir.path(), &signed_tokens(""));
    people(&instance.door);
    let run = |arguments: &[&str]| {
        let mut command = Command::new(instance::binary());
        command.arg("token").args(arguments).current_dir(dir.path());
        command.output().unwrap()
    };
    let minted = run(&["7"]);
    assert!(minted.status.success(), "{minted:?}");
    let token = String::from_utf8(minted.stdout).unwrap();
    assert_eq!(status(&instance.door, HOME, Some(token.trim())), 200);
    let minted = run(&["7", "--scope", "write", "--lives", "5m"]);
    let token = String::from_utf8(minted.stdout).unwrap();
    assert_eq!(status(&instance.door, HOME, Some(token.trim())), 403);
    std::fs::write(dir.path().join("other.toml"), "").unwrap();
    let none = run(&["7", "--config", "other.toml"]);
    assert!(!none.status.success());
    let said = String::from_utf8(none.stderr).unwrap();
    assert!(said.contains("other.toml has no [auth.jwt]"), "{said}");
}

#[test]
fn who_asks_too_often_is_told_to_wait() {
    let dir = TempDir::new().unwrap();
    let config = signed_tokens("").replace("[http]\n", "[http]\nrequests_per_minute = 5\n");
    let instance = Instance::start(dir.path(), &config);
    let door = &instance.door;
    people(door);
    let (mine, other) = (mint("7", "read", minute()), mint("8", "read", minute()));
    for _ in 0..5 {
        assert_eq!(status(door, HOME, Some(&mine)), 200);
    }
    let request = door.request(Method::GET, HOME).bearer_auth(&mine);
    let answer = request.send().unwrap();
    assert_eq!(answer.status(), 429);
    let wait: u32 = answer.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=13).contains(&wait), "{wait}");
    // Another token of the same account does not help; another account is another.
    assert_eq!(
        status(door, HOME, Some(&mint("7", "read:statuses", minute()))),
        429
    );
    assert_eq!(status(door, "/v1/accounts/8/feeds/home", Some(&other)), 200);
    for _ in 0..10 {
        assert_eq!(
            status(door, HOME, Some(SERVICE)),
            200,
            "the backend's are not counted"
        );
    }
    // Guessing is counted by where it is done.
    let guesses: Vec<u16> = (0..10)
        .map(|n| status(door, HOME, Some(&format!("guess-{n}"))))
        .collect();
    assert_eq!(guesses, [[401; 5], [429; 5]].concat());
}

/// Whoever knows of tokens, as RFC 7662 says: a server of its own, over a socket.
struct Introspector {
    address: String,
    known: Arc<Mutex<HashMap<String, String>>>,
    /// How often it was asked about each.
    asked: Arc<Mutex<HashMap<String, usize>>>,
}

impl Introspector {
    fn start() -> Introspector {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let introspector = Introspector {
            address,
            known: Arc::default(),
            asked: Arc::default(),
        };
        let (known, asked) = (
            Arc::clone(&introspector.known),
            Arc::clone(&introspector.asked),
        );
        std::thread::spawn(move || {
            for tcp in listener.incoming() {
                let (known, asked) = (Arc::clone(&known), Arc::clone(&asked));
                std::thread::spawn(move || {
                    // Whoever asked may have been killed meanwhile.
                    let _ = answer(&tcp.unwrap(), &known, &asked);
                });
            }
        });
        introspector
    }

    fn config(&self) -> String {
        let address = &self.address;
        instance::built_in(&format!(
            "[auth]\nservice_tokens = [\"{SERVICE}\"]\n[auth.introspection]\nurl = \"http://{address}/introspect\"\n\
             client_id = \"slack water\"\nclient_secret = \"hush%\"\nremember = \"1s\"\n"
        ))
    }

    fn say(&self, token: &str, answer: &serde_json::Value) {
        self.known
            .lock()
            .unwrap()
            .insert(token.to_owned(), answer.to_string());
    }

    fn asked(&self, token: &str) -> usize {
        self.asked.lock().unwrap().get(token).copied().unwrap_or(0)
    }
}

fn answer(
    tcp: &TcpStream,
    known: &Mutex<HashMap<String, String>>,
    asked: &Mutex<HashMap<String, usize>>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(tcp);
    loop {
        let (mut line, mut length, mut client) = (String::new(), 0, String::new());
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        assert!(line.starts_with("POST /introspect "), "{line}");
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            let header = header.trim().to_owned();
            if header.is_empty() {
                break;
            }
            let (name, value) = header.split_once(": ").unwrap();
            match name.to_lowercase().as_str() {
                "content-length" => length = value.parse().unwrap(),
                "authorization" => client = value.to_owned(),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        // "slack+water:hush%25", as RFC 6749 says in section 2.3.1.
        assert_eq!(client, "Basic c2xhY2srd2F0ZXI6aHVzaCUyNQ==");
        let form: HashMap<String, String> =
            url::form_urlencoded::parse(&body).into_owned().collect();
        let token = form["token"].clone();
        *asked.lock().unwrap().entry(token.clone()).or_default() += 1;
        let found = known.lock().unwrap().get(&token).cloned();
        let (status, found) = match found {
            Some(found) if found == "\"broken\"" => ("500 Internal Server Error", String::new()),
            Some(found) => ("200 OK", found),
            None => ("200 OK", r#"{"active":false}"#.to_owned()),
        };
        let length = found.len();
        write!(
            &mut { tcp },
            "HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{found}"
        )?;
    }
}

#[test]
fn tokens_that_say_nothing_are_asked_about_and_the_answer_is_believed_for_a_moment() {
    let introspector = Introspector::start();
    let dir = TempDir::new().unwrap();
    let instance = Instance::start(dir.path(), &introspector.config());
    let door = &instance.door;
    people(door);
    introspector.say(
        "good",
        &json!({"active": true, "sub": "7", "scope": "read write"}),
    );
    introspector.say(
        "ended",
        &json!({"active": true, "sub": "7", "scope": "read", "exp": 1}),
    );
    introspector.say("nobodys", &json!({"active": true, "scope": "read"}));
    introspector.say(
        "inactive",
        &json!({"active": false, "sub": "7", "scope": "read"}),
    );
    introspector.say("empty", &json!({}));
    introspector.say(
        "long",
        &json!({"active": true, "sub": "7", "scope": "read", "more": "x".repeat(100_000)}),
    );
    introspector.say("broken", &json!("broken"));
    for _ in 0..5 {
        assert_eq!(status(door, HOME, Some("good")), 200);
    }
    assert!(
        introspector.asked("good") <= 2,
        "{}",
        introspector.asked("good")
    );
    assert_eq!(status(door, "/v1/accounts/8/feeds/home", Some("good")), 403);
    for bad in ["ended", "nobodys", "inactive", "unknown"] {
        assert_eq!(status(door, HOME, Some(bad)), 401, "{bad}");
    }
    for unanswered in ["empty", "long", "broken"] {
        assert_eq!(status(door, HOME, Some(unanswered)), 503, "{unanswered}");
    }
    assert_eq!(status(door, HOME, Some(SERVICE)), 200);
    assert_eq!(introspector.asked(SERVICE), 0, "secrets of ours go nowhere");
}

/// A failure means that whoever sends guesses makes this service flood whoever knows of tokens, and keeps others waiting.
#[test]
fn nobody_is_asked_about_guesses_without_end() {
    let introspector = Introspector::start();
    let dir = TempDir::new().unwrap();
    let config = introspector.config();
    let config = config.replace("[http]\n", "[http]\nrequests_per_minute = 5\n");
    let instance = Instance::start(dir.path(), &config);
    let guesses: Vec<String> = (0..10).map(|n| format!("guess-{n}")).collect();
    let statuses: Vec<u16> = guesses
        .iter()
        .map(|guess| status(&instance.door, HOME, Some(guess)))
        .collect();
    assert_eq!(statuses, [[401; 5], [429; 5]].concat());
    let asked: usize = guesses.iter().map(|guess| introspector.asked(guess)).sum();
    assert_eq!(asked, 5);
}

/// A failure means that a token whose end is known is good for as long as nobody can be asked.
#[test]
fn a_token_that_ends_ends_its_streams_while_nobody_answers() {
    let introspector = Introspector::start();
    let dir = TempDir::new().unwrap();
    let instance = Instance::start(dir.path(), &introspector.config());
    let door = &instance.door;
    people(door);
    let end = clock::now().millis() / 1000 + 2;
    introspector.say(
        "good",
        &json!({"active": true, "sub": "7", "scope": "read", "exp": end}),
    );
    let path = format!("{HOME}/stream?access_token=good");
    let mut stream = Stream::open(door, &path, &[]).unwrap();
    assert_eq!(stream.text()["kind"], "hello");
    introspector.say("good", &json!("broken"));
    assert!(matches!(stream.next(), Came::Closed(4401)));
    assert!(
        introspector.asked("good") < 20,
        "{}",
        introspector.asked("good")
    );
}

#[test]
fn a_token_that_is_revoked_ends_its_streams() {
    let introspector = Introspector::start();
    let dir = TempDir::new().unwrap();
    let instance = Instance::start(dir.path(), &introspector.config());
    let door = &instance.door;
    people(door);
    introspector.say(
        "good",
        &json!({"active": true, "sub": "7", "scope": "read"}),
    );
    let mut stream = Stream::open(door, &format!("{HOME}/stream?access_token=good"), &[]).unwrap();
    assert_eq!(stream.text()["kind"], "hello");
    // Whoever knows does not answer for a while: nobody is sent away for that.
    introspector.say("good", &json!("broken"));
    let before = introspector.asked("good");
    wait_for("a question", || {
        (before < introspector.asked("good")).then_some(())
    });
    introspector.say("good", &json!({"active": false}));
    assert!(matches!(stream.next(), Came::Closed(4401)));
    assert_eq!(status(door, HOME, Some("good")), 401);
}

/// The configuration is what it is read as, with a key in a file.
#[test]
fn keys_are_read_from_files() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("key");
    std::fs::write(&file, format!("{SECRET}\n")).unwrap();
    let text = format!(
        "auth.service_tokens = [\"{SERVICE}\"]\nauth.jwt.algorithm = \"HS256\"\nauth.jwt.key = \"file:{}\"",
        file.display()
    );
    let environment = config::Environment {
        variable: &|_| None,
        memory_bytes: 0,
        variables: Vec::new(),
        missing_token: config::MissingToken::Assume,
    };
    let config = config::parse(&text, "s.toml", &environment).unwrap();
    assert_eq!(config.auth.jwt.unwrap().key, Secret::new(SECRET));
}
