//! The backend itself as a server of Mastodon's API, which is asked under the token of a reader.

use super::auth::token::Token;
use super::outgoing::{Answer, Cause, Outgoing};
use crate::operator::traces;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, header, request};
use http_body_util::Full;
use hyper::upgrade::Upgraded;
use slackwater_order::time::Time;
use std::net::IpAddr;
use std::time::Duration;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tracing::Instrument;
use url::Url;

/// The longest time for which a backend's limit is believed.
const REFUSED_MAX: Duration = Duration::from_secs(300);

/// The address of the backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Its own address, which may be behind its proxy: http or https, without a path.
    pub address: Url,
    /// The host under which everybody knows it: a server of Rails takes requests for no other.
    pub web_domain: String,
}

/// The backend. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Backend {
    http: Outgoing,
    address: Url,
    web_domain: HeaderValue,
}

/// Why the backend cannot be asked at all.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// This machine has no certificates to trust a server by.
    #[error(transparent)]
    Certificates(#[from] std::io::Error),
    /// The domain is none that a header can hold.
    #[error("mastodon.web_domain is no host")]
    Domain,
}

impl Backend {
    /// An error if no client can be made on this machine.
    pub(crate) fn new(options: &Options) -> Result<Backend, BackendError> {
        let domain = HeaderValue::from_str(&options.web_domain);
        Ok(Backend {
            http: Outgoing::new()?,
            address: options.address.clone(),
            web_domain: domain.map_err(|_| BackendError::Domain)?,
        })
    }

    /// Reads a path, with its query, under a token. `reader` is the address of its owner.
    pub(crate) async fn get(
        &self,
        path: &str,
        token: &Token,
        reader: Option<IpAddr>,
        wait: Duration,
        bytes_max: usize,
    ) -> Result<Answer, Cause> {
        let request = self.request(&self.address, path, token, reader)?;
        let request = request
            .header(header::ACCEPT, "application/json")
            .body(Full::default())?;
        let span = tracing::info_span!(
            target: traces::TARGET,
            "upstream",
            otel.name = format!("GET {}", template_of(path)),
            otel.kind = "client",
            http.request.method = "GET",
            url.template = template_of(path),
            http.response.status_code = tracing::field::Empty,
            otel.status_code = tracing::field::Empty,
        );
        let answering = self.http.send(request, wait, bytes_max);
        let answer = answering.instrument(span.clone()).await;
        match &answer {
            Ok(answer) => span.record("http.response.status_code", answer.status.as_u16()),
            Err(_) => span.record("otel.status_code", "ERROR"),
        };
        answer
    }

    /// Opens a websocket at the path of another server of the backend, under a token. The connection, or the status of a refusal.
    pub(crate) async fn socket(
        &self,
        address: &Url,
        path: &str,
        token: &Token,
        reader: Option<IpAddr>,
        wait: Duration,
    ) -> Result<Result<Upgraded, axum::http::StatusCode>, Cause> {
        let key = generate_key();
        let request = self
            .request(address, path, token, reader)?
            .header(header::CONNECTION, "upgrade")
            .header(header::UPGRADE, "websocket")
            .header(header::SEC_WEBSOCKET_VERSION, "13")
            .header(header::SEC_WEBSOCKET_KEY, &key)
            .body(Full::<Bytes>::default())?;
        let (headers, upgraded) = match self.http.upgraded(request, wait).await? {
            Ok(upgraded) => upgraded,
            Err(status) => return Ok(Err(status)),
        };
        // RFC 6455, section 4.1: anything else is no websocket.
        let accept = headers.get(header::SEC_WEBSOCKET_ACCEPT);
        if accept.is_none_or(|it| it.as_bytes() != derive_accept_key(key.as_bytes()).as_bytes()) {
            return Err("the server changed to no websocket of this request".into());
        }
        Ok(Ok(upgraded))
    }

    /// A request as the backend's own proxy would pass it on: under its public host, with TLS, for this reader. Without that Rails
    /// redirects or refuses.
    fn request(
        &self,
        address: &Url,
        path: &str,
        token: &Token,
        reader: Option<IpAddr>,
    ) -> Result<request::Builder, Cause> {
        const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
        const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
        let url = address.join(path)?;
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", token.reveal()))?;
        bearer.set_sensitive(true);
        let request = Request::get(url.as_str())
            .header(header::HOST, &self.web_domain)
            .header(header::AUTHORIZATION, bearer)
            .header(PROTO, "https");
        Ok(match reader {
            Some(reader) => request.header(FOR, reader.to_string()),
            None => request,
        })
    }
}

/// The time after which a backend that has had too many calls takes more: by `Retry-After`, or by the time that Mastodon's
/// `X-RateLimit-Reset` names.
pub(crate) fn pause_of(headers: &HeaderMap, now: Time) -> Duration {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let seconds = text(header::RETRY_AFTER.as_str()).and_then(|it| it.trim().parse().ok());
    let reset = || {
        let reset = moment(text("x-ratelimit-reset")?)?;
        // Rounded up: a moment too early is refused again.
        u64::try_from(reset.since(now))
            .ok()
            .map(|ms| ms.div_ceil(1000))
    };
    let seconds = seconds.or_else(reset).unwrap_or(60);
    Duration::from_secs(seconds).clamp(Duration::from_secs(1), REFUSED_MAX)
}

/// The moment that a text in the form of RFC 3339 names.
fn moment(text: &str) -> Option<Time> {
    let moment = chrono::DateTime::parse_from_rfc3339(text).ok()?;
    Some(Time::from_millis(moment.timestamp_millis()))
}

/// A path of the backend without what is one reader's: ids, and all of the query.
fn template_of(path: &str) -> String {
    let (path, _) = path.split_once('?').unwrap_or((path, ""));
    let is_id = |part: &str| {
        let is_version = part == "v1" || part == "v2";
        !is_version && part.bytes().any(|byte| byte.is_ascii_digit())
    };
    let parts = path.split('/');
    let parts = parts.map(|part| if is_id(part) { "{id}" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backends_limit_is_believed_in_both_its_forms() {
        let now = moment("2026-11-29T12:00:00.500Z").unwrap();
        let check = |name: &'static str, value: &'static str, seconds: u64| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            assert_eq!(
                pause_of(&headers, now),
                Duration::from_secs(seconds),
                "{name}: {value}"
            );
        };
        check("retry-after", "7", 7);
        check("retry-after", "0", 1);
        check("retry-after", "86400", 300);
        check("x-ratelimit-reset", "2026-11-29T12:00:30.000000Z", 30);
        check("x-ratelimit-reset", "2026-11-29T11:59:00Z", 60);
        check("x-ratelimit-reset", "soon", 60);
    }

    /// A failure means that somebody who reads traces learns who read what.
    #[test]
    fn a_trace_has_no_ids_and_no_query() {
        let check = |path, template| assert_eq!(template_of(path), template);
        check("/api/v1/statuses?id[]=1&id[]=2", "/api/v1/statuses");
        check(
            "/api/v1/statuses/109/context",
            "/api/v1/statuses/{id}/context",
        );
        check("/api/v2/filters", "/api/v2/filters");
    }
}
