//! What is known of an origin, as bytes of the data folder.

use slackwater_order::origin_stats::Row;

/// The first byte of a stored origin.
const VERSION: u8 = 4;

/// As it is stored: a version, and the row in postcard. None never comes of numbers alone, which is what a row has.
pub fn encode(row: &Row) -> Option<Vec<u8>> {
    postcard::to_extend(row, vec![VERSION]).ok()
}

/// From what was stored. None if it is of another version, or not what was stored.
pub fn decode(bytes: &[u8]) -> Option<Row> {
    let (version, bytes) = bytes.split_first()?;
    let (row, rest) = postcard::take_from_bytes(bytes).ok()?;
    (*version == VERSION && rest.is_empty()).then_some(row)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use slackwater_order::origin_stats::OriginStats;
    use slackwater_order::time::Time;
    use slackwater_order::verdict::Verdict;
    use slackwater_order::window::Auto;

    #[test]
    fn an_origin_is_what_was_stored_and_one_of_another_version_is_none() {
        let mut stats = OriginStats::default();
        for n in 0..300 {
            let arrived = Time::from_millis(1_763_805_600_000 + n);
            stats.count(Verdict::InTime, Some(n * 31), arrived, &Auto::default());
        }
        let row = stats.to_row(&[3, 0, 8]);
        let bytes = encode(&row).unwrap();
        assert_eq!(decode(&bytes), Some(row));
        let mut other = bytes.clone();
        other[0] -= 1;
        assert_eq!(decode(&other), None);
        for length in 0..bytes.len() {
            assert_eq!(decode(&bytes[..length]), None, "{length}");
        }
        assert_eq!(decode(&[&*bytes, &[0]].concat()), None);
    }

    proptest! {
        /// Were this to fail, a data folder damaged in one origin would stop the service.
        #[test]
        fn any_bytes_are_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let behind_version = [&[VERSION], &*bytes].concat();
            for bytes in [bytes, behind_version] {
                let Some((mut stats, _)) = decode(&bytes).and_then(OriginStats::from_row) else {
                    continue;
                };
                stats.count(Verdict::InTime, Some(1), Time::default(), &Auto::default());
                stats.quantile_ms(0.5);
            }
        }
    }
}
