//! Answers that are asked for and not read.

use super::findings::{Bounds, Findings};
use super::victim::{Setting, Victim, create, head, note};
use super::{Attack, Failed, Scale};
use serde_json::{Value, json};
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

pub(crate) const PAGES: Attack = Attack {
    name: "unread_pages",
    setting: Setting::Tokens(""),
    prepare: |victim, _, _| {
        let ana = "https://a.example/users/ana";
        victim.relate(&[json!({"type": "follow", "account": "7", "target": ana})])?;
        let text = "a".repeat(50_000);
        let posts: Vec<Value> = (0..80)
            .map(|n| create(&note(ana, &format!("{ana}/posts/{n}"), &text)))
            .collect();
        victim.tell(&posts, 20)
    },
    act: pages,
    bounds: |scale| Bounds {
        memory_growth_mib_max: 400,
        ..Bounds::calm(scale)
    },
};

/// As many as one token may ask for in a minute, with some to spare.
const REQUESTS: usize = 290;
/// What may be kept of it when nobody has read for this long, in MiB.
const KEPT_MIB_MAX: u64 = 200;
const KEPT_AFTER: Duration = Duration::from_secs(60);

fn pages(victim: &Victim, scale: Scale, findings: &mut Findings) -> Result<(), Failed> {
    let token = victim.kims_token();
    let before = victim.memory_mib();
    let mut held: Vec<TcpStream> = Vec::new();
    for minute in 0..scale.of(1, 2) {
        if 0 < minute {
            // The allowance of the next minute.
            findings.must(victim.stays_for(KEPT_AFTER), || "it ended".to_owned());
        }
        for _ in 0..REQUESTS {
            let mut stream = victim.connect()?;
            let request = head("GET", "/v1/accounts/7/feeds/home?limit=80", Some(&token));
            write!(stream, "{request}\r\n")?;
            held.push(stream);
        }
        findings.must(
            victim.stays_for(Duration::from_secs(scale.of(10, 15))),
            || "it ended".to_owned(),
        );
        findings.note(format!(
            "{} MiB with {} answers unread",
            victim.memory_mib(),
            held.len()
        ));
    }
    if scale == Scale::Full {
        findings.must(victim.stays_for(KEPT_AFTER), || "it ended".to_owned());
        let kept = victim.memory_mib().saturating_sub(before);
        findings.note(format!(
            "{kept} MiB more than before after {KEPT_AFTER:?} unread"
        ));
        findings.must(kept <= KEPT_MIB_MAX, || {
            format!("{kept} MiB are kept for answers that nobody has read for {KEPT_AFTER:?}")
        });
    }
    Ok(())
}
