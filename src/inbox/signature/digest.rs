//! The digest of a body, in the headers that hold one. Pure.

use super::super::inbox_request::InboxRequest;
use super::super::not_recorded::NotRecorded;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{Algorithm, SHA256, SHA512, digest};
use sfv::{Dictionary, ListEntry, Parser};

/// Checks the body by `Digest` (RFC 3230), as in `SHA-256=X48E…`: at least one of its digests is known, and each that is known is
/// right.
pub(super) fn check_digest(request: &InboxRequest) -> Result<(), NotRecorded> {
    let text = request.header_text("digest").ok_or(NotRecorded::Unsigned)?;
    let digests = text.split(',').filter_map(|it| it.trim().split_once('='));
    let digests = digests.map(|(name, value)| (name.to_owned(), STANDARD.decode(value.trim())));
    check(
        request,
        digests.map(|(name, value)| (name, value.unwrap_or_default())),
    )
}

/// Checks the body by `Content-Digest` (RFC 9530), as in `sha-256=:X48E…:`, in the same way.
pub(super) fn check_content_digest(request: &InboxRequest) -> Result<(), NotRecorded> {
    let text = request
        .header("content-digest")
        .ok_or(NotRecorded::Unsigned)?;
    let digests: Dictionary = Parser::new(&text)
        .parse()
        .map_err(|_| NotRecorded::Digest)?;
    let bytes = |entry: &ListEntry| match entry {
        ListEntry::Item(item) => item.bare_item.as_byte_sequence().map(<[u8]>::to_vec),
        ListEntry::InnerList(_) => None,
    };
    let digests = digests.iter();
    check(
        request,
        digests.map(|(name, entry)| (name.as_str().to_owned(), bytes(entry).unwrap_or_default())),
    )
}

fn check(
    request: &InboxRequest,
    digests: impl Iterator<Item = (String, Vec<u8>)>,
) -> Result<(), NotRecorded> {
    let mut is_known = false;
    for (name, value) in digests {
        let Some(algorithm) = algorithm(&name) else {
            continue;
        };
        is_known = true;
        if digest(algorithm, &request.body).as_ref() != value {
            return Err(NotRecorded::Digest);
        }
    }
    match is_known {
        true => Ok(()),
        false => Err(NotRecorded::Digest),
    }
}

fn algorithm(name: &str) -> Option<&'static Algorithm> {
    match name.trim().to_ascii_lowercase().as_str() {
        "sha-256" => Some(&SHA256),
        "sha-512" => Some(&SHA512),
        _ => None,
    }
}
