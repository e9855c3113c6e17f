//! A post or a boost into the activity that says what it is now.

use super::rows::{MediaRow, MentionRow, PollRow, StatusRow};
use super::uris::Instance;
use super::{MappedActivity, stamp};
use serde_json::{Map, Value, json};
use slackwater_order::time::Time;

/// The collection that everybody is in, as ActivityStreams has it.
pub const PUBLIC: &str = "https://www.w3.org/ns/activitystreams#Public";

/// Whom Mastodon's numbers of visibility let see a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Audience {
    Public,
    Unlisted,
    Followers,
    Named,
}

/// What is said of a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telling {
    /// It came.
    Created {
        /// When Mastodon had it.
        arrived: Time,
        /// Whether Mastodon fetched it.
        is_fetched: bool,
    },
    /// It, or what hangs on it, has changed by then.
    Changed {
        /// When Mastodon noted it.
        at: Time,
    },
    /// It goes along with a boost or a reply that needs it.
    SentAlong {
        /// When what needs it arrived.
        at: Time,
    },
}

/// The activity that says what a row is: a `Create`, `Update` or `Announce`; the bare object of one that was fetched. None for a boost
/// of a post that is gone, or that has nothing new to say: a boost cannot change.
pub fn activity(row: &StatusRow, telling: Telling, instance: &Instance) -> Option<MappedActivity> {
    let actor = instance.actor(&row.account);
    let is_boost = row.original.is_some();
    let uri = instance.post(row.id, row.uri.as_deref(), is_boost, &row.account);
    let (to, cc) = addressed(row, instance);
    let (arrived, is_fetched) = match telling {
        Telling::Created {
            arrived,
            is_fetched,
        } => (arrived, is_fetched),
        Telling::Changed { at } => (at, false),
        Telling::SentAlong { at } => (at, true),
    };
    let activity = match &row.original {
        Some(original) => json!({
            "type": "Announce", "id": uri, "actor": actor, "published": stamp(row.created_at),
            "to": to, "cc": cc, "object": instance.referred(original)
        }),
        None => {
            let object = note(row, &uri, &actor, &to, &cc, instance);
            if is_fetched {
                object
            } else {
                let (kind, id) = match telling {
                    Telling::Changed { at } => ("Update", format!("{uri}#updates/{}", at.millis())),
                    _ => ("Create", format!("{uri}/activity")),
                };
                json!({"type": kind, "id": id, "actor": actor, "to": to, "cc": cc, "object": object})
            }
        }
    };
    if is_boost && matches!(telling, Telling::Changed { .. }) {
        return None;
    }
    Some(MappedActivity {
        activity,
        post_ref: Some(row.id),
        author_ref: Some(row.account.id),
        arrived,
        is_fetched,
        is_forgotten: false,
    })
}

/// The object of a post. Only what is known is said.
fn note(
    row: &StatusRow,
    uri: &str,
    actor: &str,
    to: &[String],
    cc: &[String],
    instance: &Instance,
) -> Value {
    let is_local = row.account.domain.is_none();
    let content = match is_local {
        true => html_of_plain(&row.text),
        false => row.text.clone(),
    };
    let mut tags: Vec<Value> = row.mentions.iter().filter(|mention| !mention.silent).map(|mention| {
        json!({"type": "Mention", "href": instance.actor(&mention.account), "name": instance.handle(&mention.account)})
    }).collect();
    tags.extend(
        row.tags
            .iter()
            .map(|tag| json!({"type": "Hashtag", "name": format!("#{tag}")})),
    );
    let mut object = Map::new();
    let mut say = |name: &str, value: Value| {
        let is_nothing = match &value {
            Value::Null => true,
            Value::Array(items) => items.is_empty(),
            _ => false,
        };
        if !is_nothing {
            object.insert(name.to_owned(), value);
        }
    };
    say(
        "type",
        json!(if row.poll.is_some() {
            "Question"
        } else {
            "Note"
        }),
    );
    say("id", json!(uri));
    say("attributedTo", json!(actor));
    say("published", stamp(row.created_at));
    say("updated", row.edited_at.map_or(Value::Null, stamp));
    say("to", json!(to));
    say("cc", json!(cc));
    say("inReplyTo", in_reply_to(row, instance));
    say("content", json!(content));
    let language = row.language.as_deref().filter(|code| !code.is_empty());
    say(
        "contentMap",
        language.map_or(Value::Null, |code| json!({code: content})),
    );
    say(
        "summary",
        Some(&row.spoiler_text)
            .filter(|text| !text.is_empty())
            .map_or(Value::Null, |text| json!(text)),
    );
    say("sensitive", json!(row.sensitive));
    say("url", json!(row.url));
    say("tag", Value::Array(tags));
    say(
        "attachment",
        Value::Array(row.media.iter().map(attachment).collect()),
    );
    // The property that Fedify, Akkoma and Misskey read a quote from, and Mastodon writes beside its own.
    say(
        "quoteUri",
        row.quoted
            .as_ref()
            .map_or(Value::Null, |post| json!(instance.referred(post))),
    );
    if let Some(poll) = &row.poll {
        for (name, value) in choices(poll) {
            say(name, value);
        }
    }
    Value::Object(object)
}

/// What it answers. Of an answer whose parent Mastodon never knew, an id that no post has, so that it waits as other answers to
/// unknown posts do.
fn in_reply_to(row: &StatusRow, instance: &Instance) -> Value {
    match (&row.parent, &row.answered) {
        (Some(parent), _) => json!(instance.referred(parent)),
        (None, Some(answered)) => json!(answered),
        (None, None) if row.reply => json!(format!("urn:unknown:{}", row.id)),
        (None, None) => Value::Null,
    }
}

impl Audience {
    fn of(visibility: i32) -> Audience {
        match visibility {
            0 => Audience::Public,
            1 => Audience::Unlisted,
            2 => Audience::Followers,
            // Direct and limited, and whatever a later version adds: nobody sees a post whom it does not name.
            _ => Audience::Named,
        }
    }
}

/// `to` and `cc`.
fn addressed(row: &StatusRow, instance: &Instance) -> (Vec<String>, Vec<String>) {
    let followers = instance.followers(&row.account);
    let named = |mention: &MentionRow| instance.actor(&mention.account);
    let mentions: Vec<String> = row.mentions.iter().map(named).collect();
    let with = |first: String| [vec![first], mentions.clone()].concat();
    match Audience::of(row.visibility) {
        Audience::Public => (vec![PUBLIC.to_owned()], with(followers)),
        Audience::Unlisted => (vec![followers], with(PUBLIC.to_owned())),
        Audience::Followers => (vec![followers], mentions),
        Audience::Named => (mentions, Vec::new()),
    }
}

fn attachment(media: &MediaRow) -> Value {
    let kind = match media.kind {
        0 => "Image",
        1 | 2 => "Video",
        4 => "Audio",
        _ => "Document",
    };
    let said = [
        ("type", json!(kind)),
        ("mediaType", json!(media.content_type)),
        (
            "url",
            json!(media.remote_url.as_deref().filter(|url| !url.is_empty())),
        ),
        ("name", json!(media.description)),
        ("blurhash", json!(media.blurhash)),
        ("width", json!(media.width)),
        ("height", json!(media.height)),
    ];
    let said = said.into_iter().filter(|(_, value)| !value.is_null());
    said.map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The fields of a poll, as Mastodon's own activities have them.
fn choices(poll: &PollRow) -> Vec<(&'static str, Value)> {
    let options = poll.options.iter().enumerate().map(|(nth, name)| {
        let votes = poll.tallies.get(nth).copied().unwrap_or(0);
        json!({"type": "Note", "name": name, "replies": {"type": "Collection", "totalItems": votes}})
    });
    vec![
        (
            if poll.multiple { "anyOf" } else { "oneOf" },
            Value::Array(options.collect()),
        ),
        ("endTime", poll.expires_at.map_or(Value::Null, stamp)),
        ("votersCount", json!(poll.voters)),
    ]
}

/// Plain text as HTML: paragraphs and line breaks, and nothing that could be taken for a tag.
pub(super) fn html_of_plain(text: &str) -> String {
    let mut html = String::with_capacity(text.len() + 16);
    for paragraph in text
        .replace("\r\n", "\n")
        .split("\n\n")
        .filter(|it| !it.trim().is_empty())
    {
        html.push_str("<p>");
        for c in paragraph.trim_matches('\n').chars() {
            match c {
                '&' => html.push_str("&amp;"),
                '<' => html.push_str("&lt;"),
                '>' => html.push_str("&gt;"),
                '"' => html.push_str("&quot;"),
                '\n' => html.push_str("<br>"),
                c => html.push(c),
            }
        }
        html.push_str("</p>");
    }
    html
}
