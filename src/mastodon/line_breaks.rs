//! The lines that blocks leave when they go: what was on a line of its own stays so, and what stood apart stays apart. Mastodon
//! lets no headings, tables and divisions through, and makes headings paragraphs in bold (its documentation, "HTML
//! sanitization").

/// Headings.
pub(super) const HEADINGS: [&str; 6] = ["h1", "h2", "h3", "h4", "h5", "h6"];
/// Blocks that go, which begin and end on lines of their own.
pub(super) const BLOCKS: [&str; 34] = [
    "address",
    "article",
    "aside",
    "caption",
    "center",
    "dd",
    "details",
    "dialog",
    "dir",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "header",
    "hgroup",
    "hr",
    "legend",
    "main",
    "menu",
    "nav",
    "optgroup",
    "option",
    "search",
    "section",
    "summary",
    "table",
    "tbody",
    "tfoot",
    "thead",
    "tr",
];
/// The elements that are side by side.
pub(super) const CELLS: [&str; 2] = ["td", "th"];
/// Blocks that stay.
const STAYING: [&str; 7] = ["p", "br", "pre", "blockquote", "ul", "ol", "li"];

/// The attributes of every link: it opens in another tab, without a referrer.
const LINK: &str = " target=\"_blank\" rel=\"nofollow noopener noreferrer\"";

/// The break that is still to be put before the next text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Gap {
    Nothing,
    Space,
    Line,
}

/// Harmless HTML, as the library writes it, with lines in the place of the blocks that go.
pub(super) fn kept(html: &str) -> String {
    let mut kept = Kept {
        html: String::with_capacity(html.len()),
        gap: Gap::Nothing,
        is_fresh: true,
        paragraphs: 0,
        headings: Vec::new(),
        links: 0,
    };
    let mut rest = html;
    while let Some((text, tag)) = rest.split_once('<') {
        kept.text(text);
        let Some((tag, after)) = split(tag) else {
            break;
        };
        kept.tag(tag);
        rest = after;
    }
    kept.text(rest);
    kept.html
}

/// A tag, and what comes after it.
fn split(text: &str) -> Option<(&str, &str)> {
    let mut is_quoted = false;
    let end = text.find(|c: char| {
        is_quoted ^= c == '"';
        c == '>' && !is_quoted
    })?;
    Some((text.get(..end)?, text.get(end + 1..)?))
}

/// Whether a tag, without its brackets, begins or ends a line.
pub(super) fn is_break(tag: &str) -> bool {
    let name = name_of(tag.trim_start_matches('/'));
    let all = [&STAYING[..], &BLOCKS[..], &HEADINGS[..]];
    let mut all = all.into_iter().flatten();
    all.any(|block| block.eq_ignore_ascii_case(name))
}

fn name_of(tag: &str) -> &str {
    let end = tag.find(|c: char| !c.is_ascii_alphanumeric());
    tag.get(..end.unwrap_or(tag.len())).unwrap_or_default()
}

struct Kept {
    html: String,
    gap: Gap,
    /// Nothing is shown on this line yet.
    is_fresh: bool,
    /// How many are open.
    paragraphs: usize,
    /// Whether each heading that is open was made a paragraph.
    headings: Vec<bool>,
    /// How many are open.
    links: usize,
}

impl Kept {
    fn text(&mut self, text: &str) {
        let is_blank = text.bytes().all(|b| b.is_ascii_whitespace());
        // The white space between two blocks is none.
        if is_blank && self.gap != Gap::Nothing {
            return;
        }
        if !is_blank {
            self.close_gap();
            self.is_fresh = false;
        }
        // The first line break in it goes when it is read.
        if text.starts_with('\n') && self.html.ends_with("<pre>") {
            self.html.push('\n');
        }
        self.html.push_str(text);
    }

    fn close_gap(&mut self) {
        match self.gap {
            Gap::Nothing => {}
            Gap::Space => self.html.push(' '),
            Gap::Line => {
                self.html.push_str("<br>");
                self.is_fresh = true;
            }
        }
        self.gap = Gap::Nothing;
    }

    fn tag(&mut self, tag: &str) {
        let (is_end, name) = match tag.strip_prefix('/') {
            Some(name) => (true, name),
            None => (false, name_of(tag)),
        };
        if HEADINGS.contains(&name) {
            self.heading(is_end);
        } else if BLOCKS.contains(&name) {
            self.line();
        } else if CELLS.contains(&name) {
            if !self.is_fresh && self.gap == Gap::Nothing {
                self.gap = Gap::Space;
            }
        } else if name == "a" {
            self.link(tag, is_end);
        } else if name == "p" && self.is_paragraph_inside(is_end) {
            // No paragraph is inside another.
            self.line();
        } else if STAYING.contains(&name) {
            self.gap = Gap::Nothing;
            self.is_fresh = true;
            self.push(tag);
        } else {
            if !is_end {
                self.close_gap();
            }
            self.push(tag);
        }
    }

    /// Counts a paragraph; whether it begins or ends in another, or in a heading.
    fn is_paragraph_inside(&mut self, is_end: bool) -> bool {
        let others = match is_end {
            false => {
                self.paragraphs += 1;
                self.paragraphs - 1
            }
            true => {
                self.paragraphs = self.paragraphs.saturating_sub(1);
                self.paragraphs
            }
        };
        0 < others || !self.headings.is_empty()
    }

    /// No link is inside another: of those that were, with a table or the like between them, the outermost stays.
    fn link(&mut self, tag: &str, is_end: bool) {
        if is_end {
            self.links = self.links.saturating_sub(1);
        }
        if self.links == 0 {
            if !is_end {
                self.close_gap();
            }
            self.html.push('<');
            self.html.push_str(tag);
            if !is_end {
                self.html.push_str(LINK);
            }
            self.html.push('>');
        }
        if !is_end {
            self.links += 1;
        }
    }

    fn heading(&mut self, is_end: bool) {
        let is_paragraph = match is_end {
            false => {
                let is_paragraph = self.paragraphs == 0 && self.headings.is_empty();
                self.headings.push(is_paragraph);
                is_paragraph
            }
            true => self.headings.pop().unwrap_or(false),
        };
        match (is_end, is_paragraph) {
            (false, true) => self.html.push_str("<p><strong>"),
            (true, true) => self.html.push_str("</strong></p>"),
            (false, false) => {
                self.line();
                self.close_gap();
                self.html.push_str("<strong>");
            }
            (true, false) => {
                self.html.push_str("</strong>");
                self.line();
            }
        }
        if is_paragraph {
            self.gap = Gap::Nothing;
            self.is_fresh = true;
        }
    }

    /// Here a line ends, if there is anything on it.
    fn line(&mut self) {
        if !self.is_fresh {
            self.gap = Gap::Line;
        }
    }

    fn push(&mut self, tag: &str) {
        self.html.push('<');
        self.html.push_str(tag);
        self.html.push('>');
    }
}

#[cfg(test)]
mod tests {
    use super::super::html::{TAGS, html};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn blocks_that_go_leave_their_lines() {
        for (written, shown) in [
            (
                "<h2>One</h2><h2>Two</h2>",
                "<p><strong>One</strong></p><p><strong>Two</strong></p>",
            ),
            ("<div>five</div><div>six</div>", "five<br>six"),
            (
                "<div><div>five</div>\n</div>\n\n<div>six</div>\n",
                "five<br>six",
            ),
            ("five<div>six</div>seven", "five<br>six<br>seven"),
            ("<div><p>one</p><p>two</p></div>", "<p>one</p><p>two</p>"),
            (
                "<div>one</div><p>two</p><div>three</div>",
                "one<p>two</p>three",
            ),
            (
                "<table><caption>T</caption><thead><tr><th>a</th><th>b</th></tr></thead><tr><td>1</td> <td>2</td></tr></table>end",
                "T<br>a b<br>1 2<br>end",
            ),
            ("<dl><dt>tide</dt><dd>low</dd></dl>", "tide<br>low"),
            // With the table goes what stood between two links.
            (
                "<a href=\"https://a.example/\">one<table><td><a href=\"https://b.example/\">two</a></td></table>three</a>",
                "<a href=\"https://a.example/\" target=\"_blank\" rel=\"nofollow noopener noreferrer\">one<br>two<br>three</a>",
            ),
            ("one<hr>two", "one<br>two"),
            ("one<br><div>two</div>", "one<br>two"),
            (
                "<figure><img src=x><figcaption>a <b>boat</b></figcaption></figure>",
                "a <b>boat</b>",
            ),
            ("<b>one<div>two</div></b>", "<b>one<br>two</b>"),
            ("<div>one</div><b>two</b>", "one<br><b>two</b>"),
            (
                "<b>one</b><section><i>two</i></section>",
                "<b>one</b><br><i>two</i>",
            ),
            (
                "<ul><li><div>one</div><div>two</div></li><li>three</li></ul>",
                "<ul><li>one<br>two</li><li>three</li></ul>",
            ),
            (
                "<h1><div>one</div>two</h1>",
                "<p><strong>one<br>two</strong></p>",
            ),
            (
                "<h1 class=\"x\" onclick=\"x\">one</h1><div style=\"x\">two</div>",
                "<p><strong>one</strong></p>two",
            ),
            (
                "<blockquote><h3>one</h3>two</blockquote>",
                "<blockquote><p><strong>one</strong></p>two</blockquote>",
            ),
            (
                "<p>one<object><h1>two</h1></object>three</p>",
                "<p>one<br><strong>two</strong><br>three</p>",
            ),
            (
                "<h1>one<object><p>two</p></object></h1>",
                "<p><strong>one<br>two</strong></p>",
            ),
            (
                "<span class=\"u-<h1>\">a</span> <a href=\"https://a.example/?<div>\">b</a>",
                "<span class=\"u-&lt;h1&gt;\">a</span> <a href=\"https://a.example/?%3Cdiv%3E\" target=\"_blank\" rel=\"nofollow noopener noreferrer\">b</a>",
            ),
            ("<pre>a\n  b</pre>", "<pre>a\n  b</pre>"),
            ("<pre>\na</pre>", "<pre>a</pre>"),
            ("<pre>\n\na</pre>", "<pre>\n\na</pre>"),
            ("<pre></i>\na</pre>", "<pre>\n\na</pre>"),
            ("a &lt;div&gt; b", "a &lt;div&gt; b"),
        ] {
            assert_eq!(html(written), shown, "{written}");
        }
    }

    proptest! {
        /// A failure means that something is shown that was not let through.
        #[test]
        fn nothing_comes_out_but_what_is_let_through(soup in soup()) {
            let shown = html(&soup);
            let tags = shown.split('<').skip(1).map(|tag| name_of(tag.trim_start_matches('/')));
            for tag in tags {
                prop_assert!(TAGS.contains(&tag), "{soup} {shown}");
            }
            // Text between cells is put before the table.
            let text = |html: &str| {
                let mut text: Vec<char> = html.chars().filter(|c| !c.is_ascii()).collect();
                text.sort_unstable();
                text
            };
            prop_assert_eq!(text(&shown), text(&soup), "{} {}", soup, shown);
            // Blocks may move when it is read again: an item of a list in one, with a division between. Nothing else does.
            let letters = |html: &str| -> String { html.chars().filter(|c| !c.is_ascii()).collect() };
            let again = html(&shown);
            prop_assert_eq!(letters(&again), letters(&shown), "{} {} {}", soup, shown, again);
        }
    }

    /// Tags in any order, with letters between.
    fn soup() -> impl Strategy<Value = String> {
        let names: Vec<&str> =
            [&TAGS[..], &BLOCKS, &CELLS, &["colgroup", "object", "body"]].concat();
        let tag =
            (any::<bool>(), prop::sample::select(names)).prop_map(|(is_end, name)| match is_end {
                true => format!("</{name}>"),
                false => format!("<{name} title=\"<p>\" class=\"u-x >\">"),
            });
        let heading =
            prop::sample::select(&HEADINGS[..]).prop_map(|name| format!("<{name}>ä</{name}>"));
        let text = prop::sample::select(vec!["ö", "ü", " é", "\n"]).prop_map(str::to_owned);
        let parts = prop_oneof![tag, heading, text];
        prop::collection::vec(parts, 0..24).prop_map(|parts| parts.concat())
    }

    #[test]
    fn what_has_no_blocks_that_go_stays_as_it_is() {
        for written in [
            "",
            " ",
            "low tide",
            "<p>low <b>tide</b></p> <p>out</p>",
            "<ul><li>a</li></ul>\n",
            "a<br><br>b",
        ] {
            assert_eq!(kept(written), written);
        }
    }

    #[test]
    fn a_tag_is_known_by_its_name() {
        for (tag, expected) in [
            ("p class=x", true),
            ("/DIV", true),
            ("h1", true),
            ("br/", true),
            ("b", false),
            ("", false),
            ("!-- p", false),
        ] {
            assert_eq!(is_break(tag), expected, "{tag}");
        }
    }
}
