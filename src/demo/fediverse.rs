//! A made-up fediverse: who writes what, when, and when it comes. Pure; the same seed gives the same posts.
//!
//! Five origins, each with a way of its own to deliver, and posts in the shapes their real models send.

use fastrand::Rng;
use serde_json::{Value, json};
use slackwater_order::time::Time;
use std::time::Duration;

const PUBLIC: &str = "https://www.w3.org/ns/activitystreams#Public";
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
/// What [`hour`] makes at a time.
pub const HOUR: Duration = Duration::from_secs(60 * 60);
/// How often the slow queue runs.
const QUEUE_EVERY_MINUTES: u32 = 8;
/// How often an hour everybody writes something, beside the threads.
const ROUNDS: u32 = 3;

/// How an origin's posts look and how they come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Mastodon-like; a few seconds.
    Punctual,
    /// Misskey-like; a few seconds.
    Hearth,
    /// Mastodon-like; sent when its queue runs, every 8 minutes.
    SlowQueue,
    /// A bridge; a minute or two, and of a thread the first post last.
    Bridge,
    /// Threads-like; held for 15 minutes.
    ThreadsLike,
}

/// An origin: its host, its manner, and that manner in a few words.
pub const ORIGINS: [(&str, Manner, &str); 5] = [
    ("tide.example", Manner::Punctual, "punctual"),
    ("hearth.example", Manner::Hearth, "punctual"),
    (
        "slow.example",
        Manner::SlowQueue,
        "its queue runs every 8 min",
    ),
    ("bridge.example", Manner::Bridge, "delivers threads 2, 3, 1"),
    (
        "threads-like.example",
        Manner::ThreadsLike,
        "holds posts for 15 min",
    ),
];

/// Somebody who writes.
#[derive(Debug, PartialEq, Eq)]
pub struct Person {
    /// As in `name@host`.
    pub name: &'static str,
    manner: Manner,
    /// What they write, in this order: it tells a small story.
    says: [&'static str; 5],
}

/// Everybody.
pub const PEOPLE: [Person; 10] = [
    Person {
        name: "ana",
        manner: Manner::Punctual,
        says: [
            "Low tide at last, boots on",
            "Found a whole crab shell",
            "The ferry is early, imagine",
            "Fog so thick it has corners",
            "Back home, sand everywhere",
        ],
    },
    Person {
        name: "boris",
        manner: Manner::Punctual,
        says: [
            "Bread is in the oven",
            "Bread is out of the oven",
            "Half the bread is gone already",
            "Never trust a new yeast",
            "Rye tomorrow, promised",
        ],
    },
    Person {
        name: "chidi",
        manner: Manner::Punctual,
        says: [
            "Goal! What a shot",
            "Half time, still one nil",
            "They equalised, of course",
            "Extra time, I cannot look",
            "Penalties. I am hiding",
        ],
    },
    Person {
        name: "dara",
        manner: Manner::Hearth,
        says: [
            "The cat learned to open doors",
            "Cat is now in the fridge",
            "New lock, annoyed cat",
            "Tea number four",
            "Finished the blue scarf",
        ],
    },
    Person {
        name: "emi",
        manner: Manner::Hearth,
        says: [
            "Rain on the tin roof again",
            "Practising the hard bit, slowly",
            "Neighbour asked for an encore",
            "New strings sound like bells",
            "Broke a string. Of course",
        ],
    },
    Person {
        name: "farid",
        manner: Manner::SlowQueue,
        says: [
            "Tomatoes: nine. Slugs: eleven",
            "First bee of the day",
            "Compost is steaming nicely",
            "Whose goat is this",
            "The goat has a name now",
        ],
    },
    Person {
        name: "greta",
        manner: Manner::SlowQueue,
        says: [
            "Library closes in ten minutes",
            "Someone returned a book from 1987",
            "No fine for brave people",
            "Found a pressed fern at page 40",
            "Lights out among the shelves",
        ],
    },
    Person {
        name: "hana",
        manner: Manner::Bridge,
        says: [
            "Drew a heron today",
            "The heron moved",
            "Drew a rock instead",
            "Ink on every finger",
            "Sketchbook number twelve is full",
        ],
    },
    Person {
        name: "june",
        manner: Manner::ThreadsLike,
        says: [
            "Sunset in five, run to the pier",
            "Best sunset of the year",
            "Street food by the pier is open",
            "Queue is short right now",
            "Dumplings sold out, sorry",
        ],
    },
    Person {
        name: "kofi",
        manner: Manner::ThreadsLike,
        says: [
            "Doors open, come early",
            "Support act is wonderful",
            "Main act in two minutes",
            "They are playing the old one",
            "Last song now",
        ],
    },
];

/// Threads that `hana` writes through the bridge.
const THREADS: [[&str; 3]; 4] = [
    [
        "1/3 How to draw a heron: look long",
        "2/3 Draw only what is still there",
        "3/3 Leave the legs for last",
    ],
    [
        "1/3 Missed the last bus, so I walk",
        "2/3 A fox walks along, keeps its distance",
        "3/3 Home. The fox did not come in",
    ],
    [
        "1/3 My grandmother had one ink recipe",
        "2/3 Oak galls, rust, rain, patience",
        "3/3 It still writes after 60 years",
    ],
    [
        "1/3 A riddle: I come in twice a day",
        "2/3 I carry boats and never tire",
        "3/3 It is the tide. You knew",
    ],
];

impl Person {
    /// The host their posts come from.
    pub fn host(&self) -> &'static str {
        ORIGINS
            .iter()
            .find(|(_, manner, _)| *manner == self.manner)
            .map_or("", |(host, ..)| host)
    }

    /// How their origin looks and delivers.
    pub fn manner(&self) -> Manner {
        self.manner
    }

    /// `name@host`.
    pub fn handle(&self) -> String {
        format!("{}@{}", self.name, self.host())
    }

    /// Their actor id, in the shape their kind of server gives.
    pub fn actor(&self) -> String {
        let (host, name) = (self.host(), self.name);
        let number = name.bytes().fold(7_u64, |sum, b| sum * 31 + u64::from(b));
        match self.manner {
            Manner::Punctual | Manner::SlowQueue => format!("https://{host}/users/{name}"),
            Manner::Hearth => format!("https://{host}/users/9{number:09x}"),
            Manner::Bridge => format!("https://{host}/did:plc:{name}{number:012x}"),
            Manner::ThreadsLike => format!("https://{host}/ap/users/17841{number:012}/"),
        }
    }
}

/// A post on its way.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The object's id.
    pub uri: String,
    /// Who wrote it, `name@host`.
    pub handle: String,
    /// What it says.
    pub text: &'static str,
    /// When it was written.
    pub published: Time,
    /// When it reaches this instance; never before `published`.
    pub arrives: Time,
    /// The Create that brings it.
    pub activity: Value,
}

/// The documents that make `account` somebody here who follows everybody.
pub fn relationships(account: &str) -> Vec<Value> {
    let actor = format!("https://home.example/users/{account}");
    let mut all = vec![json!({"type": "account", "account": account, "actor": actor})];
    all.extend(
        PEOPLE
            .iter()
            .map(|it| json!({"type": "follow", "account": account, "target": it.actor()})),
    );
    all
}

/// What is written in the `nth` hour after `start`, in that order. No two posts are of the same minute, so that a clock
/// without seconds shows their order.
pub fn hour(seed: u64, start: Time, nth: u32) -> Vec<Event> {
    let mut rng = Rng::with_seed(seed.wrapping_mul(1_000_003).wrapping_add(u64::from(nth)));
    let begins = start.plus(HOUR * nth);
    let mut events = Vec::new();
    let mut taken = Vec::new();
    for half in 0..2_u32 {
        let first = half * 30 + rng.u32(2..22);
        let number = (nth * 2 + half) as usize + usize::try_from(seed % 4).unwrap_or(0);
        let Some(parts) = THREADS.iter().cycle().nth(number % THREADS.len()) else {
            continue;
        };
        let minutes = [first, first + 1, first + 2];
        taken.extend(minutes);
        events.extend(thread(begins, minutes, parts, &mut rng));
    }
    let mut minutes: Vec<u32> = (0..60).filter(|it| !taken.contains(it)).collect();
    rng.shuffle(&mut minutes);
    minutes.truncate(ROUNDS as usize * PEOPLE.len());
    minutes.sort_unstable();
    let mut minutes = minutes.into_iter();
    for round in nth * ROUNDS..(nth + 1) * ROUNDS {
        // Everybody once a round, each with what comes next for them.
        let mut speakers: Vec<&Person> = PEOPLE.iter().collect();
        rng.shuffle(&mut speakers);
        for (person, minute) in speakers.into_iter().zip(minutes.by_ref()) {
            let Some(text) = person
                .says
                .iter()
                .cycle()
                .nth(round as usize % person.says.len())
            else {
                continue;
            };
            let published = begins.plus(MINUTE * minute + SECOND * rng.u32(0..50));
            let arrives = published.plus(delay(person.manner, begins, published, &mut rng));
            events.push(event(person, text, published, arrives, None));
        }
    }
    events.sort_by_key(|event| event.published);
    events
}

/// A thread through the bridge: the second part arrives first, then the third, the first last.
fn thread(begins: Time, minutes: [u32; 3], parts: &[&'static str; 3], rng: &mut Rng) -> Vec<Event> {
    let bridged = PEOPLE.iter().find(|it| it.manner == Manner::Bridge);
    let Some(person) = bridged else {
        return Vec::new();
    };
    let all_written = begins.plus(MINUTE * minutes.iter().copied().max().unwrap_or(0) + MINUTE);
    let mut events: Vec<Event> = Vec::new();
    for ((minute, text), nth_to_arrive) in minutes.into_iter().zip(parts).zip([2, 0, 1]) {
        let published = begins.plus(MINUTE * minute + SECOND * rng.u32(0..50));
        let arrives = all_written.plus(SECOND * (30 + nth_to_arrive * 90));
        let answers = events.last().map(|before| before.uri.clone());
        events.push(event(person, text, published, arrives, answers.as_deref()));
    }
    events
}

/// How long a single post takes.
fn delay(manner: Manner, hour_begins: Time, published: Time, rng: &mut Rng) -> Duration {
    match manner {
        Manner::Punctual => SECOND * rng.u32(1..5),
        Manner::Hearth => SECOND * rng.u32(2..9),
        Manner::Bridge => SECOND * rng.u32(60..150),
        Manner::ThreadsLike => 15 * MINUTE + SECOND * rng.u32(0..30),
        Manner::SlowQueue => {
            let run = i64::from(QUEUE_EVERY_MINUTES) * 60_000;
            let left = run - published.since(hour_begins).rem_euclid(run);
            Duration::from_millis(u64::try_from(left).unwrap_or(0)) + SECOND * rng.u32(0..20)
        }
    }
}

fn event(
    person: &'static Person,
    text: &'static str,
    published: Time,
    arrives: Time,
    answers: Option<&str>,
) -> Event {
    let (actor, host, name) = (person.actor(), person.host(), person.name);
    // Stands for whatever a server counts its posts by.
    let number = published.millis();
    let content = format!("<p>{text}</p>");
    let (uri, activity) = match person.manner {
        Manner::Punctual | Manner::SlowQueue => {
            let uri = format!("{actor}/statuses/{number}");
            let at = published.rfc3339();
            let followers = format!("{actor}/followers");
            let activity = json!({
                "@context": ["https://www.w3.org/ns/activitystreams", {"sensitive": "as:sensitive"}],
                "id": format!("{uri}/activity"),
                "type": "Create",
                "actor": actor,
                "published": at,
                "to": [PUBLIC],
                "cc": [followers],
                "object": {
                    "id": uri,
                    "type": "Note",
                    "summary": null,
                    "inReplyTo": answers,
                    "published": at,
                    "url": format!("https://{host}/@{name}/{number}"),
                    "attributedTo": actor,
                    "to": [PUBLIC],
                    "cc": [followers],
                    "sensitive": false,
                    "content": content,
                    "contentMap": {"en": content},
                    "attachment": [],
                    "tag": [],
                },
            });
            (uri, activity)
        }
        Manner::Hearth => {
            let uri = format!("https://{host}/notes/a{number:x}");
            let at = published.rfc3339().replace('Z', ".000Z");
            let activity = json!({
                "@context": ["https://www.w3.org/ns/activitystreams", "https://w3id.org/security/v1"],
                "id": format!("{uri}/activity"),
                "type": "Create",
                "actor": actor,
                "published": at,
                "object": {
                    "id": uri,
                    "type": "Note",
                    "attributedTo": actor,
                    "content": content,
                    "_misskey_content": text,
                    "source": {"content": text, "mediaType": "text/x.misskeymarkdown"},
                    "published": at,
                    "to": [PUBLIC],
                    "cc": [format!("{actor}/followers")],
                    "inReplyTo": answers,
                    "attachment": [],
                    "sensitive": false,
                    "tag": [],
                },
                "to": [PUBLIC],
                "cc": [format!("{actor}/followers")],
            });
            (uri, activity)
        }
        Manner::Bridge => {
            let did = actor.rsplit('/').next().unwrap_or_default();
            let uri =
                format!("https://{host}/convert/ap/at://{did}/app.bsky.feed.post/3k{number:x}");
            let at = published.rfc3339().replace('Z', ".000Z");
            let activity = json!({
                "@context": "https://www.w3.org/ns/activitystreams",
                "type": "Create",
                "id": format!("{uri}#bridgy-fed-create"),
                "actor": actor,
                "published": at,
                "object": {
                    "type": "Note",
                    "id": uri,
                    "url": [{"type": "Link", "href": format!("https://sky.example/profile/{did}/post/3k{number:x}")}],
                    "attributedTo": actor,
                    "content": content,
                    "contentMap": {"en": content},
                    "inReplyTo": answers,
                    "published": at,
                    "to": PUBLIC,
                },
                "to": PUBLIC,
            });
            (uri, activity)
        }
        Manner::ThreadsLike => {
            let uri = format!("{actor}post/{number}/");
            // No colon in the offset, as Threads writes it.
            let at = published.rfc3339().replace('Z', "+0000");
            let followers = format!("{actor}followers/");
            let activity = json!({
                "@context": ["https://www.w3.org/ns/activitystreams"],
                "id": format!("{uri}activity/"),
                "type": "Create",
                "actor": actor,
                "to": [PUBLIC],
                "cc": [followers],
                "published": at,
                "object": {
                    "id": uri,
                    "type": "Note",
                    "attributedTo": actor,
                    "content": content,
                    "published": at,
                    "to": [PUBLIC],
                    "cc": [followers],
                    "url": format!("https://www.{host}/@{name}/post/{number:x}"),
                    "tag": [],
                    "attachment": [],
                },
            });
            (uri, activity)
        }
    };
    Event {
        uri,
        handle: person.handle(),
        text,
        published,
        arrives,
        activity,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::post::Activity;
    use crate::post::activity::decode;
    use crate::post::record::Vouched;
    use std::collections::BTreeSet;

    const START: Time = Time::from_millis(1_763_748_000_000);

    fn day(seed: u64) -> Vec<Event> {
        (0..24).flat_map(|nth| hour(seed, START, nth)).collect()
    }

    fn of(events: &[Event], manner: Manner) -> Vec<Event> {
        let (host, ..) = ORIGINS.iter().find(|it| it.1 == manner).unwrap();
        let from_there = |it: &&Event| it.handle.ends_with(&format!("@{host}"));
        events.iter().filter(from_there).cloned().collect()
    }

    #[test]
    fn a_seed_is_a_world() {
        assert_eq!(day(7), day(7));
        assert_ne!(day(7), day(8));
    }

    #[test]
    fn the_bridge_delivers_threads_2_3_1() {
        for seed in 0..20 {
            let mut parts: Vec<Event> = of(&day(seed), Manner::Bridge)
                .into_iter()
                .filter(|it| it.text.contains("/3 "))
                .collect();
            let written: String = parts.iter().map(|it| &it.text[..1]).collect();
            assert_eq!(written, "123".repeat(48), "seed {seed}");
            for thread in parts.chunks(3) {
                let answers = |nth: usize| thread[nth].activity["object"]["inReplyTo"].clone();
                assert_eq!(answers(0), Value::Null);
                assert_eq!(answers(1), thread[0].uri);
                assert_eq!(answers(2), thread[1].uri);
            }
            parts.sort_by_key(|it| it.arrives);
            let arrived: String = parts.iter().map(|it| &it.text[..1]).collect();
            assert_eq!(arrived, "231".repeat(48), "seed {seed}");
        }
    }

    #[test]
    fn each_origin_takes_its_time() {
        for seed in 0..20 {
            let events = day(seed);
            for (manner, seconds) in [
                (Manner::Punctual, 1..=5),
                (Manner::Hearth, 2..=9),
                (Manner::SlowQueue, 0..=500),
                (Manner::Bridge, 60..=600),
                (Manner::ThreadsLike, 900..=930),
            ] {
                let all = of(&events, manner);
                assert!(20 < all.len(), "{manner:?} is heard");
                for it in all {
                    let delay = it.arrives.since(it.published) / 1000;
                    assert!(seconds.contains(&delay), "{manner:?} took {delay} s");
                }
            }
        }
    }

    #[test]
    fn no_two_posts_are_of_the_same_minute() {
        for seed in 0..20 {
            let events = day(seed);
            let minutes: BTreeSet<i64> = events
                .iter()
                .map(|it| it.published.millis() / 60_000)
                .collect();
            assert_eq!(minutes.len(), events.len());
        }
    }

    #[test]
    fn every_activity_is_understood_as_it_is_meant() {
        for it in day(1) {
            let bytes = serde_json::to_vec(&it.activity).unwrap();
            let Ok(Activity::Post { body, .. }) = decode(&bytes, Vouched::default()) else {
                panic!("{} is no post", it.activity);
            };
            assert_eq!(body.uri, it.uri);
            assert_eq!(body.published, Some(it.published));
            let known = PEOPLE.iter().find(|person| person.actor() == body.author);
            assert_eq!(known.map(Person::handle), Some(it.handle));
        }
    }
}
