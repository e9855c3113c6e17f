//! Somebody else's words, wrapped in an `Announce` by who never heard them.

use super::findings::{Bounds, Findings};
use super::support::surface::PUBLIC;
use super::victim::{Setting, Victim, create, note};
use super::{Attack, Failed, Scale};
use reqwest::Method;
use serde_json::{Value, json};

pub(crate) const FORGED: Attack = Attack {
    name: "wrapped_forged",
    setting: Setting::Tokens(""),
    prepare: |victim, _, _| {
        let posts: Vec<Value> = (0..5)
            .map(|n| create(&note(ANA, &uri(n), "<p>mine</p>")))
            .collect();
        victim.tell(&posts, 4)
    },
    act: forged,
    bounds: Bounds::calm,
};

const ANA: &str = "https://a.example/users/ana";
const RELAY: &str = "https://evil.example/c/relay";

fn uri(n: usize) -> String {
    format!("{ANA}/posts/{n}")
}

fn wrap(n: usize, inner: &Value) -> Value {
    json!({"type": "Announce", "id": format!("{RELAY}/{n}"), "actor": RELAY, "to": [PUBLIC], "object": inner})
}

fn forged(victim: &Victim, _: Scale, findings: &mut Findings) -> Result<(), Failed> {
    let inner = |kind: &str, n: usize, object: Value| json!({"type": kind, "id": format!("{}#{kind}", uri(n)), "actor": ANA, "to": [PUBLIC], "object": object});
    let mut edited = note(ANA, &uri(0), "<p>forged</p>");
    edited["updated"] = edited["published"].clone();
    let undone = json!({"type": "Announce", "id": uri(3), "actor": ANA, "object": uri(0)});
    let forgeries = [
        ("an Update", inner("Update", 0, edited)),
        ("a Delete", inner("Delete", 1, json!(uri(1)))),
        (
            "a Delete of a Tombstone",
            inner("Delete", 2, json!({"type": "Tombstone", "id": uri(2)})),
        ),
        (
            "a Create",
            inner("Create", 9, note(ANA, &uri(9), "<p>forged</p>")),
        ),
        ("an Undo", inner("Undo", 3, undone)),
    ];
    for (n, (kind, inner)) in forgeries.iter().enumerate() {
        let said = victim.hand_in(&[wrap(n, inner)])?;
        let reason = said["rejected"][0]["reason"].as_str().unwrap_or_default();
        findings.must(said["accepted"] == 0 && reason.contains("inner"), || {
            format!("{kind} in an Announce was taken: {said}")
        });
        // Twice around it is none the better.
        let said = victim.hand_in(&[wrap(100 + n, &wrap(200 + n, inner))])?;
        findings.note(format!("{kind} wrapped twice: {said}"));
    }
    let like = inner("Like", 0, json!(uri(0)));
    let said = victim.hand_in(&[wrap(50, &like)])?;
    findings.must(said["accepted"] == 1, || {
        format!("a wrapped Like was refused: {said}")
    });
    // What the backend says it verified counts.
    let mut edited = note(ANA, &uri(4), "<p>verified</p>");
    edited["updated"] = edited["published"].clone();
    let verified = wrap(60, &inner("Update", 4, edited));
    let said = victim.hand_in(&[json!({"activity": verified, "inner_verified": true})])?;
    findings.must(said["accepted"] == 1, || {
        format!("what was verified is refused: {said}")
    });
    victim.settle();
    let post = victim.read(&format!("/v1/posts?uri={}", uri(4)))?;
    findings.must(post["object"]["content"] == "<p>verified</p>", || {
        format!("what was verified does not count: {post}")
    });
    for n in 0..3 {
        let answer = victim
            .backend(Method::GET, &format!("/v1/posts?uri={}", uri(n)))
            .send()?;
        let (status, text) = (answer.status(), answer.text()?);
        findings.must(status.is_success() && text.contains("<p>mine</p>"), || {
            format!("post {n} was changed by a relay: {status}")
        });
    }
    let answer = victim
        .backend(Method::GET, &format!("/v1/posts?uri={}", uri(9)))
        .send()?;
    findings.must(answer.status() == 404, || "a post was forged".to_owned());
    Ok(())
}
