//! Tokens, Mastodon's database, and the servers behind the service.

use super::finding::Found;
use crate::api::auth::introspection::Introspection;
use crate::api::auth::jwt::Jwt;
use crate::api::auth::secret::Secret;
use crate::api::backend;
use crate::api::outgoing::Outgoing;
use crate::clock;
use crate::config::Config;
use crate::connector::check::{self, check};
use crate::connector::database::Database;
use crate::connector::inspect::inspect;
use crate::error_chain::chain;
use crate::operator::shown_url::without_user;
use axum::body::Bytes;
use axum::http::{Request, header};
use futures_util::future::{BoxFuture, FutureExt};
use http_body_util::Full;
use slackwater_order::time::Time;
use std::time::Duration;
use url::Url;

/// How long a server behind the service may take.
const ANSWER_WAIT: Duration = Duration::from_secs(10);
/// The longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// How far the database's clock may be from this one: tokens and ids are compared with it.
const SKEW_MAX: i64 = 5_000;

pub(super) fn checks(config: &Config, now: Time) -> Vec<(&'static str, BoxFuture<'_, Vec<Found>>)> {
    let mut checks: Vec<(&'static str, BoxFuture<'_, Vec<Found>>)> =
        vec![("tokens", async { tokens(config) }.boxed())];
    if config.auth.introspection.is_some() {
        checks.push(("introspection", introspection(config).boxed()));
    }
    if let Some(address) = &config.connector.database {
        checks.push(("database", database(address, now).boxed()));
    }
    if let Some(backend) = &config.auth.backend {
        checks.push(("upstream", upstream(backend).boxed()));
    }
    if let Some(streaming) = config
        .mastodon
        .upstream
        .as_ref()
        .and_then(|it| it.streaming.as_ref())
    {
        checks.push((
            "streaming",
            server(
                "mastodon.streaming",
                streaming,
                "/api/v1/streaming/health",
                None,
            )
            .boxed(),
        ));
    }
    if let Some(inbox) = &config.inbox {
        checks.push((
            "inbox",
            server("inbox.upstream", &inbox.upstream, "/", None).boxed(),
        ));
    }
    checks
}

fn tokens(config: &Config) -> Vec<Found> {
    let auth = &config.auth;
    let mut found = Vec::new();
    found.push(match auth.service_tokens.len() {
        0 => Found::ok(
            "no service tokens: everybody on this machine may act as the backend, and nobody else",
        ),
        count => Found::ok(format!("{count} service tokens")),
    });
    if let Some(jwt) = &auth.jwt {
        found.push(match Jwt::new(jwt) {
            Ok(_) => Found::ok(format!("the key of {} tokens loads", jwt.algorithm.name())),
            Err(error) => Found::wrong(
                format!(
                    "the key of {} tokens does not load: {error}",
                    jwt.algorithm.name()
                ),
                "give auth.jwt.key a key of that algorithm",
            ),
        });
    }
    found.push(match config.cursor_keys.len() {
        0 => Found::ok("cursors are sealed as the log has it: with a key in the built-in log's folder, or with Kafka not at all"),
        count => Found::ok(format!("{count} keys of cursors")),
    });
    found
}

async fn introspection(config: &Config) -> Vec<Found> {
    let Some(options) = config.auth.introspection.clone() else {
        return Vec::new();
    };
    let url = without_user(&options.url);
    let asked = match Introspection::new(options) {
        Ok(introspection) => introspection.try_it().await,
        Err(error) => Err(error.into()),
    };
    vec![match asked {
        Ok(()) => Found::ok(format!("{url} answers, and knows this client")),
        Err(error) => Found::wrong(
            format!("{url} does not say whether a token is good: {error}"),
            "check auth.introspection: url, client_id and client_secret as that server has them (401: the last two)",
        ),
    }]
}

async fn database(address: &Secret, now: Time) -> Vec<Found> {
    let begun = clock::stopwatch();
    let connected = match Database::connect(address).await {
        Ok(connected) => connected,
        Err(error) => {
            let to_do = "check mastodon.database: host, port, user, password; and that PostgreSQL lets this machine in (pg_hba.conf)";
            return vec![Found::wrong(chain(&error), to_do)];
        }
    };
    let mut found = Vec::new();
    match inspect(&connected).await {
        Ok(inspected) => {
            for finding in check(&inspected, connected.place()) {
                found.push(match finding {
                    check::Finding::Good(what) => Found::ok(what),
                    check::Finding::ToDo(what) => Found::wrong("something is to be done", what),
                });
            }
        }
        Err(error) => found.push(Found::wrong(
            chain(&error),
            "see what PostgreSQL's log says of it",
        )),
    }
    const TIME: &str = "SELECT (extract(epoch from clock_timestamp()) * 1000)::bigint::text";
    let rows = connected.texts(TIME).await.unwrap_or_default();
    let there = rows
        .first()
        .and_then(|row| row.first()?.as_ref()?.parse::<i64>().ok());
    if let Some(there) = there {
        let here = now.plus(begun.elapsed());
        let ahead = Time::from_millis(there).since(here);
        found.push(match ahead.abs() <= SKEW_MAX {
            true => Found::ok("its clock agrees with this machine's"),
            false => Found::warning(
                format!("its clock is {} s from this machine's", ahead / 1000),
                "set both clocks by NTP (timedatectl)",
            ),
        });
    }
    found
}

async fn upstream(backend: &backend::Options) -> Vec<Found> {
    server(
        "mastodon.upstream",
        &backend.address,
        "/health",
        Some(&backend.web_domain),
    )
    .await
}

/// Whether a server answers at all: what it says is its own affair.
async fn server(key: &str, address: &Url, path: &str, host: Option<&str>) -> Vec<Found> {
    let shown = without_user(address);
    let asked = async {
        let url = address.join(path)?;
        let mut request = Request::get(url.as_str());
        if let Some(host) = host {
            // As the backend's own proxy passes it on.
            request = request
                .header(header::HOST, host)
                .header("x-forwarded-proto", "https");
        }
        let request = request.body(Full::<Bytes>::default())?;
        Outgoing::new()?
            .send(request, ANSWER_WAIT, ANSWER_BYTES_MAX)
            .await
    };
    vec![match asked.await {
        Ok(answer) if answer.status.is_server_error() => Found::warning(
            format!("{key}: {shown} answers {} to {path}", answer.status),
            "see how that server is",
        ),
        Ok(_) => Found::ok(format!("{key}: {shown} answers")),
        Err(error) => Found::wrong(
            format!("{key}: {shown} does not answer: {error}"),
            format!("start that server, or correct {key}"),
        ),
    }]
}
