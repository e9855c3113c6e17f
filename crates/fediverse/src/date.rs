//! Times as text: RFC 3339 in UTC, written without the service's own code, which the tests of it should not lean on.

const DAY_MS: i64 = 86_400_000;

/// `ms` milliseconds since 1970, as `2025-11-22T10:00:00Z`; with three decimals where the second is not whole.
pub fn date(ms: i64) -> String {
    match ms.rem_euclid(1_000) {
        0 => format!("{}Z", seconds(ms)),
        _ => date_with_millis(ms),
    }
}

/// The same, always with three decimals.
pub fn date_with_millis(ms: i64) -> String {
    format!("{}.{:03}Z", seconds(ms), ms.rem_euclid(1_000))
}

fn seconds(ms: i64) -> String {
    let (year, month, day) = civil(ms.div_euclid(DAY_MS));
    let second = ms.rem_euclid(DAY_MS) / 1_000;
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
}

/// Year, month and day of the Gregorian calendar, so many days after 1970-01-01.
fn civil(days: i64) -> (i64, i64, i64) {
    let (mut year, mut day) = (
        1970 + days.div_euclid(146_097) * 400,
        days.rem_euclid(146_097),
    );
    let is_leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    while 365 + i64::from(is_leap(year)) <= day {
        day -= 365 + i64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + i64::from(is_leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if day < length {
            break;
        }
        day -= length;
        month += 1;
    }
    (year, month, day + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_written_as_the_calendar_has_it() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (951_868_800_000, "2000-03-01T00:00:00Z"),
            (1_735_689_599_001, "2024-12-31T23:59:59.001Z"),
            (1_763_805_600_000, "2025-11-22T10:00:00Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(date(ms), text);
        }
        assert_eq!(date_with_millis(0), "1970-01-01T00:00:00.000Z");
    }
}
