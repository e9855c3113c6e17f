//! Many hosts that are one: whoever has a domain has as many below it as they like.

use super::findings::{Bounds, Findings};
use super::victim::{PATIENCE, Setting, Victim, create, note};
use super::{Attack, Failed, Scale};
use serde_json::{Value, json};
use slackwater::clock;
use slackwater_order::origins::ORIGINS_MAX;
use std::time::Duration;

pub(crate) const WILDCARD: Attack = Attack {
    name: "hosts_wildcard",
    setting: Setting::Tokens("[ordering]\nreorder_window = \"auto\"\n"),
    prepare: |_, _, _| Ok(()),
    act: wildcard,
    bounds: |scale| Bounds {
        memory_growth_mib_max: 512,
        ..Bounds::calm(scale)
    },
};

/// Posts by which a window is learned, with some to spare.
const LEARNED_AFTER: usize = 300;

/// How many of the hosts are looked at.
const SAMPLE: usize = 300;

fn wildcard(victim: &Victim, scale: Scale, findings: &mut Findings) -> Result<(), Failed> {
    let count = scale.of(3_000, ORIGINS_MAX + 5_000);
    let begun = clock::stopwatch();
    for first in (0..count).step_by(1_000) {
        let some: Vec<Value> = (first..first + 1_000)
            .map(|n| {
                let author = format!("https://h{n}.evil.example/users/eve");
                create(&note(&author, &format!("{author}/1"), ""))
            })
            .collect();
        victim.tell(&some, 1_000)?;
    }
    let is_read = victim.is_read_within(2 * PATIENCE);
    findings.note(format!(
        "{count} hosts in {:.1} s",
        begun.elapsed().as_secs_f64()
    ));
    findings.must(is_read, || "they were not read".to_owned());
    // Whatever the size: only some of the hosts of one domain are known one by one.
    let looked_at = (0..count).step_by(count / SAMPLE);
    let known = looked_at
        .filter(|n| {
            let origin = victim.read(&format!("/v1/origins/h{n}.evil.example"));
            origin.is_ok()
        })
        .count();
    findings.note(format!("{known} of {SAMPLE} of them are known"));
    findings.must(known <= SAMPLE / 2, || {
        format!("{known} of {SAMPLE} hosts of one domain are known")
    });
    let later = "https://later.example/users/lea";
    let posts: Vec<Value> = (0..LEARNED_AFTER)
        .map(|n| {
            let mut object = note(later, &format!("{later}/{n}"), "<p>I came later</p>");
            let written = clock::now().minus(Duration::from_secs(5));
            object["published"] = json!(written.rfc3339());
            create(&object)
        })
        .collect();
    victim.tell(&posts, 100)?;
    victim.settle();
    let origin = victim.read("/v1/origins/later.example");
    let learned = origin
        .as_ref()
        .ok()
        .and_then(|it| it["learned_window_ms"].as_i64());
    findings.must(learned.is_some(), || {
        format!("no window is learned of who came later: {origin:?}")
    });
    let again = victim.read("/v1/origins/quiet.example");
    findings.must(again.is_ok(), || {
        format!("the bystander's origin is forgotten: {again:?}")
    });
    Ok(())
}
