//! The operator's page, in a real browser before the real binary: `tests/clients/desk.mjs` looks and says what it finds.

mod nodes;
mod views;

use crate::clients::{Client, clients};
use crate::support::instance::binary;
use crate::support::service::Service;
use crate::support::surface::{SERVICE, Surface, note, uri};
use serde_json::{Value, json};
use slackwater::clock;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

const SCRIPT: &str = "desk.mjs";

/// A browser that looks at the page of a service.
pub(crate) struct Browser {
    client: Client,
    _profile: TempDir,
}

impl Browser {
    pub(crate) fn start(base: &str, token: &str, what: &str) -> Browser {
        let profile = TempDir::new().unwrap();
        let environment = [("SLACKWATER_TEST_PROFILE", profile.path().to_owned())];
        Browser {
            client: Client::start_at(base, token, SCRIPT, what, &environment),
            _profile: profile,
        }
    }

    /// One that has the token of the backend.
    fn of(surface: &Surface, what: &str) -> Browser {
        Browser::start(surface.door().base(), SERVICE, what)
    }

    pub(crate) fn said(&self, field: &str) -> Value {
        self.client.said(field)
    }

    /// A failure means that the page fails in the browser, or asks somebody else for something.
    pub(crate) fn ends_clean(&self) {
        assert_eq!(self.said("errors"), json!([]));
        assert_eq!(self.said("elsewhere"), json!([]));
    }
}

/// The posts of an origin that took so long, as lines.
fn posts(surface: &Surface, host: &str, count: u64, delay: Duration) {
    let now = clock::now();
    let line = |n: u64| {
        let actor = format!("https://{host}/users/ana");
        let published = now.minus(delay).minus(Duration::from_secs(n)).rfc3339();
        let uri = format!("{actor}/posts/{}-{n}", delay.as_millis());
        let note = json!({"type": "Note", "id": uri, "attributedTo": actor, "content": "<p>low tide</p>",
            "published": published, "to": ["https://www.w3.org/ns/activitystreams#Public"]});
        let create =
            json!({"type": "Create", "id": format!("{uri}#c"), "actor": actor, "object": note});
        json!({"activity": create, "arrived_at": now.minus(Duration::from_secs(n)).rfc3339()})
    };
    surface.tell(&(0..count).map(line).collect::<Vec<_>>());
}

#[test]
fn the_functions_of_the_page_do_as_they_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = std::fs::read_dir(root.join("tests/desk")).unwrap();
    let files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    assert!(!files.is_empty());
    let node = clients().join("node/node_modules/.bin/node");
    let ran = Command::new(node).arg("--test").args(files).output();
    let ran = ran.unwrap_or_else(|e| panic!("node: {e}: run tests/run"));
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}");
}

#[test]
fn its_files_are_for_anybody_and_let_a_browser_do_no_more_than_it_needs() {
    let mut service = Service::start("[auth]\nservice_tokens = [\"0123456789abcdef\"]");
    let page = service.get("/");
    assert_eq!(page.status(), 200);
    let header = |name: &str| page.headers()[name].to_str().unwrap().to_owned();
    let policy = header("content-security-policy");
    let policy: BTreeSet<&str> = policy.split("; ").collect();
    let wanted = BTreeSet::from([
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' data:",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'none'",
    ]);
    assert_eq!(policy, wanted);
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert_eq!(header("referrer-policy"), "no-referrer");
    assert_eq!(header("cache-control"), "no-cache");
    assert_eq!(header("content-type"), "text/html; charset=utf-8");
    let tag = header("etag");
    let again = service.client().get(service.url("/"));
    let again = again.header("if-none-match", &tag).send().unwrap();
    assert_eq!(again.status(), 304);
    assert_eq!(again.text().unwrap(), "");
    let script = service.get("/desk/app.js");
    assert_eq!(
        script.headers()["content-type"],
        "text/javascript; charset=utf-8"
    );
    assert_eq!(service.get("/desk/other.js").status(), 404);
    assert_eq!(service.get("/desk/..%2Fmod.rs").status(), 404);
    // The page is for anybody, what it shows is not.
    assert_eq!(service.get("/metrics").status(), 401);
    assert!(service.stop().success());
}

#[test]
fn its_numbers_change_when_posts_come() {
    let surface = Surface::start("");
    posts(&surface, "punctual.example", 3, Duration::from_secs(1));
    let client = Browser::of(&surface, "overview");
    assert_eq!(client.said("title"), "Overview · Slackwater");
    assert_eq!(client.said("posts"), "3");
    posts(&surface, "slow.example", 1, Duration::from_secs(600));
    assert_eq!(client.said("after"), "4");
    let verdicts = json!(["in time 3 75 %", "late 1 25 %"]);
    assert_eq!(client.said("verdicts"), verdicts);
    client.ends_clean();
}

#[test]
fn origins_are_sorted_searched_and_shown_in_pages() {
    let surface = Surface::start("");
    for n in 0..24 {
        let delay = Duration::from_secs(if n == 7 { 300 } else { 1 });
        posts(&surface, &format!("h{n:02}.example"), 1, delay);
    }
    posts(&surface, "slow.example", 3, Duration::from_secs(600));
    let client = Browser::of(&surface, "origins");
    let first = client.said("first");
    assert_eq!(first[0], json!([["late", "descending"]]));
    assert_eq!(first[1][0], "slow.example");
    assert_eq!(first[1][1], "h07.example");
    assert_eq!(first[1].as_array().unwrap().len(), 20);
    let by_host = client.said("by_host");
    assert_eq!(by_host[0], json!([["host", "ascending"]]));
    assert_eq!(by_host[1][0], "h00.example");
    let reversed = client.said("reversed");
    assert_eq!(reversed[0], json!([["host", "descending"]]));
    assert_eq!(reversed[1][0], "slow.example");
    let rest: Vec<String> = (0..5).rev().map(|n| format!("h{n:02}.example")).collect();
    assert_eq!(client.said("second_page"), json!(rest));
    assert_eq!(client.said("found"), json!(["h07.example"]));
    let row = client.said("row");
    let row: Vec<&str> = row
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it.as_str().unwrap())
        .collect();
    assert_eq!(row[1], "1", "posts");
    assert_eq!(row[3], "30 s fixed", "the window");
    assert_eq!(row[4..7], ["0 %", "1", "0"], "in time, late, too late");
    client.ends_clean();
}

#[test]
fn a_window_is_said_to_be_learned_or_not_yet_and_a_delay_to_look_scheduled() {
    let surface = Surface::start("[ordering]\nreorder_window = \"auto\"\n");
    posts(&surface, "threads.example", 260, Duration::from_secs(902));
    posts(&surface, "new.example", 1, Duration::from_secs(1));
    let client = Browser::of(&surface, "windows");
    let windows = client.said("windows");
    let known = surface.backend("/v1/origins/threads.example");
    assert_eq!(known["window_from"], "learned", "{known}");
    let row = |host: &str| {
        let rows = windows.as_array().unwrap();
        rows.iter().find(|row| row[0] == host).unwrap().clone()
    };
    let threads = row("threads.example");
    assert_eq!(threads[1], "scheduled delay");
    let window = threads[2].as_str().unwrap();
    assert!(
        window.starts_with("16 min") && window.ends_with(" learned"),
        "{window}"
    );
    let new = row("new.example");
    assert_eq!(
        (&new[1], &new[2]),
        (&json!(""), &json!("none yet to be learned"))
    );
    client.ends_clean();
}

#[test]
fn it_asks_for_a_token_says_of_a_wrong_one_and_keeps_a_good_one_for_its_tab() {
    let surface = Surface::start("");
    let client = Browser::of(&surface, "token");
    assert_eq!(client.said("asked"), "A service token, please");
    let no_token = client.said("no_token");
    assert!(
        no_token.as_str().unwrap().starts_with("This is no token"),
        "{no_token}"
    );
    let wrong = client.said("wrong");
    assert!(
        wrong.as_str().unwrap().contains("does not take this token"),
        "{wrong}"
    );
    let let_in = client.said("let_in");
    let href = format!("{}/", surface.door().base());
    assert_eq!(let_in, json!([1, 0, "", href]));
    assert_eq!(client.said("forgotten"), 0);
    client.ends_clean();
}

/// Without tokens nobody is asked for one.
#[test]
fn on_loopback_without_tokens_it_shows_all_at_once() {
    let mut service = Service::start("");
    service.wait_ready();
    let line = r#"{"type":"Create","actor":"https://a.example/u","object":{"type":"Note","id":"https://a.example/1","attributedTo":"https://a.example/u","to":"as:Public"}}"#;
    let post = || service.post("/v1/activities", "application/json", line);
    assert_eq!(post().status(), 202);
    service.wait("/v1/origins", |_, origins| origins["known"] == 1);
    let client = Browser::start(&format!("http://{}", service.address), "", "open");
    assert_eq!(client.said("open"), json!(["a.example"]));
    client.ends_clean();
    assert!(service.stop().success());
}

/// A failure means that an operator pastes a window that does something else than the page said.
#[test]
fn an_origin_is_shown_with_what_any_window_would_do_and_the_lines_for_it() {
    let surface = Surface::start("");
    posts(&surface, "slow.example", 3, Duration::from_secs(600));
    let client = Browser::of(&surface, "origin");
    let check = |field: &str, sentence: &str, window: &str, share: &str| {
        let shown = client.said(field);
        let lines = format!("[ordering.origin.\"slow.example\"]\nreorder_window = \"{window}\"");
        assert!(shown[0].as_str().unwrap().contains(sentence), "{shown}");
        assert_eq!(shown[1], lines);
        assert!(shown[2].as_str().unwrap().ends_with(share), "{shown}");
    };
    check(
        "first",
        "all of its recent posts in time.",
        "12m",
        ": 100 % in time",
    );
    assert_eq!(client.said("title"), "slow.example · Slackwater");
    let none = "A window of 1 s would have found none of its recent posts in time, and 100 % late.";
    check("shortest", none, "1s", ": 0 % in time");
    assert_eq!(client.said("past"), json!(["bar past"]));
    check(
        "longest",
        "A window of 1 h would have found all",
        "1h",
        ": 100 % in time",
    );
    assert_eq!(client.said("within"), json!(["bar"]));
    let presets = json!(["In force: 30 s", "Finds 100 %: 12 min"]);
    assert_eq!(client.said("presets"), presets);
    check(
        "chosen",
        "A window of 12 min would have found all",
        "12m",
        ": 100 % in time",
    );
    let copied = client.said("copied");
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("slackwater.toml");
    std::fs::write(&file, copied.as_str().unwrap()).unwrap();
    let ran = Command::new(binary())
        .arg("check")
        .arg(&file)
        .output()
        .unwrap();
    assert!(ran.status.success(), "{copied}: {ran:?}");
    assert_eq!(client.said("faults"), json!([]));
    assert_eq!(client.said("narrow"), json!([400, 400]));
    let nobody = client.said("nobody");
    assert!(
        nobody.as_str().unwrap().contains("nobody.example"),
        "{nobody}"
    );
    client.ends_clean();
}

/// A failure means that the page shows another order than the feed has, or runs what strangers write.
#[test]
fn a_home_is_shown_in_order_beside_the_same_by_arrival_and_goes_on_by_itself() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let mut surface = Surface::start_with("127.0.0.1:0", &address.to_string());
    let at = |n: i64, seconds_ago: u64, text: &str| {
        let mut object = note(n, text);
        let written = clock::now().minus(Duration::from_secs(seconds_ago));
        object["published"] = json!(written.rfc3339());
        object["url"] = json!(format!("https://a.example/pages/{n}"));
        object
    };
    let uris = |all: &[i64]| json!(all.iter().map(|n| uri(*n)).collect::<Vec<_>>());
    for (n, seconds_ago) in [(1, 12), (2, 8), (3, 4)] {
        surface.create(&at(n, seconds_ago, "low tide"));
    }
    let mut answer = at(9, 2, "to a stranger");
    answer["inReplyTo"] = json!("https://b.example/users/bob/posts/1");
    surface.create(&answer);
    answer["id"] = json!("https://a.example/users/ana/statuses/11");
    surface.create(&answer);
    let client = Browser::of(&surface, "feeds");
    assert_eq!(
        client.said("live"),
        json!([uris(&[3, 2, 1]), uris(&[3, 2, 1])])
    );
    let bad = "<b>late</b> &amp; <img src=x onerror=\"document.title='harmed'\"><script>document.title='harmed'</script>";
    surface.create(&at(4, 600, bad));
    assert_eq!(client.said("arrival"), uris(&[4, 3, 2, 1]));
    assert_eq!(client.said("order"), uris(&[3, 2, 1, 4]));
    assert_eq!(client.said("marked"), json!(["late: it took 10 min"]));
    assert_eq!(client.said("text"), "late &");
    assert_eq!(client.said("harmed"), 0);
    let behind = client.said("behind");
    assert!(
        behind
            .as_str()
            .unwrap()
            .contains("came below what was shown"),
        "{behind}"
    );
    let explained = client.said("explained");
    assert!(
        explained
            .as_str()
            .unwrap()
            .contains("home: it is not there"),
        "{explained}"
    );
    for (name, is_there) in [("pasted", "it is not there"), ("shown", "it is there")] {
        let said = client.said(name);
        assert!(said.as_str().unwrap().contains(is_there), "{name}: {said}");
    }
    let unknown = client.said("unknown");
    assert!(!unknown.as_str().unwrap().contains("home"), "{unknown}");
    assert_eq!(client.said("faults"), json!([]));
    assert_eq!(client.said("narrow"), json!([400, 400]));
    surface.instance.kill9();
    client.said("away");
    surface.instance.restart();
    surface.create(&at(5, 1, "back"));
    surface.create(&at(6, 0, "and on"));
    assert_eq!(client.said("resumed"), uris(&[6, 5, 3, 2, 1, 4]));
    client.ends_clean();
}

/// A failure means that people who see, hear or move otherwise than its makers cannot use it.
#[test]
fn it_is_for_narrow_and_dark_screens_for_the_keyboard_and_for_readers_of_screens() {
    let surface = Surface::start("");
    posts(&surface, "slow.example", 3, Duration::from_secs(600));
    let client = Browser::of(&surface, "narrow");
    for scheme in ["light", "dark"] {
        assert_eq!(client.said(scheme), json!([[400, 400], []]), "{scheme}");
    }
    let grounds = client.said("grounds");
    assert_ne!(grounds[0], grounds[1], "light and dark");
    let reached = client.said("reached");
    let reached: Vec<&str> = reached
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it.as_str().unwrap())
        .collect();
    let first = ["To the content", "Slackwater", "Overview", "Feeds"];
    assert_eq!(reached[..4], first, "{reached:?}");
    for wanted in ["search", "Late", "Table of origins", "slow.example"] {
        assert!(reached.contains(&wanted), "{wanted} in {reached:?}");
    }
    assert!(
        !reached.iter().any(|name| name.ends_with("(unseen)")),
        "{reached:?}"
    );
    client.ends_clean();
}

#[test]
fn it_says_when_the_service_is_gone_and_goes_on_when_it_is_back() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let mut service = Service::start(&format!("[http]\nlisten = \"{address}\""));
    service.wait_ready();
    let line = r#"{"type":"Create","actor":"https://a.example/u","object":{"type":"Note","id":"https://a.example/1","attributedTo":"https://a.example/u","to":"as:Public"}}"#;
    service.post("/v1/activities", "application/json", line);
    service.wait("/v1/origins", |_, origins| origins["known"] == 1);
    let client = Browser::start(&format!("http://{address}"), "", "gone");
    client.said("ready");
    service.kill9();
    let gone: Value = client.said("gone");
    assert!(
        gone.as_str()
            .unwrap()
            .starts_with("The service does not answer."),
        "{gone}"
    );
    assert_eq!(client.said("role"), "alert");
    assert_eq!(
        client.said("still"),
        json!(["a.example"]),
        "what was seen stays"
    );
    service.restart();
    assert_eq!(client.said("back"), true);
    client.ends_clean();
    assert!(service.stop().success());
}
