//! What strangers can do to the service over the network, each done to the real binary while a bystander reads and writes on.
//!
//! ```text
//! cargo test --test attack                      every attack, small; fails where a bound is broken
//! cargo test --test attack -- half_open urls    those whose name has one of these words
//! SLACKWATER_BINARY=target/dist/slackwater cargo test --test attack -- full
//!                                               at the sizes that once ended or choked it, and a table
//! ```
//!
//! | file | what it is |
//! |---|---|
//! | `victim` | the service under attack |
//! | `bystander` | somebody who has nothing to do with it, and what they feel |
//! | `findings` | what an attack found, and the bounds that must hold |
//! | the others | the attacks, a file for each kind |
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod bodies;
mod bystander;
mod edits;
mod exploding;
mod findings;
mod forged;
mod half_open;
mod hosts;
mod media;
mod refused;
mod streams;
#[allow(dead_code)]
#[path = "../it/support/mod.rs"]
mod support;
mod unread;
mod urls;
mod victim;
mod wrapped;

use bystander::Bystander;
use findings::{Bounds, Findings, Row};
use slackwater::clock;
use std::process::ExitCode;
use victim::{Setting, Victim};

/// What an attack is run with: enough to tell a bound from none, or as much as once did harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scale {
    Small,
    Full,
}

impl Scale {
    /// One or the other.
    pub(crate) fn of<T>(self, small: T, full: T) -> T {
        match self {
            Scale::Small => small,
            Scale::Full => full,
        }
    }
}

/// Something done to the service. An error is what kept it from being done to the end.
type Act = fn(&Victim, Scale, &mut Findings) -> Result<(), Failed>;

/// Why an attack could not be gone on with: mostly, that the service did not answer.
pub(crate) type Failed = Box<dyn std::error::Error>;

/// An attack.
struct Attack {
    name: &'static str,
    /// How the service is set up.
    setting: Setting,
    /// What is there before, unmeasured.
    prepare: Act,
    /// What is done while a bystander reads and writes on.
    act: Act,
    /// What must hold meanwhile, small and full.
    bounds: fn(Scale) -> Bounds,
}

const ATTACKS: [Attack; 17] = [
    exploding::READ,
    exploding::WATCHED,
    half_open::DESCRIPTORS,
    half_open::HEADERS,
    refused::CREATES,
    unread::PAGES,
    streams::READERS,
    streams::SLEEPERS,
    bodies::ANNOUNCED,
    hosts::WILDCARD,
    edits::BOOSTED,
    edits::FLIPPED,
    edits::DELETED,
    media::ONLY_MEDIA,
    wrapped::FORGED,
    urls::SCHEMES,
    forged::OPEN,
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|it| it == "--list") {
        return ExitCode::SUCCESS;
    }
    let (scales, words): (Vec<&String>, Vec<&String>) = arguments
        .iter()
        .filter(|it| !it.starts_with("--"))
        .partition(|it| *it == "full");
    let scale = match scales.is_empty() {
        true => Scale::Small,
        false => Scale::Full,
    };
    let is_meant = |attack: &Attack| {
        words.is_empty() || words.iter().any(|word| attack.name.contains(word.as_str()))
    };
    victim::allow_many_descriptors();
    let begun = clock::stopwatch();
    let mut rows = Vec::new();
    for attack in ATTACKS.iter().filter(|attack| is_meant(attack)) {
        let row = run(attack, scale);
        println!("{}", row.line());
        for said in row.said() {
            println!("    {said}");
        }
        rows.push(row);
    }
    if rows.is_empty() {
        return ExitCode::SUCCESS;
    }
    let broken = rows.iter().filter(|row| row.is_broken()).count();
    println!(
        "\n{} on {}, {} s\n\n{}",
        scale.of("small", "full"),
        support::instance::binary().display(),
        begun.elapsed().as_secs(),
        findings::table(&rows)
    );
    println!(
        "{} of {} attacks were withstood",
        rows.len() - broken,
        rows.len()
    );
    match broken {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn run(attack: &Attack, scale: Scale) -> Row {
    let mut victim = Victim::start(attack.setting);
    let mut findings = Findings::default();
    if let Err(error) = (attack.prepare)(&victim, scale, &mut findings) {
        findings.broken(format!("it could not be prepared: {error}"));
    }
    victim.settle();
    let memory = victim.watch_memory();
    let bystander = Bystander::begin(&victim);
    let begun = clock::stopwatch();
    if let Err(error) = (attack.act)(&victim, scale, &mut findings) {
        findings.broken(format!("it could not be gone on with: {error}"));
    }
    let took = begun.elapsed();
    let felt = bystander.end();
    let memory = memory.end();
    let answers = victim.answers();
    findings.must(answers, || "it does not answer any more".to_owned());
    let lived = victim.lives();
    if !lived {
        findings.note(format!("its last words: {}", victim.last_words()));
    }
    // As an operator would find it: what was acknowledged must be there after a kill too.
    let again = victim.restart();
    findings.must(again, || "it ended again after a restart".to_owned());
    let lost = again.then(|| victim.lost(&felt.acknowledged));
    Row::new(
        attack.name,
        (attack.bounds)(scale),
        findings,
        felt,
        memory,
        took,
        lived,
        lost,
    )
}
