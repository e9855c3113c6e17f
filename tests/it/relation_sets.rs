//! All relations of an account: read as they are in force, and replaced as a whole.

use crate::support::instance::{self, Instance};
use reqwest::Method;
use reqwest::blocking::Response;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::thread;
use tempfile::TempDir;

const NDJSON: &str = "application/x-ndjson";
const PATH: &str = "/v1/accounts/7/relationships";

const ACCOUNT: &str = r#"{"type":"account","account":"7","actor":"https://home.example/users/7","languages":[],"aggregate_boosts":true}"#;

fn follow(author: usize) -> String {
    format!(
        r#"{{"type":"follow","account":"7","target":"https://b.example/{author}","boosts":true,"languages":[]}}"#
    )
}

fn put(instance: &Instance, path: &str, lines: &[String], if_match: Option<&str>) -> Response {
    let request = instance
        .door
        .request(Method::PUT, path)
        .header("Content-Type", NDJSON)
        .body(lines.join("\n"));
    let request = match if_match {
        Some(etag) => request.header("If-Match", etag),
        None => request,
    };
    request.send().unwrap()
}

/// The documents in force, and their validator.
fn in_force(instance: &Instance, path: &str) -> (Vec<String>, String) {
    let response = instance.door.request(Method::GET, path).send().unwrap();
    assert_eq!(response.status(), 200);
    let etag = response.headers()["etag"].to_str().unwrap().to_owned();
    let text = response.text().unwrap();
    (text.lines().map(str::to_owned).collect(), etag)
}

fn note(instance: &Instance, author: usize, n: usize) {
    let (actor, uri) = (
        format!("https://b.example/{author}"),
        format!("https://b.example/{author}/{n}"),
    );
    let published = slackwater::clock::now();
    let note = json!({
        "type": "Create", "id": format!("{uri}/create"), "actor": actor,
        "object": {"type": "Note", "id": uri, "attributedTo": actor, "published": published, "content": "x",
            "to": ["https://www.w3.org/ns/activitystreams#Public"]}
    });
    instance
        .door
        .post_lines("/v1/activities", &[note.to_string()]);
}

/// A failure means that a backend cannot make what is here equal what it has, and drift stays for ever.
#[test]
fn a_set_replaces_what_is_in_force_and_is_in_force_when_it_is_answered() {
    let dir = TempDir::new().unwrap();
    let mut instance = Instance::start(dir.path(), &instance::built_in(""));
    let sent = [ACCOUNT.to_owned(), follow(1), follow(2)];
    instance.door.post_lines("/v1/relationships", &sent);
    for author in 1..=3 {
        note(&instance, author, 1);
    }
    instance.settle();
    let (before, first) = in_force(&instance, PATH);
    assert_eq!(before, sent);

    let without_boosts = follow(2).replace("\"boosts\":true", "\"boosts\":false");
    let wanted = [ACCOUNT.to_owned(), without_boosts, follow(3)];
    let response = put(&instance, PATH, &wanted, Some(&first));
    assert_eq!(response.status(), 200);
    let etag = response.headers()["etag"].to_str().unwrap().to_owned();
    let answer: Value = response.json().unwrap();
    assert_eq!(answer, json!({"added": 1, "changed": 1, "removed": 1}));
    // At once: the home shows whom the account follows now.
    assert_eq!(
        instance.door.uris("7"),
        ["https://b.example/3/1", "https://b.example/2/1"]
    );
    assert_eq!(in_force(&instance, PATH), (wanted.to_vec(), etag.clone()));

    // The validator of before is of no use any more, and nothing is changed.
    let stale = put(&instance, PATH, &sent, Some(&first));
    assert_eq!(stale.status(), 412);
    assert!(stale.text().unwrap().contains("read them again"));
    assert_eq!(put(&instance, PATH, &wanted, Some("*")).status(), 200);
    let weak = put(&instance, PATH, &sent, Some(&format!("W/{etag}")));
    assert_eq!(weak.status(), 412);
    assert_eq!(in_force(&instance, PATH), (wanted.to_vec(), etag.clone()));

    // What is the same already appends nothing.
    let records = |instance: &Instance| {
        instance
            .door
            .metric("slackwater_records_total{topic=\"relationships\"}")
    };
    let read = records(&instance);
    let again = put(&instance, PATH, &wanted, Some(&etag));
    let again: Value = again.json().unwrap();
    assert_eq!(again, json!({"added": 0, "changed": 0, "removed": 0}));
    assert_eq!(records(&instance), read);

    instance.kill9();
    instance.restart();
    instance.wait_until_ready();
    assert_eq!(in_force(&instance, PATH), (wanted.to_vec(), etag));
    // Some types only, and then all of nothing.
    let follows = put(&instance, &format!("{PATH}?type=follow"), &[], None);
    let follows: Value = follows.json().unwrap();
    assert_eq!(follows["removed"], 2);
    assert_eq!(in_force(&instance, PATH).0, [ACCOUNT]);
    assert_eq!(put(&instance, PATH, &[], None).status(), 200);
    assert_eq!(in_force(&instance, PATH).0, Vec::<String>::new());
    assert_eq!(instance.door.get("/v1/accounts/7/feeds/home").status, 404);
}

/// A failure means that a mistake in one line removes what the line was to say.
#[test]
fn a_set_with_a_mistake_changes_nothing() {
    let dir = TempDir::new().unwrap();
    let instance = Instance::start(dir.path(), &instance::built_in(""));
    let sent = [ACCOUNT.to_owned(), follow(1)];
    instance.door.post_lines("/v1/relationships", &sent);
    let before = in_force(&instance, PATH);
    let refused = |path: &str, lines: &[String], status: u16, reason: &str| {
        let response = put(&instance, path, lines, None);
        assert_eq!(response.status(), status);
        let detail = response.json::<Value>().unwrap()["detail"].to_string();
        assert!(detail.contains(reason), "{detail}");
        assert_eq!(in_force(&instance, PATH), before, "{reason}");
    };
    let bad = follow(1).replace("boosts", "bosts");
    refused(
        PATH,
        &[ACCOUNT.to_owned(), bad.clone()],
        422,
        "line 2: \\\"bosts\\\"",
    );
    refused(PATH, &vec![bad; 7], 422, "and 2 more lines");
    let another = follow(1).replace("\"7\"", "\"8\"");
    refused(PATH, &[another], 422, "account is \\\"8\\\"");
    refused(PATH, &[follow(1)], 422, "no document of type account");
    let unknown = format!("{PATH}?type=follows");
    refused(&unknown, &[follow(1)], 400, "did you mean follow?");
    refused("/v1/accounts/a%20b/relationships", &[], 400, "account is");
    let json = instance.door.request(Method::PUT, PATH);
    let json = json.header("Content-Type", "application/json").body("[]");
    assert_eq!(json.send().unwrap().status(), 415);
    assert_eq!(in_force(&instance, PATH), before);
}

#[test]
fn the_instance_has_its_moderation_as_a_set_too() {
    let dir = TempDir::new().unwrap();
    let instance = Instance::start(dir.path(), &instance::built_in(""));
    instance.wait_until_ready();
    let path = "/v1/accounts/_instance/relationships";
    let moderation = |target: &str, action: &str| {
        format!(
            r#"{{"type":"moderation","account":"_instance","target":"{target}","action":"{action}"}}"#
        )
    };
    let wanted = [
        moderation("b.example", "suspend"),
        moderation("c.example", "limit"),
    ];
    assert_eq!(put(&instance, path, &wanted, None).status(), 200);
    assert_eq!(in_force(&instance, path).0, wanted);
    assert_eq!(put(&instance, path, &wanted[1..], None).status(), 200);
    assert_eq!(in_force(&instance, path).0, wanted[1..]);
}

/// A failure means that a follow that was acknowledged is lost, or one that was removed is back, because two requests met.
#[test]
fn sets_and_single_relations_that_meet_have_an_order() {
    let dir = TempDir::new().unwrap();
    let instance = Instance::start(dir.path(), &instance::built_in(""));
    instance
        .door
        .post_lines("/v1/relationships", &[ACCOUNT.to_owned()]);
    let without_boosts = |author| follow(author).replace("\"boosts\":true", "\"boosts\":false");
    for round in 0..30 {
        // One request follows somebody and changes a follow; the other is a set without the one and with the other as it was.
        let (somebody, other) = (2 * round, 2 * round + 1);
        let before = [ACCOUNT.to_owned(), without_boosts(other)];
        assert_eq!(put(&instance, PATH, &before, None).status(), 200);
        let single = [follow(somebody), follow(other).replace("[]", "[\"en\"]")];
        let set = [ACCOUNT.to_owned(), follow(other)];
        thread::scope(|scope| {
            scope.spawn(|| instance.door.post_lines("/v1/relationships", &single));
            assert_eq!(put(&instance, PATH, &set, None).status(), 200);
        });
        let after: BTreeSet<String> = in_force(&instance, PATH).0.into_iter().collect();
        let set_last = BTreeSet::from(set);
        let [one, another] = single;
        let single_last = BTreeSet::from([ACCOUNT.to_owned(), one, another]);
        assert!(after == set_last || after == single_last, "{after:?}");
    }
}

#[test]
fn an_actor_is_shown_by_its_document() {
    let dir = TempDir::new().unwrap();
    let instance = Instance::start(dir.path(), &instance::built_in(""));
    let ana = "https://b.example/users/ana";
    let path = format!("/v1/actors?uri={ana}");
    assert_eq!(instance.door.get(&path).status, 404);
    assert_eq!(instance.door.get("/v1/actors").status, 400);
    let document = json!({
        "type": "Person", "id": ana, "inbox": format!("{ana}/inbox"), "preferredUsername": "ana", "name": "Ana",
        "summary": "<p>Low tide</p>", "url": "https://b.example/@ana", "followers": format!("{ana}/followers"),
        "icon": {"type": "Image", "url": "https://b.example/ana.png"}, "manuallyApprovesFollowers": true,
        "publicKey": {"id": format!("{ana}#key"), "owner": ana, "publicKeyPem": "…"},
        "attachment": [{"type": "PropertyValue", "name": "Boat", "value": "Two"}],
        "tag": [{"type": "Emoji", "name": ":wave:", "icon": {"type": "Image", "url": "https://b.example/w.png"}}]
    });
    let fetched = json!({"activity": document, "fetched": true});
    instance
        .door
        .post_lines("/v1/activities", &[fetched.to_string()]);
    instance.settle();
    let mut actor = instance.door.get(&path).json();
    assert!(actor["arrived"].take().is_string());
    let mut kept = document;
    for left_out in ["inbox", "publicKey"] {
        kept.as_object_mut().unwrap().remove(left_out);
    }
    let expected = json!({
        "uri": ana, "handle": "ana@b.example", "name": "Ana", "avatar": "https://b.example/ana.png",
        "url": "https://b.example/@ana", "arrived": null, "document": kept
    });
    assert_eq!(actor, expected);
}
