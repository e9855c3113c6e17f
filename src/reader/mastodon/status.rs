//! A post as Mastodon's API shows a status. Pure: whatever is to be looked up was looked up before.

use super::account::{Account, mention, titled};
use super::content::{escaped, html};
use super::document::{Document, is_web};
use super::ids::number_of;
use super::stamp;
use crate::feed::kept::Post;
use crate::post::{Visibility, date};
use crate::time::Time;
use serde::Serialize;
use serde_json::{Value, json};

/// The most media, mentions, tags, emoji and choices of one post that are shown.
const ITEMS_MAX: usize = 100;

/// A status.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// Its id: decimal digits, or the backend's own.
    pub id: String,
    /// When it was written, as its author's server says; else when it arrived.
    pub created_at: String,
    /// The id of what it answers, if that is known.
    pub in_reply_to_id: Option<String>,
    /// The id of whom it answers, if that is known.
    pub in_reply_to_account_id: Option<String>,
    /// Whether it is to be shown only to who asks for it.
    pub sensitive: bool,
    /// What warns of it, plain text.
    pub spoiler_text: String,
    /// Who could see it: Mastodon's words.
    pub visibility: &'static str,
    /// The language it is in.
    pub language: Option<String>,
    /// The object's own id.
    pub uri: String,
    /// Its page.
    pub url: Option<String>,
    /// As far as its author's server said.
    pub replies_count: u64,
    /// As far as its author's server said.
    pub reblogs_count: u64,
    /// As far as its author's server said.
    pub favourites_count: u64,
    /// When it was last edited.
    pub edited_at: Option<String>,
    /// What it says: harmless HTML.
    pub content: String,
    /// What it boosts.
    pub reblog: Option<Box<Status>>,
    /// Who wrote it.
    pub account: Account,
    /// Its images, sounds and films.
    pub media_attachments: Vec<Value>,
    /// Whom it mentions.
    pub mentions: Vec<Value>,
    /// Its hashtags.
    pub tags: Vec<Value>,
    /// Custom emoji in it.
    pub emojis: Vec<Value>,
    /// Never: that is made by looking at what it links to.
    pub card: Option<Value>,
    /// Its poll.
    pub poll: Option<Value>,
    /// Where it stands and how it came.
    pub slackwater: Placed,
}

/// Where a post stands and how it came.
#[derive(Clone, Debug, Serialize)]
pub struct Placed {
    /// When this instance received it.
    pub arrived_at: String,
    /// Milliseconds from when it was written to then.
    pub delay_ms: Option<i64>,
    /// How that measures against its origin's reorder window.
    pub verdict: &'static str,
    /// Which of its times gave it its place.
    pub placed_by: &'static str,
}

/// What a status is made of, beside its post.
#[derive(Debug)]
pub struct Around {
    /// Its id.
    pub id: String,
    /// Who wrote it.
    pub account: Account,
    /// The id of what it answers.
    pub in_reply_to_id: Option<String>,
    /// The id of whom it answers.
    pub in_reply_to_account_id: Option<String>,
    /// Of those it mentions, by actor: the id, and whether they are local. Others are left out.
    pub mentioned: Vec<(String, String, bool)>,
}

impl Status {
    /// A post as a status; `reblog` is what it boosts.
    pub fn new(post: &Post, around: Around, reblog: Option<Status>) -> Status {
        let body = &post.body;
        let object: Value = serde_json::from_str(body.object.get()).unwrap_or_default();
        let document = Document::new(&object);
        let is_boost = body.boost_of.is_some();
        // The activity of a boost has nothing to show.
        let shown = match is_boost {
            true => Document::new(&Value::Null),
            false => document,
        };
        let emojis = tagged(shown, "Emoji").filter_map(|tag| {
            let name = tag.text("name")?.trim_matches(':');
            let icon = Document::new(tag.get("icon")?).link("url")?;
            Some(emoji(name, icon))
        });
        Status {
            created_at: stamp(body.published.unwrap_or(post.arrived)),
            in_reply_to_id: around.in_reply_to_id,
            in_reply_to_account_id: around.in_reply_to_account_id,
            sensitive: shown
                .get("sensitive")
                .and_then(Value::as_bool)
                .unwrap_or(false),
            spoiler_text: spoiler(shown).unwrap_or_default(),
            visibility: visibility(body.visibility),
            language: body.language.clone(),
            uri: body.uri.clone(),
            url: match is_boost {
                true => None,
                false => Some(shown.link("url").unwrap_or(&body.uri).to_owned()),
            },
            replies_count: shown.count("replies").unwrap_or(0),
            reblogs_count: shown.count("shares").unwrap_or(0),
            favourites_count: shown.count("likes").unwrap_or(0),
            edited_at: post.edited.map(stamp),
            content: match &reblog {
                Some(original) => original.content.clone(),
                None => content(shown),
            },
            reblog: reblog.map(Box::new),
            account: around.account,
            media_attachments: media(shown),
            mentions: mentions(shown, &around.mentioned),
            tags: hashtags(shown),
            emojis: emojis.take(ITEMS_MAX).collect(),
            card: None,
            poll: poll(shown, &around.id),
            slackwater: Placed {
                arrived_at: stamp(post.arrived),
                delay_ms: post.delay_ms(),
                verdict: post.verdict.name(),
                placed_by: post.placed_by.name(),
            },
            id: around.id,
        }
    }
}

/// A custom emoji.
pub(super) fn emoji(shortcode: &str, url: &str) -> Value {
    json!({"shortcode": shortcode, "url": url, "static_url": url, "visible_in_picker": false})
}

/// Mastodon knows no word for what was sent to some.
fn visibility(visibility: Visibility) -> &'static str {
    match visibility {
        Visibility::Limited => Visibility::Private.name(),
        other => other.name(),
    }
}

fn tagged<'a>(document: Document<'a>, kind: &str) -> impl Iterator<Item = Document<'a>> {
    let tags = document.items("tag").iter().map(Document::new);
    tags.filter(move |tag| tag.is(kind))
}

/// Whether it is an object whose `name` is a title and whose `summary` is one: Mastodon shows those with a link.
fn is_titled(document: Document<'_>) -> bool {
    !document.is("Note") && !document.is("Question")
}

/// What warns of a post.
fn spoiler(document: Document<'_>) -> Option<String> {
    match is_titled(document) {
        true => None,
        false => document.worded("summary", "summaryMap").map(str::to_owned),
    }
}

fn content(document: Document<'_>) -> String {
    let written = document.worded("content", "contentMap").unwrap_or_default();
    let is_plain = document.text("mediaType") == Some("text/plain");
    let written = match is_plain {
        true => format!("<p>{}</p>", escaped(written)),
        false => html(written),
    };
    if !is_titled(document) {
        return written;
    }
    let title = document
        .worded("name", "nameMap")
        .map(|title| format!("<p><b>{}</b></p>", titled(title)));
    let link = document.link("url").map(|url| {
        let url = escaped(url);
        html(&format!("<p><a href=\"{url}\">{url}</a></p>"))
    });
    [title, Some(written), link].into_iter().flatten().collect()
}

fn mentions(document: Document<'_>, known: &[(String, String, bool)]) -> Vec<Value> {
    let row = |tag: Document<'_>| {
        let actor = tag.text("href")?;
        let (_, id, is_local) = known.iter().find(|(known, ..)| known == actor)?;
        Some(mention(id, actor, tag.text("name"), *is_local))
    };
    tagged(document, "Mention")
        .filter_map(row)
        .take(ITEMS_MAX)
        .collect()
}

fn hashtags(document: Document<'_>) -> Vec<Value> {
    let row = |tag: Document<'_>| {
        let name = tag.text("name")?.trim_start_matches('#').to_lowercase();
        let url = tag.link("href").unwrap_or_default();
        Some(json!({"name": name, "url": url}))
    };
    tagged(document, "Hashtag")
        .filter_map(row)
        .take(ITEMS_MAX)
        .collect()
}

fn media(document: Document<'_>) -> Vec<Value> {
    let row = |item: &Value| {
        let item = Document::new(item);
        let url = item.link("url").or_else(|| item.link("href"))?;
        let kind = kind_of(item);
        let is_image = matches!(kind, "image" | "gifv");
        let preview = item.link("icon").or(is_image.then_some(url));
        let number = |name: &str| item.get(name).and_then(Value::as_f64);
        let mut meta = serde_json::Map::new();
        if let (Some(width), Some(height)) = (number("width"), number("height"))
            && 0.0 < height
        {
            let size = format!("{width}x{height}");
            let original =
                json!({"width": width, "height": height, "size": size, "aspect": width / height});
            meta.insert("original".to_owned(), original);
        }
        if let [Some(x), Some(y)] = [0, 1].map(|at| item.items("focalPoint").get(at)?.as_f64()) {
            meta.insert("focus".to_owned(), json!({"x": x, "y": y}));
        }
        Some(
            json!({"id": number_of(url).to_string(), "type": kind, "url": url, "preview_url": preview,
            "remote_url": url, "preview_remote_url": preview, "text_url": null, "meta": meta,
            "description": item.worded("name", "nameMap").or_else(|| item.text("summary")),
            "blurhash": item.text("blurhash")}),
        )
    };
    document
        .items("attachment")
        .iter()
        .filter_map(row)
        .take(ITEMS_MAX)
        .collect()
}

/// Mastodon's word for what an attachment is.
fn kind_of(item: Document<'_>) -> &'static str {
    let media_type = item.text("mediaType").unwrap_or_default();
    let is = |class: &str, kind: &str| {
        media_type.starts_with(class) || (media_type.is_empty() && item.is(kind))
    };
    if is("image/", "Image") {
        "image"
    } else if is("video/", "Video") {
        "video"
    } else if is("audio/", "Audio") {
        "audio"
    } else {
        "unknown"
    }
}

/// The poll of a Question.
fn poll(document: Document<'_>, id: &str) -> Option<Value> {
    if !document.is("Question") {
        return None;
    }
    let (several, one) = (document.items("anyOf"), document.items("oneOf"));
    let multiple = !several.is_empty();
    let choices = if multiple { several } else { one };
    let options: Vec<Value> = choices
        .iter()
        .take(ITEMS_MAX)
        .map(|choice| {
            let choice = Document::new(choice);
            let votes = choice.count("replies").unwrap_or(0);
            json!({"title": choice.text("name").unwrap_or_default(), "votes_count": votes})
        })
        .collect();
    let votes: u64 = options
        .iter()
        .filter_map(|it| it.get("votes_count")?.as_u64())
        .fold(0, u64::saturating_add);
    let time = |name: &str| document.text(name).and_then(date::parse);
    let ends: Option<Time> = time("endTime").or_else(|| time("closed"));
    let is_closed = document
        .get("closed")
        .is_some_and(|closed| !closed.is_null() && closed != false);
    Some(
        json!({"id": id, "expires_at": ends.map(stamp), "expired": is_closed, "multiple": multiple,
        "votes_count": votes, "voters_count": document.count("votersCount"), "options": options, "emojis": []}),
    )
}

/// Whether a post has media that are shown.
pub fn has_media(post: &Post) -> bool {
    let object: Value = serde_json::from_str(post.body.object.get()).unwrap_or_default();
    let items = Document::new(&object);
    let is_shown = |item: &Value| Document::new(item).link("url").is_some_and(is_web);
    items.items("attachment").iter().any(is_shown)
}
