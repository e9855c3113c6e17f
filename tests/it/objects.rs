//! Feeds of posts whose objects are not kept.

use crate::support::backed::{Backed, HOME, ids};
use crate::support::fediverse::{Fediverse, Related, Sent, Size};
use crate::support::instance::{self, Door, Instance};
use crate::support::surface::SERVICE;
use serde_json::Value;
use slackwater::mastodon::late::LATE_LIST;
use std::collections::BTreeMap;
use std::path::Path;
use tempfile::TempDir;

const NO_OBJECTS: &str = "[feed]\nkeep_objects = false\n";

/// The homes that a log gives, once `send` has sent what is to be in it.
fn homes(
    fediverse: &Fediverse,
    dir: &Path,
    feed: &str,
    send: impl FnOnce(&Door),
) -> BTreeMap<String, Vec<Value>> {
    let config = instance::built_in("").replace("[feed]\n", feed);
    let mut instance = Instance::start(dir, &config);
    send(&instance.door);
    instance.wait_until_ready();
    instance.wait_until_read("activities", fediverse.activities.len());
    instance.settle();
    let homes = instance.door.homes(&fediverse.accounts);
    instance.terminate();
    homes
}

/// A failure means that an instance has other feeds because it shows its posts itself.
#[test]
fn feeds_are_the_same_but_for_the_objects() {
    let size = Size {
        activities: 2_000,
        authors: 40,
        origins: 5,
        accounts: 8,
    };
    let fediverse = Fediverse::made_up(31, size);
    let dir = TempDir::new().unwrap();
    let mut kept = homes(&fediverse, dir.path(), "[feed]\n", |door| {
        let relations: Vec<String> = fediverse.relations.iter().map(Related::line).collect();
        let activities: Vec<String> = fediverse.activities.iter().map(Sent::line).collect();
        door.post_lines("/v1/relationships", &relations);
        for lines in activities.chunks(500) {
            door.post_lines("/v1/activities", lines);
        }
    });
    std::fs::remove_dir_all(dir.path().join("feeds")).unwrap();
    let bare = homes(&fediverse, dir.path(), NO_OBJECTS, |_| {});
    let mut with_object = 0;
    for entry in kept.values_mut().flatten() {
        let boosted = entry["boost"].as_object_mut();
        let objects = boosted.into_iter().filter_map(|it| it.get_mut("object"));
        for object in objects {
            with_object += usize::from(object.is_object());
            *object = Value::Null;
        }
        with_object += usize::from(entry["object"].is_object());
        entry["object"] = Value::Null;
    }
    assert!(1_000 < with_object, "{with_object}");
    let changed = |entry: &&Value| entry["edited"].is_string();
    assert!(bare.values().flatten().find(changed).is_some());
    for (account, entries) in &kept {
        let mut both = entries.iter().zip(&bare[account]);
        assert_eq!(both.find(|(kept, bare)| kept != bare), None, "{account}");
        assert_eq!(entries.len(), bare[account].len(), "{account}");
    }
}

/// A failure means that readers see less than their own server shows them, or posts without words.
#[test]
fn statuses_are_whole_as_the_backend_shows_them_and_are_not_shown_without_it() {
    let backed = Backed::configured("", |config| config.replace("[feed]\n", NO_OBJECTS));
    backed.post(&[(1_001, 4_000), (1_002, 20), (1_003, 5)]);
    let page = backed.json(HOME, &backed.kim);
    assert_eq!(ids(&page), [1_003, 1_002, 1_001]);
    for status in page.as_array().unwrap() {
        let content = status["content"].as_str().unwrap();
        assert!(content.contains("as the backend shows"), "{content}");
    }
    let late = backed.json(&format!("/api/v1/timelines/list/{LATE_LIST}"), &backed.kim);
    assert_eq!(late[0]["reblog"]["id"], "1001");
    let plain = backed.surface.backend("/v1/accounts/7/feeds/home");
    let objects: Vec<&Value> = plain["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["object"])
        .collect();
    assert_eq!(objects, [&Value::Null; 3]);
    let ours = backed.surface.backend("/api/v1/timelines/public");
    assert_eq!(ours.as_array().map(Vec::len), Some(0), "{ours}");
    let left_out = "slackwater_mastodon_left_out_total{lacks=\"object\"}";
    let metrics = backed.text("/metrics", SERVICE);
    let found: Vec<&str> = metrics
        .lines()
        .filter(|it| it.starts_with("slackwater_mastodon_left_out_total") && !it.ends_with(" 0"))
        .collect();
    assert_eq!(found, [&*format!("{left_out} 3")]);
}
