//! A real nginx. `tests/run` installs it where it is missing.

use super::{DEADLINE, wait_for, wait_within};
use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// What every configuration of these tests begins with: one process, which writes below its own folder only.
pub(crate) const MAIN: &str =
    "daemon off; master_process off; pid nginx.pid; error_log stderr warn;
    events { worker_connections 64; }\n";
/// The same of the block `http`.
pub(crate) const HTTP: &str = "access_log off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi; scgi_temp_path scgi;\n";

/// A running nginx. Killed, by its process id, when dropped.
pub(crate) struct Nginx {
    dir: TempDir,
    pub(crate) port: u16,
    process: Child,
}

impl Nginx {
    /// Starts one in a folder, with the configuration for the port that it is to listen on; returns when it does.
    pub(crate) fn start(dir: TempDir, config: impl Fn(u16) -> String) -> Nginx {
        // Between choosing the port and using it somebody else may take it: then another is chosen.
        let (port, process) = wait_for("nginx", || {
            let port = free_port();
            std::fs::write(dir.path().join("nginx.conf"), config(port)).expect("writing");
            let mut process = run(dir.path());
            let listens = wait_within(DEADLINE, || {
                let ended = process.try_wait().expect("its state").is_some();
                let answers = TcpStream::connect(("127.0.0.1", port)).is_ok();
                (answers || ended).then_some(answers && !ended)
            });
            if listens == Some(true) {
                return Some((port, process));
            }
            let _ = process.kill();
            let _ = process.wait();
            let said = said(dir.path());
            assert!(said.contains("in use") || listens.is_none(), "{said}");
            None
        });
        Nginx { dir, port, process }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", said(self.dir.path()));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    free.local_addr().expect("an address").port()
}

/// The program.
pub(crate) fn program() -> PathBuf {
    let places = ["/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx"];
    let there = places.map(PathBuf::from).into_iter().find(|it| it.exists());
    there.unwrap_or_else(|| "nginx".into())
}

/// What it has logged.
fn said(dir: &Path) -> String {
    std::fs::read_to_string(dir.join("said")).unwrap_or_default()
}

fn run(dir: &Path) -> Child {
    let said = File::create(dir.join("said")).expect("a file for what it says");
    let mut command = Command::new(program());
    let command = command.arg("-p").arg(dir).arg("-c").arg("nginx.conf");
    // Before it has read where to write errors.
    let command = command.args(["-e", "stderr"]).stdin(Stdio::null());
    let command = command.stdout(Stdio::null()).stderr(said);
    command
        .spawn()
        .expect("nginx, which tests/run installs where it is missing")
}
