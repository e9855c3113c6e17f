//! An entry as JSON text, written by hand: a page has twenty or more, and serde's way through each of their fields takes longer
//! than everything else about a page. The text is what [`Entry`]'s `Serialize` gives, to the byte: a property test holds the one
//! against the other.
//!
//! For the same reason pages, changes and messages are put together of such texts. Their shapes are declared once, as
//! [`Page`](super::responses::Page), [`Changes`](super::change_json::Changes) and [`Message`](super::stream_message::Message), of
//! which the description is made; beside each writer a test holds what it writes against the type. To serialise these types
//! themselves with `RawValue` for the entries, each cached text would have to be parsed again for each reader, or kept twice.

use super::entry::Entry;
use slackwater_order::time::Time;

/// Appends an entry.
pub(super) fn render(entry: &Entry<'_>, json: &mut String) {
    // Every field by name: one that is added and forgotten here does not compile.
    let Entry {
        id,
        uri,
        post_ref,
        author_ref,
        author,
        origin,
        published,
        arrived,
        delay_ms,
        verdict,
        placed_by,
        visibility,
        in_reply_to,
        edited,
        boost,
        object,
        // Only late arrivals and single posts have it, and this code is fast for pages of feeds.
        place: _,
        explained: _,
    } = entry;
    json.push_str("{\"id\":\"");
    number(id.number(), json);
    json.push_str("\",\"uri\":");
    text(uri, json);
    json.push_str(",\"ref\":");
    or_null(*post_ref, text, json);
    json.push_str(",\"author_ref\":");
    or_null(*author_ref, text, json);
    json.push_str(",\"author\":");
    text(author, json);
    json.push_str(",\"origin\":");
    text(origin, json);
    json.push_str(",\"published\":");
    or_null(*published, time, json);
    json.push_str(",\"arrived\":");
    time(*arrived, json);
    json.push_str(",\"delay_ms\":");
    or_null(*delay_ms, signed, json);
    json.push_str(",\"verdict\":\"");
    json.push_str(verdict.name());
    json.push_str("\",\"placed_by\":\"");
    json.push_str(placed_by.name());
    json.push_str("\",\"visibility\":\"");
    json.push_str(visibility.name());
    json.push_str("\",\"in_reply_to\":");
    or_null(*in_reply_to, text, json);
    json.push_str(",\"edited\":");
    or_null(*edited, time, json);
    json.push_str(",\"boost\":");
    match boost {
        None => json.push_str("null"),
        Some(boost) => {
            json.push_str("{\"uri\":");
            text(boost.uri, json);
            json.push_str(",\"author\":");
            or_null(boost.author, text, json);
            json.push_str(",\"id\":");
            or_null(boost.id.as_deref(), text, json);
            json.push_str(",\"object\":");
            json.push_str(boost.object.map_or("null", |object| object.get()));
            json.push('}');
        }
    }
    json.push_str(",\"object\":");
    json.push_str(object.get());
    json.push('}');
}

fn or_null<T>(value: Option<T>, write: impl FnOnce(T, &mut String), json: &mut String) {
    match value {
        Some(value) => write(value, json),
        None => json.push_str("null"),
    }
}

fn text(text: &str, json: &mut String) {
    // Ids are plain. The check does not stop at the first hit, so that it takes many bytes at a time.
    let plain = |b: u8| (0x20 <= b) & (b != b'"') & (b != b'\\');
    if text.bytes().fold(true, |all, b| all & plain(b)) {
        json.push('"');
        json.push_str(text);
        json.push('"');
    } else if let Ok(escaped) = serde_json::to_string(text) {
        json.push_str(&escaped);
    }
}

fn time(time: Time, json: &mut String) {
    json.push('"');
    time.write_rfc3339(json);
    json.push('"');
}

fn signed(signed: i64, json: &mut String) {
    if signed < 0 {
        json.push('-');
    }
    number(signed.unsigned_abs(), json);
}

fn number(mut number: u64, json: &mut String) {
    // As many digits as 2^64 has.
    let mut digits = [b'0'; 20];
    let mut first = digits.len();
    for (at, digit) in digits.iter_mut().enumerate().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
        first = at;
        if number == 0 {
            break;
        }
    }
    let digits = digits.get(first..).unwrap_or_default();
    json.push_str(std::str::from_utf8(digits).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;
    use proptest::prelude::*;
    use serde_json::value::RawValue;
    use slackwater_engine::activity::Visibility;
    use slackwater_engine::feed::post::State;
    use slackwater_order::place::PostId;
    use slackwater_order::verdict::{PlacedBy, Verdict};

    fn word() -> impl Strategy<Value = String> {
        "https://[a-z.]{1,9}/[a-z0-9]{0,9}|\\PC{0,12}|[\"\\\\\u{0}-\u{1f}\u{7f}é]{0,4}"
    }

    fn moment() -> impl Strategy<Value = Time> {
        prop_oneof![any::<i64>(), -1_000i64..2_000_000_000_000].prop_map(Time::from_millis)
    }

    prop_compose! {
        fn post()(
            words in prop::array::uniform8(word()),
            given in any::<u8>(),
            id in 0..=PostId::MAX.number(),
            moments in prop::array::uniform3(moment()),
            verdict in prop::sample::select(&Verdict::ALL),
            placed_by in prop::sample::select(&[PlacedBy::Published, PlacedBy::Arrived]),
            visibility in prop::sample::select(&[
                Visibility::Public,
                Visibility::Unlisted,
                Visibility::Private,
                Visibility::Limited,
                Visibility::Direct,
            ]),
            gone in prop::bool::weighted(0.1),
        ) -> slackwater_engine::feed::post::Post {
            let mut post = example::post("https://a.example/users/ana");
            let [uri, author, origin, post_ref, author_ref, parent, original, content] = words;
            let [published, arrived, edited] = moments;
            let if_given = |bit: u8, word: String| (given >> bit & 1 == 1).then_some(word);
            post.id = PostId::from_number(id).unwrap();
            (post.body.uri, post.body.author, post.origin) = (uri, author, origin);
            post.post_ref = if_given(0, post_ref);
            post.author_ref = if_given(1, author_ref);
            post.body.in_reply_to = if_given(2, parent);
            post.body.boost_of = if_given(3, original);
            post.body.published = (given >> 4 & 1 == 1).then_some(published);
            post.edited = (given >> 5 & 1 == 1).then_some(edited);
            post.arrived = arrived;
            (post.verdict, post.placed_by, post.body.visibility) = (verdict, placed_by, visibility);
            let json = serde_json::json!({ "content": content }).to_string();
            post.body.object = RawValue::from_string(json).unwrap();
            post.state = if gone { State::Gone } else { State::Whole };
            post
        }
    }

    proptest! {
        /// Were this to fail, a page would show a post otherwise than `/v1/posts` and the schemas do.
        #[test]
        fn it_is_written_as_serde_writes_it(post in post(), original in prop::option::of(post())) {
            let entry = Entry::new(&post, original.as_ref());
            let mut json = String::new();
            render(&entry, &mut json);
            prop_assert_eq!(json, serde_json::to_string(&entry).unwrap());
        }
    }
}
