//! Signatures as the specifications print them, and what is wrong with others.

use super::*;
use crate::inbox::public_key::PublicKey;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, Method};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{
    Ed25519KeyPair, KeyPair, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, UnparsedPublicKey,
};
use sfv::{Dictionary, ListEntry, Parser};
use spki::SubjectPublicKeyInfoRef;

const KEY_ID: &str = "https://a.example/users/ana#main-key";
const HELLO: &[u8] = b"{\"hello\": \"world\"}";

fn request(target: &str, headers: &[(&str, &str)], body: &[u8]) -> InboxRequest {
    let mut all = HeaderMap::new();
    for (name, value) in headers {
        let name: HeaderName = name.parse().unwrap();
        all.append(name, value.parse().unwrap());
    }
    InboxRequest {
        method: Method::POST,
        target: target.to_owned(),
        headers: all,
        body: Bytes::copy_from_slice(body),
        arrived: Time::default(),
    }
}

fn at(date: &str) -> Time {
    let date = chrono::DateTime::parse_from_rfc2822(date).unwrap();
    Time::from_millis(date.timestamp_millis())
}

/// draft-cavage-http-signatures-12, appendix C.3, whose key has 1024 bits.
#[test]
fn the_draft_s_own_example_is_read_as_it_was_signed() {
    const DATE: &str = "Sun, 05 Jan 2014 21:31:40 GMT";
    let key = "-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDCFENGw33yGihy92pDjZQhl0C3
6rPJj+CvfSC8+q28hxA161QFNUd13wuCTUcq0Qd2qsBe/2hFyc2DCJJg0h1L78+6
Z4UMR7EOcpfdUE9Hf3m/hs+FUR45uBJeDK1HSFHD8bHKD6kv8FPGfJTotc+2xjJw
oYi+1hqp1fIekaxsyQIDAQAB
-----END PUBLIC KEY-----";
    let signature = "keyId=\"Test\",algorithm=\"rsa-sha256\",\
        headers=\"(request-target) host date content-type digest content-length\",\
        signature=\"vSdrb+dS3EceC9bcwHSo4MlyKS59iFIrhgYkz8+oVLEEzmYZZvRs8rgOp+63LEM3v+MFHB32NfpB2bEKBIvB1q52LaEUHFv120V01IL\
        +TAD48XaERZFukWgHoBTLMhYS2Gb51gWxpeIq8knRmPnYePbF5MOkR0Zkly4zKH7s1dE=\"";
    let request = request(
        "/foo?param=value&pet=dog",
        &[
            ("Host", "example.com"),
            ("Date", DATE),
            ("Content-Type", "application/json"),
            (
                "Digest",
                "SHA-256=X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=",
            ),
            ("Content-Length", "18"),
            ("Signature", &signature.replace("        ", "")),
        ],
        HELLO,
    );
    let signature = of(&request, at(DATE)).unwrap();
    assert_eq!(signature.key_id, "Test");
    assert_eq!(signature.algorithm, Some(Algorithm::RsaSha256));
    let [signed] = signature.signed.as_slice() else {
        panic!("one way to read it");
    };
    let pem = pem::parse(key).unwrap();
    let info = SubjectPublicKeyInfoRef::try_from(pem.contents()).unwrap();
    let verified = UnparsedPublicKey::new(
        &RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
        info.subject_public_key.as_bytes().unwrap(),
    )
    .verify(signed, &signature.bytes);
    assert!(verified.is_ok());
    // No longer than that is it good, and a key of 1024 bits never is.
    let later = at("Mon, 06 Jan 2014 09:31:41 GMT");
    assert_eq!(of(&request, later), Err(NotRecorded::Stale));
    let short = PublicKey::from_pem(key).unwrap();
    assert!(!short.has_signed(signature.algorithm, signed, &signature.bytes));
}

/// RFC 9421, appendix B.2: its request.
fn request_of_the_rfc(input: &str, signature: &str) -> InboxRequest {
    request(
        "/foo?param=Value&Pet=dog",
        &[
            ("Host", "example.com"),
            ("Date", "Tue, 20 Apr 2021 02:07:55 GMT"),
            ("Content-Type", "application/json"),
            (
                "Content-Digest",
                "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:",
            ),
            ("Content-Length", "18"),
            ("Signature-Input", input),
            ("Signature", signature),
        ],
        HELLO,
    )
}

/// RFC 9421, appendix B.2.3.
#[test]
fn the_rfc_s_example_of_full_coverage_is_verified() {
    let key = PublicKey::from_pem(
        "-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAr4tmm3r20Wd/PbqvP1s2
+QEtvpuRaV8Yq40gjUR8y2Rjxa6dpG2GXHbPfvMs8ct+Lh1GH45x28Rw3Ry53mm+
oAXjyQ86OnDkZ5N8lYbggD4O3w6M6pAvLkhk95AndTrifbIFPNU8PPMO7OyrFAHq
gDsznjPFmTOtCEcN2Z1FpWgchwuYLPL+Wokqltd11nqqzi+bJ9cvSKADYdUAAN5W
Utzdpiy6LbTgSxP7ociU4Tn0g5I6aDZJ7A8Lzo0KSyZYoA485mqcO0GVAdVw9lq4
aOT9v6d+nb4bnNkQVklLQ3fVAvJm+xdDOp9LCNCN48V2pnDOkFV6+U9nV5oyc6XI
2wIDAQAB
-----END PUBLIC KEY-----",
    )
    .unwrap();
    let request = request_of_the_rfc(
        "sig-b23=(\"date\" \"@method\" \"@path\" \"@query\" \"@authority\" \"content-type\" \"content-digest\" \
         \"content-length\");created=1618884473;keyid=\"test-key-rsa-pss\"",
        "sig-b23=:bbN8oArOxYoyylQQUU6QYwrTuaxLwjAC9fbY2F6SVWvh0yBiMIRGOnMYwZ/5MR6fb0Kh1rIRASVxFkeGt683+qRpRRU5p2voTp768ZrCUb38K0fUxN0O0iC59DzYx8DFll5GmydPxSmme9v6ULbMFkl+V5B1TP/yPViV7KsLNmvKiLJH1pFkh/aYA2HXXZzNBXmIkoQoLd7YfW91kE9o/CCoC1xMy7JA1ipwvKvfrs65ldmlu9bpG6A9BmzhuzF8Eim5f8ui9eH8LZH896+QIF61ka39VBrohr9iyMUJpvRX2Zbhl5ZJzSRxpJyoEZAFL2FUo5fTIztsDZKEgM4cUA==:",
    );
    let now = at("Tue, 20 Apr 2021 02:07:55 GMT");
    let signature = of(&request, now).unwrap();
    assert_eq!(signature.key_id, "test-key-rsa-pss");
    let signed = &signature.signed[0];
    let pss = Some(Algorithm::RsaPssSha512);
    assert!(key.has_signed(pss, signed, &signature.bytes));
    assert!(!key.has_signed(None, signed, &signature.bytes));
    assert!(!key.has_signed(pss, &signed[1..], &signature.bytes));
    assert_eq!(of(&request, now.plus(AGE_MAX)), Err(NotRecorded::Stale));
}

/// RFC 9421, appendix B.2.6: a good signature, which does not cover the body.
#[test]
fn the_rfc_s_example_of_ed25519_is_verified_and_does_not_cover_enough() {
    let key = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=
-----END PUBLIC KEY-----";
    let input = "sig-b26=(\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" \"content-length\");\
                 created=1618884473;keyid=\"test-key-ed25519\"";
    let signature =
        "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==";
    let request = request_of_the_rfc(input, &format!("sig-b26=:{signature}:"));
    let inputs: Dictionary = Parser::new(input).parse().unwrap();
    let ListEntry::InnerList(list) = &inputs["sig-b26"] else {
        panic!("an inner list");
    };
    let names = rfc9421::names(list).unwrap();
    let bases = rfc9421::signature_bases(&request, list, &names).unwrap();
    let bytes = STANDARD.decode(signature).unwrap();
    let key = PublicKey::from_pem(key).unwrap();
    assert!(key.has_signed(None, &bases[0], &bytes));
    let now = at("Tue, 20 Apr 2021 02:07:55 GMT");
    assert_eq!(of(&request, now), Err(NotRecorded::Unsigned));
}

const NOW: &str = "Mon, 30 Nov 2026 10:00:00 GMT";

/// A key, and the public part as documents have it.
fn key() -> (Ed25519KeyPair, PublicKey) {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
    // RFC 8410, section 4.
    let mut der = vec![
        0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0,
    ];
    der.extend_from_slice(pair.public_key().as_ref());
    let pem = pem::encode(&pem::Pem::new("PUBLIC KEY", der));
    (pair, PublicKey::from_pem(&pem).unwrap())
}

fn digest_of(body: &[u8]) -> String {
    STANDARD.encode(digest(&SHA256, body))
}

/// A request signed over `headers` with these `parameters`, with the headers that a server sends; and then changed.
fn signed_request(
    pair: &Ed25519KeyPair,
    parameters: &str,
    headers: &str,
    lines: &str,
    change: impl FnOnce(&mut InboxRequest),
) -> InboxRequest {
    let signature = STANDARD.encode(pair.sign(lines.as_bytes()));
    let value =
        format!("keyId=\"{KEY_ID}\",{parameters}headers=\"{headers}\",signature=\"{signature}\"");
    let mut request = request(
        "/inbox",
        &[
            ("host", "home.example"),
            ("date", NOW),
            ("digest", &format!("SHA-256={}", digest_of(HELLO))),
            ("signature", &value),
        ],
        HELLO,
    );
    change(&mut request);
    request
}

fn outcome(request: &InboxRequest, key: &PublicKey, now: Time) -> Result<bool, NotRecorded> {
    let signature = of(request, now)?;
    let mut signed = signature.signed.iter();
    Ok(signed.any(|it| key.has_signed(signature.algorithm, it, &signature.bytes)))
}

/// Were this to fail, somebody could put their words under another's signature.
#[test]
fn what_a_signature_of_the_draft_covers_cannot_be_changed_and_must_be_enough() {
    let (pair, key) = key();
    let digest = digest_of(HELLO);
    let lines = format!(
        "(request-target): post /inbox\nhost: home.example\ndate: {NOW}\ndigest: SHA-256={digest}"
    );
    let all = "(request-target) host date digest";
    let now = at(NOW);
    let check = |what: &str, expected, change: fn(&mut InboxRequest)| {
        let request = signed_request(&pair, "", all, &lines, change);
        assert_eq!(outcome(&request, &key, now), expected, "{what}");
    };
    check("as it was", Ok(true), |_| {});
    check("another body", Err(NotRecorded::Digest), |it| {
        it.body = Bytes::from_static(b"{\"hello\": \"other\"}");
    });
    check("another path", Ok(false), |it| {
        it.target = "/outbox".to_owned();
    });
    check("a query", Ok(false), |it| it.target = "/inbox?x".to_owned());
    check("another method", Ok(false), |it| it.method = Method::PUT);
    check("another host", Ok(false), |it| {
        it.headers.insert("host", "b.example".parse().unwrap());
    });
    check("a second host", Ok(false), |it| {
        it.headers.append("host", "b.example".parse().unwrap());
    });
    check("another date", Ok(false), |it| {
        let date = "Mon, 30 Nov 2026 10:00:01 GMT";
        it.headers.insert("date", date.parse().unwrap());
    });
    check("another digest", Err(NotRecorded::Digest), |it| {
        let value = format!("SHA-256={}", digest_of(b"other"));
        it.headers.insert("digest", value.parse().unwrap());
    });
    check(
        "a digest of a kind that is not known",
        Err(NotRecorded::Digest),
        |it| {
            it.headers.insert("digest", "MD5=abc".parse().unwrap());
        },
    );
    check("no digest", Err(NotRecorded::Unsigned), |it| {
        it.headers.remove("digest");
    });
    check("no date", Err(NotRecorded::Unsigned), |it| {
        it.headers.remove("date");
    });
    check("no signature", Err(NotRecorded::Unsigned), |it| {
        it.headers.remove("signature");
    });
    for (what, headers) in [
        ("no target", "host date digest"),
        ("no host", "(request-target) date digest"),
        ("no date", "(request-target) host digest"),
        ("no digest", "(request-target) host date"),
        (
            "a header that is not there",
            "(request-target) host date digest x-none",
        ),
        ("nothing", ""),
    ] {
        let request = signed_request(&pair, "", headers, &lines, |_| {});
        assert_eq!(
            outcome(&request, &key, now),
            Err(NotRecorded::Unsigned),
            "{what}"
        );
    }
    for (moment, is_fresh) in [
        (now.plus(AGE_MAX), true),
        (now.plus(AGE_MAX + Duration::from_secs(1)), false),
        (now.minus(AHEAD_MAX), true),
        (now.minus(AHEAD_MAX + Duration::from_secs(1)), false),
    ] {
        let request = signed_request(&pair, "", all, &lines, |_| {});
        let expected = if is_fresh {
            Ok(true)
        } else {
            Err(NotRecorded::Stale)
        };
        assert_eq!(outcome(&request, &key, moment), expected, "{moment:?}");
    }
}

#[test]
fn a_signature_of_the_draft_may_say_itself_when_it_was_made() {
    let (pair, key) = key();
    let now = at(NOW);
    let seconds = now.millis() / 1000;
    let digest = digest_of(HELLO);
    let check = |algorithm: &str, created: i64, expires: i64, expected| {
        let lines = format!(
            "(request-target): post /inbox\n(created): {created}\n(expires): {expires}\nhost: home.example\n\
             digest: SHA-256={digest}"
        );
        let parameters = format!("algorithm=\"{algorithm}\",created={created},expires={expires},");
        let headers = "(request-target) (created) (expires) host digest";
        let request = signed_request(&pair, &parameters, headers, &lines, |it| {
            it.headers.remove("date");
        });
        assert_eq!(
            outcome(&request, &key, now),
            expected,
            "{algorithm} {created}"
        );
    };
    check("hs2019", seconds, seconds + 300, Ok(true));
    check(
        "hs2019",
        seconds - 100_000,
        seconds + 300,
        Err(NotRecorded::Stale),
    );
    check("hs2019", seconds, seconds - 7_200, Err(NotRecorded::Stale));
    check(
        "rsa-sha256",
        seconds,
        seconds + 300,
        Err(NotRecorded::Unsigned),
    );
    check(
        "hmac-sha256",
        seconds,
        seconds + 300,
        Err(NotRecorded::Unsigned),
    );
}

#[test]
fn a_header_that_is_no_signature_is_none() {
    let (pair, key) = key();
    for text in [
        "",
        "keyId",
        "keyId=",
        "keyId=\"a",
        "keyId=\"a\"",
        "signature=\"AA==\"",
        "keyId=\"a\" signature=\"AA==\"",
        "keyId=\"a\",keyId=\"b\",headers=\"(request-target) host date digest\",signature=\"AA==\"",
        "keyId=\"a\",headers=\"(request-target) host date digest\",signature=\"no base64\"",
    ] {
        let request = signed_request(&pair, "", "", "", |it| {
            it.headers.insert("signature", text.parse().unwrap());
        });
        let outcome = outcome(&request, &key, at(NOW));
        assert_eq!(outcome, Err(NotRecorded::Unsigned), "{text}");
    }
}

/// The same as of the draft.
#[test]
fn what_a_signature_of_the_rfc_covers_cannot_be_changed_and_must_be_enough() {
    let (pair, key) = key();
    let now = at(NOW);
    let created = now.millis() / 1000;
    let request_with = |components: &str, parameters: &str, lines: &str| {
        let input = format!("({components}){parameters}");
        let base = format!("{lines}\"@signature-params\": {input}");
        let signature = STANDARD.encode(pair.sign(base.as_bytes()));
        request(
            "/inbox",
            &[
                ("host", "home.example"),
                ("content-digest", &format!("sha-256=:{}:", digest_of(HELLO))),
                ("signature-input", &format!("sig1={input}")),
                ("signature", &format!("sig1=:{signature}:")),
            ],
            HELLO,
        )
    };
    let components = "\"@method\" \"@target-uri\" \"content-digest\"";
    let parameters = format!(";created={created};keyid=\"{KEY_ID}\"");
    let of_scheme = |scheme: &str| {
        format!(
            "\"@method\": POST\n\"@target-uri\": {scheme}://home.example/inbox\n\"content-digest\": sha-256=:{}:\n",
            digest_of(HELLO)
        )
    };
    for scheme in ["https", "http"] {
        let request = request_with(components, &parameters, &of_scheme(scheme));
        assert_eq!(outcome(&request, &key, now), Ok(true), "{scheme}");
    }
    let check = |what: &str, expected, change: fn(&mut InboxRequest)| {
        let mut request = request_with(components, &parameters, &of_scheme("https"));
        change(&mut request);
        assert_eq!(outcome(&request, &key, now), expected, "{what}");
    };
    check("another body", Err(NotRecorded::Digest), |it| {
        it.body = Bytes::from_static(b"{}");
    });
    check("another path", Ok(false), |it| {
        it.target = "/outbox".to_owned();
    });
    check("another host", Ok(false), |it| {
        it.headers.insert("host", "b.example".parse().unwrap());
    });
    check("a digest that is none", Err(NotRecorded::Digest), |it| {
        let value = "sha-256=?1".parse().unwrap();
        it.headers.insert("content-digest", value);
    });
    check("another label", Err(NotRecorded::Unsigned), |it| {
        it.headers
            .insert("signature", "sig2=:AA==:".parse().unwrap());
    });
    check("no dictionary", Err(NotRecorded::Unsigned), |it| {
        it.headers.insert("signature-input", "((".parse().unwrap());
    });
    let lines = of_scheme("https");
    for (what, components, parameters) in [
        (
            "no method",
            "\"@target-uri\" \"content-digest\"",
            parameters.as_str(),
        ),
        (
            "no target",
            "\"@method\" \"host\" \"content-digest\"",
            &parameters,
        ),
        (
            "no host",
            "\"@method\" \"@path\" \"content-digest\"",
            &parameters,
        ),
        ("no digest", "\"@method\" \"@target-uri\"", &parameters),
        ("no moment", components, &format!(";keyid=\"{KEY_ID}\"")),
        ("no key", components, &format!(";created={created}")),
        (
            "an algorithm that is not taken",
            components,
            &format!("{parameters};alg=\"hmac-sha256\""),
        ),
        (
            "a part of a header",
            "\"@method\" \"@target-uri\" \"content-digest\";key=\"sha-256\"",
            &parameters,
        ),
        (
            "a component twice",
            "\"@method\" \"@method\" \"@target-uri\" \"content-digest\"",
            &parameters,
        ),
    ] {
        let request = request_with(components, parameters, &lines);
        let outcome = outcome(&request, &key, now);
        assert_eq!(outcome, Err(NotRecorded::Unsigned), "{what}");
    }
    let old = format!(";created={};keyid=\"{KEY_ID}\"", created - 50_000);
    let request = request_with(components, &old, &lines);
    assert_eq!(outcome(&request, &key, now), Err(NotRecorded::Stale));
    let ended = format!("{parameters};expires={}", created - 7_200);
    let request = request_with(components, &ended, &lines);
    assert_eq!(outcome(&request, &key, now), Err(NotRecorded::Stale));
}

proptest! {
    /// A failure means that somebody can end the service with a header.
    #[test]
    fn whatever_the_headers_are_there_is_an_outcome(
        signature in "(keyId|signature|headers|algorithm|created|sig1|[=\\\\\",;:() .?*-]|\\(request-target\\)|host|date|digest|[A-Za-z0-9+/]{1,6}|\\PC){0,24}",
        input in "(sig1|keyid|created|alg|@method|@target-uri|@query|content-digest|host|[=\\\\\",;:() .?*-]|[0-9]{1,20}|\\PC){0,24}",
        digest in "(SHA-256|sha-512|[=:,]|[A-Za-z0-9+/]{1,6}){0,8}",
        date in "(Mon, 30 Nov 2026 10:00:00 GMT|[0-9: A-Za-z,]{0,30})",
    ) {
        let mut request = request("/inbox?", &[], HELLO);
        for (name, value) in [
            ("host", "home.example"),
            ("signature", &signature),
            ("digest", &digest),
            ("content-digest", &digest),
            ("date", &date),
        ] {
            if let Ok(value) = value.parse() {
                request.headers.insert(name, value);
            }
        }
        prop_assert!(of(&request, at(NOW)).is_err());
        if let Ok(input) = input.parse() {
            request.headers.insert("signature-input", input);
        }
        prop_assert!(of(&request, at(NOW)).is_err());
    }
}
