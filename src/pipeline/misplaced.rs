//! Whether a record is in the partition that its key asks for.

use slackwater_engine::activity::parse::author_key;
use slackwater_engine::decode::Decoded;
use slackwater_engine::record::{Position, Topic};
use slackwater_order::key_hash::partition_of;

/// Whether a record is in another partition than Kafka's default partitioner puts it by its author or its account. `partitions` is how many
/// each topic has, in the order of [`Topic::ALL`].
pub(super) fn is_misplaced(position: Position, decoded: &Decoded, partitions: [i32; 2]) -> bool {
    let key = match decoded {
        Decoded::Activity(_, activity) => author_key(activity),
        Decoded::Relation(change) => Some(&*change.key.account),
        Decoded::Unusable(_) => None,
    };
    key.is_some_and(|key| is_elsewhere(position, key, partitions))
}

fn is_elsewhere(position: Position, key: &str, partitions: [i32; 2]) -> bool {
    let [activities, relationships] = partitions;
    let partitions = match position.topic {
        Topic::Activities => activities,
        Topic::Relationships => relationships,
    };
    partition_of(key.as_bytes(), partitions) != position.partition
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Were this to fail, a backend that keys its records wrongly would hear of it from nobody.
    #[test]
    fn each_topic_has_its_own_number_of_partitions() {
        let partitions = [64, 8];
        for (topic, count) in Topic::ALL.into_iter().zip(partitions) {
            for n in 0..200 {
                let key = n.to_string();
                let right = partition_of(key.as_bytes(), count);
                for partition in 0..count {
                    let position = Position {
                        topic,
                        partition,
                        offset: 0,
                    };
                    assert_eq!(is_elsewhere(position, &key, partitions), partition != right);
                }
            }
        }
    }
}
