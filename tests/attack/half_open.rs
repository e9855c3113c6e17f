//! Connections on which a request begins and never ends.

use super::findings::{Bounds, Findings};
use super::support::wait_within;
use super::victim::{Setting, Victim, head};
use super::{Attack, Failed, Scale};
use slackwater::clock;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

pub(crate) const DESCRIPTORS: Attack = Attack {
    name: "half_open_descriptors",
    setting: Setting::Descriptors(256),
    prepare: |_, _, _| Ok(()),
    act: descriptors,
    bounds: |_| Bounds {
        memory_growth_mib_max: 64,
        // Connections that were there before are served on; for a new one there is room when headers were not ended in time.
        bystander_wait_max: Duration::from_secs(20),
    },
};

pub(crate) const HEADERS: Attack = Attack {
    name: "half_open_headers",
    setting: Setting::Tokens(""),
    prepare: |_, _, _| Ok(()),
    act: headers,
    bounds: Bounds::calm,
};

/// How long a newcomer may wait for an answer.
const NEWCOMER_WAIT_MAX: Duration = Duration::from_secs(20);
/// How long a header may take to end.
const HEADER_WAIT_MAX: Duration = Duration::from_secs(60);

/// More unfinished headers than there may be descriptors.
fn descriptors(victim: &Victim, scale: Scale, findings: &mut Findings) -> Result<(), Failed> {
    let held = hold(victim, 300, b"x-a: ")?;
    let begun = clock::stopwatch();
    let answered = newcomer(victim);
    findings.note(format!(
        "a newcomer was answered after {:.1} s: {answered}",
        begun.elapsed().as_secs_f64()
    ));
    findings.must(answered, || "a newcomer was not answered".to_owned());
    // With all descriptors taken, what it writes at times must find one.
    findings.must(
        victim.stays_for(Duration::from_secs(scale.of(3, 40))),
        || "it ended while they were held".to_owned(),
    );
    left(held, scale, findings);
    Ok(())
}

/// Headers that go on and on.
fn headers(victim: &Victim, scale: Scale, findings: &mut Findings) -> Result<(), Failed> {
    let line = format!("x-a: {}\r\n", "a".repeat(4_000));
    let held = hold(victim, scale.of(300, 900), line.repeat(95).as_bytes())?;
    findings.must(newcomer(victim), || {
        "a newcomer was not answered".to_owned()
    });
    left(held, scale, findings);
    Ok(())
}

/// Opens so many connections, each with a header that says this and does not end.
fn hold(victim: &Victim, count: usize, said: &[u8]) -> Result<Vec<TcpStream>, Failed> {
    let mut held = Vec::new();
    for _ in 0..count {
        let mut stream = victim.connect()?;
        stream.set_write_timeout(Some(Duration::from_secs(2)))?;
        // It may refuse to take more, and that is well.
        let _ = stream
            .write_all(head("GET", "/healthz", None).as_bytes())
            .and_then(|()| stream.write_all(said));
        held.push(stream);
    }
    Ok(held)
}

/// Whether somebody who comes now is answered in time.
fn newcomer(victim: &Victim) -> bool {
    let answered = victim.connect().and_then(|mut stream| {
        stream.set_read_timeout(Some(NEWCOMER_WAIT_MAX))?;
        let request = head("GET", "/healthz", None) + "connection: close\r\n\r\n";
        stream.write_all(request.as_bytes())?;
        let mut answer = [0; 12];
        stream.read_exact(&mut answer)?;
        Ok(answer == *b"HTTP/1.1 200")
    });
    answered.unwrap_or(false)
}

/// At full size, waits until all were let go; else only counts.
fn left(held: Vec<TcpStream>, scale: Scale, findings: &mut Findings) {
    let (all, begun) = (held.len(), clock::stopwatch());
    let mut held: Vec<TcpStream> = held.into_iter().filter_map(still_open).collect();
    if scale == Scale::Full {
        wait_within(HEADER_WAIT_MAX, || {
            held = std::mem::take(&mut held)
                .into_iter()
                .filter_map(still_open)
                .collect();
            held.is_empty().then_some(())
        });
    }
    let (held, secs) = (held.len(), begun.elapsed().as_secs_f64());
    findings.note(format!("{held} of {all} are still held after {secs:.1} s"));
    findings.must(scale == Scale::Small || held == 0, || {
        format!("{held} of {all} headers that do not end are kept")
    });
}

fn still_open(mut stream: TcpStream) -> Option<TcpStream> {
    stream.set_nonblocking(true).ok()?;
    let mut some = [0; 1 << 10];
    loop {
        match stream.read(&mut some) {
            Ok(0) => return None,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Some(stream),
            Err(_) => return None,
        }
    }
}
