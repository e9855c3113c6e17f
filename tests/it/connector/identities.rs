//! Accounts and posts whose rows change, or go, while what they stand for stays.

use super::{DELIVER, Stage};
use crate::support::postgres::Version;

/// Mia, who follows Ana of another instance.
fn mia_and_ana(stage: &mut Stage) -> (i64, i64) {
    let mia = stage.act("pretend.local_account('mia')", &[]);
    let ana = stage.act("pretend.remote_account('ana', 'tide.example')", &[]);
    stage.act("pretend.follow($1, $2)", &[&mia, &ana]);
    (mia, ana)
}

/// Mastodon removes accounts that are not asked for (`tootctl accounts prune`, `domains purge`), and looks them up again later. A failure
/// means that whoever was removed once is never seen again.
#[test]
fn an_account_whose_row_goes_may_come_again_and_what_it_writes_then_is_shown() {
    let mut stage = Stage::new(Version::NEWEST);
    let (mia, ana) = mia_and_ana(&mut stage);
    let before = stage.act(DELIVER, &[&ana, &"https://tide.example/1", &"2 minutes"]);
    assert_eq!(stage.refs(mia), [before]);
    stage.act("pretend.delete_account($1)", &[&ana]);
    assert_eq!(stage.refs(mia), Vec::<i64>::new());
    let again = stage.act("pretend.remote_account('ana', 'tide.example')", &[]);
    stage.act("pretend.follow($1, $2)", &[&mia, &again]);
    let after = stage.act(DELIVER, &[&again, &"https://tide.example/2", &"1 minute"]);
    let refetched = stage.act(DELIVER, &[&again, &"https://tide.example/1", &"2 minutes"]);
    assert_eq!(stage.refs(mia), [after, refetched]);
}

/// Two rows of one account, after its handle changed hosts: Mastodon gives all of the one to the other, and removes it. A failure means
/// that the account is lost with its double.
#[test]
fn an_account_that_was_there_twice_is_followed_on_when_the_two_become_one() {
    let mut stage = Stage::new(Version::NEWEST);
    let (mia, ana) = mia_and_ana(&mut stage);
    let noa = stage.act("pretend.local_account('noa')", &[]);
    let double = stage.act("pretend.remote_account('ana', 'old.example')", &[]);
    stage.act("pretend.follow($1, $2)", &[&mia, &double]);
    stage.act("pretend.follow($1, $2)", &[&noa, &double]);
    let one = "UPDATE accounts SET uri = 'https://tide.example/users/ana' WHERE id = $1";
    stage.client.execute(one, &[&double]).unwrap();
    let first = stage.act(DELIVER, &[&ana, &"https://tide.example/1", &"3 minutes"]);
    let second = stage.act(DELIVER, &[&double, &"https://tide.example/2", &"2 minutes"]);
    assert_eq!(stage.refs(mia), [second, first]);

    let merge = "UPDATE statuses SET account_id = $1 WHERE account_id = $2";
    stage.client.execute(merge, &[&ana, &double]).unwrap();
    // One who follows both keeps the one.
    let merge =
        "UPDATE follows f SET target_account_id = $1 WHERE target_account_id = $2 AND NOT EXISTS (
        SELECT FROM follows o WHERE o.account_id = f.account_id AND o.target_account_id = $1)";
    stage.client.execute(merge, &[&ana, &double]).unwrap();
    stage.act("pretend.delete_account($1)", &[&double]);
    let third = stage.act(DELIVER, &[&ana, &"https://tide.example/3", &"1 minute"]);
    assert_eq!(stage.refs(mia), [third, second, first]);
    assert_eq!(stage.refs(noa), [third, second, first]);
}

/// A server that was set up again has other ids under the same handles. A failure means that nobody sees what is written there until
/// relations are compared again.
#[test]
fn who_follows_an_account_follows_it_under_another_id() {
    let mut stage = Stage::new(Version::NEWEST);
    let (mia, ana) = mia_and_ana(&mut stage);
    stage.settle();
    let renamed = "UPDATE accounts SET uri = 'https://tide.example/ap/users/1' WHERE id = $1";
    stage.client.execute(renamed, &[&ana]).unwrap();
    let post = stage.act(DELIVER, &[&ana, &"https://tide.example/1", &"1 minute"]);
    assert_eq!(stage.refs(mia), [post]);
}

/// Mastodon decides about an answer when it comes. A failure means that answers leave homes when retention, or its author, removes what
/// they answer.
#[test]
fn an_answer_stays_when_the_row_of_what_it_answers_goes() {
    let mut stage = Stage::new(Version::NEWEST);
    let (mia, ana) = mia_and_ana(&mut stage);
    let parent = stage.act(DELIVER, &[&ana, &"https://tide.example/1", &"3 minutes"]);
    let deliver_answer = "pretend.deliver($1, $2, now() - interval '2 minutes', parent => $3)";
    let answer = stage.act(deliver_answer, &[&ana, &"https://tide.example/2", &parent]);
    assert_eq!(stage.refs(mia), [answer, parent]);
    stage.act("pretend.delete_row($1)", &[&parent]);
    assert_eq!(stage.refs(mia), [answer]);
    stage.act("pretend.edit($1, '<p>other</p>')", &[&answer]);
    assert_eq!(stage.refs(mia), [answer]);
}

/// A failure means that one odd row stops everything.
#[test]
fn a_picture_with_odd_measures_is_a_picture_without_measures() {
    let mut stage = Stage::new(Version::NEWEST);
    let (mia, ana) = mia_and_ana(&mut stage);
    let post = stage.act(DELIVER, &[&ana, &"https://tide.example/1", &"1 minute"]);
    let media = stage.act("pretend.attach($1, 'https://tide.example/1.png')", &[&post]);
    for odd in [
        r#""12.5""#,
        "12.5",
        "1e400",
        r#""wide""#,
        "-1",
        "{}",
        "99999999999999999999",
    ] {
        let measures = format!(r#"{{"original":{{"width":{odd},"height":7}}}}"#);
        let change = "UPDATE media_attachments SET file_meta = $2::text::json WHERE id = $1";
        stage.client.execute(change, &[&media, &measures]).unwrap();
        assert_eq!(stage.refs(mia), [post], "{odd}");
        let picture = &stage.entry(post)["object"]["attachment"][0];
        assert_eq!(
            (&picture["width"], &picture["height"]),
            (&serde_json::Value::Null, &serde_json::json!(7)),
            "{odd}"
        );
    }
}

/// Rails writes nulls into arrays where a client sends some. A failure means that one such row stops everything.
#[test]
fn nulls_in_arrays_are_passed_over() {
    let mut stage = Stage::new(Version::NEWEST);
    let (mia, ana) = mia_and_ana(&mut stage);
    let nulls = "UPDATE follows SET languages = '{NULL,en}'; UPDATE users SET chosen_languages = '{en,NULL}'";
    stage.client.batch_execute(nulls).unwrap();
    let post = stage.act(DELIVER, &[&ana, &"https://tide.example/1", &"1 minute"]);
    stage.act("pretend.poll($1, '{Ebb,NULL}')", &[&post]);
    assert_eq!(stage.refs(mia), [post]);
    let choices = &stage.entry(post)["object"]["oneOf"];
    assert_eq!(choices.as_array().map(Vec::len), Some(1), "{choices}");
}

/// A record holds a megabyte. A failure means that a post which Mastodon shows is lost, because it is long.
#[test]
fn a_post_of_any_length_is_shown_with_the_beginning_of_its_text() {
    let mut stage = Stage::new(Version::NEWEST);
    let (mia, ana) = mia_and_ana(&mut stage);
    let mut posts = Vec::new();
    for (n, letter) in ["a", "ø", "\u{1}", "\"", "🌊"].iter().enumerate() {
        let deliver = "pretend.deliver($1, $2, now() - interval '1 minute', repeat($3, 600000))";
        let uri = format!("https://tide.example/{n}");
        posts.push(stage.act(deliver, &[&ana, &uri, letter]));
        let warn = "UPDATE statuses SET spoiler_text = repeat($2, 600000) WHERE id = $1";
        let post = posts.last().unwrap();
        stage.client.execute(warn, &[post, letter]).unwrap();
    }
    let mut shown = stage.refs(mia);
    shown.sort_unstable();
    assert_eq!(shown, posts);
    let content = stage.entry(posts[0])["object"]["content"].clone();
    assert_eq!(content.as_str().map(str::len), Some(50_000));
}

/// Another node may have said it. A failure means that moderation which nobody wants any more stays in force there.
#[test]
fn moderation_that_another_node_said_is_taken_back() {
    let mut stage = Stage::new(Version::NEWEST);
    let (mia, ana) = mia_and_ana(&mut stage);
    let post = stage.act(DELIVER, &[&ana, &"https://tide.example/1", &"1 minute"]);
    assert_eq!(stage.refs(mia), [post]);
    let line =
        r#"{"type":"moderation","account":"_instance","target":"tide.example","action":"suspend"}"#;
    stage
        .instance
        .door
        .post_lines("/v1/relationships", &[line.to_owned()]);
    assert_eq!(stage.refs(mia), Vec::<i64>::new());
    stage.act("pretend.moderate_domain('tide.example', 2)", &[]);
    assert_eq!(stage.refs(mia), [post]);
}

/// A fork, or a hand, may put into a row what Mastodon never does. A failure means that one such row stops all that comes after it.
#[test]
fn a_row_that_cannot_be_read_is_left_out_and_counted_and_stops_no_other() {
    let mut stage = Stage::new(Version::NEWEST);
    let (mia, ana) = mia_and_ana(&mut stage);
    let alter = "ALTER TABLE polls ALTER COLUMN multiple DROP NOT NULL";
    stage.client.batch_execute(alter).unwrap();
    let odd = {
        let mut transaction = stage.client.transaction().unwrap();
        let row = transaction.query_one(
            "SELECT pretend.deliver($1, 'https://tide.example/odd', now() - interval '3 minutes')",
            &[&ana],
        );
        let odd: i64 = row.unwrap().get(0);
        let poll = "SELECT pretend.poll($1, ARRAY['ebb', 'flood'])";
        transaction.query_one(poll, &[&odd]).unwrap();
        let change = "UPDATE polls SET multiple = NULL WHERE status_id = $1";
        transaction.execute(change, &[&odd]).unwrap();
        transaction.commit().unwrap();
        odd
    };
    let after = stage.act(DELIVER, &[&ana, &"https://tide.example/1", &"2 minutes"]);
    assert_eq!(stage.refs(mia), [after]);
    let counted = "slackwater_connector_unusable_total";
    assert_eq!(stage.instance.door.metric(counted), 1.0);
    // It is mended, and noted again.
    let mend = "UPDATE polls SET multiple = true WHERE status_id = $1";
    stage.client.execute(mend, &[&odd]).unwrap();
    stage.act("pretend.edit($1, '<p>even</p>')", &[&odd]);
    assert_eq!(stage.refs(mia), [after, odd]);
}
