//! The real binary, as a process of its own, on the built-in log in a temporary folder.

use super::wait_within;
use reqwest::StatusCode;
use reqwest::blocking::{Client, Response};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

/// How long anything may take before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A running service. Killed, by its process id, when dropped.
pub(crate) struct Service {
    /// Where it listens; another one after a restart, unless the configuration says which.
    pub(crate) address: SocketAddr,
    dir: TempDir,
    process: Option<Child>,
    lines: Arc<Mutex<Vec<String>>>,
    client: Client,
}

impl Service {
    /// Starts the service with `extra` over a configuration for tests (its own folder, any free port, log lines in
    /// JSON); returns when it listens.
    pub(crate) fn start(extra: &str) -> Service {
        let dir = TempDir::new().expect("a folder");
        let mut config: toml::Table = toml::from_str(
            "[http]\nlisten = \"127.0.0.1:0\"\n[log]\n[feed]\n[logging]\nformat = \"json\"",
        )
        .expect("TOML");
        for (table, folder) in [("log", "log"), ("feed", "feeds")] {
            let path = dir.path().join(folder).display().to_string();
            config[table]
                .as_table_mut()
                .expect("a table")
                .insert("path".to_owned(), path.into());
        }
        lay_over(&mut config, toml::from_str(extra).expect("TOML"));
        let file = config_in(dir.path());
        std::fs::write(&file, config.to_string()).expect("writing the configuration");
        let client = Client::builder()
            .no_proxy()
            .timeout(PATIENCE)
            .build()
            .expect("a client");
        let mut service = Service {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            dir,
            process: None,
            lines: Arc::default(),
            client,
        };
        service.run();
        service
    }

    /// The folder all its data is in: `log`, `feeds`.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A client, with a time limit.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// The address of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Asks for a path.
    pub(crate) fn get(&self, path: &str) -> Response {
        self.client.get(self.url(path)).send().expect("an answer")
    }

    /// Posts a body of a media type.
    pub(crate) fn post(&self, path: &str, kind: &str, body: impl Into<Vec<u8>>) -> Response {
        self.client
            .post(self.url(path))
            .header("content-type", kind)
            .body(body.into())
            .send()
            .expect("an answer")
    }

    /// Asks for a path until the answer, its status and its JSON, is as wanted.
    pub(crate) fn wait(&self, path: &str, wanted: impl Fn(StatusCode, &Value) -> bool) -> Value {
        let mut last = (StatusCode::OK, Value::Null);
        let found = wait_within(PATIENCE, || {
            let answer = self.get(path);
            let status = answer.status();
            last = (status, answer.json().unwrap_or_default());
            wanted(status, &last.1).then(|| last.1.clone())
        });
        let (status, json) = last;
        found.unwrap_or_else(|| panic!("{path} is still {status} {json}; the log:\n{}", self.log()))
    }

    /// Waits until the log is read that there was at the start.
    pub(crate) fn wait_ready(&self) {
        self.wait("/readyz", |status, _| status == StatusCode::OK);
    }

    /// What it wrote to its standard error so far, over all starts.
    pub(crate) fn log(&self) -> String {
        self.lines.lock().expect("the lines").join("\n")
    }

    /// Tells it to stop, and waits until it did.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        let mut process = self.process.take().expect("a running service");
        let told = Command::new("kill")
            .args(["-TERM", &process.id().to_string()])
            .status()
            .expect("kill");
        assert!(told.success(), "SIGTERM could not be sent");
        let ended = wait_within(PATIENCE, || {
            process.try_wait().expect("waiting for the service")
        });
        ended.unwrap_or_else(|| {
            process.kill().expect("killing the service");
            process.wait().expect("waiting for the service");
            panic!("the service did not stop; its log:\n{}", self.log());
        })
    }

    /// Kills it without warning, as `kill -9` does.
    pub(crate) fn kill9(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("killing the service");
            process.wait().expect("waiting for the service");
        }
    }

    /// Starts it again on the same data, killing it first if it runs; returns when it listens.
    pub(crate) fn restart(&mut self) {
        self.kill9();
        self.run();
    }

    fn run(&mut self) {
        let mut process = Command::new(env!("CARGO_BIN_EXE_slackwater"))
            .args(["serve", "--config"])
            .arg(config_in(self.dir.path()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("starting the service");
        let stderr = process.stderr.take().expect("its standard error");
        self.process = Some(process);
        let (tell, told): (Sender<SocketAddr>, Receiver<SocketAddr>) = channel();
        let lines = Arc::clone(&self.lines);
        // Reads to the end, or the service would block on a full pipe; ends with the process.
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let address = serde_json::from_str::<Value>(&line)
                    .ok()
                    .and_then(|line| line.get("address")?.as_str()?.parse().ok());
                if let Some(address) = address {
                    // Nobody asks any more after the first.
                    let _ = tell.send(address);
                }
                lines.lock().expect("the lines").push(line);
            }
        });
        self.address = told
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|_| panic!("the service does not listen; its log:\n{}", self.log()));
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It may have ended by itself.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

fn config_in(dir: &Path) -> PathBuf {
    dir.join("slackwater.toml")
}

fn lay_over(under: &mut toml::Table, over: toml::Table) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(toml::Value::Table(under)), toml::Value::Table(over)) => lay_over(under, over),
            (_, value) => {
                under.insert(key, value);
            }
        }
    }
}
