//! The topic of the nodes, and the other nodes: who lives, whether they are reached from here, agree with this configuration, have the
//! same time, and believe what is passed on to them.

use super::finding::Found;
use super::{blocking, log_checks};
use crate::api::forward::{self, NodeQueries, NodeQueryError};
use crate::api::outgoing::{Answer, Outgoing};
use crate::api::placement::Server;
use crate::clock;
use crate::cluster::{Options, agreement};
use crate::config::Config;
use crate::error_chain::chain;
use crate::log::{self, kafka};
use crate::running_service::{RunningService, url_of};
use axum::body::Bytes;
use axum::http::{Request, header};
use futures_util::future::{BoxFuture, FutureExt, join_all};
use http_body_util::Full;
use slackwater_cluster::beat::Beat;
use slackwater_engine::date;
use slackwater_order::time::Time;
use std::time::Duration;

/// How long the nodes are listened to: each says once a second that it lives, and may be late once.
const LISTEN: Duration = Duration::from_secs(3);
/// How long a node may take to answer.
const ANSWER_WAIT: Duration = Duration::from_secs(3);
/// The longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 1 << 16;
/// How far the clock of another node may be from this one, in milliseconds: what is in time and what is held goes by each node's.
const SKEW_MAX: i64 = 2_000;
/// What a `Date` says is cut off to whole seconds.
const DATE_STEP: i64 = 1_000;

pub(super) fn checks(config: &Config, now: Time) -> Vec<(&'static str, BoxFuture<'_, Vec<Found>>)> {
    match (&config.cluster, &config.log) {
        (Some(options), log::Options::Kafka(kafka)) => {
            vec![("nodes", nodes(config, options, kafka, now).boxed())]
        }
        _ => Vec::new(),
    }
}

async fn nodes(
    config: &Config,
    options: &Options,
    kafka: &kafka::Options,
    now: Time,
) -> Vec<Found> {
    let begun = clock::stopwatch();
    let mut found = match log_checks::nodes_topic(kafka).await {
        Ok(found) => found,
        Err(wrong) => return vec![wrong],
    };
    let asked = kafka.clone();
    let heard = match blocking(move || kafka::hear_nodes(&asked, LISTEN)).await {
        Ok(Ok(heard)) => heard,
        Ok(Err(error)) => {
            found.push(Found::wrong(chain(&error), "the line says what to do"));
            return found;
        }
        Err(error) => {
            found.push(Found::wrong(error, "run it again"));
            return found;
        }
    };
    let (live, unreadable): (Vec<_>, Vec<_>) = heard
        .into_iter()
        .filter_map(|(key, record)| Some((Beat::decode(&key, &record.value?), key)))
        .partition(|(beat, _)| beat.is_ok());
    let live: Vec<Beat> = live.into_iter().filter_map(|(beat, _)| beat.ok()).collect();
    found.extend(unreadable.into_iter().map(|(beat, key)| {
        let reason = beat.err().map(|it| it.to_string()).unwrap_or_default();
        Found::warning(
            format!(
                "what {key:?} says in {} cannot be read: {reason}",
                kafka.nodes
            ),
            "see what writes there: if it is a node, upgrade this one",
        )
    }));
    found.push(own_name(config, options, &live).await);
    let others = || live.iter().filter(|beat| beat.node != options.node);
    found.extend(agreement_with(config, others()));
    found.extend(unreached(&live));
    let own = live.iter().find(|beat| beat.node == options.node);
    let advertised = options
        .advertise
        .as_ref()
        .map(|url| url.as_str().trim_end_matches('/'));
    if let (Some(own), Some(advertised)) = (own, advertised)
        && own.address != advertised
    {
        found.push(Found::warning(
            format!(
                "the node {} that runs says that it is reached at {}, and cluster.advertise is {advertised}",
                own.node, own.address
            ),
            "restart it, if the configuration was changed",
        ));
    }
    let queries = NodeQueries::new(&options.secret);
    let looked_at = live.iter().map(|beat| async {
        let (found, agrees) = reached(beat, &options.node, now, begun).await;
        let more = match agrees {
            true => believes(beat, &queries).await,
            false => None,
        };
        std::iter::once(found).chain(more)
    });
    found.extend(join_all(looked_at).await.into_iter().flatten());
    found
}

/// Whether the name of this node is its own.
async fn own_name(config: &Config, options: &Options, live: &[Beat]) -> Found {
    let name = &options.node;
    let Some(beat) = live.iter().find(|beat| beat.node == *name) else {
        let others = live.len();
        return Found::ok(format!(
            "no node {name} lives at the moment; {others} others do"
        ));
    };
    let Some(at) = url_of(config.listen) else {
        return Found::ok(format!(
            "a node {name} lives; http.listen says no port, so whether it is this one is not known"
        ));
    };
    let runs_here = match RunningService::at(at, config) {
        Ok(service) => service.is_there().await,
        Err(_) => false,
    };
    match runs_here {
        true => Found::ok(format!(
            "node {name} lives, serves {} shards and stands by for {}",
            beat.serves.len(),
            beat.standby.len()
        )),
        false => Found::wrong(
            format!(
                "a node {name} lives at {}, and no service runs here: another process has the name of this node",
                beat.address
            ),
            "give cluster.node a name of its own on each node: of two processes the one that started later goes on, and the other ends",
        ),
    }
}

/// Whether the nodes that live decide feeds as this configuration does.
fn agreement_with<'a>(config: &Config, others: impl Iterator<Item = &'a Beat>) -> Option<Found> {
    let decides = agreement::decides(&config.store, &config.pipeline.engine, config.mastodon.ids);
    let (same, other): (Vec<_>, Vec<_>) = others.partition(|beat| beat.decides == decides);
    if other.is_empty() {
        let names = names(&same);
        return (!same.is_empty())
            .then(|| Found::ok(format!("{names} decide feeds as this configuration does")));
    }
    Some(Found::wrong(
        format!(
            "{} decide feeds and ids otherwise than this configuration: nodes that differ from the oldest serve nothing",
            names(&other)
        ),
        "make feed.length, feed.boost_repeat_after, feed.keep_objects, ordering.place, ordering.clock_skew, mastodon.ids and origins that surface or drop the same on all \
         nodes, and the release",
    ))
}

fn names(beats: &[&Beat]) -> String {
    let names: Vec<&str> = beats.iter().map(|beat| beat.node.as_str()).collect();
    names.join(", ")
}

/// What nodes say of others.
fn unreached(live: &[Beat]) -> Vec<Found> {
    let said = live.iter().filter(|beat| !beat.cannot_reach.is_empty());
    said.map(|beat| {
        let others: Vec<&str> = beat.cannot_reach.iter().map(String::as_str).collect();
        Found::warning(
            format!("{} cannot reach {}", beat.node, others.join(", ")),
            "see whether these run, and to the network between them",
        )
    })
    .collect()
}

/// Whether a node that answers believes a request that is signed with this configuration's secret, if there is something to say.
async fn believes(beat: &Beat, queries: &NodeQueries) -> Option<Found> {
    let name = &beat.node;
    if !beat.speaks.reads_hop(forward::VERSION) {
        return Some(Found::warning(
            format!("{name} is of a release that reads no request which this one passes on"),
            "go on with the upgrade: until then each of both answers for its own accounts alone",
        ));
    }
    let server = Server {
        node: name.as_str().into(),
        address: beat.address.as_str().into(),
    };
    match queries.get(&server, "/v1/nodes").await {
        Ok(_) => None,
        Err(NodeQueryError::Refused(_)) => Some(Found::wrong(
            format!(
                "{name} does not believe a request that is signed with cluster.secret: it has another one"
            ),
            "give all nodes the same cluster.secret, and restart those that had another",
        )),
        Err(error) => Some(Found::warning(
            format!(
                "a signed request is not answered as it should be: {}",
                chain(&error)
            ),
            "see what is between here and there, and the log of that node",
        )),
    }
}

/// Whether a node that lives answers where it says, and has the same time; and whether that is so. `begun` was at `now`.
async fn reached(
    beat: &Beat,
    own_name: &str,
    now: Time,
    begun: std::time::Instant,
) -> (Found, bool) {
    let (name, address) = (&beat.node, &beat.address);
    let before = now.plus(begun.elapsed());
    let answer = asked(address).await;
    let after = now.plus(begun.elapsed());
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            let to_do = match name == own_name {
                true => "correct cluster.advertise: other nodes pass requests on to it",
                false => {
                    "correct cluster.advertise of that node, or the network between it and here"
                }
            };
            let found = format!(
                "{name} says that it is reached at {address}, and does not answer from here: {error}"
            );
            return (Found::wrong(found, to_do), false);
        }
    };
    let there = answer.headers.get(header::DATE);
    let there = there.and_then(|date| date::parse(date.to_str().ok()?));
    let Some(there) = there else {
        let found = Found::warning(
            format!("{name} answers at {address}, and does not say what time it is"),
            "see what is between here and there: a node sends a Date",
        );
        return (found, false);
    };
    let ahead = ahead(there, before, after);
    let found = match ahead {
        0 => Found::ok(format!("{name} answers at {address}, and its clock agrees")),
        ahead => Found::wrong(
            format!(
                "{name} answers at {address}, and its clock is {} s {} this machine's",
                ahead.unsigned_abs().div_ceil(1_000),
                if 0 < ahead { "ahead of" } else { "behind" }
            ),
            "set both clocks by NTP: timedatectl, there and here",
        ),
    };
    (found, ahead == 0)
}

async fn asked(address: &str) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
    let request = Request::get(format!("{address}/healthz")).body(Full::<Bytes>::default())?;
    Outgoing::new()?
        .send(request, ANSWER_WAIT, ANSWER_BYTES_MAX)
        .await
}

/// How far a clock that said `there` at some moment between `before` and `after` is ahead for certain, in milliseconds; 0 within
/// [`SKEW_MAX`].
fn ahead(there: Time, before: Time, after: Time) -> i64 {
    let ahead = there.since(after);
    let behind = before.since(there) - DATE_STEP;
    if SKEW_MAX < ahead {
        ahead
    } else if SKEW_MAX < behind {
        -behind
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A failure means that a clock which is right is blamed, as `Date` has no milliseconds, or that one which is wrong is not.
    #[test]
    fn a_clock_is_wrong_when_no_moment_of_the_question_explains_what_it_says() {
        let at = Time::from_millis;
        for (there, expected) in [
            (10_000, 0),
            (9_000, 0),
            (7_500, 0),
            (7_000, -2_500),
            (12_700, 0),
            (13_000, 2_300),
        ] {
            let found = ahead(at(there), at(10_500), at(10_700));
            assert_eq!(found, expected, "{there}");
        }
    }
}
