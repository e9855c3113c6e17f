//! Bodies that are announced large and do not come.

use super::findings::{Bounds, Findings};
use super::victim::{Setting, Victim, head};
use super::{Attack, Failed, Scale};
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

pub(crate) const ANNOUNCED: Attack = Attack {
    name: "slow_bodies",
    setting: Setting::Tokens(""),
    prepare: |_, _, _| Ok(()),
    act: announced,
    bounds: Bounds::calm,
};

/// Users who may set their ordering announce as much as there may be, some at once and some piece by piece.
fn announced(victim: &Victim, scale: Scale, findings: &mut Findings) -> Result<(), Failed> {
    let token = victim.kims_token();
    let mut held: Vec<TcpStream> = Vec::new();
    for lengths in ["content-length: 16777216", "transfer-encoding: chunked"] {
        for _ in 0..16 {
            let mut stream = victim.connect()?;
            let request = head("PUT", "/v1/accounts/7/ordering", Some(&token));
            let first = if lengths.starts_with('c') {
                " "
            } else {
                "1\r\n \r\n"
            };
            write!(
                stream,
                "{request}content-type: application/json\r\n{lengths}\r\n\r\n{first}"
            )?;
            held.push(stream);
        }
        findings.must(
            victim.stays_for(Duration::from_secs(scale.of(5, 20))),
            || "it ended".to_owned(),
        );
    }
    Ok(())
}
