//! Reads the blocks of a file that a failing disk still gives. A mark stands for those that it does not give.

use rustix::io::Errno;
use std::io::{self, Read, Seek, SeekFrom};

/// Bytes that a disk gives, or does not give, as one block.
const BLOCK_BYTES: u64 = 4096;
/// Bytes that are read at once where nothing fails, a multiple of a block.
const READ_BYTES: u64 = 64 * BLOCK_BYTES;
/// The most blocks that may be lost. More of them are not a bad place on a disk but a failing disk: each may take seconds until
/// the disk gives up, and a person is to decide what becomes of so many records.
const LOST_MAX: usize = 256;
/// Stands for each byte of a block that was not given. No record begins with it, and a crash leaves zeros but never this.
pub(super) const MARK: u8 = 0x55;

/// The bytes that could be read, with marks for the others.
pub(super) struct SalvagedBytes {
    /// As many bytes as were to be read.
    pub(super) bytes: Vec<u8>,
    /// How many blocks were not given.
    pub(super) lost: usize,
    /// The byte of the file where the first of these is, and why it was not given.
    pub(super) first: Option<(u64, io::Error)>,
}

/// Whether the disk failed to read a block. Other errors say nothing about the contents of a file.
pub(super) fn is_not_given(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::IO.raw_os_error())
}

/// Reads from the byte `from` up to `to`. A stretch that is not given is tried once more, block by block.
///
/// Errors: any other error than a block that is not given, or that one if too many blocks are not given, or all.
pub(super) fn salvage(
    file: &mut (impl Read + Seek),
    from: u64,
    to: u64,
) -> Result<SalvagedBytes, io::Error> {
    let mut salvaged = SalvagedBytes {
        bytes: Vec::new(),
        lost: 0,
        first: None,
    };
    let mut blocks = 0;
    let mut at = from;
    while at < to {
        let end = part_end(at, READ_BYTES).min(to);
        match append(file, at, end, &mut salvaged.bytes) {
            Err(error) if is_not_given(&error) => {
                while at < end {
                    let block_end = part_end(at, BLOCK_BYTES).min(end);
                    salvaged.append_block(file, at, block_end)?;
                    at = block_end;
                }
            }
            appended => appended?,
        }
        at = end;
        blocks = (end - from / BLOCK_BYTES * BLOCK_BYTES).div_ceil(BLOCK_BYTES);
    }
    match salvaged.first {
        Some((_, error)) if blocks <= salvaged.lost as u64 => Err(error),
        _ => Ok(salvaged),
    }
}

impl SalvagedBytes {
    fn append_block(
        &mut self,
        file: &mut (impl Read + Seek),
        at: u64,
        end: u64,
    ) -> Result<(), io::Error> {
        match append(file, at, end, &mut self.bytes) {
            Err(error) if is_not_given(&error) => {
                if LOST_MAX <= self.lost {
                    return Err(error);
                }
                let bytes = usize::try_from(end - at).unwrap_or(0);
                self.bytes.resize(self.bytes.len() + bytes, MARK);
                self.lost += 1;
                self.first.get_or_insert((at, error));
                Ok(())
            }
            appended => appended,
        }
    }
}

/// Where the part of `bytes` bytes ends that the byte `at` is in.
fn part_end(at: u64, bytes: u64) -> u64 {
    (at / bytes + 1).saturating_mul(bytes)
}

/// Appends a stretch of the file to `into`, or nothing after an error.
fn append(
    file: &mut (impl Read + Seek),
    at: u64,
    end: u64,
    into: &mut Vec<u8>,
) -> Result<(), io::Error> {
    let before = into.len();
    let bytes = usize::try_from(end - at).unwrap_or(usize::MAX);
    into.resize(before.saturating_add(bytes), 0);
    let read = file
        .seek(SeekFrom::Start(at))
        .and_then(|_| file.read_exact(into.get_mut(before..).unwrap_or_default()));
    if read.is_err() {
        into.truncate(before);
    }
    read
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;
    use std::ops::Range;

    /// A file of which a stretch is not given.
    struct Failing {
        file: Cursor<Vec<u8>>,
        lost: Range<u64>,
    }

    impl Read for Failing {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let at = self.file.position();
            let whole = into.len() as u64;
            if self.lost.contains(&at) {
                return Err(Errno::IO.into());
            }
            let until = match at < self.lost.start {
                true => whole.min(self.lost.start - at),
                false => whole,
            };
            self.file.read(&mut into[..usize::try_from(until).unwrap()])
        }
    }

    impl Seek for Failing {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.file.seek(to)
        }
    }

    /// Were this to fail, a bad place on a disk would cost more than what is in it, or would be taken for what was written.
    #[test]
    fn what_is_given_is_as_it_was_and_the_rest_is_marked() {
        const LENGTH: u64 = 3 * READ_BYTES / 2 + 100;
        let whole: Vec<u8> = (0..LENGTH).map(|n| (n % 251) as u8).collect();
        for from in [0, 16, 5000] {
            for lost in [
                0..0,
                0..1,
                4096..8192,
                5000..5001,
                8191..8193,
                READ_BYTES - 1..READ_BYTES + 1,
                LENGTH - 1..LENGTH,
            ] {
                let mut file = Failing {
                    file: Cursor::new(whole.clone()),
                    lost: lost.clone(),
                };
                let read = salvage(&mut file, from, LENGTH).unwrap();
                assert_eq!(read.bytes.len() as u64, LENGTH - from);
                let mut blocks = Vec::new();
                for (at, byte) in (from..).zip(&read.bytes) {
                    let block = at / BLOCK_BYTES;
                    let start = (block * BLOCK_BYTES).max(from);
                    let end = (block + 1) * BLOCK_BYTES;
                    let is_lost = lost.start < end && start < lost.end;
                    if is_lost {
                        blocks.push(block);
                    }
                    let is = if is_lost { MARK } else { whole[at as usize] };
                    assert_eq!(*byte, is, "{from} {lost:?} {at}");
                }
                blocks.dedup();
                assert_eq!(read.lost, blocks.len());
            }
        }
    }

    #[test]
    fn a_file_of_which_nothing_or_too_little_is_given_is_an_error() {
        let check = |bytes: u64, lost: Range<u64>, is_given: bool| {
            let mut file = Failing {
                file: Cursor::new(vec![1; usize::try_from(bytes).unwrap()]),
                lost,
            };
            assert_eq!(salvage(&mut file, 16, bytes).is_ok(), is_given);
        };
        let most = LOST_MAX as u64 * BLOCK_BYTES;
        check(3000, 0..3000, false);
        check(9000, 0..9000, false);
        check(9000, 0..8192, true);
        check(2 * most, 0..most, true);
        check(2 * most, 0..most + 1, false);
    }
}
