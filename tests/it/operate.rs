//! Started, stopped, told something, asked at once: what an operator and a backend rely on.

use crate::support::instance::{self, Door, Instance, OFTEN};
use crate::support::wait_for;
use serde_json::{Value, json};
use slackwater::clock;
use slackwater_order::time::Time;
use std::net::TcpListener;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tempfile::TempDir;

const PUBLIC: &str = "https://www.w3.org/ns/activitystreams#Public";
const ME: &str = "https://me.example/users/me";
const ANA: &str = "https://a.example/users/ana";
const BOB: &str = "https://b.example/users/bob";
const NOON: i64 = 1_795_348_800_000;

/// A failure means that every feed is written again and again though nothing would be lost, or that a start after a crash
/// takes longer than it may.
#[test]
fn a_checkpoint_is_written_when_reading_again_would_take_too_long_and_not_by_the_clock() {
    for (replay_max, is_written) in [("1h", false), ("1ms", true)] {
        let dir = TempDir::new().unwrap();
        let often = format!("checkpoint_every = \"100ms\"\nreplay_max = \"{replay_max}\"\n");
        let instance = Instance::start(dir.path(), &instance::built_in(&often));
        let door = &instance.door;
        let mut seen = 0.0;
        // What is counted every 100 ms has been counted twice since the post came.
        for account in ["7", "8"] {
            befriend(door, account, &format!("{ME}{account}"), &[ANA]);
            let post = Post::by(ANA, seen as i64, NOON);
            door.post_lines("/v1/activities", &[post.create().to_string()]);
            seen += 1.0;
            wait_for("the accounts to be counted", || {
                (door.metric("slackwater_accounts") == seen).then_some(())
            });
        }
        let written = || door.metric("slackwater_checkpoint_seconds_count") != 0.0;
        if is_written {
            wait_for("a checkpoint", || written().then_some(()));
        } else {
            assert!(!written());
        }
    }
}

/// A failure means that an upgrade loses posts, or waits for the init system's patience to end.
#[test]
fn told_to_stop_while_records_flow_it_ends_well_within_five_seconds_and_has_everything_afterwards()
{
    let dir = TempDir::new().unwrap();
    let mut instance = Instance::start(dir.path(), &instance::built_in(OFTEN));
    befriend(&instance.door, "7", ME, &[ANA]);
    let stopping = AtomicBool::new(false);
    let door = instance.door.clone();
    let mut sent: Vec<String> = std::thread::scope(|scope| {
        let flowing = scope.spawn(|| {
            let mut sent = Vec::new();
            for n in 0..700 {
                let post = Post::by(ANA, n, NOON + n);
                match door.try_post(
                    "/v1/activities",
                    "application/x-ndjson",
                    post.create().to_string().into(),
                ) {
                    Ok(answer) if answer.status == 202 => sent.push(post.uri),
                    refused => {
                        assert!(
                            stopping.load(Ordering::Acquire),
                            "refused before the stop: {refused:?}"
                        );
                        break;
                    }
                }
            }
            sent
        });
        instance.wait_until_read("activities", 50);
        stopping.store(true, Ordering::Release);
        let (status, taken) = instance.terminate();
        assert_eq!(status.code(), Some(0), "{}", instance.said());
        assert!(taken < Duration::from_secs(5), "{taken:?}");
        flowing.join().unwrap()
    });
    assert!(sent.len() < 700, "nothing flowed any more");
    instance.restart();
    instance.wait_until_ready();
    let mut home = instance.door.uris("7");
    // A post whose answer the stop cut off may be there too.
    home.retain(|uri| sent.contains(uri));
    sent.reverse();
    assert_eq!(home, sent);
}

#[test]
fn check_tells_all_mistakes_at_once_and_fails() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("s.toml");
    std::fs::write(&file, "[feed]\nlenght = 800\ncheckpoint_every = 30\n[log]\nkind = \"kafak\"\n[http]\nlisten = \"nowhere\"\n").unwrap();
    let run = |args: &[&str]| {
        Command::new(instance::binary())
            .args(args)
            .current_dir(dir.path())
            .output()
            .unwrap()
    };
    let said = |output: &Output| String::from_utf8(output.stderr.clone()).unwrap();
    let path = file.to_str().unwrap();
    let checked = run(&["check", path]);
    assert_eq!(checked.status.code(), Some(1));
    for told in [
        "lenght",
        "length",
        "checkpoint_every",
        "\"30s\"",
        "kafak",
        "\"kafka\"",
        "listen",
        "nowhere",
        "s.toml",
    ] {
        assert!(said(&checked).contains(told), "{told}: {}", said(&checked));
    }
    // serve says the same and does not start.
    let served = run(&["serve", "--config", path]);
    assert_eq!(
        (served.status.code(), said(&served)),
        (Some(1), said(&checked))
    );
    let missing = run(&["check", "nowhere.toml"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(
        said(&missing).contains("nowhere.toml"),
        "{}",
        said(&missing)
    );
    std::fs::write(&file, "[feed]\nlength = 800\n").unwrap();
    assert_eq!(run(&["check", path]).status.code(), Some(0));
}

#[test]
fn on_a_port_that_is_taken_it_says_so_and_fails() {
    let dir = TempDir::new().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let config = instance::built_in("").replace("127.0.0.1:0", &address);
    std::fs::write(dir.path().join("s.toml"), config).unwrap();
    let serve = Command::new(instance::binary())
        .args(["serve", "--config", "s.toml"])
        .current_dir(dir.path())
        .output()
        .unwrap();
    let said = String::from_utf8(serve.stderr).unwrap();
    assert_eq!(serve.status.code(), Some(1), "{said}");
    assert!(
        said.contains(&format!("listening on {address}")) && said.contains("in use"),
        "{said}"
    );
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn a_second_service_on_the_same_folder_says_so_and_fails() {
    let dir = TempDir::new().unwrap();
    let instance = Instance::start(dir.path(), &instance::built_in(""));
    let serve = Command::new(instance::binary())
        .args(["serve", "--config", "slackwater.toml"])
        .current_dir(dir.path())
        .output()
        .unwrap();
    let said = String::from_utf8(serve.stderr).unwrap();
    assert_eq!(serve.status.code(), Some(1), "{said}");
    assert!(said.contains("another slackwater"), "{said}");
    assert_eq!(instance.door.get("/healthz").status, 200);
}

#[test]
fn when_a_mute_ends_its_removal_is_written_and_the_posts_come_back() {
    let dir = TempDir::new().unwrap();
    let mut instance = Instance::start(dir.path(), &instance::built_in(OFTEN));
    let door = instance.door.clone();
    befriend(&door, "7", ME, &[ANA, BOB]);
    let (muted, heard) = (Post::by(ANA, 1, NOON), Post::by(BOB, 2, NOON + 1));
    door.post_lines(
        "/v1/activities",
        &[muted.create().to_string(), heard.create().to_string()],
    );
    wait_for("both", || (door.uris("7").len() == 2).then_some(()));
    let until = clock::now().plus(Duration::from_secs(2)).rfc3339();
    relate(
        &door,
        &json!({"type": "mute", "account": "7", "target": ANA, "until": until}),
    );
    assert_eq!(door.uris("7"), [&*heard.uri]);
    let said = 3 + 1;
    wait_for("the posts", || (door.uris("7").len() == 2).then_some(()));
    let ended = clock::now().rfc3339();
    assert!(until <= ended, "back at {ended}, muted until {until}");
    // It was a record that ended it, and one only.
    let relations = || {
        instance
            .door
            .metric("slackwater_records_read_total{topic=\"relationships\"}") as usize
    };
    assert_eq!(relations(), said + 1);
    // Muted for ever, then for a while that is over already, then the service is away when it ends.
    relate(
        &door,
        &json!({"type": "mute", "account": "7", "target": BOB}),
    );
    assert_eq!(door.uris("7"), [&*muted.uri]);
    relate(
        &door,
        &json!({"type": "mute", "account": "7", "target": BOB, "until": "2020-01-01T00:00:00Z"}),
    );
    wait_for("the end of a mute that is over", || {
        (door.uris("7").len() == 2).then_some(())
    });
    let until = clock::now().plus(Duration::from_millis(1500));
    relate(
        &door,
        &json!({"type": "mute", "account": "7", "target": BOB, "until": until.rfc3339()}),
    );
    instance.kill9();
    wait_for("the time the mute ends", || {
        (until <= clock::now()).then_some(())
    });
    instance.restart();
    instance.wait_until_ready();
    wait_for("the posts", || {
        (instance.door.uris("7").len() == 2).then_some(())
    });
}

/// A failure means that someone who was blocked is seen again, though the backend was told that it is done.
#[test]
fn what_was_answered_202_is_in_force_in_the_very_next_request() {
    let dir = TempDir::new().unwrap();
    let instance = Instance::start(dir.path(), &instance::built_in(OFTEN));
    let door = &instance.door;
    befriend(door, "7", ME, &[ANA, BOB]);
    let hers: Vec<Post> = (0..30).map(|n| Post::by(ANA, n, NOON + n)).collect();
    let mut his: Vec<Post> = (100..130).map(|n| Post::by(BOB, n, NOON + n)).collect();
    let boost = boost_by(BOB, 500, &hers[3].uri, NOON + 500);
    let lines = hers
        .iter()
        .chain(&his)
        .map(|post| post.create().to_string());
    door.post_lines(
        "/v1/activities",
        &lines.chain([boost.to_string()]).collect::<Vec<_>>(),
    );
    wait_for("all posts", || (door.uris("7").len() == 61).then_some(()));
    his.reverse();
    let only_his: Vec<String> = his.iter().map(|post| post.uri.clone()).collect();
    let mut with_boost = vec![boost["id"].as_str().unwrap().to_owned()];
    with_boost.extend(only_his.clone());
    for turn in 0..50 {
        // Records flow all the while.
        door.post_lines(
            "/v1/activities",
            &[Post::by("https://c.example/users/cy", 1000 + turn, NOON)
                .create()
                .to_string()],
        );
        let (kind, target, left) = match turn % 4 {
            0 => ("mute", ANA, &only_his),
            1 => ("block", ANA, &only_his),
            2 => ("domain_block", "a.example", &only_his),
            _ => ("follow", ANA, &with_boost),
        };
        let (on, off) = (
            json!({"type": kind, "account": "7", "target": target}),
            json!({"type": kind, "account": "7", "target": target, "removed": true}),
        );
        let (hides, shows) = if kind == "follow" {
            (off, on)
        } else {
            (on, off)
        };
        relate(door, &hides);
        assert_eq!(&door.uris("7"), left, "{kind} {turn}");
        relate(door, &shows);
        assert_eq!(door.uris("7").len(), 61, "the end of {kind} {turn}");
    }
}

/// A failure means that a feed has a hole in it that depends on when someone was followed.
#[test]
fn a_feed_that_was_cut_to_length_by_a_follow_does_not_go_on_below_the_cut() {
    let dir = TempDir::new().unwrap();
    let config = instance::built_in(&format!("{OFTEN}length = 10\n"));
    let instance = Instance::start(dir.path(), &config);
    let door = &instance.door;
    befriend(door, "7", ME, &[BOB]);
    let posts: Vec<Post> = (0..30).map(|n| Post::by(ANA, n, NOON + n * 1000)).collect();
    door.post_lines(
        "/v1/activities",
        &posts
            .iter()
            .map(|post| post.create().to_string())
            .collect::<Vec<_>>(),
    );
    instance.wait_until_read("activities", 30);
    wait_for("the last post", || {
        (door.get(&format!("/v1/posts?uri={}", posts[29].uri)).status == 200).then_some(())
    });
    relate(
        door,
        &json!({"type": "follow", "account": "7", "target": ANA}),
    );
    assert_eq!(door.uris("7").len(), 10);
    // Some leave; then something arrives that belongs far below, where twenty others were cut off.
    let leaving = posts[23..26].iter().map(|post| post.delete().to_string());
    door.post_lines("/v1/activities", &leaving.collect::<Vec<_>>());
    wait_for("the deletions", || {
        (door.uris("7").len() == 7).then_some(())
    });
    let old = Post::by(BOB, 500, NOON + 500);
    door.post_lines(
        "/v1/activities",
        &[
            old.create().to_string(),
            Post::by(BOB, 501, NOON + 60_000).create().to_string(),
        ],
    );
    wait_for("the new post", || {
        door.uris("7")
            .first()
            .is_some_and(|uri| uri.ends_with("/501"))
            .then_some(())
    });
    assert!(!door.uris("7").contains(&old.uri), "{:?}", door.uris("7"));
}

/// A failure means that whoever was unfollowed comes to light again as others leave a long feed.
#[test]
fn unfollowing_also_takes_out_what_was_too_low_to_be_seen() {
    let dir = TempDir::new().unwrap();
    // No checkpoint in between: what is too many for the feed still waits in memory.
    let instance = Instance::start(dir.path(), &instance::built_in("length = 10\n"));
    let door = &instance.door;
    befriend(door, "7", ME, &[ANA, BOB]);
    let hers: Vec<Post> = (0..10).map(|n| Post::by(ANA, n, NOON + n)).collect();
    let his: Vec<Post> = (100..110).map(|n| Post::by(BOB, n, NOON + n)).collect();
    door.post_lines(
        "/v1/activities",
        &hers
            .iter()
            .chain(&his)
            .map(|post| post.create().to_string())
            .collect::<Vec<_>>(),
    );
    wait_for("his posts", || {
        (door.uris("7").iter().all(|uri| uri.contains("b.example")) && door.uris("7").len() == 10)
            .then_some(())
    });
    relate(
        door,
        &json!({"type": "follow", "account": "7", "target": ANA, "removed": true}),
    );
    door.post_lines(
        "/v1/activities",
        &his[..5]
            .iter()
            .map(|post| post.delete().to_string())
            .collect::<Vec<_>>(),
    );
    wait_for("the deletions", || {
        (!door.uris("7").contains(&his[4].uri)).then_some(())
    });
    assert_eq!(door.uris("7").len(), 5, "{:?}", door.uris("7"));
}

#[test]
fn edits_deletions_and_undos_may_come_before_what_they_are_about() {
    let (dir, instance) = with_ana_and_bob();
    let door = &instance.door;
    let posts: Vec<Post> = (0..4).map(|n| Post::by(ANA, n, NOON + n)).collect();
    let by_id = boost_by(BOB, 10, &posts[0].uri, NOON + 10);
    let by_object = boost_by(BOB, 11, &posts[1].uri, NOON + 11);
    let undo = |announce: Value| json!({"type": "Undo", "id": format!("{BOB}#undo"), "actor": BOB, "object": announce});
    let sent = [
        posts[0].update("edited", 60_000),
        posts[0].create(),
        posts[1].delete(),
        posts[1].create(),
        // An older edit after a newer one.
        posts[2].create(),
        posts[2].update("newest", 120_000),
        posts[2].update("older", 60_000),
        undo(json!({"type": "Announce", "id": by_id["id"], "actor": BOB})),
        by_id,
        undo(json!({"type": "Announce", "actor": BOB, "object": posts[1].uri})),
        by_object,
        posts[3].create(),
        // Once more, as servers do.
        posts[3].create(),
        posts[0].create(),
        posts[1].create(),
    ];
    for activity in sent {
        door.post_lines("/v1/activities", &[activity.to_string()]);
    }
    instance.wait_until_read("activities", 15);
    let check = |door: &Door| {
        wait_for("the state", || {
            let home = door.home("7");
            let seen: Vec<(String, String)> = home
                .iter()
                .map(|entry| {
                    (
                        instance::uri_of(entry),
                        entry["object"]["content"].as_str().unwrap().to_owned(),
                    )
                })
                .collect();
            let expected = [(3, "post 3"), (2, "newest"), (0, "edited")]
                .map(|(n, content): (usize, &str)| (posts[n].uri.clone(), content.to_owned()));
            (seen == expected).then_some(home)
        })
    };
    let home = check(door);
    assert_eq!(
        home[2]["edited"],
        Time::from_millis(NOON + 60_000).rfc3339()
    );
    assert_eq!(home[2]["published"], Time::from_millis(NOON).rfc3339());
    assert_eq!(home[0]["edited"], Value::Null);
    assert_eq!(
        door.get(&format!("/v1/posts?uri={}", posts[1].uri)).status,
        410
    );
    drop(dir);
}

#[test]
fn a_boost_waits_for_its_original_until_the_instance_has_fetched_it() {
    let (dir, instance) = with_ana_and_bob();
    let door = &instance.door;
    let far = Post::by("https://far.example/users/zoe", 1, NOON - 86_400_000 * 400);
    let boost = boost_by(ANA, 2, &far.uri, NOON);
    door.post_lines(
        "/v1/activities",
        &[
            boost.to_string(),
            Post::by(BOB, 3, NOON + 1).create().to_string(),
        ],
    );
    wait_for("the other post", || {
        (door.uris("7").len() == 1).then_some(())
    });
    // A bare object is not believed unless the instance says that it fetched it.
    let bare = far.object.to_string();
    assert_eq!(
        door.post("/v1/activities", "application/activity+json", bare.clone())
            .status,
        422
    );
    let request = door
        .request(reqwest::Method::POST, "/v1/activities")
        .header("content-type", "application/activity+json");
    assert_eq!(
        request
            .header("fetched", "true")
            .body(bare)
            .send()
            .unwrap()
            .status(),
        202
    );
    wait_for("the boost", || (door.uris("7").len() == 2).then_some(()));
    let home = door.home("7");
    assert_eq!(
        (&home[1]["uri"], &home[1]["boost"]["object"]["content"]),
        (&boost["id"], &json!("post 1"))
    );
    // The stranger alone is in nobody's home.
    assert!(!door.uris("7").contains(&far.uri));
    let original = door.get(&format!("/v1/posts?uri={}", far.uri)).json();
    assert_eq!(
        (&original["verdict"], &original["placed_by"]),
        (&json!("fetched"), &json!("published"))
    );
    // With the original goes the boost.
    door.post_lines("/v1/activities", &[far.delete().to_string()]);
    wait_for("the boost's end", || {
        (door.uris("7").len() == 1).then_some(())
    });
    drop(dir);
}

/// A failure means that somebody reads what was not written to them.
#[test]
fn a_private_post_reaches_followers_and_a_direct_one_those_it_mentions_who_follow() {
    let dir = TempDir::new().unwrap();
    let instance = Instance::start(dir.path(), &instance::built_in(""));
    let door = &instance.door;
    let actor = |account: &str| format!("https://me.example/users/{account}");
    for (account, follows) in [
        ("follows", &[ANA][..]),
        ("mentioned", &[ANA]),
        ("stranger", &[BOB]),
        ("named", &[BOB]),
    ] {
        befriend(door, account, &actor(account), follows);
    }
    let followers = json!([format!("{ANA}/followers")]);
    let private = Post::by(ANA, 1, NOON).to(&followers, &[]);
    let direct = Post::by(ANA, 2, NOON + 1).to(
        &json!([actor("mentioned"), actor("named")]),
        &[&actor("mentioned"), &actor("named")],
    );
    let limited = Post::by(ANA, 3, NOON + 2).to(&json!([actor("mentioned"), actor("named")]), &[]);
    let public = Post::by(ANA, 4, NOON + 3);
    // A boost opens to nobody what they could not see.
    let boost = boost_by(BOB, 5, &private.uri, NOON + 4);
    let sent = [&private, &direct, &limited, &public].map(|post| post.create().to_string());
    door.post_lines("/v1/activities", &sent);
    door.post_lines(
        "/v1/activities",
        &[
            boost.to_string(),
            boost_by(BOB, 6, &public.uri, NOON + 5).to_string(),
        ],
    );
    wait_for("the last boost", || {
        (!door.uris("stranger").is_empty()).then_some(())
    });
    let check = |account: &str, wanted: &[&Post]| {
        let wanted: Vec<String> = wanted.iter().map(|post| post.uri.clone()).collect();
        assert_eq!(door.uris(account), wanted, "{account}");
    };
    check("follows", &[&public, &private]);
    check("mentioned", &[&public, &limited, &direct, &private]);
    for account in ["stranger", "named"] {
        assert_eq!(
            door.uris(account),
            ["https://b.example/boosts/6"],
            "{account}"
        );
    }
    // Nor does following later show more than was written to followers.
    relate(
        door,
        &json!({"type": "follow", "account": "stranger", "target": ANA}),
    );
    let now = door.uris("stranger");
    assert!(
        now.contains(&private.uri) && !now.contains(&direct.uri) && !now.contains(&limited.uri),
        "{now:?}"
    );
}

struct Post {
    uri: String,
    author: String,
    published: i64,
    object: Value,
}

impl Post {
    fn by(author: &str, n: i64, published: i64) -> Post {
        let host = author.split('/').nth(2).unwrap();
        let uri = format!("https://{host}/posts/{n}");
        let object = json!({"type": "Note", "id": uri, "attributedTo": author, "content": format!("post {n}"),
            "published": Time::from_millis(published).rfc3339(), "to": [PUBLIC], "cc": [format!("{author}/followers")]});
        Post {
            uri,
            author: author.to_owned(),
            published,
            object,
        }
    }

    fn to(mut self, to: &Value, mentions: &[&str]) -> Post {
        self.object["to"] = to.clone();
        self.object["cc"] = json!([]);
        let mention = |actor: &&str| json!({"type": "Mention", "href": actor});
        self.object["tag"] = mentions.iter().map(mention).collect();
        self
    }

    fn create(&self) -> Value {
        json!({"type": "Create", "id": format!("{}#create", self.uri), "actor": self.author, "object": self.object})
    }

    fn update(&self, content: &str, after: i64) -> Value {
        let mut object = self.object.clone();
        object["content"] = json!(content);
        object["updated"] = json!(Time::from_millis(self.published + after).rfc3339());
        json!({"type": "Update", "id": format!("{}#update", self.uri), "actor": self.author, "object": object})
    }

    fn delete(&self) -> Value {
        json!({"type": "Delete", "id": format!("{}#delete", self.uri), "actor": self.author,
            "object": {"type": "Tombstone", "id": self.uri}})
    }
}

fn boost_by(author: &str, n: i64, original: &str, published: i64) -> Value {
    let host = author.split('/').nth(2).unwrap();
    json!({"type": "Announce", "id": format!("https://{host}/boosts/{n}"), "actor": author, "object": original,
        "published": Time::from_millis(published).rfc3339(), "to": [PUBLIC], "cc": [format!("{author}/followers")]})
}

fn with_ana_and_bob() -> (TempDir, Instance) {
    let dir = TempDir::new().unwrap();
    let instance = Instance::start(dir.path(), &instance::built_in(OFTEN));
    befriend(&instance.door, "7", ME, &[ANA, BOB]);
    (dir, instance)
}

fn befriend(door: &Door, account: &str, actor: &str, follows: &[&str]) {
    let mut lines = vec![
        json!({"type": "account", "account": account, "actor": actor, "aggregate_boosts": false})
            .to_string(),
    ];
    lines.extend(
        follows.iter().map(|target| {
            json!({"type": "follow", "account": account, "target": target}).to_string()
        }),
    );
    door.post_lines("/v1/relationships", &lines);
}

fn relate(door: &Door, document: &Value) {
    door.post_lines("/v1/relationships", &[document.to_string()]);
}
