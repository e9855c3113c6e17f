//! The running service, asked over its own API as its backend asks it: for commands of the same machine.

use crate::api::auth::secret::Secret;
use crate::api::outgoing::{Answer, Outgoing};
use crate::config::Config;
use axum::body::Bytes;
use axum::http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::Full;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use url::Url;

/// How long an answer may take: longer than the service gives any request by default.
const ANSWER_WAIT: Duration = Duration::from_secs(40);
/// How long the question may take whether a service runs: it is on this machine, or not there.
const PROBE_WAIT: Duration = Duration::from_secs(5);
/// The longest answer, in bytes: a page of dead letters whose every byte is escaped.
const ANSWER_BYTES_MAX: usize = 32 << 20;

/// A service that runs.
#[derive(Debug)]
pub struct RunningService {
    http: Outgoing,
    at: Url,
    token: Option<Secret>,
}

/// Why the service could not be asked, or did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum RunningServiceError {
    /// This machine has no certificates to trust a server by.
    #[error("preparing to ask the service")]
    Preparing(#[source] std::io::Error),
    /// It gave no answer, or one that cannot be read.
    #[error("asking the service at {at} for {path}")]
    NoAnswer {
        /// Its address.
        at: String,
        /// What it was asked for.
        path: String,
        /// The reason.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It did not do as asked.
    #[error("the service at {at} answers {status} to {path}: {detail}")]
    Refused {
        /// Its address.
        at: String,
        /// What it was asked for.
        path: String,
        /// The status.
        status: StatusCode,
        /// What it said.
        detail: String,
    },
}

/// `/healthz` and `/readyz` as they are answered.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Readiness {
    /// Whether all is well.
    pub ready: bool,
    /// What is going on.
    pub detail: String,
}

/// Where a service that listens on this address is asked on the same machine; none if it says no port.
pub fn url_of(listen: SocketAddr) -> Option<Url> {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    if listen.port() == 0 {
        return None;
    }
    Url::parse(&format!("http://{}", SocketAddr::new(ip, listen.port()))).ok()
}

impl RunningService {
    /// The service at this address, asked with the first service token of the configuration. Asks nothing yet.
    pub fn at(at: Url, config: &Config) -> Result<RunningService, RunningServiceError> {
        Ok(RunningService {
            http: Outgoing::new().map_err(RunningServiceError::Preparing)?,
            at,
            token: config.auth.service_tokens.first().cloned(),
        })
    }

    /// Its address.
    pub fn address(&self) -> &str {
        self.at.as_str().trim_end_matches('/')
    }

    /// Whether a Slackwater answers there. One that is not well answers too. No token is sent: it may be anybody.
    pub async fn is_there(&self) -> bool {
        let answer = self.send(Method::GET, "/healthz", None, PROBE_WAIT).await;
        answer.is_ok_and(|answer| serde_json::from_slice::<Readiness>(&answer.body).is_ok())
    }

    /// Whether it is ready, and why not. No token is sent.
    pub async fn readiness(&self) -> Result<Readiness, RunningServiceError> {
        const PATH: &str = "/readyz";
        let answer = self.send(Method::GET, PATH, None, PROBE_WAIT).await?;
        self.parsed(PATH, &answer)
    }

    /// Reads what a path gives.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, RunningServiceError> {
        self.ask(Method::GET, path).await
    }

    /// Posts to a path, without a body.
    pub async fn post<T: DeserializeOwned>(&self, path: &str) -> Result<T, RunningServiceError> {
        self.ask(Method::POST, path).await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
    ) -> Result<T, RunningServiceError> {
        let answer = self
            .send(method, path, self.token.as_ref(), ANSWER_WAIT)
            .await?;
        self.good(path, &answer)?;
        self.parsed(path, &answer)
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        token: Option<&Secret>,
        wait: Duration,
    ) -> Result<Answer, RunningServiceError> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.address()));
        if let Some(token) = token {
            let bearer = format!("Bearer {}", token.reveal());
            let mut bearer = HeaderValue::try_from(bearer)
                .map_err(|error| self.no_answer(path, error.into()))?;
            bearer.set_sensitive(true);
            request = request.header(header::AUTHORIZATION, bearer);
        }
        let request = request
            .body(Full::<Bytes>::default())
            .map_err(|error| self.no_answer(path, error.into()))?;
        let answer = self.http.send(request, wait, ANSWER_BYTES_MAX).await;
        answer.map_err(|error| self.no_answer(path, error))
    }

    fn parsed<T: DeserializeOwned>(
        &self,
        path: &str,
        answer: &Answer,
    ) -> Result<T, RunningServiceError> {
        serde_json::from_slice(&answer.body).map_err(|error| self.no_answer(path, error.into()))
    }

    fn good(&self, path: &str, answer: &Answer) -> Result<(), RunningServiceError> {
        if answer.status.is_success() {
            return Ok(());
        }
        #[derive(Deserialize)]
        struct Problem {
            detail: String,
        }
        let problem = serde_json::from_slice::<Problem>(&answer.body);
        Err(RunningServiceError::Refused {
            at: self.address().to_owned(),
            path: path.to_owned(),
            status: answer.status,
            detail: problem.map_or_else(|_| "no reason given".to_owned(), |it| it.detail),
        })
    }

    fn no_answer(
        &self,
        path: &str,
        source: Box<dyn std::error::Error + Send + Sync>,
    ) -> RunningServiceError {
        RunningServiceError::NoAnswer {
            at: self.address().to_owned(),
            path: path.to_owned(),
            source,
        }
    }
}
