//! Records decoded on several threads and handed on in their order. Decoding costs the most of all, and needs nothing but the
//! record.

use crate::clock;
use slackwater_engine::decode::{Decoded, decode_record};
use slackwater_engine::record::Record;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

/// Records that a thread decodes at a time. They are few enough to be in a core's cache still when they are applied, and fewer
/// in all are not worth a second thread.
const SHARE: usize = 64;

/// Decodes records on up to `threads` threads, this one among them, and hands each to `apply` in the order of the records, with the
/// time that decoding its share took.
/// While this thread applies, the others decode on. It ends at the first error, which it returns.
pub fn decode_in_order<E>(
    records: &[Record],
    threads: usize,
    mut apply: impl FnMut(&Record, Decoded, Duration) -> Result<(), E>,
) -> Result<(), E> {
    let shares: Vec<&[Record]> = records.chunks(SHARE).collect();
    let next = AtomicUsize::new(0);
    let decode_next = || {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let share = shares.get(number)?;
        let begun = clock::stopwatch();
        let decoded: Vec<Decoded> = share.iter().map(Record::view).map(decode_record).collect();
        let took = begun.elapsed();
        Some((number, (decoded, took)))
    };
    let (done, decoded) = mpsc::sync_channel(shares.len());
    std::thread::scope(|scope| {
        for _ in 1..threads.min(shares.len()) {
            let done = done.clone();
            scope.spawn(move || {
                while let Some(share) = decode_next() {
                    // The receiver is dropped after an error.
                    if done.send(share).is_err() {
                        break;
                    }
                }
            });
        }
        drop(done);
        // The receiver is dropped with this closure, so that the other threads stop after an error.
        let decoded = decoded;
        let mut waiting: Vec<Option<(Vec<Decoded>, Duration)>> =
            shares.iter().map(|_| None).collect();
        for (number, share) in shares.iter().enumerate() {
            let (decoded_share, took) = loop {
                if let Some(decoded_share) = waiting.get_mut(number).and_then(Option::take) {
                    break decoded_share;
                }
                // A share that another thread has finished, else one that this thread decodes, else the next that another
                // finishes.
                let Ok((number, decoded_share)) = decoded
                    .try_recv()
                    .or_else(|_| decode_next().ok_or(mpsc::RecvError))
                    .or_else(|_| decoded.recv())
                else {
                    // The thread with this share has panicked, and leaving the scope passes that on.
                    return Ok(());
                };
                if let Some(place) = waiting.get_mut(number) {
                    *place = Some(decoded_share);
                }
            };
            for (record, decoded) in share.iter().zip(decoded_share) {
                apply(record, decoded, took)?;
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use slackwater_engine::record::{Position, Topic};
    use slackwater_order::time::Time;

    fn records(count: i64) -> Vec<Record> {
        let record = |offset| Record {
            position: Position {
                topic: Topic::Activities,
                partition: 0,
                offset,
            },
            timestamp: Some(Time::from_millis(1)),
            key: None,
            value: Some(format!("not JSON, number {offset}").into_bytes()),
            headers: Vec::new(),
        };
        (0..count).map(record).collect()
    }

    /// Were this to fail, posts would be placed in another order than the log's, or not at all.
    #[test]
    fn every_record_is_applied_once_in_its_order_on_any_number_of_threads() {
        for count in [0, 1, 63, 64, 65, 640, 1_000] {
            for threads in [0, 1, 2, 3, 40] {
                let mut taken = Vec::new();
                let records = records(count);
                decode_in_order(&records, threads, |record, decoded, _| {
                    assert!(matches!(decoded, Decoded::Unusable(_)));
                    taken.push(record.position.offset);
                    Ok::<_, ()>(())
                })
                .unwrap();
                assert_eq!(taken, (0..count).collect::<Vec<_>>(), "{threads} threads");
            }
        }
    }

    #[test]
    fn nothing_is_applied_after_an_error() {
        let mut taken = 0;
        let ended = decode_in_order(&records(1_000), 3, |record, _, _| {
            taken += 1;
            if record.position.offset == 100 {
                Err("full")
            } else {
                Ok(())
            }
        });
        assert_eq!((ended, taken), (Err("full"), 101));
    }
}
