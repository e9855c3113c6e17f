//! Headers of a message that is passed on: those for the other end, and not those between two hops.

use axum::http::{HeaderMap, HeaderName, header};

/// Headers that are for the next hop alone (RFC 9110, section 7.6.1), and `expect`, which was answered here.
const HOP_BY_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    header::EXPECT,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Beginnings of headers that are for the other end whatever `Connection` says: nobody can have away what was signed, or where the proxy
/// says that a request comes from.
const END_TO_END: [&str; 10] = [
    "content-",
    "date",
    "digest",
    "forwarded",
    "host",
    "set-cookie",
    "signature",
    "x-forwarded-",
    "x-real-ip",
    "authorization",
];

/// The headers that are for the other end, all as they came.
pub(crate) fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let connection = headers.get_all(header::CONNECTION).iter();
    let named: Vec<HeaderName> = connection
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .filter(|name: &HeaderName| !END_TO_END.iter().any(|it| name.as_str().starts_with(it)))
        .collect();
    let is_for_the_end = |name: &HeaderName| !named.contains(name) && !HOP_BY_HOP.contains(name);
    let kept = headers.iter().filter(|(name, _)| is_for_the_end(name));
    kept.map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_for_the_next_hop_alone_goes_no_further() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("host", "home.example"),
            ("signature", "keyId=\"x\""),
            ("connection", "keep-alive, x-hop"),
            ("connection", "Host, Signature, X-Forwarded-For"),
            ("x-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("expect", "100-continue"),
            ("x-forwarded-for", "192.0.2.1"),
            ("cookie", "a=b"),
        ] {
            headers.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        headers.append("cookie", "c=d".parse().unwrap());
        let headers = end_to_end(&headers);
        let left: Vec<_> = headers.iter().map(|(name, _)| name.as_str()).collect();
        let kept = ["host", "signature", "x-forwarded-for", "cookie", "cookie"];
        assert_eq!(left, kept);
    }
}
