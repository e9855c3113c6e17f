//! An instance with a backend behind it that statuses and events are asked of: the surface of the tests and the stand-in.

use super::surface::{ANA, SECRET, Surface, note, uri};
use super::upstream::StandIn;
use reqwest::Method;
use reqwest::blocking::Response;
use serde_json::{Value, json};
use slackwater::clock;
use std::time::Duration;

/// The path of home.
pub(crate) const HOME: &str = "/api/v1/timelines/home";

/// Both, and tokens of the two readers, Kim and Lea, who follow Ana.
pub(crate) struct Backed {
    pub(crate) surface: Surface,
    pub(crate) stand_in: StandIn,
    pub(crate) kim: String,
    pub(crate) lea: String,
}

impl Backed {
    /// Starts them; `mastodon` comes last in the table `[mastodon]`, and after it maybe others.
    pub(crate) fn start(mastodon: &str) -> Backed {
        Backed::configured(mastodon, |config| config)
    }

    /// The same with a configuration that `change` makes another of.
    pub(crate) fn configured(mastodon: &str, change: impl FnOnce(String) -> String) -> Backed {
        let stand_in = StandIn::start();
        let signed = format!("[auth.jwt]\nalgorithm = \"HS256\"\nkey = \"{SECRET}\"\n");
        let asked = format!("{}{mastodon}", stand_in.config());
        let surface = Surface::configured("", |config| change(config.replace(&signed, &asked)));
        surface.relate(&[json!({"type": "follow", "account": "8", "target": ANA})]);
        Backed {
            kim: stand_in.token("7", "read"),
            lea: stand_in.token("8", "read"),
            surface,
            stand_in,
        }
    }

    pub(crate) fn get(&self, path: &str, token: &str) -> Response {
        let request = self.surface.door().request(Method::GET, path);
        request.bearer_auth(token).send().expect("an answer")
    }

    /// A good answer.
    pub(crate) fn text(&self, path: &str, token: &str) -> String {
        let answer = self.get(path, token);
        let status = answer.status();
        let text = answer.text().expect("a text");
        assert_eq!(status, 200, "{path}: {text}");
        text
    }

    pub(crate) fn json(&self, path: &str, token: &str) -> Value {
        serde_json::from_str(&self.text(path, token)).expect("JSON")
    }

    /// The backend's ids of a page.
    pub(crate) fn ids(&self, path: &str, token: &str) -> Vec<u64> {
        ids(&self.json(path, token))
    }

    /// Ana's post with a number, written so many seconds ago; the number is the backend's id of it too.
    pub(crate) fn written(n: u64, seconds_ago: u64) -> Value {
        let number = i64::try_from(n).expect("a number");
        let mut object = note(number, &format!("as we show {n}"));
        let at = clock::now().minus(Duration::from_secs(seconds_ago));
        object["published"] = json!(at.rfc3339());
        json!({"activity": {"type": "Create", "id": format!("{}#c", uri(number)), "actor": ANA, "object": object},
            "ref": n.to_string(), "author_ref": "900"})
    }

    /// Ana's posts, which the backend has too.
    pub(crate) fn post(&self, posts: &[(u64, u64)]) {
        for (n, _) in posts {
            self.stand_in.has(*n);
        }
        let lines: Vec<Value> = posts
            .iter()
            .map(|(n, ago)| Backed::written(*n, *ago))
            .collect();
        self.surface.tell(&lines);
    }

    /// A status of the backend's as an account is to get it: every byte of it, and our object.
    pub(crate) fn expected_start(&self, account: &str, id: u64) -> String {
        let text = self.stand_in.text(account, id).expect("a status");
        let inner = text.strip_suffix('}').expect("an object");
        format!("{inner},\"slackwater\":{{\"arrived_at\":\"")
    }
}

/// The ids of a page, as numbers.
pub(crate) fn ids(page: &Value) -> Vec<u64> {
    let statuses = page.as_array().expect("a list");
    let id = |status: &Value| status["id"].as_str().and_then(|id| id.parse().ok());
    statuses.iter().map(|it| id(it).expect("an id")).collect()
}
