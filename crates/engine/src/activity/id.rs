//! Ids as they come from outside, checked once. Pure.

use crate::host::origin;
use slackwater_order::place::{NotAPostId, PostId};

/// The longest id of an actor or object, in bytes; a longer one is refused.
pub const ID_BYTES_MAX: usize = 2048;
/// How much of what was sent a reason repeats, in characters.
const QUOTED_CHARS_MAX: usize = 100;

/// `text` if it may be the id of an actor or object: an http or https URL with a host, at most [`ID_BYTES_MAX`] long,
/// without white space, control characters or backslashes (which parsers disagree about). Errors: a reason, in which
/// `label` names it.
pub fn check<'a>(label: &str, text: &'a str) -> Result<&'a str, String> {
    check_name(label, text)?;
    match origin(text) {
        Some(_) if has_authority(text) => Ok(text),
        _ => Err(format!(
            "{label} is {}: send an http or https URL",
            quoted(text)
        )),
    }
}

/// As [`check`], for an id that is only looked up (what a post answers, who it is addressed to) and may be of another
/// kind, `tag:` or `did:`.
pub fn check_name<'a>(label: &str, text: &'a str) -> Result<&'a str, String> {
    if ID_BYTES_MAX < text.len() {
        return Err(format!(
            "{label} has {} bytes: at most {ID_BYTES_MAX}",
            text.len()
        ));
    }
    let plain = |b: u8| (0x20 < b) & (b < 0x7f) & (b != b'\\');
    let strange = |c: char| c.is_control() || c.is_whitespace() || c == '\\';
    // All of it, whatever is found on the way: many bytes at a time.
    if !text.bytes().fold(true, |all, b| all & plain(b)) && text.chars().any(strange) {
        return Err(format!(
            "{label} is {}: ids have no white space, control characters or backslashes",
            quoted(text)
        ));
    }
    Ok(text)
}

/// Parsers mend `https:host` and `https:///host`; ids are compared as they are written, so these would be other ids.
fn has_authority(url: &str) -> bool {
    let (_, after) = url.split_once(':').unwrap_or_default();
    after
        .strip_prefix("//")
        .is_some_and(|rest| !rest.starts_with('/'))
}

/// The ids are of one origin: the trust rule.
pub fn same_origin(a: &str, b: &str) -> bool {
    match (origin(a), origin(b)) {
        (Some(a), Some(b)) => a == b,
        _ => false,
    }
}

/// The id of a post as clients send it. Errors: a reason that repeats what was sent.
pub fn post_id(text: &str) -> Result<PostId, String> {
    text.parse()
        .map_err(|error: NotAPostId| format!("{} is {error}", quoted(text)))
}

/// What was sent, short enough for a reason.
pub fn quoted(text: &str) -> String {
    match text.char_indices().nth(QUOTED_CHARS_MAX) {
        Some((end, _)) => format!("{:?}…", text.get(..end).unwrap_or_default()),
        None => format!("{text:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_an_http_url_and_nothing_else() {
        let longest = format!("https://a.example/{}", "x".repeat(ID_BYTES_MAX - 18));
        for good in [
            "https://a.example/1",
            "http://a.example:8080/1?x=y#z",
            "https://threads.net/ap/users/1/post/2/",
            "https://müller.example/ä",
            "https://[::1]/1",
            longest.as_str(),
        ] {
            assert_eq!(check("the id", good), Ok(good));
        }
        let too_long = format!("{longest}x");
        for (bad, reason) in [
            (too_long.as_str(), "the id has 2049 bytes: at most 2048"),
            ("", "the id is \"\": send an http or https URL"),
            ("7", "the id is \"7\": send an http or https URL"),
            (
                "acct:a@b.example",
                "the id is \"acct:a@b.example\": send an http or https URL",
            ),
            (
                "javascript:alert(1)",
                "the id is \"javascript:alert(1)\": send an http or https URL",
            ),
            (
                "https://",
                "the id is \"https://\": send an http or https URL",
            ),
            (
                "ftp://a.example/1",
                "the id is \"ftp://a.example/1\": send an http or https URL",
            ),
            (
                "https://a.example/\0",
                "the id is \"https://a.example/\\0\": ids have no white space, control characters or backslashes",
            ),
            (
                " https://a.example/",
                "the id is \" https://a.example/\": ids have no white space, control characters or backslashes",
            ),
            (
                "https://a.example\\@b.example/",
                "the id is \"https://a.example\\\\@b.example/\": ids have no white space, control characters or backslashes",
            ),
        ] {
            assert_eq!(check("the id", bad), Err(reason.to_owned()));
        }
    }

    #[test]
    fn only_one_host_is_one_host() {
        for (a, b, same) in [
            ("https://a.example/1", "https://a.example/2", true),
            ("https://www.a.example/1", "https://a.example/2", true),
            ("https://A.example/1", "http://a.example/2", true),
            ("https://a.example:443/1", "https://a.example/2", true),
            ("https://a.example:8443/1", "https://a.example/2", false),
            ("https://a.example/1", "https://b.a.example/2", false),
            (
                "https://a.example@b.example/1",
                "https://a.example/2",
                false,
            ),
            (
                "https://a.example.b.example/1",
                "https://a.example/2",
                false,
            ),
            ("nonsense", "nonsense", false),
        ] {
            assert_eq!(same_origin(a, b), same, "{a} {b}");
        }
    }
}
