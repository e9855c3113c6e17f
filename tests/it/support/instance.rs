//! The real binary: started, asked over HTTP, killed or told to stop by its process id.

use super::{DEADLINE, wait_for, wait_within};
use reqwest::blocking::{Client, Response};
use serde_json::Value;
use slackwater::clock;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// The service as another process would see it. Killed, by its process id, when dropped.
pub(crate) struct Instance {
    dir: PathBuf,
    config: PathBuf,
    /// Arguments of `serve`, beside the configuration.
    pub(crate) more: Vec<String>,
    around: Around,
    process: Option<Child>,
    /// How much of the log belongs to earlier runs.
    said_before: usize,
    /// How to reach the present run.
    pub(crate) door: Door,
}

/// What a service is started with.
#[derive(Default)]
pub(crate) struct Around {
    /// Variables of its environment.
    pub(crate) environment: Vec<(String, PathBuf)>,
    /// So many files and connections it may have open; none: as many as this process.
    pub(crate) files_max: Option<u32>,
}

/// Where a running service answers. Cheap to clone, for threads that post while others kill.
#[derive(Clone)]
pub(crate) struct Door {
    base: String,
    /// Sent with every request, if there is one.
    token: Option<String>,
    client: Client,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) kind: String,
    pub(crate) link: Option<String>,
    pub(crate) retry_after: Option<String>,
    pub(crate) text: String,
}

/// The configuration for a service with the built-in log, with everything in its own folder; `more` comes last.
pub(crate) fn built_in(more: &str) -> String {
    format!("[log]\nkind = \"built-in\"\npath = \"log\"\n{COMMON}\n{more}")
}

/// The same on Kafka's default topics at `broker`.
pub(crate) fn on_kafka(broker: &str, more: &str) -> String {
    format!("[log]\nkind = \"kafka\"\n[kafka]\nbrokers = [\"{broker}\"]\n{COMMON}\n{more}")
}

const COMMON: &str =
    "[http]\nlisten = \"127.0.0.1:0\"\n[logging]\nformat = \"json\"\n[feed]\npath = \"feeds\"\n";

/// To come last: checkpoints as often as can be, so that a kill is often in the middle of one.
pub(crate) const OFTEN: &str =
    "unflushed_entries_max = 1000\ncheckpoint_every = \"100ms\"\nreplay_max = \"1ms\"\n";

/// The binary under test. SLACKWATER_BINARY names another build of it (a release, an image's), from the checkout.
pub(crate) fn binary() -> PathBuf {
    let named = std::env::var_os("SLACKWATER_BINARY");
    let path = named.map_or_else(|| env!("CARGO_BIN_EXE_slackwater").into(), PathBuf::from);
    // It is started in a folder of its own.
    std::path::absolute(path).expect("a path")
}

impl Instance {
    /// Starts it in `dir` with this configuration; returns when it listens.
    pub(crate) fn start(dir: &Path, config: &str) -> Instance {
        Instance::start_within(dir, config, Around::default())
    }

    /// The same, with this around it.
    pub(crate) fn start_within(dir: &Path, config: &str, around: Around) -> Instance {
        let file = dir.join("slackwater.toml");
        std::fs::write(&file, config).expect("writing the configuration");
        let mut instance = Instance {
            dir: dir.to_owned(),
            config: file,
            more: Vec::new(),
            around,
            process: None,
            said_before: 0,
            door: Door::to(""),
        };
        instance.restart();
        instance
    }

    /// Starts it again, killing it first if it still runs; returns when it listens.
    pub(crate) fn restart(&mut self) {
        self.launch();
        let address = wait_for("the address the service listens on", || {
            let process = self.process.as_mut()?;
            if let Some(ended) = process.try_wait().expect("the service's state") {
                panic!("it ended at once, {ended}:\n{}", self.said());
            }
            self.said().lines().find_map(|line| {
                let line: Value = serde_json::from_str(line).ok()?;
                Some(line.get("address")?.as_str()?.to_owned())
            })
        });
        self.door = Door::to(&format!("http://{address}"));
    }

    /// Starts it again without waiting for anything.
    pub(crate) fn launch(&mut self) {
        self.kill9();
        let log = self.dir.join("service.log");
        self.said_before = std::fs::metadata(&log).map_or(0, |log| log.len()) as usize;
        let log = File::options()
            .create(true)
            .append(true)
            .open(log)
            .expect("the service's log");
        let mut command = match self.around.files_max {
            None => Command::new(binary()),
            Some(files_max) => {
                let mut command = Command::new("sh");
                let bounded = "ulimit -n \"$0\" && exec \"$@\"";
                command
                    .args(["-c", bounded, &files_max.to_string()])
                    .arg(binary());
                command
            }
        };
        let process = command
            .arg("serve")
            .arg("--config")
            .arg(&self.config)
            .args(&self.more)
            .envs(
                self.around
                    .environment
                    .iter()
                    .map(|(name, value)| (name, value)),
            )
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("the service's log"))
            .stderr(log)
            .spawn()
            .expect("starting the service");
        self.process = Some(process);
    }

    /// Waits until it has read what stood in the log when it started.
    pub(crate) fn wait_until_ready(&self) {
        wait_for("a service that is ready", || {
            (self.door.get("/readyz").status == 200).then_some(())
        });
    }

    /// Waits until it has taken in so many records since it started.
    pub(crate) fn wait_until_read(&self, topic: &str, records: usize) {
        let name = format!("slackwater_records_read_total{{topic=\"{topic}\"}}");
        wait_for(&format!("{records} records of {topic}"), || {
            (records as f64 <= self.door.metric(&name)).then_some(())
        });
    }

    /// Waits until all that is in the log is in the feeds.
    pub(crate) fn settle_all(&self) {
        // A turn of the loop says how much was left to read before; what came before the second of two relations is counted then.
        self.settle();
        self.settle();
        wait_for("the log to be read to its end", || {
            let metrics = self.door.get("/metrics").text;
            let lags = metrics.lines().filter_map(|line| {
                let (_, lag) = line
                    .strip_prefix("slackwater_lag_records{")?
                    .split_once("} ")?;
                lag.parse::<f64>().ok()
            });
            (lags.sum::<f64>() == 0.0).then_some(())
        });
        self.settle();
    }

    /// Waits until all that was read is in the feeds too: records are counted before, a relation is answered after.
    pub(crate) fn settle(&self) {
        let nobody =
            r#"{"type":"account","account":"nobody","actor":"https://home.example/users/nobody"}"#;
        wait_for("a relation in force", || {
            let answer = self
                .door
                .post("/v1/relationships", "application/json", nobody);
            (answer.status == 202).then_some(())
        });
    }

    /// The file of its configuration.
    pub(crate) fn config(&self) -> &Path {
        &self.config
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.process.as_ref().expect("a running service").id()
    }

    /// Kills it without warning.
    pub(crate) fn kill9(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("killing the service");
            process.wait().expect("waiting for the service's end");
        }
    }

    /// Sends it SIGTERM; how it ended, and after how long.
    pub(crate) fn terminate(&mut self) -> (ExitStatus, Duration) {
        self.end("TERM")
    }

    /// Sends it a signal; how it ended, and after how long.
    pub(crate) fn end(&mut self, signal: &str) -> (ExitStatus, Duration) {
        let mut process = self.process.take().expect("a running service");
        let begun = clock::stopwatch();
        let sent = Command::new("kill")
            .args(["-s", signal, &process.id().to_string()])
            .status()
            .expect("kill");
        assert!(sent.success());
        let status = wait_for("the service's end", || {
            process.try_wait().expect("its state")
        });
        (status, begun.elapsed())
    }

    /// Whether it was started, and neither killed nor told to end.
    pub(crate) fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        let state = self.process.as_mut().map(Child::try_wait);
        matches!(state, Some(Ok(Some(_))))
    }

    /// Waits until it has ended by itself; how.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let mut process = self.process.take().expect("a running service");
        let ended = wait_within(DEADLINE, || process.try_wait().expect("its state"));
        ended.unwrap_or_else(|| {
            self.process = Some(process);
            panic!("the service does not end");
        })
    }

    /// What this run has logged so far.
    pub(crate) fn said(&self) -> String {
        let all = std::fs::read(self.dir.join("service.log")).unwrap_or_default();
        String::from_utf8_lossy(all.get(self.said_before..).unwrap_or_default()).into_owned()
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        let failing = std::thread::panicking();
        if failing {
            let said = self.said();
            let last: Vec<&str> = said.lines().rev().take(15).collect();
            for line in last.iter().rev() {
                eprintln!("{line}");
            }
        }
        self.kill9();
    }
}

impl Door {
    /// The way to a service at this address.
    pub(crate) fn to(base: &str) -> Door {
        let client = Client::builder().timeout(Duration::from_secs(60)).build();
        Door {
            base: base.to_owned(),
            token: None,
            client: client.expect("an HTTP client"),
        }
    }

    /// The same door, with a token.
    pub(crate) fn with_token(&self, token: &str) -> Door {
        Door {
            token: Some(token.to_owned()),
            ..self.clone()
        }
    }

    /// Where it is: scheme, host and port.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// The client and the URL of a path, for what the shortcuts below do not do.
    pub(crate) fn request(
        &self,
        method: reqwest::Method,
        path: &str,
    ) -> reqwest::blocking::RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// GET.
    pub(crate) fn get(&self, path: &str) -> Answer {
        let answer = self.request(reqwest::Method::GET, path).send();
        Answer::of(answer.expect("an answer")).expect("all of an answer")
    }

    /// GET; an error if there is no answer within so long, as when the service has been killed.
    pub(crate) fn try_get(&self, path: &str, within: Duration) -> reqwest::Result<Answer> {
        let request = self.request(reqwest::Method::GET, path);
        Answer::of(request.timeout(within).send()?)
    }

    /// POST; an error if there is no answer, as when the service has been killed.
    pub(crate) fn try_post(
        &self,
        path: &str,
        kind: &str,
        body: Vec<u8>,
    ) -> reqwest::Result<Answer> {
        let request = self.request(reqwest::Method::POST, path);
        Answer::of(request.header("content-type", kind).body(body).send()?)
    }

    /// POST.
    pub(crate) fn post(&self, path: &str, kind: &str, body: impl Into<Vec<u8>>) -> Answer {
        self.try_post(path, kind, body.into()).expect("an answer")
    }

    /// POST of relations or activities, one a line, all of which are accepted.
    pub(crate) fn post_lines(&self, path: &str, lines: &[String]) {
        let answer = self.post(path, "application/x-ndjson", lines.join("\n"));
        assert_eq!(answer.status, 202, "{}", answer.text);
        assert_eq!(answer.json()["accepted"], lines.len(), "{}", answer.text);
    }

    /// A number of /metrics; 0 before it is there.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let Ok(answer) = self.request(reqwest::Method::GET, "/metrics").send() else {
            return 0.0;
        };
        let text = answer.text().unwrap_or_default();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|number| number.parse().ok()).unwrap_or(0.0)
    }

    /// A whole home, newest first, by walking its pages along `Link`.
    pub(crate) fn home(&self, account: &str) -> Vec<Value> {
        let mut next = Some(format!("/v1/accounts/{account}/feeds/home?limit=80"));
        let mut entries: Vec<Value> = Vec::new();
        while let Some(path) = next {
            // Relations that came by Kafka are in force when they are read: until then nobody knows the account.
            let answer = wait_for("the account to be known", || {
                let answer = self.get(&path);
                (answer.status != 404).then_some(answer)
            });
            assert_eq!(answer.status, 200, "{path}: {}", answer.text);
            let mut page = answer.json();
            let page = page["entries"]
                .as_array_mut()
                .map(std::mem::take)
                .expect("entries");
            // Asked again, so that a failure tells a page that is empty for a moment from one that stays so.
            assert!(
                page.len() <= 80 && (!page.is_empty() || entries.is_empty()),
                "{path}: {} entries after {}; asked again: {:?}",
                page.len(),
                entries.len(),
                self.get(&path)
            );
            entries.extend(page);
            next = answer.next();
        }
        let ids: Vec<u64> = entries.iter().map(id_of).collect();
        assert!(
            ids.is_sorted_by(|a, b| b < a),
            "{account}: each once, newest first"
        );
        entries
    }

    /// The URIs of a home, newest first.
    pub(crate) fn uris(&self, account: &str) -> Vec<String> {
        self.home(account).iter().map(uri_of).collect()
    }

    /// The whole homes of these accounts.
    pub(crate) fn homes(&self, accounts: &[String]) -> BTreeMap<String, Vec<Value>> {
        let home = |account: &String| (account.clone(), self.home(account));
        accounts.iter().map(home).collect()
    }
}

impl Answer {
    fn of(response: Response) -> reqwest::Result<Answer> {
        let header = |name: &str| {
            let value = response.headers().get(name)?.to_str().ok()?;
            Some(value.to_owned())
        };
        Ok(Answer {
            status: response.status().as_u16(),
            kind: header("content-type").unwrap_or_default(),
            link: header("link"),
            retry_after: header("retry-after"),
            text: response.text()?,
        })
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {}", self.text))
    }

    /// The path of the next page.
    pub(crate) fn next(&self) -> Option<String> {
        let link = self.link.as_deref()?;
        let (target, _) = link
            .split(", ")
            .find_map(|one| one.split_once("; rel=\"next\""))?;
        Some(target.trim_matches(['<', '>']).to_owned())
    }
}

/// An entry's id.
pub(crate) fn id_of(entry: &Value) -> u64 {
    let id = entry["id"].as_str().and_then(|id| id.parse().ok());
    id.unwrap_or_else(|| panic!("no id: {entry}"))
}

/// An entry's URI.
pub(crate) fn uri_of(entry: &Value) -> String {
    entry["uri"].as_str().expect("a URI").to_owned()
}
