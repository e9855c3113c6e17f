//! The schemas and the API's description, held against what the service takes and answers.

use crate::clients::clients;
use crate::support;
use crate::support::broker::Broker;
use crate::support::service::Service;
use crate::support::surface::{SERVICE, Surface};
use jsonschema::Validator;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use slackwater::api::auth::jwt;
use slackwater::api::auth::secret::Secret;
use slackwater::http::{asyncapi, openapi};
use slackwater::mastodon::late::LATE_LIST;
use slackwater::{clock, config};
use slackwater_engine::activity::parse;
use slackwater_engine::record::Vouched;
use slackwater_engine::relationship;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

const WRITE: &str = "SLACKWATER_WRITE_SCHEMAS";

/// Every file of `schemas/` by its name.
fn files() -> Vec<(&'static str, Value)> {
    let mut files = openapi::files();
    files.push(("config.schema.json", config::schema()));
    files
}

#[test]
fn the_files_are_what_the_types_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    let mut stale = Vec::new();
    let mut known = BTreeSet::new();
    for (name, schema) in files() {
        let text = format!("{schema:#}\n");
        let path = folder.join(name);
        if std::env::var_os(WRITE).is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        if std::fs::read_to_string(&path).unwrap_or_default() != text {
            stale.push(name.to_owned());
        }
        known.insert(name.to_owned());
    }
    for file in std::fs::read_dir(&folder).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        if !known.contains(&name) {
            stale.push(format!("{name}, which nothing writes"));
        }
    }
    assert!(
        stale.is_empty(),
        "not as the types say: {stale:?}; rewrite them with\n    {WRITE}=1 cargo test --test it schemas::"
    );
}

#[test]
fn every_schema_is_one() {
    for (name, schema) in files() {
        if name.ends_with(".schema.json") {
            jsonschema::meta::validate(&schema).unwrap_or_else(|e| panic!("{name}: {e}"));
            validator(&schema);
        }
    }
    let document = openapi::document();
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        jsonschema::meta::validate(schema).unwrap_or_else(|e| panic!("{name}: {e}"));
    }
}

/// A failure means that tools for AsyncAPI do not read the description of topics and streams, or that it leaves one out.
#[test]
fn topics_and_streams_are_described_as_asyncapi_has_it() {
    let document = asyncapi::document();
    let specification = "node/node_modules/@asyncapi/specs/schemas/3.0.0.json";
    let specification = std::fs::read_to_string(clients().join(specification));
    let specification = specification.expect("AsyncAPI's own schema, which tests/run installs");
    let specification: Value = serde_json::from_str(&specification).unwrap();
    let validator = jsonschema::validator_for(&specification).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(&document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
    let mut wrong = document.clone();
    wrong["operations"]["sendTagStream"]["action"] = "tell".into();
    assert!(!validator.is_valid(&wrong));
    // Whatever it refers to is in it.
    let text = document.to_string();
    for rest in text.split("\"$ref\":\"#").skip(1) {
        let pointer = rest.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
    // All streams over websockets that there are, and the topics as they are called by default.
    let channels = document["channels"].as_object().unwrap();
    let described: BTreeSet<&str> = channels
        .values()
        .map(|it| it["address"].as_str().unwrap())
        .collect();
    let openapi = openapi::document();
    let paths = openapi["paths"].as_object().unwrap().keys();
    let mut served: BTreeSet<&str> = paths
        .map(String::as_str)
        .filter(|path| path.ends_with("/stream"))
        .collect();
    served.insert("/api/v1/streaming");
    served.extend([
        "slackwater.activities",
        "slackwater.relationships",
        "slackwater.dead-letters",
        "slackwater.nodes",
    ]);
    assert_eq!(described, served);
    // A message of each kind that there is a schema for.
    let messages = document["components"]["messages"].as_object().unwrap();
    let shipped: Value =
        serde_json::from_str(include_str!("../../schemas/stream-message.schema.json")).unwrap();
    let kinds = shipped["oneOf"].as_array().unwrap().iter();
    let kinds: Vec<&str> = kinds
        .map(|it| it["properties"]["kind"]["const"].as_str().unwrap())
        .collect();
    assert_eq!(kinds.len(), 7, "{kinds:?}");
    for kind in kinds {
        assert_eq!(
            messages[&format!("stream_{kind}")]["payload"]["properties"]["kind"]["const"],
            kind
        );
    }
}

#[test]
fn whatever_is_answered_has_all_its_fields() {
    let document = openapi::document();
    for name in [
        "Entry",
        "Boost",
        "RefEntry",
        "BoostRef",
        "RefPage",
        "Explained",
        "ExplainedFeed",
        "Page",
        "PreviewPage",
        "WaitingEntry",
        "Accounts",
        "AccountSummary",
        "Changes",
        "Change",
        "Ordering",
        "HeldBy",
        "Accepted",
        "Rejected",
        "Warning",
        "Replaced",
        "Actor",
        "Origins",
        "Origin",
        "Quantiles",
        "Counts",
        "InTime",
        "DeadLetters",
        "DeadLetter",
        "RecordHeader",
        "RecordBytes",
        "Replayed",
        "Readiness",
        "CatchingUp",
        "Problem",
    ] {
        let schema = &document["components"]["schemas"][name];
        let fields: BTreeSet<&str> = schema["properties"]
            .as_object()
            .unwrap_or_else(|| panic!("{name} is not described"))
            .keys()
            .map(String::as_str)
            // Only there if asked for.
            .filter(|field| {
                ![
                    ("Entry", "explained"),
                    ("Entry", "place"),
                    ("RefEntry", "place"),
                    ("Accepted", "warnings"),
                ]
                .contains(&(name, *field))
            })
            .collect();
        let required = schema["required"].as_array().unwrap();
        let required: BTreeSet<&str> = required.iter().filter_map(Value::as_str).collect();
        assert_eq!(fields, required, "{name}");
    }
}

/// The document without the operations of Mastodon's API.
fn own_api() -> Value {
    let mut document = openapi::document();
    let paths = document["paths"].as_object_mut().unwrap();
    paths.retain(|_, methods| !is_mastodons(methods));
    document
}

fn is_mastodons(methods: &Value) -> bool {
    let operations = methods.as_object().unwrap().values();
    operations
        .into_iter()
        .all(|operation| operation["tags"] == json!(["mastodon"]))
}

/// A failure means that clients made from the description lose one of two operations, or a parameter of a path.
#[test]
fn every_operation_has_an_id_of_its_own_and_the_parameters_of_its_path() {
    let document = openapi::document();
    let mut ids = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let in_path: BTreeSet<&str> = path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
            .collect();
        for operation in methods.as_object().unwrap().values() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id.to_owned()), "{id}");
            let parameters = operation["parameters"].as_array();
            let described: BTreeSet<&str> = parameters
                .into_iter()
                .flatten()
                .filter(|parameter| parameter["in"] == "path")
                .map(|parameter| parameter["name"].as_str().unwrap())
                .collect();
            assert_eq!(described, in_path, "{id}");
        }
    }
}

/// A failure means that clients of Mastodon's API are promised a response, or a right to it, that they do not get.
#[test]
fn mastodons_routes_respond_as_described() {
    let surface = Surface::start("");
    surface.post_many(3);
    let status = surface.home()[0].clone();
    let (read, write) = (surface.token("read"), surface.token("write:statuses"));
    let document = openapi::document();
    let paths = document["paths"].as_object().unwrap().iter();
    let mut count = 0;
    for (route, methods) in paths.filter(|(_, methods)| is_mastodons(methods)) {
        assert_eq!(methods.as_object().unwrap().len(), 1, "{route}");
        let operation = &methods["get"];
        let get = |token: Option<&str>, list: &str| {
            let path = route
                .replace("{id}", &status)
                .replace("{tag}", "tide")
                .replace("{list}", list)
                .replace("{stream}", "user/notification");
            let path = match route.ends_with("/streaming") || route.ends_with("/streaming/") {
                true => format!("{path}?stream=user"),
                false => path,
            };
            let mut request = surface.door().request(Method::GET, &path);
            if let Some(token) = token {
                request = request.bearer_auth(token);
            }
            let response = request.send().unwrap();
            let status = response.status().as_u16();
            let what = format!("{path} {status}");
            let described = &operation["responses"][status.to_string().as_str()];
            assert!(described.is_object(), "{what} is not described");
            let media = media_of(response.headers());
            let content = &described["content"][media.as_str()];
            assert!(content.is_object(), "{what}: {media} is not described");
            if media == "application/json" {
                let body: Value = response.json().unwrap();
                let schema = validator(&content["schema"]);
                assert!(schema.is_valid(&body), "{what}: {body}");
                assert_eq!(status < 400, body["error"].is_null(), "{what}: {body}");
            }
            status
        };
        // The list of late arrivals is the only one whose members are served.
        let list = LATE_LIST;
        assert_eq!(get(Some(&read), list), 200, "{route}");
        let security = operation["security"].as_array().unwrap();
        let is_open = security.is_empty();
        let takes = |scheme: &str| security.iter().any(|way| way[scheme].is_array());
        let needs_none = is_open || security.contains(&json!({}));
        assert_eq!(
            get(None, list),
            if needs_none { 200 } else { 401 },
            "{route}"
        );
        let wrong = get(Some("wrong"), list);
        assert_eq!(wrong, if is_open { 200 } else { 401 }, "{route}");
        let of_service = get(Some(SERVICE), list);
        if is_open || takes("bearer") {
            assert!(![403, 422].contains(&of_service), "{route}: {of_service}");
        } else {
            assert_eq!(of_service, 422, "{route}");
        }
        let unfit = get(Some(&write), list);
        if !needs_none && !route.contains("/{stream}") {
            assert_eq!(unfit, 403, "{route}");
        }
        if route.contains("{list}") {
            assert_eq!(get(Some(&read), "no"), 404, "{route}");
        }
        count += 1;
    }
    assert!(20 < count, "{count}");
}

#[test]
fn the_relationship_schema_and_the_decoder_agree() {
    let schema = validator(&file("relationship.schema.json"));
    let long = "x".repeat(65);
    let languages = json!(vec!["en"; 201]);
    let good = [
        json!({"type":"account","account":"7","actor":"https://vmst.example/users/ana","languages":["en","DE","zh-Hant"],"patience":"30s","aggregate_boosts":true}),
        json!({"type":"account","account":"a.b_C-9","actor":"http://vmst.example:3000/users/ana"}),
        json!({"type":"account","account":"7","actor":"https://m.example/ü","patience":null,"target":null}),
        json!({"type":"ordering","account":"7","patience":"20m"}),
        json!({"type":"ordering","account":"7","patience":"complete"}),
        json!({"type":"ordering","account":"7","patience":"0s"}),
        json!({"type":"ordering","account":"7","patience":"1h 30min"}),
        json!({"type":"ordering","account":"7","patience":"1.5s"}),
        json!({"type":"ordering","account":"7","patience":"0"}),
        json!({"type":"follow","account":"7","target":"https://threads.net/ap/users/1","boosts":true,"languages":[]}),
        json!({"type":"follow","account":"7","target":"https://threads.net/ap/users/1/"}),
        json!({"type":"tag","account":"7","target":"rust"}),
        json!({"type":"tag","account":"7","target":"#Größe"}),
        json!({"type":"mute","account":"7","target":"https://a.example/u","until":"2026-12-01T00:00:00Z"}),
        json!({"type":"mute","account":"7","target":"https://a.example/u","until":"2026-12-01T02:00:00.5+02:00"}),
        json!({"type":"mute","account":"7","target":"https://a.example/u","until":null}),
        json!({"type":"mute_end","account":"7","target":"https://a.example/u","until":"2026-12-01T00:00:00Z"}),
        json!({"type":"block","account":"7","target":"https://a.example/u"}),
        json!({"type":"blocked_by","account":"7","target":"https://a.example/u"}),
        json!({"type":"domain_block","account":"7","target":"spam.example"}),
        json!({"type":"domain_block","account":"7","target":"Bücher.example:8443"}),
        json!({"type":"list","account":"7","target":"42","title":"Friends","replies":"list","exclusive":false}),
        json!({"type":"list","account":"7","target":"42"}),
        json!({"type":"list","account":"7","target":"42","replies":"none"}),
        json!({"type":"list","account":"7","target":"42","replies":"followed"}),
        json!({"type":"list_member","account":"7","list":"42","target":"https://a.example/u"}),
        json!({"type":"moderation","account":"_instance","target":"threads.net","action":"limit"}),
        json!({"type":"moderation","account":"_instance","target":"https://a.example/u","action":"suspend"}),
        json!({"type":"follow","account":"7","target":"https://a.example/u","removed":true}),
        json!({"type":"follow","account":"7","target":"https://a.example/u","removed":false}),
        json!({"type":"account","account":"7","removed":true}),
        json!({"type":"ordering","account":"7","removed":true}),
        json!({"type":"ordering","account":"7","removed":true,"patience":30}),
        json!({"type":"list_member","account":"7","list":"42","target":"https://a.example/u","removed":true}),
        json!({"type":"moderation","account":"_instance","target":"threads.net","removed":true}),
    ];
    let bad = [
        json!([]),
        json!({}),
        json!("follow"),
        json!({"type":"poke","account":"7","target":"x"}),
        json!({"type":7,"account":"7"}),
        json!({"type":"tag","target":"x"}),
        json!({"type":"tag","account":"7"}),
        json!({"type":"tag","account":"7","target":null}),
        json!({"type":"tag","account":7,"target":"x"}),
        json!({"type":"tag","account":"","target":"x"}),
        json!({"type":"tag","account":"a/b","target":"x"}),
        json!({"type":"tag","account":long,"target":"x"}),
        json!({"type":"tag","account":"_instance","target":"x"}),
        json!({"type":"tag","account":"7","target":"two words"}),
        json!({"type":"tag","account":"7","target":"#"}),
        json!({"type":"tag","account":"7","target":""}),
        json!({"type":"tag","account":"7","target":"x","list":7}),
        json!({"type":"tag","account":"7","target":"x","removed":"yes"}),
        json!({"type":"tag","account":"7","target":"x","removed":null}),
        json!({"type":"account","account":"7"}),
        json!({"type":"account","account":"7","actor":"ana"}),
        json!({"type":"account","account":"7","actor":"https://a.example/u","target":7}),
        json!({"type":"account","account":"7","actor":"https://a.example/u","aggregate_boosts":"yes"}),
        json!({"type":"account","account":"7","actor":"https://a.example/u","aggregate_boosts":null}),
        json!({"type":"account","account":"7","actor":"https://a.example/u","languages":"en"}),
        json!({"type":"account","account":"7","actor":"https://a.example/u","languages":["e n"]}),
        json!({"type":"account","account":"7","actor":"https://a.example/u","languages":["und"]}),
        json!({"type":"account","account":"7","actor":"https://a.example/u","languages":languages}),
        json!({"type":"account","account":"7","actor":"https://a.example/u","languages":null}),
        json!({"type":"ordering","account":"7"}),
        json!({"type":"ordering","account":"7","patience":30}),
        json!({"type":"ordering","account":"7","patience":"30"}),
        json!({"type":"ordering","account":"7","patience":""}),
        json!({"type":"ordering","account":"7","patience":"soon"}),
        json!({"type":"follow","account":"7","target":"ana"}),
        json!({"type":"follow","account":"7","target":"ftp://a.example/u"}),
        json!({"type":"follow","account":"7","target":"https://"}),
        json!({"type":"follow","account":"7","target":"https://a.example/u v"}),
        json!({"type":"follow","account":"7","target":format!("https://a.example/{}", "x".repeat(2048))}),
        json!({"type":"follow","account":"7","target":"https://a.example/u","boosts":null}),
        json!({"type":"mute","account":"7","target":"https://a.example/u","until":"soon"}),
        json!({"type":"mute","account":"7","target":"https://a.example/u","until":1764547200}),
        json!({"type":"mute","account":"7","target":"https://a.example/u","until":"1066-10-14T09:00:00Z"}),
        json!({"type":"mute_end","account":"7","target":"https://a.example/u"}),
        json!({"type":"mute_end","account":"7","target":"https://a.example/u","until":null}),
        json!({"type":"mute_end","account":"7","target":"https://a.example/u","removed":true}),
        json!({"type":"domain_block","account":"7","target":"a b"}),
        json!({"type":"domain_block","account":"7","target":"https://a.example"}),
        json!({"type":"domain_block","account":"7","target":""}),
        json!({"type":"domain_block","account":"7","target":"u@a.example"}),
        json!({"type":"list","account":"7","target":"4 2"}),
        json!({"type":"list","account":"7","target":"42","title":"x".repeat(1025)}),
        json!({"type":"list","account":"7","target":"42","title":null}),
        json!({"type":"list","account":"7","target":"42","replies":"some"}),
        json!({"type":"list","account":"7","target":"42","exclusive":1}),
        json!({"type":"list_member","account":"7","target":"https://a.example/u"}),
        json!({"type":"list_member","account":"7","list":"4 2","target":"https://a.example/u"}),
        json!({"type":"list_member","account":"7","list":"42","target":"u"}),
        json!({"type":"moderation","account":"7","target":"x.example","action":"limit"}),
        json!({"type":"moderation","account":"_instance","target":"x.example","action":"hug"}),
        json!({"type":"moderation","account":"_instance","target":"x.example"}),
        json!({"type":"moderation","account":"_instance","target":"ftp://x.example","action":"limit"}),
        json!({"type":"follow","account":"7","removed":true}),
        json!({"type":"follow","target":"https://a.example/u","removed":true}),
        json!({"type":"list_member","account":"7","target":"https://a.example/u","removed":true}),
        json!({"type":"account","account":"7","actor":"https://a.example/u","hat":"red"}),
        json!({"type":"follow","account":"7","target":"https://a.example/u","bosts":false}),
        json!({"type":"follow","account":"7","target":"https://a.example/u","removed":true,"hat":"red"}),
        json!({"type":"block","account":"7","target":"https://a.example/u","until":null}),
        json!({"type":"tag","account":"7","target":"x","list":null}),
        json!({"type":"domain_block","account":"7","target":"*.x"}),
        json!({"type":"moderation","account":"_instance","target":"*.x","action":"limit"}),
    ];
    let mut kinds = BTreeSet::new();
    for (documents, is_good) in [(&good[..], true), (&bad[..], false)] {
        for document in documents {
            let decoded = relationship::decode(None, Some(document.to_string().as_bytes()));
            assert_eq!(decoded.is_ok(), is_good, "decoder: {document}: {decoded:?}");
            assert_eq!(schema.is_valid(document), is_good, "schema: {document}");
            let Some(relation) = decoded.ok().and_then(|change| change.relation) else {
                continue;
            };
            // What we write ourselves is what we describe, too.
            let canonical = serde_json::to_value(&relation).unwrap();
            assert!(schema.is_valid(&canonical), "{canonical}");
            kinds.insert(canonical["type"].as_str().unwrap().to_owned());
        }
    }
    let all = relationship::Kind::WRITTEN_BY_BACKENDS.into_iter();
    let all = all.chain([relationship::Kind::MuteEnd]);
    assert_eq!(kinds, all.map(|kind| kind.name().to_owned()).collect());
}

#[test]
fn the_configuration_as_shipped_is_as_described() {
    let schema = validator(&file("config.schema.json"));
    let shipped: toml::Table = toml::from_str(slackwater::config::SHIPPED).unwrap();
    let shipped = serde_json::to_value(shipped).unwrap();
    assert!(schema.is_valid(&shipped));
    assert!(schema.is_valid(&json!({})));
    for bad in [
        json!({"htp":{}}),
        json!({"http":{"listen":8787}}),
        json!({"feed":{"length":0}}),
        json!({"log":{"kind":"paper"}}),
    ] {
        assert!(!schema.is_valid(&bad), "{bad}");
    }
}

#[test]
fn the_activity_schema_and_the_decoder_agree() {
    let schema = validator(&file("activity-record.schema.json"));
    let line = validator(&file("activity-line.schema.json"));
    let (u, n) = ("https://a.example/u", "https://a.example/1");
    let note = json!({"type":"Note","id":n,"attributedTo":u});
    let boost = json!({"type":"Announce","id":"https://a.example/b","actor":u,"object":"https://b.example/1"});
    let mut good = vec![
        json!({"type":"Create","actor":u,"object":{"type":"Note","id":n}}),
        json!({"type":["Create"],"actor":{"type":"Person","id":u},"object":[note]}),
        json!({"type":"Create","actor":[{"id":u,"type":"Person"},"https://a.example/g"],"object":note}),
        json!({"type":"Create","actor":u,"object":{"type":"Playlist"}}),
        json!({"type":"Create","actor":u,"object":note,"published":7,"to":7,"cc":null,"audience":[[]]}),
        json!({"type":"Update","actor":u,"object":{"type":"Person","id":u}}),
        json!({"type":"Update","actor":u,"object":{"type":"Playlist"}}),
        json!({"type":"Create","actor":u,"object":{"type":"Person"}}),
        json!({"type":"Update","actor":u,"object":{"type":["Note"],"id":n,"tag":{"type":"Hashtag","name":"#x"},"inReplyTo":"tag:x"}}),
        boost.clone(),
        json!({"type":"Announce","actor":u,"object":{"id":"https://b.example/1"}}),
        json!({"type":"Announce","id":null,"actor":u,"object":["https://b.example/1"]}),
        json!({"type":"Announce","actor":u,"object":{"type":"Create","actor":"https://b.example/u","object":{"type":"Page","id":"https://b.example/1"}}}),
        json!({"type":"Announce","actor":u,"object":{"type":"Like"}}),
        json!({"type":"Announce","actor":u,"object":{"type":"Dislike","actor":u,"object":7}}),
        json!({"type":"Delete","actor":u,"object":n}),
        json!({"type":"Delete","actor":u,"object":{"type":"Tombstone","id":n}}),
        json!({"type":"Delete","actor":u,"object":u}),
        json!({"type":"Undo","actor":u,"object":"https://a.example/b"}),
        json!({"type":"Undo","actor":u,"object":boost}),
        json!({"type":"Undo","actor":u,"object":{"type":"Announce","object":"https://b.example/1"}}),
        json!({"type":"Undo","actor":u,"object":{"id":"https://a.example/b"}}),
        json!({"type":"Undo","actor":u,"object":{"type":"Follow"}}),
        json!({"type":"Person"}),
        json!({"type":"Dislike","actor":7}),
        json!({"type":["x","Create"],"actor":u,"object":note}),
    ];
    for quiet in [
        "Like", "Follow", "Accept", "Reject", "Flag", "Add", "Remove", "Block", "View",
    ] {
        good.push(json!({"type":quiet}));
    }
    let bad = [
        json!([]),
        json!(null),
        json!("Create"),
        json!({}),
        json!({"type":""}),
        json!({"type":7}),
        json!({"type":[7]}),
        json!({"type":"Create"}),
        json!({"type":"Create","object":note}),
        json!({"type":"Create","actor":u}),
        json!({"type":"Create","actor":u,"object":null}),
        json!({"type":"Create","actor":u,"object":7}),
        json!({"type":"Create","actor":u,"object":n}),
        json!({"type":"Create","actor":u,"object":[note,note]}),
        json!({"type":"Create","actor":u,"object":[]}),
        json!({"type":"Create","actor":u,"object":{"id":n}}),
        json!({"type":"Create","actor":u,"object":{"type":"Note"}}),
        json!({"type":"Create","actor":u,"object":{"type":"Note","id":7}}),
        json!({"type":"Create","actor":u,"object":{"type":"Note","id":"tag:x"}}),
        json!({"type":"Create","actor":"ana","object":note}),
        json!({"type":"Create","actor":{},"object":note}),
        json!({"type":"Create","actor":[],"object":note}),
        json!({"type":"Create","actor":u,"object":{"type":"Note","id":n,"attributedTo":"ana"}}),
        json!({"type":"Update","actor":u,"object":n}),
        json!({"type":"Update","actor":u,"object":{"type":"Person"}}),
        json!({"type":"Update","actor":u,"object":[{"type":"Group","id":"tag:x"}]}),
        json!({"type":"Announce","object":n}),
        json!({"type":"Announce","actor":u}),
        json!({"type":"Announce","id":"x","actor":u,"object":n}),
        json!({"type":"Announce","actor":u,"object":{"type":"Note"}}),
        json!({"type":"Announce","actor":u,"object":{"type":"Create"}}),
        json!({"type":"Announce","actor":u,"object":boost}),
        json!({"type":"Announce","actor":u,"object":"tag:x"}),
        json!({"type":"Delete","actor":u}),
        json!({"type":"Delete","actor":u,"object":{"type":"Tombstone"}}),
        json!({"type":"Delete","actor":u,"object":7}),
        json!({"type":"Undo","actor":u}),
        json!({"type":"Undo","object":n}),
        json!({"type":"Undo","actor":u,"object":{}}),
        json!({"type":"Undo","actor":u,"object":{"type":"Announce"}}),
    ];
    let check = |document: &Value, fetched: bool, is_good: bool| {
        // What it takes to accept one inside an Announce stands beside it, where this schema does not reach.
        let vouched = Vouched {
            fetched,
            inner_verified: true,
            ..Vouched::default()
        };
        let decoded = parse::decode(document.to_string().as_bytes(), vouched);
        assert_eq!(decoded.is_ok(), is_good, "decoder: {document}: {decoded:?}");
        assert_eq!(schema.is_valid(document), is_good, "schema: {document}");
        assert_eq!(line.is_valid(document), is_good, "line: {document}");
        let wrapped = json!({"activity":document,"ref":null,"fetched":fetched,"inner_verified":true,"arrived_at":"2026-11-22T10:00:00Z"});
        assert_eq!(line.is_valid(&wrapped), is_good, "line: {wrapped}");
    };
    good.iter()
        .for_each(|document| check(document, false, true));
    bad.iter()
        .for_each(|document| check(document, false, false));
    for kind in [
        "Note", "Article", "Page", "Question", "Video", "Event", "Audio",
    ] {
        check(&json!({"type":kind,"id":n,"attributedTo":u}), true, true);
        check(&json!({"type":kind,"id":n}), true, false);
        check(&json!({"type":kind,"attributedTo":u}), true, false);
    }
}

#[test]
fn every_answer_is_as_described() {
    let document = own_api();
    let mut checked = Checked::new(&document);
    let mut open = Service::start("");
    open.wait_ready();

    for (line, body) in RELATIONS.iter().enumerate() {
        let answer = checked.post(&open, "/v1/relationships", "application/json", body, 202);
        assert_eq!(answer, json!({"accepted":1,"rejected":[]}), "{line}");
    }
    let alone = checked.get(&open, ("get", "/v1/nodes"), "", 200);
    assert_eq!(alone, json!({"node": null, "shards": 0, "nodes": []}));
    let awake = ("get", "/v1/nodes/awake");
    checked.get(&open, awake, "/v1/nodes/awake?shards=8&of=0", 404);
    let both = format!("{}\n\n{{}}\n", RELATIONS[0]);
    let answer = checked.post(
        &open,
        "/v1/relationships",
        "application/x-ndjson",
        &both,
        202,
    );
    assert_eq!(
        (
            &answer["accepted"],
            &answer["rejected"][0]["line"],
            answer["rejected"].as_array().unwrap().len()
        ),
        (&json!(1), &json!(3), 1)
    );

    let mut before = activities();
    let last = before.pop().unwrap();
    for (beside, activity) in &before {
        checked.activity(&open, beside, activity);
    }
    let gone = format!("/v1/posts?uri={GONE}");
    let to_go = open.wait(&gone, |status, _| status == StatusCode::OK);
    checked.activity(&open, &last.0, &last.1);
    let lines = "{\"type\":\"Like\"}\n{\"activity\":{\"type\":\"Like\"},\"arrived_at\":1763805600000}\nnonsense\n";
    let answer = checked.post(&open, "/v1/activities", "application/x-ndjson", lines, 202);
    assert_eq!(answer["accepted"], 2);
    let answer = checked.post(&open, "/v1/activities", "application/x-ndjson", "x", 202);
    assert_eq!(answer["accepted"], 0);

    // What was answered is durable; now it is to be seen.
    open.wait("/v1/accounts/7/feeds/home", |_, page| {
        page["entries"]
            .as_array()
            .is_some_and(|entries| entries.len() == 7)
    });
    open.wait(&gone, |status, _| status == StatusCode::GONE);
    let home = ("get", "/v1/accounts/{account}/feeds/{feed}");
    let page = checked.get(&open, home, "/v1/accounts/7/feeds/home?limit=80", 200);
    let entries = page["entries"].as_array().unwrap();
    let verdicts: BTreeSet<&str> = entries
        .iter()
        .filter_map(|entry| entry["verdict"].as_str())
        .collect();
    assert_eq!(
        verdicts,
        BTreeSet::from(["in_time", "late", "too_late", "from_the_future", "undated"])
    );
    let boosts = entries.iter().filter(|entry| !entry["boost"].is_null());
    let boosts: Vec<&str> = boosts
        .filter_map(|entry| entry["boost"]["uri"].as_str())
        .collect();
    assert_eq!(boosts, [FETCHED]);
    assert!(entries.iter().any(|entry| entry["edited"].is_string()));
    assert!(entries.iter().any(|entry| entry["ref"] == "r1"));
    for query in [
        "?limit=2",
        "?limit=2&before=9223372036854775807",
        "?limit=2&after=0",
        "?before=0",
        "?fields=refs",
        "?limit=2&before_ref=r1",
        "?after_ref=r1&fields=refs",
    ] {
        let path = format!("/v1/accounts/7/feeds/home{query}");
        checked.get(&open, home, &path, 200);
    }
    for query in [
        "limit=0",
        "limit=81",
        "limit=x",
        "before=x",
        "after=-1",
        "after=1&after_ref=r1",
        "before_ref=",
        "fields=all",
        "until=1",
        "limit=1&limit=2",
    ] {
        let path = format!("/v1/accounts/7/feeds/home?{query}");
        checked.get(&open, home, &path, 400);
    }
    checked.get(&open, home, "/v1/accounts/%ff/feeds/home", 400);
    checked.get(&open, home, "/v1/accounts/8/feeds/home", 404);
    checked.get(&open, home, "/v1/accounts/7/feeds/other", 404);
    checked.get(
        &open,
        home,
        "/v1/accounts/7/feeds/home?before_ref=none",
        404,
    );
    changes_and_ordering(&mut checked, &open);
    shared_feeds(&mut checked, &open);
    relation_sets_and_actors(&mut checked, &open);

    let by_uri = ("get", "/v1/posts");
    let by_id = ("get", "/v1/posts/{id}");
    for entry in entries {
        let (id, uri) = (
            entry["id"].as_str().unwrap(),
            entry["uri"].as_str().unwrap(),
        );
        let shown = checked.get(&open, by_id, &format!("/v1/posts/{id}"), 200);
        assert_eq!(&shown, entry);
        let uri = uri.replace('#', "%23");
        let shown = checked.get(&open, by_uri, &format!("/v1/posts?uri={uri}"), 200);
        assert_eq!(&shown, entry);
    }
    let fetched = checked.get(&open, by_uri, &format!("/v1/posts?uri={FETCHED}"), 200);
    assert_eq!(fetched["verdict"], "fetched");
    let path = format!("/v1/posts?uri={WAITING}");
    let waiting = checked.get(&open, by_uri, &path, 200);
    assert_eq!(
        (&waiting["boost"]["id"], &waiting["boost"]["object"]),
        (&Value::Null, &Value::Null)
    );
    checked.get(&open, by_uri, &gone, 410);
    checked.get(&open, by_uri, "/v1/posts?uri=https://a.example/no", 404);
    checked.get(&open, by_uri, "/v1/posts", 400);
    let first = checked.get(&open, by_uri, "/v1/posts?ref=r1", 200);
    assert_eq!(first["uri"], "https://a.example/1");
    checked.get(&open, by_uri, "/v1/posts?ref=none", 404);
    let path = format!("/v1/posts/{}", to_go["id"].as_str().unwrap());
    checked.get(&open, by_id, &path, 410);
    checked.get(&open, by_id, "/v1/posts/1", 404);
    checked.get(&open, by_id, "/v1/posts/x", 400);
    checked.get(&open, by_id, "/v1/posts/9223372036854775808", 400);

    let preview = ("get", "/v1/accounts/{account}/feeds/{feed}/preview");
    let of_home = "/v1/accounts/7/feeds/home/preview";
    let shown = checked.get(
        &open,
        preview,
        &format!("{of_home}?patience=0s&limit=80"),
        200,
    );
    assert_eq!(shown["entries"].as_array().unwrap().len(), entries.len());
    checked.get(&open, preview, &format!("{of_home}?patience=complete"), 200);
    checked.get(&open, preview, &format!("{of_home}?patience=-1s"), 400);
    checked.get(&open, preview, "/v1/accounts/8/feeds/home/preview", 404);
    let accounts = ("get", "/v1/accounts");
    let listed = checked.get(&open, accounts, "/v1/accounts?limit=1&find=7", 200);
    assert_eq!(listed["accounts"][0]["account"], "7");
    checked.get(&open, accounts, "/v1/accounts?limit=0", 400);

    let origins = checked.get(&open, ("get", "/v1/origins"), "/v1/origins", 200);
    assert!(
        origins["origins"]
            .as_array()
            .is_some_and(|origins| origins.len() >= 2)
    );
    let of_all = ("get", "/v1/origins");
    let first = checked.get(&open, of_all, "/v1/origins?by=host&limit=1", 200);
    let next = first["next"].as_str().unwrap();
    assert_eq!(first["origins"][0]["host"], next);
    let path = format!("/v1/origins?by=host&after={next}");
    let rest = checked.get(&open, of_all, &path, 200);
    let shown = rest["origins"].as_array().unwrap().len();
    assert_eq!(
        (&rest["next"], &rest["known"]),
        (&Value::Null, &json!(1 + shown))
    );
    for wrong in [
        "by=size",
        "limit=0",
        "limit=1001",
        "after=a.example",
        "before=a.example",
    ] {
        checked.get(&open, of_all, &format!("/v1/origins?{wrong}"), 400);
    }
    let of_host = ("get", "/v1/origins/{host}");
    checked.get(&open, of_host, "/v1/origins/a.example", 200);
    checked.get(&open, of_host, "/v1/origins/nobody.example", 404);
    checked.get(&open, of_host, "/v1/origins/%ff", 400);
    let of_letters = ("get", "/v1/dead-letters");
    for query in ["", "?limit=1", "?before=0-1", "?after=0-0,1-7"] {
        let path = format!("/v1/dead-letters{query}");
        checked.get(&open, of_letters, &path, 200);
    }
    checked.get(&open, of_letters, "/v1/dead-letters?before=x", 400);
    letters(&mut checked, &open);
    let file = ("get", "/desk/{file}");
    checked.get(&open, file, "/desk/app.js", 200);
    checked.get(&open, file, "/desk/desk.css", 200);
    checked.get(&open, file, "/desk/%ff", 400);
    checked.get(&open, file, "/desk/other.js", 404);
    for path in ["/", "/healthz", "/readyz", "/metrics", "/openapi.json"] {
        let answer = checked.get(&open, ("get", path), path, 200);
        if path == "/openapi.json" {
            assert_eq!(answer, openapi::document());
        }
    }

    for path in ["/v1/activities", "/v1/relationships"] {
        checked.post(&open, path, "text/plain", "{}", 415);
        checked.post(&open, path, "application/json", "{}", 422);
        checked.post(&open, path, "application/json", "", 422);
        let large = " ".repeat((16 << 20) + 1);
        checked.post(&open, path, "application/x-ndjson", &large, 413);
    }
    checked.ask(
        &open,
        ("post", "/v1/relationships"),
        "",
        &[],
        Some(("", b"{}".to_vec())),
        415,
    );
    let like = || Some(("application/json", b"{\"type\":\"Like\"}".to_vec()));
    let long = "x".repeat(256);
    for (name, value, status) in [
        ("ref", &b"\xff"[..], 400),
        ("ref", long.as_bytes(), 422),
        ("fetched", b"yes", 422),
        ("inner-verified", b"1", 422),
        ("forgotten", b"1", 422),
        ("arrived-at", b"soon", 422),
        ("arrived-at", b"-1", 422),
    ] {
        let headers = [(name, value)];
        checked.ask(
            &open,
            ("post", "/v1/activities"),
            "",
            &headers,
            like(),
            status,
        );
    }

    for (method, path, status) in [
        (Method::POST, "/", 405),
        (Method::GET, "/v1/nothing", 404),
        (Method::POST, "/v1/nothing", 404),
        (Method::PUT, "/v1/activities", 405),
        (Method::GET, "/v1/activities", 405),
        (Method::DELETE, "/v1/posts/1", 405),
        (Method::POST, "/healthz", 405),
    ] {
        checked.unlisted(&open, method, path, status);
    }
    // Stopped or killed, it answers the same when it is back.
    assert!(open.stop().success(), "{}", open.log());
    open.restart();
    for _ in 0..2 {
        open.wait_ready();
        let again = checked.get(&open, home, "/v1/accounts/7/feeds/home?limit=80", 200);
        assert_eq!(again["entries"], page["entries"]);
        open.kill9();
        open.restart();
    }
    assert!(open.stop().success(), "{}", open.log());

    let mut closed = Service::start("[auth]\nservice_tokens = [\"0123456789abcdef\"]");
    closed.wait_ready();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let asked = path
                .replace("{account}", "7")
                .replace("{feed}", "home")
                .replace("{id}", "1")
                .replace("{file}", "icon.svg")
                .replace("{host}", "a.example");
            let key = (method.as_str(), path.as_str());
            if operation["security"] == json!([]) {
                checked.ask(&closed, key, &asked, &[], None, 200);
                continue;
            }
            for given in [None, Some("Bearer 0123456789abcdeX"), Some("Basic x")] {
                let headers: Vec<(&str, &[u8])> = given
                    .iter()
                    .map(|given| ("authorization", given.as_bytes()))
                    .collect();
                checked.ask(&closed, key, &asked, &headers, None, 401);
            }
        }
    }
    let headers = [("authorization", &b"Bearer 0123456789abcdef"[..])];
    checked.ask(&closed, ("get", "/v1/origins"), "", &headers, None, 200);
    assert!(closed.stop().success(), "{}", closed.log());

    tokens_and_streams(&mut checked, &document);
    a_node_among_others(&mut checked);

    let missing: Vec<&String> = checked
        .unseen
        .iter()
        .filter(|answer| !answer.ends_with(" 500") && !answer.ends_with(" 503"))
        .filter(|answer| *answer != "post /v1/relationships 400")
        // Ten seconds each: tests/it/held_up.rs has one.
        .filter(|answer| !answer.ends_with(" 408"))
        .collect();
    assert!(missing.is_empty(), "described, but never seen: {missing:?}");
}

/// What only a node of a cluster answers.
fn a_node_among_others(checked: &mut Checked) {
    let dir = TempDir::new().unwrap();
    let broker = Broker::start(dir.path());
    broker.create_topics(1, 8);
    let compacted = [("cleanup.policy", "compact"), ("segment.ms", "600000")];
    broker.create_topic("slackwater.nodes", 1, &compacted);
    let service = Service::start(&format!(
        "[log]\nkind = \"kafka\"\n[kafka]\nbrokers = [\"{}\"]\n[cluster]\nnode = \"a\"\nsecret = \"0123456789abcdef\"\nassignment = \
         \"rendezvous\"",
        broker.address()
    ));
    service.wait_ready();
    let nodes = checked.get(&service, ("get", "/v1/nodes"), "", 200);
    assert_eq!((&nodes["node"], &nodes["shards"]), (&json!("a"), &json!(8)));
    let awake = ("get", "/v1/nodes/awake");
    checked.get(
        &service,
        awake,
        "/v1/nodes/awake?shards=8&of=0,5&from=0",
        200,
    );
    checked.get(&service, awake, "/v1/nodes/awake?shards=8&of=all", 400);
}

/// What only callers with a token that is not for this meet, and those who ask too often; and streams.
fn tokens_and_streams(checked: &mut Checked, document: &Value) {
    let jwt = jwt::Options {
        algorithm: jwt::Algorithm::Hs256,
        key: Secret::new("0123456789abcdef0123456789abcdef"),
        issuer: None,
        audience: None,
    };
    let mut service = Service::start(
        "[http]\nrequests_per_minute = 1\n[auth]\nservice_tokens = [\"0123456789abcdef\"]\n[auth.jwt]\n\
         algorithm = \"HS256\"\nkey = \"0123456789abcdef0123456789abcdef\"",
    );
    service.wait_ready();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            if operation["security"] == json!([]) {
                continue;
            }
            let asked = path
                .replace("{account}", "7")
                .replace("{feed}", "home")
                .replace("{id}", "1");
            // Each route has a caller of its own, who asks twice, and may only write.
            let caller = format!(
                "{method}{}",
                path.replace(|c: char| !c.is_ascii_alphanumeric(), "-")
            );
            let minute = Duration::from_secs(60);
            let scope = "write:statuses";
            let token = jwt::mint(&jwt, &jwt.key, &caller, scope, clock::now(), minute).unwrap();
            let bearer = format!("Bearer {token}");
            let headers = [("authorization", bearer.as_bytes())];
            let key = (method.as_str(), path.as_str());
            // A cursor is looked at before the feed is.
            let asked = match path.ends_with("/changes") {
                true => format!("{asked}?cursor=x"),
                false => asked,
            };
            let body = || {
                (method == "put").then(|| ("application/json", b"{\"patience\":\"1s\"}".to_vec()))
            };
            checked.ask(&service, key, &asked, &headers, body(), 403);
            checked.ask(&service, key, &asked, &headers, body(), 429);
        }
    }
    assert!(service.stop().success(), "{}", service.log());

    let mut open = Service::start("");
    open.wait_ready();
    let account = r#"{"type":"account","account":"7","actor":"https://vmst.example/users/ana"}"#;
    checked.post(&open, "/v1/relationships", "application/json", account, 202);
    let home = "/v1/accounts/{account}/feeds/{feed}/stream";
    for (route, path) in [
        (home, "/v1/accounts/7/feeds/home/stream"),
        ("/v1/feeds/public/stream", "/v1/feeds/public/stream"),
        ("/v1/feeds/tag/{tag}/stream", "/v1/feeds/tag/tide/stream"),
    ] {
        checked.get(&open, ("get", route), path, 400);
        checked.handshake(&open, route, path);
    }
    checked.get(
        &open,
        ("get", home),
        "/v1/accounts/8/feeds/home/stream",
        404,
    );
    assert!(open.stop().success(), "{}", open.log());
}

/// Public and tag feeds, and a post explained.
fn shared_feeds(checked: &mut Checked, open: &Service) {
    for (route, path) in [
        ("/v1/feeds/public", "/v1/feeds/public"),
        ("/v1/feeds/tag/{tag}", "/v1/feeds/tag/tide"),
    ] {
        let page = checked.get(open, ("get", route), path, 200);
        checked.get(
            open,
            ("get", route),
            &format!("{path}?account=7&limit=1"),
            200,
        );
        checked.get(open, ("get", route), &format!("{path}?limit=0"), 400);
        checked.get(open, ("get", route), &format!("{path}?fields=refs"), 200);
        checked.get(open, ("get", route), &format!("{path}?after_ref=none"), 404);
        let changes = ("get", &*format!("{route}/changes"));
        let cursor = page["cursor"].as_str().unwrap();
        let told = checked.get(
            open,
            changes,
            &format!("{path}/changes?cursor={cursor}"),
            200,
        );
        assert_eq!(told["changes"], json!([]));
        checked.get(open, changes, &format!("{path}/changes"), 400);
        let old = other_version(&format!("cursor={cursor}"));
        checked.get(open, changes, &format!("{path}/changes?{old}"), 410);
    }
    let public = ("get", "/v1/feeds/public");
    let all = checked.get(open, public, "/v1/feeds/public?limit=80", 200);
    let remote = checked.get(open, public, "/v1/feeds/public?limit=80&origin=remote", 200);
    let local = checked.get(open, public, "/v1/feeds/public?limit=80&origin=local", 200);
    let count = |page: &Value| page["entries"].as_array().unwrap().len();
    assert!(0 < count(&all));
    assert_eq!(count(&all), count(&local) + count(&remote));
    checked.get(open, public, "/v1/feeds/public?origin=here", 400);
    let id = all["entries"][0]["id"].as_str().unwrap();
    let explained = format!("/v1/posts/{id}?explain_for=7");
    let shown = checked.get(open, ("get", "/v1/posts/{id}"), &explained, 200);
    assert_eq!(shown["explained"]["feeds"][0]["feed"], "home", "{shown}");
    let stranger = format!("/v1/posts/{id}?explain_for=8");
    checked.get(open, ("get", "/v1/posts/{id}"), &stranger, 404);
}

/// A record that could not be used, shown and replayed.
fn letters(checked: &mut Checked, open: &Service) {
    let theirs = "https://a.example/mallory";
    let note = json!({"type": "Note", "id": "https://a.example/1", "attributedTo": theirs, "content": "x"});
    let create = json!({"type": "Create", "id": "https://a.example/1#theirs", "actor": theirs, "object": note});
    checked.activity(open, &[], &create);
    let found = open.wait("/v1/dead-letters", |_, page| {
        page["dead_letters"]
            .as_array()
            .is_some_and(|letters| letters.len() == 1)
    });
    let id = found["dead_letters"][0]["id"].as_str().unwrap();
    let one = ("get", "/v1/dead-letters/{id}");
    let again = ("post", "/v1/dead-letters/{id}/replay");
    let path = |id: &str, more: &str| format!("/v1/dead-letters/{id}{more}");
    let letter = checked.get(open, one, &path(id, ""), 200);
    assert_eq!(letter, found["dead_letters"][0]);
    let mut replay =
        |id: &str, status| checked.ask(open, again, &path(id, "/replay"), &[], None, status);
    assert_eq!(replay(id, 200)["outcome"], "set_aside");
    replay("x", 400);
    replay("9-9", 404);
    checked.get(open, one, &path("x", ""), 400);
    checked.get(open, one, &path("9-9", ""), 404);
}

/// What changed since a cursor, and how long the account waits.
fn relation_sets_and_actors(checked: &mut Checked, open: &Service) {
    let path = "/v1/accounts/{account}/relationships";
    let of = |account: &str, query: &str| format!("/v1/accounts/{account}/relationships{query}");
    let ndjson = "application/x-ndjson";
    let mut put = |path_sent: &str, headers: &[(&str, &[u8])], kind: &str, body: &str, status| {
        let body = Some((kind, body.as_bytes().to_vec()));
        checked.ask(open, ("put", path), path_sent, headers, body, status)
    };
    let follow = r#"{"type":"follow","account":"9","target":"https://a.example/u"}"#;
    let replaced = put(&of("9", "?type=follow"), &[], ndjson, follow, 200);
    assert_eq!(replaced, json!({"added": 1, "changed": 0, "removed": 0}));
    let stale = [("if-match", &b"\"x\""[..])];
    put(&of("9", ""), &stale, ndjson, "", 412);
    put(&of("9", ""), &[], ndjson, "{}", 422);
    put(&of("9", "?type=x"), &[], ndjson, "", 400);
    put(&of("9", ""), &[], "text/plain", "", 415);
    put(&of("9", ""), &[], ndjson, &" ".repeat((16 << 20) + 1), 413);
    checked.get(open, ("get", path), &of("9", ""), 200);
    checked.get(open, ("get", path), &of("a%20b", ""), 400);

    let ana = json!({"type": "Person", "id": "https://a.example/ana", "inbox": "https://a.example/ana/in", "name": "Ana",
        "preferredUsername": "ana", "icon": {"url": "https://a.example/ana.png"}});
    checked.activity(open, &[("fetched", "true")], &ana);
    let by_uri = "/v1/actors?uri=https://a.example/ana";
    open.wait(by_uri, |status, _| status == StatusCode::OK);
    checked.get(open, ("get", "/v1/actors"), by_uri, 200);
    checked.get(
        open,
        ("get", "/v1/actors"),
        "/v1/actors?uri=https://a.example/no",
        404,
    );
    checked.get(open, ("get", "/v1/actors"), "/v1/actors", 400);
}

fn changes_and_ordering(checked: &mut Checked, open: &Service) {
    let changes = ("get", "/v1/accounts/{account}/feeds/{feed}/changes");
    let of = |account: &str, feed: &str, query: &str| {
        format!("/v1/accounts/{account}/feeds/{feed}/changes?{query}")
    };
    let page: Value = open.get("/v1/accounts/7/feeds/home").json().unwrap();
    let cursor = format!("cursor={}", page["cursor"].as_str().unwrap());
    let told = checked.get(open, changes, &of("7", "home", &cursor), 200);
    assert_eq!(
        (&told["changes"], &told["more"]),
        (&json!([]), &json!(false))
    );
    let follow = r#"{"type":"follow","account":"7","target":"https://a.example/u","removed":true}"#;
    checked.post(open, "/v1/relationships", "application/json", follow, 202);
    let told = checked.get(open, changes, &of("7", "home", &cursor), 200);
    assert_eq!(told["changes"][0]["kind"], "remove", "{told}");
    let follow = follow.replace(",\"removed\":true", "");
    checked.post(open, "/v1/relationships", "application/json", &follow, 202);
    let told = checked.get(open, changes, &of("7", "home", &cursor), 200);
    assert_eq!(told["changes"][0]["kind"], "post", "{told}");
    let damaged = cursor.replace("cursor=", "cursor=A");
    for query in [
        damaged.as_str(),
        "cursor=",
        "limit=3",
        "x=1",
        &format!("{cursor}&limit=0"),
    ] {
        checked.get(open, changes, &of("7", "home", query), 400);
    }
    checked.get(
        open,
        changes,
        &of("7", "home", &other_version(&cursor)),
        410,
    );
    checked.get(open, changes, &of("8", "home", &cursor), 400);
    checked.get(open, changes, &of("7", "other", &cursor), 404);

    let ordering = "/v1/accounts/{account}/ordering";
    let chosen = checked.get(open, ("get", ordering), "/v1/accounts/7/ordering", 200);
    assert_eq!(chosen["patience"], "20m");
    for (kind, body, status) in [
        ("application/json", r#"{"patience":"5s"}"#, 200),
        ("application/json", r#"{"patience":"complete"}"#, 200),
        ("application/json", r#"{"patience":"soon"}"#, 422),
        ("application/json", r#"{"patience":"5s","more":1}"#, 422),
        ("application/x-ndjson", r#"{"patience":"5s"}"#, 415),
        ("application/json", &" ".repeat(17 << 20), 413),
    ] {
        let body = Some((kind, body.as_bytes().to_vec()));
        checked.ask(
            open,
            ("put", ordering),
            "/v1/accounts/7/ordering",
            &[],
            body,
            status,
        );
    }
    for method in ["get", "put", "delete"] {
        let body =
            || (method == "put").then(|| ("application/json", br#"{"patience":"5s"}"#.to_vec()));
        for (account, status) in [("nobody", 404), ("%ff", 400)] {
            let path = format!("/v1/accounts/{account}/ordering");
            checked.ask(open, (method, ordering), &path, &[], body(), status);
        }
    }
    let chosen = checked.ask(
        open,
        ("delete", ordering),
        "/v1/accounts/7/ordering",
        &[],
        None,
        200,
    );
    assert_eq!(chosen["patience"], "30s", "as its document says");
    let none = r#"{"type":"ordering","account":"7","patience":"0s"}"#;
    checked.post(open, "/v1/relationships", "application/json", none, 202);
}

/// The same cursor, as another version of the service would have written it.
fn other_version(cursor: &str) -> String {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let text = cursor.strip_prefix("cursor=").unwrap();
    let mut bytes = URL_SAFE_NO_PAD.decode(text).unwrap();
    bytes.truncate(bytes.len() - 8);
    bytes[0] = 3;
    let checksum = xxhash_rust::xxh3::xxh3_64(&bytes).to_le_bytes();
    bytes.extend(checksum);
    format!("cursor={}", URL_SAFE_NO_PAD.encode(bytes))
}

/// One of each kind; account 7 follows a.example/u and b.example/u.
const RELATIONS: [&str; 12] = [
    r#"{"type":"account","account":"7","actor":"https://vmst.example/users/ana","languages":[],"patience":"30s"}"#,
    r#"{"type":"ordering","account":"7","patience":"20m"}"#,
    r#"{"type":"follow","account":"7","target":"https://a.example/u"}"#,
    r#"{"type":"follow","account":"7","target":"https://b.example/u"}"#,
    r#"{"type":"tag","account":"7","target":"rust"}"#,
    r#"{"type":"mute","account":"7","target":"https://loud.example/u","until":"2999-01-01T00:00:00Z"}"#,
    r#"{"type":"block","account":"7","target":"https://c.example/u"}"#,
    r#"{"type":"blocked_by","account":"7","target":"https://d.example/u","removed":true}"#,
    r#"{"type":"domain_block","account":"7","target":"spam.example"}"#,
    r#"{"type":"list","account":"7","target":"42","title":"Friends"}"#,
    r#"{"type":"list_member","account":"7","list":"42","target":"https://a.example/u"}"#,
    r#"{"type":"moderation","account":"_instance","target":"evil.example","action":"suspend"}"#,
];

const GONE: &str = "https://a.example/gone";
const WAITING: &str = "https://b.example/boost/2";
const FETCHED: &str = "https://stranger.example/1";

/// Activities that bring a post of every verdict, an edit, a reply, boosts of what is known and of what is not, and last the
/// deletion of one: 7 entries for account 7, as a boost of what is unknown waits.
fn activities() -> Vec<(Vec<(&'static str, &'static str)>, Value)> {
    const PUBLIC: &str = "https://www.w3.org/ns/activitystreams#Public";
    const U: &str = "https://a.example/u";
    let create = |id: &str, published: Value| {
        let object = json!({
            "type": "Note", "id": id, "attributedTo": U, "published": published, "to": [PUBLIC],
            "cc": ["https://a.example/u/followers"], "content": "x", "inReplyTo": null
        });
        json!({"type": "Create", "id": format!("{id}/act"), "actor": U, "object": object, "to": [PUBLIC]})
    };
    let boost = |id: &str, of: &str| {
        json!({
            "type": "Announce", "id": id, "actor": "https://b.example/u", "object": of,
            "published": "2025-11-22T10:00:02Z", "to": [PUBLIC]
        })
    };
    let at = |arrived| vec![("arrived-at", arrived)];
    let mut edit = create("https://a.example/1", json!("2025-11-22T10:00:00Z"));
    edit["type"] = json!("Update");
    edit["object"]["updated"] = json!("2025-11-22T10:05:00Z");
    let mut answer = create("https://a.example/answer", json!("2025-11-22T10:00:04Z"));
    answer["object"]["inReplyTo"] = json!("https://a.example/1");
    let now = "2025-11-22T10:00:05Z";
    vec![
        (
            vec![
                ("arrived-at", now),
                ("ref", "r1"),
                ("author-ref", "ü"),
                ("fetched", "false"),
                ("inner-verified", "false"),
            ],
            create("https://a.example/1", json!("2025-11-22T10:00:00Z")),
        ),
        (
            at("1763806200000"),
            create("https://a.example/late", json!("2025-11-22T10:00:01Z")),
        ),
        (
            at("2025-11-25T10:00:00Z"),
            create(
                "https://a.example/too-late",
                json!("2025-11-22T10:00:01.5Z"),
            ),
        ),
        (
            at(now),
            create("https://a.example/future", json!("2025-11-22T12:00:00Z")),
        ),
        (at(now), create("https://a.example/undated", json!("soon"))),
        (at(now), answer),
        (at(now), edit),
        (
            vec![("arrived-at", now), ("fetched", "true")],
            json!({
                "type": "Note", "id": FETCHED, "attributedTo": "https://stranger.example/u",
                "published": "2020-01-01T00:00:00Z", "to": [PUBLIC]
            }),
        ),
        (at(now), boost("https://b.example/boost/1", FETCHED)),
        (at(now), boost(WAITING, "https://unknown.example/1")),
        (at(now), create(GONE, json!("2025-11-22T10:00:03Z"))),
        (
            at(now),
            json!({"type": "Delete", "actor": U, "object": {"type": "Tombstone", "id": GONE}}),
        ),
    ]
}

/// Asks, and holds every answer against the document.
struct Checked {
    document: Value,
    validators: BTreeMap<String, Validator>,
    /// Answers that are described and were not given yet: method, path, status.
    unseen: BTreeSet<String>,
}

impl Checked {
    fn new(document: &Value) -> Checked {
        let mut unseen = BTreeSet::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                for status in operation["responses"].as_object().unwrap().keys() {
                    unseen.insert(format!("{method} {path} {status}"));
                }
            }
        }
        let mut document = document.clone();
        // An answer with a field that is not described is not as described.
        for schema in document["components"]["schemas"]
            .as_object_mut()
            .unwrap()
            .values_mut()
        {
            if schema["properties"].is_object() {
                schema["additionalProperties"] = json!(false);
            }
        }
        Checked {
            document,
            validators: BTreeMap::new(),
            unseen,
        }
    }

    fn get(&mut self, service: &Service, key: (&str, &str), path: &str, status: u16) -> Value {
        self.ask(service, key, path, &[], None, status)
    }

    fn post(
        &mut self,
        service: &Service,
        path: &str,
        kind: &str,
        body: &str,
        status: u16,
    ) -> Value {
        let body = Some((kind, body.as_bytes().to_vec()));
        self.ask(service, ("post", path), "", &[], body, status)
    }

    /// Posts one activity with headers, which is accepted.
    fn activity(&mut self, service: &Service, beside: &[(&str, &str)], activity: &Value) {
        let beside: Vec<(&str, &[u8])> = beside
            .iter()
            .map(|(name, value)| (*name, value.as_bytes()))
            .collect();
        let body = Some((
            "application/activity+json",
            activity.to_string().into_bytes(),
        ));
        let route = ("post", "/v1/activities");
        let answer = self.ask(service, route, "", &beside, body, 202);
        assert_eq!(answer, json!({"accepted":1,"rejected":[]}), "{activity}");
    }

    /// Asks for `path` (the route's own, if empty), expects `status`, and checks the answer; its JSON, if it is any.
    fn ask(
        &mut self,
        service: &Service,
        (method, route): (&str, &str),
        path: &str,
        headers: &[(&str, &[u8])],
        body: Option<(&str, Vec<u8>)>,
        status: u16,
    ) -> Value {
        let path = if path.is_empty() { route } else { path };
        let mut sent = HeaderMap::new();
        for (name, value) in headers {
            let name = HeaderName::try_from(*name).unwrap();
            sent.insert(name, HeaderValue::from_bytes(value).unwrap());
        }
        let verb = Method::try_from(method.to_uppercase().as_str()).unwrap();
        let mut request = service
            .client()
            .request(verb, service.url(path))
            .headers(sent);
        if let Some((kind, body)) = body {
            request = request.header("content-type", kind).body(body);
        }
        let answer = request.send().unwrap_or_else(|e| panic!("{path}: {e:?}"));
        let what = format!("{method} {path} {}", answer.status().as_u16());
        assert_eq!(
            answer.status().as_u16(),
            status,
            "{what}: {:?}",
            answer.text()
        );
        self.unseen.remove(&format!("{method} {route} {status}"));
        let described =
            &self.document["paths"][route][method]["responses"][status.to_string().as_str()];
        assert!(described.is_object(), "{what} is not described");
        let known = described["headers"].as_object();
        for name in known.into_iter().flatten().map(|(name, _)| name) {
            let header = &self.document["components"]["headers"][name];
            let is_there = answer.headers().contains_key(name);
            assert!(is_there || header["required"] != true, "{what}: no {name}");
        }
        for name in ["link", "retry-after", "www-authenticate"] {
            let is_known =
                known.is_some_and(|known| known.keys().any(|k| k.to_lowercase() == name));
            assert!(
                is_known || !answer.headers().contains_key(name),
                "{what}: {name}"
            );
        }
        let media = media_of(answer.headers());
        let schema = described["content"][&media]["schema"].clone();
        assert!(schema.is_object(), "{what}: {media} is not described");
        let text = answer.text().unwrap();
        if media == "application/x-ndjson" {
            let of_line = described["content"][&media]["x-itemSchema"].clone();
            let relationship = json!({"$ref": "#/components/schemas/Relationship"});
            assert_eq!(of_line, relationship, "{what}: lines are not described");
            let of_line = validator(&file("relationship.schema.json"));
            for line in text.lines() {
                let json = serde_json::from_str(line).unwrap_or_else(|e| panic!("{what}: {e}"));
                assert!(of_line.is_valid(&json), "{what}: {json}");
            }
            return Value::String(text);
        }
        if !media.ends_with("json") {
            return Value::String(text);
        }
        let json = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{what}: {e}: {text}"));
        self.validate(&what, schema, &json);
        if media == "application/problem+json" {
            assert_eq!(json["status"], status, "{what}");
        }
        json
    }

    /// Opens a websocket, as RFC 6455 says in section 1.3; its messages are held against their schema elsewhere.
    fn handshake(&mut self, service: &Service, route: &str, path: &str) {
        let mut tcp = TcpStream::connect(service.address).unwrap();
        tcp.set_read_timeout(Some(support::DEADLINE)).unwrap();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        tcp.write_all(request.as_bytes()).unwrap();
        let mut answer = [0; 512];
        let mut read = 0;
        while !answer[..read].windows(4).any(|end| end == b"\r\n\r\n") {
            read += tcp.read(&mut answer[read..]).unwrap();
        }
        let answer = String::from_utf8_lossy(&answer[..read]).to_lowercase();
        assert!(answer.starts_with("http/1.1 101 "), "{answer}");
        assert!(
            answer.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="),
            "{answer}"
        );
        self.unseen.remove(&format!("get {route} 101"));
    }

    /// A path or method that is not in the document.
    fn unlisted(&mut self, service: &Service, method: Method, path: &str, status: u16) {
        let what = format!("{method} {path}");
        let answer = service
            .client()
            .request(method, service.url(path))
            .send()
            .unwrap();
        assert_eq!(answer.status().as_u16(), status, "{what}");
        assert_eq!(
            media_of(answer.headers()),
            "application/problem+json",
            "{what}"
        );
        let allow = answer.headers().contains_key("allow");
        assert_eq!(allow, status == 405, "{what}: {:?}", answer.headers());
        let schema = json!({"$ref": "#/components/schemas/Problem"});
        self.validate(&what, schema, &answer.json().unwrap());
    }

    fn validate(&mut self, what: &str, mut schema: Value, json: &Value) {
        let key = schema.to_string();
        if !self.validators.contains_key(&key) {
            schema["components"] = self.document["components"].clone();
            self.validators.insert(key.clone(), validator(&schema));
        }
        let errors: Vec<String> = self.validators[&key]
            .iter_errors(json)
            .map(|e| format!("{} at {}", e, e.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{what}: {errors:?}: {json}");
    }
}

fn media_of(headers: &HeaderMap) -> String {
    let media = headers
        .get("content-type")
        .map(|value| value.to_str().unwrap())
        .unwrap_or_default();
    media.split(';').next().unwrap().trim().to_owned()
}

fn file(name: &str) -> Value {
    let mut files = files().into_iter();
    files.find(|(known, _)| *known == name).unwrap().1
}

fn validator(schema: &Value) -> Validator {
    jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .should_validate_formats(true)
        .build(schema)
        .unwrap_or_else(|e| panic!("{e}: {schema}"))
}
