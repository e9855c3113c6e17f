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

/// HTML that may be shown.
pub fn html(written: &str) -> String {
    SANITIZER.clean(written).to_string()
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
