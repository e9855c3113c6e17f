//! The signed headers by which one node of a cluster passes a request on to another: who asks, as the first node found out, so that no
//! token is looked up twice. A request goes one hop and no further.
//!
//! `Slackwater-Caller` is the caller as JSON in base64url, a dot, and the HMAC-SHA256 (RFC 2104) of the version, the method, the target
//! and that text under the secret that all nodes share. A token is not in it: it stays where the client put it.

use crate::api::auth::secret::Secret;
use crate::api::auth::token::Token;
use crate::api::auth::{Caller, Scopes, User};
use crate::api::caller::CallerContext;
use axum::http::header::InvalidHeaderValue;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde::{Deserialize, Serialize};
use slackwater_order::time::Time;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// The header with the version of these headers.
pub(crate) const HOP: HeaderName = HeaderName::from_static("slackwater-hop");
/// The header with the caller, signed.
pub(crate) const CALLER: HeaderName = HeaderName::from_static("slackwater-caller");

/// The version that is written and understood.
pub(crate) const VERSION: u32 = 1;
/// How far from `now` a signature may have been made: clocks of nodes may differ by so much, less the time on the way.
const VALID: Duration = Duration::from_secs(30);

/// Why a request that says to come from another node is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HopError {
    /// One of the two headers is missing, or there several times.
    #[error("a request from another node has each of the headers {HOP} and {CALLER} once")]
    Incomplete,
    /// Another version.
    #[error("{HOP} is not {VERSION}, the version that this node speaks")]
    Version,
    /// The signature is not that of the secret, the method, the target and the caller.
    #[error(
        "{CALLER} is not signed with this cluster's secret: all nodes need the same cluster.secret"
    )]
    Signature,
    /// It was made too long ago, or is to come.
    #[error(
        "{CALLER} was signed more than 30 seconds from now: the clocks of the nodes differ, or it was sent again"
    )]
    Stale,
    /// It is signed, and not of a form that this version writes.
    #[error("{CALLER} cannot be read")]
    Unreadable,
}

/// Signs callers, and checks what other nodes signed.
pub(crate) struct HopKey(hmac::Key);

impl fmt::Debug for HopKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HopKey(redacted)")
    }
}

/// The caller as it is signed.
#[derive(Serialize, Deserialize)]
struct SignedCaller {
    /// When, in milliseconds since 1970.
    at: i64,
    caller: Who,
    /// Where the request comes from, behind the proxies.
    address: Option<IpAddr>,
    /// The peer of the connection to the first node.
    peer: Option<IpAddr>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Who {
    Backend,
    Anyone,
    User {
        account: String,
        scopes: String,
        /// In milliseconds since 1970.
        expires: Option<i64>,
    },
}

impl HopKey {
    /// The key of a cluster with this secret.
    pub(crate) fn new(secret: &Secret) -> HopKey {
        HopKey(hmac::Key::new(
            hmac::HMAC_SHA256,
            secret.reveal().as_bytes(),
        ))
    }

    /// Puts the caller of a request into its headers, in place of any such headers. An error if what is to be signed is no header.
    pub(crate) fn sign(
        &self,
        (method, target): (&Method, &Uri),
        headers: &mut HeaderMap,
        context: &CallerContext,
        now: Time,
    ) -> Result<(), InvalidHeaderValue> {
        let caller = match &context.caller {
            Caller::Backend => Who::Backend,
            Caller::Anyone => Who::Anyone,
            Caller::User(user) => Who::User {
                account: user.account.clone(),
                scopes: user.scopes.to_string(),
                expires: user.expires.map(Time::millis),
            },
        };
        let signed = SignedCaller {
            at: now.millis(),
            caller,
            address: context.address,
            peer: context.peer,
        };
        // Text and numbers alone: writing them cannot fail.
        let text = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&signed).unwrap_or_default());
        let tag = hmac::sign(&self.0, &signed_bytes(method, target, &text));
        let value = format!("{text}.{}", URL_SAFE_NO_PAD.encode(tag));
        headers.insert(HOP, HeaderValue::from(VERSION));
        headers.insert(CALLER, HeaderValue::try_from(value)?);
        Ok(())
    }

    /// The caller of a request that another node passed on, with the `token` that the request carries; none if it comes from a client.
    /// An error if it says to come from another node and is not to be believed.
    pub(crate) fn check(
        &self,
        (method, target): (&Method, &Uri),
        headers: &HeaderMap,
        token: Option<Token>,
        now: Time,
    ) -> Result<Option<CallerContext>, HopError> {
        let one = |name: &HeaderName| {
            let mut values = headers.get_all(name).iter();
            match (values.next(), values.next()) {
                (None, _) => Ok(None),
                (Some(value), None) => Ok(value.to_str().ok()),
                (Some(_), Some(_)) => Err(HopError::Incomplete),
            }
        };
        let is_named = headers.contains_key(HOP) || headers.contains_key(CALLER);
        if !is_named {
            return Ok(None);
        }
        let (Some(version), Some(value)) = (one(&HOP)?, one(&CALLER)?) else {
            return Err(HopError::Incomplete);
        };
        if version.parse() != Ok(VERSION) {
            return Err(HopError::Version);
        }
        let (text, tag) = value.rsplit_once('.').ok_or(HopError::Signature)?;
        let tag = URL_SAFE_NO_PAD.decode(tag);
        let tag = tag.map_err(|_| HopError::Signature)?;
        hmac::verify(&self.0, &signed_bytes(method, target, text), &tag)
            .map_err(|_| HopError::Signature)?;
        let signed = URL_SAFE_NO_PAD.decode(text).ok();
        let signed = signed.and_then(|signed| serde_json::from_slice(&signed).ok());
        let signed: SignedCaller = signed.ok_or(HopError::Unreadable)?;
        let age = now.since(Time::from_millis(signed.at)).unsigned_abs();
        if VALID < Duration::from_millis(age) {
            return Err(HopError::Stale);
        }
        let caller = match signed.caller {
            Who::Backend => Caller::Backend,
            Who::Anyone => Caller::Anyone,
            Who::User {
                account,
                scopes,
                expires,
            } => Caller::User(User {
                account,
                scopes: Scopes::parse(&scopes),
                expires: expires.map(Time::from_millis),
            }),
        };
        Ok(Some(CallerContext {
            caller,
            token,
            address: signed.address,
            peer: signed.peer,
            base_url: Arc::default(),
            is_hop: true,
        }))
    }
}

/// What is signed. No part of it but the last may hold a line's end, so that none runs into the next.
fn signed_bytes(method: &Method, target: &Uri, text: &str) -> Vec<u8> {
    let target = target.path_and_query().map_or("/", |it| it.as_str());
    format!("slackwater-hop {VERSION}\n{method}\n{target}\n{text}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_millis(1_764_500_000_000);

    fn key() -> HopKey {
        HopKey::new(&Secret::new("0123456789abcdef"))
    }

    fn context(caller: Caller) -> CallerContext {
        CallerContext {
            caller,
            token: Token::new("the-token"),
            address: "2001:db8::7".parse().ok(),
            peer: "10.0.0.1".parse().ok(),
            base_url: Arc::default(),
            is_hop: false,
        }
    }

    fn user() -> Caller {
        Caller::User(User {
            account: "7".to_owned(),
            scopes: Scopes::parse("read write:accounts"),
            expires: Some(NOW.plus(Duration::from_secs(60))),
        })
    }

    fn target(text: &str) -> Uri {
        text.parse().unwrap()
    }

    /// A request as one node passes it on.
    fn signed(key: &HopKey, uri: &str, caller: Caller) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let line = (&Method::GET, &target(uri));
        key.sign(line, &mut headers, &context(caller), NOW).unwrap();
        headers
    }

    fn checked(headers: &HeaderMap, method: &Method, uri: &str, now: Time) -> Result<(), HopError> {
        let found = key().check((method, &target(uri)), headers, None, now);
        found.map(|context| assert!(context.is_some()))
    }

    #[test]
    fn a_caller_is_the_same_at_the_other_node() {
        for caller in [Caller::Backend, Caller::Anyone, user()] {
            let headers = signed(&key(), "/v1/x?a=b", caller.clone());
            let line = (&Method::GET, &target("/v1/x?a=b"));
            let found = key().check(line, &headers, Token::new("the-token"), NOW);
            let (found, sent) = (found.unwrap().unwrap(), context(caller));
            assert_eq!(found.caller, sent.caller);
            assert_eq!((found.address, found.peer), (sent.address, sent.peer));
            assert!(found.token == sent.token);
        }
    }

    #[test]
    fn a_client_comes_without_these_headers() {
        let found = key().check((&Method::GET, &target("/")), &HeaderMap::new(), None, NOW);
        assert!(found.unwrap().is_none());
    }

    /// A failure means that any client is whoever it says to be.
    #[test]
    fn nothing_is_believed_that_is_not_signed_for_this_request_and_this_moment() {
        let good = || signed(&key(), "/v1/x?a=b", user());
        let get = |headers: &HeaderMap| checked(headers, &Method::GET, "/v1/x?a=b", NOW);
        assert_eq!(get(&good()), Ok(()));
        let at = |by: i64| {
            let now = Time::from_millis(NOW.millis() + by);
            checked(&good(), &Method::GET, "/v1/x?a=b", now)
        };
        assert_eq!((at(30_000), at(-30_000)), (Ok(()), Ok(())));
        assert_eq!(at(30_001), Err(HopError::Stale));
        assert_eq!(at(-30_001), Err(HopError::Stale));
        let other = checked(&good(), &Method::PUT, "/v1/x?a=b", NOW);
        assert_eq!(other, Err(HopError::Signature));
        for path in ["/v1/x", "/v1/x?a=c", "/v1/y?a=b"] {
            let other = checked(&good(), &Method::GET, path, NOW);
            assert_eq!(other, Err(HopError::Signature), "{path}");
        }
        let stranger = HopKey::new(&Secret::new("another-secret-0"));
        let forged = signed(&stranger, "/v1/x?a=b", user());
        assert_eq!(get(&forged), Err(HopError::Signature));
        for name in [HOP, CALLER] {
            let mut headers = good();
            headers.remove(&name);
            assert_eq!(get(&headers), Err(HopError::Incomplete), "without {name}");
            let mut headers = good();
            let value = headers[&name].clone();
            headers.append(&name, value);
            assert_eq!(get(&headers), Err(HopError::Incomplete), "{name} twice");
        }
        let mut headers = good();
        headers.insert(HOP, HeaderValue::from_static("2"));
        assert_eq!(get(&headers), Err(HopError::Version));
    }

    #[test]
    fn no_byte_of_a_signed_caller_may_differ() {
        let good = signed(&key(), "/v1/x", user());
        let value = good[&CALLER].to_str().unwrap().to_owned();
        for at in 0..value.len() {
            let mut bytes = value.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let mut headers = good.clone();
            headers.insert(CALLER, HeaderValue::from_bytes(&bytes).unwrap());
            let found = checked(&headers, &Method::GET, "/v1/x", NOW);
            assert_eq!(found, Err(HopError::Signature), "{at}");
        }
    }

    #[test]
    fn a_secret_is_not_shown_with_its_key() {
        assert_eq!(format!("{:?}", key()), "HopKey(redacted)");
    }
}
