//! Times as people read them: RFC 3339 in UTC.

use super::Time;
use chrono::{DateTime, Datelike, Timelike, Utc};
use serde::{Deserialize, Serialize};

impl Time {
    /// RFC 3339 in UTC; milliseconds only where there are any, as ActivityPub servers write it.
    pub fn rfc3339(self) -> String {
        let mut text = String::with_capacity(24);
        self.write_rfc3339(&mut text);
        text
    }

    /// Appends what [`Time::rfc3339`] gives. By hand, since a page writes two for each entry and chrono's formatter takes
    /// longer than the rest of it.
    pub fn write_rfc3339(self, text: &mut String) {
        let Some(t) = DateTime::<Utc>::from_timestamp_millis(self.0)
            .filter(|t| (0..=9999).contains(&t.year()))
        else {
            text.push_str(&format!("{}ms", self.0));
            return;
        };
        let mut shape = *b"0000-00-00T00:00:00.000Z";
        let mut rest = shape.as_mut_slice();
        let millis = t.timestamp_subsec_millis();
        let fields = [
            (t.year().unsigned_abs(), 4),
            (t.month(), 2),
            (t.day(), 2),
            (t.hour(), 2),
            (t.minute(), 2),
            (t.second(), 2),
            (millis, 3),
        ];
        for (mut number, width) in fields {
            let (digits, after) = rest.split_at_mut(width);
            for digit in digits.iter_mut().rev() {
                *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
                number /= 10;
            }
            rest = after.get_mut(1..).unwrap_or_default();
        }
        let shape = std::str::from_utf8(&shape).unwrap_or_default();
        match shape.split_once('.') {
            Some((seconds, _)) if millis == 0 => {
                text.push_str(seconds);
                text.push('Z');
            }
            _ => text.push_str(shape),
        }
    }
}

impl From<DateTime<Utc>> for Time {
    fn from(t: DateTime<Utc>) -> Time {
        Time(t.timestamp_millis())
    }
}

/// Stored as a bare number of milliseconds; API answers use [`Time::rfc3339`].
impl Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(&self.rfc3339())
        } else {
            serializer.serialize_i64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
        if deserializer.is_human_readable() {
            let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
            DateTime::parse_from_rfc3339(&text)
                .map(|t| Time(t.timestamp_millis()))
                .map_err(serde::de::Error::custom)
        } else {
            i64::deserialize(deserializer).map(Time)
        }
    }
}

#[cfg(feature = "schemars")]
impl schemars::JsonSchema for Time {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Time".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string", "format": "date-time",
            "description": "A moment in UTC, RFC 3339, milliseconds only where there are any."
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_shown_as_activitypub_servers_write_it() {
        assert_eq!(
            Time::from_millis(1_763_805_600_000).rfc3339(),
            "2025-11-22T10:00:00Z"
        );
        assert_eq!(
            Time::from_millis(1_763_805_600_007).rfc3339(),
            "2025-11-22T10:00:00.007Z"
        );
    }

    #[test]
    fn a_time_is_written_as_chrono_writes_it() {
        for millis in [
            -62_167_219_200_000,
            -1,
            0,
            999,
            951_827_696_789,
            1_763_805_600_007,
            Time::LATEST.0,
        ] {
            let chronos = DateTime::<Utc>::from_timestamp_millis(millis).unwrap();
            let form = if millis % 1000 == 0 {
                chrono::SecondsFormat::Secs
            } else {
                chrono::SecondsFormat::Millis
            };
            assert_eq!(Time(millis).rfc3339(), chronos.to_rfc3339_opts(form, true));
        }
        assert_eq!(Time(i64::MAX).rfc3339(), "9223372036854775807ms");
    }

    #[test]
    fn a_time_survives_json_and_bytes() {
        let t = Time::from_millis(1_763_805_600_007);
        let json = serde_json::to_string(&t).unwrap();
        assert_eq!(serde_json::from_str::<Time>(&json).unwrap(), t);
        let bytes = postcard::to_stdvec(&t).unwrap();
        assert_eq!(postcard::from_bytes::<Time>(&bytes).unwrap(), t);
    }
}
