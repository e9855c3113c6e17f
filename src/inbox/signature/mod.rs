//! The signature of a request to an inbox, as far as it can be judged without the key. Pure.
//!
//! Two forms are read: that of draft-cavage-http-signatures-12, which the fediverse has sent since 2017, and that of RFC 9421. Either
//! must cover what, unsigned, would let somebody else reuse it: the method and path, the host, the moment, and the digest of the body.

mod cavage;
mod digest;
mod rfc9421;

use super::inbox_request::InboxRequest;
use super::not_recorded::NotRecorded;
use super::public_key::Algorithm;
use slackwater_order::time::Time;
use std::time::Duration;

/// How long ago a request may have been signed: Mastodon's bound, so that what a queue sends again is still good.
const AGE_MAX: Duration = Duration::from_secs(12 * 60 * 60);
/// How far ahead of ours the clock of the other server may be.
const AHEAD_MAX: Duration = Duration::from_secs(60 * 60);

/// A signature, and what it is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RequestSignature {
    /// Which key made it.
    pub(super) key_id: String,
    /// By which algorithm; if it does not say, the one of the key.
    pub(super) algorithm: Option<Algorithm>,
    /// The bytes that were signed. Several where the request does not say which, such as the scheme it was sent by: a signature of
    /// any of them is good.
    pub(super) signed: Vec<Vec<u8>>,
    pub(super) bytes: Vec<u8>,
}

/// The signature of a request whose digest and moment are right at `now`. Errors: the reason why there is none.
pub(super) fn of(request: &InboxRequest, now: Time) -> Result<RequestSignature, NotRecorded> {
    match request.header_text("signature-input") {
        Some(input) => rfc9421::of(request, &input, now),
        None => cavage::of(request, now),
    }
}

/// Checks when a signature was made.
fn check_moment(signed: Time, now: Time) -> Result<(), NotRecorded> {
    let (oldest, newest) = (now.minus(AGE_MAX), now.plus(AHEAD_MAX));
    match (oldest..=newest).contains(&signed) {
        true => Ok(()),
        false => Err(NotRecorded::Stale),
    }
}

/// Checks when a signature ends.
fn check_end(end: Time, now: Time) -> Result<(), NotRecorded> {
    match now <= end.plus(AHEAD_MAX) {
        true => Ok(()),
        false => Err(NotRecorded::Stale),
    }
}

/// Checks the `Date` of a request.
fn check_date(request: &InboxRequest, now: Time) -> Result<(), NotRecorded> {
    let date = request.header_text("date").ok_or(NotRecorded::Unsigned)?;
    let date = chrono::DateTime::parse_from_rfc2822(&date).map_err(|_| NotRecorded::Stale)?;
    check_moment(Time::from_millis(date.timestamp_millis()), now)
}

/// The moment of a number of seconds since 1970.
fn moment(seconds: i64) -> Time {
    Time::from_millis(seconds.saturating_mul(1000))
}

#[cfg(test)]
mod tests;
