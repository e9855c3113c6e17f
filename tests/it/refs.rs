//! Posts found by the ids that the backend gave them, and pages that hold no more than those.

use crate::support::surface::{ANA, KIM, PUBLIC, SERVICE, Surface, note, uri};
use reqwest::Method;
use serde_json::{Value, json};
use slackwater::clock;
use std::time::Duration;

/// Ana's boost of her own post of this number.
fn boost(n: i64) -> String {
    format!("{ANA}/boosts/{n}")
}

/// Five posts with refs `p0` to `p4`, then one without, then a boost of the first with the ref `b0`. The post of ref `p1` came an
/// hour late.
fn told() -> Surface {
    let surface = Surface::start("");
    let every_boost =
        json!({"type": "account", "account": "7", "actor": KIM, "aggregate_boosts": false});
    surface.relate(&[every_boost]);
    let now = clock::now();
    let at = |seconds: u64| now.minus(Duration::from_secs(seconds)).rfc3339();
    let mut lines = Vec::new();
    for n in 0..6_i64 {
        let mut object = note(n, &format!("tide {n}"));
        let seconds = if n == 1 { 3_600 } else { 20 - n.unsigned_abs() };
        object["published"] = json!(at(seconds));
        object["tag"] = json!([{"type": "Hashtag", "name": "#tide"}]);
        let activity = json!({"type": "Create", "actor": ANA, "object": object});
        let mut line = json!({"activity": activity, "arrived_at": at(1), "author_ref": "ana"});
        if n != 5 {
            line["ref"] = json!(format!("p{n}"));
        }
        lines.push(line.to_string());
    }
    let announce = json!({"type": "Announce", "id": boost(0), "actor": ANA, "object": uri(0), "published": at(1), "to": [PUBLIC]});
    lines.push(json!({"activity": announce, "arrived_at": at(1), "ref": "b0"}).to_string());
    surface.tell_lines(&lines);
    surface
}

/// The status of an answer, and the answer.
fn asked(surface: &Surface, path: &str) -> (u16, Value) {
    let request = surface.door().request(Method::GET, path);
    let answer = request.bearer_auth(SERVICE).send().unwrap();
    (answer.status().as_u16(), answer.json().unwrap())
}

fn entries(page: &Value) -> &Vec<Value> {
    page["entries"].as_array().unwrap()
}

const FEEDS: [&str; 4] = [
    "/v1/accounts/7/feeds/home",
    "/v1/accounts/7/feeds/list:42",
    "/v1/feeds/public",
    "/v1/feeds/tag/tide",
];

#[test]
fn a_post_is_found_by_its_ref_and_one_that_is_unknown_says_what_to_send() {
    let surface = told();
    for n in 0..5 {
        let found = surface.backend(&format!("/v1/posts?ref=p{n}"));
        assert_eq!(
            (&found["uri"], &found["ref"]),
            (&json!(uri(n)), &json!(format!("p{n}")))
        );
        assert_eq!(found, surface.backend(&format!("/v1/posts?uri={}", uri(n))));
    }
    surface.delete(0);
    let long = "x".repeat(256);
    for (query, status, detail) in [
        ("ref=p0".to_owned(), 410, "deleted"),
        ("ref=p9".to_owned(), 404, "no such post"),
        ("ref=".to_owned(), 400, "empty"),
        (format!("ref={long}"), 400, "at most 255"),
        (format!("ref=p1&uri={}", uri(1)), 400, "send one of them"),
        (String::new(), 400, "/v1/posts?ref="),
    ] {
        let (found, problem) = asked(&surface, &format!("/v1/posts?{query}"));
        assert_eq!(found, status, "{query}");
        let said = problem["detail"].as_str().unwrap();
        assert!(said.contains(detail), "{said}");
    }
}

/// A failure means that a backend that pages by its own ids misses entries, or sees some twice.
#[test]
fn a_page_begins_at_a_ref_as_it_does_at_the_id_of_that_post() {
    let surface = told();
    for feed in FEEDS {
        let all = surface.backend(&format!("{feed}?limit=80"));
        let with_ref = entries(&all).iter().filter(|entry| !entry["ref"].is_null());
        let with_ref: Vec<&Value> = with_ref.collect();
        assert!(5 <= with_ref.len(), "{feed}: {all}");
        for entry in with_ref {
            let (id, reference) = (
                entry["id"].as_str().unwrap(),
                entry["ref"].as_str().unwrap(),
            );
            for (name, other) in [("before", "after"), ("after", "before")] {
                let by_id = surface.backend(&format!("{feed}?limit=3&{name}={id}"));
                let by_ref = surface.backend(&format!("{feed}?limit=3&{name}_ref={reference}"));
                assert_eq!(
                    by_ref["entries"], by_id["entries"],
                    "{feed} {name} {reference}"
                );
                let (lowest, highest) =
                    (&entries(&all)[entries(&all).len() - 1], &entries(&all)[0]);
                let end = if other == "after" { lowest } else { highest };
                let end = end["id"].as_str().unwrap();
                let mixed = format!("{feed}?limit=80&{name}_ref={reference}&{other}={end}");
                let plain = format!("{feed}?limit=80&{name}={id}&{other}={end}");
                assert_eq!(
                    surface.backend(&mixed)["entries"],
                    surface.backend(&plain)["entries"]
                );
            }
        }
        for (query, status, detail) in [
            ("before_ref=p9", 404, "no post with the ref \"p9\" is kept"),
            ("after_ref=p9", 404, "send the id of an entry"),
            ("before_ref=p1&before=1", 400, "before and before_ref"),
            ("after_ref=", 400, "after_ref is empty"),
            ("fields=ids", 400, "send refs"),
        ] {
            let (found, problem) = asked(&surface, &format!("{feed}?{query}"));
            assert_eq!(found, status, "{query}");
            let said = problem["detail"].as_str().unwrap();
            assert!(said.contains(detail), "{said}");
        }
    }
}

#[test]
fn a_page_goes_on_from_a_post_that_was_deleted() {
    let surface = told();
    let before = surface.backend("/v1/feeds/public?limit=80&before_ref=p3");
    surface.delete(3);
    let after = surface.backend("/v1/feeds/public?limit=80&before_ref=p3");
    assert!(!entries(&after).is_empty());
    assert_eq!(after["entries"], before["entries"]);
}

/// A failure means that a backend that has the posts is given other entries than one that has not.
#[test]
fn a_page_of_refs_has_the_same_entries_without_what_is_written_in_them() {
    let surface = told();
    let mut boosts = 0;
    for feed in FEEDS.into_iter().chain(["/v1/accounts/7/feeds/late"]) {
        let whole = surface.backend(&format!("{feed}?limit=80"));
        let refs = surface.backend(&format!("{feed}?limit=80&fields=refs"));
        assert_eq!(refs["horizon"], whole["horizon"]);
        assert!(!entries(&whole).is_empty(), "{feed}");
        assert_eq!(entries(&refs).len(), entries(&whole).len(), "{feed}");
        for (short, long) in entries(&refs).iter().zip(entries(&whole)) {
            let mut expected = long.clone();
            let fields = expected.as_object_mut().unwrap();
            for left_out in [
                "uri",
                "author",
                "origin",
                "visibility",
                "in_reply_to",
                "object",
            ] {
                assert!(fields.remove(left_out).is_some(), "{left_out}: {long}");
            }
            if !long["boost"].is_null() {
                let original = surface.backend(&format!(
                    "/v1/posts/{}",
                    long["boost"]["id"].as_str().unwrap()
                ));
                expected["boost"] = json!({"id": original["id"], "ref": "p0", "author_ref": "ana"});
                boosts += 1;
            }
            assert_eq!(short, &expected, "{feed}");
        }
    }
    assert_eq!(boosts, 2, "home and the list have one each");
}

#[test]
fn pages_of_refs_lead_to_pages_of_refs() {
    let surface = told();
    for feed in FEEDS {
        let whole = surface.backend(&format!("{feed}?limit=80&fields=refs"));
        let (mut path, mut walked) = (format!("{feed}?limit=2&fields=refs"), Vec::new());
        loop {
            let request = surface.door().request(Method::GET, &path);
            let answer = request.bearer_auth(SERVICE).send().unwrap();
            let link = answer
                .headers()
                .get("link")
                .map(|link| link.to_str().unwrap().to_owned());
            let page: Value = answer.json().unwrap();
            walked.extend(entries(&page).clone());
            let next = link
                .iter()
                .flat_map(|link| link.split(", "))
                .find(|link| link.ends_with("rel=\"next\""));
            let Some(next) = next else { break };
            path = next
                .trim_start_matches('<')
                .split('>')
                .next()
                .unwrap()
                .to_owned();
        }
        assert_eq!(json!(walked), whole["entries"], "{feed}");
    }
}

#[test]
fn late_arrivals_are_paged_by_the_refs_of_those_that_are_among_them() {
    let surface = told();
    let late = "/v1/accounts/7/feeds/late";
    let all = surface.backend(late);
    assert_eq!(entries(&all).len(), 1, "{all}");
    assert_eq!(entries(&all)[0]["ref"], "p1");
    for name in ["before", "after"] {
        let none = surface.backend(&format!("{late}?{name}_ref=p1"));
        assert!(entries(&none).is_empty(), "{none}");
        let (status, problem) = asked(&surface, &format!("{late}?{name}_ref=p2"));
        assert_eq!(status, 404, "{problem}");
        let said = problem["detail"].as_str().unwrap();
        assert!(
            said.contains("no late arrival has the ref \"p2\""),
            "{said}"
        );
    }
}

/// A failure means that a post which the backend dropped and fetched again never comes back, or that clients keep one it has not.
#[test]
fn a_post_that_was_forgotten_leaves_and_comes_again_under_another_ref() {
    let surface = told();
    let cursor = surface.backend("/v1/accounts/7/feeds/home")["cursor"].clone();
    let cursor = cursor.as_str().unwrap();
    let object = surface.backend("/v1/posts?ref=p2")["object"].clone();
    let id = surface.id_of(&uri(2));
    let delete = json!({"type": "Delete", "actor": ANA, "object": uri(2)});
    let forgets = json!({"activity": delete, "ref": "p2", "forgotten": true});
    surface.tell_lines(&[forgets.to_string()]);
    let (status, problem) = asked(&surface, "/v1/posts?ref=p2");
    assert_eq!(status, 410);
    assert!(
        problem["detail"].as_str().unwrap().contains("forgotten"),
        "{problem}"
    );
    assert!(!surface.home().contains(&id));
    let changes = format!("/v1/accounts/7/feeds/home/changes?cursor={cursor}");
    let changes = surface.backend(&changes);
    let first = &changes["changes"][0];
    assert_eq!(
        (&first["kind"], &first["id"]),
        (&json!("remove"), &json!(id))
    );

    let create = json!({"type": "Create", "actor": ANA, "object": object});
    let with_ref = |post_ref: Value| json!({"activity": create, "ref": post_ref}).to_string();
    surface.tell_lines(&[with_ref(json!("p2")), with_ref(Value::Null)]);
    assert_eq!(asked(&surface, &format!("/v1/posts?uri={}", uri(2))).0, 410);
    surface.tell_lines(&[with_ref(json!("p2again"))]);
    let again = surface.backend(&format!("/v1/posts?uri={}", uri(2)));
    assert_eq!(again["ref"], "p2again");
    let new_id = again["id"].as_str().unwrap().to_owned();
    assert_ne!(new_id, id);
    let home = surface.home();
    assert!(home.contains(&new_id) && !home.contains(&id));

    let mut bare = forgets.clone();
    bare["ref"] = Value::Null;
    let mut created = forgets;
    created["activity"] = create.clone();
    for (line, words) in [
        (bare, "needs the ref"),
        (created, "forgotten is for a Delete"),
    ] {
        let request = surface.door().request(Method::POST, "/v1/activities");
        let request = request.header("content-type", "application/x-ndjson");
        let answer = request
            .bearer_auth(SERVICE)
            .body(line.to_string())
            .send()
            .unwrap();
        let answer: Value = answer.json().unwrap();
        let reason = answer["rejected"][0]["reason"].as_str().unwrap();
        assert!(reason.contains(words), "{reason}");
    }
}
