//! Signatures as draft-cavage-http-signatures-12 has them, in the header `Signature`. Pure.

use super::super::inbox_request::InboxRequest;
use super::super::not_recorded::NotRecorded;
use super::super::public_key::Algorithm;
use super::{RequestSignature, check_date, check_end, check_moment, digest, moment};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use slackwater_order::time::Time;

/// The most headers that a signature covers: servers sign fewer than ten.
const COVERED_MAX: usize = 64;

/// The parameters of a signature.
#[derive(Debug, Default)]
struct Parameters<'a> {
    key_id: &'a str,
    signature: &'a str,
    algorithm: Option<&'a str>,
    headers: &'a str,
    created: Option<&'a str>,
    expires: Option<&'a str>,
}

pub(super) fn of(request: &InboxRequest, now: Time) -> Result<RequestSignature, NotRecorded> {
    let text = request.header_text("signature");
    let text = text.ok_or(NotRecorded::Unsigned)?;
    let parameters = Parameters::read(&text).ok_or(NotRecorded::Unsigned)?;
    let algorithm = parameters.algorithm()?;
    let bytes = STANDARD.decode(parameters.signature);
    let names: Vec<String> = parameters
        .headers
        .split_ascii_whitespace()
        .map(str::to_ascii_lowercase)
        .collect();
    let covers = |name: &str| names.iter().any(|it| it == name);
    let has_moment = covers("date") || covers("(created)");
    let is_whole = covers("(request-target)") && covers("host") && has_moment;
    if !is_whole || COVERED_MAX < names.len() {
        return Err(NotRecorded::Unsigned);
    }
    let signed = parameters.signing_string(request, &names)?;
    match (covers("digest"), covers("content-digest")) {
        (true, _) => digest::check_digest(request)?,
        (false, true) => digest::check_content_digest(request)?,
        (false, false) => return Err(NotRecorded::Unsigned),
    }
    if covers("date") {
        check_date(request, now)?;
    }
    if covers("(created)") {
        check_moment(seconds(parameters.created)?, now)?;
    }
    if parameters.expires.is_some() {
        check_end(seconds(parameters.expires)?, now)?;
    }
    Ok(RequestSignature {
        key_id: parameters.key_id.to_owned(),
        algorithm,
        signed: vec![signed],
        bytes: bytes.map_err(|_| NotRecorded::Unsigned)?,
    })
}

impl<'a> Parameters<'a> {
    /// Reads `name="value",name=1`. None if it is anything else, has a parameter twice, or lacks the key or the signature.
    fn read(text: &'a str) -> Option<Parameters<'a>> {
        let mut parameters = Parameters::default();
        let (mut rest, mut seen) = (text.trim(), Vec::new());
        while !rest.is_empty() {
            let (name, after) = rest.split_once('=')?;
            let (value, after) = match after.trim_start().strip_prefix('"') {
                Some(quoted) => quoted.split_once('"')?,
                None => after.split_at(after.find(',').unwrap_or(after.len())),
            };
            let (name, value) = (name.trim(), value.trim());
            if seen.contains(&name) {
                return None;
            }
            seen.push(name);
            match name {
                "keyId" => parameters.key_id = value,
                "signature" => parameters.signature = value,
                "algorithm" => parameters.algorithm = Some(value),
                "headers" => parameters.headers = value,
                "created" => parameters.created = Some(value),
                "expires" => parameters.expires = Some(value),
                // Section 2.2: what is not known is passed over.
                _ => {}
            }
            let after = after.trim_start();
            rest = match after.strip_prefix(',') {
                Some(next) => next.trim_start(),
                None if after.is_empty() => after,
                None => return None,
            };
        }
        let is_whole = !parameters.key_id.is_empty() && !parameters.signature.is_empty();
        is_whole.then_some(parameters)
    }

    /// Which algorithm was used: `hs2019` stands for that of the key, and with RSA the fediverse means RSASSA-PKCS1-v1_5 with
    /// SHA-256 by it. Errors: none that is taken.
    fn algorithm(&self) -> Result<Option<Algorithm>, NotRecorded> {
        match self.algorithm {
            None | Some("hs2019") => Ok(None),
            Some("rsa-sha256") => Ok(Some(Algorithm::RsaSha256)),
            Some("ed25519") => Ok(Some(Algorithm::Ed25519)),
            Some(_) => Err(NotRecorded::Unsigned),
        }
    }

    /// The bytes that were signed (section 2.3).
    fn signing_string(
        &self,
        request: &InboxRequest,
        names: &[String],
    ) -> Result<Vec<u8>, NotRecorded> {
        let mut signed = Vec::new();
        for name in names {
            let value = match name.as_str() {
                "(request-target)" => {
                    let method = request.method.as_str().to_ascii_lowercase();
                    Some(format!("{method} {}", request.target).into_bytes())
                }
                "(created)" => self.pseudo_header(self.created),
                "(expires)" => self.pseudo_header(self.expires),
                name => request.header(name),
            };
            let value = value.ok_or(NotRecorded::Unsigned)?;
            if !signed.is_empty() {
                signed.push(b'\n');
            }
            signed.extend_from_slice(name.as_bytes());
            signed.extend_from_slice(b": ");
            signed.extend_from_slice(&value);
        }
        Ok(signed)
    }

    /// The value of `(created)` or `(expires)`: none beside algorithms that are older than they (section 2.3).
    fn pseudo_header(&self, value: Option<&str>) -> Option<Vec<u8>> {
        let is_old = self.algorithm.is_some_and(|it| it.starts_with("rsa"));
        value.filter(|_| !is_old).map(|it| it.as_bytes().to_vec())
    }
}

fn seconds(value: Option<&str>) -> Result<Time, NotRecorded> {
    // `expires` may have decimals.
    let whole = value.map(|it| it.split_once('.').map_or(it, |(whole, _)| whole));
    let seconds = whole.and_then(|it| it.parse().ok());
    seconds.map(moment).ok_or(NotRecorded::Unsigned)
}
