//! Every command in the documents, run as it is written: in a folder as the document takes it to be, against a real PostgreSQL with a
//! pretend Mastodon where it needs one. What needs a container engine, an init system or hours is held by its syntax, and says so in
//! [`COMMANDS`]. Those with curl are run by [`super::documents`].

use crate::documents::{documents, functions_below};
use crate::support::document::{Document, root};
use crate::support::instance::binary;
use crate::support::postgres::{Database, Version};
use crate::support::wait_for;
use reqwest::blocking::Client;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// How a command of a document is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    /// It is run, and succeeds.
    Run,
    /// It is run until it listens, is told to stop, and ends with 0.
    Serve,
    /// It sets something for those that follow.
    Export,
    /// It builds or tests this very checkout: its program is there, and [`super::documents`] holds what it names.
    Build,
    /// It needs a container engine, an init system or another machine's packages: the shell takes it.
    Syntax,
    /// This test runs it, with all that is around it.
    Elsewhere(&'static str),
}
use Held::{Build, Elsewhere, Export, Run, Serve, Syntax};

/// Every command there is in a document, and how it is held. A new one needs a line here.
const COMMANDS: &[(&str, Held)] = &[
    (
        "slackwater mastodon delays --database env:DATABASE_URL | slackwater tune -",
        Run,
    ),
    ("cargo run --release -- demo", Serve),
    ("cargo build --release", Build),
    ("cargo build --profile dist", Build),
    ("target/release/slackwater serve", Serve),
    ("target/dist/slackwater serve", Serve),
    (
        "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 target/release/slackwater serve",
        Serve,
    ),
    ("slackwater serve", Serve),
    ("slackwater serve --rebuild", Serve),
    (
        "SLACKWATER__HTTP__LISTEN=127.0.0.1:8788 SLACKWATER__FEED__LENGTH=400 slackwater serve",
        Serve,
    ),
    ("slackwater check slackwater.toml", Run),
    ("slackwater trace > delays.ndjson", Run),
    (
        "slackwater tune delays.ndjson --config slackwater.toml --config other.toml --target 0.99 --plot order.svg",
        Run,
    ),
    ("slackwater token 7 --lives 1h", Run),
    ("slackwater completions bash > slackwater.bash", Run),
    ("slackwater completions zsh > _slackwater", Run),
    ("slackwater completions fish > slackwater.fish", Run),
    ("slackwater man man1", Run),
    (
        "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 target/release/slackwater serve",
        Serve,
    ),
    (
        "slackwater doctor",
        Elsewhere("all_is_well_beside_a_running_service_and_nothing_is_changed"),
    ),
    (
        "slackwater dead-letters list --limit 5",
        Elsewhere("a_letter_of_the_built_in_log_is_replayed_once_it_can_be_used"),
    ),
    (
        "slackwater dead-letters show 0-17",
        Elsewhere("a_letter_of_the_built_in_log_is_replayed_once_it_can_be_used"),
    ),
    (
        "slackwater dead-letters replay 0-17",
        Elsewhere("a_letter_of_the_built_in_log_is_replayed_once_it_can_be_used"),
    ),
    (
        "slackwater copy-log data/log --config slackwater.toml",
        Elsewhere(
            "feeds_on_kafka_are_those_that_were_on_the_built_in_log_however_often_it_is_copied",
        ),
    ),
    (
        "export DATABASE_URL=postgres://mastodon:PASSWORD@127.0.0.1:5432/mastodon_production",
        Export,
    ),
    (
        "export SLACKWATER_DATABASE=postgres://slackwater:PASSWORD@127.0.0.1:5432/mastodon_production",
        Export,
    ),
    ("sudo -u postgres createuser --pwprompt slackwater", Run),
    (
        "psql -qAtX -f docs/mastodon-delays.sql \"$DATABASE_URL\" | slackwater tune -",
        Run,
    ),
    (
        "slackwater mastodon install --database env:DATABASE_URL",
        Run,
    ),
    (
        "slackwater mastodon install --database env:ADMIN_DATABASE_URL",
        Run,
    ),
    (
        "slackwater mastodon install --serve --database env:DATABASE_URL",
        Run,
    ),
    ("slackwater mastodon check", Run),
    ("slackwater mastodon check --config slackwater.toml", Run),
    (
        "slackwater mastodon check --database env:SLACKWATER_DATABASE",
        Run,
    ),
    (
        "slackwater mastodon uninstall --only-ids --database env:ADMIN_DATABASE_URL",
        Run,
    ),
    (
        "slackwater mastodon uninstall --database env:ADMIN_DATABASE_URL",
        Run,
    ),
    (
        "slackwater mastodon compare --account 109240 --token env:ACCESS_TOKEN",
        Elsewhere("each_kind_of_difference_is_found_with_its_reason"),
    ),
    (
        "export DATABASE_URL=postgres://postgres@db/mastodon_production",
        Syntax,
    ),
    (
        "docker compose run --rm --no-deps -T -e DATABASE_URL slackwater mastodon delays --database env:DATABASE_URL > delays.ndjson",
        Syntax,
    ),
    (
        "docker compose run --rm --no-deps -T slackwater tune - < delays.ndjson",
        Syntax,
    ),
    (
        "docker compose run --rm --no-deps -e DATABASE_URL slackwater mastodon install --database env:DATABASE_URL",
        Syntax,
    ),
    ("docker compose up --build --detach slackwater", Syntax),
    (
        "docker compose run --rm --no-deps slackwater mastodon check --config /etc/slackwater.toml",
        Syntax,
    ),
    ("docker compose up --build", Syntax),
    ("docker compose --profile metrics up --build", Syntax),
    (
        "docker compose --profile three up --build --scale slackwater=0",
        Syntax,
    ),
    (
        "kafka-topics.sh --bootstrap-server kafka1:9092 --create --topic slackwater.activities --partitions 64 --replication-factor 3 --config message.timestamp.type=LogAppendTime --config retention.ms=3888000000 --config min.insync.replicas=2",
        Syntax,
    ),
    (
        "kafka-topics.sh --bootstrap-server kafka1:9092 --create --topic slackwater.relationships --partitions 64 --replication-factor 3 --config message.timestamp.type=LogAppendTime --config cleanup.policy=compact --config delete.retention.ms=2592000000 --config min.insync.replicas=2",
        Syntax,
    ),
    (
        "kafka-topics.sh --bootstrap-server kafka1:9092 --create --topic slackwater.dead-letters --partitions 1 --replication-factor 3",
        Syntax,
    ),
    (
        "kafka-topics.sh --bootstrap-server kafka1:9092 --create --topic slackwater.nodes --partitions 1 --replication-factor 3 --config cleanup.policy=compact --config segment.ms=600000 --config min.insync.replicas=2",
        Syntax,
    ),
    (
        "kafka-topics.sh --bootstrap-server kafka1:9092 --alter --topic slackwater.relationships --partitions 128",
        Syntax,
    ),
    (
        "kafka-topics.sh --bootstrap-server kafka1:9092 --alter --topic slackwater.activities --partitions 128",
        Syntax,
    ),
    ("docker build --tag slackwater:local .", Syntax),
    (
        "docker run --publish 127.0.0.1:8787:8787 --volume slackwater:/var/lib/slackwater/data slackwater:local",
        Syntax,
    ),
    ("debian/build", Build),
    ("sudo apt install ./target/debian/slackwater_*.deb", Syntax),
    ("systemctl status slackwater", Syntax),
    (
        "sudo systemd-run --pipe --quiet --uid=slackwater --working-directory=/var/lib/slackwater --property=EnvironmentFile=-/etc/slackwater/environment slackwater doctor --config /etc/slackwater/slackwater.toml",
        Syntax,
    ),
    ("tests/run", Build),
    (".ci/run", Build),
    ("tests/run --test it kafka::", Build),
    ("cargo test -p slackwater-engine", Build),
    ("cargo test --lib rules", Build),
    (
        "SLACKWATER_SEEDS=0..100000 cargo test -p slackwater-engine simulation",
        Build,
    ),
    (
        "SLACKWATER_SEEDS=17..18 cargo test -p slackwater-engine simulation",
        Build,
    ),
    (
        "SLACKWATER_SEEDS=0..1000 cargo test -p slackwater-engine simulation::cluster -- --nocapture",
        Build,
    ),
    (
        "SLACKWATER_MEASURE=1 cargo test --test it -- --nocapture database::cost",
        Build,
    ),
    (
        "SLACKWATER_MEASURE=1 cargo test --test it -- --nocapture connector::how_fast",
        Build,
    ),
    (
        "SLACKWATER_BINARY=target/dist/slackwater cargo test --test attack -- full",
        Build,
    ),
    ("tests/mutations", Build),
    ("tests/mutations floor cursor", Build),
    ("tests/mutations --list", Build),
];

/// A failure means that somebody who copies a line out of a document gets an error.
#[test]
fn every_command_of_a_document_runs_as_it_is_written() {
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    for path in documents() {
        let name = path.display().to_string();
        let document = Document::read(path).unwrap();
        let mut stage = None;
        for block in document
            .blocks_of("sh")
            .filter(|it| !it.text.contains("curl"))
        {
            for command in commands(&block.text) {
                let entry = COMMANDS.iter().find(|(known, _)| *known == command);
                let Some((known, held)) = entry else {
                    wrong.push(format!(
                        "{name}: {command}: no line in COMMANDS says how it is held"
                    ));
                    continue;
                };
                seen.insert(*known);
                let stage = stage.get_or_insert_with(|| Stage::of(&document));
                if let Err(why) = stage.hold(&command, *held) {
                    wrong.push(format!("{name}: {command}: {why}"));
                }
            }
        }
    }
    let known = COMMANDS.iter().map(|(known, _)| *known);
    wrong.extend(
        known
            .filter(|it| !seen.contains(it))
            .map(|it| format!("{it}: in no document")),
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A folder as a document takes it to be.
struct Stage {
    dir: TempDir,
    database: Database,
    exports: Vec<String>,
}

impl Stage {
    fn of(document: &Document) -> Stage {
        let database = Database::mastodon(Version::NEWEST);
        let mut connection = database.connect();
        let posts = "SELECT pretend.deliver(pretend.remote_account('ana', 'tide.example'), \
                     'https://tide.example/' || n, now() - n * interval '1 minute') FROM generate_series(1, 1) n";
        connection.batch_execute(posts).unwrap();
        let stage = Stage {
            dir: TempDir::new().unwrap(),
            database,
            exports: Vec::new(),
        };
        let within = |name: &str| stage.dir.path().join(name);
        std::fs::create_dir(within("bin")).unwrap();
        stage.program("slackwater", &stage.slackwater());
        let ours = within("bin/slackwater").display().to_string();
        // `cargo run` without a build: the binary is here.
        stage.program(
            "cargo",
            &format!("while [ \"$1\" != -- ]; do shift; done; shift\nexec {ours} \"$@\"\n"),
        );
        stage.program("sudo", "[ \"$1\" = -u ] && shift 2\nexec \"$@\"\n");
        for profile in ["release", "dist"] {
            let folder = within("target").join(profile);
            std::fs::create_dir_all(&folder).unwrap();
            symlink(&ours, folder.join("slackwater")).unwrap();
        }
        symlink(root().join("docs"), within("docs")).unwrap();
        stage.fill();
        let config = |fits: &dyn Fn(&str) -> bool| {
            let mut blocks = document.blocks_of("toml").map(|block| block.text.clone());
            blocks.find(|text| fits(text))
        };
        // The configuration that the document has for the commands: at level look, or with tokens that are signed.
        let is_look = |text: &str| text.contains("database =") && !text.contains("upstream =");
        let text = config(&is_look).or_else(|| config(&|text| text.contains("auth.jwt")));
        let names = |command: &str| document.code().iter().any(|code| code.contains(command));
        let is_installed =
            names("slackwater mastodon check") && !names("slackwater mastodon install");
        // What one document sets up, another takes for granted.
        let text = match is_installed && text.is_none() {
            true => Some("mastodon.database = \"env:SLACKWATER_DATABASE\"\nmastodon.web_domain = \"localhost\"\n".to_owned()),
            false => text,
        };
        let text = text.unwrap_or_default();
        std::fs::write(within("slackwater.toml"), text).unwrap();
        std::fs::write(
            within("other.toml"),
            "[ordering]\nreorder_window = \"auto\"\n",
        )
        .unwrap();
        if is_installed {
            let install = "slackwater mastodon install --database env:DATABASE_URL";
            stage.run(install).unwrap_or_else(|why| panic!("{why}"));
            let login = format!("ALTER ROLE {} LOGIN", stage.database.name());
            connection.batch_execute(&login).unwrap();
        }
        stage
    }

    /// The program under test, with what a stage needs: a port of its own, and answers to what is asked on a terminal. The role is one of
    /// this database, since all tests share the roles of a cluster.
    fn slackwater(&self) -> String {
        let role = self.database.name();
        format!(
            "export SLACKWATER__HTTP__LISTEN=127.0.0.1:0 SLACKWATER__LOGGING__FORMAT=json\n\
             case \"$1 $2\" in\n\
             'mastodon install') exec {0} \"$@\" --yes --role {role} ;;\n\
             'mastodon uninstall') exec {0} \"$@\" --yes ;;\n\
             demo*) exec {0} \"$@\" --listen 127.0.0.1:0 ;;\n\
             esac\n\
             exec {0} \"$@\"\n",
            binary().display()
        )
    }

    fn program(&self, name: &str, script: &str) {
        let path = self.dir.path().join("bin").join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Some posts in the built-in log, whose delays there are to tune by.
    fn fill(&self) {
        let mut serving = self.start("slackwater serve");
        let address = serving.listens().unwrap_or_else(|why| panic!("{why}"));
        let post = |n: u32| {
            let id = format!("https://tide.example/users/ana/statuses/{n}");
            format!(
                r#"{{"activity":{{"type":"Create","id":"{id}/activity","actor":"https://tide.example/users/ana","object":{{"type":"Note","id":"{id}","attributedTo":"https://tide.example/users/ana","published":"2026-11-22T10:00:{n:02}Z","to":"https://www.w3.org/ns/activitystreams#Public"}}}},"arrived_at":"2026-11-22T10:01:00Z"}}"#
            )
        };
        let posts: Vec<String> = (10..50).map(post).collect();
        let sent = Client::new()
            .post(format!("http://{address}/v1/activities"))
            .header("content-type", "application/x-ndjson")
            .body(posts.join("\n"))
            .send();
        let sent = sent.unwrap();
        assert_eq!(sent.status(), 202, "{}", sent.text().unwrap());
        serving.ends().unwrap();
    }

    fn hold(&mut self, command: &str, held: Held) -> Result<(), String> {
        let here = self.here(command);
        match held {
            Export => self.exports.push(here),
            Run => return self.run(&here),
            Serve => {
                let mut serving = self.start(&here);
                serving.listens()?;
                return serving.ends();
            }
            Build => {
                let program = command.split(' ').find(|word| !word.contains('=')).unwrap();
                let path = root().join(program);
                let is_there = program == "cargo"
                    || path
                        .metadata()
                        .is_ok_and(|it| it.permissions().mode() & 0o100 != 0);
                if !is_there {
                    return Err(format!("{program} is no program of the checkout"));
                }
            }
            Syntax => {
                let taken = Command::new("sh")
                    .args(["-n", "-c", command])
                    .output()
                    .unwrap();
                if !taken.status.success() {
                    return Err(String::from_utf8_lossy(&taken.stderr).into_owned());
                }
            }
            Elsewhere(test) => {
                let mut names = BTreeSet::new();
                functions_below(&root().join("tests/it"), &mut names);
                if !names.contains(test) {
                    return Err(format!("there is no test {test}"));
                }
            }
        }
        Ok(())
    }

    /// A command with what stands there for something of the operator's replaced by what is here.
    fn here(&self, command: &str) -> String {
        let role = self.database.name();
        let database = self.database.url();
        command
            .replace(
                "postgres://mastodon:PASSWORD@127.0.0.1:5432/mastodon_production",
                &database,
            )
            .replace(
                "postgres://slackwater:PASSWORD@127.0.0.1:5432/mastodon_production",
                &self.database.url_as(role),
            )
            .replace("--pwprompt slackwater", &format!("--pwprompt {role}"))
    }

    /// The shell with a command in it, in this folder and with what is here in its environment.
    fn shell(&self, command: &str) -> Command {
        let role = self.database.name();
        let path = format!(
            "{}:{}",
            self.dir.path().join("bin").display(),
            std::env::var("PATH").unwrap()
        );
        // Without a terminal, or a password would be asked for on that of whoever runs the tests.
        let mut shell = Command::new("setsid");
        shell
            .args(["--wait", "sh", "-ec"])
            .arg(format!("{}\n{command}", self.exports.join("\n")))
            .current_dir(self.dir.path())
            .env("PATH", path)
            .env("DATABASE_URL", self.database.url())
            .env("ADMIN_DATABASE_URL", self.database.url())
            .env("SLACKWATER_DATABASE", self.database.url_as(role))
            .env("PGHOST", "127.0.0.1")
            .env("PGPORT", self.database.port().to_string())
            .env("PGUSER", "postgres")
            .env("SLACKWATER_TOKEN", "0123456789abcdef0123456789abcdef")
            .env("SLACKWATER_JWT_KEY", "0123456789abcdef0123456789abcdef")
            .env("SLACKWATER_COMPARE_TOKEN", "0123456789abcdef");
        shell
    }

    fn run(&self, command: &str) -> Result<(), String> {
        // Whoever reads a pipe tells whether all of it went well, and the first that fails is what is looked for.
        let mut shell = self
            .shell(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A password, twice, for those that ask for one; the others read nothing.
        let _ = shell.stdin.take().unwrap().write_all(b"secret\nsecret\n");
        let done = shell.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        match done.status.success() && !said.contains("slackwater: ") {
            true => Ok(()),
            false => Err(format!(
                "{}: {said}{}",
                done.status,
                String::from_utf8_lossy(&done.stdout)
            )),
        }
    }

    fn start(&self, command: &str) -> Serving {
        let mut shell = self.shell(&format!("exec env {command}"));
        let mut process = shell
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (said, lines) = std::sync::mpsc::channel();
        let out: [Box<dyn std::io::Read + Send>; 2] = [
            Box::new(process.stdout.take().unwrap()),
            Box::new(process.stderr.take().unwrap()),
        ];
        for out in out {
            let said = said.clone();
            std::thread::spawn(move || {
                // Read to the end, or it would block on a full pipe.
                for line in BufReader::new(out).lines().map_while(Result::ok) {
                    let _ = said.send(line);
                }
            });
        }
        Serving {
            process,
            lines,
            said: Vec::new(),
        }
    }
}

/// A program that runs until it is told to stop. Killed, with its children, when dropped.
struct Serving {
    process: Child,
    lines: std::sync::mpsc::Receiver<String>,
    said: Vec<String>,
}

impl Serving {
    /// Waits until it says where it listens.
    fn listens(&mut self) -> Result<String, String> {
        let process = &mut self.process;
        let (lines, said) = (&self.lines, &mut self.said);
        let found = wait_for("where it listens, or its end", || {
            said.extend(lines.try_iter());
            let url = said
                .iter()
                .find_map(|line| line.split("http://127.0.0.1:").nth(1));
            let port = url.map(|rest| {
                rest.chars()
                    .take_while(char::is_ascii_digit)
                    .collect::<String>()
            });
            match port {
                Some(port) => Some(Ok(format!("127.0.0.1:{port}"))),
                None => process.try_wait().unwrap().map(Err),
            }
        });
        found.map_err(|ended| format!("{ended}: {}", self.said.join("\n")))
    }

    /// Tells it to stop, and waits until it did: well.
    fn ends(mut self) -> Result<(), String> {
        // `setsid` waits for the program, which leads a group of its own.
        let children = format!("/proc/{0}/task/{0}/children", self.process.id());
        let children = std::fs::read_to_string(children).unwrap_or_default();
        let target = children.split(' ').next().filter(|it| !it.is_empty());
        let target = target.map_or_else(|| self.process.id().to_string(), str::to_owned);
        let told = Command::new("kill")
            .args(["-TERM", &target])
            .status()
            .unwrap();
        assert!(told.success());
        let ended = wait_for("its end", || self.process.try_wait().unwrap());
        self.said.extend(self.lines.try_iter());
        match ended.success() {
            true => Ok(()),
            false => Err(format!("{ended}: {}", self.said.join("\n"))),
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The commands in a block: a line each, without comments, those that go on over several lines put together.
fn commands(block: &str) -> Vec<String> {
    let joined = block.replace("\\\n", " ");
    let lines = joined
        .lines()
        .map(|line| line.split(" # ").next().unwrap_or(line));
    let lines = lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect()
}
