//! Whose a token is, as Mastodon's database has it.

use super::{Level, Stage, Way};
use crate::support::postgres::Version;
use crate::support::wait_for;
use crate::support::watcher::{Came, Stream};
use reqwest::Method;
use serde_json::json;
use slackwater::clock;
use std::time::Duration;

impl Stage {
    /// A token of an account, and its scopes.
    fn token(&mut self, account: i64, token: &str, scopes: &str) {
        let give = "pretend.give_token($1, $2, $3)";
        self.act(give, &[&account, &token, &scopes]);
    }

    /// A change of the row of a token.
    fn change(&mut self, token: &str, change: &str) {
        let update = format!("UPDATE oauth_access_tokens SET {change} WHERE token = $1");
        assert_eq!(self.client.execute(&update, &[&token]).unwrap(), 1);
    }

    fn status(&self, token: &str, path: &str) -> u16 {
        let request = self.instance.door.request(Method::GET, path);
        request.bearer_auth(token).send().unwrap().status().as_u16()
    }

    /// The answer to somebody who asks for a home with a token.
    fn home_status(&self, token: &str, account: i64) -> u16 {
        self.status(token, &format!("/v1/accounts/{account}/feeds/home"))
    }

    /// The answer to somebody who chooses their patience.
    fn wait_more(&self, token: &str, account: i64) -> u16 {
        let path = format!("/v1/accounts/{account}/ordering");
        let request = self.instance.door.request(Method::PUT, &path);
        let chosen = request.json(&json!({"patience": "10m"}));
        chosen.bearer_auth(token).send().unwrap().status().as_u16()
    }
}

/// A failure means that somebody reads what is not theirs, or that somebody may not read what is.
#[test]
fn a_token_opens_what_mastodon_gave_it_for() {
    for version in Version::ALL {
        let mut stage = Stage::with(version, Way::Pooled, Level::Look, |_| {});
        let mia = stage.act("pretend.local_account('mia')", &[]);
        let lea = stage.act("pretend.local_account('lea')", &[]);
        stage.settle();
        let home = "/api/v1/timelines/home";
        stage.token(mia, "all", "read write follow");
        assert_eq!(stage.status("all", home), 200);
        assert_eq!(stage.home_status("all", mia), 200);
        assert_eq!(stage.home_status("all", lea), 403, "another's");
        assert_eq!(stage.wait_more("all", mia), 200);
        stage.token(mia, "lists", "profile read:lists");
        assert_eq!(stage.home_status("lists", mia), 403);
        assert_eq!(stage.wait_more("lists", mia), 403, "it is none to write");
        stage.token(mia, "none", "");
        assert_eq!(stage.home_status("none", mia), 403);
        assert_eq!(stage.home_status("nobodys", mia), 401);

        stage.token(mia, "revoked", "read");
        stage.change("revoked", "revoked_at = pretend.utc()");
        assert_eq!(stage.home_status("revoked", mia), 401);
        stage.token(mia, "lasting", "read");
        stage.change("lasting", "expires_in = 3600");
        assert_eq!(stage.home_status("lasting", mia), 200);
        stage.token(mia, "expired", "read");
        stage.change(
            "expired",
            "expires_in = 3600, created_at = pretend.utc() - interval '2 hours'",
        );
        assert_eq!(stage.home_status("expired", mia), 401);
        stage.token(mia, "applications", "read");
        stage.change("applications", "resource_owner_id = NULL");
        assert_eq!(stage.home_status("applications", mia), 401);
        stage.token(lea, "disabled", "read");
        let disable = "UPDATE users SET disabled = $2 WHERE account_id = $1";
        stage.client.execute(disable, &[&lea, &true]).unwrap();
        assert_eq!(stage.home_status("disabled", lea), 401);
        stage.client.execute(disable, &[&lea, &false]).unwrap();
        stage.token(lea, "suspended", "read");
        stage.act("pretend.suspend($1)", &[&lea]);
        assert_eq!(stage.home_status("suspended", lea), 401);
    }
}

/// A failure means that a stolen token reads on after its owner has ended it.
#[test]
fn a_token_that_is_revoked_ends_its_streams_within_a_minute() {
    let mut stage = Stage::new(Version::NEWEST);
    let mia = stage.act("pretend.local_account('mia')", &[]);
    stage.settle();
    stage.token(mia, "stolen", "read");
    let path = format!("/v1/accounts/{mia}/feeds/home/stream?access_token=stolen");
    let mut stream = Stream::open(&stage.instance.door, &path, &[]).unwrap();
    assert_eq!(stream.text()["kind"], "hello");
    stage.change("stolen", "revoked_at = pretend.utc()");
    let begun = clock::stopwatch();
    let end = loop {
        match stream.next() {
            Came::Text(_) => {}
            end => break end,
        }
    };
    assert!(matches!(end, Came::Closed(4401)), "{end:?}");
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(60), "{took:?}");
    assert_eq!(stage.home_status("stolen", mia), 401);
}

/// A failure means that readers are sent away for good because the database restarted.
#[test]
fn nobody_is_told_that_a_token_is_bad_while_the_database_is_away() {
    let mut stage = Stage::new(Version::NEWEST);
    let mia = stage.act("pretend.local_account('mia')", &[]);
    stage.settle();
    for token in ["before", "after"] {
        stage.token(mia, token, "read");
    }
    assert_eq!(stage.home_status("before", mia), 200);
    let role = stage.database.name().to_owned();
    let may = |stage: &mut Stage, may: &str| {
        let alter = format!("ALTER ROLE \"{role}\" {may}");
        stage.client.batch_execute(&alter).unwrap();
    };
    may(&mut stage, "NOLOGIN");
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1";
    stage.client.execute(end, &[&role]).unwrap();
    assert_eq!(stage.home_status("after", mia), 503);
    assert_eq!(
        stage.home_status("before", mia),
        200,
        "as it was found before"
    );
    may(&mut stage, "LOGIN");
    wait_for("the database to be asked again", || {
        (stage.home_status("after", mia) == 200).then_some(())
    });
}
