//! A made-up fediverse: the posts of its people, when they are written and when they arrive. Pure; the same seed gives the same
//! posts.
//!
//! It has five origins, each with a style of delivery of its own, and posts in the shapes that their real models send. It lives
//! [`FASTER`] than the fediverse does: what takes a minute there takes a second here, so that somebody who looks sees it happen.

mod activity;
pub mod people;

use activity::Draft;
use fastrand::Rng;
use people::{DeliveryStyle, PEOPLE, Person, THREADS};
use serde_json::{Value, json};
use slackwater_fediverse::json::{relation, update_of_person};
use slackwater_order::time::Time;
use std::time::Duration;

/// How many times as fast it lives: its minute is a second here.
pub const FASTER: u32 = 60;
/// The time here that [`hour`] fills.
pub const HOUR: Duration = Duration::from_secs(60 * 60 / FASTER as u64);

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
/// An hour there.
const WHOLE_HOUR: Duration = Duration::from_secs(60 * 60);
/// How often an hour everybody writes something, beside the threads.
const ROUNDS: u32 = 3;

/// A post and its arrival.
#[derive(Clone, Debug, PartialEq)]
pub struct ScheduledPost {
    /// The object's id.
    pub uri: String,
    /// Its author, `name@host`.
    pub handle: String,
    /// Its text, without markup.
    pub text: &'static str,
    /// When it was written.
    pub published: Time,
    /// When it reaches this instance; never before `published`.
    pub arrives: Time,
    /// The id of the object that it answers. It is in no feed before that has arrived.
    pub parent: Option<String>,
    /// The Create that brings it.
    pub activity: Value,
}

/// The times of the made-up fediverse, as times here. There it is 0 at `start`.
#[derive(Clone, Copy)]
struct Calendar {
    start: Time,
}

impl Calendar {
    fn here(self, there: Time) -> Time {
        self.start
            .plus(Duration::from_millis(there.millis().unsigned_abs()) / FASTER)
    }
}

/// The documents that make `account` somebody here with this patience who follows those people.
pub fn relationships(account: &str, patience: &str, follows: &[&Person]) -> Vec<Value> {
    let own = format!("https://home.example/users/{account}");
    let whole = json!({"actor": own, "patience": patience});
    let follow = |it: &&Person| relation("follow", account, &json!({"target": it.actor()}), false);
    std::iter::once(relation("account", account, &whole, false))
        .chain(follows.iter().map(follow))
        .collect()
}

/// The Updates by which the origins of those who write say what their names are.
pub fn profiles() -> Vec<Value> {
    let profile = |person: &Person| {
        let actor = person.actor();
        let mut update = update_of_person(&actor, &format!("{actor}/followers"));
        if let Some(document) = update.get_mut("object").and_then(Value::as_object_mut) {
            document.insert("preferredUsername".to_owned(), json!(person.name));
        }
        update
    };
    PEOPLE.iter().map(profile).collect()
}

/// The posts written in the `nth` hour after `start`, which is a whole second, in that order. No two posts are of the same second, so
/// that a clock with seconds shows their order.
pub fn hour(seed: u64, start: Time, nth: u32) -> Vec<ScheduledPost> {
    let mut rng = Rng::with_seed(seed.wrapping_mul(1_000_003).wrapping_add(u64::from(nth)));
    let calendar = Calendar { start };
    let begins = Time::from_millis(0).plus(WHOLE_HOUR * nth);
    let mut posts = Vec::new();
    let mut taken = Vec::new();
    for half in 0..2_u32 {
        let first = half * 30 + rng.u32(2..22);
        let number = (nth * 2 + half) as usize + usize::try_from(seed % 4).unwrap_or(0);
        let Some(parts) = THREADS.iter().cycle().nth(number % THREADS.len()) else {
            continue;
        };
        let minutes = [first, first + 1, first + 2];
        taken.extend(minutes);
        posts.extend(thread(calendar, begins, minutes, parts, &mut rng));
    }
    let mut minutes: Vec<u32> = (0..60).filter(|it| !taken.contains(it)).collect();
    rng.shuffle(&mut minutes);
    minutes.truncate(ROUNDS as usize * PEOPLE.len());
    minutes.sort_unstable();
    let mut minutes = minutes.into_iter();
    for round in nth * ROUNDS..(nth + 1) * ROUNDS {
        // Everybody once a round, each with the next text of their own.
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
            let since_begin = published.since(begins);
            let delay = person.style.delay().delay_ms(&mut rng, since_begin);
            let arrives = Time::from_millis(published.millis() + delay);
            let draft = Draft {
                author: person,
                text,
                published: calendar.here(published),
                parent: None,
            };
            posts.push(scheduled(&draft, calendar.here(arrives)));
        }
    }
    posts.sort_by_key(|post| post.published);
    posts
}

/// A thread through the bridge: the second part arrives first, then the third, the first last.
fn thread(
    calendar: Calendar,
    begins: Time,
    minutes: [u32; 3],
    parts: &[&'static str; 3],
    rng: &mut Rng,
) -> Vec<ScheduledPost> {
    let bridged = PEOPLE.iter().find(|it| it.style == DeliveryStyle::Bridge);
    let Some(person) = bridged else {
        return Vec::new();
    };
    let all_written = begins.plus(MINUTE * minutes.iter().copied().max().unwrap_or(0) + MINUTE);
    let mut posts: Vec<ScheduledPost> = Vec::new();
    for ((minute, text), nth_to_arrive) in minutes.into_iter().zip(parts).zip([2, 0, 1]) {
        let published = begins.plus(MINUTE * minute + SECOND * rng.u32(0..50));
        let arrives = all_written.plus(SECOND * (30 + nth_to_arrive * 90));
        let parent = posts.last().map(|before| before.uri.clone());
        let draft = Draft {
            author: person,
            text,
            published: calendar.here(published),
            parent: parent.as_deref(),
        };
        posts.push(scheduled(&draft, calendar.here(arrives)));
    }
    posts
}

fn scheduled(draft: &Draft<'_>, arrives: Time) -> ScheduledPost {
    let (uri, activity) = draft.activity();
    ScheduledPost {
        uri,
        handle: draft.author.handle(),
        text: draft.text,
        published: draft.published,
        arrives,
        parent: draft.parent.map(str::to_owned),
        activity,
    }
}

#[cfg(test)]
mod tests;
