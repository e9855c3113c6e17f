//! Ids that are made of the time a post was written.

use super::{install, number, to_do};
use crate::support::postgres::{Database, Version};
use postgres::{Client, NoTls};
use std::collections::{BTreeMap, BTreeSet};

const AUTHORS: i64 = 10;
const CONNECTIONS: i64 = 8;
const EACH: i64 = 125;

/// A post as it was inserted.
struct Post {
    author: i64,
    nth: i64,
    published: i64,
    id: i64,
}

/// A failure means that posts clash, so that Mastodon loses them, or that clients sort them otherwise than the feed does.
#[test]
fn a_thousand_posts_of_two_seconds_at_once_have_ids_that_sort_as_they_were_written() {
    for begins_at in [1, 32_300] {
        for is_pooled in [false, true] {
            let database = Database::mastodon(Version::NEWEST);
            install(&database, &["--serve"]);
            let mut client = database.connect();
            // The low bits begin again in the middle, the second time.
            client
                .batch_execute(&format!(
                    "ALTER SEQUENCE slackwater.low_bits RESTART {begins_at}"
                ))
                .unwrap();
            let authors: Vec<i64> = (0..AUTHORS)
                .map(|nth| {
                    number(
                        &mut client,
                        &format!("SELECT pretend.remote_account('a{nth}', 'tide.example')"),
                    )
                })
                .collect();
            let second = number(
                &mut client,
                "SELECT extract(epoch FROM now())::bigint - 300",
            );
            let pooler = is_pooled.then(|| database.pooled(&[]));
            let url = pooler
                .as_ref()
                .map_or_else(|| database.url(), |pooler| pooler.url());
            let posts = insert_at_once(&url, &authors, second);

            let found = client.query("SELECT id, uri FROM statuses", &[]).unwrap();
            let stored: BTreeMap<String, i64> =
                found.iter().map(|row| (row.get(1), row.get(0))).collect();
            assert_eq!(stored.len(), posts.len());
            for post in &posts {
                assert_eq!(
                    stored[&uri(post.author, post.nth)],
                    post.id,
                    "what the insert returned is the id"
                );
                assert_eq!(post.id >> 16, post.published * 1_000);
            }
            assert_eq!(
                posts
                    .iter()
                    .map(|post| post.id)
                    .collect::<BTreeSet<_>>()
                    .len(),
                posts.len()
            );
            for author in authors {
                let of_author = posts.iter().filter(|post| post.author == author);
                let mut of_author: Vec<_> = of_author
                    .map(|post| (post.published, post.nth, post.id))
                    .collect();
                of_author.sort_unstable();
                assert!(
                    of_author.is_sorted_by_key(|(_, _, id)| *id),
                    "{of_author:?}"
                );
            }
        }
    }
}

/// Some connections insert posts beside each other, those of an author one after the other.
fn insert_at_once(url: &str, authors: &[i64], second: i64) -> Vec<Post> {
    let deliver = |connection: i64| {
        let mut client = Client::connect(url, NoTls).unwrap();
        let mut posts = Vec::new();
        for nth in 0..EACH {
            // An author is on one connection; each connection has at least one.
            let of_connection: Vec<&i64> = authors
                .iter()
                .skip(usize::try_from(connection).unwrap())
                .step_by(CONNECTIONS as usize)
                .collect();
            let author = *of_connection[usize::try_from(nth).unwrap() % of_connection.len()];
            let published = second + nth % 2;
            let post = format!(
                "SELECT pretend.deliver({author}, '{}', to_timestamp({published}))",
                uri(author, nth)
            );
            let answer = client.simple_query(&post).unwrap();
            let id = answer.iter().find_map(|message| match message {
                postgres::SimpleQueryMessage::Row(row) => row.get(0)?.parse().ok(),
                _ => None,
            });
            posts.push(Post {
                author,
                nth,
                published,
                id: id.expect("the id"),
            });
        }
        posts
    };
    std::thread::scope(|scope| {
        let deliver = &deliver;
        let threads: Vec<_> = (0..CONNECTIONS)
            .map(|connection| scope.spawn(move || deliver(connection)))
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    })
}

fn uri(author: i64, nth: i64) -> String {
    format!("https://tide.example/{author}/{nth}")
}

/// A failure means that Mastodon's own posts move, or that anybody can put a post wherever they like.
#[test]
fn only_what_was_delivered_late_but_not_too_late_gets_such_an_id() {
    let database = Database::mastodon(Version::NEWEST);
    install(&database, &["--serve"]);
    let mut client = database.connect();
    let ana = number(
        &mut client,
        "SELECT pretend.remote_account('ana', 'tide.example')",
    );
    let mia = number(&mut client, "SELECT pretend.local_account('mia')");
    let mut nth = 0;
    let mut place_of = |ago: &str, how: &str| -> (i64, i64, i64) {
        nth += 1;
        let act = format!(
            "SELECT pretend.{how}({ana}, 'https://tide.example/{nth}', now() - interval '{ago}') >> 16,
                floor(extract(epoch FROM now() - interval '{ago}') * 1000)::bigint, (extract(epoch FROM now()) * 1000)::bigint"
        );
        let row = client.query_one(&act, &[]).unwrap();
        (row.get(0), row.get(1), row.get(2))
    };
    for ago in [
        "2 milliseconds",
        "1 second",
        "15 minutes",
        "23 hours 59 minutes",
    ] {
        let (place, published, _) = place_of(ago, "deliver");
        assert_eq!(place, published, "{ago}");
    }
    for ago in [
        "0 seconds",
        "24 hours 1 minute",
        "40 years",
        "-1 minute",
        "-3 days",
    ] {
        let (place, _, now) = place_of(ago, "deliver");
        assert!((place - now).abs() <= 1, "{ago}: {place} {now}");
    }
    let (place, published, _) = place_of("15 minutes", "fetch");
    assert_eq!(place / 1_000, published / 1_000);
    // How late is too late is a setting.
    client
        .batch_execute(
            "UPDATE slackwater.settings SET value = 60000 WHERE name = 'lateness_max_ms'",
        )
        .unwrap();
    let mut client = database.connect();
    let late = format!(
        "SELECT abs((pretend.deliver({ana}, 'https://tide.example/x', now() - interval '2 minutes') >> 16) - extract(epoch FROM now()) * 1000)::bigint"
    );
    assert!(number(&mut client, &late) <= 1);
    let own = format!(
        "SELECT abs((pretend.write({mia}, 'hello') >> 16) - extract(epoch FROM now()) * 1000)::bigint"
    );
    assert!(number(&mut client, &own) <= 1);
    // A boost that came late is a late post too.
    let boost = format!(
        "SELECT (pretend.boost({ana}, (SELECT min(id) FROM statuses), 'https://tide.example/b', now() - interval '50 seconds') >> 16)
            - floor(extract(epoch FROM now() - interval '50 seconds') * 1000)::bigint"
    );
    assert_eq!(number(&mut client, &boost), 0);
}

/// A failure means that a fault of ours stops Mastodon from taking posts.
#[test]
fn whatever_goes_wrong_in_the_trigger_the_post_is_taken_with_the_id_it_had() {
    let database = Database::mastodon(Version::NEWEST);
    install(&database, &["--serve"]);
    let mut client = database.connect();
    let ana = number(
        &mut client,
        "SELECT pretend.remote_account('ana', 'tide.example')",
    );
    for (nth, fault) in [
        "DROP SEQUENCE slackwater.low_bits",
        "DROP TABLE slackwater.settings",
        "DROP TABLE slackwater.outbox",
        "DROP TABLE slackwater.installed",
        "ALTER TABLE statuses RENAME COLUMN account_id TO author_id",
    ]
    .iter()
    .enumerate()
    {
        client.batch_execute(fault).unwrap();
        let author = if fault.contains("author_id") {
            "author_id"
        } else {
            "account_id"
        };
        let insert = format!(
            "INSERT INTO statuses (uri, created_at, updated_at, {author}, local)
             VALUES ('https://tide.example/{nth}', pretend.utc() - interval '5 minutes', pretend.utc(), {ana}, false)
             RETURNING (id >> 16) - (extract(epoch FROM now()) * 1000)::bigint"
        );
        let late = number(&mut client, &insert);
        assert!(late.abs() <= 1, "{fault}: {late}");
    }
}

#[test]
fn check_says_when_late_posts_have_ids_of_their_arrival() {
    let database = Database::mastodon(Version::NEWEST);
    install(&database, &["--serve"]);
    let mut client = database.connect();
    let ana = number(
        &mut client,
        "SELECT pretend.remote_account('ana', 'tide.example')",
    );
    let deliver = |uri: &str| {
        format!(
            "SELECT pretend.deliver({ana}, 'https://tide.example/{uri}', now() - interval '5 minutes')"
        )
    };
    client.batch_execute(&deliver("1")).unwrap();
    assert_eq!(to_do(&database.url()), [""; 0]);
    assert_eq!(to_do(&database.url_as(database.name())), [""; 0]);
    client
        .batch_execute("ALTER TABLE statuses DISABLE TRIGGER slackwater_place_id")
        .unwrap();
    client.batch_execute(&deliver("2")).unwrap();
    client
        .batch_execute("ALTER TABLE statuses ENABLE TRIGGER slackwater_place_id")
        .unwrap();
    let said = to_do(&database.url_as(database.name())).join("\n");
    assert!(said.contains("1 of the last 2 late posts"), "{said}");
}
