//! Hosts: of actor ids, which name origins, and as operators write them.

use slackwater_order::window::HostPattern;
use std::borrow::Cow;

/// The host part of an actor id that names its origin: lower case, without a leading `www.` or a trailing dot; a port other than
/// the scheme's own stays. None if `id` is not an http or https URL with a host.
pub fn origin_of(id: &str) -> Option<String> {
    origin(id).map(Cow::into_owned)
}

/// As [`origin_of`], without parsing a URL where the host is plain to see: it is called several times for every activity.
pub(super) fn origin(id: &str) -> Option<Cow<'_, str>> {
    plain_origin(id)
        .map(Cow::Borrowed)
        .or_else(|| parsed_origin(id).map(Cow::Owned))
}

/// The origin of an https URL whose host has nothing to normalise: lower-case labels, no port, no user, no number for a
/// last label (an IPv4 address), no punycode (it can be invalid).
fn plain_origin(id: &str) -> Option<&str> {
    let rest = id.strip_prefix("https://")?;
    let (mut last_label, mut before, mut end) = (None, b'.', rest.len());
    for (at, byte) in rest.bytes().enumerate() {
        match byte {
            b'/' => {
                end = at;
                break;
            }
            b'a'..=b'z' | b'0'..=b'9' | b'.' => {}
            // `--` is rare enough outside of punycode.
            b'-' if before != b'-' => {}
            _ => return None,
        }
        if before == b'.' {
            last_label = Some(byte);
        }
        before = byte;
    }
    if before == b'.' || !last_label?.is_ascii_lowercase() {
        return None;
    }
    let host = rest.get(..end)?;
    Some(host.strip_prefix("www.").unwrap_or(host))
}

/// As [`origin_of`], of any URL there is: by a URL parser.
fn parsed_origin(id: &str) -> Option<String> {
    let host = host_of(id)?;
    Some(host.strip_prefix("www.").map(str::to_owned).unwrap_or(host))
}

/// The host (and port, if not the scheme's own) of an id, lower case.
fn host_of(id: &str) -> Option<String> {
    let url = url::Url::parse(id).ok()?;
    if !matches!(url.scheme(), "http" | "https") {
        return None;
    }
    // `host.` names the same host as `host`.
    let host = url.host_str()?;
    let host = host.trim_end_matches('.');
    if host.is_empty() {
        return None;
    }
    Some(match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    })
}

/// The registrable domain of a host: its public suffix (publicsuffix.org) and one label more. Of a host that has none, an
/// address or a suffix itself, the host.
pub fn registrable_domain(host: &str) -> &str {
    psl::domain_str(host).unwrap_or(host)
}

/// The hosts that an operator means by `threads.net` (also with a port) or `*.example`, all below that domain. Upper case, a
/// leading `www.` and international names are brought to the form that origins have. None if it is neither.
pub fn pattern_of(text: &str) -> Option<HostPattern> {
    match text.strip_prefix("*.") {
        Some(domain) => domain_of(domain).map(HostPattern::Below),
        None => origin_at(text).map(HostPattern::Host),
    }
}

/// The origin of ids at this host, if it is nothing but a host and maybe a port.
fn origin_at(host: &str) -> Option<String> {
    let odd = |c: char| c.is_whitespace() || c.is_control() || "/\\?#@*%".contains(c);
    if host.contains(odd) {
        return None;
    }
    origin_of(&format!("https://{host}"))
}

/// A domain that origins can be below: no address and no port. A leading `www.` stays.
fn domain_of(domain: &str) -> Option<String> {
    origin_at(domain)?;
    match url::Url::parse(&format!("https://{domain}")).ok()? {
        url if url.port().is_some() || domain.contains(':') => None,
        url => match url.host()? {
            url::Host::Domain(domain) if !domain.starts_with('.') => Some(domain.to_owned()),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use slackwater_order::window::{PatternTaken, ReorderWindow, Window, Windows};
    use std::time::Duration;

    fn window(seconds: u64) -> Window {
        Window {
            reorder_window: ReorderWindow::Fixed(Duration::from_secs(seconds)),
            ..Window::default()
        }
    }

    fn windows(names: &[(&str, u64)]) -> Windows {
        let mut windows = Windows::new(window(0), Duration::ZERO);
        for (name, seconds) in names {
            let pattern = pattern_of(name).unwrap();
            windows.set(pattern, window(*seconds)).unwrap();
        }
        windows
    }

    #[test]
    fn an_operator_means_the_origin_of_ids_there() {
        let windows = windows(&[
            ("Threads.NET", 1),
            ("*.example", 2),
            ("WWW.a.social.example", 4),
            ("a.example:8443", 5),
            ("bücher.example", 6),
            ("*.www.example", 7),
        ]);
        let check = |id: &str, seconds: u64| {
            let origin = origin_of(id).unwrap();
            assert_eq!(*windows.of(&origin), window(seconds), "{id}");
        };
        check("https://threads.net/@zuck", 1);
        check("https://www.threads.net/@zuck", 1);
        check("https://WWW.Threads.net/@zuck", 1);
        check("https://m.threads.net/@zuck", 0);
        check("https://www.example/users/a", 0);
        check("https://www.a.example/users/a", 2);
        check("https://a.social.example/users/a", 4);
        check("https://a.example:8443/users/a", 5);
        check("https://a.example:9443/users/a", 2);
        check("https://xn--bcher-kva.example/users/a", 6);
        check("https://b.www.example/users/a", 7);
        check("https://[::1]:8443/users/a", 0);
    }

    #[test]
    fn what_is_no_host_is_no_pattern() {
        for name in [
            "",
            "*",
            "*.",
            "*.*.example",
            "a.*.example",
            "*.example:8443",
            "*.10.0.0.1",
            "*.[::1]",
            "*..example",
            "https://threads.net",
            "threads.net/",
            "@me@threads.net",
            "threads net",
            "threads.net:port",
        ] {
            assert_eq!(pattern_of(name), None, "{name:?}");
        }
    }

    #[test]
    fn an_origin_is_named_once_however_it_is_spelled() {
        let mut windows = windows(&[("threads.net", 1), ("*.example", 2)]);
        for name in ["www.threads.net", "THREADS.net", "*.Example"] {
            let outcome = windows.set(pattern_of(name).unwrap(), window(3));
            assert_eq!(outcome, Err(PatternTaken), "{name:?}");
        }
    }

    #[test]
    fn hosts_are_counted_by_what_can_be_registered() {
        let same = |one: &str, other: &str| registrable_domain(one) == registrable_domain(other);
        assert!(same("a.evil.example", "b.c.evil.example"));
        assert!(same("evil.example", "a.evil.example"));
        assert!(same("a.evil.co.uk", "b.evil.co.uk"));
        assert!(!same("a.co.uk", "b.co.uk"));
        assert!(!same("192.0.2.1", "192.0.2.2"));
    }

    proptest! {
        /// A failure means that the quick look trusts a host that the careful one does not see.
        #[test]
        fn the_quick_look_sees_what_the_careful_one_does(
            id in "https://[a-z0-9.:@%-]{0,12}[/?#.a-z0-9-]{0,8}|https://(www\\.)?([a-z0-9-]{0,5}\\.){0,3}[a-z0-9x]{1,4}(/\\PC{0,8})?|\\PC{0,30}"
        ) {
            if let Some(quick) = plain_origin(&id) {
                prop_assert_eq!(Some(quick.to_owned()), parsed_origin(&id));
            }
        }
    }
}
