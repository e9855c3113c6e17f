//! Streams passed on from the backend's streaming server, with new statuses of home and lists in this service's order: against a
//! stand-in for a Mastodon.

use crate::mastodon::{Events, Socket};
use crate::support::backed::Backed;
use crate::support::surface::uri;
use crate::support::wait_for;
use serde_json::{Value, json};
use slackwater::clock;

/// The events of Mastodon's streams that are none of this service's feeds.
const OTHERS: [&str; 9] = [
    "notification",
    "notifications_merged",
    "conversation",
    "announcement",
    "announcement.reaction",
    "announcement.delete",
    "filters_changed",
    "kill",
    "new_in_some_later_version",
];

impl Backed {
    /// A socket of a token's, which the backend's server knows too.
    fn socket(&self, token: &str, query: &str, stream: &[&str]) -> Socket {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str())];
        let mut socket = Socket::open(&self.surface, query, &headers).unwrap();
        socket.settle();
        self.wait_watched(token, stream);
        socket
    }

    fn wait_watched(&self, token: &str, stream: &[&str]) {
        wait_for("a connection to the backend's stream", || {
            (0 < self.stand_in.watchers(token, stream)).then_some(())
        });
    }

    /// The backend's stream sends a new status, or another event of one, as an account sees it.
    fn push(&self, token: &str, account: &str, event: &str, id: u64) {
        let status = self.stand_in.text(account, id).unwrap();
        assert_eq!(
            self.stand_in.tell(token, &["user"], event, Some(&status)),
            1
        );
    }

    /// How many calls for statuses there were under a token since the last time.
    fn asked(&self, token: &str) -> usize {
        let calls = self.stand_in.calls_of(token);
        calls
            .iter()
            .filter(|path| path.contains("id%5B%5D="))
            .count()
    }
}

/// The payload of a message, as it was written.
fn payload(message: &Value) -> String {
    message["payload"].as_str().unwrap().to_owned()
}

fn next(socket: &mut Socket) -> Value {
    serde_json::from_str(&socket.next_text()).unwrap()
}

#[test]
fn a_new_status_is_the_backends_and_comes_once_when_our_feed_shows_it() {
    let backed = Backed::start("");
    let mut socket = backed.socket(&backed.kim, "?stream=user", &["user"]);
    backed.stand_in.has(1_001);
    let own = json!({"filtered": [{"filter": {"id": "1"}}]});
    backed
        .stand_in
        .known()
        .own
        .insert(("7".to_owned(), 1_001), own);
    // The backend's stream is first, and then our feed.
    backed.push(&backed.kim, "7", "update", 1_001);
    backed.asked(&backed.kim);
    backed.post(&[(1_001, 1)]);
    let message = next(&mut socket);
    assert_eq!(
        (&message["event"], &message["stream"]),
        (&json!("update"), &json!(["user"]))
    );
    assert!(
        payload(&message).starts_with(&backed.expected_start("7", 1_001)),
        "{message}"
    );
    // Our feed is first, and then the backend's stream.
    backed.post(&[(1_002, 1)]);
    backed.push(&backed.kim, "7", "update", 1_002);
    let message = next(&mut socket);
    assert!(
        payload(&message).starts_with(&backed.expected_start("7", 1_002)),
        "{message}"
    );
    assert_eq!(backed.asked(&backed.kim), 0, "both came by themselves");
    // What the backend pushes and our feed does not show is not pushed.
    backed.stand_in.has(1_003);
    backed.push(&backed.kim, "7", "update", 1_003);
    backed.stand_in.tell(
        &backed.kim,
        &["user"],
        "notification",
        Some("{\"id\":\"1\"}"),
    );
    assert_eq!(next(&mut socket)["event"], "notification");
}

/// A failure means that who waits for order waits for their notifications too, or that the wait is for nothing.
#[test]
fn all_other_events_come_at_once_and_unchanged_while_home_is_held() {
    let backed = Backed::start("[ordering]\nreorder_window = \"6s\"\n");
    backed
        .surface
        .relate(&[json!({"type": "ordering", "account": "7", "patience": "6s"})]);
    let mut socket = backed.socket(&backed.kim, "?stream=user", &["user"]);
    // Nobody waits for an origin that was never heard from, and what was shown once stays shown.
    backed.post(&[(1_000, 1)]);
    assert_eq!(next(&mut socket)["event"], "update");
    wait_for("a feed that is held", || {
        let ordering = backed.surface.backend("/v1/accounts/7/ordering");
        let horizon = chrono::DateTime::parse_from_rfc3339(ordering["horizon"].as_str()?).ok()?;
        let held = clock::now().millis() - horizon.timestamp_millis();
        (5_500 < held).then_some(())
    });
    backed.post(&[(1_001, 0)]);
    backed.push(&backed.kim, "7", "update", 1_001);
    for event in OTHERS {
        for payload in [None, Some("{\"id\": \"1\", \"text\":\"caf\\u00e9 \\/\"}")] {
            assert_eq!(
                backed.stand_in.tell(&backed.kim, &["user"], event, payload),
                1
            );
            let mut expected = json!({"stream": ["user"], "event": event});
            if let Some(payload) = payload {
                expected["payload"] = json!(payload);
            }
            assert_eq!(socket.next_text(), expected.to_string());
        }
    }
    // An edit passes, and what is held is the newest.
    let edited = json!({"content": "<p>edited</p>"});
    backed
        .stand_in
        .known()
        .own
        .insert(("7".to_owned(), 1_001), edited);
    backed.push(&backed.kim, "7", "status.update", 1_001);
    assert_eq!(next(&mut socket)["event"], "status.update");
    backed.asked(&backed.kim);
    let message = next(&mut socket);
    assert_eq!(message["event"], "update", "{message}");
    assert!(payload(&message).contains("<p>edited</p>"), "{message}");
    assert_eq!(backed.asked(&backed.kim), 0);
}

#[test]
fn what_the_backends_stream_does_not_send_is_asked_for_in_batches() {
    let backed = Backed::start("");
    let mut socket = backed.socket(&backed.kim, "?stream=user", &["user"]);
    backed
        .stand_in
        .known()
        .hidden
        .insert(("7".to_owned(), 1_003));
    backed.asked(&backed.kim);
    let posts: Vec<(u64, u64)> = (1_001..1_009).map(|n| (n, 1_020 - n)).collect();
    backed.post(&posts);
    for id in (1_001..1_009).filter(|id| *id != 1_003) {
        let message = next(&mut socket);
        assert!(
            payload(&message).starts_with(&backed.expected_start("7", id)),
            "{id}: {message}"
        );
    }
    let asked = backed.asked(&backed.kim);
    assert!((1..=3).contains(&asked), "{asked} calls");
    // A delete of the backend's is passed on, and ours is not said again.
    backed
        .stand_in
        .tell(&backed.kim, &["user"], "delete", Some("1008"));
    assert_eq!(next(&mut socket)["payload"], "1008");
    backed.surface.delete(1_008);
    backed.surface.delete(1_007);
    assert_eq!(
        next(&mut socket)["payload"],
        "1007",
        "which the backend did not say"
    );
    // So it is with an edit.
    let mut edit = Backed::written(1_006, 14);
    edit["activity"]["type"] = json!("Update");
    edit["activity"]["id"] = json!(format!("{}#edit", uri(1_006)));
    edit["activity"]["object"]["content"] = json!("<p>edited</p>");
    edit["activity"]["object"]["updated"] = json!(clock::now().rfc3339());
    let edited = json!({"content": "<p>edited there</p>"});
    backed
        .stand_in
        .known()
        .own
        .insert(("7".to_owned(), 1_006), edited);
    backed.push(&backed.kim, "7", "status.update", 1_006);
    assert!(payload(&next(&mut socket)).contains("edited there"));
    backed.surface.tell(&[edit.clone()]);
    edit["activity"]["object"]["id"] = json!(uri(1_005));
    edit["activity"]["id"] = json!(format!("{}#edit", uri(1_005)));
    edit["ref"] = json!("1005");
    edit["activity"]["object"]["published"] =
        Backed::written(1_005, 15)["activity"]["object"]["published"].clone();
    backed.surface.tell(&[edit]);
    let message = next(&mut socket);
    assert_eq!(message["event"], "status.update");
    assert!(
        payload(&message).contains("as the backend shows 1005"),
        "{message}"
    );
}

/// A failure means that a reader is cut off, or misses posts, whenever the backend is restarted.
#[test]
fn the_backend_going_away_ends_nothing_and_its_events_go_on_when_it_is_back() {
    let backed = Backed::start("");
    let mut socket = backed.socket(&backed.kim, "?stream=user", &["user"]);
    backed.stand_in.end_streams(false);
    // New statuses are asked for meanwhile.
    backed.post(&[(1_001, 2)]);
    let message = next(&mut socket);
    assert!(
        payload(&message).starts_with(&backed.expected_start("7", 1_001)),
        "{message}"
    );
    // And are ours where nobody can be asked.
    backed.stand_in.is(crate::support::upstream::Mood::Gone);
    backed.post(&[(1_002, 1)]);
    let message = next(&mut socket);
    assert!(payload(&message).contains("as we show 1002"), "{message}");
    backed.surface.delete(1_002);
    assert_eq!(next(&mut socket)["payload"], "1002");
    backed.stand_in.is(crate::support::upstream::Mood::Well);
    backed.stand_in.end_streams(true);
    backed.wait_watched(&backed.kim, &["user"]);
    backed.stand_in.tell(
        &backed.kim,
        &["user"],
        "notification",
        Some("{\"id\":\"1\"}"),
    );
    assert_eq!(
        next(&mut socket)["event"],
        "notification",
        "nothing came between"
    );
    socket.settle();
}

#[test]
fn streams_ask_for_statuses_sixty_times_in_five_minutes_and_then_show_ours() {
    let backed = Backed::start("");
    let mut socket = backed.socket(&backed.kim, "?stream=user", &["user"]);
    // Nothing is waited for that cannot come.
    backed.stand_in.end_streams(false);
    backed.asked(&backed.kim);
    let mut plain = 0;
    for n in 0..70 {
        backed.post(&[(1_000 + n, 1)]);
        let message = next(&mut socket);
        plain += usize::from(payload(&message).contains("as we show"));
    }
    assert_eq!((backed.asked(&backed.kim), plain), (60, 10));
    // Another reader's are another's.
    let mut other = backed.socket_of_lea();
    backed.post(&[(1_100, 1)]);
    assert!(payload(&next(&mut other)).contains("as the backend shows"));
}

impl Backed {
    /// A socket that the backend's server knows nothing of.
    fn socket_of_lea(&self) -> Socket {
        let bearer = format!("Bearer {}", self.lea);
        let headers = [("authorization", bearer.as_str())];
        let mut socket = Socket::open(&self.surface, "?stream=user", &headers).unwrap();
        socket.settle();
        socket
    }
}

#[test]
fn one_socket_has_many_streams_over_one_connection_to_the_backend() {
    let backed = Backed::start("");
    let mut socket = backed.socket(&backed.kim, "?stream=user", &["user"]);
    for command in [
        json!({"type": "subscribe", "stream": "list", "list": "42"}),
        json!({"type": "subscribe", "stream": "hashtag", "tag": "sea"}),
        json!({"type": "subscribe", "stream": "user:notification"}),
    ] {
        socket.say(&command);
    }
    backed.wait_watched(&backed.kim, &["user:notification"]);
    assert_eq!(backed.stand_in.watchers(&backed.kim, &["list", "42"]), 1);
    // Streams that are no reader's own come as the backend has them.
    let status = "{\"id\":\"5\"}";
    backed
        .stand_in
        .tell(&backed.kim, &["hashtag", "sea"], "update", Some(status));
    let message = next(&mut socket);
    assert_eq!(
        (&message["stream"], payload(&message).as_str()),
        (&json!(["hashtag", "sea"]), status)
    );
    // A post of home and a list comes on both.
    backed.stand_in.has(1_001);
    backed.push(&backed.kim, "7", "update", 1_001);
    backed.post(&[(1_001, 1)]);
    let mut streams = [next(&mut socket), next(&mut socket)].map(|it| it["stream"].to_string());
    streams.sort();
    assert_eq!(streams, ["[\"list\",\"42\"]", "[\"user\"]"]);
    socket.say(&json!({"type": "unsubscribe", "stream": "user"}));
    wait_for("the end of the stream there", || {
        (backed.stand_in.watchers(&backed.kim, &["user"]) == 0).then_some(())
    });
    drop(socket);
    wait_for("the end of the connection there", || {
        (backed.stand_in.watchers(&backed.kim, &["list", "42"]) == 0).then_some(())
    });
}

#[test]
fn server_sent_events_are_passed_on_too() {
    let backed = Backed::start("");
    let mut events =
        Events::open_with(&backed.surface, &backed.kim, "/api/v1/streaming/user", None);
    backed.wait_watched(&backed.kim, &["user"]);
    backed
        .stand_in
        .tell(&backed.kim, &["user"], "filters_changed", None);
    assert_eq!(
        events.block_of_event(),
        ["event: filters_changed", "data: undefined"]
    );
    backed.stand_in.tell(
        &backed.kim,
        &["user"],
        "notification",
        Some("{\"id\":\"1\"}"),
    );
    assert_eq!(
        events.block_of_event(),
        ["event: notification", "data: {\"id\":\"1\"}"]
    );
    backed.stand_in.has(1_001);
    backed.push(&backed.kim, "7", "update", 1_001);
    backed.post(&[(1_001, 1)]);
    let block = events.block_of_event();
    assert_eq!(
        (block[0].as_str(), block.len()),
        ("event: update", 3),
        "{block:?}"
    );
    let data = block[1].strip_prefix("data: ").unwrap();
    assert!(
        data.starts_with(&backed.expected_start("7", 1_001)),
        "{data}"
    );
    // It comes back with the last id, and has missed nothing.
    let id = block[2].strip_prefix("id: ").unwrap().to_owned();
    drop(events);
    backed.post(&[(1_002, 1)]);
    let mut events = Events::open_with(
        &backed.surface,
        &backed.kim,
        "/api/v1/streaming/user",
        Some(&id),
    );
    let block = events.block_of_event();
    assert!(block[1].contains("as the backend shows 1002"), "{block:?}");
}

/// One reader's events are never another's, whoever is slow.
#[test]
fn each_reader_has_their_own_connection_and_events() {
    let backed = Backed::start("");
    let mut kim = backed.socket(&backed.kim, "?stream=user", &["user"]);
    let mut lea = backed.socket(&backed.lea, "?stream=user", &["user"]);
    backed.stand_in.has(1_001);
    let mine = json!({"favourited": true});
    backed
        .stand_in
        .known()
        .own
        .insert(("7".to_owned(), 1_001), mine);
    backed.push(&backed.kim, "7", "update", 1_001);
    backed.stand_in.tell(
        &backed.kim,
        &["user"],
        "notification",
        Some("{\"id\":\"of kim\"}"),
    );
    backed.post(&[(1_001, 1)]);
    // Neither waits for the other.
    let both = [next(&mut kim), next(&mut kim)];
    let has = |text: &str| both.iter().any(|message| payload(message).contains(text));
    assert!(has("of kim") && has("\"favourited\":true"), "{both:?}");
    // Hers was not sent, and is asked for under her own token.
    let message = next(&mut lea);
    assert_eq!(message["event"], "update");
    assert!(
        payload(&message).contains("\"favourited\":false"),
        "{message}"
    );
}

#[test]
fn a_backend_without_a_streaming_server_has_streams_of_ours_alone() {
    let backed = Backed::start("");
    let config = backed.stand_in.config();
    let streaming = config
        .lines()
        .find(|line| line.starts_with("streaming"))
        .unwrap();
    let config = config.replace(streaming, "");
    let surface = crate::support::surface::Surface::start_with(
        "[auth.jwt]\n",
        &format!("{config}[auth.jwt]\n"),
    );
    let bearer = format!("Bearer {}", backed.kim);
    let mut socket = Socket::open(&surface, "?stream=user", &[("authorization", &bearer)]).unwrap();
    socket.settle();
    surface.tell(&[Backed::written(1_001, 1)]);
    assert!(payload(&next(&mut socket)).contains("as we show 1001"));
}
