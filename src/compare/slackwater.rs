//! The side of the running service, asked over its own API as the backend asks it.

use super::error::CompareError;
use super::home::{Home, OurPost};
use super::reason::{Found, ON_ITS_WAY_MAX};
use crate::api::auth::secret::Secret;
use crate::api::outgoing::{Answer, Outgoing};
use axum::body::Bytes;
use axum::http::{HeaderValue, Request, StatusCode, header};
use futures_util::{StreamExt, TryStreamExt, stream};
use http_body_util::Full;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use slackwater_order::place::PostId;
use slackwater_order::time::Time;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use url::Url;

/// How long an answer may take: longer than the service gives any request by default.
const ANSWER_WAIT: Duration = Duration::from_secs(40);
/// The longest answer, in bytes: metrics of many origins, or a post of the longest kind.
const ANSWER_BYTES_MAX: usize = 8 << 20;
/// Entries of a page: the most that the service gives.
const PAGE: usize = 80;
/// Posts that are asked about side by side.
const SIDE_BY_SIDE: usize = 4;
/// How long the oldest row of Mastodon's outbox has waited, and whether the outbox is followed.
const LAG: &str = "slackwater_connector_lag_seconds";
const FOLLOWING: &str = "slackwater_connector_following";

/// The service, asked as the backend.
#[derive(Debug)]
pub struct Slackwater {
    http: Outgoing,
    at: Url,
    token: Option<Secret>,
}

/// The home here, and its horizon.
#[derive(Debug)]
pub(super) struct OurHome {
    pub(super) home: Home<OurPost>,
    pub(super) horizon: Option<Time>,
}

/// A name that a post is asked for by.
#[derive(Clone, Copy, Debug)]
pub(super) enum PostName {
    Ref(u64),
    Place(PostId),
}

/// Where a service that listens on this address is asked on the same machine.
pub fn url_of(listen: SocketAddr) -> Result<Url, url::ParseError> {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    Url::parse(&format!("http://{}", SocketAddr::new(ip, listen.port())))
}

impl Slackwater {
    /// The service at this address, asked with a service token if it wants one. Asks nothing yet.
    pub fn new(at: Url, token: Option<Secret>) -> Result<Slackwater, CompareError> {
        let http = Outgoing::new().map_err(|e| CompareError::Preparing(e.into()))?;
        Ok(Slackwater { http, at, token })
    }

    /// Whether it has read all that there is to read. An error if it has not.
    pub(super) async fn is_ready(&self) -> Result<(), CompareError> {
        #[derive(Deserialize)]
        struct Readiness {
            detail: String,
        }
        const PATH: &str = "/readyz";
        let answer = self.get(PATH).await?;
        if answer.status == StatusCode::SERVICE_UNAVAILABLE {
            let readiness: Readiness = self.parsed(PATH, &answer)?;
            return Err(CompareError::NotReady {
                at: self.at.to_string(),
                detail: readiness.detail,
            });
        }
        self.good(PATH, &answer)
    }

    /// How far it is behind Mastodon's database, by its metrics. An error if it does not follow that, or is too far behind for a
    /// comparison to mean anything.
    pub(super) async fn lag(&self) -> Result<Duration, CompareError> {
        const PATH: &str = "/metrics";
        let answer = self.get(PATH).await?;
        self.good(PATH, &answer)?;
        lag_of(&String::from_utf8_lossy(&answer.body), self.at.as_str())
    }

    /// The newest `posts_max` posts of home.
    pub(super) async fn home(
        &self,
        account: &str,
        posts_max: usize,
    ) -> Result<OurHome, CompareError> {
        let mut posts: Vec<OurPost> = Vec::new();
        let mut horizon = None;
        let mut is_whole = false;
        while posts.len() < posts_max && !is_whole {
            let limit = PAGE.min(posts_max - posts.len());
            let below = posts.last().map(|post| format!("&before={}", post.place));
            let below = below.unwrap_or_default();
            let path =
                format!("/v1/accounts/{account}/feeds/home?fields=refs&limit={limit}{below}");
            let answer = self.get(&path).await?;
            self.good(&path, &answer)?;
            let page: Page = self.parsed(&path, &answer)?;
            if posts.is_empty() {
                horizon = page.horizon;
            }
            is_whole = page.entries.is_empty();
            posts.extend(page.entries.into_iter().map(Entry::post));
        }
        let home = Home { posts, is_whole };
        Ok(OurHome { home, horizon })
    }

    /// What is known of these posts, in their order, and why home of the account shows each or not.
    pub(super) async fn explained(
        &self,
        account: &str,
        names: Vec<PostName>,
    ) -> Result<Vec<Found>, CompareError> {
        let asking = names
            .into_iter()
            .map(|name| self.explained_one(account, name));
        stream::iter(asking)
            .buffered(SIDE_BY_SIDE)
            .try_collect()
            .await
    }

    async fn explained_one(&self, account: &str, name: PostName) -> Result<Found, CompareError> {
        let path = match name {
            PostName::Ref(id) => format!("/v1/posts?ref={id}&explain_for={account}"),
            PostName::Place(id) => format!("/v1/posts/{id}?explain_for={account}"),
        };
        let answer = self.get(&path).await?;
        let detail = || self.problem(&answer);
        match answer.status {
            // An account that is gone meanwhile is no post that is unknown.
            StatusCode::NOT_FOUND if detail().starts_with("no such post") => Ok(Found::Unknown),
            StatusCode::GONE => Ok(Found::Gone(detail())),
            _ => {
                self.good(&path, &answer)?;
                let explained: ExplainedPost = self.parsed(&path, &answer)?;
                let feeds = explained.explained.feeds.into_iter();
                let home = feeds.into_iter().find(|it| it.feed == "home");
                let home = home.ok_or_else(|| self.answered(&path, &answer, "no home in it"))?;
                Ok(Found::There {
                    place: explained.id.0,
                    arrived: explained.arrived,
                    shows: home.shows,
                    why: home.why,
                })
            }
        }
    }

    async fn get(&self, path: &str) -> Result<Answer, CompareError> {
        let away = |source| CompareError::ServiceAway {
            at: self.at.to_string(),
            source,
        };
        let url = self.at.join(path).map_err(|e| away(e.into()))?;
        let mut request = Request::get(url.as_str());
        if let Some(token) = &self.token {
            let bearer = HeaderValue::from_str(&format!("Bearer {}", token.reveal()));
            let mut bearer = bearer.map_err(|e| away(e.into()))?;
            bearer.set_sensitive(true);
            request = request.header(header::AUTHORIZATION, bearer);
        }
        let request = request.body(Full::<Bytes>::default());
        let request = request.map_err(|e| away(e.into()))?;
        let answer = self.http.send(request, ANSWER_WAIT, ANSWER_BYTES_MAX);
        answer.await.map_err(away)
    }

    fn good(&self, path: &str, answer: &Answer) -> Result<(), CompareError> {
        match answer.status {
            StatusCode::OK => Ok(()),
            _ => Err(self.answered(path, answer, &self.problem(answer))),
        }
    }

    fn parsed<T: DeserializeOwned>(&self, path: &str, answer: &Answer) -> Result<T, CompareError> {
        let parsed = serde_json::from_slice(&answer.body);
        parsed.map_err(|error| self.answered(path, answer, &error.to_string()))
    }

    fn answered(&self, path: &str, answer: &Answer, detail: &str) -> CompareError {
        let (path, _) = path.split_once('?').unwrap_or((path, ""));
        CompareError::ServiceAnswered {
            at: self.at.to_string(),
            path: path.to_owned(),
            status: answer.status,
            detail: detail.to_owned(),
        }
    }

    /// What a problem document says; of anything else, that it is none.
    fn problem(&self, answer: &Answer) -> String {
        #[derive(Deserialize)]
        struct Problem {
            detail: String,
        }
        let problem = serde_json::from_slice::<Problem>(&answer.body);
        problem.map_or_else(|_| "no problem document".to_owned(), |it| it.detail)
    }
}

/// The lag that metrics of the service at `at` say.
fn lag_of(metrics: &str, at: &str) -> Result<Duration, CompareError> {
    let number = |name: &str| {
        let value = |line: &str| line.strip_prefix(name)?.trim().parse::<f64>().ok();
        metrics.lines().find_map(value)
    };
    let at = at.to_owned();
    // A service that does not say how far behind it is may be of another version.
    let (Some(1.0), Some(seconds)) = (number(FOLLOWING), number(LAG)) else {
        return Err(CompareError::NotFollowing(at));
    };
    let lag = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    match lag <= ON_ITS_WAY_MAX {
        true => Ok(lag),
        false => Err(CompareError::Behind { at, lag }),
    }
}

#[derive(Deserialize)]
struct Page {
    entries: Vec<Entry>,
    horizon: Option<Time>,
}

/// An entry of a page with `fields=refs`, as far as it is read.
#[derive(Deserialize)]
struct Entry {
    id: Place,
    #[serde(rename = "ref")]
    post_ref: Option<String>,
    arrived: Time,
    delay_ms: Option<i64>,
    verdict: String,
    boost: Option<BoostedRef>,
}

#[derive(Deserialize)]
struct BoostedRef {
    #[serde(rename = "ref")]
    post_ref: Option<String>,
}

#[derive(Deserialize)]
struct ExplainedPost {
    id: Place,
    arrived: Time,
    explained: Explained,
}

#[derive(Deserialize)]
struct Explained {
    feeds: Vec<ExplainedFeed>,
}

#[derive(Deserialize)]
struct ExplainedFeed {
    feed: String,
    shows: bool,
    why: String,
}

/// A place as JSON has it: a number in a text.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Place(PostId);

impl TryFrom<String> for Place {
    type Error = <PostId as std::str::FromStr>::Err;

    fn try_from(text: String) -> Result<Place, Self::Error> {
        text.parse().map(Place)
    }
}

impl Entry {
    fn post(self) -> OurPost {
        let number = |text: Option<String>| text.and_then(|text| text.parse::<u64>().ok());
        OurPost {
            place: self.id.0,
            id: number(self.post_ref),
            arrived: self.arrived,
            delay_ms: self.delay_ms,
            is_fetched: self.verdict == "fetched",
            boosted: self.boost.and_then(|boost| number(boost.post_ref)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operator::metrics::Metrics;
    use crate::operator::metrics::text_format::TextFormat;

    /// A failure means that an outbox which nobody reads looks like feeds that lack something, or that go on being right.
    #[test]
    fn a_service_that_does_not_follow_closely_is_not_compared() {
        let metrics = Metrics::default();
        let lag = || lag_of(&metrics.text(&[], TextFormat::Prometheus), "there");
        assert!(matches!(lag(), Err(CompareError::NotFollowing(_))));
        metrics.connector.following.set(1);
        assert_eq!(lag().unwrap(), Duration::ZERO);
        metrics.connector.lag_seconds.set(60.0);
        assert_eq!(lag().unwrap(), Duration::from_secs(60));
        metrics.connector.lag_seconds.set(61.0);
        let silent = format!("{FOLLOWING} 1\n");
        assert!(matches!(
            lag_of(&silent, "there"),
            Err(CompareError::NotFollowing(_))
        ));
        let error = lag().unwrap_err();
        assert!(error.is_passing());
        assert!(error.to_string().contains("is 61 s behind"), "{error}");
    }

    #[test]
    fn a_service_that_listens_everywhere_is_asked_on_this_machine() {
        let check = |listen: &str, url: &str| {
            assert_eq!(url_of(listen.parse().unwrap()).unwrap().as_str(), url);
        };
        check("127.0.0.1:8787", "http://127.0.0.1:8787/");
        check("0.0.0.0:8787", "http://127.0.0.1:8787/");
        check("[::]:8787", "http://[::1]:8787/");
        check("192.0.2.1:80", "http://192.0.2.1/");
    }
}
