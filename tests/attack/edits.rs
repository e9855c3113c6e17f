//! A post that many have boosted, edited again and again.

use super::findings::{Bounds, Findings};
use super::surface::PUBLIC;
use super::victim::{PATIENCE, Setting, Victim, create, note};
use super::{Attack, Failed, Scale};
use serde_json::{Value, json};
use slackwater::clock;
use slackwater_order::time::Time;
use std::time::Duration;

pub(crate) const BOOSTED: Attack = Attack {
    name: "edits_boosted",
    setting: Setting::Tokens(""),
    prepare: boosted,
    act: edits,
    bounds: |scale| Bounds {
        memory_growth_mib_max: 256,
        bystander_wait_max: Duration::from_secs(scale.of(4, 2)),
    },
};

const ANA: &str = "https://a.example/users/ana";

fn uri() -> String {
    format!("{ANA}/posts/1")
}

fn boosted(victim: &Victim, scale: Scale, _: &mut Findings) -> Result<(), Failed> {
    victim.relate(&[
        json!({"type": "follow", "account": "7", "target": "https://b0.example/users/b"}),
    ])?;
    victim.tell(&[create(&note(ANA, &uri(), "<p>mine</p>"))], 1)?;
    let boosts: Vec<Value> = (0..scale.of(3_000, 20_000))
        .map(|n| {
            let actor = format!("https://b{}.example/users/b{n}", n % 50);
            json!({"type": "Announce", "id": format!("{actor}/1"), "actor": actor, "object": uri(),
                "published": clock::now().rfc3339(), "to": [PUBLIC]})
        })
        .collect();
    victim.tell(&boosts, 1_000)?;
    match victim.is_read_within(2 * PATIENCE) {
        true => Ok(()),
        false => Err("the boosts were not read".into()),
    }
}

fn edits(victim: &Victim, scale: Scale, findings: &mut Findings) -> Result<(), Failed> {
    let count = scale.of(100, 300);
    let now = clock::now();
    let edits: Vec<Value> = (0..count)
        .map(|n| {
            let mut object = note(ANA, &uri(), &format!("<p>mine {n}</p>"));
            object["updated"] = json!(Time::from_millis(now.millis() + n).rfc3339());
            json!({"type": "Update", "id": format!("{}#edit{n}", uri()), "actor": ANA, "object": object})
        })
        .collect();
    let begun = clock::stopwatch();
    victim.tell(&edits, edits.len())?;
    let is_read = victim.is_read_within(PATIENCE);
    victim.settle();
    findings.note(format!(
        "{count} edits in {:.1} s",
        begun.elapsed().as_secs_f64()
    ));
    findings.must(is_read, || "the edits were not read".to_owned());
    let post = victim.read(&format!("/v1/posts?uri={}", uri()))?;
    let last = format!("<p>mine {}</p>", count - 1);
    findings.must(post["object"]["content"] == last, || {
        format!("the last edit is not shown: {post}")
    });
    Ok(())
}
