//! How much work HTML makes. A browser's way of reading it (HTML, "adoption agency algorithm" and "reconstruct the active
//! formatting elements") makes copies of what was left open for what follows: a thousand tags can be a million elements, and
//! closing tags look through all that is open. So it is first read into nothing, in small parts, by the parser that reads it
//! afterwards, and given up as soon as that counts too much. Pure, and the same every time: counted are steps, not moments.

use html5ever::interface::{ElementFlags, NodeOrText, QuirksMode, TreeSink};
use html5ever::tendril::{StrTendril, TendrilSink};
use html5ever::{Attribute, ExpandedName, ParseOpts, QualName, local_name, ns, parse_fragment};
use std::borrow::Cow;
use std::cell::Cell;
use std::rc::Rc;

/// The most elements and comments that it may come to.
pub(super) const NODES_MAX: usize = 6_000;
/// The greatest depth of elements.
pub(super) const DEPTH_MAX: usize = 100;
/// The most that the parser may look at what it has: several times what thousands of tags take that are closed in their turn.
const STEPS_MAX: usize = 200_000;
/// The most white space and slashes in a tag or comment: between them stand attributes, each of which is compared with all
/// before.
const SEPARATORS_MAX: usize = 900;
/// The same in a closing tag, where attributes say nothing.
const CLOSING_SEPARATORS_MAX: usize = 20;
/// The most bytes of attributes beside twice the bytes that were written.
const BYTES_MORE: usize = 4 << 10;
/// The bytes that are read between two checks of the count, and no more than one tag.
const PART_BYTES: usize = 512;

/// Whether HTML takes more than bounded time and space to be read.
pub(super) fn is_too_costly(html: &str) -> bool {
    let bytes_max = 2 * html.len() + BYTES_MORE;
    let counts = Counts::default();
    let mut parser = parse_fragment(
        Sink(&counts),
        ParseOpts::default(),
        QualName::new(None, ns!(html), local_name!("div")),
        Vec::new(),
        false,
    );
    let (mut rest, mut silent) = (html, 0);
    while !rest.is_empty() {
        let (part, after) = first_part(rest);
        if ends_laden(part) {
            return true;
        }
        let steps = counts.steps.get();
        parser.process(StrTendril::from(part));
        silent = match steps == counts.steps.get() {
            true => silent + separators(part),
            false => 0,
        };
        if SEPARATORS_MAX < silent || counts.exceed(bytes_max) {
            return true;
        }
        rest = after;
    }
    parser.finish();
    counts.exceed(bytes_max)
}

/// The part that is read next, and the rest.
fn first_part(html: &str) -> (&str, &str) {
    let more = html.as_bytes().iter().skip(1).take(PART_BYTES - 1);
    let more = more.take_while(|byte| **byte != b'<').count();
    html.split_at(html.floor_char_boundary(1 + more))
}

/// Whether it begins as a closing tag and has many attributes: the parser compares them there too, without reporting it.
fn ends_laden(part: &str) -> bool {
    part.starts_with("</") && CLOSING_SEPARATORS_MAX < separators(tag_of(part))
}

/// The closing tag that a part begins with, without what comes behind it; all of the part, if the tag does not end in it.
///
/// A `>` ends it, but in a quoted value. Where one of these begins is told by the states of HTML's tokenization, from "tag name
/// state" to "after attribute value (quoted) state".
fn tag_of(part: &str) -> &str {
    enum State {
        TagName,
        BeforeName,
        Name,
        AfterName,
        BeforeValue,
        Unquoted,
        Quoted(u8),
    }
    use State::{AfterName, BeforeName, BeforeValue, Name, Quoted, TagName, Unquoted};
    let mut state = TagName;
    for (at, byte) in part.bytes().enumerate().skip("</".len()) {
        let is_space = byte.is_ascii_whitespace();
        state = match (state, byte) {
            (Quoted(quote), _) if byte == quote => BeforeName,
            (Quoted(quote), _) => Quoted(quote),
            (_, b'>') => return part.get(..at).unwrap_or(part),
            (BeforeValue, b'"' | b'\'') => Quoted(byte),
            (BeforeValue, _) if is_space => BeforeValue,
            (Unquoted, _) if is_space => BeforeName,
            (BeforeValue | Unquoted, _) => Unquoted,
            (_, b'/') => BeforeName,
            (TagName | BeforeName, _) if is_space => BeforeName,
            (Name | AfterName, _) if is_space => AfterName,
            (Name | AfterName, b'=') => BeforeValue,
            (TagName, _) => TagName,
            (BeforeName | Name | AfterName, _) => Name,
        };
    }
    part
}

fn separators(part: &str) -> usize {
    let separates = |byte: &u8| byte.is_ascii_whitespace() || *byte == b'/';
    part.bytes().filter(separates).count()
}

/// The counts of HTML as it was read.
#[derive(Default)]
struct Counts {
    nodes: Cell<usize>,
    /// The bytes of all attributes, those of copies too.
    bytes: Cell<usize>,
    depth: Cell<usize>,
    steps: Cell<usize>,
}

impl Counts {
    fn exceed(&self, bytes_max: usize) -> bool {
        NODES_MAX < self.nodes.get()
            || bytes_max < self.bytes.get()
            // The first is the root, which is not in the source.
            || DEPTH_MAX + 1 < self.depth.get()
            || STEPS_MAX < self.steps.get()
    }

    fn step(&self, steps: usize) {
        self.steps.set(self.steps.get() + steps);
    }

    /// A step for which a node is searched for among its siblings.
    fn count_scan(&self) {
        self.step(1 + self.nodes.get());
    }

    fn add_node(&self) {
        self.nodes.set(self.nodes.get() + 1);
        self.step(1);
    }
}

/// A place for HTML to be read into, in which nothing is kept.
struct Sink<'a>(&'a Counts);

/// A node as far as the parser needs it.
struct Node {
    name: QualName,
    is_integration_point: bool,
    /// In how many it was put when it was put somewhere last.
    depth: Cell<usize>,
}

impl Node {
    fn new(name: QualName, is_integration_point: bool) -> Rc<Node> {
        Rc::new(Node {
            name,
            is_integration_point,
            depth: Cell::new(0),
        })
    }

    /// A node that is no element, and whose name is never needed.
    fn unnamed() -> Rc<Node> {
        Node::new(QualName::new(None, ns!(), local_name!("")), false)
    }
}

impl Sink<'_> {
    fn put(&self, depth: usize, child: &NodeOrText<Rc<Node>>) {
        self.0.step(1);
        if let NodeOrText::AppendNode(node) = child {
            node.depth.set(depth);
            self.0.depth.set(self.0.depth.get().max(depth));
        }
    }
}

impl TreeSink for Sink<'_> {
    type Handle = Rc<Node>;
    type Output = ();
    type ElemName<'a>
        = ExpandedName<'a>
    where
        Self: 'a;

    fn finish(self) {}

    fn parse_error(&self, _: Cow<'static, str>) {}

    fn get_document(&self) -> Rc<Node> {
        Node::unnamed()
    }

    fn elem_name<'a>(&'a self, target: &'a Rc<Node>) -> ExpandedName<'a> {
        self.0.step(1);
        target.name.expanded()
    }

    fn create_element(
        &self,
        name: QualName,
        attributes: Vec<Attribute>,
        flags: ElementFlags,
    ) -> Rc<Node> {
        self.0.add_node();
        self.0.step(attributes.len() * attributes.len());
        let bytes = attributes
            .iter()
            .map(|it| it.name.local.len() + it.value.len());
        self.0.bytes.set(self.0.bytes.get() + bytes.sum::<usize>());
        Node::new(name, flags.mathml_annotation_xml_integration_point)
    }

    fn create_comment(&self, _: StrTendril) -> Rc<Node> {
        self.0.add_node();
        Node::unnamed()
    }

    fn create_pi(&self, _: StrTendril, _: StrTendril) -> Rc<Node> {
        self.0.add_node();
        Node::unnamed()
    }

    fn append(&self, parent: &Rc<Node>, child: NodeOrText<Rc<Node>>) {
        self.put(parent.depth.get() + 1, &child);
    }

    fn append_based_on_parent_node(
        &self,
        _: &Rc<Node>,
        below: &Rc<Node>,
        child: NodeOrText<Rc<Node>>,
    ) {
        self.0.count_scan();
        self.put(below.depth.get() + 1, &child);
    }

    fn append_before_sibling(&self, sibling: &Rc<Node>, child: NodeOrText<Rc<Node>>) {
        self.0.count_scan();
        self.put(sibling.depth.get(), &child);
    }

    fn append_doctype_to_document(&self, _: StrTendril, _: StrTendril, _: StrTendril) {}

    fn get_template_contents(&self, target: &Rc<Node>) -> Rc<Node> {
        Rc::clone(target)
    }

    fn same_node(&self, one: &Rc<Node>, other: &Rc<Node>) -> bool {
        self.0.step(1);
        Rc::ptr_eq(one, other)
    }

    fn set_quirks_mode(&self, _: QuirksMode) {}

    fn add_attrs_if_missing(&self, _: &Rc<Node>, attributes: Vec<Attribute>) {
        self.0.step(attributes.len() * attributes.len());
    }

    fn remove_from_parent(&self, _: &Rc<Node>) {
        self.0.count_scan();
    }

    fn reparent_children(&self, _: &Rc<Node>, _: &Rc<Node>) {
        self.0.count_scan();
    }

    fn is_mathml_annotation_xml_integration_point(&self, node: &Rc<Node>) -> bool {
        node.is_integration_point
    }
}

#[cfg(test)]
mod tests {
    use super::super::worst_posts;
    use super::*;

    /// A failure means that a post of some kilobytes takes seconds and hundreds of megabytes.
    #[test]
    fn what_explodes_is_seen_before_it_does() {
        let exploding = worst_posts::texts(36_000);
        let is_found = |first: &str| {
            let mut all = exploding.iter().filter(|(what, _)| what.starts_with(first));
            assert!(all.all(|(_, text)| is_too_costly(text)), "{first}");
        };
        for what in [
            "<strong class=\"h-#\">… <p>x…",
            "<b>… </i>…",
            "<b class=#>… <div></b>…",
            "<div>… </span>…",
            "one tag of",
            "one closing tag of",
            "tags of 1000",
            "closing tags of",
            "a long link in",
            "<b><p></b>…",
            "<table>x…",
            "<select><selectedcontent>…",
        ] {
            is_found(what);
        }
    }

    #[test]
    fn what_people_write_is_not_tangled() {
        let paragraph = "<p>Low <b>tide</b>, <a href=\"https://a.example/\" class=\"u-url mention\">@<span>ana</span></a> &amp; <br>x</p>";
        let list = "<ul><li>one</li><li>two<ol><li>three</li></ol></li></ul>";
        let cells = "<tr><td>1</td> <td><p>2</p></td></tr>\n";
        let table = format!("<table><tbody>{}</tbody></table>", cells.repeat(100));
        let block = "<!-- wp:paragraph --><div class=\"x\"><h2>x</h2></div>";
        for (what, text) in [
            ("paragraphs", paragraph.repeat(800)),
            ("lists", list.repeat(400)),
            ("tables", table.repeat(8)),
            ("blocks", block.repeat(800)),
            (
                "quotes",
                format!(
                    "{}x{}",
                    "<blockquote><p>x</p>".repeat(40),
                    "</blockquote>".repeat(40)
                ),
            ),
            ("what is not closed", "<p>one<li>two".repeat(800)),
            ("a comment", format!("<!--{}-->x", "x".repeat(20_000))),
            (
                "a picture in a link",
                format!(
                    "<p>x</p><img src=\"data:image/png;base64,{}\">",
                    "iVBORw0KGgoAAAANSUhEUgAAAA+/".repeat(500)
                ),
            ),
            (
                "pictures of many sizes",
                format!(
                    "<img srcset=\"{}\">",
                    "https://a.example/i/1 100w, ".repeat(75)
                ),
            ),
            (
                "a closing tag that says more",
                "<p>one</p class=\"x\"><p>two</p >".repeat(100),
            ),
            ("what was cut off", "<p>one</p><p>two</p".to_owned()),
            (
                "a sentence behind a closing tag",
                format!("<p><b>Low</b>{}</p>", " tide at last".repeat(100)),
            ),
            ("lines behind one", format!("<p>x</p>{}", "\n".repeat(300))),
            ("text", "é &lt; x ".repeat(10_000)),
            ("nothing", String::new()),
        ] {
            assert!(!is_too_costly(&text), "{what}");
        }
    }

    #[test]
    fn a_part_is_no_more_than_one_tag() {
        for (html, first) in [("a<b>c", "a"), ("<b>c<", "<b>c"), ("é<", "é"), ("<<", "<")] {
            assert_eq!(first_part(html).0, first);
        }
        assert_eq!(first_part(&"é".repeat(PART_BYTES)).0.len(), PART_BYTES);
        for (part, is_laden) in [
            ("</p>x", false),
            ("</p \n>", false),
            ("</p a>", false),
            ("</p", false),
            ("</p a b c d e f g h i j k l m n o p q r s t u>", true),
            ("<p a b c d e f g h i j k l m n o p q r s t u>", false),
            ("<p a>", false),
            (
                "</p> and a sentence of more words than there may be attributes in a tag is not one and not the other either",
                false,
            ),
            ("</p x='>' a b c d e f g h i j k l m n o p q r s t u", true),
            (
                "</p =\">\" a b c d e f g h i j k l m n o p q r s t u",
                false,
            ),
        ] {
            assert_eq!(ends_laden(part), is_laden, "{part}");
        }
    }

    #[test]
    fn a_closing_tag_ends_where_the_parser_ends_it() {
        for (part, tag) in [
            ("</p>x y", "</p"),
            ("</p", "</p"),
            ("</p \">x", "</p \""),
            ("</p=\">x\">", "</p=\""),
            ("</p a=\">\">x", "</p a=\">\""),
            ("</p a = '>' b>x", "</p a = '>' b"),
            ("</p a/=\">\">x", "</p a/=\""),
            ("</p =\" a=\">\">x", "</p =\" a=\">\""),
            ("</p a=b\">x", "</p a=b\""),
            ("</p a=\"b\"c=\">\">x", "</p a=\"b\"c=\">\""),
            ("</p a=>x", "</p a="),
            ("</p a=\"x", "</p a=\"x"),
        ] {
            assert_eq!(tag_of(part), tag, "{part}");
            let behind = part.get(tag.len() + 1..).unwrap_or_default();
            let text = ammonia::clean(&format!("<p>{part}"))
                .replace("<p>", "")
                .replace("</p>", "")
                .replace("&gt;", ">");
            assert_eq!(text, behind, "{part}");
        }
    }
}
