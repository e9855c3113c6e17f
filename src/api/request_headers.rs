//! A request's headers about its way: the hosts and addresses that proxies and clients write there.

use axum::http::HeaderMap;
use std::net::IpAddr;

/// Headers that hold one address, or several between commas.
const ADDRESSES: [&str; 6] = [
    "x-forwarded-for",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "true-client-ip",
    "cf-connecting-ip",
];

/// The header, with its value, which shows that a request was forwarded for a client that is not on this machine, or was sent to
/// another host. None if there is no such header.
///
/// A value that cannot be read counts as another machine: a client that hides its address is not on this one.
pub fn from_elsewhere(headers: &HeaderMap) -> Option<(&'static str, String)> {
    let found = |name: &'static str, value: &str| Some((name, value.chars().take(100).collect()));
    for name in ADDRESSES {
        for value in headers.get_all(name) {
            let value = value.to_str().unwrap_or("?");
            if !value.split(',').all(|hop| is_loopback(hop.trim())) {
                return found(name, value);
            }
        }
    }
    for value in headers.get_all("forwarded") {
        let value = value.to_str().unwrap_or("for=?");
        if !value.split([',', ';']).all(is_loopback_pair) {
            return found("forwarded", value);
        }
    }
    for value in headers.get_all("x-forwarded-host") {
        let value = value.to_str().unwrap_or("?");
        if !value.split(',').all(|host| is_this_machine(host.trim())) {
            return found("x-forwarded-host", value);
        }
    }
    None
}

/// One pair of a `Forwarded` (RFC 7239): only `for` and `host` name a source and a target.
fn is_loopback_pair(pair: &str) -> bool {
    let Some((name, value)) = pair.split_once('=') else {
        return pair.trim().is_empty();
    };
    let value = value.trim().trim_matches('"');
    match name.trim().to_ascii_lowercase().as_str() {
        "for" => is_loopback(value),
        "host" => is_this_machine(value),
        _ => true,
    }
}

/// Whether an address, maybe in brackets and with a port, is of this machine.
fn is_loopback(hop: &str) -> bool {
    let without_port = match hop.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or(rest, |(address, _)| address),
        None if hop.matches(':').count() == 1 => {
            hop.split_once(':').map_or(hop, |(address, _)| address)
        }
        None => hop,
    };
    without_port
        .parse::<IpAddr>()
        .is_ok_and(|address| address.to_canonical().is_loopback())
}

/// Whether a `Host`, or an authority written like one, is a name or an address, perhaps with a port (RFC 9110, 7.2), and
/// nothing else that would end up in links.
pub fn is_host(text: &str) -> bool {
    host_of(text).is_some()
}

/// Whether a `Host` names this machine, seen from here.
pub fn is_this_machine(text: &str) -> bool {
    match host_of(text) {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn host_of(text: &str) -> Option<url::Host> {
    const HOST_BYTES_MAX: usize = 255;
    let is_strange = |c: char| !(c.is_ascii_alphanumeric() || "-._:[]".contains(c));
    if text.len() > HOST_BYTES_MAX || text.contains(is_strange) {
        return None;
    }
    let end = text.rfind(']').map_or(0, |end| end + 1);
    let (host, port) = match text.get(end..)?.rfind(':') {
        Some(colon) => (text.get(..end + colon)?, text.get(end + colon + 1..)?),
        None => (text, ""),
    };
    // A colon may be there without a port.
    let is_port = port.is_empty() || port.parse::<u16>().is_ok();
    url::Host::parse(host).ok().filter(|_| is_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    /// Were this to fail, a proxy that writes its own `Host` would make everybody on the internet the backend.
    #[test]
    fn whoever_was_passed_on_from_elsewhere_is_known_by_any_of_the_usual_headers() {
        for (name, value) in [
            ("x-forwarded-for", "198.51.100.1"),
            ("x-forwarded-for", "127.0.0.1, 198.51.100.1"),
            ("x-forwarded-for", "198.51.100.1:4711"),
            ("x-forwarded-for", "unknown"),
            ("x-forwarded-for", ""),
            ("x-real-ip", "2001:db8::1"),
            ("true-client-ip", "198.51.100.1"),
            ("forwarded", "for=192.0.2.60;proto=http;by=203.0.113.43"),
            ("forwarded", "For=\"[2001:db8:cafe::17]:4711\""),
            ("forwarded", "for=127.0.0.1, for=_hidden"),
            ("forwarded", "host=social.example"),
            ("forwarded", "for"),
            ("x-forwarded-host", "social.example"),
        ] {
            let found = from_elsewhere(&headers(&[(name, value)]));
            assert_eq!(found, Some((name, value.to_owned())));
        }
        let twice = [
            ("x-forwarded-for", "127.0.0.1"),
            ("x-forwarded-for", "10.0.0.1"),
        ];
        assert!(from_elsewhere(&headers(&twice)).is_some());
        for here in [
            &[][..],
            &[("x-forwarded-for", "127.0.0.1, ::1")],
            &[
                ("x-real-ip", "::ffff:127.0.0.1"),
                ("x-forwarded-proto", "https"),
            ],
            &[(
                "forwarded",
                "for=\"[::1]:80\";proto=https;host=localhost:8787, for=127.0.0.1",
            )],
            &[("x-forwarded-host", "localhost")],
        ] {
            assert_eq!(from_elsewhere(&headers(here)), None, "{here:?}");
        }
    }

    #[test]
    fn a_host_is_a_name_or_an_address_and_maybe_a_port() {
        for good in [
            "social.example",
            "social.example:8080",
            "social.example:",
            "xn--bcher-kva.example",
            "my_service",
            "127.0.0.1:1",
            "[::1]",
            "[::1]:65535",
        ] {
            assert!(is_host(good), "{good}");
        }
        for bad in [
            "",
            ":80",
            "a b",
            "a/b",
            "a\"b",
            "<a>",
            "user@host",
            "a?b",
            "a#b",
            "a:b:c",
            "a:65536",
            "[::1",
            "::1",
            "a,b",
        ] {
            assert!(!is_host(bad), "{bad}");
        }
        assert!(is_this_machine("localhost:8787") && is_this_machine("[::1]:1"));
        assert!(!is_this_machine("localhost.example") && !is_this_machine("10.0.0.1"));
    }
}
