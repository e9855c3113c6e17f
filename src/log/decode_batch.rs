//! Records into meaning, many at once: decoding is what costs most, and it needs nothing but the record.

use slackwater_engine::decode::{Decoded, decode_record};
use slackwater_engine::record::Record;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

/// Records decoded at a time: few enough that they are still in a core's cache when they are taken in, and fewer in all
/// are not worth a second thread.
const SHARE: usize = 64;

/// Decodes records on up to `threads` threads, this one among them, and hands each to `take_in`, in their order, as soon
/// as its turn comes: while this thread takes in, the others decode on. Ends at the first error.
pub fn decode_each<E>(
    records: &[Record],
    threads: usize,
    mut take_in: impl FnMut(&Record, Decoded) -> Result<(), E>,
) -> Result<(), E> {
    let shares: Vec<&[Record]> = records.chunks(SHARE).collect();
    let next = AtomicUsize::new(0);
    let decode_next = || {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let share = shares.get(number)?;
        Some((
            number,
            share
                .iter()
                .map(Record::view)
                .map(decode_record)
                .collect::<Vec<_>>(),
        ))
    };
    let (done, decoded) = mpsc::sync_channel(shares.len());
    std::thread::scope(|scope| {
        for _ in 1..threads.min(shares.len()) {
            let done = done.clone();
            scope.spawn(move || {
                while let Some(share) = decode_next() {
                    // Nobody listens any more: there was an error.
                    if done.send(share).is_err() {
                        break;
                    }
                }
            });
        }
        drop(done);
        // It goes with this closure, so that after an error the others stop.
        let decoded = decoded;
        let mut waiting: Vec<Option<Vec<Decoded>>> = shares.iter().map(|_| None).collect();
        for (number, share) in shares.iter().enumerate() {
            let decode_record = loop {
                if let Some(decode_record) = waiting.get_mut(number).and_then(Option::take) {
                    break decode_record;
                }
                // What another has done already, else one of our own, else what another is about.
                let Ok((number, decode_record)) = decoded
                    .try_recv()
                    .or_else(|_| decode_next().ok_or(mpsc::RecvError))
                    .or_else(|_| decoded.recv())
                else {
                    // The one that had it panicked: leaving the scope passes that on.
                    return Ok(());
                };
                if let Some(place) = waiting.get_mut(number) {
                    *place = Some(decode_record);
                }
            };
            for (record, decode_record) in share.iter().zip(decode_record) {
                take_in(record, decode_record)?;
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
    fn every_record_is_taken_in_once_in_its_order_on_any_number_of_threads() {
        for count in [0, 1, 63, 64, 65, 640, 1_000] {
            for threads in [0, 1, 2, 3, 40] {
                let mut taken = Vec::new();
                let records = records(count);
                decode_each(&records, threads, |record, decode_record| {
                    assert!(matches!(decode_record, Decoded::Unusable(_)));
                    taken.push(record.position.offset);
                    Ok::<_, ()>(())
                })
                .unwrap();
                assert_eq!(taken, (0..count).collect::<Vec<_>>(), "{threads} threads");
            }
        }
    }

    #[test]
    fn nothing_is_taken_in_after_an_error() {
        let mut taken = 0;
        let ended = decode_each(&records(1_000), 3, |record, _| {
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
