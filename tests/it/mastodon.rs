//! Mastodon's API as the real binary speaks it: the facts that clients break on, and who may see what.

use crate::support;
use crate::support::DEADLINE;
use crate::support::instance::Door;
use crate::support::surface::{ANA, KIM, PUBLIC, SERVICE, Surface, note, token_of, uri};
use reqwest::Method;
use reqwest::blocking::Response;
use serde_json::{Value, json};
use slackwater::clock;
use slackwater_order::time::Time;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::time::Duration;
use tungstenite::client::IntoClientRequest;
use tungstenite::stream::MaybeTlsStream;
use tungstenite::{Error, Message, WebSocket};

const HOME: &str = "/api/v1/timelines/home";
const BOB: &str = "https://b.example/users/bob";

fn get(surface: &Surface, path: &str, token: Option<&str>) -> Response {
    let mut request = surface.door().request(Method::GET, path);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    request.send().unwrap()
}

fn read(surface: &Surface, path: &str) -> Value {
    let answer = get(surface, path, Some(&surface.token("read")));
    assert_eq!(answer.status(), 200, "{path}");
    answer.json().unwrap()
}

fn ids(page: &Value) -> Vec<String> {
    let statuses = page.as_array().unwrap();
    statuses
        .iter()
        .map(|it| it["id"].as_str().unwrap().to_owned())
        .collect()
}

fn texts(page: &Value) -> Vec<String> {
    let statuses = page.as_array().unwrap();
    statuses
        .iter()
        .map(|it| it["content"].as_str().unwrap().to_owned())
        .collect()
}

fn error(answer: Response, status: u16, text: &str) {
    assert_eq!(answer.status(), status);
    let body: Value = answer.json().unwrap();
    assert_eq!(body, json!({"error": text}));
}

#[test]
fn timelines_are_paged_as_clients_expect() {
    let surface = Surface::start("");
    surface.post_many(45);
    let home = surface.home();
    let (token, of) = (surface.token("read"), |query: &str| {
        format!("{HOME}?{query}")
    });
    assert_eq!(
        ids(&read(&surface, HOME)),
        home[..20],
        "20 if nothing is said"
    );
    assert_eq!(
        ids(&read(&surface, &of("limit=80"))),
        home[..40],
        "at most 40"
    );
    assert_eq!(ids(&read(&surface, &of("limit=0"))).len(), 1);
    let check = |query: String, expected: &[String]| {
        assert_eq!(ids(&read(&surface, &of(&query))), expected, "{query}");
    };
    check(format!("max_id={}&limit=3", home[9]), &home[10..13]);
    check(format!("since_id={}&limit=3", home[9]), &home[..3]);
    check(format!("min_id={}&limit=3", home[9]), &home[6..9]);
    check(
        format!("max_id={}&since_id={}", home[9], home[12]),
        &home[10..12],
    );
    check(
        format!("max_id={}&min_id={}&limit=1", home[9], home[12]),
        &home[11..12],
    );
    // Ids need not exist.
    let between = home[9].parse::<u64>().unwrap() - 1;
    check(format!("max_id={between}&limit=2"), &home[10..12]);
    check("max_id=99999999999999999999&limit=2".to_owned(), &home[..2]);

    let answer = get(&surface, &of("limit=3&local=x"), Some(&token));
    assert_eq!(
        answer.headers()["content-type"],
        "application/json; charset=utf-8"
    );
    let base = format!("{}{HOME}?limit=3&local=x", surface.door().base());
    let (next, prev) = (&home[2], &home[0]);
    let link =
        format!("<{base}&max_id={next}>; rel=\"next\", <{base}&min_id={prev}>; rel=\"prev\"");
    assert_eq!(answer.headers()["link"], link.as_str());
    let last = get(&surface, &of(&format!("max_id={}", home[40])), Some(&token));
    let link = last.headers()["link"].to_str().unwrap().to_owned();
    assert!(!link.contains("next") && link.contains("prev"), "{link}");
    let empty = get(&surface, &of(&format!("max_id={}", home[44])), Some(&token));
    assert!(empty.headers().get("link").is_none());
    assert_eq!(empty.text().unwrap(), "[]");
    // Behind a proxy links lead where the client came to.
    let proxied = surface
        .door()
        .request(Method::GET, HOME)
        .bearer_auth(&token);
    let proxied = proxied
        .header("x-forwarded-proto", "https")
        .header("x-forwarded-host", "home.example");
    let link = proxied.send().unwrap().headers()["link"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        link.starts_with("<https://home.example/api/v1/timelines/home?max_id="),
        "{link}"
    );
}

#[test]
fn a_status_says_what_clients_draw() {
    let surface = Surface::start("");
    let person = json!({"type": "Person", "id": ANA, "preferredUsername": "ana", "name": "Ana :wave:", "inbox": format!("{ANA}/inbox"),
        "summary": "<p>Sea<script>x</script></p>", "url": "https://a.example/@ana", "published": "2020-01-02T00:00:00Z",
        "icon": {"type": "Image", "url": "https://a.example/ana.png"}, "manuallyApprovesFollowers": true,
        "tag": [{"type": "Emoji", "name": ":wave:", "icon": {"url": "https://a.example/wave.png"}}],
        "attachment": [{"type": "PropertyValue", "name": "Boat", "value": "<b onclick=x>yes</b>"}]});
    surface.tell(&[
        json!({"type": "Update", "id": "https://a.example/u1", "actor": ANA, "object": person}),
    ]);
    // Long enough ago that the boost is shown too.
    let ago = |hours: u64| {
        clock::now()
            .minus(Duration::from_secs(3600 * hours))
            .rfc3339()
    };
    let written = format!("{}T09:00:00", &ago(72)[..10]);
    surface.create(&json!({"type": "Note", "id": uri(1), "attributedTo": ANA, "published": format!("{written}Z"),
        "content": "<p>Hi <a href=\"https://home.example/@kim\" class=\"mention evil\" onclick=\"x\">@kim</a></p>",
        "contentMap": {"en": "x"}, "summary": "tides", "sensitive": true, "url": "https://a.example/@ana/1",
        "to": [PUBLIC], "cc": [KIM], "likes": {"totalItems": 3}, "shares": {"totalItems": 2},
        "tag": [{"type": "Mention", "href": KIM, "name": "@kim@home.example"},
            {"type": "Hashtag", "name": "#Tide", "href": "https://a.example/tags/tide"},
            {"type": "Emoji", "name": ":boat:", "icon": {"url": "https://a.example/boat.png"}}],
        "attachment": [{"type": "Document", "mediaType": "image/png", "url": "https://a.example/1.png", "name": "A boat",
            "width": 640, "height": 480, "blurhash": "LKO2", "focalPoint": [0.1, -0.2]},
            {"type": "Document", "mediaType": "text/html", "url": "javascript:alert(1)"}]}));
    surface.create(&json!({"type": "Question", "id": uri(2), "attributedTo": ANA, "content": "Which?", "to": [PUBLIC],
        "published": format!("{written}.5Z"), "inReplyTo": uri(1), "endTime": "2999-11-30T00:00:00Z", "votersCount": 3,
        "oneOf": [{"name": "High", "replies": {"totalItems": 2}}, {"name": "Low", "replies": {"totalItems": 1}}]}));
    surface.tell(&[
        json!({"type": "Announce", "id": format!("{ANA}/boost"), "actor": ANA, "object": uri(1),
        "published": ago(0), "to": [PUBLIC]}),
    ]);
    let page = read(&surface, HOME);
    let statuses = page.as_array().unwrap();
    let find = |uri: &str| {
        statuses
            .iter()
            .find(|it| it["uri"] == uri)
            .unwrap_or_else(|| panic!("{uri}: {page}"))
    };
    let status = find(&uri(1));
    assert_eq!(status["created_at"], format!("{written}.000Z"));
    assert_eq!(
        (&status["sensitive"], &status["spoiler_text"]),
        (&json!(true), &json!("tides"))
    );
    assert_eq!(
        (&status["visibility"], &status["language"]),
        (&json!("public"), &json!("en"))
    );
    assert_eq!(status["url"], "https://a.example/@ana/1");
    assert_eq!(
        (&status["favourites_count"], &status["reblogs_count"]),
        (&json!(3), &json!(2))
    );
    let content = status["content"].as_str().unwrap();
    assert!(
        content.contains("class=\"mention\"") && !content.contains("onclick"),
        "{content}"
    );
    assert_eq!(status["mentions"][0]["acct"], "kim");
    assert_eq!(
        status["tags"],
        json!([{"name": "tide", "url": "https://a.example/tags/tide"}])
    );
    assert_eq!(status["emojis"][0]["shortcode"], "boat");
    let media = &status["media_attachments"];
    assert_eq!(
        media.as_array().unwrap().len(),
        1,
        "no link that runs: {media}"
    );
    assert_eq!(
        (&media[0]["type"], &media[0]["description"]),
        (&json!("image"), &json!("A boat"))
    );
    assert_eq!(media[0]["meta"]["original"]["size"], "640x480");
    assert_eq!(status["slackwater"]["verdict"], "too_late");
    assert_eq!(status["slackwater"]["placed_by"], "published");
    let account = &status["account"];
    assert_eq!(
        (&account["acct"], &account["display_name"]),
        (&json!("ana@a.example"), &json!("Ana :wave:"))
    );
    assert_eq!(
        (&account["note"], &account["locked"]),
        (&json!("<p>Sea</p>"), &json!(true))
    );
    assert_eq!(account["avatar"], "https://a.example/ana.png");
    assert_eq!(account["fields"][0]["value"], "<b>yes</b>");
    assert_eq!(account["emojis"][0]["url"], "https://a.example/wave.png");
    assert_eq!(account["created_at"], "2020-01-02T00:00:00.000Z");

    let poll = &find(&uri(2))["poll"];
    assert_eq!(
        (
            &poll["votes_count"],
            &poll["voters_count"],
            &poll["expired"]
        ),
        (&json!(3), &json!(3), &json!(false))
    );
    assert_eq!(
        poll["options"][1],
        json!({"title": "Low", "votes_count": 1})
    );
    assert_eq!(find(&uri(2))["in_reply_to_id"], status["id"]);
    assert_eq!(find(&uri(2))["in_reply_to_account_id"], account["id"]);
    let boost = find(&format!("{ANA}/boost"));
    assert_eq!(
        (&boost["reblog"]["id"], &boost["reblog"]["content"]),
        (&status["id"], &status["content"])
    );
    assert_ne!(boost["id"], status["id"]);
    let me = read(&surface, "/api/v1/accounts/verify_credentials");
    assert_eq!(
        (&me["acct"], &me["source"]["privacy"]),
        (&json!("kim"), &json!("public"))
    );
    assert_eq!(
        me["id"], status["mentions"][0]["id"],
        "one is the same everywhere"
    );
}

#[test]
fn nobody_reads_what_is_not_theirs() {
    let surface = Surface::start("");
    surface.post(1, "for all");
    let mut private = note(2, "for followers");
    private["to"] = json!([format!("{ANA}/followers")]);
    surface.create(&private);
    let mut direct = note(3, "for Kim");
    direct["to"] = json!([KIM]);
    direct["tag"] = json!([{"type": "Mention", "href": KIM, "name": "@kim"}]);
    surface.create(&direct);
    assert_eq!(
        texts(&read(&surface, HOME)),
        ["<p>for Kim</p>", "<p>for followers</p>", "<p>for all</p>"]
    );
    for path in [
        "/api/v1/timelines/public",
        "/api/v1/timelines/public?local=false",
    ] {
        assert_eq!(texts(&read(&surface, path)), ["<p>for all</p>"], "{path}");
    }
    let lea = token_of("8", "read", Duration::from_secs(60));
    let home = surface.home();
    let status =
        |id: &str, token: &str| get(&surface, &format!("/api/v1/statuses/{id}"), Some(token));
    for id in &home {
        assert_eq!(status(id, &surface.token("read")).status(), 200);
    }
    assert_eq!(status(&home[2], &lea).status(), 200, "public");
    error(status(&home[1], &lea), 404, "Record not found");
    error(status(&home[0], &lea), 404, "Record not found");
    error(status("1", &lea), 404, "Record not found");
    error(status("x", &lea), 404, "Record not found");
    surface.relate(&[json!({"type": "blocked_by", "account": "8", "target": ANA})]);
    error(status(&home[2], &lea), 404, "Record not found");
    surface.delete(1);
    error(
        status(&home[2], &surface.token("read")),
        404,
        "Record not found",
    );

    let invalid = "The access token is invalid";
    let scopes = "This action is outside the authorized scopes";
    for path in [
        HOME,
        "/api/v1/timelines/list/42",
        "/api/v1/timelines/public",
        "/api/v1/timelines/tag/x",
        "/api/v1/lists",
        "/api/v1/accounts/verify_credentials",
        "/api/v1/preferences",
    ] {
        error(get(&surface, path, None), 401, invalid);
        error(get(&surface, path, Some("rubbish")), 401, invalid);
        error(
            get(&surface, path, Some(&surface.token("write"))),
            403,
            scopes,
        );
    }
    error(
        get(&surface, HOME, Some(SERVICE)),
        422,
        "This method requires an authenticated user",
    );
    let kim = surface.token("read");
    error(
        get(&surface, "/api/v1/timelines/list/43", Some(&kim)),
        404,
        "Record not found",
    );
    assert_eq!(ids(&read(&surface, "/api/v1/timelines/list/42")).len(), 2);
    error(
        get(
            &surface,
            "/api/v1/timelines/list/42",
            Some(&surface.token("read:statuses")),
        ),
        403,
        scopes,
    );
    // The id of the late arrivals is nobody else's.
    surface.relate(&[
        json!({"type": "list", "account": "7", "target": "9223372036854775807", "title": "x"}),
    ]);
    assert_eq!(
        read(&surface, "/api/v1/lists"),
        json!([{"id": "42", "title": "Friends", "replies_policy": "list", "exclusive": false},
            {"id": "9223372036854775807", "title": "Late arrivals", "replies_policy": "followed", "exclusive": false}])
    );
    assert_eq!(read(&surface, "/api/v1/lists/42")["title"], "Friends");
    error(
        get(&surface, "/api/v1/lists/43", Some(&kim)),
        404,
        "Record not found",
    );
}

#[test]
fn timelines_are_narrowed_as_clients_ask() {
    let surface = Surface::start("");
    let tagged = |n: i64, tags: &[&str]| {
        let mut object = note(n, &format!("{n}"));
        object["tag"] = tags
            .iter()
            .map(|tag| json!({"type": "Hashtag", "name": format!("#{tag}")}))
            .collect();
        object
    };
    surface.create(&tagged(1, &["rust"]));
    surface.create(&tagged(2, &["rust", "sea"]));
    surface.create(&tagged(3, &["sea"]));
    let mut media = note(4, "4");
    media["attachment"] = json!({"type": "Image", "url": "https://a.example/4.png"});
    surface.create(&media);
    let mut own = note(5, "5");
    own["id"] = json!(format!("{KIM}/5"));
    own["attributedTo"] = json!(KIM);
    own["tag"] = json!({"type": "Hashtag", "name": "#rust"});
    surface.create(&own);
    let check = |path: &str, expected: &[&str]| {
        let expected: Vec<String> = expected.iter().map(|n| format!("<p>{n}</p>")).collect();
        assert_eq!(texts(&read(&surface, path)), expected, "{path}");
    };
    check("/api/v1/timelines/public", &["5", "4", "3", "2", "1"]);
    check("/api/v1/timelines/public?local=true", &["5"]);
    check("/api/v1/timelines/public?remote=1", &["4", "3", "2", "1"]);
    check("/api/v1/timelines/public?only_media=true", &["4"]);
    check("/api/v1/timelines/tag/Rust", &["5", "2", "1"]);
    check("/api/v1/timelines/tag/rust?local=true", &["5"]);
    check(
        "/api/v1/timelines/tag/rust?any[]=sea",
        &["5", "3", "2", "1"],
    );
    check("/api/v1/timelines/tag/rust?all[]=sea", &["2"]);
    check("/api/v1/timelines/tag/rust?none[]=sea", &["5", "1"]);
    surface.relate(&[json!({"type": "mute", "account": "7", "target": ANA})]);
    check("/api/v1/timelines/public", &["5"]);
}

#[test]
fn what_a_client_needs_to_begin_is_there() {
    let surface = Surface::start("");
    let open = |path: &str| {
        let answer = get(&surface, path, None);
        assert_eq!(answer.status(), 200, "{path}");
        answer
    };
    let host = surface.door().base().trim_start_matches("http://");
    let instance: Value = open("/api/v1/instance").json().unwrap();
    assert_eq!(instance["urls"]["streaming_api"], format!("ws://{host}"));
    let instance: Value = open("/api/v2/instance").json().unwrap();
    assert_eq!(
        instance["configuration"]["urls"]["streaming"],
        format!("ws://{host}")
    );
    let links: Value = open("/.well-known/nodeinfo").json().unwrap();
    let nodeinfo = links["links"][0]["href"]
        .as_str()
        .unwrap()
        .replace(surface.door().base(), "");
    let nodeinfo: Value = open(&nodeinfo).json().unwrap();
    assert_eq!(
        (&nodeinfo["version"], &nodeinfo["software"]["name"]),
        (&json!("2.0"), &json!("mastodon"))
    );
    for path in [
        "/api/v1/filters",
        "/api/v2/filters",
        "/api/v1/custom_emojis",
        "/api/v1/notifications",
    ] {
        assert_eq!(open(path).text().unwrap(), "[]");
    }
    assert_eq!(open("/api/v1/streaming/health").text().unwrap(), "OK");
    let asked = surface
        .door()
        .request(Method::OPTIONS, HOME)
        .header("origin", "https://client.example");
    let asked = asked.header("access-control-request-method", "GET");
    let asked = asked
        .header("access-control-request-headers", "authorization")
        .send()
        .unwrap();
    assert_eq!(asked.headers()["access-control-allow-origin"], "*");
    assert_eq!(
        asked.headers()["access-control-allow-headers"],
        "authorization"
    );
    let from_a_page = get(&surface, HOME, Some(&surface.token("read")));
    assert_eq!(from_a_page.headers()["access-control-allow-origin"], "*");
}

/// The names of an object's fields.
fn keys(object: &Value) -> Vec<&str> {
    object
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

/// A failure means that clients which believe Mastodon's documentation break: the keys that 4.5 gives a signed-in reader, and
/// our own.
#[test]
fn nothing_is_missing_that_a_signed_in_reader_is_told() {
    let surface = Surface::start("");
    surface.create(&json!({"type": "Question", "id": uri(1), "attributedTo": ANA, "content": "Which?", "to": [PUBLIC],
        "published": clock::now().rfc3339(), "oneOf": [{"name": "High"}], "tag": {"type": "Hashtag", "name": "#Été"},
        "attachment": {"type": "Image", "url": "https://a.example/1.png"}}));
    let page = read(&surface, HOME);
    let status = &page[0];
    assert_eq!(
        keys(status),
        [
            "account",
            "application",
            "bookmarked",
            "card",
            "content",
            "created_at",
            "edited_at",
            "emojis",
            "favourited",
            "favourites_count",
            "filtered",
            "id",
            "in_reply_to_account_id",
            "in_reply_to_id",
            "language",
            "media_attachments",
            "mentions",
            "muted",
            "pinned",
            "poll",
            "quote",
            "quote_approval",
            "quotes_count",
            "reblog",
            "reblogged",
            "reblogs_count",
            "replies_count",
            "sensitive",
            "slackwater",
            "spoiler_text",
            "tags",
            "uri",
            "url",
            "visibility",
        ]
    );
    for key in ["favourited", "reblogged", "muted", "bookmarked", "pinned"] {
        assert_eq!(status[key], false, "{key}");
    }
    for key in ["application", "card", "quote"] {
        assert_eq!(status[key], Value::Null, "{key}");
    }
    assert_eq!(
        (&status["filtered"], &status["quotes_count"]),
        (&json!([]), &json!(0))
    );
    assert_eq!(
        status["quote_approval"],
        json!({"automatic": [], "manual": [], "current_user": "unknown"})
    );
    let account = [
        "acct",
        "avatar",
        "avatar_static",
        "bot",
        "created_at",
        "discoverable",
        "display_name",
        "emojis",
        "fields",
        "followers_count",
        "following_count",
        "group",
        "header",
        "header_static",
        "hide_collections",
        "id",
        "indexable",
        "last_status_at",
        "locked",
        "note",
        "statuses_count",
        "uri",
        "url",
        "username",
    ];
    assert_eq!(keys(&status["account"]), account);
    assert_eq!(
        keys(&status["poll"]),
        [
            "emojis",
            "expired",
            "expires_at",
            "id",
            "multiple",
            "options",
            "own_votes",
            "voted",
            "voters_count",
            "votes_count",
        ]
    );
    assert_eq!(
        keys(&status["media_attachments"][0]),
        [
            "blurhash",
            "description",
            "id",
            "meta",
            "preview_remote_url",
            "preview_url",
            "remote_url",
            "text_url",
            "type",
            "url",
        ]
    );
    // Whoever is local has these too, and is told so of themself.
    let me = read(&surface, "/api/v1/accounts/verify_credentials");
    let mut own = keys(&me);
    own.retain(|key| !account.contains(key));
    assert_eq!(own, ["noindex", "role", "roles", "source"]);
}

/// A failure means that for every actor never told of, clients ask a stranger's server for an image that is not there.
#[test]
fn what_is_not_known_is_here_and_not_on_a_strangers_server() {
    let surface = Surface::start("");
    let mut object = note(1, "tide");
    object["tag"] = json!({"type": "Hashtag", "name": "#Été"});
    surface.create(&object);
    let here = surface.door().base();
    let status = &read(&surface, HOME)[0];
    let account = &status["account"];
    for (key, path) in [
        ("avatar", "/avatars/original/missing.png"),
        ("avatar_static", "/avatars/original/missing.png"),
        ("header", "/headers/original/missing.png"),
        ("header_static", "/headers/original/missing.png"),
    ] {
        assert_eq!(account[key], format!("{here}{path}"));
        let image = get(&surface, path, None);
        assert_eq!(image.headers()["content-type"], "image/png");
        assert!(
            image.bytes().unwrap().starts_with(b"\x89PNG\r\n\x1a\n"),
            "{path}"
        );
    }
    assert_eq!(
        status["tags"],
        json!([{"name": "été", "url": format!("{here}/tags/%C3%A9t%C3%A9")}])
    );
    // Behind a proxy that is where the client came to, for each its own.
    for host in ["home.example", "other.example"] {
        let proxied = surface.door().request(Method::GET, HOME);
        let proxied = proxied.bearer_auth(surface.token("read"));
        let proxied = proxied
            .header("x-forwarded-proto", "https")
            .header("x-forwarded-host", host);
        let page: Value = proxied.send().unwrap().json().unwrap();
        let avatar = format!("https://{host}/avatars/original/missing.png");
        assert_eq!(page[0]["account"]["avatar"], avatar);
    }
    // Streams too.
    let mut socket = Socket::kims(&surface, "?stream=user");
    socket.settle();
    surface.post(2, "ebb");
    let avatar = format!("{here}/avatars/original/missing.png");
    assert_eq!(socket.next()["payload"]["account"]["avatar"], avatar);
}

#[test]
fn what_is_not_there_is_said_in_mastodons_words() {
    let surface = Surface::start("");
    for path in [
        "/api/v1/statuses/1/context",
        "/api/v1/nothing",
        "/api/v2/search?q=x",
        "/api/v1/",
    ] {
        for token in [None, Some(SERVICE)] {
            error(get(&surface, path, token), 404, "Not Found");
        }
    }
    let posted = surface.door().request(Method::POST, "/api/v1/statuses");
    error(posted.send().unwrap(), 404, "Not Found");
    let page = surface.door().request(Method::GET, "/api/v1/trends/tags");
    let page = page
        .header("origin", "https://client.example")
        .send()
        .unwrap();
    assert_eq!(page.headers()["access-control-allow-origin"], "*");
    // Elsewhere it is a problem document.
    let native = get(&surface, "/v1/nothing", None);
    assert_eq!(native.headers()["content-type"], "application/problem+json");
    let native: Value = native.json().unwrap();
    assert_eq!(
        (&native["type"], &native["title"], &native["status"]),
        (&json!("about:blank"), &json!("Not Found"), &json!(404))
    );
}

/// A failure means that a client is told the same post twice.
#[test]
fn a_hashtag_in_two_spellings_on_one_socket_is_one() {
    let surface = Surface::start("");
    let mut socket = Socket::kims(&surface, "");
    let wish = |kind: &str, tag: &str| json!({"type": kind, "stream": "hashtag", "tag": tag});
    for tag in ["Rust", "rust", "＃RUST"] {
        socket.say(&wish("subscribe", tag));
    }
    socket.settle();
    let mut object = note(1, "tide");
    object["tag"] = json!({"type": "Hashtag", "name": "#rust"});
    surface.create(&object);
    assert_eq!(socket.next()["stream"], json!(["hashtag", "Rust"]));
    // Had it come twice, the second would stand before the answer to this.
    socket.settle();
    socket.say(&wish("unsubscribe", "RUST"));
    socket.settle();
    object["id"] = json!(uri(2));
    surface.create(&object);
    socket.say(&json!({"type": "subscribe", "stream": "user"}));
    socket.settle();
    surface.post(3, "ebb");
    assert_eq!(socket.next()["stream"], json!(["user"]));
}

/// A websocket of Mastodon's streaming API.
/// A client's socket of Mastodon's streaming API.
pub(crate) struct Socket(WebSocket<MaybeTlsStream<TcpStream>>);

impl Socket {
    pub(crate) fn open(
        surface: &Surface,
        query: &str,
        headers: &[(&str, &str)],
    ) -> Result<Socket, u16> {
        Socket::open_at(surface.door(), query, headers)
    }

    pub(crate) fn open_at(
        door: &Door,
        query: &str,
        headers: &[(&str, &str)],
    ) -> Result<Socket, u16> {
        let base = door.base().replace("http://", "ws://");
        let mut request = format!("{base}/api/v1/streaming{query}")
            .into_client_request()
            .unwrap();
        for (name, value) in headers {
            let name: tungstenite::http::HeaderName = name.parse().unwrap();
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        match tungstenite::connect(request) {
            Ok((socket, _)) => {
                let MaybeTlsStream::Plain(tcp) = socket.get_ref() else {
                    panic!("plain")
                };
                tcp.set_read_timeout(Some(DEADLINE)).unwrap();
                Ok(Socket(socket))
            }
            Err(Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    fn kims(surface: &Surface, query: &str) -> Socket {
        let bearer = format!("Bearer {}", surface.token("read"));
        Socket::open(surface, query, &[("authorization", &bearer)]).unwrap()
    }

    pub(crate) fn say(&mut self, message: &Value) {
        self.0.send(Message::text(message.to_string())).unwrap();
    }

    /// The next message; its payload read, if it is JSON.
    pub(crate) fn next(&mut self) -> Value {
        let mut message: Value = serde_json::from_str(&self.next_text()).unwrap();
        let payload = message["payload"].as_str().map(str::to_owned);
        if let Some(Ok(payload)) = payload.map(|it| serde_json::from_str(&it)) {
            message["payload"] = payload;
        }
        message
    }

    /// The next message as it came.
    pub(crate) fn next_text(&mut self) -> String {
        loop {
            match self.0.read().expect("a message") {
                Message::Text(text) => return text.as_str().to_owned(),
                Message::Close(frame) => panic!("it closed: {frame:?}"),
                _ => {}
            }
        }
    }

    /// The code that it is closed with, whatever comes before.
    pub(crate) fn closed(&mut self) -> u16 {
        loop {
            match self.0.read() {
                Ok(Message::Close(frame)) => return frame.expect("a code").code.into(),
                Ok(_) => {}
                Err(error) => panic!("it did not close: {error}"),
            }
        }
    }

    /// Asks for what there is not: its answer says that all before it was read.
    pub(crate) fn settle(&mut self) {
        self.say(&json!({"type": "subscribe", "stream": "nothing"}));
        assert_eq!(
            self.next(),
            json!({"error": "Unknown stream type", "status": 400})
        );
    }
}

#[test]
fn streams_are_subscribed_to_and_told_as_clients_expect() {
    let surface = Surface::start("");
    let mut socket = Socket::kims(&surface, "?stream=user");
    for stream in [
        json!({"stream": "user"}),
        json!({"stream": "hashtag", "tag": "Rust"}),
        json!({"stream": "list", "list": 42}),
        json!({"stream": "public:remote"}),
        json!({"stream": "public:local"}),
        json!({"stream": "direct"}),
        json!({"stream": "user:notification"}),
    ] {
        let mut wish = stream;
        wish["type"] = json!("subscribe");
        socket.say(&wish);
    }
    socket.settle();
    // Those who wish for what is not theirs, or is not there, are told so.
    socket.say(&json!({"type": "subscribe", "stream": "list", "list": "43"}));
    assert_eq!(socket.next()["error"], "Not authorized to stream this list");
    socket.say(&json!({"type": "subscribe", "stream": "hashtag"}));
    assert_eq!(socket.next()["error"], "Missing tag name parameter");
    socket.say(&json!(["rubbish"]));
    socket.settle();

    let object = json!({"type": "Note", "id": uri(1), "attributedTo": ANA, "content": "tide", "to": [PUBLIC],
        "published": clock::now().rfc3339(), "tag": {"type": "Hashtag", "name": "#rust"}});
    surface.create(&object);
    let mut told: Vec<Value> = (0..4).map(|_| socket.next()).collect();
    told.sort_by_key(|it| it["stream"].to_string());
    let streams: Vec<&Value> = told.iter().map(|it| &it["stream"]).collect();
    assert_eq!(
        streams,
        [
            &json!(["hashtag", "Rust"]),
            &json!(["list", "42"]),
            &json!(["public:remote"]),
            &json!(["user"])
        ]
    );
    for message in &told {
        assert_eq!(
            (&message["event"], &message["payload"]["uri"]),
            (&json!("update"), &json!(uri(1)))
        );
    }
    for stream in [
        json!({"stream": "hashtag", "tag": "Rust"}),
        json!({"stream": "list", "list": "42"}),
        json!({"stream": "public:remote"}),
    ] {
        let mut wish = stream;
        wish["type"] = json!("unsubscribe");
        socket.say(&wish);
    }
    socket.settle();
    surface.edit(1, "turned");
    let edit = socket.next();
    assert_eq!(
        (&edit["stream"], &edit["event"]),
        (&json!(["user"]), &json!("status.update"))
    );
    assert!(edit["payload"]["edited_at"].is_string());
    surface.delete(1);
    let id = told[0]["payload"]["id"].clone();
    let delete = socket.next();
    assert_eq!(
        (&delete["event"], delete["payload"].to_string()),
        (&json!("delete"), id.as_str().unwrap().to_owned())
    );
    socket.settle();
}

#[test]
fn a_token_may_come_three_ways_and_must_be_good() {
    let surface = Surface::start("");
    let token = surface.token("read");
    let bearer = format!("Bearer {token}");
    let mut good = [
        Socket::open(&surface, "?stream=user", &[("authorization", &bearer)]).unwrap(),
        Socket::open(&surface, &format!("?stream=user&access_token={token}"), &[]).unwrap(),
        Socket::open(
            &surface,
            "/?stream=user",
            &[("sec-websocket-protocol", &token)],
        )
        .unwrap(),
    ];
    good.iter_mut().for_each(Socket::settle);
    let refused =
        |query: &str, headers: &[(&str, &str)]| Socket::open(&surface, query, headers).err();
    assert_eq!(refused("?stream=user", &[]), Some(401));
    assert_eq!(refused("?stream=user&access_token=rubbish", &[]), Some(401));
    assert_eq!(
        refused("", &[("sec-websocket-protocol", "rubbish")]),
        Some(401)
    );
    let write = surface.token("write");
    let mut socket =
        Socket::open(&surface, &format!("?access_token={write}&stream=user"), &[]).unwrap();
    assert_eq!(
        socket.next(),
        json!({"error": "This action is outside the authorized scopes", "status": 403})
    );
}

#[test]
fn only_what_is_new_is_pushed_as_new() {
    let surface = Surface::start("");
    let mut socket = Socket::kims(&surface, "?stream=user");
    socket.settle();
    let ago = |minutes: u64| {
        json!(
            clock::now()
                .minus(Duration::from_secs(60 * minutes))
                .rfc3339()
        )
    };
    let by_bob = |n: i64, published: Value| {
        let mut object = note(n, "text");
        object["id"] = json!(format!("{BOB}/{n}"));
        object["attributedTo"] = json!(BOB);
        object["published"] = published;
        object
    };
    let late = |n: i64, published: Value| {
        let mut object = note(n, "text");
        object["published"] = published;
        object
    };
    // Bob's are there before he is followed, and come with the follow: nothing is new about them.
    surface.create(&by_bob(1, ago(0)));
    surface.relate(&[json!({"type": "follow", "account": "7", "target": BOB})]);
    surface.relate(&[json!({"type": "mute", "account": "7", "target": BOB})]);
    let muted = socket.next();
    assert_eq!(muted["event"], "delete");
    surface.relate(&[json!({"type": "mute", "account": "7", "target": BOB, "removed": true})]);
    surface.post(1, "on top");
    assert_eq!(
        socket.next()["payload"]["uri"],
        uri(1),
        "neither follow nor unmute pushed anything"
    );
    // Behind, and come soon enough; behind, and late; an import of what arrived long ago.
    let seconds = |n: u64| json!(clock::now().minus(Duration::from_secs(n)).rfc3339());
    surface.create(&late(2, seconds(30)));
    assert_eq!(socket.next()["payload"]["uri"], uri(2));
    surface.create(&late(3, ago(15)));
    let imported = json!({"activity": {"type": "Create", "id": "https://a.example/i", "actor": ANA, "object": late(4, ago(50))},
        "arrived_at": ago(50)});
    surface.tell(&[imported]);
    surface.create(&late(5, ago(60 * 48)));
    surface.post(6, "last");
    assert_eq!(socket.next()["payload"]["uri"], uri(6));
    let home = read(&surface, HOME);
    assert_eq!(
        home.as_array().unwrap().len(),
        7,
        "all of them are there: {home}"
    );
    // What was not pushed, though it came by itself, is in the list of late arrivals, by when it came; what the follow brought
    // came in time.
    let list = "/api/v1/timelines/list/9223372036854775807";
    let page = read(&surface, list);
    let shown = |page: &Value| -> Vec<Value> {
        let page = page.as_array().unwrap().iter();
        page.map(|it| it["reblog"]["uri"].clone()).collect()
    };
    assert_eq!(shown(&page), [uri(5), uri(3), uri(4)]);
    assert_eq!(page[0]["account"], page[0]["reblog"]["account"]);
    assert_eq!(page[0]["reblog"]["id"], *ids(&home).last().unwrap());
    let keys = ids(&page);
    assert!(
        keys.is_sorted_by(|a, b| (b.len(), b) < (a.len(), a)),
        "{keys:?}"
    );
    let next = read(&surface, &format!("{list}?limit=1&max_id={}", keys[0]));
    assert_eq!(ids(&next), keys[1..2]);
    let newer = read(&surface, &format!("{list}?limit=1&min_id={}", keys[2]));
    assert_eq!(ids(&newer), keys[1..2]);
    let answer = get(
        &surface,
        &format!("{list}?limit=2"),
        Some(&surface.token("read")),
    );
    let link = answer.headers()["link"].to_str().unwrap().to_owned();
    assert!(
        link.contains(&format!("max_id={}>; rel=\"next\"", keys[1])),
        "{link}"
    );
    let lists = read(&surface, "/api/v1/lists");
    assert_eq!(lists[1]["title"], "Late arrivals");
    let one = "/api/v1/lists/9223372036854775807";
    assert_eq!(read(&surface, one), lists[1]);
    assert_eq!(read(&surface, &format!("{one}/accounts")), json!([]));
    socket.say(&json!({"type": "subscribe", "stream": "list", "list": "9223372036854775807"}));
    socket.settle();
    // The same of the backend's API.
    let feed = "/v1/accounts/7/feeds/late";
    let page = surface.backend(feed);
    let uris: Vec<&Value> = page["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["uri"])
        .collect();
    assert_eq!(uris, [&json!(uri(5)), &json!(uri(3)), &json!(uri(4))]);
    assert_eq!(page["entries"][0]["id"], keys[0]);
    assert_eq!(page["entries"][0]["place"], *ids(&home).last().unwrap());
    assert_eq!(page["cursor"], Value::Null);
    let walked = surface.backend(&format!("{feed}?limit=1&before={}", keys[0]));
    assert_eq!(walked["entries"][0]["id"], keys[1]);
    let above = surface.backend(&format!("{feed}?limit=1&after={}", keys[2]));
    assert_eq!(above["entries"][0]["id"], keys[1]);
    for of in ["?origin=local", "?account=9", "?before=x", "?limit=0"] {
        let problem = surface.backend(&format!("{feed}{of}"));
        assert_eq!(problem["status"], 400, "{problem}");
    }
    for of in ["changes?cursor=x", "stream"] {
        let problem = surface.backend(&format!("{feed}/{of}"));
        assert_eq!(problem["status"], 404, "{problem}");
    }
}

/// A failure means that one's own boost is pushed on top long after it was made, and stands below what was read.
#[test]
fn ones_own_boost_that_waited_long_is_late_and_no_update() {
    let surface = Surface::start("");
    let mut socket = Socket::kims(&surface, "?stream=user");
    socket.settle();
    let ago = json!(clock::now().minus(Duration::from_secs(600)).rfc3339());
    let boosted = "https://c.example/posts/1";
    let boost = json!({"type": "Announce", "id": format!("{KIM}/boost"), "actor": KIM, "object": boosted,
        "published": ago, "to": [PUBLIC]});
    surface.tell(&[json!({"activity": boost, "arrived_at": ago})]);
    // That an entry is not there may be told before it comes.
    let mut update = || loop {
        let message = socket.next();
        if message["event"] != "delete" {
            return message;
        }
    };
    surface.post(1, "meanwhile");
    assert_eq!(update()["payload"]["uri"], uri(1));
    let mut original = note(2, "boosted");
    original["id"] = json!(boosted);
    original["attributedTo"] = json!("https://c.example/users/cy");
    surface.tell(&[json!({"activity": original, "fetched": true})]);
    surface.post(3, "last");
    assert_eq!(update()["payload"]["uri"], uri(3));
    let late = surface.backend("/v1/accounts/7/feeds/late");
    assert_eq!(late["entries"][0]["uri"], format!("{KIM}/boost"));
}

/// A failure means that a post that waits in a feed that is held back is pushed behind what was shown, or never.
#[test]
fn what_comes_within_the_hold_is_pushed_however_long_that_is() {
    let surface = Surface::start("[ordering]\nreorder_window = \"20m\"\n");
    surface.relate(&[json!({"type": "ordering", "account": "7", "patience": "20m"})]);
    let mut socket = Socket::kims(&surface, "?stream=user");
    socket.settle();
    let mut object = note(1, "ripe in a moment");
    let written = clock::now().minus(Duration::from_secs(20 * 60 - 3));
    object["published"] = json!(written.rfc3339());
    surface.create(&object);
    assert_eq!(socket.next()["payload"]["uri"], uri(1));
    assert_eq!(
        surface.backend("/v1/accounts/7/feeds/late")["entries"],
        json!([])
    );
    object["id"] = json!(uri(2));
    object["published"] = json!(written.minus(Duration::from_secs(60)).rfc3339());
    surface.create(&object);
    let late = surface.backend("/v1/accounts/7/feeds/late");
    assert_eq!(late["entries"][0]["uri"], uri(2));
}

/// Lines of a stream of server-sent events.
pub(crate) struct Events(BufReader<Response>);

impl Events {
    fn open(surface: &Surface, path: &str, after: Option<&str>) -> Events {
        Events::open_with(surface, &surface.token("read"), path, after)
    }

    pub(crate) fn open_with(
        surface: &Surface,
        token: &str,
        path: &str,
        after: Option<&str>,
    ) -> Events {
        let request = surface.door().request(Method::GET, path).bearer_auth(token);
        let request = request.timeout(DEADLINE);
        let request = after
            .into_iter()
            .fold(request, |request, id| request.header("last-event-id", id));
        let answer = request.send().unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let mut events = Events(BufReader::new(answer));
        assert_eq!(events.block(), [":thump"], "from here on nothing is missed");
        events
    }

    fn block(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            assert_ne!(
                self.0.read_line(&mut line).unwrap(),
                0,
                "it ended after {lines:?}"
            );
            if line == "\n" {
                return lines;
            }
            lines.push(line.trim_end().to_owned());
        }
    }

    /// The lines of the next event.
    pub(crate) fn block_of_event(&mut self) -> Vec<String> {
        loop {
            let block = self.block();
            if !block[0].starts_with(':') {
                return block;
            }
        }
    }

    /// The next event: its name, data and id.
    fn event(&mut self) -> (String, String, String) {
        let block = self.block_of_event();
        let field = |nth: usize, name: &str| block[nth].strip_prefix(name).unwrap().to_owned();
        (field(0, "event: "), field(1, "data: "), field(2, "id: "))
    }
}

/// A failure means that clients keep posts by somebody whom their reader has just blocked: theirs is a protocol that has no word
/// for where a feed ends.
#[test]
fn what_leaves_a_full_feed_is_told_wherever_it_stood() {
    let surface = Surface::start_with("[feed]\n", "[feed]\nlength = 10\n");
    surface.relate(&[json!({"type": "follow", "account": "7", "target": BOB})]);
    let mut object = note(1, "the lowest");
    object["attributedTo"] = json!(BOB);
    object["id"] = json!(format!("{BOB}/1"));
    surface.create(&object);
    (2..=10).for_each(|n| surface.post(n, "text"));
    let lowest = ids(&read(&surface, HOME)).pop().unwrap();
    let mut socket = Socket::kims(&surface, "?stream=user");
    socket.settle();
    let mut events = Events::open(&surface, "/api/v1/streaming/user", None);
    surface.post(11, "one more than there is room for");
    assert_eq!(socket.next()["event"], "update");
    assert_eq!(events.event().0, "update");
    surface.relate(&[json!({"type": "block", "account": "7", "target": BOB})]);
    let told = socket.next();
    assert_eq!(told["event"], "delete");
    assert_eq!(told["payload"].to_string(), lowest);
    let (name, payload, _) = events.event();
    assert_eq!((name.as_str(), &payload), ("delete", &lowest));
}

/// A failure means that a client that loses its connection misses posts, as with every other server.
#[test]
fn events_go_on_where_a_client_left_off() {
    let surface = Surface::start("");
    let mut events = Events::open(&surface, "/api/v1/streaming/user", None);
    let n = 1;
    surface.post(n, "text");
    let first = events.event();
    let status: Value = serde_json::from_str(&first.1).unwrap();
    assert_eq!(
        (first.0.as_str(), status["content"].as_str().unwrap()),
        ("update", "<p>text</p>")
    );
    drop(events);
    surface.post(n + 1, "missed");
    surface.edit(n, "edited");
    surface.delete(n + 1);
    surface.post(n + 2, "too");
    let mut events = Events::open(&surface, "/api/v1/streaming?stream=user", Some(&first.2));
    let told: Vec<(String, String, String)> = (0..2).map(|_| events.event()).collect();
    assert_eq!(told[0].0, "status.update");
    assert_eq!(told[1].0, "update");
    assert!(told[1].1.contains("too"));
    // Half of them told, and again.
    let mut events = Events::open(&surface, "/api/v1/streaming/user", Some(&told[0].2));
    assert_eq!(events.event(), told[1]);
    for (path, status) in [
        ("user", 401),
        ("list?list=43", 404),
        ("hashtag", 400),
        ("nothing", 400),
    ] {
        let token = (status != 401).then(|| surface.token("read"));
        let answer = get(
            &surface,
            &format!("/api/v1/streaming/{path}"),
            token.as_deref(),
        );
        assert_eq!(answer.status(), status, "{path}");
    }
    let tag = Events::open(&surface, "/api/v1/streaming/hashtag/local?tag=rust", None);
    drop(tag);
}

/// A failure means that one client can fill the memory or the processor.
#[test]
fn who_floods_a_socket_is_sent_away() {
    let surface = Surface::start("");
    let mut socket = Socket::kims(&surface, "");
    for n in 0..40 {
        socket.say(&json!({"type": "subscribe", "stream": "hashtag", "tag": format!("t{n}")}));
    }
    for _ in 32..40 {
        assert_eq!(
            socket.next(),
            json!({"error": "Too many subscriptions", "status": 429})
        );
    }
    let closed = (0..10_000).any(|_| {
        let wish = json!({"type": "subscribe", "stream": "user"});
        socket.0.send(Message::text(wish.to_string())).is_err()
    });
    let end = loop {
        match socket.0.read() {
            Ok(Message::Close(frame)) => break frame.map(|frame| u16::from(frame.code)),
            Ok(_) => {}
            Err(_) => break None,
        }
    };
    assert!(closed || end == Some(1008), "{end:?}");
    let name = "slackwater_streams_ended_total{reason=\"too many messages\"}";
    support::wait_for("its end", || {
        let metrics = get(&surface, "/metrics", Some(SERVICE)).text().unwrap();
        metrics
            .lines()
            .any(|line| line.starts_with(name))
            .then_some(())
    });
}

#[test]
fn the_backends_own_ids_are_spoken_if_the_configuration_says_so() {
    let surface = Surface::start("[mastodon]\nids = \"ref\"\n");
    let with = |n: i64, reference: Option<&str>| {
        let object = note(n, &format!("{n}"));
        json!({"activity": {"type": "Create", "id": format!("{}#c", uri(n)), "actor": ANA, "object": object},
            "ref": reference, "author_ref": reference.map(|_| "900")})
    };
    surface.tell(&[with(1, Some("501"))]);
    surface.tell(&[with(2, None)]);
    surface.tell(&[with(3, Some("503"))]);
    surface.tell(&[with(4, Some("499"))]);
    let home = read(&surface, HOME);
    assert_eq!(
        ids(&home),
        ["499", "503", "501"],
        "in order, and without what has no ref"
    );
    assert_eq!(home[0]["account"]["id"], "900");
    assert_eq!(ids(&read(&surface, &format!("{HOME}?max_id=503"))), ["501"]);
    assert_eq!(
        ids(&read(&surface, &format!("{HOME}?min_id=501&limit=1"))),
        ["503"]
    );
    assert_eq!(
        ids(&read(&surface, &format!("{HOME}?since_id=501&limit=1"))),
        ["499"]
    );
    assert_eq!(read(&surface, "/api/v1/statuses/503")["uri"], uri(3));
    assert_eq!(
        read(&surface, "/api/v1/accounts/verify_credentials")["id"],
        "7"
    );
    let mut socket = Socket::kims(&surface, "?stream=user");
    socket.settle();
    surface.tell(&[with(5, Some("505"))]);
    assert_eq!(socket.next()["payload"]["id"], "505");
    surface.delete(5);
    assert_eq!(socket.next()["payload"], 505, "read as JSON: the id alone");
}

/// The clock of statuses: what is undated was written when it arrived.
#[test]
fn what_is_undated_was_written_when_it_arrived() {
    let surface = Surface::start("");
    let mut object = note(1, "no date");
    object.as_object_mut().unwrap().remove("published");
    let before = clock::now();
    surface.create(&object);
    let page = read(&surface, HOME);
    let created: Time = serde_json::from_value(page[0]["created_at"].clone()).unwrap();
    assert!(before <= created && created <= clock::now());
    assert_eq!(page[0]["slackwater"]["verdict"], "undated");
}

/// A failure means that a thread whose posts come in the wrong order is never shown to who watches.
#[test]
fn what_waited_for_another_post_is_pushed_when_that_comes() {
    let surface = Surface::start("");
    surface.relate(&[json!({"type": "follow", "account": "7", "target": BOB})]);
    let mut socket = Socket::kims(&surface, "?stream=user");
    socket.settle();
    let parent = format!("{BOB}/1");
    let mut reply = note(1, "an answer");
    reply["inReplyTo"] = json!(parent);
    let boosted = "https://c.example/posts/1";
    let boost = json!({"type": "Announce", "id": format!("{ANA}/boost"), "actor": ANA, "object": boosted,
        "published": clock::now().rfc3339(), "to": [PUBLIC]});
    surface.create(&reply);
    surface.tell(&[boost]);
    let mut question = note(2, "a question");
    question["id"] = json!(parent);
    question["attributedTo"] = json!(BOB);
    let published: Time = serde_json::from_value(reply["published"].clone()).unwrap();
    question["published"] = json!(published.minus(Duration::from_secs(60)).rfc3339());
    surface.create(&question);
    // That an entry is not there may be told before it comes.
    let mut next = || loop {
        let message = socket.next();
        if message["event"] != "delete" {
            return message;
        }
    };
    let told = [next(), next()];
    assert!(told.iter().all(|it| it["event"] == "update"), "{told:?}");
    let uris: Vec<&Value> = told.iter().map(|it| &it["payload"]["uri"]).collect();
    assert_eq!(uris, [&json!(parent), &json!(uri(1))]);
    let mut original = note(3, "boosted");
    original["id"] = json!(boosted);
    original["attributedTo"] = json!("https://c.example/users/cy");
    let fetched = json!({"activity": original, "fetched": true});
    surface.tell(&[fetched]);
    let told = next();
    assert_eq!(
        (&told["event"], &told["payload"]["reblog"]["uri"]),
        (&json!("update"), &json!(boosted))
    );
}

/// A failure means that a post that its author's document lets in is never shown to who watches, or what one puts out stays.
#[test]
fn what_an_authors_document_says_is_for_followers_is_pushed_and_shown_to_them() {
    let surface = Surface::start("");
    let mut socket = Socket::kims(&surface, "?stream=user");
    socket.settle();
    let named = "https://a.example/followers/ana";
    let private = |n: i64, to: &str| {
        let mut object = note(n, "for followers");
        object["to"] = json!([to]);
        surface.create(&object);
        let post = surface.backend(&format!("/v1/posts?uri={}", uri(n)));
        format!("/api/v1/statuses/{}", post["id"].as_str().unwrap())
    };
    let by_name = private(1, named);
    let by_convention = private(2, &format!("{ANA}/followers"));
    let pushed = socket.next();
    assert_eq!(pushed["payload"]["uri"], uri(2));
    assert_eq!(pushed["payload"]["visibility"], "private");
    let kims = Some(surface.token("read"));
    let leas = Some(token_of("8", "read", Duration::from_secs(60)));
    let status = |path: &str, token: &Option<String>| get(&surface, path, token.as_deref());
    assert_eq!(status(&by_name, &kims).status(), 404);
    assert_eq!(status(&by_convention, &kims).status(), 200);

    let document =
        json!({"type": "Person", "id": ANA, "inbox": format!("{ANA}/inbox"), "followers": named});
    surface.tell(&[json!({"activity": document, "fetched": true})]);
    let told = [socket.next(), socket.next()];
    let update = told.iter().find(|it| it["event"] == "update");
    let update = update.unwrap_or_else(|| panic!("{told:?}"));
    assert_eq!(update["payload"]["uri"], uri(1));
    assert!(told.iter().any(|it| it["event"] == "delete"), "{told:?}");
    assert_eq!(status(&by_convention, &kims).status(), 404);
    assert_eq!(status(&by_name, &leas).status(), 404, "she does not follow");
    let shown: Value = status(&by_name, &kims).json().unwrap();
    assert_eq!(shown["visibility"], "private");
    assert_eq!(texts(&read(&surface, HOME)), ["<p>for followers</p>"]);
}
