//! The router and the document, held against each other.

mod leases;
mod node;
mod passing_on;
mod relaying;

use super::*;
use crate::api::auth;
use crate::api::forward::account_of::{AccountIn, account_in};
use crate::log::built_in::{self, BuiltInLog};
use slackwater_engine::feed::store::{Options as StoreOptions, Store};
use slackwater_engine::view::View;
use slackwater_engine::watch;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

/// A failure means that a route is served which the document does not have, or the reverse.
#[tokio::test]
async fn every_route_that_is_served_is_described_and_the_reverse() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(StoreOptions {
        path: folder.path().join("feeds"),
        length: 10,
        boost_repeat_after: Duration::from_millis(100),
        unflushed_entries_max: 1_000,
        unflushed_bytes_max: 1 << 20,
        cache_bytes: 1 << 20,
    });
    let (_built, watching) = watch::channel(Arc::default());
    let log = BuiltInLog::open(built_in::Options::at(folder.path().join("log"))).unwrap();
    let router = router(
        AppState::of(View::of(Arc::new(store.unwrap()), watching)),
        LogWriter::BuiltIn(log.clone()),
        Auth::new(auth::Options::default(), None).unwrap(),
        Options {
            api: api::Options::default(),
            mastodon: mastodon::Options::default(),
        },
        Shutdown::default(),
        None,
    );
    let mut served = served(&router);
    served.retain(|(path, _)| path != mastodon::routes::NOT_SERVED);
    let document = openapi::document();
    let mut described = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            described.insert((path.clone(), method.to_uppercase()));
        }
    }
    assert_eq!(served, described);
    log.close();
}

/// A failure means that a request for an account is answered by whichever node gets it, though only one has what it asks for.
#[test]
fn every_operation_says_which_node_answers_it() {
    let document = openapi::document();
    let mut named = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        // Under a user token all of Mastodon's API is answered by the node of the token's account.
        let is_ours = path.starts_with("/v1/");
        for operation in methods.as_object().unwrap().values() {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            for parameter in parameters {
                let expected = match (&parameter["in"], &parameter["name"]) {
                    (place, name) if place == "path" && name == "account" => AccountIn::Path,
                    (place, name) if place == "query" && name == "account" => {
                        AccountIn::Query("account")
                    }
                    (place, name) if place == "query" && name == "explain_for" => {
                        AccountIn::Query("explain_for")
                    }
                    _ => continue,
                };
                assert!(is_ours, "{path}");
                assert_eq!(account_in(path), Some(expected), "{path}");
                named += 1;
            }
        }
        assert!(!is_ours || account_in(path).is_some(), "{path}");
    }
    assert!(10 < named, "{named}");
}

/// The paths of a router, as the document has them, with their methods but `HEAD`. A router shows them in its debug output alone;
/// if that came to look otherwise, the test would fail.
fn served(router: &Router) -> BTreeSet<(String, String)> {
    let shown = format!("{router:?}");
    let (routes, paths) = shown.split_once("paths: {").unwrap();
    let (paths, _) = paths.split_once("} }").unwrap();
    let entries = |text: &'_ str| -> Vec<(String, String)> {
        let entries = text.split("RouteId(").skip(1);
        let entries = entries.filter_map(|entry| entry.split_once("): "));
        entries.map(|(id, rest)| (id.into(), rest.into())).collect()
    };
    let methods: HashMap<String, String> = entries(routes).into_iter().collect();
    let mut served = BTreeSet::new();
    for (id, path) in entries(paths) {
        let path = path
            .split('"')
            .nth(1)
            .unwrap()
            .replace("{*stream}", "{stream}");
        let allowed = methods[&id].split_once("allow_header: Bytes(b\"");
        let Some((_, allowed)) = allowed else {
            // All methods.
            served.insert((path, "*".to_owned()));
            continue;
        };
        let (allowed, _) = allowed.split_once('"').unwrap();
        for method in allowed.split(',').filter(|method| *method != "HEAD") {
            served.insert((path.clone(), method.to_owned()));
        }
    }
    served
}
