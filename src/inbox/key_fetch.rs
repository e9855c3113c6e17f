//! Documents of actors fetched from their servers. The address that is connected to is the one that was checked: a name is resolved
//! once, by the client that connects. Time, bytes and redirects are bounded.

use super::addresses::AddressRule;
use super::signing_key::SigningKey;
use axum::body::Bytes;
use axum::http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use hyper_util::rt::TokioExecutor;
use slackwater_engine::id::same_origin;
use slackwater_order::time::Time;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tower_service::Service;
use url::{Host, Url};

/// The longest time that a document may take, redirects and all.
const FETCH_WAIT: Duration = Duration::from_secs(10);
/// The longest document, in bytes: most have less than ten thousand.
const DOCUMENT_BYTES_MAX: usize = 256 << 10;
/// The most redirects: to another scheme, to a spelling with `www.`, to an actor's id.
const REDIRECTS_MAX: usize = 3;
/// The media types of documents that speak for their host. An upload of somebody's, which a server may serve too, has another.
const DOCUMENT_TYPES: [&str; 2] = ["application/activity+json", "application/ld+json"];
/// What is asked for (ActivityPub, section 3.2).
const ACCEPT: &str = "application/activity+json, application/ld+json; profile=\"https://www.w3.org/ns/activitystreams\"";
/// The name that this service goes by. Some servers refuse those without one.
const USER_AGENT: &str = concat!("Slackwater/", env!("CARGO_PKG_VERSION"));

/// Fetches documents.
#[derive(Debug)]
pub(super) struct KeyFetch {
    client: Client<HttpsConnector<HttpConnector<CheckedResolver>>, Empty<Bytes>>,
    rule: Arc<AddressRule>,
    signing_key: Option<SigningKey>,
}

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    /// It may not be asked for there.
    #[error("{0} is no address that keys are fetched from")]
    Address(String),
    /// The server answered with this status.
    #[error("the answer was {0}")]
    Status(StatusCode),
    /// It answered with something else.
    #[error("the answer is no document of an actor")]
    NoDocument,
    /// It led on and on, or to another host.
    #[error("the answer leads elsewhere")]
    Redirect,
    /// There was no answer in time.
    #[error("no answer in time")]
    Slow,
    /// The connection, or an answer that is too long.
    #[error(transparent)]
    Failed(#[from] Box<dyn std::error::Error + Send + Sync>),
}

impl FetchError {
    /// Whether the same may be answered in a moment: by a server that is busy with all who ask for that document at once, since its post
    /// went to all of them at once.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            FetchError::Status(status) => {
                status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS
            }
            FetchError::Slow => true,
            FetchError::Failed(error) => !error.is::<LengthLimitError>(),
            FetchError::Address(_) | FetchError::NoDocument | FetchError::Redirect => false,
        }
    }
}

impl KeyFetch {
    /// An error if this machine has no certificates to trust a server by.
    pub(super) fn new(rule: AddressRule, signing_key: Option<SigningKey>) -> io::Result<KeyFetch> {
        let rule = Arc::new(rule);
        let mut http = HttpConnector::new_with_resolver(CheckedResolver {
            resolver: GaiResolver::new(),
            rule: Arc::clone(&rule),
        });
        http.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_native_roots()?
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        // Servers are asked seldom: no connection rests.
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(0)
            .build(connector);
        Ok(KeyFetch {
            client,
            rule,
            signing_key,
        })
    }

    /// The document at a URL.
    pub(super) async fn document(&self, url: &Url, now: Time) -> Result<Bytes, FetchError> {
        let fetched = tokio::time::timeout(FETCH_WAIT, self.follow(url, now)).await;
        fetched.unwrap_or(Err(FetchError::Slow))
    }

    async fn follow(&self, url: &Url, now: Time) -> Result<Bytes, FetchError> {
        let mut url = url.clone();
        for _ in 0..=REDIRECTS_MAX {
            let (status, headers, body) = self.get(&url, now).await?;
            if status == StatusCode::OK {
                let is_document = is_document(&headers);
                return is_document.then_some(body).ok_or(FetchError::NoDocument);
            }
            if !status.is_redirection() {
                return Err(FetchError::Status(status));
            }
            let to = headers.get(header::LOCATION);
            let to = to.and_then(|to| url.join(to.to_str().ok()?).ok());
            let to = to.ok_or(FetchError::Redirect)?;
            // Another host may not speak for this one; and what it leads to was not asked for.
            if !same_origin(url.as_str(), to.as_str()) {
                return Err(FetchError::Redirect);
            }
            url = to;
        }
        Err(FetchError::Redirect)
    }

    async fn get(
        &self,
        url: &Url,
        now: Time,
    ) -> Result<(StatusCode, HeaderMap, Bytes), FetchError> {
        self.check(url)?;
        let mut url = url.clone();
        url.set_fragment(None);
        let host = host_of(&url).ok_or_else(|| FetchError::Address(url.to_string()))?;
        let mut request = Request::get(url.as_str())
            .header(header::HOST, &host)
            .header(header::ACCEPT, ACCEPT)
            .header(header::USER_AGENT, USER_AGENT);
        let signed = self.signing_key.as_ref();
        if let Some(signed) = signed.and_then(|key| key.sign(&url, &host, now)) {
            request = request
                .header(header::DATE, signed.date)
                .header("signature", signed.signature);
        }
        let failed = |error: Box<dyn std::error::Error + Send + Sync>| FetchError::Failed(error);
        let request = request.body(Empty::new()).map_err(|e| failed(e.into()))?;
        let answer = self.client.request(request).await;
        let (head, body) = answer.map_err(|e| failed(e.into()))?.into_parts();
        let body = Limited::new(body, DOCUMENT_BYTES_MAX).collect().await;
        let body = body.map_err(failed)?.to_bytes();
        Ok((head.status, head.headers, body))
    }

    /// Checks what can be checked before names are resolved. Names are checked once they are.
    fn check(&self, url: &Url) -> Result<(), FetchError> {
        let literal = match url.host() {
            Some(Host::Ipv4(address)) => Some(address.into()),
            Some(Host::Ipv6(address)) => Some(address.into()),
            Some(Host::Domain(_)) => None,
            None => return Err(FetchError::Address(url.to_string())),
        };
        let is_permitted = match (url.scheme(), literal) {
            ("https", Some(address)) => self.rule.permits(address),
            ("https", None) => true,
            // Where http is allowed depends on the address, so it has to be in the URL.
            ("http", Some(address)) => self.rule.is_allowed(address),
            _ => false,
        };
        let has_user = !url.username().is_empty() || url.password().is_some();
        match is_permitted && !has_user {
            true => Ok(()),
            false => Err(FetchError::Address(url.to_string())),
        }
    }
}

/// The host of a URL as its header has it: with the port, unless that is the scheme's own.
fn host_of(url: &Url) -> Option<String> {
    let host = url.host_str()?;
    Some(match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    })
}

fn is_document(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    DOCUMENT_TYPES
        .iter()
        .any(|it| kind.eq_ignore_ascii_case(it))
}

/// Resolves names into those of their addresses that may be connected to.
#[derive(Clone, Debug)]
struct CheckedResolver {
    resolver: GaiResolver,
    rule: Arc<AddressRule>,
}

impl Service<Name> for CheckedResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.resolver.poll_ready(cx)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let (rule, what) = (Arc::clone(&self.rule), name.as_str().to_owned());
        let resolving = self.resolver.call(name);
        Box::pin(async move {
            let addresses = resolving.await?;
            let permitted: Vec<_> = addresses.filter(|it| rule.permits(it.ip())).collect();
            if permitted.is_empty() {
                let why = format!("{what} has no address that keys are fetched from");
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
            }
            Ok(permitted.into_iter())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetch(allowed: &[&str]) -> KeyFetch {
        let allowed = allowed.iter().map(|it| it.parse().unwrap()).collect();
        KeyFetch::new(AddressRule { allowed }, None).unwrap()
    }

    #[test]
    fn what_is_asked_for_is_https_of_the_public_internet_or_allowed() {
        let strict = fetch(&[]);
        let loopback = fetch(&["127.0.0.0/8"]);
        for (url, is_permitted, is_permitted_beside) in [
            ("https://a.example/users/ana", true, true),
            ("http://a.example/users/ana", false, false),
            ("https://1.1.1.1/users/ana", true, true),
            ("http://1.1.1.1/users/ana", false, false),
            ("https://127.0.0.1/users/ana", false, true),
            ("http://127.0.0.1:3000/users/ana", false, true),
            // Other spellings of the same address.
            ("https://127.1/users/ana", false, true),
            ("https://0x7f000001/users/ana", false, true),
            ("https://2130706433/users/ana", false, true),
            ("https://[::ffff:127.0.0.1]/users/ana", false, true),
            ("https://[::1]/users/ana", false, false),
            ("https://169.254.169.254/latest", false, false),
            ("https://ana:secret@a.example/users/ana", false, false),
            ("ftp://a.example/users/ana", false, false),
            ("file:///etc/passwd", false, false),
        ] {
            let url = Url::parse(url).unwrap();
            assert_eq!(strict.check(&url).is_ok(), is_permitted, "{url}");
            assert_eq!(loopback.check(&url).is_ok(), is_permitted_beside, "{url}");
        }
    }

    /// Were this to fail, a name that leads to this machine would have it called.
    #[tokio::test]
    async fn a_name_that_resolves_to_this_machine_is_not_connected_to() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        listener.set_nonblocking(true).unwrap();
        let url = Url::parse(&format!("https://localhost:{port}/users/ana")).unwrap();
        let error = fetch(&[])
            .document(&url, Time::default())
            .await
            .unwrap_err();
        assert!(matches!(error, FetchError::Failed(_)), "{error}");
        assert!(listener.accept().is_err(), "it was connected to");
        // It is the rule that keeps it away, and nothing else: so it is called.
        let calling = async {
            let allowed = fetch(&["127.0.0.0/8", "::1/128"]);
            let _ = allowed.document(&url, Time::default()).await;
        };
        let accepting = async {
            while listener.accept().is_err() {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            () = calling => panic!("it was not connected to"),
            () = accepting => {}
        }
    }
}
