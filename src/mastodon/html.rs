//! HTML made harmless: what Mastodon lets through stays, and nothing runs, tracks or draws over the page. The library that does
//! it is built for that; this file says what is let through, and [`super::line_breaks`] what is left of the blocks that are not.

use super::formula::formulas;
use super::html_cost::{DEPTH_MAX, is_too_costly};
use super::line_breaks::{self, BLOCKS, CELLS, HEADINGS};
use crate::api::single_flight::SingleFlight;
use ammonia::{Builder, UrlRelative};
use slackwater_engine::activity::document::web;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::sync::{Arc, LazyLock};
use url::Url;

/// Mastodon's own list (its documentation, "HTML sanitization").
pub(super) const TAGS: [&str; 20] = [
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
/// Where links may lead.
const SCHEMES: [&str; 12] = [
    "http", "https", "dat", "dweb", "ipfs", "ipns", "ssb", "gopher", "xmpp", "magnet", "gemini",
    "mailto",
];
/// Classes that mean something to clients, beside microformats.
const CLASSES: [&str; 5] = [
    "mention",
    "hashtag",
    "ellipsis",
    "invisible",
    "quote-inline",
];
/// The beginnings of the classes of microformats.
const MICROFORMATS: [&str; 5] = ["h-", "p-", "u-", "dt-", "e-"];

static SANITIZER: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut builder = Builder::empty();
    builder
        // Blocks are let through here, without attributes, so that it can be seen where they were.
        .tags(
            TAGS.into_iter()
                .chain(BLOCKS)
                .chain(CELLS)
                .chain(HEADINGS)
                .collect(),
        )
        .clean_content_tags(HashSet::from(["script", "style"]))
        // The library's own choice lets some through on every element.
        .generic_attributes(HashSet::new())
        .tag_attributes(HashMap::from([
            ("a", HashSet::from(["href", "class", "translate"])),
            ("span", HashSet::from(["class", "translate"])),
            ("ol", HashSet::from(["start", "reversed"])),
            ("li", HashSet::from(["value"])),
        ]))
        .attribute_filter(|_, attribute, value| match attribute {
            "class" => known_classes(value).map(Cow::Owned),
            "translate" => (value == "no").then_some(Cow::Borrowed(value)),
            "href" => link(value).map(Cow::Owned),
            _ => Some(Cow::Borrowed(value)),
        })
        .url_schemes(HashSet::from(SCHEMES))
        .url_relative(UrlRelative::Deny)
        // [`line_breaks::kept`] says how links open, always in the same place.
        .link_rel(None);
    builder
});

/// The longest text that is shown, in bytes: what is longer is shown as the text that it has, cut short.
pub(super) const BYTES_MAX: usize = 128 << 10;
/// The most tags, opening or closing, and ampersands: the text around each is copied.
const TAGS_MAX: usize = 6_000;
/// How many times its own size what is made of a text may be, in JSON, and how many bytes beside.
const GROWTH_MAX: usize = 4;
const GROWTH_BYTES: usize = 1 << 10;
/// The length, in bytes, below which text is made harmless each time, which takes no longer than a lookup.
const SHORT_BYTES: usize = 2 << 10;
/// The most bytes kept of longer texts and of what was made of them.
const MADE_BYTES_MAX: u64 = 16 << 20;

/// The tags around a paragraph.
const PARAGRAPH: &str = "<p></p>";

/// The results for longer texts: made once for all readers, and kept for as long as they are read.
static MADE: LazyLock<SingleFlight<String, str>> = LazyLock::new(|| {
    let weight = |written: &String, made: &Arc<str>| written.len() + made.len();
    SingleFlight::new(MADE_BYTES_MAX, 8 << 10, weight)
});

/// HTML that may be shown, at most `GROWTH_MAX` times as long as the source. HTML that is too long or too tangled to be parsed
/// for each reader is shown as its text, cut short.
pub fn html(written: &str) -> String {
    if written.len() < SHORT_BYTES || BYTES_MAX < written.len() {
        return made(written);
    }
    let made = MADE.get_or_make(written, || Ok::<Arc<str>, Infallible>(made(written).into()));
    let Ok(made) = made;
    made.as_ref().to_owned()
}

fn made(written: &str) -> String {
    let room = room(written);
    harmless(written, room).unwrap_or_else(|| {
        format!(
            "<p>{}</p>",
            escaped_within(&without_tags(written), room - PARAGRAPH.len())
        )
    })
}

/// HTML that may be shown; none if it is too much.
fn harmless(written: &str, room: usize) -> Option<String> {
    let tags = || {
        let begins = |byte: &u8| matches!(*byte, b'<' | b'&');
        written.bytes().filter(begins).count()
    };
    if BYTES_MAX < written.len() || TAGS_MAX < tags() {
        return None;
    }
    let written = formulas(written);
    if is_too_costly(&written) {
        return None;
    }
    let shown = line_breaks::kept(&SANITIZER.clean(&written).to_string());
    (json_bytes(&shown) <= room && depth(&shown) <= DEPTH_MAX).then_some(shown)
}

/// How much may be made of a text.
fn room(written: &str) -> usize {
    GROWTH_MAX * written.len() + GROWTH_BYTES
}

/// How long it is as a JSON text.
fn json_bytes(text: &str) -> usize {
    let more = |byte: u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' => 1,
        0..0x20 => 5,
        _ => 0,
    };
    text.len() + text.bytes().map(more).sum::<usize>()
}

/// The depth of elements in HTML as the library writes it.
fn depth(html: &str) -> usize {
    let (mut open, mut most) = (0_usize, 0);
    for tag in html.split('<').skip(1) {
        match tag.starts_with('/') {
            true => open = open.saturating_sub(1),
            false if tag.starts_with("br>") => {}
            false => open += 1,
        }
        most = most.max(open);
    }
    most
}

/// Text that is not HTML (Markdown too) as HTML: its paragraphs and lines, cut short if it is too long.
pub fn plain(written: &str) -> String {
    let mut room = room(written);
    let text = beginning(written, BYTES_MAX)
        .replace("\r\n", "\n")
        .replace('\r', "\n");
    let paragraphs = text
        .split("\n\n")
        .map(str::trim)
        .filter(|it| !it.is_empty());
    let mut html = String::new();
    for paragraph in paragraphs {
        let Some(left) = room.checked_sub(PARAGRAPH.len()) else {
            break;
        };
        let shown = escaped_within(paragraph, left);
        room = left - json_bytes(&shown);
        html.push_str("<p>");
        html.push_str(&shown);
        html.push_str("</p>");
    }
    html
}

/// The beginning of the text between tags, with blocks on lines of their own.
fn without_tags(written: &str) -> String {
    let mut text = String::new();
    for part in written.split('<') {
        let (tag, shown) = part.split_once('>').unwrap_or(("", part));
        if line_breaks::is_break(tag) && !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        let left = BYTES_MAX.saturating_sub(text.len());
        text.push_str(beginning(shown, left));
        if left <= shown.len() {
            break;
        }
    }
    text.truncate(text.trim_end().len());
    // The text without its escapes, so that it is not escaped twice; the ampersand last, because it may begin another escape.
    let all = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&apos;", "'"),
        ("&nbsp;", " "),
        ("&amp;", "&"),
    ];
    all.into_iter()
        .fold(text, |text, (entity, it)| text.replace(entity, it))
}

/// At most so many bytes.
pub(super) fn beginning(text: &str, bytes_max: usize) -> &str {
    let end = text.floor_char_boundary(bytes_max);
    text.get(..end).unwrap_or(text)
}

/// Plain text as HTML: an element's, or the value of an attribute in quotation marks.
pub fn escaped(text: &str) -> String {
    escaped_within(text, usize::MAX)
}

/// As much of a text as HTML as is no longer than `room`, in bytes of JSON.
fn escaped_within(text: &str, room: usize) -> String {
    let mut html = String::with_capacity(text.len());
    let mut left = room;
    for c in text.chars() {
        let mut itself = [0; 4];
        let piece = match c {
            '<' => "&lt;",
            '>' => "&gt;",
            '&' => "&amp;",
            '"' => "&quot;",
            '\'' => "&apos;",
            '\n' => "<br>",
            '\t' => " ",
            // HTML has no others.
            c if c.is_control() => continue,
            c => c.encode_utf8(&mut itself),
        };
        let Some(less) = left.checked_sub(json_bytes(piece)) else {
            break;
        };
        left = less;
        html.push_str(piece);
    }
    html
}

/// Where a link leads, as a browser writes it: it has no control characters, white space or quotation marks then.
fn link(href: &str) -> Option<String> {
    let url = Url::parse(href).ok()?;
    match url.scheme() {
        "http" | "https" => web(href),
        // What is no path is kept as it is but for control characters.
        scheme if SCHEMES.contains(&scheme) => {
            let all = [(" ", "%20"), ("\"", "%22"), ("<", "%3C"), (">", "%3E")];
            let url = String::from(url);
            Some(
                all.into_iter()
                    .fold(url, |url, (sign, it)| url.replace(sign, it)),
            )
        }
        _ => None,
    }
}

fn known_classes(value: &str) -> Option<String> {
    let is_known = |class: &&str| {
        CLASSES.contains(class) || MICROFORMATS.iter().any(|prefix| class.starts_with(prefix))
    };
    let known: Vec<&str> = value.split_ascii_whitespace().filter(is_known).collect();
    (!known.is_empty()).then(|| known.join(" "))
}

#[cfg(test)]
mod tests {
    use super::super::worst_posts;
    use super::*;

    /// A failure means that the author of a post can run a script in its readers' browsers.
    #[test]
    fn nothing_that_runs_or_draws_is_let_through() {
        for (written, shown) in [
            ("<p>Low <b>tide</b></p>", "<p>Low <b>tide</b></p>"),
            ("<script>alert(1)</script>tide", "tide"),
            ("<style>p{position:fixed}</style>tide", "tide"),
            (
                "<p onclick=\"alert(1)\" style=\"x\" id=\"app\">tide</p>",
                "<p>tide</p>",
            ),
            ("<img src=x onerror=alert(1)>tide", "tide"),
            ("<svg><script>alert(1)</script></svg>tide", "tide"),
            ("<iframe src=\"https://evil.example\"></iframe>tide", "tide"),
            (
                "<form><input name=password><button>ok</button></form>",
                "ok",
            ),
            ("<p>unclosed <b>tags", "<p>unclosed <b>tags</b></p>"),
            (
                "<span class=\"invisible evil u-url\">x</span>",
                "<span class=\"invisible u-url\">x</span>",
            ),
            ("<span class=\"modal\">x</span>", "<span>x</span>"),
            (
                "<p lang=\"en\" title=\"x\">a <div title=\"x\">b</div></p>",
                "<p>a </p>b<p></p>",
            ),
            ("&lt;script&gt;", "&lt;script&gt;"),
        ] {
            assert_eq!(html(written), shown, "{written}");
        }
    }

    /// A failure means that one post keeps the service busy for minutes.
    #[test]
    fn what_is_too_long_or_too_tangled_is_shown_as_its_text() {
        let tangled = "<div>".repeat(TAGS_MAX + 1) + "low <b>tide</b>";
        assert_eq!(html(&tangled), "<p>low tide</p>");
        let deep = |levels| "<b>".repeat(levels) + "tide";
        assert!(html(&deep(DEPTH_MAX)).ends_with(&"</b>".repeat(DEPTH_MAX)));
        assert_eq!(html(&deep(DEPTH_MAX + 1)), "<p>tide</p>");
        let long = "é<p>".repeat(BYTES_MAX);
        let shown = html(&long);
        assert!(
            shown.len() <= 3 * BYTES_MAX && shown.starts_with("<p>é<br>é<br>é"),
            "{}",
            shown.len()
        );
        let glued = format!(
            "<h1>One</h1><p>two <b>th</b>ree</p>{}&lt;3 R&amp;D",
            "<p></p>".repeat(TAGS_MAX)
        );
        assert_eq!(html(&glued), "<p>One<br>two three<br>&lt;3 R&amp;D</p>");
    }

    /// A failure means that readers are sent megabytes for a post of some kilobytes.
    #[test]
    fn what_is_shown_is_in_proportion_to_what_was_written() {
        let links = "<a>x</a>".repeat(200);
        assert_eq!(html(&links), format!("<p>{}</p>", "x".repeat(200)));
        let few = "<a href=\"https://a.example/\">x</a> ".repeat(20);
        assert!(html(&few).contains("<a href"));
        for text in ["&", "'", "\"", "\u{1}", "<", "\n"] {
            let text = text.repeat(10_000);
            for shown in [html(&text), plain(&text)] {
                assert!(json_bytes(&shown) <= room(&text), "{}", shown.len());
            }
        }
        let text = "\"\\\n\r\t\u{1}\u{7f}é";
        assert_eq!(
            json_bytes(text) + 2,
            serde_json::to_string(text).unwrap().len()
        );
    }

    /// A failure means that one post can cost its readers far more than its length.
    #[test]
    fn the_worst_that_anybody_wrote_stays_in_proportion() {
        let check = |what: &str, text: &str| {
            let shown = made(text);
            let bytes = json_bytes(&shown);
            assert!(bytes <= room(text), "{what}: {bytes} of {}", text.len());
            assert!(depth(&shown) <= DEPTH_MAX, "{what}");
        };
        for bytes in [300, 3_000, 12_000] {
            for (what, text) in worst_posts::texts(bytes) {
                check(&what, &text);
            }
        }
        for seed in 0..60 {
            check(&format!("seed {seed}"), &worst_posts::thrown(seed, 2_000));
        }
    }

    #[test]
    fn ampersands_without_end_are_text() {
        let and = "<b>&amp;</b>&amp;".repeat(TAGS_MAX / 4);
        assert!(html(&and).starts_with("<b>&amp;</b>&amp;<b>"));
        let more = and + "&amp;";
        assert_eq!(html(&more).len(), 7 + 5 * (TAGS_MAX / 2 + 1));
    }

    #[test]
    fn links_lead_elsewhere_safely_or_nowhere() {
        let safe = "rel=\"nofollow noopener noreferrer\"";
        for href in [
            "javascript:alert(1)",
            "data:text/html,x",
            "JaVaScRiPt:alert(1)",
            "/relative",
            "vbscript:x",
            "https://",
            "https://bank.example@evil.example/",
        ] {
            let shown = html(&format!("<a href=\"{href}\">x</a>"));
            assert!(!shown.contains("href"), "{shown}");
        }
        for (href, normal) in [
            ("\u{1} HTTPS://A.example\n/x", "https://a.example/x"),
            ("https:a.example", "https://a.example/"),
            (
                "https://a.example/\u{e9} '&quot;>",
                "https://a.example/%C3%A9%20'%22%3E",
            ),
            ("\u{1f}mailto:ana@a.example", "mailto:ana@a.example"),
            ("mailto:a<b &quot;", "mailto:a%3Cb%20%22"),
            ("\u{2}gemini://a.example", "gemini://a.example"),
        ] {
            assert_eq!(
                html(&format!("<a href=\"{href}\" class=\"x\" lang=\"en\">x</a>")),
                format!("<a href=\"{normal}\" target=\"_blank\" {safe}>x</a>")
            );
        }
        let shown = html("<a href=\"https://a.example/\" rel=\"opener\" target=\"_self\">x</a>");
        assert!(shown.contains("href=\"https://a.example/\""), "{shown}");
        assert!(
            shown.contains(safe) && shown.contains("target=\"_blank\""),
            "{shown}"
        );
        assert!(
            !shown.contains("\"opener\"") && !shown.contains("_self"),
            "{shown}"
        );
    }

    #[test]
    fn plain_text_keeps_its_lines() {
        for (written, shown) in [
            (
                "first\n\nsecond <me@tide.example>",
                "<p>first</p><p>second &lt;me@tide.example&gt;</p>",
            ),
            ("one\r\ntwo\rthree", "<p>one<br>two<br>three</p>"),
            (
                "\n\n\n* one\n* two\n\n\n\n\nthree\n",
                "<p>* one<br>* two</p><p>three</p>",
            ),
            ("", ""),
        ] {
            assert_eq!(plain(written), shown, "{written:?}");
        }
        assert!(plain(&"é".repeat(BYTES_MAX)).len() <= BYTES_MAX + 7);
    }

    #[test]
    fn plain_text_stays_what_it_is() {
        assert_eq!(
            escaped("a <b> & \"c\"/d"),
            "a &lt;b&gt; &amp; &quot;c&quot;/d"
        );
    }
}
