//! Activities as servers write them, and as nobody should: what `post::activity::decode` makes of them.

use proptest::prelude::*;
use serde_json::{Value, json};
use slackwater_engine::activity::Activity;
use slackwater_engine::activity::PostContent;
use slackwater_engine::activity::actor::{ActorDocument, DOCUMENT_BYTES_MAX};
use slackwater_engine::activity::parse::{author_key, decode};
use slackwater_engine::record::Vouched;
use std::fmt::Write;

/// How a value came.
#[derive(Clone, Copy, Debug)]
enum Came {
    Sent,
    Fetched,
    /// Sent, and the author inside an Announce verified too.
    Verified,
}
use Came::{Fetched, Sent, Verified};

const SENT: Vouched = Vouched {
    fetched: false,
    inner_verified: false,
    forgotten: false,
};
const FETCHED: Vouched = Vouched {
    fetched: true,
    ..SENT
};
const VERIFIED: Vouched = Vouched {
    inner_verified: true,
    ..SENT
};

impl Came {
    fn vouched(self) -> Vouched {
        match self {
            Sent => SENT,
            Fetched => FETCHED,
            Verified => VERIFIED,
        }
    }
}

#[test]
fn mastodons_activities_are_understood() {
    check(
        "mastodon-announce",
        Sent,
        r#"Announce https://vmst.example/users/ana/statuses/115600000000000002/activity by https://vmst.example/users/ana, Public, published 2026-11-22T10:05:00Z, to https://reef.example/users/odo, boosts https://reef.example/users/odo/statuses/9"#,
    );
    check(
        "mastodon-announce-own-private",
        Sent,
        r#"Announce https://vmst.example/users/ana/statuses/115600000000000004/activity by https://vmst.example/users/ana, Private, published 2026-11-22T11:00:00Z, to https://vmst.example/users/ana, boosts https://vmst.example/users/ana/statuses/115600000000000003; original https://vmst.example/users/ana/statuses/115600000000000003 by https://vmst.example/users/ana, Private, published 2026-11-22T10:00:00Z, in en"#,
    );
    check(
        "mastodon-create-direct",
        Sent,
        r#"Create https://vmst.example/users/ana/statuses/115600000000000006 by https://vmst.example/users/ana, Direct, published 2026-11-22T10:00:00Z, to https://reef.example/users/odo, mentions https://reef.example/users/odo, in en"#,
    );
    check(
        "mastodon-create-note",
        Sent,
        r#"Create https://vmst.example/users/ana/statuses/115600000000000001 by https://vmst.example/users/ana, Public, published 2026-11-22T10:00:00Z, to https://reef.example/users/odo, mentions https://reef.example/users/odo, tags sailing, in en"#,
    );
    check(
        "mastodon-create-private-reply",
        Sent,
        r#"Create https://vmst.example/users/ana/statuses/115600000000000007 by https://vmst.example/users/ana, Private, published 2026-11-22T10:00:00Z, to https://reef.example/users/odo, mentions https://reef.example/users/odo, answers https://reef.example/users/odo/statuses/8, in en"#,
    );
    check("mastodon-create-vote", Sent, r#"Ignored vote"#);
    check(
        "mastodon-delete-actor",
        Sent,
        r#"Delete https://vmst.example/users/ana by https://vmst.example/users/ana"#,
    );
    check(
        "mastodon-delete-tombstone",
        Sent,
        r#"Delete https://vmst.example/users/ana/statuses/115600000000000001 by https://vmst.example/users/ana"#,
    );
    check("mastodon-like", Sent, r#"Ignored Like"#);
    check(
        "mastodon-undo-announce",
        Sent,
        r#"Delete https://vmst.example/users/ana/statuses/115600000000000002/activity by https://vmst.example/users/ana"#,
    );
    check("mastodon-undo-like", Sent, r#"Ignored Undo Like"#);
    check(
        "mastodon-update-note",
        Sent,
        r#"Update https://vmst.example/users/ana/statuses/115600000000000001 by https://vmst.example/users/ana, Public, published 2026-11-22T10:00:00Z, updated 2026-11-22T10:06:40Z, to https://reef.example/users/odo, mentions https://reef.example/users/odo, tags sailing, in en"#,
    );
    check(
        "mastodon-update-poll-counts",
        Sent,
        r#"Update https://vmst.example/users/ana/statuses/115600000000000005 by https://vmst.example/users/ana, Public, published 2026-11-22T10:00:00Z, in en"#,
    );
}

#[test]
fn threads_has_slashes_at_the_end_and_offsets_without_a_colon() {
    check(
        "threads-create-note",
        Sent,
        r#"Create https://threads.net/ap/users/17841400000000001/post/17900000000000001/ by https://threads.net/ap/users/17841400000000001/, Public, published 2026-11-22T10:00:00Z, tags fog, in en"#,
    );
    check(
        "threads-create-reply",
        Sent,
        r#"Create https://threads.net/ap/users/17841400000000001/post/17900000000000002/ by https://threads.net/ap/users/17841400000000001/, Public, published 2026-11-22T10:20:00Z, to https://reef.example/users/odo, mentions https://reef.example/users/odo, answers https://reef.example/users/odo/statuses/9, in en"#,
    );
    check(
        "threads-delete",
        Sent,
        r#"Delete https://threads.net/ap/users/17841400000000001/post/17900000000000001/ by https://threads.net/ap/users/17841400000000001/"#,
    );
}

#[test]
fn misskeys_quotes_are_posts_and_its_undo_needs_no_id() {
    check(
        "misskey-announce-without-id",
        Sent,
        r#"Announce https://kelp.example/users/9abcdefgh1#announce/https://reef.example/users/odo/statuses/9 by https://kelp.example/users/9abcdefgh1, Public, boosts https://reef.example/users/odo/statuses/9"#,
    );
    check(
        "misskey-create-quote",
        Sent,
        r#"Create https://kelp.example/notes/9zzzzzzzz1 by https://kelp.example/users/9abcdefgh1, Public, published 2026-11-22T10:00:00.123Z, tags 海"#,
    );
    check(
        "misskey-create-specified",
        Sent,
        r#"Create https://kelp.example/notes/9zzzzzzzz2 by https://kelp.example/users/9abcdefgh1, Limited, published 2026-11-22T10:01:00.456Z, to https://reef.example/users/odo https://vmst.example/users/ana, mentions https://reef.example/users/odo"#,
    );
    check(
        "misskey-undo-announce-without-id",
        Sent,
        r#"Unboost https://reef.example/users/odo/statuses/9 by https://kelp.example/users/9abcdefgh1"#,
    );
}

#[test]
fn lemmys_announce_of_an_activity_is_that_activity() {
    check(
        "lemmy-announce-announce",
        Sent,
        r#"Refused: inside an Announce: it is an Announce of an Announce: send the inner one alone"#,
    );
    check(
        "lemmy-announce-create-page",
        Verified,
        r#"Create https://skerry.example/post/501 by https://skerry.example/u/mara, Public, published 2026-11-22T10:00:00.123Z, to https://lagoon.example/c/boats, tags boats"#,
    );
    check(
        "lemmy-announce-delete",
        Verified,
        r#"Delete https://skerry.example/post/501 by https://skerry.example/u/mara"#,
    );
    check("lemmy-announce-like", Sent, r#"Ignored Like"#);
    check("lemmy-announce-lock", Sent, r#"Ignored other"#);
    check(
        "lemmy-announce-page-id",
        Sent,
        r#"Announce https://lagoon.example/activities/announce/a8 by https://lagoon.example/c/boats, Public, published 2026-11-22T10:00:03Z, boosts https://skerry.example/post/501"#,
    );
    check("lemmy-announce-undo-like", Sent, r#"Ignored Undo Like"#);
    check(
        "lemmy-announce-update-comment",
        Verified,
        r#"Update https://skerry.example/comment/77 by https://skerry.example/u/mara, Public, published 2026-11-22T10:10:00Z, updated 2026-11-22T10:12:00.500Z, to https://lagoon.example/c/boats https://skerry.example/u/ole, mentions https://skerry.example/u/ole, answers https://skerry.example/post/501"#,
    );
}

/// Were this to fail, an evil relay could write, change and delete anybody's posts.
#[test]
fn an_activity_inside_an_announce_counts_only_if_its_author_was_verified_and_votes_are_ignored_as_ever()
 {
    let (relay, victim) = (
        "https://evil.example/relay",
        "https://vmst.example/users/ana",
    );
    let note = json!({"type": "Note", "id": "https://vmst.example/1", "attributedTo": victim});
    let boost = json!({"type": "Announce", "id": "https://vmst.example/2", "actor": victim, "object": note["id"]});
    let wrapped = |inner: Value| {
        json!({"type": "Announce", "id": "https://evil.example/a", "actor": relay, "object": inner})
            .to_string()
    };
    let by_victim =
        |kind: &str, object: Value| json!({"type": kind, "actor": victim, "object": object});
    for inner in [
        by_victim("Create", note.clone()),
        by_victim("Update", note.clone()),
        by_victim(
            "Update",
            json!({"type": "Person", "id": victim, "preferredUsername": "eve"}),
        ),
        by_victim("Delete", note["id"].clone()),
        by_victim("Delete", victim.into()),
        by_victim("Undo", boost.clone()),
        by_victim("Undo", boost["id"].clone()),
        by_victim("Undo", json!({"type": "Announce", "object": note["id"]})),
    ] {
        for vouched in [SENT, FETCHED] {
            let reason = decode(wrapped(inner.clone()).as_bytes(), vouched).unwrap_err();
            assert!(
                reason.contains("`inner-verified: true`"),
                "{inner}: {reason}"
            );
        }
        decode(wrapped(inner).as_bytes(), VERIFIED).unwrap();
    }
    for (inner, ignored) in [
        (by_victim("Like", note["id"].clone()), "Ignored Like"),
        (
            by_victim("Undo", by_victim("Like", note["id"].clone())),
            "Ignored Undo Like",
        ),
        (by_victim("Dislike", note["id"].clone()), "Ignored other"),
    ] {
        for came in [Sent, Fetched, Verified] {
            assert_eq!(said(wrapped(inner.clone()).as_bytes(), came), ignored);
        }
    }
    // What is announced by its id alone is a boost, whoever announces it.
    let boost = wrapped(note["id"].clone());
    assert!(
        said(boost.as_bytes(), Sent)
            .starts_with("Announce https://evil.example/a by https://evil.example/relay")
    );
}

#[test]
fn a_field_may_be_one_text_where_others_send_a_list() {
    check(
        "pleroma-create-note",
        Sent,
        r#"Create https://tidepool.example/objects/0f0e0d0c-0000-4000-8000-000000000001 by https://tidepool.example/users/brine, Public, published 2026-11-22T10:00:00Z, tags limpets"#,
    );
    check(
        "pleroma-undo-bare-id",
        Sent,
        r#"Delete https://tidepool.example/activities/2 by https://tidepool.example/users/brine"#,
    );
    check(
        "pleroma-create-chat-message",
        Sent,
        r#"Ignored Create other"#,
    );
    check(
        "gotosocial-create-note",
        Sent,
        r#"Create https://cove.example/users/wim/statuses/01ABC by https://cove.example/users/wim, Unlisted, published 2026-11-22T10:00:00Z, tags tides, in EN"#,
    );
    check(
        "audio-create",
        Sent,
        r#"Create https://sound.example/federation/uploads/1 by https://sound.example/federation/actors/hull, Public, published 2026-11-22T10:00:00Z"#,
    );
    check(
        "article-create",
        Sent,
        r#"Create https://ink.example/api/posts/p1 by https://ink.example/api/collections/logbook, Public, published 2026-11-22T10:00:00Z"#,
    );
}

#[test]
fn actors_are_understood_in_every_shape() {
    check(
        "mastodon-update-person",
        Sent,
        r#"Person https://vmst.example/users/ana"#,
    );
    check(
        "misskey-update-person",
        Sent,
        r#"Service https://kelp.example/users/9abcdefgh1"#,
    );
    check(
        "pleroma-person",
        Fetched,
        r#"Person https://reef.example/users/odo"#,
    );
    check(
        "threads-person",
        Fetched,
        r#"Person https://threads.net/ap/users/17841400000000001/"#,
    );
    // Nobody vouches for it: neither its server nor the instance.
    check("threads-person", Sent, r#"Ignored other"#);
}

#[test]
fn a_bridged_author_may_be_embedded_and_name_its_followers() {
    check(
        "bridge-create-note",
        Sent,
        r#"Create https://bridge.example/convert/ap/at://did:plc:sandpiper23/net.example.feed.post/3kaaa by https://bridge.example/ap/did:plc:sandpiper23, Public, published 2026-11-22T10:00:00Z, in pt-BR; Person https://bridge.example/ap/did:plc:sandpiper23; followers https://bridge.example/ap/did:plc:sandpiper23/their-followers"#,
    );
    check(
        "bridge-create-private",
        Sent,
        r#"Create https://bridge.example/n/2 by https://bridge.example/ap/did:plc:sandpiper23, Private, published 2026-11-22T10:00:00Z; followers https://bridge.example/ap/did:plc:sandpiper23/their-followers"#,
    );
}

#[test]
fn videos_and_events_are_posts_by_the_person_or_group_named() {
    check(
        "peertube-create-video",
        Sent,
        r#"Create https://tubes.example/videos/watch/5b1f0000-0000-4000-8000-000000000001 by https://tubes.example/accounts/keeper, Public, published 2026-11-22T10:00:00Z, updated 2026-11-22T10:30:00Z, to https://tubes.example/video-channels/lighthouse/followers, tags lighthouse lamps"#,
    );
    check(
        "peertube-announce",
        Sent,
        r#"Announce https://tubes.example/videos/watch/5b1f0000-0000-4000-8000-000000000001/announces/1 by https://tubes.example/video-channels/lighthouse, Public, to https://tubes.example/accounts/keeper/followers, boosts https://tubes.example/videos/watch/5b1f0000-0000-4000-8000-000000000001"#,
    );
    check("peertube-view", Sent, r#"Ignored View"#);
    check(
        "mobilizon-create-event",
        Sent,
        r#"Create https://gather.example/events/e1 by https://gather.example/@rowers, Public, published 2026-11-22T10:00:00Z, updated 2026-11-22T10:00:00Z, tags rowing"#,
    );
}

#[test]
fn a_list_of_one_object_is_that_object() {
    check(
        "object-in-a-list",
        Sent,
        r#"Create https://reef.example/users/odo/statuses/20 by https://reef.example/users/odo, Public, published 2026-11-22T10:00:00Z"#,
    );
    check(
        "objects-in-a-list",
        Sent,
        r#"Refused: the object is a list of 2: send one record for each"#,
    );
    check(
        "object-only-an-id",
        Sent,
        r#"Refused: the object is only an id, "https://reef.example/users/odo/statuses/20": send the post itself as `object`"#,
    );
}

#[test]
fn addressees_come_as_texts_lists_and_collections_and_from_the_activity() {
    check(
        "addressed-by-the-activity-alone",
        Sent,
        r#"Create https://reef.example/users/odo/statuses/20 by https://reef.example/users/odo, Private, published 2026-11-22T10:00:00Z, to https://vmst.example/users/ana"#,
    );
    check(
        "addressed-by-embedded-collections",
        Sent,
        r#"Create https://reef.example/users/odo/statuses/20 by https://reef.example/users/odo, Private, published 2026-11-22T10:00:00Z, to https://vmst.example/users/ana"#,
    );
    check(
        "audience-alone",
        Sent,
        r#"Create https://reef.example/users/odo/statuses/20 by https://reef.example/users/odo, Public, published 2026-11-22T10:00:00Z"#,
    );
}

#[test]
fn the_first_known_type_counts() {
    check(
        "type-in-a-list",
        Sent,
        r#"Create https://reef.example/users/odo/statuses/20 by https://reef.example/users/odo, Public, published 2026-11-22T10:00:00Z"#,
    );
    check(
        "type-in-an-empty-list",
        Sent,
        r#"Refused: the object has no type: send `type` as a name such as Create or Note"#,
    );
    check(
        "type-missing-on-the-activity",
        Sent,
        r#"Refused: it has no type: send `type` as a name such as Create or Note"#,
    );
    check("emoji-react", Sent, r#"Ignored other"#);
}

#[test]
fn a_date_is_read_in_every_shape_and_an_absurd_one_is_none() {
    check(
        "date-before-the-calendar",
        Sent,
        r#"Create https://reef.example/users/odo/statuses/20 by https://reef.example/users/odo, Public"#,
    );
    check(
        "date-in-the-year-10000",
        Sent,
        r#"Create https://reef.example/users/odo/statuses/20 by https://reef.example/users/odo, Public"#,
    );
    check(
        "date-null",
        Sent,
        r#"Create https://reef.example/users/odo/statuses/20 by https://reef.example/users/odo, Public"#,
    );
    check(
        "date-of-rfc-1123",
        Sent,
        r#"Create https://reef.example/users/odo/statuses/20 by https://reef.example/users/odo, Public, published 2026-11-22T10:00:00Z"#,
    );
    check(
        "date-with-a-space",
        Sent,
        r#"Create https://reef.example/users/odo/statuses/20 by https://reef.example/users/odo, Public, published 2026-11-22T10:00:00.500Z"#,
    );
    check(
        "date-with-seven-digits",
        Sent,
        r#"Create https://reef.example/users/odo/statuses/20 by https://reef.example/users/odo, Public, published 2026-11-22T10:00:00.123Z"#,
    );
    check(
        "date-without-a-zone",
        Sent,
        r#"Create https://reef.example/users/odo/statuses/20 by https://reef.example/users/odo, Public, published 2026-11-22T10:00:00Z"#,
    );
}

#[test]
fn a_reply_names_its_parent_in_any_shape() {
    check(
        "reply-to-a-list",
        Sent,
        r#"Create https://reef.example/users/odo/statuses/20 by https://reef.example/users/odo, Public, published 2026-11-22T10:00:00Z, answers https://vmst.example/users/ana/statuses/1"#,
    );
    check(
        "reply-to-an-embedded-note",
        Sent,
        r#"Create https://reef.example/users/odo/statuses/20 by https://reef.example/users/odo, Public, published 2026-11-22T10:00:00Z, answers https://vmst.example/users/ana/statuses/1"#,
    );
}

#[test]
fn the_author_is_found_where_it_is_named() {
    check(
        "actor-embedded-attributed-to-missing",
        Sent,
        r#"Create https://reef.example/users/odo/statuses/20 by https://reef.example/users/odo, Public, published 2026-11-22T10:00:00Z; Person https://reef.example/users/odo"#,
    );
    check(
        "actor-in-a-list",
        Sent,
        r#"Create https://reef.example/users/odo/statuses/20 by https://reef.example/users/odo, Public, published 2026-11-22T10:00:00Z"#,
    );
    check(
        "actor-missing",
        Sent,
        r#"Refused: the activity has no actor: send `actor` as an id or an object with an id"#,
    );
}

#[test]
fn an_id_is_kept_as_it_is_or_refused() {
    check(
        "id-with-query-and-fragment",
        Sent,
        r#"Create https://reef.example/?p=20&lang=en#content by https://reef.example/users/odo, Public, published 2026-11-22T10:00:00Z"#,
    );
    check(
        "id-missing",
        Sent,
        r#"Refused: the object has no id: send the post with its `id`"#,
    );
    check(
        "id-with-a-nul",
        Sent,
        r#"Refused: the object's id is "https://reef.example/users/odo/statuses/\0": ids have no white space, control characters or backslashes"#,
    );
}

#[test]
fn only_an_embedded_post_by_the_booster_is_believed() {
    check(
        "announce-of-an-embedded-stranger",
        Sent,
        r#"Announce https://reef.example/users/odo/statuses/30/activity by https://reef.example/users/odo, Public, boosts https://vmst.example/users/ana/statuses/115600000000000001"#,
    );
}

#[test]
fn an_activity_speaks_for_its_own_host_only() {
    check(
        "profile-on-www",
        Sent,
        r#"Create https://reef.example/statuses/20 by https://www.reef.example/users/odo, Public, published 2026-11-22T10:00:00Z, to https://reef.example/users/odo/followers"#,
    );
    check(
        "author-on-another-host",
        Sent,
        r#"Refused: the post's author is "https://vmst.example/users/ana", the post is "https://reef.example/users/odo/statuses/20": an activity speaks for its own host only; fetch the post where it lives and send it alone with `fetched: true`"#,
    );
    check(
        "object-on-another-host",
        Sent,
        r#"Refused: the post's author is "https://reef.example/users/odo", the post is "https://vmst.example/users/ana/statuses/1": an activity speaks for its own host only; fetch the post where it lives and send it alone with `fetched: true`"#,
    );
    // Who fetched it is not told to fetch it.
    check(
        "author-on-another-host",
        Fetched,
        r#"Refused: the post's author is "https://vmst.example/users/ana", the post is "https://reef.example/users/odo/statuses/20": an activity speaks for its own host only; it was fetched, and whoever gave it says so: leave it out, nobody can vouch for it"#,
    );
    let (u, v) = ("https://a.example/u", "https://b.example/v");
    let note = json!({"type": "Note", "id": "https://a.example/1", "attributedTo": u});
    let actor = json!({"type": "Person", "id": u, "preferredUsername": "u"});
    for (activity, sent, fetched) in [
        (
            json!({"type": "Create", "actor": v, "object": note}),
            "fetch the post where it lives and send it alone with `fetched: true`",
            "it was fetched: send the post alone, without the activity around it",
        ),
        (
            json!({"type": "Update", "actor": v, "object": note}),
            "fetch the post where it lives and send it alone with `fetched: true`",
            "it was fetched: send the post alone, without the activity around it",
        ),
        (
            json!({"type": "Update", "actor": v, "object": actor}),
            "fetch the actor where it lives and send it alone with `fetched: true`",
            "it was fetched: send the actor alone, without the activity around it",
        ),
    ] {
        for (is_fetched, advice) in [(false, sent), (true, fetched)] {
            let reason = decode(
                activity.to_string().as_bytes(),
                Vouched {
                    fetched: is_fetched,
                    ..SENT
                },
            )
            .unwrap_err();
            assert!(reason.ends_with(advice), "{activity}: {reason}");
        }
    }
    // And what it is told to do works.
    decode(note.to_string().as_bytes(), FETCHED).unwrap();
    decode(actor.to_string().as_bytes(), FETCHED).unwrap();
    check(
        "announce-on-another-host",
        Sent,
        r#"Refused: the actor is "https://reef.example/users/odo", the Announce is "https://vmst.example/users/ana/statuses/30/activity": an activity speaks for its own host only; send the Announce with an id of its actor's host, or none"#,
    );
    check(
        "delete-on-another-host",
        Sent,
        r#"Refused: the activity's actor is "https://reef.example/users/odo", what is gone is "https://vmst.example/users/ana/statuses/1": an activity speaks for its own host only; only the author's server may take it away"#,
    );
}

#[test]
fn an_undo_takes_back_only_ones_own() {
    check(
        "undo-announce-of-another-actor",
        Sent,
        r#"Refused: "https://reef.example/users/odo" takes back an Announce by "https://reef.example/users/eve": only the same actor may"#,
    );
    check("undo-follow", Sent, r#"Ignored Undo Follow"#);
}

#[test]
fn a_delete_may_be_a_bare_id() {
    check(
        "delete-bare-id",
        Sent,
        r#"Delete https://reef.example/users/odo/statuses/20 by https://reef.example/users/odo"#,
    );
}

#[test]
fn what_the_instance_fetched_may_come_bare() {
    check(
        "bare-note",
        Sent,
        r#"Refused: it is a post without an activity: wrap it in a Create, or, if your instance fetched it, set `fetched: true`"#,
    );
    check(
        "bare-note",
        Fetched,
        r#"Fetched https://reef.example/users/odo/statuses/20 by https://reef.example/users/odo, Public, published 2026-11-22T10:00:00Z"#,
    );
    check(
        "mastodon-create-note",
        Fetched,
        r#"Fetched https://vmst.example/users/ana/statuses/115600000000000001 by https://vmst.example/users/ana, Public, published 2026-11-22T10:00:00Z, to https://reef.example/users/odo, mentions https://reef.example/users/odo, tags sailing, in en"#,
    );
    check(
        "mastodon-update-note",
        Fetched,
        r#"Update https://vmst.example/users/ana/statuses/115600000000000001 by https://vmst.example/users/ana, Public, published 2026-11-22T10:00:00Z, updated 2026-11-22T10:06:40Z, to https://reef.example/users/odo, mentions https://reef.example/users/odo, tags sailing, in en"#,
    );
    check(
        "mastodon-announce",
        Fetched,
        r#"Announce https://vmst.example/users/ana/statuses/115600000000000002/activity by https://vmst.example/users/ana, Public, published 2026-11-22T10:05:00Z, to https://reef.example/users/odo, boosts https://reef.example/users/odo/statuses/9"#,
    );
}

#[test]
fn every_fixture_is_in_a_test_above() {
    let source = include_str!("decode.rs");
    for name in fixtures() {
        assert!(
            source.contains(&format!("\"{name}\",")),
            "{name} is not checked"
        );
    }
}

#[test]
fn the_object_is_kept_as_it_came() {
    let raw = r#"{ "type":"Note","id":"https://a.example/1",  "attributedTo":"https://a.example/u","x":[1.0, 1e2,"\u00e9"],"x":null }"#;
    for (value, came, kept) in [
        (
            format!(r#"{{"type":"Create","actor":"https://a.example/u","object": {raw} }}"#),
            Sent,
            raw,
        ),
        (
            format!(r#"{{"type":"Create","actor":"https://a.example/u","object":[ {raw} ]}}"#),
            Sent,
            raw,
        ),
        (format!("\r\n {raw}\t"), Fetched, raw),
    ] {
        let Ok(Activity::Post { body, .. }) = decode(value.as_bytes(), came.vouched()) else {
            panic!("{value}");
        };
        assert_eq!(body.object.get(), kept);
    }
    let boost = String::from_utf8(fixture("announce-of-an-embedded-stranger")).unwrap();
    let Ok(Activity::Post { body, original, .. }) = decode(boost.as_bytes(), SENT) else {
        panic!("not a boost");
    };
    assert_eq!(body.object.get(), boost.trim());
    assert!(original.is_none());
}

#[test]
fn records_are_keyed_by_the_author_of_the_object() {
    for (name, key) in [
        (
            "mastodon-create-note",
            Some("https://vmst.example/users/ana"),
        ),
        ("mastodon-announce", Some("https://vmst.example/users/ana")),
        (
            "lemmy-announce-create-page",
            Some("https://skerry.example/u/mara"),
        ),
        (
            "lemmy-announce-delete",
            Some("https://skerry.example/u/mara"),
        ),
        (
            "misskey-undo-announce-without-id",
            Some("https://kelp.example/users/9abcdefgh1"),
        ),
        (
            "mastodon-update-person",
            Some("https://vmst.example/users/ana"),
        ),
        ("mastodon-like", None),
    ] {
        let activity = decode(&fixture(name), VERIFIED).unwrap();
        assert_eq!(author_key(&activity), key, "{name}");
    }
}

#[test]
fn what_cannot_be_used_says_why_and_what_to_send() {
    let note = |more: &str| {
        format!(
            r#"{{"type":"Create","actor":"https://a.example/u","object":{{"type":"Note","id":"https://a.example/1"{more}}}}}"#
        )
    };
    let people = |count: usize| {
        let people: Vec<_> = (0..count)
            .map(|n| format!("https://a.example/{n}"))
            .collect();
        json!(people).to_string()
    };
    let tags = |kind: &str, count: usize| {
        let tags: Vec<_> = (0..count)
            .map(|n| json!({"type": kind, "name": format!("#{n}"), "href": format!("https://a.example/{n}")}))
            .collect();
        json!(tags).to_string()
    };
    let long = format!("https://a.example/{}", "x".repeat(2048));
    for (value, reason) in [
        (String::new(), "it is empty: send an ActivityStreams object"),
        ("null".into(), "it is null: send an ActivityStreams object"),
        ("[]".into(), "it is a list: send an ActivityStreams object"),
        ("7".into(), "it is a number: send an ActivityStreams object"),
        (
            "\"x\"".into(),
            "it is a string: send an ActivityStreams object",
        ),
        (
            "true".into(),
            "it is a boolean: send an ActivityStreams object",
        ),
        (
            "<html>".into(),
            "it is not JSON: send an ActivityStreams object",
        ),
        (
            "nonsense".into(),
            "it is not JSON: send an ActivityStreams object",
        ),
        (
            "true story".into(),
            "it is not JSON: send an ActivityStreams object",
        ),
        (
            "7, or so".into(),
            "it is not JSON: send an ActivityStreams object",
        ),
        (
            "[1".into(),
            "it is not JSON: send an ActivityStreams object",
        ),
        ("{".into(), "it is not JSON that can be read (EOF"),
        (
            "{} {}".into(),
            "it is not JSON that can be read (trailing characters",
        ),
        ("{}".into(), "it has no type"),
        (
            r#"{"type":"Delete","actor":"https://a.example/u"}"#.into(),
            "the activity has no object",
        ),
        (
            r#"{"type":"Delete","actor":"https://a.example/u","object":[]}"#.into(),
            "the object is a list of 0",
        ),
        (
            r#"{"type":"Delete","actor":"https://a.example/u","object":7}"#.into(),
            "the object is a number",
        ),
        (
            r#"{"type":"Delete","actor":"https://a.example/u","object":[[]]}"#.into(),
            "the object is a list",
        ),
        (
            r#"{"type":"Delete","actor":"https://a.example/u","object":{"type":"Tombstone"}}"#
                .into(),
            "the id of what is gone is \"\"",
        ),
        (
            r#"{"type":"Delete","actor":"acct:u@a.example","object":"https://a.example/1"}"#.into(),
            "the activity's actor is \"acct:u@a.example\": send an http or https URL",
        ),
        (
            r#"{"type":"Undo","actor":"https://a.example/u","object":{"type":"Announce"}}"#.into(),
            "the activity has no object",
        ),
        (
            r#"{"type":"Announce","actor":"https://a.example/u","object":{}}"#.into(),
            "the announced object has no id",
        ),
        (
            note(r#","content":"\ud800""#),
            "it is not JSON that can be read (unexpected end of hex escape",
        ),
        (
            note(r#","size":1e999"#),
            "it is not JSON that can be read (number out of range",
        ),
        (
            note(&format!(r#","size":{}"#, "9".repeat(400))),
            "it is not JSON that can be read (number out of range",
        ),
        (
            note(&format!(r#","inReplyTo":"{long}""#)),
            "inReplyTo has 2066 bytes: at most 2048",
        ),
        (
            note(r#","to":["a\u0000b"]"#),
            "to, cc and audience together is \"a\\0b\"",
        ),
        (
            note(&format!(r#","to":{}"#, people(1001))),
            "to, cc and audience together: more than 1000",
        ),
        (
            note(&format!(r#","tag":{}"#, tags("Mention", 1001))),
            "mentions in tag: more than 1000",
        ),
        (
            note(&format!(r#","tag":{}"#, tags("Hashtag", 1001))),
            "hashtags in tag: more than 1000",
        ),
    ] {
        let said = said(value.as_bytes(), Sent);
        let start: String = value.chars().take(200).collect();
        assert!(
            said.starts_with(&format!("Refused: {reason}")),
            "{start}: {said}"
        );
    }
    let full = note(&format!(
        r#","to":{0},"cc":{0},"tag":{1}"#,
        people(1000),
        tags("Mention", 1000)
    ));
    assert!(said(full.as_bytes(), Sent).contains("Direct"));
}

#[test]
fn a_value_too_long_too_deep_or_not_utf_8_is_refused() {
    let fits = |length: usize| {
        let note = r#"{"type":"Like","x":""}"#;
        note.replace("\"\"", &format!("\"{}\"", "x".repeat(length - note.len())))
    };
    assert_eq!(said(fits(1_000_000).as_bytes(), Sent), "Ignored Like");
    assert_eq!(
        said(fits(1_000_001).as_bytes(), Sent),
        "Refused: it has 1000001 bytes: send at most 1000000"
    );
    assert_eq!(
        said(b"{\"type\":\"\xff\"}", Sent),
        "Refused: it is not UTF-8 after 9 bytes: send JSON in UTF-8"
    );
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        for (depth, refused) in [(63, false), (64, true), (10_000, true), (200_000, true)] {
            let deep = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            for field in ["x", "object", "tag", "to", "type", "contentMap"] {
                let value = format!(r#"{{"type":"Like","{field}":{deep}}}"#);
                let said = said(value.as_bytes(), Sent);
                assert_eq!(
                    said.starts_with("Refused: it ") && !said.contains("no type"),
                    refused,
                    "{depth} {field} {said}"
                );
            }
        }
        let unclosed = open.repeat(100_000);
        assert!(said(format!("{{\"x\":{unclosed}").as_bytes(), Sent).starts_with("Refused"));
    }
}

#[test]
fn a_fixture_cut_short_is_refused_at_every_byte() {
    for name in ["mastodon-create-note", "lemmy-announce-create-page"] {
        let whole = fixture(name);
        let whole = whole.trim_ascii_end();
        for end in 0..whole.len() {
            let said = said(&whole[..end], Sent);
            assert!(said.starts_with("Refused: it is "), "{name} {end}: {said}");
        }
    }
}

/// Every field of one fixture of each shape, at any depth, once as each kind of JSON: a decoded activity or a reason that reads well.
#[test]
fn a_field_of_the_wrong_type_is_survived_or_refused() {
    let odd = [
        json!(null),
        json!(7),
        json!(-1.5e300),
        json!(true),
        json!(""),
        json!("\0"),
        json!("https://elsewhere.example/1"),
        json!([]),
        json!([[], {}, null, 1, "x"]),
        json!({}),
        json!({"id": {"id": []}, "type": [{}]}),
    ];
    for name in [
        "mastodon-create-note",
        "mastodon-announce-own-private",
        "mastodon-undo-announce",
        "misskey-create-quote",
        "lemmy-announce-create-page",
        "bridge-create-note",
        "peertube-create-video",
        "delete-bare-id",
    ] {
        let whole: Value = serde_json::from_slice(&fixture(name)).unwrap();
        for path in paths(&whole) {
            for odd in &odd {
                let mut value = whole.clone();
                *value.pointer_mut(&path).unwrap() = odd.clone();
                survives(value.to_string().as_bytes());
            }
            let (parent, field) = path.rsplit_once('/').unwrap();
            let mut value = whole.clone();
            if let Some(Value::Object(parent)) = value.pointer_mut(parent) {
                parent.remove(&field.replace("~1", "/").replace("~0", "~"));
                survives(value.to_string().as_bytes());
            }
        }
    }
}

proptest! {
    /// A failure means that a stranger can stop the service.
    #[test]
    fn no_bytes_are_too_strange(bytes in any::<Vec<u8>>(), prefix in prop::sample::select(&["", "{", "{\"type\":\"Create\","][..])) {
        survives(&[prefix.as_bytes(), &bytes].concat());
    }

    /// As above, closer to what passes.
    #[test]
    fn no_json_in_the_shape_of_an_activity_is_too_strange(value in activity_like()) {
        survives(value.to_string().as_bytes());
    }

    /// As above, closer still.
    #[test]
    fn no_damage_to_a_fixture_is_too_strange(
        name in prop::sample::select(fixtures()),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = fixture(&name);
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        survives(&bytes);
    }
}

/// Neither a panic nor a result that breaks a promise.
fn survives(value: &[u8]) {
    for vouched in [SENT, FETCHED, VERIFIED] {
        match decode(value, vouched) {
            Err(reason) => {
                assert!(10 < reason.len() && reason.len() < 1000, "{reason}");
                assert!(!reason.contains(char::is_control), "{reason}");
            }
            Ok(activity) => {
                if let Some(key) = author_key(&activity) {
                    assert!(slackwater_engine::host::origin_of(key).is_some(), "{key}");
                }
                match activity {
                    Activity::Post {
                        body,
                        original,
                        author,
                        ..
                    } => {
                        keeps_its_promises(&body);
                        original.iter().for_each(|body| keeps_its_promises(body));
                        if let Some(author) = author {
                            assert_eq!(author.id, body.author);
                            document_keeps_its_promises(&author);
                        }
                    }
                    Activity::Actor(document) => document_keeps_its_promises(&document),
                    _ => {}
                }
            }
        }
    }
}

fn document_keeps_its_promises(document: &ActorDocument) {
    assert!(document.bytes() <= DOCUMENT_BYTES_MAX);
    let links = [&document.url, &document.icon, &document.image];
    let emoji = document.emoji.iter().map(|emoji| &emoji.url);
    for link in links.into_iter().flatten().chain(emoji) {
        assert!(slackwater_engine::host::origin_of(link).is_some(), "{link}");
    }
}

fn keeps_its_promises(body: &PostContent) {
    use slackwater_order::time::Time;
    let origin = slackwater_engine::host::origin_of;
    assert_eq!(origin(&body.uri), origin(&body.author));
    for time in [body.published, body.updated].into_iter().flatten() {
        assert!((Time::EARLIEST..=Time::LATEST).contains(&time));
    }
    serde_json::from_str::<Value>(body.object.get()).expect("what is stored can be parsed");
    for list in [
        &body.addressed,
        &body.collections,
        &body.mentions,
        &body.tags,
    ] {
        let once: std::collections::HashSet<_> = list.iter().collect();
        assert_eq!(once.len(), list.len());
    }
}

/// JSON pointers to every field and element.
fn paths(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let children: Vec<(String, &Value)> = match value {
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| (key.replace('~', "~0").replace('/', "~1"), value))
            .collect(),
        Value::Array(list) => (0..).map(|n: usize| n.to_string()).zip(list).collect(),
        _ => Vec::new(),
    };
    for (key, child) in children {
        found.push(format!("/{key}"));
        found.extend(paths(child).into_iter().map(|path| format!("/{key}{path}")));
    }
    found
}

/// JSON whose fields have the names, and often the values, that mean something.
fn activity_like() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        4 => prop::sample::select(&[
            "Create", "Update", "Announce", "Delete", "Undo", "Like", "Note", "Question", "Person", "Tombstone",
            "Mention", "Hashtag", "as:Public", "2026-11-22T10:00:00Z", "https://a.example/u", "https://a.example/1",
            "https://a.example/u/followers", "https://b.example/1", "http://A.example:80/u", "#Tag", "en", "und",
        ][..]).prop_map(str::to_owned),
        1 => "\\PC{0,10}",
    ];
    let leaf = prop_oneof![
        8 => text.prop_map(Value::from),
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
    ];
    let name = prop::sample::select(
        &[
            "id",
            "type",
            "actor",
            "attributedTo",
            "object",
            "published",
            "updated",
            "to",
            "cc",
            "audience",
            "tag",
            "inReplyTo",
            "content",
            "contentMap",
            "name",
            "href",
            "followers",
            "preferredUsername",
            "url",
            "icon",
            "inbox",
            "attachment",
            "x",
        ][..],
    );
    leaf.prop_recursive(4, 48, 10, move |inner| {
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            4 => activity_map(name.clone().boxed(), inner.boxed()),
        ]
    })
}

/// Mostly with what an activity needs, so that more than the first check is reached.
fn activity_map(
    name: BoxedStrategy<&'static str>,
    inner: BoxedStrategy<Value>,
) -> impl Strategy<Value = Value> {
    let kind = prop::sample::select(
        &[
            "Create", "Update", "Announce", "Delete", "Undo", "Note", "Video", "Person",
        ][..],
    );
    let more = prop::collection::vec((name, inner), 0..10);
    (any::<bool>(), kind, more).prop_map(|(whole, kind, more)| {
        let mut map = serde_json::Map::new();
        if whole {
            map.insert("type".into(), kind.into());
            map.insert("id".into(), "https://a.example/1".into());
            map.insert("actor".into(), "https://a.example/u".into());
            map.insert("attributedTo".into(), "https://a.example/u".into());
        }
        map.extend(
            more.into_iter()
                .map(|(name, value)| (name.to_owned(), value)),
        );
        Value::Object(map)
    })
}

/// The names of all fixtures.
fn fixtures() -> Vec<String> {
    let folder = format!("{}/tests/fixtures", env!("CARGO_MANIFEST_DIR"));
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .map(|name| name.strip_suffix(".json").unwrap().to_owned())
        .collect();
    names.sort();
    names
}

fn check(name: &str, came: Came, expected: &str) {
    assert_eq!(said(&fixture(name), came), expected, "{name}, {came:?}");
}

/// What was understood, or why not, as text.
fn said(value: &[u8], came: Came) -> String {
    match decode(value, came.vouched()) {
        Ok(Activity::Post {
            how,
            body,
            original,
            author,
            followers,
        }) => {
            let mut said = format!("{how:?} {}", body_said(&body));
            if let Some(original) = original {
                write!(said, "; original {}", body_said(&original)).unwrap();
            }
            if let Some(author) = author {
                write!(said, "; {}", actor_said(&author)).unwrap();
            }
            if let Some(followers) = followers {
                write!(said, "; followers {followers}").unwrap();
            }
            said
        }
        Ok(Activity::Actor(document)) => actor_said(&document),
        Ok(Activity::Delete { uri, by }) => format!("Delete {uri} by {by}"),
        Ok(Activity::Unboost { by, original }) => format!("Unboost {original} by {by}"),
        Ok(Activity::Ignored(name)) => format!("Ignored {name}"),
        Err(reason) => format!("Refused: {reason}"),
    }
}

fn actor_said(document: &ActorDocument) -> String {
    format!("{:?} {}", document.kind, document.id)
}

fn body_said(body: &PostContent) -> String {
    let mut said = format!("{} by {}, {:?}", body.uri, body.author, body.visibility);
    for (word, time) in [("published", body.published), ("updated", body.updated)] {
        if let Some(time) = time {
            write!(said, ", {word} {}", time.rfc3339()).unwrap();
        }
    }
    for (word, list) in [
        ("to", &body.addressed),
        ("mentions", &body.mentions),
        ("tags", &body.tags),
    ] {
        if !list.is_empty() {
            write!(said, ", {word} {}", list.join(" ")).unwrap();
        }
    }
    for (word, text) in [
        ("answers", &body.in_reply_to),
        ("boosts", &body.boost_of),
        ("in", &body.language),
    ] {
        if let Some(text) = text {
            write!(said, ", {word} {text}").unwrap();
        }
    }
    said
}

fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}
