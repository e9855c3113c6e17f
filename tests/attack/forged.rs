//! Somebody who claims to be on this machine, and cursors that nobody gave.

use super::findings::{Bounds, Findings};
use super::victim::{Setting, Victim, create, note};
use super::{Attack, Failed, Scale};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Method;
use slackwater::clock;
use slackwater_engine::record::offsets::Offsets;
use slackwater_engine::record::{Position, Topic};
use slackwater_engine::view::cursor::Cursor;
use slackwater_engine::view::seal::{NAME_BYTES, SealedLog};
use std::time::Duration;

pub(crate) const OPEN: Attack = Attack {
    name: "forged_without_auth",
    setting: Setting::Open,
    prepare: |_, _, _| Ok(()),
    act: forged,
    bounds: Bounds::calm,
};

/// The longest that an answer to a cursor that nobody gave may take.
const CURSOR_WAIT_MAX: Duration = Duration::from_secs(1);

fn forged(victim: &Victim, _: Scale, findings: &mut Findings) -> Result<(), Failed> {
    for (header, value) in [
        ("x-forwarded-for", "203.0.113.9"),
        ("x-forwarded-for", "127.0.0.1, 203.0.113.9"),
        ("x-forwarded-for", "2001:db8::9"),
        ("forwarded", "for=203.0.113.9"),
        ("x-real-ip", "203.0.113.9"),
    ] {
        // As a proxy on this machine sends it that rewrites Host.
        let request = victim.anyone(Method::POST, "/v1/activities");
        let request = request.header("host", "localhost").header(header, value);
        let request = request.header("content-type", "application/json");
        let eve = "https://evil.example/users/eve";
        let status = request
            .body(create(&note(eve, &format!("{eve}/1"), "")).to_string())
            .send()?
            .status();
        findings.must(status.is_client_error(), || {
            format!("somebody elsewhere ({header}: {value}) is taken for the backend: {status}")
        });
    }
    let feed = "/v1/accounts/bystander/feeds/home";
    let page = victim.read(&format!("{feed}?limit=1"))?;
    let cursor = page["cursor"].as_str().ok_or("no cursor")?;
    for forged in forgeries(cursor) {
        let begun = clock::stopwatch();
        let path = format!("{feed}/changes?cursor={forged}");
        let status = victim.backend(Method::GET, &path).send()?.status();
        let took = begun.elapsed();
        findings.note(format!(
            "a forged cursor: {status} after {} ms",
            took.as_millis()
        ));
        findings.must(took <= CURSOR_WAIT_MAX, || {
            format!("a forged cursor held a request for {} ms", took.as_millis())
        });
        findings.must(status.is_client_error(), || {
            format!("a forged cursor: {status}")
        });
    }
    Ok(())
}

/// The cursor with an end of the log that is not there, as whoever knows how it is written can make it; and with one bit
/// other than it was.
fn forgeries(cursor: &str) -> Vec<String> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).unwrap();
    let mut forged = Vec::new();
    // The version, and the name of the key.
    let (head, read) = bytes.split_at(1 + NAME_BYTES);
    if let Ok((mut read, _)) = postcard::take_from_bytes::<Cursor>(read) {
        read.from.seen = Offsets::new(&Topic::ALL.map(|topic| Position {
            topic,
            partition: 0,
            offset: 1 << 40,
        }));
        let mut said = head.to_vec();
        said.extend(postcard::to_stdvec(&read).unwrap());
        // Whoever has not the key can only guess.
        let seal = SealedLog::new(0).seal(&said);
        said.extend(seal);
        forged.push(URL_SAFE_NO_PAD.encode(said));
    }
    let mut flipped = bytes;
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    forged.push(URL_SAFE_NO_PAD.encode(flipped));
    forged
}
