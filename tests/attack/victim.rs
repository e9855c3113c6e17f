//! The service under attack: set up, asked, watched, and looked after.

use super::Failed;
use super::bystander::{ACCOUNT, QUIET};
use super::support::instance::{self, Around, Instance};
use super::support::surface::{KIM, PUBLIC, SERVICE, token_of};
use super::support::wait_for;
use super::support::wait_within;
use reqwest::Method;
use reqwest::blocking::{Client, RequestBuilder};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};
use slackwater::clock;
use std::collections::HashSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tempfile::TempDir;

const SECRET: &str = "fedcba9876543210fedcba9876543210";
/// The longest that an attacker waits for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// How the service is set up.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Setting {
    /// With tokens, and these lines last in its configuration.
    Tokens(&'static str),
    /// With tokens, and no more than so many descriptors.
    Descriptors(u32),
    /// Without `[auth]`.
    Open,
}

/// The service under attack.
pub(crate) struct Victim {
    instance: Instance,
    client: Client,
    /// What the backend sends.
    token: Option<&'static str>,
    /// Activities accepted so far, from whomever.
    sent: Arc<AtomicUsize>,
    _dir: TempDir,
}

/// How much memory it took, in MiB.
#[derive(Debug)]
pub(crate) struct Memory {
    pub(crate) before_mib: u64,
    pub(crate) peak_mib: u64,
    /// None if it had ended.
    pub(crate) after_mib: Option<u64>,
}

impl Memory {
    pub(crate) fn growth_mib(&self) -> u64 {
        self.peak_mib.saturating_sub(self.before_mib)
    }
}

/// Looks at it every now and then, since what has ended cannot be asked any more.
pub(crate) struct MemoryWatch {
    over: Arc<AtomicBool>,
    before_kib: u64,
    peak_kib: JoinHandle<u64>,
    pid: u32,
}

impl Victim {
    pub(crate) fn start(setting: Setting) -> Victim {
        let dir = TempDir::new().unwrap();
        let auth = format!(
            "[auth]\nservice_tokens = [\"{SERVICE}\"]\npublic_feeds_open = true\n[auth.jwt]\nalgorithm = \"HS256\"\nkey = \"{SECRET}\"\n"
        );
        let (more, files_max) = match setting {
            Setting::Tokens(more) => (format!("{auth}{more}"), None),
            Setting::Descriptors(most) => (auth, Some(most)),
            Setting::Open => (String::new(), None),
        };
        let config = instance::built_in(&more);
        let around = Around {
            files_max,
            ..Around::default()
        };
        let victim = Victim {
            instance: Instance::start_within(dir.path(), &config, around),
            client: Client::builder().timeout(PATIENCE).build().unwrap(),
            token: (!matches!(setting, Setting::Open)).then_some(SERVICE),
            sent: Arc::default(),
            _dir: dir,
        };
        let follow = |account: &str, target: &str| json!({"type": "follow", "account": account, "target": target});
        let prepared = victim.relate(&[
            json!({"type": "account", "account": ACCOUNT, "actor": "https://home.example/users/bystander"}),
            follow(ACCOUNT, QUIET),
            json!({"type": "account", "account": "7", "actor": KIM}),
        ]);
        prepared.unwrap();
        victim
    }

    /// Where it is: scheme, host and port.
    pub(crate) fn base(&self) -> &str {
        self.instance.door.base()
    }

    /// A connection.
    pub(crate) fn connect(&self) -> Result<TcpStream, Failed> {
        let address = self.base().trim_start_matches("http://").parse()?;
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// A request by the backend.
    pub(crate) fn backend(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.anyone(method, path);
        match self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Where activities that are accepted are counted.
    pub(crate) fn sent(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.sent)
    }

    /// What the backend sends.
    pub(crate) fn token(&self) -> Option<&'static str> {
        self.token
    }

    /// A request by nobody in particular.
    pub(crate) fn anyone(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("{}{path}", self.base()))
    }

    /// A token of Kim's, whose account is 7.
    pub(crate) fn kims_token(&self) -> String {
        token_of("7", "read write", Duration::from_secs(3_600))
    }

    pub(crate) fn relate(&self, documents: &[Value]) -> Result<(), Failed> {
        let lines: Vec<String> = documents.iter().map(Value::to_string).collect();
        let request = self.backend(Method::POST, "/v1/relationships");
        let request = request.header("content-type", "application/x-ndjson");
        let answer = request.body(lines.join("\n")).send()?;
        let status = answer.status();
        let text = answer.text()?;
        match status.as_u16() {
            202 => Ok(()),
            _ => Err(format!("relations: {status} {text}").into()),
        }
    }

    /// Hands in activities, many at once, and waits for nothing; what the door said of them.
    pub(crate) fn hand_in(&self, activities: &[Value]) -> Result<Value, Failed> {
        let lines: Vec<String> = activities.iter().map(Value::to_string).collect();
        let request = self.backend(Method::POST, "/v1/activities");
        let request = request.header("content-type", "application/x-ndjson");
        let answer = request.body(lines.join("\n")).send()?;
        let status = answer.status();
        let text = answer.text()?;
        if status.as_u16() != 202 {
            return Err(format!("activities: {status} {text}").into());
        }
        let said: Value = serde_json::from_str(&text)?;
        let accepted = said["accepted"].as_u64().unwrap_or(0) as usize;
        self.sent.fetch_add(accepted, Ordering::Relaxed);
        Ok(said)
    }

    /// As [`Victim::hand_in`], in bodies of so many, each of which is accepted.
    pub(crate) fn tell(&self, activities: &[Value], at_once: usize) -> Result<(), Failed> {
        for some in activities.chunks(at_once) {
            let said = self.hand_in(some)?;
            if said["accepted"] != some.len() {
                return Err(format!("not all are accepted: {said}").into());
            }
        }
        Ok(())
    }

    /// Waits until what was handed in is read, for so long at most; whether it is.
    pub(crate) fn is_read_within(&self, most: Duration) -> bool {
        let sent = self.sent.load(Ordering::Relaxed) as f64;
        let name = "slackwater_records_read_total{topic=\"activities\"}";
        let is_read = wait_within(most, || {
            let is_read = sent <= self.metric(name).unwrap_or(0.0);
            (is_read || !self.lives()).then_some(is_read)
        });
        is_read.unwrap_or(false)
    }

    fn metric(&self, name: &str) -> Option<f64> {
        let text = self
            .backend(Method::GET, "/metrics")
            .send()
            .ok()?
            .text()
            .ok()?;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line?.parse().ok()
    }

    /// Waits until what was handed in is in the feeds.
    pub(crate) fn settle(&self) {
        self.is_read_within(PATIENCE);
        self.turn();
    }

    /// Records are counted before they are in feeds; a relation is answered after.
    fn turn(&self) {
        let nobody = json!({"type": "account", "account": "nobody", "actor": "https://home.example/users/nobody"});
        // Whether it lives is found out afterwards.
        let _ = self.relate(&[nobody]);
    }

    /// JSON for the backend.
    pub(crate) fn read(&self, path: &str) -> Result<Value, Failed> {
        let answer = self.backend(Method::GET, path).send()?;
        let status = answer.status();
        if !status.is_success() {
            return Err(format!("{path}: {status}").into());
        }
        Ok(answer.json()?)
    }

    /// The id of the post with this URI.
    pub(crate) fn id_of(&self, uri: &str) -> Result<String, Failed> {
        let post = self.read(&format!("/v1/posts?uri={uri}"))?;
        Ok(post["id"].as_str().ok_or("no id")?.to_owned())
    }

    pub(crate) fn watch_memory(&self) -> MemoryWatch {
        let pid = self.instance.pid();
        // Forgets the peak so far; where that is not allowed, the peak is that of the whole run.
        let _ = fs::write(format!("/proc/{pid}/clear_refs"), "5");
        let over = Arc::new(AtomicBool::new(false));
        let (before_kib, is_over) = (kib(pid, "VmRSS").unwrap_or(0), Arc::clone(&over));
        let peak_kib = std::thread::spawn(move || {
            let mut peak_kib = 0;
            loop {
                let look_every = Duration::from_millis(20);
                let end = wait_within(look_every, || is_over.load(Ordering::Relaxed).then_some(()));
                // The last look comes after the end.
                peak_kib = kib(pid, "VmHWM").unwrap_or(0).max(peak_kib);
                if end.is_some() {
                    return peak_kib;
                }
            }
        });
        MemoryWatch {
            over,
            before_kib,
            peak_kib,
            pid,
        }
    }

    /// Resident memory now, in MiB.
    pub(crate) fn memory_mib(&self) -> u64 {
        kib(self.instance.pid(), "VmRSS").unwrap_or(0) >> 10
    }

    /// Whether it is there, answering or not.
    pub(crate) fn lives(&self) -> bool {
        is_running(self.instance.pid())
    }

    /// Whether it answers.
    pub(crate) fn answers(&self) -> bool {
        self.backend(Method::GET, "/healthz").send().is_ok()
    }

    /// Whether it is there for all of this time.
    pub(crate) fn stays_for(&self, time: Duration) -> bool {
        wait_within(time, || (!self.lives()).then_some(())).is_none()
    }

    pub(crate) fn last_words(&self) -> String {
        let said = self.instance.said();
        let last = said
            .lines()
            .rfind(|line| line.contains("\"ERROR\"") || line.contains("panicked"));
        let last = last.or_else(|| said.lines().last()).unwrap_or_default();
        last.chars().take(400).collect()
    }

    /// Kills it, starts it again, and waits until it has read what it has; false if it ended meanwhile.
    pub(crate) fn restart(&mut self) -> bool {
        self.instance.restart();
        let ready = wait_for("a service that is ready, or has ended", || {
            let answer = self.backend(Method::GET, "/readyz").send();
            let is_ready = answer.is_ok_and(|answer| answer.status().is_success());
            (is_ready || !self.lives()).then_some(is_ready)
        });
        // What was read before the kill is not counted again: ready is read to the end.
        ready && {
            self.turn();
            self.stays_for(Duration::from_millis(200))
        }
    }

    /// How many of these posts are not in the bystander's home.
    pub(crate) fn lost(&self, acknowledged: &[String]) -> usize {
        let found = self.bystanders_home().unwrap_or_default();
        acknowledged
            .iter()
            .filter(|uri| !found.contains(*uri))
            .count()
    }

    fn bystanders_home(&self) -> Result<HashSet<String>, Failed> {
        let (mut found, mut before) = (HashSet::new(), String::new());
        loop {
            let page = self.read(&format!(
                "/v1/accounts/{ACCOUNT}/feeds/home?limit=80{before}"
            ))?;
            let entries = page["entries"].as_array().ok_or("no entries")?;
            let Some(last) = entries.last() else {
                return Ok(found);
            };
            before = format!("&before={}", last["id"].as_str().ok_or("no id")?);
            found.extend(
                entries
                    .iter()
                    .filter_map(|it| Some(it["uri"].as_str()?.to_owned())),
            );
        }
    }
}

impl MemoryWatch {
    pub(crate) fn end(self) -> Memory {
        self.over.store(true, Ordering::Relaxed);
        Memory {
            before_mib: self.before_kib >> 10,
            peak_mib: self.peak_kib.join().unwrap() >> 10,
            after_mib: kib(self.pid, "VmRSS").map(|kib| kib >> 10),
        }
    }
}

/// A figure of the kernel's on a process.
fn kib(pid: u32, name: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with(name))?;
    line.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// Ended, it is a zombie until it is waited for.
fn is_running(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").map(|(_, state)| state);
    state.is_some_and(|state| !state.starts_with(['Z', 'X']))
}

/// An attacker has as many connections as the machine allows.
pub(crate) fn allow_many_descriptors() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // With fewer, the attacks that need them say so.
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: maximum,
            maximum,
        },
    );
}

/// The head of a request, written by hand, but for its end.
pub(crate) fn head(method: &str, path: &str, token: Option<&str>) -> String {
    let token = token.map_or(String::new(), |token| {
        format!("authorization: Bearer {token}\r\n")
    });
    format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n{token}")
}

/// The head of an answer, read to its end and no further.
pub(crate) fn answer_head(stream: &mut TcpStream) -> Result<String, Failed> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.extend_from_slice(&byte);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

/// Opens a websocket by hand, and reads nothing of it.
pub(crate) fn websocket(
    victim: &Victim,
    path: &str,
    token: Option<&str>,
) -> Result<TcpStream, Failed> {
    let mut stream = victim.connect()?;
    let head = head("GET", path, token);
    write!(
        stream,
        "{head}connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )?;
    let answer = answer_head(&mut stream)?;
    match answer.contains(" 101 ") {
        true => Ok(stream),
        false => Err(format!(
            "no websocket: {}",
            answer.lines().next().unwrap_or_default()
        )
        .into()),
    }
}

/// A public note by `author`, written just now.
pub(crate) fn note(author: &str, uri: &str, content: &str) -> Value {
    json!({"type": "Note", "id": uri, "attributedTo": author, "content": content,
        "published": clock::now().rfc3339(), "to": [PUBLIC]})
}

/// The activity that brings an object.
pub(crate) fn create(object: &Value) -> Value {
    let id = format!("{}#create", object["id"].as_str().unwrap());
    json!({"type": "Create", "id": id, "actor": object["attributedTo"], "object": object})
}
