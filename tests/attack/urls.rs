//! Links that run something, names that are not what they seem.

use super::findings::{Bounds, Findings};
use super::victim::{Setting, Victim, create, note};
use super::{Attack, Failed, Scale};
use reqwest::Method;
use serde_json::{Value, json};

pub(crate) const SCHEMES: Attack = Attack {
    name: "urls_schemes",
    setting: Setting::Tokens(""),
    prepare: |_, _, _| Ok(()),
    act: schemes,
    bounds: Bounds::calm,
};

const EVE: &str = "https://evil.example/users/eve";
const LINKS: [&str; 8] = [
    "javascript:alert(1)",
    "JavaScript:alert(1)",
    " javascript:alert(1)",
    "java\tscript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "/users/ana",
    "//evil.example/x",
    "https:evil",
];

fn schemes(victim: &Victim, _: Scale, findings: &mut Findings) -> Result<(), Failed> {
    let token = victim.kims_token();
    for (n, link) in LINKS.iter().enumerate() {
        let eve = format!("{EVE}{n}");
        let mut object = note(
            &eve,
            &format!("{eve}/posts/1"),
            "<p>look <a href=x>here</a></p>",
        );
        object["url"] = json!(link);
        object["tag"] = json!([
            {"type": "Mention", "href": link, "name": "@ana@a.example"},
            {"type": "Mention", "href": format!("{eve}/friend"), "name": "@admin@home.example"},
            {"type": "Hashtag", "href": link, "name": "#tide"},
            {"type": "Emoji", "name": ":x\" onerror=alert(1) y:", "icon": {"url": format!("https://evil.example/{n}.png")}},
            {"type": "Emoji", "name": ":fine:", "icon": {"url": link}},
        ]);
        object["attachment"] = json!([{"type": "Image", "url": link, "mediaType": "image/png"},
            {"type": "Document", "url": "https://evil.example/x.png", "mediaType": "image/png", "icon": {"url": link}}]);
        let person = json!({"type": "Person", "id": eve, "preferredUsername": "eve", "inbox": format!("{eve}/inbox"), "url": link,
            "icon": {"type": "Image", "url": link}, "image": {"type": "Image", "url": link},
            "attachment": [{"type": "PropertyValue", "name": "a", "value": format!("<a href=\"{link}\">x</a>")}]});
        let update = json!({"type": "Update", "id": format!("{eve}#update"), "actor": eve, "object": person});
        victim.hand_in(&[update])?;
        let said = victim.hand_in(&[create(&object)])?;
        if said["accepted"] == 0 {
            // As good.
            findings.note(format!("with {link:?}: {}", said["rejected"][0]["reason"]));
            continue;
        }
        victim.settle();
        let id = victim.id_of(object["id"].as_str().ok_or("no id")?)?;
        let request = victim.anyone(Method::GET, &format!("/api/v1/statuses/{id}"));
        let status: Value = request.bearer_auth(&token).send()?.json()?;
        links(link, "", &status, findings);
        for emoji in status["emojis"].as_array().ok_or("no emojis")? {
            let name = emoji["shortcode"].as_str().unwrap_or_default();
            let is_plain =
                !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            findings.must(is_plain, || format!("an emoji is called {name:?}"));
        }
        for mention in status["mentions"].as_array().ok_or("no mentions")? {
            let acct = mention["acct"].as_str().unwrap_or_default();
            let is_of_home = acct.ends_with("@home.example") || !acct.contains('@');
            let is_said = mention["url"]
                .as_str()
                .unwrap_or_default()
                .contains("evil.example");
            findings.must(!(is_of_home && is_said), || {
                format!("somebody of evil.example is shown as {acct:?}")
            });
        }
    }
    Ok(())
}

/// Every URL is one that a browser may follow, as it is normalised, or none.
fn links(sent: &str, key: &str, value: &Value, findings: &mut Findings) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                links(sent, key, value, findings);
            }
        }
        Value::Array(items) => {
            for item in items {
                links(sent, key, item, findings);
            }
        }
        Value::String(text) if is_url(key) && !text.is_empty() => {
            let parsed = url::Url::parse(text);
            let is_good = parsed
                .as_ref()
                .is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
            findings.must(is_good, || format!("{sent:?} is shown as {key} {text:?}"));
            let is_normal = parsed
                .is_ok_and(|url| url.as_str().trim_end_matches('/') == text.trim_end_matches('/'));
            findings.must(!is_good || is_normal, || {
                format!("{key} {text:?} is not normalised")
            });
        }
        _ => {}
    }
}

fn is_url(key: &str) -> bool {
    let names = ["uri", "avatar", "avatar_static", "header", "header_static"];
    key == "url" || key.ends_with("_url") || names.contains(&key)
}
