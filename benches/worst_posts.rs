//! The posts of a megabyte that cost most to show to clients of Mastodon's API: how long the first reader's takes, and how long it
//! is then. Prints the ten worst, and the ten worst texts of HTML.
#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing
)]

mod support;
#[path = "../src/mastodon/worst_posts.rs"]
mod worst_posts;

use serde_json::value::RawValue;
use serde_json::{Value, json};
use slackwater::clock;
use slackwater::mastodon::account::{Account, AccountSource};
use slackwater::mastodon::html::html;
use slackwater::mastodon::status::{KnownMention, Status, StatusContext};
use slackwater_order::time::Time;
use std::time::Duration;
use support::{post, sized};

const SHOWN: usize = 10;
/// The quickest of so many counts: others use the machine too.
const TRIES: usize = 3;

/// What it was, how long it took, how long it was, and how long it is.
type Cost = (String, Duration, usize, usize);

fn main() {
    let bytes_max = sized(1_000_000, 10_000);
    let mut texts: Vec<Cost> = Vec::new();
    for bytes in [1_900, 4_000, 16_000, 40_000, 60_000, 131_000] {
        if bytes_max < bytes {
            break;
        }
        let thrown = (0..sized(300, 3)).map(|seed| {
            let seed = seed as u64;
            (format!("seed {seed}"), worst_posts::thrown(seed, bytes))
        });
        for (what, text) in worst_posts::texts(bytes).into_iter().chain(thrown) {
            let tries = (0..TRIES).map(|nth| {
                // Another each time: one is made once.
                let text = format!("{text}{nth}");
                let begun = clock::stopwatch();
                let shown = html(&text);
                (begun.elapsed(), text.len(), shown.len())
            });
            let (took, written, shown) = tries.min().unwrap();
            texts.push((what, took, written, shown));
        }
    }
    print("texts", &mut texts);

    let mut posts: Vec<Cost> = Vec::new();
    for (what, object) in worst_posts::objects(bytes_max) {
        posts.push(cost(what, &object));
    }
    // A text that costs most, and then another matter.
    let (dear, ..) = texts[0].clone();
    for (what, mut object) in worst_posts::objects(bytes_max - bytes_max / 7) {
        let text = worst_posts::texts(texts[0].2.min(bytes_max / 7)).into_iter();
        let text = text
            .filter(|(what, _)| *what == dear)
            .map(|(_, text)| text)
            .next();
        object["content"] = json!(text.unwrap_or_default() + "<!-- -->");
        posts.push(cost(what, &object));
    }
    print("posts", &mut posts);
}

fn print(what: &str, costs: &mut [Cost]) {
    costs.sort_by_key(|(_, took, ..)| std::cmp::Reverse(*took));
    println!("{what}: took, bytes written, bytes shown");
    for (what, took, written, shown) in costs.iter().take(SHOWN) {
        println!(
            "  {:7.2} ms {written:8} {shown:8}  {what}",
            took.as_secs_f64() * 1e3
        );
    }
    let growth = |it: &&Cost| it.3 * 1_000 / (it.2 + 4_000);
    let grown = costs.iter().max_by_key(growth).unwrap();
    println!("  grew most: {} to {}: {}", grown.2, grown.3, grown.0);
}

fn cost(what: &str, object: &Value) -> Cost {
    let tries = (0..TRIES).map(|nth| {
        let mut object = object.clone();
        if let Some(content) = object["content"].as_str() {
            object["content"] = json!(format!("{content}{nth}"));
        }
        cost_once(what, &object)
    });
    tries.min_by_key(|(_, took, ..)| *took).unwrap()
}

fn cost_once(what: &str, object: &Value) -> Cost {
    let mut post = post(1, 1);
    let text = object.to_string();
    let written = text.len();
    post.body.object = RawValue::from_string(text).unwrap();
    let mentioned = |n: usize| KnownMention {
        actor: format!("https://a.example/{n}"),
        id: n.to_string(),
        username: n.to_string(),
        acct: n.to_string(),
    };
    let context = StatusContext {
        id: "1".to_owned(),
        account: Account::new(&AccountSource {
            actor: &post.body.author,
            id: "1",
            document: None,
            base_url: "https://home.example",
            is_local: false,
        }),
        base_url: "https://home.example".into(),
        in_reply_to_id: None,
        in_reply_to_account_id: None,
        mentioned: (0..100).map(mentioned).collect(),
    };
    let begun = clock::stopwatch();
    let status = Status::new(&post, context, None, Time::default());
    let shown = status.into_json(written).len();
    (what.to_owned(), begun.elapsed(), written, shown)
}
