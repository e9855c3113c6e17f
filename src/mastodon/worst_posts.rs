//! The posts that cost most to show, of those somebody thought of and those a search found. Tests count what is sent of them in
//! bytes, and a benchmark measures them.

use serde_json::{Value, json};
use std::fmt::Write as _;

/// What is repeated until a text is full.
const UNITS: [&str; 64] = [
    "<b>",
    "<b></i>",
    "<a>",
    "<a>x</a>",
    "<a href=http:a>",
    "<a href=https://a.b>x</a>",
    "<p><b>",
    "<b><p>",
    "<b><p></b>",
    "<i><div></i>",
    "<a><p></a>",
    "<a><div><b></a>",
    "<p><a href=https://a.example/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa>x<p>",
    "<font color=a><p>",
    "<nobr><p>",
    "<table>",
    "<table>x",
    "<table><b>x",
    "<table><b>x</table>",
    "<table><tr><td>",
    "<table><tr><td></table>",
    "<table><caption>",
    "<table><col>",
    "<table><select><option>",
    "<b><table>",
    "<table><td><b></td>",
    "<li>",
    "<ul><li>",
    "<ul><li></ul>",
    "<dd>",
    "<ruby><rt>",
    "<h1>",
    "<h1>x</h1>",
    "<div><h1>",
    "<div>x</div>",
    "<p>x",
    "<p></p>",
    "<br>",
    "<hr>",
    "<svg>",
    "<svg><b>",
    "<svg><desc><b>",
    "<math><mi>",
    "<math><mi>x</mi></math>",
    "<math><annotation encoding=\"application/x-tex\"><b>x</annotation></math>",
    "<math><annotation>",
    "<math>",
    "<select>",
    "<select><option>x",
    "<select><selectedcontent>",
    "<template>",
    "<button>",
    "<form>",
    "<applet>",
    "<!---->",
    "</p a b c d e f>",
    "</x>",
    "<span class=\"u-a u-b u-c\">x</span>",
    "<script></script>",
    "&amp;",
    "&",
    "&NotEqualTilde;",
    "<",
    "\u{1}",
];

/// What is written so often at the beginning, and then another so often.
const PAIRS: [(&str, &str); 15] = [
    // A formula that says nothing, however often it seems to begin to.
    (
        "<math><annotation application/x-tex>",
        "</annotation></math>",
    ),
    ("<strong class=\"h-#\">", "<p>x"),
    ("<b>", "</i>"),
    ("<b>", "</b>"),
    ("<b class=#>", "<p>"),
    ("<b class=#>", "<div></b>"),
    ("<b class=#><div>", "</b>"),
    ("<div>", "</span>"),
    ("<div>", "<p>"),
    ("<div>", "<li>"),
    ("<a href=https://a.example/#>", "<p>"),
    ("<table>", "<b>x"),
    ("<table><tr><td>", "<p>x"),
    ("<b class=#><table>", "<i>"),
    ("<p #>", "x"),
];

/// Texts of HTML of about these many bytes, each with a word for what it is.
pub(crate) fn texts(bytes: usize) -> Vec<(String, String)> {
    let mut texts = Vec::new();
    for unit in UNITS {
        texts.push((format!("{unit}…"), unit.repeat(bytes / unit.len())));
    }
    for (first, then) in PAIRS {
        for share in [8, 2] {
            let half = bytes / share;
            let mut text = String::new();
            while text.len() < half {
                text.push_str(&first.replace('#', &text.len().to_string()));
            }
            let rest = bytes.saturating_sub(text.len()) / then.len();
            text.push_str(&then.repeat(rest));
            texts.push((format!("{first}… {then}…"), text));
        }
    }
    let attributes = |close: &str| {
        let mut text = format!("<{close}p");
        for n in 0.. {
            if bytes < text.len() {
                break;
            }
            let _ = write!(text, " a{n:x}");
        }
        text + ">x"
    };
    texts.push(("one tag of attributes".to_owned(), attributes("")));
    texts.push(("one closing tag of attributes".to_owned(), attributes("/")));
    let laden = |close: &str, size: usize| {
        let mut tag = format!("<{close}p");
        for n in 0..size / 4 {
            let _ = write!(tag, " {n:03x}");
        }
        (tag + ">").repeat(bytes / size)
    };
    for size in [100, 400, 1_000, 3_900] {
        texts.push((format!("tags of {size} bytes"), laden("", size)));
        texts.push((format!("closing tags of {size} bytes"), laden("/", size)));
    }
    let href = format!(
        "<p><a href=\"https://a.example/{}\">",
        "a".repeat(bytes / 2)
    );
    texts.push((
        "a long link in many paragraphs".to_owned(),
        href + &"<p>x".repeat(bytes / 8),
    ));
    let deep = "<div>".repeat(90) + &"<b></i>".repeat(bytes / 7);
    texts.push((
        "closing tags below what is nearly too deep".to_owned(),
        deep,
    ));
    texts
}

/// Texts that somebody throws together, `seed` by `seed`.
pub(crate) fn thrown(seed: u64, bytes: usize) -> String {
    let mut dice = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut roll = |below: usize| {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        usize::try_from(dice >> 33).unwrap_or(0) % below
    };
    let few: Vec<&str> = (0..1 + roll(4))
        .filter_map(|_| UNITS.get(roll(UNITS.len())).copied())
        .collect();
    let mut text = String::new();
    while text.len() < bytes {
        let unit = few.get(roll(few.len())).copied().unwrap_or("x");
        text.push_str(&unit.repeat(1 + roll(40)));
    }
    text
}

/// Posts of about these many bytes that have too much of something else than HTML.
pub(crate) fn objects(bytes: usize) -> Vec<(&'static str, Value)> {
    let list = |item: &dyn Fn(usize) -> Value| {
        let one = item(0).to_string().len() + 1;
        Value::from((0..bytes / one).map(item).collect::<Vec<_>>())
    };
    let tags = |item: &dyn Fn(usize) -> Value| json!({"tag": list(item)});
    let wide = "ﷺ".repeat(160);
    let url = |n: usize| format!("https://a.example/{n}{}", "é".repeat(300));
    vec![
        (
            "hashtags",
            tags(&|n| json!({"type": "Hashtag", "name": format!("#{n}")})),
        ),
        (
            "hashtags in wide letters",
            tags(&|n| json!({"type": "Hashtag", "name": format!("{n}{wide}")})),
        ),
        (
            "hashtags that are too long",
            tags(&|_| json!({"type": "Hashtag", "name": wide.repeat(4)})),
        ),
        (
            "mentions",
            tags(&|n| json!({"type": "Mention", "href": format!("https://a.example/{}", n % 100)})),
        ),
        (
            "emoji",
            tags(&|n| json!({"type": "Emoji", "name": format!("e{n}"), "icon": {"url": "http:a"}})),
        ),
        (
            "emoji of long links",
            tags(&|n| json!({"type": "Emoji", "name": format!("e{n}"), "icon": {"url": url(n)}})),
        ),
        (
            "media",
            json!({"attachment": list(&|n| json!({"type": "Image", "url": format!("http:{n}")}))}),
        ),
        (
            "media of long links",
            json!({"attachment": list(&|n| json!({"type": "Image", "url": url(n)}))}),
        ),
        (
            "media that are none",
            json!({"attachment": list(&|n| json!({"type": "Link", "href": url(n)}))}),
        ),
        (
            "media of many links",
            json!({"attachment": {"type": "Image", "url": list(&|n| json!(url(n)))}}),
        ),
        ("links", json!({"url": list(&|n| json!({"href": url(n)}))})),
        (
            "a poll",
            json!({"type": "Question", "oneOf": list(&|n| json!({"name": n.to_string()}))}),
        ),
        (
            "a poll of long choices",
            json!({"type": "Question", "oneOf": list(&|_| json!({"name": "\"".repeat(5_000)}))}),
        ),
        (
            "languages",
            json!({"contentMap": (0..bytes / 12).map(|n| (format!("{n:x}"), json!(""))).collect::<serde_json::Map<_, _>>()}),
        ),
        ("empty lists", json!({"x": list(&|_| json!([]))})),
        ("small objects", json!({"x": list(&|_| json!({"": 0}))})),
        ("a summary", json!({"summary": "&".repeat(bytes)})),
        (
            "a title",
            json!({"type": "Page", "name": "&".repeat(bytes), "summary": "'".repeat(bytes / 2)}),
        ),
        (
            "plain text",
            json!({"mediaType": "text/plain", "content": "\n\nx".repeat(bytes / 5)}),
        ),
        (
            "plain ampersands",
            json!({"mediaType": "text/plain", "content": "&".repeat(bytes)}),
        ),
        (
            "a long text",
            json!({"content": "<p>x</p>".repeat(bytes / 8)}),
        ),
        (
            "a long text of ampersands",
            json!({"content": "&".repeat(bytes)}),
        ),
        (
            "a long text of controls",
            json!({"content": "\u{1}".repeat(bytes / 6)}),
        ),
    ]
}
