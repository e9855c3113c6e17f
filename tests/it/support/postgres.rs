//! A real PostgreSQL with a pretend Mastodon in it: one cluster for all tests that run, a database for each; and pgbouncer in
//! transaction mode before it, for those that ask.
//!
//! The cluster syncs nothing to disk: no test here pulls a plug. It ends with this process, however that ends.

use super::wait_for;
use postgres::{Client, NoTls};
use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, OnceLock};
use std::thread::JoinHandle;
use tempfile::TempDir;

/// The user that owns the cluster, and the one PostgreSQL runs as where the tests run as root.
const OWNER: &str = "postgres";

/// A version of Mastodon to pretend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Version {
    V4_3,
    V4_4,
    V4_5,
    V4_6,
}

impl Version {
    pub(crate) const ALL: [Version; 4] =
        [Version::V4_3, Version::V4_4, Version::V4_5, Version::V4_6];
    pub(crate) const NEWEST: Version = Version::V4_6;

    /// What this version adds to the one before it.
    fn sql(self) -> &'static str {
        match self {
            Version::V4_3 => include_str!("../../pretend_mastodon/4.3.sql"),
            Version::V4_4 => include_str!("../../pretend_mastodon/4.4.sql"),
            Version::V4_5 => include_str!("../../pretend_mastodon/4.5.sql"),
            Version::V4_6 => include_str!("../../pretend_mastodon/4.6.sql"),
        }
    }
}

/// A database of a test's own.
pub(crate) struct Database {
    cluster: &'static Cluster,
    name: String,
}

impl Database {
    /// A database without tables.
    pub(crate) fn empty() -> Database {
        Database::from_template("template1")
    }

    /// A pretend Mastodon of this version, without accounts.
    pub(crate) fn mastodon(version: Version) -> Database {
        Database::from_template(&Cluster::shared().template(version))
    }

    fn from_template(template: &str) -> Database {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let cluster = Cluster::shared();
        let name = format!("test_{}", MADE.fetch_add(1, Ordering::Relaxed));
        // One at a time: a template that is being copied refuses others for a moment.
        let mut owner = cluster.owner.lock().expect("the owner's connection");
        owner
            .batch_execute(&format!("CREATE DATABASE {name} TEMPLATE {template}"))
            .expect("creating a database");
        drop(owner);
        Database { cluster, name }
    }

    /// The name of the database, which no other of this cluster has: good for roles, which databases share.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The port of its server on this machine.
    pub(crate) fn port(&self) -> u16 {
        self.cluster.port
    }

    /// Where it is, for the owner of its tables, who may do everything.
    pub(crate) fn url(&self) -> String {
        self.url_as(OWNER)
    }

    /// Where it is, for a role. No password is asked for.
    pub(crate) fn url_as(&self, role: &str) -> String {
        url(role, self.cluster.port, &self.name)
    }

    /// The same, for the owner, by another name of this machine and with more in the query of the URL.
    pub(crate) fn url_at(&self, host: &str, query: &str) -> String {
        format!("{}?{query}", self.url().replace("127.0.0.1", host))
    }

    /// A file of certificates: `authority.pem` issued the server's, which is for `localhost`; `stranger.pem` did not.
    pub(crate) fn certificates(&self, name: &str) -> String {
        self.cluster.dir.path().join(name).display().to_string()
    }

    /// A connection as the owner.
    pub(crate) fn connect(&self) -> Client {
        connect(&self.url())
    }

    /// A connection as a role.
    pub(crate) fn connect_as(&self, role: &str) -> Client {
        connect(&self.url_as(role))
    }

    /// pgbouncer in transaction mode before this database, for the owner and these roles.
    pub(crate) fn pooled(&self, roles: &[&str]) -> Pooler {
        Pooler::start(self, roles)
    }
}

fn url(role: &str, port: u16, database: &str) -> String {
    format!("postgres://{role}@127.0.0.1:{port}/{database}")
}

fn connect(url: &str) -> Client {
    Client::connect(url, NoTls).unwrap_or_else(|error| panic!("connecting to {url}: {error}"))
}

/// pgbouncer, one process with two connections to the server for each role, so that clients do share them.
pub(crate) struct Pooler {
    port: u16,
    database: String,
    _process: Process,
    _dir: TempDir,
}

impl Pooler {
    fn start(database: &Database, roles: &[&str]) -> Pooler {
        let dir = dir_of_owner();
        let names: BTreeSet<&str> = [OWNER].iter().chain(roles).copied().collect();
        let users: String = names
            .iter()
            .map(|name| format!("\"{name}\" \"\"\n"))
            .collect();
        fs::write(dir.path().join("users"), users).expect("writing pgbouncer's users");
        let server = database.cluster.port;
        let (process, port) = on_a_free_port(dir.path(), |port| {
            let config = format!(
                "[databases]\n* = host=127.0.0.1 port={server}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
                 unix_socket_dir =\nauth_type = trust\nauth_file = {dir}/users\npool_mode = transaction\n\
                 default_pool_size = 2\nmax_client_conn = 500\nserver_reset_query =\n",
                dir = dir.path().display()
            );
            let file = dir.path().join("pgbouncer.ini");
            fs::write(&file, config).expect("writing pgbouncer's configuration");
            let mut command = supervised("pgbouncer", "TERM", dir.path());
            command.arg(file);
            command
        });
        Pooler {
            port,
            database: database.name.clone(),
            _process: process,
            _dir: dir,
        }
    }

    /// Where the database is by way of it, for the owner.
    pub(crate) fn url(&self) -> String {
        self.url_as(OWNER)
    }

    /// Where the database is by way of it, for a role.
    pub(crate) fn url_as(&self, role: &str) -> String {
        url(role, self.port, &self.database)
    }
}

/// A server with its data in a folder that goes with it.
struct Cluster {
    port: u16,
    owner: Mutex<Client>,
    templates: Mutex<BTreeSet<Version>>,
    dir: TempDir,
    _process: Process,
}

impl Cluster {
    /// The one of this process.
    fn shared() -> &'static Cluster {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(Cluster::start)
    }

    fn start() -> Cluster {
        let dir = dir_of_owner();
        let data = dir.path().join("data");
        let made = as_owner(&binary("initdb"))
            .args(["--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C"])
            .arg(format!("--username={OWNER}"))
            .arg(&data)
            .output()
            .expect("running initdb");
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        certify(dir.path());
        let file = |name: &str| dir.path().join(name).display().to_string();
        let (process, port) = on_a_free_port(dir.path(), |port| {
            let mut command = supervised(&binary("postgres"), "QUIT", dir.path());
            command.arg("-D").arg(&data);
            for setting in [
                &format!("port={port}"),
                "listen_addresses=127.0.0.1",
                "unix_socket_directories=",
                "max_connections=200",
                "fsync=off",
                "full_page_writes=off",
                "shared_buffers=64MB",
                "timezone=Pacific/Auckland",
                "ssl=on",
                &format!("ssl_cert_file={}", file("server.pem")),
                &format!("ssl_key_file={}", file("server.key")),
            ] {
                command.args(["-c", setting]);
            }
            command
        });
        Cluster {
            port,
            owner: Mutex::new(wait_for("an answer from PostgreSQL", || {
                Client::connect(&url(OWNER, port, "postgres"), NoTls).ok()
            })),
            templates: Mutex::default(),
            dir,
            _process: process,
        }
    }

    /// The database that those of a version are copies of.
    fn template(&self, version: Version) -> String {
        let name = format!("mastodon_{version:?}").to_lowercase();
        let mut templates = self
            .templates
            .lock()
            .unwrap_or_else(|broken| broken.into_inner());
        if templates.insert(version) {
            let mut owner = self.owner.lock().expect("the owner's connection");
            owner
                .batch_execute(&format!("CREATE DATABASE {name}"))
                .expect("creating a template");
            drop(owner);
            let mut client = connect(&url(OWNER, self.port, &name));
            let parts = Version::ALL.into_iter().filter(|part| *part <= version);
            for sql in parts
                .map(Version::sql)
                .chain([include_str!("../../pretend_mastodon/acts.sql")])
            {
                client
                    .batch_execute(sql)
                    .expect("making a pretend Mastodon");
            }
        }
        name
    }
}

/// A server that is ended, by the id of its supervisor, when this is dropped; and by the kernel's signal when this process ends.
struct Process {
    end: Sender<()>,
    thread: Option<JoinHandle<()>>,
}

impl Process {
    /// Starts it; none if it ends before `port` answers.
    fn start(mut command: Command, port: u16) -> Option<Process> {
        let (end, ended): (Sender<()>, Receiver<()>) = channel();
        let (tell, told) = channel();
        // The kernel's signal comes when the thread that started it ends, so that is a thread of its own.
        let thread = std::thread::spawn(move || {
            let mut process = command.spawn().expect("starting a server");
            let answers = wait_for("a server that listens", || {
                if process.try_wait().expect("the server's state").is_some() {
                    return Some(false);
                }
                TcpStream::connect((Ipv4Addr::LOCALHOST, port))
                    .ok()
                    .map(|_| true)
            });
            tell.send(answers).expect("the test that waits");
            // An error too is the end: whoever held the other side is gone.
            let _ = ended.recv();
            stop(&mut process);
        });
        let process = Process {
            end,
            thread: Some(thread),
        };
        told.recv()
            .expect("whether the server listens")
            .then_some(process)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.end.send(());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Tells its supervisor to end it.
fn stop(process: &mut Child) {
    let id = process.id().to_string();
    let _ = Command::new("kill").args(["-TERM", &id]).status();
    let _ = process.wait();
}

/// Starts what `command` makes of a free port, and another time on another port if somebody took that in the meantime.
fn on_a_free_port(dir: &Path, mut command: impl FnMut(u16) -> Command) -> (Process, u16) {
    let log = dir.join("server.log");
    for _ in 0..5 {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .and_then(|listener| listener.local_addr())
            .expect("a free port")
            .port();
        let mut command = command(port);
        let file = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .expect("the server's log");
        command
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("the server's log"))
            .stderr(file);
        if let Some(process) = Process::start(command, port) {
            return (process, port);
        }
    }
    panic!(
        "the server ends as soon as it is started:\n{}",
        fs::read_to_string(log).unwrap_or_default()
    );
}

/// Makes a certificate for `localhost`, the authority that issued it, and another that did not.
fn certify(dir: &Path) {
    const MADE: &str = "set -e
        new='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
        for authority in authority stranger; do
            openssl req -x509 $new -keyout $authority.key -out $authority.pem -days 2 -subj /CN=$authority
        done
        openssl req $new -keyout server.key -out server.csr -subj /CN=localhost
        echo subjectAltName=DNS:localhost > names
        openssl x509 -req -in server.csr -CA authority.pem -CAkey authority.key -CAcreateserial -extfile names -days 2 -out server.pem
        chmod 600 server.key";
    let made = as_owner("sh")
        .args(["-c", &format!("cd '{}'\n{MADE}", dir.display())])
        .output();
    let made = made.expect("running openssl");
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
}

/// A folder that the owner can write to.
fn dir_of_owner() -> TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).expect("opening the folder");
    if is_root() {
        let owned = Command::new("chown").arg(OWNER).arg(dir.path()).status();
        assert!(
            owned.expect("chown").success(),
            "there is no user {OWNER}: run tests/run, which installs PostgreSQL"
        );
    }
    dir
}

/// A server that is ended by `signal` when its supervisor is told to end, or when the thread that started it does; then its folder
/// goes too.
fn supervised(program: &str, signal: &str, dir: &Path) -> Command {
    const SUPERVISOR: &str = r#"
        signal=$1 dir=$2; shift 2
        trap 'kill -"$signal" $server' TERM
        "$@" & server=$!
        wait $server; status=$?
        [ $status -le 128 ] || { wait $server; rm -rf "$dir"; }
        exit $status"#;
    let mut command = as_owner("sh");
    command.args(["-c", SUPERVISOR, "supervisor", signal]);
    command.arg(dir).arg(program);
    command
}

/// A command as a user that PostgreSQL and pgbouncer are willing to run as; told to end when its starter ends.
fn as_owner(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    if is_root() {
        command.args(["--reuid", OWNER, "--regid", OWNER, "--init-groups"]);
    }
    command.args(["--pdeathsig", "TERM", "--"]).arg(program);
    command.env("PATH", path()).current_dir("/");
    command
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Debian's places for servers are not in everybody's PATH.
fn path() -> String {
    format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default())
}

/// A program of PostgreSQL's: of the version that tests/run names, where Debian puts it.
fn binary(name: &str) -> String {
    let path = PathBuf::from("/usr/lib/postgresql/15/bin").join(name);
    assert!(
        path.exists(),
        "there is no PostgreSQL to test with at {}: run tests/run, which installs it and then runs the tests",
        path.display()
    );
    path.display().to_string()
}
