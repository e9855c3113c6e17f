//! The log position of an activity as posts, actors and early removals store it: the partition and the offset, without the
//! topic, which is always that of activities. For `#[serde(with)]`.

use crate::record::offsets::LogPos;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Serialize, Deserialize)]
struct Stored {
    partition: i32,
    offset: i64,
}

pub(super) fn serialize<S: Serializer>(log_pos: &LogPos, to: S) -> Result<S::Ok, S::Error> {
    let position = log_pos.position();
    let stored = Stored {
        partition: position.partition,
        offset: position.offset,
    };
    stored.serialize(to)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<LogPos, D::Error> {
    let stored = Stored::deserialize(from)?;
    Ok(LogPos::of_activity(stored.partition, stored.offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
    struct Row {
        #[serde(with = "super")]
        log_pos: LogPos,
    }

    /// Were this to fail, posts, actors and removals stored by another version could not be read.
    #[test]
    fn a_position_is_stored_as_its_partition_and_its_offset() {
        for (partition, offset, bytes) in [
            (0, 0, &[0, 0][..]),
            (3, 77, &[6, 0x9a, 1]),
            (
                1023,
                1 << 40,
                &[0xfe, 0x0f, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40],
            ),
        ] {
            let log_pos = LogPos::of_activity(partition, offset);
            let row = Row { log_pos };
            assert_eq!(postcard::to_stdvec(&row).unwrap(), bytes);
            assert_eq!(postcard::from_bytes::<Row>(bytes).unwrap(), row);
        }
    }
}
