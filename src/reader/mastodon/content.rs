//! What people elsewhere wrote, made harmless: HTML as Mastodon lets it through, and nothing that runs, tracks or draws over
//! the page. The library that does it is built for that; here stands what is let through.

use ammonia::{Builder, UrlRelative};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

/// Mastodon's own list (its documentation, "HTML sanitization").
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
/// What the classes of microformats begin with.
const MICROFORMATS: [&str; 5] = ["h-", "p-", "u-", "dt-", "e-"];

static SANITIZER: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut builder = Builder::empty();
    builder
        .tags(HashSet::from(TAGS))
        .clean_content_tags(HashSet::from(["script", "style"]))
        .tag_attributes(HashMap::from([
            ("a", HashSet::from(["href", "class", "translate"])),
            ("span", HashSet::from(["class", "translate"])),
            ("ol", HashSet::from(["start", "reversed"])),
            ("li", HashSet::from(["value"])),
        ]))
        .attribute_filter(|_, attribute, value| match attribute {
            "class" => known_classes(value).map(Cow::Owned),
            "translate" => (value == "no").then_some(Cow::Borrowed(value)),
            _ => Some(Cow::Borrowed(value)),
        })
        .url_schemes(HashSet::from(SCHEMES))
        .url_relative(UrlRelative::Deny)
        .link_rel(Some("nofollow noopener noreferrer"))
        .set_tag_attribute_value("a", "target", "_blank");
    builder
});

/// The longest HTML that is read as such, in bytes.
const BYTES_MAX: usize = 128 << 10;
/// The most tags in it: reading them takes as many steps as there are tags, times as many as are open.
const OPENINGS_MAX: usize = 3_000;

/// HTML that may be shown. What is too long or too tangled to be read by everybody who is told of it is shown as the text
/// that it has, cut short.
pub fn html(written: &str) -> String {
    let is_opening = |pair: &[u8]| matches!(pair, [b'<', next] if *next != b'/');
    let openings = written
        .as_bytes()
        .windows(2)
        .filter(|pair| is_opening(pair));
    if written.len() <= BYTES_MAX && openings.count() <= OPENINGS_MAX {
        SANITIZER.clean(written).to_string()
    } else {
        format!("<p>{}</p>", escaped(&without_tags(written)))
    }
}

/// The beginning of what stands between tags.
fn without_tags(written: &str) -> String {
    let mut text = String::new();
    for part in written.split('<') {
        let shown = part.split_once('>').map_or(part, |(_, text)| text);
        let left = BYTES_MAX.saturating_sub(text.len());
        let end = (0..=left.min(shown.len()))
            .rev()
            .find(|end| shown.is_char_boundary(*end));
        text.push_str(shown.get(..end.unwrap_or(0)).unwrap_or_default());
        if left <= shown.len() {
            break;
        }
    }
    text
}

/// Plain text as HTML.
pub fn escaped(text: &str) -> String {
    ammonia::clean_text(text)
        // Readable, and as harmless in the text of an element.
        .replace("&#32;", " ")
        .replace("&#47;", "/")
        .replace("&#61;", "=")
        .replace("&#10;", "<br>")
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
    use super::*;

    /// A failure means that whoever writes a post runs a program in the browsers of those who read it.
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
            ("&lt;script&gt;", "&lt;script&gt;"),
        ] {
            assert_eq!(html(written), shown, "{written}");
        }
    }

    /// A failure means that one post keeps the service busy for minutes.
    #[test]
    fn what_is_too_long_or_too_tangled_is_shown_as_its_text() {
        let tangled = "<div>".repeat(OPENINGS_MAX + 1) + "low <b>tide</b>";
        assert_eq!(html(&tangled), "<p>low tide</p>");
        let just = "<b>".repeat(OPENINGS_MAX) + "tide";
        assert!(html(&just).ends_with(&"</b>".repeat(3)));
        let long = "é<p>".repeat(BYTES_MAX);
        let shown = html(&long);
        assert!(shown.len() <= BYTES_MAX + 7 && shown.contains("éé") && !shown.contains("<p>é<"));
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
        ] {
            let shown = html(&format!("<a href=\"{href}\">x</a>"));
            assert!(!shown.contains("href"), "{shown}");
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
    fn plain_text_stays_what_it_is() {
        assert_eq!(
            escaped("a <b> & \"c\"/d"),
            "a &lt;b&gt; &amp; &quot;c&quot;/d"
        );
    }
}
