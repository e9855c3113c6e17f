//! Activities that the door takes and that are refused behind it, since only there it is known whose post it is.

use super::findings::{Bounds, Findings};
use super::victim::{PATIENCE, Setting, Victim, create, note};
use super::{Attack, Failed, Scale};
use serde_json::Value;

pub(crate) const CREATES: Attack = Attack {
    name: "refused_creates",
    setting: Setting::Tokens(""),
    prepare: |victim, _, _| {
        let ana = "https://a.example/users/ana";
        victim.tell(&[create(&note(ana, &uri(), "<p>mine</p>"))], 1)
    },
    act: creates,
    bounds: |scale| Bounds {
        memory_growth_mib_max: 256,
        ..Bounds::calm(scale)
    },
};

fn uri() -> String {
    "https://a.example/users/ana/posts/1".to_owned()
}

/// A stranger of the same host creates somebody else's post, again and again.
fn creates(victim: &Victim, scale: Scale, findings: &mut Findings) -> Result<(), Failed> {
    let eve = "https://a.example/users/eve";
    let count = scale.of(12_000, 30_000);
    for first in (0..count).step_by(1_000) {
        let some: Vec<Value> = (first..first + 1_000)
            .map(|n| create(&note(eve, &uri(), &format!("<p>hers {n}</p>"))))
            .collect();
        victim.hand_in(&some)?;
    }
    let is_read = victim.is_read_within(PATIENCE);
    findings.must(is_read, || {
        format!("{count} were not read within {PATIENCE:?}")
    });
    let post = victim.read(&format!("/v1/posts?uri={}", uri()))?;
    findings.must(post["object"]["content"] == "<p>mine</p>", || {
        format!("the post is another's: {post}")
    });
    Ok(())
}
