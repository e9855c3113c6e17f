//! Homes compared with Mastodon's own while the service runs: a pretend Mastodon in a real PostgreSQL, its homes in a stand-in.

use crate::database::install;
use crate::support::instance::{self, Instance};
use crate::support::postgres::{Database, Version};
use crate::support::upstream::StandIn;
use crate::support::wait_for;
use postgres::Client;
use postgres::types::ToSql;
use serde_json::{Value, json};
use slackwater::clock;
use std::time::Duration;
use tempfile::TempDir;

const LAST_RUN: &str = "slackwater_compare_last_run_timestamp_seconds";

/// Mia, who follows Ana, of whom two posts are known on both sides.
struct Scene {
    client: Client,
    database: Database,
    stand_in: StandIn,
    mia: i64,
    token: String,
}

impl Scene {
    /// With what else the installation is given.
    fn new(installed: &[&str]) -> Scene {
        let database = Database::mastodon(Version::NEWEST);
        install(&database, installed);
        let mut client = database.connect();
        let mia = act(&mut client, "pretend.local_account('mia')", &[]);
        act(&mut client, "pretend.sign_in($1)", &[&mia]);
        let ana = act(
            &mut client,
            "pretend.remote_account('ana', 'tide.example')",
            &[],
        );
        act(&mut client, "pretend.follow($1, $2)", &[&mia, &ana]);
        let stand_in = StandIn::start();
        let token = stand_in.token(&mia.to_string(), "read");
        let held = "INSERT INTO oauth_access_tokens (token, scopes, created_at, resource_owner_id)
            SELECT $1, 'read', pretend.utc(), id FROM users WHERE account_id = $2";
        client.execute(held, &[&token, &mia]).unwrap();
        let mut scene = Scene {
            client,
            database,
            stand_in,
            mia,
            token,
        };
        for (uri, ago) in [("1", "2 hours"), ("2", "3 hours")] {
            let uri = format!("https://tide.example/{uri}");
            let fetch = "pretend.fetch($1, $2, now() - $3::text::interval)";
            let id = act(&mut scene.client, fetch, &[&ana, &uri, &ago]);
            let came =
                "UPDATE statuses SET updated_at = created_at + interval '1 minute' WHERE id = $1";
            scene.client.execute(came, &[&id]).unwrap();
            scene.mastodon_has(u64::try_from(id).unwrap(), ana);
        }
        scene
    }

    /// Mastodon has a post in Mia's home.
    fn mastodon_has(&self, id: u64, author: i64) {
        let mut known = self.stand_in.known();
        let written = moment_of(id);
        let status = json!({"id": id.to_string(), "created_at": written, "account": {"id": author.to_string()}, "reblog": null,
            "in_reply_to_id": null, "in_reply_to_account_id": null, "mentions": [], "tags": [], "language": null});
        known.statuses.insert(id, status);
        let home = known.homes.entry(self.mia.to_string()).or_default();
        home.insert(id);
    }

    /// The service beside it, which compares the homes of these tokens.
    fn serve(&self, dir: &TempDir, tokens: &[&str]) -> Instance {
        let mastodon = format!(
            "{}database = \"{}\"\n",
            self.stand_in.config(),
            self.database.url_as(self.database.name()),
        );
        let compared = match tokens {
            [] => String::new(),
            tokens => format!("compare_tokens = {}\n", json!(tokens)),
        };
        let mastodon = mastodon + &compared;
        Instance::start(dir.path(), &instance::built_in(&mastodon))
    }
}

#[track_caller]
fn act(client: &mut Client, what: &str, with: &[&(dyn ToSql + Sync)]) -> i64 {
    let done = client.query_one(&format!("SELECT {what}"), with);
    let done = done.unwrap_or_else(|error| panic!("{what}: {error:?}"));
    done.try_get(0).unwrap_or_default()
}

/// The moment that an id is made of.
fn moment_of(id: u64) -> String {
    slackwater_order::time::Time::from_millis(i64::try_from(id >> 16).unwrap()).rfc3339()
}

/// A line of the log that says so.
fn said(instance: &Instance, what: &str) -> Value {
    wait_for(what, || {
        let said = instance.said();
        let line = said.lines().find(|line| line.contains(what))?;
        serde_json::from_str(line).ok()
    })
}

/// A failure means that a week without a comparison looks like a week without a difference.
#[test]
fn homes_are_compared_when_the_database_is_followed_and_the_numbers_say_what_was_found() {
    let scene = Scene::new(&[]);
    let an_hour_ago = clock::now().minus(Duration::from_secs(60 * 60));
    let lost = u64::try_from(an_hour_ago.millis()).unwrap() << 16;
    scene.mastodon_has(lost, 1);
    let dir = TempDir::new().unwrap();
    let begun = clock::now().millis() / 1_000;
    let instance = scene.serve(&dir, &[&scene.token, "ended"]);
    let number = |name: &str| instance.door.metric(&format!("slackwater_compare_{name}"));
    wait_for("a comparison", || {
        (begun as f64 <= instance.door.metric(LAST_RUN)).then_some(())
    });
    let found = [
        "accounts",
        "failed",
        "only_in_mastodon",
        "only_here",
        "moved",
        "unexplained",
    ];
    let numbers = found.map(number);
    assert_eq!(
        numbers,
        [1.0, 1.0, 1.0, 0.0, 0.0, 1.0],
        "{}",
        instance.said()
    );
    let summary = said(&instance, "2 posts in both homes");
    assert_eq!(
        (&summary["level"], &summary["unexplained"]),
        (&json!("WARN"), &json!(1))
    );
    let line = said(&instance, "for no reason: it is not known here");
    assert_eq!(
        (&line["account"], &line["id"]),
        (&json!(scene.mia.to_string()), &json!(lost.to_string()))
    );
    let refused = said(&instance, "mastodon.compare_tokens[1] was not compared");
    assert!(
        refused["message"]
            .as_str()
            .unwrap()
            .contains("does not take the token")
    );
    assert!(
        !instance.said().contains(&scene.token),
        "no token is logged"
    );
}

#[test]
fn a_comparison_that_cannot_be_made_yet_is_put_off() {
    let scene = Scene::new(&[]);
    let home = scene.mia.to_string();
    scene.stand_in.known().regenerating.insert(home);
    let dir = TempDir::new().unwrap();
    let instance = scene.serve(&dir, &[&scene.token]);
    let line = said(&instance, "compared with Mastodon's in 600s");
    assert!(
        line["message"]
            .as_str()
            .unwrap()
            .contains("is making this home anew")
    );
    assert_eq!(instance.door.metric(LAST_RUN), 0.0);
}

#[test]
fn at_level_serve_nothing_is_compared() {
    let scene = Scene::new(&["--serve"]);
    let dir = TempDir::new().unwrap();
    let instance = scene.serve(&dir, &[&scene.token]);
    said(&instance, "homes are not compared with Mastodon's");
    assert_eq!(instance.door.metric(LAST_RUN), 0.0);
    assert!(scene.stand_in.calls_of(&scene.token).is_empty());
}
