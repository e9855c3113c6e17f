//! The caller of a request and its address, found once for each request before anything else is done for it.

use super::app::App;
use super::auth::token::{self, Token};
use super::auth::{Caller, TokenError, forbidden, unauthorized};
use super::boxed::boxed;
use super::forward::account_of;
use super::lease::StreamLease;
use super::limits::{CallerKey, ConnectionGuard};
use super::problem::Problem;
use super::refusals::{RefusedCaller, is_refusal};
use super::request_headers;
use super::websocket::code;
use crate::clock;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// The beginning of the paths of shared feeds.
const SHARED: &str = "/v1/feeds/";

/// The caller of a request, and where the request comes from.
#[derive(Clone, Debug)]
pub(crate) struct CallerContext {
    /// Who.
    pub(crate) caller: Caller,
    /// With which token.
    pub(crate) token: Option<Token>,
    /// From where, if that is known.
    pub(crate) address: Option<IpAddr>,
    /// The peer of the connection: the caller itself, or the last proxy.
    pub(crate) peer: Option<IpAddr>,
    /// Where it came to, with its scheme, for streams of Mastodon's; else empty.
    pub(crate) base_url: Arc<str>,
    /// Whether another node of the cluster passed the request on, where it was counted by its address.
    pub(crate) is_hop: bool,
}

impl CallerContext {
    /// The key that its requests are counted by: none for the backend.
    pub(crate) fn key(&self) -> Option<CallerKey> {
        let somewhere = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        match &self.caller {
            Caller::Backend => None,
            Caller::User(user) => Some(CallerKey::Account(user.account.as_str().into())),
            Caller::Anyone => Some(CallerKey::Address(self.address.unwrap_or(somewhere))),
        }
    }
}

/// Finds the caller of a request by the token in `Authorization`.
pub(crate) async fn by_header(State(app): State<App>, request: Request, next: Next) -> Response {
    let carried = in_header(&request);
    app.with_caller(request, next, carried).await
}

/// Finds the caller of a stream: the token may be elsewhere too.
pub(crate) async fn by_stream(State(app): State<App>, request: Request, next: Next) -> Response {
    let carried = anywhere(&request);
    app.with_caller(request, next, carried).await
}

/// The parts of a request that its caller is found by.
#[derive(Debug)]
pub(crate) struct Evidence {
    /// The address of the peer, and that of the caller behind the trusted proxies.
    from: Option<(IpAddr, IpAddr)>,
    /// Why the request is not taken for one of a program on this machine, if it is not.
    stranger: Option<String>,
    carried: CarriedToken,
    /// The caller as another node of the cluster found it, if that one passed the request on.
    found: Result<Option<CallerContext>, Problem>,
}

/// A token, or why the text in its place is no token.
pub(crate) type CarriedToken = Result<Option<Token>, &'static str>;

/// The token in `Authorization`.
pub(crate) fn in_header(request: &Request) -> CarriedToken {
    token::in_header(request.headers())
}

/// The token of a stream, which may also be in the query or in a header of the websocket.
pub(crate) fn anywhere(request: &Request) -> CarriedToken {
    let query = request.uri().query().unwrap_or_default();
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    let in_query = pairs.find(|(name, _)| name == "access_token");
    let in_query = in_query.as_ref().map(|(_, token)| &**token);
    token::of_stream(request.headers(), in_query)
}

impl App {
    async fn with_caller(
        &self,
        mut request: Request,
        next: Next,
        carried: CarriedToken,
    ) -> Response {
        let is_shared = request.uri().path().starts_with(SHARED);
        let may_be_anyone = self.auth.public_feeds_open && is_shared;
        let evidence = self.evidence(&request, carried);
        match self.identify(evidence).await {
            // Before the response shows anything of the feed.
            Ok(context) if context.caller == Caller::Anyone && !may_be_anyone => {
                unauthorized("this needs a token: send `Authorization: Bearer <token>`")
                    .into_response()
            }
            Ok(context) => {
                let account = match self.edge {
                    Some(_) => account_of::of_request(&mut request, &context.caller).await,
                    None => None,
                };
                let render = Problem::into_response;
                self.answered_for(account.as_deref(), context, request, next, render)
                    .await
            }
            Err(problem) => problem.into_response(),
        }
    }

    /// The address that a request comes from, if it is known.
    pub(crate) fn address_of(&self, request: &Request) -> Option<IpAddr> {
        self.from(request).map(|(_, address)| address)
    }

    /// The peer of a request, and the address that the last trusted proxy names as its source.
    fn from(&self, request: &Request) -> Option<(IpAddr, IpAddr)> {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map(|ConnectInfo(address)| address.ip().to_canonical())?;
        let address = forwarded(request.headers(), peer, &self.trusted_proxies);
        Some((peer, address))
    }

    /// The parts of a request that its caller is found by.
    pub(crate) fn evidence(&self, request: &Request, carried: CarriedToken) -> Evidence {
        let found = self.edge.as_ref().map_or(Ok(None), |edge| {
            let token = carried.as_ref().ok().cloned().flatten();
            edge.caller(request, token)
        });
        Evidence {
            found,
            from: self.from(request),
            stranger: stranger(request.headers()),
            carried,
        }
    }

    /// Finds the caller of a request, and counts the request unless it is an account's. Errors: the token is no good, there were too many
    /// requests, or the server that knows of the token does not answer.
    pub(crate) async fn identify(&self, evidence: Evidence) -> Result<CallerContext, Problem> {
        let Evidence {
            from,
            stranger,
            carried,
            found,
        } = evidence;
        let (peer, address) = (from.map(|(peer, _)| peer), from.map(|(_, address)| address));
        match found {
            Ok(None) => {}
            Ok(Some(context)) => return Ok(context),
            Err(problem) => {
                // Guesses at the secret of the nodes count too.
                if let Some(address) = address {
                    self.count(CallerKey::Address(address))?;
                }
                return Err(problem);
            }
        }
        let token = carried.map_err(unauthorized);
        // Guesses must not be introspected without end.
        let given = token.as_ref().ok().and_then(Option::as_ref);
        let is_unheard_of = given.is_some_and(|it| self.auth.is_unheard_of(it, clock::now()));
        if let Some(address) = address.filter(|_| is_unheard_of) {
            self.count(CallerKey::Address(address))?;
        }
        let caller = match &token {
            Ok(token) => self
                .auth
                .caller(token.as_ref(), address)
                .await
                .map_err(Problem::from),
            Err(problem) => Err(problem.clone()),
        };
        // A caller that guesses at tokens is counted by its address.
        let key = match &caller {
            Ok(Caller::Backend | Caller::User(_)) => None,
            Ok(Caller::Anyone) => address.map(CallerKey::Address),
            Err(_) => address.filter(|_| !is_unheard_of).map(CallerKey::Address),
        };
        if let Some(key) = key {
            self.count(key)?;
        }
        let caller = caller?;
        // Without tokens any caller on this machine is the backend. A page of another origin, shown in a browser here, is not.
        let is_unproved = caller == Caller::Backend && given.is_none();
        if let Some(why) = stranger.filter(|_| is_unproved) {
            return Err(forbidden(&why));
        }
        Ok(CallerContext {
            caller,
            token: token?,
            address,
            peer,
            base_url: Arc::default(),
            is_hop: false,
        })
    }

    /// Counts a request of an account, where it is answered: the requests of an account all come to one node.
    pub(crate) fn count_account(&self, context: &CallerContext) -> Result<(), Problem> {
        match &context.caller {
            Caller::User(user) => self.count(CallerKey::Account(user.account.as_str().into())),
            Caller::Backend | Caller::Anyone => Ok(()),
        }
    }

    /// Counts a request.
    fn count(&self, key: CallerKey) -> Result<(), Problem> {
        self.rates.ask(key).map_err(|wait| {
            let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX);
            too_many("too many requests in a minute", seconds.saturating_add(1))
        })
    }

    /// Counts a stream that is opened by an account, or without one.
    pub(crate) fn admit(
        &self,
        context: &CallerContext,
        account: Option<&str>,
    ) -> Result<StreamPermit, Problem> {
        let lease = self.state.stream_lease(account);
        self.counted(context, account, lease)
    }

    /// Counts a stream that another node answers, where its account is counted.
    pub(crate) fn admit_relayed(&self, context: &CallerContext) -> Result<StreamPermit, Problem> {
        self.counted(context, None, StreamLease::of_another_node())
    }

    fn counted(
        &self,
        context: &CallerContext,
        account: Option<&str>,
        lease: StreamLease,
    ) -> Result<StreamPermit, Problem> {
        // The backend speaks for many from one address.
        let address = context
            .address
            .filter(|_| context.caller != Caller::Backend && !context.is_hop);
        let connected = self.connections.admit(account, address).map_err(|why| {
            use crate::api::limits::LimitReached;
            match why {
                LimitReached::InAll => Problem::unavailable(why.to_string(), 5),
                LimitReached::OfAccount | LimitReached::FromAddress => {
                    too_many(&why.to_string(), 5)
                }
            }
        })?;
        Ok(StreamPermit {
            app: self.clone(),
            context: context.clone(),
            lease,
            _connected: connected,
        })
    }
}

/// A stream that was let in. It is counted until this is dropped.
pub(crate) struct StreamPermit {
    app: App,
    context: CallerContext,
    lease: StreamLease,
    _connected: ConnectionGuard,
}

impl StreamPermit {
    /// Waits until its token or its lease holds no longer, and returns the close code and the reason for the client.
    pub(crate) fn ended(&self) -> impl Future<Output = (u16, &'static str)> + Unpin {
        boxed(async {
            tokio::select! {
                () = self.token_ended() => (code::UNAUTHORIZED, "the token holds no longer"),
                end = self.lease.ended() => end,
            }
        })
    }

    /// Waits until its token holds no longer; for ever if it is no user's.
    async fn token_ended(&self) {
        let (Caller::User(user), Some(token)) = (&self.context.caller, &self.context.token) else {
            return std::future::pending().await;
        };
        // The node that found the caller checks the token.
        if self.context.is_hop {
            return std::future::pending().await;
        }
        let mut expires = user.expires;
        loop {
            let left = expires.map(|expires| {
                let left = expires.plus(crate::api::auth::LEEWAY).since(clock::now());
                Duration::from_millis(u64::try_from(left).unwrap_or(0).saturating_add(1))
            });
            let (auth, address) = (&self.app.auth, self.context.address);
            let next = auth.next_check(token, clock::now());
            tokio::time::sleep(left.map_or(next, |left| left.min(next))).await;
            match boxed(auth.user_of_stream(token, address)).await {
                Ok(now) if now.account == user.account => {
                    if now.scopes != user.scopes {
                        return;
                    }
                    expires = now.expires;
                }
                // The server that knows does not answer: the last result stays in use until it does.
                Err(TokenError::Unanswered | TokenError::TooMany(_)) => {
                    let now = clock::now();
                    if expires.is_some_and(|end| end.plus(crate::api::auth::LEEWAY) <= now) {
                        return;
                    }
                }
                Ok(_) | Err(TokenError::Invalid | TokenError::Unidentified) => return,
            }
        }
    }
}

/// Why a request is not taken for one of a program on this machine: it was passed on for somebody else, or came from a page
/// of elsewhere or, by a name that leads here, to one.
fn stranger(headers: &HeaderMap) -> Option<String> {
    if let Some((name, value)) = request_headers::from_elsewhere(headers) {
        return Some(format!(
            "{name} says {value:?}: without [auth] only programs on this machine may ask, and behind a proxy everybody would \
             be one. Set auth.service_tokens"
        ));
    }
    let is_local_url = |text: &str| {
        let url = url::Url::parse(text).ok();
        let host = url.as_ref().and_then(|url| url.host_str());
        host.is_some_and(request_headers::is_this_machine)
    };
    let text = |name: HeaderName| {
        headers
            .get(name)
            .map(|value| value.to_str().unwrap_or_default())
    };
    let is_from_here = text(header::ORIGIN).is_none_or(is_local_url)
        && text(header::HOST).is_none_or(request_headers::is_this_machine);
    (!is_from_here).then(|| {
        "without [auth] only programs on this machine may ask, by a loopback address or localhost: a page from elsewhere may \
         not"
        .to_owned()
    })
}

/// A response with its caller, for the log, if it refuses something.
pub(crate) fn named(mut response: Response, key: &Option<CallerKey>) -> Response {
    if is_refusal(response.status()) {
        let caller = RefusedCaller(key.clone());
        response.extensions_mut().insert(caller);
    }
    response
}

/// 429.
pub(crate) fn too_many(detail: &str, retry_after: u32) -> Problem {
    Problem {
        retry_after: Some(retry_after),
        ..Problem::new(StatusCode::TOO_MANY_REQUESTS, detail)
    }
}

/// The first address, from the last hop back, that is none of the proxies we trust.
fn forwarded(headers: &HeaderMap, peer: IpAddr, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut nearest = peer;
    let values = headers.get_all("x-forwarded-for").iter().rev();
    let hops = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.rsplit(','));
    for hop in hops {
        if !is_trusted(&nearest) {
            break;
        }
        let Ok(address) = hop.trim().parse::<IpAddr>() else {
            break;
        };
        nearest = address.to_canonical();
    }
    nearest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A failure means that any client can pass for any address, and have any number of connections.
    #[test]
    fn only_proxies_we_trust_say_where_a_request_comes_from() {
        let trusted: [IpNet; 2] = ["127.0.0.0/8", "10.0.0.0/8"].map(|it| it.parse().unwrap());
        let check = |peer: &str, values: &[&'static str], expected: &str| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("x-forwarded-for", value.parse().unwrap());
            }
            let found = forwarded(&headers, peer.parse().unwrap(), &trusted);
            assert_eq!(
                found,
                expected.parse::<IpAddr>().unwrap(),
                "{peer} {values:?}"
            );
        };
        check("127.0.0.1", &[], "127.0.0.1");
        check("192.0.2.1", &["198.51.100.1"], "192.0.2.1");
        check("127.0.0.1", &["198.51.100.1"], "198.51.100.1");
        check("127.0.0.1", &["203.0.113.9, 198.51.100.1"], "198.51.100.1");
        check(
            "127.0.0.1",
            &["203.0.113.9, 198.51.100.1, 10.1.2.3"],
            "198.51.100.1",
        );
        check(
            "127.0.0.1",
            &["203.0.113.9", "198.51.100.1, 10.1.2.3"],
            "198.51.100.1",
        );
        check("127.0.0.1", &["203.0.113.9, rubbish"], "127.0.0.1");
        check("127.0.0.1", &["10.0.0.1"], "10.0.0.1");
    }
}
