//! The real binary in a process of its own.

use slackwater::api::auth::jwt;
use slackwater::api::auth::secret::Secret;
use slackwater::clock;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The backend's token.
pub const SERVICE: &str = "0123456789abcdef";
const SECRET: &str = "fedcba9876543210fedcba9876543210";
/// Both, as configured.
pub const AUTH: &str = "[auth]\nservice_tokens = [\"0123456789abcdef\"]\n[auth.jwt]\nalgorithm = \"HS256\"\n\
                        key = \"fedcba9876543210fedcba9876543210\"\n";

/// A token of an account's, for an hour.
pub fn token(account: &str) -> String {
    let options = jwt::Options {
        algorithm: jwt::Algorithm::Hs256,
        key: Secret::new(SECRET),
        issuer: None,
        audience: None,
    };
    let lives = Duration::from_secs(3_600);
    jwt::mint(&options, &options.key, account, "read", clock::now(), lives).unwrap()
}

/// The service. Killed, by its process id, when dropped.
pub struct Server {
    process: Child,
    pub address: String,
}

impl Server {
    /// Starts it in `dir`; `more` is appended to its configuration. SLACKWATER_BINARY names another build of it.
    pub fn start(dir: &Path, more: &str) -> Server {
        let config = dir.join("slackwater.toml");
        let text = format!(
            "[http]\nlisten = \"127.0.0.1:0\"\nrequests_per_minute = 1000000\n[logging]\nformat = \"json\"\n[stream]\n\
             connections_max = 1000000\nconnections_per_address_max = 1000000\n{more}"
        );
        std::fs::write(&config, text).unwrap();
        let binary = std::env::var_os("SLACKWATER_BINARY")
            .map_or_else(|| env!("CARGO_BIN_EXE_slackwater").into(), PathBuf::from);
        let mut process = Command::new(binary)
            .args(["serve", "--config"])
            .arg(&config)
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let address = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| {
                let line: serde_json::Value = serde_json::from_str(&line).ok()?;
                Some(line.get("address")?.as_str()?.to_owned())
            })
            .unwrap();
        std::thread::spawn(move || lines.for_each(drop));
        Server { process, address }
    }

    /// Sends lines for a topic, with [`SERVICE`].
    pub async fn send(&self, client: &reqwest::Client, topic: &str, lines: Vec<String>) {
        let request = client.post(format!("http://{}/v1/{topic}", self.address));
        let request = request.header("content-type", "application/x-ndjson");
        let request = request.bearer_auth(SERVICE);
        let answer = request.body(lines.join("\n")).send().await.unwrap();
        assert_eq!(answer.status(), 202);
    }

    pub fn memory_kib(&self) -> u64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let line = line.unwrap().trim().trim_end_matches(" kB");
        line.parse().unwrap()
    }

    /// Processor time so far, in seconds; the kernel counts hundredths.
    pub fn cpu(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap();
        let fields = stat.rsplit(')').next().unwrap();
        let fields: Vec<&str> = fields.split_whitespace().collect();
        (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
