//! Timelines with statuses as the backend shows them to each reader: against a stand-in for a Mastodon.

use crate::mastodon::Socket;
use crate::support::backed::{Backed, HOME, ids};
use crate::support::surface::{ANA, PUBLIC, note, uri};
use crate::support::upstream::Mood;
use crate::support::wait_for;
use serde_json::{Value, json};
use slackwater::clock;
use slackwater::mastodon::late::LATE_LIST;
use std::collections::BTreeSet;
use std::time::Duration;

/// Posts whose numbers are in another order than they were written in.
fn shuffled(count: u64) -> Vec<(u64, u64)> {
    (0..count)
        .map(|n| (1_000 + n * 37 % count, 10 + n))
        .collect()
}

#[test]
fn a_page_is_in_our_order_and_every_byte_of_its_statuses_is_the_backends() {
    let backed = Backed::start("");
    let posts = shuffled(45);
    backed.post(&posts);
    let order: Vec<u64> = posts.iter().map(|(n, _)| *n).collect();
    let text = backed.text(HOME, &backed.kim);
    assert_eq!(ids(&serde_json::from_str(&text).unwrap()), order[..20]);
    for id in &order[..20] {
        assert!(
            text.contains(&backed.expected_start("7", *id)),
            "{id}: {text}"
        );
    }
    let own = &serde_json::from_str::<Value>(&text).unwrap()[0]["slackwater"];
    assert_eq!(
        (&own["verdict"], &own["placed_by"]),
        (&json!("in_time"), &json!("published"))
    );
    let statuses = |backed: &Backed| {
        let calls = backed.stand_in.calls_of(&backed.kim);
        calls
            .iter()
            .filter(|path| path.contains("id%5B%5D="))
            .count()
    };
    assert_eq!(statuses(&backed), 1, "a page of 20 is one call");
    assert_eq!(
        backed.ids(&format!("{HOME}?limit=40"), &backed.kim),
        order[..40]
    );
    assert_eq!(statuses(&backed), 2, "a page of 40 is two");
    let answer = backed.get(&format!("{HOME}?limit=3&max_id={}", order[9]), &backed.kim);
    let link = answer.headers()["link"].to_str().unwrap().to_owned();
    assert!(
        link.contains(&format!("max_id={}>; rel=\"next\"", order[12])),
        "{link}"
    );
    assert!(
        link.contains(&format!("min_id={}>; rel=\"prev\"", order[10])),
        "{link}"
    );
    assert_eq!(ids(&answer.json().unwrap()), order[10..13]);
    let above = format!("{HOME}?limit=3&min_id={}", order[9]);
    assert_eq!(backed.ids(&above, &backed.kim), order[6..9]);
    assert_eq!(
        backed.ids("/api/v1/timelines/list/42", &backed.kim),
        order[..20],
        "lists are too"
    );
    assert!(backed.stand_in.known().callers.contains("127.0.0.1"));
    let one = backed.text(&format!("/api/v1/statuses/{}", order[0]), &backed.kim);
    assert!(
        one.starts_with(&backed.expected_start("7", order[0])),
        "{one}"
    );
    assert_eq!(backed.get("/api/v1/statuses/9", &backed.kim).status(), 404);
    assert_eq!(
        backed
            .get("/api/v1/statuses/..%2flists", &backed.kim)
            .status(),
        404
    );
}

/// A failure means that somebody is shown what is another's: their likes, their filters, their votes, or a post for followers.
#[test]
fn every_reader_gets_their_own_statuses_and_nobody_elses() {
    let backed = Backed::start("");
    backed.post(&shuffled(20));
    {
        let mut known = backed.stand_in.known();
        for id in 1_000..1_020 {
            let poll = |votes: Value| json!({"id": "1", "voted": true, "own_votes": votes});
            let mine = json!({"favourited": true, "poll": poll(json!([0]))});
            known.own.insert(("7".to_owned(), id), mine);
            let hers = json!({"filtered": [{"filter": {"id": "1"}}], "poll": poll(json!([1]))});
            known.own.insert(("8".to_owned(), id), hers);
        }
        known.hidden.insert(("8".to_owned(), 1_007));
    }
    std::thread::scope(|scope| {
        for (account, token) in [("7", &backed.kim), ("8", &backed.lea)].repeat(4) {
            let backed = &backed;
            scope.spawn(move || {
                for _ in 0..10 {
                    let page = backed.json(HOME, token);
                    let statuses = page.as_array().unwrap();
                    assert_eq!(statuses.len(), if account == "7" { 20 } else { 19 });
                    for status in statuses {
                        let is_kims = account == "7";
                        assert_eq!(status["favourited"], is_kims);
                        assert_eq!(status["filtered"].as_array().unwrap().is_empty(), is_kims);
                        let vote = if is_kims { 0 } else { 1 };
                        assert_eq!(status["poll"]["own_votes"], json!([vote]));
                        assert!(is_kims || status["id"] != "1007");
                    }
                }
            });
        }
    });
}

/// A failure means that a client takes a run of hidden posts for the end of a timeline.
#[test]
fn a_page_is_empty_only_at_the_end_however_much_is_hidden() {
    let backed = Backed::start("");
    let posts: Vec<(u64, u64)> = (0..150).map(|n| (1_000 + n, 10 + n)).collect();
    backed.post(&posts);
    let is_hidden = |id: u64| (1_003..1_130).contains(&id);
    {
        let mut known = backed.stand_in.known();
        let hidden = (1_000..1_150).filter(|id| is_hidden(*id));
        known.hidden.extend(hidden.map(|id| ("7".to_owned(), id)));
    }
    let shown: Vec<u64> = (1_000..1_150).filter(|id| !is_hidden(*id)).collect();
    let walk = |first: String| {
        let (mut seen, mut next) = (Vec::<u64>::new(), Some(first));
        while let Some(path) = next.take() {
            let answer = backed.get(&path, &backed.kim);
            assert_eq!(answer.status(), 200);
            let link = answer.headers().get("link");
            let link = link.map(|it| it.to_str().unwrap().to_owned());
            let page = ids(&answer.json().unwrap());
            if page.is_empty() {
                assert_eq!(link, None);
                break;
            }
            seen.extend(&page);
            // As clients do that know no Link.
            next = Some(format!("{HOME}?limit=10&max_id={}", page.last().unwrap()));
        }
        seen
    };
    assert_eq!(walk(format!("{HOME}?limit=10")), shown);
    // Upwards too, from below all that is hidden.
    let above = format!("{HOME}?limit=10&min_id=1149");
    assert_eq!(
        backed.ids(&above, &backed.kim),
        (1_139..1_149).collect::<Vec<_>>()
    );
    let above = format!("{HOME}?limit=10&min_id=1130");
    assert_eq!(backed.ids(&above, &backed.kim), [1_000, 1_001, 1_002]);
    let all = (1_000..1_150).map(|id| ("7".to_owned(), id));
    backed.stand_in.known().hidden.extend(all);
    let answer = backed.get(HOME, &backed.kim);
    assert_eq!(answer.headers().get("link"), None);
    assert_eq!(answer.text().unwrap(), "[]");
}

#[test]
fn a_backend_that_has_no_answer_is_a_503_in_time_for_a_proxy_to_fall_back() {
    let backed = Backed::start("");
    backed.post(&shuffled(3));
    assert_eq!(backed.ids(HOME, &backed.kim).len(), 3);
    let check = |mood: Mood| {
        backed.stand_in.is(mood.clone());
        for path in [
            HOME,
            "/api/v1/timelines/list/42",
            &format!("/api/v1/timelines/list/{LATE_LIST}?limit=2"),
        ] {
            // The list of late arrivals is empty: nothing is to be asked.
            let expected = if path.contains(LATE_LIST) { 200 } else { 503 };
            let begun = clock::stopwatch();
            let answer = backed.get(path, &backed.kim);
            assert_eq!(answer.status(), expected, "{mood:?} {path}");
            assert!(
                expected == 200 || answer.headers().contains_key("retry-after"),
                "{mood:?}"
            );
            assert!(begun.elapsed() < Duration::from_millis(4_900), "{mood:?}");
        }
    };
    for body in [
        "",
        "{}",
        "[{}]",
        "[{\"id\":7}]",
        "<html>",
        "[{\"id\":\"1001\"},",
    ] {
        check(Mood::Wrong(body.to_owned()));
    }
    for status in [301, 504, 500, 502, 503] {
        check(Mood::Failing(status));
    }
    check(Mood::Gone);
    check(Mood::Slow);
    backed.stand_in.is(Mood::Well);
    assert_eq!(
        backed.ids(HOME, &backed.kim).len(),
        3,
        "and it is well again at once"
    );
    let log = backed.surface.instance.said();
    let said = |text: &str| log.lines().filter(|line| line.contains(text)).count();
    let outages = (
        said("the backend does not answer as it should"),
        said("the backend answers again"),
    );
    assert_eq!(outages, (1, 1), "however many requests failed");
    // What nobody asked for is nobody's.
    let others = backed
        .stand_in
        .text("7", 1_001)
        .unwrap()
        .replace("1001", "77");
    backed.stand_in.is(Mood::Wrong(format!("[{others}]")));
    assert_eq!(backed.text(HOME, &backed.kim), "[]");
}

/// A failure means that who has just signed up or made a list is told that there is nothing, while their server has it.
#[test]
fn a_feed_that_the_backend_has_and_this_service_does_not_know_is_a_503_for_a_proxy_to_fall_back() {
    let backed = Backed::start("");
    let new = backed.stand_in.token("9", "read");
    let lists = json!([{"id": "77", "title": "New", "replies_policy": "list", "exclusive": false}]);
    backed.stand_in.known().lists.insert("7".to_owned(), lists);
    for (path, token) in [(HOME, &new), ("/api/v1/timelines/list/77", &backed.kim)] {
        let answer = backed.get(path, token);
        assert_eq!(answer.status(), 503, "{path}");
        assert!(answer.headers().contains_key("retry-after"), "{path}");
    }
    let nobodys = backed.get("/api/v1/timelines/list/78", &backed.kim);
    assert_eq!(nobodys.status(), 404, "the backend has none either");
}

#[test]
fn what_the_backend_refuses_a_reader_is_refused() {
    let backed = Backed::start("");
    backed.post(&shuffled(3));
    assert_eq!(backed.ids(HOME, &backed.kim).len(), 3);
    backed.stand_in.known().tokens.remove(&backed.kim);
    assert_eq!(
        backed.get(HOME, &backed.kim).status(),
        401,
        "though it is still remembered"
    );
    backed
        .stand_in
        .is(Mood::Limited("Retry-After", "7".to_owned()));
    let unheard_of = backed.get(HOME, &backed.lea);
    assert_eq!(unheard_of.status(), 429);
    assert_eq!(unheard_of.headers()["retry-after"], "7");
    backed.stand_in.is(Mood::Well);
    assert_eq!(backed.ids(HOME, &backed.lea).len(), 3);
    for (name, value, seconds) in [("Retry-After", "2".to_owned(), 1..=2), {
        let reset = clock::now().plus(Duration::from_secs(3)).rfc3339();
        ("X-RateLimit-Reset", reset, 1..=3)
    }] {
        backed.stand_in.is(Mood::Limited(name, value));
        let answer = backed.get(HOME, &backed.lea);
        backed.stand_in.is(Mood::Well);
        assert_eq!(answer.status(), 429, "{name}");
        let told: u32 = answer.headers()["retry-after"]
            .to_str()
            .unwrap()
            .parse()
            .unwrap();
        assert!(seconds.contains(&told), "{name}: {told}");
        backed.stand_in.calls_of(&backed.lea);
        let again = backed.get(HOME, &backed.lea);
        assert_eq!(again.status(), 429);
        assert!(again.headers().contains_key("retry-after"));
        assert_eq!(
            backed.stand_in.calls_of(&backed.lea).len(),
            0,
            "it is asked no more until then"
        );
        wait_for("the end of the limit", || {
            (backed.get(HOME, &backed.lea).status() == 200).then_some(())
        });
    }
}

/// A failure means that one reader's client, or a slow backend, takes all that the backend can do.
#[test]
fn so_many_calls_are_made_at_a_time_and_the_others_wait_for_their_turn() {
    let backed = Backed::start("");
    backed.post(&shuffled(3));
    let readers: Vec<String> = (0..60)
        .map(|n| {
            let account = format!("r{n}");
            let follow = json!({"type": "follow", "account": account, "target": ANA});
            backed.surface.relate(&[follow]);
            backed.stand_in.token(&account, "read")
        })
        .collect();
    for token in readers.iter().chain([&backed.kim]) {
        assert_eq!(backed.ids(HOME, token).len(), 3);
    }
    let all_at_once = |tokens: &[&String]| {
        backed.stand_in.known().most_at_once = 0;
        backed.stand_in.is(Mood::Takes(Duration::from_millis(300)));
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let ask = |token: &&String| {
                let (backed, token) = (&backed, (*token).clone());
                scope.spawn(move || backed.get(HOME, &token).status().as_u16())
            };
            let asking: Vec<_> = tokens.iter().map(ask).collect();
            asking.into_iter().map(|it| it.join().unwrap()).collect()
        });
        (statuses, backed.stand_in.known().most_at_once)
    };
    let (statuses, most) = all_at_once(&[&backed.kim; 20]);
    assert_eq!(statuses, [200; 20]);
    assert!((2..=8).contains(&most), "{most} of one reader");
    let (statuses, most) = all_at_once(&readers.iter().collect::<Vec<_>>());
    assert_eq!(statuses, [200; 60]);
    assert!((9..=32).contains(&most), "{most} of all");
    let (statuses, _) = all_at_once(&[&backed.kim; 40]);
    let refused = statuses.iter().filter(|status| **status == 429).count();
    assert!((1..=16).contains(&refused), "{statuses:?}");
}

#[test]
fn statuses_are_plain_while_the_backend_is_away_if_the_configuration_says_so() {
    let backed = Backed::start("plain_when_away = true\n");
    backed.post(&shuffled(3));
    let expected = backed.ids(HOME, &backed.kim);
    for mood in [Mood::Gone, Mood::Failing(500), Mood::Wrong("x".to_owned())] {
        backed.stand_in.is(mood.clone());
        let page = backed.json(HOME, &backed.kim);
        assert_eq!(ids(&page), expected, "{mood:?}");
        assert!(page[0]["content"].as_str().unwrap().contains("as we show"));
        assert_eq!(page[0]["favourited"], false);
    }
    backed.stand_in.is(Mood::Gone);
    let lists = backed.json("/api/v1/lists", &backed.kim);
    assert_eq!(lists[0]["title"], "Friends");
    // It is there and refuses.
    backed
        .stand_in
        .is(Mood::Limited("Retry-After", "9".to_owned()));
    assert_eq!(backed.get(HOME, &backed.kim).status(), 429);
}

/// A failure means that an operator's mistake is passed for an answer: Rails takes no requests for another host.
#[test]
fn a_host_that_the_backend_is_not_known_by_is_said_in_the_log_and_shown_to_nobody() {
    let backed = Backed::start("");
    backed.post(&shuffled(3));
    assert_eq!(backed.ids(HOME, &backed.kim).len(), 3);
    let wrong = backed
        .stand_in
        .config()
        .replace("social.example", "other.example");
    let other = {
        let surface = crate::support::surface::Surface::start_with(
            "[auth.jwt]\n",
            &format!("{wrong}[auth.jwt]\n"),
        );
        Backed { surface, ..backed }
    };
    let answer = other.get(HOME, &other.kim);
    assert_eq!(answer.status(), 503);
    let log = other.surface.instance.said();
    assert!(
        log.contains("verify_credentials was answered with 403"),
        "{log}"
    );
}

#[test]
fn late_arrivals_are_boosts_of_what_the_backend_shows() {
    let backed = Backed::start("");
    backed.post(&[(1_001, 4_000), (1_002, 3_000), (1_003, 5)]);
    {
        let mut known = backed.stand_in.known();
        let own = json!({"favourited": true, "filtered": [{"filter": {"id": "1"}}], "media_attachments": [{"id": "1"}]});
        known.own.insert(("7".to_owned(), 1_001), own);
    }
    let list = format!("/api/v1/timelines/list/{LATE_LIST}");
    let text = backed.text(&list, &backed.kim);
    let page: Value = serde_json::from_str(&text).unwrap();
    let entries = page.as_array().unwrap();
    assert_eq!(entries.len(), 2, "{page}");
    let entry = entries
        .iter()
        .find(|it| it["reblog"]["id"] == "1001")
        .unwrap();
    assert!(text.contains(&format!(
        "\"reblog\":{}",
        backed.stand_in.text("7", 1_001).unwrap()
    )));
    assert_eq!(entry["slackwater"]["verdict"], "late");
    assert_eq!(
        (&entry["account"]["id"], &entry["reblog"]["favourited"]),
        (&json!("900"), &json!(true))
    );
    assert_eq!(
        entry["filtered"], entry["reblog"]["filtered"],
        "clients look at either"
    );
    assert_eq!(
        (&entry["media_attachments"], &entry["url"]),
        (&json!([]), &Value::Null)
    );
    assert_eq!(entry["uri"], format!("{}#late", uri(1_001)));
    let keys: Vec<u64> = ids(&page);
    assert!(keys.is_sorted_by(|a, b| b < a), "{keys:?}");
    assert_eq!(
        backed.ids(&format!("{list}?max_id={}", keys[0]), &backed.kim),
        keys[1..]
    );
    assert_eq!(
        backed.ids(&format!("{list}?min_id={}", keys[1]), &backed.kim),
        keys[..1]
    );
    let of_lea = backed.json(&list, &backed.lea);
    assert_eq!(of_lea[0]["reblog"]["favourited"], false);
    // One that is a boost stays its author's.
    const BOB: &str = "https://b.example/users/bob";
    const CAT: &str = "https://c.example/users/cat";
    let at = clock::now().minus(Duration::from_secs(3_500)).rfc3339();
    backed
        .surface
        .relate(&[json!({"type": "follow", "account": "7", "target": BOB})]);
    let mut theirs = note(1, "a stranger's");
    (theirs["id"], theirs["attributedTo"], theirs["published"]) =
        (json!(format!("{CAT}/1")), json!(CAT), json!(at));
    backed.surface.tell(&[
        json!({"activity": theirs, "fetched": true, "ref": "3001", "author_ref": "902"}),
        json!({"activity": {"type": "Announce", "id": format!("{BOB}/boosts/1"), "actor": BOB, "object": format!("{CAT}/1"),
            "published": at, "to": [PUBLIC]}, "ref": "2001", "author_ref": "901"}),
    ]);
    backed.stand_in.has(2_001);
    let boost = json!({"account": {"id": "901"}, "reblog": {"id": "3001"}, "content": "boosted"});
    backed
        .stand_in
        .known()
        .own
        .insert(("7".to_owned(), 2_001), boost);
    let page = backed.json(&list, &backed.kim);
    let newest = &page[0];
    assert_eq!(
        (&newest["account"]["id"], &newest["content"]),
        (&json!("901"), &json!("boosted")),
        "{page}"
    );
    assert_eq!(newest["reblog"], json!({"id": "3001"}));
    assert_eq!(newest["uri"], format!("{BOB}/boosts/1#late"));
    assert!(keys[0] < ids(&page)[0]);
}

#[test]
fn lists_are_the_backends_and_ours() {
    let backed = Backed::start("");
    let theirs = json!([{"id": "42", "title": "Friends of mine", "replies_policy": "list", "exclusive": false, "more": 1}]);
    backed
        .stand_in
        .known()
        .lists
        .insert("7".to_owned(), theirs.clone());
    let lists = backed.json("/api/v1/lists", &backed.kim);
    assert_eq!(lists[0], theirs[0]);
    assert_eq!(
        (lists.as_array().unwrap().len(), &lists[1]["id"]),
        (2, &json!(LATE_LIST))
    );
    assert_eq!(
        backed
            .json("/api/v1/lists", &backed.lea)
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(backed.json("/api/v1/lists/42", &backed.kim), theirs[0]);
    assert_eq!(backed.get("/api/v1/lists/42", &backed.lea).status(), 404);
    assert_eq!(
        backed.json(&format!("/api/v1/lists/{LATE_LIST}"), &backed.kim)["title"],
        "Late arrivals"
    );
    assert_eq!(
        backed.json(&format!("/api/v1/lists/{LATE_LIST}/accounts"), &backed.kim),
        json!([])
    );
    backed.stand_in.is(Mood::Gone);
    assert_eq!(backed.get("/api/v1/lists", &backed.kim).status(), 503);
}

#[test]
fn a_token_is_what_the_backend_says_it_is() {
    let backed = Backed::start("");
    backed.post(&shuffled(2));
    for _ in 0..5 {
        assert_eq!(backed.ids(HOME, &backed.kim).len(), 2);
    }
    let calls = backed.stand_in.calls_of(&backed.kim);
    let checks = calls
        .iter()
        .filter(|path| path.contains("verify_credentials"));
    assert_eq!(checks.count(), 1, "{calls:?}");
    let status = |path: &str, token: &str| backed.get(path, token).status().as_u16();
    assert_eq!(status(HOME, "no-token-of-theirs"), 401);
    let accounts_alone = backed.stand_in.token("7", "read:accounts");
    assert_eq!(status(HOME, &accounts_alone), 403);
    assert_eq!(status("/v1/accounts/7/feeds/home", &accounts_alone), 403);
    let statuses_too = backed.stand_in.token("7", "read:accounts read:statuses");
    assert_eq!(status(HOME, &statuses_too), 200);
    assert_eq!(status("/v1/accounts/7/feeds/home", &statuses_too), 200);
    assert_eq!(
        status("/v1/accounts/8/feeds/home", &statuses_too),
        403,
        "another's"
    );
    assert_eq!(status("/api/v1/lists", &statuses_too), 403);
    // Nobody is told to log in again for a token that is good.
    let nameless = backed.stand_in.token("7", "read:statuses");
    assert_eq!(status(HOME, &nameless), 403);
    let applications = backed.stand_in.token("", "read");
    assert_eq!(status(HOME, &applications), 403);
    backed.stand_in.is(Mood::Gone);
    assert_eq!(
        status(HOME, "another-one"),
        503,
        "whether it is good is not known"
    );
    // A refusal is remembered too.
    assert_eq!(status(HOME, "no-token-of-theirs"), 401);
}

#[test]
fn guesses_at_tokens_are_counted_by_where_they_are_made() {
    let backed = Backed::start("");
    let door = backed.surface.door();
    let statuses: BTreeSet<u16> = (0..3)
        .map(|n| {
            let request = door
                .request(reqwest::Method::GET, HOME)
                .bearer_auth(format!("guess-{n}"));
            let request = request.header("x-forwarded-for", "198.51.100.7");
            request.send().unwrap().status().as_u16()
        })
        .collect();
    assert_eq!(statuses, BTreeSet::from([401]));
    assert!(
        backed.stand_in.known().callers.contains("198.51.100.7"),
        "and the backend can count them too"
    );
}

/// A failure means that whoever has a stolen token reads on after its owner has ended it.
#[test]
fn a_token_that_the_backend_ends_ends_its_streams_within_a_minute() {
    let backed = Backed::start("");
    let bearer = format!("Bearer {}", backed.kim);
    let open = || {
        Socket::open(
            &backed.surface,
            "?stream=user",
            &[("authorization", &bearer)],
        )
    };
    let mut socket = open().unwrap();
    socket.settle();
    backed.stand_in.known().tokens.remove(&backed.kim);
    let begun = clock::stopwatch();
    assert_eq!(socket.closed(), 4401);
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(60), "{took:?}");
    assert_eq!(open().err(), Some(401));
}
