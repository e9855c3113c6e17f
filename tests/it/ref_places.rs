//! `[ordering] place = "ref"`: posts stand where the backend's own ids say.

use crate::support::instance::{Answer, Instance, OFTEN, built_in};
use crate::support::wait_for;
use serde_json::{Value, json};
use slackwater::clock;
use slackwater_order::time::Time;
use std::time::Duration;
use tempfile::TempDir;

const ANA: &str = "https://a.example/users/ana";
const PUBLIC: &str = "https://www.w3.org/ns/activitystreams#Public";
const BY_REF: &str = "[ordering]\nplace = \"ref\"\n";
const HOME: &str = "/v1/accounts/7/feeds/home?limit=80";

fn uri(n: u64) -> String {
    format!("{ANA}/posts/{n}")
}

/// The ref of the `n`th post, which stands at this moment.
fn id(at: Time, n: u64) -> String {
    (at.millis().unsigned_abs() << 16 | n).to_string()
}

/// Ana's post of this number, written then, as a line with this ref.
fn line(n: u64, written: Time, post_ref: Option<&str>) -> String {
    let object = json!({"type": "Note", "id": uri(n), "attributedTo": ANA, "content": "tide", "published": written.rfc3339(), "to": [PUBLIC]});
    let activity = json!({"type": "Create", "actor": ANA, "object": object});
    json!({"activity": activity, "ref": post_ref}).to_string()
}

/// A service whose account 7 follows Ana.
fn started(dir: &TempDir, more: &str) -> Instance {
    let instance = Instance::start(dir.path(), &built_in(&format!("{OFTEN}{more}")));
    let relations = [
        json!({"type": "account", "account": "7", "actor": "https://me.example/users/me"}),
        json!({"type": "follow", "account": "7", "target": ANA}),
    ];
    instance
        .door
        .post_lines("/v1/relationships", &relations.map(|it| it.to_string()));
    instance
}

fn post(instance: &Instance, lines: &[String]) -> Answer {
    let door = &instance.door;
    door.post("/v1/activities", "application/x-ndjson", lines.join("\n"))
}

/// The entries of home, newest first, once there are so many.
fn home(instance: &Instance, count: usize) -> Vec<Value> {
    wait_for(&format!("{count} entries"), || {
        let answer = instance.door.get(HOME);
        let page = (answer.status == 200).then(|| answer.json())?;
        let entries = page["entries"].as_array()?.clone();
        (entries.len() == count).then_some(entries)
    })
}

fn ids(entries: &[Value]) -> Vec<&str> {
    entries.iter().filter_map(|it| it["id"].as_str()).collect()
}

/// A failure means that a post has another id here than at its backend: its clients would see it in two places.
#[test]
fn posts_stand_where_their_refs_say_also_after_a_kill_and_a_rebuild() {
    let dir = TempDir::new().unwrap();
    let mut instance = started(&dir, BY_REF);
    let now = clock::now();
    let at = |seconds: u64| now.minus(Duration::from_secs(seconds));
    // Two of one moment, one that is late, one whose ref says another time than it does, one from before refs said times.
    let refs = [id(at(20), 2), id(at(20), 1), id(at(600), 0), id(at(5), 0)];
    let sent = [
        line(0, at(20), Some(&refs[0])),
        line(1, at(20), Some(&refs[1])),
        line(2, at(600), Some(&refs[2])),
        line(3, at(900), Some(&refs[3])),
        line(4, at(300_000_000), Some("4711")),
    ];
    assert_eq!(post(&instance, &sent).json()["accepted"], 5);
    let expected = [&*refs[3], &refs[0], &refs[1], &refs[2]];
    let entries = home(&instance, 4);
    assert_eq!(ids(&entries), expected);
    for entry in &entries {
        assert_eq!(
            (&entry["ref"], &entry["placed_by"]),
            (&entry["id"], &json!("ref"))
        );
    }
    let verdicts: Vec<&Value> = entries.iter().map(|it| &it["verdict"]).collect();
    assert_eq!(verdicts, ["late", "in_time", "in_time", "late"]);
    let old = instance.door.get("/v1/posts/4711?explain_for=7").json();
    let feeds = &old["explained"]["feeds"];
    assert!(
        feeds[0]["why"]
            .as_str()
            .unwrap()
            .contains("too small to say a time"),
        "{old}"
    );
    let page = instance
        .door
        .get(&format!("{HOME}&before_ref={}", refs[0]))
        .json();
    assert_eq!(ids(page["entries"].as_array().unwrap()), expected[2..]);

    instance.kill9();
    instance.restart();
    instance.wait_until_ready();
    assert_eq!(home(&instance, 4), entries);
    instance.terminate();
    instance.more = vec!["--rebuild".to_owned()];
    instance.restart();
    instance.wait_until_ready();
    assert_eq!(home(&instance, 4), entries);

    let gone = json!({"type": "Delete", "actor": ANA, "object": format!("{ANA}/elsewhere")});
    let delete = json!({"activity": gone, "ref": refs[0]}).to_string();
    assert_eq!(post(&instance, &[delete]).json()["accepted"], 1);
    assert_eq!(
        ids(&home(&instance, 3)),
        [expected[0], expected[2], expected[3]]
    );
    assert_eq!(
        instance
            .door
            .get(&format!("/v1/posts?ref={}", refs[0]))
            .status,
        410
    );
}

/// A failure means that a backend that forgets to send its ids learns of it from empty feeds.
#[test]
fn what_has_no_place_is_refused_at_the_door_or_kept_as_a_dead_letter() {
    let dir = TempDir::new().unwrap();
    let instance = started(&dir, BY_REF);
    let now = clock::now();
    let ahead = id(now.plus(Duration::from_secs(3_600)), 0);
    let taken = id(now, 1);
    let lines = [
        line(0, now, Some(&taken)),
        line(1, now, None),
        line(2, now, Some("seven")),
        line(3, now, Some(&ahead)),
        json!({"type": "Like", "actor": ANA}).to_string(),
        json!({"type": "Delete", "actor": ANA, "object": uri(9)}).to_string(),
        // Only what is known already shows that it has none.
        line(4, now, Some(&taken)),
    ];
    let answer = post(&instance, &lines).json();
    assert_eq!(answer["accepted"], 4, "{answer}");
    let rejected = answer["rejected"].as_array().unwrap();
    for ((rejected, line), words) in rejected.iter().zip([2, 3, 4]).zip([
        "send your own id of it",
        "send a decimal number",
        "than clocks may differ",
    ]) {
        assert_eq!(rejected["line"], line);
        let reason = rejected["reason"].as_str().unwrap();
        assert!(
            reason.contains(words) && reason.contains("ordering.place"),
            "{reason}"
        );
    }
    let object = json!({"type": "Note", "id": uri(5), "attributedTo": ANA, "published": now.rfc3339(), "to": [PUBLIC]});
    let create = json!({"type": "Create", "actor": ANA, "object": object}).to_string();
    let one = instance
        .door
        .post("/v1/activities", "application/json", create);
    assert_eq!(one.status, 422, "{}", one.text);
    wait_for("the dead letter", || {
        let letters = instance.door.metric("slackwater_dead_letters_total");
        (letters == 1.0).then_some(())
    });
    assert_eq!(ids(&home(&instance, 1)), [taken]);
}

/// A failure means that one folder has posts of both kinds, of which two may have one place.
#[test]
fn another_choice_of_places_needs_a_rebuild_and_ends_cursors() {
    let dir = TempDir::new().unwrap();
    let mut instance = started(&dir, "");
    let written = clock::now().minus(Duration::from_secs(5));
    let post_ref = id(written, 7);
    assert_eq!(
        post(&instance, &[line(0, written, Some(&post_ref))]).json()["accepted"],
        1
    );
    let before = home(&instance, 1);
    assert_ne!(ids(&before), [&*post_ref]);
    let cursor = instance.door.get(HOME).json()["cursor"]
        .as_str()
        .unwrap()
        .to_owned();
    let changes = format!("/v1/accounts/7/feeds/home/changes?cursor={cursor}");

    // No reload makes it.
    let file = dir.path().join("slackwater.toml");
    let config = |more: &str| built_in(&format!("{OFTEN}{more}"));
    std::fs::write(&file, config(BY_REF)).unwrap();
    wait_for("the reload", || {
        let said = instance.said();
        said.contains("ordering.place changed").then_some(())
    });
    let other = line(1, written, None);
    assert_eq!(post(&instance, &[other]).json()["accepted"], 1);
    home(&instance, 2);
    assert_eq!(instance.door.get(&changes).status, 200);
    instance.terminate();

    // Nor does a start.
    instance.launch();
    assert_eq!(instance.ended().code(), Some(1));
    let said = instance.said();
    assert!(said.contains("serve --rebuild"), "{said}");
    assert!(said.contains("published"), "{said}");

    instance.more = vec!["--rebuild".to_owned()];
    instance.restart();
    instance.wait_until_ready();
    assert_eq!(
        ids(&home(&instance, 1)),
        [&*post_ref],
        "the other has no ref"
    );
    assert_eq!(instance.door.get(&changes).status, 410);
    instance.terminate();

    instance.more = Vec::new();
    instance.restart();
    instance.wait_until_ready();
    assert_eq!(ids(&home(&instance, 1)), [&*post_ref]);
    instance.terminate();
    std::fs::write(&file, config("")).unwrap();
    instance.launch();
    assert_eq!(instance.ended().code(), Some(1));
    std::fs::remove_dir_all(dir.path().join("feeds.aside")).unwrap();
    instance.more = vec!["--rebuild".to_owned()];
    instance.restart();
    instance.wait_until_ready();
    let after = home(&instance, 2);
    assert!(ids(&after).contains(&ids(&before)[0]), "its id of before");
}
