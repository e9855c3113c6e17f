//! From an object to a post: author, dates, addressees, tags. Pure.

use crate::activity::PostContent;
use crate::activity::Visibility;
use crate::activity::date;
use crate::activity::followers::{self, COLLECTIONS_MAX, by_convention, closed, compared, may_be};
use crate::activity::id;
use crate::activity::language::{language_code, language_shown};
use crate::activity::media::has_media;
use crate::json::{FieldName, LooseValue, ObjectFields};
use icu_casemap::CaseMapper;
use icu_normalizer::ComposingNormalizerBorrowed;
use slackwater_order::time::Time;
use std::borrow::Cow;
use std::collections::HashSet;

/// The most ids `to`, `cc` and `audience` may have together; a post with more is refused.
pub const ADDRESSED_MAX: usize = 1000;
/// The most people a post may mention; one with more is refused.
pub const MENTIONS_MAX: usize = 1000;
/// The most hashtags a post may have; one with more is refused.
pub const TAGS_MAX: usize = 1000;
/// The longest hashtag, in bytes; a longer one is left out, since nobody follows it.
pub const TAG_BYTES_MAX: usize = 500;

/// Advice against a post that the wrong host sent.
const FETCH: &str = "fetch the post where it lives and send it alone with `fetched: true`";
/// Advice against a fetched post that claims an author on another host.
const LEAVE_OUT: &str =
    "it was fetched, and whoever gave it says so: leave it out, nobody can vouch for it";
/// Advice against a fetched post inside an activity of another host.
const ALONE: &str = "it was fetched: send the post alone, without the activity around it";

/// Up to this many, looking through a list is quicker than a hash of it.
const FEW: usize = 16;

/// The activity that encloses an object, which fills its gaps.
#[derive(Clone, Copy)]
pub(super) enum Enclosing<'a> {
    /// Nothing: the instance fetched it.
    Nothing,
    /// Its Create: all that the object lacks.
    Create(&'a ObjectFields<'a>),
    /// Its Update: all but `published`, which is that of the edit.
    Update(&'a ObjectFields<'a>),
}

impl<'a> Enclosing<'a> {
    /// The activity, if there is one.
    pub(super) fn activity(self) -> Option<&'a ObjectFields<'a>> {
        match self {
            Enclosing::Nothing => None,
            Enclosing::Create(activity) | Enclosing::Update(activity) => Some(activity),
        }
    }
}

/// The fields in which a post's author may stand.
pub(super) fn authors<'a>(
    object: &ObjectFields<'a>,
    enclosing: Enclosing<'a>,
) -> [LooseValue<'a>; 2] {
    let activity = enclosing.activity();
    let actor = activity.map(|activity| activity.get(FieldName::Actor));
    [
        object.get(FieldName::AttributedTo),
        actor.unwrap_or_default(),
    ]
}

/// The post that `object` describes; `fetched`, if the instance fetched it. Errors: a reason fit for a dead letter.
pub(super) fn post(
    object: &ObjectFields<'_>,
    enclosing: Enclosing<'_>,
    fetched: bool,
) -> Result<PostContent, String> {
    let activity = enclosing.activity();
    let uri = object
        .get(FieldName::Id)
        .text()
        .ok_or("the object has no id: send the post with its `id`")?;
    let uri = id::check("the object's id", &uri)?;
    let actor = match activity {
        Some(activity) => Some(actor_of(activity)?),
        None => None,
    };
    let named = object.get(FieldName::AttributedTo).agent();
    let author = match (named.and_then(LooseValue::id), actor.as_deref()) {
        (Some(named), _) => {
            id::check("attributedTo", &named)?;
            named
        }
        (None, Some(actor)) => Cow::Borrowed(actor),
        (None, None) => {
            return Err(
                "the object has no attributedTo: send the post with its author's id".to_owned(),
            );
        }
    };
    // A post that was fetched already is not advised to be fetched.
    let [of_another_host, by_another_host] = match fetched {
        true => [LEAVE_OUT, ALONE],
        false => [FETCH, FETCH],
    };
    same_host(
        ("the post's author", &author),
        ("the post", uri),
        of_another_host,
    )?;
    if let Some(actor) = &actor {
        same_host(
            ("the activity's actor", actor),
            ("the post's author", &author),
            by_another_host,
        )?;
    }
    let (mentions, tags) = tags_of(object.get(FieldName::Tag))?;
    let addressees = |name| {
        let own = object.get(name);
        match activity {
            Some(activity) if own.is_none() => activity.get(name),
            _ => own,
        }
    };
    let Addressed {
        visibility,
        addressed,
        collections,
    } = addressing(
        [FieldName::To, FieldName::Cc, FieldName::Audience].map(addressees),
        &author,
        followers_named(&author, authors(object, enclosing)).as_deref(),
        &mentions,
    )?;
    let published = time_of(object.get(FieldName::Published));
    let published = match enclosing {
        Enclosing::Create(create) => {
            published.or_else(|| time_of(create.get(FieldName::Published)))
        }
        Enclosing::Nothing | Enclosing::Update(_) => published,
    };
    let updated = time_of(object.get(FieldName::Updated))
        .or_else(|| time_of(activity?.get(FieldName::Updated)));
    let attachment = object.get(FieldName::Attachment);
    Ok(PostContent {
        uri: uri.to_owned(),
        author: author.into_owned(),
        published,
        updated,
        visibility,
        addressed,
        collections,
        mentions,
        in_reply_to: match object.get(FieldName::InReplyTo).id() {
            Some(parent) => Some(id::check_name("inReplyTo", &parent)?.to_owned()),
            None => None,
        },
        boost_of: None,
        tags,
        language: language_shown(object).as_deref().and_then(language_code),
        has_media: !attachment.is_empty() && has_media(object.value()),
        object: object.value().to_raw()?,
    })
}

/// The boost of `original` that `announce` is. Errors: a reason fit for a dead letter.
pub(super) fn boost(
    announce: &ObjectFields<'_>,
    actor: &str,
    original: &str,
) -> Result<PostContent, String> {
    let uri = match announce.get(FieldName::Id).text() {
        Some(uri) => {
            id::check("the Announce's id", &uri)?;
            same_host(
                ("the actor", actor),
                ("the Announce", &uri),
                "send the Announce with an id of its actor's host, or none",
            )?;
            uri.into_owned()
        }
        None => {
            let made = PostContent::uri_of_boost(actor, original);
            id::check(
                "an id made of actor and object, as the Announce has none,",
                &made,
            )?;
            made
        }
    };
    let Addressed {
        visibility,
        addressed,
        collections,
    } = addressing(
        [FieldName::To, FieldName::Cc, FieldName::Audience].map(|name| announce.get(name)),
        actor,
        followers_named(actor, [announce.get(FieldName::Actor)]).as_deref(),
        &[],
    )?;
    Ok(PostContent {
        uri,
        author: actor.to_owned(),
        published: time_of(announce.get(FieldName::Published)),
        updated: time_of(announce.get(FieldName::Updated)),
        visibility,
        addressed,
        collections,
        mentions: Vec::new(),
        in_reply_to: None,
        boost_of: Some(original.to_owned()),
        tags: Vec::new(),
        language: None,
        has_media: false,
        object: announce.value().to_raw()?,
    })
}

/// The actor of an activity.
pub(super) fn actor_of<'a>(activity: &ObjectFields<'a>) -> Result<Cow<'a, str>, String> {
    let actor = activity
        .get(FieldName::Actor)
        .agent()
        .and_then(LooseValue::id)
        .ok_or("the activity has no actor: send `actor` as an id or an object with an id")?;
    id::check("the activity's actor", &actor)?;
    Ok(actor)
}

/// The trust rule: an activity speaks for its own host only. Each argument is a label and an id.
pub(super) fn same_host(
    one: (&str, &str),
    other: (&str, &str),
    advice: &str,
) -> Result<(), String> {
    if id::same_origin(one.1, other.1) {
        return Ok(());
    }
    Err(format!(
        "{} is {}, {} is {}: an activity speaks for its own host only; {advice}",
        one.0,
        id::quoted(one.1),
        other.0,
        id::quoted(other.1)
    ))
}

pub(super) fn time_of(date: LooseValue<'_>) -> Option<Time> {
    date::parse(&date.text()?)
}

/// The followers collection of `author` that a document of theirs names which stands in one of these `places` of their id:
/// the first that may be one.
pub(super) fn followers_named<'a>(
    author: &str,
    places: impl IntoIterator<Item = LooseValue<'a>>,
) -> Option<String> {
    let agents = places.into_iter().filter_map(LooseValue::agent);
    agents
        .filter(|agent| agent.id().as_deref() == Some(author))
        .filter_map(|actor| actor.get("followers").id())
        .find_map(|collection| followers::named(author, &collection))
}

pub(super) fn is_public(id: &str) -> bool {
    matches!(
        id,
        "https://www.w3.org/ns/activitystreams#Public"
            | "http://www.w3.org/ns/activitystreams#Public"
            | "as:Public"
            | "Public"
    )
}

/// The addressees of a post, as [`PostContent`] has them.
#[derive(Debug, PartialEq, Eq)]
struct Addressed {
    visibility: Visibility,
    addressed: Vec<String>,
    collections: Vec<String>,
}

/// The visibility by the post alone, and the ids it is addressed to. `audience` counts as `to` only if `to` and `cc` are
/// empty: Lemmy's `audience` is the community, which must not make a post more visible.
///
/// `named` is the followers collection that an embedded document names. Documents that are stored decide about others later.
fn addressing(
    [to, cc, audience]: [LooseValue<'_>; 3],
    author: &str,
    named: Option<&str>,
    mentions: &[String],
) -> Result<Addressed, String> {
    let by_convention = by_convention(author);
    let followers = named.unwrap_or(&by_convention);
    let is_followers = |id: &str| compared(id) == followers;
    let [mut to, cc, audience] = [to, cc, audience].map(|field| field.ids().collect::<Vec<_>>());
    if to.is_empty() && cc.is_empty() {
        to.clone_from(&audience);
    }
    let everyone = to.iter().chain(&cc).chain(&audience);
    let everyone = everyone.map(|id| &**id);
    let addressed = each_once(
        "to, cc and audience together",
        ADDRESSED_MAX,
        everyone.filter(|id| !is_public(id) && !is_followers(id)),
    )?;
    let open = if to.iter().any(|id| is_public(id)) {
        Some(Visibility::Public)
    } else if cc.iter().any(|id| is_public(id)) {
        Some(Visibility::Unlisted)
    } else {
        None
    };
    if let Some(visibility) = open {
        return Ok(Addressed {
            visibility,
            addressed,
            collections: Vec::new(),
        });
    }
    // A mentioned id is a person's, whatever a document says.
    let may_be = |id: &&str| may_be(author, id) && !mentions.iter().any(|there| there == id);
    let sent_to = || to.iter().chain(&cc).map(|id| &**id).filter(may_be);
    let first = sent_to().filter(|id| is_followers(id));
    let rest = sent_to().filter(|id| !is_followers(id));
    let mut collections: Vec<String> = Vec::new();
    for id in first.chain(rest).map(compared) {
        if collections.len() == COLLECTIONS_MAX {
            break;
        }
        if !collections.iter().any(|there| there == id) {
            collections.push(id.to_owned());
        }
    }
    Ok(Addressed {
        visibility: closed(&addressed, mentions, &collections, |id| id == followers),
        addressed,
        collections,
    })
}

/// The people mentioned and the hashtags of a post.
fn tags_of(tag: LooseValue<'_>) -> Result<(Vec<String>, Vec<String>), String> {
    let (mut mentions, mut tags) = (Vec::new(), Vec::new());
    for item in tag.items() {
        let mut kinds = item.kinds();
        match kinds
            .find(|kind| matches!(&**kind, "Mention" | "Hashtag"))
            .as_deref()
        {
            Some("Mention") => mentions.extend(item.get("href").id()),
            Some(_) => tags.extend(item.get("name").text().as_deref().and_then(hashtag_of)),
            None => {}
        }
    }
    let mentions = mentions.iter().map(|id| &**id);
    Ok((
        each_once("mentions in tag", MENTIONS_MAX, mentions)?,
        each_once("hashtags in tag", TAGS_MAX, tags.iter().map(String::as_str))?,
    ))
}

/// A hashtag as it is compared: after NFKC and case folding (Unicode 3.13, D146), without its sign; none if it is nothing
/// anyone could follow. Of what comes out of it, it makes the same again.
pub fn hashtag_of(name: &str) -> Option<String> {
    // Normalising shortens, but nothing to less than a quarter.
    if 4 * TAG_BYTES_MAX < name.len() {
        return None;
    }
    let tag = match name.is_ascii() {
        true => name.to_ascii_lowercase(),
        false => folded(name)?,
    };
    // Only now, as the sign and spaces have full-width forms.
    let tag = tag.trim().trim_start_matches('#');
    let possible = !tag.is_empty()
        && tag.len() <= TAG_BYTES_MAX
        && !tag.contains(|c: char| c.is_control() || c.is_whitespace());
    possible.then(|| tag.to_owned())
}

/// Without differences of case, width and composition; none if that is longer than any hashtag, however short it is written: some
/// letters are whole sentences taken apart.
fn folded(text: &str) -> Option<String> {
    let nfkc = ComposingNormalizerBorrowed::new_nfkc();
    let mut apart = String::with_capacity(text.len());
    for letter in nfkc.normalize_iter(text.chars()) {
        apart.push(letter);
        // Folding shortens too, but nothing to less than a quarter.
        if 4 * TAG_BYTES_MAX < apart.len() {
            return None;
        }
    }
    // Folding takes some letters apart.
    let text = CaseMapper::new().fold_string(&apart).into_owned();
    Some(nfkc.normalize(&text).into_owned())
}

/// A list without repetitions, in the order of the first; more than `max` are refused.
fn each_once<'a>(
    label: &str,
    max: usize,
    list: impl Iterator<Item = &'a str>,
) -> Result<Vec<String>, String> {
    let mut once: Vec<String> = Vec::new();
    let mut seen: HashSet<&str> = HashSet::new();
    for one in list {
        // A set from the first of many on: the few of a usual post need none.
        let again = if once.len() < FEW {
            once.iter().any(|known| known == one)
        } else {
            once.iter().take(FEW).any(|known| known == one) || !seen.insert(one)
        };
        if again {
            continue;
        }
        if once.len() == max {
            return Err(format!("{label}: more than {max}; send at most that many"));
        }
        once.push(id::check_name(label, one)?.to_owned());
    }
    Ok(once)
}

#[cfg(test)]
mod tests;
