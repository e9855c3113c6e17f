//! The lines that docs/inbox.md gives for nginx, in a real nginx before the service and the server behind it.

use super::actor::{Actor, Delivery, Keys};
use super::stand_in::{StandIn, accepted};
use super::{Inbox, deliver};
use crate::support::nginx::{HTTP, MAIN, Nginx};
use reqwest::blocking::Client;
use tempfile::TempDir;

/// nginx with the documented lines, before a service there and a server there.
struct Front(Nginx);

impl Front {
    fn start(service: &str, server: &StandIn) -> Front {
        let lines = include_str!("../../../docs/inbox.md");
        let (_, lines) = lines.split_once("```nginx\n").expect("lines for nginx");
        let (lines, _) = lines.split_once("```").expect("their end");
        assert!(lines.contains("127.0.0.1:8787"), "{lines}");
        let lines = lines.replace("127.0.0.1:8787", service);
        let backend = server.address;
        let dir = TempDir::new().unwrap();
        Front(Nginx::start(dir, |port| {
            format!(
                "{MAIN} http {{ {HTTP}
                     upstream backend {{ server {backend}; }}
                     server {{
                         listen 127.0.0.1:{port};
                         location / {{ return 404; }}
                         {lines}
                     }}
                 }}"
            )
        }))
    }

    fn deliver(&self, delivery: &Delivery) -> u16 {
        let url = format!("http://127.0.0.1:{}{}", self.0.port, delivery.target);
        let mut request = Client::new().post(url).body(delivery.body.clone());
        for (name, value) in &delivery.headers {
            request = request.header(name, value);
        }
        request.send().expect("an answer").status().as_u16()
    }
}

/// A failure means that an instance which does as the documents say records nothing, or is cut off while the service is away.
#[test]
fn with_the_lines_of_the_documents_posts_are_recorded_and_reach_the_server_while_we_are_away() {
    let mut inbox = Inbox::start();
    let ana = Actor::start("ana", Keys::first());
    inbox.follows(&ana.id);
    let here = inbox.instance.door.base().trim_start_matches("http://");
    let nginx = Front::start(here, &inbox.upstream);
    assert_eq!(nginx.deliver(&ana.post(1)), 202);
    inbox.wait_for_post(&ana.uri(1));
    let mut elsewhere = ana.post(2);
    elsewhere.target = "/users/kim/outbox".to_owned();
    assert_eq!(nginx.deliver(&elsewhere), 404);
    assert_eq!(inbox.upstream.seen().len(), 1);

    inbox.instance.kill9();
    inbox.upstream.answers(|_| accepted());
    let post = ana.post(3);
    assert_eq!(nginx.deliver(&post), 202);
    let seen = inbox.upstream.seen();
    let last = seen.last().unwrap();
    assert!(last.line.starts_with("POST /inbox "), "{}", last.line);
    assert_eq!(last.body, post.body.as_bytes());
    inbox.instance.restart();
    assert_eq!(deliver(&inbox.instance, &ana.post(4)).unwrap(), 202);
    inbox.wait_for_post(&ana.uri(4));
    let is_missing = !inbox.instance.door.uris("7").contains(&ana.uri(3));
    assert!(is_missing, "it did not come this way");
}
