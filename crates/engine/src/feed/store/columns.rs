//! Pairs of a place and a log position, packed column by column: what a stored feed is made of. Pure.
//!
//! Each column is stored as its least value and, of each value, how far it lies above that, in as few whole bytes as
//! the farthest needs (frame of reference: Goldstein, Ramakrishnan and Shaft, "Compressing Relations and Indexes",
//! ICDE 1998). The columns are the places, the partitions and the offsets: a feed of 800 takes 10 bytes an entry instead
//! of 16, and is read in a microsecond or two.

use crate::record::offsets::LogPos;
use slackwater_order::place::PostId;

const WIDTH_MAX: usize = 8;

/// Appends `count` and the pairs to `bytes`.
pub fn pack<I>(pairs: I, bytes: &mut Vec<u8>)
where
    I: ExactSizeIterator<Item = (PostId, LogPos)> + Clone,
{
    // A feed holds some thousands at most: more than fit the count cannot be.
    let count = u32::try_from(pairs.len()).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&count.to_le_bytes());
    if count == 0 {
        return;
    }
    let pairs = pairs.take(count as usize);
    // At least a byte a place: so no count is believed that the bytes do not bear out.
    pack_column(pairs.clone().map(|(id, _)| id.number()), 1, bytes);
    pack_column(
        pairs.clone().map(|(_, log_pos)| log_pos.parts().0),
        0,
        bytes,
    );
    pack_column(pairs.map(|(_, log_pos)| log_pos.parts().1), 0, bytes);
}

/// Appends `count` and pairs of places to `bytes`.
pub fn pack_places(rows: &[(PostId, PostId)], bytes: &mut Vec<u8>) {
    let count = u32::try_from(rows.len()).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&count.to_le_bytes());
    if count == 0 {
        return;
    }
    let rows = rows.iter().take(count as usize);
    pack_column(rows.clone().map(|(first, _)| first.number()), 1, bytes);
    pack_column(rows.map(|(_, second)| second.number()), 1, bytes);
}

/// Takes packed pairs of places off the front of `bytes`. None if they are not there, or one of them is no place.
pub fn take_places(bytes: &mut &[u8]) -> Option<Vec<(PostId, PostId)>> {
    let count = usize::try_from(u32::from_le_bytes(take_array(bytes)?)).ok()?;
    if count == 0 {
        return Some(Vec::new());
    }
    let (first, second) = (Column::take(bytes, count)?, Column::take(bytes, count)?);
    if first.width == 0 || second.width == 0 {
        return None;
    }
    let (first, second) = (first.places(count)?, second.places(count)?);
    Some(first.into_iter().zip(second).collect())
}

/// Packed pairs, taken apart without copying.
#[derive(Clone, Copy, Debug, Default)]
pub struct Columns<'a> {
    count: usize,
    ids: Column<'a>,
    partitions: Column<'a>,
    offsets: Column<'a>,
}

impl<'a> Columns<'a> {
    /// Takes packed pairs off the front of `bytes`. None if they are not there.
    pub fn take(bytes: &mut &'a [u8]) -> Option<Columns<'a>> {
        let count = usize::try_from(u32::from_le_bytes(take_array(bytes)?)).ok()?;
        if count == 0 {
            return Some(Columns::default());
        }
        let ids = Column::take(bytes, count)?;
        if ids.width == 0 {
            return None;
        }
        Some(Columns {
            count,
            ids,
            partitions: Column::take(bytes, count)?,
            offsets: Column::take(bytes, count)?,
        })
    }

    /// The places, in the order they were packed in. None if one of them is no place.
    pub fn ids(&self) -> Option<Vec<PostId>> {
        self.ids.places(self.count)
    }

    /// The log positions, in the same order. None if one of them is no mark.
    pub fn marks(&self) -> Option<Vec<LogPos>> {
        let partitions = self.partitions.values(self.count);
        let offsets = self.offsets.values(self.count);
        // Checked together and then made: one at a time it would cost more than all the rest.
        LogPos::from_parts(all_bits(&partitions), all_bits(&offsets))?;
        let marks = partitions.into_iter().zip(offsets);
        Some(
            marks
                .map(|(partition, offset)| {
                    LogPos::from_parts(partition, offset).unwrap_or(LogPos::FIRST)
                })
                .collect(),
        )
    }

    /// Both together. None if one of them is no pair.
    pub fn pairs(&self) -> Option<Vec<(PostId, LogPos)>> {
        Some(self.ids()?.into_iter().zip(self.marks()?).collect())
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Column<'a> {
    least: u64,
    width: usize,
    bytes: &'a [u8],
}

fn pack_column(values: impl Iterator<Item = u64> + Clone, width_min: usize, bytes: &mut Vec<u8>) {
    let (least, most) = values.clone().fold((u64::MAX, 0), |(least, most), value| {
        (least.min(value), most.max(value))
    });
    let farthest = most.saturating_sub(least).checked_ilog2();
    let width = farthest
        .map_or(0, |bit| bit as usize / 8 + 1)
        .max(width_min);
    bytes.extend_from_slice(&least.to_le_bytes());
    bytes.push(u8::try_from(width).unwrap_or(0));
    let above = values.map(|value| value - least);
    match width {
        1 => pack_values::<1>(above, bytes),
        2 => pack_values::<2>(above, bytes),
        3 => pack_values::<3>(above, bytes),
        4 => pack_values::<4>(above, bytes),
        5 => pack_values::<5>(above, bytes),
        6 => pack_values::<6>(above, bytes),
        7 => pack_values::<7>(above, bytes),
        8 => pack_values::<8>(above, bytes),
        _ => {}
    }
}

fn pack_values<const WIDTH: usize>(values: impl Iterator<Item = u64>, bytes: &mut Vec<u8>) {
    for value in values {
        let wide = value.to_le_bytes();
        bytes.extend_from_slice(wide.first_chunk::<WIDTH>().unwrap_or(&[0; WIDTH]));
    }
}

impl<'a> Column<'a> {
    fn take(bytes: &mut &'a [u8], count: usize) -> Option<Column<'a>> {
        let least = u64::from_le_bytes(take_array(bytes)?);
        let [width] = take_array(bytes)?;
        let width = usize::from(width);
        if WIDTH_MAX < width {
            return None;
        }
        let values = bytes.split_off(..count.checked_mul(width)?)?;
        Some(Column {
            least,
            width,
            bytes: values,
        })
    }

    /// The values as places; none if one of them is no place.
    fn places(&self, count: usize) -> Option<Vec<PostId>> {
        let mut all = 0;
        let places = self.map(count, |number| {
            all |= number;
            PostId::from_number(number & PostId::MAX.number()).unwrap_or(PostId::MAX)
        });
        // Checked together: one at a time it would cost more than all the rest.
        PostId::from_number(all).map(|_| places)
    }

    fn values(&self, count: usize) -> Vec<u64> {
        self.map(count, |value| value)
    }

    fn map<T>(&self, count: usize, make: impl FnMut(u64) -> T) -> Vec<T> {
        match self.width {
            1 => self.of_width::<1, T>(make),
            2 => self.of_width::<2, T>(make),
            3 => self.of_width::<3, T>(make),
            4 => self.of_width::<4, T>(make),
            5 => self.of_width::<5, T>(make),
            6 => self.of_width::<6, T>(make),
            7 => self.of_width::<7, T>(make),
            8 => self.of_width::<8, T>(make),
            _ => std::iter::repeat_n(self.least, count).map(make).collect(),
        }
    }

    fn of_width<const WIDTH: usize, T>(&self, mut make: impl FnMut(u64) -> T) -> Vec<T> {
        let (values, _) = self.bytes.as_chunks::<WIDTH>();
        let above = |value: &[u8; WIDTH]| {
            let mut wide = [0; WIDTH_MAX];
            for (to, from) in wide.iter_mut().zip(value) {
                *to = *from;
            }
            u64::from_le_bytes(wide)
        };
        // Damaged bytes may reach beyond the highest number: then the log position or place they give is refused.
        values
            .iter()
            .map(|value| make(self.least.wrapping_add(above(value))))
            .collect()
    }
}

/// The bits that any of the values has: bounds that are powers of two hold for all values if they hold for this.
fn all_bits(values: &[u64]) -> u64 {
    values.iter().fold(0, |all, value| all | value)
}

fn take_array<const LENGTH: usize>(bytes: &mut &[u8]) -> Option<[u8; LENGTH]> {
    bytes.split_off(..LENGTH)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn place(number: u64) -> PostId {
        PostId::from_number(number).unwrap()
    }

    fn packed(pairs: &[(PostId, LogPos)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        pack(pairs.iter().copied(), &mut bytes);
        bytes
    }

    fn log_pos(partition: u64, offset: u64) -> LogPos {
        LogPos::from_parts(partition, offset).unwrap()
    }

    /// What the feeds of a month take: were an entry to grow, so would every page read from disk.
    #[test]
    fn an_entry_of_a_month_in_twelve_partitions_takes_ten_bytes() {
        let month_ms = 30 * 86_400_000;
        let pairs: Vec<_> = (0..1_000)
            .map(|n| {
                let at_ms = 1_763_805_600_000 + n * month_ms / 1_000;
                (place(at_ms << 16), log_pos(n % 12, 40_000_000 + n * 10_000))
            })
            .collect();
        let header = packed(&pairs[..1]).len();
        assert!(packed(&pairs).len() <= header + 10 * pairs.len());
    }

    #[test]
    fn a_count_that_the_bytes_do_not_bear_out_is_refused() {
        let mut bytes = packed(&[(place(5), log_pos(0, 1)), (place(5), log_pos(0, 1))]);
        assert_eq!(
            Columns::take(&mut &*bytes).unwrap().ids(),
            Some(vec![place(5); 2])
        );
        bytes[..4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(Columns::take(&mut &*bytes).is_none());
        bytes[4 + 8] = 0;
        assert!(Columns::take(&mut &*bytes).is_none());
    }

    #[test]
    fn a_number_that_is_no_place_is_refused() {
        let mut bytes = packed(&[(PostId::MAX, log_pos(0, 1))]);
        assert!(Columns::take(&mut &*bytes).unwrap().ids().is_some());
        bytes[4 + 8 + 1] = 1;
        assert!(Columns::take(&mut &*bytes).unwrap().ids().is_none());
    }

    proptest! {
        #[test]
        fn what_is_packed_is_read_again(
            pairs in prop::collection::vec((0..1_u64 << 63, 0..1_u64 << 15, 0..1_u64 << 48), 0..40),
            narrow in 0u32..64,
        ) {
            let pairs: Vec<_> = pairs
                .into_iter()
                .map(|(id, partition, offset)| (place(id >> narrow), log_pos(partition >> narrow.min(14), offset >> narrow.min(47))))
                .collect();
            let bytes = [packed(&pairs), vec![7]].concat();
            let mut rest = &*bytes;
            let columns = Columns::take(&mut rest).unwrap();
            prop_assert_eq!(rest, [7]);
            prop_assert_eq!(columns.pairs().unwrap(), pairs);
        }

        #[test]
        fn any_bytes_are_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Some(columns) = Columns::take(&mut &*bytes) {
                prop_assert!(columns.ids().is_none_or(|ids| ids.len() <= bytes.len()));
                columns.pairs();
            }
        }
    }
}
