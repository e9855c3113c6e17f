//! Clients of Mastodon's API as their makers publish them, unmodified, against the real binary. `tests/run` installs them;
//! without them these tests fail.

use crate::support;
use crate::support::DEADLINE;
use crate::support::backed::Backed;
use crate::support::surface::{Surface, uri};
use serde_json::{Value, json};
use slackwater::clock;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};

/// Where `tests/run` puts them: it says so, or the newest of those there.
pub(crate) fn clients() -> PathBuf {
    if let Some(place) = std::env::var_os("SLACKWATER_TEST_CLIENTS") {
        return place.into();
    }
    let tools = std::env::var_os("SLACKWATER_TEST_TOOLS").map_or_else(
        || {
            let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
            let home = || PathBuf::from(std::env::var_os("HOME").expect("HOME")).join(".cache");
            cache.unwrap_or_else(home).join("slackwater-test")
        },
        PathBuf::from,
    );
    let there = std::fs::read_dir(&tools)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    let whole = there.filter(|path| path.join("whole").exists());
    let newest = whole.max_by_key(|path| path.metadata().and_then(|it| it.modified()).ok());
    newest.unwrap_or_else(|| panic!("no clients in {}: run tests/run", tools.display()))
}

/// A client that runs. Killed, by its process id, when dropped.
pub(crate) struct Client {
    process: Child,
    lines: Receiver<Value>,
    name: String,
    /// A copy of the script, to be removed.
    copy: Option<PathBuf>,
}

impl Client {
    fn start(surface: &Surface, script: &str, what: &str) -> Client {
        Client::start_with(surface, &surface.token("read"), script, what)
    }

    fn start_with(surface: &Surface, token: &str, script: &str, what: &str) -> Client {
        Client::start_at(surface.door().base(), token, script, what, &[])
    }

    /// One that is pointed at an address, with these variables in its environment.
    pub(crate) fn start_at(
        base: &str,
        token: &str,
        script: &str,
        what: &str,
        environment: &[(&str, PathBuf)],
    ) -> Client {
        let (place, scripts) = (
            clients(),
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients"),
        );
        let mut copied = None;
        let mut command = if script.ends_with(".py") {
            let mut python = Command::new(place.join("python/bin/python"));
            python.arg(scripts.join(script));
            python
        } else {
            // Node looks for packages beside the script.
            static COPIES: AtomicUsize = AtomicUsize::new(0);
            let copy = COPIES.fetch_add(1, Ordering::Relaxed);
            let name = format!("{}-{copy}-{script}", std::process::id());
            let copy = place.join("node").join(name);
            std::fs::copy(scripts.join(script), &copy).expect("copying the script");
            let mut node = Command::new(place.join("node/node_modules/.bin/node"));
            node.arg(&copy);
            copied = Some(copy);
            node
        };
        let process = command.args([base, token, what]);
        let mut process = process
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("{script}: {e}: run tests/run"));
        let out = BufReader::new(process.stdout.take().expect("its output"));
        let (send, lines) = channel();
        let name = format!("{script} {what}");
        let of = name.clone();
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).unwrap_or_else(|_| json!({"said": line}));
                eprintln!(
                    "{of}: {}",
                    line.to_string().chars().take(300).collect::<String>()
                );
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        Client {
            process,
            lines,
            name,
            copy: copied,
        }
    }

    /// What it says next with this field.
    pub(crate) fn said(&self, field: &str) -> Value {
        loop {
            let line = self.lines.recv_timeout(DEADLINE);
            let line = line.unwrap_or_else(|e| panic!("{} says no {field}: {e}", self.name));
            if let Some(value) = line.get(field) {
                return value.clone();
            }
        }
    }

    /// The next event.
    pub(crate) fn event(&self, within: std::time::Duration) -> Option<(String, String, String)> {
        let begun = clock::stopwatch();
        while let Some(left) = within.checked_sub(begun.elapsed()) {
            let line = self.lines.recv_timeout(left).ok()?;
            if let Some(event) = line["event"].as_str() {
                let text = |field: &str| line[field].as_str().unwrap_or_default().to_owned();
                return Some((event.to_owned(), text("id"), text("text")));
            }
        }
        None
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
        if let Some(copy) = &self.copy {
            let _ = std::fs::remove_file(copy);
        }
    }
}

/// Reads home backward and forward, as this client does.
fn pages(script: &str) {
    let surface = Surface::start("");
    surface.post_many(33);
    let home = surface.home();
    assert_eq!(home.len(), 33);
    read_pages(&Client::start(&surface, script, "pages"), &home);
}

/// The same where a backend shows the statuses.
fn hydrated_pages(script: &str) {
    let backed = Backed::start("");
    let lists =
        json!([{"id": "42", "title": "Friends", "replies_policy": "list", "exclusive": false}]);
    backed.stand_in.known().lists.insert("7".to_owned(), lists);
    let posts: Vec<(u64, u64)> = (1_000..1_033).map(|n| (n, 1_100 - n)).collect();
    backed.post(&posts);
    let home: Vec<String> = posts.iter().rev().map(|(n, _)| n.to_string()).collect();
    let client = Client::start_with(&backed.surface, &backed.kim, script, "pages");
    read_pages(&client, &home);
}

fn read_pages(client: &Client, home: &[String]) {
    let newest_first = json!(home);
    let oldest_first = json!(home.iter().rev().collect::<Vec<_>>());
    assert_eq!(client.said("back"), newest_first, "all, once, newest first");
    assert_eq!(client.said("forward"), oldest_first, "by min_id, all, once");
    assert_eq!(
        client.said("since"),
        json!(home[..5]),
        "since_id gives the newest"
    );
    assert_eq!(client.said("one"), newest_first[0]);
    assert_eq!(client.said("lists"), json!(["Friends", "Late arrivals"]));
}

/// Watches home, as this client does: a post, its edit, its deletion.
fn streams(script: &str, how: &str) {
    let surface = Surface::start("");
    let client = Client::start(&surface, script, how);
    client.said("ready");
    // The client may be connected before its stream is: what is posted until then it does not see.
    let mut n = 0;
    let first = support::wait_for("the first update", || {
        n += 1;
        surface.post(n, "low tide");
        client.event(std::time::Duration::from_millis(300))
    });
    assert_eq!(
        (first.0.as_str(), first.2.as_str()),
        ("update", "<p>low tide</p>")
    );
    n += 1;
    surface.post(n, "<b>one</b><script>alert(1)</script>");
    let next = |what: &str| loop {
        let event = client
            .event(DEADLINE)
            .unwrap_or_else(|| panic!("no {what}"));
        // Those before it may come until then.
        if event.0 == what && event.2 != "<p>low tide</p>" {
            return event;
        }
    };
    let (_, id, text) = next("update");
    assert_eq!(text, "<p><b>one</b></p>");
    assert_eq!(id, surface.id_of(&uri(n)));
    surface.edit(n, "two");
    assert_eq!(
        next("status.update"),
        (
            "status.update".to_owned(),
            id.clone(),
            "<p>two</p>".to_owned()
        )
    );
    surface.delete(n);
    assert_eq!(next("delete"), ("delete".to_owned(), id, String::new()));
}

#[test]
fn mastodon_py_pages_through_home() {
    pages("mastodon_py.py");
}

#[test]
fn mastodon_py_pages_through_a_home_that_a_backend_shows() {
    hydrated_pages("mastodon_py.py");
}

#[test]
fn masto_js_pages_through_a_home_that_a_backend_shows() {
    hydrated_pages("masto.mjs");
}

#[test]
fn megalodon_pages_through_a_home_that_a_backend_shows() {
    hydrated_pages("megalodon.mjs");
}

#[test]
fn mastodon_py_streams_events() {
    streams("mastodon_py.py", "sse");
}

#[test]
fn mastodon_py_streams_over_a_websocket() {
    streams("mastodon_py.py", "websocket");
}

#[test]
fn masto_js_pages_through_home() {
    pages("masto.mjs");
}

#[test]
fn masto_js_streams_over_a_websocket() {
    streams("masto.mjs", "websocket");
}

#[test]
fn megalodon_pages_through_home() {
    pages("megalodon.mjs");
}

#[test]
fn megalodon_streams_over_a_websocket() {
    streams("megalodon.mjs", "websocket");
}

/// What toot writes, which Kim points at an address, with these variables in its environment.
pub(crate) fn toot(
    base: &str,
    token: &str,
    arguments: &[&str],
    environment: &[(&str, PathBuf)],
) -> String {
    let settings = tempfile::TempDir::new().unwrap();
    let (_, host) = base.split_once("://").unwrap();
    let config = json!({
        "active_user": format!("kim@{host}"),
        "apps": {host: {"instance": host, "base_url": base, "client_id": "x", "client_secret": "x"}},
        "users": {format!("kim@{host}"): {"instance": host, "username": "kim", "access_token": token}}
    });
    std::fs::create_dir(settings.path().join("toot")).unwrap();
    std::fs::write(settings.path().join("toot/config.json"), config.to_string()).unwrap();
    let mut toot = Command::new(clients().join("python/bin/toot"));
    let toot = toot
        .arg("--no-color")
        .args(arguments)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .env("XDG_CONFIG_HOME", settings.path());
    let shown = toot.stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(
        shown.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&shown.stderr)
    );
    text
}

#[test]
fn toot_shows_home() {
    let surface = Surface::start("");
    surface.post_many(3);
    let (base, token) = (surface.door().base(), surface.token("read"));
    let text = toot(base, &token, &["timelines", "home"], &[]);
    let places: Vec<_> = (0..3).map(|n| text.find(&format!("post {n}"))).collect();
    assert!(places.iter().all(Option::is_some), "{text}");
    assert!(places.is_sorted_by(|a, b| b < a), "newest first: {text}");
    assert!(text.contains("@ana@a.example"), "{text}");
}
