//! What a backend is shown before it lets somebody wait: an account's feed at any patience, and the accounts there are.

use crate::support::surface::{SERVICE, Surface, note, uri};
use reqwest::Method;
use reqwest::blocking::Response;
use serde_json::{Value, json};
use slackwater::clock;
use slackwater_order::time::Time;
use std::time::Duration;

const HOME: &str = "/v1/accounts/7/feeds/home";
/// Of posts of just now and of five minutes ago, one waits for such a window.
const WINDOW: &str = "[ordering]\nreorder_window = \"60s\"\n";

fn ask(surface: &Surface, path: &str, token: &str) -> Response {
    let request = surface.door().request(Method::GET, path).bearer_auth(token);
    request.send().unwrap()
}

fn preview(surface: &Surface, query: &str) -> Value {
    surface.backend(&format!("{HOME}/preview?{query}"))
}

fn uris(entries: &Value) -> Vec<&str> {
    let entries = entries.as_array().unwrap().iter();
    entries.map(|it| it["uri"].as_str().unwrap()).collect()
}

/// Ana's posts 1 and 2: one of five minutes ago, and one of just now.
fn two_posts(surface: &Surface) {
    for (n, seconds_ago) in [(1, 300), (2, 0)] {
        let mut object = note(n, "low tide");
        let written = clock::now().minus(Duration::from_secs(seconds_ago));
        object["published"] = json!(written.rfc3339());
        surface.create(&object);
    }
}

fn choose(surface: &Surface, patience: &str) {
    surface.relate(&[json!({"type": "ordering", "account": "7", "patience": patience})]);
}

/// A failure means that an operator who tries a patience sees something else than the account would.
#[test]
fn a_preview_shows_what_a_patience_shows_and_what_waits_for_whom_until_when() {
    let surface = Surface::start(WINDOW);
    two_posts(&surface);
    for patience in ["0s", "30s", ""] {
        let query = match patience {
            "" => String::new(),
            patience => format!("patience={patience}"),
        };
        let live = preview(&surface, &query);
        assert_eq!(uris(&live["entries"]), [uri(2), uri(1)], "{patience}");
        assert_eq!(
            (&live["waiting_count"], &live["hold"]),
            (&json!(0), &json!("0s"))
        );
    }
    for patience in ["2m", "complete"] {
        let held = preview(&surface, &format!("patience={patience}"));
        assert_eq!(held["patience"], patience);
        assert_eq!(held["hold"], "1m");
        assert_eq!(
            held["held_by"],
            json!([{"origin": "a.example", "wait": "1m"}])
        );
        assert_eq!(uris(&held["entries"]), [uri(1)]);
        assert_eq!(held["waiting_count"], 1);
        let waits = &held["waiting"][0];
        assert_eq!(waits["entry"]["uri"], uri(2));
        let time = |value: &Value| serde_json::from_value::<Time>(value.clone()).unwrap();
        let shown_at = time(&waits["shown_at"]);
        assert_eq!(shown_at.since(time(&waits["entry"]["published"])), 60_000);
        assert!(time(&held["now"]) < shown_at);
        assert!(time(&held["horizon"]) < time(&waits["entry"]["published"]));
    }
    let one = preview(&surface, "patience=0s&limit=1");
    assert_eq!(uris(&one["entries"]), [uri(2)]);
    let list = surface.backend("/v1/accounts/7/feeds/list:42/preview?patience=2m");
    assert_eq!(list["waiting_count"], 1, "{list}");
}

/// A failure means that a reader sees something earlier, or again, because somebody else looked.
#[test]
fn a_preview_moves_neither_the_horizon_of_the_account_nor_a_cursor() {
    let surface = Surface::start(WINDOW);
    choose(&surface, "2m");
    two_posts(&surface);
    for patience in ["0s", "10s", "30s", "complete"] {
        let shown = preview(&surface, &format!("patience={patience}"));
        assert!(shown.get("cursor").is_none());
    }
    let page = surface.backend(HOME);
    assert_eq!(uris(&page["entries"]), [uri(1)], "it is still held back");
    let changes = format!("{HOME}/changes?cursor={}", page["cursor"].as_str().unwrap());
    preview(&surface, "patience=0s");
    let changed = surface.backend(&changes);
    assert_eq!(changed["changes"], json!([]), "{changed}");
    assert_eq!(surface.backend("/v1/accounts/7/ordering")["patience"], "2m");
    // What the account has seen without patience stays shown to it, and a patience that is tried begins without that.
    choose(&surface, "0s");
    assert_eq!(uris(&surface.backend(HOME)["entries"]), [uri(2), uri(1)]);
    choose(&surface, "2m");
    assert_eq!(uris(&preview(&surface, "")["entries"]), [uri(2), uri(1)]);
    assert_eq!(uris(&preview(&surface, "patience=2m")["entries"]), [uri(1)]);
}

#[test]
fn previews_and_the_list_of_accounts_are_the_backends_and_say_what_to_send() {
    let surface = Surface::start("");
    let kim = surface.token("read write");
    let check = |path: &str, token: &str, status: u16, says: &str| {
        let answer = ask(&surface, path, token);
        assert_eq!(answer.status(), status, "{path}");
        let problem: Value = answer.json().unwrap();
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(says), "{path}: {detail}");
    };
    let previewed = format!("{HOME}/preview?patience=0s");
    for path in [&previewed, "/v1/accounts"] {
        check(path, &kim, 403, "service token");
        check(path, "nobody", 401, "invalid");
    }
    let wrong = |query: &str| format!("{HOME}/preview?{query}");
    check(&wrong("patience=soon"), SERVICE, 400, "complete");
    check(&wrong("limit=81"), SERVICE, 400, "send 1 to 80");
    check(&wrong("cursor=x"), SERVICE, 400, "send patience and limit");
    check(
        "/v1/accounts/nobody/feeds/home/preview",
        SERVICE,
        404,
        "no account",
    );
    check(
        "/v1/accounts/7/feeds/late/preview",
        SERVICE,
        404,
        "pages only",
    );
    check(
        "/v1/accounts/7/feeds/list:9/preview",
        SERVICE,
        404,
        "no list",
    );
    check("/v1/accounts?limit=0", SERVICE, 400, "send 1 to 100");
    check("/v1/accounts?limit=101", SERVICE, 400, "send 1 to 100");
    check(
        "/v1/accounts?page=2",
        SERVICE,
        400,
        "send find, limit and after",
    );
    check(
        &format!("/v1/accounts?find={}", "x".repeat(2_049)),
        SERVICE,
        400,
        "at most 2048",
    );
}

#[test]
fn accounts_are_listed_by_id_in_pages_and_found_by_a_part_of_their_names() {
    let surface = Surface::start("");
    choose(&surface, "2m");
    let accounts = |query: &str| surface.backend(&format!("/v1/accounts?{query}"));
    let ids = |page: &Value| {
        let all = page["accounts"].as_array().unwrap().iter();
        all.map(|it| it["account"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let all = accounts("");
    assert_eq!(ids(&all), ["7", "8"]);
    assert_eq!(all["next"], Value::Null);
    let kim = json!({"account": "7", "actor": "https://home.example/users/kim", "patience": "2m", "follows": 1});
    assert_eq!(all["accounts"][0], kim);
    let first = accounts("limit=1");
    assert_eq!(
        (ids(&first), &first["next"]),
        (vec!["7".to_owned()], &json!("7"))
    );
    let second = accounts("limit=1&after=7");
    assert_eq!(
        (ids(&second), &second["next"]),
        (vec!["8".to_owned()], &Value::Null)
    );
    assert_eq!(ids(&accounts("find=LEA")), ["8"]);
    assert_eq!(ids(&accounts("find=home.example")), ["7", "8"]);
    assert_eq!(ids(&accounts("find=nobody")), Vec::<String>::new());
    surface.relate(&[json!({"type": "account", "account": "8", "removed": true})]);
    assert_eq!(ids(&accounts("")), ["7"]);
}
