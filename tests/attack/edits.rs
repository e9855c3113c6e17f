//! A post that many have boosted, edited again and again, or said to be for others; or that comes after its boosts, and goes.

use super::findings::{Bounds, Findings};
use super::support::surface::PUBLIC;
use super::support::wait_within;
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

pub(crate) const FLIPPED: Attack = Attack {
    name: "edits_boosted_for_others",
    setting: Setting::Tokens(""),
    prepare: boosted,
    act: flips,
    bounds: BOOSTED.bounds,
};

pub(crate) const DELETED: Attack = Attack {
    name: "edits_boosted_before_it_came",
    setting: Setting::Tokens(""),
    prepare: boosted_before,
    act: comes_and_goes,
    bounds: BOOSTED.bounds,
};

const ANA: &str = "https://a.example/users/ana";

/// The first who boosts it, whom account 7 follows.
const BOOSTER: &str = "https://b0.example/users/b0";

fn uri() -> String {
    format!("{ANA}/posts/1")
}

fn boosted(victim: &Victim, scale: Scale, findings: &mut Findings) -> Result<(), Failed> {
    victim.tell(&[create(&note(ANA, &uri(), "<p>mine</p>"))], 1)?;
    boosted_before(victim, scale, findings)
}

fn boosted_before(victim: &Victim, scale: Scale, _: &mut Findings) -> Result<(), Failed> {
    victim.relate(&[json!({"type": "follow", "account": "7", "target": BOOSTER})])?;
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
    tell_edits(victim, count, findings, |_, _| ())?;
    let post = victim.read(&format!("/v1/posts?uri={}", uri()))?;
    let last = format!("<p>mine {}</p>", count - 1);
    findings.must(post["object"]["content"] == last, || {
        format!("the last edit is not shown: {post}")
    });
    Ok(())
}

/// It is for everybody, and for nobody but its author's followers, in turns; in the end for these.
fn flips(victim: &Victim, scale: Scale, findings: &mut Findings) -> Result<(), Failed> {
    shows_boost(victim, true, findings)?;
    let count = scale.of(100, 300);
    tell_edits(victim, count, findings, |n, object| {
        if n % 2 == 1 {
            object["to"] = json!([format!("{ANA}/followers")]);
            object["cc"] = json!([]);
        }
    })?;
    shows_boost(victim, false, findings)
}

fn comes_and_goes(victim: &Victim, _: Scale, findings: &mut Findings) -> Result<(), Failed> {
    shows_boost(victim, false, findings)?;
    let begun = clock::stopwatch();
    for is_there in [true, false] {
        let said = match is_there {
            true => create(&note(ANA, &uri(), "<p>mine</p>")),
            false => {
                json!({"type": "Delete", "id": format!("{}#delete", uri()), "actor": ANA, "object": uri()})
            }
        };
        victim.tell(&[said], 1)?;
        let is_read = victim.is_read_within(PATIENCE);
        findings.must(is_read, || "it was not read".to_owned());
        shows_boost(victim, is_there, findings)?;
    }
    let took = begun.elapsed().as_secs_f64();
    findings.note(format!("it came and went in {took:.1} s"));
    victim.settle();
    Ok(())
}

/// Whether account 7 soon has the boost by whom it follows, or has it no more.
fn shows_boost(victim: &Victim, is_there: bool, findings: &mut Findings) -> Result<(), Failed> {
    let seen = wait_within(PATIENCE, || {
        let home = victim.read("/v1/accounts/7/feeds/home").ok()?;
        let entries = home["entries"].as_array().map_or(0, Vec::len);
        ((entries == 1) == is_there).then_some(())
    });
    findings.must(seen.is_some(), || {
        format!("the boost is not as it should be, there: {is_there}")
    });
    Ok(())
}

/// Edits it so many times, at once, each as `says` changes its object.
fn tell_edits(
    victim: &Victim,
    count: i64,
    findings: &mut Findings,
    says: impl Fn(i64, &mut Value),
) -> Result<(), Failed> {
    let now = clock::now();
    let edits: Vec<Value> = (0..count)
        .map(|n| {
            let mut object = note(ANA, &uri(), &format!("<p>mine {n}</p>"));
            object["updated"] = json!(Time::from_millis(now.millis() + n).rfc3339());
            says(n, &mut object);
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
    Ok(())
}
