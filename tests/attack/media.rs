//! A timeline of media alone, of a feed that has none: all of it is looked through.

use super::findings::{Bounds, Findings};
use super::victim::{Setting, Victim, create, note};
use super::{Attack, Failed, Scale};
use reqwest::Method;
use serde_json::{Value, json};
use slackwater::clock;
use std::time::Duration;

pub(crate) const ONLY_MEDIA: Attack = Attack {
    name: "only_media",
    setting: Setting::Tokens(""),
    prepare: |victim, scale, _| {
        // Lists are slow to parse.
        let extra: Vec<Value> = (0..scale.of(1_000, 3_000))
            .map(|n| json!({"type": "Hashtag", "name": format!("#tag{n}")}))
            .collect();
        let posts: Vec<Value> = (0..scale.of(200, 400))
            .map(|n| {
                let mut object = note(ANA, &format!("{ANA}/posts/{n}"), "<p>text</p>");
                object["extra"] = json!(extra);
                create(&object)
            })
            .collect();
        victim.tell(&posts, 20)
    },
    act: only_media,
    bounds: |scale| Bounds {
        memory_growth_mib_max: 256,
        ..Bounds::calm(scale)
    },
};

const ANA: &str = "https://a.example/users/ana";
/// The longest that one such page may take.
const WAIT_MAX: Duration = Duration::from_millis(300);

fn only_media(victim: &Victim, scale: Scale, findings: &mut Findings) -> Result<(), Failed> {
    let token = victim.kims_token();
    let path = "/api/v1/timelines/public?remote=true&only_media=true&limit=40";
    let mut took = Vec::new();
    for _ in 0..scale.of(5, 20) {
        let begun = clock::stopwatch();
        let answer = victim
            .anyone(Method::GET, path)
            .bearer_auth(&token)
            .send()?;
        let status = answer.status();
        let page = answer.text()?;
        took.push(begun.elapsed());
        findings.must(status.is_success() && page == "[]", || {
            format!("{status}: {page}")
        });
    }
    took.sort();
    let (median, worst) = (took[took.len() / 2], took[took.len() - 1]);
    findings.note(format!(
        "a page took {} ms in the middle, {} at worst",
        median.as_millis(),
        worst.as_millis()
    ));
    findings.must(median <= WAIT_MAX, || {
        format!("a page took {} ms", median.as_millis())
    });
    Ok(())
}
