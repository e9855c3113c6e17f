use super::post::{Telling, activity};
use super::removal::{RemovedPost, of_post};
use super::rows::{AccountRow, ProfileRow, StatusRow, UserRow};
use super::uris::Instance;
use super::{MappedActivity, actor, relation};
use serde_json::{Value, json};
use slackwater_engine::activity::parse::decode;
use slackwater_engine::activity::{Activity, Delivery, PostContent, Visibility};
use slackwater_engine::record::Vouched;
use slackwater_engine::relationship::{self, Relation};
use slackwater_order::time::Time;

const AT: Time = Time::from_millis(1_763_806_502_000);
const BORIS: &str = "https://b.example/users/boris";

fn instance() -> Instance {
    Instance::new("home.example")
}

/// A post of somebody elsewhere, with `more` over it.
#[allow(
    clippy::needless_pass_by_value,
    reason = "a literal is written where it is used"
)]
fn row(more: Value) -> StatusRow {
    let mut row = json!({
        "id": 115_590_000_000_000_000_i64, "uri": "https://b.example/1", "url": "https://b.example/@boris/1", "text": "<p>Tide</p>",
        "created_at": 1_763_805_600_000_i64, "updated_at": 1_763_806_502_000_i64, "edited_at": null, "deleted_at": null,
        "visibility": 0, "spoiler_text": "", "sensitive": false, "reply": false, "language": "en",
        "account": {"id": 9, "username": "boris", "domain": "b.example", "uri": BORIS, "followers_url": "https://b.example/f/boris"},
        "parent": null, "original": null, "mentions": [], "tags": [], "media": [], "poll": null
    });
    let fields = row.as_object_mut().unwrap();
    fields.extend(more.as_object().unwrap().clone());
    serde_json::from_value(row).unwrap()
}

fn local(name: &str) -> Value {
    json!({"id": 7, "username": name, "domain": null, "uri": ""})
}

const CREATED: Telling = Telling::Created {
    arrived: AT,
    is_fetched: false,
};

/// What the engine makes of it.
fn decoded(mapped: &MappedActivity) -> Activity {
    let vouched = Vouched {
        fetched: mapped.is_fetched,
        forgotten: mapped.is_forgotten,
        ..Vouched::default()
    };
    let text = mapped.activity.to_string();
    decode(text.as_bytes(), vouched).unwrap_or_else(|reason| panic!("{reason}: {text}"))
}

fn post_of(row: &StatusRow, telling: Telling) -> (Delivery, PostContent) {
    let mapped = activity(row, telling, &instance()).unwrap();
    assert_eq!(mapped.post_ref, Some(row.id));
    assert_eq!(mapped.author_ref, Some(row.account.id));
    match decoded(&mapped) {
        Activity::Post { how, body, .. } => (how, *body),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_post_says_who_wrote_what_when() {
    let (how, body) = post_of(&row(json!({})), CREATED);
    assert_eq!(how, Delivery::Create);
    assert_eq!(body.uri, "https://b.example/1");
    assert_eq!(body.author, BORIS);
    assert_eq!(body.published, Some(Time::from_millis(1_763_805_600_000)));
    assert_eq!((body.updated, body.in_reply_to), (None, None));
    assert_eq!(body.language.as_deref(), Some("en"));
    let object: Value = serde_json::from_str(body.object.get()).unwrap();
    assert_eq!(object["content"], "<p>Tide</p>");
    assert_eq!(object["url"], "https://b.example/@boris/1");
}

/// A failure means that a private post is shown to strangers, or that its readers miss it.
#[test]
fn each_visibility_is_what_it_was() {
    let mentions = json!([
        {"silent": false, "account": local("ana")},
        {"silent": true, "account": {"id": 8, "username": "cy", "domain": "c.example", "uri": "https://c.example/cy"}}
    ]);
    let named = ["https://home.example/users/ana", "https://c.example/cy"];
    for (visibility, expected, are_followers_meant) in [
        (0, Visibility::Public, true),
        (1, Visibility::Unlisted, true),
        (2, Visibility::Private, true),
        (3, Visibility::Direct, false),
        (4, Visibility::Limited, false),
        (9, Visibility::Limited, false),
    ] {
        // Of a collection with another name the engine learns by the author's document.
        let author = json!({"id": 9, "username": "boris", "domain": "b.example", "uri": BORIS, "followers_url": ""});
        let row = row(json!({"visibility": visibility, "mentions": mentions, "account": author}));
        let mapped = activity(&row, CREATED, &instance()).unwrap();
        let text = mapped.activity.to_string();
        assert_eq!(
            text.contains("/users/boris/followers"),
            are_followers_meant,
            "{visibility}"
        );
        let (_, body) = post_of(&row, CREATED);
        let is_for = |actor: &str| {
            body.addressed
                .iter()
                .chain(&body.mentions)
                .any(|it| it == actor)
        };
        assert!(
            named.iter().all(|actor| is_for(actor)),
            "{visibility}: {body:?}"
        );
        // A silent mention is none for those who read: only who is addressed.
        assert_eq!(body.mentions, named[..1], "{visibility}");
        match expected {
            // Of a post that only names people, whether one of them is mentioned silently makes it limited.
            Visibility::Direct | Visibility::Limited => {
                assert!(matches!(
                    body.visibility,
                    Visibility::Direct | Visibility::Limited
                ));
            }
            expected => assert_eq!(body.visibility, expected),
        }
    }
}

#[test]
fn a_local_post_has_the_ids_and_the_html_that_others_see() {
    let row = row(json!({
        "uri": null, "account": local("ana"), "text": "Low & <slack>\nwater\n\n\"still\"", "tags": ["Tide"],
        "parent": {"id": 5, "uri": null, "account": local("ana")}
    }));
    let (_, body) = post_of(&row, CREATED);
    assert_eq!(body.author, "https://home.example/users/ana");
    assert_eq!(
        body.uri,
        format!("https://home.example/users/ana/statuses/{}", row.id)
    );
    assert_eq!(
        body.in_reply_to.as_deref(),
        Some("https://home.example/users/ana/statuses/5")
    );
    assert_eq!(body.tags, ["tide"]);
    let object: Value = serde_json::from_str(body.object.get()).unwrap();
    assert_eq!(
        object["content"],
        "<p>Low &amp; &lt;slack&gt;<br>water</p><p>&quot;still&quot;</p>"
    );
}

/// A failure means that half of a conversation with strangers is shown as if it were nobody's answer.
#[test]
fn an_answer_to_what_mastodon_does_not_know_waits() {
    let (_, body) = post_of(&row(json!({"reply": true})), CREATED);
    assert_eq!(
        body.in_reply_to,
        Some(format!("urn:unknown:{}", row(json!({})).id))
    );
}

#[test]
fn a_change_is_an_update_and_only_an_edit_says_when() {
    let told = Telling::Changed { at: AT };
    let (how, body) = post_of(&row(json!({})), told);
    assert_eq!((how, body.updated), (Delivery::Update, None));
    let edited = row(json!({"edited_at": 1_763_806_000_000_i64}));
    let (how, body) = post_of(&edited, told);
    assert_eq!(
        (how, body.updated),
        (Delivery::Update, Some(Time::from_millis(1_763_806_000_000)))
    );
}

#[test]
fn a_boost_names_what_it_boosts_and_never_changes() {
    let original = json!({"id": 3, "uri": null, "account": local("ana")});
    let boost = row(json!({"uri": "https://b.example/2/activity", "original": original}));
    let (how, body) = post_of(&boost, CREATED);
    assert_eq!(how, Delivery::Announce);
    assert_eq!(
        body.boost_of.as_deref(),
        Some("https://home.example/users/ana/statuses/3")
    );
    assert_eq!(body.visibility, Visibility::Public);
    assert_eq!(
        activity(&boost, Telling::Changed { at: AT }, &instance()),
        None
    );
    let own = row(json!({"uri": null, "account": local("cy"), "original": original}));
    let (_, body) = post_of(&own, CREATED);
    assert_eq!(
        body.uri,
        format!("https://home.example/users/cy/statuses/{}/activity", own.id)
    );
}

#[test]
fn what_goes_along_with_a_boost_is_fetched() {
    let mapped = activity(&row(json!({})), Telling::SentAlong { at: AT }, &instance()).unwrap();
    assert!(mapped.is_fetched);
    assert_eq!(mapped.activity["type"], "Note");
    match decoded(&mapped) {
        Activity::Post { how, body, .. } => {
            assert_eq!(
                (how, &*body.uri),
                (Delivery::Fetched, "https://b.example/1")
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn media_polls_and_warnings_are_shown_as_they_were() {
    let row = row(json!({
        "spoiler_text": "Spoiler", "sensitive": true,
        "media": [{"id": 1, "kind": 0, "content_type": "image/png", "remote_url": "https://b.example/1.png", "description": "A quay",
            "blurhash": "LEHV6n", "width": "4", "height": "3"}],
        "poll": {"options": ["Ebb", "Flood"], "tallies": [3], "multiple": false, "expires_at": 1_763_900_000_000_i64, "voters": 3},
        "quoted": {"id": 2, "uri": "https://c.example/2", "account": local("ana")}
    }));
    let (_, body) = post_of(&row, CREATED);
    assert!(body.has_media);
    let object: Value = serde_json::from_str(body.object.get()).unwrap();
    assert_eq!(
        (&object["type"], &object["summary"]),
        (&json!("Question"), &json!("Spoiler"))
    );
    assert_eq!(object["sensitive"], true);
    let image = json!({"type": "Image", "mediaType": "image/png", "url": "https://b.example/1.png", "name": "A quay",
        "blurhash": "LEHV6n", "width": 4, "height": 3});
    assert_eq!(object["attachment"], json!([image]));
    let choice = |name: &str, votes: u32| json!({"type": "Note", "name": name, "replies": {"type": "Collection", "totalItems": votes}});
    assert_eq!(
        object["oneOf"],
        json!([choice("Ebb", 3), choice("Flood", 0)])
    );
    assert_eq!(object["votersCount"], 3);
    assert_eq!(object["quoteUri"], "https://c.example/2");
}

#[test]
fn what_is_deleted_is_taken_back_and_what_is_forgotten_is_said_to_be() {
    let removed = |is_boost, is_deleted| RemovedPost {
        id: 3,
        uri: Some("https://b.example/1".to_owned()),
        is_boost,
        account: row(json!({})).account,
        is_deleted,
    };
    let check = |is_boost, is_deleted, kind: &str, is_forgotten| {
        let mapped = of_post(&removed(is_boost, is_deleted), AT, &instance());
        assert_eq!(mapped.activity["type"], kind);
        assert_eq!(mapped.is_forgotten, is_forgotten);
        match decoded(&mapped) {
            Activity::Delete { uri, by } => {
                assert_eq!((&*uri, &*by), ("https://b.example/1", BORIS));
            }
            other => panic!("{other:?}"),
        }
    };
    check(false, true, "Delete", false);
    check(false, false, "Delete", true);
    check(true, true, "Undo", false);
    check(true, false, "Delete", true);
}

#[test]
fn an_actor_is_shown_as_it_describes_itself() {
    let row = ProfileRow {
        account: row(json!({})).account,
        display_name: "Boris".to_owned(),
        note: "<p>Harbour master</p>".to_owned(),
        avatar_remote_url: Some("https://b.example/boris.png".to_owned()),
        actor_type: Some("Service".to_owned()),
        locked: true,
        ..ProfileRow::default()
    };
    match decoded(&actor::document(&row, AT, &instance())) {
        Activity::Actor(document) => {
            assert_eq!((&*document.id, document.is_whole), (BORIS, true));
            assert_eq!(document.name.as_deref(), Some("Boris"));
            assert_eq!(document.preferred_username.as_deref(), Some("boris"));
            assert_eq!(
                document.icon.as_deref(),
                Some("https://b.example/boris.png")
            );
            assert_eq!(
                document.followers.as_deref(),
                Some("https://b.example/f/boris")
            );
            assert!(document.manually_approves_followers);
        }
        other => panic!("{other:?}"),
    }
}

/// Every relation that is made is one that the log takes, and so is its removal.
#[test]
fn relations_are_those_that_the_log_takes() {
    let boris = row(json!({})).account;
    let ana: AccountRow = serde_json::from_value(local("ana")).unwrap();
    let user = |settings: Option<&str>| ProfileRow {
        account: ana.clone(),
        user: Some(UserRow {
            chosen_languages: Some(vec!["de".to_owned(), "EN".to_owned(), String::new()]),
            settings: settings.map(str::to_owned),
        }),
        ..ProfileRow::default()
    };
    let aggregates = |settings| match relation::account(&user(settings), &instance()) {
        Some(Relation::Account {
            aggregate_boosts, ..
        }) => aggregate_boosts,
        other => panic!("{other:?}"),
    };
    assert!(aggregates(None) && aggregates(Some("{}")) && aggregates(Some("nonsense")));
    assert!(!aggregates(Some(r#"{"aggregate_reblogs":false}"#)));
    let suspended = ProfileRow {
        is_suspended: true,
        ..user(None)
    };
    assert_eq!(relation::account(&suspended, &instance()), None);
    let member =
        |has_follow, who: &AccountRow| relation::list_member(7, 4, who, has_follow, &instance());
    assert_eq!(
        member(false, &boris),
        None,
        "a follow that is only requested"
    );
    assert!(member(false, &ana).is_some(), "oneself");
    let limited = ProfileRow {
        account: boris.clone(),
        is_silenced: true,
        ..ProfileRow::default()
    };
    let codes = Some(vec!["de".to_owned()]);
    let mut relations = vec![
        relation::account(&user(None), &instance()),
        Some(relation::follow(7, &boris, false, codes, &instance())),
        Some(relation::mute(7, &boris, Some(AT), &instance())),
        Some(relation::domain_block(7, "spam.example")),
        Some(relation::tag(7, "Tide")),
        Some(relation::list(7, 4, "Friends", 2, true)),
        member(true, &boris),
        relation::moderation_of_account(&limited, &instance()),
        relation::moderation_of_domain("spam.example", Some(1)),
    ];
    relations.extend(
        relation::block(&ana, &boris, &instance())
            .into_iter()
            .map(Some),
    );
    relations.extend(
        relation::block(&boris, &ana, &instance())
            .into_iter()
            .map(Some),
    );
    assert_eq!(
        relations.len(),
        11,
        "of a block each local account has its part"
    );
    assert_eq!(
        relation::moderation_of_domain("spam.example", Some(2)),
        None
    );
    for relation in relations {
        let relation = relation.unwrap();
        let document = serde_json::to_vec(&relation).unwrap();
        let taken = relationship::decode(None, Some(&document)).unwrap();
        assert!(taken.relation.is_some(), "{relation:?}");
        let removal = relation::removal(&relation).to_string();
        let removed = relationship::decode(None, Some(removal.as_bytes())).unwrap();
        assert_eq!((removed.key, removed.relation), (taken.key, None));
    }
}
