//! The story that fills a data folder: every kind of row that is stored, and every rule that decides about one.
//!
//! Times are given in minutes since the beginning, which is fifty days before the story is told. Log time ends
//! almost a day before that, and does not go on when the folder is opened years later: ages are measured by it.

use serde_json::{Value, json};
use slackwater_order::time::Time;
use std::time::Duration;

const PUBLIC: &str = "https://www.w3.org/ns/activitystreams#Public";
pub(super) const DAY: u64 = 24 * 60;
/// When most of it happens.
const NOON: u64 = 48 * DAY;

pub(super) const ANA: &str = "https://ana.example/users/ana";
pub(super) const BOB: &str = "https://bob.example/users/bob";
pub(super) const CY: &str = "https://cy.example/users/cy";
/// Her server names the followers otherwise than most.
pub(super) const DORA: &str = "https://dora.example/users/dora";
/// Limited by the instance.
pub(super) const EVE: &str = "https://eve.example/users/eve";
/// Suspended by the instance.
pub(super) const FAY: &str = "https://fay.example/users/fay";
/// On a host that is suspended.
pub(super) const GIL: &str = "https://a.bad.example/users/gil";
/// On a domain that an account blocks.
pub(super) const HAL: &str = "https://hal.example/users/hal";
/// Deletes himself.
pub(super) const IAN: &str = "https://ian.example/users/ian";
pub(super) const SLOW: &str = "https://slow.example/users/sam";
pub(super) const LEARNED: &str = "https://learned.example/users/lea";
pub(super) const SURFACE: &str = "https://surface.example/users/sue";
pub(super) const DROP: &str = "https://drop.example/users/don";
pub(super) const LEMMY: &str = "https://lemmy.example/c/tides";
/// Nobody follows him.
pub(super) const STRANGER: &str = "https://stranger.example/users/stan";
/// Nobody follows her, and what she wrote is forgotten for its age.
pub(super) const FORGOTTEN: &str = "https://forgotten.example/users/flora";
/// The local account 1.
pub(super) const MIA: &str = "https://home.example/users/mia";
/// The local account 2.
pub(super) const NOA: &str = "https://home.example/users/noa";

/// Tells it: builds the lines of activities.
pub(super) struct Teller {
    begin: Time,
    /// Activities so far: their numbers are the backend's own ids.
    count: usize,
}

/// The URI of an author's post of this name.
pub(super) fn uri(author: &str, name: &str) -> String {
    format!("{author}/posts/{name}")
}

fn private(author: &str) -> String {
    format!("{author}/followers")
}

impl Teller {
    pub(super) fn new(begin: Time, count: usize) -> Teller {
        Teller { begin, count }
    }

    fn at(&self, minute: u64) -> Time {
        self.begin.plus(Duration::from_secs(60 * minute))
    }

    /// A line with an activity that arrived at a minute.
    fn line(&mut self, activity: &Value, arrived: Time, fetched: bool) -> String {
        self.count += 1;
        let line = json!({"activity": activity, "arrived_at": arrived.rfc3339(), "fetched": fetched,
            "ref": format!("{}", 1_000 + self.count), "author_ref": format!("{}", 500 + self.count % 7)});
        line.to_string()
    }

    /// A note by an author, written at this minute, with what `more` sets.
    fn note(&self, author: &str, name: &str, minute: u64, more: &Value) -> Value {
        let mut note = json!({"type": "Note", "id": uri(author, name), "attributedTo": author, "to": [PUBLIC],
            "content": format!("<p>{name}</p>"), "published": self.at(minute).rfc3339()});
        for (key, value) in more.as_object().expect("fields") {
            note[key] = value.clone();
        }
        note
    }

    fn about(&mut self, kind: &str, object: &Value, arrived: Time) -> String {
        let id = object["id"].as_str().expect("an id");
        let activity = json!({"type": kind, "id": format!("{id}#{kind}"), "actor": object["attributedTo"], "object": object});
        self.line(&activity, arrived, false)
    }

    /// A post that came two seconds after it was written.
    fn post(&mut self, author: &str, name: &str, minute: u64, more: &Value) -> String {
        self.post_after(author, name, minute, 2, more)
    }

    /// A post that came so many seconds after it was written.
    fn post_after(
        &mut self,
        author: &str,
        name: &str,
        minute: u64,
        seconds: u64,
        more: &Value,
    ) -> String {
        let note = self.note(author, name, minute, more);
        let arrived = self.at(minute).plus(Duration::from_secs(seconds));
        self.about("Create", &note, arrived)
    }

    fn edit(&mut self, author: &str, name: &str, minute: u64, at: u64, more: &Value) -> String {
        let mut note = self.note(author, name, minute, more);
        note["updated"] = json!(self.at(at).rfc3339());
        let arrived = self.at(at);
        self.about("Update", &note, arrived)
    }

    fn delete(&mut self, author: &str, name: &str, at: u64) -> String {
        let tombstone = json!({"type": "Tombstone", "id": uri(author, name)});
        let id = format!("{}#delete", uri(author, name));
        let activity = json!({"type": "Delete", "id": id, "actor": author, "object": tombstone});
        let arrived = self.at(at);
        self.line(&activity, arrived, false)
    }

    /// A boost, with an id unless `name` is empty.
    fn boost(&mut self, author: &str, name: &str, of: &str, minute: u64, to: &str) -> String {
        let mut activity = json!({"type": "Announce", "actor": author, "object": of,
            "published": self.at(minute).rfc3339(), "to": [to]});
        if !name.is_empty() {
            activity["id"] = json!(uri(author, name));
        }
        let arrived = self.at(minute);
        self.line(&activity, arrived, false)
    }

    fn undo(&mut self, author: &str, name: &str, of: &str, at: u64) -> String {
        let mut boost = json!({"type": "Announce", "actor": author, "object": of});
        if !name.is_empty() {
            boost["id"] = json!(uri(author, name));
        }
        let activity = json!({"type": "Undo", "id": format!("{author}#undo-{at}"), "actor": author, "object": boost});
        let arrived = self.at(at);
        self.line(&activity, arrived, false)
    }

    /// An actor's document.
    fn document(&mut self, actor: &str, at: u64, more: &Value) -> String {
        let name = actor.rsplit('/').next().expect("a name");
        let mut document = json!({"type": "Person", "id": actor, "preferredUsername": name, "name": format!("{name} of the sea"),
            "summary": "<p>Tides</p>", "url": format!("{actor}.html"), "inbox": format!("{actor}/inbox"),
            "followers": private(actor), "published": "2020-02-03T04:05:06Z", "manuallyApprovesFollowers": true,
            "icon": {"type": "Image", "url": format!("{actor}.png")},
            "attachment": [{"type": "PropertyValue", "name": "boat", "value": "<b>none</b>"}],
            "tag": [{"type": "Emoji", "name": ":wave:", "icon": {"url": format!("{actor}/wave.png")}}]});
        for (key, value) in more.as_object().expect("fields") {
            document[key] = value.clone();
        }
        let arrived = self.at(at);
        self.line(&document, arrived, true)
    }

    /// Old posts, six days apart: more would be a leap in time, which is in doubt. Those by one whom nobody follows are in no feed,
    /// so they are forgotten when they are old.
    pub(super) fn old(&mut self, turn: u64) -> Vec<String> {
        let minute = turn * 6 * DAY;
        let name = format!("old-{turn}");
        let unlisted =
            json!({"to": [], "cc": [PUBLIC, MIA], "tag": [{"type": "Mention", "href": MIA}]});
        let answer = json!({"inReplyTo": uri(FORGOTTEN, &name)});
        vec![
            self.post(ANA, &name, minute, &json!({})),
            self.post(FORGOTTEN, &name, minute + 1, &unlisted),
            self.post(BOB, &name, minute + 2, &answer),
        ]
    }

    /// One that comes two hours later. Who was seen in the hour before a leap of log time counts as seen after it: this way the
    /// account that sleeps was not.
    pub(super) fn soon_after(&mut self, turn: u64) -> Vec<String> {
        let minute = turn * 6 * DAY + 110;
        vec![self.post(ANA, &format!("old-{turn}-later"), minute, &json!({}))]
    }

    /// Most of it.
    pub(super) fn first(&mut self) -> Vec<String> {
        let n = NOON;
        let sea =
            json!([{"type": "Hashtag", "name": "#Sea", "href": "https://ana.example/tags/sea"}]);
        let mention = |whom: &str| json!([{"type": "Mention", "href": whom}]);
        vec![
            self.document(ANA, n, &json!({"updated": "2026-01-01T00:00:00Z", "discoverable": true,
                "image": {"type": "Image", "url": "https://ana.example/header.png"}, "following": format!("{ANA}/following"),
                "featured": format!("{ANA}/featured")})),
            self.document(BOB, n, &json!({"type": "Service", "discoverable": false, "movedTo": CY})),
            self.document(DORA, n, &json!({"followers": "https://dora.example/flock/1"})),
            // Who could see it.
            self.post(ANA, "public", n + 1, &json!({"contentMap": {"en": "<p>Low tide</p>"}})),
            self.post(ANA, "unlisted", n + 2, &json!({"to": [private(ANA)], "cc": [PUBLIC]})),
            self.post(ANA, "private", n + 3, &json!({"to": [private(ANA)]})),
            self.post(ANA, "direct", n + 4, &json!({"to": [MIA], "tag": mention(MIA)})),
            self.post(ANA, "limited", n + 5, &json!({"to": [MIA]})),
            self.post(DORA, "flock", n + 6, &json!({"to": ["https://dora.example/flock/1"]})),
            self.post(DORA, "second-flock", n + 7, &json!({"to": ["https://dora.example/flock/2"]})),
            self.post(DORA, "third-flock", n + 7, &json!({"to": ["https://dora.example/flock/3"]})),
            self.post(MIA, "own", n + 8, &json!({"tag": sea})),
            self.post(NOA, "own", n + 9, &json!({"to": [private(NOA)]})),
            // What it holds.
            self.post(BOB, "tagged", n + 10, &json!({"tag": sea, "sensitive": true, "summary": "cold"})),
            self.post(BOB, "picture", n + 11, &json!({"attachment": [{"type": "Document", "mediaType": "image/png",
                "url": "https://bob.example/1.png", "name": "a boat", "width": 640, "height": 480}]})),
            self.post(BOB, "poll", n + 12, &json!({"type": "Question", "endTime": "2026-01-01T00:00:00Z", "closed": "2026-01-01T00:00:00Z", "votersCount": 3, "oneOf": [
                {"type": "Note", "name": "ebb", "replies": {"type": "Collection", "totalItems": 1}},
                {"type": "Note", "name": "flow", "replies": {"type": "Collection", "totalItems": 2}}]})),
            self.post(CY, "maré", n + 13, &json!({"contentMap": {"pt": "<p>maré</p>"}})),
            self.post(CY, "untagged-later", n + 14, &json!({"tag": sea})),
            // Threads.
            self.post(BOB, "answer", n + 20, &json!({"inReplyTo": uri(ANA, "public"), "tag": mention(ANA)})),
            self.post(BOB, "answer-goes-on", n + 21, &json!({"inReplyTo": uri(BOB, "answer")})),
            self.post(ANA, "to-mia", n + 22, &json!({"inReplyTo": uri(MIA, "own"), "tag": mention(MIA)})),
            self.post(ANA, "to-a-stranger", n + 23, &json!({"inReplyTo": uri(STRANGER, "known")})),
            self.post(STRANGER, "known", n + 22, &json!({"tag": sea})),
            self.post(ANA, "waits-for-its-parent", n + 24, &json!({"inReplyTo": uri(CY, "not-yet")})),
            self.post(ANA, "waits-for-a-stranger", n + 25, &json!({"inReplyTo": uri(STRANGER, "not-yet")})),
            self.post(ANA, "waiting-goes-on", n + 26, &json!({"inReplyTo": uri(ANA, "waits-for-its-parent")})),
            self.post(BOB, "to-ian", n + 27, &json!({"inReplyTo": uri(IAN, "1")})),
            self.post(IAN, "1", n + 26, &json!({})),
            // Boosts, one shown twice, some undone.
            self.boost(BOB, "boost", &uri(ANA, "public"), n + 30, PUBLIC),
            self.boost(CY, "boost", &uri(ANA, "public"), n + 31, PUBLIC),
            self.boost(BOB, "boost-of-own-private", &uri(BOB, "tagged"), n + 32, &private(BOB)),
            self.boost(CY, "boost-waits", &uri(STRANGER, "not-fetched-yet"), n + 33, PUBLIC),
            self.boost(CY, "", &uri(BOB, "tagged"), n + 34, PUBLIC),
            self.undo(CY, "", &uri(BOB, "tagged"), n + 35),
            self.boost(CY, "", &uri(BOB, "tagged"), n + 36, PUBLIC),
            self.boost(CY, "undone", &uri(BOB, "picture"), n + 37, PUBLIC),
            self.undo(CY, "undone", &uri(BOB, "picture"), n + 38),
            self.boost(EVE, "boost", &uri(STRANGER, "known"), n + 39, PUBLIC),
            self.boost(MIA, "boost", &uri(HAL, "1"), n + 40, PUBLIC),
            // When it came.
            self.post_after(ANA, "late", n + 41, 45 * 60, &json!({})),
            self.post_after(ANA, "too-late", n + 42, 3 * 3_600, &json!({})),
            self.post_after(SLOW, "in-time", n + 43, 15 * 60, &json!({})),
            self.post_after(SLOW, "late", n + 44, 40 * 60, &json!({})),
            self.post_after(SURFACE, "late", n + 45, 30 * 60, &json!({})),
            self.post_after(DROP, "too-late", n + 46, 5 * 3_600, &json!({})),
            self.post_after(DROP, "late", n + 47, 30 * 60, &json!({})),
            self.post(ANA, "undated", n + 48, &json!({"published": null})),
            self.post(ANA, "from-the-future", n + 49, &json!({"published": self.at(n + 120).rfc3339()})),
            self.post(ANA, "same-moment-1", n + 50, &json!({})),
            self.post(ANA, "same-moment-2", n + 50, &json!({})),
            // Whom somebody does not want.
            self.post(EVE, "1", n + 51, &json!({"tag": sea})),
            self.post(FAY, "1", n + 52, &json!({"tag": sea})),
            self.post(GIL, "1", n + 53, &json!({"tag": sea})),
            self.post(HAL, "1", n + 54, &json!({"tag": sea})),
            // Passed on by a community.
            self.relayed("relayed", n + 55),
            // Not to be used: it is kept as a dead letter.
            self.forged("public", n + 56),
            // What removes comes before what it removes.
            self.delete(BOB, "deleted-before-it-came", n + 58),
            self.post(BOB, "deleted-before-it-came", n + 57, &json!({})),
            self.delete(BOB, "never-came", n + 59),
            self.undo(BOB, "", &uri(STRANGER, "known"), n + 60),
            self.edit(CY, "edited-before-it-came", n + 61, n + 62, &json!({"content": "<p>edited</p>"})),
        ]
    }

    fn relayed(&mut self, name: &str, minute: u64) -> String {
        let note = self.note(STRANGER, name, minute, &json!({"audience": LEMMY}));
        let create = json!({"type": "Create", "id": format!("{}#create", uri(STRANGER, name)), "actor": STRANGER, "object": note});
        let activity = json!({"type": "Announce", "id": uri(LEMMY, name), "actor": LEMMY, "to": [PUBLIC], "object": create});
        let arrived = self.at(minute);
        let mut line: Value =
            serde_json::from_str(&self.line(&activity, arrived, false)).expect("JSON");
        line["inner_verified"] = json!(true);
        line.to_string()
    }

    /// Somebody else on Ana's host changes a post of hers, which only she may: that is seen when it is known whose the post is.
    fn forged(&mut self, name: &str, minute: u64) -> String {
        let of = json!({"attributedTo": "https://ana.example/users/another"});
        let note = self.note(ANA, name, minute, &of);
        let arrived = self.at(minute);
        self.about("Update", &note, arrived)
    }

    /// Enough posts of one origin to learn a window from, and more than a feed holds.
    pub(super) fn many(&mut self, count: u64) -> Vec<String> {
        let post = |n: u64| {
            let unlisted = json!({"to": [], "cc": [PUBLIC]});
            self.post_after(LEARNED, &n.to_string(), NOON + n, 1 + n * n % 23, &unlisted)
        };
        (0..count).map(post).collect()
    }

    /// Changes of mind about what was stored before.
    pub(super) fn second(&mut self) -> Vec<String> {
        let n = NOON + 300;
        vec![
            self.edit(ANA, "public", NOON + 1, n, &json!({"content": "<p>High tide</p>"})),
            self.edit(CY, "untagged-later", NOON + 14, n + 1, &json!({})),
            self.about_poll(NOON + 12, n + 2),
            self.delete(ANA, "same-moment-1", n + 3),
            self.delete(BOB, "picture", n + 4),
            self.post(CY, "edited-before-it-came", NOON + 61, &json!({})),
            self.delete_actor(IAN, n + 5),
            self.post(ANA, "news", n + 6, &json!({"tag": [{"type": "Hashtag", "name": "#sea"}, {"type": "Hashtag", "name": "#ebb"}]})),
            self.post(HAL, "news", n + 7, &json!({})),
            self.document(ANA, n + 8, &json!({"name": "Ana", "followers": private(ANA)})),
            self.document(DORA, n + 9, &json!({"followers": "https://dora.example/flock/3"})),
            // A boost of the same, more than a day later: it shows again.
            self.boost(CY, "boost-again", &uri(ANA, "public"), NOON + 25 * 60, PUBLIC),
        ]
    }

    fn about_poll(&mut self, minute: u64, at: u64) -> String {
        let poll = json!({"type": "Question", "endTime": "2026-01-01T00:00:00Z", "closed": "2026-01-01T00:00:00Z", "votersCount": 9, "oneOf": [
            {"type": "Note", "name": "ebb", "replies": {"type": "Collection", "totalItems": 4}},
            {"type": "Note", "name": "flow", "replies": {"type": "Collection", "totalItems": 5}}]});
        let note = self.note(BOB, "poll", minute, &poll);
        let arrived = self.at(at);
        self.about("Update", &note, arrived)
    }

    fn delete_actor(&mut self, actor: &str, at: u64) -> String {
        let activity = json!({"type": "Delete", "id": format!("{actor}#gone"), "actor": actor, "object": actor});
        let arrived = self.at(at);
        self.line(&activity, arrived, false)
    }

    /// What happens when the data is a later version's: each record finds something that was stored before.
    pub(super) fn later(&mut self) -> Vec<String> {
        let n = NOON + 400;
        vec![
            // What waited comes.
            self.post(CY, "not-yet", NOON + 23, &json!({})),
            self.fetched(STRANGER, "not-yet", NOON + 23),
            self.fetched(STRANGER, "not-fetched-yet", NOON + 29),
            self.post(BOB, "never-came", NOON + 58, &json!({})),
            self.boost(BOB, "", &uri(STRANGER, "known"), n, PUBLIC),
            // A document that names another collection lets a post be seen.
            self.document(
                DORA,
                n + 1,
                &json!({"followers": "https://dora.example/flock/2"}),
            ),
            self.document(BOB, n + 2, &json!({"name": "Bob"})),
            // Of what was stored.
            self.edit(
                ANA,
                "public",
                NOON + 1,
                n + 3,
                &json!({"content": "<p>Slack water</p>"}),
            ),
            self.edit(BOB, "tagged", NOON + 10, n + 4, &json!({})),
            self.delete(ANA, "same-moment-2", n + 5),
            self.undo(CY, "", &uri(BOB, "tagged"), n + 6),
            self.undo(BOB, "boost", &uri(ANA, "public"), n + 7),
            self.delete(MIA, "own", n + 8),
            self.delete_actor(STRANGER, n + 9),
            self.forged("public", n + 10),
            // New ones, also where a place is taken, below what feeds hold, and once more.
            self.post(ANA, "same-moment-3", NOON + 50, &json!({})),
            self.post(ANA, "public", NOON + 1, &json!({})),
            self.post(LEARNED, "below", NOON, &json!({})),
            self.post_after(LEARNED, "slower", n + 11, 120, &json!({})),
            self.post(
                BOB,
                "to-the-old",
                n + 12,
                &json!({"inReplyTo": uri(ANA, "old-0")}),
            ),
            self.post(
                BOB,
                "to-what-is-a-stub",
                n + 13,
                &json!({"inReplyTo": uri(FORGOTTEN, "old-0")}),
            ),
            self.post_after(SLOW, "later", n + 14, 15 * 60, &json!({})),
        ]
    }

    fn fetched(&mut self, author: &str, name: &str, minute: u64) -> String {
        let note = self.note(author, name, minute, &json!({}));
        let arrived = self.at(minute + 300);
        self.line(&note, arrived, true)
    }
}

fn lines(relations: &[Value]) -> Vec<String> {
    relations.iter().map(ToString::to_string).collect()
}

fn follows(account: &str, targets: &[&str]) -> Vec<Value> {
    let follow = |target| json!({"type": "follow", "account": account, "target": target});
    targets.iter().map(follow).collect()
}

/// A relation of an account that nobody is.
pub(super) fn nobody() -> Vec<String> {
    lines(&[
        json!({"type": "account", "account": "nobody", "actor": "https://home.example/users/nobody"}),
    ])
}

/// Who is there, and whom they follow.
pub(super) fn relations() -> Vec<String> {
    let everybody = [
        ANA, BOB, CY, DORA, EVE, FAY, GIL, HAL, IAN, SLOW, SURFACE, DROP, LEMMY,
    ];
    let mut all = vec![
        json!({"type": "account", "account": "1", "actor": MIA}),
        json!({"type": "account", "account": "2", "actor": NOA, "languages": ["en", "pt"]}),
        json!({"type": "account", "account": "patient", "actor": "https://home.example/users/pat", "patience": "5s"}),
        json!({"type": "account", "account": "full", "actor": "https://home.example/users/flo"}),
        json!({"type": "account", "account": "every-boost", "actor": "https://home.example/users/eli", "aggregate_boosts": false}),
        json!({"type": "account", "account": "gone", "actor": "https://home.example/users/gus"}),
        json!({"type": "account", "account": "sleeps", "actor": "https://home.example/users/sol"}),
        json!({"type": "list", "account": "1", "target": "friends", "title": "Friends", "replies": "followed"}),
        json!({"type": "list_member", "account": "1", "list": "friends", "target": ANA}),
        json!({"type": "list_member", "account": "1", "list": "friends", "target": BOB}),
        json!({"type": "list_member", "account": "1", "list": "friends", "target": SLOW}),
        json!({"type": "list", "account": "1", "target": "apart", "title": "Apart", "replies": "none", "exclusive": true}),
        json!({"type": "list_member", "account": "1", "list": "apart", "target": HAL}),
        json!({"type": "list", "account": "2", "target": "short-lived", "title": "Short-lived"}),
        json!({"type": "list_member", "account": "2", "list": "short-lived", "target": ANA}),
        json!({"type": "tag", "account": "1", "target": "#SEA"}),
        json!({"type": "tag", "account": "full", "target": "sea"}),
        json!({"type": "moderation", "account": "_instance", "target": EVE, "action": "limit"}),
        json!({"type": "moderation", "account": "_instance", "target": "bad.example", "action": "suspend"}),
    ];
    for account in ["1", "2", "gone"] {
        all.extend(follows(account, &everybody));
    }
    all.extend(follows("patient", &[ANA, SLOW, LEARNED]));
    all.extend(follows("full", &[LEARNED, ANA]));
    all.extend(follows("every-boost", &[ANA, BOB, CY]));
    all.extend(follows("sleeps", &[ANA, BOB]));
    all.push(json!({"type": "follow", "account": "every-boost", "target": EVE, "boosts": false}));
    lines(&all)
}

/// What accounts think better of, when the first posts have come.
pub(super) fn changes() -> Vec<String> {
    lines(&[
        json!({"type": "ordering", "account": "patient", "patience": "20m"}),
        json!({"type": "follow", "account": "2", "target": CY, "languages": ["en"]}),
        json!({"type": "follow", "account": "2", "target": SLOW, "removed": true}),
        json!({"type": "mute", "account": "2", "target": BOB}),
        json!({"type": "mute", "account": "2", "target": SURFACE, "until": "2026-01-02T03:04:05Z"}),
        json!({"type": "mute", "account": "1", "target": SURFACE, "until": "9000-01-02T03:04:05Z"}),
        json!({"type": "block", "account": "2", "target": DORA}),
        json!({"type": "blocked_by", "account": "2", "target": DROP}),
        json!({"type": "domain_block", "account": "2", "target": "hal.example"}),
        json!({"type": "list_member", "account": "1", "list": "friends", "target": SLOW, "removed": true}),
        json!({"type": "list", "account": "2", "target": "short-lived", "removed": true}),
        json!({"type": "moderation", "account": "_instance", "target": FAY, "action": "suspend"}),
        json!({"type": "account", "account": "gone", "removed": true}),
    ])
}

/// What they think better of later on.
pub(super) fn later_changes() -> Vec<String> {
    lines(&[
        json!({"type": "follow", "account": "2", "target": SLOW}),
        json!({"type": "follow", "account": "1", "target": CY, "removed": true}),
        json!({"type": "mute", "account": "2", "target": BOB, "removed": true}),
        json!({"type": "block", "account": "2", "target": DORA, "removed": true}),
        json!({"type": "blocked_by", "account": "2", "target": DROP, "removed": true}),
        json!({"type": "domain_block", "account": "2", "target": "hal.example", "removed": true}),
        json!({"type": "tag", "account": "every-boost", "target": "sea"}),
        json!({"type": "list_member", "account": "1", "list": "friends", "target": HAL}),
        json!({"type": "list", "account": "1", "target": "apart", "title": "Apart", "exclusive": false}),
        json!({"type": "moderation", "account": "_instance", "target": FAY, "removed": true}),
        json!({"type": "moderation", "account": "_instance", "target": EVE, "removed": true}),
        json!({"type": "moderation", "account": "_instance", "target": "cy.example", "action": "limit"}),
        json!({"type": "account", "account": "gone", "actor": "https://home.example/users/gus"}),
        json!({"type": "account", "account": "every-boost", "actor": "https://home.example/users/eli"}),
    ])
}

/// Posts to be asked for one by one: each is a case of its own.
pub(super) fn told_of() -> Vec<(&'static str, &'static str)> {
    let of = |author, names: &[&'static str]| -> Vec<(&'static str, &'static str)> {
        names.iter().map(|name| (author, *name)).collect()
    };
    [
        of(
            ANA,
            &[
                "public",
                "unlisted",
                "private",
                "direct",
                "limited",
                "to-mia",
                "to-a-stranger",
            ],
        ),
        of(
            ANA,
            &[
                "waits-for-its-parent",
                "waits-for-a-stranger",
                "waiting-goes-on",
                "late",
                "too-late",
            ],
        ),
        of(
            ANA,
            &[
                "undated",
                "from-the-future",
                "same-moment-1",
                "same-moment-2",
                "old-0",
            ],
        ),
        of(
            BOB,
            &[
                "tagged",
                "picture",
                "poll",
                "answer-goes-on",
                "to-ian",
                "boost",
                "boost-of-own-private",
            ],
        ),
        of(BOB, &["deleted-before-it-came", "never-came", "old-0"]),
        of(
            CY,
            &[
                "maré",
                "untagged-later",
                "boost",
                "boost-waits",
                "undone",
                "edited-before-it-came",
                "not-yet",
            ],
        ),
        of(DORA, &["flock", "second-flock", "third-flock"]),
        of(STRANGER, &["known", "not-yet", "relayed"]),
        of(FORGOTTEN, &["old-0", "old-7"]),
        of(DROP, &["too-late", "late"]),
        of(SURFACE, &["late"]),
        of(SLOW, &["in-time", "late"]),
        of(LEARNED, &["0", "269"]),
        [EVE, FAY, GIL, HAL, IAN]
            .map(|author| (author, "1"))
            .to_vec(),
        vec![(MIA, "own"), (NOA, "own")],
    ]
    .concat()
}
