//! The statuses that commands end with, beside 0 (done) and 2 (a command line that cannot be read, by clap). A signal ends a command
//! with 128 and its number.

/// It failed, or what it looked at is wrong.
pub(crate) const WRONG: u8 = 1;
/// It looked, and found nothing wrong but something to look after.
pub(crate) const WARNINGS: u8 = 3;
