//! A post as a status of Mastodon's API. It is made of its arguments alone, which hold all that had to be looked up.

use super::account::{Account, emoji};
use super::html::{beginning, escaped, html, plain};
use super::media::media;
use super::poll::poll;
use super::stamp;
use serde::Serialize;
use serde_json::{Value, json};
use slackwater_engine::activity::Visibility;
use slackwater_engine::activity::document::{LOOKED_AT_MAX, fields_shown, is_of, shortcode, web};
use slackwater_engine::activity::object::hashtag_of;
use slackwater_engine::feed::post::Post;
use slackwater_engine::json::{FieldName, LooseValue, ObjectFields};
use slackwater_order::time::Time;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use url::form_urlencoded::byte_serialize;

/// The most media, mentions, tags and emoji of one post that are shown.
pub(super) const ITEMS_MAX: usize = 100;

/// How many times as long as its source a status may be, and how many bytes beside.
const GROWTH_MAX: usize = 4;
const GROWTH_BYTES: usize = 16 << 10;
/// The longest title or summary that is shown with a text, in bytes; the rest of it is cut off.
const TITLE_BYTES_MAX: usize = 16 << 10;

/// A status.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// Its id: decimal digits, or the backend's own.
    pub id: String,
    /// The time of writing by its author's server, or else of arrival.
    pub created_at: String,
    /// The id of the status that it replies to, if that is known.
    pub in_reply_to_id: Option<String>,
    /// The id of the account that it replies to, if that is known.
    pub in_reply_to_account_id: Option<String>,
    /// Whether it is hidden until the reader opens it.
    pub sensitive: bool,
    /// The content warning, plain text.
    pub spoiler_text: String,
    /// The visibility, in Mastodon's words.
    pub visibility: &'static str,
    /// The language it is in.
    pub language: Option<String>,
    /// The object's own id.
    pub uri: String,
    /// Its page.
    pub url: Option<String>,
    /// As far as its author's server published it.
    pub replies_count: u64,
    /// As far as its author's server published it.
    pub reblogs_count: u64,
    /// As far as its author's server published it.
    pub favourites_count: u64,
    /// The fields that this service cannot know.
    #[serde(flatten)]
    pub reader_state: ReaderState,
    /// When it was last edited.
    pub edited_at: Option<String>,
    /// The content: harmless HTML.
    pub content: String,
    /// The boosted status.
    pub reblog: Option<Box<Status>>,
    /// The author.
    pub account: Account,
    /// Its images, sounds and films.
    pub media_attachments: Vec<Value>,
    /// Whom it mentions.
    pub mentions: Vec<Value>,
    /// Its hashtags.
    pub tags: Vec<Value>,
    /// Custom emoji in it.
    pub emojis: Vec<Value>,
    /// Never: a preview is made by reading the linked page.
    pub card: Option<Value>,
    /// Its poll.
    pub poll: Option<Value>,
    /// Its place and its arrival.
    pub slackwater: Placement,
}

/// The fields that a signed-in reader of Mastodon 4.5 gets and this service cannot know: the reader's own actions, the quotes of
/// the status, and the accounts that may quote it.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct ReaderState {
    /// The number of posts that quote it.
    pub quotes_count: u64,
    /// Whether the reader likes it.
    pub favourited: bool,
    /// Whether the reader boosted it.
    pub reblogged: bool,
    /// Whether the reader mutes its conversation.
    pub muted: bool,
    /// Whether the reader keeps it.
    pub bookmarked: bool,
    /// Whether the reader pinned it.
    pub pinned: bool,
    /// Which of the reader's filters match: an empty list.
    pub filtered: [(); 0],
    /// The program it was written with.
    pub application: Option<()>,
    /// The quoted status.
    pub quote: Option<()>,
    /// The accounts that may quote it.
    pub quote_approval: QuoteApproval,
}

/// The accounts that may quote a post, as far as they are known.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct QuoteApproval {
    /// Those that may at once: an empty list.
    pub automatic: [(); 0],
    /// Those that may when the author approves: an empty list.
    pub manual: [(); 0],
    /// Whether the reader.
    pub current_user: &'static str,
}

impl Default for QuoteApproval {
    fn default() -> QuoteApproval {
        QuoteApproval {
            automatic: [],
            manual: [],
            current_user: "unknown",
        }
    }
}

/// A post's place and arrival.
#[derive(Clone, Debug, Serialize)]
pub struct Placement {
    /// When this instance received it.
    pub arrived_at: String,
    /// Milliseconds from when it was written to then.
    pub delay_ms: Option<i64>,
    /// The delay against its origin's reorder window.
    pub verdict: &'static str,
    /// Which of its times gave it its place.
    pub placed_by: &'static str,
}

impl Placement {
    /// That of a post.
    pub fn of(post: &Post) -> Placement {
        Placement {
            arrived_at: stamp(post.arrived),
            delay_ms: post.delay_ms(),
            verdict: post.verdict.name(),
            placed_by: post.placed_by.name(),
        }
    }

    /// The same as JSON text.
    pub(super) fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|_| "null".to_owned())
    }
}

/// The data that a status is made of, beside its post.
#[derive(Debug)]
pub struct StatusContext {
    /// Its id.
    pub id: String,
    /// The author.
    pub account: Account,
    /// Where clients came to, with its scheme: pages of hashtags are there.
    pub base_url: Arc<str>,
    /// The id of the status that it replies to.
    pub in_reply_to_id: Option<String>,
    /// The id of the account that it replies to.
    pub in_reply_to_account_id: Option<String>,
    /// The known ones among the actors that it mentions. Others are left out.
    pub mentioned: Vec<KnownMention>,
}

/// An actor that a post mentions, by the actor's own document and not by the mention.
#[derive(Debug)]
pub struct KnownMention {
    /// The actor's id, as the mention writes it.
    pub actor: String,
    /// The id under which clients know them.
    pub id: String,
    /// The name in their handle.
    pub username: String,
    /// Their handle: without a host if they are local.
    pub acct: String,
}

impl Status {
    /// A post as a status; `reblog` is the status that it boosts. Its poll is shown as it is `now`.
    pub fn new(post: &Post, context: StatusContext, reblog: Option<Status>, now: Time) -> Status {
        let body = &post.body;
        let language = body.language.as_deref();
        let is_boost = body.boost_of.is_some();
        // The activity of a boost has nothing to show.
        let shown = &match is_boost {
            true => ObjectFields::default(),
            false => fields_shown(LooseValue::from(&*body.object)),
        };
        Status {
            created_at: stamp(body.published.unwrap_or(post.arrived)),
            in_reply_to_id: context.in_reply_to_id,
            in_reply_to_account_id: context.in_reply_to_account_id,
            sensitive: shown.get(FieldName::Sensitive).boolean().unwrap_or(false),
            spoiler_text: spoiler(shown, language).unwrap_or_default(),
            visibility: visibility(body.visibility),
            language: body.language.clone(),
            uri: body.uri.clone(),
            url: match is_boost {
                true => None,
                false => shown.link(FieldName::Url).or_else(|| web(&body.uri)),
            },
            replies_count: shown.count(FieldName::Replies).unwrap_or(0),
            reblogs_count: shown.count(FieldName::Shares).unwrap_or(0),
            favourites_count: shown.count(FieldName::Likes).unwrap_or(0),
            reader_state: ReaderState::default(),
            edited_at: post.edited.map(stamp),
            content: match &reblog {
                Some(original) => original.content.clone(),
                None => content(shown, language),
            },
            reblog: reblog.map(Box::new),
            account: context.account,
            media_attachments: media(shown, language, ITEMS_MAX),
            mentions: mentions(shown, &context.mentioned),
            tags: hashtags(shown, &context.base_url),
            emojis: emojis(shown),
            card: None,
            poll: poll(shown, &context.id, language, now),
            slackwater: Placement::of(post),
            id: context.id,
        }
    }
}

impl Status {
    /// The status as JSON text, at most `GROWTH_MAX` times as long as the `written` bytes that it was made of, its author aside.
    /// A longer one, made of links that are written short and shown four times, goes without its attachments.
    pub fn into_json(mut self, written: usize) -> String {
        let json = |it: &Status| serde_json::to_string(it).unwrap_or_default();
        let all = json(&self);
        if all.len() <= GROWTH_BYTES {
            return all;
        }
        let bytes = |it: &Account| serde_json::to_string(it).unwrap_or_default().len();
        let accounts = [
            Some(&self.account),
            self.reblog.as_ref().map(|it| &it.account),
        ];
        let accounts: usize = accounts.into_iter().flatten().map(bytes).sum();
        if all.len() <= GROWTH_MAX * written + GROWTH_BYTES + accounts {
            return all;
        }
        self.shed();
        if let Some(reblog) = self.reblog.as_mut() {
            reblog.shed();
        }
        json(&self)
    }

    fn shed(&mut self) {
        self.media_attachments.clear();
        self.mentions.clear();
        self.tags.clear();
        self.emojis.clear();
        self.poll = None;
    }
}

/// Mastodon has no word for posts that were sent to some.
fn visibility(visibility: Visibility) -> &'static str {
    match visibility {
        Visibility::Limited => Visibility::Private.name(),
        other => other.name(),
    }
}

fn tags_of<'a>(
    object: &ObjectFields<'a>,
    kind: &'static str,
) -> impl Iterator<Item = ObjectFields<'a>> + use<'a> {
    let tags = object.get(FieldName::Tag).items().take(LOOKED_AT_MAX);
    tags.map(ObjectFields::of).filter(move |tag| tag.is(kind))
}

/// Whether objects of this type have a title as `name` and a summary as `summary`: Mastodon shows those with a link.
fn is_titled(object: &ObjectFields<'_>) -> bool {
    !object.is("Note") && !object.is("Question")
}

/// The content warning of a post.
fn spoiler(object: &ObjectFields<'_>, language: Option<&str>) -> Option<String> {
    match is_titled(object) {
        true => None,
        false => object
            .worded(FieldName::Summary, FieldName::SummaryMap, language)
            .map(Cow::into_owned),
    }
}

/// Its text: of what is titled its title, a summary that says more, and a link to its page too.
fn content(object: &ObjectFields<'_>, language: Option<&str>) -> String {
    let written = object.worded(FieldName::Content, FieldName::ContentMap, language);
    let written = written.as_deref();
    let text = written.map(|written| match is_html(object) {
        true => html(written),
        false => plain(written),
    });
    if !is_titled(object) {
        return text.unwrap_or_default();
    }
    let name = object.worded(FieldName::Name, FieldName::NameMap, language);
    let name = name.as_deref();
    let title = name.map(|name| {
        format!(
            "<p><b>{}</b></p>",
            escaped(beginning(name, TITLE_BYTES_MAX))
        )
    });
    // The summary of an article repeats how it begins.
    let is_shown = written.is_none() || object.is("Page") || object.is("Event");
    let summary = object.worded(FieldName::Summary, FieldName::SummaryMap, language);
    let is_new = |summary: &&str| Some(*summary) != name && Some(*summary) != written;
    let summary = summary
        .as_deref()
        .filter(|summary| is_shown && is_new(summary))
        .map(|summary| match summary.len() <= TITLE_BYTES_MAX {
            true => html(summary),
            false => plain(beginning(summary, TITLE_BYTES_MAX)),
        })
        .map(|summary| match summary.starts_with("<p") {
            true => summary,
            false => format!("<p>{summary}</p>"),
        });
    let link = object.link(FieldName::Url).map(|url| {
        let url = escaped(&url);
        html(&format!("<p><a href=\"{url}\">{url}</a></p>"))
    });
    [title, summary, text, link].into_iter().flatten().collect()
}

/// Whether its content is HTML, as it is unless its media type is that of another kind of text (ActivityStreams, `mediaType`);
/// of a film it may be the film's.
fn is_html(object: &ObjectFields<'_>) -> bool {
    object
        .media_type()
        .is_none_or(|it| !is_of(&it, "text/") || is_of(&it, "text/html"))
}

/// Each actor once, also if their id is written in several ways.
fn mentions(object: &ObjectFields<'_>, known: &[KnownMention]) -> Vec<Value> {
    let known: HashMap<&str, &KnownMention> =
        known.iter().map(|it| (it.actor.as_str(), it)).collect();
    let mut once = HashSet::new();
    let row = |tag: ObjectFields<'_>| {
        let href = tag.get(FieldName::Href).text()?;
        let mentioned = known.get(&*href)?;
        let url = web(&href)?;
        let person = url.trim_end_matches('/').to_ascii_lowercase();
        once.insert(person).then(|| {
            json!({"id": mentioned.id, "username": mentioned.username, "url": url, "acct": mentioned.acct})
        })
    };
    tags_of(object, "Mention")
        .filter_map(row)
        .take(ITEMS_MAX)
        .collect()
}

/// Each hashtag once, with its page: where the author's server has one, or here.
fn hashtags(object: &ObjectFields<'_>, base_url: &str) -> Vec<Value> {
    let mut once = HashSet::new();
    let row = |tag: ObjectFields<'_>| {
        let name = hashtag_of(&tag.get(FieldName::Name).text()?)?;
        if !once.insert(name.clone()) {
            return None;
        }
        let href = tag.link(FieldName::Href);
        let encoded = byte_serialize(name.as_bytes());
        let url =
            href.unwrap_or_else(|| format!("{base_url}/tags/{}", encoded.collect::<String>()));
        Some(json!({"name": name, "url": url}))
    };
    // Comparing them takes longer than showing them.
    tags_of(object, "Hashtag")
        .take(2 * ITEMS_MAX)
        .filter_map(row)
        .take(ITEMS_MAX)
        .collect()
}

/// Each custom emoji once.
fn emojis(object: &ObjectFields<'_>) -> Vec<Value> {
    let mut once = HashSet::new();
    let row = |tag: ObjectFields<'_>| {
        let name = tag.get(FieldName::Name).text()?;
        let name = shortcode(&name)?;
        let icon = ObjectFields::of(tag.get(FieldName::Icon)).link(FieldName::Url)?;
        let shown = emoji(name, &icon);
        once.insert(name.to_owned()).then_some(shown)
    };
    tags_of(object, "Emoji")
        .filter_map(row)
        .take(ITEMS_MAX)
        .collect()
}

#[cfg(test)]
mod tests;
