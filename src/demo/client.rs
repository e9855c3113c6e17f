//! The service as seen from outside: activities and relationships posted, the feed read, over real HTTP.

use super::columns::ColumnEntry;
use super::fediverse::ScheduledPost;
use super::fediverse::people::{PEOPLE, Person};
use crate::api::responses::Accepted;
use axum::body::Bytes;
use axum::http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as Http;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use serde_json::{Value, json};
use slackwater_order::time::Time;
use slackwater_order::verdict::Verdict;
use std::net::SocketAddr;

/// How many entries a page has: the most there can be.
const PAGE: usize = 80;

/// Why the service did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// It could not be reached, or its answer not read.
    #[error("asking {path} of the demo's own service: {why}")]
    Unreachable {
        /// Where it was asked.
        path: String,
        /// What went wrong.
        why: String,
    },
    /// It did not take it.
    #[error("{path} of the demo's own service answered {status}: {body}")]
    Refused {
        /// Where it was asked.
        path: String,
        /// The status.
        status: StatusCode,
        /// What it said.
        body: String,
    },
}

/// A backend of the service.
#[derive(Debug)]
pub struct Client {
    http: Http<HttpConnector, Full<Bytes>>,
    address: SocketAddr,
    account: &'static str,
}

impl Client {
    /// One that posts to and reads from `address`, on behalf of `account`.
    pub fn new(address: SocketAddr, account: &'static str) -> Client {
        Client {
            http: Http::builder(TokioExecutor::new()).build_http(),
            address,
            account,
        }
    }

    /// Where the feed is read.
    pub fn feed_url(&self) -> String {
        format!("http://{}{}", self.address, self.feed_path())
    }

    /// Posts relation documents; they are in force when this returns.
    pub async fn relate(&self, documents: &[Value]) -> Result<(), ClientError> {
        let lines = documents.iter().map(|it| format!("{it}\n")).collect();
        let lines_sent = documents.len();
        self.post_lines("/v1/relationships", lines, lines_sent)
            .await
    }

    /// Posts one activity as an instance does that receives it now.
    pub async fn deliver(&self, event: &ScheduledPost) -> Result<(), ClientError> {
        let request = Request::post(self.url("/v1/activities"))
            .header(header::CONTENT_TYPE, "application/activity+json")
            .header("Arrived-At", event.arrives.rfc3339())
            .body(Full::from(event.activity.to_string()));
        self.ask("/v1/activities", request).await?;
        Ok(())
    }

    /// Posts what came before, all in one request, as when an instance begins: profiles, then activities.
    pub async fn deliver_all(
        &self,
        profiles: &[Value],
        events: &[ScheduledPost],
    ) -> Result<(), ClientError> {
        let wrapped = |it: &ScheduledPost| json!({"activity": it.activity, "arrived_at": it.arrives.rfc3339()});
        let profiles = profiles.iter().map(|it| json!({"activity": it}));
        let lines: Vec<Value> = profiles.chain(events.iter().map(wrapped)).collect();
        let text = lines.iter().map(|it| format!("{it}\n")).collect();
        self.post_lines("/v1/activities", text, lines.len()).await
    }

    /// The newest entries of the account's home feed, in the feed's order.
    pub async fn home(&self) -> Result<Vec<ColumnEntry>, ClientError> {
        let path = self.feed_path();
        let request = Request::get(self.url(&format!("{path}?limit={PAGE}"))).body(Full::default());
        let bytes = self.ask(&path, request).await?;
        let page: Page = serde_json::from_slice(&bytes).map_err(|e| unreachable(&path, &e))?;
        Ok(page.entries.into_iter().map(Entry::column_entry).collect())
    }

    async fn post_lines(&self, path: &str, lines: String, sent: usize) -> Result<(), ClientError> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(self.url(path))
            .header(header::CONTENT_TYPE, "application/x-ndjson")
            .body(Full::from(lines));
        let bytes = self.ask(path, request).await?;
        match serde_json::from_slice::<Accepted>(&bytes) {
            Ok(answer) if answer.accepted == sent => Ok(()),
            Ok(_) => Err(ClientError::Refused {
                path: path.to_owned(),
                status: StatusCode::ACCEPTED,
                body: String::from_utf8_lossy(&bytes).into_owned(),
            }),
            Err(error) => Err(unreachable(path, &error)),
        }
    }

    async fn ask(
        &self,
        path: &str,
        request: Result<Request<Full<Bytes>>, axum::http::Error>,
    ) -> Result<Bytes, ClientError> {
        let request = request.map_err(|e| unreachable(path, &e))?;
        let answer = self.http.request(request).await;
        let answer = answer.map_err(|e| unreachable(path, &e))?;
        let status = answer.status();
        let body = answer.into_body().collect().await;
        let bytes = body.map_err(|e| unreachable(path, &e))?.to_bytes();
        if status.is_success() {
            return Ok(bytes);
        }
        Err(ClientError::Refused {
            path: path.to_owned(),
            status,
            body: String::from_utf8_lossy(&bytes).into_owned(),
        })
    }

    fn feed_path(&self) -> String {
        format!("/v1/accounts/{}/feeds/home", self.account)
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

fn unreachable(path: &str, error: &dyn std::error::Error) -> ClientError {
    let mut why = error.to_string();
    if let Some(cause) = error.source() {
        why = format!("{why}: {cause}");
    }
    ClientError::Unreachable {
        path: path.to_owned(),
        why,
    }
}

#[derive(Deserialize)]
struct Page {
    entries: Vec<Entry>,
}

/// As much of an entry as a column shows.
#[derive(Deserialize)]
struct Entry {
    uri: String,
    author: String,
    published: Option<Time>,
    arrived: Time,
    delay_ms: Option<i64>,
    verdict: Verdict,
    object: Object,
}

#[derive(Deserialize)]
struct Object {
    content: String,
}

impl Entry {
    fn column_entry(self) -> ColumnEntry {
        let person = PEOPLE.iter().find(|person| person.actor() == self.author);
        let is_late = matches!(self.verdict, Verdict::Late | Verdict::TooLate);
        ColumnEntry {
            uri: self.uri,
            handle: person.map_or(self.author, Person::handle),
            text: without_tags(&self.object.content),
            written: self.published.unwrap_or(self.arrived),
            late_ms: self.delay_ms.filter(|_| is_late),
        }
    }
}

/// Enough for the posts of `fediverse`, which have no other markup.
fn without_tags(content: &str) -> String {
    content.replace("<p>", "").replace("</p>", "")
}
