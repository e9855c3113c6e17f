//! A backend that others made: mastodon_mock, a server of Mastodon's API for tests, installed by `tests/run`. It keeps likes, votes
//! and filters as Mastodon does. What it lacks the stand-in of `support` has: a most of 20 ids, the order of ids, hosts and schemes
//! that are refused, and a websocket whose streams are subscribed to (its own take one, named with the token in the query).

use crate::clients::clients;
use crate::support::surface::{ANA, SECRET, Surface, note};
use crate::support::wait_for;
use reqwest::Method;
use reqwest::blocking::Client;
use serde_json::{Value, json};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A running one. Killed, by its process id, when dropped.
struct Mock {
    process: Child,
    base: String,
    client: Client,
    _dir: TempDir,
}

impl Mock {
    fn start() -> Mock {
        let dir = TempDir::new().unwrap();
        let row = |name: &str| {
            format!(
                "[[seed.accounts]]\nusername = \"{name}\"\naccess_token = \"token-of-{name}\"\n"
            )
        };
        let seeds = ["ana", "kim", "lea"].map(row).concat();
        std::fs::write(dir.path().join("mock.toml"), seeds).unwrap();
        // It takes port 0 for none, so it is given one that was free a moment ago.
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let process = Command::new(clients().join("python/bin/mastodon_mock"))
            .args([
                "serve",
                "--in-memory",
                "--config",
                "mock.toml",
                "--host",
                "127.0.0.1",
                "--port",
            ])
            .arg(address.port().to_string())
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|e| panic!("mastodon_mock: {e}: run tests/run"));
        let mock = Mock {
            process,
            base: format!("http://{address}"),
            client: Client::builder().no_proxy().build().unwrap(),
            _dir: dir,
        };
        wait_for("mastodon_mock", || {
            let asked = mock.client.get(format!("{}/api/v1/instance", mock.base));
            asked.send().ok().filter(|it| it.status() == 200).map(drop)
        });
        mock
    }

    fn ask(&self, name: &str, method: Method, path: &str, body: Option<&Value>) -> Value {
        let request = self.client.request(method, format!("{}{path}", self.base));
        let request = request.bearer_auth(format!("token-of-{name}"));
        let request = match body {
            Some(body) => request
                .header("content-type", "application/json")
                .body(body.to_string()),
            None => request,
        };
        let answer = request.send().unwrap();
        let status = answer.status();
        let text = answer.text().unwrap();
        assert_eq!(status, 200, "{path}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    fn id_of(&self, name: &str) -> String {
        let own = self.ask(
            name,
            Method::GET,
            "/api/v1/accounts/verify_credentials",
            None,
        );
        own["id"].as_str().unwrap().to_owned()
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn its_statuses_are_shown_to_each_reader_as_it_shows_them() {
    let mock = Mock::start();
    let post = |body: Value| {
        let status = mock.ask("ana", Method::POST, "/api/v1/statuses", Some(&body));
        status["id"].as_str().unwrap().to_owned()
    };
    let plain = post(json!({"status": "the tide is out"}));
    let poll = post(
        json!({"status": "high or low?", "poll": {"options": ["high", "low"], "expires_in": 3600}}),
    );
    let gone = post(json!({"status": "soon deleted"}));
    mock.ask(
        "kim",
        Method::POST,
        &format!("/api/v1/statuses/{plain}/favourite"),
        None,
    );
    let own = mock.ask(
        "kim",
        Method::GET,
        &format!("/api/v1/statuses/{poll}"),
        None,
    );
    let votes = format!(
        "/api/v1/polls/{}/votes",
        own["poll"]["id"].as_str().unwrap()
    );
    mock.ask("kim", Method::POST, &votes, Some(&json!({"choices": [1]})));
    mock.ask(
        "ana",
        Method::DELETE,
        &format!("/api/v1/statuses/{gone}"),
        None,
    );

    let config = format!(
        "[mastodon]\nids = \"ref\"\nupstream = \"{}\"\nweb_domain = \"social.example\"\n",
        mock.base
    );
    let signed = format!("[auth.jwt]\nalgorithm = \"HS256\"\nkey = \"{SECRET}\"\n");
    let surface = Surface::start_with(&signed, &config);
    let (ana, kim, lea) = (mock.id_of("ana"), mock.id_of("kim"), mock.id_of("lea"));
    for (account, name) in [(&kim, "kim"), (&lea, "lea")] {
        let actor = format!("https://social.example/users/{name}");
        surface.relate(&[
            json!({"type": "account", "account": account, "actor": actor}),
            json!({"type": "follow", "account": account, "target": ANA}),
        ]);
    }
    // In another order than the mock has them.
    for (n, id) in [(1, &poll), (2, &gone), (3, &plain)] {
        let activity = json!({"type": "Create", "id": format!("{ANA}#{n}"), "actor": ANA, "object": note(n, "ours")});
        surface.tell(&[json!({"activity": activity, "ref": id, "author_ref": ana})]);
    }
    let home = |name: &str| {
        let request = surface
            .door()
            .request(Method::GET, "/api/v1/timelines/home");
        let answer = request
            .bearer_auth(format!("token-of-{name}"))
            .send()
            .unwrap();
        let status = answer.status();
        let page: Value = answer.json().unwrap();
        assert_eq!(status, 200, "{page}");
        page
    };
    let (of_kim, of_lea) = (home("kim"), home("lea"));
    for page in [&of_kim, &of_lea] {
        let ids: Vec<&str> = page
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|it| it["id"].as_str())
            .collect();
        assert_eq!(
            ids,
            [plain.as_str(), poll.as_str()],
            "our order, and what is gone there left out"
        );
        assert_eq!(page[0]["slackwater"]["verdict"], "in_time");
    }
    assert_eq!(
        (&of_kim[0]["favourited"], &of_lea[0]["favourited"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(
        (&of_kim[1]["poll"]["own_votes"], &of_kim[1]["poll"]["voted"]),
        (&json!([1]), &json!(true))
    );
    assert_ne!(of_lea[1]["poll"]["voted"], true);
    let stranger = surface
        .door()
        .request(Method::GET, "/api/v1/timelines/home");
    assert_eq!(
        stranger
            .bearer_auth("token-of-nobody")
            .send()
            .unwrap()
            .status(),
        401
    );
}
