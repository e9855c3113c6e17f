//! What the triggers cost an insert, in processor time of PostgreSQL's process for the connection, which a busy machine disturbs least.
//! A measurement (docs/benchmarks.md), which every test run makes small; only on Linux:
//!
//! ```text
//! SLACKWATER_MEASURE=1 cargo test --test it -- --nocapture database::cost
//! ```

use super::{install, number};
use crate::support::measures;
use crate::support::postgres::{Database, Version};
use postgres::{Client, SimpleQueryMessage};
use slackwater::clock;
use std::fs;

/// How much is measured.
struct Size {
    /// Posts there are before.
    posts_before: i64,
    /// Rounds, each of which has all levels one after the other, so that what else the machine does strikes them alike.
    rounds: usize,
    /// Posts in a round.
    posts: usize,
}

impl Size {
    fn of_this_run() -> Size {
        let (posts_before, rounds, posts) = match measures() {
            true => (100_000, 20, 250),
            false => (500, 3, 5),
        };
        Size {
            posts_before,
            rounds,
            posts,
        }
    }
}

/// A database at one level, and what each round took there.
struct Stage {
    name: &'static str,
    client: Client,
    author: i64,
    /// Microseconds a post: of processor time, and by the clock.
    micros: Vec<[f64; 2]>,
}

#[test]
fn the_cost_of_a_post_with_its_mentions_and_tags_at_each_level() {
    let levels = [
        ("without", None),
        ("look", Some(&[][..])),
        ("serve", Some(&["--serve"][..])),
    ];
    let Size {
        posts_before,
        rounds,
        posts,
    } = Size::of_this_run();
    let mut stages: Vec<Stage> = Vec::new();
    for (name, level) in levels {
        let database = Database::mastodon(Version::NEWEST);
        let mut client = database.connect();
        let author = populate(&mut client, posts_before);
        if let Some(level) = level {
            install(&database, level);
        }
        stages.push(Stage {
            name,
            client,
            author,
            micros: Vec::new(),
        });
    }
    for round in 0..rounds {
        for Stage {
            client,
            author,
            micros,
            ..
        } in &mut stages
        {
            let process = number(client, "SELECT pg_backend_pid()::bigint");
            let (worked, begun) = (processor_nanos(process), clock::stopwatch());
            for nth in 0..posts {
                deliver(client, *author, round * posts + nth);
            }
            let elapsed = begun.elapsed().as_secs_f64() * 1e6;
            let worked = (processor_nanos(process) - worked) as f64 / 1e3;
            micros.push([worked / posts as f64, elapsed / posts as f64]);
        }
    }
    let median = |micros: &[[f64; 2]], which: usize| {
        let mut sorted: Vec<f64> = micros.iter().map(|both| both[which]).collect();
        sorted.sort_by(f64::total_cmp);
        sorted[sorted.len() / 2]
    };
    // The first round fills caches.
    let without = stages[0].micros[1..].to_vec();
    println!(
        "a post with two mentions, two tags and a picture, in a transaction of its own; medians of {} rounds of {posts}",
        rounds - 1
    );
    for Stage {
        name,
        client,
        micros,
        ..
    } in &mut stages
    {
        let micros = &micros[1..];
        let more: Vec<[f64; 2]> = micros
            .iter()
            .zip(&without)
            .map(|(with, without)| [with[0] - without[0], with[1] - without[1]])
            .collect();
        println!(
            "{name:8} {:6.0} µs of processor time a post, {:+5.0}; {:6.0} µs by the clock, {:+5.0}",
            median(micros, 0),
            median(&more, 0),
            median(micros, 1),
            median(&more, 1)
        );
        if *name != "without" {
            let noted = number(client, "SELECT count(*) FROM slackwater.outbox");
            assert_eq!(
                noted,
                (rounds * posts * 6) as i64,
                "what was measured was noted"
            );
            let bytes = number(client, "SELECT pg_total_relation_size('slackwater.outbox')");
            println!(
                "         {} bytes a row of the outbox, with its index",
                bytes / noted
            );
        }
    }
}

/// The time that a process was on a processor.
fn processor_nanos(process: i64) -> u64 {
    let text = fs::read_to_string(format!("/proc/{process}/schedstat"))
        .expect("what the kernel says of PostgreSQL's process");
    text.split(' ')
        .next()
        .and_then(|nanos| nanos.parse().ok())
        .expect("nanoseconds")
}

fn populate(client: &mut Client, posts_before: i64) -> i64 {
    client
        .batch_execute(&format!(
            "SELECT pretend.local_account('l' || n) FROM generate_series(1, 50) AS n;
             SELECT pretend.remote_account('r' || n, 'h' || n % 20 || '.example') FROM generate_series(1, 500) AS n;
             SELECT pretend.tag('t' || n) FROM generate_series(1, 200) AS n;
             SELECT pretend.fetch((SELECT id FROM accounts WHERE username = 'r' || (n % 500 + 1)), 'https://old.example/' || n,
                now() - interval '2 days' - n * interval '3 seconds') FROM generate_series(1, {posts_before}) AS n;
             ANALYZE"
        ))
        .expect("posts there are before");
    number(client, "SELECT id FROM accounts WHERE username = 'r7'")
}

/// As Rails sends it: each statement by itself.
fn deliver(client: &mut Client, author: i64, nth: usize) {
    let mut run = |sql: &str| {
        client
            .simple_query(sql)
            .unwrap_or_else(|error| panic!("{sql}: {error:?}"))
    };
    run("BEGIN");
    let text = "<p>hello</p>".repeat(40);
    let answer = run(&format!(
        "INSERT INTO statuses (uri, url, text, created_at, updated_at, account_id, local, visibility, language)
         VALUES ('https://new.example/{nth}', 'https://new.example/{nth}', '{text}', now() AT TIME ZONE 'UTC' - interval '7 seconds',
            now() AT TIME ZONE 'UTC', {author}, false, 0, 'en') RETURNING id"
    ));
    let id = answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    let id = id.expect("the id");
    let local = nth % 50 + 1;
    for name in [format!("l{local}"), format!("r{}", nth % 500 + 1)] {
        run(&format!(
            "INSERT INTO mentions (status_id, account_id, created_at, updated_at)
             SELECT {id}, id, now(), now() FROM accounts WHERE lower(username) = '{name}'"
        ));
    }
    for tag in [nth % 200 + 1, (nth + 7) % 200 + 1] {
        run(&format!(
            "INSERT INTO statuses_tags (status_id, tag_id) SELECT {id}, id FROM tags WHERE lower(name) = 't{tag}'"
        ));
    }
    run(&format!(
        "INSERT INTO media_attachments (status_id, account_id, remote_url, file_content_type, created_at, updated_at)
         VALUES ({id}, {author}, 'https://new.example/{nth}.png', 'image/png', now(), now())"
    ));
    run("COMMIT");
}
