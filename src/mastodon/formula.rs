//! Formulas in HTML: the text they were made of, in place of their MathML.

use std::borrow::Cow;

/// HTML with the text of its formulas in the place of their MathML: the TeX they were made of, as FEP-dc88 asks for and
/// Mastodon shows it, else what else says it in text. What this makes is made harmless afterwards.
pub(super) fn formulas(written: &str) -> Cow<'_, str> {
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

/// The most annotations of a formula that are read: it has one of each form, and reading one may go to its end.
const ANNOTATIONS_MAX: usize = 8;

/// A formula, and the text around it.
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
                texts(shown).map(str::trim).collect()
            }
        }
    }

    /// Its annotation in this form, if anything is left of it when it is made harmless.
    fn annotation(&self, encoding: &str) -> Option<&'a str> {
        let mut rest = self.inside;
        for _ in 0..ANNOTATIONS_MAX {
            let (_, attributes, inside) = opening(rest, "annotation")?;
            if find(attributes, encoding).is_some() {
                let (text, _) = inside.split_at_checked(find(inside, "</annotation")?)?;
                if says_something(text) {
                    return Some(text.trim());
                }
            }
            rest = inside;
        }
        None
    }
}

/// The text between tags.
fn texts(html: &str) -> impl Iterator<Item = &str> {
    html.split('<')
        .enumerate()
        .filter_map(|(nth, part)| match nth {
            0 => Some(part),
            // A tag that does not end takes the rest of the text.
            _ => part.split_once('>').map(|(_, text)| text),
        })
}

/// Whether any of it is shown: neither tags are, nor what stands in those that go with all that is in them.
fn says_something(html: &str) -> bool {
    let mut rest = html;
    let mut shown = String::new();
    while let Some((before, after)) = rest.split_once('<') {
        shown.push_str(before);
        let gone = ["script", "style"].into_iter().find(|name| {
            after
                .get(..name.len())
                .is_some_and(|it| it.eq_ignore_ascii_case(name))
        });
        rest = match gone {
            Some(name) => match find(after, &format!("</{name}")) {
                Some(end) => after.get(end + 2..).unwrap_or_default(),
                None => "",
            },
            None => after,
        };
        rest = rest.split_once('>').map_or("", |(_, text)| text);
    }
    shown.push_str(rest);
    !shown.replace("&nbsp;", " ").trim().is_empty()
}

/// The text before the first opening tag of this name, its attributes, and the text after it.
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

#[cfg(test)]
mod tests {
    use super::super::html::html;

    #[test]
    fn formulas_are_shown_as_what_they_were_made_of() {
        let tex = "<annotation encoding=\"application/x-tex\">a &lt; b^2</annotation>";
        let text = "<annotation encoding='text/plain'>a less b</annotation>";
        let annotated = |tex: &str| {
            format!(
                "<math><mi>a</mi><mo>&lt;</mo><mi>b</mi><annotation encoding=\"application/x-tex\">{tex}</annotation></math>"
            )
        };
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
            // One that says nothing says nothing of what else does.
            (annotated("<script>x</script>"), "a&lt;b"),
            (annotated("<!-- x --> <STYLE>x</STYLE>&nbsp;<b></b>"), "a&lt;b"),
            (annotated("<script>x"), "a&lt;b"),
            (annotated(" "), "a&lt;b"),
            (format!("<math><semantics>{shape}<annotation encoding=\"application/x-tex\"></annotation>{text}</semantics></math>"), "a less b"),
        ] {
            assert_eq!(html(&written), shown, "{written}");
        }
    }
}
