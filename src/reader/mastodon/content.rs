//! What people elsewhere wrote, made harmless: HTML as Mastodon lets it through, and nothing that runs, tracks or draws over
//! the page. The library that does it is built for that; here stands what is let through, and in [`super::lines`] what is
//! left of the blocks that are not.

use super::lines::{self, BLOCKS, CELLS, HEADINGS};
use ammonia::{Builder, UrlRelative};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

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
/// What the classes of microformats begin with.
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
        let harmless = SANITIZER.clean(&formulas(written)).to_string();
        lines::kept(&harmless)
    } else {
        format!("<p>{}</p>", escaped(&without_tags(written)))
    }
}

/// Text that is not HTML (Markdown too) as HTML: its paragraphs and lines, cut short if it is too long.
pub fn plain(written: &str) -> String {
    let text = beginning(written, BYTES_MAX)
        .replace("\r\n", "\n")
        .replace('\r', "\n");
    let paragraphs = text
        .split("\n\n")
        .map(str::trim)
        .filter(|it| !it.is_empty());
    paragraphs
        .map(|it| format!("<p>{}</p>", escaped(it)))
        .collect()
}

/// The beginning of what stands between tags, where blocks begin and end on lines of their own.
fn without_tags(written: &str) -> String {
    let mut text = String::new();
    for part in written.split('<') {
        let (tag, shown) = part.split_once('>').unwrap_or(("", part));
        if lines::is_break(tag) && !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        let left = BYTES_MAX.saturating_sub(text.len());
        text.push_str(beginning(shown, left));
        if left <= shown.len() {
            break;
        }
    }
    text.truncate(text.trim_end().len());
    text
}

/// At most so many bytes.
fn beginning(text: &str, bytes_max: usize) -> &str {
    let end = text.floor_char_boundary(bytes_max);
    text.get(..end).unwrap_or(text)
}

/// HTML with the text of its formulas in the place of their MathML: the TeX they were made of, as FEP-dc88 asks for and
/// Mastodon shows it, else what else says it in text. What this makes is made harmless afterwards.
fn formulas(written: &str) -> Cow<'_, str> {
    let mut text = String::new();
    let (mut rest, mut may_end) = (written, true);
    while let Some(formula) = Formula::first(rest, may_end) {
        may_end = formula.ends;
        text.push_str(formula.before);
        text.push_str(&formula.text());
        rest = formula.after;
    }
    if rest.len() == written.len() {
        return Cow::Borrowed(written);
    }
    text.push_str(rest);
    Cow::Owned(text)
}

/// A formula, and what stands around it.
struct Formula<'a> {
    before: &'a str,
    /// Its attributes.
    attributes: &'a str,
    inside: &'a str,
    /// Whether it does; where it does not, no other does.
    ends: bool,
    after: &'a str,
}

impl<'a> Formula<'a> {
    fn first(html: &'a str, may_end: bool) -> Option<Formula<'a>> {
        let (before, attributes, rest) = opening(html, "math")?;
        let end = may_end.then(|| find(rest, "</math")).flatten();
        // One that does not end has no text but what follows it.
        let (inside, after) = match end {
            Some(end) => {
                let (inside, end) = rest.split_at_checked(end)?;
                (inside, end.split_once('>').map_or("", |(_, after)| after))
            }
            None => ("", rest),
        };
        Some(Formula {
            before,
            attributes,
            inside,
            ends: end.is_some(),
            after,
        })
    }

    fn text(&self) -> String {
        let is = |attributes: &str, written: &str| find(attributes, written).is_some();
        if let Some(tex) = self.annotation("application/x-tex") {
            let is_block =
                is(self.attributes, "display=\"block\"") || is(self.attributes, "display='block'");
            let sign = if is_block { "$$" } else { "$" };
            return format!("{sign}{tex}{sign}");
        }
        match self.annotation("text/plain") {
            Some(text) => text.to_owned(),
            None => {
                let shown =
                    opening(self.inside, "annotation").map_or(self.inside, |(shown, ..)| shown);
                let parts = shown
                    .split('<')
                    .map(|part| part.split_once('>').map_or(part, |(_, text)| text));
                parts.map(str::trim).collect()
            }
        }
    }

    /// What it says in this form.
    fn annotation(&self, encoding: &str) -> Option<&'a str> {
        let mut rest = self.inside;
        loop {
            let (_, attributes, inside) = opening(rest, "annotation")?;
            if find(attributes, encoding).is_some() {
                let (text, _) = inside.split_at_checked(find(inside, "</annotation")?)?;
                return Some(text.trim());
            }
            rest = inside;
        }
    }
}

/// What stands before the first opening tag of this name, its attributes, and what stands after it.
fn opening<'a>(html: &'a str, name: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let mut from = 0;
    loop {
        let start = from + find(html.get(from..)?, &format!("<{name}"))?;
        let named = start + 1 + name.len();
        let rest = html.get(named..)?;
        if rest.starts_with(|c: char| c.is_ascii_whitespace() || c == '>' || c == '/') {
            let (attributes, after) = rest.split_once('>')?;
            return Some((html.get(..start)?, attributes, after));
        }
        from = named;
    }
}

/// Where a text has this in it, in any case.
fn find(text: &str, wanted: &str) -> Option<usize> {
    let mut windows = text.as_bytes().windows(wanted.len());
    windows.position(|it| it.eq_ignore_ascii_case(wanted.as_bytes()))
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
        assert!(
            shown.len() <= 3 * BYTES_MAX && shown.starts_with("<p>é<br>é<br>é"),
            "{}",
            shown.len()
        );
        let glued = format!(
            "<h1>One</h1><p>two <b>th</b>ree</p>{}",
            "<p></p>".repeat(OPENINGS_MAX)
        );
        assert_eq!(html(&glued), "<p>One<br>two three</p>");
    }

    #[test]
    fn formulas_are_shown_as_what_they_were_made_of() {
        let tex = "<annotation encoding=\"application/x-tex\">a &lt; b^2</annotation>";
        let text = "<annotation encoding='text/plain'>a less b</annotation>";
        let shape = "<mrow><mi>a</mi><mo>&lt;</mo>\n<mi>b</mi></mrow>";
        for (written, shown) in [
            (format!("<p>so <math><semantics>{shape}{tex}</semantics></math>.</p>"), "<p>so $a &lt; b^2$.</p>"),
            (format!("<MATH Display=\"block\"><semantics>{shape}{text}{tex}</semantics></MATH>"), "$$a &lt; b^2$$"),
            (format!("<math><semantics>{shape}{text}</semantics></math>"), "a less b"),
            (format!("<math>{shape}</math> and <math>{shape}</math>"), "a&lt;b and a&lt;b"),
            (format!("<math><semantics>{shape}<annotation-xml><ci>x</ci></annotation-xml></semantics></math>"), "a&lt;bx"),
            (format!("1 <math>{shape} 2"), "1  2"),
            ("<math></math>1<math/>2".to_owned(), "12"),
            ("<mathematics>1</mathematics>".to_owned(), "1"),
            ("<math".to_owned(), ""),
            ("<math><annotation encoding=\"application/x-tex\"><script>x</script>1</annotation></math>".to_owned(), "$1$"),
        ] {
            assert_eq!(html(&written), shown, "{written}");
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
