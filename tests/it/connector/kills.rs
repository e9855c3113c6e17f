//! The service killed on purpose between any two steps of a turn at the outbox, and of the first import: each step is held in the
//! database until the service waits for it.

use super::{DELIVER, Level, Stage, Way, act, config, expected};
use crate::support::postgres::{Database, Version};
use crate::support::wait_for;
use postgres::Client;
use std::path::Path;
use std::sync::mpsc;

/// What a turn waits for.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// It reads a table.
    Reading(&'static str),
    /// What it read is in the log, and it removes it from the outbox.
    Removing,
    /// It removed it, and commits.
    Committing,
}

/// The lock that the triggers below wait for.
const GATE: &str = "SELECT pg_advisory_xact_lock(4242)";

impl Step {
    /// What is made in the database so that the step can be held.
    fn prepare(self, client: &mut Client) {
        let trigger = match self {
            Step::Reading(_) => return,
            Step::Removing => {
                "CREATE TRIGGER gate AFTER DELETE ON slackwater.outbox FOR EACH STATEMENT"
            }
            Step::Committing => {
                "CREATE CONSTRAINT TRIGGER gate AFTER DELETE ON slackwater.outbox DEFERRABLE INITIALLY DEFERRED FOR EACH ROW"
            }
        };
        let function = "CREATE FUNCTION public.gate() RETURNS trigger LANGUAGE plpgsql \
            AS 'BEGIN PERFORM pg_advisory_xact_lock(4242); RETURN NULL; END'";
        let all = format!("{function}; {trigger} EXECUTE FUNCTION public.gate()");
        client.batch_execute(&all).unwrap();
    }

    fn hold(self) -> String {
        match self {
            Step::Reading(table) => format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"),
            Step::Removing | Step::Committing => GATE.to_owned(),
        }
    }
}

/// A step that is held by a session of its own, until this is dropped.
struct Held {
    release: Option<mpsc::Sender<()>>,
    holder: Option<std::thread::JoinHandle<()>>,
}

impl Held {
    /// Holds a step as soon as whoever is at it now has ended; returns once nobody can come before this.
    fn begin(database: &Database, step: Step) -> Held {
        let mut holder = database.connect();
        let row = holder.query_one("SELECT pg_backend_pid()", &[]).unwrap();
        let pid: i32 = row.get(0);
        let (release, released) = mpsc::channel();
        let hold = step.hold();
        let holder = std::thread::spawn(move || {
            holder.batch_execute(&format!("BEGIN; {hold}")).unwrap();
            // The other end is dropped.
            let _ = released.recv();
            holder.batch_execute("ROLLBACK").unwrap();
        });
        let mut client = database.connect();
        let asked = "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = $1 AND \
            (locktype = 'advisory' OR mode = 'AccessExclusiveLock'))";
        wait_for("the step to be held", || {
            client
                .query_one(asked, &[&pid])
                .unwrap()
                .get::<_, bool>(0)
                .then_some(())
        });
        Held {
            release: Some(release),
            holder: Some(holder),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.release.take();
        if let Some(holder) = self.holder.take() {
            let ended = holder.join();
            assert!(ended.is_ok() || std::thread::panicking());
        }
    }
}

impl Stage {
    /// Waits until the service waits for what is held.
    fn wait_until_held(&mut self) {
        let role = self.database.name().to_owned();
        let waits = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE usename = $1 AND wait_event_type = 'Lock')";
        wait_for("the service to come to the step", || {
            let row = self.client.query_one(waits, &[&role]).unwrap();
            row.get::<_, bool>(0).then_some(())
        });
    }

    /// The homes of local accounts are what the tables say.
    #[track_caller]
    fn check(&mut self, locals: &[i64], at: &str) {
        for local in locals {
            let found = self.refs(*local);
            assert_eq!(found, expected(self, *local, Level::Look), "killed at {at}");
        }
    }
}

/// People, and a first post that nobody knows of yet.
struct People {
    mia: i64,
    ana: i64,
    bo: i64,
}

impl People {
    fn new(client: &mut Client) -> People {
        let people = People {
            mia: act(client, "pretend.local_account('mia')", &[]),
            ana: act(client, "pretend.remote_account('ana', 'tide.example')", &[]),
            bo: act(client, "pretend.remote_account('bo', 'ebb.example')", &[]),
        };
        let every_boost = r#"UPDATE users SET settings = '{"aggregate_reblogs":false}'"#;
        client.batch_execute(every_boost).unwrap();
        act(
            client,
            "pretend.follow($1, $2)",
            &[&people.mia, &people.ana],
        );
        people
    }

    /// In one transaction something of everything that a turn reads.
    fn do_everything(&self, client: &mut Client, nth: usize, before_commit: impl FnOnce()) {
        let mut transaction = client.transaction().unwrap();
        let mut act = |what: &str, with: &[&(dyn postgres::types::ToSql + Sync)]| -> i64 {
            let done = transaction.query_one(&format!("SELECT {what}"), with);
            done.unwrap_or_else(|error| panic!("{what}: {error:?}"))
                .try_get(0)
                .unwrap_or_default()
        };
        let uri = |kind: &str| format!("https://tide.example/{kind}/{nth}");
        let (minutes, more) = (
            format!("{} minutes", 5 + nth),
            format!("{} minutes", 65 + nth),
        );
        let strangers = format!("https://ebb.example/{nth}");
        let strangers = act(DELIVER, &[&self.bo, &strangers, &more]);
        let post = act(DELIVER, &[&self.ana, &uri("post"), &minutes]);
        act("pretend.mention($1, $2)", &[&post, &self.mia]);
        act("pretend.tag_post($1, 'tide')", &[&post]);
        act("pretend.attach($1, 'https://tide.example/a.png')", &[&post]);
        act(
            "pretend.boost($1, $2, $3, now() - interval '150 seconds')",
            &[&self.ana, &strangers, &uri("boost")],
        );
        let gone = act(DELIVER, &[&self.ana, &uri("gone"), &minutes]);
        act("pretend.delete_softly($1)", &[&gone]);
        act("pretend.edit($1, '<p>other</p>')", &[&post]);
        act("pretend.write($1, 'own')", &[&self.mia]);
        match nth % 2 {
            0 => act("pretend.follow($1, $2)", &[&self.mia, &self.bo]),
            _ => act("pretend.unfollow($1, $2)", &[&self.mia, &self.bo]),
        };
        act("pretend.mute($1, $2)", &[&self.mia, &self.bo]);
        act("pretend.unmute($1, $2)", &[&self.mia, &self.bo]);
        let list = act("pretend.list($1, 'tides')", &[&self.mia]);
        act("pretend.add_to_list($1, $2)", &[&list, &self.ana]);
        before_commit();
        transaction.commit().unwrap();
    }
}

/// A failure means that what happened in Mastodon while the service was killed is lost, or there twice.
#[test]
fn a_turn_killed_between_any_two_steps_loses_nothing_and_doubles_nothing() {
    let steps = [
        Step::Reading("slackwater.outbox"),
        Step::Reading("statuses"),
        Step::Reading("mentions"),
        Step::Reading("media_attachments"),
        Step::Reading("accounts"),
        Step::Reading("follows"),
        Step::Reading("lists"),
        Step::Reading("list_accounts"),
        Step::Removing,
        Step::Committing,
    ];
    for way in [Way::Directly, Way::Pooled] {
        let mut stage = Stage::with(Version::NEWEST, way, Level::Look, |_| {});
        let people = People::new(&mut stage.client);
        stage.settle();
        for (nth, step) in steps.into_iter().enumerate() {
            step.prepare(&mut stage.client);
            let mut held = None;
            let database = &stage.database;
            people.do_everything(&mut stage.client, nth, || {
                held = Some(Held::begin(database, step));
            });
            stage.wait_until_held();
            stage.instance.kill9();
            drop(held);
            stage.instance.restart();
            stage.instance.wait_until_ready();
            stage.check(&[people.mia], &format!("{step:?}"));
            let remove = "DROP FUNCTION IF EXISTS public.gate() CASCADE";
            stage.client.batch_execute(remove).unwrap();
        }
    }
}

/// How many posts of the first import are said to be in the log, by their last id.
fn imported_up_to(dir: &Path) -> Option<i64> {
    let text = std::fs::read_to_string(dir.join("log/mastodon-import.json")).ok()?;
    let progress: serde_json::Value = serde_json::from_str(&text).ok()?;
    progress["posts_up_to"].as_i64()
}

/// A failure means that an instance begins with homes that lack something.
#[test]
fn a_first_import_killed_at_each_of_its_steps_is_whole_in_the_end() {
    const POSTS: i32 = 1_700;
    let steps = ["accounts", "follows", "mutes", "statuses", "mentions"];
    let mut people = None;
    let mut stage = Stage::unready(
        Version::NEWEST,
        Way::Directly,
        Level::Look,
        |client| {
            let those = People::new(client);
            for nth in 0..4 {
                those.do_everything(client, nth, || {});
            }
            let many = "INSERT INTO statuses (uri, url, text, created_at, updated_at, account_id, local, language) \
                SELECT 'https://ebb.example/many/' || n, 'https://ebb.example/' || n, '<p>low</p>', \
                pretend.utc() - n * interval '1 second' - interval '2 hours', pretend.utc(), $1, false, 'en' \
                FROM generate_series(1, $2) AS n";
            client.execute(many, &[&those.bo, &POSTS]).unwrap();
            act(client, "pretend.follow($1, $2)", &[&those.mia, &those.bo]);
            people = Some(those);
        },
        |url| config(url, Level::Look),
    );
    let people = people.unwrap();
    stage.instance.kill9();
    for step in steps {
        let held = Held::begin(&stage.database, Step::Reading(step));
        stage.instance.restart();
        stage.wait_until_held();
        stage.instance.kill9();
        drop(held);
    }
    stage.instance.restart();
    // And after each page of posts.
    let folder = stage.dir.path().to_owned();
    let mut before = imported_up_to(&folder);
    let mut killed_amid = 0;
    while stage.instance.door.get("/readyz").status != 200 {
        let now = imported_up_to(&folder);
        if now != before {
            before = now;
            killed_amid += 1;
            stage.instance.kill9();
            stage.instance.restart();
        }
    }
    assert!(
        0 < killed_amid,
        "the import was over before it could be killed"
    );
    let shown = stage.refs(people.mia);
    let mut all = expected(&mut stage, people.mia, Level::Look);
    assert!(1_700 < all.len(), "{}", all.len());
    all.truncate(shown.len());
    assert_eq!(shown.len(), 800, "a home is as long as it may be");
    assert_eq!(shown, all);
}
