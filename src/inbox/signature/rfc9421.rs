//! Signatures as RFC 9421 has them, in the headers `Signature-Input` and `Signature`. Pure.

use super::super::inbox_request::InboxRequest;
use super::super::not_recorded::NotRecorded;
use super::super::public_key::Algorithm;
use super::{RequestSignature, check_date, check_end, check_moment, digest, moment};
use sfv::{BareItem, Dictionary, InnerList, ListEntry, ListSerializer, Parser};
use slackwater_order::time::Time;

/// The most signatures of a request that are looked at.
const SIGNATURES_MAX: usize = 4;
/// The most components that a signature covers: servers sign fewer than ten.
const COVERED_MAX: usize = 64;
/// The schemes a request may have been sent by; the proxy before us knows.
const SCHEMES: [&str; 2] = ["https", "http"];

/// The first signature of a request that covers enough. `input` is its header `Signature-Input`.
pub(super) fn of(
    request: &InboxRequest,
    input: &str,
    now: Time,
) -> Result<RequestSignature, NotRecorded> {
    let inputs: Dictionary = Parser::new(input)
        .parse()
        .map_err(|_| NotRecorded::Unsigned)?;
    let signatures = request.header("signature").unwrap_or_default();
    let signatures: Dictionary = Parser::new(&signatures)
        .parse()
        .map_err(|_| NotRecorded::Unsigned)?;
    let mut flaw = NotRecorded::Unsigned;
    for (label, input) in inputs.iter().take(SIGNATURES_MAX) {
        let (ListEntry::InnerList(input), Some(ListEntry::Item(signature))) =
            (input, signatures.get(label))
        else {
            continue;
        };
        let Some(bytes) = signature.bare_item.as_byte_sequence() else {
            continue;
        };
        match judge(request, input, bytes, now) {
            Ok(signature) => return Ok(signature),
            Err(why) => flaw = why,
        }
    }
    Err(flaw)
}

fn judge(
    request: &InboxRequest,
    input: &InnerList,
    bytes: &[u8],
    now: Time,
) -> Result<RequestSignature, NotRecorded> {
    let text = |name: &str| {
        let parameter = input.params.get(name).and_then(BareItem::as_string);
        parameter.map(|it| it.as_str())
    };
    let seconds = |name: &str| {
        let parameter = input.params.get(name).and_then(BareItem::as_integer);
        parameter.map(|it| moment(it.into()))
    };
    let names = names(input).ok_or(NotRecorded::Unsigned)?;
    let covers = |name: &str| names.contains(&name);
    let covers_path = covers("@path") && (covers("@query") || !request.target.contains('?'));
    let covers_target = covers("@target-uri") || covers("@request-target") || covers_path;
    let covers_host = covers("@target-uri") || covers("@authority") || covers("host");
    let created = seconds("created");
    let has_moment = created.is_some() || covers("date");
    if !(covers("@method") && covers_target && covers_host && has_moment) {
        return Err(NotRecorded::Unsigned);
    }
    let algorithm = match text("alg") {
        None => None,
        Some("rsa-v1_5-sha256") => Some(Algorithm::RsaSha256),
        Some("rsa-pss-sha512") => Some(Algorithm::RsaPssSha512),
        Some("ed25519") => Some(Algorithm::Ed25519),
        Some(_) => return Err(NotRecorded::Unsigned),
    };
    let key_id = text("keyid").ok_or(NotRecorded::Unsigned)?;
    let signed = signature_bases(request, input, &names).ok_or(NotRecorded::Unsigned)?;
    match (covers("content-digest"), covers("digest")) {
        (true, _) => digest::check_content_digest(request)?,
        (false, true) => digest::check_digest(request)?,
        (false, false) => return Err(NotRecorded::Unsigned),
    }
    if let Some(created) = created {
        check_moment(created, now)?;
    }
    if covers("date") {
        check_date(request, now)?;
    }
    if let Some(expires) = seconds("expires") {
        check_end(expires, now)?;
    }
    Ok(RequestSignature {
        key_id: key_id.to_owned(),
        algorithm,
        signed,
        bytes: bytes.to_vec(),
    })
}

/// The names of the covered components. None if one of them stands there twice (section 2.5), has a parameter, of which nothing
/// that servers deliver has need, or is no name.
pub(super) fn names(input: &InnerList) -> Option<Vec<&str>> {
    if COVERED_MAX < input.items.len() {
        return None;
    }
    let mut names = Vec::new();
    for item in &input.items {
        let name = item.bare_item.as_string()?.as_str();
        let is_lower = !name.bytes().any(|b| b.is_ascii_uppercase());
        if !item.params.is_empty() || names.contains(&name) || !is_lower {
            return None;
        }
        names.push(name);
    }
    Some(names)
}

/// The bytes that were signed (section 2.5), for each scheme if that makes a difference. None if a component is missing.
pub(super) fn signature_bases(
    request: &InboxRequest,
    input: &InnerList,
    names: &[&str],
) -> Option<Vec<Vec<u8>>> {
    let parameters = ListEntry::InnerList(input.clone());
    let mut list = ListSerializer::new();
    list.members([&parameters]);
    let parameters = list.finish()?;
    let has_scheme = names
        .iter()
        .any(|it| matches!(*it, "@target-uri" | "@scheme"));
    let schemes = SCHEMES
        .iter()
        .take(if has_scheme { SCHEMES.len() } else { 1 });
    let base = |scheme: &str| {
        let mut base = Vec::new();
        for name in names {
            base.extend_from_slice(format!("\"{name}\": ").as_bytes());
            base.extend_from_slice(&component(request, name, scheme)?);
            base.push(b'\n');
        }
        base.extend_from_slice(format!("\"@signature-params\": {parameters}").as_bytes());
        Some(base)
    };
    schemes.map(|scheme| base(scheme)).collect()
}

/// The value of a component (sections 2.1 and 2.2).
fn component(request: &InboxRequest, name: &str, scheme: &str) -> Option<Vec<u8>> {
    let (path, query) = match request.target.split_once('?') {
        Some((path, query)) => (path, query),
        None => (request.target.as_str(), ""),
    };
    let text = match name {
        "@method" => request.method.as_str().to_owned(),
        "@authority" => authority(request, scheme)?,
        "@scheme" => scheme.to_owned(),
        "@target-uri" => format!(
            "{scheme}://{}{}",
            authority(request, scheme)?,
            request.target
        ),
        "@request-target" => request.target.clone(),
        "@path" => path.to_owned(),
        "@query" => format!("?{query}"),
        name if name.starts_with('@') => return None,
        name => return request.header(name),
    };
    Some(text.into_bytes())
}

/// The host as it is compared: lower case, without the port of its scheme.
fn authority(request: &InboxRequest, scheme: &str) -> Option<String> {
    let host = request.header_text("host")?.to_ascii_lowercase();
    let port = if scheme == "https" { ":443" } else { ":80" };
    Some(host.strip_suffix(port).unwrap_or(&host).to_owned())
}
