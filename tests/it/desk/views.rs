//! The page's views: a home at any patience, the accounts to pick from, dead letters, and the service against its bounds.

use super::Browser;
use crate::dead_letters::{append, built_in, writer};
use crate::support::instance::{self, Instance};
use crate::support::service::Service;
use crate::support::surface::{Surface, note, uri};
use serde_json::{Value, json};
use slackwater::clock;
use slackwater_engine::record::{NewRecord, Topic};
use std::time::Duration;
use tempfile::TempDir;

fn uris(all: &[i64]) -> Value {
    json!(all.iter().map(|n| uri(*n)).collect::<Vec<_>>())
}

fn words(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// A failure means that an operator who turns the patience is shown another home than the account would have, or changes the account.
#[test]
fn a_patience_is_tried_while_one_looks_and_nothing_is_changed_by_it() {
    let surface = Surface::start("[ordering]\nreorder_window = \"10m\"\n");
    let post = |n: i64, seconds_ago: u64| {
        let mut object = note(n, "low tide");
        let written = clock::now().minus(Duration::from_secs(seconds_ago));
        object["published"] = json!(written.rfc3339());
        surface.create(&object);
    };
    post(1, 1_200);
    post(2, 0);
    let client = Browser::of(&surface, "patience");
    let own = client.said("own");
    assert_eq!(own[0], uris(&[2, 1]));
    assert_eq!(
        (&own[1], &own[2]),
        (
            &json!("0 s, the account’s own"),
            &json!(["The account’s own"])
        )
    );
    assert!(words(&own[3]).starts_with("Nothing is held back."), "{own}");
    assert_eq!(
        client.said("held"),
        json!([uris(&[1]), "complete", ["Complete"]])
    );
    let sentence = client.said("sentence");
    for part in [
        "1 post waits, the next is shown in ",
        "held back for 10 min by a.example.",
    ] {
        assert!(words(&sentence).contains(part), "{sentence}");
    }
    let told = client.said("told");
    assert!(
        words(&told).starts_with("1 post waits"),
        "a reader of screens hears it: {told}"
    );
    let waiting = client.said("waiting");
    assert_eq!(waiting[0][0], uri(2));
    assert!(words(&waiting[0][1]).starts_with("shown in "), "{waiting}");
    assert_eq!(client.said("arrival"), uris(&[2, 1]), "both have arrived");
    assert_eq!(client.said("origin"), "#/origins/a.example");
    assert_eq!(client.said("faults"), json!([]));
    assert_eq!(client.said("narrow"), json!([400, 400]));
    client.said("turned");
    post(3, 0);
    client.said("waits");
    assert_eq!(
        client.said("none"),
        json!([uris(&[3, 2, 1]), "0 s", ["None"]])
    );
    assert_eq!(
        client.said("again"),
        json!([uris(&[3, 2, 1]), "0 s, the account’s own"])
    );
    let ordering = surface.backend("/v1/accounts/7/ordering");
    assert_eq!(
        (&ordering["patience"], &ordering["horizon"]),
        (&json!("0s"), &Value::Null)
    );
    client.ends_clean();
}

#[test]
fn accounts_are_picked_from_a_list_that_is_searched_and_turned() {
    let surface = Surface::start("");
    let account = |n: usize| json!({"type": "account", "account": format!("a{n:02}"), "actor": format!("https://home.example/users/n{n:02}"), "patience": "2m"});
    let documents: Vec<Value> = (0..30).map(account).collect();
    surface.relate(&documents);
    // The two that every surface has come before them.
    for gone in ["7", "8"] {
        surface.relate(&[json!({"type": "account", "account": gone, "removed": true})]);
    }
    let client = Browser::of(&surface, "accounts");
    let names = |from: usize| {
        json!(
            (from..from + 12)
                .map(|n| format!("a{n:02}"))
                .collect::<Vec<_>>()
        )
    };
    assert_eq!(client.said("first"), names(0));
    assert_eq!(
        client.said("row"),
        "a00n00@home.examplepatience 2 min, 0 follows"
    );
    assert_eq!(client.said("second"), names(12));
    assert_eq!(client.said("found"), json!(["a25"]));
    assert_eq!(client.said("faults"), json!([]));
    assert_eq!(client.said("narrow"), json!([400, 400]));
    assert_eq!(client.said("opened"), "#/feeds/a25");
    assert!(words(&client.said("nobody")).contains("nobody"));
    client.ends_clean();
}

/// A failure means that a record which anybody may have written runs in an operator's browser, or is not to be read.
#[test]
fn dead_letters_are_shown_with_their_reasons_as_text_and_nothing_else() {
    let dir = TempDir::new().unwrap();
    let bad = "<img src=x onerror=\"document.title='harmed'\"><script>document.title='harmed'</script><b>";
    let record = |value: Vec<u8>| NewRecord {
        topic: Topic::Activities,
        partition_by: b"https://a.example/users/ana".to_vec(),
        key: b"https://a.example/users/ana".to_vec(),
        value: Some(value),
        headers: vec![("ref".to_owned(), bad.as_bytes().to_vec())],
        timestamp: clock::now(),
    };
    let mut records: Vec<NewRecord> = (0..24)
        .map(|n| record(format!("nonsense {n}").into_bytes()))
        .collect();
    records.push(record(vec![b'x'; 20_000]));
    records.push(record(bad.as_bytes().to_vec()));
    let log = writer(&built_in(dir.path()));
    append(&log, records);
    log.close();
    let instance = Instance::start(dir.path(), &instance::built_in(""));
    crate::support::wait_for("the letters", || {
        let page = instance.door.get("/v1/dead-letters?limit=80").json();
        (page["dead_letters"].as_array().unwrap().len() == 26).then_some(())
    });
    let client = Browser::start(instance.door.base(), "", "letters");
    let numbered = |ids: std::ops::Range<usize>| {
        json!(ids.rev().map(|n| format!("0-{n}")).collect::<Vec<_>>())
    };
    assert_eq!(client.said("first"), numbered(6..26));
    let letter = client.said("letter");
    for part in [
        "activities",
        "offset 25",
        "letter 0-25",
        "<img src=x",
        "ref",
    ] {
        assert!(words(&letter).contains(part), "{part} in {letter}");
    }
    let folded = client.said("folded");
    assert_eq!(folded[0], json!([false, bad.len()]));
    assert_eq!(folded[1], json!([true, 16_384]), "a large one is folded");
    assert_eq!(client.said("harmed"), 0);
    assert_eq!(client.said("open"), true, "and stays unfolded");
    assert_eq!(client.said("faults"), json!([]));
    assert_eq!(client.said("narrow"), json!([400, 400]));
    assert_eq!(client.said("second"), numbered(0..6));
    assert_eq!(client.said("back"), numbered(6..26));
    client.ends_clean();
}

/// A failure means that an operator does not see memory run out, or why what was saved is not in force.
#[test]
fn memory_disks_and_a_refused_configuration_are_on_the_first_page() {
    let mut service = Service::start("[feed]\nunflushed_entries_max = 123000\n");
    service.wait_ready();
    let file = service.dir().join("slackwater.toml");
    let good = std::fs::read_to_string(&file).unwrap();
    let client = Browser::start(&format!("http://{}", service.address), "", "settings");
    let memory = client.said("memory");
    for part in [
        " usable memory",
        "of 123,000 entries, not written yet",
        " of posts, not written yet",
    ] {
        assert!(words(&memory).contains(part), "{part} in {memory}");
    }
    assert!(
        4 <= client.said("bars").as_u64().unwrap(),
        "memory, entries, posts, a disk"
    );
    let disk = client.said("disk");
    for part in ["feeds ", "log ", "used on the disk of feeds"] {
        assert!(words(&disk).contains(part), "{part} in {disk}");
    }
    assert!(words(&client.said("settings")).contains("in force"));
    assert_eq!(client.said("connector"), false, "there is none");
    std::fs::write(
        &file,
        format!("{good}\n[ordering]\nreorder_windows = \"5s\"\n"),
    )
    .unwrap();
    let refused = client.said("refused");
    for part in ["once refused", "reorder_window"] {
        assert!(words(&refused).contains(part), "{part} in {refused}");
    }
    assert_eq!(client.said("faults"), json!([]));
    std::fs::write(&file, good).unwrap();
    let mended = client.said("mended");
    assert!(!words(&mended).contains("reorder_window"), "{mended}");
    client.ends_clean();
    assert!(service.stop().success());
}
