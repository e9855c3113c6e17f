//! The files in `docs/nginx`, in a real nginx beside a site as Mastodon ships one: to Slackwater and to a stand-in for a Mastodon, with
//! unmodified clients.

use crate::clients::{Client, toot};
use crate::support::backed::{Backed, HOME, ids};
use crate::support::document::root;
use crate::support::nginx::{HTTP, MAIN, Nginx, free_port};
use crate::support::surface::{SECRET, Surface};
use crate::support::upstream::{Mood, StandIn};
use crate::support::wait_for;
use serde_json::{Value, json};
use slackwater::clock;
use slackwater::mastodon::late::LATE_LIST;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// A failure means that somebody's post, list or preflight goes to the one that cannot take it, or their timelines have no order.
#[test]
fn what_is_documented_goes_to_slackwater_and_all_else_to_mastodon() {
    let site = Site::start();
    let late = format!("/api/v1/lists/{LATE_LIST}");
    let to_us = [
        HOME,
        "/api/v1/timelines/home?limit=3",
        "/api/v1/timelines/list/42",
        &format!("/api/v1/timelines/list/{LATE_LIST}"),
        "/api/v1/lists",
        &late,
        &format!("{late}/accounts"),
    ];
    for path in to_us {
        assert_eq!(site.ask("GET", path).by, Who::Us, "GET {path}");
        for method in ["HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH"] {
            let by = site.ask(method, path).by;
            assert_eq!(by, Who::Mastodon, "{method} {path}");
        }
    }
    assert_eq!(site.ask("GET", "/api/v1/streaming/health").by, Who::Us);
    // Links lead to where the client came to.
    let page = site.ask("GET", "/api/v1/timelines/home?limit=1");
    let below = format!("<{}{HOME}?limit=1&max_id={}>", site.base(), site.ours()[0]);
    assert!(page.header("link").unwrap().starts_with(&below), "{page:?}");
    for path in [
        "/api/v1/timelines/public",
        "/api/v1/timelines/tag/rust",
        "/api/v1/timelines/direct",
        "/api/v1/timelines/homes",
        "/api/v1/lists/42",
        "/api/v1/lists/42/accounts",
        "/api/v1/statuses/1",
        "/api/v1/notifications",
        "/api/v2/instance",
        "/v1/accounts/7/feeds/home",
        "/metrics",
        "/healthz",
        "/",
    ] {
        assert_eq!(site.ask("GET", path).by, Who::Mastodon, "GET {path}");
    }
    // With this nginx asks by itself whether Slackwater answers.
    let inner = site.ask("GET", "/slackwater-answers");
    assert_eq!((inner.status, inner.by), (404, Who::Nobody), "{inner:?}");
    // A body that nginx keeps in a file comes whole.
    for title in ["Boats".to_owned(), "x".repeat(200_000)] {
        let body = json!({"title": title}).to_string();
        let made = site.send("POST", "/api/v1/lists", Some(&body));
        assert_eq!((made.status, made.by), (200, Who::Mastodon));
        let deeds = &site.backed.stand_in.known().deeds;
        let (_, path, sent) = deeds.last().unwrap();
        assert_eq!((path.as_str(), sent), ("/api/v1/lists", &body));
    }
}

#[test]
fn only_when_slackwater_has_no_answer_is_mastodon_asked() {
    let site = Site::start();
    let refused = site.ask_as("nobody", "GET", HOME);
    assert_eq!((refused.status, refused.by), (401, Who::Us));
    let missing = site.ask("GET", "/api/v1/timelines/list/77");
    assert_eq!((missing.status, missing.by), (404, Who::Us));
    // Both say the same of a limit, and it is not asked twice.
    site.mood(Mood::Limited("retry-after", "7".to_owned()));
    let limited = site.ask("GET", HOME);
    assert_eq!((limited.status, limited.by), (429, Who::Us));
    let after = limited.header("retry-after").unwrap().parse::<u64>();
    assert!((1..=7).contains(&after.unwrap()), "{limited:?}");
    // Lea's limit is not Kim's. What Slackwater cannot show Mastodon may yet: it is asked itself.
    site.mood(Mood::Wrong("<html>".to_owned()));
    let own = site.ask_as(&site.backed.lea, "GET", HOME);
    assert_eq!((own.status, own.by), (200, Who::Mastodon));
    assert_eq!(ids(&own.json()), site.mastodons_own());
    // And if it fails too, what it says is the answer.
    site.mood(Mood::Failing(503));
    let failed = site.ask_as(&site.backed.lea, "GET", HOME);
    assert_eq!((failed.status, failed.by), (503, Who::Mastodon));
    assert!(failed.text.contains("so it is"), "{failed:?}");
}

#[test]
fn a_token_that_does_not_say_whose_it_is_is_mastodons_to_answer_with_403_behind_error_page() {
    for (file, expected) in [
        ("error_page 418", (403, Who::Us)),
        ("error_page 403 418", (200, Who::Mastodon)),
    ] {
        let site = Site::start_with(|text| text.replace("error_page 418", file));
        let bot = site.backed.stand_in.token("7", "read:statuses");
        let home = site.ask_as(&bot, "GET", HOME);
        assert_eq!((home.status, home.by), expected, "{file}: {home:?}");
        assert_eq!(site.ask("GET", HOME).by, Who::Us, "{file}");
    }
}

/// A failure means that a site is without timelines because Slackwater is.
#[test]
fn without_slackwater_timelines_and_lists_are_mastodons_own() {
    let mut site = Site::start();
    let check = |site: &Site, expected: Who| {
        let home = site.ask("GET", HOME);
        assert_eq!((home.status, home.by), (200, expected), "{home:?}");
        let of_us = expected == Who::Us;
        let posts = if of_us {
            site.ours()
        } else {
            site.mastodons_own()
        };
        assert_eq!(ids(&home.json()), posts);
        assert_eq!(home.text.contains("\"slackwater\":{"), of_us);
        let lists = site.ask("GET", "/api/v1/lists");
        assert_eq!(lists.text.contains("Late arrivals"), of_us, "{lists:?}");
        assert!(lists.text.contains("Friends"), "{lists:?}");
    };
    check(&site, Who::Us);
    let (ended, _) = site.backed.surface.instance.terminate();
    assert!(ended.success());
    check(&site, Who::Mastodon);
    site.restart();
    check(&site, Who::Us);
    site.backed.surface.instance.kill9();
    check(&site, Who::Mastodon);
    site.restart();
    check(&site, Who::Us);
}

/// A failure means that a Slackwater that hangs takes the site's timelines and streams with it.
#[test]
fn a_slackwater_that_hangs_is_waited_for_five_seconds_and_soon_not_at_all() {
    let site = Site::start();
    assert_eq!(site.ask("GET", HOME).by, Who::Us);
    let hung = Hung::at(&site);
    std::thread::scope(|scope| {
        for path in [HOME, "/api/v1/lists", "/api/v1/timelines/list/42"] {
            let site = &site;
            scope.spawn(move || {
                let answer = site.ask("GET", path);
                assert_eq!(answer.by, Who::Mastodon, "{path}");
                let took = answer.took;
                assert!((5.0..12.0).contains(&took), "{path}: {took} s");
            });
        }
    });
    let soon = site.ask("GET", HOME);
    assert_eq!(soon.by, Who::Mastodon);
    assert!(soon.took < 4.0, "{} s", soon.took);
    assert_eq!(ids(&soon.json()), site.mastodons_own());
    drop(hung);
    site.wait_for_us();
    assert_eq!(ids(&site.ask("GET", HOME).json()), site.ours());
}

#[test]
fn mastodon_py_finds_order_and_its_own_doings() {
    lives("mastodon_py.py");
}

#[test]
fn masto_js_finds_order_and_its_own_doings() {
    lives("masto.mjs");
}

#[test]
fn megalodon_finds_order_and_its_own_doings() {
    lives("megalodon.mjs");
}

/// Reads home in its order, likes, writes, keeps lists; and is shown Mastodon's own home while Slackwater hangs or is gone.
fn lives(script: &str) {
    let mut site = Site::start();
    let home = |site: &Site| site.client(script, "home").said("home");
    assert_eq!(home(&site), texts(&site.ours()));
    let client = site.client(script, "deeds");
    assert_eq!(client.said("liked"), true);
    assert_eq!(client.said("again"), true, "a like shows in our pages");
    let (name, _) = script.split_once('.').unwrap();
    assert_eq!(client.said("written"), format!("written by {name}"));
    let titles = |more: &[&str]| json!([&["Friends"], more, &["Late arrivals"]].concat());
    assert_eq!(client.said("made"), titles(&["Boats"]));
    assert_eq!(client.said("renamed"), titles(&["Ships"]));
    assert_eq!(client.said("removed"), titles(&[]));
    let deeds: Vec<String> = {
        let known = site.backed.stand_in.known();
        let deeds = known.deeds.iter();
        deeds
            .map(|(how, path, _)| format!("{how} {path}"))
            .collect()
    };
    let liked = format!("POST /api/v1/statuses/{}/favourite", site.ours()[0]);
    let [like, post, list, rename, remove] = deeds.as_slice() else {
        panic!("{deeds:?}")
    };
    assert_eq!((like, post.as_str()), (&liked, "POST /api/v1/statuses"));
    assert_eq!(list, "POST /api/v1/lists");
    assert!(rename.starts_with("PUT /api/v1/lists/"), "{rename}");
    assert!(remove.starts_with("DELETE /api/v1/lists/"), "{remove}");
    // What it wrote is in the stand-in alone: nothing follows its database.
    let written = site
        .backed
        .stand_in
        .known()
        .statuses
        .keys()
        .next_back()
        .copied();
    let own = [vec![written.unwrap()], site.mastodons_own()].concat();
    let hung = Hung::at(&site);
    assert_eq!(home(&site), texts(&own), "while it hangs");
    drop(hung);
    site.wait_for_us();
    site.backed.surface.instance.kill9();
    assert_eq!(home(&site), texts(&own), "while it is gone");
    site.restart();
    assert_eq!(home(&site), texts(&site.ours()));
}

#[test]
fn toot_finds_order_and_its_own_doings() {
    let mut site = Site::start();
    let shown = |site: &Site| {
        let text = site.toot(&["timelines", "home", "--json"]);
        ids(&serde_json::from_str(&text).unwrap())
    };
    assert_eq!(shown(&site), site.ours());
    let first = site.ours()[0].to_string();
    site.toot(&["favourite", &first]);
    let text = site.toot(&["timelines", "home", "--json"]);
    let page: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(page[0]["favourited"], true);
    site.toot(&["lists", "create", "Boats"]);
    let lists = site.toot(&["lists", "list"]);
    assert!(
        ["Friends", "Boats", "Late arrivals"]
            .iter()
            .all(|it| lists.contains(it)),
        "{lists}"
    );
    site.toot(&["lists", "delete", "Boats"]);
    assert!(!site.toot(&["lists", "list"]).contains("Boats"));
    site.toot(&["post", "written by toot"]);
    let newest = site
        .backed
        .stand_in
        .known()
        .statuses
        .keys()
        .next_back()
        .copied();
    let text = site.backed.stand_in.text("7", newest.unwrap()).unwrap();
    assert!(text.contains("written by toot"), "{text}");
    let own = [vec![newest.unwrap()], site.mastodons_own()].concat();
    let hung = Hung::at(&site);
    assert_eq!(shown(&site), own, "while it hangs");
    drop(hung);
    site.wait_for_us();
    site.backed.surface.instance.kill9();
    assert_eq!(shown(&site), own, "while it is gone");
    site.restart();
    assert_eq!(shown(&site), site.ours());
}

#[test]
fn mastodon_py_watches_through_slackwater_and_without() {
    watches("mastodon_py.py");
}

#[test]
fn mastodon_py_is_sent_events_without_a_websocket() {
    let site = Site::start();
    site.watches_us(&site.client("mastodon_py.py", "sse"));
}

#[test]
fn masto_js_watches_through_slackwater_and_without() {
    watches("masto.mjs");
}

#[test]
fn megalodon_watches_through_slackwater_and_without() {
    watches("megalodon.mjs");
}

/// Is sent new posts by Slackwater and notifications by Mastodon; and all by Mastodon while Slackwater hangs or is gone.
fn watches(script: &str) {
    let mut site = Site::start();
    site.watches_us(&site.client(script, "websocket"));
    let hung = Hung::at(&site);
    site.watches_mastodon(&site.client(script, "websocket"));
    drop(hung);
    site.wait_for_us();
    site.backed.surface.instance.kill9();
    site.watches_mastodon(&site.client(script, "websocket"));
    site.restart();
}

#[test]
fn a_client_that_watches_when_slackwater_stops_comes_back_to_mastodons_own_stream() {
    let mut site = Site::start();
    let client = site.client("masto.mjs", "websocket");
    client.said("ready");
    site.wait_for_notification(&client);
    let (ended, _) = site.backed.surface.instance.terminate();
    assert!(ended.success());
    site.watches_mastodon(&client);
}

/// A failure means that Mastodon's own page, which opens this path with this token, has no live updates.
#[test]
fn a_browser_opens_its_stream_as_mastodons_own_page_does() {
    let mut site = Site::start();
    let check = |site: &Site, by: Who| {
        for path in ["/api/v1/streaming/?stream=user", "/api/v1/streaming"] {
            let opened = site.open_in_browser(path);
            assert_eq!((opened.status, opened.by), (101, by), "{path}: {opened:?}");
            let protocol = opened.header("sec-websocket-protocol");
            assert_eq!(protocol, Some(site.kim.as_str()), "{path}: {opened:?}");
        }
    };
    check(&site, Who::Us);
    site.backed.surface.instance.kill9();
    check(&site, Who::Mastodon);
}

/// Who answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Us,
    Mastodon,
    /// nginx itself.
    Nobody,
}

#[derive(Debug)]
struct Answer {
    status: u16,
    by: Who,
    /// In seconds.
    took: f64,
    head: String,
    text: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }

    #[track_caller]
    fn json(&self) -> Value {
        let read = serde_json::from_str(&self.text);
        read.unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    let found = lines.find(|(of, _)| of.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.trim())
}

/// nginx with a site as Mastodon ships one and our files beside it, Slackwater, and the stand-in for a Mastodon.
struct Site {
    nginx: Nginx,
    backed: Backed,
    /// Of the posts that both have: newest first, and that is by when they were written.
    posts: Vec<u64>,
    /// A post that Slackwater does not know.
    only_mastodons: u64,
    port: u16,
    kim: String,
    certificate: PathBuf,
}

impl Site {
    fn start() -> Site {
        Site::start_with(|text| text)
    }

    /// With each of our files changed like this.
    fn start_with(change: impl Fn(String) -> String) -> Site {
        let stand_in = StandIn::start_as("localhost");
        let port = free_port();
        let signed = format!("[auth.jwt]\nalgorithm = \"HS256\"\nkey = \"{SECRET}\"\n");
        let mastodon = format!("{}[ordering]\nplace = \"ref\"\n", stand_in.config());
        let listen = format!("listen = \"127.0.0.1:{port}\"");
        let surface = Surface::configured("", |config| {
            let config = config.replace(&signed, &mastodon);
            config.replace("listen = \"127.0.0.1:0\"", &listen)
        });
        let (kim, lea) = (
            stand_in.token("7", "read write"),
            stand_in.token("8", "read"),
        );
        let follow =
            json!({"type": "follow", "account": "8", "target": crate::support::surface::ANA});
        surface.relate(&[follow]);
        let friends =
            json!([{"id": "42", "title": "Friends", "replies_policy": "list", "exclusive": false}]);
        stand_in.known().lists.insert("7".to_owned(), friends);
        let backed = Backed {
            surface,
            stand_in,
            kim: kim.clone(),
            lea,
        };
        // The last to come is fifteen minutes late.
        let places = [60, 30, 900].map(|ago| (place(ago), ago));
        for post in places {
            backed.post(&[post]);
        }
        let only_mastodons = place(0);
        backed.stand_in.has(only_mastodons);
        let (nginx, certificate) = site_of(port, backed.stand_in.ports(), change);
        backed.stand_in.known().streams_at = format!("wss://localhost:{}", nginx.port);
        let mut posts = places.map(|(place, _)| place).to_vec();
        posts.sort_unstable_by(|a, b| b.cmp(a));
        Site {
            nginx,
            backed,
            posts,
            only_mastodons,
            port,
            kim,
            certificate,
        }
    }

    fn ours(&self) -> Vec<u64> {
        self.posts.clone()
    }

    fn mastodons_own(&self) -> Vec<u64> {
        [&[self.only_mastodons], self.posts.as_slice()].concat()
    }

    fn base(&self) -> String {
        format!("https://localhost:{}", self.nginx.port)
    }

    fn mood(&self, mood: Mood) {
        self.backed.stand_in.is(mood);
    }

    fn ask(&self, method: &str, path: &str) -> Answer {
        self.ask_as(&self.kim, method, path)
    }

    fn ask_as(&self, token: &str, method: &str, path: &str) -> Answer {
        self.curl(token, method, path, None)
    }

    fn send(&self, method: &str, path: &str, body: Option<&str>) -> Answer {
        self.curl(&self.kim, method, path, body)
    }

    fn curl(&self, token: &str, method: &str, path: &str, body: Option<&str>) -> Answer {
        let mut curl = Command::new("curl");
        curl.args([
            "-sS",
            "-i",
            "--noproxy",
            "*",
            "--max-time",
            "60",
            "--cacert",
        ]);
        curl.arg(&self.certificate)
            .args(["-H", &format!("Authorization: Bearer {token}")]);
        match method {
            "HEAD" => curl.arg("-I"),
            method => curl.args(["-X", method]),
        };
        if let Some(body) = body {
            let file = self.certificate.with_file_name("body.json");
            std::fs::write(&file, body).unwrap();
            curl.args(["-H", "Content-Type: application/json", "-H", "Expect:"]);
            curl.arg("--data-binary")
                .arg(format!("@{}", file.display()));
        }
        let begun = clock::stopwatch();
        let done = curl.arg(format!("{}{path}", self.base())).output().unwrap();
        let took = begun.elapsed().as_secs_f64();
        assert!(
            done.status.success(),
            "{method} {path}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
        self.answer(&done.stdout, took)
    }

    /// The answer to a browser that opens a websocket, from a page of the site.
    fn open_in_browser(&self, path: &str) -> Answer {
        let mut curl = Command::new("curl");
        // The connection stays open, and curl says what came until then.
        curl.args(["-sS", "-i", "-N", "--http1.1", "--noproxy", "*"]);
        curl.args(["--max-time", "2", "--cacert"])
            .arg(&self.certificate);
        for (name, value) in [
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("Sec-WebSocket-Protocol", &self.kim),
            ("Origin", &self.base()),
        ] {
            curl.args(["-H", &format!("{name}: {value}")]);
        }
        let done = curl.arg(format!("{}{path}", self.base())).output().unwrap();
        self.answer(&done.stdout, 0.0)
    }

    /// An answer as curl writes it, that took so many seconds.
    fn answer(&self, written: &[u8], took: f64) -> Answer {
        let all = String::from_utf8_lossy(written).into_owned();
        let (head, text) = all.split_once("\r\n\r\n").unwrap();
        let by = header(head, "x-answered-by").unwrap_or_default();
        let by = match by.rsplit([' ', ',']).next() {
            Some("") | None => Who::Nobody,
            Some(address) if address == format!("127.0.0.1:{}", self.port) => Who::Us,
            Some(_) => Who::Mastodon,
        };
        Answer {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            by,
            took,
            head: head.to_owned(),
            text: text.to_owned(),
        }
    }

    fn client(&self, script: &str, what: &str) -> Client {
        Client::start_at(
            &self.base(),
            &self.kim,
            script,
            what,
            &trusting(&self.certificate),
        )
    }

    fn toot(&self, arguments: &[&str]) -> String {
        toot(
            &self.base(),
            &self.kim,
            arguments,
            &trusting(&self.certificate),
        )
    }

    /// The next event of this name within this time.
    fn event(
        &self,
        client: &Client,
        name: &str,
        within: Duration,
    ) -> Option<(String, String, String)> {
        let begun = clock::stopwatch();
        loop {
            let left = within.checked_sub(begun.elapsed())?;
            let event = client.event(left)?;
            if event.0 == name {
                return Some(event);
            }
        }
    }

    /// Mastodon notifies until the client says so.
    fn wait_for_notification(&self, client: &Client) {
        let payload = json!({"id": "5", "type": "mention", "created_at": "2026-11-29T12:00:00.000Z",
            "account": {"id": "900", "username": "ana", "acct": "ana@a.example"}});
        let (_, _, kind) = wait_for("a notification", || {
            let stand_in = &self.backed.stand_in;
            stand_in.tell(
                &self.kim,
                &["user"],
                "notification",
                Some(&payload.to_string()),
            );
            self.event(client, "notification", Duration::from_millis(500))
        });
        assert_eq!(kind, "mention");
    }

    /// The client is sent what Slackwater's feed shows, as Mastodon shows it, and Mastodon's notifications.
    fn watches_us(&self, client: &Client) {
        client.said("ready");
        // The client may be connected before its stream is: what is posted until then it does not see.
        let mut n = self.only_mastodons;
        let (_, _, text) = wait_for("an update", || {
            n += 1;
            self.backed.post(&[(n, 0)]);
            self.event(client, "update", Duration::from_millis(500))
        });
        assert!(text.contains("as the backend shows"), "{text}");
        self.wait_for_notification(client);
    }

    /// The client is sent what Mastodon's own stream has: an update of a post that Slackwater knows nothing of.
    fn watches_mastodon(&self, client: &Client) {
        let id = self.only_mastodons;
        let status = self.backed.stand_in.text("7", id).unwrap();
        let found = wait_for("an update from Mastodon's own stream", || {
            let stand_in = &self.backed.stand_in;
            stand_in.tell(&self.kim, &["user"], "update", Some(&status));
            self.event(client, "update", Duration::from_millis(500))
                .filter(|(_, found, _)| *found == id.to_string())
        });
        assert!(found.2.contains("as the backend shows"), "{found:?}");
        self.wait_for_notification(client);
    }

    /// Starts Slackwater again after it ended.
    fn restart(&mut self) {
        self.backed.surface.instance.restart();
        self.backed.surface.instance.wait_until_ready();
        self.wait_for_us();
    }

    /// Waits until nginx asks Slackwater again.
    fn wait_for_us(&self) {
        wait_for("nginx to ask Slackwater again", || {
            (self.ask("GET", HOME).by == Who::Us).then_some(())
        });
    }
}

/// The id of a post that was written so many seconds ago.
fn place(seconds_ago: u64) -> u64 {
    let at = clock::now()
        .minus(Duration::from_secs(seconds_ago))
        .millis();
    u64::try_from(at << 16).unwrap() | 7
}

fn texts(ids: &[u64]) -> Value {
    ids.iter().map(u64::to_string).collect()
}

/// Variables that make clients trust nginx's certificate.
pub(crate) fn trusting(certificate: &Path) -> Vec<(&'static str, PathBuf)> {
    let names = [
        "REQUESTS_CA_BUNDLE",
        "SSL_CERT_FILE",
        "WEBSOCKET_CLIENT_CA_BUNDLE",
        "NODE_EXTRA_CA_CERTS",
    ];
    names.map(|name| (name, certificate.to_owned())).to_vec()
}

/// nginx with a site as Mastodon ships one and the files of `docs/nginx`; and the certificate that it has.
pub(crate) fn site_of(
    slackwater: u16,
    (web, streaming): (u16, u16),
    change: impl Fn(String) -> String,
) -> (Nginx, PathBuf) {
    let dir = TempDir::new().unwrap();
    let own = dir.path().join("slackwater");
    std::fs::create_dir_all(dir.path().join("public")).unwrap();
    std::fs::create_dir(&own).unwrap();
    std::fs::write(dir.path().join("public/500.html"), "it is broken").unwrap();
    for name in ["upstream.conf", "timelines.conf", "streaming.conf"] {
        let text = std::fs::read_to_string(root().join("docs/nginx").join(name)).unwrap();
        let here = format!("127.0.0.1:{slackwater}");
        let text = change(text.replace("127.0.0.1:8787", &here));
        std::fs::write(own.join(name), text).unwrap();
    }
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
        ])
        .args([
            "-keyout",
            "site.key",
            "-out",
            "site.pem",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
        ])
        .args(["-addext", "subjectAltName=DNS:localhost"])
        .current_dir(dir.path())
        .output();
    let made = made.expect("openssl, which tests/run installs where it is missing");
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let certificate = dir.path().join("site.pem");
    let nginx = Nginx::start(dir, |port| {
        let site = include_str!("support/mastodon_site.conf");
        let ports = [("PORT", port), ("WEB", web), ("STREAMING", streaming)];
        let site = ports
            .into_iter()
            .fold(site.to_owned(), |site, (name, port)| {
                site.replace(&format!("127.0.0.1:{name}"), &format!("127.0.0.1:{port}"))
            });
        format!("{MAIN}http {{\n{HTTP}{site}\n}}\n")
    });
    (nginx, certificate)
}

/// A Slackwater that hangs until this is dropped.
struct Hung(u32);

impl Hung {
    fn at(site: &Site) -> Hung {
        let pid = site.backed.surface.instance.pid();
        signal("STOP", pid);
        Hung(pid)
    }
}

impl Drop for Hung {
    fn drop(&mut self) {
        signal("CONT", self.0);
    }
}

fn signal(name: &str, pid: u32) {
    let sent = Command::new("kill")
        .args(["-s", name, &pid.to_string()])
        .status();
    assert!(sent.expect("kill").success());
}
