//! A pretend Mastodon in a real PostgreSQL, and what the connector makes of it: feeds of the real binary.

mod clocks;
mod direct;
mod identities;
mod kills;
mod nodes;
mod tokens;

use crate::database::install;
use crate::support::instance::{self, Instance};
use crate::support::postgres::{Database, Pooler, Version};
use crate::support::{measures, wait_for};
use postgres::Client;
use postgres::types::ToSql;
use serde_json::Value;
use tempfile::TempDir;

/// A pretend Mastodon with its outbox, and a service that follows it.
struct Stage {
    client: Client,
    instance: Instance,
    _pooler: Option<Pooler>,
    database: Database,
    dir: TempDir,
}

/// How the service comes to the database.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Directly,
    /// By way of pgbouncer, which gives each transaction another session.
    Pooled,
}

/// How far the installation goes, and what places are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    /// Mastodon's ids are of the time posts arrived.
    Look,
    /// They are places.
    Serve,
}

fn config(database_url: &str, level: Level) -> String {
    let mastodon =
        format!("ids = \"ref\"\nweb_domain = \"home.example\"\ndatabase = \"{database_url}\"");
    let ordering = match level {
        Level::Look => "",
        Level::Serve => "[ordering]\nplace = \"ref\"\n",
    };
    instance::built_in(&format!("{ordering}[mastodon]\n{mastodon}\n"))
}

impl Stage {
    /// With an empty pretend Mastodon.
    fn new(version: Version) -> Stage {
        Stage::with(version, Way::Directly, Level::Look, |_| {})
    }

    /// With what was there before in the pretend Mastodon.
    fn with(version: Version, way: Way, level: Level, before: impl FnOnce(&mut Client)) -> Stage {
        let stage = Stage::unready(version, way, level, before, |url| config(url, level));
        stage.instance.wait_until_ready();
        stage
    }

    /// The same, not waited for, with the configuration that is made for the address of the database.
    fn unready(
        version: Version,
        way: Way,
        level: Level,
        before: impl FnOnce(&mut Client),
        config: impl FnOnce(&str) -> String,
    ) -> Stage {
        let database = Database::mastodon(version);
        let mut client = database.connect();
        before(&mut client);
        let more: &[&str] = match level {
            Level::Look => &[],
            Level::Serve => &["--serve"],
        };
        install(&database, more);
        let dir = TempDir::new().unwrap();
        let role = database.name();
        let pooler = (way == Way::Pooled).then(|| database.pooled(&[role]));
        let url = match &pooler {
            Some(pooler) => pooler.url_as(role),
            None => database.url_as(role),
        };
        let instance = Instance::start(dir.path(), &config(&url));
        Stage {
            client,
            instance,
            _pooler: pooler,
            database,
            dir,
        }
    }

    /// What the pretend Mastodon does.
    #[track_caller]
    fn act(&mut self, what: &str, with: &[&(dyn ToSql + Sync)]) -> i64 {
        act(&mut self.client, what, with)
    }

    /// Waits until all that was done is in the log and read.
    fn settle(&mut self) {
        self.instance.wait_until_ready();
        wait_for("the outbox to be empty", || {
            let left = self
                .client
                .query_one("SELECT count(*) FROM slackwater.outbox", &[]);
            (left.unwrap().get::<_, i64>(0) == 0).then_some(())
        });
        self.instance.settle_all();
    }

    /// The refs of a home, newest first.
    fn refs(&mut self, account: i64) -> Vec<i64> {
        self.settle();
        let home = self.instance.door.home(&account.to_string());
        home.iter()
            .map(|entry| entry["ref"].as_str().unwrap().parse().unwrap())
            .collect()
    }

    fn entry(&mut self, post: i64) -> Value {
        self.settle();
        self.instance
            .door
            .get(&format!("/v1/posts?ref={post}"))
            .json()
    }
}

#[track_caller]
fn act(client: &mut Client, what: &str, with: &[&(dyn ToSql + Sync)]) -> i64 {
    let done = client.query_one(&format!("SELECT {what}"), with);
    let done = done.unwrap_or_else(|error| panic!("{what}: {error:?}"));
    done.try_get(0).unwrap_or_default()
}

/// A failure means that an instance behind which this stands shows other homes than it has.
#[test]
fn what_happens_in_mastodon_happens_in_feeds() {
    for version in Version::ALL {
        let mut stage = Stage::new(version);
        let mia = stage.act("pretend.local_account('mia')", &[]);
        let ana = stage.act("pretend.remote_account('ana', 'tide.example')", &[]);
        let bo = stage.act("pretend.remote_account('bo', 'ebb.example')", &[]);
        stage.act("pretend.follow($1, $2)", &[&mia, &ana]);
        let deliver = "pretend.deliver($1, $2, now() - $3::text::interval)";
        let late = stage.act(deliver, &[&ana, &"https://tide.example/1", &"15 minutes"]);
        let prompt = stage.act(deliver, &[&ana, &"https://tide.example/2", &"20 minutes"]);
        let strangers = stage.act(deliver, &[&bo, &"https://ebb.example/1", &"1 minute"]);
        let own = stage.act("pretend.write($1, 'hello & all')", &[&mia]);
        assert_eq!(
            stage.refs(mia),
            [own, late, prompt],
            "by when they were written"
        );
        let entry = stage.entry(late);
        assert_eq!(entry["author_ref"], ana.to_string());
        let delay = entry["delay_ms"].as_i64().unwrap();
        assert!((900_000..960_000).contains(&delay), "{entry}");

        let boost = stage.act(
            "pretend.boost($1, $2, 'https://tide.example/b')",
            &[&ana, &strangers],
        );
        assert_eq!(stage.refs(mia), [boost, own, late, prompt]);
        assert_eq!(stage.entry(boost)["boost"]["uri"], "https://ebb.example/1");
        stage.act("pretend.edit($1, '<p>other</p>')", &[&late]);
        let edited = stage.entry(late);
        assert_eq!(edited["object"]["content"], "<p>other</p>");
        assert!(edited["edited"].is_string(), "{edited}");
        stage.act("pretend.tag_post($1, 'rust')", &[&late]);
        let tagged = stage.entry(late);
        assert_eq!(tagged["object"]["tag"][0]["name"], "#rust");

        stage.act("pretend.delete_softly($1)", &[&strangers]);
        assert_eq!(
            stage.refs(mia),
            [own, late, prompt],
            "a boost goes with its original"
        );
        stage.act("pretend.delete_row($1)", &[&strangers]);
        stage.act("pretend.mute($1, $2)", &[&mia, &ana]);
        assert_eq!(stage.refs(mia), [own]);
        stage.act("pretend.unmute($1, $2)", &[&mia, &ana]);
        assert_eq!(stage.refs(mia), [own, late, prompt]);
        stage.act("pretend.suspend($1)", &[&ana]);
        assert_eq!(stage.refs(mia), [own]);
        stage.act("pretend.suspend($1, false)", &[&ana]);
        assert_eq!(stage.refs(mia), [own, late, prompt]);
        stage.act("pretend.moderate_domain('tide.example', 1)", &[]);
        assert_eq!(stage.refs(mia), [own]);
        stage.act("pretend.moderate_domain('tide.example', 2)", &[]);
        assert_eq!(
            stage.refs(mia),
            [own, late, prompt],
            "a domain block that only notes"
        );
        stage.act("pretend.unfollow($1, $2)", &[&mia, &ana]);
        assert_eq!(stage.refs(mia), [own]);
        stage.act("pretend.follow($1, $2)", &[&mia, &ana]);
        stage.act("pretend.vacuum(now() - interval '18 minutes')", &[]);
        assert_eq!(stage.refs(mia), [own, late], "retention");
        stage.act("pretend.delete_account($1)", &[&ana]);
        assert_eq!(stage.refs(mia), [own]);
    }
}

const DELIVER: &str = "pretend.deliver($1, $2, now() - $3::text::interval)";

/// A failure means that homes are empty on the first day, or hold what is not in Mastodon's.
#[test]
fn what_was_there_before_is_imported_and_is_ready_when_the_service_is() {
    let mut ids = Vec::new();
    let mut stage = Stage::with(Version::NEWEST, Way::Directly, Level::Look, |client| {
        let mia = act(client, "pretend.local_account('mia')", &[]);
        let ana = act(client, "pretend.remote_account('ana', 'tide.example')", &[]);
        let bo = act(client, "pretend.remote_account('bo', 'ebb.example')", &[]);
        act(client, "pretend.follow($1, $2)", &[&mia, &ana]);
        let late = act(
            client,
            DELIVER,
            &[&ana, &"https://tide.example/1", &"15 minutes"],
        );
        let prompt = act(
            client,
            DELIVER,
            &[&ana, &"https://tide.example/2", &"20 minutes"],
        );
        let strangers = act(
            client,
            DELIVER,
            &[&bo, &"https://ebb.example/1", &"1 minute"],
        );
        act(
            client,
            DELIVER,
            &[&bo, &"https://ebb.example/2", &"1 minute"],
        );
        let boost = act(
            client,
            "pretend.boost($1, $2, 'https://tide.example/b')",
            &[&ana, &strangers],
        );
        let own = act(client, "pretend.write($1, 'hello')", &[&mia]);
        ids.extend([mia, boost, own, late, prompt]);
    });
    let [mia, boost, own, late, prompt] = ids[..] else {
        panic!()
    };
    let mut refs = stage.refs(mia);
    refs.sort_by_key(|id| [boost, own, late, prompt].iter().position(|it| it == id));
    assert_eq!(refs, [boost, own, late, prompt]);
    let delay = stage.entry(late)["delay_ms"].as_i64().unwrap();
    assert!(
        (900_000..960_000).contains(&delay),
        "its true arrival: {delay}"
    );
    let followed = stage.instance.door.metric("slackwater_connector_following");
    assert_eq!(followed, 1.0);
    // It is not imported again.
    let records = stage
        .instance
        .door
        .metric("slackwater_connector_records_total");
    assert!(4.0 <= records, "{records}");
    stage.instance.kill9();
    stage.instance.restart();
    stage.instance.wait_until_ready();
    wait_for("the outbox to be followed again", || {
        (stage.instance.door.metric("slackwater_connector_following") == 1.0).then_some(())
    });
    assert_eq!(
        stage
            .instance
            .door
            .metric("slackwater_connector_records_total"),
        0.0
    );
    assert_eq!(
        stage
            .instance
            .door
            .metric("slackwater_connector_healed_total"),
        1.0,
        "the account that settling makes is none of Mastodon's"
    );
}

/// A failure means that a relation which got lost on the way stays lost, or that one which was never there stays for ever.
#[test]
fn relations_that_drifted_are_put_right_at_the_next_start() {
    let mut stage = Stage::new(Version::NEWEST);
    let mia = stage.act("pretend.local_account('mia')", &[]);
    let ana = stage.act("pretend.remote_account('ana', 'tide.example')", &[]);
    let bo = stage.act("pretend.remote_account('bo', 'ebb.example')", &[]);
    stage.act("pretend.follow($1, $2)", &[&mia, &ana]);
    stage.act("pretend.moderate_domain('ebb.example', 0)", &[]);
    stage.settle();
    let path = format!("/v1/accounts/{mia}/relationships");
    let in_force = |stage: &Stage, path: &str| stage.instance.door.get(path).text;
    let (before, moderation) = (
        in_force(&stage, &path),
        in_force(&stage, "/v1/accounts/_instance/relationships"),
    );
    assert_eq!(before.lines().count(), 2, "{before}");
    let wrong = [
        format!(
            r#"{{"type":"follow","account":"{mia}","target":"https://tide.example/users/ana","removed":true}}"#
        ),
        format!(r#"{{"type":"block","account":"{mia}","target":"https://ebb.example/users/bo"}}"#),
        format!(r#"{{"type":"ordering","account":"{mia}","patience":"1m"}}"#),
        r#"{"type":"account","account":"77","actor":"https://home.example/users/nobody"}"#
            .to_owned(),
        r#"{"type":"moderation","account":"_instance","target":"ebb.example","removed":true}"#
            .to_owned(),
        r#"{"type":"moderation","account":"_instance","target":"tide.example","action":"suspend"}"#
            .to_owned(),
    ];
    stage.instance.door.post_lines("/v1/relationships", &wrong);
    stage.instance.restart();
    stage.instance.wait_until_ready();
    wait_for("relations to be compared", || {
        (0.0 < stage
            .instance
            .door
            .metric("slackwater_connector_healed_total"))
        .then_some(())
    });
    stage.instance.settle();
    let patience = format!(r#"{{"type":"ordering","account":"{mia}","patience":"1m"}}"#);
    let after = in_force(&stage, &path);
    let mut lines: Vec<&str> = after.lines().filter(|line| *line != patience).collect();
    lines.sort_unstable();
    let mut expected: Vec<&str> = before.lines().collect();
    expected.sort_unstable();
    assert_eq!(lines, expected);
    assert_eq!(
        after.lines().count(),
        expected.len() + 1,
        "the patience that was chosen stays: {after}"
    );
    assert_eq!(
        in_force(&stage, "/v1/accounts/_instance/relationships"),
        moderation
    );
    assert_eq!(in_force(&stage, "/v1/accounts/77/relationships"), "");
    let _ = bo;
}

/// A failure means that an instance whose connector was away for long has other feeds for good.
#[test]
fn what_an_outbox_that_was_full_did_not_note_is_made_good() {
    let mut stage = Stage::new(Version::NEWEST);
    let mia = stage.act("pretend.local_account('mia')", &[]);
    let ana = stage.act("pretend.remote_account('ana', 'tide.example')", &[]);
    let bo = stage.act("pretend.remote_account('bo', 'ebb.example')", &[]);
    stage.act("pretend.follow($1, $2)", &[&mia, &ana]);
    let kept = stage.act(DELIVER, &[&ana, &"https://tide.example/1", &"15 minutes"]);
    let lost = stage.act(DELIVER, &[&ana, &"https://tide.example/2", &"16 minutes"]);
    assert_eq!(stage.refs(mia), [kept, lost]);
    stage.instance.kill9();
    stage
        .client
        .batch_execute("INSERT INTO slackwater.overflow DEFAULT VALUES")
        .unwrap();
    // None of this is noted.
    stage.act("pretend.delete_row($1)", &[&lost]);
    stage.act("pretend.edit($1, '<p>other</p>')", &[&kept]);
    let missed = stage.act(DELIVER, &[&ana, &"https://tide.example/3", &"14 minutes"]);
    let strangers = stage.act(DELIVER, &[&bo, &"https://ebb.example/1", &"13 minutes"]);
    stage.act("pretend.follow($1, $2)", &[&mia, &bo]);
    let noted = stage
        .client
        .query_one("SELECT count(*) FROM slackwater.outbox", &[])
        .unwrap();
    assert_eq!(noted.get::<_, i64>(0), 0);
    stage.instance.restart();
    wait_for("the outbox to be followed again", || {
        (stage.instance.door.metric("slackwater_connector_following") == 1.0).then_some(())
    });
    assert_eq!(stage.refs(mia), [strangers, missed, kept]);
    assert_eq!(stage.entry(kept)["object"]["content"], "<p>other</p>");
    let flag = stage
        .client
        .query_one("SELECT count(*) FROM slackwater.overflow", &[])
        .unwrap();
    assert_eq!(flag.get::<_, i64>(0), 0, "changes are noted again");
}

/// A failure means that somebody whom moderators let in again finds an empty home.
#[test]
fn a_local_account_that_was_suspended_has_its_relations_again_when_it_is_not() {
    let mut stage = Stage::new(Version::NEWEST);
    let mia = stage.act("pretend.local_account('mia')", &[]);
    let ana = stage.act("pretend.remote_account('ana', 'tide.example')", &[]);
    let bo = stage.act("pretend.remote_account('bo', 'ebb.example')", &[]);
    stage.act("pretend.follow($1, $2)", &[&mia, &ana]);
    stage.act("pretend.mute($1, $2)", &[&mia, &bo]);
    let post = stage.act(DELIVER, &[&ana, &"https://tide.example/1", &"1 minute"]);
    assert_eq!(stage.refs(mia), [post]);
    let path = format!("/v1/accounts/{mia}/relationships");
    let before = stage.instance.door.get(&path).text;
    assert_eq!(before.lines().count(), 3, "{before}");
    stage.act("pretend.suspend($1)", &[&mia]);
    stage.settle();
    assert_eq!(stage.instance.door.get(&path).text, "");
    stage.act("pretend.suspend($1, false)", &[&mia]);
    assert_eq!(stage.refs(mia), [post]);
    assert_eq!(stage.instance.door.get(&path).text, before);
}

/// What is in every feed, as refs.
fn homes(stage: &mut Stage, accounts: &[i64]) -> Vec<Vec<i64>> {
    accounts
        .iter()
        .map(|account| stage.refs(*account))
        .collect()
}

/// Random acts of the pretend Mastodon. Returns the local accounts.
fn history(
    stage: &mut Stage,
    seed: u64,
    acts: usize,
    mut between: impl FnMut(&mut Stage, usize),
) -> Vec<i64> {
    let mut dice = fastrand::Rng::with_seed(seed);
    let names = ["mia", "noa"];
    let locals: Vec<i64> = names
        .iter()
        .map(|name| stage.act("pretend.local_account($1)", &[&format!("{name}{seed}")]))
        .collect();
    // So that the tables say what a home holds.
    let every_boost = r#"UPDATE users SET settings = '{"aggregate_reblogs":false}'"#;
    stage.client.batch_execute(every_boost).unwrap();
    let hosts = ["tide.example", "ebb.example", "flood.example"];
    let remotes: Vec<i64> = hosts
        .iter()
        .map(|host| {
            stage.act(
                "pretend.remote_account($1, $2)",
                &[&format!("ana{seed}"), host],
            )
        })
        .collect();
    let mut posts: Vec<i64> = Vec::new();
    for n in 0..acts {
        let (local, remote) = (
            locals[dice.usize(..locals.len())],
            remotes[dice.usize(..remotes.len())],
        );
        let post = (!posts.is_empty()).then(|| posts[dice.usize(..posts.len())]);
        let uri = format!(
            "https://{}/{seed}/{n}",
            hosts[remotes.iter().position(|it| *it == remote).unwrap()]
        );
        match (dice.u8(..12), post) {
            (0 | 1, _) => {
                stage.act(
                    "pretend.follow($1, $2, $3)",
                    &[&local, &remote, &dice.bool()],
                );
            }
            (2, _) if dice.bool() => {
                stage.act("pretend.unfollow($1, $2)", &[&local, &remote]);
            }
            (3, Some(post)) => {
                let is_there = "count(*) FROM statuses WHERE deleted_at IS NULL AND reblog_of_id IS NULL AND id = $1";
                let age = format!("{} minutes", dice.u8(1..60));
                if stage.act(is_there, &[&post]) == 1 {
                    let boost = "pretend.boost($1, $2, $3, now() - $4::text::interval)";
                    posts.push(stage.act(boost, &[&remote, &post, &uri, &age]));
                }
            }
            (4, Some(post)) => {
                stage.act("pretend.edit($1, $2)", &[&post, &format!("<p>{n}</p>")]);
            }
            (5, Some(post)) => {
                stage.act("pretend.delete_softly($1)", &[&post]);
                if dice.bool() {
                    stage.act("pretend.delete_row($1)", &[&post]);
                    posts.retain(|it| *it != post);
                }
            }
            (6, _) => {
                posts.push(stage.act("pretend.write($1, $2)", &[&local, &format!("post {n}")]));
            }
            (7, _) => {
                stage.act("pretend.unmute($1, $2)", &[&local, &remote]);
                if dice.bool() {
                    stage.act("pretend.mute($1, $2)", &[&local, &remote]);
                }
            }
            _ => {
                let age = format!("{} seconds", dice.u32(1..3_600));
                posts.push(stage.act(DELIVER, &[&remote, &uri, &age]));
            }
        }
        between(stage, n);
    }
    locals
}

/// What Mastodon's tables say that a home holds, newest first by when posts were written: whom the account follows and does not mute,
/// and its own.
fn expected(stage: &mut Stage, account: i64, level: Level) -> Vec<i64> {
    let query = "SELECT s.id FROM statuses s LEFT JOIN statuses o ON o.id = s.reblog_of_id \
        LEFT JOIN follows f ON f.account_id = $1 AND f.target_account_id = s.account_id \
        WHERE s.deleted_at IS NULL AND (s.reblog_of_id IS NULL OR o.deleted_at IS NULL) AND (s.account_id = $1 OR f.id IS NOT NULL) \
        AND (s.reblog_of_id IS NULL OR f.show_reblogs OR s.account_id = $1) \
        AND NOT EXISTS (SELECT FROM mutes m WHERE m.account_id = $1 AND m.target_account_id IN (s.account_id, o.account_id)) \
        ORDER BY ";
    // An id that is a place has the order of what was written, and of one moment one order.
    let order = match level {
        Level::Look => "s.created_at DESC",
        Level::Serve => "s.id DESC",
    };
    let rows = stage
        .client
        .query(&format!("{query}{order}"), &[&account])
        .unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// A failure means that something which happens in Mastodon is lost, doubled or misplaced on the way: by a pooler, or by a crash.
#[test]
fn random_histories_give_the_homes_that_mastodons_tables_say_also_when_the_service_is_killed_amid_them()
 {
    for (seed, way, level, is_killed) in [
        (1, Way::Directly, Level::Look, false),
        (2, Way::Directly, Level::Look, true),
        (3, Way::Pooled, Level::Look, true),
        (4, Way::Directly, Level::Serve, false),
        (5, Way::Pooled, Level::Serve, true),
    ] {
        let mut stage = Stage::with(Version::NEWEST, way, level, |_| {});
        let accounts = history(&mut stage, seed, 200, |stage, n| {
            if is_killed && n % 25 == 24 {
                stage.instance.kill9();
                stage.instance.restart();
            }
        });
        let found = homes(&mut stage, &accounts);
        let shown: usize = found.iter().map(Vec::len).sum();
        assert!(20 < shown, "homes of {shown} show little");
        for (account, found) in accounts.iter().zip(found) {
            assert_eq!(found, expected(&mut stage, *account, level), "seed {seed}");
        }
    }
}

/// How fast the first import and the outbox are, and how soon a post can be read: printed, and with SLACKWATER_MEASURE set measured over
/// enough to mean something (docs/benchmarks.md). The binary of another build: SLACKWATER_BINARY. A failure means that posts are lost
/// where many come at once.
#[test]
fn how_fast_it_is_and_nothing_is_lost_where_many_come_at_once() {
    let (imported, noted, single) = match measures() {
        true => (50_000, 20_000, 300),
        false => (1_200, 1_200, 3),
    };
    let many = "INSERT INTO statuses (uri, url, text, created_at, updated_at, account_id, local, language) \
        SELECT 'https://tide.example/' || $2 || n, 'https://tide.example/' || n, '<p>' || repeat('low water ', 20) || '</p>', \
        pretend.utc() - n * interval '1 second', pretend.utc(), $1, false, 'en' FROM generate_series(1, $3) AS n";
    let mut people = (0, 0);
    let mut inserted = slackwater::clock::stopwatch();
    let mut stage = Stage::with(Version::NEWEST, Way::Directly, Level::Look, |client| {
        let mia = act(client, "pretend.local_account('mia')", &[]);
        let ana = act(client, "pretend.remote_account('ana', 'tide.example')", &[]);
        act(client, "pretend.follow($1, $2)", &[&mia, &ana]);
        client.execute(many, &[&ana, &"before", &imported]).unwrap();
        people = (mia, ana);
        inserted = slackwater::clock::stopwatch();
    });
    // It is ready when all is imported.
    stage.settle();
    let took = inserted.elapsed().as_secs_f64();
    println!(
        "first import: {imported} posts in {took:.2} s with the start, {:.0} a second",
        f64::from(imported) / took
    );

    let (mia, ana) = people;
    stage
        .client
        .execute(many, &[&ana, &"noted", &noted])
        .unwrap();
    let begun = slackwater::clock::stopwatch();
    stage.settle();
    let took = begun.elapsed().as_secs_f64();
    println!(
        "outbox: {noted} posts in {took:.2} s, {:.0} a second",
        f64::from(noted) / took
    );
    assert_eq!(stage.refs(mia).len(), 800, "a home is as long as it may be");

    let mut times: Vec<f64> = Vec::new();
    for n in 0..single {
        let uri = format!("https://tide.example/single/{n}");
        let post = stage.act(DELIVER, &[&ana, &uri, &"0 seconds"]).to_string();
        let committed = slackwater::clock::stopwatch();
        wait_for("the post in the home", || {
            let page = stage
                .instance
                .door
                .get(&format!(
                    "/v1/accounts/{mia}/feeds/home?limit=1&fields=refs"
                ))
                .json();
            (page["entries"][0]["ref"] == *post).then_some(())
        });
        times.push(committed.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    println!(
        "from commit to readable: p50 {:.0} ms, p99 {:.0} ms",
        times[single / 2],
        times[single * 99 / 100]
    );
    let status = std::fs::read_to_string(format!("/proc/{}/status", stage.instance.pid())).unwrap();
    let peak = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap();
    println!("memory at most: {peak}");
}
