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
