//! Records into meaning, many at once: decoding is what costs most, and it needs nothing but the record.

use crate::post::record::Record;
use crate::post::said::{Said, said};

/// Below this many records it is not worth a second thread.
const SHARE_MIN: usize = 64;

/// Decodes records on up to `threads` threads, in their order.
pub fn decode(records: &[Record], threads: usize) -> Vec<Said> {
    let share = records.len().div_ceil(threads.max(1)).max(SHARE_MIN);
    let mut shares = records.chunks(share);
    let Some(first) = shares.next() else {
        return Vec::new();
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = shares
            .map(|share| scope.spawn(move || share.iter().map(said).collect::<Vec<_>>()))
            .collect();
        let mut all: Vec<Said> = first.iter().map(said).collect();
        for other in others {
            match other.join() {
                Ok(said) => all.extend(said),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all
    })
}
