//! A tape: what was sent to a service and what was asked of it, with its answers, one step a line.

use super::story::nobody;
use crate::support::instance::{Door, Instance};
use crate::support::surface::{SERVICE, token_of};
use crate::support::{DEADLINE, wait_for, wait_within};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use slackwater_engine::record::offsets::Offsets;
use slackwater_engine::view::cursor::Cursor;
use slackwater_engine::view::seal::{Key, SealedLog};
use slackwater_order::time::Time;
use std::path::Path;
use std::time::Duration;

/// The host that the service is asked for: links to pages and pictures begin with it, whatever port it listens on.
const HOST: &str = "feeds.example";
pub(super) const ACTIVITIES: &str = "/v1/activities";
pub(super) const RELATIONS: &str = "/v1/relationships";
/// What asks for changes since a cursor.
const CHANGES: &str = "/changes?";
/// What stands before a cursor in an answer.
const CURSOR: &str = "\"cursor\":\"";
/// What stands before a horizon, if there is one.
const HORIZON: &str = "\"horizon\":\"";

/// What was sent, and then asked.
#[derive(Default)]
pub(super) struct Chapter {
    pub(super) sent: Vec<Send>,
    pub(super) asked: Vec<Asked>,
}

/// Records that were sent together, all of which were taken.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Send {
    pub(super) send: String,
    pub(super) lines: Vec<String>,
}

/// A question and its answer.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    pub(super) question: Question,
    pub(super) answer: Answer,
}

/// What is asked.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    pub(super) get: String,
    /// With a token of this account's; without one the backend asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) by: Option<String>,
    /// A rebuild may answer otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) not_rebuilt: Option<NotRebuilt>,
}

/// Why a service that reads the log again answers otherwise than one that kept its feeds.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum NotRebuilt {
    /// The cursor lacks relations. A rebuild reads all of these first, so it does not know what left the feed for them, and
    /// refuses the cursor.
    LacksRelations,
    /// What a relation lets into a home is a late arrival only if it was late itself. A rebuild reads all relations before posts,
    /// and merges what they let in when it comes to it: whether a post was let in by them or came by itself is then a matter of which
    /// was first.
    LetInByRelations,
    /// How far the sweep has come that forgets old posts.
    Sweep,
}

/// All that a client sees of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Answer {
    pub(super) status: u16,
    #[serde(default = "json", skip_serializing_if = "is_json")]
    pub(super) kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) link: Option<String>,
    /// JSON, as it is written.
    #[serde(with = "as_it_is")]
    pub(super) body: String,
}

fn json() -> String {
    "application/json".to_owned()
}

fn is_json(kind: &str) -> bool {
    kind == json()
}

/// JSON within JSON, so that a tape can be read by people too.
mod as_it_is {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use serde_json::value::RawValue;

    pub(super) fn serialize<S: Serializer>(json: &str, to: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(json).expect("JSON");
        raw.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
        let raw = Box::<RawValue>::deserialize(from)?;
        Ok(raw.get().to_owned())
    }
}

impl Question {
    /// Asked by the backend.
    pub(super) fn new(get: impl Into<String>) -> Question {
        Question {
            get: get.into(),
            by: None,
            not_rebuilt: None,
        }
    }

    /// Asked with an account's token.
    pub(super) fn by(account: &str, get: impl Into<String>) -> Question {
        Question {
            by: Some(account.to_owned()),
            ..Question::new(get)
        }
    }

    /// Asks it.
    pub(super) fn ask(&self, door: &Door) -> Answer {
        let token = match &self.by {
            None => SERVICE.to_owned(),
            Some(account) => token_of(account, "read", Duration::from_secs(3_600)),
        };
        let request = door.request(Method::GET, &self.get).bearer_auth(token);
        let answer = request.header("host", HOST).send().expect("an answer");
        let header = |name: &str| {
            let value = answer.headers().get(name)?.to_str().expect("text");
            Some(value.to_owned())
        };
        Answer {
            status: answer.status().as_u16(),
            link: header("link"),
            kind: header("content-type").unwrap_or_default(),
            body: answer.text().expect("all of an answer"),
        }
    }
}

impl Answer {
    /// Without what goes on with the clock: the horizon of a feed that is held back, and up to when a cursor says that a feed was
    /// shown. What else a cursor says, and how it is written and sealed, stays.
    pub(super) fn without_the_clock(self, log: &SealedLog) -> Answer {
        let body = replaced(&self.body, HORIZON, |_| "…".to_owned());
        let body = replaced(&body, CURSOR, |text| {
            let mut cursor = Cursor::parse(text, log).expect("a cursor");
            assert_eq!(cursor.to_text(), text, "as it is written");
            cursor.from.horizon = Time::default();
            if let Some(batch) = &mut cursor.batch {
                batch.upto.horizon = Time::default();
            }
            cursor.to_text()
        });
        Answer { body, ..self }
    }
}

/// JSON with another text behind `begin`, which stands there once if it does.
fn replaced(json: &str, begin: &str, by: impl Fn(&str) -> String) -> String {
    let Some((before, rest)) = json.split_once(begin) else {
        return json.to_owned();
    };
    let (text, after) = rest.split_once('"').expect("the end of a text");
    format!("{before}{begin}{}\"{after}", by(text))
}

/// The log in a folder, with the key that its cursors are sealed with.
pub(super) fn sealed(log: &Path) -> SealedLog {
    let key = std::fs::read(log.join("cursor.key")).expect("the key");
    SealedLog::new(0).sealed_with(Some(Key::of(&key)))
}

/// Sends records, and waits until all have been read and relations are in force. How many records that came to, of activities and
/// of relations.
pub(super) fn send(instance: &Instance, sent: &Send) -> [usize; 2] {
    let post = |path: &str, lines: &[String]| {
        let request = instance.door.request(Method::POST, path);
        let request = request.bearer_auth(SERVICE);
        let request = request.header("content-type", "application/x-ndjson");
        let answer = request.body(lines.join("\n")).send().expect("an answer");
        let status = answer.status().as_u16();
        let text = answer.text().expect("all of an answer");
        let accepted = format!("\"accepted\":{},", lines.len());
        assert!(status == 202 && text.contains(&accepted), "{text}");
    };
    let name = "slackwater_records_read_total{topic=\"activities\"} ";
    let read = || {
        let request = instance.door.request(Method::GET, "/metrics");
        let text = request.bearer_auth(SERVICE).send().ok()?.text().ok()?;
        let read = text.lines().find_map(|line| line.strip_prefix(name));
        read.map_or(Some(0), |read| read.parse::<usize>().ok())
    };
    let before = wait_for("how much was read", read);
    post(&sent.send, &sent.lines);
    let count = sent.lines.len();
    if sent.send == RELATIONS {
        return [0, count];
    }
    wait_for("the activities to be read", || {
        (before + count <= read()?).then_some(())
    });
    // They are counted before they are in feeds; a relation is answered after.
    post(RELATIONS, &nobody());
    [count, 1]
}

/// Waits until feeds are built as far as their pages in this chapter say. Where they never are, the answers tell.
pub(super) fn settle(instance: &Instance, log: &SealedLog, chapter: &Chapter) {
    let pages = chapter.asked.iter();
    let pages = pages.filter(|asked| !asked.question.get.contains(CHANGES));
    let is_built = |Asked { question, answer }: &Asked| {
        let then = built(answer, log);
        then.is_none() || built(&question.ask(&instance.door), log) == then
    };
    wait_within(DEADLINE, || pages.clone().all(is_built).then_some(()));
}

/// How far a feed had been built, if the answer has a cursor, and what its entries rested on beyond that.
pub(super) fn built(answer: &Answer, log: &SealedLog) -> Option<(Offsets, Offsets)> {
    let (_, rest) = answer.body.split_once(CURSOR)?;
    let (text, _) = rest.split_once('"')?;
    let cursor = Cursor::parse(text, log).expect("a cursor");
    Some((cursor.from.seen, cursor.from.ahead))
}

/// Reads a tape.
pub(super) fn read(file: &Path) -> Vec<Chapter> {
    let text = std::fs::read_to_string(file).expect("a tape");
    let mut chapters: Vec<Chapter> = Vec::new();
    let mut is_asking = true;
    for line in text.lines() {
        let is_sent = line.starts_with("{\"send\"");
        if (is_sent && is_asking) || chapters.is_empty() {
            chapters.push(Chapter::default());
        }
        is_asking = !is_sent;
        let chapter = chapters.last_mut().expect("a chapter");
        let read = match is_sent {
            true => serde_json::from_str(line).map(|sent| chapter.sent.push(sent)),
            false => serde_json::from_str(line).map(|asked| chapter.asked.push(asked)),
        };
        read.unwrap_or_else(|e| panic!("{e}: {line}"));
    }
    chapters
}

/// Writes a tape.
pub(super) fn write(file: &Path, chapters: &[Chapter]) {
    let mut text = String::new();
    for Chapter { sent, asked } in chapters {
        for sent in sent {
            text += &(serde_json::to_string(sent).expect("JSON") + "\n");
        }
        for asked in asked {
            text += &(serde_json::to_string(asked).expect("JSON") + "\n");
        }
    }
    std::fs::write(file, text).expect("writing a tape");
}
