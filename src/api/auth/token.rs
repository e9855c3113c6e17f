//! The token of a request, in each place where one may be sent.

use axum::http::{HeaderMap, header};
use std::fmt;

/// The longest token that is checked, in bytes.
const BYTES_MAX: usize = 8 << 10;

/// A token as a caller sent it. Not shown.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Token(Box<str>);

impl Token {
    /// None if it is empty, too long, or not visible ASCII.
    pub fn new(text: &str) -> Option<Token> {
        let is_visible = text.bytes().all(|b| b.is_ascii_graphic());
        let fits = (1..=BYTES_MAX).contains(&text.len());
        (fits && is_visible).then(|| Token(text.into()))
    }

    /// The token itself, for the code that checks it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(redacted)")
    }
}

/// The token in `Authorization: Bearer …` (RFC 6750, section 2.1). An error if there is such a header and no token in it.
pub fn in_header(headers: &HeaderMap) -> Result<Option<Token>, &'static str> {
    let Some(given) = headers.get(header::AUTHORIZATION) else {
        return Ok(None);
    };
    let token = given.to_str().ok().and_then(bearer).and_then(Token::new);
    match token {
        Some(token) => Ok(Some(token)),
        None => Err("the Authorization header is not `Bearer <token>`"),
    }
}

/// The token of a request that opens a stream: browsers can set no header there, so it may also be `?access_token=`, or a
/// websocket's subprotocol. The first of them counts.
pub fn of_stream(
    headers: &HeaderMap,
    access_token: Option<&str>,
) -> Result<Option<Token>, &'static str> {
    if let Some(token) = in_header(headers)? {
        return Ok(Some(token));
    }
    if let Some(text) = access_token {
        return Token::new(text).ok_or("access_token is no token").map(Some);
    }
    if !headers.contains_key(header::SEC_WEBSOCKET_PROTOCOL) {
        return Ok(None);
    }
    let token = protocol(headers).and_then(Token::new);
    token
        .ok_or("Sec-WebSocket-Protocol holds no token")
        .map(Some)
}

/// The first subprotocol that a client offers. Browsers give up a connection on which none of those they offered is echoed.
pub fn protocol(headers: &HeaderMap) -> Option<&str> {
    let offered = headers.get(header::SEC_WEBSOCKET_PROTOCOL)?.to_str().ok()?;
    offered.split(',').next().map(str::trim)
}

fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderName;

    fn headers(all: &[(HeaderName, &'static str)]) -> HeaderMap {
        let row =
            |(name, value): &(HeaderName, &'static str)| (name.clone(), value.parse().unwrap());
        all.iter().map(row).collect()
    }

    #[test]
    fn a_token_may_come_three_ways_and_the_header_counts_first() {
        let (by_header, by_protocol) = (header::AUTHORIZATION, header::SEC_WEBSOCKET_PROTOCOL);
        let found = |all: &[(HeaderName, &'static str)], query| {
            let found = of_stream(&headers(all), query).unwrap();
            found.map(|it| it.reveal().to_owned())
        };
        let some = |token: &str| Some(token.to_owned());
        assert_eq!(found(&[], None), None);
        let header = (by_header, "bearer one");
        let protocol = (by_protocol, "three, other");
        assert_eq!(
            found(&[header.clone(), protocol.clone()], Some("two")),
            some("one")
        );
        assert_eq!(
            found(std::slice::from_ref(&protocol), Some("two")),
            some("two")
        );
        assert_eq!(found(&[protocol], None), some("three"));
    }

    #[test]
    fn what_is_no_token_is_said_to_be_none() {
        for bad in ["Bearer ", "Basic x", "x", "Bearer a b", "Bearer ü"] {
            let headers = headers(&[(header::AUTHORIZATION, bad)]);
            assert!(in_header(&headers).is_err(), "{bad}");
            assert!(of_stream(&headers, Some("good")).is_err(), "{bad}");
        }
        assert!(of_stream(&HeaderMap::new(), Some("")).is_err());
        assert!(Token::new(&"x".repeat(BYTES_MAX)).is_some());
        assert!(Token::new(&"x".repeat(BYTES_MAX + 1)).is_none());
        assert_eq!(
            format!("{:?}", Token::new("secret")),
            "Some(Token(redacted))"
        );
    }
}
