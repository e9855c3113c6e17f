//! The steps of docs/mastodon.md, there and back, with the configurations that stand there: against a PostgreSQL with a pretend Mastodon,
//! a stand-in for its servers, and nginx.

use crate::beside_mastodon::{site_of, trusting};
use crate::clients::Client;
use crate::support::document::Document;
use crate::support::instance::{self, Around, Instance, binary};
use crate::support::nginx::free_port;
use crate::support::postgres::{Database, Version};
use crate::support::surface::SERVICE;
use crate::support::upstream::StandIn;
use crate::support::wait_for;
use postgres::Client as Connection;
use reqwest::Method;
use serde_json::{Value, json};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A failure means that somebody who does as the document says ends up with a broken Mastodon, or cannot go back.
#[test]
fn the_steps_of_the_document_lead_there_and_back() {
    let database = Database::mastodon(Version::NEWEST);
    let mut mastodon = Pretend::with(&database);
    let [mia, ana] = mastodon.accounts();
    let prompt = mastodon.deliver(ana, "1 minute");
    let late_before = mastodon.deliver(ana, "15 minutes");

    // 1 and 2: the delays, and the outbox. The role was made by somebody else.
    assert_eq!(run(&["delays"], &database.url()).1.lines().count(), 2);
    mastodon
        .connection
        .batch_execute(&format!("CREATE ROLE {} LOGIN", database.name()))
        .unwrap();
    let install = ["install", "--yes", "--role", database.name()];
    run(&install, &database.url());
    let role_url = database.url_as(database.name());
    run(&["check"], &role_url);

    // 3: the service, with places of its own.
    let dir = TempDir::new().unwrap();
    let port = free_port();
    let stand_in = StandIn::start_as("localhost");
    let config = |step: &str| configuration(step, &stand_in, port);
    let around = Around {
        environment: vec![
            ("SLACKWATER_DATABASE".to_owned(), role_url.clone().into()),
            ("SLACKWATER_TOKEN".to_owned(), SERVICE.into()),
        ],
        ..Around::default()
    };
    let mut service = Instance::start_within(dir.path(), &config("look"), around);
    service.wait_until_ready();
    assert_eq!(
        refs(&service, mia, None),
        [prompt, late_before],
        "by when they were written"
    );

    // 5 and 6: ids of the time of writing, and places that are Mastodon's ids.
    run(&[&install[..], &["--serve"]].concat(), &database.url());
    let late = mastodon.deliver(ana, "20 minutes");
    assert!(late < late_before.min(prompt), "{late}");
    assert!(service.terminate().0.success());
    std::fs::write(dir.path().join("slackwater.toml"), config("serve")).unwrap();
    service.launch();
    assert_eq!(
        service.ended().code(),
        Some(1),
        "places are others: it refuses"
    );
    assert!(service.said().contains("--rebuild"), "{}", service.said());
    service.more = vec!["--rebuild".to_owned()];
    service.restart();
    service.more.clear();
    service.wait_until_ready();
    run(&["check"], &role_url);
    let own = [late_before, prompt, late];
    wait_for("the late post", || {
        (refs(&service, mia, Some(SERVICE)) == own).then_some(())
    });

    // 7: nginx. All that it has shown is also Mastodon's own home.
    for id in own {
        stand_in.has(u64::try_from(id).unwrap());
    }
    // One Mastodon: its database and its server know the same token.
    let token = stand_in.token(&mia.to_string(), "read write");
    let give = "SELECT pretend.give_token($1, $2, 'read write')";
    mastodon
        .connection
        .query_one(give, &[&mia, &token])
        .unwrap();
    let (nginx, certificate) = site_of(port, stand_in.ports(), |text| text);
    let base = format!("https://localhost:{}", nginx.port);
    let home = || {
        let trusting = trusting(&certificate);
        Client::start_at(&base, &token, "mastodon_py.py", "home", &trusting).said("home")
    };
    let texts = json!(own.map(|id| id.to_string()));
    assert_eq!(home(), texts);
    assert!(
        stand_in
            .calls_of(&token)
            .iter()
            .any(|path| path.contains("id%5B%5D=")),
        "by way of Slackwater"
    );

    // Back: nginx first, then the service, the trigger and the outbox.
    assert!(service.terminate().0.success());
    assert_eq!(home(), texts, "Mastodon's own, in the same order");
    run(&["uninstall", "--only-ids", "--yes"], &database.url());
    std::fs::write(dir.path().join("slackwater.toml"), config("look")).unwrap();
    // To rename the folder is what --rebuild does. That would refuse, as long as its own is there.
    let (feeds, aside) = (dir.path().join("feeds"), dir.path().join("feeds.aside"));
    std::fs::remove_dir_all(&aside).unwrap();
    std::fs::rename(feeds, aside).unwrap();
    service.restart();
    service.wait_until_ready();
    run(&["check"], &role_url);
    assert_eq!(refs(&service, mia, None), [prompt, late_before, late]);
    assert!(service.terminate().0.success());
    run(&["uninstall", "--yes"], &database.url());
    let left = "SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal";
    let left: i64 = mastodon.connection.query_one(left, &[]).unwrap().get(0);
    assert_eq!(left, 0);
    let after = mastodon.deliver(ana, "15 minutes");
    assert!(late_before < after, "an id of its arrival, as ever");
}

/// The pretend Mastodon.
struct Pretend {
    connection: Connection,
    posts: usize,
}

impl Pretend {
    fn with(database: &Database) -> Pretend {
        Pretend {
            connection: database.connect(),
            posts: 0,
        }
    }

    /// Mia, who is here, and Ana, whom she follows.
    fn accounts(&mut self) -> [i64; 2] {
        let mut made = |what: &str| -> i64 {
            let made = self.connection.query_one(&format!("SELECT {what}"), &[]);
            made.unwrap().get(0)
        };
        let mia = made("pretend.local_account('mia')");
        let ana = made("pretend.remote_account('ana', 'tide.example')");
        made(&format!("pretend.follow({mia}, {ana})"));
        [mia, ana]
    }

    /// A post that comes so long after it was written.
    fn deliver(&mut self, author: i64, ago: &str) -> i64 {
        self.posts += 1;
        let uri = format!("https://tide.example/{}", self.posts);
        let deliver = "SELECT pretend.deliver($1, $2, now() - $3::text::interval)";
        let made = self.connection.query_one(deliver, &[&author, &uri, &ago]);
        made.unwrap().get(0)
    }
}

/// Runs a command of `slackwater mastodon`, which succeeds; what it wrote, to standard error and to standard output.
fn run(arguments: &[&str], url: &str) -> (String, String) {
    let done = Command::new(binary())
        .arg("mastodon")
        .args(arguments)
        .args(["--database", url])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (said, written) = (text(&done.stderr), text(&done.stdout));
    assert!(done.status.success(), "{arguments:?}: {said}{written}");
    (said, written)
}

/// The configuration that the document has for a level, on these servers and in folders of the test's.
fn configuration(level: &str, stand_in: &StandIn, port: u16) -> String {
    let document = Document::read("docs/mastodon.md".into()).unwrap();
    let (web, streaming) = stand_in.ports();
    let blocks = document.blocks_of("toml").map(|block| &block.text);
    let is_serve = level == "serve";
    let mut of_level = blocks.filter(|text| text.contains("upstream =") == is_serve);
    let written = of_level.next().expect("a configuration").clone();
    let here = |port: u16| format!("127.0.0.1:{port}");
    let written = written
        .replace("social.example", "localhost")
        .replace("127.0.0.1:3000", &here(web))
        .replace("127.0.0.1:4000", &here(streaming));
    assert_eq!(written.contains(&here(web)), is_serve, "{written}");
    let config = instance::built_in(&written);
    config.replace("127.0.0.1:0", &here(port))
}

/// The refs of a home, newest first, asked for with the administrator's token if there is one.
fn refs(service: &Instance, account: i64, token: Option<&str>) -> Vec<i64> {
    let path = format!("/v1/accounts/{account}/feeds/home?limit=80&fields=refs");
    let mut asked = service.door.request(Method::GET, &path);
    if let Some(token) = token {
        asked = asked.bearer_auth(token);
    }
    let page: Value = asked.send().unwrap().json().unwrap();
    let entries = page["entries"].as_array();
    let number = |entry: &Value| entry["ref"].as_str().unwrap().parse().unwrap();
    let entries = entries.unwrap_or_else(|| panic!("{page}"));
    entries.iter().map(number).collect()
}
