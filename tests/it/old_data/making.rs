//! A data folder is made: the story is told to a binary, and what it answers is taken down. The README in `tests/old_data` says
//! how this is started.

use super::story::{self, DAY, Teller};
use super::tape::{self, ACTIVITIES, Asked, Chapter, NotRebuilt, Question, RELATIONS, Send};
use super::{CONFIG, Data, FOLDERS, TAPE, check, folder, old_data};
use crate::support::instance::{Instance, OFTEN, built_in};
use crate::support::surface::{SECRET, SERVICE};
use crate::support::wait_for;
use serde_json::Value;
use slackwater::clock;
use slackwater_engine::record::offsets::Offsets;
use slackwater_engine::record::{Position, Topic};
use slackwater_engine::view::seal::SealedLog;
use slackwater_order::time::Time;
use std::fs;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

/// Posts of the origin whose window is learned: from 250 on it is, and they are more than a feed holds.
const MANY: u64 = 270;
/// The accounts that are awake. The patient one's feeds are held back.
const AWAKE: [&str; 5] = ["1", "2", PATIENT, "full", "every-boost"];
const PATIENT: &str = "patient";

/// What the service is started with. Ages are measured in log time, which stands still once the story is told, so nothing of it
/// grows too old; the log is kept for as long as can be.
fn config() -> String {
    let more = format!(
        "length = 120\nposts_keep = \"30d\"\ninactive_after = \"30d\"\n{OFTEN}\
         [ordering]\nreorder_window = \"30s\"\nallowed_lateness = \"1h\"\n\
         [ordering.origin.\"slow.example\"]\nreorder_window = \"16m\"\n\
         [ordering.origin.\"learned.example\"]\nreorder_window = \"auto\"\n\
         [ordering.origin.\"surface.example\"]\nlate = \"surface\"\n\
         [ordering.origin.\"drop.example\"]\ntoo_late = \"drop\"\n\
         [mastodon]\nids = \"ref\"\n\
         [auth]\nservice_tokens = [\"{SERVICE}\"]\n\
         [auth.jwt]\nalgorithm = \"HS256\"\nkey = \"{SECRET}\"\n"
    );
    let config = built_in(&more);
    let config = config.replace("path = \"log\"\n", "path = \"log\"\nkeep = \"100y\"\n");
    config.replace("[http]\n", "[http]\nrequests_per_minute = 1000000\n")
}

/// Cursors that were given on the way, with the feeds they are of.
type Cursors = Vec<(String, String)>;

/// A failure means that a later version could not be held against what this one leaves. Where `SLACKWATER_OLD_DATA` names a folder in
/// `tests/old_data`, it is written there, else into a temporary one.
#[test]
fn what_this_version_leaves_is_read_as_it_was_left() {
    let temporary = TempDir::new().unwrap();
    let to = match std::env::var("SLACKWATER_OLD_DATA") {
        Ok(name) => old_data().join(name),
        Err(_) => temporary.path().join("made"),
    };
    make(&to);
    check(&to, Data::Kept);
}

fn make(to: &Path) {
    fs::create_dir_all(to).unwrap();
    fs::write(to.join(CONFIG), config()).unwrap();
    let dir = TempDir::new().unwrap();
    let now = clock::now().millis() / 60_000 * 60_000;
    let begin = Time::from_millis(now).minus(Duration::from_secs(50 * DAY * 60));
    let mut teller = Teller::new(begin, 0);
    let mut told = Told::to(dir.path(), [0; 2]);
    let cursors = told.tell(&mut teller);
    folder::pack(dir.path(), &["log", "feeds"], &to.join(FOLDERS));

    // Of a copy, as a later version will: reading wakes who sleeps.
    let dir = TempDir::new().unwrap();
    folder::unpack(&to.join(FOLDERS), dir.path());
    let mut told = Told::to(dir.path(), told.sent);
    let mut chapters = vec![told.chapter(Vec::new(), |told| {
        ask_all(told, &cursors, Extent::Everything)
    })];
    told.stop_and_start();
    let relations = vec![told.send(RELATIONS, story::later_changes())];
    chapters.push(told.chapter(relations, |told| {
        let heads = feeds().into_iter().map(|feed| format!("{feed}?limit=1"));
        let heads = heads.map(|head| told.ask(Question::new(head)));
        heads.collect()
    }));
    let activities = vec![told.send(ACTIVITIES, teller.later())];
    chapters.push(told.chapter(activities, |told| {
        ask_all(told, &cursors, Extent::Changeable)
    }));
    tape::write(&to.join(TAPE), &chapters);
}

/// A service to which the story is told.
struct Told {
    instance: Instance,
    log: SealedLog,
    /// The records in its log, of activities and of relations.
    sent: [usize; 2],
}

impl Told {
    fn to(dir: &Path, sent: [usize; 2]) -> Told {
        let instance = Instance::start(dir, &config());
        instance.wait_until_ready();
        Told {
            instance,
            log: tape::sealed(&dir.join("log")),
            sent,
        }
    }

    /// Sends records and waits until they are read.
    fn send(&mut self, path: &str, lines: Vec<String>) -> Send {
        let sent = Send {
            send: path.to_owned(),
            lines,
        };
        let records = tape::send(&self.instance, &sent);
        self.sent = [self.sent[0] + records[0], self.sent[1] + records[1]];
        sent
    }

    /// Waits until these feeds have what the log says.
    fn settle(&self, feeds: impl IntoIterator<Item = String>) {
        let next = Topic::ALL.into_iter().zip(self.sent);
        let next = next.map(|(topic, sent)| Position {
            topic,
            partition: 0,
            offset: i64::try_from(sent).expect("an offset"),
        });
        let all = (Offsets::new(&next.collect::<Vec<_>>()), Offsets::default());
        for feed in feeds {
            let page = Question::new(format!("{feed}?limit=1"));
            wait_for(&format!("{feed} to have {all:?}"), || {
                let answer = page.ask(&self.instance.door);
                (tape::built(&answer, &self.log)? == all).then_some(())
            });
        }
    }

    /// What was sent, and what is asked when all of it is in the feeds.
    fn chapter(&self, sent: Vec<Send>, ask: impl FnOnce(&Told) -> Vec<Asked>) -> Chapter {
        self.settle(feeds().into_iter().chain([home("sleeps")]));
        let asked = ask(self);
        Chapter { sent, asked }
    }

    fn ask(&self, question: Question) -> Asked {
        let answer = question.ask(&self.instance.door);
        Asked { question, answer }
    }

    fn stop_and_start(&mut self) {
        assert_eq!(self.instance.terminate().0.code(), Some(0));
        self.instance.restart();
        self.instance.wait_until_ready();
    }

    /// Tells the story, and stops the service when all of it is stored. The cursors that it gave on the way.
    fn tell(&mut self, teller: &mut Teller) -> Cursors {
        let mut cursors = Vec::new();
        self.send(RELATIONS, story::relations());
        for turn in 0..8 {
            self.send(ACTIVITIES, teller.old(turn));
            self.send(ACTIVITIES, teller.soon_after(turn));
            for account in AWAKE {
                assert_eq!(self.body(&home(account))["status"], Value::Null);
            }
        }
        wait_for("an account to fall asleep", || {
            self.instance.said().contains("fell asleep").then_some(())
        });
        self.send(ACTIVITIES, teller.first());
        self.send(ACTIVITIES, teller.many(MANY));
        self.give_cursors(&mut cursors);
        self.stop_and_start();
        self.send(RELATIONS, story::changes());
        wait_for("a mute to end", || {
            let home = self.body(&home("2")).to_string();
            home.contains("surface.example").then_some(())
        });
        // Its end is a record.
        self.sent[1] += 1;
        self.give_cursors(&mut cursors);
        self.send(ACTIVITIES, teller.second());
        let old = story::uri(story::FORGOTTEN, "old-0");
        let old = format!("/v1/posts?uri={old}");
        wait_for("an old post to be forgotten", || {
            // After a checkpoint that comes after the last activity: another record brings one.
            self.send(RELATIONS, story::nobody());
            (self.body(&old)["object"] == Value::Null).then_some(())
        });
        self.give_cursors(&mut cursors);
        // Started on what is stored it has nothing left to do, so all of it is in the feeds when it stops.
        self.stop_and_start();
        self.settle(feeds());
        assert_eq!(self.instance.terminate().0.code(), Some(0));
        cursors
    }

    fn body(&self, path: &str) -> Value {
        let answer = Question::new(path).ask(&self.instance.door);
        serde_json::from_str(&answer.body).expect("JSON")
    }

    fn give_cursors(&self, cursors: &mut Cursors) {
        self.settle(feeds());
        for feed in feeds() {
            let page = self.body(&format!("{feed}?limit=1"));
            let cursor = page["cursor"].as_str().expect("a cursor").to_owned();
            cursors.push((feed, cursor));
        }
    }
}

fn home(account: &str) -> String {
    format!("/v1/accounts/{account}/feeds/home")
}

/// The feeds that have cursors.
fn feeds() -> Vec<String> {
    let homes = AWAKE.into_iter().map(home);
    let others = [
        "/v1/accounts/1/feeds/list:friends",
        "/v1/accounts/1/feeds/list:apart",
        "/v1/feeds/tag/sea",
        "/v1/feeds/public",
    ];
    homes.chain(others.map(str::to_owned)).collect()
}

/// What is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    Everything,
    /// What more records may have changed. Answers are long.
    Changeable,
}

/// Asks. Of the cursors, a round for each time they were given, the first round lacks relations.
fn ask_all(told: &Told, cursors: &Cursors, extent: Extent) -> Vec<Asked> {
    let is_first = extent == Extent::Everything;
    let mut asked = Vec::new();
    let mut ask = |question: Question| {
        asked.push(told.ask(question));
        asked.last().and_then(|asked| asked.answer.link.clone())
    };
    let mut walk = |first: Question| {
        let mut next = Some(first.get.clone());
        while let Some(get) = next {
            let first = first.clone();
            next = following(ask(Question { get, ..first }).as_deref());
        }
    };
    for account in ["1", "2"] {
        walk(Question::new(format!("{}?limit=25", home(account))));
    }
    if is_first {
        walk(Question::by("1", "/api/v1/timelines/home?limit=30"));
        walk(Question::new("/v1/feeds/public?limit=25"));
        ask(Question::new("/v1/origins"));
    }
    let pages = [
        "/v1/accounts/1/feeds/list:friends?limit=15",
        "/v1/accounts/1/feeds/list:apart",
        "/v1/accounts/2/feeds/list:short-lived",
        "/v1/accounts/every-boost/feeds/home?limit=15",
        "/v1/accounts/full/feeds/home?limit=5",
        "/v1/accounts/full/feeds/home?limit=5&after=1",
        "/v1/accounts/patient/feeds/home?limit=5",
        "/v1/accounts/patient/feeds/home?limit=5&after=1",
        "/v1/accounts/sleeps/feeds/home?limit=10",
        "/v1/accounts/gone/feeds/home?limit=10",
        "/v1/feeds/public?limit=5",
        "/v1/feeds/public?origin=local",
        "/v1/feeds/public?origin=remote&limit=3",
        "/v1/feeds/public?account=2&limit=5",
        "/v1/feeds/tag/sea",
        "/v1/feeds/tag/sea?account=2",
        "/v1/feeds/tag/ebb",
        "/v1/origins?by=host&limit=3",
        "/v1/origins/learned.example",
        "/v1/origins/slow.example",
        "/v1/accounts/1/ordering",
        "/v1/accounts/full/ordering",
        "/v1/accounts/patient/ordering",
    ];
    for get in pages {
        ask(Question::new(get));
    }
    for account in ["1", "2", PATIENT, "every-boost"] {
        ask(Question {
            not_rebuilt: Some(NotRebuilt::LetInByRelations),
            ..Question::new(format!("/v1/accounts/{account}/feeds/late?limit=10"))
        });
    }
    // All changes at once, or so few that the next cursor says how many have been listed.
    let limit = if is_first { 60 } else { 8 };
    for (n, (feed, cursor)) in cursors.iter().enumerate() {
        let lacks_relations = n < feeds().len();
        if lacks_relations && !is_first {
            continue;
        }
        ask(Question {
            not_rebuilt: lacks_relations.then_some(NotRebuilt::LacksRelations),
            ..Question::new(format!("{feed}/changes?limit={limit}&cursor={cursor}"))
        });
    }
    for (author, name) in story::told_of() {
        let is_old = name.starts_with("old-");
        let accounts: &[&str] = match (extent, author) {
            (Extent::Everything, story::ANA) => &["1"],
            (Extent::Everything, _) => &["1", "2"],
            (Extent::Changeable, _) => &["2"],
        };
        for account in accounts {
            let uri = story::uri(author, name);
            ask(Question {
                not_rebuilt: is_old.then_some(NotRebuilt::Sweep),
                ..Question::new(format!("/v1/posts?uri={uri}&explain_for={account}"))
            });
        }
    }
    for get in [
        "/api/v1/timelines/home?limit=10",
        "/api/v1/lists",
        "/api/v1/lists/friends",
        "/api/v1/timelines/list/friends?limit=3",
        "/api/v1/timelines/tag/sea?limit=3",
        "/api/v1/timelines/tag/ebb?any[]=sea&only_media=true",
        "/api/v1/timelines/public?local=true",
        "/api/v1/statuses/1028",
        "/api/v1/statuses/1041",
        "/api/v1/accounts/verify_credentials",
    ] {
        ask(Question::by("1", get));
    }
    let late = "/api/v1/timelines/list/9223372036854775807?limit=3";
    ask(Question {
        not_rebuilt: Some(NotRebuilt::LetInByRelations),
        ..Question::by("1", late)
    });
    for account in ["2", PATIENT] {
        ask(Question::by(account, "/api/v1/timelines/home?limit=3"));
    }
    asked
}

/// The path of the page that a `Link` calls the next.
fn following(link: Option<&str>) -> Option<String> {
    let (target, _) = link?
        .split(", ")
        .find_map(|one| one.split_once("; rel=\"next\""))?;
    let target = target.trim_matches(['<', '>']);
    let at = target.find("/api/").or_else(|| target.find("/v1/"))?;
    Some(target[at..].to_owned())
}
