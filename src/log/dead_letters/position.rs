//! Where a letter stands among the letters, and where a page of them ends.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

/// Where a letter stands in the topic of dead letters, written `<partition>-<offset>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LetterId {
    /// The partition, from 0; the built-in log has only 0.
    pub partition: i32,
    /// The offset in the partition, from 0; there may be gaps.
    pub offset: i64,
}

/// An end of a page: an offset of each partition, itself not on the page. Written as ids with commas between them, so that
/// the id of a letter is a position in a topic of one partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LettersPosition(BTreeMap<i32, i64>);

/// Why a text is no id or no position.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no position of dead letters: send what an answer had, as in 0-17")]
pub struct NotAPosition(String);

impl LettersPosition {
    /// The offset of a partition; none if it names none, and the partition has no end there.
    pub fn offset(&self, partition: i32) -> Option<i64> {
        self.0.get(&partition).copied()
    }

    /// Whether it names no partition.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<LetterId> for LettersPosition {
    fn from_iter<I: IntoIterator<Item = LetterId>>(ids: I) -> LettersPosition {
        LettersPosition(
            ids.into_iter()
                .map(|id| (id.partition, id.offset))
                .collect(),
        )
    }
}

impl Display for LetterId {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.partition, self.offset)
    }
}

impl Display for LettersPosition {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (at, (partition, offset)) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            write!(f, "{comma}{partition}-{offset}")?;
        }
        Ok(())
    }
}

impl FromStr for LetterId {
    type Err = NotAPosition;

    fn from_str(text: &str) -> Result<LetterId, NotAPosition> {
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let id = text.split_once('-').and_then(|(partition, offset)| {
            (is_number(partition) && is_number(offset)).then_some(LetterId {
                partition: partition.parse().ok()?,
                offset: offset.parse().ok()?,
            })
        });
        id.ok_or_else(|| NotAPosition(text.to_owned()))
    }
}

impl FromStr for LettersPosition {
    type Err = NotAPosition;

    fn from_str(text: &str) -> Result<LettersPosition, NotAPosition> {
        let mut offsets = BTreeMap::new();
        for part in text.split(',') {
            let id: LetterId = part.parse()?;
            if offsets.insert(id.partition, id.offset).is_some() {
                return Err(NotAPosition(text.to_owned()));
            }
        }
        Ok(LettersPosition(offsets))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_as_it_was_written_and_nothing_else_is_one() {
        for text in ["0-0", "0-17", "0-17,3-9223372036854775807"] {
            let position: LettersPosition = text.parse().unwrap();
            assert_eq!(position.to_string(), text);
        }
        for text in [
            "",
            "7",
            "-",
            "0-",
            "-1",
            "0--1",
            "+0-1",
            "0-1,",
            "0-1,0-2",
            "0-9223372036854775808",
            "0-1 ",
        ] {
            assert!(text.parse::<LettersPosition>().is_err(), "{text}");
        }
    }
}
