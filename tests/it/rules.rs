//! Who gets what, over HTTP on the real binary: lists, hashtags, public feeds, blocks from the other side, moderation; each
//! in force in the very next request, and explained.

use crate::support::instance::{self, Door, Instance, OFTEN};
use crate::support::wait_for;
use serde_json::{Value, json};
use tempfile::TempDir;

const ME: &str = "https://here.example/users/me";
const ANA: &str = "https://a.example/users/ana";
const BOB: &str = "https://b.example/users/bob";
const CY: &str = "https://c.example/users/cy";
const PUBLIC: &str = "https://www.w3.org/ns/activitystreams#Public";

/// A public note, with whatever `more` says instead or besides.
fn note(by: &str, n: usize, more: &Value) -> (String, String) {
    let uri = format!("{by}/notes/{n}");
    let mut object = json!({
        "id": uri, "type": "Note", "attributedTo": by, "content": format!("note {n}"),
        "published": format!("2026-11-22T10:00:{n:02}Z"), "to": [PUBLIC], "cc": [format!("{by}/followers")],
    });
    for (name, value) in more.as_object().unwrap() {
        object[name] = value.clone();
    }
    let create =
        json!({"id": format!("{uri}#create"), "type": "Create", "actor": by, "object": object});
    (uri, create.to_string())
}

fn relate(door: &Door, document: &Value) {
    let answer = door.post(
        "/v1/relationships",
        "application/json",
        document.to_string(),
    );
    assert_eq!(answer.status, 202, "{}", answer.text);
}

fn get(door: &Door, path: &str) -> Value {
    let answer = door.get(path);
    assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    serde_json::from_str(&answer.text).unwrap()
}

/// The notes on a page, oldest first, by author and number.
fn notes(door: &Door, path: &str) -> Vec<String> {
    let page = get(door, path);
    let entries = page["entries"].as_array().unwrap();
    let name = |entry: &Value| {
        let uri = entry["uri"].as_str().unwrap();
        let (author, number) = uri.split_once("/notes/").unwrap();
        format!("{} {number}", author.rsplit('/').next().unwrap())
    };
    entries.iter().rev().map(name).collect()
}

#[test]
fn lists_hashtags_and_public_feeds_hold_what_they_should_at_once() {
    let dir = TempDir::new().unwrap();
    let instance = Instance::start(dir.path(), &instance::built_in(OFTEN));
    let door = &instance.door;
    for document in [
        json!({"type": "account", "account": "7", "actor": ME}),
        json!({"type": "follow", "account": "7", "target": ANA}),
        json!({"type": "follow", "account": "7", "target": BOB}),
        json!({"type": "list", "account": "7", "target": "42", "title": "Friends"}),
        json!({"type": "list_member", "account": "7", "list": "42", "target": ANA}),
    ] {
        relate(door, &document);
    }
    let tagged = json!({"tag": [{"type": "Hashtag", "name": "#Tide"}]});
    let (start, first) = note(CY, 1, &tagged);
    let (answer, second) = note(ANA, 2, &json!({"inReplyTo": start}));
    let lines = [
        first,
        second,
        note(BOB, 3, &json!({"inReplyTo": format!("{ANA}/notes/2")})).1,
        note(ANA, 4, &json!({})).1,
        note(
            ANA,
            5,
            &json!({"to": [format!("{ANA}/followers")], "cc": []}),
        )
        .1,
        note(ME, 6, &tagged).1,
    ];
    door.post_lines("/v1/activities", &lines);
    let home = "/v1/accounts/7/feeds/home";
    let list = "/v1/accounts/7/feeds/list:42";
    wait_for("the last note", || {
        notes(door, home).contains(&"me 6".to_owned()).then_some(())
    });
    assert_eq!(notes(door, home), ["bob 3", "ana 4", "ana 5", "me 6"]);
    assert_eq!(notes(door, list), ["ana 4", "ana 5"]);
    assert_eq!(notes(door, "/v1/feeds/tag/tide"), ["cy 1", "me 6"]);
    assert_eq!(notes(door, "/v1/feeds/public"), ["cy 1", "ana 4", "me 6"]);
    assert_eq!(notes(door, "/v1/feeds/public?origin=local"), ["me 6"]);
    assert_eq!(
        notes(door, "/v1/feeds/public?origin=remote"),
        ["cy 1", "ana 4"]
    );
    let explained = |uri: &str| {
        let post = get(door, &format!("/v1/posts?uri={uri}&explain_for=7"));
        let home = &post["explained"]["feeds"][0];
        (home["shows"].as_bool().unwrap(), home["why"].to_string())
    };
    assert_eq!(
        explained(&answer),
        (
            false,
            "\"not in home: a reply to someone you do not follow\"".to_owned()
        )
    );

    // Every change of mind is in force in the next request.
    let cursor = get(door, home)["cursor"].as_str().unwrap().to_owned();
    let public_cursor = get(door, "/v1/feeds/public")["cursor"]
        .as_str()
        .unwrap()
        .to_owned();
    relate(
        door,
        &json!({"type": "tag", "account": "7", "target": "tide"}),
    );
    assert_eq!(notes(door, home)[0], "cy 1");
    relate(
        door,
        &json!({"type": "follow", "account": "7", "target": CY}),
    );
    assert_eq!(notes(door, home)[..2], ["cy 1", "ana 2"]);
    assert_eq!(
        explained(&answer),
        (true, "\"in home: its author is followed\"".to_owned())
    );
    relate(
        door,
        &json!({"type": "blocked_by", "account": "7", "target": BOB}),
    );
    assert!(!notes(door, home).contains(&"bob 3".to_owned()));
    let exclusive = json!({"type": "list", "account": "7", "target": "42", "exclusive": true});
    relate(door, &exclusive);
    assert_eq!(notes(door, home), ["cy 1", "me 6"]);
    assert_eq!(notes(door, list), ["ana 4", "ana 5"]);
    relate(
        door,
        &json!({"type": "list_member", "account": "7", "list": "42", "target": CY}),
    );
    assert_eq!(notes(door, list), ["cy 1", "ana 2", "ana 4", "ana 5"]);
    let told = get(door, &format!("{home}/changes?cursor={cursor}&limit=80"));
    let removed = told["changes"].as_array().unwrap().iter();
    let removed = removed.filter(|change| change["kind"] == "remove").count();
    // One that came and went in between may be among them.
    assert!((3..=4).contains(&removed), "bob 3, ana 4 and ana 5: {told}");

    // The instance steps in.
    let moderate = |action: &str, removed: bool| {
        let document = json!({
            "type": "moderation", "account": "_instance", "target": "c.example", "action": action, "removed": removed
        });
        relate(door, &document);
    };
    moderate("limit", false);
    assert_eq!(notes(door, "/v1/feeds/tag/tide"), ["me 6"]);
    assert_eq!(notes(door, "/v1/feeds/public"), ["ana 4", "me 6"]);
    assert!(notes(door, list).contains(&"cy 1".to_owned()));
    moderate("suspend", false);
    assert_eq!(notes(door, list), ["ana 2", "ana 4", "ana 5"]);
    wait_for("what the public feed lost", || {
        let told = get(
            door,
            &format!("/v1/feeds/public/changes?cursor={public_cursor}"),
        );
        let mut changes = told["changes"].as_array().unwrap().iter();
        changes
            .any(|change| change["kind"] == "remove")
            .then_some(())
    });
    moderate("suspend", true);
    wait_for("what the suspension hid", || {
        let lists = notes(door, list) == ["cy 1", "ana 2", "ana 4", "ana 5"];
        (lists && notes(door, "/v1/feeds/tag/tide") == ["cy 1", "me 6"]).then_some(())
    });
    assert_eq!(door.get("/v1/accounts/7/feeds/list:43").status, 404);
}

/// Were this to fail, followers-only posts of Friendica, Hubzilla, GNU social, WordPress and streams would reach nobody, or
/// somebody's document would open somebody else's posts.
#[test]
fn a_followers_only_post_is_one_addressed_to_what_its_authors_document_names() {
    const MO: &str = "https://fr.example/profile/mo";
    const VIC: &str = "https://hub.example/channel/vic";
    const MALLORY: &str = "https://hub.example/channel/mallory";
    let dir = TempDir::new().unwrap();
    let mut instance = Instance::start(dir.path(), &instance::built_in(OFTEN));
    let door = &instance.door;
    relate(
        door,
        &json!({"type": "account", "account": "7", "actor": ME}),
    );
    for author in [MO, VIC, MALLORY] {
        relate(
            door,
            &json!({"type": "follow", "account": "7", "target": author}),
        );
    }
    // As Friendica has it: the collection of `/profile/mo` is `/followers/mo`.
    let collection = |author: &str| {
        author
            .replace("profile", "followers")
            .replace("channel", "followers")
    };
    let document = |author: &str, followers: &str| {
        let inbox = format!("{author}/inbox");
        json!({"type": "Person", "id": author, "preferredUsername": "it", "followers": followers, "inbox": inbox})
    };
    let fetched = |author: &str, followers: &str| {
        json!({"activity": document(author, followers), "fetched": true}).to_string()
    };
    let sent = |author: &str, followers: &str| {
        json!({"type": "Update", "id": format!("{author}#update"), "actor": author, "object": document(author, followers)})
            .to_string()
    };
    let private = |by: &str, n: usize, to: &str| note(by, n, &json!({"to": [to], "cc": []})).1;
    let home = "/v1/accounts/7/feeds/home";
    let tell = |lines: &[String]| {
        door.post_lines("/v1/activities", lines);
        instance.settle();
    };
    let visibility = |by: &str, n: usize| {
        let path = format!("/v1/posts?uri={by}/notes/{n}&explain_for=7");
        let post = get(door, &path);
        let shows = post["explained"]["feeds"][0]["shows"].as_bool().unwrap();
        (post["visibility"].as_str().unwrap().to_owned(), shows)
    };
    let told = |cursor: &mut String| -> Vec<(String, String)> {
        let answer = get(door, &format!("{home}/changes?cursor={cursor}&limit=80"));
        *cursor = answer["cursor"].as_str().unwrap().to_owned();
        let changes = answer["changes"].as_array().unwrap().iter();
        let row = |change: &Value| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            (text(&change["kind"]), text(&change["entry"]["visibility"]))
        };
        changes.map(row).collect()
    };
    let row = |kind: &str, visibility: &str| (kind.to_owned(), visibility.to_owned());

    // The document first.
    tell(&[
        fetched(MO, &collection(MO)),
        private(MO, 1, &collection(MO)),
    ]);
    assert_eq!(notes(door, home), ["mo 1"]);
    assert_eq!(visibility(MO, 1), ("private".to_owned(), true));

    // The posts first: to what Vic will name, and to what is taken for his followers until he does.
    tell(&[
        private(VIC, 2, &collection(VIC)),
        private(VIC, 3, &format!("{VIC}/followers")),
    ]);
    assert_eq!(notes(door, home), ["mo 1", "vic 3"]);
    assert_eq!(visibility(VIC, 2), ("limited".to_owned(), false));
    let mut cursor = get(door, home)["cursor"].as_str().unwrap().to_owned();

    // Mallory, on the same host, says that Vic's are hers: that says something of her posts alone.
    tell(&[
        sent(MALLORY, &collection(VIC)),
        private(MALLORY, 4, &collection(VIC)),
    ]);
    assert_eq!(notes(door, home), ["mo 1", "vic 3", "mallory 4"]);
    assert_eq!(visibility(VIC, 2), ("limited".to_owned(), false));
    assert_eq!(told(&mut cursor), [row("post", "private")]);

    // Vic says it himself.
    tell(&[sent(VIC, &collection(VIC))]);
    assert_eq!(notes(door, home), ["mo 1", "vic 2", "mallory 4"]);
    assert_eq!(visibility(VIC, 2), ("private".to_owned(), true));
    assert_eq!(visibility(VIC, 3), ("limited".to_owned(), false));
    let mut changes = told(&mut cursor);
    // The one may have been known to who watches, as a post that was not to be seen.
    changes[0].0 = changes[0].0.replace("edit", "post");
    assert_eq!(changes, [row("post", "private"), row("remove", "")]);
    assert_eq!(told(&mut cursor), []);

    // Killed and started again, and built anew from the log, it is what it was.
    let shown = notes(door, home);
    instance.restart();
    instance.wait_until_ready();
    assert_eq!(notes(&instance.door, home), shown);
    instance.kill9();
    std::fs::remove_dir_all(dir.path().join("feeds")).unwrap();
    instance.restart();
    instance.wait_until_ready();
    assert_eq!(notes(&instance.door, home), shown);
}
