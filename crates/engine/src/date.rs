//! Dates as servers write them. Pure.

use chrono::{DateTime, NaiveDateTime, Utc};
use slackwater_order::time::Time;

/// The longest text tried as a date, in bytes; anything longer is none.
const DATE_BYTES_MAX: usize = 64;

/// Shapes with an offset that RFC 3339 does not have: `+0000` and `+00` (Threads), and, as ActivityStreams allows, no
/// seconds.
const WITH_OFFSET: [&str; 4] = [
    "%Y-%m-%dT%H:%M:%S%.f%#z",
    "%Y-%m-%d %H:%M:%S%.f%#z",
    "%Y-%m-%dT%H:%M%#z",
    "%Y-%m-%d %H:%M:%S%.f %#z",
];
/// Shapes without an offset: UTC is meant.
const WITHOUT_OFFSET: [&str; 3] = [
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M",
];

/// A date a remote server wrote: RFC 3339 with up to 9 digits of fraction and any offset; the same with a space for the
/// `T`, with `+0000` for `+00:00`, without seconds, or without an offset (UTC); RFC 1123 and the two older HTTP dates.
/// None if it is none of these, or not within [`Time::EARLIEST`] and [`Time::LATEST`].
pub fn parse(text: &str) -> Option<Time> {
    let text = text.trim();
    if DATE_BYTES_MAX < text.len() {
        return None;
    }
    let time = moment(text)?;
    (Time::EARLIEST..=Time::LATEST)
        .contains(&time)
        .then_some(time)
}

/// An `arrived-at` header: RFC 3339 or whole milliseconds since 1970. Stricter than [`parse`], since it is a backend of
/// ours that writes it; whether it is possible is for the envelope to say.
pub fn parse_arrived_at(text: &str) -> Option<Time> {
    if let Ok(millis) = text.parse::<i64>() {
        return Some(Time::from_millis(millis));
    }
    let moment = DateTime::parse_from_rfc3339(text).ok()?;
    Some(Time::from(moment.with_timezone(&Utc)))
}

fn moment(text: &str) -> Option<Time> {
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Some(Time::from(moment.with_timezone(&Utc)));
    }
    for shape in WITH_OFFSET {
        if let Ok(moment) = DateTime::parse_from_str(text, shape) {
            return Some(Time::from(moment.with_timezone(&Utc)));
        }
    }
    let bare = text.strip_suffix(['Z', 'z']).unwrap_or(text);
    for shape in WITHOUT_OFFSET {
        if let Ok(moment) = NaiveDateTime::parse_from_str(bare, shape) {
            return Some(Time::from(moment.and_utc()));
        }
    }
    if let Ok(moment) = DateTime::parse_from_rfc2822(text) {
        return Some(Time::from(moment.with_timezone(&Utc)));
    }
    let moment = httpdate::parse_http_date(text).ok()?;
    let since_1970 = moment.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(Time::from_millis(slackwater_order::time::millis_of(
        since_1970,
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(
            parse(text).map(Time::rfc3339).as_deref(),
            expected,
            "{text:?}"
        );
    }

    #[test]
    fn every_shape_seen_in_the_wild_is_read() {
        let ten = Some("2026-11-22T10:00:00Z");
        for text in [
            "2026-11-22T10:00:00Z",
            "2026-11-22T10:00:00.00Z",
            "2026-11-22T10:00:00.000Z",
            "2026-11-22T10:00:00.000000Z",
            "2026-11-22T10:00:00+00:00",
            "2026-11-22T10:00:00.000000+00:00",
            "2026-11-22T10:00:00.0000000+00:00",
            "2026-11-22T10:00:00+0000",
            "2026-11-22T10:00:00.000+0000",
            "2026-11-22T10:00:00",
            "2026-11-22T10:00:00.000",
            "2026-11-22 10:00:00",
            "2026-11-22 10:00:00Z",
            "2026-11-22 10:00:00+00:00",
            "2026-11-22 10:00:00 +0000",
            "2026-11-22t10:00:00z",
            "2026-11-22T10:00Z",
            "2026-11-22T10:00+00:00",
            "2026-11-22T10:00",
            "2026-11-22T19:30:00+09:30",
            "2026-11-22T02:00:00-0800",
            "2026-11-22T11:00:00+01",
            " 2026-11-22T10:00:00Z\n",
            "Sun, 22 Nov 2026 10:00:00 GMT",
            "Sun, 22 Nov 2026 10:00:00 +0000",
            "Sun, 22 Nov 2026 11:00:00 +0100",
            "Sunday, 22-Nov-26 10:00:00 GMT",
            "Sun Nov 22 10:00:00 2026",
        ] {
            check(text, ten);
        }
    }

    #[test]
    fn a_fraction_of_any_length_is_kept_to_the_millisecond() {
        for digits in 1..=9 {
            let fraction = &"123456789"[..digits];
            let millis = &format!("{fraction:0<3}")[..3];
            let expected = format!("2026-11-22T10:00:00.{millis}Z");
            for zone in ["Z", "+00:00", "+0000", ""] {
                check(
                    &format!("2026-11-22T10:00:00.{fraction}{zone}"),
                    Some(&expected),
                );
            }
        }
    }

    #[test]
    fn a_date_that_is_absurd_or_unreadable_is_none() {
        for text in [
            "",
            " ",
            "yesterday",
            "-0977-01-01T00:00:00Z",
            "-977-01-01T00:00:00Z",
            "0000-00-00T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "1970-01-01T00:00:00Z",
            "10000-01-01T00:00:00Z",
            "+10000-01-01T00:00:00Z",
            "9999-12-31T23:59:59-01:00",
            "2026-02-30T10:00:00Z",
            "2026-11-22T25:00:00Z",
            "2026-11-22T10:00:00+99:99",
            "2026-11-22",
            "1763805600",
            "2026-11-22T10:00:00\u{0}Z",
        ] {
            check(text, None);
        }
        check("1970-01-01T00:00:00.001Z", Some("1970-01-01T00:00:00.001Z"));
        check("9999-12-31T23:59:59.999Z", Some("9999-12-31T23:59:59.999Z"));
        check(&format!("2026-11-22T10:00:00.{}Z", "0".repeat(100)), None);
    }

    #[test]
    fn an_arrival_is_rfc_3339_or_milliseconds() {
        let ten = Some(Time::from_millis(1_795_341_600_000));
        for (text, expected) in [
            ("1795341600000", ten),
            ("2026-11-22T10:00:00Z", ten),
            ("2026-11-22T12:00:00+02:00", ten),
            ("2026-11-22T10:00:00", None),
            ("1795341600000.5", None),
            ("99999999999999999999", None),
            ("", None),
        ] {
            assert_eq!(parse_arrived_at(text), expected, "{text:?}");
        }
    }

    proptest! {
        /// A failure means that some text stops the service.
        #[test]
        fn no_text_is_too_strange(text in "\\PC{0,40}|[-+0-9TZ:. ]{0,40}|[+-]?[0-9]{1,7}-[0-9]{2}-[0-9]{2}[T ][0-9:.]{0,20}[-+Z0-9:]{0,8}") {
            parse(&text);
            parse_arrived_at(&text);
        }

        /// A failure means that a post stands where its author did not write it.
        #[test]
        fn what_we_write_is_read_back(millis in 1i64..=Time::LATEST.millis()) {
            let time = Time::from_millis(millis);
            prop_assert_eq!(parse(&time.rfc3339()), Some(time));
        }
    }
}
