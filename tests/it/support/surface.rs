//! An instance with one reader, Kim, who follows Ana, and a token of Kim's: what tests of Mastodon's API begin with.

use super::instance::{self, Door, Instance};
use super::wait_for;
use reqwest::Method;
use serde_json::{Value, json};
use slackwater::api::auth::jwt;
use slackwater::api::auth::secret::Secret;
use slackwater::clock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tempfile::TempDir;

pub(crate) const SERVICE: &str = "0123456789abcdef";
pub(crate) const SECRET: &str = "fedcba9876543210fedcba9876543210";
pub(crate) const PUBLIC: &str = "https://www.w3.org/ns/activitystreams#Public";
pub(crate) const ANA: &str = "https://a.example/users/ana";
pub(crate) const KIM: &str = "https://home.example/users/kim";

pub(crate) struct Surface {
    pub(crate) instance: Instance,
    /// Activities sent so far.
    sent: AtomicUsize,
    _dir: TempDir,
}

/// The URI of Ana's post of this number.
pub(crate) fn uri(n: i64) -> String {
    format!("{ANA}/posts/{n}")
}

/// Ana's post, which says this in a paragraph.
pub(crate) fn note(n: i64, text: &str) -> Value {
    json!({"type": "Note", "id": uri(n), "attributedTo": ANA, "content": format!("<p>{text}</p>"),
        "published": clock::now().rfc3339(), "to": [PUBLIC]})
}

impl Surface {
    /// Starts one; `more` comes last in its configuration.
    pub(crate) fn start(more: &str) -> Surface {
        Surface::configured(more, |config| config)
    }

    /// Starts one in whose configuration this stands for that.
    pub(crate) fn start_with(that: &str, this: &str) -> Surface {
        Surface::configured("", |config| config.replace(that, this))
    }

    /// Starts one with `more` last in its configuration, which `change` makes another of.
    pub(crate) fn configured(more: &str, change: impl FnOnce(String) -> String) -> Surface {
        let dir = TempDir::new().expect("a folder");
        let auth = format!(
            "[auth]\nservice_tokens = [\"{SERVICE}\"]\n[auth.jwt]\nalgorithm = \"HS256\"\nkey = \"{SECRET}\"\n"
        );
        let config = instance::built_in(&format!("{auth}{more}"));
        let config = config.replace("[http]\n", "[http]\nrequests_per_minute = 100000\n");
        let config = change(config);
        let surface = Surface {
            sent: AtomicUsize::new(0),
            instance: Instance::start(dir.path(), &config),
            _dir: dir,
        };
        surface.relate(&[
            json!({"type": "account", "account": "7", "actor": KIM}),
            json!({"type": "follow", "account": "7", "target": ANA}),
            json!({"type": "list", "account": "7", "target": "42", "title": "Friends"}),
            json!({"type": "list_member", "account": "7", "list": "42", "target": ANA}),
            json!({"type": "account", "account": "8", "actor": "https://home.example/users/lea"}),
            json!({"type": "list", "account": "8", "target": "43", "title": "Lea's"}),
        ]);
        surface
    }

    pub(crate) fn door(&self) -> &Door {
        &self.instance.door
    }

    /// A token of Kim's.
    pub(crate) fn token(&self, scope: &str) -> String {
        token_of("7", scope, Duration::from_secs(3600))
    }

    fn send(&self, path: &str, lines: &[String]) {
        let request = self.door().request(Method::POST, path).bearer_auth(SERVICE);
        let request = request.header("content-type", "application/x-ndjson");
        let answer = request.body(lines.join("\n")).send().expect("an answer");
        assert_eq!(answer.status(), 202);
        let answer: Value = answer.json().expect("JSON");
        assert_eq!(answer["accepted"], lines.len(), "{answer}");
    }

    pub(crate) fn relate(&self, documents: &[Value]) {
        let lines: Vec<String> = documents.iter().map(ToString::to_string).collect();
        self.send("/v1/relationships", &lines);
    }

    /// Activities, taken in.
    pub(crate) fn tell(&self, activities: &[Value]) {
        let lines: Vec<String> = activities.iter().map(ToString::to_string).collect();
        self.tell_lines(&lines);
    }

    /// Activities as they are written, taken in.
    pub(crate) fn tell_lines(&self, lines: &[String]) {
        self.send("/v1/activities", lines);
        self.sent.fetch_add(lines.len(), Ordering::Relaxed);
        self.settle();
    }

    /// Waits until all that was sent is in the feeds.
    pub(crate) fn settle(&self) {
        let sent = self.sent.load(Ordering::Relaxed);
        let name = "slackwater_records_read_total{topic=\"activities\"} ";
        wait_for("all activities to be read", || {
            let request = self.door().request(Method::GET, "/metrics");
            let text = request.bearer_auth(SERVICE).send().ok()?.text().ok()?;
            let read = text.lines().find_map(|line| line.strip_prefix(name));
            let read: usize = read.map_or(Some(0), |read| read.parse().ok())?;
            (sent <= read).then_some(())
        });
        // Records are counted before they are in feeds; a relation is answered after.
        self.relate(&[json!({"type": "account", "account": "nobody", "actor": "https://home.example/users/nobody"})]);
    }

    pub(crate) fn create(&self, object: &Value) {
        let id = format!("{}#create", object["id"].as_str().expect("an id"));
        self.tell(&[
            json!({"type": "Create", "id": id, "actor": object["attributedTo"], "object": object}),
        ]);
    }

    pub(crate) fn post(&self, n: i64, text: &str) {
        self.create(&note(n, text));
    }

    /// So many, a second apart, of which the last was written just now.
    pub(crate) fn post_many(&self, count: i64) {
        let now = clock::now();
        let activities: Vec<Value> = (0..count)
            .map(|n| {
                let mut object = note(n, &format!("post {n}"));
                let before = u64::try_from(count - n).expect("a number");
                object["published"] = json!(now.minus(Duration::from_secs(before)).rfc3339());
                json!({"type": "Create", "id": format!("{}#create", uri(n)), "actor": ANA, "object": object})
            })
            .collect();
        self.tell(&activities);
    }

    pub(crate) fn edit(&self, n: i64, text: &str) {
        let mut object = note(n, text);
        object["updated"] = object["published"].clone();
        self.tell(&[json!({"type": "Update", "id": format!("{}#edit", uri(n)), "actor": ANA, "object": object})]);
    }

    pub(crate) fn delete(&self, n: i64) {
        let object = json!({"type": "Tombstone", "id": uri(n)});
        self.tell(&[json!({"type": "Delete", "id": format!("{}#delete", uri(n)), "actor": ANA, "object": object})]);
    }

    /// What the backend's API answers.
    pub(crate) fn backend(&self, path: &str) -> Value {
        let request = self.door().request(Method::GET, path).bearer_auth(SERVICE);
        request.send().expect("an answer").json().expect("JSON")
    }

    /// The ids of Kim's home, newest first.
    pub(crate) fn home(&self) -> Vec<String> {
        let page = self.backend("/v1/accounts/7/feeds/home?limit=80");
        let entries = page["entries"].as_array().expect("entries");
        let id = |entry: &Value| entry["id"].as_str().expect("an id").to_owned();
        entries.iter().map(id).collect()
    }

    /// The id of a post.
    pub(crate) fn id_of(&self, uri: &str) -> String {
        let post = self.backend(&format!("/v1/posts?uri={uri}"));
        post["id"].as_str().expect("an id").to_owned()
    }
}

/// A token of an account's.
pub(crate) fn token_of(account: &str, scope: &str, lives: Duration) -> String {
    let options = jwt::Options {
        algorithm: jwt::Algorithm::Hs256,
        key: Secret::new(SECRET),
        issuer: None,
        audience: None,
    };
    jwt::mint(&options, &options.key, account, scope, clock::now(), lives).expect("a token")
}
