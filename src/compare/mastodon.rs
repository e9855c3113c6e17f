//! Mastodon's side, asked under a token of the account.

use super::error::CompareError;
use super::home::{Boosted, Home, TheirPost};
use super::relations::{Relation, Relations};
use crate::api::auth::credentials::is_error;
use crate::api::auth::token::Token;
use crate::api::backend::{self, Backend, pause_of};
use crate::clock;
use axum::body::Bytes;
use axum::http::StatusCode;
use hashbrown::{HashMap, HashSet};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use slackwater_order::time::Time;
use std::time::Duration;
use url::form_urlencoded::Serializer;

/// How long an answer may take: nobody waits for this but an operator.
const ANSWER_WAIT: Duration = Duration::from_secs(20);
/// The longest answer, in bytes: forty statuses of the longest kind.
const ANSWER_BYTES_MAX: usize = 8 << 20;
/// Posts of a page of home: the most that Mastodon gives.
const PAGE: usize = 40;
/// Ids of one question about statuses: Mastodon answers 422 to more.
const STATUSES_MAX: usize = 20;
/// Accounts of one question about relations.
const ACCOUNTS_MAX: usize = 40;
/// Hashtags followed that are read, which is what Mastodon gives at once: by others no reason is denied.
const HASHTAGS_MAX: usize = 200;

/// Mastodon, asked for one account.
#[derive(Debug)]
pub struct Mastodon {
    backend: Backend,
    token: Token,
}

impl Mastodon {
    /// Asks nothing yet.
    pub fn new(options: &backend::Options, token: Token) -> Result<Mastodon, CompareError> {
        let backend = Backend::new(options).map_err(|e| CompareError::Preparing(e.into()))?;
        Ok(Mastodon { backend, token })
    }

    /// The account of the token.
    pub(super) async fn account(&self) -> Result<String, CompareError> {
        #[derive(Deserialize)]
        struct Account {
            id: String,
        }
        const PATH: &str = "/api/v1/accounts/verify_credentials";
        let (_, account) = self.read::<Account>(PATH).await?;
        Ok(account.id)
    }

    /// The newest `posts_max` posts of home.
    pub(super) async fn home(&self, posts_max: usize) -> Result<Home<TheirPost>, CompareError> {
        let mut posts: Vec<TheirPost> = Vec::new();
        while posts.len() < posts_max {
            let limit = PAGE.min(posts_max - posts.len());
            let below = posts.last().map(|post| post.id);
            let path = match below {
                None => format!("/api/v1/timelines/home?limit={limit}"),
                Some(id) => format!("/api/v1/timelines/home?limit={limit}&max_id={id}"),
            };
            let (status, page) = self.read::<Vec<Status>>(&path).await?;
            if status == StatusCode::PARTIAL_CONTENT {
                return Err(CompareError::Regenerating);
            }
            if page.is_empty() {
                return Ok(Home {
                    posts,
                    is_whole: true,
                });
            }
            for status in page.into_iter().take(limit) {
                let post = status.post();
                let is_below = |last: &TheirPost| post.as_ref().is_some_and(|it| it.id < last.id);
                match post.as_ref().filter(|_| posts.last().is_none_or(is_below)) {
                    Some(post) => posts.push(post.clone()),
                    None => {
                        let found =
                            "statuses whose ids are no numbers, or do not come newest first";
                        return Err(answered(&path, found));
                    }
                }
            }
        }
        Ok(Home {
            posts,
            is_whole: false,
        })
    }

    /// Which of these posts Mastodon shows to the account when it is asked for them by their ids.
    pub(super) async fn shown(&self, ids: &[u64]) -> Result<HashSet<u64>, CompareError> {
        #[derive(Deserialize)]
        struct WithId {
            id: String,
        }
        let mut shown = HashSet::new();
        for ids in ids.chunks(STATUSES_MAX) {
            let path = with_ids("/api/v1/statuses", ids.iter().map(u64::to_string));
            let (_, found) = self.read::<Vec<WithId>>(&path).await?;
            shown.extend(found.iter().filter_map(|it| it.id.parse::<u64>().ok()));
        }
        Ok(shown)
    }

    /// What Mastodon says of the account's relations to these; none if the token may not read that.
    pub(super) async fn relations(
        &self,
        accounts: &[String],
    ) -> Result<Option<Relations>, CompareError> {
        #[derive(Deserialize)]
        struct Hashtag {
            name: String,
        }
        let mut relations = HashMap::new();
        for accounts in accounts.chunks(ACCOUNTS_MAX) {
            let path = with_ids("/api/v1/accounts/relationships", accounts.iter().cloned());
            let Some(found) = readable(self.read::<Vec<Relation>>(&path).await)? else {
                return Ok(None);
            };
            relations.extend(found.into_iter().map(|it| (it.id.clone(), it)));
        }
        let path = format!("/api/v1/followed_tags?limit={HASHTAGS_MAX}");
        let Some(hashtags) = readable(self.read::<Vec<Hashtag>>(&path).await)? else {
            return Ok(None);
        };
        let hashtags = hashtags.into_iter().map(|it| it.name.to_lowercase());
        Ok(Some(Relations {
            accounts: relations,
            hashtags: hashtags.collect(),
        }))
    }

    async fn read<T: DeserializeOwned>(&self, path: &str) -> Result<(StatusCode, T), CompareError> {
        let answer = self
            .backend
            .get(path, &self.token, None, ANSWER_WAIT, ANSWER_BYTES_MAX);
        let answer = answer.await.map_err(|source| CompareError::MastodonAway {
            path: bare(path),
            source,
        })?;
        match answer.status {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => {
                let json = parse(&answer.body);
                let json = json.map_err(|error| answered(path, &error.to_string()))?;
                Ok((answer.status, json))
            }
            StatusCode::UNAUTHORIZED => Err(CompareError::TokenRefused),
            StatusCode::FORBIDDEN if is_error(&answer.body) => {
                Err(CompareError::TokenScope(bare(path)))
            }
            StatusCode::TOO_MANY_REQUESTS => {
                let pause = pause_of(&answer.headers, clock::now());
                Err(CompareError::TooMany(pause.as_secs()))
            }
            status => {
                let hint = match status.is_redirection() || status == StatusCode::FORBIDDEN {
                    true => ": is mastodon.web_domain the host that it is known by?",
                    false => "",
                };
                Err(answered(path, &format!("{status}{hint}")))
            }
        }
    }
}

/// A status of home, as far as it is read.
#[derive(Deserialize)]
struct Status {
    id: String,
    created_at: Option<String>,
    account: WithId,
    reblog: Option<Reblog>,
    in_reply_to_id: Option<String>,
    in_reply_to_account_id: Option<String>,
    #[serde(default)]
    mentions: Vec<WithId>,
    #[serde(default)]
    tags: Vec<Tag>,
    language: Option<String>,
}

#[derive(Deserialize)]
struct Reblog {
    id: String,
    account: WithId,
    #[serde(default)]
    mentions: Vec<WithId>,
}

#[derive(Deserialize)]
struct WithId {
    id: String,
}

#[derive(Deserialize)]
struct Tag {
    name: String,
}

impl Status {
    /// None if an id is no number.
    fn post(self) -> Option<TheirPost> {
        let created = self.created_at.as_deref();
        let created = created.and_then(|text| chrono::DateTime::parse_from_rfc3339(text).ok());
        let mut mentions: Vec<String> = self.mentions.into_iter().map(|it| it.id).collect();
        let boosted = match self.reblog {
            None => None,
            Some(reblog) => {
                mentions.extend(reblog.mentions.into_iter().map(|it| it.id));
                Some(Boosted {
                    id: reblog.id.parse().ok()?,
                    author: reblog.account.id,
                })
            }
        };
        Some(TheirPost {
            id: self.id.parse().ok()?,
            author: self.account.id,
            created: created.map(|at| Time::from_millis(at.timestamp_millis())),
            boosted,
            answers_post: self.in_reply_to_id,
            answers_account: self.in_reply_to_account_id,
            mentions,
            tags: self
                .tags
                .into_iter()
                .map(|tag| tag.name.to_lowercase())
                .collect(),
            language: self.language,
        })
    }
}

/// What was read, or nothing if the token is not for it.
fn readable<T>(read: Result<(StatusCode, T), CompareError>) -> Result<Option<T>, CompareError> {
    match read {
        Ok((_, found)) => Ok(Some(found)),
        Err(CompareError::TokenScope(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn parse<T: DeserializeOwned>(body: &Bytes) -> Result<T, serde_json::Error> {
    serde_json::from_slice(body)
}

fn answered(path: &str, found: &str) -> CompareError {
    CompareError::MastodonAnswered {
        path: bare(path),
        found: found.to_owned(),
    }
}

/// A path without its query, which is long.
fn bare(path: &str) -> String {
    let (path, _) = path.split_once('?').unwrap_or((path, ""));
    path.to_owned()
}

fn with_ids(path: &str, ids: impl Iterator<Item = String>) -> String {
    let mut query = Serializer::new(String::new());
    for id in ids {
        query.append_pair("id[]", &id);
    }
    format!("{path}?{}", query.finish())
}
