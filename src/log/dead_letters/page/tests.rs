//! Pages of made-up letters, in partitions with gaps and timestamps in any order.

use super::*;
use proptest::prelude::*;
use slackwater_order::time::Time;
use std::collections::BTreeMap;

/// No log here has more.
const LETTERS_MAX: usize = 60;

/// Letters by partition and offset, with their times.
struct Letters(BTreeMap<i32, BTreeMap<i64, i64>>);

impl LetterLog for Letters {
    fn partitions(&mut self) -> Result<Vec<PartitionOffsets>, LogError> {
        let offsets = |letters: &BTreeMap<i64, i64>| {
            let first = letters.keys().next().copied().unwrap_or(0);
            let last = letters.keys().next_back().copied();
            first..last.map_or(first, |last| last + 1)
        };
        let partitions = self.0.iter().map(|(partition, letters)| PartitionOffsets {
            partition: *partition,
            offsets: offsets(letters),
        });
        Ok(partitions.collect())
    }

    fn read(
        &mut self,
        partition: i32,
        offsets: Range<i64>,
        each: &mut dyn FnMut(Letter) -> ControlFlow<()>,
    ) -> Result<(), LogError> {
        for (offset, time) in self.0[&partition].range(offsets) {
            let letter = letter(partition, *offset, *time);
            if each(letter).is_break() {
                break;
            }
        }
        Ok(())
    }
}

fn letter(partition: i32, offset: i64, time: i64) -> Letter {
    Letter {
        id: LetterId { partition, offset },
        reason: None,
        source: None,
        received: None,
        set_aside: Some(Time::from_millis(time)),
        key: None,
        headers: Vec::new(),
        value: None,
    }
}

fn ids(page: &LetterPage) -> Vec<LetterId> {
    page.letters.iter().map(|letter| letter.id).collect()
}

/// All letters, by pages that go back from the newest.
fn back(log: &mut Letters, limit: usize) -> Vec<LetterId> {
    let mut all = Vec::new();
    let mut span = Span::Newest;
    loop {
        let page = page(log, &span, limit).unwrap();
        assert!(page.letters.len() <= limit);
        all.extend(ids(&page));
        assert!(all.len() <= LETTERS_MAX, "a page again and again");
        match page.before {
            Some(before) => span = Span::Before(before),
            None => return all,
        }
    }
}

/// All letters, by pages that go on from the oldest.
fn on(log: &mut Letters, limit: usize) -> Vec<LetterId> {
    let mut all = Vec::new();
    let mut after = LettersPosition::default();
    loop {
        let page = page(log, &Span::After(after.clone()), limit).unwrap();
        if page.letters.is_empty() {
            return all;
        }
        all.extend(ids(&page).into_iter().rev());
        assert!(all.len() <= LETTERS_MAX, "a page again and again");
        after = page.after.unwrap();
    }
}

proptest! {
    /// A failure means that a page leaves out a letter that no other has, or that one is on two.
    #[test]
    fn every_letter_is_on_one_page(
        letters in proptest::collection::btree_map(
            0..3_i32, proptest::collection::btree_map(0..40_i64, 0..9_i64, 0..20), 0..3,
        ),
        limit in 1..8_usize,
    ) {
        let wanted: Vec<LetterId> = letters
            .iter()
            .flat_map(|(partition, letters)| {
                letters.keys().map(|offset| LetterId { partition: *partition, offset: *offset })
            })
            .collect();
        let mut log = Letters(letters);
        for mut seen in [back(&mut log, limit), on(&mut log, limit)] {
            seen.sort();
            prop_assert_eq!(&seen, &wanted);
        }
    }
}

#[test]
fn the_newest_come_first_over_all_partitions_and_those_that_come_later_are_after() {
    let mut log = Letters(BTreeMap::from([
        (0, BTreeMap::from([(3, 10), (4, 30)])),
        (1, BTreeMap::from([(0, 20), (8, 40)])),
    ]));
    let text = |page: &LetterPage| {
        let texts = ids(page).into_iter().map(|id| id.to_string());
        texts.collect::<Vec<_>>().join(" ")
    };
    let first = page(&mut log, &Span::Newest, 3).unwrap();
    assert_eq!(text(&first), "1-8 0-4 1-0");
    let older = page(&mut log, &Span::Before(first.before.unwrap()), 3).unwrap();
    assert_eq!((text(&older).as_str(), older.before), ("0-3", None));
    let after = first.after.unwrap();
    let none = page(&mut log, &Span::After(after.clone()), 3).unwrap();
    assert_eq!(
        (text(&none).as_str(), none.after),
        ("", Some(after.clone()))
    );
    for (partition, offset, time) in [(0, 5, 50), (1, 9, 60)] {
        let partition = log.0.get_mut(&partition).unwrap();
        partition.insert(offset, time);
    }
    let newer = page(&mut log, &Span::After(after), 1).unwrap();
    assert_eq!(text(&newer), "0-5");
}

/// A failure means that a page of large letters takes as much memory as there are of them.
#[test]
fn a_page_of_large_letters_is_shorter() {
    struct Large(i64);
    impl LetterLog for Large {
        fn partitions(&mut self) -> Result<Vec<PartitionOffsets>, LogError> {
            let offsets = 0..self.0;
            Ok((0..2)
                .map(|partition| PartitionOffsets {
                    partition,
                    offsets: offsets.clone(),
                })
                .collect())
        }

        fn read(
            &mut self,
            partition: i32,
            offsets: Range<i64>,
            each: &mut dyn FnMut(Letter) -> ControlFlow<()>,
        ) -> Result<(), LogError> {
            for offset in offsets {
                let large = Letter {
                    value: Some(vec![b'x'; 1_000_000]),
                    headers: vec![("n".repeat(9000), vec![0; 9000]); 60],
                    ..letter(partition, offset, offset)
                };
                let _ = each(large);
            }
            Ok(())
        }
    }
    let newest = page(&mut Large(20), &Span::Newest, 40).unwrap();
    let bytes: usize = newest.letters.iter().map(LetterExcerpt::bytes).sum();
    assert!(bytes <= PAGE_BYTES_MAX, "{bytes}");
    assert!(5 < newest.letters.len(), "{}", newest.letters.len());
    let first = &newest.letters[0];
    assert_eq!((first.headers.len(), first.headers_left_out), (50, 10));
    assert!(newest.before.is_some());
}
