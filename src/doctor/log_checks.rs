//! The broker and its topics, or the folder of the built-in log; and whether the machine's clock agrees with what is in it.

use super::blocking;
use super::finding::Found;
use crate::config::Config;
use crate::error_chain::chain;
use crate::log::kafka::{self, Clock};
use crate::log::{self, built_in};
use futures_util::future::{BoxFuture, FutureExt};
use slackwater_order::time::Time;
use std::time::Duration;

/// How far a record may be ahead of the clock before one of the two clocks is wrong.
const AHEAD_MAX: Duration = Duration::from_secs(120);

pub(super) fn checks(config: &Config, now: Time) -> Vec<(&'static str, BoxFuture<'_, Vec<Found>>)> {
    match &config.log {
        log::Options::Kafka(options) => vec![("broker", broker(options, now).boxed())],
        log::Options::BuiltIn(options) => vec![("log", folder(options, now).boxed())],
    }
}

async fn broker(options: &kafka::Options, now: Time) -> Vec<Found> {
    let asked = options.clone();
    let examined = blocking(move || kafka::examine(&asked, now.plus(AHEAD_MAX))).await;
    let examined = match examined {
        Ok(Ok(examined)) => examined,
        Ok(Err(error)) => {
            let to_do = match &error.said {
                Some(said) => format!("librdkafka says: {said}"),
                None => "the line says what to do".to_owned(),
            };
            return vec![Found::wrong(chain(&error.error), to_do)];
        }
        Err(error) => return vec![Found::wrong(error, "run it again")],
    };
    let brokers = options.brokers.join(",");
    let partitions = examined.partitions.iter();
    let partitions: Vec<String> = partitions
        .map(|(topic, count)| format!("{topic} has {count}"))
        .collect();
    let mut found = vec![Found::ok(format!(
        "{} of {brokers} answer; partitions: {}",
        examined.brokers,
        partitions.join(", ")
    ))];
    found.extend(of_settings(
        examined.complaints,
        "timestamps, retention and compaction of the topics are as recommended",
        "see to message.timestamp.type, retention.ms and cleanup.policy yourself",
    ));
    found.push(match examined.clock {
        Clock::Agrees => Found::ok("no record is ahead of this machine's clock"),
        Clock::Behind => Found::wrong(
            format!(
                "a record is more than {} s ahead of this machine's clock",
                AHEAD_MAX.as_secs()
            ),
            "set both clocks by NTP: timedatectl here, and on the broker",
        ),
        Clock::Unknown(reason) => Found::warning(
            format!("whether the clocks agree is not known: {reason}"),
            "compare date here and on the broker",
        ),
    });
    found
}

/// The topic in which the nodes of a cluster say what each serves. Errors: it cannot be used.
pub(super) async fn nodes_topic(options: &kafka::Options) -> Result<Vec<Found>, Found> {
    let asked = options.clone();
    match blocking(move || kafka::examine_nodes(&asked)).await {
        Ok(Ok(complaints)) => Ok(of_settings(
            complaints,
            &format!(
                "{} has one partition, and compaction as recommended",
                options.nodes
            ),
            "see to cleanup.policy and segment.ms yourself",
        )),
        Ok(Err(error)) => Err(Found::wrong(chain(&error), "the line says what to do")),
        Err(error) => Err(Found::wrong(error, "run it again")),
    }
}

/// What is to be changed about topics, or that all is `well`; and what to do if their settings cannot be read.
fn of_settings(
    complaints: Result<Vec<String>, String>,
    well: &str,
    unread: &'static str,
) -> Vec<Found> {
    match complaints {
        Ok(complaints) if complaints.is_empty() => vec![Found::ok(well)],
        Ok(complaints) => {
            let warning = |complaint: String| {
                // Each says the command behind its last colon and space.
                match complaint.rsplit_once(": ") {
                    Some((what, command)) => Found::warning(what, command),
                    None => Found::warning(complaint, "change the setting of the topic"),
                }
            };
            complaints.into_iter().map(warning).collect()
        }
        Err(reason) => vec![Found::warning(
            format!("the broker does not give the settings of the topics ({reason})"),
            unread,
        )],
    }
}

async fn folder(options: &built_in::Options, now: Time) -> Vec<Found> {
    let path = options.path.clone();
    let shown = path.display().to_string();
    if !path.join("activities").exists() {
        return vec![Found::ok(format!(
            "the built-in log in {shown} is not there yet: the first start makes it"
        ))];
    }
    let read = blocking(move || built_in::newest_activity(&path)).await;
    vec![match read {
        Ok(Ok(None)) => Found::ok(format!("the built-in log in {shown} has no activities yet")),
        Ok(Ok(Some(newest)))
            if newest.since(now) <= AHEAD_MAX.as_millis().try_into().unwrap_or(i64::MAX) =>
        {
            Found::ok(format!(
                "the built-in log in {shown} is readable; its newest activity is from {}",
                newest.rfc3339()
            ))
        }
        Ok(Ok(Some(newest))) => Found::wrong(
            format!(
                "the newest activity in {shown} is from {}, {} s ahead of this machine's clock: the clock was set back",
                newest.rfc3339(),
                newest.since(now) / 1000
            ),
            "set the clock by NTP (timedatectl) before anything more is accepted",
        ),
        Ok(Err(error)) => Found::wrong(
            format!("the built-in log cannot be read: {}", chain(&error)),
            "see the disk's health; the next start of the service keeps what can be read",
        ),
        Err(error) => Found::wrong(error, "run it again"),
    }]
}
