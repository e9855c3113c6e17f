//! Posts whose HTML or lists become far more than they were: written by anybody, shown to everybody.

use super::findings::{Bounds, Findings};
use super::victim::{Setting, Victim, create, note, websocket};
use super::{Attack, Failed, Scale};
use reqwest::Method;
use serde_json::{Value, json};
use slackwater::clock;
use std::time::Duration;

pub(crate) const READ: Attack = Attack {
    name: "exploding_read",
    setting: Setting::Tokens(""),
    prepare: |victim, scale, _| {
        let kinds: Vec<Value> = kinds().iter().map(|(_, object)| create(object)).collect();
        victim.tell(&kinds, 4)?;
        let eve = "https://nested.example/users/eve";
        let post = |n| create(&note(eve, &format!("{eve}/posts/{n}"), &nested()));
        let nested: Vec<Value> = (0..scale.of(3, 12)).map(post).collect();
        victim.tell(&nested, 4)
    },
    act: read,
    bounds: |scale| Bounds {
        memory_growth_mib_max: 128,
        ..Bounds::calm(scale)
    },
};

pub(crate) const WATCHED: Attack = Attack {
    name: "exploding_watched",
    setting: Setting::Tokens(""),
    prepare: |_, _, _| Ok(()),
    act: watched,
    bounds: |scale| Bounds {
        memory_growth_mib_max: scale.of(128, 256),
        ..Bounds::calm(scale)
    },
};

/// Times its size that the worst post may have as an answer.
const TIMES_MAX: usize = 4;
/// What every status has beside what its post says.
const BESIDE_BYTES: usize = 16 << 10;
/// The longest that an answer with one status may take. A release build is to need 20 ms for making it harmless, once; a build
/// for tests is many times slower.
fn status_wait_max(scale: Scale) -> Duration {
    Duration::from_millis(scale.of(2_000, 100))
}

/// One post of each kind is read, twice; then a public timeline of the worst by several at once.
fn read(victim: &Victim, scale: Scale, findings: &mut Findings) -> Result<(), Failed> {
    let token = victim.kims_token();
    victim.settle();
    for (kind, object) in kinds() {
        let id = victim.id_of(object["id"].as_str().ok_or("no id")?)?;
        let path = format!("/api/v1/statuses/{id}");
        let sent = object.to_string().len();
        let mut took = Vec::new();
        let mut bytes = 0;
        for _ in 0..2 {
            let begun = clock::stopwatch();
            let answer = victim
                .anyone(Method::GET, &path)
                .bearer_auth(&token)
                .send()?;
            let status = answer.status();
            bytes = answer.bytes()?.len();
            took.push(begun.elapsed());
            findings.must(status.is_success(), || format!("{kind}: {status}"));
        }
        let millis: Vec<u128> = took.iter().map(Duration::as_millis).collect();
        findings.note(format!(
            "{kind}: {sent} bytes became {bytes} in {millis:?} ms"
        ));
        findings.must(bytes <= TIMES_MAX * sent + BESIDE_BYTES, || {
            format!("{kind}: {sent} bytes became {bytes}")
        });
        findings.must(took.iter().all(|it| *it <= status_wait_max(scale)), || {
            format!("{kind}: an answer took {millis:?} ms")
        });
        if !victim.answers() {
            return Err("it does not answer".into());
        }
    }
    let readers = scale.of(3, 12);
    let begun = clock::stopwatch();
    let answered: Vec<usize> = std::thread::scope(|scope| {
        let reads: Vec<_> = (0..readers)
            .map(|_| {
                scope.spawn(|| {
                    let request = victim.anyone(Method::GET, "/api/v1/timelines/public?limit=40");
                    let answer = request.send().ok()?.error_for_status().ok()?;
                    answer.bytes().ok().map(|bytes| bytes.len())
                })
            })
            .collect();
        reads
            .into_iter()
            .filter_map(|read| read.join().ok().flatten())
            .collect()
    });
    findings.note(format!(
        "{} of {readers} anonymous reads of the public timeline in {:.1} s, of {} bytes at most",
        answered.len(),
        begun.elapsed().as_secs_f64(),
        answered.iter().max().unwrap_or(&0)
    ));
    findings.must(answered.len() == readers, || {
        format!(
            "{} of {readers} anonymous reads were answered",
            answered.len()
        )
    });
    Ok(())
}

/// Several watch the public timeline while such posts come.
fn watched(victim: &Victim, scale: Scale, findings: &mut Findings) -> Result<(), Failed> {
    let watchers: Result<Vec<_>, _> = (0..scale.of(4, 20))
        .map(|_| websocket(victim, "/api/v1/streaming?stream=public", None))
        .collect();
    let watchers = watchers?;
    for (_, object) in kinds().iter().take(2) {
        victim.tell(&[create(object)], 1)?;
    }
    // What was written last comes last.
    let sentinel = "https://sentinel.example/users/s/posts/1";
    victim.tell(
        &[create(&note(
            "https://sentinel.example/users/s",
            sentinel,
            "sentinel",
        ))],
        1,
    )?;
    let begun = clock::stopwatch();
    let told = std::thread::scope(|scope| {
        let reads: Vec<_> = watchers
            .into_iter()
            .map(|watcher| scope.spawn(move || is_told(watcher, sentinel.as_bytes())))
            .collect();
        let told: Vec<bool> = reads
            .into_iter()
            .map(|read| read.join().unwrap_or(false))
            .collect();
        told
    });
    let (all, told) = (told.len(), told.into_iter().filter(|it| *it).count());
    findings.note(format!(
        "{told} of {all} watchers were told of all in {:.1} s",
        begun.elapsed().as_secs_f64()
    ));
    findings.must(told == all, || {
        format!("{told} of {all} watchers were told")
    });
    Ok(())
}

/// Reads until `wanted` has come; false if nothing comes any more.
fn is_told(mut watcher: std::net::TcpStream, wanted: &[u8]) -> bool {
    use std::io::Read;
    let (mut last, mut some) = (Vec::new(), vec![0; 64 << 10]);
    loop {
        match watcher.read(&mut some) {
            Ok(0) | Err(_) => return false,
            Ok(read) => {
                last.extend_from_slice(&some[..read]);
                if last.windows(wanted.len()).any(|it| it == wanted) {
                    return true;
                }
                // It may come in two parts.
                let kept = last.len().saturating_sub(wanted.len());
                last.drain(..kept);
            }
        }
    }
}

/// Posts of up to a record's 1 MB, by what in them grows.
fn kinds() -> Vec<(&'static str, Value)> {
    let objects = [
        ("nested formatting", with("content", json!(nested()))),
        (
            "closing tags",
            with(
                "content",
                json!("<b>".repeat(2_900) + &"</i>".repeat(30_000)),
            ),
        ),
        ("ampersands", with("content", json!("&".repeat(900_000)))),
        (
            "links",
            with("content", json!("<a href=//a.b>x".repeat(60_000))),
        ),
        (
            "mentions",
            with(
                "tag",
                many(
                    &json!({"type": "Mention", "href": "https://a.b/u", "name": "@u"}),
                    900_000,
                ),
            ),
        ),
        (
            "emoji",
            with(
                "tag",
                many(
                    &json!({"type": "Emoji", "name": ":a:", "icon": {"url": "https://a.b"}}),
                    900_000,
                ),
            ),
        ),
        (
            "hashtags",
            with(
                "tag",
                many(&json!({"type": "Hashtag", "name": "#a"}), 900_000),
            ),
        ),
        (
            "attachments",
            with(
                "attachment",
                many(&json!({"type": "Image", "url": "https://a.b"}), 900_000),
            ),
        ),
        ("options", {
            let mut object = with("oneOf", many(&json!({"name": "a"}), 900_000));
            object["type"] = json!("Question");
            object
        }),
        ("a summary", with("summary", json!(nested()))),
        ("languages", {
            let map: serde_json::Map<String, Value> = (0..2_000)
                .map(|n| (format!("x-{n}"), json!("<b>".repeat(100))))
                .collect();
            let mut object = with("contentMap", Value::Object(map));
            object.as_object_mut().unwrap().remove("content");
            object
        }),
    ];
    let uri = |n: usize| format!("https://blast{n}.example/users/eve/posts/1");
    let named = objects
        .into_iter()
        .enumerate()
        .map(|(n, (kind, mut object))| {
            object["id"] = json!(uri(n));
            object["attributedTo"] = json!(format!("https://blast{n}.example/users/eve"));
            (kind, object)
        });
    named.collect()
}

fn with(field: &str, value: Value) -> Value {
    let mut object = note("", "", "<p>boo</p>");
    object[field] = value;
    object
}

/// 36 KB in which each paragraph is to have all formatting that was opened before it.
fn nested() -> String {
    let opened: String = (0..1_490).map(|n| format!("<strong class={n}>")).collect();
    format!("<p>{opened}{}", "<p>x".repeat(1_490))
}

/// As many of it as take so many bytes.
fn many(one: &Value, bytes: usize) -> Value {
    let count = bytes / (one.to_string().len() + 1);
    Value::Array(vec![one.clone(); count])
}
