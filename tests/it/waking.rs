//! A reader who watches: woken when something happened to the feed and when its next entry is due, and at no other time.

use serde_json::json;
use slackwater::api::change_json;
use slackwater::api::feed_watch::WakeCondition;
use slackwater::clock;
use slackwater::config::Config;
use slackwater::log;
use slackwater::log::built_in;
use slackwater::service;
use slackwater_engine::relationship::Patience;
use slackwater_engine::view::View;
use slackwater_engine::view::change_batch::BatchLimit;
use slackwater_engine::view::cursor::Cursor;
use slackwater_engine::view::feed_ref::FeedRef;
use slackwater_engine::view::snapshot::Snapshot;
use slackwater_order::time::Time;
use slackwater_order::window::{ReorderWindow, Window, Windows};
use std::time::Duration;
use tempfile::TempDir;

const ANA: &str = "https://a.example/users/ana";
const OTHER: &str = "https://b.example/users/other";
const LONGEST: Duration = Duration::from_secs(60);

fn create(author: &str, n: usize, published: Time) -> String {
    let host = author.split('/').nth(2).unwrap();
    let uri = format!("https://{host}/posts/{n}");
    json!({"type": "Create", "id": format!("{uri}#create"), "actor": author, "object": {
        "type": "Note", "id": uri, "attributedTo": author, "content": format!("post {n}"),
        "published": published.rfc3339(), "to": ["https://www.w3.org/ns/activitystreams#Public"]
    }})
    .to_string()
}

fn look(view: &View) -> Snapshot {
    view.home_snapshot("7", None, clock::now())
        .unwrap()
        .unwrap()
}

fn begin(view: &View, look: &Snapshot) -> Cursor {
    Cursor {
        feed: Cursor::feed_of("7/home"),
        log: view.log.clone(),
        from: look.read_point(),
        batch: None,
    }
}

/// Were this to fail, readers would ask for nothing again and again, or wait for what is there.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_is_woken_for_each_entry_that_ripens_and_for_what_happens_to_the_feed_and_not_otherwise()
 {
    let dir = TempDir::new().unwrap();
    let mut config = Config::defaults(0);
    config.store.path = dir.path().join("feeds");
    config.log = log::Options::BuiltIn(built_in::Options {
        activities_keep: Duration::from_secs(86_400),
        activities_bytes_max: 1 << 30,
        ..built_in::Options::at(dir.path().join("log"))
    });
    config.listen = "127.0.0.1:0".parse().unwrap();
    let window = Window {
        reorder_window: ReorderWindow::Fixed(Duration::from_secs(2)),
        ..Window::default()
    };
    config.pipeline.engine.windows = Windows::new(window, Duration::from_secs(120));
    config.pipeline.engine.patience = Patience::Complete;
    let service = service::start(config).await.unwrap();
    let state = service.state().clone();
    let view = state.view.clone();
    let base = format!("http://{}/v1", service.address);
    let client = reqwest::Client::new();
    let send = async |path: &str, kind: &str, body: String| {
        let request = client.post(format!("{base}/{path}"));
        let request = request.header("content-type", kind).body(body);
        assert_eq!(request.send().await.unwrap().status(), 202);
    };
    let follow = |account: &str, target: &str| {
        json!({"type": "follow", "account": account, "target": target}).to_string()
    };
    let json = "application/json";
    send("relationships", json, follow("7", ANA)).await;
    send("relationships", json, follow("8", OTHER)).await;

    let home = FeedRef::of_account("7", "home").unwrap();
    let mut watching = state.watch(&home);
    let mut awaited = WakeCondition::default();
    let mut seen = look(&view);
    let mut cursor = begin(&view, &seen);
    let activity = "application/activity+json";
    for n in 0..4 {
        send("activities", activity, create(ANA, n, clock::now())).await;
    }
    let (mut told, mut woken) = (Vec::new(), 0);
    while told.len() < 4 {
        let wait = tokio::time::timeout(LONGEST, watching.wait(&view, awaited));
        wait.await.expect("to be woken");
        woken += 1;
        seen = look(&view);
        let limit = BatchLimit::of(80);
        let answer = seen.changes_since(&view, &cursor, limit, &*state.entry_cache);
        let answer = answer.unwrap();
        awaited = WakeCondition::after(&seen, &answer);
        assert!(!answer.batch.more);
        let text = format!("[{}]", change_json::changes(&answer.batch));
        let changes: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
        for change in changes {
            assert_eq!(
                (&change["kind"], &change["behind"]),
                (&json!("post"), &json!(false))
            );
            let published: Time =
                serde_json::from_value(change["entry"]["published"].clone()).unwrap();
            assert!(
                published.plus(Duration::from_secs(2)) <= clock::now(),
                "not before it is ripe"
            );
            told.push(change["id"].as_str().unwrap().parse::<u64>().unwrap());
        }
        cursor = answer.cursor;
    }
    assert!(told.is_sorted());
    // Each came, and each ripened; the clock may be asked a little before the horizon is there.
    assert!(woken <= 2 * 4 + 2, "woken {woken} times");

    // Nothing happens to this feed now, much to another.
    for n in 0..20 {
        send("activities", activity, create(OTHER, n, clock::now())).await;
    }
    let quiet = tokio::time::timeout(Duration::from_millis(500), watching.wait(&view, awaited));
    assert!(quiet.await.is_err(), "woken for nothing");
    // A relation wakes at once.
    let mute = json!({"type": "mute", "account": "7", "target": ANA}).to_string();
    send("relationships", json, mute).await;
    tokio::time::timeout(LONGEST, watching.wait(&view, awaited))
        .await
        .expect("to be woken");
    assert_eq!(look(&view).ids().len(), 0);
    service.stop().await.unwrap();
}
