//! Activities as records of the log hold them.

use serde_json::Value;
use slackwater_engine::activity::Activity;
use slackwater_engine::activity::PostContent;
use slackwater_engine::activity::parse::{author_key, decode};
use slackwater_engine::host::origin_of;
use slackwater_engine::record::Vouched;

/// The longest reason that is worth reading, in bytes: it goes into answers, the log and dead letters.
const REASON_BYTES_MAX: usize = 2_000;

/// A failure means that one post from anywhere stops the service, or that what is believed of a post is not what its host said.
pub fn holds(data: &[u8]) {
    for (fetched, inner_verified) in [(false, false), (true, false), (false, true)] {
        let vouched = Vouched {
            fetched,
            inner_verified,
            ..Vouched::default()
        };
        let (first, second) = (decode(data, vouched), decode(data, vouched));
        // The door and every node must understand the same.
        assert_eq!(
            format!("{first:?}"),
            format!("{second:?}"),
            "it is understood in two ways"
        );
        match first {
            Ok(activity) => understood(&activity),
            Err(reason) => assert!(
                !reason.is_empty() && reason.len() <= REASON_BYTES_MAX,
                "a reason of {} bytes: {reason:.200}",
                reason.len()
            ),
        }
    }
}

fn understood(activity: &Activity) {
    match activity {
        Activity::Post {
            body,
            original,
            author,
            ..
        } => {
            of_one_host(&body.uri, &body.author);
            stored(body);
            if let Some(original) = original {
                of_one_host(&original.uri, &original.author);
                assert_eq!(
                    original.author, body.author,
                    "another's original is believed"
                );
                stored(original);
            }
            if let Some(author) = author {
                assert_eq!(
                    author.id, body.author,
                    "another actor's document is believed"
                );
            }
        }
        Activity::Actor(document) => assert!(origin_of(&document.id).is_some()),
        Activity::Delete { uri, by } => of_one_host(uri, by),
        Activity::Unboost { by, .. } => assert!(origin_of(by).is_some()),
        Activity::Ignored(_) => {}
    }
    let key = author_key(activity);
    assert_eq!(key.is_none(), matches!(activity, Activity::Ignored(_)));
}

/// Nobody speaks for another host.
fn of_one_host(uri: &str, author: &str) {
    let origin = origin_of(author);
    assert!(origin.is_some(), "an author without a host: {author:?}");
    assert_eq!(origin_of(uri), origin, "{author:?} speaks for {uri:?}");
}

/// What is stored is read again as it was, and its object is JSON.
fn stored(body: &PostContent) {
    let object = serde_json::from_str::<Value>(body.object.get());
    assert!(object.is_ok(), "the object is no JSON: {:?}", body.object);
    let bytes = postcard::to_stdvec(body).expect("a post that can be stored");
    let again: PostContent = postcard::from_bytes(&bytes).expect("a post that can be read again");
    assert_eq!(format!("{again:?}"), format!("{body:?}"));
}
