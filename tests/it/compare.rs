//! `slackwater mastodon compare`: differences planted between a stand-in for a Mastodon and the real service, and found.

use crate::support::backed::Backed;
use crate::support::instance::binary;
use crate::support::surface::{ANA, PUBLIC, SERVICE};
use crate::support::upstream::Mood;
use serde_json::{Value, json};
use slackwater::clock;
use slackwater::http::openapi;
use slackwater_order::time::Time;
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

const HOUR: u64 = 60 * 60;
const DAY: u64 = 24 * HOUR;
const BO: &str = "https://b.example/users/bo";
const STRANGER: &str = "https://s.example/users/sal";

/// Both homes of Kim, account 7, who follows Ana (900) and Bo (901), and not Sal (902).
struct Scene {
    backed: Backed,
    begun: Time,
}

/// A post on its way to either side.
#[derive(Clone)]
struct Planted {
    id: u64,
    /// Who wrote it, and Mastodon's id of that.
    author: (&'static str, &'static str),
    written: Time,
    arrived: Time,
    object: Value,
    line: Value,
    /// Fields of the status.
    status: Value,
}

impl Scene {
    fn new(more: &str) -> Scene {
        let backed = Backed::start(more);
        backed
            .surface
            .relate(&[json!({"type": "follow", "account": "7", "target": BO})]);
        let scene = Scene {
            backed,
            begun: clock::now(),
        };
        for (account, is_followed) in [("900", true), ("901", true), ("902", false)] {
            scene.relation(account, "following", json!(is_followed));
            scene.relation(account, "showing_reblogs", json!(is_followed));
        }
        scene
    }

    /// What Mastodon says of Kim's relation to an account.
    fn relation(&self, account: &str, name: &str, value: Value) {
        let mut known = self.backed.stand_in.known();
        let key = ("7".to_owned(), account.to_owned());
        known.relations.entry(key).or_insert_with(|| json!({}))[name] = value;
    }

    /// A post that was written and came so many seconds ago.
    fn post(&self, author: (&'static str, &'static str), seconds_ago: u64) -> Planted {
        let written = self.begun.minus(Duration::from_secs(seconds_ago));
        // Mastodon's ids are made of the time of arrival.
        let id = u64::try_from(written.millis()).unwrap() << 16;
        let uri = format!("{}/posts/{id}", author.0);
        Planted {
            id,
            author,
            written,
            arrived: written,
            object: json!({"type": "Note", "id": uri, "attributedTo": author.0, "content": "<p>hello</p>",
                "published": written.rfc3339(), "to": [PUBLIC]}),
            line: json!({}),
            status: json!({}),
        }
    }

    fn anas(&self, seconds_ago: u64) -> Planted {
        self.post((ANA, "900"), seconds_ago)
    }

    /// Mastodon has them, in Kim's home or only by their ids.
    fn mastodon_has(&self, posts: &[&Planted], in_home: bool) {
        let mut known = self.backed.stand_in.known();
        for post in posts {
            let mut status = json!({"id": post.id.to_string(), "created_at": post.written.rfc3339(), "account": {"id": post.author.1},
                "reblog": null, "in_reply_to_id": null, "in_reply_to_account_id": null, "mentions": [], "tags": [], "language": null});
            for (name, value) in post.status.as_object().unwrap() {
                status[name] = value.clone();
            }
            known.statuses.insert(post.id, status);
            if in_home {
                let home = known.homes.entry("7".to_owned()).or_default();
                home.insert(post.id);
            }
        }
    }

    /// They were sent here.
    fn sent_here(&self, posts: &[&Planted]) {
        let lines: Vec<Value> = posts.iter().map(|post| post.as_line()).collect();
        self.backed.surface.tell(&lines);
    }

    fn in_both(&self, posts: &[&Planted]) {
        self.mastodon_has(posts, true);
        self.sent_here(posts);
    }

    /// Some posts that are in both.
    fn some_in_both(&self) {
        let posts: Vec<Planted> = (0..5).map(|n| self.anas(2 * HOUR + n * 60)).collect();
        self.in_both(&posts.iter().collect::<Vec<_>>());
    }

    fn relate(&self, document: Value) {
        self.backed.surface.relate(&[document]);
    }

    fn command(&self, args: &[&str]) -> Output {
        let instance = &self.backed.surface.instance;
        Command::new(binary())
            .args(["mastodon", "compare", "--config"])
            .arg(instance.config())
            .args(args)
            .args(
                (!args.contains(&"--at"))
                    .then_some(["--at", instance.door.base()])
                    .into_iter()
                    .flatten(),
            )
            .env("KIMS_TOKEN", &self.backed.kim)
            .stdin(Stdio::null())
            .output()
            .expect("running slackwater")
    }

    /// The comparison of Kim's homes, and the status it ended with.
    #[track_caller]
    fn compared(&self, more: &[&str]) -> (Value, i32) {
        let args = ["--account", "7", "--token", "env:KIMS_TOKEN", "--json"];
        let output = self.command(&[&args, more].concat());
        let said = String::from_utf8_lossy(&output.stderr);
        let comparison = serde_json::from_slice(&output.stdout);
        let comparison: Value = comparison.unwrap_or_else(|e| panic!("{e}: {said}"));
        let schema = openapi::files().into_iter();
        let schema = schema.filter(|(name, _)| *name == "compare.schema.json");
        let (_, schema) = { schema }.next().expect("the schema");
        let schema = jsonschema::validator_for(&schema).unwrap();
        assert!(schema.is_valid(&comparison), "{comparison:#}");
        (comparison, output.status.code().unwrap())
    }

    /// Why the command fails; nothing was compared.
    #[track_caller]
    fn fails(&self, args: &[&str], with: &str) {
        let output = self.command(args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(output.stdout.is_empty());
        assert!(said.contains(with), "{said}");
    }
}

impl Planted {
    fn with(mut self, name: &str, value: Value) -> Planted {
        self.object[name] = value;
        self
    }

    fn status(mut self, name: &str, value: Value) -> Planted {
        self.status[name] = value;
        self
    }

    /// It boosts another post, which both sides know.
    fn boosts(self, of: &Planted) -> Planted {
        let uri = of.object["id"].clone();
        let status =
            json!({"id": of.id.to_string(), "account": {"id": of.author.1}, "mentions": []});
        Planted {
            object: json!({"type": "Announce", "id": self.object["id"], "actor": self.author.0, "published": self.object["published"],
                "to": [PUBLIC], "object": uri}),
            ..self.status("reblog", status)
        }
    }

    fn as_line(&self) -> Value {
        let activity = match self.object["type"] == "Announce" {
            true => self.object.clone(),
            false => {
                json!({"type": "Create", "id": format!("{}#c", self.object["id"].as_str().unwrap()), "actor": self.author.0,
                "object": self.object})
            }
        };
        let mut line = json!({"activity": activity, "ref": self.id.to_string(), "author_ref": self.author.1,
            "arrived_at": self.arrived.rfc3339()});
        for (name, value) in self.line.as_object().unwrap() {
            line[name] = value.clone();
        }
        line
    }
}

/// The differences by Mastodon's ids: the side that has each, and the reason.
fn reasons(comparison: &Value) -> BTreeMap<u64, (String, Value)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let differences = comparison["differences"].as_array().unwrap().iter();
    let row = |it: &Value| {
        let id = it["id"].as_str().map_or(0, |id| id.parse().unwrap());
        (id, (text(&it["only_in"]), it["reason"].clone()))
    };
    differences.map(row).collect()
}

#[track_caller]
fn check(comparison: &Value, post: &Planted, side: &str, reason: Value) {
    let found = reasons(comparison).remove(&post.id);
    assert_eq!(found, Some((side.to_owned(), reason)), "{comparison:#}");
}

#[test]
fn homes_that_agree_have_no_difference_and_the_posts_that_would_move_are_counted() {
    let scene = Scene::new("");
    scene.some_in_both();
    let (comparison, status) = scene.compared(&[]);
    assert_eq!(
        (&comparison["both"], &comparison["moved"]),
        (&json!(5), &json!(0))
    );
    assert_eq!(
        (comparison["differences"].as_array().unwrap().len(), status),
        (0, 0)
    );
    // Written before those, and come after them.
    let mut late = scene.anas(HOUR);
    let written = scene.begun.minus(Duration::from_secs(3 * HOUR));
    late.object["published"] = json!(written.rfc3339());
    late.written = written;
    scene.in_both(&[&late]);
    let (comparison, status) = scene.compared(&[]);
    assert_eq!(
        (&comparison["both"], &comparison["moved"]),
        (&json!(6), &json!(1))
    );
    assert_eq!((&comparison["unexplained"], status), (&json!(0), 0));
    let output = scene.command(&["--account", "7", "--token", &scene.backed.kim]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        text.contains("6 posts in both homes, of which 1 would move"),
        "{text}"
    );
    assert!(text.contains("every difference has its reason"), "{text}");
}

/// A failure means that an admin switches, or does not, on a false proof.
#[test]
fn each_kind_of_difference_is_found_with_its_reason() {
    let scene = Scene::new("");
    scene.some_in_both();
    let bo = |ago| scene.post((BO, "901"), ago);
    let sal = |ago| scene.post((STRANGER, "902"), ago);
    let answer_to = |post: Planted, to: &Planted| {
        let post = post.with("inReplyTo", to.object["id"].clone());
        let post = post.status("in_reply_to_id", json!(to.id.to_string()));
        post.status("in_reply_to_account_id", json!(to.author.1))
    };

    // Only in Mastodon.
    let on_its_way = scene.anas(1);
    let too_old = scene.anas(40 * DAY);
    scene.mastodon_has(&[&on_its_way, &too_old], true);
    let gone = scene.anas(3 * HOUR);
    scene.in_both(&[&gone]);
    let gone_uri = gone.object["id"].clone();
    scene.backed.surface.tell(&[
        json!({"type": "Delete", "id": format!("{}#d", gone_uri.as_str().unwrap()), "actor": ANA,
        "object": {"type": "Tombstone", "id": gone_uri}}),
    ]);
    scene
        .backed
        .stand_in
        .known()
        .hidden
        .insert(("7".to_owned(), gone.id));
    let strangers = sal(4 * HOUR);
    scene.mastodon_has(&[&strangers], false);
    scene.sent_here(&[&strangers]);
    let answer = answer_to(scene.anas(3 * HOUR + 1), &strangers);
    let french = scene
        .anas(3 * HOUR + 2)
        .with("contentMap", json!({"fr": "<p>bonjour</p>"}));
    let french = french.status("language", json!("fr"));
    let muted = bo(3 * HOUR + 3);
    let original = sal(5 * HOUR);
    let boost = scene.anas(4 * HOUR + 1).boosts(&original);
    let repeat = scene.anas(3 * HOUR + 4).boosts(&original);
    scene.mastodon_has(&[&original], false);
    scene.sent_here(&[&original]);
    scene.in_both(&[&answer, &french, &muted, &repeat]);
    scene.mastodon_has(&[&boost], false);
    scene.sent_here(&[&boost]);
    scene.relate(json!({"type": "mute", "account": "7", "target": BO}));
    scene.relation("901", "muting", json!(true));
    scene.relate(json!({"type": "follow", "account": "7", "target": ANA, "languages": ["en"]}));
    scene.relation("900", "languages", json!(["en"]));

    // Only here.
    scene.relate(json!({"type": "tag", "account": "7", "target": "sea"}));
    let tag = json!([{"type": "Hashtag", "name": "#sea"}]);
    let tagged = sal(6 * HOUR).with("tag", tag);
    let mut looked_up = scene.anas(9 * HOUR);
    looked_up.arrived = scene.begun.minus(Duration::from_secs(HOUR));
    looked_up.line = json!({"fetched": true});
    let mut sent_now = scene.anas(7 * HOUR);
    sent_now.arrived = scene.begun;
    let mut without_id = scene.anas(8 * HOUR);
    without_id.line = json!({"ref": null});
    scene.mastodon_has(&[&tagged, &looked_up, &sent_now], false);
    scene.sent_here(&[&tagged, &looked_up, &sent_now, &without_id]);

    let (found, status) = scene.compared(&[]);
    let mastodon = |post: &Planted, reason: &str| check(&found, post, "mastodon", json!(reason));
    mastodon(&on_its_way, "on_its_way");
    mastodon(&too_old, "too_old");
    mastodon(&gone, "gone");
    mastodon(&answer, "rule");
    mastodon(&french, "rule");
    mastodon(&muted, "rule");
    mastodon(&repeat, "shown_once");
    let here = |post: &Planted, reason: &str| check(&found, post, "here", json!(reason));
    here(&boost, "shown_once");
    here(&tagged, "hashtag");
    here(&looked_up, "looked_up");
    here(&sent_now, "on_its_way");
    assert_eq!(
        reasons(&found)[&0],
        ("here".to_owned(), json!("no_id")),
        "{found:#}"
    );
    assert_eq!(
        (&found["both"], &found["unexplained"], status),
        (&json!(5), &json!(0), 0)
    );
    assert_eq!(
        (&found["only_in_mastodon"], &found["only_here"]),
        (&json!(7), &json!(5))
    );
    assert_eq!(found["relations_checked"], true);
}

#[test]
fn a_home_that_is_held_says_so_of_what_it_does_not_show_yet() {
    let window = "[ordering.origin.\"a.example\"]\nreorder_window = \"90m\"\n";
    let scene = Scene::new(&format!("[ordering]\npatience = \"complete\"\n{window}"));
    scene.some_in_both();
    let held = scene.anas(HOUR);
    scene.in_both(&[&held]);
    let (found, status) = scene.compared(&[]);
    check(&found, &held, "mastodon", json!("held"));
    assert_eq!(
        (&found["both"], &found["unexplained"], status),
        (&json!(5), &json!(0), 0)
    );
}

/// A failure means that feeds which lack something look proven.
#[test]
fn a_difference_without_a_reason_ends_with_one() {
    let scene = Scene::new("");
    scene.some_in_both();
    let lost = scene.anas(3 * HOUR);
    scene.mastodon_has(&[&lost], true);
    let (found, status) = scene.compared(&[]);
    check(&found, &lost, "mastodon", Value::Null);
    assert_eq!((&found["unexplained"], status), (&json!(1), 1));
    let output = scene.command(&["--account", "7", "--token", &scene.backed.kim]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = format!(
        "NO REASON  only in Mastodon  id {}  it is not known here\n",
        lost.id
    );
    assert!(text.contains(&line), "{text}");
    scene.sent_here(&[&lost]);
    assert_eq!(scene.compared(&[]).1, 0);

    let extra = scene.anas(4 * HOUR);
    scene.mastodon_has(&[&extra], false);
    scene.sent_here(&[&extra]);
    // It stands below all that is in Mastodon's home, which may have ended above it.
    let (found, status) = scene.compared(&[]);
    assert_eq!((&found["outside"], status), (&json!(1), 0));
    let lowest = scene.anas(5 * HOUR);
    scene.in_both(&[&lowest]);
    let (found, status) = scene.compared(&[]);
    check(&found, &extra, "here", Value::Null);
    assert_eq!(status, 1);
}

#[test]
fn a_reason_that_mastodon_denies_ends_with_one() {
    let scene = Scene::new("");
    scene.some_in_both();
    let bos = scene.post((BO, "901"), 3 * HOUR);
    scene.in_both(&[&bos]);
    scene.relate(json!({"type": "follow", "account": "7", "target": BO, "removed": true}));
    let (found, status) = scene.compared(&[]);
    check(&found, &bos, "mastodon", Value::Null);
    let why = found["differences"][0]["why"].as_str().unwrap();
    assert!(
        why.contains("Mastodon says that its author is followed"),
        "{why}"
    );
    assert_eq!(status, 1);
    // A token that may not ask leaves the reason as it is, and the command says so.
    let narrow = scene
        .backed
        .stand_in
        .token("7", "read:accounts read:statuses");
    let output = scene.command(&["--account", "7", "--token", &narrow]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}");
    assert!(
        text.contains("were not held against Mastodon's own relations"),
        "{text}"
    );
    scene.relation("901", "following", json!(false));
    let (found, status) = scene.compared(&[]);
    check(&found, &bos, "mastodon", json!("rule"));
    assert_eq!(status, 0);
}

#[test]
fn parts_of_homes_that_stand_in_another_order_agree() {
    let scene = Scene::new("");
    // Every third came two hours after it was written.
    let posts: Vec<Planted> = (0..300)
        .map(|n| {
            let mut post = scene.anas(DAY + n * 60);
            if n % 3 == 0 {
                post.written = post.written.minus(Duration::from_secs(2 * HOUR));
                post.object["published"] = json!(post.written.rfc3339());
            }
            post
        })
        .collect();
    scene.in_both(&posts.iter().collect::<Vec<_>>());
    let (found, status) = scene.compared(&["--posts", "100"]);
    assert_eq!(
        (found["differences"].as_array().unwrap().len(), status),
        (0, 0),
        "{found:#}"
    );
    let moved = found["moved"].as_u64().unwrap();
    assert!((1..100).contains(&moved), "{found}");
    assert!(found["outside"].as_u64().unwrap() > 0, "{found}");
}

#[test]
fn what_cannot_be_compared_is_said_and_is_no_difference() {
    let scene = Scene::new("");
    let stand_in = &scene.backed.stand_in;
    let (kim, lea) = (scene.backed.kim.as_str(), scene.backed.lea.as_str());
    let of_kim = ["--account", "7", "--token", kim];
    scene.fails(&of_kim, "Mastodon's home of account 7 is empty");
    scene.some_in_both();
    scene.fails(
        &["--account", "7", "--token", "nobodys"],
        "does not take the token",
    );
    scene.fails(
        &["--account", "7", "--token", lea],
        "of account 8, not of 7",
    );
    scene.fails(
        &["--account", "7", "--token", "env:NOT_SET_HERE"],
        "NOT_SET_HERE, which is not set",
    );
    let narrow = stand_in.token("7", "read:accounts");
    scene.fails(
        &["--account", "7", "--token", &narrow],
        "may not read /api/v1/timelines/home",
    );
    let unknown = stand_in.token("70", "read");
    stand_in
        .known()
        .homes
        .insert("70".to_owned(), [1 << 40].into());
    stand_in.has(1 << 40);
    scene.fails(
        &["--account", "70", "--token", &unknown],
        "no account \"70\"",
    );

    stand_in.known().regenerating.insert("7".to_owned());
    scene.fails(&of_kim, "is making this home anew");
    stand_in.known().regenerating.clear();
    stand_in.is(Mood::Limited("retry-after", "7".to_owned()));
    scene.fails(&of_kim, "come back in 7 s");
    stand_in.is(Mood::Failing(500));
    scene.fails(&of_kim, "/api/v1/accounts/verify_credentials with 500");
    stand_in.is(Mood::Gone);
    scene.fails(&of_kim, "Mastodon (mastodon.upstream) does not answer");
    stand_in.is(Mood::Well);

    // Bound, so that nobody else has it, and never listened on by anybody who answers.
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    scene.fails(
        &[&of_kim[..], &["--at", &at]].concat(),
        "Slackwater does not answer at",
    );
    let file = scene.backed.surface.instance.config();
    let config = std::fs::read_to_string(file).unwrap();
    std::fs::write(file, config.replace(SERVICE, "another0123456789")).unwrap();
    scene.fails(&of_kim, "answers /v1/accounts/7/feeds/home with 401");
    let database = "[mastodon]\ndatabase = \"postgres://nobody@127.0.0.1:1/none\"\n";
    std::fs::write(file, config.replace("[mastodon]\n", database)).unwrap();
    scene.fails(&of_kim, "does not follow Mastodon's database at present");
    std::fs::write(file, "").unwrap();
    scene.fails(&of_kim, "write mastodon.upstream");
}
