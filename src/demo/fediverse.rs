//! A made-up fediverse: the posts of its people, when they are written and when they arrive. Pure; the same seed gives the same
//! posts.
//!
//! It has five origins, each with a style of delivery of its own, and posts in the shapes that their real models send.

mod activity;
pub mod people;

use activity::Draft;
use fastrand::Rng;
use people::{DeliveryStyle, PEOPLE, Person, THREADS};
use serde_json::{Value, json};
use slackwater_fediverse::json::relation;
use slackwater_order::time::Time;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
/// The time that [`hour`] fills.
pub const HOUR: Duration = Duration::from_secs(60 * 60);
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
    /// The Create that brings it.
    pub activity: Value,
}

/// The documents that make `account` somebody here who follows everybody.
pub fn relationships(account: &str) -> Vec<Value> {
    let say =
        |kind, field: &str, actor: String| relation(kind, account, &json!({field: actor}), false);
    let own = format!("https://home.example/users/{account}");
    let follows = PEOPLE.iter().map(|it| say("follow", "target", it.actor()));
    std::iter::once(say("account", "actor", own))
        .chain(follows)
        .collect()
}

/// The posts written in the `nth` hour after `start`, in that order. No two posts are of the same minute, so that a clock
/// without seconds shows their order.
pub fn hour(seed: u64, start: Time, nth: u32) -> Vec<ScheduledPost> {
    let mut rng = Rng::with_seed(seed.wrapping_mul(1_000_003).wrapping_add(u64::from(nth)));
    let begins = start.plus(HOUR * nth);
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
        posts.extend(thread(begins, minutes, parts, &mut rng));
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
                published,
                parent: None,
            };
            posts.push(scheduled(&draft, arrives));
        }
    }
    posts.sort_by_key(|post| post.published);
    posts
}

/// A thread through the bridge: the second part arrives first, then the third, the first last.
fn thread(
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
            published,
            parent: parent.as_deref(),
        };
        posts.push(scheduled(&draft, arrives));
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
        activity,
    }
}

#[cfg(test)]
mod tests;
