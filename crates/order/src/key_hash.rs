//! Kafka's own hash of a key, by which records are spread over partitions and authors over slots.

/// MurmurHash2 as Kafka's default partitioner uses it, with the sign bit cleared (`org.apache.kafka.common.utils.Utils.murmur2`;
/// Austin Appleby, 2008).
pub fn key_hash(key: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    const SEED: u32 = 0x9747_b28c;
    // Kafka's lengths have 31 bits; a longer key would wrap.
    let mut hash = SEED ^ key.len() as u32;
    let mut words = key.chunks_exact(4);
    for word in &mut words {
        let mut k = word
            .iter()
            .rev()
            .fold(0_u32, |k, byte| k << 8 | u32::from(*byte))
            .wrapping_mul(M);
        k = (k ^ k >> 24).wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ k;
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        let last = rest
            .iter()
            .rev()
            .fold(0_u32, |k, byte| k << 8 | u32::from(*byte));
        hash = (hash ^ last).wrapping_mul(M);
    }
    hash = (hash ^ hash >> 13).wrapping_mul(M);
    (hash ^ hash >> 15) & 0x7fff_ffff
}

/// The partition that Kafka's default partitioner gives a key in a topic of `partitions` (at least 1).
pub fn partition_of(key: &[u8], partitions: i32) -> i32 {
    i32::try_from(key_hash(key)).unwrap_or(0) % partitions.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Values from Kafka's own UtilsTest.testMurmur2.
    #[test]
    fn the_key_hash_is_kafkas() {
        let cases: [(&str, i32); 6] = [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            (
                "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8",
                -58_897_971,
            ),
            ("abc", 479_470_107),
        ];
        for (key, hash) in cases {
            assert_eq!(key_hash(key.as_bytes()), hash as u32 & 0x7fff_ffff, "{key}");
        }
    }

    proptest! {
        #[test]
        fn it_is_what_a_crate_made_for_kafka_gives(key in prop::collection::vec(any::<u8>(), 0..40)) {
            let theirs = murmur2::murmur2(&key, murmur2::KAFKA_SEED) & 0x7fff_ffff;
            prop_assert_eq!(key_hash(&key), theirs);
        }
    }
}
