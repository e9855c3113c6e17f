//! A real Prometheus, of Debian's package, which `tests/run` unpacks.

use super::nginx::free_port;
use super::{DEADLINE, wait_for, wait_within};
use reqwest::blocking::Client;
use serde_json::Value;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// A running Prometheus. Killed, by its process id, when dropped.
pub(crate) struct Prometheus {
    dir: TempDir,
    base: String,
    client: Client,
    process: Child,
}

/// A program of the package: `prometheus` or `promtool`.
pub(crate) fn program(name: &str) -> PathBuf {
    let path = super::broker::tools().join("prometheus/usr/bin").join(name);
    assert!(
        path.exists(),
        "{} is missing: tests/run unpacks it",
        path.display()
    );
    path
}

impl Prometheus {
    /// Starts one with this configuration; returns when it answers.
    pub(crate) fn start(config: &str) -> Prometheus {
        let dir = TempDir::new().expect("a folder");
        std::fs::write(dir.path().join("prometheus.yml"), config).expect("writing");
        let client = Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(10))
            .build()
            .expect("a client");
        // Between choosing the port and using it somebody else may take it: then another is chosen.
        let (base, process) = wait_for("Prometheus", || {
            let base = format!("http://127.0.0.1:{}", free_port());
            let mut process = run(dir.path(), &base);
            let answers = wait_within(DEADLINE, || {
                let ended = process.try_wait().expect("its state").is_some();
                let ready = client.get(format!("{base}/-/ready")).send();
                let answers = ready.is_ok_and(|it| it.status().is_success());
                (answers || ended).then_some(answers && !ended)
            });
            if answers == Some(true) {
                return Some((base, process));
            }
            let _ = process.kill();
            let _ = process.wait();
            let said = said(dir.path());
            assert!(said.contains("in use") || answers.is_none(), "{said}");
            None
        });
        Prometheus {
            dir,
            base,
            client,
            process,
        }
    }

    /// What it answers below `/api/v1`.
    pub(crate) fn get(&self, path: &str, query: &[(&str, &str)]) -> Value {
        let url = format!("{}/api/v1/{path}", self.base);
        let url = reqwest::Url::parse_with_params(&url, query).expect("a URL");
        let answer = self.client.get(url).send().expect("an answer");
        let answer: Value = answer.json().expect("JSON");
        assert_eq!(answer["status"], "success", "{query:?}: {answer}");
        answer["data"].clone()
    }

    /// The numbers that an expression has at the moment.
    pub(crate) fn query(&self, expression: &str) -> Vec<f64> {
        let data = self.get("query", &[("query", expression)]);
        let number = |sample: &Value| {
            let number = sample["value"][1].as_str();
            number
                .and_then(|it| it.parse().ok())
                .unwrap_or_else(|| panic!("{expression}: {sample}"))
        };
        let samples = data["result"].as_array();
        samples.expect("samples").iter().map(number).collect()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", said(self.dir.path()));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What it has logged.
fn said(dir: &Path) -> String {
    std::fs::read_to_string(dir.join("said")).unwrap_or_default()
}

fn run(dir: &Path, base: &str) -> Child {
    let said = File::create(dir.join("said")).expect("a file for what it says");
    let address = base.trim_start_matches("http://");
    let mut command = Command::new(program("prometheus"));
    let command = command
        .arg("--config.file=prometheus.yml")
        .arg("--storage.tsdb.path=numbers")
        .arg(format!("--web.listen-address={address}"));
    let command = command.current_dir(dir).stdin(Stdio::null());
    let command = command.stdout(Stdio::null()).stderr(said);
    command.spawn().expect("Prometheus")
}
