//! What people elsewhere wrote, made harmless.

use slackwater::mastodon::html::{html, plain};

/// The tags that may be in it: Mastodon's own list (its documentation, "HTML sanitization").
const TAGS: [&str; 20] = [
    "p",
    "br",
    "span",
    "a",
    "del",
    "s",
    "pre",
    "blockquote",
    "code",
    "b",
    "strong",
    "u",
    "i",
    "em",
    "ul",
    "ol",
    "li",
    "ruby",
    "rt",
    "rp",
];
/// The attributes that may be in it.
const ATTRIBUTES: [&str; 8] = [
    "href",
    "class",
    "translate",
    "start",
    "reversed",
    "value",
    "rel",
    "target",
];
/// Where links may lead: anything else is not followed.
const SCHEMES: [&str; 12] = [
    "http", "https", "dat", "dweb", "ipfs", "ipns", "ssb", "gopher", "xmpp", "magnet", "gemini",
    "mailto",
];
/// How many times its size it may become, beyond what is small whatever it was.
const TIMES_MAX: usize = 4;
const SMALL_BYTES: usize = 64 << 10;
/// The most tags of what is made harmless twice.
const TAGS_MAX: usize = 500;

/// A failure means that whoever writes a post runs something where it is read, or changes how the page looks around it.
pub fn holds(data: &[u8]) {
    let Ok(written) = str::from_utf8(data) else {
        return;
    };
    let shown = html(written);
    harmless(&shown);
    let most = TIMES_MAX * written.len() + SMALL_BYTES;
    assert!(
        shown.len() <= most,
        "{} bytes became {}",
        written.len(),
        shown.len()
    );
    // What is too large or too tangled may be shown as its text instead.
    let is_plain = |it: &str| it.len() <= SMALL_BYTES / 4 && it.matches('<').count() <= TAGS_MAX;
    if is_plain(written) && is_plain(&shown) {
        let again = html(&shown);
        harmless(&again);
        // Blocks may move: an item of a list in one, with a division between, is beside it when the division is gone. What is
        // said does not, nor where it leads.
        assert_eq!(
            said(&again),
            said(&shown),
            "made harmless twice, it says something else: of {written:?}"
        );
    }
    let text = plain(written);
    harmless(&text);
}

/// Goes through it tag by tag, as it is written: it is ours, and plain.
fn harmless(shown: &str) {
    let mut rest = shown;
    while let Some((_, after)) = rest.split_once('<') {
        let (tag, after) = tag_of(after).unwrap_or_else(|| panic!("a tag does not end: {shown:?}"));
        let name = tag
            .trim_start_matches('/')
            .split_ascii_whitespace()
            .next()
            .unwrap_or_default();
        assert!(TAGS.contains(&name), "<{name}> is let through: {shown:?}");
        attributes(tag, shown);
        rest = after;
    }
}

/// Each sign that is seen, with what says where it leads.
fn said(shown: &str) -> Vec<(char, &str)> {
    let (mut signs, mut link, mut rest) = (Vec::new(), "", shown);
    loop {
        let (text, after) = rest.split_once('<').unwrap_or((rest, ""));
        // One way of writing them: in text that was HTML, and in text that never was.
        let text = text
            .replace("&quot;", "\"")
            .replace("&apos;", "'")
            .replace("&nbsp;", " ");
        let seen = text.chars().filter(|sign| !sign.is_whitespace());
        signs.extend(seen.map(|sign| (sign, link)));
        let Some((tag, after)) = tag_of(after) else {
            return signs;
        };
        match tag.split(' ').next() {
            Some("a") => link = tag,
            Some("/a") => link = "",
            _ => {}
        }
        rest = after;
    }
}

/// A tag, and what comes after it; what is quoted may have any sign in it.
fn tag_of(text: &str) -> Option<(&str, &str)> {
    let mut quoted = false;
    let end = text.find(|sign| {
        quoted ^= sign == '"';
        sign == '>' && !quoted
    })?;
    Some((&text[..end], &text[end + 1..]))
}

fn attributes(tag: &str, shown: &str) {
    let mut rest = tag;
    while let Some((before, after)) = rest.split_once("=\"") {
        let name = before
            .rsplit(|sign: char| sign.is_ascii_whitespace())
            .next()
            .unwrap_or_default();
        assert!(
            ATTRIBUTES.contains(&name),
            "{name} is let through: {shown:?}"
        );
        let (value, after) = after
            .split_once('"')
            .unwrap_or_else(|| panic!("a value does not end: {shown:?}"));
        if name == "href" {
            let is_plain = |sign: char| !sign.is_control() && !sign.is_whitespace();
            let scheme = value.split_once(':').map(|(scheme, _)| scheme);
            let is_known = scheme.is_some_and(|scheme| SCHEMES.contains(&scheme));
            assert!(
                is_known && value.chars().all(is_plain),
                "a link leads to {value:?}: {shown:?}"
            );
        }
        rest = after;
    }
}
