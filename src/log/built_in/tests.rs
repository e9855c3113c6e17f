//! The log as its users see it, through crashes.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::future::Future;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use tempfile::TempDir;

const A: Topic = Topic::Activities;
const R: Topic = Topic::Relationships;
const CHILD: &str = "SLACKWATER_LOG_CHILD";

#[test]
fn what_is_appended_is_read_from_any_offset() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(&folder, 300);
    let mut records: Vec<NewRecord> = (0..20).map(|n| activity(n, n * 7)).collect();
    records[3].value = None;
    records[4].headers = vec![
        ("ref".to_owned(), b"42".to_vec()),
        ("ref".to_owned(), vec![0xff, 0]),
        (String::new(), Vec::new()),
    ];
    records[5].key = Vec::new();
    for some in records.chunks(3) {
        append(&log, some);
    }
    append(&log, &[relation("k", Some("v"))]);
    for from in 0..=records.len() {
        let read = log.read(A, from as i64, 100, usize::MAX).unwrap();
        same(&read, &records, from as i64);
        assert_eq!(read.len(), records.len() - from);
    }
    assert_eq!(log.read(R, 0, 9, 999).unwrap().len(), 1);
    assert_eq!(log.bounds(A), Bounds { first: 0, next: 20 });
    assert_eq!(log.bounds(R), Bounds { first: 0, next: 1 });

    log.close();
    let log = open(&folder, 300);
    same(&all(&log, A), &records, 0);
}

#[test]
fn a_read_keeps_its_bounds_but_always_moves_on() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(&folder, 1000);
    let records: Vec<NewRecord> = (0..9).map(|n| activity(n, 500)).collect();
    append(&log, &records);
    let count =
        |from, records_max, bytes_max| log.read(A, from, records_max, bytes_max).unwrap().len();
    assert_eq!(count(0, 4, usize::MAX), 4);
    assert_eq!(count(4, 100, 1), 1);
    assert_eq!(count(5, 100, 1200), 2);
    assert_eq!(count(7, 0, 0), 1);
    assert_eq!(count(9, 9, 9), 0);
    assert!(matches!(
        log.read(A, 10, 9, 9),
        Err(BuiltInLogError::Beyond)
    ));
    assert!(matches!(
        log.read(A, -1, 9, 9),
        Err(BuiltInLogError::Gone { first: 0 })
    ));
}

#[test]
fn the_index_finds_records_in_a_long_segment() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(&folder, 1 << 20);
    let records: Vec<NewRecord> = (0..3000).map(|n| activity(n, 1000)).collect();
    for some in records.chunks(100) {
        append(&log, some);
    }
    let check = |log: &BuiltInLog| {
        for from in (0..3000).rev().step_by(37).chain([0, 1, 2999]) {
            same(&log.read(A, from, 3, usize::MAX).unwrap(), &records, from);
        }
    };
    let extents = |log: &BuiltInLog| {
        let segments = log.0.topics[0].segments.read();
        segments.iter().map(|s| s.extent()).collect::<Vec<_>>()
    };
    let written = extents(&log);
    check(&log);
    log.close();
    let log = open(&folder, 1 << 20);
    assert_eq!(
        extents(&log),
        written,
        "indexes read or made again are those made while writing"
    );
    check(&log);
    log.close();
    for index in files(&folder, "activities", "index") {
        std::fs::write(index, b"nonsense").unwrap();
    }
    check(&open(&folder, 1 << 20));
}

/// If this fails, a reader misses a record, or meets a file that was changed under it.
#[test]
fn a_reader_beside_the_writer_sees_everything_once() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(&folder, 2000);
    let records: Vec<NewRecord> = (0..600)
        .flat_map(|n| {
            [
                activity(n, 90),
                relation(&format!("k{}", n % 9), Some(&n.to_string())),
            ]
        })
        .collect();
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut seen = [0, 0];
            let mut newest = BTreeMap::new();
            let mut activities = 0;
            while seen != [600, 600] {
                log.wait(seen, Duration::from_secs(60));
                for (topic, seen) in Topic::ALL.into_iter().zip(&mut seen) {
                    for record in log.read(topic, *seen, 10, usize::MAX).unwrap() {
                        assert!(*seen <= record.position.offset);
                        assert!(topic == R || *seen == record.position.offset);
                        *seen = record.position.offset + 1;
                        activities += u32::from(topic == A);
                        newest.insert(record.key, record.value);
                    }
                }
            }
            newest.retain(|key, _| key.as_ref().unwrap().len() == 2);
            (activities, newest)
        });
        let compacting = scope.spawn(|| {
            while log.bounds(R).next < 600 {
                log.compact().unwrap();
            }
        });
        for some in records.chunks(4) {
            append(&log, some);
        }
        compacting.join().unwrap();
        let (activities, newest) = reader.join().unwrap();
        assert_eq!(activities, 600);
        let expected = (591..600).map(|n| {
            let key = format!("k{}", n % 9).into_bytes();
            (Some(key), Some(n.to_string().into_bytes()))
        });
        assert_eq!(newest, expected.collect());
    });
}

#[test]
fn concurrent_callers_share_an_fsync() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(&folder, 1 << 20);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..200)
            .map(|n| {
                let log = log.clone();
                tokio::spawn(async move { log.append(vec![activity(n, 10)]).await.unwrap() })
            })
            .collect();
        let mut offsets = Vec::new();
        for task in tasks {
            offsets.push(task.await.unwrap()[0].offset);
        }
        offsets.sort_unstable();
        assert_eq!(offsets, (0..200).collect::<Vec<_>>());
    });
    let groups = log.groups();
    assert!(groups < 100, "200 appends took {groups} groups");
}

/// If this fails, a crash while writing loses what was acknowledged before, or invents records.
#[test]
fn a_tail_torn_at_any_byte_is_cut_and_nothing_else() {
    let earlier: Vec<NewRecord> = (0..3).map(|n| activity(n, 20)).collect();
    let last = activity(3, 30);
    let folder = tempfile::tempdir().unwrap();
    let log = open(&folder, 1 << 20);
    append(&log, &earlier);
    let kept_bytes = bytes_of_last(&folder);
    append(&log, std::slice::from_ref(&last));
    log.close();
    let file = files(&folder, "activities", "log").pop().unwrap();
    let whole = std::fs::read(&file).unwrap();
    let frame_bytes = Content::from(earlier[0].clone()).frame_bytes();
    let header_bytes = 4 + "arrived-at".len() + 4 + 1;
    let mut ends_with_a_value: Vec<usize> = (1..=3)
        .map(|records| 16 + records * frame_bytes - header_bytes)
        .collect();
    ends_with_a_value.push(whole.len() - header_bytes);

    let check = |torn: &[u8], what: &str| {
        start_over(&folder, &file, torn);
        let log = open(&folder, 1 << 20);
        let kept = if torn.len() < kept_bytes {
            0..=2
        } else {
            3..=3
        };
        let read = all(&log, A);
        assert!(kept.contains(&read.len()), "{what}: {} records", read.len());
        same(&read, &earlier, 0);
        let next = append(&log, std::slice::from_ref(&last))[0];
        // Where key and value end it may be a whole record, of which only the length is wrong.
        if ends_with_a_value.contains(&torn.len()) {
            assert_eq!(log.damaged_records(), 1, "{what}");
            assert!(read.len() < next as usize, "{what}");
        } else {
            assert_eq!(log.damaged_records(), 0, "{what}");
            assert_eq!(next, read.len() as i64, "{what}");
        }
        log.close();
        let log = open(&folder, 1 << 20);
        assert_eq!(all(&log, A).len(), read.len() + 1, "{what}");
    };
    for length in 0..whole.len() {
        check(&whole[..length], &format!("truncated to {length}"));
    }
    for zeros in [1, 511, 5000] {
        check(
            &[&whole[..kept_bytes], &vec![0; zeros]].concat(),
            "zeros after the end",
        );
    }
    for length in (kept_bytes..whole.len()).step_by(7) {
        check(
            &[&whole[..length], &[0; 5000]].concat(),
            "zeros in the place of what did not come",
        );
    }
    check(
        &[&whole[..kept_bytes], &frame::MAGIC].concat(),
        "a magic after the end",
    );
}

/// If this fails, a flipped bit takes more than the record it is in, moves another, or has its offset given again.
#[test]
fn a_flipped_bit_anywhere_costs_one_record_and_no_offset() {
    let records: Vec<NewRecord> = (0..6).map(|n| activity(n, 20)).collect();
    let folder = tempfile::tempdir().unwrap();
    let log = open(&folder, 1 << 20);
    append(&log, &records[..2]);
    // The last group: it may have been acknowledged or not.
    append(&log, &records[2..5]);
    log.close();
    let file = files(&folder, "activities", "log").pop().unwrap();
    let whole = std::fs::read(&file).unwrap();
    let index = std::fs::read(file.with_extension("index")).unwrap();

    for at in 0..whole.len() {
        // Each is two starts: so not all of them with all.
        for mask in [[0x01, 0xff][at % 2]] {
            // After a kill, and after an orderly end.
            for is_orderly in [false, true] {
                if is_orderly && !at.is_multiple_of(7) {
                    continue;
                }
                let what = format!("byte {at} by {mask:#x}, {is_orderly}");
                let mut damaged = whole.clone();
                damaged[at] ^= mask;
                start_over(&folder, &file, &damaged);
                if is_orderly {
                    std::fs::write(file.with_extension("index"), &index).unwrap();
                }
                let log = open(&folder, 1 << 20);
                let lost = usize::from(segment_file::HEADER_BYTES as usize <= at);
                let read = all(&log, A);
                assert_eq!(read.len(), 5 - lost, "{what}");
                assert_eq!(log.damaged_records(), lost as u64, "{what}");
                same_somewhere(&read, &records);
                let next = append(&log, &records[5..])[0];
                assert!(5 <= next, "{what}: {next} was given before");
                log.close();
                let log = open(&folder, 1 << 20);
                assert_eq!(log.damaged_records(), lost as u64, "{what}");
                let read = all(&log, A);
                assert_eq!(read.len(), 6 - lost, "{what}");
                assert_eq!(read.last().unwrap().position.offset, next);
                same_somewhere(&read[..read.len() - 1], &records);
            }
        }
    }
}

/// If this fails, a flipped bit in the one byte that says the version keeps the log from ever being opened again, or a version
/// before throws away what a later one wrote.
#[test]
fn a_later_version_is_believed_only_where_what_follows_is_not_of_this_one() {
    const VERSION_AT: usize = 7;
    let records: Vec<NewRecord> = (0..6).map(|n| activity(n, 20)).collect();
    let folder = tempfile::tempdir().unwrap();
    // Closed ones, and a last one that has no record.
    let log = open(&folder, 1);
    append(&log, &records[..2]);
    append(&log, &records[2..4]);
    log.close();
    let all_files = files(&folder, "activities", "log");
    assert_eq!(all_files.len(), 2);
    let header_only = |file: &Path| std::fs::read(file).unwrap()[..16].to_vec();
    let empty = all_files[0].with_file_name(format!("{:020}.log", 4));
    let mut header = header_only(&all_files[0]);
    header[8] = 4;
    std::fs::write(&empty, header).unwrap();
    for file in all_files.iter().chain([&empty]) {
        for version in [2, 3, 9, 0x81] {
            let mut bytes = std::fs::read(file).unwrap();
            bytes[VERSION_AT] = version;
            std::fs::write(file, bytes).unwrap();
            let log = open(&folder, 1);
            same(&all(&log, A), &records[..4], 0);
            assert_eq!(log.damaged_records(), 0);
            log.close();
            assert_eq!(std::fs::read(file).unwrap()[VERSION_AT], 1);
        }
    }
    for file in &all_files {
        let before = std::fs::read(file).unwrap();
        let mut later = before.clone();
        later[VERSION_AT] = 2;
        // Its frames are others.
        later[16] ^= 0x10;
        std::fs::write(file, &later).unwrap();
        let error = BuiltInLog::open(options(&folder, 1)).err();
        assert!(
            matches!(error, Some(BuiltInLogError::Newer { .. })),
            "{error:?}"
        );
        assert_eq!(std::fs::read(file).unwrap(), later, "left as it was");
        std::fs::write(file, &before).unwrap();
    }
}

/// If this fails, what is left of a damaged file is lost with it, or what was put aside is not what was there.
#[test]
fn damage_of_any_kind_leaves_the_rest_and_is_kept_aside() {
    let records: Vec<NewRecord> = (0..200).map(|n| activity(n, 300)).collect();
    let folder = tempfile::tempdir().unwrap();
    let log = open(&folder, 1 << 20);
    for some in records.chunks(50) {
        append(&log, some);
    }
    log.close();
    let file = files(&folder, "activities", "log").pop().unwrap();
    let whole = std::fs::read(&file).unwrap();
    let frame_bytes = |record: &NewRecord| Content::from(record.clone()).frame_bytes();
    let at = |offset: usize| 16 + records[..offset].iter().map(frame_bytes).sum::<usize>();
    // Some pages are zeros, some are another's, and a piece is missing.
    let mut damaged = whole.clone();
    damaged[at(20) + 7..at(23) + 7].fill(0);
    damaged[at(60)..at(61) - 7].copy_from_slice(&whole[at(50)..at(51) - 7]);
    damaged.drain(at(150)..at(152) + 5);
    start_over(&folder, &file, &damaged);
    let log = open(&folder, 1 << 20);
    let read = all(&log, A);
    let gone = [20, 21, 22, 23, 60, 150, 151, 152];
    let offsets: Vec<i64> = read.iter().map(|record| record.position.offset).collect();
    let expected: Vec<i64> = (0..200).filter(|offset| !gone.contains(offset)).collect();
    assert_eq!(offsets, expected);
    same_somewhere(&read, &records);
    assert_eq!(log.damaged_records(), gone.len() as u64);
    let aside = files(&folder, "activities", "damaged");
    let kept: Vec<Vec<u8>> = aside
        .iter()
        .map(|file| std::fs::read(file).unwrap())
        .collect();
    let (first, second) = (at(20)..at(24), at(60)..at(61));
    assert_eq!(kept[0], damaged[first]);
    assert_eq!(kept[1], damaged[second]);
    assert_eq!(kept.len(), 3);
    // From any offset, also one that is gone.
    for from in [0, 19, 20, 22, 24, 60, 151, 199] {
        let rest = all_from(&log, A, from);
        let expected = expected.iter().filter(|offset| from <= **offset).count();
        assert_eq!(rest.len(), expected, "from {from}");
    }
}

/// If this fails, an acknowledged record that was cut off with the file's end is not missed by anybody.
#[test]
fn what_an_orderly_end_said_was_there_is_missed_if_it_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(&folder, 1 << 20);
    append(&log, &[activity(0, 20), activity(1, 20)]);
    log.close();
    let file = files(&folder, "activities", "log").pop().unwrap();
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, &whole[..whole.len() - 5]).unwrap();
    let log = open(&folder, 1 << 20);
    assert_eq!(all(&log, A).len(), 1);
    assert_eq!(log.damaged_records(), 1);
    assert!(2 <= log.bounds(A).next);
}

/// If this fails, a closed file cut where a record ends takes mutes and blocks with it and nobody is told, or the log does
/// not open.
#[test]
fn a_closed_segment_cut_where_a_record_ends_is_missed() {
    for (topic, name) in [(A, "activities"), (R, "relationships")] {
        for (kept, is_indexed) in [
            (None, true),
            (Some(0), true),
            (Some(1), true),
            (Some(1), false),
        ] {
            let what = format!("{name}, {kept:?}, {is_indexed}");
            let folder = tempfile::tempdir().unwrap();
            let log = open(&folder, 300);
            for n in 0..12 {
                let key = format!("k{n}");
                append(
                    &log,
                    &[match topic {
                        A => activity(n, 90),
                        R => relation(&key, Some(&"v".repeat(90))),
                    }],
                );
            }
            let bounds = log.bounds(topic);
            log.close();
            let file = files(&folder, name, "log").remove(1);
            cut_to_records(&file, kept);
            if !is_indexed {
                std::fs::remove_file(file.with_extension("index")).unwrap();
            }
            let log = open(&folder, 300);
            let left = all(&log, topic).len();
            assert!(left < 12, "{what}");
            assert_eq!(log.damaged_records(), 12 - left as u64, "{what}");
            assert_eq!(log.bounds(topic), bounds, "{what}");
            log.close();
            let log = open(&folder, 300);
            assert_eq!(
                (all(&log, topic).len(), log.damaged_records()),
                (left, 12 - left as u64)
            );
        }
    }
}

/// If this fails, the offsets of acknowledged records are given again, and nobody is told that these are gone.
#[test]
fn the_last_segment_cut_where_a_record_ends_is_missed_after_an_orderly_end() {
    for kept in [None, Some(0), Some(1), Some(11)] {
        let folder = tempfile::tempdir().unwrap();
        let log = open(&folder, 1 << 20);
        for n in 0..12 {
            append(&log, &[activity(n, 90)]);
        }
        log.close();
        cut_to_records(&files(&folder, "activities", "log")[0], kept);
        let log = open(&folder, 1 << 20);
        assert_eq!(
            log.damaged_records(),
            12 - kept.unwrap_or(0) as u64,
            "{kept:?}"
        );
        assert_eq!(append(&log, &[activity(12, 90)]), [12], "{kept:?}");
    }
}

/// If this fails, records that were acknowledged after damage are deleted with the file they are being written to.
#[test]
fn what_is_written_after_a_segment_without_a_record_does_not_expire_with_it() {
    for is_indexed in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let log = open(&folder, 1 << 20);
        append(&log, &[activity(0, 90)]);
        log.close();
        let file = files(&folder, "activities", "log").remove(0);
        std::fs::write(&file, [7; 16]).unwrap();
        if !is_indexed {
            std::fs::remove_file(file.with_extension("index")).unwrap();
        }
        let log = open(&folder, 1 << 20);
        append(&log, &[activity(0, 9), activity(1, 9)]);
        log.expire(Time::from_millis(1)).unwrap();
        append(&log, &[activity(2, 9)]);
        assert_eq!(all(&log, A).len(), 3);
        log.close();
        assert_eq!(all(&open(&folder, 1 << 20), A).len(), 3);
    }
}

/// If this fails, two readers that meet the same damage at once end the service.
#[test]
fn readers_that_meet_the_same_damage_at_once_all_read_on() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(&folder, 100);
    for n in 0..80 {
        append(&log, &[activity(n, 80)]);
    }
    log.close();
    for file in files(&folder, "activities", "log").iter().take(40) {
        let mut bytes = std::fs::read(file).unwrap();
        bytes[60] ^= 4;
        std::fs::write(file, bytes).unwrap();
    }
    let log = open(&folder, 100);
    let begin = std::sync::Barrier::new(4);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                begin.wait();
                assert!(40 <= all(&log, A).len());
            });
        }
    });
    assert_eq!((all(&log, A).len(), log.damaged_records()), (40, 40));
}

/// If this fails, a file that was removed for its age comes back, and the next start misses those between.
#[test]
fn what_expires_while_it_is_mended_does_not_come_back() {
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let log = open(&folder, 100);
        for n in 0..4 {
            append(&log, &[activity(n, 80)]);
        }
        log.close();
        let mut bytes = std::fs::read(&files(&folder, "activities", "log")[0]).unwrap();
        bytes[60] ^= 4;
        std::fs::write(&files(&folder, "activities", "log")[0], bytes).unwrap();
        let log = open(&folder, 100);
        let begin = std::sync::Barrier::new(2);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                begin.wait();
                let read = log.read(A, 0, 9, 9999);
                assert!(
                    matches!(read, Ok(_) | Err(BuiltInLogError::Gone { .. })),
                    "{read:?}"
                );
            });
            begin.wait();
            log.expire(Time::LATEST).unwrap();
        });
        assert_eq!(files(&folder, "activities", "log").len(), 1);
        log.close();
        assert_eq!(open(&folder, 100).bounds(A), Bounds { first: 3, next: 4 });
    }
}

#[test]
fn damage_in_a_closed_segment_is_mended_when_it_is_met() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(&folder, 100);
    for n in 0..6 {
        append(&log, &[activity(n, 80), activity(n, 80)]);
    }
    log.close();
    let second = files(&folder, "activities", "log").remove(1);
    let whole = std::fs::read(&second).unwrap();
    let mut bytes = whole.clone();
    bytes[60] ^= 4;
    std::fs::write(&second, &bytes).unwrap();

    let offsets = |log: &BuiltInLog| -> Vec<i64> {
        all(log, A).iter().map(|it| it.position.offset).collect()
    };
    let rest = [0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11];
    let log = open(&folder, 100);
    assert_eq!(log.damaged_records(), 0, "it has not been met");
    let before = log.read(A, 0, 9, 9999).unwrap().len();
    assert_eq!(before, 2, "what stands before it");
    assert_eq!(offsets(&log), rest);
    assert_eq!(log.damaged_records(), 1);
    log.close();
    assert_eq!(offsets(&open(&folder, 100)), rest);

    // A walk meets it, where the index is missing.
    start_over(&folder, &second, &bytes);
    let log = open(&folder, 100);
    assert_eq!(log.damaged_records(), 1);
    assert_eq!(offsets(&log), rest);
    log.close();

    // All of it.
    start_over(&folder, &second, &[7; 300]);
    let log = open(&folder, 100);
    assert_eq!(log.damaged_records(), 2);
    assert_eq!(offsets(&log), [0, 1, 4, 5, 6, 7, 8, 9, 10, 11]);
    log.close();

    std::fs::remove_file(second).unwrap();
    let error = BuiltInLog::open(options(&folder, 100)).err();
    assert!(
        matches!(error, Some(BuiltInLogError::Missing { from: 2, to: 4, .. })),
        "{error:?}"
    );
}

/// If this fails, a relation whose record is damaged takes others with it, or compaction meets it and stops for good.
#[test]
fn damaged_relations_are_mended_and_compacted() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(&folder, 400);
    for n in 0..60 {
        append(&log, &[relation(&format!("k{}", n % 4), Some("v"))]);
    }
    log.close();
    let second = files(&folder, "relationships", "log").remove(1);
    let mut bytes = std::fs::read(&second).unwrap();
    bytes[60] ^= 4;
    std::fs::write(&second, &bytes).unwrap();
    let log = open(&folder, 400);
    log.compact().unwrap();
    assert_eq!(log.damaged_records(), 1);
    log.compact().unwrap();
    assert_eq!(log.bounds(R), Bounds { first: 0, next: 60 });
    let newest: Vec<i64> = all(&log, R).iter().map(|it| it.position.offset).collect();
    assert!(newest.ends_with(&[56, 57, 58, 59]), "{newest:?}");
}

/// If this fails, what a failed disk was told to forget comes back under an offset that is another record's.
#[test]
fn what_a_failed_write_left_behind_does_not_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(&folder, 100);
    for n in 0..3 {
        append(&log, &[activity(n, 80)]);
    }
    log.close();
    let second = files(&folder, "activities", "log").remove(1);
    let whole = std::fs::read(&second).unwrap();
    let index = std::fs::read(second.with_extension("index")).unwrap();
    let mut left_behind = Vec::new();
    for n in [2, 3] {
        Content::from(activity(70 + n, 80)).encode(n, 0, &mut left_behind);
    }
    for bytes in [left_behind.len(), left_behind.len() - 9, 60, 5] {
        for is_indexed in [true, false] {
            let longer = [&whole, &left_behind[..bytes]].concat();
            start_over(&folder, &second, &longer);
            if is_indexed {
                std::fs::write(second.with_extension("index"), &index).unwrap();
            }
            let log = open(&folder, 100);
            let read = all(&log, A);
            same(
                &read,
                &[activity(0, 80), activity(1, 80), activity(2, 80)],
                0,
            );
            assert_eq!((read.len(), log.damaged_records()), (3, 0));
            log.close();
            assert_eq!(std::fs::read(&second).unwrap(), whole);
        }
    }
}

#[test]
fn a_crash_before_a_new_segment_has_a_record_is_harmless() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(&folder, 1 << 20);
    append(&log, &[activity(0, 9), activity(1, 9)]);
    log.close();
    let new = folder
        .path()
        .join("log/activities/00000000000000000002.log");
    for length in 0..=segment_file::HEADER_BYTES as usize {
        std::fs::write(&new, &segment_file::header(2)[..length]).unwrap();
        let log = open(&folder, 1 << 20);
        assert_eq!(log.bounds(A), Bounds { first: 0, next: 2 });
        assert_eq!(all(&log, A).len(), 2);
        assert!(log.read(A, 2, 9, 9).unwrap().is_empty());
    }
    let log = open(&folder, 1 << 20);
    assert_eq!(append(&log, &[activity(2, 9)]), [2]);
    assert_eq!(all(&log, A).len(), 3);
}

#[test]
fn activities_expire_by_age_and_by_size() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(&folder, 100);
    options.activities_keep = Duration::from_millis(5);
    options.activities_bytes_max = 1000;
    let log = BuiltInLog::open(options.clone()).unwrap();
    for n in 0..8 {
        append(
            &log,
            &[activity(n, 80), relation(&format!("k{n}"), Some("v"))],
        );
    }
    log.expire(Time::from_millis(8)).unwrap();
    assert_eq!(
        log.bounds(A),
        Bounds { first: 3, next: 8 },
        "those from 3 on stay"
    );
    assert_eq!(
        log.bounds(R),
        Bounds { first: 0, next: 8 },
        "relations never expire"
    );
    assert!(matches!(
        log.read(A, 2, 9, 9),
        Err(BuiltInLogError::Gone { first: 3 })
    ));
    assert_eq!(log.read(A, 3, 9, usize::MAX).unwrap().len(), 5);
    log.expire(Time::from_millis(1000)).unwrap();
    assert_eq!(
        log.bounds(A),
        Bounds { first: 7, next: 8 },
        "the last segment stays"
    );
    log.close();
    assert_eq!(files(&folder, "activities", "index").len(), 1);

    options.activities_bytes_max = 500;
    let log = BuiltInLog::open(options.clone()).unwrap();
    assert_eq!(log.bounds(A), Bounds { first: 7, next: 8 });
    for n in 8..16 {
        append(&log, &[activity(n, 80)]);
    }
    log.expire(Time::from_millis(0)).unwrap();
    let first = log.bounds(A).first;
    let bytes: u64 = files(&folder, "activities", "log")
        .iter()
        .map(|file| file.metadata().unwrap().len())
        .sum();
    assert!((300..=500).contains(&bytes), "{bytes} bytes");
    assert_eq!(all_from(&log, A, first).len() as i64, 16 - first);
}

#[test]
fn compaction_keeps_the_newest_of_each_key_where_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(&folder, 400);
    let mut newest = BTreeMap::new();
    for n in 0..60_i64 {
        let key = format!("k{}", if n == 1 { 9 } else { n % 4 });
        let value = format!("v{n}");
        let value = (key != "k2").then_some(value.as_str());
        let offset = append(&log, &[relation(&key, value)])[0];
        assert_eq!(offset, n);
        newest.insert(
            key.clone().into_bytes(),
            (offset, value.map(|v| v.as_bytes().to_vec())),
        );
    }
    let before = files(&folder, "relationships", "log");
    let before_bytes: u64 = before.iter().map(|f| f.metadata().unwrap().len()).sum();
    // A reader that is under way when the file changes.
    let half = log.read(R, 0, 3, usize::MAX).unwrap();
    assert_eq!(half.len(), 3);
    log.compact().unwrap();
    let check = |log: &BuiltInLog| {
        assert_eq!(log.bounds(R), Bounds { first: 0, next: 60 });
        let mut found = BTreeMap::new();
        let records = all(log, R);
        for record in &records {
            found.insert(
                record.key.clone().unwrap(),
                (record.position.offset, record.value.clone()),
            );
        }
        assert_eq!(found, newest);
        for from in 0..60 {
            let rest: Vec<i64> = all_from(log, R, from)
                .iter()
                .map(|r| r.position.offset)
                .collect();
            let expected = records
                .iter()
                .map(|r| r.position.offset)
                .filter(|o| from <= *o);
            assert_eq!(rest, expected.collect::<Vec<_>>(), "from {from}");
        }
    };
    check(&log);
    let after = files(&folder, "relationships", "log");
    let after_bytes: u64 = after.iter().map(|f| f.metadata().unwrap().len()).sum();
    assert_eq!(before, after);
    assert!(
        after_bytes < before_bytes / 2,
        "{before_bytes} to {after_bytes}"
    );
    log.compact().unwrap();
    check(&log);
    log.close();
    let log = open(&folder, 400);
    check(&log);
    log.close();
    // A walk tells what compaction took from what is missing.
    for index in files(&folder, "relationships", "index") {
        std::fs::remove_file(index).unwrap();
    }
    let log = open(&folder, 400);
    check(&log);
    assert_eq!(log.damaged_records(), 0);
    assert_eq!(append(&log, &[relation("k0", None)]), [60]);
}

/// If this fails, a machine that stops during compaction loses relations.
#[test]
fn a_crash_in_the_middle_of_compaction_is_harmless() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(&folder, 200);
    for n in 0..20 {
        append(
            &log,
            &[relation(if n == 0 { "once" } else { "often" }, Some("v"))],
        );
    }
    log.close();
    let first = files(&folder, "relationships", "log").remove(0);
    let old = std::fs::read(&first).unwrap();
    let old_index = std::fs::read(first.with_extension("index")).unwrap();

    // Before the rename: the old file, and a leftover of any length.
    std::fs::write(
        first.with_extension(segment_file::UNFINISHED),
        &old[..old.len() / 2],
    )
    .unwrap();
    let log = open(&folder, 200);
    assert_eq!(all(&log, R).len(), 20);
    assert!(!first.with_extension(segment_file::UNFINISHED).exists());
    log.compact().unwrap();
    let kept: Vec<i64> = all(&log, R).iter().map(|r| r.position.offset).collect();
    assert_eq!((kept.first(), kept.last()), (Some(&0), Some(&19)));
    log.close();
    assert!(std::fs::read(&first).unwrap().len() < old.len());

    // After the rename: the new file with the old one's index.
    std::fs::write(first.with_extension("index"), old_index).unwrap();
    let log = open(&folder, 200);
    let again: Vec<i64> = all(&log, R).iter().map(|r| r.position.offset).collect();
    assert_eq!(again, kept);
}

#[test]
fn a_log_has_one_owner() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(&folder, 100);
    let error = BuiltInLog::open(options(&folder, 100)).err().unwrap();
    assert!(matches!(error, BuiltInLogError::InUse { .. }));
    assert!(
        error.to_string().contains("in use by another process"),
        "{error}"
    );
    let other = log.clone();
    log.close();
    assert!(matches!(
        block_on(other.append(vec![activity(0, 0)])),
        Err(BuiltInLogError::Closed)
    ));
    assert!(matches!(other.compact(), Err(BuiltInLogError::Closed)));
    drop(open(&folder, 100));
    drop(open(&folder, 100));
}

#[test]
fn waiting_ends_with_something_new_or_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(&folder, 100);
    let long = Duration::from_secs(60);
    log.wait([0, 0], Duration::from_millis(5));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| log.wait([0, 0], long));
        append(&log, &[relation("k", None)]);
        waiting.join().unwrap();
        log.wait([0, 0], long);
        let waiting = scope.spawn(|| log.wait([0, 1], long));
        log.close();
        waiting.join().unwrap();
        log.wait([0, 1], long);
    });
}

#[test]
fn a_dead_letter_is_the_record_and_why() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(&folder, 100);
    append(&log, &[activity(0, 3), activity(1, 3)]);
    let mut record = log.read(A, 1, 1, 99).unwrap().remove(0);
    block_on(log.dead_letter(&record, "no actor")).unwrap();
    let dead = log.0.topics[DEAD_LETTERS]
        .read(A, 0, 9, 999)
        .unwrap()
        .remove(0);
    for (name, value) in [
        ("reason", "no actor"),
        ("topic", "activities"),
        ("partition", "0"),
        ("offset", "1"),
    ] {
        record
            .headers
            .push((name.to_owned(), value.as_bytes().to_vec()));
    }
    assert_eq!(
        (dead.timestamp, dead.key, dead.value, dead.headers),
        (record.timestamp, record.key, record.value, record.headers)
    );
}

#[test]
fn a_record_has_a_largest_size() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(&folder, 100);
    let refused = block_on(log.append(vec![activity(0, 1), activity(1, BODY_BYTES_MAX as i64)]));
    assert!(matches!(refused, Err(BuiltInLogError::TooLarge { .. })));
    assert_eq!(log.bounds(A).next, 0);
    assert_eq!(block_on(log.append(Vec::new())).unwrap(), []);
    append(&log, &[activity(0, 3_900_000)]);
    assert_eq!(all(&log, A).len(), 1);
}

#[derive(Clone, Debug)]
enum Step {
    Append(Vec<(bool, u8, u16)>),
    Reopen,
    Tear(Vec<u8>),
    Compact,
    Expire(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let append = proptest::collection::vec((any::<bool>(), 0..6_u8, 0..300_u16), 1..8);
    let step = prop_oneof![
        8 => append.prop_map(Step::Append),
        1 => Just(Step::Reopen),
        1 => (1..100_usize, 1..600_usize).prop_map(|(bytes, zeros)| Step::Tear(torn(bytes, zeros))),
        1 => Just(Step::Compact),
        1 => (0..60_i64).prop_map(Step::Expire),
    ];
    proptest::collection::vec(step, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// If this fails, some sequence of restarts, crashes, expiry and compaction loses, changes or moves a record.
    #[test]
    fn whatever_happens_the_log_is_what_was_appended(steps in steps(), segment_bytes in 50..2000_u64) {
        let folder = tempfile::tempdir().unwrap();
        let mut log = open(&folder, segment_bytes);
        let mut appended: [Vec<NewRecord>; 2] = Default::default();
        for step in steps {
            match step {
                Step::Append(records) => {
                    let records: Vec<NewRecord> = records
                        .into_iter()
                        .map(|(is_activity, key, bytes)| {
                            if is_activity {
                                activity(appended[0].len() as i64, i64::from(bytes))
                            } else {
                                relation(&key.to_string(), (bytes % 5 != 0).then_some(&"x".repeat(bytes.into())))
                            }
                        })
                        .collect();
                    let offsets = append(&log, &records);
                    for (record, offset) in records.into_iter().zip(offsets) {
                        let topic = &mut appended[topic_index(record.topic)];
                        prop_assert_eq!(offset, topic.len() as i64);
                        topic.push(record);
                    }
                }
                Step::Reopen => {
                    drop(log);
                    log = open(&folder, segment_bytes);
                }
                Step::Tear(garbage) => {
                    drop(log);
                    for topic in Topic::ALL {
                        let last = files(&folder, topic.name(), "log").pop().unwrap();
                        std::fs::OpenOptions::new().append(true).open(last).unwrap().write_all(&garbage).unwrap();
                    }
                    log = open(&folder, segment_bytes);
                }
                Step::Compact => log.compact().unwrap(),
                Step::Expire(millis) => log.expire(Time::from_millis(millis)).unwrap(),
            }
            for topic in Topic::ALL {
                let expected = &appended[topic_index(topic)];
                let Bounds { first, next } = log.bounds(topic);
                prop_assert_eq!(next, expected.len() as i64);
                let read = all_from(&log, topic, first);
                same_somewhere(&read, expected);
                if topic == A {
                    prop_assert_eq!(read.len() as i64, next - first);
                } else {
                    let newest = |records: Vec<(Vec<u8>, Option<Vec<u8>>)>| records.into_iter().collect::<BTreeMap<_, _>>();
                    let read = read.into_iter().map(|r| (r.key.unwrap(), r.value)).collect();
                    let expected = expected.iter().map(|r| (r.key.clone(), r.value.clone())).collect();
                    prop_assert_eq!(newest(read), newest(expected));
                    prop_assert_eq!(first, 0);
                }
            }
        }
    }
}

/// If this fails, a record that a producer was told is kept is lost when the process is killed.
#[test]
fn what_was_acknowledged_is_there_after_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged: BTreeMap<(String, i64), String> = BTreeMap::new();
    // The test's name does not have the crate's, with which the path of the module begins.
    let (_, module) = module_path!().split_once("::").unwrap();
    let child_test = format!("{module}::child_appends_until_it_is_killed");
    for round in 0..20_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &child_test, "--nocapture"])
            .env(CHILD, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Killed after a number of lines and then somewhere within the next milliseconds.
        let killed_after = 1 + (round * 37) % 150;
        let mut seen = 0;
        for line in lines {
            let Ok(line) = line else { break };
            let words: Vec<&str> = line.split(' ').collect();
            // The last line may be half a line.
            if let ["acknowledged", topic, offset, key, "."] = words[..] {
                acknowledged.insert((topic.to_owned(), offset.parse().unwrap()), key.to_owned());
                seen += 1;
            }
            if seen == killed_after {
                std::thread::sleep(Duration::from_micros(round * 331 % 5000));
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(killed_after <= seen, "the child stopped by itself");
    }
    let log = open(&folder, 20_000);
    let mut newest = BTreeMap::new();
    let mut found = BTreeMap::new();
    for topic in Topic::ALL {
        for record in all(&log, topic) {
            let key = String::from_utf8(record.key.unwrap()).unwrap();
            assert_eq!(
                record.value.unwrap(),
                key.repeat(1 + key.len() * 7).into_bytes()
            );
            newest.insert(key.clone(), record.position.offset);
            found.insert((topic.name().to_owned(), record.position.offset), key);
        }
    }
    for (place, key) in &acknowledged {
        let there = found.get(place) == Some(key);
        let superseded =
            place.0 == R.name() && newest.get(key).is_some_and(|newest| place.1 < *newest);
        assert!(there || superseded, "{place:?} {key} was acknowledged");
    }
    assert!(
        1000 < acknowledged.len(),
        "{} were acknowledged",
        acknowledged.len()
    );
}

/// Not a test of its own: the process that the test above kills.
#[test]
fn child_appends_until_it_is_killed() {
    let Ok(folder) = std::env::var(CHILD) else {
        return;
    };
    let mut options = Options::at(Path::new(&folder).join("log"));
    options.segment_bytes = 20_000;
    let log = BuiltInLog::open(options).unwrap();
    let compacting = log.clone();
    std::thread::spawn(move || {
        loop {
            compacting.compact().unwrap();
        }
    });
    block_on(async {
        let tasks: Vec<_> = (0..8)
            .map(|task| {
                let log = log.clone();
                tokio::spawn(async move {
                    for n in 0.. {
                        let record = |topic, key: String| NewRecord {
                            topic,
                            partition_by: Vec::new(),
                            value: Some(key.repeat(1 + key.len() * 7).into_bytes()),
                            key: key.into_bytes(),
                            headers: Vec::new(),
                            timestamp: Time::from_millis(n),
                        };
                        let records = vec![
                            record(A, format!("{task}-{n}")),
                            record(R, format!("{task}-{}", n % 5)),
                        ];
                        let keys: Vec<_> = records.iter().map(|r| r.key.clone()).collect();
                        let positions = log.append(records).await.unwrap();
                        for (position, key) in positions.iter().zip(keys) {
                            let (topic, offset) = (position.topic.name(), position.offset);
                            let key = String::from_utf8(key).unwrap();
                            let mut out = std::io::stdout().lock();
                            writeln!(out, "acknowledged {topic} {offset} {key} .").unwrap();
                        }
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
}

/// The beginning of a record, or zeros, as a crash leaves them.
fn torn(bytes: usize, zeros: usize) -> Vec<u8> {
    let mut frame = Vec::new();
    Content::from(activity(7, 90)).encode(7, 0, &mut frame);
    match zeros.is_multiple_of(2) {
        true => vec![0; zeros],
        false => frame[..bytes].to_vec(),
    }
}

/// One file of the activities is another, and whatever was found out of it is forgotten.
fn start_over(folder: &TempDir, file: &Path, bytes: &[u8]) {
    for there in files(folder, "activities", "damaged") {
        std::fs::remove_file(there).unwrap();
    }
    let logs = files(folder, "activities", "log");
    if logs.first().is_some_and(|first| first == file) {
        // What a mended last segment is followed by.
        for there in &logs[1..] {
            std::fs::remove_file(there).unwrap();
        }
    }
    let _ = std::fs::remove_file(file.with_extension("index"));
    std::fs::write(file, bytes).unwrap();
}

/// Leaves so many records in a file, or not even its header.
fn cut_to_records(file: &Path, kept: Option<usize>) {
    let bytes = std::fs::read(file).unwrap();
    let frame_after = |at: usize| at + frame::frame_bytes(&bytes[at..]).unwrap();
    let at = kept.map_or(0, |records| (0..records).fold(16, |at, _| frame_after(at)));
    std::fs::write(file, &bytes[..at]).unwrap();
}

fn options(folder: &TempDir, segment_bytes: u64) -> Options {
    Options {
        segment_bytes,
        ..Options::at(folder.path().join("log"))
    }
}

fn open(folder: &TempDir, segment_bytes: u64) -> BuiltInLog {
    BuiltInLog::open(options(folder, segment_bytes)).unwrap()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(future)
}

fn append(log: &BuiltInLog, records: &[NewRecord]) -> Vec<i64> {
    let positions = block_on(log.append(records.to_vec())).unwrap();
    let topics = positions.iter().map(|position| position.topic);
    assert!(topics.eq(records.iter().map(|record| record.topic)));
    positions
        .into_iter()
        .map(|position| position.offset)
        .collect()
}

/// An activity with a value of `bytes` bytes that came `n` ms after 1970.
fn activity(n: i64, bytes: i64) -> NewRecord {
    NewRecord {
        topic: A,
        partition_by: b"author".to_vec(),
        key: format!("key {n}").into_bytes(),
        value: Some((0..bytes).map(|at| (n * 31 + at) as u8).collect()),
        headers: vec![("arrived-at".to_owned(), n.to_string().into_bytes())],
        timestamp: Time::from_millis(n),
    }
}

fn relation(key: &str, value: Option<&str>) -> NewRecord {
    NewRecord {
        topic: R,
        partition_by: Vec::new(),
        key: key.as_bytes().to_vec(),
        value: value.map(|value| value.as_bytes().to_vec()),
        headers: Vec::new(),
        timestamp: Time::from_millis(1),
    }
}

fn all(log: &BuiltInLog, topic: Topic) -> Vec<Record> {
    all_from(log, topic, log.bounds(topic).first)
}

/// Everything from there on, read in small pieces.
fn all_from(log: &BuiltInLog, topic: Topic, from: i64) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    loop {
        let next = records.last().map_or(from, |last| last.position.offset + 1);
        let more = log.read(topic, next, 7, 1000).unwrap();
        if more.is_empty() {
            assert!(log.bounds(topic).next <= next || 0 < log.damaged_records());
            return records;
        }
        records.extend(more);
    }
}

/// Are these the appended records from `first` on?
fn same(read: &[Record], appended: &[NewRecord], first: i64) {
    let offsets = read.iter().map(|record| record.position.offset);
    assert!(
        offsets.eq((first..).take(read.len())),
        "offsets from {first}"
    );
    same_somewhere(read, appended);
}

/// Is each of these the record that was appended at its offset?
fn same_somewhere(read: &[Record], appended: &[NewRecord]) {
    for record in read {
        let written = &appended[record.position.offset as usize];
        assert_eq!(record.position.topic, written.topic);
        assert_eq!(record.position.partition, 0);
        assert_eq!(record.timestamp, Some(written.timestamp));
        assert_eq!(record.key.as_ref(), Some(&written.key));
        assert_eq!(record.value, written.value);
        assert_eq!(record.headers, written.headers);
    }
}

fn files(folder: &TempDir, topic: &str, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder.path().join("log").join(topic)).unwrap();
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    files.sort();
    files
}

fn bytes_of_last(folder: &TempDir) -> usize {
    let last = files(folder, "activities", "log").pop().unwrap();
    last.metadata().unwrap().len() as usize
}
