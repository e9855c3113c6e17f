//! A dead letter, and the excerpt of it that a list shows.

use super::position::LetterId;
use slackwater_order::time::Time;

/// Bytes of a value that a list shows: enough to see what it is.
pub const LISTED_BYTES_MAX: usize = 16 << 10;
/// Bytes that are shown of a key, a reason, a topic, and the name and the value of a header.
const SHORT_BYTES_MAX: usize = 1000;
/// Headers that are shown. The others are counted.
const HEADERS_MAX: usize = 50;

/// The headers that a letter has behind those of its record, in this order.
pub const HEADERS: [&str; 4] = ["reason", "topic", "partition", "offset"];
/// The header behind [`HEADERS`] with the timestamp of the record, in milliseconds since 1970, where the letter itself has another.
pub const TIMESTAMP_HEADER: &str = "timestamp";

/// A dead letter as it is stored: a record that could not be used, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Where it stands among the letters.
    pub id: LetterId,
    /// Why the record could not be used; none if the letter does not say it.
    pub reason: Option<String>,
    /// Where the record stood; none if the letter does not say it.
    pub source: Option<SourcePosition>,
    /// The timestamp that the record had in the log; none if it had none or the letter does not say it.
    pub received: Option<Time>,
    /// When it was set aside; none where the log does not keep it.
    pub set_aside: Option<Time>,
    /// The key of the record.
    pub key: Option<Vec<u8>>,
    /// The headers of the record, in order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The value of the record.
    pub value: Option<Vec<u8>>,
}

/// Where a record stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourcePosition {
    /// The topic, by the name that it has in the log.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
}

/// A record of the topic of dead letters.
#[derive(Clone, Debug)]
pub struct StoredLetter {
    /// Where it stands.
    pub id: LetterId,
    /// Its timestamp.
    pub timestamp: Option<Time>,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value.
    pub value: Option<Vec<u8>>,
    /// Its headers: those of the record, then [`HEADERS`].
    pub headers: Vec<(String, Vec<u8>)>,
}

/// What the timestamp of a stored letter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampOf {
    /// That of the record, as in the built-in log.
    Record,
    /// That of the letter, as in Kafka, where retention would take a letter with an old one at once.
    Letter,
}

/// A letter with long parts cut, for a list: of a bounded size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LetterExcerpt {
    /// Where it stands among the letters.
    pub id: LetterId,
    /// As [`Letter::reason`].
    pub reason: Option<String>,
    /// As [`Letter::source`].
    pub source: Option<SourcePosition>,
    /// As [`Letter::received`].
    pub received: Option<Time>,
    /// As [`Letter::set_aside`].
    pub set_aside: Option<Time>,
    /// The key.
    pub key: Option<Excerpt>,
    /// The first headers of the record, in order.
    pub headers: Vec<(String, Excerpt)>,
    /// How many more headers it has.
    pub headers_left_out: usize,
    /// The value.
    pub value: Option<Excerpt>,
}

/// The first bytes of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    /// The bytes; of a text, whole characters.
    pub bytes: Vec<u8>,
    /// How many bytes the whole value has.
    pub length: usize,
    /// Whether the whole value is UTF-8.
    pub is_text: bool,
}

impl Letter {
    /// The letter that is stored so.
    pub fn of(stored: StoredLetter, timestamp_of: TimestampOf) -> Letter {
        let StoredLetter {
            id,
            timestamp,
            key,
            value,
            mut headers,
        } = stored;
        let of_record = take_timestamp(&mut headers);
        let (received, set_aside) = match timestamp_of {
            TimestampOf::Record => (timestamp, None),
            TimestampOf::Letter => (of_record, timestamp),
        };
        let mut letter = Letter {
            id,
            reason: None,
            source: None,
            received,
            set_aside,
            key,
            headers,
            value,
        };
        letter.take_headers();
        letter
    }

    /// What a list shows of it, with up to `value_bytes_max` bytes of the value.
    pub fn excerpt(self, value_bytes_max: usize) -> LetterExcerpt {
        let left_out = self.headers.len().saturating_sub(HEADERS_MAX);
        let short = |bytes| Excerpt::of(bytes, SHORT_BYTES_MAX);
        let headers = self.headers.into_iter().take(HEADERS_MAX);
        LetterExcerpt {
            id: self.id,
            reason: self.reason.map(shortened),
            source: self.source.map(|source| SourcePosition {
                topic: shortened(source.topic),
                ..source
            }),
            received: self.received,
            set_aside: self.set_aside,
            key: self.key.map(short),
            headers: headers
                .map(|(name, value)| (shortened(name), short(value)))
                .collect(),
            headers_left_out: left_out,
            value: self.value.map(|value| Excerpt::of(value, value_bytes_max)),
        }
    }

    /// Takes the headers off that the letter has and its record had not.
    fn take_headers(&mut self) {
        let Some(at) = self.headers.len().checked_sub(HEADERS.len()) else {
            return;
        };
        if !are_of_a_letter(self.headers.get(at..).unwrap_or_default()) {
            return;
        }
        let own = self.headers.split_off(at);
        let mut texts = own
            .into_iter()
            .map(|(_, value)| String::from_utf8_lossy(&value).into_owned());
        self.reason = texts.next();
        let source = (texts.next(), texts.next(), texts.next());
        if let (Some(topic), Some(partition), Some(offset)) = source
            && let (Ok(partition), Ok(offset)) = (partition.parse(), offset.parse())
        {
            self.source = Some(SourcePosition {
                topic,
                partition,
                offset,
            });
        }
    }
}

impl LetterExcerpt {
    /// When it was set aside as well as that is known, to order letters of several partitions.
    pub fn time(&self) -> Option<Time> {
        self.set_aside.or(self.received)
    }

    /// About how many bytes it takes.
    pub fn bytes(&self) -> usize {
        let length = |excerpt: &Option<Excerpt>| excerpt.as_ref().map_or(0, |it| it.bytes.len());
        let headers = self.headers.iter();
        size_of::<LetterExcerpt>()
            + self.reason.as_ref().map_or(0, String::len)
            + length(&self.key)
            + length(&self.value)
            + headers
                .map(|(name, value)| size_of::<Excerpt>() + name.len() + value.bytes.len())
                .sum::<usize>()
    }
}

impl Excerpt {
    /// The first `bytes_max` bytes; of a text somewhat fewer, so that no character is cut.
    pub fn of(mut bytes: Vec<u8>, bytes_max: usize) -> Excerpt {
        let length = bytes.len();
        let text = std::str::from_utf8(&bytes).ok();
        let is_text = text.is_some();
        let end = text.map_or(bytes_max, |text| text.floor_char_boundary(bytes_max));
        bytes.truncate(end);
        // A page holds these: the capacity of a large value would count as well.
        bytes.shrink_to_fit();
        Excerpt {
            bytes,
            length,
            is_text,
        }
    }

    /// Whether bytes are left out.
    pub fn is_cut(&self) -> bool {
        self.bytes.len() < self.length
    }
}

/// Whether these are the headers of a letter.
fn are_of_a_letter(headers: &[(String, Vec<u8>)]) -> bool {
    headers.iter().map(|(name, _)| name.as_str()).eq(HEADERS)
}

/// Takes the last header off if it is the timestamp of a letter's record.
fn take_timestamp(headers: &mut Vec<(String, Vec<u8>)>) -> Option<Time> {
    let (last, before) = headers.split_last()?;
    let of_letter = before.get(before.len().checked_sub(HEADERS.len())?..)?;
    if last.0 != TIMESTAMP_HEADER || !are_of_a_letter(of_letter) {
        return None;
    }
    let (_, value) = headers.pop()?;
    let millis = std::str::from_utf8(&value).ok()?.parse().ok()?;
    Some(Time::from_millis(millis))
}

fn shortened(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(SHORT_BYTES_MAX));
    text.shrink_to_fit();
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(headers: &[(&str, &str)]) -> StoredLetter {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), value.as_bytes().to_vec());
        StoredLetter {
            id: LetterId {
                partition: 0,
                offset: 7,
            },
            timestamp: Some(Time::from_millis(9)),
            key: None,
            value: None,
            headers: headers.iter().map(own).collect(),
        }
    }

    const OURS: [(&str, &str); 4] = [
        ("reason", "not JSON"),
        ("topic", "activities"),
        ("partition", "3"),
        ("offset", "17"),
    ];

    #[test]
    fn headers_of_the_letter_are_told_from_those_of_its_record() {
        let mut headers = vec![("ref", "4711"), ("reason", "mine"), ("timestamp", "mine")];
        headers.extend(OURS);
        let names = |letter: &Letter| {
            let names = letter.headers.iter().map(|(name, _)| name.clone());
            names.collect::<Vec<_>>()
        };
        let source = SourcePosition {
            topic: "activities".to_owned(),
            partition: 3,
            offset: 17,
        };
        let built_in = Letter::of(stored(&headers), TimestampOf::Record);
        assert_eq!(names(&built_in), ["ref", "reason", "timestamp"]);
        assert_eq!(built_in.reason.as_deref(), Some("not JSON"));
        assert_eq!(built_in.source, Some(source.clone()));
        assert_eq!(built_in.received, Some(Time::from_millis(9)));
        assert_eq!(built_in.set_aside, None);

        headers.push(("timestamp", "5"));
        let kafka = Letter::of(stored(&headers), TimestampOf::Letter);
        assert_eq!(names(&kafka), ["ref", "reason", "timestamp"]);
        assert_eq!(kafka.source, Some(source));
        assert_eq!(kafka.received, Some(Time::from_millis(5)));
        assert_eq!(kafka.set_aside, Some(Time::from_millis(9)));
    }

    #[test]
    fn a_record_that_is_no_letter_keeps_its_headers() {
        for headers in [&OURS[1..], &[("reason", "x"), ("timestamp", "5")]] {
            let letter = Letter::of(stored(headers), TimestampOf::Letter);
            assert_eq!(letter.headers.len(), headers.len());
            assert_eq!(
                (letter.reason, letter.source, letter.received),
                (None, None, None)
            );
        }
    }

    #[test]
    fn an_excerpt_says_how_long_the_whole_is_and_cuts_no_character() {
        let check = |bytes: &[u8], max: usize, shown: &[u8], is_text: bool| {
            let excerpt = Excerpt::of(bytes.to_vec(), max);
            assert_eq!(excerpt.bytes, shown);
            assert_eq!((excerpt.length, excerpt.is_text), (bytes.len(), is_text));
            assert_eq!(excerpt.is_cut(), shown.len() < bytes.len());
        };
        check("aé".as_bytes(), 3, "aé".as_bytes(), true);
        check("aé".as_bytes(), 2, b"a", true);
        check(b"a\xff\xfe", 2, b"a\xff", false);
        // Bytes behind the cut decide as well.
        check(b"aaa\xff", 2, b"aa", false);
    }
}
