//! The lines that docs/operating.md gives for nginx, in a real nginx before a pretended Mastodon and the service: who answers what.

use crate::support;
use crate::support::nginx::{HTTP, MAIN, Nginx};
use crate::support::surface::{Surface, note, uri};
use reqwest::blocking::Client;
use serde_json::json;
use slackwater::clock;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tempfile::TempDir;
use tungstenite::Message;
use tungstenite::client::IntoClientRequest;

/// A failure means that an instance which does as the documents say loses its notifications, or has timelines in no order.
#[test]
fn with_the_lines_of_the_documents_timelines_come_from_here_and_all_else_from_mastodon() {
    let surface = Surface::start("");
    surface.create(&note(1, "hello"));
    let mastodon = Mastodon::start("mastodon");
    let streaming = Mastodon::start("mastodon's streaming");
    let blocks = documented_blocks();
    let [snippet, locations, _] = &blocks;
    let own = "location ^~ /api/v1/streaming { proxy_pass http://streaming; }";
    // Some instances send all of their API somewhere by a block of the kind that beats regular expressions.
    let api = "location ^~ /api/ { proxy_pass http://backend; }";
    // Mastodon's own lines before ours, and behind them.
    for server in [
        format!("{own}\n{locations}"),
        format!("{locations}\n{own}"),
        format!("{own}\n{api}\n{locations}"),
    ] {
        let proxy = Proxy::start(&surface, &mastodon, &streaming, snippet, &server);
        for (path, who) in [
            ("/api/v1/timelines/home", US),
            ("/api/v1/timelines/home?limit=3", US),
            ("/api/v1/timelines/public", US),
            ("/api/v1/timelines/public?local=true", US),
            ("/api/v1/timelines/tag/rust", US),
            ("/api/v1/timelines/tag/caf%C3%A9", US),
            ("/api/v1/timelines/list/42", US),
            ("/api/v1/timelines/direct", "mastodon"),
            ("/api/v1/timelines/link?url=x", "mastodon"),
            ("/api/v1/notifications", "mastodon"),
            ("/api/v1/statuses/1", "mastodon"),
            ("/api/v1/lists", "mastodon"),
            ("/api/v1/instance", "mastodon"),
            ("/v1/accounts/7/feeds/home", "mastodon"),
            ("/metrics", "mastodon"),
            ("/", "mastodon"),
            ("/api/v1/streaming", "mastodon's streaming"),
            ("/api/v1/streaming/user", "mastodon's streaming"),
            ("/api/v1/streaming/health", "mastodon's streaming"),
        ] {
            assert_eq!(proxy.who_answers(path), who, "{path} with {server}");
        }
        // And the answer is the timeline, with links to where the client came to.
        let request = proxy.get("/api/v1/timelines/home?limit=1");
        let answer = request.bearer_auth(surface.token("read")).send().unwrap();
        let link = answer.headers()["link"].to_str().unwrap().to_owned();
        assert!(
            link.contains(&proxy.url("/api/v1/timelines/home")),
            "{link}"
        );
        let page: serde_json::Value = answer.json().unwrap();
        assert_eq!(page[0]["uri"], json!(uri(1)));
    }
}

#[test]
fn who_wants_its_timelines_live_has_them_with_the_other_lines() {
    let surface = Surface::start("");
    let mastodon = Mastodon::start("mastodon");
    let [snippet, locations, streaming] = documented_blocks();
    let server = format!("{locations}\n{streaming}");
    let proxy = Proxy::start(&surface, &mastodon, &mastodon, &snippet, &server);
    assert_eq!(proxy.who_answers("/api/v1/streaming/health"), US);
    assert_eq!(proxy.who_answers("/api/v1/streaming/user"), US);
    assert_eq!(proxy.who_answers("/api/v1/notifications"), "mastodon");
    let token = surface.token("read");
    let url = proxy.url(&format!(
        "/api/v1/streaming?stream=user&access_token={token}"
    ));
    let request = url.replacen("http", "ws", 1).into_client_request().unwrap();
    let stream = TcpStream::connect(("127.0.0.1", proxy.nginx.port)).unwrap();
    let briefly = Duration::from_millis(500);
    stream.set_read_timeout(Some(briefly)).unwrap();
    let (mut socket, _) = tungstenite::client(request, stream).unwrap();
    // Pushed is what is new once the stream is there: until then it may be sent again.
    let told = support::wait_for("an update through nginx", || {
        surface.post(clock::now().millis(), "hello");
        match socket.read() {
            Ok(Message::Text(text)) => Some(text.as_str().to_owned()),
            _ => None,
        }
    });
    assert!(told.contains("\"event\":\"update\""), "{told}");
}

const US: &str = "slackwater";

/// The three blocks about nginx: the snippet, the locations, and those for streaming.
fn documented_blocks() -> [String; 3] {
    let blocks = include_str!("../../docs/operating.md")
        .split("```nginx\n")
        .skip(1);
    let text = |block: &str| block.split_once("```").expect("its end").0.to_owned();
    let blocks: Vec<String> = blocks.map(text).collect();
    blocks.try_into().expect("three blocks about nginx")
}

/// Answers everything with its name.
struct Mastodon {
    port: u16,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Mastodon {
    fn start(name: &'static str) -> Mastodon {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let stopping = Arc::new(AtomicBool::new(false));
        let stops = Arc::clone(&stopping);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if stops.load(Ordering::Relaxed) {
                    break;
                }
                let mut reader = BufReader::new(stream);
                let mut line = String::from("x");
                // The head of the request, to its empty line.
                while line.trim() != "" {
                    line.clear();
                    if reader.read_line(&mut line).unwrap_or(0) == 0 {
                        break;
                    }
                }
                let length = name.len();
                // Whoever asked may be gone.
                let _ = write!(
                    reader.get_mut(),
                    "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{name}"
                );
            }
        });
        Mastodon {
            port,
            stopping,
            thread: Some(thread),
        }
    }
}

impl Drop for Mastodon {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A running nginx.
struct Proxy {
    nginx: Nginx,
    client: Client,
}

impl Proxy {
    /// Starts one with the lines that Mastodon's own configuration has around `server`.
    fn start(
        surface: &Surface,
        mastodon: &Mastodon,
        streaming: &Mastodon,
        snippet: &str,
        server: &str,
    ) -> Proxy {
        let dir = TempDir::new().unwrap();
        let here = surface.door().base().trim_start_matches("http://");
        std::fs::create_dir(dir.path().join("snippets")).unwrap();
        let snippet = snippet.replace("127.0.0.1:8787", here);
        assert!(snippet.contains(here), "{snippet}");
        std::fs::write(dir.path().join("snippets/slackwater.conf"), snippet).unwrap();
        let (mastodon, streaming) = (mastodon.port, streaming.port);
        let nginx = Nginx::start(dir, |port| {
            format!(
                "{MAIN}
                 http {{
                     {HTTP}
                     map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}
                     upstream backend {{ server 127.0.0.1:{mastodon}; }}
                     upstream streaming {{ server 127.0.0.1:{streaming}; }}
                     server {{
                         listen 127.0.0.1:{port};
                         root public;
                         location / {{ try_files $uri @proxy; }}
                         location ~ ^/(assets|packs)/ {{ try_files $uri =404; }}
                         location @proxy {{ proxy_pass http://backend; }}
                         {server}
                     }}
                 }}"
            )
        });
        Proxy {
            nginx,
            client: Client::new(),
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.nginx.port)
    }

    fn get(&self, path: &str) -> reqwest::blocking::RequestBuilder {
        self.client.get(self.url(path))
    }

    /// Who answers a path.
    fn who_answers(&self, path: &str) -> String {
        let text = self.get(path).send().unwrap().text().unwrap();
        let is_ours = text == "OK" || text.contains("The access token is invalid");
        if is_ours { US.to_owned() } else { text }
    }
}
