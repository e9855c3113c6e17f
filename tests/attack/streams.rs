//! Many who watch one feed when a big post comes.

use super::findings::{Bounds, Findings};
use super::support::wait_within;
use super::victim::{Setting, Victim, create, note, websocket};
use super::{Attack, Failed, Scale};
use slackwater::clock;
use std::io::Read;
use std::net::TcpStream;
use std::time::Duration;

/// When nothing has come for so long, nothing more will.
const QUIET: Duration = Duration::from_secs(10);
/// The longest that readers may take to read all.
const LONGEST: Duration = Duration::from_secs(120);

pub(crate) const READERS: Attack = Attack {
    name: "streams_read",
    setting: Setting::Tokens(MANY),
    prepare: |_, _, _| Ok(()),
    act: |victim, scale, findings| watch(victim, scale.of(300, 2_000), true, findings),
    bounds,
};

pub(crate) const SLEEPERS: Attack = Attack {
    name: "streams_unread",
    setting: Setting::Tokens(MANY),
    prepare: |_, _, _| Ok(()),
    act: |victim, scale, findings| watch(victim, scale.of(300, 3_000), false, findings),
    bounds,
};

const MANY: &str =
    "[stream]\nconnections_per_account_max = 10000\nconnections_per_address_max = 10000\n";
/// Of each post, in bytes.
const BIG: usize = 900_000;
/// How long handing one in may take.
const POST_WAIT_MAX: Duration = Duration::from_secs(3);

fn bounds(scale: Scale) -> Bounds {
    Bounds {
        // 300 copies of one post are 257 MiB.
        memory_growth_mib_max: scale.of(130, 700),
        ..Bounds::calm(scale)
    }
}

fn watch(
    victim: &Victim,
    count: usize,
    reads: bool,
    findings: &mut Findings,
) -> Result<(), Failed> {
    let mut watchers = Vec::new();
    for _ in 0..count {
        let watcher = websocket(victim, "/v1/feeds/public/stream", victim.token())?;
        watcher.set_nonblocking(true)?;
        watchers.push((watcher, 0));
    }
    findings.note(format!(
        "{} MiB with {count} connected",
        victim.memory_mib()
    ));
    let eve = "https://big.example/users/eve";
    for n in 0..3 {
        let post = create(&note(eve, &format!("{eve}/posts/{n}"), &"a".repeat(BIG)));
        let begun = clock::stopwatch();
        victim.tell(&[post], 1)?;
        let took = begun.elapsed();
        findings.note(format!(
            "a big post was handed in in {} ms",
            took.as_millis()
        ));
        findings.must(took <= POST_WAIT_MAX, || {
            format!("handing in a post took {took:?}")
        });
        if reads {
            let told = drained(&mut watchers, (n + 1) * BIG);
            findings.note(format!(
                "{told} of {count} have post {n} after {:.1} s",
                begun.elapsed().as_secs_f64()
            ));
            findings.must(told == count, || {
                format!("{told} of {count} readers who read were told")
            });
        }
    }
    if !reads {
        findings.must(victim.stays_for(Duration::from_secs(5)), || {
            "it ended".to_owned()
        });
    }
    Ok(())
}

/// Reads of all of them until each has had so many bytes in all, or nothing comes any more; how many have.
fn drained(watchers: &mut [(TcpStream, usize)], bytes: usize) -> usize {
    let (mut some, mut quiet) = (vec![0; 256 << 10], clock::stopwatch());
    let count = watchers.len();
    let told = wait_within(LONGEST, || {
        for (watcher, had) in watchers.iter_mut().filter(|(_, had)| *had < bytes) {
            // All that is there: it does not wait for more.
            while let Ok(read @ 1..) = watcher.read(&mut some) {
                *had += read;
                quiet = clock::stopwatch();
            }
        }
        let told = watchers.iter().filter(|(_, had)| bytes <= *had).count();
        (told == count || QUIET < quiet.elapsed()).then_some(told)
    });
    told.unwrap_or_else(|| watchers.iter().filter(|(_, had)| bytes <= *had).count())
}
