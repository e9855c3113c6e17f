//! Somebody who has nothing to do with an attack: looks whether the service lives, reads a small page, hands in a post and a
//! relation now and then, and notes how long each takes.

use super::support::wait_within;
use super::victim::Victim;
use reqwest::blocking::{Client, RequestBuilder};
use serde_json::json;
use slackwater::clock;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Whom the bystander follows, and nobody else does.
pub(crate) const QUIET: &str = "https://quiet.example/users/quinn";
/// The bystander's account.
pub(crate) const ACCOUNT: &str = "bystander";

/// How often is looked and read.
const READ_EVERY: Duration = Duration::from_millis(20);
/// How often something is handed in.
const WRITE_EVERY: Duration = Duration::from_millis(200);
/// The longest that an answer is waited for.
const GIVEN_UP: Duration = Duration::from_secs(30);

/// How long each of one kind of request took.
#[derive(Debug, Default)]
pub(crate) struct Waits {
    took: Vec<Duration>,
    /// How many had no answer, or not the right one.
    pub(crate) failed: usize,
}

impl Waits {
    pub(crate) fn count(&self) -> usize {
        self.took.len()
    }

    pub(crate) fn worst(&self) -> Duration {
        self.took.iter().max().copied().unwrap_or_default()
    }

    fn median(&self) -> Duration {
        let mut took = self.took.clone();
        took.sort();
        took.get(took.len() / 2).copied().unwrap_or_default()
    }
}

impl fmt::Display for Waits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = |it: Duration| it.as_secs_f64() * 1_000.0;
        write!(
            f,
            "{:.1}, {:.0}",
            millis(self.median()),
            millis(self.worst())
        )?;
        match self.failed {
            0 => Ok(()),
            failed => write!(f, ", {failed} failed"),
        }
    }
}

/// What a bystander felt.
#[derive(Debug)]
pub(crate) struct Felt {
    pub(crate) health: Waits,
    pub(crate) page: Waits,
    pub(crate) post: Waits,
    pub(crate) relation: Waits,
    /// The URIs of posts that were taken.
    pub(crate) acknowledged: Vec<String>,
}

impl Felt {
    pub(crate) fn kinds(&self) -> [(&'static str, &Waits); 4] {
        [
            ("healthz", &self.health),
            ("pages", &self.page),
            ("posts", &self.post),
            ("relations", &self.relation),
        ]
    }
}

/// One at work.
pub(crate) struct Bystander {
    over: Arc<AtomicBool>,
    health: JoinHandle<Waits>,
    page: JoinHandle<Waits>,
    post: JoinHandle<(Waits, Vec<String>)>,
    relation: JoinHandle<Waits>,
}

impl Bystander {
    pub(crate) fn begin(victim: &Victim) -> Bystander {
        let over = Arc::new(AtomicBool::new(false));
        let round = |every, path: &str| Round {
            over: Arc::clone(&over),
            every,
            // Each has a connection of its own, which was there before the attack began.
            client: Client::builder().timeout(GIVEN_UP).build().unwrap(),
            token: victim.token(),
            url: format!("{}{path}", victim.base()),
            waits: Waits::default(),
        };
        let sent = victim.sent();
        let health = round(READ_EVERY, "/healthz");
        let page = round(READ_EVERY, "/v1/accounts/bystander/feeds/home?limit=5");
        let post = round(WRITE_EVERY, "/v1/activities");
        let relation = round(WRITE_EVERY, "/v1/relationships");
        for round in [&health, &page, &post, &relation] {
            // The answer does not matter: there is a connection now.
            let _ = round
                .client
                .get(format!("{}/healthz", victim.base()))
                .send()
                .map(|it| it.text());
        }
        Bystander {
            over: Arc::clone(&over),
            health: std::thread::spawn(move || {
                health.go_on(200, |client, url, _| client.get(url), |_| {})
            }),
            page: std::thread::spawn(move || {
                page.go_on(200, |client, url, _| client.get(url), |_| {})
            }),
            post: std::thread::spawn(move || {
                let mut acknowledged = Vec::new();
                let waits = post.go_on(
                    202,
                    |client, url, n| {
                        let request = client.post(url).header("content-type", "application/json");
                        request.body(create(n))
                    },
                    |n| {
                        sent.fetch_add(1, Ordering::Relaxed);
                        acknowledged.push(uri(n));
                    },
                );
                (waits, acknowledged)
            }),
            relation: std::thread::spawn(move || {
                relation.go_on(
                    202,
                    |client, url, n| {
                        let request = client.post(url).header("content-type", "application/json");
                        let target = format!("https://quiet.example/users/{n}");
                        let mute = json!({"type": "mute", "account": ACCOUNT, "target": target});
                        request.body(mute.to_string())
                    },
                    |_| {},
                )
            }),
        }
    }

    pub(crate) fn end(self) -> Felt {
        self.over.store(true, Ordering::Relaxed);
        let (post, acknowledged) = self.post.join().unwrap();
        Felt {
            health: self.health.join().unwrap(),
            page: self.page.join().unwrap(),
            relation: self.relation.join().unwrap(),
            post,
            acknowledged,
        }
    }
}

/// The same request over and over.
struct Round {
    over: Arc<AtomicBool>,
    every: Duration,
    client: Client,
    token: Option<&'static str>,
    url: String,
    waits: Waits,
}

impl Round {
    /// Asks until it is over, at least once; tells which were answered with `status`.
    fn go_on(
        mut self,
        status: u16,
        request: impl Fn(&Client, &str, usize) -> RequestBuilder,
        mut answered: impl FnMut(usize),
    ) -> Waits {
        for n in 0.. {
            let begun = clock::stopwatch();
            let request = request(&self.client, &self.url, n);
            let request = match self.token {
                Some(token) => request.bearer_auth(token),
                None => request,
            };
            let answer = request.send().and_then(|answer| {
                let status = answer.status().as_u16();
                answer.bytes().map(|_| status)
            });
            let took = begun.elapsed();
            self.waits.took.push(took);
            match answer {
                Ok(found) if found == status => answered(n),
                _ => self.waits.failed += 1,
            }
            let is_over = || self.over.load(Ordering::Relaxed).then_some(());
            if wait_within(self.every.saturating_sub(took), is_over).is_some() {
                break;
            }
        }
        self.waits
    }
}

fn uri(n: usize) -> String {
    format!("{QUIET}/posts/{n}")
}

/// A post for followers: the public feeds are the attacker's.
fn create(n: usize) -> String {
    let uri = uri(n);
    json!({"type": "Create", "id": format!("{uri}#create"), "actor": QUIET, "object": {
        "type": "Note", "id": uri, "attributedTo": QUIET, "content": "<p>calm</p>",
        "published": clock::now().rfc3339(), "to": [format!("{QUIET}/followers")]}})
    .to_string()
}
